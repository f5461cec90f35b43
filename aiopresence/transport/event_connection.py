"""Run an event session over WebSocket connections, for as long as it takes.

Theory: `protocol.event_session` decides what to send and what frames mean, `protocol.reconnect` how
long to wait between connections, `protocol.websocket_token` when a new token is needed, and
`protocol.retry.RestartPolicy` which errors end it all. What is left here is I/O, in this order:
wait, connect, pump, and after an error recover, which is to note it and begin again.

While there is a connection, one task receives and another one sends. The sender sleeps until the
next deadline of the session, or until the receiver wakes it because there is something to send. So
pings are answered even while nobody consumes the events.
"""

import asyncio
import logging
import uuid
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

import aiohttp
from yarl import URL

from ..errors import (
    ApiError,
    AuthError,
    ConnectionFailed,
    PermissionDenied,
    PresenceError,
    RateLimited,
)
from ..models import PresenceEvent, Resync
from ..protocol.event_outputs import Gap, SessionOutput, Subscribed
from ..protocol.event_session import EventSession
from ..protocol.event_timers import PONG_TIMEOUT
from ..protocol.retry import RestartPolicy
from ..protocol.websocket_token import WsToken
from .clock import Clock, chance
from .instrumentation import Instrumentation
from .requester import Requester
from .websocket import HandshakeRefused, close as close_websocket
from .websocket_tokens import RATE_LIMITED, WebSocketTokens

_log = logging.getLogger("aiopresence")

_DATA = frozenset({aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY})
_KEEPALIVE = frozenset({aiohttp.WSMsgType.PING, aiohttp.WSMsgType.PONG})
# Close codes that mean that a received frame was invalid: protocol error, data that cannot be
# accepted, text that is not UTF-8, message too big (RFC 6455, section 7.4.1).
_INVALID_FRAME = frozenset({1002, 1003, 1007, 1009})
# Frames received before other tasks run: they may arrive faster than the event loop turns. An event
# with calls takes some 80 microseconds.
_FRAMES_PER_TURN = 20

StreamItem = PresenceEvent | Resync | Subscribed
Emit = Callable[[StreamItem], None]


class EventConnection:
    """The connections of one event session, one after the other.

    Args:
        filters: the event filters of its subscription.
        requester: requests tokens and opens connections.
        clock: the source of time.
        instrumentation: reports connections, events and resyncs.

    Attributes:
        session: the state of the session.
        restart_policy: decides which errors end it.
    """

    def __init__(
        self,
        filters: tuple[str, ...],
        requester: Requester,
        clock: Clock,
        instrumentation: Instrumentation,
    ) -> None:
        self.session = EventSession(filters, lambda: str(uuid.uuid4()), requester.redactor)
        self.restart_policy = RestartPolicy()
        self._requester = requester
        self._clock = clock
        self._instrumentation = instrumentation
        self._tokens = WebSocketTokens(requester, clock, instrumentation)
        # Set when the sender has something to do.
        self._wake = asyncio.Event()

    async def run(self, emit: Emit) -> None:
        """Follow events, over as many connections as it takes; it never returns.

        Args:
            emit: called with each event, resync and subscription, in order.

        Raises:
            PresenceError: it cannot continue, see `restart_policy`.
        """
        while True:
            await self._wait()
            try:
                websocket = await self._connect()
                await self._follow(websocket, emit)
            except PresenceError as error:
                if not self._recover(error):
                    raise

    async def _wait(self) -> None:
        """Wait until the next connection may be made."""
        seconds = self.session.reconnect.delay(chance())
        self._instrumentation.reconnect_delayed(seconds, self.session.reconnect.reason(seconds))
        started_at = self._clock.now()
        try:
            await self._clock.wait(asyncio.Event(), seconds)
        finally:
            if seconds > 0:
                self._instrumentation.wait_ended("reconnect", self._clock.now() - started_at)

    def _recover(self, error: PresenceError) -> bool:
        """Prepare for the next connection after an error; return False if that is the end."""
        about_filters = self.session.are_filters_refused
        delay = self.restart_policy.delay(error, self._clock.now(), about_filters=about_filters)
        if delay is None:
            return False
        self.session.connection_failed(delay, _reason(error, delay))
        _log.warning("no connection for events, trying again: %s", error)
        return True

    # Connecting.

    async def _connect(self) -> aiohttp.ClientWebSocketResponse:
        """Open a connection; with a second token if a reused one is refused."""
        while True:
            token = await self._tokens.next_token()
            try:
                return await self._handshake(token)
            except PresenceError as error:
                # Tracebacks may be shown with local variables, and the address is one.
                failure = error.with_traceback(None)
            except asyncio.CancelledError as error:
                raise error.with_traceback(None)  # noqa: B904 - it is the same error
            failure = self._token_failure(failure)
            if not self._tokens.policy.is_reused or self._tokens.policy.token is not None:
                raise failure
            _log.info("the WebSocket token was refused when reused; requesting a new one")

    async def _handshake(self, token: WsToken) -> aiohttp.ClientWebSocketResponse:
        secrets = self.session.connection_query(self._clock.now(), token.ws_access_token)
        for secret in secrets.values():
            self._requester.redactor.add(secret)
        query = urlencode(secrets)
        # The address has secrets: it must not get into any message.
        return await self._requester.connect_websocket(URL(f"{token.uri}?{query}", encoded=True))

    def _token_failure(self, failure: PresenceError) -> PresenceError:
        """Record what a failed handshake means for the tokens in the address; return the error."""
        if isinstance(failure, AuthError):
            self._tokens.policy.refused()
            return ConnectionFailed("the WebSocket token was refused (HTTP 401)")
        if isinstance(failure, (PermissionDenied, HandshakeRefused)):
            self._tokens.policy.discard()
            self.session.recovery_refused()
        return failure

    # With a connection.

    async def _follow(self, websocket: aiohttp.ClientWebSocketResponse, emit: Emit) -> None:
        """Emit what a connection brings until it ends, and close it."""
        opened_at = self._clock.now()
        self.session.connection_made(opened_at, chance())
        # Whatever ends the connection with an error must not be replayed.
        broken, reason = True, "the event session ended"
        try:
            self._instrumentation.connection_opened()
            broken = await self._pump(websocket, emit)
            reason = "connection lost"
        finally:
            try:
                self._connection_ended(opened_at, reason, broken=broken)
            finally:  # A hook may have raised KeyboardInterrupt.
                await close_websocket(websocket)
        self._log_diagnostics()

    def _connection_ended(self, opened_at: float, reason: str, *, broken: bool) -> None:
        session, now = self.session, self._clock.now()
        reason = session.close_reason or reason
        session.connection_lost(now, broken=broken)
        if session.is_unauthorized:
            self._tokens.policy.refused()
        else:
            self._tokens.policy.accepted()
        self._instrumentation.connection_closed(reason, now - opened_at)

    async def _pump(self, websocket: aiohttp.ClientWebSocketResponse, emit: Emit) -> bool:
        """Send and receive until the connection ends; return whether an invalid frame ended it."""
        session, clock = self.session, self._clock
        receiver = asyncio.create_task(self._receive_all(websocket, emit))
        receiver.add_done_callback(lambda _: self._wake.set())
        try:
            while not receiver.done() and session.close_reason is None:
                self._wake.clear()
                await self._send_all(websocket)
                self._log_diagnostics()
                await clock.wait(self._wake, max(0.0, session.next_deadline - clock.now()))
                self._emit(session.tick(clock.now()), emit)
            return receiver.done() and await receiver
        finally:
            receiver.cancel()
            await asyncio.gather(receiver, return_exceptions=True)

    async def _send_all(self, websocket: aiohttp.ClientWebSocketResponse) -> None:
        session = self.session
        try:
            async with asyncio.timeout(PONG_TIMEOUT):
                while session.outgoing:
                    await websocket.send_str(session.outgoing.pop(0))
                if session.wants_ping:
                    session.wants_ping = False
                    await websocket.ping()
        except (aiohttp.ClientError, OSError):  # A TimeoutError is an OSError.
            session.close("cannot send")

    async def _receive_all(self, websocket: aiohttp.ClientWebSocketResponse, emit: Emit) -> bool:
        """Receive until the connection ends; return whether an invalid frame ended it."""
        session, received = self.session, 0
        while True:
            message = await websocket.receive()
            if message.type in _DATA:
                self._emit(self._receive(message), emit)
                if session.is_live:
                    self.restart_policy.record_success()
            elif message.type in _KEEPALIVE:
                await self._receive_keepalive(websocket, message)
            else:
                return websocket.close_code in _INVALID_FRAME
            del message  # A cancellation from here on would show it to whoever sees the traceback.
            if session.outgoing or session.close_reason or session.diagnostics:
                self._wake.set()
            received += 1
            if received % _FRAMES_PER_TURN == 0:
                await asyncio.sleep(0)

    async def _receive_keepalive(
        self, websocket: aiohttp.ClientWebSocketResponse, message: aiohttp.WSMessage
    ) -> None:
        self.session.keepalive_received(self._clock.now())
        if message.type is aiohttp.WSMsgType.PING:
            # If it cannot be sent, what was received before the end is still processed.
            with suppress(aiohttp.ClientError, OSError):
                await websocket.pong(message.data)

    def _receive(self, message: aiohttp.WSMessage) -> list[SessionOutput]:
        # Binary data is not a frame of the gateway, but may have been meant to be one.
        text = message.data if message.type is aiohttp.WSMsgType.TEXT else ""
        try:
            return self.session.receive(self._clock.now(), text)
        except PresenceError as error:
            refusal = error.with_traceback(None)
        # Raised without the frames below, whose local variables may have secrets.
        del message, text
        raise refusal

    def _emit(self, outputs: list[SessionOutput], emit: Emit) -> None:
        """Emit what the session has found; the one place where events and resyncs are counted."""
        for output in outputs:
            if isinstance(output, PresenceEvent):
                self._instrumentation.event_received(output)
                emit(output)
            elif isinstance(output, Gap):
                resync = self._resync(output)
                self._instrumentation.resynced(resync)
                emit(resync)
            else:
                emit(output)

    def _resync(self, gap: Gap) -> Resync:
        seconds = timedelta(seconds=self._clock.now() - gap.since_at)
        return Resync(gap.reason, datetime.fromtimestamp(self._clock.wall(), UTC) - seconds)

    def _log_diagnostics(self) -> None:
        for message in self.session.diagnostics.take():
            _log.warning("events: %s", message)


def _reason(error: PresenceError, delay: float) -> str:
    """Return the reason of the delay after an error, for the log."""
    if isinstance(error, RateLimited) and not error.sent:
        return RATE_LIMITED
    retry_after = error.retry_after if isinstance(error, ApiError) else None
    if retry_after and retry_after >= delay:
        return "the server's Retry-After"
    return "second check of a refusal"
