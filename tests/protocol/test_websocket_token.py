"""The token for WebSocket connections: its lifetime, and responses that hold none."""

import json
from typing import Any

import pytest

from aiopresence import ConnectionFailed, DecodeError
from aiopresence.protocol import websocket_token
from aiopresence.protocol.rest import Response

PLATFORM = "https://platform.ringcentral.com"


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


@pytest.mark.parametrize("uri", ["wss://evil.example/ws", "ws://ws-api.ringcentral.com/ws"])
def test_a_token_is_not_taken_to_a_host_that_is_not_the_server_s(uri: str) -> None:
    with pytest.raises(ConnectionFailed) as caught:
        websocket_token.read(response(uri=uri), PLATFORM, 0.0)
    assert caught.value.final
    assert "canary" not in str(caught.value)
    assert uri not in str(caught.value)


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
