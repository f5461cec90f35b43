"""WebSocket tokens: their lifetime, responses that have none, and which one a connection gets."""

import json
from typing import Any

import pytest

from aiopresence import ConnectionFailed, DecodeError
from aiopresence.protocol import websocket_token
from aiopresence.protocol.rest import Response
from aiopresence.protocol.websocket_token import TokenPolicy, WsToken

PLATFORM = "https://platform.ringcentral.com"
GATEWAY = "wss://ws-api.ringcentral.com/ws"


def response(**fields: Any) -> Response:
    body = {"uri": GATEWAY, "ws_access_token": "canary"} | fields
    return Response(200, {}, json.dumps(body).encode())


def test_the_token_is_parsed_and_never_shown() -> None:
    token = websocket_token.parse(response(expires_in=600), PLATFORM, 0.0)
    assert token == WsToken(GATEWAY, "canary", 480.0, 600.0)
    assert "canary" not in repr([token, token.ws_access_token])


ODD_LIFETIMES: list[Any] = [None, 0, -1, "600", True, [], {}]


@pytest.mark.parametrize(
    ("expires_in", "lifetime"),
    [
        *((seconds, seconds) for seconds in (1, 30, 600, 0.5)),
        (86400, 600.0),
        *((odd, 30.0) for odd in ODD_LIFETIMES),
    ],
)
def test_a_token_expires_when_the_response_says(expires_in: Any, lifetime: float) -> None:
    token = websocket_token.parse(response(expires_in=expires_in), PLATFORM, 1000.0)
    assert token.fresh_until == pytest.approx(1000.0 + 0.8 * lifetime)
    assert token.expires_at == pytest.approx(1000.0 + lifetime)


def test_a_token_expires_after_30_seconds_if_the_response_does_not_say() -> None:
    assert websocket_token.parse(response(), PLATFORM, 1000.0).expires_at == 1030.0


@pytest.mark.parametrize("uri", ["wss://evil.example/ws", "ws://ws-api.ringcentral.com/ws"])
def test_an_address_on_another_domain_is_refused_for_good(uri: str) -> None:
    with pytest.raises(ConnectionFailed) as caught:
        websocket_token.parse(response(uri=uri), PLATFORM, 0.0)
    assert caught.value.final
    assert "canary" not in str(caught.value)
    assert uri not in str(caught.value)


@pytest.mark.parametrize("body", [b"", b"x", b"[]", b"null", b"5", b"{}", b'{"uri":"wss://x"}'])
def test_a_response_without_a_token_is_a_decode_error(body: bytes) -> None:
    with pytest.raises(DecodeError):
        websocket_token.parse(Response(200, {}, body), PLATFORM, 0.0)


@pytest.mark.parametrize("value", [None, 5, "", [], {}, "a b", "ü", "a\r\nb"])
def test_a_token_that_cannot_be_one_is_a_decode_error(value: Any) -> None:
    with pytest.raises(DecodeError, match="ws_access_token"):
        websocket_token.parse(response(ws_access_token=value), PLATFORM, 0.0)


@pytest.mark.parametrize("value", [None, 5, [], {}, True])
def test_an_address_that_cannot_be_one_is_a_decode_error(value: Any) -> None:
    with pytest.raises(DecodeError, match="uri"):
        websocket_token.parse(response(uri=value), PLATFORM, 0.0)


# Which token a connection gets. The token is fresh until 24 and expires at 30.

TOKEN = WsToken(GATEWAY, "t", 24.0, 30.0)


def policy(*, is_reused: bool = False) -> TokenPolicy:
    made = TokenPolicy()
    made.issued(TOKEN)
    made.is_reused = is_reused
    return made


def test_a_token_can_be_reused_until_it_expires() -> None:
    assert TokenPolicy().reusable(0.0) is None
    assert policy().reusable(29.9) is TOKEN
    assert policy().reusable(30.0) is None


@pytest.mark.parametrize(
    ("now", "wait", "wait_behind", "is_reused"),
    [
        # There are slots for two requests, or for one, or none.
        (0.0, 0.0, 0.0, False),
        (0.0, 0.0, 60.0, True),
        (0.0, 60.0, 60.0, True),
        # The last slot is used when the token is no longer fresh.
        (24.0, 0.0, 60.0, False),
        (24.0, 60.0, 60.0, True),
        # A second is short enough to wait.
        (0.0, 1.0, 1.0, False),
        (0.0, 1.1, 1.1, True),
    ],
)
def test_a_token_is_reused_where_a_new_one_would_have_to_wait(
    now: float, wait: float, wait_behind: float, is_reused: bool
) -> None:
    assert policy().prefers_reuse(now, wait, wait_behind) is is_reused


def test_the_second_refusal_of_new_tokens_in_a_row_asks_for_another_access_token() -> None:
    tokens, asked = policy(), []
    for step in (tokens.refused, tokens.refused, tokens.access_token_replaced):
        tokens.issued(TOKEN)
        step()
        asked.append(tokens.needs_access_token)
    assert asked == [False, True, False]


def test_an_accepted_token_resets_the_count_of_refusals() -> None:
    tokens = policy()
    tokens.refused()
    tokens.issued(TOKEN)
    tokens.accepted()
    tokens.refused()
    assert not tokens.needs_access_token


def test_the_refusal_of_a_reused_token_says_nothing_about_the_access_token() -> None:
    tokens = policy(is_reused=True)
    for _ in range(3):
        tokens.refused()
    assert tokens.reusable(0.0) is None
    assert not tokens.needs_access_token


def test_a_discarded_token_is_not_reused() -> None:
    tokens = policy()
    tokens.discard()
    assert tokens.reusable(0.0) is None
    assert not tokens.needs_access_token


def test_errors_say_what_the_response_lacks() -> None:
    for fields, message, path in (
        ({"ws_access_token": None}, "no usable token", "$.ws_access_token"),
        ({"uri": None}, "no address", "$.uri"),
    ):
        with pytest.raises(DecodeError) as caught:
            websocket_token.parse(response(**fields), PLATFORM, 0.0)
        assert (caught.value.reason, caught.value.path) == (message, path)


def test_a_new_access_token_allows_two_refusals_again() -> None:
    policy = TokenPolicy()
    assert policy.is_reused is False
    for _ in range(2):
        policy.refused()
    policy.access_token_replaced()
    policy.refused()
    assert not policy.needs_access_token
    policy.refused()
    assert policy.needs_access_token
