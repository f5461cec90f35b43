"""The clock of the server: seconds for durations, and the date that belongs to them."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime


class ServerClock:
    """Seconds when called. Its dates move with them, in virtual time too.

    Args:
        seconds: returns the time in seconds; the event loop's time if None.
    """

    def __init__(self, seconds: Callable[[], float] | None = None) -> None:
        self._seconds = seconds
        self._begin: tuple[float, datetime] | None = None

    def __call__(self) -> float:
        return self._seconds() if self._seconds else asyncio.get_running_loop().time()

    def date(self, seconds_from_now: float = 0.0) -> datetime:
        """Return the date that it is, or will be."""
        if self._begin is None:
            self._begin = self(), datetime.now(UTC)
        seconds, begin = self._begin
        return begin + timedelta(seconds=self() - seconds + seconds_from_now)

    def iso(self, seconds_from_now: float = 0.0) -> str:
        return self.date(seconds_from_now).strftime("%Y-%m-%dT%H:%M:%SZ")

    def http_date(self) -> str:
        """Return the value of a Date header."""
        return format_datetime(self.date(), usegmt=True)
