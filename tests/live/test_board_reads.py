"""What a board reads because of events and errors, on real sockets in virtual time."""

import asyncio
import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from aiopresence import GetPresenceInfo, NotFound, PresenceBoard, PresenceSession, ServerError
from aiopresence.sandbox import Answer, GatewayPlan, Sandbox
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


class TestWaitFor:
    async def begin(
        self, board: PresenceBoard, who: str, states: list[str]
    ) -> "asyncio.Task[GetPresenceInfo]":
        def is_busy(state: GetPresenceInfo) -> bool:
            states.append(str(state.user_status))
            return state.user_status == "Busy"

        waiting = asyncio.create_task(board.wait_for(who, is_busy))
        await asyncio.sleep(0)
        return waiting

    @virtual
    async def test_wait_for_sees_a_state_that_lasts_a_moment(self) -> None:
        async with virtual_sandbox(5) as sandbox, virtual_session(sandbox) as session:
            who = sandbox.user_ids[1]
            sandbox.set_presence(who, user_status="Available")
            async with session.board() as board:
                await board.wait_ready()
                states: list[str] = []
                waiting = await self.begin(board, who, states)
                for status in ("Busy", "Available"):
                    sandbox.set_presence(who, user_status=status)
                assert (await waiting).user_status == "Busy"
                while board[who].user_status != "Available":
                    await asyncio.sleep(0)
                assert states == ["Available", "Busy"]

    @virtual
    async def test_wait_for_raises_the_error_of_an_unknown_extension(self) -> None:
        async with virtual_sandbox(5) as sandbox, virtual_session(sandbox) as session:
            who = sandbox.user_ids[1]
            sandbox.set_presence(who, user_status="Available")
            async with session.board([*sandbox.user_ids, "999"], refresh=60) as board:
                before = await self.begin(board, "999", [])
                await board.wait_ready()
                with pytest.raises(NotFound):
                    await before
                with pytest.raises(NotFound):
                    await board.wait_for("999", lambda _: True)
                sandbox._state.account.extensions.pop(who)
                waiting = await self.begin(board, who, [])
                await asyncio.sleep(70)
                with pytest.raises(NotFound):
                    await waiting

    @virtual
    async def test_wait_for_waits_for_an_extension_that_cannot_be_read_yet(self) -> None:
        async with (
            virtual_sandbox(5) as sandbox,
            virtual_session(sandbox, attempts=1) as session,
        ):
            who = sandbox.user_ids[1]
            sandbox.set_presence(who, user_status="Busy")
            down = sandbox.faults.add(Answer(503), path="/presence")
            async with session.board([who]) as board:
                states: list[str] = []
                assert (await (await self.begin(board, who, states))).user_status == "Busy"
                assert down.fired == 1

    @virtual
    async def test_an_error_of_the_predicate_is_raised_and_the_board_goes_on(self) -> None:
        async with (
            virtual_sandbox(5) as sandbox,
            virtual_session(sandbox) as session,
            session.board() as board,
        ):
            await board.wait_ready()
            who = sandbox.user_ids[1]
            with pytest.raises(ZeroDivisionError):
                await board.wait_for(who, lambda _: 1 / 0 > 0)
            assert board.is_live

    @pytest.mark.parametrize("error", [StopIteration, asyncio.CancelledError])
    def test_a_predicate_that_raises_cancelled_error_does_not_stop_the_board(
        self, error: type[BaseException]
    ) -> None:
        async def story() -> None:
            async with (
                virtual_sandbox(5) as sandbox,
                virtual_session(sandbox) as session,
                session.board() as board,
            ):
                await board.wait_ready()
                who, states = sandbox.user_ids[1], list[GetPresenceInfo]()

                def fail_later(state: GetPresenceInfo) -> bool:
                    states.append(state)
                    if len(states) > 1:
                        raise error
                    return False

                waiting = asyncio.create_task(board.wait_for(who, fail_later))
                await asyncio.sleep(0)
                sandbox.set_presence(who, user_status="Busy")
                [raised] = await asyncio.gather(waiting, return_exceptions=True)
                assert type(raised) in (RuntimeError, asyncio.CancelledError)
                assert board.is_live
                assert board[who].user_status == "Busy"

        run(story)

    @virtual
    async def test_a_cancelled_wait_leaves_no_waiter(self) -> None:
        async with (
            virtual_sandbox(5) as sandbox,
            virtual_session(sandbox) as session,
            session.board() as board,
        ):
            await board.wait_ready()
            waiting = asyncio.create_task(board.wait_for(sandbox.user_ids[1], lambda _: False))
            await asyncio.sleep(0)
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
            assert not board._waiters


@virtual
async def test_a_board_without_messages_for_25_seconds_is_not_live() -> None:
    async with (
        virtual_sandbox(5, gateway=GatewayPlan()) as sandbox,
        virtual_session(sandbox) as session,
        session.board() as board,
    ):
        await board.wait_ready()
        sandbox.gateway.silence()
        seen = set()
        for _ in range(400):
            seen.add((board.is_live, board.age > 25))
            await asyncio.sleep(0.1)
        assert (True, True) not in seen
        assert (True, False) in seen


@virtual
async def test_a_poll_continues_after_a_refused_batch() -> None:
    async with virtual_sandbox(5) as sandbox, virtual_session(sandbox) as session:
        polled = session.poll(sandbox.user_ids, interval=60)
        gone = [(await anext(polled)).new is None for _ in sandbox.user_ids]
        refused = sandbox.faults.add(Answer(404), path=",")
        waiting = asyncio.ensure_future(anext(polled))
        while not refused.fired:
            await asyncio.sleep(1)
        await asyncio.sleep(200)
        assert not waiting.done()
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        assert not any(gone)


async def test_the_error_of_a_request_is_distinguished_from_that_of_an_id(
    session: PresenceSession, sandbox: Sandbox
) -> None:
    """`of_request` says whether an outcome is about its id."""
    ids = sandbox.user_ids[:3]
    sandbox.faults.add(Answer(404), path=",")
    result = await session.read_user_presence_statuses(ids)
    assert [(type(o.error), o.of_request) for o in result] == [(NotFound, True)] * 3
    result = await session.read_user_presence_statuses([*ids, "999"])
    assert [o.of_request for o in result] == [False] * 4
    assert isinstance(result.errors["999"], NotFound)
    sandbox.faults.add(Answer(500), path="999", times=None)
    [alone] = await session.read_user_presence_statuses(["999"])
    assert (type(alone.error), alone.of_request) == (ServerError, False)


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
