"""The one place where time comes from, and where it is waited for."""

import asyncio
import random
import time
from contextlib import suppress
from math import inf


class Clock:
    """Monotonic time, which no change of the wall clock moves, and the wall clock."""

    def now(self) -> float:
        """Give the monotonic time in seconds."""
        return time.monotonic()

    def wall(self) -> float:
        """Give the seconds since 1970, for what outlives this process."""
        return time.time()

    async def wait(self, event: asyncio.Event, seconds: float = inf) -> None:
        """Wait until an event is set, but no longer than some seconds."""
        if seconds == inf:
            await event.wait()
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await event.wait()


def chance() -> float:
    """Return a random number from 0 to 1, to spread in time what many clients do after a fault."""
    return random.random()  # noqa: S311 - it protects nothing
