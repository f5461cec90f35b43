"""A webhook subscription that is renewed, checked, and created again when RingCentral ended it.

One task does everything: it sleeps until the next check or renewal is due, or until the next
attempt after a failure. RingCentral suspends a webhook that fails too often, without a call: only a
check of its status shows it. What was missed meanwhile is covered by a `Resync` that begins at the
last moment at which the subscription was known to be active.
"""

import asyncio
import logging
from datetime import UTC, datetime
from math import inf
from types import TracebackType
from typing import Self

from ..errors import NotFound, PresenceError, UsageError, one_line
from ..models import (
    DisabledFilterInfo,
    Resync,
    ResyncReason,
    SubscriptionInfo,
    SubscriptionStatus,
)
from ..protocol.retry import Backoff, RestartPolicy
from ..transport.clock import Clock, chance
from .callback_queue import CallbackQueue
from .known_subscriptions import KnownSubscriptions
from .subscription_api import SubscriptionApi

_log = logging.getLogger("aiopresence")

# Seconds between two checks of the status, so that a suspended webhook is noticed soon.
CHECK_INTERVAL = 300.0
# A subscription is renewed when this part of its lifetime is left, and at most these seconds.
# Guesses: time for many attempts, without renewing long ones often.
_LEAD, _MAX_LEAD = 0.25, 3600.0
# The least time between two calls, whatever lifetime RingCentral reports. A guess.
_MIN_WAIT = 1.0
# Between attempts that fail. The session has tried by then.
_BACKOFF = Backoff(first=2.0, longest=60.0, jitter=0.5)
# Seconds that the deletion may take when the context is left. A guess.
DELETE_SECONDS = 5.0

_INACTIVE = frozenset({SubscriptionStatus.BLACKLISTED, SubscriptionStatus.SUSPENDED})


class WebhookSubscription:
    """A subscription that is kept active while its context is entered.

    Returned by `WebhookReceiver.subscribe`. When RingCentral refuses it permanently, `wait_closed`
    raises the reason, and so does leaving the context if the body ended without an error.
    Transient failures are logged and retried.
    """

    _delete_seconds = DELETE_SECONDS

    def __init__(
        self,
        api: SubscriptionApi,
        subscriptions: KnownSubscriptions,
        queue: CallbackQueue,
        clock: Clock,
    ) -> None:
        self._api = api
        self._subscriptions = subscriptions
        self._queue = queue
        self._clock = clock
        self._info: SubscriptionInfo | None = None
        self._id = ""
        self._active_time = 0.0  # wall time of the last check that found it active
        self._lead = 0.0
        self._check_at = self._renew_at = inf
        self._lost_since: float | None = None
        self._failures = 0
        self._restart_policy = RestartPolicy()
        self._retry_at = -inf
        self._never = asyncio.Event()  # never set: only a cancellation ends a wait early
        self._ended = asyncio.Event()
        self._error: Exception | None = None
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Subscribe.

        Raises:
            PermissionDenied: RingCentral has disabled every filter.
            InvalidRequest: RingCentral refuses a filter, or could not reach the address: then
                `error_code` is "SUB-525".
            PresenceError: as the presence calls.
        """
        if self._task is not None:
            raise UsageError("a subscription is entered once; call subscribe again")
        if not self._queue.is_open:
            raise UsageError(
                "enter the receiver first: `async with receiver, receiver.subscribe(…)`"
            )
        await self._create()
        self._restart_policy.record_success()
        self._task = asyncio.create_task(self._run(), name="aiopresence webhook subscription")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if self._task is not None:
                self._task.cancel()
                await asyncio.wait({self._task})
            if self._id:
                await self._delete()
        finally:
            self._ended.set()
        if self._error is not None and kind is None:
            raise self._error.with_traceback(None)

    @property
    def info(self) -> SubscriptionInfo:
        """The subscription as RingCentral last described it.

        Raises:
            UsageError: the context was never entered.
        """
        if self._info is None:
            raise UsageError("not subscribed: use `async with receiver.subscribe(…)`")
        return self._info

    @property
    def disabled_filters(self) -> tuple[DisabledFilterInfo, ...]:
        """The event filters that deliver nothing, with the reason: usually a missing permission."""
        return (self._info and self._info.disabled_filters) or ()

    async def wait_closed(self) -> None:
        """Wait until the context is left, or RingCentral refuses the subscription permanently.

        Raises:
            PresenceError: why the subscription cannot be kept. No notifications arrive any more.
        """
        await self._ended.wait()
        if self._error is not None:
            raise self._error.with_traceback(None)

    async def _run(self) -> None:
        try:
            while True:
                await self._clock.wait(self._never, self._seconds_to_next_call())
                await self._check_or_recreate()
        except Exception as error:  # `wait_closed` and leaving the context raise it
            self._error = error
            _log.error("webhook subscription ended: %s", error)
            self._ended.set()

    def _seconds_to_next_call(self) -> float:
        if self._failures:
            wait = _BACKOFF.delay(self._failures, chance())
            return max(wait, self._retry_at - self._clock.now())
        now = self._clock.now()
        return min(max(0.0, self._check_at - now), max(_MIN_WAIT, self._renew_at - now))

    async def _check_or_recreate(self) -> None:
        try:
            if self._lost_since is None:
                await self._check()
            if self._lost_since is not None:
                await self._recreate(self._lost_since)
        except PresenceError as error:
            now, creating = self._clock.now(), self._lost_since is not None
            least = self._restart_policy.delay(error, now, about_filters=creating)
            if least is None:
                raise
            self._failures += 1
            self._retry_at = now + least
            _log.warning("webhook subscription could not be checked, will retry: %s", error)
        else:
            self._failures = 0
            self._restart_policy.record_success()

    async def _check(self) -> None:
        """Read the status, or renew the subscription when that is due."""
        sent_at, sent_time = self._clock.now(), self._clock.wall()
        due = sent_at >= self._renew_at
        try:
            info = await (self._renew() if due else self._api.read(self._id))
        except NotFound:
            return self._mark_lost("does not exist any more")
        if info.status in _INACTIVE:
            return self._mark_lost(f"is {info.status}")
        self._adopt(info, sent_at, sent_time, fresh=due)
        if self._left(info) <= 0:
            self._mark_lost("has expired")
        return None

    async def _renew(self) -> SubscriptionInfo:
        with self._subscriptions.creating():  # whether a renewal has a handshake is unknown
            return await self._api.renew(self._id)

    def _mark_lost(self, state: str) -> None:
        last = self._subscriptions.last_event_time(self._id)
        # Deliveries that failed after the last notification are lost; RingCentral still retried
        # earlier ones while the subscription was active. An inference.
        self._lost_since = min(self._active_time, last)
        _log.warning("webhook subscription %s; creating a new one", one_line(state))

    async def _recreate(self, since: float) -> None:
        if self._id:
            await self._delete()
        await self._create()
        self._lost_since = None
        self._queue.push(Resync(ResyncReason.WEBHOOK_LOST, datetime.fromtimestamp(since, UTC)))

    async def _create(self) -> None:
        sent_at, sent_time = self._clock.now(), self._clock.wall()
        with self._subscriptions.creating():
            info = await self._api.create()
            self._id = info.id or ""
            self._subscriptions.add(self._id)
        self._adopt(info, sent_at, sent_time, fresh=True)

    def _adopt(
        self, info: SubscriptionInfo, sent_at: float, sent_time: float, *, fresh: bool
    ) -> None:
        """Store what RingCentral reports, and schedule the next check and renewal.

        Args:
            info: the subscription as RingCentral described it.
            sent_at: when the request was sent, monotonic.
            sent_time: the same by the wall clock.
            fresh: whether the subscription was created or renewed by the request.
        """
        before = self.disabled_filters
        self._info = info
        self._active_time = sent_time
        left = self._left(info)
        if fresh and left <= 0:
            left = inf  # cannot be true of a new subscription; the next check shows the real value
        self._check_at = sent_at + CHECK_INTERVAL
        if fresh:
            self._lead = min(left * _LEAD, _MAX_LEAD)
        self._renew_at = sent_at + left - self._lead
        if self.disabled_filters not in ((), before):
            names = ", ".join(f"{f.filter} ({f.reason})" for f in self.disabled_filters)
            _log.warning("disabled event filters: %s", one_line(names))
        self._api.check(info)

    def _left(self, info: SubscriptionInfo) -> float:
        """Return the seconds until the subscription expires; inf when it is not known."""
        if info.expires_in is not None:
            return float(info.expires_in)
        if info.expiration_time is None:
            return inf
        return info.expiration_time.timestamp() - self._clock.wall()

    async def _delete(self) -> None:
        """Delete the subscription; one that cannot be deleted is logged and expires by itself."""
        try:
            async with asyncio.timeout(self._delete_seconds):
                await self._api.delete(self._id)
        except NotFound:
            pass
        except TimeoutError:
            _log.warning("webhook subscription not deleted: no response in time")
        except PresenceError as error:
            _log.warning("webhook subscription not deleted: %s", error)
        finally:
            self._subscriptions.remove(self._id)
            self._id = ""
