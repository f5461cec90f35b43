"""The time, which is that of the running event loop if it has virtual time: see `virtual_time`."""

import asyncio
import time
from datetime import UTC, datetime
from typing import Any


def now() -> float:
    """Return the monotonic time in seconds."""
    loop = _virtual_loop()
    return loop.time() if loop else time.monotonic()


def utc_now() -> datetime:
    """Return the time of day."""
    loop = _virtual_loop()
    return datetime.fromtimestamp(loop.wall_time() if loop else time.time(), UTC)


def _virtual_loop() -> Any:
    """Return the running event loop if it has virtual time, else None."""
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return None
    return loop if hasattr(loop, "wall_time") else None
