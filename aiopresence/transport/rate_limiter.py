"""The gate: holds every request back until its usage-plan group has room for it.

One queue per group keeps the order: first come, first served. Only the one at its waiter looks at
the limits, so ten thousand waiters cost no more than one. A waiter that is cancelled leaves nothing
behind, because nothing is taken before the request may go. Limits are shared by the sessions of one
login; queues, concurrency and `max_wait` are each session's own.
"""

import asyncio
import re
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Coroutine, Mapping
from math import inf
from typing import Any, TypeVar

from ..errors import RateLimited, UsageError
from ..protocol.failure_policy import Kind, kind_of
from ..protocol.rate_limit_groups import LimitsByGroup
from ..protocol.rate_limits import GroupLimits, GroupWindow
from ..protocol.rest import LOGIN_PATH, Request, Response, error_from_response
from ..redaction import Secret
from .clock import Clock
from .instrumentation import Instrumentation
from .shared_limits import QueueKey, SharedLimits, Waiter

# Auth slots that only logins and refreshes get. Reconnecting sockets need tokens of the same
# group, and must not use up what keeps the session alive.
RESERVED = 2


# Paths that differ in ids only are one call.
_IDS = re.compile(r"/(?:[0-9,]+|~)(?=/|$)")


# The longest penalty that is waited for without a max_wait: RingCentral's are minutes. Beyond it a
# request fails at once.
LONGEST_PENALTY = 3600.0

# What `_call` returns for a login.
_LOGIN = f"POST {LOGIN_PATH}"

T = TypeVar("T")
Queue = OrderedDict[Waiter, None]


class Permit:
    """The permission to put one request on the wire, to be ended in exactly one way."""

    def __init__(
        self, limiter: "RateLimiter", shared: SharedLimits, call: str, group: GroupWindow
    ) -> None:
        self._limiter = limiter
        self._shared = shared
        self._call = call
        self._group = group
        self._slot = group.take(limiter.clock.now())
        limiter.in_flight += 1

    def complete(self, response: Response) -> None:
        """End it with an answer: learn from it."""
        self._shared.limits.complete(
            self._limiter.clock.now(),
            self._call,
            self._group,
            self._slot,
            response.headers,
            refused=response.status == 429
            and kind_of(error_from_response(response)) is Kind.RATE_LIMITED,
        )
        self._end()

    def abandon(self) -> None:
        """End it without an answer, or without knowing whether it was sent."""
        self._group.abandon(self._limiter.clock.now(), self._slot)
        self._end()

    def release(self) -> None:
        """End it because nothing was sent."""
        self._group.release()
        self._end()

    def reacquire(self) -> bool:
        """Count the same request a second time, if there is room right now."""
        now = self._limiter.clock.now()
        if self._group.delay(now) > 0:
            return False
        self._group.abandon(now, self._slot)
        self._slot = self._group.take(now)
        return True

    def _end(self) -> None:
        self._limiter.in_flight -= 1
        self._shared.wake_waiters()


class RateLimiter:
    """What every request of a session passes through.

    Args:
        presets: limits of groups, where they are not the default ones.
        concurrency: how many requests of the session may be in flight.
        clock: where time comes from.
        max_wait: the seconds a request may be held back at most; None for as long as it takes.
        instrumentation: reports waits and 429s.

    Attributes:
        max_wait: as given.
        closed: set once nothing more is let through.
        in_flight: how many requests of the session have been sent and not been answered.
    """

    def __init__(
        self,
        presets: Mapping[str, GroupLimits],
        concurrency: int,
        clock: Clock,
        max_wait: float | None,
        instrumentation: Instrumentation,
    ) -> None:
        self._presets = presets
        self._concurrency = concurrency
        self.clock = clock
        self.max_wait = max_wait
        self._instrumentation = instrumentation
        self.in_flight = 0
        # The heads of queues that only the concurrency holds back, first come, first served.
        self._places: dict[Waiter, None] = {}
        self.open(SharedLimits())

    def open(self, shared: SharedLimits) -> None:
        """Accept requests, also after a `close`, and on another event loop than before.

        Args:
            shared: the state of the login's limits on this event loop.
        """
        self._shared = shared
        self._limits = shared.limits
        self._limits.add_presets(self._presets)
        # By group and slots kept: a login does not queue behind those who leave it its slots.
        self._queues: defaultdict[QueueKey, Queue] = defaultdict(OrderedDict)
        self.closed = asyncio.Event()

    def snapshot(self) -> dict[str, GroupLimits]:
        """Give what is known of each group at this moment, by name."""
        return LimitsByGroup({**self._presets, **self._limits.snapshot(self.clock.now())})

    def forecast(self, request: Request[Any], behind: int = 0) -> float:
        """Return the least seconds that a request would have to wait for the limits.

        Args:
            request: what would be sent.
            behind: how many others like it would be sent before.
        """
        key = self._limits.group(_call(request), request.group), _keep(request)
        ahead = self._shared.count_ahead(key, self) + behind
        return key[0].forecast(self.clock.now(), ahead, key[1])

    async def acquire(self, request: Request[Any]) -> Permit:
        """Wait until a request may be sent: for its group, and for room in the session.

        Raises:
            RateLimited: it would take longer than `max_wait`, or it did. Nothing was sent or taken.
        """
        call = _call(request)
        shared, closed = self._shared, self.closed  # Others, once the session is opened again.
        deadline = inf if self.max_wait is None else self.clock.now() + self.max_wait
        while True:
            group = shared.limits.group(call, request.group)
            key = group, _keep(request)
            if self._may_go(shared, key) and not closed.is_set():
                return Permit(self, shared, call, group)
            self._check(deadline, key, in_queue=True)

            def is_its_group(group: GroupWindow = group) -> bool:
                return shared.limits.group(call, request.group) is group

            await self._wait(shared, key, is_its_group, deadline, closed)
            if is_its_group():
                return Permit(self, shared, call, group)
            # A response has shown meanwhile that it counts in another group: queue there.

    async def wait_for_login(self, login: Coroutine[Any, Any, T]) -> T:
        """Wait for a login, which may go through another session and wait there for the limits.

        Raises:
            RateLimited: that takes longer than `max_wait` of this session.
        """
        if self.max_wait is None:
            return await login
        shared, looks_again = self._shared, asyncio.Event()
        deadline = self.clock.now() + self.max_wait
        task = asyncio.ensure_future(login)
        task.add_done_callback(lambda _: looks_again.set())
        shared.watchers.add(looks_again)
        try:
            await asyncio.sleep(0)  # Most often there is a token already.
            while not task.done():
                key = shared.limits.group(_LOGIN, "Auth"), 0
                if shared.has_waiters(key):
                    self._check(deadline, key)
                looks_again.clear()
                await looks_again.wait()
            return await task
        finally:
            shared.watchers.discard(looks_again)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def apply_429(self, request: Request[Any], response: Response) -> None:
        """Shut the group of a request because a part of its answer was a 429."""
        group = self._limits.group(_call(request), request.group)
        self._limits.apply_429(self.clock.now(), group, response.headers)
        self.report_429(request, response)

    def report_429(self, request: Request[Any], response: Response) -> None:
        """Report a 429, and how long its group is blocked."""
        group = self._limits.group(_call(request), request.group)
        seconds = max(0.0, group.blocked_until - self.clock.now())
        self._instrumentation.rate_limited(group.name, seconds, response.request_id)

    def close(self) -> None:
        """Refuse all who wait."""
        self.closed.set()
        for queue in self._queues.values():
            for waiter in queue:
                waiter.event.set()

    def waiting(self, key: QueueKey) -> int:
        """Return how many requests wait in the queue for a group."""
        return len(self._queues[key]) if key in self._queues else 0

    def has_capacity(self, waiter: Waiter) -> bool:
        """Return whether this is the next request the session may have in flight.

        Who has just been answered and comes again is behind those of other groups who wait.
        """
        room = self._concurrency - self.in_flight
        if len(self._places) < room + waiter.has_place:
            return True
        return waiter.has_place and [*self._places].index(waiter) < room

    def _may_go(self, shared: SharedLimits, key: QueueKey) -> bool:
        """Return whether a request may be sent at once, with nothing before it or in its way."""
        return (
            not (self.waiting(key) or self._places or shared.has_waiters(key))
            and self.in_flight < self._concurrency
            and shared.limits.delay(key[0], self.clock.now(), key[1]) <= 0
        )

    def _check(self, deadline: float, key: QueueKey, *, in_queue: bool = False) -> None:
        """Raise RateLimited if a request has to wait longer than it may."""
        group, keep = key
        now = self.clock.now()
        if deadline == inf:
            wait, longest = group.blocked_until - now, LONGEST_PENALTY
            why = f"longer than {longest:g} s"
        else:
            ahead = self._shared.count_ahead(key, self) if in_queue else 0
            wait, longest = group.forecast(now, ahead, keep), deadline - now
            why = "longer than max_wait"
        if wait > 0 and wait > longest:
            raise _not_sent(group, f"it would have to wait {wait:.1f} s, {why}", wait)

    async def _wait(
        self,
        shared: SharedLimits,
        key: QueueKey,
        is_its_group: Callable[[], bool],
        deadline: float,
        closed: asyncio.Event,
    ) -> None:
        queue = self._queues[key]
        waiter = Waiter(self)
        queue[waiter] = None
        try:
            while is_its_group():
                waiter.event.clear()
                if closed.is_set():
                    raise UsageError("the session is not open: use it inside `async with session:`")
                wait = self._look(shared, key, queue, waiter, deadline)
                if wait <= 0:
                    break
                if deadline < inf:
                    wait = min(wait, self._left(deadline, key))
                await self.clock.wait(waiter.event, wait)
        finally:
            self._leave(waiter)
            self._give_way(shared, key, queue, waiter)
            if waiter.limited_at is not None:
                seconds = self.clock.now() - waiter.limited_at
                self._instrumentation.wait_ended(waiter.reason, seconds, key[0].name)

    def _left(self, deadline: float, key: QueueKey) -> float:
        """Return the seconds that a request may still wait; raise RateLimited if there are none."""
        now = self.clock.now()
        if now >= deadline:
            known = key[0].forecast(now, 0, key[1])
            raise _not_sent(key[0], "it had to wait longer than max_wait", known or None)
        return deadline - now

    def _look(
        self, shared: SharedLimits, key: QueueKey, queue: Queue, waiter: Waiter, deadline: float
    ) -> float:
        """Return the seconds until a request should look again; 0 when it may go."""
        if next(iter(queue)) is not waiter:
            return inf
        shared.join(key, waiter)
        group, keep = key
        now = self.clock.now()
        delay = shared.limits.delay(group, now, keep)
        if delay > 0:
            self._record_wait(waiter, group, now, delay)
            self._leave(waiter)
            self._check(deadline, key)
        elif not waiter.has_place:
            waiter.has_place = True
            self._places[waiter] = None
        is_next = shared.is_first(key, waiter)
        if delay <= 0:
            return 0.0 if is_next else inf
        # Those behind the first one are woken up, but for a place in their session.
        return delay if is_next or not self.has_capacity(waiter) else inf

    def _record_wait(self, waiter: Waiter, group: GroupWindow, now: float, delay: float) -> None:
        if now < group.blocked_until:
            waiter.reason = "penalty"
        if waiter.limited_at is None:
            waiter.limited_at = now
            if delay < inf:
                self._instrumentation.wait_begins(waiter.reason, delay, group.name)

    def _give_way(self, shared: SharedLimits, key: QueueKey, queue: Queue, waiter: Waiter) -> None:
        was_first = next(iter(queue)) is waiter
        del queue[waiter]
        if was_first:
            shared.leave(key, waiter)
            if queue:
                next(iter(queue)).event.set()

    def _leave(self, waiter: Waiter) -> None:
        if waiter.has_place:
            waiter.has_place = False
            del self._places[waiter]
            if self._places:
                self._shared.wake_waiters()


def _not_sent(group: GroupWindow, why: str, retry_after: float | None) -> RateLimited:
    error = RateLimited(429, message=f"not sent: {why}", retry_after=retry_after)
    error.group, error.sent = group.name, False
    return error


def _keep(request: Request[Any]) -> int:
    """Give how many slots a request has to leave: those that a login may need soon."""
    return RESERVED if request.group == "Auth" and not request.is_login else 0


def _call(request: Request[Any]) -> str:
    """Give what tells one call from another: its answer, and for the user's own its path."""
    free = request.model is object
    name = _IDS.sub("/*", request.path) if free else request.model.__name__
    # Secret, because the path of a redirect may hold one.
    return Secret(f"{request.method} {name}")
