import asyncio
from collections.abc import Mapping
from typing import Any

import attrs
import pytest

from aiopresence import GroupLimits, PresenceSession, RateLimited, UsageError
from aiopresence.protocol.rate_limit_groups import RateLimits
from aiopresence.protocol.rate_limits import GroupWindow
from aiopresence.sandbox import Sandbox
from aiopresence.transport.clock import Clock
from aiopresence.transport.rate_limiter import RateLimiter, Waiting
from tests.support.sessions import PLENTY
from tests.support.virtual import virtual, virtual_sandbox, virtual_session


class LateLimits(RateLimits):
    """Limits that are elsewhere: a slot comes some time after it was asked for."""

    reply_time = 1.0

    def __init__(self) -> None:
        super().__init__()
        self.waiting: Waiting
        self.is_open = False
        self.granted = 0
        self.asked: list[int] = []
        self.tasks: set[asyncio.Task[None]] = set()

    async def open(self, waiting: Waiting) -> None:
        await asyncio.sleep(0.1)
        assert not self.is_open
        self.waiting, self.is_open = waiting, True

    async def close(self) -> None:
        self.is_open = False
        for task in self.tasks:
            task.cancel()

    def delay(self, group: GroupWindow, now: float, keep: int = 0) -> float:
        if self.granted:
            self.granted -= 1
            return 0.0
        if not self.tasks:
            task = asyncio.create_task(self._grant(group))
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)
        return float("inf")

    async def _grant(self, group: GroupWindow) -> None:
        await asyncio.sleep(0.5)
        self.asked.append(sum(self.waiting.demand(group).values()))
        self.granted = self.asked[-1]
        self.waiting.wake_waiters()


@attrs.define(eq=False)
class LateLimiter:
    limits: LateLimits = attrs.field(factory=LateLimits)
    presets: Mapping[str, GroupLimits] = attrs.field(factory=dict)
    opened: int = 0

    def limits_of(self, server: str, grant: Any, clock: Clock) -> LateLimits:
        self.opened += 1
        return self.limits


@virtual
async def test_limits_elsewhere_are_asked_for_as_many_slots_as_requests_wait() -> None:
    limiter = LateLimiter()
    assert isinstance(limiter, RateLimiter)
    async with virtual_sandbox(5, limits=PLENTY) as sandbox:
        async with virtual_session(sandbox, limits=limiter, concurrency=8) as session:
            reads = [session.read_user_presence_status() for _ in range(20)]
            await asyncio.gather(*reads)
        assert len(sandbox.requests) == 21
    # The login; then no more than the session may have in flight.
    assert limiter.limits.asked == [1, 8, 8, 4]


@virtual
async def test_sessions_of_one_login_open_the_limits_once_and_the_last_closes_them() -> None:
    limiter = LateLimiter()
    async with virtual_sandbox(5, limits=PLENTY) as sandbox:
        one, two = (virtual_session(sandbox, limits=limiter) for _ in range(2))
        await asyncio.gather(one.__aenter__(), two.__aenter__())
        assert limiter.opened == 1
        await one.close()
        assert limiter.limits.is_open
        await two.read_user_presence_status()
        await two.close()
        assert not limiter.limits.is_open


@virtual
async def test_a_request_without_max_wait_waits_for_one_answer_of_limits_elsewhere() -> None:
    limiter = LateLimiter()
    async with (
        virtual_sandbox(5, limits=PLENTY) as sandbox,
        virtual_session(sandbox, limits=limiter, max_wait=0.0) as session,
    ):
        await session.read_user_presence_status()
        limiter.limits.reply_time = 0.1
        with pytest.raises(RateLimited, match="longer than max_wait"):
            await session.read_user_presence_status()


@virtual
async def test_a_session_whose_limits_cannot_be_opened_is_not_open() -> None:
    class Broken(LateLimits):
        async def open(self, waiting: Waiting) -> None:
            raise UsageError("no")

    async with virtual_sandbox(5, limits=PLENTY) as sandbox:
        session = virtual_session(sandbox, limits=LateLimiter(Broken()))
        for _ in range(2):
            with pytest.raises(UsageError, match=r"^no$"):
                await session.__aenter__()
        with pytest.raises(UsageError, match="not open"):
            await session.read_user_presence_status()


def test_what_is_neither_limits_nor_a_rate_limiter_is_refused() -> None:
    with pytest.raises(UsageError, match="limits must map"):
        PresenceSession(Sandbox(1).grant, limits=5)  # type: ignore[arg-type]
