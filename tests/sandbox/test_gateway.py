"""The WebSocket gateway on the real wire: tokens, frames, timeouts and recovery."""

import asyncio
import json
import time
from typing import Any

import aiohttp
import pytest

from aiopresence.errors import UsageError
from aiopresence.sandbox import Answer, Delay, GatewayPlan, Hang, Redirect
from tests.support.sandbox_raw import HandClock, log_in
from tests.support.sandbox_socket import (
    EVERYONE,
    WSTOKEN_PATH,
    Door,
    door,
    in_its_own_time,
    jump,
    request,
    until,
)

DETAILED = f"{EVERYONE}?detailedTelephonyState=true"


def sequence(frame: Any) -> int:
    number: int = frame[0]["wsc"]["sequence"]
    return number


async def test_a_websocket_token_needs_a_login_and_a_permission() -> None:
    async with door() as it:
        ticket = await it.ticket()
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
    async with door(clock=clock) as it:
        token = (await it.ticket())["ws_access_token"]
        for seconds in (0, 15, 14.9):
            clock.now += seconds
            await it.knock(f"access_token={token}")
        clock.now += 0.1
        with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
            await it.knock(f"access_token={token}")
        assert caught.value.status == 401


async def test_the_announced_lifetime_is_the_real_one() -> None:
    clock = HandClock()
    async with door(GatewayPlan(wstoken_lifetime=0.4), clock=clock) as it:
        ticket = await it.ticket()
        assert ticket["expires_in"] == 0.4
        clock.now += 0.5
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await it.knock(f"access_token={ticket['ws_access_token']}")


async def test_a_websocket_token_for_single_use_is_accepted_once() -> None:
    clock = HandClock()
    async with door(GatewayPlan(wstoken_single_use=True), clock=clock) as it:
        token, late = [(await it.ticket())["ws_access_token"] for _ in range(2)]
        await it.knock(f"access_token={token}")
        clock.now += 30
        for bad in (token, late, "unknown", ""):
            with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
                await it.knock(f"access_token={bad}")
            assert caught.value.status == 401
        assert it.sandbox.requests[2 + 1].query == f"access_token={token}"
        assert [each.status for each in it.sandbox.requests[-5:]] == [101, 401, 401, 401, 401]


async def test_the_gateway_is_for_websockets_only() -> None:
    async with door() as it:
        assert (await it.call.get("/ws")).status == 426
        assert (await it.call("POST", "/ws")).status == 405
        token = (await it.ticket())["ws_access_token"]
        got = await it.call.get(f"/ws?access_token={token}", Upgrade="websocket")
        assert (got.status, got.json["errorCode"]) == (400, "CMN-101")
        assert it.sandbox.requests[-1].status == 400
        assert it.sandbox.gateway.connections == 0


async def test_connection_details_come_first() -> None:
    async with door() as it:
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


async def test_a_subscription_is_answered_and_then_told_of_changes() -> None:
    async with door() as it:
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
    async with door() as it:
        socket, _ = await it.subscribed()
        mine = "/restapi/v1.0/account/~/extension/~/presence"
        await socket.subscribe(mine)
        assert it.sandbox.gateway.subscriptions == [(mine,)]
        it.change()
        _, event = await socket.get()
        assert event["event"].endswith(f"/extension/{it.sandbox.extension_ids[0]}/presence")
        await socket.say({"type": "Heartbeat", "messageId": "h"})
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
async def test_a_request_that_is_refused_is_an_error(
    changes: dict[str, str], body: dict[str, Any], status: int, code: str
) -> None:
    async with door() as it:
        socket, _ = await it.subscribed()
        meta, good = request(EVERYONE, message_id="wrong")
        await socket.say(meta | changes, good | body)
        meta, error = await socket.get()
        assert (meta["type"], meta["messageId"], meta["status"]) == ("Error", "wrong", status)
        assert error["errorCode"] == code
        assert it.sandbox.gateway.subscriptions == [(EVERYONE,)]


async def test_the_subscription_can_be_read_changed_and_ended_on_its_connection() -> None:
    async with door() as it:
        socket = await it.open()
        await socket.get()
        _, subscription = await socket.subscribe(EVERYONE)
        meta, body = request(DETAILED)
        here = meta | {"path": f"/restapi/v1.0/subscription/{subscription['id']}"}

        async def ask(method: str, *body: object) -> Any:
            await socket.say(here | {"method": method}, *body)
            return await socket.get()

        assert (await ask("GET"))[1] == subscription
        _, changed = await ask("PUT", body)
        assert changed["id"] == subscription["id"]
        assert it.sandbox.gateway.subscriptions == [(DETAILED,)]
        assert (await ask("PATCH", body))[0]["status"] == 405
        (gone,) = await ask("DELETE")
        assert (gone["type"], gone["status"]) == ("ClientRequest", 204)
        assert it.sandbox.gateway.subscriptions == []
        it.change()  # nobody is told
        assert (await ask("GET"))[0]["status"] == 404


async def test_what_was_missed_comes_a_moment_after_connection_details() -> None:
    async with door(GatewayPlan(replay_delay=0.1)) as it:
        loop = asyncio.get_running_loop()
        _, wsc = await it.subscribed()
        it.sandbox.gateway.cut()
        it.change(2)
        socket = await it.open(wsc)
        assert (await socket.get())[1]["recoveryState"] == "Successful"
        start = loop.time()
        it.change()
        sequences = [(await socket.get())[1]["body"]["sequence"] for _ in range(3)]
        assert loop.time() - start >= 0.09
        assert sequences == [1001, 1002, 1003]


async def test_what_was_missed_comes_at_once_to_a_client_that_has_read_connection_details() -> None:
    async with door(GatewayPlan(replay_delay=60)) as it:
        for say in ("heartbeat", "ping"):
            _, wsc = await it.subscribed()
            it.sandbox.gateway.cut()
            it.change()
            socket = await it.open(wsc)
            await socket.get()
            if say == "ping":
                await socket.ws.ping()
            else:
                await socket.say({"type": "Heartbeat", "messageId": "h"})
            assert (await socket.get())[0]["type"] == "ServerNotification"


async def test_errors_may_come_as_answers() -> None:
    async with door(GatewayPlan(errors_as_answers=True)) as it:
        socket = await it.open()
        await socket.get()
        meta, _ = await socket.subscribe("/nonsense")
        assert (meta["type"], meta["status"]) == ("ClientRequest", 400)


async def test_filters_without_permission_are_listed_as_disabled() -> None:
    async with door() as it:
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
async def test_what_is_not_understood_is_an_error(text: str | bytes) -> None:
    async with door() as it:
        socket = await it.open()
        await socket.get()
        if isinstance(text, str):
            await socket.ws.send_str(text)
        else:
            await socket.ws.send_bytes(text)
        meta, body = await socket.get()
        assert (meta["type"], body["errorCode"]) == ("Error", "WSG-901")


async def test_pings_are_answered_and_counted_apart() -> None:
    async with door() as it:
        socket = await it.open(autoping=False)
        await socket.get()
        await socket.ws.ping(b"are you there")
        answer = await socket.end()
        assert (answer.type, bytes(answer.data)) == (aiohttp.WSMsgType.PONG, b"are you there")
        assert it.sandbox.gateway.pings == 1
        assert [each.direction for each in it.sandbox.gateway.frames] == ["out"]


async def test_long_frames_get_through() -> None:
    async with door() as it:
        socket = await it.open()
        await socket.get()
        for size in (124, 125, 126, 2**16 - 1, 2**16):
            it.sandbox.gateway.inject("x" * size)
            assert await socket.ws.receive_str() == "x" * size


async def test_wsc_may_be_in_connection_details_only() -> None:
    async with door(GatewayPlan(wsc_everywhere=False)) as it:
        socket, wsc = await it.subscribed()
        it.change()
        assert "wsc" not in (await socket.get())[0]
        it.sandbox.gateway.cut()
        again = await it.open(wsc)
        assert (await again.get())[1]["recoveryState"] == "Successful"
        assert (await again.get())[0]["type"] == "ServerNotification"


async def test_a_lost_session_is_recovered_with_what_was_missed() -> None:
    async with door() as it:
        socket, _ = await it.subscribed()
        it.change(2)
        meta, first = await socket.get()
        it.sandbox.gateway.cut()
        await until(it.sandbox, 0)
        it.change(2)
        assert it.sandbox.gateway.subscriptions == [(EVERYONE,)]
        again = await it.open(meta["wsc"]["token"])
        meta, details = await again.get()
        assert (details["recoveryState"], meta["wsc"]["sequence"]) == ("Successful", 2)
        replayed = [await again.get() for _ in range(3)]
        assert [sequence(frame) for frame in replayed] == [3, 4, 5]
        assert {frame[1]["subscriptionId"] for frame in replayed} == {first["subscriptionId"]}
        it.change()
        assert sequence(await again.get()) == 6


async def test_older_notifications_than_the_buffer_holds_are_silently_gone() -> None:
    async with door(GatewayPlan(recovery_buffer_size=3)) as it:
        _, wsc = await it.subscribed()
        it.sandbox.gateway.cut()
        it.change(7)
        again = await it.open(wsc)
        assert sequence(await again.get()) == 1
        assert [sequence(await again.get()) for _ in range(3)] == [6, 7, 8]


async def test_a_recovery_closes_the_connection_that_is_still_open() -> None:
    async with door() as it:
        old, wsc = await it.subscribed()
        new = await it.open(wsc)
        assert (await new.get())[1]["recoveryState"] == "Successful"
        assert (await old.end()).type is aiohttp.WSMsgType.CLOSE
        await until(it.sandbox, 1)
        it.change()
        assert sequence(await new.get()) == 2


@pytest.mark.parametrize("wsc", ["{}9", f"SandboxWsc-{'0' * 36}.7"])
async def test_an_unknown_session_is_not_recovered(wsc: str) -> None:
    async with door() as it:
        _, token = await it.subscribed()
        it.sandbox.gateway.cut()
        again = await it.open(wsc.format(token))
        meta, details = await again.get()
        assert (details["recoveryState"], meta["wsc"]["sequence"]) == ("Failed", 1)
        assert meta["wsc"]["token"] != token


def test_a_session_that_was_lost_for_too_long_is_over() -> None:
    async def story(it: Door) -> None:
        for seconds, state in ((179, "Successful"), (181, "Failed")):
            _, wsc = await it.subscribed()
            it.sandbox.gateway.cut()
            await until(it.sandbox, 0)
            await jump(seconds)
            again = await it.open(wsc)
            assert (await again.get())[1]["recoveryState"] == state
            assert len(it.sandbox.gateway.subscriptions) == (state == "Successful")
            await again.ws.close()
            await until(it.sandbox, 0)
            await jump(181)

    in_its_own_time(story)


def test_an_idle_connection_is_ended_and_can_be_recovered() -> None:
    async def story(it: Door) -> None:
        socket, wsc = await it.subscribed()
        await jump(1700)
        await socket.say({"type": "Heartbeat", "messageId": "h"})
        await socket.get()
        await jump(1700)
        assert it.sandbox.gateway.connections == 1
        await socket.ws.ping()
        await it.ticket()  # the ping has arrived by then
        it.change()
        await socket.get()
        await jump(200)
        meta, error = await socket.get()
        assert (meta["type"], error["errorCode"]) == ("Error", "WSG-902")
        end = await socket.end()
        assert (end.type, end.data) == (aiohttp.WSMsgType.CLOSE, 1001)
        again = await it.open(wsc)
        assert (await again.get())[1]["recoveryState"] == "Successful"
        assert sequence(await again.get()) == 2

    in_its_own_time(story)


def test_no_session_lasts_longer_than_the_absolute_timeout() -> None:
    async def story(it: Door) -> None:
        socket, wsc = await it.subscribed()
        for _ in range(50):
            await jump(1750)
            socket, recovered = await it.open(wsc), socket
            if (await socket.get())[1]["recoveryState"] == "Failed":
                break
            assert (await recovered.end()).type is aiohttp.WSMsgType.CLOSE
        assert (await recovered.get())[1]["errorCode"] == "WSG-903"
        assert (await recovered.end()).type is aiohttp.WSMsgType.CLOSE

    in_its_own_time(story)


def test_a_client_that_does_not_answer_a_close_is_left_after_a_while() -> None:
    async def story(it: Door) -> None:
        socket = await it.open(autoclose=False)
        await socket.get()
        it.sandbox.gateway.close(4000)
        assert (await socket.end()).data == 4000
        assert it.sandbox.gateway.connections == 1
        await jump(1.1)
        await until(it.sandbox, 0)

    in_its_own_time(story)


async def test_a_connection_outlives_the_access_token_behind_it() -> None:
    async with door() as it:
        socket, _ = await it.subscribed()
        it.sandbox.expire_tokens()
        it.change()
        assert (await socket.get())[0]["type"] == "ServerNotification"


async def test_faults_of_the_handshake_are_those_of_http() -> None:
    async with door() as it:
        faults = it.sandbox.faults
        for fault in (Answer(503), Redirect("http://127.0.0.1:1/")):
            rule = faults.add(fault, path="/ws?")
            with pytest.raises(aiohttp.ClientError):
                await it.open()
            assert rule.fired == 1
        faults.add(Hang(), path="/ws?")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.03):
                await it.open()
        faults.add(Delay(0.01), path="/ws?")
        assert (await (await it.open()).get())[0]["type"] == "ConnectionDetails"


async def test_closing_the_sandbox_ends_every_socket_at_once() -> None:
    async with door() as it:
        sockets = [(await it.subscribed())[0] for _ in range(3)]
        it.sandbox.gateway.silence()
        loud, _ = await it.subscribed()
        start = time.monotonic()
        await it.sandbox.close()
        assert time.monotonic() - start < 0.5
        end = await loud.end()
        assert (end.type, end.data) == (aiohttp.WSMsgType.CLOSE, 1001)
        assert it.sandbox.gateway.connections == 0
        assert it.sandbox.gateway.subscriptions == []
        for socket in sockets:
            assert (await socket.end()).type is aiohttp.WSMsgType.CLOSED
        await it.call.http.close()
        for _ in range(20):
            await asyncio.sleep(0)
        assert asyncio.all_tasks() == {asyncio.current_task()}


@pytest.mark.parametrize(
    "wsc",
    ["garbage", "", "%00", "%FF", "x.1", "SandboxWsc-1.1", f"SandboxWsc-{'0' * 36}.{'9' * 5000}"],
)
async def test_a_malformed_recovery_token_is_refused_and_the_connection_closed(wsc: str) -> None:
    async with door() as it:
        token = (await it.ticket())["ws_access_token"]
        socket = await it.knock(f"access_token={token}&wsc={wsc}")
        meta, body = await socket.get()
        assert (meta["type"], meta["status"], body["errorCode"]) == ("Error", 400, "WSG-400")
        assert (await socket.end()).type is aiohttp.WSMsgType.CLOSE
        await until(it.sandbox, 0)
        assert (await it.subscribed())[1]


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
async def test_frames_that_could_not_be_sent_again_are_refused(text: str) -> None:
    async with door() as it:
        socket = await it.open()
        await socket.get()
        await socket.ws.send_str(text)
        assert (await socket.get())[0]["type"] == "Error"
        assert (await socket.subscribe(EVERYONE))[0]["status"] == 200


def test_a_plan_that_makes_no_sense_is_a_mistake() -> None:
    for wrong in ({"idle_timeout": 0}, {"recovery_timeout": float("inf")}, {"max_connections": -1}):
        with pytest.raises(UsageError):
            GatewayPlan(**wrong)


async def test_frames_of_the_ledger_are_json() -> None:
    async with door() as it:
        await it.subscribed()
        for frame in it.sandbox.gateway.frames:
            assert isinstance(json.loads(frame.text), list)
            assert str(frame.text) not in repr(frame)
