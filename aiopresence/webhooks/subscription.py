"""Keeping a subscription alive."""

import asyncio
import logging
import random
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
from ..protocol.retry import Patience
from ..transport.clock import Clock
from .callback_queue import Backlog
from .dedup import Subscriptions
from .subscription_api import SubscriptionCalls

_log = logging.getLogger("aiopresence")

# Seconds between two looks at the status, so that a lost webhook is noticed soon.
LOOK_EVERY = 300.0
# The part of a subscription's life that is left when it is renewed, and the most of it in
# seconds. Guesses: time for many attempts, without renewing long ones all the time.
_LEAD, _MAX_LEAD = 0.25, 3600.0
# No two calls come sooner after each other, whatever life RingCentral says is left. A guess.
_LEAST_WAIT = 1.0
# Seconds before the next attempt, doubled after each; guesses. The session has tried by then.
_FIRST_WAIT, _LONGEST_WAIT = 2.0, 60.0
# Seconds that the deletion may take when the context is left; a guess at what nobody minds.
GOODBYE_SECONDS = 5.0

_DEAD = frozenset({SubscriptionStatus.BLACKLISTED, SubscriptionStatus.SUSPENDED})


class WebhookSubscription:
    """A subscription that is kept alive while its context is entered.

    Made by `WebhookReceiver.subscribe`. When it cannot be kept alive, since RingCentral refuses
    it for good, `wait_closed` raises the reason, and so does leaving the context when the body
    ended without an error. What only disturbs it is logged and tried again.
    """

    _goodbye_seconds = GOODBYE_SECONDS

    def __init__(
        self,
        calls: SubscriptionCalls,
        subscriptions: Subscriptions,
        backlog: Backlog,
        clock: Clock,
    ) -> None:
        self._calls = calls
        self._subscriptions = subscriptions
        self._backlog = backlog
        self._clock = clock
        self._info: SubscriptionInfo | None = None
        self._id = ""
        self._good_time = 0.0  # of the last look at which it was well, by the wall clock
        self._lead = 0.0
        self._look_at = self._renew_at = inf
        self._lost_since: float | None = None
        self._failures = 0
        self._patience = Patience()
        self._retry_at = -inf
        self._never = asyncio.Event()  # only a cancellation ends a wait early
        self._ended = asyncio.Event()
        self._fault: Exception | None = None
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Subscribe.

        Raises:
            PermissionDenied: RingCentral lets none of the filters through.
            InvalidRequest: RingCentral refuses a filter, or could not reach the address: then
                `error_code` is "SUB-525".
            PresenceError: as the presence calls.
        """
        if self._task is not None:
            raise UsageError("a subscription is entered once; call subscribe again")
        if not self._backlog.is_open:
            raise UsageError(
                "enter the receiver first: `async with receiver, receiver.subscribe(…)`"
            )
        await self._create()
        self._patience.worked()
        self._task = asyncio.create_task(self._run(), name="aiopresence webhook upkeep")
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
            await self._goodbye()
        finally:
            self._ended.set()
        if self._fault is not None and kind is None:
            raise self._fault.with_traceback(None)

    @property
    def info(self) -> SubscriptionInfo:
        """The subscription as RingCentral last described it.

        Raises:
            UsageError: it was never made.
        """
        if self._info is None:
            raise UsageError("not subscribed: use `async with receiver.subscribe(…)`")
        return self._info

    @property
    def disabled_filters(self) -> tuple[DisabledFilterInfo, ...]:
        """The event filters that bring nothing, and why: most often a permission is missing."""
        return (self._info and self._info.disabled_filters) or ()

    async def wait_closed(self) -> None:
        """Wait until the context is left, or until RingCentral refuses the subscription for good.

        Raises:
            PresenceError: why it cannot be kept alive. Nothing arrives any more.
        """
        await self._ended.wait()
        if self._fault is not None:
            raise self._fault.with_traceback(None)

    async def _run(self) -> None:
        try:
            while True:
                await self._clock.wait(self._never, self._wait())
                await self._attempt()
        except Exception as error:  # whatever it is, it surfaces from `wait_closed`
            self._fault = error
            _log.error("the webhook's subscription is lost: %s", error)
            self._ended.set()

    def _wait(self) -> float:
        if self._failures:
            wait = min(_LONGEST_WAIT, _FIRST_WAIT * 2.0 ** min(self._failures - 1, 10))
            wait *= 0.5 + random.random() / 2  # noqa: S311 - spreads, protects nothing
            return max(wait, self._retry_at - self._clock.now())
        now = self._clock.now()
        return min(max(0.0, self._look_at - now), max(_LEAST_WAIT, self._renew_at - now))

    async def _attempt(self) -> None:
        try:
            if self._lost_since is None:
                await self._look()
            if self._lost_since is not None:
                await self._repair(self._lost_since)
        except PresenceError as error:
            now, creating = self._clock.now(), self._lost_since is not None
            least = self._patience.wait(error, now, about_filters=creating)
            if least is None:
                raise
            self._failures += 1
            self._retry_at = now + least
            _log.warning("the webhook's subscription could not be looked after: %s", error)
        else:
            self._failures = 0
            self._patience.worked()

    async def _look(self) -> None:
        """See how it is, and renew it when that is due."""
        asked_at, asked_time = self._clock.now(), self._clock.wall()
        due = asked_at >= self._renew_at
        try:
            info = await (self._renew() if due else self._calls.read(self._id))
        except NotFound:
            return self._lose("is gone")
        if info.status in _DEAD:
            return self._lose(f"is {info.status}")
        self._adopt(info, asked_at, asked_time, fresh=due)
        if self._left(info) <= 0:
            self._lose("has expired")
        return None

    async def _renew(self) -> SubscriptionInfo:
        with self._subscriptions.pending():  # in case that this brings a handshake, too
            return await self._calls.renew(self._id)

    def _lose(self, how: str) -> None:
        last = self._subscriptions.last_accepted(self._id)
        # What failed since the last delivery may never have come; what failed before was
        # still to be tried again as long as the subscription was well. So much is a guess.
        self._lost_since = min(self._good_time, last)
        _log.warning("the webhook's subscription %s; it is made anew", one_line(how))

    async def _repair(self, since: float) -> None:
        if self._id:
            await self._delete()
        await self._create()
        self._lost_since = None
        self._backlog.push(Resync(ResyncReason.WEBHOOK_LOST, datetime.fromtimestamp(since, UTC)))

    async def _create(self) -> None:
        asked_at, asked_time = self._clock.now(), self._clock.wall()
        with self._subscriptions.pending():
            info = await self._calls.create()
            self._id = info.id or ""
            self._subscriptions.claim(self._id)
        self._adopt(info, asked_at, asked_time, fresh=True)

    def _adopt(
        self, info: SubscriptionInfo, asked_at: float, asked_time: float, *, fresh: bool
    ) -> None:
        """Take RingCentral's word for how things are.

        Args:
            info: what it says.
            asked_at: when it was asked, monotonic.
            asked_time: the same by the wall clock.
            fresh: whether all of its life is still to come.
        """
        before = self.disabled_filters
        self._info = info
        self._good_time = asked_time
        left = self._left(info)
        if fresh and left <= 0:
            left = inf  # No life at all is no answer to having made it. The next look tells.
        self._look_at = asked_at + LOOK_EVERY
        if fresh:
            self._lead = min(left * _LEAD, _MAX_LEAD)
        self._renew_at = asked_at + left - self._lead
        if self.disabled_filters not in ((), before):
            names = ", ".join(f"{f.filter} ({f.reason})" for f in self.disabled_filters)
            _log.warning("event filters that bring nothing: %s", one_line(names))
        self._calls.check(info)

    def _left(self, info: SubscriptionInfo) -> float:
        """Give the seconds that it has left, as far as RingCentral says."""
        if info.expires_in is not None:
            return float(info.expires_in)
        if info.expiration_time is None:
            return inf
        return info.expiration_time.timestamp() - self._clock.wall()

    async def _goodbye(self) -> None:
        if self._id:
            await self._delete()

    async def _delete(self) -> None:
        """End it, or at least try to: one that cannot be ended expires by itself."""
        try:
            async with asyncio.timeout(self._goodbye_seconds):
                await self._calls.delete(self._id)
        except NotFound:
            pass
        except TimeoutError:
            _log.warning("the webhook's subscription was not deleted: no answer in time")
        except PresenceError as error:
            _log.warning("the webhook's subscription was not deleted: %s", error)
        finally:
            self._subscriptions.retire(self._id)
            self._id = ""
