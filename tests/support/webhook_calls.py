"""A receiver on real loopback HTTP, and calls of it, down to single bytes."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import attrs
from aiohttp import web
from multidict import CIMultiDictProxy

from aiopresence import PresenceEvent, Resync
from aiopresence.webhooks import WebhookReceiver
from tests.support.clocks import ManualClock

TOKEN = "canary-webhook-secret-0123456789"
PATH = "/hook"
ACCOUNT = "/restapi/v1.0/account/400100/presence"


class Receiver(WebhookReceiver):
    """A receiver with a manual clock, which records its events."""

    def __init__(self, token: str | Iterable[str] | None = TOKEN, **options: Any) -> None:
        self._clock = self.clock = ManualClock()
        self.seen: list[PresenceEvent | Resync] = []
        super().__init__(self.take, token, **options)

    async def take(self, event: PresenceEvent | Resync) -> None:
        self.seen.append(event)

    @property
    def uuids(self) -> list[str | None]:
        return [each.uuid for each in self.seen if isinstance(each, PresenceEvent)]


def notification(uuid: str | None = "u-1", **more: Any) -> dict[str, Any]:
    body = {"extensionId": "700201", "telephonyStatus": "Ringing", "sequence": 7}
    told = {"event": ACCOUNT, "timestamp": "2001-09-09T01:46:40Z", "body": body, **more}
    return told if uuid is None else {"uuid": uuid, **told}


@attrs.frozen
class Answer:
    status: int
    headers: CIMultiDictProxy[str]
    body: bytes


@attrs.frozen
class Caller:
    """Calls the webhook, as RingCentral or an attacker does."""

    port: int
    http: aiohttp.ClientSession

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}{PATH}"

    async def post(
        self, body: Any = None, *, token: str | None = TOKEN, method: str = "POST", **headers: str
    ) -> Answer:
        named = {"Content-Type": "application/json"}
        named |= {name.replace("_", "-"): value for name, value in headers.items()}
        if token is not None:
            named["Verification-Token"] = token
        data = body if isinstance(body, (bytes, type(None))) else json.dumps(body).encode()
        async with self.http.request(method, self.url, data=data, headers=named) as response:
            return Answer(response.status, response.headers, await response.read())

    async def raw(self, data: bytes) -> bytes:
        """Send bytes, and read until the connection ends."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(data)
        try:
            return await reader.read()
        finally:
            writer.close()


def head(*lines: str, token: str | None = TOKEN, end: bool = True) -> bytes:
    known = [] if token is None else [f"Verification-Token: {token}"]
    last = ["Connection: close"] if end else []
    return "\r\n".join([f"POST {PATH} HTTP/1.1", "Host: x", *known, *lines, *last, "", ""]).encode()


@asynccontextmanager
async def served(handler: Callable[[web.Request], Awaitable[Any]]) -> AsyncIterator[Caller]:
    app = web.Application()
    app.router.add_route("*", PATH, handler)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, backlog=1024).start()
    try:
        async with calling(runner.addresses[0][1]) as caller:
            yield caller
    finally:
        await runner.cleanup()


@asynccontextmanager
async def calling(port: int) -> AsyncIterator[Caller]:
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as http:
        yield Caller(port, http)


async def until(true: Callable[[], object]) -> None:
    """Wait for something that happens on the wire, without sleeping."""
    for _ in range(100_000):
        if true():
            return
        await asyncio.sleep(0)
    raise AssertionError("it never happened")
