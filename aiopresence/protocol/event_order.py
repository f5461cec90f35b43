"""Recognize events that arrive after a later event about the same extension."""

from datetime import datetime, timedelta
from enum import Enum, auto

# Events are delayed by less than this. If the time of one is even earlier, a clock was set, and the
# time says nothing. A guess.
_LONGEST_DELAY = timedelta(days=1)


class Order(Enum):
    """How an event relates to the last one about its extension."""

    IN_ORDER = auto()
    # Its number is lower and its time later: the numbers have begun anew.
    RESTARTED = auto()
    OLDER = auto()


class EventOrder:
    """The number and time of the last event about each extension.

    Notifications have a `sequence`, whose scope is hardly documented. It seems to count the
    notifications about one extension, and to begin anew now and then. So an event is older if its
    number is lower or its time is earlier: the one before may have a new low number.
    """

    def __init__(self) -> None:
        self._last: dict[str, tuple[int | None, datetime | None]] = {}

    def record(
        self, id_: str, sequence: int | None, timestamp: datetime | None, *, capacity: int
    ) -> Order:
        """Record an event, unless it is older, and return how it relates to the one before.

        Args:
            id_: the extension.
            sequence: the number of the event, if it has one.
            timestamp: the server's time in the event, if it has one.
            capacity: how many extensions to remember at most; all are forgotten beyond.
        """
        last_sequence, last_timestamp = self._last.get(id_, (None, None))
        order = Order.IN_ORDER
        overtaken_by = last_timestamp - timestamp if timestamp and last_timestamp else timedelta()
        if timedelta() < overtaken_by < _LONGEST_DELAY:
            return Order.OLDER
        if sequence is not None and last_sequence is not None and sequence < last_sequence:
            if overtaken_by >= timedelta():
                return Order.OLDER
            order = Order.RESTARTED
        if id_ not in self._last and len(self._last) >= capacity:
            self._last.clear()
        # An event without a number or time leaves that of the one before in place.
        number = last_sequence if sequence is None else sequence
        self._last[id_] = number, timestamp or last_timestamp
        return order

    def clear(self) -> None:
        """Forget all events, because the numbers may begin anew."""
        self._last.clear()
