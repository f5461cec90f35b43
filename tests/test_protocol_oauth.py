import json
from typing import Any
from urllib.parse import parse_qs

import pytest

from aiopresence import (
    AccessToken,
    AuthError,
    DecodeError,
    JwtGrant,
    RateLimited,
    Response,
    ServerError,
    UsageError,
)
from aiopresence.protocol import oauth

GRANT = JwtGrant("id", "sec:ret", "j.w.t+/=")


def test_a_jwt_grant_as_a_request() -> None:
    request = oauth.token_request(GRANT)
    assert (request.method, request.path) == ("POST", "/restapi/oauth/token")
    assert request.headers["authorization"] == "Basic aWQ6c2VjOnJldA=="
    assert parse_qs((request.body or b"").decode()) == {
        "grant_type": ["urn:ietf:params:oauth:grant-type:jwt-bearer"],
        "assertion": ["j.w.t+/="],
    }
    assert "aWQ6" not in repr(request)
    assert "j.w.t" not in repr(request)


@pytest.mark.parametrize(
    ("expires_in", "due"),
    [
        (3600, 3540.0),
        (7199.5, 7139.5),
        (None, 3540.0),
        ("7199", 3540.0),
        (True, 3540.0),
        (0, 30.0),
        (-5, 30.0),
        (1e12, 86_340.0),
    ],
)
def test_when_a_token_is_due_au10(expires_in: Any, due: float) -> None:
    body = json.dumps({"access_token": "abc", "expires_in": expires_in}).encode()
    token = oauth.read_token(Response(200, {}, body), now=1000.0)
    assert token == oauth.Token("abc", 1000.0 + due)
    assert "abc" not in repr(token)


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{}", b'{"access_token":5}', b'{"access_token":""}', b'{"access_token":"a b"}',
     b'{"access_token":"a\\r\\nX: y"}', '{"access_token":"é"}'.encode()],
)  # fmt: skip
def test_an_answer_without_a_usable_token_au15(body: bytes) -> None:
    with pytest.raises(DecodeError) as caught:
        oauth.read_token(Response(200, {}, body), now=0.0)
    assert caught.value.__context__ is None


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, AuthError), (401, AuthError), (403, AuthError), (429, RateLimited), (503, ServerError)],
)
def test_a_refused_login(status: int, kind: type[Exception]) -> None:
    body = b'{"error":"invalid_grant","error_description":"No"}'
    error = oauth.token_refusal(Response(status, {}, body))
    assert type(error) is kind
    assert error.error_code == "invalid_grant"


@pytest.mark.parametrize("bad", ["", " ", "a b", "a\r\nb", "a\0", "é", None, 5, b"x"])
def test_credentials_that_cannot_travel_are_refused_early_au15(bad: Any) -> None:
    with pytest.raises(UsageError, match="access_token"):
        AccessToken(bad)
    for number, name in enumerate(("client_id", "client_secret", "jwt")):
        fields = ["good", "good", "good"]
        fields[number] = bad
        with pytest.raises(UsageError, match=name):
            JwtGrant(*fields)


def test_credentials_are_not_shown() -> None:
    assert repr(GRANT) == "JwtGrant(client_id='id')"
    assert repr(AccessToken("canary")) == "AccessToken()"
