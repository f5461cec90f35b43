"""A WebSocket client for the sandbox, without the library's client."""

import asyncio
import json
from collections.abc import AsyncIterator
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
        """Receive a frame and parse it."""
        return json.loads(await self.ws.receive_str(timeout=2))

    async def send(self, *frame: object) -> None:
        await self.ws.send_str(json.dumps(frame))

    async def subscribe(self, *filters: str, message_id: str = "m-1") -> Any:
        await self.send(*request(*filters, message_id=message_id))
        return await self.get()

    async def end(self) -> Any:
        """Receive the close frame, or the end of the connection."""
        return await self.ws.receive(timeout=2)


def request(*filters: str, message_id: str = "m-1") -> tuple[dict[str, Any], dict[str, Any]]:
    meta = {"type": "ClientRequest", "messageId": message_id, "method": "POST"}
    meta["path"] = SUBSCRIPTION_PATH
    return meta, {"eventFilters": filters, "deliveryMode": {"transportType": "WebSocket"}}


@attrs.frozen
class GatewayClient:
    """Opens WebSockets to one sandbox."""

    call: Caller
    sockets: list[Socket] = attrs.field(factory=list)

    @property
    def sandbox(self) -> Sandbox:
        return self.call.sandbox

    async def websocket_token(self) -> Any:
        return (await self.call("POST", WSTOKEN_PATH)).json

    async def open(self, wsc: str | None = None, **options: Any) -> Socket:
        """Connect with a new token, without waiting for ConnectionDetails."""
        token = (await self.websocket_token())["ws_access_token"]
        return await self.connect(
            f"access_token={token}" + (f"&wsc={wsc}" if wsc else ""), **options
        )

    async def connect(self, query: str, **options: Any) -> Socket:
        """Connect with a query, without waiting for ConnectionDetails."""
        uri = f"{self.sandbox.url}/ws?{query}"
        socket = Socket(await self.call.http.ws_connect(uri, **options))
        self.sockets.append(socket)
        return socket

    async def close(self) -> None:
        """Close the sandbox, then the sockets: a silent connection answers no close frame."""
        await self.sandbox.close()
        for socket in self.sockets:
            await socket.ws.close()

    async def subscribed(self, *filters: str) -> tuple[Socket, str]:
        """Connect and subscribe; return the socket and the recovery token of ConnectionDetails."""
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
async def gateway_client(
    plan: GatewayPlan | None = None, **options: Any
) -> AsyncIterator[GatewayClient]:
    """Start a sandbox, log in, and open WebSockets on request."""
    async with calling(Sandbox(3, limits=PLENTY, gateway=plan, **options)) as call:
        client = GatewayClient(call)
        try:
            yield client
        finally:
            await client.close()


async def until(sandbox: Sandbox, connections: int) -> None:
    """Wait until a number of connections is open."""
    for _ in range(100_000):
        if sandbox.gateway.connections == connections:
            return
        await asyncio.sleep(0)
    raise AssertionError(f"{sandbox.gateway.connections} connections, not {connections}")


def sequence(frame: Any) -> int:
    """Return the sequence in the recovery token of a frame."""
    number: int = frame[0]["wsc"]["sequence"]
    return number
