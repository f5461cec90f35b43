"""WebSocket handshakes over a user's aiohttp session."""

import asyncio
import base64

import aiohttp
import pytest
from yarl import URL

from aiopresence import ConnectionFailed, PermissionDenied, PresenceError, ServerError
from aiopresence.transport import websocket
from aiopresence.transport.websocket import HandshakeRefused
from tests.support.raw_server import RawServer, serving


def answer(status: int, head: bytes = b"") -> bytes:
    return b"HTTP/1.1 %d X\r\nContent-Length: 0\r\n%b\r\n" % (status, head)


async def refuse(_: RawServer, writer: asyncio.StreamWriter) -> None:
    writer.write(answer(503))


def gateway(raw: RawServer) -> URL:
    return URL(raw.url.replace("http://", "ws://") + "/ws?access_token=canary")


async def test_middlewares_of_the_session_see_the_handshake() -> None:
    seen: list[str] = []

    async def middleware(
        request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        seen.append(request.url.path)
        return await handler(request)

    async with serving(refuse) as raw, aiohttp.ClientSession(middlewares=(middleware,)) as http:
        with pytest.raises(ServerError):
            await websocket.connect(http, gateway(raw), 5.0)
    assert seen == ["/ws"]


@pytest.mark.filterwarnings("ignore:.*deprecated:DeprecationWarning")
async def test_the_proxy_of_the_session_gets_its_credentials() -> None:
    auth = aiohttp.BasicAuth("user", "password")
    async with (
        serving(refuse) as proxy,
        aiohttp.ClientSession(proxy=proxy.url, proxy_auth=auth) as http,
    ):
        with pytest.raises(ServerError):
            await websocket.connect(http, URL("ws://presence.invalid/ws"), 5.0)
        credentials = base64.b64encode(b"user:password").decode().lower()
        assert f"proxy-authorization: basic {credentials}" in proxy.heads[0]


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (answer(302, b"Location: /elsewhere\r\n"), ConnectionFailed),
        (answer(403), PermissionDenied),
        (answer(404), HandshakeRefused),
        (answer(408), ConnectionFailed),
        (answer(500), ServerError),
        (b"garbage\r\n\r\n", ConnectionFailed),
    ],
)
async def test_a_refused_handshake_is_not_repeated_and_shows_no_token(
    reply: bytes, kind: type[PresenceError]
) -> None:
    async def handle(_: RawServer, writer: asyncio.StreamWriter) -> None:
        writer.write(reply)
        writer.close()

    async with serving(handle) as raw, aiohttp.ClientSession() as http:
        with pytest.raises(PresenceError) as caught:
            await websocket.connect(http, gateway(raw), 5.0)
        assert type(caught.value) is kind
        assert "canary" not in str(caught.value)
        assert caught.value.__cause__ is caught.value.__context__ is None
        assert len(raw.requests) == 1
