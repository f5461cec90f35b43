"""The state of the rate limiter that the sessions of one login share.

The server counts their requests together, so there is one set of windows and, per group, one line
of waiting requests: the first of each session's own queue. A session without room for another
request in flight does not hold up the sessions behind it.
"""

import asyncio
from collections import OrderedDict, defaultdict
from typing import Protocol

import attrs

from ..protocol.rate_limit_groups import RateLimits
from ..protocol.rate_limits import GroupWindow
from .hooks import WaitReason

# A group and the number of slots to leave: logins do not queue behind those who leave them theirs.
Key = tuple[GroupWindow, int]


class Queues(Protocol):
    """The queues of one session."""

    def has_room(self, waiter: "Waiter") -> bool:
        """Return whether this is the next request the session may have in flight."""

    def waiting(self, key: Key) -> int:
        """Return how many requests wait in the queue for a group."""


@attrs.define(eq=False)
class Waiter:
    """The request at the waiter of one session's queue for a group.

    Attributes:
        queues: the queues of its session.
        event: set to look at the limits again.
        has_place: whether it waits for nothing but room in its session.
        limited_at: when the limits were found to hold it back; None if they do not.
        reason: what holds it back.
    """

    queues: Queues
    event: asyncio.Event = attrs.field(factory=asyncio.Event)
    has_place: bool = False
    limited_at: float | None = None
    reason: WaitReason = "rate_limit"


# Ordered, because of its first entry: that of a dict from which many were taken is found slowly.
Line = OrderedDict[Waiter, None]


class SharedLimits:
    """Windows, waiting requests and wake-ups of all sessions of one login on one event loop.

    Attributes:
        limits: what is known of the groups.
        watchers: set whenever other requests may go, or wait, than before.
    """

    def __init__(self, limits: RateLimits | None = None) -> None:
        self.limits = limits or RateLimits()
        self.watchers: set[asyncio.Event] = set()
        self._lines: defaultdict[Key, Line] = defaultdict(OrderedDict)

    def has_line(self, key: Key) -> bool:
        """Return whether requests wait for a group."""
        return key in self._lines

    def join(self, key: Key, waiter: Waiter) -> None:
        """Put a request at the end of the line for a group."""
        self._lines[key][waiter] = None
        self._notify()

    def leave(self, key: Key, waiter: Waiter) -> None:
        """Take a request out of the line, and wake up the next one."""
        line = self._lines[key]
        line.pop(waiter, None)  # It never joined if it was cancelled before its first look.
        if line:
            _wake(line)
        else:
            del self._lines[key]

    def is_first(self, key: Key, waiter: Waiter) -> bool:
        """Return whether all requests before this one wait for room in their own sessions."""
        for other in self._lines[key]:
            if other.queues.has_room(other):
                return other is waiter
        return False

    def ahead(self, key: Key, queues: Queues) -> int:
        """Return how many requests go before a new one of a session.

        The sessions take turns, so of each other one it is at most as many as of its own.
        """
        own = queues.waiting(key)
        others = (h.queues for h in self._lines.get(key, ()) if h.queues is not queues)
        return own + sum(min(own, other.waiting(key)) for other in others)

    def changed(self) -> None:
        """Wake up the requests that may be able to go now."""
        for line in self._lines.values():
            _wake(line)
        self._notify()

    def _notify(self) -> None:
        for watcher in self.watchers:
            watcher.set()


def _wake(line: Line) -> None:
    for waiter in line:
        if waiter.queues.has_room(waiter):
            waiter.event.set()
            return
        if not waiter.has_place:
            waiter.event.set()  # So that it takes its place in the session.
