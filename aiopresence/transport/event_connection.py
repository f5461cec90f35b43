"""Drives the event session over WebSocket connections, with aiohttp.

Every wait of more than a second before a connection is logged with its reason, at WARNING if it is
longer than somebody who watches a board would put up with. So each request for a WebSocket token is
made once: its failures go through the same back-off as all others.
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
from ..protocol import websocket_token
from ..protocol.event_outputs import Gap, SessionOutput, Subscribed
from ..protocol.event_session import EventSession
from ..protocol.event_timers import PONG_TIMEOUT
from ..protocol.retry import RestartPolicy, is_permanent
from ..protocol.websocket_token import WsToken
from .clock import Clock, chance
from .instrumentation import Instrumentation
from .requester import Requester
from .websocket import HandshakeRefused

_log = logging.getLogger("aiopresence")

_FRAMES = frozenset({aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY})
_SIGNS = frozenset({aiohttp.WSMsgType.PING, aiohttp.WSMsgType.PONG})
# Seconds of waiting that are logged, and that are logged as a warning. Guesses.
LOGGED, NOTICEABLE = 1.0, 3.0
_LIMITED = "rate limit of group Auth"
# Codes with which a connection ends because of what the gateway sent.
_BROKEN = frozenset({1002, 1003, 1007, 1009})
# Frames taken in before others get a turn: they may arrive faster than the loop turns.
_AT_ONCE = 50

StreamItem = PresenceEvent | Resync | Subscribed


class EventConnection:
    """One event session.

    Args:
        filters: the event filters of its subscription.
        requester: what gets tokens and connections.
        clock: where time comes from.
        instrumentation: reports connections, events and resyncs.

    Attributes:
        gateway: the session's state.
        restart_policy: decides when it ends.
    """

    def __init__(
        self,
        filters: tuple[str, ...],
        requester: Requester,
        clock: Clock,
        instrumentation: Instrumentation,
    ) -> None:
        self.session = EventSession(filters, lambda: str(uuid.uuid4()))
        self._requester = requester
        self._clock = clock
        self._instrumentation = instrumentation
        self._wake = asyncio.Event()
        self.restart_policy = RestartPolicy()
        self._token: WsToken | None = None
        # Whether the access token behind the last WebSocket token may have been ended.
        self._must_log_in = False

    async def run(self, tell: Callable[[StreamItem], None]) -> None:
        """Follow events, over as many connections as it takes; it never returns.

        Args:
            tell: called with everything that happens, in order.

        Raises:
            PresenceError: it cannot go on.
        """
        never = asyncio.Event()
        while True:
            delay = self.session.reconnect.delay(chance())
            _log_wait(delay, self.session.reconnect.reason(delay))
            await self._wait(never, delay)
            try:
                await self._connection(tell)
            except PresenceError as error:
                filters = self.session.are_filters_refused
                least = self.restart_policy.delay(error, self._clock.now(), about_filters=filters)
                if least is None:
                    raise
                self.session.connection_failed(least, _reason(error, least))
                _log.warning("no connection for events, trying again: %s", error)

    async def _wait(self, never: asyncio.Event, seconds: float) -> None:
        began = self._clock.now()
        try:
            await self._clock.wait(never, seconds)
        finally:
            if seconds > 0:
                self._instrumentation.wait_ended("reconnect", self._clock.now() - began)

    async def _connection(self, tell: Callable[[StreamItem], None]) -> None:
        session, clock = self.session, self._clock
        socket, is_reused = await self._open()
        opened_at = clock.now()
        session.connection_made(opened_at, chance())
        broken = True  # Whatever ends this with an error is not asked for again.
        reason = "the event session ended"
        try:
            self._instrumentation.connection_opened()
            broken = await self._talk(socket, tell)
            reason = "it was lost"
        finally:
            reason = session.close_reason or reason
            session.connection_lost(clock.now(), broken=broken)
            if session.is_unauthorized:
                self._forget_token(is_reused=is_reused)
            self._instrumentation.connection_closed(reason, clock.now() - opened_at)
            await socket.close()
        self._report()

    async def _open(self) -> tuple[aiohttp.ClientWebSocketResponse, bool]:
        """Open a connection; return it, and whether its WebSocket token had been used before."""
        while True:
            token, is_reused = await self._next_token()
            try:
                return await self._dial(token), is_reused
            except PresenceError as error:
                # Error trackers show the variables of a traceback's frames: the address is one.
                failure = error.with_traceback(None)
            if isinstance(failure, AuthError):
                self._forget_token(is_reused=is_reused)
                failure = ConnectionFailed("the WebSocket token was refused")
            elif isinstance(failure, (PermissionDenied, HandshakeRefused)):
                self._token = None
                self.session.recovery_refused()
            if not is_reused or self._token is not None:
                raise failure
            _log.info("the WebSocket token was refused when used again; taking a new one")

    def _forget_token(self, *, is_reused: bool) -> None:
        """Record that the WebSocket token was refused as unauthorized."""
        self._token = None
        # Not our credentials, if the token was new: the login behind it may have ended.
        self._must_log_in = not is_reused

    async def _next_token(self) -> tuple[WsToken, bool]:
        """Return the token for the next connection, and whether it was used before."""
        kept, now, forecast = self._token, self._clock.now(), self._requester.forecast
        if kept is None or now >= kept.expires_at:
            return await self._new_token(), False
        # The last slot is left for when the token has expired: it may be the only one for a minute.
        is_last = now < kept.reuse_until and forecast(websocket_token.WSTOKEN, behind=1) > LOGGED
        if is_last or forecast(websocket_token.WSTOKEN) > LOGGED:
            _log.info("using the WebSocket token again: %s", _LIMITED)
            return kept, True
        try:
            return await self._new_token(), False
        except PresenceError as error:
            if is_permanent(error):
                raise
            _log.warning("using the WebSocket token again, as there is no new one: %s", error)
        return kept, True

    async def _new_token(self) -> WsToken:
        if self._must_log_in:
            await self._requester.renew_token()
            self._must_log_in = False
        _log_wait(self._requester.forecast(websocket_token.WSTOKEN), _LIMITED)
        response = await self._requester.send(websocket_token.WSTOKEN, once=True)
        self._token = websocket_token.read(response, self._requester.server, self._clock.now())
        return self._token

    async def _dial(self, token: WsToken) -> aiohttp.ClientWebSocketResponse:
        query = urlencode(self.session.connection_query(self._clock.now(), token.ws_access_token))
        # The address holds secrets; it is never put into a message.
        return await self._requester.connect_websocket(URL(f"{token.uri}?{query}", encoded=True))

    async def _talk(
        self, socket: aiohttp.ClientWebSocketResponse, tell: Callable[[StreamItem], None]
    ) -> bool:
        """Talk until the connection ends; tell whether it broke on what the gateway sent."""
        session, clock = self.session, self._clock
        reader = asyncio.create_task(self._read(socket, tell))
        reader.add_done_callback(lambda _: self._wake.set())
        try:
            while not reader.done() and session.close_reason is None:
                self._wake.clear()
                await self._send(socket)
                self._report()
                await clock.wait(self._wake, max(0.0, session.next_deadline - clock.now()))
                self._tell(session.tick(clock.now()), tell)
            return reader.done() and await reader
        finally:
            reader.cancel()
            await asyncio.gather(reader, return_exceptions=True)

    async def _send(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        session = self.session
        try:
            async with asyncio.timeout(PONG_TIMEOUT):
                while session.outgoing:
                    await socket.send_str(session.outgoing.pop(0))
                if session.wants_ping:
                    session.wants_ping = False
                    await socket.ping()
        except (aiohttp.ClientError, OSError):  # A TimeoutError is an OSError.
            session.close("cannot send")

    async def _read(
        self, socket: aiohttp.ClientWebSocketResponse, tell: Callable[[StreamItem], None]
    ) -> bool:
        """Take frames in until there are no more; tell whether that was because of one."""
        session, clock = self.session, self._clock
        taken = 0
        while True:
            message = await socket.receive()
            if message.type in _FRAMES:
                self._tell(self._receive(message), tell)
                if session.is_live:
                    self.restart_policy.record_success()
            elif message.type in _SIGNS:
                session.keepalive_received(clock.now())
                if message.type is aiohttp.WSMsgType.PING:
                    with suppress(aiohttp.ClientError, OSError):  # What is left is still read.
                        await socket.pong(message.data)
            else:
                return socket.close_code in _BROKEN
            if session.outgoing or session.close_reason or session.diagnostics:
                self._wake.set()
            taken += 1
            if taken % _AT_ONCE == 0:
                await asyncio.sleep(0)

    def _receive(self, message: aiohttp.WSMessage) -> list[SessionOutput]:
        # One that is binary is no frame, but may have been meant to be one.
        text = message.data if message.type is aiohttp.WSMsgType.TEXT else ""
        try:
            return self.session.receive(self._clock.now(), text)
        except PresenceError as error:
            refusal = error.with_traceback(None)
        # Raised anew: what a frame held may be secret, and tracebacks are shown with locals.
        del message, text
        raise refusal

    def _tell(self, happenings: list[SessionOutput], tell: Callable[[StreamItem], None]) -> None:
        for happening in happenings:
            if isinstance(happening, Gap):
                ago = timedelta(seconds=self._clock.now() - happening.since_at)
                since = datetime.fromtimestamp(self._clock.wall(), UTC) - ago
                resync = Resync(happening.reason, since)
                self._instrumentation.resynced(resync)
                tell(resync)
            else:
                if isinstance(happening, PresenceEvent):
                    self._instrumentation.event_received(happening)
                tell(happening)

    def _report(self) -> None:
        for message in self.session.diagnostics.take():
            _log.warning("events: %s", message)


def _reason(error: PresenceError, least: float) -> str:
    if isinstance(error, RateLimited) and not error.sent:
        return _LIMITED
    asked = error.retry_after if isinstance(error, ApiError) else None
    return "Retry-After of the server" if asked and asked >= least else "check of a refusal"


def _log_wait(seconds: float, reason: str) -> None:
    if seconds > LOGGED:
        level = logging.WARNING if seconds > NOTICEABLE else logging.INFO
        _log.log(level, "reconnecting in %.0f s: %s", seconds, reason)
