"""The parts of aiohttp without a public name that are read here, each with why.

Should aiohttp rename one, the library goes on without what it is for, and tests fail; see also the
classes that `connections.py` extends.
"""

from collections.abc import Iterable
from typing import Any

import aiohttp
from aiohttp.client_proto import ResponseHandler
from yarl import URL


def middlewares(client: aiohttp.ClientSession) -> tuple[aiohttp.ClientMiddlewareType, ...]:
    """Return the middlewares of a session: those given with a request replace them."""
    return tuple(getattr(client, "_middlewares", ()))


def default_proxy(client: aiohttp.ClientSession) -> tuple[URL | None, aiohttp.BasicAuth | None]:
    """Return the proxy of a session and its credentials, for a session with the same pool."""
    return getattr(client, "_default_proxy", None), getattr(client, "_default_proxy_auth", None)


def idle_connections(
    client: aiohttp.ClientSession, request: aiohttp.ClientRequest
) -> Iterable[ResponseHandler]:
    """Return the idle connections that a request may reuse."""
    pool: dict[Any, Any] = getattr(client.connector, "_conns", {})
    return [connection for connection, _ in pool.get(request.connection_key, ())]


def was_begun(request: aiohttp.ClientRequest) -> bool:
    """Return whether anything of a request may have been sent.

    aiohttp sets the response of a request when it begins to write the request.
    """
    return getattr(request, "response", request) is not None
