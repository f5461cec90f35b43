"""Send one request and read its complete response, with aiohttp.

aiohttp's own errors are never raised, nor chained: some of them hold the Authorization header.
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
from ..redaction import Redactor
from . import websocket
from .aiohttp_errors import Attempts, transport_error
from .aiohttp_internals import middlewares, was_begun
from .connections import Connector, discard_spoiled
from .instrumentation import Exchange
from .network import Network

# The longest time in seconds to read the body of an error: its status alone is sufficient.
_ERROR_BODY_WAIT = 5.0
# The timeout of a request is its own, and includes the body.
_NO_TIMEOUT = aiohttp.ClientTimeout(total=None)


def _unsendable(error: ValueError, client: aiohttp.ClientSession) -> UsageError:
    """Return the error for a request that aiohttp refuses to send."""
    message = f"aiohttp cannot send this request: {one_line(str(error))}"
    if client.trust_env:  # Then aiohttp adds a login in .netrc to our own.
        message += "; set trust_env=True for the PresenceSession, not for the aiohttp session"
    return UsageError(message)


class _ResendRefused(aiohttp.ClientError):
    """aiohttp was about to send a request a second time, which would not be safe."""


class HttpClient:
    """Sends requests to one server over one connection pool.

    Args:
        server: the address of the server, as `check_server` returned it.
        client: the user's aiohttp session; None to open one.
        timeout: seconds that one request may take, its response body included.
        network: how connections are made.

    Attributes:
        redactor: removes secrets from responses that are shown.
    """

    def __init__(
        self, server: str, client: aiohttp.ClientSession | None, timeout: float, network: Network
    ) -> None:
        self.server = server
        self.redactor = Redactor()
        self._host = server.partition("://")[2]
        self._target = origin(server)[1:]
        # The WebSockets over this pool, with host and port.
        self._sockets: WeakKeyDictionary[
            aiohttp.ClientWebSocketResponse, tuple[str, int | None]
        ] = WeakKeyDictionary()
        self._client = client
        self._owns_client = client is None
        self._timeout = timeout
        self._network = network
        self._options = network.options(URL(server))
        proxy = network.proxy if "proxy" in self._options else None
        self._route = f"{self._host} through the proxy {proxy.address}" if proxy else self._host

    async def open(self) -> None:
        """Open a connection pool, unless the user gave a session with one."""
        if self._owns_client:
            self._client = aiohttp.ClientSession(
                connector=Connector(),
                cookie_jar=aiohttp.DummyCookieJar(),
            )

    def check_open(self) -> None:
        """Raise UsageError unless requests can be sent."""
        if self._client is None:
            raise UsageError(
                "the session is not open, or was closed: use it inside `async with session:`"
            )
        if self._client.closed:
            raise UsageError("the aiohttp session given as http= is closed")

    async def close(self) -> None:
        """Close the pool that `open` opened. Requests in flight fail with ConnectionFailed."""
        if self._owns_client and self._client is not None:
            client, self._client = self._client, None
            await client.close()

    async def send(
        self,
        request: Request[Any],
        authorization: str | None,
        may_resend: Callable[[], bool],
        exchange: Exchange,
    ) -> Response:
        """Send a request and return its complete response, whatever its status.

        Args:
            request: the request.
            authorization: the Authorization header; None for the request's own.
            may_resend: called before aiohttp sends a read a second time on a new connection,
                because a kept-alive one was dead; returns whether that is allowed.
            exchange: is notified each time before a connection is made or reused for the request.

        Raises:
            ConnectionFailed: there is no connection, or it was lost. A write may have been applied
                unless `sent` is False.
            Timeout: there is no complete response in time. A write may have been applied.
            DecodeError: the response body is too long.
            UsageError: the session is closed, or aiohttp refuses to send the request.
        """
        try:
            async with asyncio.timeout(self._timeout):
                return await self._exchange(request, authorization, may_resend, exchange)
        except TimeoutError:
            pass
        raise Timeout(f"no complete response from {self._route} within {self._timeout:g} s")

    async def connect(self, url: URL) -> aiohttp.ClientWebSocketResponse:
        """Open a WebSocket; see `websocket.connect`. UsageError: the session is closed."""
        client = self._ready(str(url.raw_host), url.port)
        options = self._network.options(url)
        socket = await websocket.connect(client, url, self._timeout, options)
        self._sockets[socket] = str(url.raw_host), url.port
        return socket

    def _ready(self, host: str, port: int | None) -> aiohttp.ClientSession:
        """Return the aiohttp session, with which a connection to a host may be made now."""
        self.check_open()
        self._check_free(host, port)
        for secret in self._network.secrets:
            self.redactor.add(secret)
        return self._client  # type: ignore[return-value] # it is open

    def _check_free(self, host: str, port: int | None) -> None:
        """Raise ConnectionFailed when WebSockets of this session use the whole connection limit."""
        connector = self._client.connector  # type: ignore[union-attr] # it is open
        if connector is None or not (connector.limit or connector.limit_per_host):
            return
        targets = [target for socket, target in self._sockets.items() if not socket.closed]
        is_full = 0 < connector.limit <= len(targets)
        if is_full or 0 < connector.limit_per_host <= targets.count((host, port)):
            raise ConnectionFailed(
                f"no free connection to {self._host}: event sessions use all {len(targets)}"
                " connections of the aiohttp session given as http=; raise its connector's limit",
                sent=False,
            )

    async def _exchange(
        self,
        request: Request[Any],
        authorization: str | None,
        may_resend: Callable[[], bool],
        exchange: Exchange,
    ) -> Response:
        client = self._ready(*self._target)
        failure: BaseException
        attempts = Attempts()
        try:
            async with client.request(
                request.method,
                self._url(request),
                data=request.body,
                headers=_headers(request, authorization),
                allow_redirects=False,
                raise_for_status=False,
                timeout=_NO_TIMEOUT,
                middlewares=self._middlewares(request, may_resend, attempts, exchange),
                **self._options,
            ) as response:
                if response.status < 300:
                    body = await _read_body(response, request.max_body)
                else:
                    body = await _read_error_body(response, self._timeout / 2)
                return Response(response.status, _joined_headers(response), body, self.redactor)
        except (aiohttp.ClientError, aiohttp.http.HttpProcessingError, OSError) as error:
            failure = transport_error(error, self._host, attempts, write=request.is_write)
        except ValueError as error:
            # Before anything was sent it is about the request, afterwards about the response.
            failure = (
                transport_error(error, self._host, attempts, write=request.is_write)
                if attempts.count
                else _unsendable(error, client)
            )
        except asyncio.CancelledError as error:
            failure = error.with_traceback(None)  # aiohttp's frames have the body of a login.
            task = asyncio.current_task()
            if task is not None and not task.cancelling():  # The connection pool is closing.
                failure = ConnectionFailed(f"connection to {self._host} closed by this session")
        # Not inside the except: even as a silent __context__, aiohttp's error holds the headers.
        raise failure

    def _url(self, request: Request[Any]) -> URL:
        query = f"?{urlencode(request.params)}" if request.params else ""
        # Already encoded: yarl would resolve dots and rewrite escapes.
        return URL(f"{self.server}{request.path}{query}", encoded=True)

    def _middlewares(
        self,
        request: Request[Any],
        may_resend: Callable[[], bool],
        attempts: Attempts,
        exchange: Exchange,
    ) -> tuple[aiohttp.ClientMiddlewareType, ...]:
        """Return the user's middlewares, and one that observes what aiohttp does.

        aiohttp sends an idempotent request, PUT included, a second time when a kept-alive
        connection turns out to be dead. That is refused for writes, because the server may have
        applied the first one, and for reads without a slot of their own in the rate limit.
        """
        client: aiohttp.ClientSession = self._client  # type: ignore[assignment] # it is open

        async def attempt(
            sent: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
        ) -> aiohttp.ClientResponse:
            attempts.count += 1
            if attempts.count > 1 and (request.method != "GET" or not may_resend()):
                raise _ResendRefused
            attempts.proxy = sent.proxy
            await discard_spoiled(client, sent)
            exchange.sent()
            try:
                return await handler(sent)
            finally:
                attempts.sent |= was_begun(sent)

        return (*middlewares(client), attempt)


@cache
def _user_agent() -> str:
    # Cached, because it reads files; imported here, because the import is slow.
    from importlib.metadata import version

    return f"aiopresence/{version('aiopresence')}"


def _headers(request: Request[Any], authorization: str | None) -> dict[str, str]:
    headers = {"accept": JSON, "user-agent": _user_agent()}
    headers |= request.headers
    if authorization is not None:
        headers["authorization"] = authorization
    return headers


def _joined_headers(response: aiohttp.ClientResponse) -> dict[str, str]:
    """Return the headers by lower-case name; values of the same name are joined with commas."""
    joined: dict[str, str] = {}
    for name, value in response.headers.items():
        key = name.lower()
        joined[key] = f"{joined[key]}, {value}" if key in joined else value
    return joined


async def _read_body(response: aiohttp.ClientResponse, longest: int) -> bytes:
    """Return the whole body, decompressed; raise DecodeError as soon as it is too long."""
    chunks, size = [], 0
    async for chunk in response.content.iter_any():
        chunks.append(chunk)
        size += len(chunk)
        if size > longest:
            raise DecodeError(f"response body exceeds {longest} bytes")
    return b"".join(chunks)


async def _read_error_body(response: aiohttp.ClientResponse, seconds: float) -> bytes:
    """Return as much of the body of an error as can be read and is used; never raise."""
    body = bytearray()
    with suppress(aiohttp.ClientError, aiohttp.http.HttpProcessingError, OSError, ValueError):
        async with asyncio.timeout(min(_ERROR_BODY_WAIT, seconds)):
            async for chunk in response.content.iter_any():
                body += chunk
                if len(body) > MAX_ERROR:
                    break
    return bytes(body)
