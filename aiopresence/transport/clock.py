"""The one place where time comes from, and where it is waited for.

A test may run the event loop in virtual time, as `aiopresence.sandbox.virtual_time` does. Such a
loop has a `wall_time` method, and both clocks follow the loop.
"""

import asyncio
import random
import time
from contextlib import suppress
from math import inf
from typing import Any


class Clock:
    """Monotonic time, which no change of the wall clock moves, and the wall clock."""

    def now(self) -> float:
        """Return the monotonic time in seconds."""
        # Not always the loop's: uvloop's is that of the loop's last turn, which is too early for
        # rate limits.
        loop: Any = asyncio._get_running_loop()
        return loop.time() if hasattr(loop, "wall_time") else time.monotonic()

    def wall(self) -> float:
        """Return the seconds since 1970, for what outlives this process."""
        loop: Any = asyncio._get_running_loop()
        return loop.wall_time() if hasattr(loop, "wall_time") else time.time()

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
