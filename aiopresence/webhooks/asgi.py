"""The webhook as an ASGI 3 application, for FastAPI, Starlette and servers such as uvicorn.

Source: the ASGI specification, versions 2.0 to 2.5 of HTTP and 2.0 of lifespan.
"""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import AbstractAsyncContextManager, suppress
from typing import Any

from ..errors import PresenceError
from . import http
from .http import CallHeaders, Refused, Respond, WebhookResponse

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class AsgiApp:
    """An ASGI 3 application that answers every HTTP request as a call of the webhook.

    An object rather than a function: Starlette takes functions for handlers of requests.

    Args:
        respond: what handles a call.
        lifetime: entered at the startup of the server and left at its shutdown, if this is the
            application that the server runs. Frameworks do not pass that on to what they route to.
    """

    def __init__(
        self, respond: Respond, lifetime: AbstractAsyncContextManager[object, None]
    ) -> None:
        self._respond = respond
        self._lifetime = lifetime

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Handle one connection scope."""
        if scope["type"] == "http":
            await self._handle(scope, _Body(receive), send)
        elif scope["type"] == "lifespan":
            await self._run_lifespan(receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close"})  # before it is accepted: HTTP 403
        else:
            raise ValueError(f"unknown ASGI scope {scope['type']!r}")

    async def _handle(self, scope: Message, body: "_Body", send: Send) -> None:
        response = await self._respond(scope["method"], CallHeaders(scope["headers"]), body.read)
        await body.discard()
        if body.is_disconnected:
            return
        # HTTP/2 has no such header, and ends a stream without its connection.
        close = not body.is_complete and scope.get("http_version", "1.1").startswith("1")
        with suppress(OSError):  # the caller has disconnected
            await _send(send, response, close)

    async def _run_lifespan(self, receive: Receive, send: Send) -> None:
        await receive()  # lifespan.startup
        try:
            await self._lifetime.__aenter__()
        except PresenceError as error:
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            return
        await send({"type": "lifespan.startup.complete"})
        await receive()  # lifespan.shutdown
        await self._lifetime.__aexit__(None, None, None)
        await send({"type": "lifespan.shutdown.complete"})


class _Body:
    """The body of one request, of which a limited part is read.

    Args:
        receive: what the server gave the application.
    """

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self.is_complete = False
        self.is_disconnected = False

    async def read(self, limit: int) -> bytes:
        """Return the body, or its beginning once that has `limit` bytes.

        Raises:
            Refused: the caller has disconnected.
        """
        body = bytearray()
        while not (self.is_complete or self.is_disconnected) and len(body) < limit:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                self.is_disconnected = True
                raise Refused(400)
            body += message.get("body", b"")
            self.is_complete = not message.get("more_body", False)
        return bytes(body)

    async def discard(self) -> None:
        """Read what is left, within limits: servers may reset a connection with unread data."""
        with suppress(Refused, TimeoutError):
            async with asyncio.timeout(http.DISCARD_SECONDS):
                await self.read(http.MAX_DISCARDED)


async def _send(send: Send, response: WebhookResponse, close: bool) -> None:
    headers = {**response.headers, "Content-Length": str(len(response.body))}
    if close:
        headers["Connection"] = "close"
    pairs = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": response.status, "headers": pairs})
    await send({"type": "http.response.body", "body": response.body})
