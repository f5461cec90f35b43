"""Events over real WebSockets to the sandbox: faults, recovery, and cleaning up."""

import asyncio
import gc
import json
import logging
import zlib
from contextlib import suppress
from typing import Any
from urllib.parse import parse_qs

import aiohttp
import pytest

from aiopresence import InvalidRequest, PermissionDenied, PresenceError, ResyncReason, SessionLost
from aiopresence.protocol.event_outputs import SessionOutput
from aiopresence.protocol.event_session import EventSession
from aiopresence.protocol.retry import SECOND_CHANCE_DELAY
from aiopresence.sandbox import Answer, GatewayRule, Redirect, Reset, Sandbox
from tests.support.event_follower import (
    HANDSHAKE,
    WSTOKEN,
    Follower,
    carries_wsc,
    change,
    following,
    handshakes,
    when,
)
from tests.support.sessions import Session
from tests.support.virtual import block, virtual, virtual_sandbox, virtual_session
from tests.test_secrets import everything_about


def raw(sandbox: Sandbox, *frames: bytes) -> None:
    """Send raw bytes on every open WebSocket."""
    for connection in sandbox.gateway._gateway.connections:
        for frame in frames:
            connection._transport.write(frame)


def leftovers() -> set[str]:
    """Return the names of the library's tasks that still run."""
    names = {str(task.get_coro()) for task in asyncio.all_tasks()}
    return {name for name in names if "EventConnection." in name or "asyncgen" in name}


# Broken connections.


@pytest.mark.fault
@pytest.mark.parametrize("code", [1000, 1001, 1006, 1008, 1011, 1012, 1013, 4000, 4999])
async def test_a_session_is_recovered_after_any_close_code(sandbox: Sandbox, code: int) -> None:
    async with following(sandbox) as follower:
        await follower.works()
        assert sandbox.gateway.close(code).fired == 1
        change(sandbox)
        await when(lambda: handshakes(sandbox) == [101, 101])
        await follower.works()
        assert follower.reasons == []
        assert sandbox.gateway.violations == 0


@pytest.mark.fault
async def test_a_session_is_recovered_after_a_reset(sandbox: Sandbox) -> None:
    async with following(sandbox) as follower:
        await follower.works()
        before = len(follower.events)
        assert sandbox.gateway.cut().fired == 1
        change(sandbox)
        change(sandbox)
        await when(lambda: len(follower.events) == before + 2)
        assert follower.reasons == []


@pytest.mark.fault
@pytest.mark.parametrize("after", range(1, 6))
async def test_a_reset_after_any_frame_loses_nothing_without_a_resync(
    sandbox: Sandbox, after: int
) -> None:
    rule = sandbox.gateway.cut(after=after, times=2)
    async with following(sandbox) as follower:
        for _ in range(10):
            await follower.works()
        await when(lambda: rule.fired == 2)
        await follower.works()
        assert len(sandbox.gateway.subscriptions) >= 1


@pytest.mark.fault
async def test_a_half_open_connection_is_detected(sandbox: Sandbox) -> None:
    async with following(sandbox) as follower:
        await follower.works()
        assert sandbox.gateway.silence().fired == 1
        skipped = follower.session.clock.skipped
        await when(lambda: handshakes(sandbox) == [101, 101])
        await follower.works()
        assert 0 < follower.session.clock.skipped - skipped < 180


SQUEEZED = zlib.compress(b'[{"type":"Heartbeat"}]')[2:-4]
BAD_FRAMES = {
    "compressed": bytes([0xC1, len(SQUEEZED)]) + SQUEEZED,
    "reserved bits": b"\xb1\x00",
    "unknown opcode": b"\x83\x00",
    "invalid UTF-8": b"\x81\x02\xc3\x28",
    "continuation of nothing": b"\x80\x01x",
    "long ping": b"\x89\x7e\x00\x7e" + b"x" * 126,
    "half a close code": b"\x88\x01\x03",
    "fragments without end": b"\x01\x00" + (b"\x00\x7e\xff\xff" + b"x" * 0xFFFF) * 70,
    "5 MiB": b"\x81\x7f" + (5 * 2**20).to_bytes(8, "big") + b"x" * 2**20,
}


@pytest.mark.fault
@pytest.mark.parametrize("kind", BAD_FRAMES)
async def test_an_invalid_websocket_frame_ends_the_connection(sandbox: Sandbox, kind: str) -> None:
    async with following(sandbox) as follower:
        await follower.works()
        raw(sandbox, BAD_FRAMES[kind])
        await when(lambda: handshakes(sandbox) == [101, 101])
        await follower.works()
        # A recovery would replay it.
        assert "wsc" not in sandbox.requests[-1].query
        assert follower.reasons == [ResyncReason.CONNECTION_LOST]


@pytest.mark.fault
async def test_after_an_hour_of_suspension_a_connection_is_replaced(sandbox: Sandbox) -> None:
    async with following(sandbox) as follower:
        await follower.works()
        follower.session.clock.skipped += 3600.0
        await when(lambda: handshakes(sandbox) == [101, 101])
        await follower.works()
        assert "wsc" not in sandbox.requests[-1].query
        assert follower.reasons == [ResyncReason.CONNECTION_LOST]


@pytest.mark.fault
@virtual
async def test_a_pong_that_arrived_while_the_event_loop_was_blocked_counts() -> None:
    async with virtual_sandbox() as sandbox, virtual_session(sandbox) as session:
        events = session.events()
        first = asyncio.ensure_future(anext(events))
        await asyncio.sleep(1)
        [connection] = sandbox.gateway._gateway.connections
        write, blocked = type(connection)._write, 0

        def write_and_block(self: Any, opcode: int, data: bytes) -> None:
            nonlocal blocked
            write(self, opcode, data)
            if opcode == 0xA:
                blocked += 1
                block(6.0)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(type(connection), "_write", write_and_block)
            await asyncio.sleep(100)
        assert blocked >= 3
        change(sandbox)
        await first
        await events.aclose()
        assert session.stats.connections == 1


@pytest.mark.fault
async def test_a_connection_without_details_is_replaced(sandbox: Sandbox) -> None:
    rule = sandbox.gateway.without_details()
    async with following(sandbox) as follower:
        await follower.works()
        assert rule.fired == 1
        assert handshakes(sandbox) == [101, 101]
        assert sandbox.gateway.violations == 0
        assert follower.session.clock.skipped >= 10.0


@pytest.mark.fault
async def test_a_masked_frame_is_read_like_any_other(sandbox: Sandbox) -> None:
    """Servers must not mask frames, but aiohttp accepts it."""
    async with following(sandbox) as follower:
        await follower.works()
        text = b'[{"type":"Heartbeat"}]'
        raw(sandbox, bytes([0x81, 0x80 + len(text)]) + b"mask" + masked(text, b"mask"))
        await follower.works()
        assert (handshakes(sandbox), follower.reasons) == ([101], [])


def masked(data: bytes, key: bytes) -> bytes:
    return bytes(byte ^ key[number % 4] for number, byte in enumerate(data))


@pytest.mark.fault
async def test_a_binary_frame_is_a_resync_and_keeps_the_connection(sandbox: Sandbox) -> None:
    async with following(sandbox) as follower:
        await follower.works()
        assert sandbox.gateway.inject(b"\x00\xff").fired == 1
        await when(lambda: follower.reasons == [ResyncReason.UNREADABLE])
        await follower.works()
        assert handshakes(sandbox) == [101]


@pytest.mark.parametrize("garbage", ["", "garbage", "[]", "[{}]", b"\x00"])
@pytest.mark.parametrize("skip", [0, 1, 2, 3])
async def test_the_session_continues_after_garbage_in_place_of_any_frame(
    sandbox: Sandbox, skip: int, garbage: str | bytes
) -> None:
    rule: GatewayRule = sandbox.gateway.replace(lambda _: garbage, skip=skip)
    async with following(sandbox) as follower:
        for _ in range(4):
            await follower.works()
        assert rule.fired == 1
        assert follower.task.done() is False


@pytest.mark.parametrize("kind", ["Heartbeat", "Error"])
async def test_the_session_continues_after_a_truncated_heartbeat_or_error(
    sandbox: Sandbox, kind: str
) -> None:
    truncated: list[str] = []

    def truncate(text: str) -> str:
        if json.loads(text)[0]["type"] != kind:
            return text
        truncated.append(text)
        return text[:-1]

    async with following(sandbox) as follower:
        await follower.works()
        sandbox.gateway.replace(truncate, times=None)
        if kind == "Error":
            rule = sandbox.gateway.refuse_subscription(503, "CMN-201")
            sandbox.gateway.fail_recovery()
        sandbox.gateway.cut()
        await when(lambda: truncated)
        await follower.works()
        if kind == "Error":
            assert rule.fired == 1
            assert follower.reasons == [ResyncReason.CONNECTION_LOST]
        else:
            assert ResyncReason.UNREADABLE in follower.reasons


@pytest.mark.fault
async def test_a_missing_response_is_requested_again(sandbox: Sandbox) -> None:
    rule = sandbox.gateway.no_answer()
    async with following(sandbox) as follower:
        await when(lambda: len(handshakes(sandbox)) == 2)
        await follower.works()
        assert rule.fired == 1
        sent = [each.text for each in sandbox.gateway.frames if each.direction == "in"]
        assert sum("eventFilters" in str(each) for each in sent) == 2


# Keepalive and load.


@pytest.mark.fault
async def test_pings_are_answered_while_nobody_consumes_events(
    sandbox: Sandbox, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    pongs: list[object] = []
    pong = aiohttp.ClientWebSocketResponse.pong

    async def counted(self: aiohttp.ClientWebSocketResponse, message: bytes = b"") -> None:
        pongs.append(message)
        await pong(self, message)

    monkeypatch.setattr(aiohttp.ClientWebSocketResponse, "pong", counted)
    events = session.events()
    first = asyncio.ensure_future(anext(events))
    await when(lambda: sandbox.gateway.subscriptions)
    for _ in range(1000):
        change(sandbox)
        await asyncio.sleep(0)
        if first.done():
            break
    await first
    # From here on nobody consumes anything.
    for number in range(20):
        raw(sandbox, b"\x89\x02" + f"{number:02}".encode())
        change(sandbox)
    pings = sandbox.gateway.pings
    await when(lambda: len(pongs) == 20)
    await when(lambda: sandbox.gateway.pings > pings + 2)
    assert pongs == [f"{number:02}".encode() for number in range(20)]
    assert handshakes(sandbox) == [101]
    await events.aclose()


@pytest.mark.fault
async def test_a_flood_of_frames_does_not_starve_other_tasks(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken, at_once = 0, [0]
    receive = EventSession.receive

    def counted(self: EventSession, now: float, text: str) -> list[SessionOutput]:
        nonlocal taken
        taken += 1
        return receive(self, now, text)

    async def watch() -> None:
        before = taken
        while taken < 1000:
            await asyncio.sleep(0)
            at_once.append(taken - before)
            before = taken

    async with following(sandbox) as follower:
        await follower.works()
        monkeypatch.setattr(EventSession, "receive", counted)
        text = b'[{"type":"Heartbeat"}]'
        raw(sandbox, (bytes([0x81, len(text)]) + text) * 1000)
        async with asyncio.timeout(5):
            await watch()
    assert 10 < max(at_once) <= 20


@pytest.mark.fault
async def test_an_expired_access_token_does_not_end_a_connection(
    sandbox: Sandbox,
) -> None:
    async with following(sandbox) as follower:
        await follower.works()
        sandbox.expire_tokens()
        follower.session.clock.skipped += 10.0
        await follower.works()
        await follower.session.read_user_presence_status()
        assert sandbox.counters.token_requests == 2
        await follower.works()
        assert handshakes(sandbox) == [101]


# Secrets.


def secrets_of(sandbox: Sandbox) -> set[str]:
    secrets = {each.token for each in sandbox.requests if each.token}
    for each in sandbox.requests:
        if each.path == "/ws":
            secrets |= {value for values in parse_qs(each.query).values() for value in values}
    return {each for each in secrets if each}


@pytest.mark.fault
async def test_no_token_is_logged_or_shown(
    sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    asyncio.get_running_loop().set_debug(True)
    shown: list[str] = []
    for status in (401, 429, 500, 404):
        sandbox.faults.add(Answer(status, b"no"), path=HANDSHAKE)
    sandbox.faults.add(Reset(), path=HANDSHAKE)
    sandbox.faults.add(Redirect("https://evil.example/"), path=HANDSHAKE)
    async with following(sandbox) as follower:
        await follower.works()
        sandbox.gateway.inject("garbage")
        sandbox.gateway.cut()
        await follower.works()
        sandbox.gateway.error("WSG-902", "Idle", 408)
        await when(lambda: sandbox.gateway.connections == 0)
        await follower.works()
        shown += [repr([follower.session, vars(follower.session), follower.got])]
        # A first refusal does not end the stream.
        sandbox.faults.add(Answer(403), path=HANDSHAKE, times=2)
        sandbox.gateway.cut()
        with pytest.raises(PermissionDenied) as caught:
            await follower.task
        shown += everything_about(caught.value)
    secrets = secrets_of(sandbox)
    assert any(each.startswith("SandboxWsc") for each in secrets)
    assert any(each.startswith("SandboxWsToken") for each in secrets)
    assert "trying again" in caplog.text
    shown += [f"{each.getMessage()} {each.args!r}" for each in caplog.records]
    text = "\n".join([caplog.text, *shown])
    assert [each for each in secrets if each in text] == []


@pytest.mark.parametrize("place", ["details", "subscription", "disabled filter"])
async def test_no_token_that_the_gateway_repeats_is_logged_or_shown(
    sandbox: Sandbox, caplog: pytest.LogCaptureFixture, place: str
) -> None:
    caplog.set_level(logging.DEBUG)
    secrets: set[str] = set()

    def repeat(text: str) -> str:
        meta, body = json.loads(text)
        secrets.update(secrets_of(sandbox))
        if "wsc" in meta:
            secrets.add(meta["wsc"]["token"])
        echo = " ".join(secrets)
        if place == "disabled filter":
            body["disabledFilters"] = [{"filter": echo, "reason": echo, "message": echo}]
        else:
            meta["status"], body = 403, {"errorCode": f"CMN-401 {echo}", "message": echo}
        return json.dumps([meta, body])

    rule = sandbox.gateway.replace(repeat, times=None, skip=0 if place == "details" else 1)
    async with following(sandbox) as follower:
        with pytest.raises(PermissionDenied) as caught:
            await follower.task
        # Without the frame of this test, which has the secrets.
        shown = everything_about(caught.value.with_traceback(None))
    assert rule.fired == 1
    assert len(secrets) >= 2
    text = "\n".join([caplog.text, *shown])
    assert [each for each in secrets if each in text] == []


# Cleaning up.


@pytest.mark.fault
@pytest.mark.parametrize("end", ["aclose", "close", "cancel", "abandon"])
async def test_nothing_is_left_behind(sandbox: Sandbox, end: str) -> None:
    session = Session(sandbox.grant, server=sandbox.url, attempts=1)
    await session.__aenter__()
    events = session.events()
    first = asyncio.ensure_future(anext(events))
    await when(lambda: sandbox.gateway.subscriptions)
    change(sandbox)
    await first
    assert leftovers()
    if end == "aclose":
        await events.aclose()
        await events.aclose()
    elif end == "close":
        await session.close()
        with pytest.raises(SessionLost, match="closed"):
            await anext(events)
    elif end == "cancel":
        task = asyncio.ensure_future(anext(events))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    else:
        del events, first
        gc.collect()
    await when(lambda: sandbox.gateway.connections == 0)
    await when(lambda: not leftovers())
    await session.close()


@pytest.mark.fault
@pytest.mark.parametrize("steps", [*range(0, 60, 3), *range(60, 200, 20)])
async def test_cancelling_at_any_step_leaves_nothing_behind(sandbox: Sandbox, steps: int) -> None:
    async with following(sandbox) as follower:
        for _ in range(steps):
            await asyncio.sleep(0)
        follower.task.cancel()
        with suppress(asyncio.CancelledError, PresenceError):
            await follower.task
        await when(lambda: not leftovers())
        await when(lambda: sandbox.gateway.connections == 0)
        again = Follower(sandbox, follower.session)
        again.task = asyncio.create_task(again.run())
        await again.works()
        again.task.cancel()
        await asyncio.gather(again.task, return_exceptions=True)


async def test_a_close_after_many_unreadable_frames_is_handled(sandbox: Sandbox) -> None:
    async with following(sandbox) as follower:
        await follower.works()
        for _ in range(60):
            sandbox.gateway.inject("[]")
        sandbox.gateway.close(1001)
        await follower.works()


async def test_a_stream_that_has_worked_survives_one_refusal(sandbox: Sandbox) -> None:
    async with following(sandbox) as follower:
        await follower.works()
        once = sandbox.faults.add(Answer(403), path=HANDSHAKE)
        sandbox.gateway.cut()
        await when(lambda: once.fired)
        await follower.works()
        assert max(follower.session.clock.waits) >= SECOND_CHANCE_DELAY


# The recovery token.


@pytest.mark.parametrize("status", [400, 403, 404, 410])
async def test_an_address_that_is_refused_is_not_sent_with_the_same_recovery_token_again(
    sandbox: Sandbox, status: int
) -> None:
    async with following(sandbox) as follower:
        await follower.works()
        rule = sandbox.faults.add(Answer(status), path=HANDSHAKE)
        sandbox.gateway.cut()
        await follower.works()
        assert rule.fired == 1
        assert handshakes(sandbox) == [101, status, 101]
        assert [*map(carries_wsc, sandbox.requests)].count(True) == 1
        assert follower.reasons == [ResyncReason.CONNECTION_LOST]


@pytest.mark.parametrize("fault", [Reset(), Answer(503), Answer(429), Answer(401)])
async def test_a_failure_that_is_not_about_the_recovery_token_keeps_it(
    sandbox: Sandbox, fault: Reset | Answer
) -> None:
    async with following(sandbox) as follower:
        await follower.works()
        rule = sandbox.faults.add(fault, path=HANDSHAKE)
        sandbox.gateway.cut()
        await follower.works()
        assert rule.fired == 1
        assert [*map(carries_wsc, sandbox.requests)].count(True) == 2
        assert follower.reasons == []


@pytest.mark.parametrize("status", [None, 400, 200])
async def test_a_recovery_token_that_the_gateway_refuses_is_sent_once(
    sandbox: Sandbox, status: int | None
) -> None:
    def refuse(text: str) -> str:
        meta = {"type": "Error", "messageId": "e"} | ({"status": status} if status else {})
        return json.dumps([meta, {"errorCode": "WSG-400", "message": "Malformed token"}])

    async with following(sandbox) as follower:
        await follower.works()
        sandbox.gateway.cut()
        await when(lambda: sandbox.gateway.connections == 0)
        rule = sandbox.gateway.replace(refuse)
        await when(lambda: follower.reasons)
        assert rule.fired == 1
        assert [*map(carries_wsc, sandbox.requests)].count(True) == 1
        assert follower.reasons == [ResyncReason.CONNECTION_LOST]


async def test_a_missing_echo_is_a_resync_at_its_deadline(sandbox: Sandbox) -> None:
    async with following(sandbox) as follower:
        await follower.works()
        sandbox.gateway.cut()
        await when(lambda: sandbox.gateway.connections == 0)
        rule = sandbox.gateway.replace(
            lambda text: text.replace('"messageId":"', '"messageId":"x'), skip=1
        )
        await when(lambda: follower.reasons)
        assert rule.fired == 1
        assert follower.reasons == [ResyncReason.RECOVERY_INCOMPLETE]
        await follower.works()
        assert handshakes(sandbox) == [101, 101]


# Errors in a stream that has worked.


@pytest.mark.parametrize("path", [HANDSHAKE, WSTOKEN])
@pytest.mark.parametrize("status", [400, 404, 405, 410, 415])
async def test_no_unexpected_status_ends_a_stream_that_has_worked(
    sandbox: Sandbox, path: str, status: int
) -> None:
    async with following(sandbox) as follower:
        await follower.works()
        follower.session.clock.skipped += 31.0
        rule = sandbox.faults.add(Answer(status), path=path, times=12)
        sandbox.gateway.cut()
        await follower.works()
        assert rule.fired == 12


async def test_a_stream_that_has_worked_waits_while_there_are_too_many_subscriptions(
    sandbox: Sandbox,
) -> None:
    async with following(sandbox) as follower:
        await follower.works()
        sandbox.gateway.fail_recovery(None)
        rule = sandbox.gateway.refuse_subscription(400, "SUB-505", times=5)
        sandbox.gateway.cut()
        await follower.works()
        assert rule.fired == 5


async def test_a_refused_filter_ends_a_stream_at_the_second_check(sandbox: Sandbox) -> None:
    async with following(sandbox) as follower:
        await follower.works()
        sandbox.gateway.fail_recovery(None)
        rule = sandbox.gateway.refuse_subscription(400, "SUB-508", times=2)
        sandbox.gateway.cut()
        skipped = follower.session.clock.skipped
        with pytest.raises(InvalidRequest, match="SUB-508"):
            await follower.task
        assert rule.fired == 2
        assert follower.session.clock.skipped - skipped >= SECOND_CHANCE_DELAY


async def test_a_filter_that_is_disabled_later_is_checked_with_a_new_subscription(
    sandbox: Sandbox,
) -> None:
    def disable(text: str) -> str:
        meta, body = json.loads(text)
        if meta["type"] == "ClientRequest":
            first = {"filter": body["eventFilters"][0], "reason": "CMN-401", "message": "No."}
            body["disabledFilters"] = [first]
        return json.dumps([meta, body])

    async with following(sandbox) as follower:
        await follower.works()
        sandbox.gateway.fail_recovery()
        sandbox.gateway.replace(disable, times=None)
        sandbox.gateway.cut()
        with pytest.raises(PermissionDenied):
            await follower.task
        requests = [each for each in sandbox.gateway.frames if "deliveryMode" in str(each.text)]
        assert sum(each.direction == "in" for each in requests) == 3


# The log.


async def test_every_wait_of_more_than_a_second_is_logged_with_its_reason(
    sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    for fault in (Answer(503, headers={"Retry-After": "77"}), *[Answer(503)] * 7):
        sandbox.faults.add(fault, path=WSTOKEN)
    async with following(sandbox) as follower:
        await follower.works()
        waits = [wait for wait in follower.session.clock.waits if wait > 1.0]
    logged = [r for r in caplog.records if r.getMessage().startswith("reconnecting in")]
    reasons = [each.getMessage().partition(": ")[2] for each in logged]
    assert reasons[0] == "the server's Retry-After"
    assert {*reasons[1:]} <= {f"backoff, failures in a row: {number}" for number in range(2, 9)}
    assert len(waits) >= len(logged) >= 2
    assert all((r.levelno == logging.WARNING) == (r.args[0] > 3.0) for r in logged)  # type: ignore[index, operator]


async def test_all_notifications_of_one_frame_are_emitted(sandbox: Sandbox) -> None:
    async with following(sandbox) as follower:
        await follower.works()
        before = len(follower.events)
        meta = {"type": "ServerNotification", "messageId": "n"}
        more = [{"uuid": f"more-{n}", "event": "/x", "body": {}} for n in range(3)]
        sandbox.gateway.inject(json.dumps([meta, *more]))
        await when(lambda: len(follower.events) == before + 3)
        assert [each.uuid for each in follower.events[before:]] == ["more-0", "more-1", "more-2"]
