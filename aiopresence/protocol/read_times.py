"""Remember when each extension was last read, to recognize events that may be older."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from .server_clock import ServerClock

# An event that is older than this was delayed: it may have been overtaken. A guess.
_LONGEST_DELAY = timedelta(seconds=2)
# How long the time of a read is remembered, at least. Events are replayed for some three minutes.
_REMEMBERED = timedelta(minutes=10)
# Local times that are added to others have been rounded to microseconds.
_ROUNDING = timedelta(microseconds=10)
# How many dicts the times are spread over: one that grows is copied at once, and then that of the
# records of a large account grows, too.
_PARTS = 16


class ReadTimes:
    """When extensions were read, compared with the times of events by the server's clock.

    Attributes:
        clock: the server's clock.
        doubtful: by id, the fields of events since the last read that it may include, and the
            number of the last of these.
    """

    def __init__(self) -> None:
        self.clock = ServerClock()
        self.doubtful: dict[str, tuple[int | None, dict[str, Any]]] = {}
        # By the local clock: the reads of the current period, and of the one before.
        self._current = _new_parts()
        self._previous = _new_parts()
        self._began: datetime | None = None

    def record(self, id_: str, time: datetime) -> None:
        """Record that an extension was read, and the local time when the response had come.

        The time is kept: that of one response should be one object.
        """
        if self._began is None or not timedelta() <= time - self._began < _REMEMBERED:
            self._began, self._previous, self._current = time, self._current, _new_parts()
        self.doubtful.pop(id_, None)
        self._current[hash(id_) % _PARTS][id_] = time

    def may_include(
        self, id_: str, timestamp: datetime | None, sequence: int | None, now: datetime
    ) -> bool:
        """Return whether the last read of an extension may be newer than an event.

        Args:
            id_: the extension.
            timestamp: the server's time in the event, if it has one.
            sequence: the number of the event, if it has one. One with neither is taken for older.
            now: the local time of arrival. A read before the remembered ones may be newer, too.
        """
        part = hash(id_) % _PARTS
        time = self._current[part].get(id_) or self._previous[part].get(id_)
        if timestamp is None:
            return time is not None and sequence is None
        read_at = self.clock.latest(time or now - _REMEMBERED)
        return read_at is not None and timestamp < read_at - _ROUNDING

    def pop_doubtful(self, id_: str, sequence: int | None) -> dict[str, Any]:
        """Forget the doubtful fields of an extension; return those right before an event.

        They are none if there may be another event in between, which is delayed: it may have
        changed the same fields, and the read may have its values.

        Args:
            id_: the extension.
            sequence: the number of the event, if it has one.
        """
        last, fields = self.doubtful.pop(id_, (None, {}))
        is_next = last is not None and sequence is not None and sequence == last + 1
        return fields if is_next else {}

    def forget_doubtful(self, ids: Iterable[str] | None) -> None:
        """Forget the doubtful fields of some extensions, or all: events may be missing."""
        if ids is None:
            self.doubtful.clear()
        elif self.doubtful:
            for id_ in ids:
                self.doubtful.pop(id_, None)

    def was_delayed(self, timestamp: datetime | None, time: datetime) -> bool:
        """Return whether an event was made more than two seconds before a local time."""
        made_at = self.clock.earliest(time)
        return bool(timestamp and made_at and timestamp < made_at - _LONGEST_DELAY)


def _new_parts() -> list[dict[str, datetime]]:
    return [{} for _ in range(_PARTS)]
