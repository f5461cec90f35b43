import asyncio
from contextlib import AsyncExitStack

import attrs
import pytest

from aiopresence import PresenceSession, RateLimited
from aiopresence.sandbox import Sandbox
from aiopresence.transport import shared_login
from aiopresence.transport.clock import Clock
from tests.support.sessions import PLENTY
from tests.support.virtual import virtual, virtual_sandbox, virtual_session


async def read_together(*sessions: PresenceSession, times: int) -> None:
    async with AsyncExitStack() as stack:
        for session in sessions:
            await stack.enter_async_context(session)
        reads = (s.read_user_presence_status() for s in sessions for _ in range(times))
        await asyncio.gather(*reads)


@virtual
async def test_sessions_of_one_login_share_the_limits() -> None:
    async with virtual_sandbox(5, limits={**PLENTY, "Light": 50}, latency=0.1) as sandbox:
        await read_together(*(virtual_session(sandbox) for _ in range(4)), times=50)
        assert sandbox.counters.rate_limited == 0
        assert len(sandbox.requests) >= 200


@virtual
async def test_sessions_of_one_access_token_share_the_limits() -> None:
    async with virtual_sandbox(5, limits={**PLENTY, "Light": 50}, latency=0.1) as sandbox:
        async with virtual_session(sandbox) as session:
            await session.read_user_presence_status()
        token = str(sandbox.requests[-1].token)
        sessions = [PresenceSession(token, server=sandbox.url) for _ in range(4)]
        await read_together(*sessions, times=50)
        assert sandbox.counters.rate_limited == 0
        assert len(sandbox.requests) >= 200


@virtual
async def test_a_session_opened_after_another_knows_what_that_one_has_used() -> None:
    async with virtual_sandbox(5, limits={**PLENTY, "Light": 50}) as sandbox:
        await read_together(virtual_session(sandbox), times=50)
        async with virtual_session(sandbox) as session:
            assert session.limits["Light"].remaining == 0
            assert session.limits["Light"].blocked_for > 50.0
        assert virtual_session(sandbox).limits == {}


async def test_what_makes_a_login_another_one() -> None:
    clock = Clock()
    async with Sandbox(1) as sandbox:
        grant = sandbox.grant
        other_secret = attrs.evolve(grant, client_secret="other")
        one = shared_login.acquire("https://a", grant, clock)
        assert shared_login.acquire("https://a", attrs.evolve(grant), clock) is one
        others = [("https://b", grant, clock), ("https://a", other_secret, clock)]
        others.append(("https://a", grant, Clock()))
        assert all(shared_login.acquire(*other) is not one for other in others)


def test_event_loops_share_nothing() -> None:
    async def enter() -> shared_login.SharedLogin:
        return shared_login.acquire("https://a", Sandbox(1, seed=1).grant, clock)

    clock = Clock()
    assert asyncio.run(enter()) is not asyncio.run(enter())
    assert len(shared_login._logins) <= 1


async def test_what_no_session_uses_is_forgotten() -> None:
    class Later(Clock):
        def now(self) -> float:
            return super().now() + later

    clock, later = Later(), 0.0
    grant = Sandbox(1).grant
    for number in range(1000):
        shared_login.release(shared_login.acquire(f"https://{number}", grant, clock), clock)
    logins = shared_login._logins[asyncio.get_running_loop()]
    assert len(logins) <= shared_login.MAX_KEPT + 1
    used = shared_login.acquire("https://a", grant, clock)
    later = shared_login.KEPT_FOR + 1.0
    shared_login.acquire("https://b", grant, clock)
    assert len(logins) == 2
    assert shared_login.acquire("https://a", grant, clock) is used


@virtual
async def test_max_wait_bounds_the_wait_for_a_login_that_waits_for_the_group_auth() -> None:
    limits = {**PLENTY, "Auth": 1}
    async with (
        virtual_sandbox(5, limits=limits, latency=0.1) as sandbox,
        virtual_session(sandbox) as patient,
        virtual_session(sandbox, max_wait=5.0) as other,
    ):
        loop = asyncio.get_running_loop()
        sandbox.consume("Auth", 1)
        started = loop.time()
        login = asyncio.create_task(patient.read_user_presence_status())
        await asyncio.sleep(0)
        with pytest.raises(RateLimited) as caught:
            await other.read_user_presence_status()
        assert loop.time() - started < 5.1
        assert not caught.value.sent
        assert caught.value.group == "Auth"
        assert caught.value.retry_after == pytest.approx(60.0, abs=2.0)
        assert (await login).extension is not None
        assert loop.time() - started > 55.0


@virtual
async def test_the_max_wait_of_the_session_that_logs_in_is_not_that_of_the_others() -> None:
    async with (
        virtual_sandbox(5, limits={**PLENTY, "Auth": 1}, latency=0.1) as sandbox,
        virtual_session(sandbox, max_wait=5.0) as hasty,
        virtual_session(sandbox) as patient,
    ):
        sandbox.consume("Auth", 1)
        login = asyncio.create_task(hasty.read_user_presence_status())
        await asyncio.sleep(0.01)
        assert (await patient.read_user_presence_status()).extension is not None
        with pytest.raises(RateLimited):
            await login


@pytest.mark.fault
@pytest.mark.parametrize("steps", range(0, 60, 3))
async def test_cancelling_a_call_at_any_moment_leaves_nothing_behind_in_what_is_shared(
    steps: int,
) -> None:
    async with (
        Sandbox(5, limits=PLENTY) as sandbox,
        PresenceSession(sandbox.grant, server=sandbox.url, max_wait=30.0, concurrency=1) as one,
        PresenceSession(sandbox.grant, server=sandbox.url, max_wait=30.0, concurrency=1) as two,
    ):
        victims = [asyncio.create_task(s.read_user_presence_status()) for s in (one, one, two)]
        for _ in range(steps):
            await asyncio.sleep(0)
        for victim in victims[:2]:
            victim.cancel()
        await asyncio.gather(*victims, return_exceptions=True)
        assert (await one.read_user_presence_status()).extension is not None
        assert (await two.read_user_presence_status()).extension is not None
        shared = one._limiter._shared
        assert shared is two._limiter._shared
        assert not shared._queues
        assert not shared.watchers
        assert one._limiter.in_flight == two._limiter.in_flight == 0
