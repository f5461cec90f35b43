"""Remember when each extension was last read, to recognize events that are older."""

from datetime import UTC, datetime, timedelta

from .server_clock import ServerClock

# An event that is older than a read by more than this was on its way for longer than a response
# ever is, so the read has what it says. A guess.
_LONGEST_DELAY = timedelta(seconds=2)
# How long the time of a read is remembered, at least. Events are replayed for some three minutes.
_REMEMBERED = timedelta(minutes=10)
# Reads within this time have the time of the first one, so that a large account does not keep a
# time for each extension. An event that was made in between is merged, though the read may have it.
_SAME_TIME = timedelta(milliseconds=10)
# How many dicts the times are spread over: one that grows is copied at once, and then that of the
# records of a large account grows, too.
_PARTS = 16


class ReadTimes:
    """When extensions were read, compared with the times of events by the server's clock."""

    def __init__(self) -> None:
        self.clock = ServerClock()
        # By the local clock: the reads of the current period, and of the one before.
        self._current = _new_parts()
        self._previous = _new_parts()
        self._began: datetime | None = None
        self._last = datetime.min.replace(tzinfo=UTC)

    def record(self, id_: str, time: datetime) -> None:
        """Record that an extension was read at a local time."""
        if self._began is None or not timedelta() <= time - self._began < _REMEMBERED:
            self._began, self._previous, self._current = time, self._current, _new_parts()
        if not timedelta() <= time - self._last < _SAME_TIME:
            self._last = time
        self._current[hash(id_) % _PARTS][id_] = self._last

    def is_before_read(self, id_: str, timestamp: datetime | None, *, is_numbered: bool) -> bool:
        """Return whether an event is older than the last read of its extension.

        Args:
            id_: the extension.
            timestamp: the server's time in the event, if it has one.
            is_numbered: whether the event has a sequence. One with neither is taken for older.
        """
        part = hash(id_) % _PARTS
        time = self._current[part].get(id_) or self._previous[part].get(id_)
        if time is None:
            return False
        if timestamp is None:
            return not is_numbered
        read_at = self.clock.server_time(time)
        return read_at is not None and timestamp < read_at

    def was_delayed(self, timestamp: datetime | None, time: datetime) -> bool:
        """Return whether an event is so much older than a local time that a read then has it."""
        read_at = self.clock.server_time(time)
        return bool(timestamp and read_at and timestamp < read_at - _LONGEST_DELAY)


def _new_parts() -> list[dict[str, datetime]]:
    return [{} for _ in range(_PARTS)]
