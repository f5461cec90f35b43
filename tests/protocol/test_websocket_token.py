"""Where the token for events may be taken: to the server's own gateway and nowhere else."""

import json
from typing import Any

import pytest

from aiopresence import DecodeError, SessionLost
from aiopresence.protocol import websocket_token
from aiopresence.protocol.rest import Response

PLATFORM = "https://platform.ringcentral.com"
DEVTEST = "https://platform.devtest.ringcentral.com"
LOOPBACK = "http://127.0.0.1:8080"


def response(**said: Any) -> Response:
    answer = {"uri": "wss://ws-api.ringcentral.com/ws", "ws_access_token": "canary"} | said
    return Response(200, {}, json.dumps(answer).encode())


def test_the_token_is_read_and_never_shown() -> None:
    token = websocket_token.read(response(expires_in=600), PLATFORM, 0.0)
    assert token == websocket_token.WsToken(
        "wss://ws-api.ringcentral.com/ws", "canary", 480.0, 600.0
    )
    assert "canary" not in repr([token, token.ws_access_token])


ODD_LIFETIMES: list[Any] = [None, 0, -1, "600", True, [], {}]


@pytest.mark.parametrize(
    ("said", "lifetime"),
    [
        *((seconds, seconds) for seconds in (1, 30, 600, 0.5)),
        (86400, 600.0),
        *((odd, 30.0) for odd in ODD_LIFETIMES),
    ],
)
def test_a_token_is_good_for_as_long_as_the_answer_says(said: Any, lifetime: float) -> None:
    token = websocket_token.read(response(expires_in=said), PLATFORM, 1000.0)
    assert token.reuse_until == pytest.approx(1000.0 + 0.8 * lifetime)
    assert token.expires_at == pytest.approx(1000.0 + lifetime)


def test_a_token_is_good_for_30_seconds_if_the_answer_does_not_say() -> None:
    assert websocket_token.read(response(), PLATFORM, 1000.0).expires_at == 1030.0


@pytest.mark.parametrize(
    ("server", "uri"),
    [
        (PLATFORM, "wss://ws-api.ringcentral.com/ws"),
        (PLATFORM, "wss://ws-api.ringcentral.com:443/ws"),
        (PLATFORM, "wss://ringcentral.com"),
        (PLATFORM, "WSS://WS-API.RINGCENTRAL.COM/ws"),
        (PLATFORM, "wss://platform.ringcentral.com/a/b%20c"),
        (DEVTEST, "wss://ws-api.devtest.ringcentral.com/ws"),
        (DEVTEST, "wss://ws-api.ringcentral.com/ws"),
        ("https://api.example.com", "wss://ws-api.example.com/ws"),
        ("https://example.com", "wss://example.com/ws"),
        ("https://example.com", "wss://ws.example.com/ws"),
        ("https://api.example.co.uk", "wss://ws.example.co.uk/ws"),
        ("https://192.0.2.5", "wss://192.0.2.5/ws"),
        (LOOPBACK, "ws://127.0.0.1:9/ws"),
        (LOOPBACK, "ws://localhost:9/ws"),
        (LOOPBACK, "ws://[::1]:9/ws"),
        (LOOPBACK, "wss://127.0.0.1/ws"),
        ("https://localhost", "wss://localhost:9/ws"),
    ],
)
def test_the_server_s_own_gateway_is_gone_to_ws23(server: str, uri: str) -> None:
    assert websocket_token.read(response(uri=uri), server, 0.0).uri == uri


FOREIGN = [
    "ws://ws-api.ringcentral.com/ws",
    "https://ws-api.ringcentral.com/ws",
    "http://ws-api.ringcentral.com/ws",
    "//ws-api.ringcentral.com/ws",
    "ws-api.ringcentral.com/ws",
    "/ws",
    "",
    "wss:",
    "wss://",
    "wss:///ws",
    "wss:/ws-api.ringcentral.com",
    "wss://user@ws-api.ringcentral.com/ws",
    "wss://user:secret@ws-api.ringcentral.com/ws",
    "wss://@ws-api.ringcentral.com/ws",
    "wss://ws-api.ringcentral.com@evil.com/ws",
    "wss://ws-api.ringcentral.com:443@evil.com/ws",
    "wss://evil.com/ws",
    "wss://evil.com/.ringcentral.com",
    "wss://evil.com?.ringcentral.com",
    "wss://evil.com#.ringcentral.com",
    "wss://evil.com\\.ringcentral.com",
    "wss://ws-api.ringcentral.com.evil.com/ws",
    "wss://evilringcentral.com/ws",
    "wss://ringcentral.com.evil",
    "wss://ringcentral.co/ws",
    "wss://ringcentral.org/ws",
    "wss://com/ws",
    "wss://ws-api.ringcentral.com./ws",
    "wss://127.0.0.1/ws",
    "wss://localhost/ws",
    "wss://[::1]/ws",
    "wss://[::1/ws",
    "wss://192.0.2.1/ws",
    "wss://2130706433/ws",
    "wss://ws-api.ringcentral.com:8443/ws",
    "wss://ws-api.ringcentral.com:0/ws",
    "wss://ws-api.ringcentral.com:x/ws",
    "wss://ws-api.ringcentral.com:99999/ws",
    "wss://ws-api.ringcentral.com/ws?access_token=x",
    "wss://ws-api.ringcentral.com/ws#x",
    "wss://ws-api.ringcentral.com/ws\\x",
    "wss://ws-api.ringcentral.com/w s",
    "wss://ws-api.ringcentral.com/ws\r\nX: y",
    "wss://ws-api.ringcentral.com/\tws",
    "\nwss://ws-api.ringcentral.com/ws",
    " wss://ws-api.ringcentral.com/ws",
    "wss://ws-api.ringcentral.com/ws\x00",
    "wss://ws-api.ringcentral.com/\x7f",
    "wss://ws-api.ringcentral.com/ü",
    "wss://w\u017f.ringcentral.com/ws",
    "wss://evil\u3002com/.ringcentral.com",
]


@pytest.mark.parametrize("uri", FOREIGN)
def test_nothing_else_is_gone_to_ws23(uri: str) -> None:
    for server in (PLATFORM, DEVTEST):
        with pytest.raises(SessionLost) as caught:
            websocket_token.read(response(uri=uri), server, 0.0)
        assert "canary" not in str(caught.value)
        assert not uri or uri not in str(caught.value)


@pytest.mark.parametrize("name", ["evil.com%2f", "a;b", "*", "a%00", "a,b", "evil.com&"])
def test_a_name_that_no_host_has_is_not_looked_up_ws23(name: str) -> None:
    with pytest.raises(SessionLost):
        websocket_token.read(response(uri=f"wss://{name}.ringcentral.com/ws"), PLATFORM, 0.0)


@pytest.mark.parametrize(
    ("server", "uri"),
    [
        (LOOPBACK, "ws://192.0.2.1/ws"),
        (LOOPBACK, "ws://127.0.0.1.evil.com/ws"),
        (LOOPBACK, "ws://localhost.evil.com/ws"),
        (LOOPBACK, "wss://ws-api.ringcentral.com/ws"),
        (LOOPBACK, "http://127.0.0.1/ws"),
        (LOOPBACK, "ws://x@127.0.0.1/ws"),
        ("https://localhost", "ws://localhost/ws"),
        ("https://localhost", "wss://evil.com/ws"),
        ("https://api.example.com", "wss://ws-api.ringcentral.com/ws"),
        ("https://api.example.com", "wss://evilexample.com/ws"),
        ("https://example.com", "wss://other.com/ws"),
        ("https://example.com", "wss://com/ws"),
        ("https://proxy.co.uk", "wss://other.co.uk/ws"),
        # The neighbours of an address are not its domain.
        ("https://192.0.2.5", "wss://198.0.2.5/ws"),
        ("https://192.0.2.5", "wss://ws.0.2.5/ws"),
        ("https://[2001:db8::1]", "wss://[2001:db8::2]/ws"),
    ],
)
def test_nor_from_another_server_ws23(server: str, uri: str) -> None:
    with pytest.raises(SessionLost):
        websocket_token.read(response(uri=uri), server, 0.0)


@pytest.mark.parametrize("body", [b"", b"x", b"[]", b"null", b"5", b"{}", b'{"uri":"wss://x"}'])
def test_an_answer_without_a_token_cannot_be_read(body: bytes) -> None:
    with pytest.raises(DecodeError):
        websocket_token.read(Response(200, {}, body), PLATFORM, 0.0)


@pytest.mark.parametrize("value", [None, 5, "", [], {}, "a b", "ü", "a\r\nb"])
def test_a_token_that_is_none_cannot_be_read(value: Any) -> None:
    with pytest.raises(DecodeError, match="ws_access_token"):
        websocket_token.read(response(ws_access_token=value), PLATFORM, 0.0)


@pytest.mark.parametrize("value", [None, 5, [], {}, True])
def test_an_address_that_is_none_cannot_be_read(value: Any) -> None:
    with pytest.raises(DecodeError, match="uri"):
        websocket_token.read(response(uri=value), PLATFORM, 0.0)
