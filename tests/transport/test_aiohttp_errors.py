"""The errors and messages of failed connections."""

import asyncio
from typing import Any

import aiohttp
import pytest
from yarl import URL

from aiopresence import ConnectionFailed, PresenceSession
from aiopresence.sandbox import Raw, Reset, Sandbox
from aiopresence.transport import websocket
from tests.support.raw_server import RawServer, serving
from tests.support.sessions import PLENTY, Session

ADVICE = "a write may have been applied"


@pytest.mark.parametrize("fault", [Reset(), Raw(b"garbage\r\n\r\n"), Raw(b"")])
async def test_only_a_write_may_have_been_applied(
    sandbox: Sandbox, session: PresenceSession, fault: Any
) -> None:
    rule = sandbox.faults.add(fault, path="/presence", times=None)
    with pytest.raises(ConnectionFailed) as caught:
        await session.read_user_presence_status()
    assert ADVICE not in str(caught.value)
    outcomes = await session.read_user_presence_statuses(sandbox.extension_ids[:2])
    assert not any(ADVICE in str(outcome.error) for outcome in outcomes)
    with pytest.raises(ConnectionFailed, match=ADVICE) as caught:
        await session.update_user_presence_status({"message": "x"})
    assert caught.value.sent
    assert rule.fired == 3


async def test_a_login_is_no_write(sandbox: Sandbox) -> None:
    rule = sandbox.faults.add(Reset(), path="/oauth/token", times=None)
    async with Session(sandbox.grant, server=sandbox.url, attempts=1) as session:
        with pytest.raises(ConnectionFailed) as caught:
            await session.update_user_presence_status({"message": "x"})
    assert ADVICE not in str(caught.value)
    assert rule.fired == 1


@pytest.mark.parametrize("method", ["GET", "PUT"])
@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", "with HTTP 403"),
        (b"HTTP/1.1 407 Canary\r\nContent-Length: 0\r\n\r\n", "with HTTP 407.*password"),
        (b"HTTP/1.1 302 Found\r\nLocation: http://x/\r\nContent-Length: 0\r\n\r\n", "HTTP 302"),
        (b"", "did not connect"),
        (b"garbage\r\n\r\n", "did not connect"),
    ],
)
async def test_a_proxy_that_refuses_to_connect_is_named_and_nothing_was_sent(
    method: str, reply: bytes, reason: str
) -> None:
    async def refuse(_: RawServer, writer: asyncio.StreamWriter) -> None:
        writer.write(reply)
        writer.close()

    async with serving(refuse) as proxy:
        address = proxy.url.removeprefix("http://")
        async with (
            aiohttp.ClientSession(proxy=f"http://user:canary@{address}") as http,
            Session("t", server="https://presence.invalid", http=http, attempts=2) as session,
        ):
            with pytest.raises(ConnectionFailed, match=reason) as caught:
                await session.request(method, "/restapi/v1.0/account/~")
        assert f"the proxy {address} " in str(caught.value)
        assert "nothing was sent" in str(caught.value)
        assert "anary" not in str(caught.value)
        assert not caught.value.sent
        assert [line.split()[0] for line in proxy.requests] == ["CONNECT"] * len(proxy.requests)
        assert session.limits == {} or session.limits[""].remaining is None


async def test_a_proxy_that_does_not_listen_is_named() -> None:
    async with serving(lambda *_: asyncio.sleep(0)) as proxy:
        address = proxy.url.removeprefix("http://")
    async with (
        aiohttp.ClientSession(proxy=proxy.url) as http,
        Session("t", server="https://presence.invalid", http=http, attempts=1) as session,
    ):
        with pytest.raises(ConnectionFailed, match=f"cannot connect to the proxy {address}"):
            await session.read_user_presence_status()


@pytest.mark.parametrize("limits", [{"limit": 1}, {"limit_per_host": 1}])
async def test_a_pool_that_our_own_event_session_uses_up_is_named(limits: dict[str, Any]) -> None:
    async with (
        Sandbox(extensions=3, limits=PLENTY) as sandbox,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(**limits)) as http,
        Session(sandbox.grant, server=sandbox.url, http=http) as session,
    ):
        events = session.events()
        following = asyncio.ensure_future(anext(events))
        while not sandbox.gateway.subscriptions:
            await asyncio.sleep(0)
        with pytest.raises(ConnectionFailed, match="event sessions use all 1") as caught:
            await session.read_user_presence_status()
        assert not caught.value.sent
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        await events.aclose()
        assert (await session.read_user_presence_status()).extension is not None


async def test_a_proxy_that_refuses_an_event_session_is_named() -> None:
    async def refuse(_: RawServer, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 407 Canary\r\nContent-Length: 0\r\n\r\n")

    async with serving(refuse) as proxy:
        address = proxy.url.removeprefix("http://")
        async with aiohttp.ClientSession(proxy=f"http://user:canary@{address}") as http:
            with pytest.raises(ConnectionFailed, match=f"the proxy {address} .*407") as caught:
                await websocket.connect(
                    http, URL("wss://presence.invalid/ws?token=canary"), 5.0, {}
                )
        assert not caught.value.sent
        assert "anary" not in str(caught.value)
        assert len(proxy.requests) == 1
