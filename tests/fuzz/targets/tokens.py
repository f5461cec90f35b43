"""Tokens: responses of the token endpoints, and what a store has kept."""

from typing import Any

from aiopresence import ConnectionFailed, DecodeError, Response
from aiopresence.protocol import oauth, websocket_token
from aiopresence.redaction import STARS
from aiopresence.redis.token_codec import TokenCodec
from tests.fuzz.checks import check_error
from tests.fuzz.choices import Choices, mutated_text
from tests.fuzz.documents import NUMBERS, SECRET, any_value, written

NOW, WALL = 1000.0, 1_770_000_000.0
SERVER = "https://platform.ringcentral.com"


def token_responses(data: bytes) -> None:
    """A response to a login is a token with a sensible lifetime, or a DecodeError."""
    choices = Choices(data)
    body = {
        "access_token": _token(choices),
        "refresh_token": _token(choices),
        "expires_in": _seconds(choices),
        "refresh_token_expires_in": _seconds(choices),
    }
    response = _response(choices, body)
    try:
        token = oauth.read_token(response, NOW)
    except DecodeError as error:
        check_error(error)
        return
    _check_token(token)
    assert NOW + 0.5 <= token.due_at <= NOW + oauth.MAX_LIFE
    record = oauth.to_record(token, NOW, WALL)
    again = oauth.from_record(record, NOW, WALL)
    assert again is not None
    assert (again.access_token, again.refresh_token) == (token.access_token, token.refresh_token)
    assert abs(again.due_at - token.due_at) < 0.001


def stored_tokens(data: bytes) -> None:
    """Whatever a store returns is a token with a sensible lifetime, or none."""
    choices = Choices(data)
    record: Any = {
        "access_token": _token(choices),
        "refresh_token": _token(choices),
        "expires_time": _time(choices),
        "refresh_expires_time": _time(choices),
    }
    content = {"key": "k" if choices.below(4) < 3 else any_value(choices), "token": record}
    decoded = TokenCodec(None).decode("k", choices.mutated(written(content)), WALL)
    record = any_value(choices) if choices.rarely() else record
    for stored in (decoded, record):
        token = oauth.from_record(stored, NOW, WALL)
        if token is not None:
            _check_token(token)
            assert token.due_at <= NOW + oauth.MAX_LIFE
    if decoded is not None:
        TokenCodec(None).encode("k", decoded, WALL)


def websocket_tokens(data: bytes) -> None:
    """A WebSocket token is for a gateway of the server, and expires."""
    choices = Choices(data)
    body = {
        "uri": mutated_text(choices, "wss://ws-api.ringcentral.com/ws"),
        "ws_access_token": _token(choices),
        "expires_in": _seconds(choices),
    }
    try:
        token = websocket_token.parse(_response(choices, body), SERVER, NOW)
    except (DecodeError, ConnectionFailed) as error:
        check_error(error)
        return
    _check_secret(token.ws_access_token)
    assert NOW < token.fresh_until <= token.expires_at <= NOW + websocket_token.MAX_LIFETIME
    host = token.uri.partition("wss://")[2].partition("/")[0].partition(":")[0].lower()
    assert host == "ringcentral.com" or host.endswith(".ringcentral.com")


def _token(choices: Choices) -> Any:
    if choices.rarely():
        return any_value(choices)
    return choices.pick(("a" * 20, SECRET, "", "a b", "a\r\nb", "\u00e9", "x" * 70_000))


def _seconds(choices: Choices) -> Any:
    if choices.rarely():
        return any_value(choices)
    return choices.pick((3600, 1, *NUMBERS, "3600", None))


def _time(choices: Choices) -> Any:
    return choices.pick((WALL + 3600, WALL - 1, *NUMBERS, None, "x", 10**400))


def _response(choices: Choices, body: dict[str, Any]) -> Response:
    for name in [*body]:
        if choices.rarely():
            del body[name]
    parsed = any_value(choices) if choices.rarely() else body
    return Response(200, {}, choices.mutated(written(parsed)))


def _check_token(token: oauth.Token) -> None:
    _check_secret(token.access_token)
    if token.refresh_token is not None:
        _check_secret(token.refresh_token)
    assert abs(token.refresh_due_at) < float("inf")
    assert abs(token.due_at) < float("inf")


def _check_secret(token: str) -> None:
    """Check that a token can be sent in a header, and is not shown."""
    assert token
    assert all("!" <= character <= "~" for character in token)
    assert repr(token) == STARS
