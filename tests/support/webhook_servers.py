"""Real servers that pass their calls on to a receiver, one for each way to do that."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import uvicorn
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from aiopresence.webhooks import WebhookReceiver
from tests.support.webhook_calls import PATH, Caller, calling, served

Serve = Callable[[WebhookReceiver], AbstractAsyncContextManager[Caller]]
METHODS = ["GET", "HEAD", "OPTIONS", "POST", "PUT", "DELETE", "PATCH", "TRACE"]


def served_in_aiohttp(receiver: WebhookReceiver) -> AbstractAsyncContextManager[Caller]:
    """Serve a receiver as a handler of aiohttp.web."""
    return served(receiver.handler)


@asynccontextmanager
async def served_by_asgi(app: Any) -> AsyncIterator[Caller]:
    """Serve an application with uvicorn's protocol, without its loop, which looks every 0.1 s."""
    config = uvicorn.Config(app, log_config=None, access_log=False, ws="none", lifespan="off")
    state = ServerState()

    def protocol() -> asyncio.Protocol:
        return H11Protocol(config=config, server_state=state, app_state={})

    server = await asyncio.get_running_loop().create_server(protocol, "127.0.0.1", 0, backlog=1024)
    try:
        async with calling(server.sockets[0].getsockname()[1]) as caller:
            yield caller
    finally:
        server.close()
        for connection in list(state.connections):
            connection.shutdown()
        await asyncio.gather(*state.tasks, return_exceptions=True)


def served_in_fastapi(receiver: WebhookReceiver) -> AbstractAsyncContextManager[Caller]:
    """Serve a receiver as an ASGI application that FastAPI routes to."""
    return served_by_asgi(FastAPI(routes=[Route(PATH, receiver.asgi)]))


def served_in_a_framework(receiver: WebhookReceiver) -> AbstractAsyncContextManager[Caller]:
    """Serve a receiver as a framework does that reads whole bodies and knows nothing of it."""

    async def hook(request: Request) -> Response:
        answer = await receiver.handle(
            request.method, request.headers.items(), await request.body()
        )
        return Response(answer.body, answer.status, answer.headers)

    return served_by_asgi(Starlette(routes=[Route(PATH, hook, methods=METHODS)]))


# Those that read bodies themselves, and so bound their size and the time.
READING: dict[str, Serve] = {"aiohttp": served_in_aiohttp, "asgi": served_in_fastapi}
SERVERS: dict[str, Serve] = {**READING, "handle": served_in_a_framework}
