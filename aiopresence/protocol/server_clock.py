"""Bound the server's clock by the times that it states.

Theory: a time that the server has stated was present on the way from the server at the latest, and
after our request, if it is in a response, at the earliest. So the server's clock minus ours is

- at least stated time minus arrival: of all events and responses, the largest is the best;
- at most stated time minus sending, for a response: the smallest is the best. The `Date` header has
  whole seconds, so the time may have been up to a second later.

Where a new time contradicts an earlier one, a clock was set, and the new one counts.
"""

from datetime import UTC, datetime, timedelta

import attrs

# Observations per period. A replay brings some hundred old events at once, and the estimate must
# outlive it.
_PERIOD = 128
# What a time without a fraction of a second may be short of.
_WHOLE = timedelta(seconds=1)
# How long the upper bound is kept if the next one is higher: clocks drift by some milliseconds.
_KEPT = timedelta(minutes=10)


@attrs.frozen
class ResponseTime:
    """When a response was made.

    Attributes:
        stated: the server's time in it; None if it has none.
        sent_at: the local time when the request was sent, or earlier.
        received_at: the local time when the response had come.
    """

    stated: datetime | None
    sent_at: datetime
    received_at: datetime


class ServerClock:
    """Bounds of the server's time at a given local time.

    The lower one is taken over the present period and the one before, 128 to 256 times, so that
    neither a wrong one nor a change of either clock has a lasting effect.
    """

    def __init__(self) -> None:
        self._count = 0
        # The largest lower bound in this period, and in this and the previous one.
        self._current: timedelta | None = None
        self._offset: timedelta | None = None
        # The smallest upper bound, and the local time when it became known.
        self._most: timedelta | None = None
        self._most_at = datetime.min.replace(tzinfo=UTC)
        self._last: ResponseTime | None = None

    def observe(self, timestamp: datetime, now: datetime) -> None:
        """Record the arrival of a time that the server has stated.

        Args:
            timestamp: the server's time, for example in an event.
            now: the local time of arrival.
        """
        if self._count == _PERIOD:
            self._count, self._offset, self._current = 0, self._current, None
        self._count += 1
        offset = timestamp - now
        if self._current is None or offset > self._current:
            self._current = offset
            if self._offset is None or offset > self._offset:
                self._offset = offset
        if self._most is not None and offset > self._most:
            self._most, self._most_at = offset + _WHOLE, now

    def observe_response(self, response: ResponseTime) -> None:
        """Record the time in a response; nothing for the response of the last call."""
        if response is self._last or response.stated is None:
            return
        self._last = response
        self.observe(response.stated, response.received_at)
        most = response.stated - response.sent_at
        if response.stated.microsecond == 0:
            most += _WHOLE
        if self._offset is not None and self._offset > most:
            self._count = 1
            self._current = self._offset = response.stated - response.received_at
        # The response may be an earlier one than the last that was observed.
        is_kept = -_KEPT < response.received_at - self._most_at < _KEPT
        if self._most is None or most < self._most or not is_kept:
            self._most, self._most_at = most, response.received_at

    def earliest(self, time: datetime) -> datetime | None:
        """Return the server's time at a local time, or an earlier one; None if nothing is known."""
        return _add(time, self._offset)

    def latest(self, time: datetime) -> datetime | None:
        """Return the server's time at a local time, or a later one.

        Without any response it may be an earlier one, and is None if nothing is known at all.
        """
        return _add(time, self._offset if self._most is None else self._most)


def _add(time: datetime, offset: timedelta | None) -> datetime | None:
    try:
        return None if offset is None else time + offset
    except OverflowError:
        return None
