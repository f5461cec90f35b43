"""The controls of the gateway: each fault, and that its rule counts."""

import asyncio
import json
from typing import Any

import aiohttp
import pytest

from tests.support.sandbox_socket import EVERYONE, Socket, gateway_client, until

CLOSED = aiohttp.WSMsgType.CLOSED
CLOSE = aiohttp.WSMsgType.CLOSE


async def numbers(socket: Socket, count: int) -> list[int]:
    """Receive notifications; return their wsc sequences. The first of a session has 2."""
    return [(await socket.get())[0]["wsc"]["sequence"] for _ in range(count)]


async def received(socket: Socket, count: int) -> list[int]:
    """Receive notifications; return the numbers of their changes, from 1."""
    return [(await socket.get())[1]["body"]["sequence"] - 1000 for _ in range(count)]


async def beat(socket: Socket) -> Any:
    """Send a heartbeat and receive a frame."""
    await socket.send({"type": "Heartbeat", "messageId": "h"})
    return await socket.get()


async def is_quiet(socket: Socket) -> bool:
    """Return whether the next frame is the response to a heartbeat."""
    return [each["type"] for each in await beat(socket)] == ["Heartbeat"]


async def test_cut_resets_the_open_connections() -> None:
    async with gateway_client() as it:
        sockets = [(await it.subscribed())[0] for _ in range(2)]
        rule = it.sandbox.gateway.cut()
        for socket in sockets:
            assert (await socket.end()).type in (CLOSED, aiohttp.WSMsgType.ERROR)
            assert socket.ws.close_code == 1006
        await until(it.sandbox, 0)
        assert rule.fired == 1
        assert (await (await it.open()).get())[0]["type"] == "ConnectionDetails"


async def test_cut_waits_for_frames_and_repeats() -> None:
    async with gateway_client() as it:
        rule = it.sandbox.gateway.cut(after=3, times=2)
        for fired in (1, 2):
            socket, _ = await it.subscribed()
            it.change(2)
            assert await numbers(socket, 1) == [2]
            assert (await socket.end()).type in (CLOSED, aiohttp.WSMsgType.ERROR)
            assert rule.fired == fired
        socket, _ = await it.subscribed()
        it.change(2)
        assert await numbers(socket, 2) == [2, 3]


async def test_cut_without_a_connection_resets_the_next_one() -> None:
    async with gateway_client() as it:
        rule = it.sandbox.gateway.cut()
        assert rule.fired == 0
        socket = await it.open()
        assert (await socket.end()).type in (CLOSED, aiohttp.WSMsgType.ERROR)
        assert rule.fired == 1
        assert it.sandbox.gateway.frames == ()


async def test_close_sends_a_close_frame() -> None:
    async with gateway_client() as it:
        socket, wsc = await it.subscribed()
        assert it.sandbox.gateway.close(4001).fired == 1
        end = await socket.end()
        assert (end.type, end.data) == (CLOSE, 4001)
        await until(it.sandbox, 0)
        assert (await (await it.open(wsc)).get())[1]["recoveryState"] == "Successful"


async def test_silence_leaves_a_connection_half_open() -> None:
    async with gateway_client() as it:
        socket, _ = await it.subscribed()
        assert it.sandbox.gateway.silence().fired == 1
        it.change()
        await socket.send({"type": "Heartbeat", "messageId": "h"})
        await socket.ws.ping()
        with pytest.raises(TimeoutError):
            await socket.ws.receive(timeout=0.03)
        gateway = it.sandbox.gateway
        assert (gateway.connections, gateway.pings) == (1, 1)
        assert gateway.frames[-1].direction == "in"
        other, _ = await it.subscribed()
        it.change()
        assert await numbers(other, 1) == [2]


async def test_a_silent_connection_sends_no_close_frame() -> None:
    async with gateway_client() as it:
        socket, _ = await it.subscribed()
        it.sandbox.gateway.silence()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.03):
                await socket.ws.close()
        await until(it.sandbox, 0)


async def test_notifications_are_dropped_and_recovered() -> None:
    async with gateway_client() as it:
        socket, wsc = await it.subscribed()
        rule = it.sandbox.gateway.drop(times=2, skip=1)
        it.change(4)
        assert await numbers(socket, 2) == [2, 5]
        assert rule.fired == 2
        again = await it.open(wsc)
        await again.get()
        assert await numbers(again, 4) == [2, 3, 4, 5]


async def test_notifications_are_duplicated() -> None:
    async with gateway_client() as it:
        socket, _ = await it.subscribed()
        rule = it.sandbox.gateway.duplicate()
        it.change(2)
        assert await numbers(socket, 3) == [2, 2, 3]
        assert rule.fired == 1


async def test_notifications_are_delayed() -> None:
    async with gateway_client() as it:
        socket, _ = await it.subscribed()
        rule = it.sandbox.gateway.delay(1, 0.01)
        it.change(2)
        assert await received(socket, 2) == [2, 1]
        assert rule.fired == 1


async def test_notifications_are_reordered() -> None:
    async with gateway_client() as it:
        socket, _ = await it.subscribed()
        rule = it.sandbox.gateway.reorder(2)
        it.change(6)
        assert await received(socket, 6) == [2, 1, 4, 3, 5, 6]
        assert rule.fired == 2


async def test_clearing_the_rules_sends_held_notifications() -> None:
    async with gateway_client() as it:
        socket, _ = await it.subscribed()
        it.sandbox.gateway.reorder()
        it.change(1)
        assert await is_quiet(socket)
        it.sandbox.gateway.clear()
        assert await received(socket, 1) == [1]


async def test_rules_apply_one_after_the_other_until_they_are_cleared() -> None:
    async with gateway_client() as it:
        socket, _ = await it.subscribed()
        gateway = it.sandbox.gateway
        rules = [gateway.duplicate(None), gateway.drop(1)]
        it.change(2)
        assert await numbers(socket, 3) == [2, 3, 3]
        assert [rule.fired for rule in rules] == [2, 1]
        gateway.clear()
        it.change()
        assert await numbers(socket, 1) == [4]
        assert await is_quiet(socket)


async def test_a_recovery_fails_on_request() -> None:
    async with gateway_client() as it:
        _, wsc = await it.subscribed()
        it.sandbox.gateway.cut()
        await until(it.sandbox, 0)
        rule = it.sandbox.gateway.fail_recovery()
        assert (await (await it.open(wsc)).get())[1]["recoveryState"] == "Failed"
        assert (rule.fired, it.sandbox.gateway.subscriptions) == (1, [])


async def test_subscriptions_are_refused_on_request() -> None:
    async with gateway_client() as it:
        socket = await it.open()
        await socket.get()
        rule = it.sandbox.gateway.refuse_subscription(403, "SUB-505")
        meta, error = await socket.subscribe(EVERYONE, message_id="x")
        assert (meta["type"], meta["messageId"], meta["status"]) == ("Error", "x", 403)
        assert (error["errorCode"], rule.fired) == ("SUB-505", 1)
        assert (await socket.subscribe(EVERYONE))[1]["status"] == "Active"


async def test_responses_are_delayed_or_lost() -> None:
    async with gateway_client() as it:
        socket = await it.open()
        await socket.get()
        gateway = it.sandbox.gateway
        none, late = gateway.no_answer(), gateway.late_answer(0.01)
        assert (await _subscribe_and_beat(socket))["type"] == "Heartbeat"
        assert gateway.subscriptions == [(EVERYONE,)]
        assert (await _subscribe_and_beat(socket))["type"] == "Heartbeat"
        assert (await socket.get())[1]["status"] == "Active"
        assert (none.fired, late.fired) == (1, 1)


async def _subscribe_and_beat(socket: Socket) -> Any:
    heartbeat = asyncio.ensure_future(socket.subscribe(EVERYONE))
    await socket.send({"type": "Heartbeat", "messageId": "h"})
    return (await heartbeat)[0]


async def test_injected_frames_are_sent_on_all_connections() -> None:
    async with gateway_client() as it:
        sockets = [(await it.subscribed())[0] for _ in range(2)]
        assert it.sandbox.gateway.inject("[nonsense").fired == 2
        it.sandbox.gateway.inject(b"\x00\xff")
        for socket in sockets:
            assert await socket.ws.receive_str() == "[nonsense"
            assert await socket.ws.receive_bytes() == b"\x00\xff"


async def test_frames_are_replaced() -> None:
    async with gateway_client() as it:
        gateway = it.sandbox.gateway
        first = gateway.replace(lambda text: text[:5])
        second = gateway.replace(str.encode, skip=1)
        socket = await it.open()
        assert await socket.ws.receive_str() == '[{"ty'
        await socket.send({"type": "Heartbeat", "messageId": "h"})
        assert json.loads(await socket.ws.receive_bytes())[0]["type"] == "Heartbeat"
        assert (first.fired, second.fired) == (1, 1)
        assert [each.text for each in gateway.frames[:1]] == ['[{"ty']


async def test_an_error_is_sent_on_request() -> None:
    async with gateway_client() as it:
        socket, _ = await it.subscribed()
        assert it.sandbox.gateway.error("WSG-000", "Something is wrong", 503).fired == 1
        meta, error = await socket.get()
        assert (meta["type"], meta["status"]) == ("Error", 503)
        assert (error["errorCode"], error["message"]) == ("WSG-000", "Something is wrong")


async def test_sequences_restart() -> None:
    async with gateway_client() as it:
        socket, _ = await it.subscribed()
        it.sandbox.gateway.restart_sequences(41)
        it.change()
        assert (await socket.get())[1]["body"]["sequence"] == 42


async def test_connection_details_are_not_sent() -> None:
    async with gateway_client() as it:
        rule = it.sandbox.gateway.without_details()
        socket = await it.open()
        with pytest.raises(TimeoutError):
            await socket.ws.receive(timeout=0.02)
        assert (rule.fired, it.sandbox.gateway.frames) == (1, ())


async def test_frames_before_connection_details_are_counted() -> None:
    async with gateway_client() as it:
        rule = it.sandbox.gateway.late_details(0.03)
        socket = await it.open()
        await socket.send({"type": "Heartbeat", "messageId": "early"})
        assert (await socket.get())[0]["type"] == "ConnectionDetails"
        assert (it.sandbox.gateway.violations, rule.fired) == (1, 1)
        assert await is_quiet(socket)


async def test_late_details_are_sent_before_recovered_notifications() -> None:
    async with gateway_client() as it:
        _, wsc = await it.subscribed()
        it.sandbox.gateway.cut()
        it.sandbox.gateway.late_details(0.01)
        again = await it.open(wsc)
        it.change()
        assert (await again.get())[1]["recoveryState"] == "Successful"
        assert await numbers(again, 1) == [2]


async def test_rules_that_have_not_applied_are_not_counted() -> None:
    async with gateway_client() as it:
        gateway = it.sandbox.gateway
        rules = [gateway.close(), gateway.silence(), gateway.inject("x"), gateway.error("a", "b")]
        rules += [gateway.drop(), gateway.fail_recovery(), gateway.no_answer()]
        assert [rule.fired for rule in rules] == [0] * len(rules)
