"""Which subscriptions notifications may belong to, and when a handshake is expected."""

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from math import inf

from ..transport.clock import Clock

# Notifications of a subscription may still be under way after it was replaced.
_KEPT_REMOVED = 64


class KnownSubscriptions:
    """The subscriptions of one receiver, and whether another one is being created.

    Args:
        clock: the source of time.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._accepted: dict[str, float] = {}  # wall time of the last notification, by id
        self._removed: deque[str] = deque(maxlen=_KEPT_REMOVED)
        self._creating = 0
        self._expected_until = -inf

    @contextmanager
    def creating(self) -> Iterator[None]:
        """Accept a handshake, and notifications of an id not known yet, inside the `with` block."""
        self._creating += 1
        try:
            yield
        finally:
            self._creating -= 1

    def expect(self, seconds: float) -> None:
        """Accept handshakes of subscriptions created elsewhere, for a number of seconds."""
        self._expected_until = self._clock.now() + seconds

    @property
    def expects_handshake(self) -> bool:
        """Whether a handshake is accepted now."""
        return self._creating > 0 or self._clock.now() < self._expected_until

    def add(self, id_: str) -> None:
        """Add a subscription that was created for this receiver."""
        self._accepted.setdefault(id_, self._clock.wall())

    def remove(self, id_: str) -> None:
        """Remove a subscription; its late notifications are still accepted."""
        if self._accepted.pop(id_, None) is not None:
            self._removed.append(id_)

    def is_foreign(self, id_: str | None) -> bool:
        """Return whether a notification belongs to a subscription of somebody else.

        Unknown ids are not foreign while no subscription of this receiver is known, or while one
        is being created: another process may have created it.
        """
        known = id_ is None or id_ in self._accepted or id_ in self._removed
        return not known and bool(self._accepted) and not self._creating

    def record_event(self, id_: str | None) -> None:
        """Record that a notification of a subscription was accepted just now."""
        if id_ is not None and id_ in self._accepted:
            self._accepted[id_] = self._clock.wall()

    def last_event_time(self, id_: str) -> float:
        """Return the wall time of the last notification, or of `add` when there was none."""
        return self._accepted.get(id_, self._clock.wall())
