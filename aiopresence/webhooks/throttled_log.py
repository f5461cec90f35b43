"""Warnings about refused calls, which anybody on the internet can cause, at a bounded rate."""

import logging
from math import inf

from ..transport.clock import Clock

_log = logging.getLogger("aiopresence")

# How often the same warning is repeated. A guess: it is noticed, and does not fill a disk.
REPEAT_SECONDS = 60.0


class ThrottledLog:
    """A logger that writes the same warning at most once per `REPEAT_SECONDS`.

    Args:
        clock: the source of time.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._repeat_at: dict[str, float] = {}

    def warning(self, message: str) -> None:
        """Log a fixed message, unless it was logged within the last `REPEAT_SECONDS`."""
        now = self._clock.now()
        if now >= self._repeat_at.get(message, -inf):
            self._repeat_at[message] = now + REPEAT_SECONDS
            _log.warning(message)
