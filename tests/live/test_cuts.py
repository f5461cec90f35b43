"""A network that cuts every connection after some seconds, in virtual time over real sockets."""

import asyncio
import logging
from contextlib import aclosing
from itertools import pairwise

import attrs
import pytest

from aiopresence import PresenceBoard, PresenceEvent, Resync
from aiopresence.sandbox import GatewayPlan, Sandbox
from tests.support.virtual import run, virtual_sandbox, virtual_session


@attrs.define
class Seen:
    """How a board fared.

    Attributes:
        live: the part of the time in which it was live.
        waits: seconds from each loss until it was live again.
        cuts: how often it was cut.
    """

    live: float = 0.0
    waits: list[float] = attrs.field(factory=list)
    cuts: int = 0


async def watch(
    sandbox: Sandbox, board: PresenceBoard, every: float, seconds: float, step: float = 0.25
) -> Seen:
    """Cut whatever is connected every so many seconds, and watch the board."""
    loop, seen, lost_at = asyncio.get_running_loop(), Seen(), None
    began = loop.time()
    cut_at = began + every
    live_steps = steps = 0
    while loop.time() < began + seconds:
        if loop.time() >= cut_at:
            if sandbox.gateway.connections:
                seen.cuts += sandbox.gateway.cut().fired
            cut_at += every
        await asyncio.sleep(step)
        steps += 1
        live_steps += board.is_live
        if board.is_live and lost_at is not None:
            seen.waits.append(loop.time() - lost_at)
            lost_at = None
        elif not board.is_live and lost_at is None:
            lost_at = loop.time()
    seen.live = live_steps / steps
    return seen


PLANS = {
    "a token that is good again": GatewayPlan(wstoken_lifetime=600.0),
    "a token that is good for 30 s": GatewayPlan(wstoken_lifetime=30.0),
}


@pytest.mark.parametrize("auth", [9_000, 5])
@pytest.mark.parametrize("plan", PLANS)
def test_a_board_disconnected_every_12_seconds_is_live_nine_tenths_of_the_time(
    plan: str, auth: int
) -> None:
    async def story() -> None:
        limits = {"Auth": auth, "Light": 50, "Medium": 40, "Heavy": 10}
        async with (
            virtual_sandbox(gateway=PLANS[plan], limits=limits) as sandbox,
            virtual_session(sandbox) as session,
            session.board() as board,
        ):
            await board.wait_ready()
            seen = await watch(sandbox, board, 12.0, 90.0, step=0.05)
            assert seen.cuts == 7
            assert seen.waits
            assert seen.live >= 0.9, seen
            assert max(seen.waits) <= 6.0, seen
            assert [r.path for r in sandbox.requests if r.status in (401, 429)] == []

    run(story)


@pytest.mark.parametrize("recovers", [True, False])
def test_a_board_disconnected_every_15_seconds_never_waits_longer(
    recovers: bool, caplog: pytest.LogCaptureFixture
) -> None:
    async def story() -> None:
        limits = {"Auth": 5, "Light": 50, "Medium": 40, "Heavy": 10}
        plan = GatewayPlan(wstoken_lifetime=600.0)
        async with (
            virtual_sandbox(gateway=plan, limits=limits) as sandbox,
            virtual_session(sandbox) as session,
            session.board() as board,
        ):
            await board.wait_ready()
            if not recovers:
                sandbox.gateway.fail_recovery(None)
            seen = await watch(sandbox, board, 15.0, 1200.0)
            assert seen.cuts >= 75
            assert max(seen.waits) <= 6.0, seen
            assert seen.live >= 0.9, seen
            assert session.stats.resyncs in ([0] if recovers else [seen.cuts - 1, seen.cuts])

    with caplog.at_level(logging.WARNING):
        run(story)
    # In its debug mode, asyncio warns of slow tasks.
    messages = [each.getMessage() for each in caplog.records if each.name == "aiopresence"]
    # The gaps themselves are logged; no wait is long enough to be.
    assert [each for each in messages if "may have been lost" not in each] == []
    assert bool(messages) is not recovers


@pytest.mark.fault
def test_a_stream_disconnected_every_15_seconds_gets_every_event() -> None:
    async def story() -> None:
        plan = GatewayPlan(wstoken_lifetime=600.0)
        async with (
            virtual_sandbox(gateway=plan, limits={"Auth": 5}) as sandbox,
            virtual_session(sandbox) as session,
        ):
            got: list[PresenceEvent | Resync] = []

            async def follow() -> None:
                async with aclosing(session.events()) as events:
                    async for event in events:
                        got.append(event)  # noqa: PERF401 - what came is kept when it ends

            following = asyncio.create_task(follow())
            await asyncio.sleep(5)
            told, status = sandbox.feed.sent, ("Busy", "Available")
            for second in range(1200):
                if second % 15 == 14:
                    assert sandbox.gateway.cut().fired
                if second % 3 == 0:
                    sandbox.set_presence(sandbox.user_ids[1], user_status=status[second // 3 % 2])
                await asyncio.sleep(1)
            await asyncio.sleep(10)
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)
            assert [each for each in got if isinstance(each, Resync)] == []
            assert len(got) == sandbox.feed.sent - told >= 399

    run(story)


def test_waits_for_single_use_tokens_of_the_gateway_are_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The old token is tried, refused, and a new one taken as soon as the limits allow."""

    async def story() -> None:
        limits = {"Auth": 5, "Light": 50, "Medium": 40, "Heavy": 10}
        plan = GatewayPlan(wstoken_single_use=True)
        async with (
            virtual_sandbox(gateway=plan, limits=limits) as sandbox,
            virtual_session(sandbox) as session,
            session.board() as board,
        ):
            await board.wait_ready()
            seen = await watch(sandbox, board, 12.0, 600.0)
            assert len(seen.waits) > 10
            assert max(seen.waits) < 61.0
            refused = [r for r in sandbox.requests if r.status == 401]
            assert refused
            assert {r.path for r in refused} == {"/ws"}
            # A refused old token is no reason to log in again.
            assert sandbox.counters.token_requests == 1
            assert not any(r.status == 429 for r in sandbox.requests)
            asked = [r.query for r in sandbox.requests if r.path == "/ws"]
            assert all("wsc=" in query for query in asked[1:])
            assert session.stats.resyncs == 0

    with caplog.at_level(logging.WARNING):
        run(story)
    ours = [each for each in caplog.records if each.name == "aiopresence"]
    assert {each.getMessage().partition(": ")[2] for each in ours} == {"rate limit of group Auth"}


def test_connections_opened_together_do_not_ping_together() -> None:
    async def story() -> None:
        async with virtual_sandbox() as sandbox, virtual_session(sandbox) as session:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(drain(session)) for _ in range(60)]
                await asyncio.sleep(1)
                pings = []
                for _ in range(500):
                    pings.append(sandbox.gateway.pings)
                    await asyncio.sleep(0.1)
                for task in tasks:
                    task.cancel()
            at_once = [after - before for before, after in pairwise(pings)]
            assert sum(at_once) >= 120
            assert max(at_once) <= 8

    async def drain(session: "object") -> None:
        async with aclosing(session.events()) as events:  # type: ignore[attr-defined]
            async for _ in events:
                pass

    run(story)
