"""One request onto the wire and its whole answer back, with aiohttp.

aiohttp's own errors are never raised, nor chained: some of them print the Authorization header.
"""

import asyncio
import re
from collections.abc import Callable
from functools import cache
from typing import Any
from urllib.parse import urlencode, urlsplit

import aiohttp
import attrs
from yarl import URL

from ..errors import (
    ConnectionFailed,
    DecodeError,
    Timeout,
    TransportError,
    UsageError,
    one_line,
)
from ..protocol.wire import JSON, Request, Response, is_loopback
from . import handshake
from .stats import Stats

# How long all of it may take is ours to watch.
_NO_TIMEOUT = aiohttp.ClientTimeout(total=None)
_SERVER = re.compile(
    r"(?P<scheme>https?)://(?P<host>[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+])(?::(?P<port>[0-9]{1,5}))?"
)


def check_server(server: object) -> str:
    """Check the address of a server and give it without a trailing slash.

    Raises:
        UsageError: it is not https with a host and nothing else. Plain http is for loopback only.
    """
    text = server.rstrip("/") if isinstance(server, str) else ""
    found = _SERVER.fullmatch(text)
    safe = found and (found["scheme"] == "https" or is_loopback(found["host"].strip("[]")))
    if not (found and safe and 0 < int(found["port"] or 443) < 65536):
        raise UsageError(
            "server must be https://host[:port], as in https://platform.ringcentral.com"
            " (http only for localhost)"
        )
    return text


class _SentAgain(aiohttp.ClientError):
    """aiohttp was about to send a request a second time by itself."""


@attrs.define
class _Attempts:
    """How often aiohttp has put one request on the wire."""

    attempts: int = 0


class Http:
    """The way to one server.

    Args:
        server: as `check_server` gave it.
        client: the user's aiohttp session, or None to open one of our own.
        timeout: seconds that one request may take, the whole body included.
        stats: what to count in.
    """

    def __init__(
        self, server: str, client: aiohttp.ClientSession | None, timeout: float, stats: Stats
    ) -> None:
        self.server = server
        self._host = urlsplit(server).netloc
        self._client = client
        self._is_ours = client is None
        self._timeout = timeout
        self._stats = stats

    async def open(self) -> None:
        """Open a connection pool, unless the user gave one."""
        if self._client is None:
            self._client = aiohttp.ClientSession(
                # How many requests there are at once is the session's business.
                connector=aiohttp.TCPConnector(limit=0),
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
        self, request: Request[Any], authorization: str | None, again: Callable[[], bool]
    ) -> Response:
        """Send a request and read the whole answer, whatever its status.

        Args:
            request: what to send.
            authorization: the Authorization header, or None for the request's own.
            again: asked before aiohttp sends a read a second time by itself; False forbids it.

        Raises:
            ConnectionFailed: no connection, or it broke. A write may have had its effect.
            Timeout: no whole answer in time. A write may have had its effect.
            DecodeError: the answer is larger than its bound.
            UsageError: the aiohttp session cannot be used.
        """
        try:
            async with asyncio.timeout(self._timeout):
                return await self._exchange(request, authorization, again)
        except TimeoutError:
            pass
        raise Timeout(f"no whole answer from {self._host} within {self._timeout:g} s")

    async def connect(self, url: URL) -> aiohttp.ClientWebSocketResponse:
        """Open a WebSocket; see `handshake.connect`. UsageError when the session is not open."""
        self.check_open()
        return await handshake.connect(self._client, url, self._timeout)  # type: ignore[arg-type]

    async def _exchange(
        self, request: Request[Any], authorization: str | None, again: Callable[[], bool]
    ) -> Response:
        self.check_open()
        failure: Exception
        wire = _Attempts()
        try:
            async with self._client.request(  # type: ignore[union-attr] # it is open
                request.method,
                self._url(request),
                data=request.body,
                headers=_headers(request, authorization),
                allow_redirects=False,
                raise_for_status=False,
                timeout=_NO_TIMEOUT,
                middlewares=self._middlewares(request, again, wire),
            ) as answer:
                body = await _body(answer, request.max_body)
                response = Response(answer.status, _joined(answer), body)
        except (aiohttp.ClientError, aiohttp.http.HttpProcessingError, OSError) as error:
            failure = self._failure(error, wire)
        except ValueError as error:
            # Before anything was sent it is about the request, afterwards about the answer.
            failure = (
                self._failure(error, wire)
                if wire.attempts
                else UsageError(f"aiohttp cannot send this: {one_line(str(error))}")
            )
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            # Nobody cancelled us: it was the connection pool, closing.
            failure = ConnectionFailed(f"the connection to {self._host} was closed")
        else:
            self._stats.rate_limited += response.status == 429
            return response
        # Not inside the except: even as a silent __context__, aiohttp's error holds the headers.
        raise failure

    def _url(self, request: Request[Any]) -> URL:
        query = f"?{urlencode(request.params)}" if request.params else ""
        # Encoded already: yarl would resolve dots and rewrite escapes.
        return URL(f"{self.server}{request.path}{query}", encoded=True)

    def _middlewares(
        self, request: Request[Any], again: Callable[[], bool], wire: "_Attempts"
    ) -> tuple[aiohttp.ClientMiddlewareType, ...]:
        """Count each attempt on the wire, and veto a second one that must not be.

        aiohttp re-sends an idempotent request, PUT included, by itself when a kept-alive
        connection turns out to be dead. The server may have applied the first one, and a repeated
        read needs a slot of its own.
        """

        async def attempt(
            sent: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
        ) -> aiohttp.ClientResponse:
            wire.attempts += 1
            if wire.attempts > 1 and (request.method != "GET" or not again()):
                raise _SentAgain
            if request.is_login:
                self._stats.token_requests += 1
            else:
                self._stats.requests += 1
            return await handler(sent)

        # Middlewares given with a request replace the session's, for which aiohttp has no public
        # name; the user's own must go on working.
        return (*getattr(self._client, "_middlewares", ()), attempt)

    def _failure(self, error: Exception, wire: "_Attempts") -> TransportError:
        if isinstance(error, TimeoutError):
            return Timeout(f"{self._host} took too long: {type(error).__name__}")
        if isinstance(error, (aiohttp.ClientSSLError, aiohttp.ServerFingerprintMismatch)):
            return ConnectionFailed(
                f"no trusted TLS connection to {self._host}: check the server's certificate",
                sent=False,
                final=True,
            )
        if isinstance(error, aiohttp.ClientConnectorError):
            why = getattr(error, "strerror", None) or type(error.os_error).__name__
            return ConnectionFailed(
                f"cannot connect to {self._host}: {one_line(str(why))}", sent=wire.attempts > 1
            )
        return ConnectionFailed(
            f"the connection to {self._host} broke; a write may have been applied, so read before"
            " writing again"
        )


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
