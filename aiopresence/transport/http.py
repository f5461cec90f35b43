"""One request onto the wire and its whole answer back, with aiohttp.

aiohttp's own errors are never raised, nor chained: some of them print the Authorization header.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from typing import Any
from urllib.parse import urlencode
from weakref import WeakKeyDictionary

import aiohttp
from yarl import URL

from ..errors import (
    ConnectionFailed,
    DecodeError,
    Timeout,
    UsageError,
    one_line,
)
from ..protocol.rest import JSON, MAX_ERROR, Request, Response
from ..protocol.urls import origin
from . import websocket
from .connections import Connector, discard_spoiled
from .failures import Attempts, transport_error
from .instrumentation import Exchange

# How long all of it may take is ours to watch.
# Seconds that the body of an error may take at most: the status alone says what is needed.
_ERROR_BODY_WAIT = 5.0
_NO_TIMEOUT = aiohttp.ClientTimeout(total=None)


class _SentAgain(aiohttp.ClientError):
    """aiohttp was about to send a request a second time by itself."""


class Http:
    """The way to one server.

    Args:
        server: as `check_server` gave it.
        client: the user's aiohttp session, or None to open one of our own.
        timeout: seconds that one request may take, the whole body included.
    """

    def __init__(self, server: str, client: aiohttp.ClientSession | None, timeout: float) -> None:
        self.server = server
        self._host = server.partition("://")[2]
        self._target = origin(server)[1:]
        # The open WebSockets, and where to.
        self._sockets: WeakKeyDictionary[
            aiohttp.ClientWebSocketResponse, tuple[str, int | None]
        ] = WeakKeyDictionary()
        self._client = client
        self._is_ours = client is None
        self._timeout = timeout

    async def open(self) -> None:
        """Open a connection pool, unless the user gave one."""
        if self._is_ours:
            self._client = aiohttp.ClientSession(
                connector=Connector(),
                cookie_jar=aiohttp.DummyCookieJar(),
            )

    def check_open(self) -> None:
        """Raise UsageError unless something can be sent."""
        if self._client is None:
            raise UsageError("the session is not open: use it inside `async with session:`")
        if self._client.closed:
            raise UsageError("the aiohttp session that was given as http= is closed")

    async def close(self) -> None:
        """Close what `open` opened; requests under way fail with ConnectionFailed."""
        if self._is_ours and self._client is not None:
            client, self._client = self._client, None
            await client.close()

    async def send(
        self,
        request: Request[Any],
        authorization: str | None,
        again: Callable[[], bool],
        exchange: Exchange,
    ) -> Response:
        """Send a request and read the whole answer, whatever its status.

        Args:
            request: what to send.
            authorization: the Authorization header, or None for the request's own.
            again: asked before aiohttp sends a read a second time by itself; False forbids it.
            exchange: is notified each time the request is put on the wire.

        Raises:
            ConnectionFailed: no connection, or it broke. A write may have had its effect, unless
                `sent` is False.
            Timeout: no whole answer in time. A write may have had its effect.
            DecodeError: the answer is larger than its bound.
            UsageError: the aiohttp session cannot be used.
        """
        try:
            async with asyncio.timeout(self._timeout):
                return await self._exchange(request, authorization, again, exchange)
        except TimeoutError:
            pass
        raise Timeout(f"no whole answer from {self._host} within {self._timeout:g} s")

    async def connect(self, url: URL) -> aiohttp.ClientWebSocketResponse:
        """Open a WebSocket; see `handshake.connect`. UsageError when the session is not open."""
        self.check_open()
        self._check_free(str(url.host), url.port)
        socket = await websocket.connect(self._client, url, self._timeout)  # type: ignore[arg-type]
        self._sockets[socket] = str(url.host), url.port
        return socket

    def _check_free(self, host: str, port: int | None) -> None:
        """Raise ConnectionFailed when our own WebSockets take all connections there may be."""
        connector = self._client.connector  # type: ignore[union-attr] # it is open
        if connector is None or not (connector.limit or connector.limit_per_host):
            return
        targets = [target for socket, target in self._sockets.items() if not socket.closed]
        is_full = 0 < connector.limit <= len(targets)
        if is_full or 0 < connector.limit_per_host <= targets.count((host, port)):
            raise ConnectionFailed(
                f"no connection left for {self._host}: event sessions use all {len(targets)} that"
                " the aiohttp session given as http= allows; raise its connector's limit",
                sent=False,
            )

    async def _exchange(
        self,
        request: Request[Any],
        authorization: str | None,
        again: Callable[[], bool],
        exchange: Exchange,
    ) -> Response:
        self.check_open()
        self._check_free(*self._target)
        failure: Exception
        attempts = Attempts()
        try:
            async with self._client.request(  # type: ignore[union-attr] # it is open
                request.method,
                self._url(request),
                data=request.body,
                headers=_headers(request, authorization),
                allow_redirects=False,
                raise_for_status=False,
                timeout=_NO_TIMEOUT,
                middlewares=self._middlewares(request, again, attempts, exchange),
            ) as answer:
                body = await self._body(answer, request.max_body)
                response = Response(answer.status, _joined(answer), body)
        except (aiohttp.ClientError, aiohttp.http.HttpProcessingError, OSError) as error:
            failure = transport_error(error, self._host, attempts, write=request.is_write)
        except ValueError as error:
            # Before anything was sent it is about the request, afterwards about the answer.
            failure = (
                transport_error(error, self._host, attempts, write=request.is_write)
                if attempts.count
                else UsageError(f"aiohttp cannot send this: {one_line(str(error))}")
            )
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            # Nobody cancelled us: it was the connection pool, closing.
            failure = ConnectionFailed(f"the connection to {self._host} was closed")
        else:
            return response
        # Not inside the except: even as a silent __context__, aiohttp's error holds the headers.
        raise failure

    def _url(self, request: Request[Any]) -> URL:
        query = f"?{urlencode(request.params)}" if request.params else ""
        # Encoded already: yarl would resolve dots and rewrite escapes.
        return URL(f"{self.server}{request.path}{query}", encoded=True)

    def _middlewares(
        self,
        request: Request[Any],
        again: Callable[[], bool],
        attempts: Attempts,
        exchange: Exchange,
    ) -> tuple[aiohttp.ClientMiddlewareType, ...]:
        """Report each attempt on the wire, and veto a second one that must not be.

        aiohttp re-sends an idempotent request, PUT included, by itself when a kept-alive
        connection turns out to be dead. The server may have applied the first one, and a repeated
        read needs a slot of its own.
        """
        client: aiohttp.ClientSession = self._client  # type: ignore[assignment] # it is open

        async def attempt(
            sent: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
        ) -> aiohttp.ClientResponse:
            attempts.count += 1
            if attempts.count > 1 and (request.method != "GET" or not again()):
                raise _SentAgain
            attempts.proxy = sent.proxy
            await discard_spoiled(client, sent)
            exchange.sent()
            try:
                return await handler(sent)
            finally:
                # aiohttp makes the response object when it begins to write the request.
                attempts.sent |= getattr(sent, "response", sent) is not None

        # Middlewares given with a request replace the session's, for which aiohttp has no public
        # name; the user's own must go on working.
        return (*getattr(self._client, "_middlewares", ()), attempt)

    async def _body(self, answer: aiohttp.ClientResponse, most: int) -> bytes:
        """Read the body of a response; of an error no more than is shown, whatever it is."""
        if answer.status < 300:
            return await _body(answer, most)
        body = bytearray()
        with suppress(aiohttp.ClientError, aiohttp.http.HttpProcessingError, OSError, ValueError):
            async with asyncio.timeout(min(_ERROR_BODY_WAIT, self._timeout / 2)):
                async for chunk in answer.content.iter_any():
                    body += chunk
                    if len(body) > MAX_ERROR:
                        break
        return bytes(body)


@cache
def _user_agent() -> str:
    # Looked up once, because it reads files; and brought in here, because that takes long.
    from importlib.metadata import version

    return f"aiopresence/{version('aiopresence')}"


def _headers(request: Request[Any], authorization: str | None) -> dict[str, str]:
    headers = {"accept": JSON, "user-agent": _user_agent()}
    headers |= request.headers
    if authorization is not None:
        headers["authorization"] = authorization
    return headers


def _joined(answer: aiohttp.ClientResponse) -> dict[str, str]:
    joined: dict[str, str] = {}
    for name, value in answer.headers.items():
        key = name.lower()
        joined[key] = f"{joined[key]}, {value}" if key in joined else value
    return joined


async def _body(answer: aiohttp.ClientResponse, most: int) -> bytes:
    """Read the whole body, decompressed; stop at the bound, before it fills the memory."""
    chunks, size = [], 0
    async for chunk in answer.content.iter_any():
        chunks.append(chunk)
        size += len(chunk)
        if size > most:
            raise DecodeError(f"an answer of more than {most} bytes")
    return b"".join(chunks)
