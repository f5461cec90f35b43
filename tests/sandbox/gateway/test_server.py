"""The gateway on the real wire: connections, timeouts and recovery."""

import asyncio

import aiohttp
import pytest

from aiopresence.sandbox import Answer, Delay, GatewayPlan, Hang, Redirect
from tests.support.sandbox_socket import (
    EVERYONE,
    gateway_client,
    sequence,
    until,
)
from tests.support.virtual import virtual

DETAILED = f"{EVERYONE}?detailedTelephonyState=true"


async def test_missed_notifications_follow_connection_details_after_a_delay() -> None:
    async with gateway_client(GatewayPlan(replay_delay=0.1)) as it:
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


async def test_a_frame_of_the_client_ends_the_replay_delay() -> None:
    async with gateway_client(GatewayPlan(replay_delay=60)) as it:
        for say in ("heartbeat", "ping"):
            _, wsc = await it.subscribed()
            it.sandbox.gateway.cut()
            it.change()
            socket = await it.open(wsc)
            await socket.get()
            if say == "ping":
                await socket.ws.ping()
            else:
                await socket.send({"type": "Heartbeat", "messageId": "h"})
            assert (await socket.get())[0]["type"] == "ServerNotification"


async def test_a_session_is_recovered_with_the_missed_notifications() -> None:
    async with gateway_client() as it:
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


async def test_notifications_older_than_the_buffer_are_lost_silently() -> None:
    async with gateway_client(GatewayPlan(recovery_buffer_size=3)) as it:
        _, wsc = await it.subscribed()
        it.sandbox.gateway.cut()
        it.change(7)
        again = await it.open(wsc)
        assert sequence(await again.get()) == 1
        assert [sequence(await again.get()) for _ in range(3)] == [6, 7, 8]


async def test_a_recovery_closes_the_connection_that_is_still_open() -> None:
    async with gateway_client() as it:
        old, wsc = await it.subscribed()
        new = await it.open(wsc)
        assert (await new.get())[1]["recoveryState"] == "Successful"
        assert (await old.end()).type is aiohttp.WSMsgType.CLOSE
        await until(it.sandbox, 1)
        it.change()
        assert sequence(await new.get()) == 2


@pytest.mark.parametrize("wsc", ["{}9", f"SandboxWsc-{'0' * 36}.7"])
async def test_an_unknown_session_is_not_recovered(wsc: str) -> None:
    async with gateway_client() as it:
        _, token = await it.subscribed()
        it.sandbox.gateway.cut()
        again = await it.open(wsc.format(token))
        meta, details = await again.get()
        assert (details["recoveryState"], meta["wsc"]["sequence"]) == ("Failed", 1)
        assert meta["wsc"]["token"] != token


@virtual
async def test_a_session_ends_after_its_recovery_timeout() -> None:
    async with gateway_client(token_lifetime=1e9) as it:
        for seconds, state in ((179, "Successful"), (181, "Failed")):
            _, wsc = await it.subscribed()
            it.sandbox.gateway.cut()
            await until(it.sandbox, 0)
            await asyncio.sleep(seconds)
            again = await it.open(wsc)
            assert (await again.get())[1]["recoveryState"] == state
            assert len(it.sandbox.gateway.subscriptions) == (state == "Successful")
            await again.ws.close()
            await until(it.sandbox, 0)
            await asyncio.sleep(181)


@virtual
async def test_an_idle_connection_is_ended_and_can_be_recovered() -> None:
    async with gateway_client(token_lifetime=1e9) as it:
        socket, wsc = await it.subscribed()
        await asyncio.sleep(1700)
        await socket.send({"type": "Heartbeat", "messageId": "h"})
        await socket.get()
        await asyncio.sleep(1700)
        assert it.sandbox.gateway.connections == 1
        await socket.ws.ping()
        await it.websocket_token()  # the ping has arrived by then
        it.change()
        await socket.get()
        await asyncio.sleep(200)
        meta, error = await socket.get()
        assert (meta["type"], error["errorCode"]) == ("Error", "WSG-902")
        end = await socket.end()
        assert (end.type, end.data) == (aiohttp.WSMsgType.CLOSE, 1001)
        again = await it.open(wsc)
        assert (await again.get())[1]["recoveryState"] == "Successful"
        assert sequence(await again.get()) == 2


@virtual
async def test_no_session_lasts_longer_than_the_absolute_timeout() -> None:
    async with gateway_client(token_lifetime=1e9) as it:
        socket, wsc = await it.subscribed()
        for _ in range(50):
            await asyncio.sleep(1750)
            socket, recovered = await it.open(wsc), socket
            if (await socket.get())[1]["recoveryState"] == "Failed":
                break
            assert (await recovered.end()).type is aiohttp.WSMsgType.CLOSE
        assert (await recovered.get())[1]["errorCode"] == "WSG-903"
        assert (await recovered.end()).type is aiohttp.WSMsgType.CLOSE


@virtual
async def test_a_connection_is_closed_without_the_close_frame_of_the_client() -> None:
    async with gateway_client(token_lifetime=1e9) as it:
        socket = await it.open(autoclose=False)
        await socket.get()
        it.sandbox.gateway.close(4000)
        assert (await socket.end()).data == 4000
        assert it.sandbox.gateway.connections == 1
        await asyncio.sleep(1.1)
        await until(it.sandbox, 0)


async def test_a_connection_outlives_its_access_token() -> None:
    async with gateway_client() as it:
        socket, _ = await it.subscribed()
        it.sandbox.expire_tokens()
        it.change()
        assert (await socket.get())[0]["type"] == "ServerNotification"


async def test_faults_of_the_handshake_are_those_of_http() -> None:
    async with gateway_client() as it:
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


@virtual
async def test_closing_the_sandbox_ends_every_socket_at_once() -> None:
    async with gateway_client() as it:
        sockets = [(await it.subscribed())[0] for _ in range(3)]
        it.sandbox.gateway.silence()
        loud, _ = await it.subscribed()
        start = asyncio.get_running_loop().time()
        await it.sandbox.close()
        assert asyncio.get_running_loop().time() - start < 0.5
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
    async with gateway_client() as it:
        token = (await it.websocket_token())["ws_access_token"]
        socket = await it.connect(f"access_token={token}&wsc={wsc}")
        meta, body = await socket.get()
        assert (meta["type"], meta["status"], body["errorCode"]) == ("Error", 400, "WSG-400")
        assert (await socket.end()).type is aiohttp.WSMsgType.CLOSE
        await until(it.sandbox, 0)
        assert (await it.subscribed())[1]
