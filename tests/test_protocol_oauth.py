import json
from typing import Any
from urllib.parse import parse_qs

import pytest

from aiopresence import (
    AccessToken,
    ApiError,
    AuthError,
    AuthorizationCodeGrant,
    DecodeError,
    JwtGrant,
    RateLimited,
    RefreshTokenGrant,
    Response,
    ServerError,
    UsageError,
    authorize_url,
)
from aiopresence.grants import Grant
from aiopresence.protocol import oauth
from aiopresence.protocol.wire import Request

GRANT = JwtGrant("id", "sec:ret", "j.w.t+/=")


GOOD = Response(200, {}, b'{"access_token":"abc"}')
REFUSED = Response(400, {}, b'{"error":"invalid_grant"}')


def form(request: Request[Any]) -> dict[str, str]:
    assert (request.method, request.path) == ("POST", "/restapi/oauth/token")
    return {name: value for name, [value] in parse_qs((request.body or b"").decode()).items()}


def walk(grant: Grant, refresh_token: str | None, *answers: Response) -> list[dict[str, str]]:
    """Go the way to a token; give the forms that were sent."""
    flow = oauth.renewal(grant, refresh_token)
    forms = [form(next(flow))]
    forms += [form(flow.send(answer)) for answer in answers[:-1]]
    with pytest.raises(StopIteration) as done:
        flow.send(answers[-1])
    assert done.value.value is answers[-1]
    return forms


JWT_FORM = {
    "grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer",
    "assertion": "j.w.t+/=",
}


def test_a_jwt_logs_in() -> None:
    assert walk(GRANT, None, GOOD) == [JWT_FORM]


def test_a_refresh_token_goes_first() -> None:
    assert walk(GRANT, "r", GOOD) == [{"grant_type": "refresh_token", "refresh_token": "r"}]


def test_a_refused_refresh_token_falls_back_to_the_jwt() -> None:
    assert walk(GRANT, "r", REFUSED, GOOD)[1] == JWT_FORM


def test_a_refused_refresh_token_of_another_grant_is_the_end() -> None:
    code = AuthorizationCodeGrant("id", "secret", "c", "https://app.example/cb")
    for grant in (code, RefreshTokenGrant("id", "secret", "r")):
        assert len(walk(grant, "r", REFUSED)) == 1


def test_a_refresh_token_grant_starts_with_its_own() -> None:
    assert walk(RefreshTokenGrant("id", "secret", "r"), None, GOOD) == [
        {"grant_type": "refresh_token", "refresh_token": "r"}
    ]


def test_a_code_is_exchanged_by_a_public_app_with_pkce() -> None:
    verifier = "v" * 43
    grant = AuthorizationCodeGrant("id", None, "c", "https://app.example/cb", verifier)
    assert walk(grant, None, GOOD) == [
        {
            "grant_type": "authorization_code",
            "code": "c",
            "redirect_uri": "https://app.example/cb",
            "code_verifier": verifier,
            "client_id": "id",
        }
    ]
    assert "authorization" not in next(oauth.renewal(grant, None)).headers


def test_an_app_with_a_secret_proves_itself() -> None:
    request = next(oauth.renewal(GRANT, None))
    assert request.headers["authorization"] == "Basic aWQ6c2VjOnJldA=="
    assert request.group == "Auth"
    assert request.is_login
    assert not request.is_write
    assert "aWQ6" not in repr(request) + repr(request.headers)
    assert "j.w.t" not in repr(request)


def test_revocation() -> None:
    request = oauth.revocation(GRANT, "abc")
    assert (request.path, request.body) == ("/restapi/oauth/revoke", b"token=abc")
    assert "authorization" in request.headers
    assert "authorization" not in oauth.revocation(AccessToken("abc"), "abc").headers


def test_the_login_page() -> None:
    # The example of RFC 7636, appendix B.
    verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    url = authorize_url("id", "https://app.example/cb?x=1", state="s", code_verifier=verifier)
    address, _, query = url.partition("?")
    assert address == "https://platform.ringcentral.com/restapi/oauth/authorize"
    assert {name: value for name, [value] in parse_qs(query).items()} == {
        "response_type": "code",
        "client_id": "id",
        "redirect_uri": "https://app.example/cb?x=1",
        "state": "s",
        "code_challenge": "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
        "code_challenge_method": "S256",
    }
    assert "challenge" not in authorize_url("id", "https://app.example/cb")
    with pytest.raises(UsageError, match="43 to 128"):
        authorize_url("id", "https://app.example/cb", code_verifier="short")


def test_logins_are_kept_apart() -> None:
    one = "https://one.example"
    keys = {
        oauth.store_key(one, GRANT),
        oauth.store_key("https://two.example", GRANT),
        oauth.store_key(one, JwtGrant("id", "sec:ret", "another")),
        oauth.store_key(one, JwtGrant("another", "sec:ret", "j.w.t+/=")),
        oauth.store_key(one, RefreshTokenGrant("id", None, "r")),
        oauth.store_key(one, AuthorizationCodeGrant("id", None, "c", "https://app.example")),
    }
    assert len(keys) == 6
    assert oauth.store_key(one, GRANT) == oauth.store_key(one, JwtGrant("id", "new", GRANT.jwt))
    assert not any("j.w.t" in key for key in keys)


def test_a_stored_token_comes_back_as_old_as_it_is() -> None:
    token = oauth.Token("abc", 1000.0, "r", 5000.0)
    record = json.loads(json.dumps(oauth.to_record(token, now=400.0, wall=1e9)))
    again = oauth.from_record(record, now=7.0, wall=1e9 + 100.0)
    assert again == oauth.Token("abc", 7.0 + 500.0, "r", 7.0 + 4500.0)


@pytest.mark.parametrize(
    "record",
    [None, [], "x", {}, {"access_token": 5}, {"access_token": "a b"}, {"access_token": ""}],
)
def test_a_stored_token_that_cannot_be_used_is_none_rd10(record: object) -> None:
    assert oauth.from_record(record, 0.0, 0.0) is None


def test_a_wall_clock_set_back_does_not_make_a_token_live_for_ever_au16() -> None:
    record = oauth.to_record(oauth.Token("abc", 3600.0), now=0.0, wall=2e9)
    again = oauth.from_record(record, now=0.0, wall=1e9)
    assert again is not None
    assert again.due_at == 86_400.0


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
    assert token.due_at == 1000.0 + due
    assert token.access_token == "abc"
    assert (token.refresh_token, token.refresh_due_at) == (None, 1000.0 + 604_740.0)
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
def test_a_refused_login(status: int, kind: type[ApiError]) -> None:
    body = b'{"error":"invalid_grant","error_description":"No"}'
    error = oauth.token_refusal(Response(status, {"rcrequestid": "r-1"}, body))
    assert type(error) is kind
    assert (error.error_code, error.request_id) == ("invalid_grant", "r-1")


def test_a_refused_login_repeats_nothing_that_the_server_said_se09() -> None:
    body = b'{"error":"canary","error_description":"bad canary","errors":[{"message":"canary"}]}'
    error = oauth.token_refusal(Response(400, {}, body))
    assert "canary" not in f"{error} {error!r} {vars(error)}"


def test_times_that_no_clock_can_hold() -> None:
    record = {"access_token": "abc", "expires_time": 10**400, "refresh_expires_time": 1e999}
    token = oauth.from_record(record, 0.0, 0.0)
    assert token is not None
    assert token.due_at <= 86_400.0
    nan = oauth.from_record({"access_token": "abc", "expires_time": float("nan")}, 0.0, 0.0)
    assert nan is not None
    assert nan.due_at == 0.0


@pytest.mark.parametrize("bad", ["", " ", "a b", "a\r\nb", "a\0", "é", None, 5, b"x"])
def test_credentials_that_cannot_travel_are_refused_early_au15(bad: Any) -> None:
    with pytest.raises(UsageError, match="access_token"):
        AccessToken(bad)
    for number, name in enumerate(("client_id", "client_secret", "jwt")):
        fields = ["good", "good", "good"]
        fields[number] = bad
        with pytest.raises(UsageError, match=name):
            JwtGrant(*fields)


def test_an_app_without_a_secret_says_so_with_none() -> None:
    assert RefreshTokenGrant("id", None, "r").client_secret is None
    with pytest.raises(UsageError, match="client_secret"):
        RefreshTokenGrant("id", "", "r")
    with pytest.raises(UsageError, match="code_verifier"):
        AuthorizationCodeGrant("id", None, "c", "https://app.example", "a b")


def test_credentials_are_not_shown() -> None:
    assert "canary" not in repr(RefreshTokenGrant("id", "canary", "canary"))
    assert "canary" not in repr(AuthorizationCodeGrant("id", "canary", "canary", "u", "canary"))
    assert "canary" not in repr({"jwt": JwtGrant("id", "canary", "canary").jwt})
    assert repr(GRANT) == "JwtGrant(client_id='id')"
    assert repr(AccessToken("canary")) == "AccessToken()"
