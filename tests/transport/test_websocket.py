"""The WebSocket handshake: refusals, redirects, and addresses that are not trusted."""

import asyncio
import json
import struct
from contextlib import aclosing, suppress
from typing import Any

import pytest
from aiohttp import ClientSession, TCPConnector, web
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from aiopresence import ConnectionFailed, PermissionDenied
from aiopresence.protocol.urls import gateway_address
from aiopresence.sandbox import Answer, Change, Hang, Redirect, Reset, Sandbox
from aiopresence.transport.http import HttpClient
from aiopresence.transport.network import Network
from tests.support.event_follower import HANDSHAKE, WSTOKEN, following, handshakes
from tests.support.virtual import virtual, virtual_sandbox, virtual_session
from tests.support.webhook_calls import served


@pytest.mark.fault
@pytest.mark.parametrize("path", [HANDSHAKE, WSTOKEN])
async def test_a_forbidden_handshake_is_raised(sandbox: Sandbox, path: str) -> None:
    rule = sandbox.faults.add(Answer.error(403, "CMN-401"), path=path)
    async with following(sandbox) as follower:
        with pytest.raises(PermissionDenied):
            await follower.task
    assert rule.fired == 1
    assert sandbox.gateway.frames == ()


@pytest.mark.fault
@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("path", [HANDSHAKE, WSTOKEN])
async def test_the_retry_after_of_a_refused_handshake_is_observed(
    sandbox: Sandbox, path: str, status: int
) -> None:
    fault = Answer.error(status, "CMN-301", headers={"Retry-After": "77"})
    rule = sandbox.faults.add(fault, path=path)
    async with following(sandbox) as follower:
        await follower.works()
        assert rule.fired == 1
        assert max(follower.session.clock.waits) >= 76.9
        assert sandbox.counters.token_requests == 1


@pytest.mark.fault
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirected_handshake_is_not_followed(
    sandbox: Sandbox, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    async with Sandbox(1) as other:
        rule = sandbox.faults.add(Redirect(f"{other.url}/ws", status), path=HANDSHAKE)
        async with following(sandbox) as follower:
            await follower.works()
        assert rule.fired == 1
        assert other.requests == []
    assert "WebSocket handshake with 127.0.0.1 failed: redirected elsewhere" in caplog.text


async def test_a_lost_handshake_is_reported_as_a_lost_connection(
    sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    rule = sandbox.faults.add(Reset(), path=HANDSHAKE)
    async with following(sandbox) as follower:
        await follower.works()
    assert rule.fired == 1
    host = sandbox.url.removeprefix("http://")
    assert f"connection to {host} lost before the response was complete" in caplog.text


@pytest.mark.fault
async def test_every_attempt_has_its_own_token(sandbox: Sandbox) -> None:
    rules = [
        sandbox.faults.add(fault, path=HANDSHAKE, times=3)
        for fault in (Reset(), Answer(500), Answer(200), Answer(404))
    ]
    async with following(sandbox) as follower:
        await follower.works()
        assert [rule.fired for rule in rules] == [3, 3, 3, 3]
        queries = [each.query for each in sandbox.requests if each.path == "/ws"]
        assert len({*queries}) == len(queries) == 13
        assert 401 not in handshakes(sandbox)
        # Twelve failures: 1 + 2 + … seconds, with jitter.
        assert follower.session.clock.skipped > 20


def lead_to(uri: str) -> Change:
    return Change(lambda body: json.dumps(json.loads(body) | {"uri": uri}).encode())


@pytest.mark.fault
@pytest.mark.parametrize("uri", ["wss://evil.example/ws", "ws://192.0.2.1/ws", "ws://x@127.0.0.1/"])
async def test_a_gateway_on_another_domain_is_not_connected_to(sandbox: Sandbox, uri: str) -> None:
    rule = sandbox.faults.add(lead_to(uri), path=WSTOKEN)
    async with following(sandbox) as follower:
        with pytest.raises(ConnectionFailed, match="not wss on the server's own domain"):
            await follower.task
    assert rule.fired == 1
    assert handshakes(sandbox) == []


@pytest.mark.fault
@virtual
async def test_a_handshake_without_a_response_is_given_up_and_repeated(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with virtual_sandbox() as sandbox, virtual_session(sandbox, timeout=20.0) as session:
        rule = sandbox.faults.add(Hang(), path=HANDSHAKE)
        async with aclosing(session.events()) as events:
            waiting = asyncio.ensure_future(anext(events))
            started_at = asyncio.get_running_loop().time()
            while not sandbox.gateway.subscriptions:
                await asyncio.sleep(0.1)
            assert 20.0 <= asyncio.get_running_loop().time() - started_at < 30.0
            sandbox.ring(sandbox.user_ids[0])
            await waiting
        assert rule.fired == 1
        assert "no WebSocket handshake with 127.0.0.1 within 20 s" in caplog.text


@virtual
async def test_a_gateway_that_sends_on_instead_of_acknowledging_a_close_cannot_prevent_it() -> None:
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()

    async def send_on(request: web.Request) -> web.WebSocketResponse:
        gateway = web.WebSocketResponse()
        await gateway.prepare(request)
        await gateway.send_str('[{"type": "ConnectionDetails"}, {}]')
        notification = b'[{"type": "ServerNotification"}, {"body": {}}]'
        frame = struct.pack("!BB", 0x81, len(notification)) + notification
        # So many that the client is still receiving them when it closes.
        request.transport.write(frame * 1000)  # type: ignore[union-attr] # it is connected
        with suppress(ConnectionError):
            while True:
                await gateway.ping()
                await asyncio.sleep(0.5)
        ended.set()
        return gateway

    async with virtual_sandbox() as sandbox, served(send_on) as gateway:
        sandbox.faults.add(lead_to(gateway.url.replace("http", "ws")), path=WSTOKEN)
        async with asyncio.timeout(10.0), virtual_session(sandbox) as session:
            async with aclosing(session.events()) as events:
                await anext(events)
                closed_at = loop.time()
            assert 1.0 <= loop.time() - closed_at < 1.5
            await ended.wait()


class Nowhere(AbstractResolver):
    """Finds no name."""

    async def resolve(self, *_: Any, **__: Any) -> list[ResolveResult]:
        raise OSError("Name or service not known")

    async def close(self) -> None:
        pass


async def test_a_gateway_with_a_name_that_cannot_be_decoded_is_a_failed_connection() -> None:
    # The error of yarl, which decodes Punycode to show a host, was a bare ValueError.
    url = URL(gateway_address("wss://xn--9.ringcentral.com/ws", "https://a.ringcentral.com"))
    async with ClientSession(connector=TCPConnector(resolver=Nowhere())) as http:
        pool = HttpClient("https://a.ringcentral.com", http, 3.0, Network())
        with pytest.raises(ConnectionFailed, match=r"cannot connect to xn--9\.ringcentral\.com:44"):
            await pool.connect(url)
