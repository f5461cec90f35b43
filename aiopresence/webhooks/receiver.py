"""The receiving end of a webhook."""

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from datetime import timedelta
from math import inf
from types import TracebackType
from typing import TYPE_CHECKING, Self

from aiohttp import web

from ..errors import UsageError
from ..models import PresenceEvent, validation
from ..transport.clock import Clock
from . import http
from .callback_queue import Backlog, Callback
from .dedup import Replays, Seldom, Subscriptions
from .http import Credentials, RefusedError
from .subscription import WebhookSubscription
from .subscription_api import SubscriptionCalls
from .verification import Keys

if TYPE_CHECKING:
    from ..session import PresenceSession

# What is answered to that which is no notification.
_UNREADABLE = frozenset({400, 408, 413, 415})
_DAY = 86_400.0


class WebhookReceiver:
    """Takes RingCentral's notifications by webhook, and hands each to a callback once.

    Use it with `async with`, and give `handler` to aiohttp.web. Of calls at any other time, and of
    those it has no room for, it says 503, so that RingCentral tries again later. Leaving waits
    until everything accepted is handled.

    Callbacks run one at a time, in the order in which the notifications came. What one raises is
    logged by its type and place, and the next notification is handled.

    Args:
        callback: an async function that takes each PresenceEvent and Resync.
        verification_token: the secret by which RingCentral is known; 1 to 256 ASCII characters
            without spaces. Of several all are accepted, and the first is the one to subscribe
            with, so that secrets can be exchanged: new and old, until the old subscriptions are
            gone. None makes one of 256 bits, which is enough when this receiver subscribes.
        queue_size: how many notifications may wait for the callback.

    Raises:
        UsageError: an argument is wrong.
    """

    _clock = Clock()
    _read_seconds = http.READ_SECONDS

    def __init__(
        self,
        callback: Callback,
        verification_token: str | Iterable[str] | None = None,
        *,
        queue_size: int = 1000,
    ) -> None:
        if not callable(callback):
            raise UsageError("callback must be an async function that takes an event")
        if type(queue_size) is not int or queue_size < 1:
            raise UsageError("queue_size must be a positive int")
        if not isinstance(verification_token, (str, Iterable, type(None))):
            raise UsageError("verification_token must be a str, several, or None")
        self._keys = Keys(verification_token)
        self._backlog = Backlog(callback, queue_size)
        self._replays = Replays()
        self._subscriptions = Subscriptions(self._clock)
        self._seldom = Seldom(self._clock)
        self._worker: asyncio.Task[None] | None = None
        self._open = False
        self._abandoned = False

    async def __aenter__(self) -> Self:
        if self._worker is not None and not self._worker.done():
            raise UsageError("the receiver is in use already")
        self._backlog.open()
        self._worker = asyncio.create_task(self._backlog.work(), name="aiopresence webhook")
        self._worker.add_done_callback(self._worker_ended)
        self._open, self._abandoned = True, False
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Accept no more, and wait until everything accepted is handled.

        A second close waits for the same. One that is cancelled cancels the callback, and what
        was accepted and not handled is lost. From within the callback it does not wait.
        """
        self._open = False
        self._backlog.close()
        worker = self._worker
        if worker is None or worker is asyncio.current_task():
            return
        try:
            await asyncio.wait({worker})
        except asyncio.CancelledError:
            self._abandoned = True
            worker.cancel()
            await asyncio.wait({worker})
            raise
        if not self._abandoned:
            worker.result()  # which raises what a callback raised that is no Exception

    def _worker_ended(self, _: "asyncio.Task[None]") -> None:
        # Only a close ends it, or a callback that raised what is no Exception.
        self._open = False

    def expect_handshake(self, seconds: float | timedelta | None = 60.0) -> None:
        """Answer handshakes of subscriptions that are made elsewhere, as by another process.

        Those of this receiver's own subscriptions are expected by themselves. At any other time
        the handshake is refused, so that nobody can have us repeat what they like.

        Args:
            seconds: for how long from now (or a timedelta); None for as long as this receiver
                lives, for a process that only receives.

        Raises:
            UsageError: it is no such number.
        """
        limit = inf if seconds is None else validation.seconds("seconds", seconds)
        self._subscriptions.expect(limit)

    def subscribe(
        self,
        session: "PresenceSession",
        address: str,
        event_filters: Iterable[str] | None = None,
        *,
        expires_in: int | timedelta | None = None,
    ) -> WebhookSubscription:
        """Let RingCentral call this receiver, for as long as the context is entered.

        Entering makes the subscription. RingCentral calls `handler` meanwhile, so it has to be
        served already: after `await site.start()`, and not yet in `on_startup` or `cleanup_ctx` of
        an aiohttp application, which run before that. The subscription is renewed before it ends,
        and looked at every 5 minutes: when RingCentral has given it up it is made anew, and the
        callback gets a `Resync`. Leaving deletes it.

        Notifications of subscriptions that are none of this receiver's are dropped, once it has
        one. So let processes that share an address share one subscription too: one process
        subscribes, the others only receive, with the same `verification_token`.

        Args:
            session: what to ask RingCentral with; open for as long as this is.
            address: the https URL at which `handler` can be reached; http for loopback only.
            event_filters: what to be notified of, see `aiopresence.filters`; None for the
                presence of the whole account.
            expires_in: how many seconds (or a timedelta) a subscription is to live without being
                renewed; None leaves it to RingCentral.

        Raises:
            UsageError: an argument is wrong. Nothing was sent.
        """
        calls = SubscriptionCalls(session, address, event_filters, expires_in, self._keys.first)
        return WebhookSubscription(calls, self._subscriptions, self._backlog, self._clock)

    async def handler(self, request: web.Request) -> web.StreamResponse:
        """Answer one call: a handler for any route and method of aiohttp.web.

        Args:
            request: the call.

        Returns:
            200 for what is accepted, or was before; 503 with Retry-After for what may be sent
            again; 401, 403, 405, 408, 413, 415 or 400 for what is not a notification.
        """
        try:
            response = await self._answer(request)
        except RefusedError as refusal:
            if refusal.status in _UNREADABLE:
                # If it was RingCentral, it gives the webhook up after some of these.
                self._seldom.warn(f"refused a call to the webhook with HTTP {refusal.status}")
            response = http.answer(refusal.status, refusal.headers)
        return await http.finish(request, response)

    async def _answer(self, request: web.Request) -> web.Response:
        if request.method != "POST":
            raise RefusedError(405, {"Allow": "POST"})
        if not self._open:
            raise http.unavailable()
        given = http.credentials(request)
        known = self._keys.match(given.secret)
        # From a stranger, nothing but a handshake is of interest, which has no body.
        try:
            body = await http.read(request, http.MAX_BODY if known else 0, self._read_seconds)
        except RefusedError as refusal:
            # One who is too slow may yet be RingCentral with its handshake.
            raise (refusal if known or refusal.status == 408 else self._stranger()) from None
        if not body:
            return self._shake_hands(given, known)
        self._accept(http.event(request, body), len(body))
        # Without the other header this one has the secret, which is no handshake.
        return http.answer(200, {} if given.verification is None else self._echo(given))

    def _stranger(self) -> RefusedError:
        self._seldom.warn("refused a call to the webhook: its secret is missing or wrong")
        return RefusedError(401)

    def _shake_hands(self, given: Credentials, known: bool) -> web.Response:
        if not known and (given.verification is not None or not given.validation):
            raise self._stranger()
        if given.validation is None:
            raise RefusedError(400)  # from RingCentral, but neither handshake nor notification
        if not self._subscriptions.expecting:
            self._seldom.warn("refused a handshake: no subscription is being made here")
            raise RefusedError(403)
        if not http.is_challenge(given.validation):
            raise RefusedError(400)
        return http.answer(200, self._echo(given))

    def _echo(self, given: Credentials) -> dict[str, str]:
        """Give the header that answers a handshake, should this be one."""
        text = given.validation
        if text is None or not http.is_challenge(text) or not self._subscriptions.expecting:
            return {}
        return {"Validation-Token": text}

    def _accept(self, event: PresenceEvent, size: int) -> None:
        if not self._open:  # It closed while the body was on its way.
            raise http.unavailable()
        now = self._clock.now()
        if event.uuid is not None and self._replays.seen(event.uuid, now):
            return
        if self._subscriptions.is_strange(event.subscription_id):
            self._seldom.warn("dropped an event of a subscription that is none of this receiver's")
            return
        if not self._backlog.offer(event, size):
            self._seldom.warn("the callback is slow and the queue is full: events must wait")
            raise http.unavailable()
        if event.uuid is not None:
            self._replays.add(event.uuid, now)
        self._subscriptions.accepted(event.subscription_id)
        self._check_time(event)

    def _check_time(self, event: PresenceEvent) -> None:
        with suppress(OverflowError, ValueError):
            if event.timestamp and abs(event.timestamp.timestamp() - self._clock.wall()) > _DAY:
                self._seldom.warn("an event is a day or more off this host's clock")
