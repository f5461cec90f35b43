"""The receiver of a webhook: which calls are notifications, and how each call is answered.

`WebhookReceiver._respond` is all of it, without any web framework. `handle`, `asgi` and `handler`
pass a call on to it, and differ only in how the body is read and the response sent.
"""

import asyncio
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import timedelta
from math import inf
from types import TracebackType
from typing import TYPE_CHECKING, Self

from ..errors import UsageError
from ..models import PresenceEvent, validation
from ..transport.clock import Clock
from . import http
from .asgi import AsgiApp
from .callback_queue import NOT_ASYNC, Callback, CallbackQueue
from .dedup import SeenEvents
from .http import CallHeaders, ReadBody, Refused, WebhookResponse
from .known_subscriptions import KnownSubscriptions
from .subscription import WebhookSubscription
from .subscription_api import SubscriptionApi
from .throttled_log import ThrottledLog
from .verification import TokenHeaders, VerificationTokens

if TYPE_CHECKING:
    from aiohttp import web

    from ..session import PresenceSession

# The statuses of calls that are authentic or unknown, but cannot be read as a notification.
_UNREADABLE = frozenset({400, 408, 413, 415})
_DAY = 86_400.0


class WebhookReceiver:
    """Receives RingCentral's notifications by webhook and passes each to a callback once.

    Use it with `async with`, and route RingCentral's calls to one of three: `handler` in an
    aiohttp.web application, `asgi` in FastAPI, Starlette and other ASGI applications, or `handle`
    in everything else. All three give the same answers. A call that arrives while the receiver is
    not open, which is logged, or while its queue is full, is answered with HTTP 503, so that
    RingCentral sends it again. Leaving the context waits until every accepted notification is
    handled.

    Callbacks run one at a time, in the order in which the notifications arrived. An exception in a
    callback is logged with its type and origin, and the next notification is handled.

    Args:
        callback: an async function that is called with each PresenceEvent and Resync.
        verification_token: the secret that RingCentral sends with each notification; 1 to 256 ASCII
            characters without spaces. Several tokens are all accepted, and the first is used to
            subscribe: to rotate the token, pass the new and the old one until the subscriptions
            with the old one have ended. None generates a token of 256 bits, which is sufficient
            when this receiver subscribes itself.
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
            raise UsageError(NOT_ASYNC)
        if type(queue_size) is not int or queue_size < 1:
            raise UsageError("queue_size must be a positive int")
        if not isinstance(verification_token, (str, Iterable, type(None))):
            raise UsageError("verification_token must be a str, several, or None")
        self._tokens = VerificationTokens(verification_token)
        self._queue = CallbackQueue(callback, queue_size)
        self._seen = SeenEvents()
        self._subscriptions = KnownSubscriptions(self._clock)
        self._log = ThrottledLog(self._clock)
        self._worker: asyncio.Task[None] | None = None
        self._open = False
        self._abandoned = False

    async def __aenter__(self) -> Self:
        if self._worker is not None and not self._worker.done():
            raise UsageError("the receiver is already open")
        self._queue.open()
        self._worker = asyncio.create_task(self._queue.run(), name="aiopresence webhook")
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
        """Stop accepting notifications, and wait until every accepted one is handled.

        A second call waits for the same. When the wait is cancelled, the running callback is
        cancelled too, and notifications that were not handled are lost. A call from within the
        callback does not wait.
        """
        self._open = False
        self._queue.close()
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
            worker.result()  # raises what a callback raised that is not an Exception

    def _worker_ended(self, _: "asyncio.Task[None]") -> None:
        # Only `close` ends the task, or a callback that raised something other than an Exception.
        self._open = False

    def expect_handshake(self, seconds: float | timedelta | None = 60.0) -> None:
        """Answer handshakes of subscriptions that are created elsewhere, as by another process.

        Handshakes of subscriptions created by this receiver are answered without it. At any other
        time a handshake is refused with HTTP 403, so that strangers cannot make the receiver echo
        their text.

        Args:
            seconds: for how long from now (or a timedelta); None for as long as this receiver
                exists, for a process that only receives.

        Raises:
            UsageError: `seconds` is not a positive number.
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
        """Return a context manager that keeps RingCentral subscribed to this receiver.

        Entering it creates the subscription. RingCentral calls the address while it does, so the
        server must already be listening: enter it after `await site.start()`, not in `on_startup`
        or `cleanup_ctx` of an aiohttp application or in the lifespan of an ASGI application, which
        run earlier. The subscription is renewed before it expires and checked every 5 minutes. When
        RingCentral has suspended it, it is created again, and the callback receives a `Resync`.
        Leaving deletes the subscription.

        Once this receiver has a subscription, notifications of other subscriptions are dropped.
        Processes that share an address should therefore share one subscription: one process
        subscribes, the others only receive, with the same `verification_token`.

        Args:
            session: an open session, which must stay open as long as the subscription.
            address: the https URL at which this receiver is reachable; http for loopback only.
            event_filters: what to be notified of, see `aiopresence.filters`; None for the
                presence of the whole account.
            expires_in: the lifetime of a subscription without renewal, in seconds (or a
                timedelta); None for RingCentral's default.

        Raises:
            UsageError: an argument is wrong. Nothing was sent.
        """
        api = SubscriptionApi(session, address, event_filters, expires_in, self._tokens.first)
        return WebhookSubscription(api, self._subscriptions, self._queue, self._clock)

    async def handle(
        self,
        method: str,
        headers: Mapping[str, str] | Iterable[tuple[str | bytes, str | bytes]],
        body: bytes,
    ) -> WebhookResponse:
        """Handle one call that a web framework has received.

        The framework must limit the size of bodies, and the time that it waits for them, itself.

        Args:
            method: the HTTP method.
            headers: the headers, with names in any case. Pairs if a header can be repeated, whose
                names and values may also be bytes, as in ASGI.
            body: the whole body, as it was received.

        Returns:
            200 for a notification that is accepted now or was before; 503 with Retry-After for one
            that should be sent again; 400, 401, 403, 405, 413 or 415 for anything else.

        Raises:
            UsageError: the body is not bytes, the headers are none, or this is not the event loop
                on which the receiver was opened.
        """
        pairs = headers.items() if isinstance(headers, Mapping) else headers
        if not isinstance(body, bytes):
            raise UsageError("body must be bytes: the body of the request as it was received")
        loop = self._worker.get_loop() if self._worker and self._open else None
        if loop not in {None, asyncio.get_running_loop()}:
            raise UsageError(
                "the receiver was opened on another event loop; call it from this thread with"
                " asyncio.run_coroutine_threadsafe(receiver.handle(…), loop).result()"
            )

        async def read(_: int) -> bytes:
            return body

        return await self._respond(method, CallHeaders(pairs), read)

    @property
    def asgi(self) -> AsgiApp:
        """An ASGI 3 application that handles every HTTP request as `handle` does.

        It reads no more of a body than a notification may have, for 2.5 seconds at most: then the
        response has status 413 or 408. Its path is not looked at. If a server runs it as its only
        application, it opens the receiver at startup and closes it at shutdown.
        """
        return AsgiApp(self._respond, self)

    async def handler(self, request: "web.Request") -> "web.StreamResponse":
        """Handle one call: a request handler of aiohttp.web for any route and method.

        Args:
            request: the call.

        Returns:
            The response that `handle` describes, or 408 when the body takes too long.
        """
        from . import aiohttp_handler  # not needed in other frameworks

        return await aiohttp_handler.handle(request, self._respond)

    async def _respond(self, method: str, headers: CallHeaders, read: ReadBody) -> WebhookResponse:
        try:
            return await self._answer(method, headers, read)
        except Refused as refusal:
            if refusal.status in _UNREADABLE:
                # RingCentral suspends a webhook after several of these.
                self._log.warning(f"refused a call to the webhook with HTTP {refusal.status}")
            return http.respond(refusal.status, refusal.headers)

    async def _answer(self, method: str, headers: CallHeaders, read: ReadBody) -> WebhookResponse:
        if method != "POST":
            raise Refused(405, {"Allow": "POST"})
        if not self._open:
            if self._worker is None or self._worker.done():  # not in the course of a `close`
                self._log.warning(
                    "refused a call to the webhook with HTTP 503: the receiver is not open, enter"
                    " `async with receiver`"
                )
            raise http.unavailable()
        tokens = headers.tokens
        authentic = self._tokens.match(tokens.token)
        # Without the token only a handshake is accepted, and a handshake has no body.
        try:
            body = await self._read(headers, read, http.MAX_BODY if authentic else 0)
        except Refused as refusal:
            # A slow handshake of RingCentral gets the status that makes it try again.
            raise (refusal if authentic or refusal.status == 408 else self._denied()) from None
        if not body:
            return self._answer_handshake(tokens, authentic)
        self._accept(http.parse_event(headers, body), len(body))
        # Alone, Validation-Token holds the verification token, which must not be echoed.
        may_echo = tokens.verification is not None and self._subscriptions.expects_handshake
        return http.respond(200, tokens.echo if may_echo else None)

    async def _read(self, headers: CallHeaders, read: ReadBody, limit: int) -> bytes:
        headers.check_body(limit)
        try:
            async with asyncio.timeout(self._read_seconds):
                body = await read(limit + 1)
        except TimeoutError:
            raise Refused(408) from None
        if len(body) > limit:
            raise Refused(413)
        return body

    def _denied(self) -> Refused:
        self._log.warning("refused a call to the webhook: verification token missing or wrong")
        return Refused(401)

    def _answer_handshake(self, tokens: TokenHeaders, authentic: bool) -> WebhookResponse:
        if not authentic and (tokens.verification is not None or not tokens.validation):
            raise self._denied()
        if tokens.validation is None:
            raise Refused(400)  # from RingCentral, but neither a handshake nor a notification
        if not self._subscriptions.expects_handshake:
            self._log.warning("refused a handshake: no subscription is being created here")
            raise Refused(403)
        if not tokens.has_challenge:
            raise Refused(400)
        return http.respond(200, tokens.echo)

    def _accept(self, event: PresenceEvent, size: int) -> None:
        if not self._open:  # closed while the body was being read
            raise http.unavailable()
        now = self._clock.now()
        if event.uuid is not None and self._seen.contains(event.uuid, now):
            return
        if self._subscriptions.is_foreign(event.subscription_id):
            self._log.warning("dropped an event of an unknown subscription")
            return
        if not self._queue.offer(event, size):
            self._log.warning("queue full: the callback is slow; RingCentral sends again later")
            raise http.unavailable()
        if event.uuid is not None:
            self._seen.add(event.uuid, now)
        self._subscriptions.record_event(event.subscription_id)
        self._check_time(event)

    def _check_time(self, event: PresenceEvent) -> None:
        with suppress(OverflowError, ValueError):
            if event.timestamp and abs(event.timestamp.timestamp() - self._clock.wall()) > _DAY:
                self._log.warning(
                    "the timestamp of an event is a day or more off this host's clock"
                )
