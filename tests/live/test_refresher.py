"""What a board reads because of events and errors, on real sockets in virtual time."""

import asyncio
import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from aiopresence import NotFound
from aiopresence.sandbox import Answer, Change, Delay, Fault, Received, Sandbox
from tests.support.virtual import run, virtual, virtual_sandbox, virtual_session

LIMITS = {"Light": 50, "Medium": 40, "Heavy": 10, "Auth": 5}


def note(sandbox: Sandbox, extension_id: str, *, at: datetime | None = None, **fields: Any) -> str:
    """Return a notification about an extension."""
    body = {"extensionId": extension_id, "sequence": 1, **fields}
    event = f"/restapi/v1.0/account/{sandbox.account_id}/presence"
    notification = {
        "uuid": f"u{extension_id}",
        "event": event,
        "timestamp": (at or datetime.now(UTC)).isoformat(),
        "body": body,
    }
    return json.dumps([{"type": "ServerNotification"}, notification])


@pytest.mark.parametrize("status", [400, 403, 404])
@pytest.mark.parametrize("everybody", [True, False])
def test_a_refused_batch_removes_no_extension(status: int, everybody: bool) -> None:
    async def story() -> None:
        async with (
            virtual_sandbox(10, limits=LIMITS) as sandbox,
            virtual_session(sandbox) as session,
        ):
            ids = None if everybody else sandbox.user_ids
            async with session.board(ids, refresh=None) as board:
                await board.wait_ready()
                known = [*board]
                refused = sandbox.faults.add(Answer(status), path=",")
                # Two extensions have events that cannot be read, so that both are read again.
                spoilt = sandbox.gateway.replace(
                    lambda text: text.replace('"sequence":', '"sequence":"x","was":'), times=2
                )
                pair = sandbox.user_ids[1:3]
                for who in pair:
                    sandbox.set_presence(who, user_status="Busy")
                while not refused.fired:
                    await asyncio.sleep(1)
                await asyncio.sleep(0.5)
                assert spoilt.fired == 2
                assert [*board] == known
                assert all(board.is_stale(who) for who in pair)
                # A missing permission is checked again a good while later.
                await asyncio.sleep(70)
                assert board.is_live
                assert [board[who].user_status for who in pair] == ["Busy", "Busy"]

    run(story)


@pytest.mark.parametrize("everybody", [True, False])
def test_an_extension_that_is_restored_is_on_the_board_again(everybody: bool) -> None:
    async def story() -> None:
        async with virtual_sandbox(10) as sandbox, virtual_session(sandbox) as session:
            who = sandbox.user_ids[2]
            extensions = sandbox._state.account.extensions
            ids = None if everybody else sandbox.user_ids
            async with session.board(ids, refresh=60) as board:
                await board.wait_ready()
                extension = extensions.pop(who)
                await asyncio.sleep(70)
                assert who not in board
                assert isinstance(board.errors[who], NotFound)
                assert board.is_stale(who)
                extensions[who] = extension
                sandbox.set_presence(who, message="Back", user_status="Busy")
                await asyncio.sleep(6)
                assert board[who].message == "Back"
                assert not board.is_stale(who)
                assert who not in board.errors

    run(story)


@pytest.mark.parametrize("fault", [Delay(8.0), Answer(503)])
@pytest.mark.parametrize("everybody", [True, False])
def test_a_board_is_live_while_everything_is_read_again_on_schedule(
    fault: Fault, everybody: bool
) -> None:
    async def story() -> None:
        async with virtual_sandbox(10) as sandbox, virtual_session(sandbox) as session:
            ids = None if everybody else [*sandbox.user_ids, "999"]
            async with session.board(ids, refresh=60) as board:
                await board.wait_ready()
                await asyncio.sleep(10)
                who = sandbox.user_ids[2]
                sandbox.set_presence(who, message="Back")
                rule = sandbox.faults.add(fault, path="/presence", times=5)
                for _ in range(900):
                    await asyncio.sleep(0.1)
                    assert board.is_live
                    assert not any(board.is_stale(id_) for id_ in board)
                assert rule.fired
                assert board[who].message == "Back"
                sandbox.gateway.fail_recovery()
                sandbox.gateway.cut()
                for _ in range(1000):  # the reconnection has a random delay
                    await asyncio.sleep(0)
                    if not board.is_live:
                        break
                assert not board.is_live
                await asyncio.sleep(55)
                assert board.is_live

    run(story)


@virtual
async def test_an_extension_whose_first_event_comes_during_the_first_read_is_read() -> None:
    async with virtual_sandbox(10) as sandbox, virtual_session(sandbox) as session:
        new = sandbox.user_ids[4]
        extension = sandbox._state.account.extensions.pop(new)
        async with session.board(refresh=None) as board:
            while not any(r.path.endswith("account/~/presence") for r in sandbox.requests):
                await asyncio.sleep(0)
            sandbox._state.account.extensions[new] = extension
            sandbox.gateway.inject(note(sandbox, new, userStatus="Busy"))
            await board.wait_ready()
            await asyncio.sleep(10)
            assert new in board
            assert board.is_live


@virtual
async def test_a_flood_of_unknown_ids_leaves_the_limits_to_others() -> None:
    async with (
        virtual_sandbox(10, limits=LIMITS) as sandbox,
        virtual_session(sandbox) as session,
        session.board(refresh=None) as board,
    ):
        await board.wait_ready()
        before = len(sandbox.requests)
        for number in range(3000):
            sandbox.gateway.inject(note(sandbox, str(10**9 + number), userStatus="Busy"))
            await asyncio.sleep(0.1)
        reads = [r for r in sandbox.requests[before:] if r.group == "Light"]
        assert 2 <= len(reads) <= 10  # In 300 seconds, of the 250 that the limits allow.
        assert len(board.errors) <= 1000
        assert board.is_live
        # An extension that the board knows does not wait behind them.
        spoilt = sandbox.gateway.replace(
            lambda text: text.replace('"sequence":', '"sequence":"x",')
        )
        sandbox.set_presence(sandbox.user_ids[1], user_status="Busy", message="Here")
        await asyncio.sleep(6)
        assert spoilt.fired == 1
        assert board[sandbox.user_ids[1]].message == "Here"


@virtual
async def test_a_new_extension_is_read_soon_behind_a_flood_of_unknown_ids() -> None:
    async with (
        virtual_sandbox(10, limits=LIMITS) as sandbox,
        virtual_session(sandbox) as session,
    ):
        new = sandbox.user_ids[4]
        extension = sandbox._state.account.extensions.pop(new)
        async with session.board(refresh=None) as board:
            await board.wait_ready()
            for number in range(5000):
                sandbox.gateway.inject(note(sandbox, str(10**9 + number), userStatus="Busy"))
                if number % 100 == 0:
                    await asyncio.sleep(0.1)
            sandbox._state.account.extensions[new] = extension
            sandbox.gateway.inject(note(sandbox, new, userStatus="Busy"))
            await asyncio.sleep(130)
            assert new in board
            assert len(sandbox.requests) < 50


@pytest.mark.parametrize("everybody", [True, False])
def test_events_without_an_extension_leave_the_limits_to_others(everybody: bool) -> None:
    async def story() -> None:
        async with (
            virtual_sandbox(10, limits=LIMITS) as sandbox,
            virtual_session(sandbox) as session,
            session.board(None if everybody else sandbox.user_ids, refresh=None) as board,
        ):
            await board.wait_ready()
            before = len(sandbox.requests)
            for number in range(600):
                text = note(sandbox, f"{number}", userStatus="Busy")
                sandbox.gateway.inject(text.replace('"extensionId"', '"extension"'))
                await asyncio.sleep(1)
            reads = [r for r in sandbox.requests[before:] if r.group in ("Light", "Heavy")]
            # At most half of what the limits allow in ten minutes.
            assert 10 < len(reads) <= (50 if everybody else 250)
            await asyncio.sleep(20)
            assert board.is_live

    run(story)


@pytest.mark.parametrize("created", [None, "2026-03-02T09:00:00Z"])
def test_a_first_event_that_is_older_than_the_read_reverts_nothing(created: str | None) -> None:
    """The Date of responses shows the server's time where `creationTime` does not."""

    async def story() -> None:
        # In virtual time, our clock is another one than the sandbox's.
        async with virtual_sandbox(3) as sandbox, virtual_session(sandbox) as session:
            created_at = re.compile('"creationTime": ?"[^"]*"')
            undated = sandbox.gateway.replace(
                lambda text: created_at.sub(f'"creationTime":{json.dumps(created)}', text)
            )
            who = sandbox.user_ids[0]
            sandbox.set_presence(who, user_status="Busy")
            async with session.board([who], refresh=None) as board:
                await board.wait_ready()
                assert undated.fired
                changes = board.changes()
                earlier = datetime.now(UTC) - timedelta(minutes=1)
                sandbox.gateway.inject(note(sandbox, who, at=earlier, userStatus="Available"))
                await asyncio.sleep(10)
                assert sum(r.path.endswith("/presence") for r in sandbox.requests) == 2
                assert board[who].user_status == "Busy"
                assert board.is_live
            assert [change async for change in changes] == []

    run(story)


def test_reads_of_others_do_not_postpone_the_retry_of_what_could_not_be_read() -> None:
    async def story() -> None:
        async with (
            virtual_sandbox(10, limits=LIMITS) as sandbox,
            virtual_session(sandbox, batch_format="json", attempts=1) as session,
            session.board(sandbox.user_ids, refresh=None) as board,
        ):
            await board.wait_ready()
            broken, *others = sandbox.user_ids[1:]

            def with_error(body: bytes) -> bytes:
                parts = json.loads(body)
                for part in parts:
                    if part["resourceId"] == broken:
                        part.update(status=500, body={})
                return json.dumps(parts).encode()

            def is_asked(request: Received) -> bool:
                return broken in request.ids

            alone = sandbox.faults.add(
                Answer(500), path=f"/{broken}/presence", when=is_asked, times=None
            )
            among = sandbox.faults.add(
                Change(with_error), path="/presence", when=is_asked, times=None
            )
            sandbox.gateway.replace(
                lambda text: text.replace('"sequence":', '"sequence":"x","was":'), times=None
            )
            for second in range(120):  # Another one becomes stale every second.
                status = ("Busy", "Offline")[second // len(others) % 2]
                sandbox.set_presence(others[second % len(others)], user_status=status)
                if second == 0:
                    sandbox.set_presence(broken, user_status="Busy")
                if second == 30:
                    assert alone.fired + among.fired >= 3
                    sandbox.faults.clear()
                await asyncio.sleep(1)
            assert board[broken].user_status == "Busy"
            assert broken not in board.errors

    run(story)
