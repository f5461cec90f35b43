"""What a receiver remembers: notifications it has had, its subscriptions, what it has logged."""

import logging
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b
from math import inf

from ..transport.clock import Clock

_log = logging.getLogger("aiopresence")

# How long RingCentral goes on trying to deliver a notification is not documented. Both are
# guesses: more than any queue of ours holds, in some 3 MB.
REPLAYS, REPLAY_SECONDS = 20_000, 3600.0
# Notifications of a subscription may still be on their way when another has replaced it.
_RETIRED = 64
# How often the log repeats itself; a guess at what is seen and does not fill a disk.
LOG_SECONDS = 60.0


class Replays:
    """The uuids of notifications that were accepted, bounded by number and age.

    Args:
        size: how many are kept.
        seconds: for how long.
    """

    def __init__(self, size: int = REPLAYS, seconds: float = REPLAY_SECONDS) -> None:
        self._size = size
        self._seconds = seconds
        self._times: dict[bytes, float] = {}  # in the order of time

    def __len__(self) -> int:
        return len(self._times)

    def seen(self, uuid: str, now: float) -> bool:
        """Tell whether a notification was accepted before."""
        self._forget(now)
        return _short(uuid) in self._times

    def add(self, uuid: str, now: float) -> None:
        """Remember a notification that is accepted."""
        self._times[_short(uuid)] = now
        self._forget(now)

    def _forget(self, now: float) -> None:
        while self._times:
            oldest = next(iter(self._times))
            if len(self._times) <= self._size and self._times[oldest] + self._seconds > now:
                return
            del self._times[oldest]


def _short(uuid: str) -> bytes:
    # A uuid is whatever the sender says it is: of any length.
    return blake2b(uuid.encode("utf-8", "replace"), digest_size=16).digest()


class Subscriptions:
    """The subscriptions that lead to a receiver, and whether one is being made.

    Args:
        clock: where time comes from.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._accepted: dict[str, float] = {}  # wall time of the latest notification, by id
        self._retired: deque[str] = deque(maxlen=_RETIRED)
        self._pending = 0
        self._expected_until = -inf

    @contextmanager
    def pending(self) -> Iterator[None]:
        """Expect a handshake meanwhile, and notifications of a subscription not known yet."""
        self._pending += 1
        try:
            yield
        finally:
            self._pending -= 1

    def expect(self, seconds: float) -> None:
        """Expect handshakes for some time, of subscriptions made elsewhere."""
        self._expected_until = self._clock.now() + seconds

    @property
    def expecting(self) -> bool:
        """Whether a handshake may come."""
        return self._pending > 0 or self._clock.now() < self._expected_until

    def claim(self, id_: str) -> None:
        """Enter a subscription of ours."""
        self._accepted.setdefault(id_, self._clock.wall())

    def retire(self, id_: str) -> None:
        """Remove one that is no more."""
        if self._accepted.pop(id_, None) is not None:
            self._retired.append(id_)

    def is_strange(self, id_: str | None) -> bool:
        """Tell whether a notification is of nobody's subscription, as far as that is known."""
        known = id_ is None or id_ in self._accepted or id_ in self._retired
        return not known and bool(self._accepted) and not self._pending

    def accepted(self, id_: str | None) -> None:
        """Note that a notification has come."""
        if id_ is not None and id_ in self._accepted:
            self._accepted[id_] = self._clock.wall()

    def last_accepted(self, id_: str) -> float:
        """Give the wall time of the latest one; of the claim, when none has come."""
        return self._accepted.get(id_, self._clock.wall())


class Seldom:
    """Writes the same warning at most once in a while.

    Args:
        clock: where time comes from.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._again_at: dict[str, float] = {}

    def warn(self, message: str) -> None:
        """Log a fixed message, unless it was logged just now."""
        now = self._clock.now()
        if now >= self._again_at.get(message, -inf):
            self._again_at[message] = now + LOG_SECONDS
            _log.warning(message)
