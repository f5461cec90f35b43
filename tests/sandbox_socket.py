"""A WebSocket client for the sandbox, without the library's client."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import attrs
from sandbox_raw import Caller, calling

from aiopresence.sandbox import GatewayPlan, Sandbox

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

    @property
    def sandbox(self) -> Sandbox:
        return self.call.sandbox

    async def ticket(self) -> Any:
        return (await self.call("POST", WSTOKEN_PATH)).json

    async def open(self, wsc: str | None = None) -> Socket:
        """Connect, without waiting for ConnectionDetails."""
        ticket = await self.ticket()
        uri = f"{ticket['uri']}?access_token={ticket['ws_access_token']}"
        uri += f"&wsc={wsc}" if wsc else ""
        return Socket(await self.call.http.ws_connect(uri))

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
        yield Door(call)


async def until(sandbox: Sandbox, connections: int) -> None:
    """Wait until so many connections are open."""
    for _ in range(100_000):
        if sandbox.gateway.connections == connections:
            return
        await asyncio.sleep(0)
    raise AssertionError(f"{sandbox.gateway.connections} connections, not {connections}")
