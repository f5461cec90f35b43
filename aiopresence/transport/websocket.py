"""Opening a WebSocket with aiohttp.

The address of a gateway holds secrets, and aiohttp's errors print it: none of them is raised, nor
chained.
"""

import asyncio

import aiohttp
from yarl import URL

from ..errors import ConnectionFailed, PresenceError, Timeout
from ..protocol.event_frames import MAX_FRAME
from ..protocol.rest import Response, error_from_response
from .failures import Attempts, transport_error

# Seconds for the parting words; the other side may not listen any more.
_PARTING = aiohttp.ClientWSTimeout(ws_close=1.0)

# What an answer means that is no WebSocket; others mean nothing here.
_SAID = frozenset({401, 403, 429})


class HandshakeRefused(ConnectionFailed):
    """The server answered with a 4xx that says no more than that it does not like the address."""


class _AgainError(aiohttp.ClientError):
    """aiohttp was about to go on to another address, or to use a token a second time."""


async def connect(
    client: aiohttp.ClientSession, url: URL, timeout: float
) -> aiohttp.ClientWebSocketResponse:
    """Open a WebSocket over the connection pool of a client.

    Args:
        client: whose pool, proxy and middlewares to use.
        url: where, query included, encoded.
        timeout: seconds it may take.

    Raises:
        AuthError, PermissionDenied, RateLimited, ServerError: the answer is 401, 403, 429 or 5xx.
        ConnectionFailed: no connection, or no WebSocket at its end.
        Timeout: it took too long.
    """
    seen = Attempts()

    async def once(
        request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        seen.count += 1
        if seen.count > 1:
            raise _AgainError
        seen.proxy = request.proxy
        return await handler(request)

    failure: PresenceError
    async with _session_with(client, once) as own:
        try:
            async with asyncio.timeout(timeout):
                return await own.ws_connect(
                    url, autoping=False, max_msg_size=MAX_FRAME, timeout=_PARTING
                )
        except TimeoutError:
            failure = Timeout(f"no WebSocket from {url.host} within {timeout:g} s")
        except aiohttp.WSServerHandshakeError as error:
            failure = _refusal(url, error)
        except (aiohttp.ClientHttpProxyError, aiohttp.ClientProxyConnectionError) as error:
            failure = transport_error(error, str(url.host), seen, write=False)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            why = type(getattr(error, "os_error", error)).__name__
            untrusted = isinstance(error, aiohttp.ClientSSLError)
            failure = ConnectionFailed(f"no WebSocket from {url.host}: {why}", final=untrusted)
    raise failure


def _session_with(
    client: aiohttp.ClientSession, middleware: aiohttp.ClientMiddlewareType
) -> aiohttp.ClientSession:
    """Return a session on the connection pool of a client, with one more middleware.

    `ws_connect` takes no middleware. What is taken over from the client has no public name.
    """
    return aiohttp.ClientSession(
        connector=client.connector,
        connector_owner=False,
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=None),
        trust_env=client.trust_env,
        proxy=getattr(client, "_default_proxy", None),
        proxy_auth=getattr(client, "_default_proxy_auth", None),
        middlewares=(*getattr(client, "_middlewares", ()), middleware),
    )


def _refusal(url: URL, error: aiohttp.WSServerHandshakeError) -> PresenceError:
    if error.status in _SAID or error.status >= 500:
        headers = {name.lower(): value for name, value in (error.headers or {}).items()}
        return error_from_response(Response(error.status, headers, b""))
    refused = 400 <= error.status < 500 and error.status != 408
    kind = HandshakeRefused if refused else ConnectionFailed
    return kind(f"no WebSocket from {url.host}: it answered HTTP {error.status}")
