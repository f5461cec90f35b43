"""The state of the rate limiter that the sessions of one login share.

The server counts their requests together, so there is one set of windows and, per group, one shared
queue: of the first waiting request of each session's own queue. A session whose requests in flight
have reached its `concurrency` does not block the sessions behind it.
"""

import asyncio
from collections import OrderedDict, defaultdict
from typing import Any, Protocol

import attrs

from ..protocol.rate_limit_groups import RateLimits
from .hooks import WaitReason
from .rate_limiter import Group, LoginLimits

# A group, and the number of its slots to leave free: logins do not queue behind requests that leave
# slots for them.
QueueKey = tuple[Group, int]


class SessionQueues(Protocol):
    """The queues of one session."""

    @property
    def free(self) -> int:
        """How many more requests the session may have in flight."""

    def has_capacity(self, waiter: "Waiter") -> bool:
        """Return whether the session may have this request in flight next."""

    def waiting(self, key: QueueKey) -> int:
        """Return how many requests wait in the queue for a group."""


@attrs.define(eq=False)
class Waiter:
    """A request that waits in its session's queue for a group.

    Attributes:
        queues: the queues of its session.
        event: set when it is to check the limits again.
        needs_capacity: whether its group has a free slot, so that only the session's `concurrency`
            or an earlier request of another session may hold it back.
        limited_at: when the limits first held it back, in monotonic seconds; None if they did not.
        reason: what holds it back.
    """

    queues: SessionQueues
    event: asyncio.Event = attrs.field(factory=asyncio.Event)
    needs_capacity: bool = False
    limited_at: float | None = None
    reason: WaitReason = "rate_limit"


# An OrderedDict finds its first entry fast; a dict does not after many deletions at its beginning.
SharedQueue = OrderedDict[Waiter, None]


class SharedLimits:
    """Windows, waiting requests and wake-ups of all sessions of one login on one event loop.

    Attributes:
        limits: what is known of the groups.
        watchers: events that are set whenever a queue or the limits change.
    """

    def __init__(self, limits: LoginLimits | None = None) -> None:
        self.limits: LoginLimits = limits or RateLimits()
        self.watchers: set[asyncio.Event] = set()
        self._queues: defaultdict[QueueKey, SharedQueue] = defaultdict(OrderedDict)

    def has_waiters(self, key: QueueKey) -> bool:
        """Return whether any request waits for a group."""
        return key in self._queues

    def join(self, key: QueueKey, waiter: Waiter) -> None:
        """Add a request to the end of the shared queue for a group, unless it is there."""
        self._queues[key][waiter] = None
        self._notify()

    def leave(self, key: QueueKey, waiter: Waiter) -> None:
        """Remove a request from the shared queue for a group, and wake up the next one."""
        queue = self._queues[key]
        queue.pop(waiter, None)  # Absent if it was cancelled before its first check.
        if queue:
            _wake(queue)
        else:
            del self._queues[key]

    def is_first(self, key: QueueKey, waiter: Waiter) -> bool:
        """Return whether every request before this one is blocked by its session's concurrency."""
        for other in self._queues[key]:
            if other.queues.has_capacity(other):
                return other is waiter
        return False

    def count_ahead(self, key: QueueKey, queues: SessionQueues) -> int:
        """Return how many requests are sent before a new one of a session.

        The sessions take turns, so it is at most as many of each other session as of its own.
        """
        own = queues.waiting(key)
        others = (
            waiter.queues for waiter in self._queues.get(key, ()) if waiter.queues is not queues
        )
        return own + sum(min(own, other.waiting(key)) for other in others)

    def demand(self, group: Any) -> dict[int, int]:
        """Return how many requests of a group could be sent now, by the slots they leave free."""
        counts: dict[int, int] = {}
        for (other, keep), queue in self._queues.items():
            if other is group:
                sessions = (waiter.queues for waiter in queue)
                counts[keep] = sum(min(s.waiting((group, keep)), max(0, s.free)) for s in sessions)
        return counts

    def wake_waiters(self) -> None:
        """Wake up the requests that may be sent now."""
        for queue in self._queues.values():
            _wake(queue)
        self._notify()

    def _notify(self) -> None:
        for watcher in self.watchers:
            watcher.set()


def _wake(queue: SharedQueue) -> None:
    for waiter in queue:
        if waiter.queues.has_capacity(waiter):
            waiter.event.set()
            return
        if not waiter.needs_capacity:
            waiter.event.set()  # So that it queues for its session's concurrency.
