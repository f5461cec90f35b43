"""Whatever happens on the way, the board equals the sandbox's state once it is over."""

import asyncio
from collections.abc import Callable
from typing import Any

import attrs
import pytest
from hypothesis import example, given, settings, strategies as st

from aiopresence import GetPresenceInfo, PresenceBoard
from aiopresence.protocol import decoding
from aiopresence.sandbox import GatewayPlan, Sandbox
from tests.support.virtual import run, virtual_sandbox, virtual_session

Op = tuple[str, int]


def truth(sandbox: Sandbox) -> dict[str, GetPresenceInfo]:
    records = {id_: sandbox.presence(id_, detailed=True) for id_ in sandbox.extension_ids}
    return {
        id_: told(decoding.structure(record, GetPresenceInfo)) for id_, record in records.items()
    }


def told(record: GetPresenceInfo) -> GetPresenceInfo:
    """Leave out what only events tell, and what no event does."""
    return attrs.evolve(record, total_active_calls=None, message=None)


def picture(board: PresenceBoard) -> dict[str, GetPresenceInfo]:
    return {id_: told(board[id_]) for id_ in board}


CHANGES: tuple[dict[str, Any], ...] = (
    {"user_status": "Busy"},
    {"user_status": "Available"},
    {"telephony_status": "Ringing"},
    {"telephony_status": "NoCall"},
    {"dnd_status": "DoNotAcceptAnyCalls"},
    {"dnd_status": "TakeAllCalls", "meeting_status": "Connected"},
    {"allow_see_my_presence": False},
    {"allow_see_my_presence": True, "ring_on_monitored_call": True},
)


def change(sandbox: Sandbox, number: int) -> None:
    who = sandbox.user_ids[number % len(sandbox.user_ids)]
    sandbox.set_presence(who, **CHANGES[number % len(CHANGES)])


def many(sandbox: Sandbox, number: int) -> None:
    for n in range(number):
        change(sandbox, n * 7 + number)


OPS: dict[str, Callable[[Sandbox, int], object]] = {
    "change": change,
    "many": many,
    "cut": lambda sandbox, n: sandbox.gateway.cut(after=n % 5),
    "close": lambda sandbox, n: sandbox.gateway.close(1000 + n % 15),
    "silence": lambda sandbox, n: sandbox.gateway.silence(),
    "fail": lambda sandbox, n: sandbox.gateway.fail_recovery(),
    "duplicate": lambda sandbox, n: sandbox.gateway.duplicate(n % 4 + 1),
    "delay": lambda sandbox, n: sandbox.gateway.delay(n % 3 + 1, n % 40 / 10),
    "reorder": lambda sandbox, n: sandbox.gateway.reorder(n % 3 + 1),
    "no answer": lambda sandbox, n: sandbox.gateway.no_answer(),
    "no details": lambda sandbox, n: sandbox.gateway.without_details(),
    "unauthorized": lambda sandbox, n: sandbox.gateway.error("OAU-128", "expired", 401),
    "garbage": lambda sandbox, n: sandbox.gateway.replace(lambda text: text[: len(text) * n // 60]),
    "new numbers": lambda sandbox, n: sandbox.gateway.restart_sequences(n % 2 * 5),
    "expire": lambda sandbox, n: sandbox.expire_tokens(),
}

# From a tenth of a second to longer than any recovery takes.
STEPS = st.tuples(
    st.sampled_from(sorted(OPS)) | st.just("change"),
    st.integers(0, 60),
    st.sampled_from((0.0, 0.0, 0.1, 1.0, 30.0, 200.0)),
)


async def follow(sandbox: Sandbox, steps: list[tuple[str, int, float]], **options: Any) -> None:
    async with (
        virtual_session(sandbox) as session,
        session.board(detailed_telephony_state=True, refresh=None, **options) as board,
    ):
        changes = board.changes()
        seen: dict[str, GetPresenceInfo | None] = {}

        async def watch() -> None:
            async for one in changes:
                assert one.old == seen.get(one.id)
                seen[one.id] = one.new

        watching = asyncio.create_task(watch())
        for name, number, seconds in steps:
            OPS[name](sandbox, number)
            await asyncio.sleep(seconds)
        sandbox.gateway.clear()
        await board.wait_ready()
        # Longer than the longest delay of a notification, of a connection and of its subscription.
        await asyncio.sleep(300)
        assert board.is_live
        expected = truth(sandbox)
        assert picture(board) == {id_: expected[id_] for id_ in board}
        assert set(board) == set(options.get("extension_ids", expected))
        assert {id_: new for id_, new in seen.items() if new is not None} == dict(board)
        assert not any(board.is_stale(id_) for id_ in board)
    await watching
    assert all(request.status not in (429, None) for request in sandbox.requests[:-1])


@pytest.mark.parametrize("wsc_everywhere", [True, False])
@example([("many", 44, 0.0), ("change", 50, 0.0), ("reorder", 1, 0.1)])
@given(st.lists(STEPS, max_size=12))
@settings(max_examples=settings().max_examples // 3)
def test_the_board_converges_on_real_sockets(
    wsc_everywhere: bool, steps: list[tuple[str, int, float]]
) -> None:
    async def story() -> None:
        plan = GatewayPlan(recovery_buffer_size=10, wsc_everywhere=wsc_everywhere)
        async with virtual_sandbox(gateway=plan) as sandbox:
            await follow(sandbox, steps)

    run(story)
