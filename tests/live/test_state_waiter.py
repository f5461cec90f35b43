"""Waits for a state of one extension, on real sockets in virtual time."""

import asyncio

import pytest

from aiopresence import GetPresenceInfo, NotFound, PresenceBoard
from aiopresence.sandbox import Answer
from tests.support.virtual import run, virtual, virtual_sandbox, virtual_session


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
            assert not board._waiters.ids
