"""The server's clock, as far as the times of its events show it."""

from datetime import datetime, timedelta

# A replay brings some hundred old events at once: the estimate must outlive it.
_WINDOW = 128


class ServerClock:
    """An estimate of the server's time at a moment of ours.

    An event arrives after its timestamp, so the difference of the two is that of the clocks less a
    delay. The largest difference of the last events is the best estimate, and it errs towards an
    earlier time. It is taken over 128 to 256 events, so that neither a wrong timestamp nor a change
    of either clock has an effect for ever.
    """

    def __init__(self) -> None:
        self._count = 0
        # The largest difference of these events, of those before, and of both.
        self._latest: timedelta | None = None
        self._before: timedelta | None = None
        self._ahead: timedelta | None = None

    def observe(self, timestamp: datetime, now: datetime) -> None:
        """Record the arrival of an event.

        Args:
            timestamp: the server's time in the event.
            now: our time.
        """
        if self._count == _WINDOW:
            self._count, self._before, self._latest = 0, self._latest, None
            self._ahead = self._before
        self._count += 1
        ahead = timestamp - now
        if self._latest is None or ahead > self._latest:
            self._latest = ahead
            if self._ahead is None or ahead > self._ahead:
                self._ahead = ahead

    def server_time(self, time: datetime) -> datetime | None:
        """Return the server's time at a moment of ours; None before the first event."""
        try:
            return None if self._ahead is None else time + self._ahead
        except OverflowError:
            return None
