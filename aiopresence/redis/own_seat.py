"""What a process may send of one group while Redis does not work.

Theory. With outage="hold" that is nothing. With outage="share" each of N processes has a seat,
worth floor(limit / N) of the quota. The script withholds the seat of a process that it has not
heard of for LEASE. So the process begins to send on its own no sooner than LEASE + SLACK after its
last call that succeeded, with a window that starts full: all that was granted until then may have
been used by others. It stops before the script forgets the seat. When Redis works again, the first
call reports what was sent meanwhile.
"""

from math import inf

from ..protocol.rate_limit_headers import Headers
from ..protocol.rate_limits import GroupLimits, GroupWindow, Slot
from .limit_calls import Reply

# When a seat is withheld, how much later it may be used, and when it is forgotten, in seconds. The
# first and the last are LEASE and FORGET in limits.lua.
WITHHELD, LATER, FORGOTTEN = 5.0, 1.0, 3600.0
_OF_PENALTIES = frozenset({"retry-after", "date"})


class OwnSeat:
    """The seat of this process in one group. Times are monotonic seconds.

    Args:
        seats: the number of seats; 0 for outage="hold".
        name: the name of the seat of this process; empty if any will do.

    Attributes:
        seats: as given.
        name: as given.
        has_seat: whether the process has one.
    """

    def __init__(self, seats: int, name: str) -> None:
        self.seats, self.name = seats, name
        self.has_seat = False
        self._last = inf  # when the last call that succeeded was sent
        self._preset = GroupLimits(1)
        self._window: GroupWindow | None = None
        self._is_held = False
        self._slots: dict[int, tuple[GroupWindow, Slot]] = {}

    @property
    def is_used(self) -> bool:
        """Whether the process sends on its own."""
        return self._window is not None

    def contact(self, sent: float, reply: Reply) -> None:
        """Note a call that succeeded: the seat is not used any more."""
        self.has_seat = bool(reply.seat)
        self._last, self._window, self._is_held = sent, None, False
        if self.has_seat:
            self._preset = GroupLimits(reply.limit // self.seats, reply.window / 1000)

    def hold(self, is_held: bool = True) -> None:
        """Stop while a call is under way that may succeed, or go on."""
        self._is_held = is_held

    def delay(self, now: float, keep: int) -> float:
        """Return the seconds until a request may be sent; inf if that is not known."""
        if not self.has_seat or not self._preset.limit or self._is_held:
            return inf
        begin, window = self._last + WITHHELD + LATER, self._preset.window
        if now < begin:
            return begin - now
        if now > self._last + FORGOTTEN - 2 * window - LATER:
            return inf
        if self._window is None:
            self._window = GroupWindow(self._preset)
            self._window.fill(now)
        return self._window.delay(now, keep)

    def take(self, now: float, id_: int) -> None:
        """Take a slot of the seat."""
        if self._window is not None:
            self._slots[id_] = self._window, self._window.take(now)

    def complete(self, now: float, id_: int, headers: Headers, *, refused: bool) -> None:
        """End a slot of the seat with a response; do nothing if it is none."""
        if id_ in self._slots:
            window, slot = self._slots.pop(id_)
            # What the headers state is about all processes.
            if refused:
                window.reject(now, slot, {k: v for k, v in headers.items() if k in _OF_PENALTIES})
            else:
                window.complete(now, slot, {})

    def abandon(self, now: float, id_: int) -> None:
        """End a slot of the seat without a response; do nothing if it is none."""
        if id_ in self._slots:
            window, slot = self._slots.pop(id_)
            window.abandon(now, slot)

    def release(self, id_: int) -> None:
        """Free a slot of the seat; do nothing if it is none."""
        if id_ in self._slots:
            window, slot = self._slots.pop(id_)
            window.release(slot)
