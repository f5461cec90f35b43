"""The names on a board, in virtual time."""

import asyncio
import json
import logging
from typing import Any

import pytest

from aiopresence import (
    ChangeSource,
    LookupFailed,
    PermissionDenied,
    PresenceBoard,
    PresenceSession,
    UsageError,
    from_dict,
    to_dict,
)
from aiopresence.models import PresenceChange
from aiopresence.sandbox import Answer, Hang, Sandbox
from tests.support.virtual import virtual, virtual_sandbox, virtual_session

DIRECTORY = "/directory/entries"


def times(sandbox: Sandbox) -> list[float]:
    """Return when the directory was requested, in whole seconds after the first time."""
    arrivals = [r.arrival for r in sandbox.requests if DIRECTORY in r.path]
    return [round(each - arrivals[0]) for each in arrivals]


@virtual
async def test_a_board_has_names() -> None:
    async with virtual_sandbox(10) as sandbox, virtual_session(sandbox) as session:
        async with session.board(directory=True) as board:
            assert board.entry(sandbox.user_ids[0]) is None
            with pytest.raises(UsageError, match="wait_ready"):
                board.find("101")
            await board.wait_ready()
            assert [*(board.directory or ())] == [*sandbox.extension_ids]
            person = board.find("103")
            assert person.id == sandbox.extension_ids[2]
            assert board.find(person.name or "") is person
            assert board.entry(person.id) is board.entry(int(person.id)) is person
            assert board.entry("5") is None
            with pytest.raises(LookupFailed):
                board.find("Nobody")
            changes = board.changes()
            sandbox.set_presence(person.id, user_status="Busy", meeting_status="Connected")
            change = await anext(changes)
            assert change.entry is person
            assert change.source is ChangeSource.EVENT
            again = from_dict(PresenceChange, to_dict(change))
            assert (again.id, again.entry) == (change.id, person)
        assert len(times(sandbox)) == 1


@virtual
async def test_changes_that_were_combined_have_the_entry() -> None:
    async with (
        virtual_sandbox(10) as sandbox,
        virtual_session(sandbox) as session,
        session.board(directory=True) as board,
    ):
        await board.wait_ready()
        id_ = sandbox.user_ids[3]
        sandbox.set_presence(id_, message="", user_status="Available")
        await asyncio.sleep(1)
        changes = board.changes()
        for status in ("Busy", "Offline"):
            sandbox.set_presence(id_, user_status=status)
            await asyncio.sleep(1)
        change = await anext(changes)
        assert change.new is not None
        assert change.new.user_status == "Offline"
        assert change.entry is board.entry(id_)
        assert change.entry is not None


@virtual
async def test_without_a_directory_the_message_says_how_to_have_one() -> None:
    async with virtual_sandbox(10) as sandbox, virtual_session(sandbox) as session:
        async with session.board() as board:
            await board.wait_ready()
            assert board.directory is None
            for call in (board.find, board.entry):
                with pytest.raises(UsageError, match=r"session\.board\(directory=True\)"):
                    call("101")
            changes = board.changes()
            sandbox.ring(sandbox.user_ids[0])
            assert (await anext(changes)).entry is None
        assert times(sandbox) == []
        with pytest.raises(UsageError, match="directory must be True or False"):
            session.board(directory="yes")  # type: ignore[arg-type] # what is tested


@pytest.mark.fault
@virtual
async def test_a_board_waits_for_its_directory() -> None:
    async with virtual_sandbox(10) as sandbox, virtual_session(sandbox) as session:
        rule = sandbox.faults.add(Hang(), path=DIRECTORY)
        async with session.board(directory=True) as board:
            waiting = asyncio.ensure_future(board.wait_ready())
            await asyncio.sleep(5)
            assert rule.fired == 1
            assert len(board) == 10
            assert not waiting.done()
            # What is read does not wait for names.
            changes = board.changes()
            sandbox.ring(sandbox.user_ids[0])
            assert (await anext(changes)).entry is None
            await waiting
            assert board.directory is not None


@pytest.mark.fault
@virtual
async def test_without_the_permission_a_board_works_without_names(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with virtual_sandbox(10) as sandbox, virtual_session(sandbox) as session:
        for path in (DIRECTORY, "account/~/extension?"):
            sandbox.faults.add(Answer(403), path=path, times=2)
        ids = sandbox.user_ids
        with caplog.at_level(logging.WARNING, "aiopresence"):
            async with session.board(ids, directory=True) as board:
                await board.wait_ready()
                assert board.is_live
                assert len(board) == len(ids)
                assert (board.directory, board.entry(ids[0])) == (None, None)
                with pytest.raises(PermissionDenied):
                    board.find("101")
                # It is tried again, and then works.
                await asyncio.sleep(59 + 120)
                assert board.directory is None
                await asyncio.sleep(3)
                assert board.find("101").id == ids[0]
        assert [round(each, -1) for each in times(sandbox)] == [0, 60, 180]
        lines = [r.getMessage() for r in caplog.records if "directory" in r.getMessage()]
        assert [line.split(":")[0] for line in lines] == [
            "reading the directory failed, trying again in 60 s",
            "reading the directory failed, trying again in 120 s",
        ]


@virtual
async def test_the_directory_is_read_again_when_somebody_is_new() -> None:
    async with virtual_sandbox(10) as sandbox, virtual_session(sandbox) as session:
        async with session.board(directory=True) as board:
            await board.wait_ready()
            changes = board.changes()
            await asyncio.sleep(10)
            new = sandbox.add_extension("New Person")
            sandbox.ring(new)
            change = await anext(changes)
            assert (change.id, change.entry) == (new, None)
            await asyncio.sleep(55)  # At most once a minute.
            assert board.entry(new) is not None
            sandbox.answer(new)
            assert (await anext(changes)).entry is board.find("new person")
            await asyncio.sleep(1000)
        assert times(sandbox) == [0, 60]


@pytest.mark.fault
@virtual
async def test_ids_that_stay_unknown_are_asked_for_ever_less_often() -> None:
    async with virtual_sandbox(10) as sandbox, virtual_session(sandbox) as session:
        absent = sandbox.user_ids[4]
        found = json.dumps({"records": [{"id": "1"}]}).encode()
        sandbox.faults.add(Answer(200, found), path=DIRECTORY, times=None)
        async with session.board([absent], directory=True, refresh=None) as board:
            await board.wait_ready()
            for _ in range(1500):
                sandbox.ring(absent)
                sandbox.hang_up(absent)
                await asyncio.sleep(1)
            assert board.is_live
        assert times(sandbox) == [0, 60, 180, 420, 900]


@virtual
async def test_the_directory_is_read_again_once_an_hour() -> None:
    async with virtual_sandbox(10) as sandbox, virtual_session(sandbox) as session:
        async with session.board(directory=True, refresh=600) as board:
            await board.wait_ready()
            first = board.directory
            await asyncio.sleep(3610)
            assert board.directory is first
            unchanged = board.find("102")
            sandbox.set_extension("~", name="Renée New")
            await asyncio.sleep(3600)
            assert board.directory is not first
            assert board.find("renee new").id == sandbox.user_ids[0]
            assert board.find("102") is unchanged
        assert times(sandbox) == [0, 3600, 7200]


@virtual
async def test_a_board_that_stops_ends_the_wait_for_its_directory() -> None:
    async with virtual_sandbox(10) as sandbox, virtual_session(sandbox) as session:
        sandbox.faults.add(Hang(), path=DIRECTORY)
        sandbox.forbid("WebSocketsSubscription")
        board = session.board(directory=True)
        async with asyncio.timeout(25):
            with pytest.raises(PermissionDenied):
                await open_until_ready(board)


async def open_until_ready(board: PresenceBoard) -> None:
    async with board:
        await board.wait_ready()


async def test_a_closed_session_ends_the_reading_of_the_directory(
    sandbox: Sandbox, session: PresenceSession
) -> None:
    sandbox.faults.add(Hang(), path=DIRECTORY)
    async with session.board(directory=True):
        while not any(DIRECTORY in r.path for r in sandbox.requests):
            await asyncio.sleep(0)
        before: Any = {*asyncio.all_tasks()}
        assert len(before) > 2
        await session.close()
    await asyncio.sleep(0)
    assert {*asyncio.all_tasks()} <= before
