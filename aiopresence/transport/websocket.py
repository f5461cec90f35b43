"""Open a WebSocket with aiohttp.

The address of a gateway holds secrets, and aiohttp's errors show it: none of them is raised, nor
chained.
"""

import asyncio

import aiohttp
from yarl import URL

from ..errors import ConnectionFailed, PresenceError, Timeout
from ..protocol.event_frames import MAX_FRAME
from ..protocol.rest import Response, error_from_response
from .aiohttp_errors import Attempts, transport_error
from .aiohttp_internals import default_proxy, middlewares

# The other side of a WebSocket that is closed has this many seconds to acknowledge it.
_CLOSE_TIMEOUT = aiohttp.ClientWSTimeout(ws_close=1.0)

# The statuses below 500 of a refused handshake that mean the same as in any other response.
_API_STATUSES = frozenset({401, 403, 429})


class HandshakeRefused(ConnectionFailed):
    """The server refused the address with a status that says nothing else: a 4xx."""


class _ResendRefused(aiohttp.ClientError):
    """aiohttp was about to follow a redirect, or to use the token in the address again."""


async def connect(
    client: aiohttp.ClientSession, url: URL, timeout: float
) -> aiohttp.ClientWebSocketResponse:
    """Open a WebSocket over the connection pool of a client.

    Args:
        client: the session whose pool, proxy and middlewares are used.
        url: the address, query included, encoded.
        timeout: seconds the handshake may take.

    Raises:
        AuthError, PermissionDenied, RateLimited, ServerError: the status is 401, 403, 429 or 5xx.
        HandshakeRefused: the status is another 4xx.
        ConnectionFailed: there is no connection, or the response is no handshake.
        Timeout: the handshake took too long.
    """
    attempts = Attempts()

    async def once(
        request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        attempts.count += 1
        if attempts.count > 1:
            raise _ResendRefused
        attempts.proxy = request.proxy
        return await handler(request)

    failure: PresenceError
    async with _session_with(client, once) as session:
        try:
            async with asyncio.timeout(timeout):
                return await session.ws_connect(
                    url, autoping=False, max_msg_size=MAX_FRAME, timeout=_CLOSE_TIMEOUT
                )
        except TimeoutError:
            failure = Timeout(f"no WebSocket handshake with {url.host} within {timeout:g} s")
        except aiohttp.WSServerHandshakeError as error:
            failure = _refusal(url, error)
        except (aiohttp.ClientHttpProxyError, aiohttp.ClientProxyConnectionError) as error:
            failure = transport_error(error, str(url.host), attempts, write=False)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            reason = type(getattr(error, "os_error", error)).__name__
            is_untrusted = isinstance(error, aiohttp.ClientSSLError)
            message = f"WebSocket handshake with {url.host} failed: {reason}"
            failure = ConnectionFailed(message, final=is_untrusted)
    raise failure


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


def _refusal(url: URL, error: aiohttp.WSServerHandshakeError) -> PresenceError:
    """Return the error for a handshake that was answered with another status than 101."""
    if error.status in _API_STATUSES or error.status >= 500:
        headers = {name.lower(): value for name, value in (error.headers or {}).items()}
        return error_from_response(Response(error.status, headers, b""))
    refused = 400 <= error.status < 500 and error.status != 408
    kind = HandshakeRefused if refused else ConnectionFailed
    return kind(f"WebSocket handshake with {url.host} failed: HTTP {error.status}")
