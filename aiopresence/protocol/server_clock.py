"""Estimate the server's clock from the timestamps of its events."""

from datetime import datetime, timedelta

# Observations per period. A replay brings some hundred old events at once, and the estimate must
# outlive it.
_PERIOD = 128


class ServerClock:
    """An estimate of the server's time at a given local time.

    An event arrives after its timestamp, so timestamp minus arrival is the offset of the server's
    clock minus the delay. The largest difference among the last events is the best estimate, and
    its error is towards an earlier time. It is taken over the present period and the one before,
    128 to 256 events, so that neither a wrong timestamp nor a change of either clock has a lasting
    effect.
    """

    def __init__(self) -> None:
        self._count = 0
        # The largest offset in this period, in the previous one, and in both.
        self._current: timedelta | None = None
        self._previous: timedelta | None = None
        self._offset: timedelta | None = None

    def observe(self, timestamp: datetime, now: datetime) -> None:
        """Record the arrival of an event.

        Args:
            timestamp: the server's time in the event.
            now: the local time of arrival.
        """
        if self._count == _PERIOD:
            self._count, self._previous, self._current = 0, self._current, None
            self._offset = self._previous
        self._count += 1
        offset = timestamp - now
        if self._current is None or offset > self._current:
            self._current = offset
            if self._offset is None or offset > self._offset:
                self._offset = offset

    def server_time(self, time: datetime) -> datetime | None:
        """Return the server's time at a local time; None before the first observation."""
        try:
            return None if self._offset is None else time + self._offset
        except OverflowError:
            return None
