"""The gate: holds every request back until its usage-plan group has room for it.

One turnstile per group, an asyncio.Lock, keeps the order: first come, first served. Only the one
at its head looks at the limits, so ten thousand waiters cost no more than one. A waiter that is
cancelled leaves nothing behind, because nothing is taken before the request may go.
"""

import asyncio
import re
from collections import defaultdict
from math import inf
from typing import Any

import attrs

from ..errors import RateLimited, UsageError
from ..protocol.limits import Group, GroupLimits, Limits, Taken
from ..protocol.retry import DUPLICATE_REQUEST
from ..protocol.wire import Request, Response, refusal
from .clock import Clock
from .stats import Stats

# Auth slots that only logins and refreshes get. Reconnecting sockets need tokens of the same
# group, and must not use up what keeps the session alive.
RESERVED = 2


# Paths that differ in ids only are one call.
_IDS = re.compile(r"/(?:[0-9,]+|~)(?=/|$)")


@attrs.define
class _Turnstile:
    """Where the requests of a group queue."""

    lock: asyncio.Lock = attrs.field(factory=asyncio.Lock)
    waiting: int = 0


class Passage:
    """The permission to put one request on the wire, to be ended in exactly one way."""

    def __init__(self, gate: "Gate", call: str, group: Group) -> None:
        self._gate = gate
        self._call = call
        self._group = group
        self._taken = group.take(gate.clock.now())

    def settle(self, response: Response) -> None:
        """End it with an answer."""
        self._gate.settle(self._call, self._group, self._taken, response)

    def lose(self) -> None:
        """End it without an answer, or without knowing whether it was sent."""
        self._group.lose(self._gate.clock.now(), self._taken)
        self._gate.changed()

    def unsent(self) -> None:
        """End it because nothing was sent."""
        self._group.unsent()
        self._gate.changed()

    def again(self) -> bool:
        """Count the same request a second time, if there is room right now."""
        now = self._gate.clock.now()
        if self._group.delay(now) > 0:
            return False
        self._group.lose(now, self._taken)
        self._taken = self._group.take(now)
        return True


class Gate:
    """What every request of a session passes through.

    Args:
        limits: what is known of the groups.
        clock: where time comes from.
        max_wait: the seconds a request may be held back at most; None for as long as it takes.
        stats: what to count in.

    Attributes:
        max_wait: as given.
        closed: set once nothing more is let through.
    """

    def __init__(self, limits: Limits, clock: Clock, max_wait: float | None, stats: Stats) -> None:
        self._limits = limits
        self.clock = clock
        self.max_wait = max_wait
        self._stats = stats
        # By group and slots kept: a login does not queue behind those who leave it its slots.
        self._turnstiles: defaultdict[tuple[Group, int], _Turnstile] = defaultdict(_Turnstile)
        self._heads: set[asyncio.Event] = set()
        # One for each of them that only the concurrency holds back, first come, first served.
        self._places: dict[object, None] = {}
        self.closed = asyncio.Event()

    def view(self) -> dict[str, GroupLimits]:
        """Give what is known of each group at this moment, by name."""
        return self._limits.view(self.clock.now())

    def forecast(self, request: Request[Any]) -> float:
        """Give the seconds that a request would have to wait for the limits, at least."""
        group = self._limits.group(_call(request), request.group)
        keep = _keep(request)
        return group.forecast(self.clock.now(), self._turnstiles[group, keep].waiting, keep)

    async def enter(self, request: Request[Any]) -> Passage:
        """Wait until a request may be sent.

        Raises:
            RateLimited: it would take longer than `max_wait`. Nothing was sent or taken.
        """
        call = _call(request)
        closed = self.closed  # Another one, once the session is opened again.
        deadline = inf if self.max_wait is None else self.clock.now() + self.max_wait
        keep = _keep(request)
        while True:
            group = self._limits.group(call, request.group)
            turnstile = self._turnstiles[group, keep]
            self._check(group, deadline, turnstile.waiting, keep)
            turnstile.waiting += 1
            try:
                async with turnstile.lock:
                    await self._wait(call, request.group, group, deadline, keep, closed)
                    if self._limits.group(call, request.group) is group:
                        return Passage(self, call, group)
                    # An answer told meanwhile that it counts elsewhere: queue there.
            finally:
                turnstile.waiting -= 1

    def settle(self, call: str, group: Group, taken: Taken, response: Response) -> None:
        """Learn from an answer, and let the next ones through, unless it is a 429."""
        now = self.clock.now()
        counted_in = self._limits.settle(now, call, group, taken, response.headers)
        if response.status == 429 and refusal(response).error_code != DUPLICATE_REQUEST:
            self._limits.penalise(now, counted_in, response.headers)
        self.changed()

    def penalise(self, request: Request[Any], response: Response) -> None:
        """Shut the group of a request because a part of its answer was a 429."""
        group = self._limits.group(_call(request), request.group)
        self._limits.penalise(self.clock.now(), group, response.headers)

    def open(self) -> None:
        """Let requests through, also after a `close`, and on another event loop than before."""
        self.closed = asyncio.Event()
        self._turnstiles.clear()

    def close(self) -> None:
        """Refuse all who wait."""
        self.closed.set()
        self.changed()

    def changed(self) -> None:
        """Let those at the heads of the queues look again."""
        for head in self._heads:
            head.set()

    def _check(self, group: Group, deadline: float, ahead: int, keep: int) -> None:
        if deadline == inf:
            return
        now = self.clock.now()
        wait = group.forecast(now, ahead, keep)
        if wait > 0 and now + wait > deadline:
            error = RateLimited(
                429,
                message=f"not sent: it would have to wait {wait:.1f} s, longer than max_wait",
                retry_after=wait,
            )
            error.sent = False
            raise error

    async def _wait(
        self,
        call: str,
        expected: str,
        group: Group,
        deadline: float,
        keep: int,
        closed: asyncio.Event,
    ) -> None:
        limited_at = None
        place = object()
        try:
            while self._limits.group(call, expected) is group:
                now = self.clock.now()
                delay = self._limits.delay(group, now, keep)
                if delay > 0 and limited_at is None:
                    limited_at = now
                if closed.is_set():
                    raise UsageError("the session is not open: use it inside `async with session:`")
                if delay <= 0 and self._is_in_turn(place):
                    break
                if delay > 0:
                    self._leave(place)
                    self._check(group, deadline, 0, keep)
                await self._sleep(delay or inf)
        finally:
            self._leave(place)
        if limited_at is not None:
            self._stats.waits += 1
            self._stats.seconds_waited += now - limited_at

    def _is_in_turn(self, place: object) -> bool:
        """Tell whether there is room for one who is held back by the concurrency only.

        Who has just been answered and comes again is behind those of other groups who wait.
        """
        self._places.setdefault(place)
        return [*self._places].index(place) < self._limits.room()

    def _leave(self, place: object) -> None:
        if place in self._places:
            del self._places[place]
            if self._places:
                self.changed()

    async def _sleep(self, seconds: float) -> None:
        head = asyncio.Event()
        self._heads.add(head)
        try:
            await self.clock.wait(head, seconds)
        finally:
            self._heads.discard(head)


def _keep(request: Request[Any]) -> int:
    """Give how many slots a request has to leave: those that a login may need soon."""
    return RESERVED if request.group == "Auth" and not request.is_login else 0


def _call(request: Request[Any]) -> str:
    """Give what tells one call from another: its answer, and for the user's own its path."""
    free = request.answer is object
    name = _IDS.sub("/*", request.path) if free else request.answer.__name__
    return f"{request.method} {name}"
