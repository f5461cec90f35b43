"""Delay each request until the rate limit of its usage-plan group allows it.

Theory. A session has one first-in, first-out queue per group. Only the first request of a queue
checks the limits, so ten thousand waiting requests cost no more than one. The first requests of the
sessions of one login form the shared queue of the group (`shared_limits.py`); the first of those
that its session's `concurrency` allows is sent next. Limits are shared by the sessions of one
login; queues, concurrency and `max_wait` are each session's own.

- A slot is taken when a request is sent, not when it begins to wait: a cancelled one leaves nothing
  behind, and wakes the next. Each attempt on the wire takes one, also when aiohttp sends a request
  again by itself (`Permit.reacquire`).
- What a slot is worth afterwards is known when the request ends: with a response, without one, or
  unsent (`permit.py`). How long a group is blocked is decided in `protocol/rate_limits.py`.
- A 429 blocks its group for all sessions of the login. Waiting requests stay in their queues, and
  the first one is sent alone when the penalty is over.
- `max_wait` refuses a request as soon as its wait is known to be too long, and at the latest when
  it has passed. It never makes a request earlier.
"""

import asyncio
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Coroutine, Mapping
from math import inf
from typing import Any, TypeVar

from ..errors import RateLimited, UsageError
from ..protocol.rate_limit_groups import LimitsByGroup
from ..protocol.rate_limits import GroupLimits
from ..protocol.rest import LOGIN_PATH, Request, Response
from ..redaction import Secret
from .clock import Clock
from .hooks import IDS
from .instrumentation import Instrumentation
from .permit import Permit
from .rate_limiter import Group
from .shared_limits import QueueKey, SharedLimits, Waiter

# Slots of group Auth that are left to logins: WebSocket tokens count in the same group, and must
# not use up what keeps the session logged in.
RESERVED = 2
# The longest penalty in seconds that requests without a max_wait wait for: RingCentral's are
# minutes. In a longer one they fail at once.
LONGEST_PENALTY = 3600.0
# The name of a login among the calls; see `_call`.
_LOGIN = f"POST {LOGIN_PATH}"

T = TypeVar("T")
Queue = OrderedDict[Waiter, None]


class RequestQueue:
    """Delays the requests of one session.

    Args:
        presets: limits of groups to assume before the server states them.
        concurrency: how many requests of the session may be in flight.
        clock: the source of time.
        max_wait: the longest wait of a request in seconds; None for no limit.
        instrumentation: reports waits and 429s.

    Attributes:
        max_wait: as given.
        closed: set when the session is closed: waiting requests are refused.
        in_flight: how many requests of the session are sent and have no response yet.
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
        # The requests that only the concurrency holds back, in the order in which they may be sent.
        self._capacity_queue: dict[Waiter, None] = {}
        self.open(SharedLimits())

    def open(self, shared: SharedLimits) -> None:
        """Accept requests, possibly again after `close` and on another event loop.

        Args:
            shared: the limits of the login on this event loop.
        """
        self._shared = shared
        self._limits = shared.limits
        self._limits.add_presets(self._presets)
        # By group and slots left free: a login does not queue behind requests that leave slots.
        self._queues: defaultdict[QueueKey, Queue] = defaultdict(OrderedDict)
        self.closed = asyncio.Event()

    def snapshot(self) -> dict[str, GroupLimits]:
        """Return what is known of each group now, by name."""
        return LimitsByGroup({**self._presets, **self._limits.snapshot(self.clock.now())})

    def forecast(self, request: Request[Any], behind: int = 0) -> float:
        """Return the least seconds that a request would have to wait for the limits.

        Args:
            request: the request.
            behind: how many others like it would be sent before it.
        """
        key = self._limits.group(_call(request), request.group), _keep(request)
        ahead = self._shared.count_ahead(key, self) + behind
        return key[0].forecast(self.clock.now(), ahead, key[1])

    async def acquire(self, request: Request[Any]) -> Permit:
        """Wait until the limits of its group and the session's concurrency allow a request.

        Raises:
            RateLimited: the wait would be longer than `max_wait`, or was. Nothing was sent.
            UsageError: the session was closed.
        """
        call = _call(request)
        shared, closed = self._shared, self.closed  # Replaced when the session is opened again.
        deadline = inf if self.max_wait is None else self.clock.now() + self.max_wait
        while True:
            group = shared.limits.group(call, request.group)
            key = group, _keep(request)
            if self._may_send(shared, key) and not closed.is_set():
                return self._permit(shared, call, key)
            self._check(deadline, key, in_queue=True)

            def is_its_group(group: Group = group) -> bool:
                return shared.limits.group(call, request.group) is group

            await self._wait(shared, key, is_its_group, deadline, closed)
            if is_its_group():
                return self._permit(shared, call, key)
            # Meanwhile a response has shown that this call counts in another group: queue there.

    async def wait_for_login(self, login: Coroutine[Any, Any, T]) -> T:
        """Wait for a login, which may be sent, and delayed, by another session.

        Raises:
            RateLimited: the delay is longer than `max_wait` of this session.
        """
        if self.max_wait is None:
            return await login
        shared, changed = self._shared, asyncio.Event()
        deadline = self.clock.now() + self.max_wait
        task = asyncio.ensure_future(login)
        task.add_done_callback(lambda _: changed.set())
        shared.watchers.add(changed)
        try:
            await asyncio.sleep(0)  # Mostly there is a token already.
            while not task.done():
                key = shared.limits.group(_LOGIN, "Auth"), 0
                if shared.has_waiters(key):
                    self._check(deadline, key)
                changed.clear()
                await changed.wait()
            return await task
        finally:
            shared.watchers.discard(changed)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def apply_429(self, request: Request[Any], response: Response) -> None:
        """Block the group of a request because a part of its response was a 429."""
        group = self._limits.group(_call(request), request.group)
        self._limits.apply_429(self.clock.now(), group, response.headers)
        self.report_429(request, response)

    def report_429(self, request: Request[Any], response: Response) -> None:
        """Report a 429, and how long its group is blocked."""
        group = self._limits.group(_call(request), request.group)
        seconds = max(0.0, group.blocked_until - self.clock.now())
        self._instrumentation.rate_limited(group.name, seconds, response.request_id)

    def close(self) -> None:
        """Refuse all waiting requests."""
        self.closed.set()
        for queue in self._queues.values():
            for waiter in queue:
                waiter.event.set()

    def waiting(self, key: QueueKey) -> int:
        """Return how many requests wait in the queue for a group."""
        return len(self._queues[key]) if key in self._queues else 0

    @property
    def free(self) -> int:
        """How many more requests the session may have in flight."""
        return self._concurrency - self.in_flight

    def has_capacity(self, waiter: Waiter) -> bool:
        """Return whether the concurrency allows this request to be sent next.

        Requests of all groups take turns, so that no group uses the whole concurrency.
        """
        if len(self._capacity_queue) < self.free + waiter.needs_capacity:
            return True
        return waiter.needs_capacity and [*self._capacity_queue].index(waiter) < self.free

    def _permit(self, shared: SharedLimits, call: str, key: QueueKey) -> Permit:
        permit = Permit(self.clock, shared, call, *key, self._on_end)
        self.in_flight += 1
        return permit

    def _on_end(self) -> None:
        self.in_flight -= 1

    def _may_send(self, shared: SharedLimits, key: QueueKey) -> bool:
        """Return whether a request may be sent at once."""
        return (
            not (self.waiting(key) or self._capacity_queue or shared.has_waiters(key))
            and self.free > 0
            and shared.limits.delay(key[0], self.clock.now(), key[1]) <= 0
        )

    def _check(self, deadline: float, key: QueueKey, *, in_queue: bool = False) -> None:
        """Raise RateLimited if a request would have to wait too long."""
        group, keep = key
        now = self.clock.now()
        if deadline == inf:
            wait, longest = group.blocked_until - now, LONGEST_PENALTY
            limit = f"longer than {longest:g} s"
        else:
            ahead = self._shared.count_ahead(key, self) if in_queue else 0
            wait, longest = group.forecast(now, ahead, keep), deadline - now
            limit = "longer than max_wait"
        if wait > 0 and wait > longest:
            raise _not_sent(group, f"would delay it {wait:.1f} s, {limit}", wait)

    async def _wait(
        self,
        shared: SharedLimits,
        key: QueueKey,
        is_its_group: Callable[[], bool],
        deadline: float,
        closed: asyncio.Event,
    ) -> None:
        """Wait in the queue for a group until a request may be sent, or counts in another one."""
        queue = self._queues[key]
        waiter = Waiter(self)
        queue[waiter] = None
        try:
            while is_its_group():
                waiter.event.clear()
                if closed.is_set():
                    raise UsageError("the session is not open: use it inside `async with session:`")
                wait = self._check_turn(shared, key, queue, waiter, deadline)
                if wait <= 0:
                    break
                if deadline < inf:
                    wait = min(wait, self._remaining(deadline + shared.limits.reply_time, key))
                await self.clock.wait(waiter.event, wait)
        finally:
            self._leave_capacity_queue(waiter)
            self._dequeue(shared, key, queue, waiter)
            if waiter.limited_at is not None:
                seconds = self.clock.now() - waiter.limited_at
                self._instrumentation.wait_ended(waiter.reason, seconds, key[0].name)

    def _remaining(self, deadline: float, key: QueueKey) -> float:
        """Return the seconds that a request may still wait; raise RateLimited if there are none."""
        now = self.clock.now()
        if now >= deadline:
            known = key[0].forecast(now, 0, key[1])
            raise _not_sent(key[0], "has delayed it longer than max_wait", known or None)
        return deadline - now

    def _check_turn(
        self, shared: SharedLimits, key: QueueKey, queue: Queue, waiter: Waiter, deadline: float
    ) -> float:
        """Return the seconds until a request should check again; 0 when it may be sent."""
        if next(iter(queue)) is not waiter:
            return inf
        shared.join(key, waiter)
        group, keep = key
        now = self.clock.now()
        delay = shared.limits.delay(group, now, keep)
        if delay > 0:
            self._record_wait(waiter, group, now, delay)
            self._leave_capacity_queue(waiter)
            self._check(deadline, key)
        elif not waiter.needs_capacity:
            waiter.needs_capacity = True
            self._capacity_queue[waiter] = None
        is_next = shared.is_first(key, waiter)
        if delay <= 0:
            return 0.0 if is_next else inf
        # Requests behind the first are woken up, except those that need their session's capacity.
        return delay if is_next or not self.has_capacity(waiter) else inf

    def _record_wait(self, waiter: Waiter, group: Group, now: float, delay: float) -> None:
        if now < group.blocked_until:
            waiter.reason = "penalty"
        if waiter.limited_at is None:
            waiter.limited_at = now
            if delay < inf:
                self._instrumentation.wait_begins(waiter.reason, delay, group.name)

    def _dequeue(self, shared: SharedLimits, key: QueueKey, queue: Queue, waiter: Waiter) -> None:
        was_first = next(iter(queue)) is waiter
        del queue[waiter]
        if was_first:
            shared.leave(key, waiter)
            if queue:
                next(iter(queue)).event.set()

    def _leave_capacity_queue(self, waiter: Waiter) -> None:
        if waiter.needs_capacity:
            waiter.needs_capacity = False
            del self._capacity_queue[waiter]
            if self._capacity_queue:
                self._shared.wake_waiters()


def _not_sent(group: Group, reason: str, retry_after: float | None) -> RateLimited:
    message = f"not sent: rate limit of group {group.name or 'unknown'} {reason}"
    error = RateLimited(429, message=message, retry_after=retry_after)
    error.group, error.sent = group.name, False
    return error


def _keep(request: Request[Any]) -> int:
    """Return how many slots a request has to leave free for logins."""
    return RESERVED if request.group == "Auth" and not request.is_login else 0


def _call(request: Request[Any]) -> str:
    """Return the name of a call: by its model, or by its path for `session.request`.

    Calls of the same name, whose paths differ in ids only, count in the same group.
    """
    is_raw = request.model is object
    name = IDS.sub("/*", request.path) if is_raw else request.model.__name__
    # Secret, because the path of a redirect may hold one.
    return Secret(f"{request.method} {name}")
