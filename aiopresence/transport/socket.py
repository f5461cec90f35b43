"""Drives the event session over WebSocket connections, with aiohttp."""

import asyncio
import logging
import random
import uuid
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

import aiohttp
from yarl import URL

from ..errors import (
    AuthError,
    ConnectionFailed,
    PresenceError,
)
from ..models import PresenceEvent, Resync
from ..protocol import wstoken
from ..protocol.gateway import PONG_WITHIN, Gateway, Happening, Subscribed
from ..protocol.recovery import Gap
from ..protocol.retry import Patience
from ..protocol.wstoken import WsToken
from .clock import Clock
from .delivery import Delivery
from .stats import Stats

_log = logging.getLogger("aiopresence")

_FRAMES = frozenset({aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY})
_SIGNS = frozenset({aiohttp.WSMsgType.PING, aiohttp.WSMsgType.PONG})
# Seconds of waiting that somebody should know of. A guess.
NOTICEABLE = 3.0
# Codes with which a connection ends because of what the gateway sent.
_BROKEN = frozenset({1002, 1003, 1007, 1009})
# Frames taken in before others get a turn: they may arrive faster than the loop turns.
_AT_ONCE = 50

Told = PresenceEvent | Resync | Subscribed


class Socket:
    """One event session.

    Args:
        filters: the event filters of its subscription.
        delivery: what gets tokens and connections.
        clock: where time comes from.
        stats: what to count in.

    Attributes:
        gateway: the session's state.
    """

    def __init__(
        self, filters: tuple[str, ...], delivery: Delivery, clock: Clock, stats: Stats
    ) -> None:
        self.gateway = Gateway(filters, lambda: str(uuid.uuid4()))
        self._delivery = delivery
        self._clock = clock
        self._stats = stats
        self._wake = asyncio.Event()
        self._patience = Patience()

    async def run(self, tell: Callable[[Told], None]) -> None:
        """Follow events, over as many connections as it takes; it never returns.

        Args:
            tell: called with everything that happens, in order.

        Raises:
            PresenceError: it cannot go on.
        """
        never = asyncio.Event()
        while True:
            chance = random.random()  # noqa: S311 - spreads reconnects, protects nothing
            delay = self.gateway.delay(chance)
            limited = self._delivery.forecast(wstoken.WSTOKEN)
            if limited > max(delay, NOTICEABLE):
                _log.warning("the limits of group Auth let events go on in %.0f s", limited)
            elif delay >= 1:
                _log.info("connecting for events in %.0f s", delay)
            await self._clock.wait(never, delay)
            try:
                await self._connection(tell)
            except PresenceError as error:
                wait_at_least = self._patience.wait(error)
                if wait_at_least is None:
                    raise
                self.gateway.failed(wait_at_least)
                _log.warning("no connection for events, trying again: %s", error)

    async def _connection(self, tell: Callable[[Told], None]) -> None:
        if self.gateway.renew:
            self.gateway.renew = False
            await self._delivery.renew()
        server = self._delivery.server
        token = wstoken.read(await self._delivery.send(wstoken.WSTOKEN), server)
        socket = await self._open(token)
        _log.info("connected for events")
        self._stats.connections += 1
        self.gateway.connected(self._clock.now())
        broken = False
        try:
            broken = await self._talk(socket, tell)
        finally:
            why = self.gateway.ending or "it was lost"
            self.gateway.lost(self._clock.now(), broken=broken)
            await socket.close()
        self._report()
        _log.info("the connection for events ended: %s", why)

    async def _open(self, token: WsToken) -> aiohttp.ClientWebSocketResponse:
        failure: PresenceError
        try:
            return await self._dial(token)
        except AuthError:
            # Not our credentials, as this token was new: the login behind it may have ended.
            self.gateway.renew = True
            failure = ConnectionFailed("the token for events was refused")
        except PresenceError as error:
            # Error trackers show the variables of a traceback's frames: the address is one.
            failure = error.with_traceback(None)
        raise failure

    async def _dial(self, token: WsToken) -> aiohttp.ClientWebSocketResponse:
        query = urlencode(self.gateway.query(self._clock.now(), token.ws_access_token))
        # The address holds secrets; it is never put into a message.
        return await self._delivery.connect(URL(f"{token.uri}?{query}", encoded=True))

    async def _talk(
        self, socket: aiohttp.ClientWebSocketResponse, tell: Callable[[Told], None]
    ) -> bool:
        """Talk until the connection ends; tell whether it broke on what the gateway sent."""
        gateway, clock = self.gateway, self._clock
        reader = asyncio.create_task(self._read(socket, tell))
        reader.add_done_callback(lambda _: self._wake.set())
        try:
            while not reader.done() and gateway.ending is None:
                self._wake.clear()
                await self._send(socket)
                self._report()
                await clock.wait(self._wake, max(0.0, gateway.due_at - clock.now()))
                gateway.tick(clock.now())
            return reader.done() and await reader
        finally:
            reader.cancel()
            await asyncio.gather(reader, return_exceptions=True)

    async def _send(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        gateway = self.gateway
        try:
            async with asyncio.timeout(PONG_WITHIN):
                while gateway.outbox:
                    await socket.send_str(gateway.outbox.pop(0))
                if gateway.ping:
                    gateway.ping = False
                    await socket.ping()
        except (aiohttp.ClientError, OSError):  # A TimeoutError is an OSError.
            gateway.ending = "nothing can be sent"

    async def _read(
        self, socket: aiohttp.ClientWebSocketResponse, tell: Callable[[Told], None]
    ) -> bool:
        """Take frames in until there are no more; tell whether that was because of one."""
        gateway, clock = self.gateway, self._clock
        taken = 0
        while True:
            message = await socket.receive()
            if message.type in _FRAMES:
                self._tell(self._receive(message), tell)
            elif message.type in _SIGNS:
                gateway.ponged(clock.now())
                if message.type is aiohttp.WSMsgType.PING:
                    with suppress(aiohttp.ClientError, OSError):  # What is left is still read.
                        await socket.pong(message.data)
            else:
                return socket.close_code in _BROKEN
            if gateway.outbox or gateway.ending or gateway.remarks:
                self._wake.set()
            taken += 1
            if taken % _AT_ONCE == 0:
                await asyncio.sleep(0)

    def _receive(self, message: aiohttp.WSMessage) -> list[Happening]:
        # One that is binary is no frame, but may have been meant to be one.
        text = message.data if message.type is aiohttp.WSMsgType.TEXT else ""
        try:
            return self.gateway.receive(self._clock.now(), text)
        except PresenceError as error:
            refusal = error.with_traceback(None)
        # Raised anew: what a frame held may be secret, and tracebacks are shown with locals.
        del message, text
        raise refusal

    def _tell(self, happenings: list[Happening], tell: Callable[[Told], None]) -> None:
        for happening in happenings:
            if isinstance(happening, Gap):
                ago = timedelta(seconds=self._clock.now() - happening.since_at)
                self._stats.resyncs += 1
                since = datetime.fromtimestamp(self._clock.wall(), UTC) - ago
                tell(Resync(happening.reason, since))
            else:
                self._stats.events += isinstance(happening, PresenceEvent)
                tell(happening)
            self._patience.worked()

    def _report(self) -> None:
        for remark in self.gateway.remarks:
            _log.warning("events: %s", remark)
        self.gateway.remarks.clear()
