"""Sessions of the gateway: subscriptions, frames and their errors, on the real wire."""

import json
from typing import Any

import aiohttp
import pytest

from aiopresence.sandbox import GatewayPlan
from tests.support.sandbox_socket import (
    EVERYONE,
    gateway_client,
    request,
)

DETAILED = f"{EVERYONE}?detailedTelephonyState=true"


async def test_connection_details_come_first() -> None:
    async with gateway_client() as it:
        socket = await it.open()
        meta, details = await socket.get()
        assert meta == {
            "type": "ConnectionDetails",
            "messageId": meta["messageId"],
            "status": 200,
            "headers": {"RCRequestId": meta["headers"]["RCRequestId"]},
            "wsc": {"token": meta["wsc"]["token"], "sequence": 1},
        }
        assert details == {
            "creationTime": details["creationTime"],
            "maxConnectionsPerSession": 5,
            "recoveryBufferSize": 100,
            "recoveryTimeout": 180,
            "idleTimeout": 1800,
            "absoluteTimeout": 86400,
            "maxActiveRequests": 10,
        }
        assert (it.sandbox.gateway.connections, it.sandbox.gateway.violations) == (1, 0)


async def test_a_subscription_has_a_response_and_then_notifications() -> None:
    async with gateway_client() as it:
        socket = await it.open()
        await socket.get()
        meta, body = await socket.subscribe(DETAILED, message_id="mine")
        assert (meta["type"], meta["messageId"], meta["status"]) == ("ClientRequest", "mine", 200)
        real = DETAILED.replace("~", it.sandbox.account_id)
        assert body == {
            "uri": f"{it.sandbox.url}/restapi/v1.0/subscription/{body['id']}",
            "id": body["id"],
            "creationTime": body["creationTime"],
            "eventFilters": [real],
            "expirationTime": body["expirationTime"],
            "expiresIn": 604800,
            "status": "Active",
            "deliveryMode": {"transportType": "WebSocket"},
        }
        assert it.sandbox.gateway.subscriptions == [(DETAILED,)]
        it.change()
        meta, body_of_event = await socket.get()
        assert meta == {
            "type": "ServerNotification",
            "messageId": meta["messageId"],
            "timestamp": body_of_event["timestamp"],
            "wsc": {"token": meta["wsc"]["token"], "sequence": 2},
        }
        assert (body_of_event["subscriptionId"], body_of_event["event"]) == (body["id"], real)
        assert body_of_event["body"]["extensionId"] == it.sandbox.extension_ids[0]
        directions = [each.direction for each in it.sandbox.gateway.frames]
        assert directions == ["out", "in", "out", "out"]
        assert [each.connection for each in it.sandbox.gateway.frames] == [1] * 4


async def test_a_second_subscription_replaces_the_first() -> None:
    async with gateway_client() as it:
        socket, _ = await it.subscribed()
        mine = "/restapi/v1.0/account/~/extension/~/presence"
        await socket.subscribe(mine)
        assert it.sandbox.gateway.subscriptions == [(mine,)]
        it.change()
        _, event = await socket.get()
        assert event["event"].endswith(f"/extension/{it.sandbox.extension_ids[0]}/presence")
        await socket.send({"type": "Heartbeat", "messageId": "h"})
        assert await socket.get() == [{"type": "Heartbeat", "messageId": "h"}]


@pytest.mark.parametrize(
    ("changes", "body", "status", "code"),
    [
        ({}, {"eventFilters": ["/nonsense"]}, 400, "SUB-508"),
        ({}, {"eventFilters": "x"}, 400, "CMN-101"),
        ({}, {"deliveryMode": {"transportType": "PubNub"}}, 400, "CMN-101"),
        ({}, {"deliveryMode": None}, 400, "CMN-101"),
        ({"path": "/restapi/v1.0/account/~"}, {}, 404, "CMN-102"),
        ({"method": "GET"}, {}, 404, "CMN-102"),
    ],
)
async def test_a_refused_request_has_an_error_frame(
    changes: dict[str, str], body: dict[str, Any], status: int, code: str
) -> None:
    async with gateway_client() as it:
        socket, _ = await it.subscribed()
        meta, good = request(EVERYONE, message_id="wrong")
        await socket.send(meta | changes, good | body)
        meta, error = await socket.get()
        assert (meta["type"], meta["messageId"], meta["status"]) == ("Error", "wrong", status)
        assert error["errorCode"] == code
        assert it.sandbox.gateway.subscriptions == [(EVERYONE,)]


async def test_the_subscription_can_be_read_changed_and_ended_on_its_connection() -> None:
    async with gateway_client() as it:
        socket = await it.open()
        await socket.get()
        _, subscription = await socket.subscribe(EVERYONE)
        meta, body = request(DETAILED)
        here = meta | {"path": f"/restapi/v1.0/subscription/{subscription['id']}"}

        async def ask(method: str, *body: object) -> Any:
            await socket.send(here | {"method": method}, *body)
            return await socket.get()

        assert (await ask("GET"))[1] == subscription
        _, changed = await ask("PUT", body)
        assert changed["id"] == subscription["id"]
        assert it.sandbox.gateway.subscriptions == [(DETAILED,)]
        assert (await ask("PATCH", body))[0]["status"] == 405
        (gone,) = await ask("DELETE")
        assert (gone["type"], gone["status"]) == ("ClientRequest", 204)
        assert it.sandbox.gateway.subscriptions == []
        it.change()  # nobody is subscribed
        assert (await ask("GET"))[0]["status"] == 404


async def test_errors_may_have_the_type_of_responses() -> None:
    async with gateway_client(GatewayPlan(errors_as_answers=True)) as it:
        socket = await it.open()
        await socket.get()
        meta, _ = await socket.subscribe("/nonsense")
        assert (meta["type"], meta["status"]) == ("ClientRequest", 400)


async def test_filters_without_permission_are_listed_as_disabled() -> None:
    async with gateway_client() as it:
        it.sandbox.forbid("ReadAccounts")
        socket = await it.open()
        await socket.get()
        _, body = await socket.subscribe(EVERYONE, "/restapi/v1.0/account/~/extension/~/presence")
        assert [each["filter"] for each in body["disabledFilters"]] == [EVERYONE]
        assert len(body["eventFilters"]) == 1
        meta, error = await socket.subscribe(EVERYONE)
        assert (meta["type"], meta["status"], error["errorCode"]) == ("Error", 403, "CMN-401")


@pytest.mark.parametrize(
    "text",
    [
        "", "nonsense", "[]", "{}", "[1]", '[{"type":"Heartbeat"}]', "[" * 100_000,
        '[{"type":"Unheard","messageId":"x"}]', b"\x00\xff",
    ],
)  # fmt: skip
async def test_an_unknown_frame_has_an_error_frame(text: str | bytes) -> None:
    async with gateway_client() as it:
        socket = await it.open()
        await socket.get()
        if isinstance(text, str):
            await socket.ws.send_str(text)
        else:
            await socket.ws.send_bytes(text)
        meta, body = await socket.get()
        assert (meta["type"], body["errorCode"]) == ("Error", "WSG-901")


async def test_pings_have_pongs_and_are_counted_apart() -> None:
    async with gateway_client() as it:
        socket = await it.open(autoping=False)
        await socket.get()
        await socket.ws.ping(b"are you there")
        answer = await socket.end()
        assert (answer.type, bytes(answer.data)) == (aiohttp.WSMsgType.PONG, b"are you there")
        assert it.sandbox.gateway.pings == 1
        assert [each.direction for each in it.sandbox.gateway.frames] == ["out"]


async def test_long_frames_are_sent() -> None:
    async with gateway_client() as it:
        socket = await it.open()
        await socket.get()
        for size in (124, 125, 126, 2**16 - 1, 2**16):
            it.sandbox.gateway.inject("x" * size)
            assert await socket.ws.receive_str() == "x" * size


async def test_wsc_may_be_in_connection_details_only() -> None:
    async with gateway_client(GatewayPlan(wsc_everywhere=False)) as it:
        socket, wsc = await it.subscribed()
        it.change()
        assert "wsc" not in (await socket.get())[0]
        it.sandbox.gateway.cut()
        again = await it.open(wsc)
        assert (await again.get())[1]["recoveryState"] == "Successful"
        assert (await again.get())[0]["type"] == "ServerNotification"


@pytest.mark.parametrize(
    "text",
    [
        r'[{"type":"ClientRequest","messageId":"\ud800","method":"POST","path":"/"},{}]',
        r'[{"type":"ClientRequest","messageId":"m","method":"POST",'
        r'"path":"/restapi/v1.0/subscription"},'
        r'{"eventFilters":["\ud800"],"deliveryMode":{"transportType":"WebSocket"}}]',
        r'[{"type":"Heartbeat","messageId":"\udfff"}]',
        r'[{"type":"Heartbeat","messageId":"m","n":NaN}]',
    ],
)
async def test_frames_with_invalid_json_values_are_refused(text: str) -> None:
    async with gateway_client() as it:
        socket = await it.open()
        await socket.get()
        await socket.ws.send_str(text)
        assert (await socket.get())[0]["type"] == "Error"
        assert (await socket.subscribe(EVERYONE))[0]["status"] == 200


async def test_recorded_frames_are_json() -> None:
    async with gateway_client() as it:
        await it.subscribed()
        for frame in it.sandbox.gateway.frames:
            assert isinstance(json.loads(frame.text), list)
            assert str(frame.text) not in repr(frame)
