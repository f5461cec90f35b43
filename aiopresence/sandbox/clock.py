"""The time, as the running event loop has it, so that a loop with virtual time has all of it."""

import asyncio
import time
from datetime import UTC, datetime


def now() -> float:
    """Return the running event loop's time in seconds; time.monotonic() without a loop."""
    try:
        return asyncio.get_running_loop().time()
    except RuntimeError:
        return time.monotonic()


def utc_now() -> datetime:
    """Return the time of day: the running loop's `wall_time()` if it has one, else the system's.

    A loop has one in virtual time: see `virtual_time`.
    """
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return datetime.now(UTC)
    wall_time = getattr(loop, "wall_time", time.time)
    return datetime.fromtimestamp(wall_time(), UTC)
