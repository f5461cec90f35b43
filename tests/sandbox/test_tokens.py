"""WebSocket tokens and the handshake that needs them."""

import aiohttp
import pytest

from aiopresence.sandbox import GatewayPlan
from tests.support.sandbox_raw import HandClock, log_in
from tests.support.sandbox_socket import (
    EVERYONE,
    WSTOKEN_PATH,
    gateway_client,
)

DETAILED = f"{EVERYONE}?detailedTelephonyState=true"


async def test_a_websocket_token_needs_a_login_and_a_permission() -> None:
    async with gateway_client() as it:
        ticket = await it.websocket_token()
        assert ticket == {
            "uri": it.sandbox.url.replace("http", "ws") + "/ws",
            "ws_access_token": ticket["ws_access_token"],
            "expires_in": 30,
        }
        got = await it.call("POST", WSTOKEN_PATH, headers={"Authorization": "Bearer no"})
        assert (got.status, got.json["errorCode"]) == (401, "OAU-213")
        assert (await it.call("GET", WSTOKEN_PATH)).status == 405
        it.sandbox.forbid("WebSocketsSubscription")
        got = await it.call("POST", WSTOKEN_PATH)
        assert (got.status, got.json["errorCode"]) == (403, "CMN-401")
        assert got.headers["X-Rate-Limit-Group"] == "auth"
        assert "WebSocketsSubscription" in (await log_in(it.sandbox, it.call.http)).json["scope"]


async def test_a_websocket_token_is_accepted_until_it_expires() -> None:
    clock = HandClock()
    async with gateway_client(clock=clock) as it:
        token = (await it.websocket_token())["ws_access_token"]
        for seconds in (0, 15, 14.9):
            clock.now += seconds
            await it.connect(f"access_token={token}")
        clock.now += 0.1
        with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
            await it.connect(f"access_token={token}")
        assert caught.value.status == 401


async def test_the_announced_lifetime_is_the_real_one() -> None:
    clock = HandClock()
    async with gateway_client(GatewayPlan(wstoken_lifetime=0.4), clock=clock) as it:
        ticket = await it.websocket_token()
        assert ticket["expires_in"] == 0.4
        clock.now += 0.5
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await it.connect(f"access_token={ticket['ws_access_token']}")


async def test_a_websocket_token_for_single_use_is_accepted_once() -> None:
    clock = HandClock()
    async with gateway_client(GatewayPlan(wstoken_single_use=True), clock=clock) as it:
        token, late = [(await it.websocket_token())["ws_access_token"] for _ in range(2)]
        await it.connect(f"access_token={token}")
        clock.now += 30
        for bad in (token, late, "unknown", ""):
            with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
                await it.connect(f"access_token={bad}")
            assert caught.value.status == 401
        assert it.sandbox.requests[2 + 1].query == f"access_token={token}"
        assert [each.status for each in it.sandbox.requests[-5:]] == [101, 401, 401, 401, 401]


async def test_the_gateway_is_for_websockets_only() -> None:
    async with gateway_client() as it:
        assert (await it.call.get("/ws")).status == 426
        assert (await it.call("POST", "/ws")).status == 405
        token = (await it.websocket_token())["ws_access_token"]
        got = await it.call.get(f"/ws?access_token={token}", Upgrade="websocket")
        assert (got.status, got.json["errorCode"]) == (400, "CMN-101")
        assert it.sandbox.requests[-1].status == 400
        assert it.sandbox.gateway.connections == 0
