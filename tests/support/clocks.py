"""Clocks for tests that must not wait."""

import asyncio
from math import inf

from aiopresence.transport.clock import Clock


class SkippingClock(Clock):
    """Real time, but every wait ends at once and skips its seconds."""

    def __init__(self) -> None:
        self.skipped = 0.0
        self.waits: list[float] = []

    def now(self) -> float:
        return super().now() + self.skipped

    def wall(self) -> float:
        return super().wall() + self.skipped

    async def wait(self, event: asyncio.Event, seconds: float = inf) -> None:
        if seconds == inf:
            await event.wait()
            return
        # What is on its way happens first: it would have, in all that time.
        for _ in range(100):
            if event.is_set():
                return
            await asyncio.sleep(0)
        if not event.is_set():
            self.waits.append(seconds)
            self.skipped += seconds


class ManualClock(Clock):
    """Time that passes only when a test advances it."""

    def __init__(self) -> None:
        self.time = 0.0

    def now(self) -> float:
        return self.time

    def wall(self) -> float:
        return 1e9 + self.time

    async def wait(self, event: asyncio.Event, seconds: float = inf) -> None:
        if seconds == inf:
            await event.wait()
            return
        deadline = self.time + seconds
        while not event.is_set() and self.time < deadline:
            await asyncio.sleep(0)

    async def advance(self, seconds: float) -> None:
        """Advance the time, and run every task that is due."""
        self.time += seconds
        await idle()


async def idle() -> None:
    """Run every task that can run."""
    for _ in range(50):
        await asyncio.sleep(0)
