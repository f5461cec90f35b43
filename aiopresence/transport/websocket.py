"""Open a WebSocket with aiohttp.

The address of a gateway has secrets, and aiohttp's errors show it: none of them is raised, nor
chained.
"""

import asyncio
from contextlib import suppress

import aiohttp
from yarl import URL

from ..errors import ConnectionFailed, PresenceError, Timeout
from ..protocol.event_frames import MAX_FRAME
from ..protocol.rest import Response, error_from_response
from .aiohttp_errors import Attempts, transport_error
from .aiohttp_internals import default_proxy, middlewares, was_begun
from .network import ConnectOptions

# The other side of a WebSocket that is closed has this many seconds to acknowledge it.
_CLOSE_SECONDS = 1.0
_CLOSE_TIMEOUT = aiohttp.ClientWSTimeout(ws_close=_CLOSE_SECONDS)

# The statuses below 500 of a refused handshake that mean the same as in any other response.
_API_STATUSES = frozenset({401, 403, 429})


class HandshakeRefused(ConnectionFailed):
    """The server refused the address with a 4xx that has no other meaning."""


class _ResendRefused(aiohttp.ClientError):
    """aiohttp was about to use the token in the address again, as the connection was lost."""


class _Redirected(aiohttp.ClientError):
    """aiohttp was about to follow a redirect."""


async def connect(
    client: aiohttp.ClientSession, url: URL, timeout: float, options: ConnectOptions
) -> aiohttp.ClientWebSocketResponse:
    """Open a WebSocket over the connection pool of a client.

    Args:
        client: the session whose pool, proxy and middlewares are used.
        url: the address, query included, encoded.
        timeout: seconds the handshake may take.
        options: how the connection is made, from `Network.options`.

    Raises:
        AuthError, PermissionDenied, RateLimited, ServerError: the status is 401, 403, 429 or 5xx.
        HandshakeRefused: the status is another 4xx.
        ConnectionFailed: there is no connection, or the response is not a handshake.
        Timeout: the handshake took too long.
    """
    attempts = Attempts()
    async with _session_with(client, _single_attempt(url, attempts)) as session:
        try:
            async with asyncio.timeout(timeout):
                return await session.ws_connect(
                    url,
                    autoping=False,
                    max_msg_size=MAX_FRAME,
                    timeout=_CLOSE_TIMEOUT,
                    **options,
                )
        except (aiohttp.ClientError, OSError, ValueError) as error:  # TimeoutError is an OSError.
            failure = _failure(error, url, timeout, attempts)
    raise failure


async def close(websocket: aiohttp.ClientWebSocketResponse) -> None:
    """Close a WebSocket; abort its connection unless the other side acknowledges that in time."""
    # aiohttp's own timeout begins again with every frame that is received until then.
    with suppress(TimeoutError):
        async with asyncio.timeout(_CLOSE_SECONDS):
            await websocket.close()


def _single_attempt(url: URL, attempts: Attempts) -> aiohttp.ClientMiddlewareType:
    """Return a middleware that records the attempt, and refuses a second one."""

    async def attempt(
        request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        attempts.count += 1
        if attempts.count > 1:
            raise _ResendRefused if request.url == url else _Redirected
        attempts.proxy = request.proxy
        try:
            return await handler(request)
        finally:
            attempts.sent |= was_begun(request)

    return attempt


def _session_with(
    client: aiohttp.ClientSession, middleware: aiohttp.ClientMiddlewareType
) -> aiohttp.ClientSession:
    """Return a session on the connection pool of a client, with one more middleware.

    `ws_connect` takes no middleware.
    """
    proxy, proxy_auth = default_proxy(client)
    return aiohttp.ClientSession(
        connector=client.connector,
        connector_owner=False,
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=None),
        trust_env=client.trust_env,
        proxy=proxy,
        proxy_auth=proxy_auth,
        middlewares=(*middlewares(client), middleware),
    )


def _failure(error: Exception, url: URL, timeout: float, attempts: Attempts) -> PresenceError:
    """Return our error for one of aiohttp's."""
    if isinstance(error, TimeoutError):
        return Timeout(f"no WebSocket handshake with {url.raw_host} within {timeout:g} s")
    if isinstance(error, aiohttp.WSServerHandshakeError):
        return _status_error(url, error)
    if isinstance(error, _Redirected):
        failed = f"WebSocket handshake with {url.raw_host} failed"
        return ConnectionFailed(f"{failed}: redirected elsewhere")
    return transport_error(error, f"{url.raw_host}:{url.port}", attempts, write=False)


def _status_error(url: URL, error: aiohttp.WSServerHandshakeError) -> PresenceError:
    """Return the error for a handshake whose response has another status than 101."""
    if error.status in _API_STATUSES or error.status >= 500:
        headers = {name.lower(): value for name, value in (error.headers or {}).items()}
        return error_from_response(Response(error.status, headers, b""))
    is_refused = 400 <= error.status < 500 and error.status != 408
    kind = HandshakeRefused if is_refused else ConnectionFailed
    return kind(f"WebSocket handshake with {url.raw_host} failed: HTTP {error.status}")
