"""One request onto the wire and its whole answer back, with aiohttp.

aiohttp's own errors are never raised, nor chained: some of them print the Authorization header.
"""

import asyncio
import ipaddress
import re
from importlib.metadata import version
from typing import Any
from urllib.parse import urlencode, urlsplit

import aiohttp
from yarl import URL

from ..errors import (
    ApiError,
    ConnectionFailed,
    DecodeError,
    Timeout,
    TransportError,
    UsageError,
    one_line,
)
from ..protocol.wire import JSON, Request, Response, follow
from .stats import Stats

# A page of 1,000 detailed records with seven calls each is about 7 MB. Twice that is refused.
MAX_BODY = 16 * 1024 * 1024
MAX_REDIRECTS = 3
REDIRECTS = frozenset({301, 302, 303, 307, 308})


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
    safe = found and (found["scheme"] == "https" or _is_loopback(found["host"].strip("[]")))
    if not (found and safe and 0 < int(found["port"] or 443) < 65536):
        raise UsageError(
            "server must be https://host[:port], as in https://platform.ringcentral.com"
            " (http only for localhost)"
        )
    return text


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class _SentAgain(aiohttp.ClientError):
    """aiohttp was about to send a write a second time by itself."""


class Http:
    """The way to one server.

    Args:
        server: as `check_server` gave it.
        client: the user's aiohttp session, or None to open one of our own.
        timeout: seconds that one request may take, redirects and the whole body included.
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

    async def close(self) -> None:
        """Close what `open` opened; requests under way fail with ConnectionFailed."""
        if self._is_ours and self._client is not None:
            await self._client.close()

    async def send(self, request: Request[Any], authorization: str | None = None) -> Response:
        """Send a request and read the whole answer, whatever its status.

        Args:
            request: what to send.
            authorization: the Authorization header, or None for the request's own.

        Raises:
            ConnectionFailed: no connection, or it broke. A write may have had its effect.
            Timeout: no whole answer in time. A write may have had its effect.
            DecodeError: the answer is larger than 16 MiB, or redirects to where we do not go.
            UsageError: the user's aiohttp session cannot be used.
        """
        try:
            async with asyncio.timeout(self._timeout):
                return await self._send(request, authorization)
        except TimeoutError:
            pass
        raise Timeout(f"no whole answer from {self._host} within {self._timeout:g} s")

    async def _send(self, request: Request[Any], authorization: str | None) -> Response:
        for _ in range(MAX_REDIRECTS + 1):
            response = await self._exchange(request, authorization)
            location = response.headers.get("location")
            if response.status not in REDIRECTS or location is None:
                return response
            if request.method != "GET":
                raise ApiError(response.status, message="redirects of writes are not followed")
            request = follow(request, self.server, location, "Location")
        raise DecodeError(f"more than {MAX_REDIRECTS} redirects", "Location")

    async def _exchange(self, request: Request[Any], authorization: str | None) -> Response:
        if self._client is None or self._client.closed:
            raise UsageError("the session is not open; use `async with`")
        failure: Exception
        try:
            async with self._client.request(
                request.method,
                self._url(request),
                data=request.body,
                headers=_headers(request, authorization),
                allow_redirects=False,
                raise_for_status=False,
                timeout=aiohttp.ClientTimeout(total=None),
                middlewares=self._middlewares(request),
            ) as answer:
                response = Response(answer.status, _joined(answer), await _body(answer))
        except (aiohttp.ClientError, aiohttp.http.HttpProcessingError, OSError) as error:
            failure = self._failure(error)
        except ValueError as error:
            failure = UsageError(f"the aiohttp session does not fit: {one_line(str(error))}")
        else:
            self._stats.rate_limited += response.status == 429
            return response
        # Not inside the except: even as a silent __context__, aiohttp's error holds the headers.
        raise failure

    def _url(self, request: Request[Any]) -> URL:
        query = f"?{urlencode(request.params)}" if request.params else ""
        # Encoded already: yarl would resolve dots and rewrite escapes.
        return URL(f"{self.server}{request.path}{query}", encoded=True)

    def _middlewares(self, request: Request[Any]) -> tuple[aiohttp.ClientMiddlewareType, ...]:
        """Count each attempt on the wire, and veto the second one of a write.

        aiohttp re-sends an idempotent request, PUT included, by itself when a kept-alive
        connection turns out to be dead. The server may have applied the first one.
        """
        attempts = 0

        async def attempt(
            sent: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
        ) -> aiohttp.ClientResponse:
            nonlocal attempts
            attempts += 1
            if attempts > 1 and request.method != "GET":
                raise _SentAgain
            if request.group == "Auth":
                self._stats.token_requests += 1
            else:
                self._stats.requests += 1
            return await handler(sent)

        # Middlewares given with a request replace the session's, for which aiohttp has no public
        # name; the user's own must go on working.
        return (*getattr(self._client, "_middlewares", ()), attempt)

    def _failure(self, error: Exception) -> TransportError:
        if isinstance(error, _SentAgain):
            return ConnectionFailed(
                f"the connection to {self._host} broke; the write may have been applied,"
                " read before writing again"
            )
        if isinstance(error, TimeoutError):
            return Timeout(f"{self._host} took too long: {type(error).__name__}")
        if isinstance(error, aiohttp.ClientConnectorError):
            why = getattr(error, "strerror", None) or type(error.os_error).__name__
            return ConnectionFailed(f"cannot connect to {self._host}: {one_line(str(why))}")
        return ConnectionFailed(f"the connection to {self._host} broke: {type(error).__name__}")


def _headers(request: Request[Any], authorization: str | None) -> dict[str, str]:
    headers = {"accept": JSON, "user-agent": f"aiopresence/{version('aiopresence')}"}
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


async def _body(answer: aiohttp.ClientResponse) -> bytes:
    """Read the whole body, decompressed; stop at the bound, before it fills the memory."""
    body = bytearray()
    async for chunk in answer.content.iter_any():
        body += chunk
        if len(body) > MAX_BODY:
            raise DecodeError(f"an answer of more than {MAX_BODY} bytes")
    return bytes(body)
