"""A WebSocket client for the sandbox, without the library's client."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import attrs

from aiopresence.sandbox import GatewayPlan, Sandbox
from tests.support.sandbox_raw import Caller, calling

WSTOKEN_PATH = "/restapi/oauth/wstoken"
SUBSCRIPTION_PATH = "/restapi/v1.0/subscription/"
EVERYONE = "/restapi/v1.0/account/~/presence"
PLENTY = {"Auth": 9_000}


@attrs.frozen
class Socket:
    """One WebSocket."""

    ws: aiohttp.ClientWebSocketResponse

    async def get(self) -> Any:
        """Receive a frame and read it."""
        return json.loads(await self.ws.receive_str(timeout=2))

    async def say(self, *frame: object) -> None:
        await self.ws.send_str(json.dumps(frame))

    async def subscribe(self, *filters: str, message_id: str = "m-1") -> Any:
        await self.say(*request(*filters, message_id=message_id))
        return await self.get()

    async def end(self) -> Any:
        """Receive what should be the end."""
        return await self.ws.receive(timeout=2)


def request(*filters: str, message_id: str = "m-1") -> tuple[dict[str, Any], dict[str, Any]]:
    meta = {"type": "ClientRequest", "messageId": message_id, "method": "POST"}
    meta["path"] = SUBSCRIPTION_PATH
    return meta, {"eventFilters": filters, "deliveryMode": {"transportType": "WebSocket"}}


@attrs.frozen
class Door:
    """Opens WebSockets to one sandbox."""

    call: Caller
    sockets: list[Socket] = attrs.field(factory=list)

    @property
    def sandbox(self) -> Sandbox:
        return self.call.sandbox

    async def ticket(self) -> Any:
        return (await self.call("POST", WSTOKEN_PATH)).json

    async def open(self, wsc: str | None = None, **options: Any) -> Socket:
        """Connect, without waiting for ConnectionDetails."""
        token = (await self.ticket())["ws_access_token"]
        return await self.knock(f"access_token={token}" + (f"&wsc={wsc}" if wsc else ""), **options)

    async def knock(self, query: str, **options: Any) -> Socket:
        """Connect with a query of one's own."""
        uri = f"{self.sandbox.url}/ws?{query}"
        socket = Socket(await self.call.http.ws_connect(uri, **options))
        self.sockets.append(socket)
        return socket

    async def shut(self) -> None:
        """End everything; the sandbox first, as a silent one lets nobody go."""
        await self.sandbox.close()
        for socket in self.sockets:
            await socket.ws.close()

    async def subscribed(self, *filters: str) -> tuple[Socket, str]:
        """Connect and subscribe; also give the wsc token of ConnectionDetails."""
        socket = await self.open()
        meta, _ = await socket.get()
        await socket.subscribe(*(filters or (EVERYONE,)))
        return socket, meta["wsc"]["token"]

    def change(self, times: int = 1) -> None:
        """Make changes, each of which is an event."""
        for _ in range(times):
            connected = self.sandbox.presence("~")["meetingStatus"] == "Connected"
            status = "Disconnected" if connected else "Connected"
            self.sandbox.set_presence("~", meeting_status=status)


@asynccontextmanager
async def door(plan: GatewayPlan | None = None, **options: Any) -> AsyncIterator[Door]:
    """Start a sandbox, log in, and stand before its gateway."""
    async with calling(Sandbox(3, limits=PLENTY, gateway=plan, **options)) as call:
        it = Door(call)
        try:
            yield it
        finally:
            await it.shut()


async def until(sandbox: Sandbox, connections: int) -> None:
    """Wait until so many connections are open."""
    for _ in range(100_000):
        if sandbox.gateway.connections == connections:
            return
        await asyncio.sleep(0)
    raise AssertionError(f"{sandbox.gateway.connections} connections, not {connections}")


class JumpingLoop(asyncio.SelectorEventLoop):
    """A loop whose time a test can move on."""

    skipped = 0.0

    def time(self) -> float:
        return super().time() + self.skipped


async def jump(seconds: float) -> None:
    """Let time pass, and what is due happen."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, JumpingLoop)
    loop.skipped += seconds
    for _ in range(5):
        await asyncio.sleep(0)


def in_its_own_time(story: Callable[[Door], Awaitable[None]]) -> None:
    """Run a test on a loop whose time it moves on itself."""

    async def tell() -> None:
        async with door(token_lifetime=1e9) as it:
            await story(it)

    with asyncio.Runner(loop_factory=JumpingLoop) as runner:
        runner.run(tell())
