import hashlib
import json
from base64 import b64decode
from typing import Any
from urllib.parse import parse_qs

import pytest
from hypothesis import given, strategies as st

from aiopresence import (
    AccessToken,
    ApiError,
    AuthError,
    AuthorizationCodeGrant,
    DecodeError,
    InvalidRequest,
    JwtGrant,
    RateLimited,
    RefreshTokenGrant,
    Response,
    ServerError,
    UsageError,
    authorize_url,
)
from aiopresence.auth_advice import ADVICE, advice_for
from aiopresence.grants import Grant
from aiopresence.protocol import oauth
from aiopresence.protocol.rate_limit_headers import retry_after
from aiopresence.protocol.rest import Request
from aiopresence.redaction import Redactor

GRANT = JwtGrant("id", "sec:ret", "j.w.t+/=")


GOOD = Response(200, {}, b'{"access_token":"abc"}')
REFUSED = Response(400, {}, b'{"error":"invalid_grant"}')


def form(request: Request[Any]) -> dict[str, str]:
    assert (request.method, request.path) == ("POST", "/restapi/oauth/token")
    return {name: value for name, [value] in parse_qs((request.body or b"").decode()).items()}


def walk(grant: Grant, refresh_token: str | None, *answers: Response) -> list[dict[str, str]]:
    """Log in; return the forms that were sent."""
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


@pytest.mark.fault
def test_a_refused_refresh_token_falls_back_to_the_jwt() -> None:
    assert walk(GRANT, "r", REFUSED, GOOD)[1] == JWT_FORM


@pytest.mark.fault
def test_a_refused_refresh_token_of_another_grant_ends_the_login() -> None:
    code = AuthorizationCodeGrant("id", "secret", "c", "https://app.example/cb")
    for grant in (code, RefreshTokenGrant("id", "secret", "r")):
        assert len(walk(grant, "r", REFUSED)) == 1


def test_a_refresh_token_grant_sends_its_refresh_token() -> None:
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


def test_an_app_with_a_secret_authenticates() -> None:
    request = next(oauth.renewal(GRANT, None))
    assert request.headers["authorization"] == "Basic aWQ6c2VjOnJldA=="
    assert request.group == "Auth"
    assert request.is_login
    assert not request.is_write
    assert "aWQ6" not in repr(request) + repr(request.headers)
    assert "j.w.t" not in repr(request)


def test_a_revocation_has_the_token() -> None:
    request = oauth.revocation(GRANT, "abc")
    assert (request.path, request.body) == ("/restapi/oauth/revoke", b"token=abc")
    assert "authorization" in request.headers
    assert "authorization" not in oauth.revocation(AccessToken("abc"), "abc").headers


def test_the_url_of_the_login_page() -> None:
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


def test_each_login_has_its_own_store_key() -> None:
    one = "https://one.example"
    keys = {
        oauth.store_key(one, GRANT),
        oauth.store_key("https://two.example", GRANT),
        oauth.store_key(one, JwtGrant("id", "sec:ret", "another")),
        oauth.store_key(one, JwtGrant("another", "sec:ret", "j.w.t+/=")),
        oauth.store_key(one, RefreshTokenGrant("id", None, "r")),
        oauth.store_key(one, AuthorizationCodeGrant("id", None, "c", "https://app.example")),
        oauth.store_key(one, JwtGrant("id", "wrong", GRANT.jwt)),
    }
    assert len(keys) == 7
    again = JwtGrant(GRANT.client_id, GRANT.client_secret, GRANT.jwt)
    assert oauth.store_key(one, GRANT) == oauth.store_key(one, again)
    assert not any("j.w.t" in key for key in keys)


def test_a_stored_token_keeps_its_expiry() -> None:
    token = oauth.Token("abc", 1000.0, "r", 5000.0)
    record = json.loads(json.dumps(oauth.to_record(token, now=400.0, wall=1e9)))
    again = oauth.from_record(record, now=7.0, wall=1e9 + 100.0)
    assert again == oauth.Token("abc", 7.0 + 500.0, "r", 7.0 + 4500.0)


@pytest.mark.fault
@pytest.mark.parametrize(
    "record",
    [None, [], "x", {}, {"access_token": 5}, {"access_token": "a b"}, {"access_token": ""}],
)
def test_a_stored_token_that_cannot_be_used_is_none(record: object) -> None:
    assert oauth.from_record(record, 0.0, 0.0) is None


@pytest.mark.fault
def test_a_wall_clock_that_is_set_back_does_not_extend_a_token() -> None:
    record = oauth.to_record(oauth.Token("abc", 3600.0), now=0.0, wall=2e9)
    again = oauth.from_record(record, now=0.0, wall=1e9)
    assert again is not None
    assert again.due_at == 86_400.0


@pytest.mark.fault
@pytest.mark.parametrize(
    ("expires_in", "due"),
    [
        (3600, 3540.0),
        (7199.5, 7139.5),
        (None, 3540.0),
        ("7199", 3540.0),
        (True, 3540.0),
        (0, 48.0),
        (-5, 48.0),
        (5, 4.0),
        (1, 0.8),
        (0.001, 0.8),
        (300, 240.0),
        (301, 241.0),
        (1e12, 86_340.0),
    ],
)
def test_when_a_token_is_renewed(expires_in: Any, due: float) -> None:
    body = json.dumps({"access_token": "abc", "expires_in": expires_in}).encode()
    token = oauth.read_token(Response(200, {}, body), now=1000.0)
    assert token.due_at == 1000.0 + due
    assert token.access_token == "abc"
    assert (token.refresh_token, token.refresh_due_at) == (None, 1000.0 + 604_740.0)
    assert "abc" not in repr(token)


@pytest.mark.fault
@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{}", b'{"access_token":5}', b'{"access_token":""}', b'{"access_token":"a b"}',
     b'{"access_token":"a\\r\\nX: y"}', '{"access_token":"é"}'.encode()],
)  # fmt: skip
def test_a_response_without_a_usable_token_is_an_error(body: bytes) -> None:
    with pytest.raises(DecodeError) as caught:
        oauth.read_token(Response(200, {}, body), now=0.0)
    assert caught.value.__context__ is None


BODY = b'{"error":"invalid_grant","error_description":"No"}'


@pytest.mark.fault
@pytest.mark.parametrize(
    ("status", "body", "kind", "final"),
    [
        (400, BODY, AuthError, True),
        (400, b"", AuthError, True),
        (401, b"<html>no</html>", AuthError, True),
        (403, BODY, AuthError, True),
        (403, b'{"errorCode":"AGW-404","message":"Resource not found"}', AuthError, True),
        # It says nothing about the id that the login was for.
        (204, b"", AuthError, False),
        (302, b"", AuthError, False),
        (402, BODY, AuthError, False),
        (403, b"<html>forbidden by a firewall</html>", AuthError, False),
        (404, b"", AuthError, False),
        (405, b"", AuthError, False),
        (408, b"", InvalidRequest, None),
        (425, b"", InvalidRequest, None),
        (429, b"", RateLimited, None),
        (503, b'{"errorCode":"CMN-211"}', ServerError, None),
    ],
)
def test_what_does_not_pass_is_an_auth_error_and_final_if_the_credentials_were_refused(
    status: int, body: bytes, kind: type[ApiError], final: bool | None
) -> None:
    error = oauth.token_error(Response(status, {"rcrequestid": "r-1", "retry-after": "3"}, body))
    assert type(error) is kind
    assert getattr(error, "final", None) is final
    assert (error.request_id, error.retry_after) == ("r-1", retry_after({"retry-after": "3"}))
    is_no_login = "this is no answer to a login: check the address of the server" in str(error)
    assert is_no_login is (final is False)


@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        ({"error": "invalid_grant"}, "invalid_grant", None),
        ({"errorCode": "OAU-222", "message": "canary"}, "OAU-222", None),
        ({"error": "OAU-250", "error_description": "canary"}, "OAU-250", None),
        ({"error": "unauthorized_client", "errors": [{"errorCode": "OAU-251"}]},
         "OAU-251", "unauthorized_client"),
        ({"errors": [5, {"message": "canary"}, {"errorCode": "OAU-146"}]}, "OAU-146", None),
        ({"error": "invalid_grant", "error_description": "OAU-140: canary"},
         "OAU-140", "invalid_grant"),
        ({"error_description": "canary (CMN-211)."}, "CMN-211", None),
        ({"error": "canary-OAU-140", "error_description": "xOAU-140 OAU-140canary"}, None, None),
        ({"errorCode": "canary OAU-147"}, "OAU-147", None),
        ({"errorCode": 5, "errors": {}, "error": None}, None, None),
        ([], None, None),
    ],
)  # fmt: skip
def test_a_refused_login_shows_its_code_and_nothing_else_of_the_text(
    body: Any, code: str | None, message: str | None
) -> None:
    error = oauth.token_error(Response(400, {}, json.dumps(body).encode()))
    assert (error.error_code, error.message) == (code, message)
    assert "canary" not in f"{error} {error!r} {vars(error)}"
    if advice := advice_for(code):
        assert str(error).endswith(f"; {advice}")


@pytest.mark.parametrize("status", [400, 401, 403, 503])
@pytest.mark.parametrize("code", ADVICE)
def test_every_code_in_the_table_is_shown_with_its_advice(code: str, status: int) -> None:
    error = oauth.token_error(Response(status, {}, json.dumps({"errorCode": code}).encode()))
    assert str(error) == f"HTTP {status}: {code}; {ADVICE[code]}"


@pytest.mark.fault
@pytest.mark.parametrize("name", ["access_token", "refresh_token"])
def test_a_token_of_more_than_64_kib_is_refused(name: str) -> None:
    for size, is_good in ((65_536, True), (65_537, False)):
        answer = {"access_token": "abc", "refresh_token": "def", name: "x" * size}
        response = Response(200, {}, json.dumps(answer).encode())
        if name == "access_token" and not is_good:
            with pytest.raises(DecodeError, match=r"\$\.access_token"):
                oauth.read_token(response, now=0.0)
        else:
            token = oauth.read_token(response, now=0.0)
            assert (getattr(token, name) == answer[name]) is is_good
        record = {"access_token": "x" * size}
        assert (oauth.from_record(record, 0.0, 0.0) is not None) is is_good
    with pytest.raises(UsageError, match="65536 characters"):
        AccessToken("x" * 65_537)


def test_a_token_that_the_session_has_sent_before_is_parsed_as_it_is() -> None:
    body = b'{"access_token":"ABCDEFGHIJ","refresh_token":"ABCDEFGHIJ-2"}'
    redactor = Redactor()
    redactor.add("ABCDEFGHIJ")
    response = Response(200, {}, body, redactor)
    token = oauth.read_token(response, now=0.0)
    assert (token.access_token, token.refresh_token) == ("ABCDEFGHIJ", "ABCDEFGHIJ-2")


@pytest.mark.fault
def test_the_error_of_a_refused_login_has_no_text_of_the_server() -> None:
    body = b'{"error":"canary","error_description":"bad canary","errors":[{"message":"canary"}]}'
    error = oauth.token_error(Response(400, {}, body))
    assert "canary" not in f"{error} {error!r} {vars(error)}"


def test_times_out_of_range_are_limited() -> None:
    record = {"access_token": "abc", "expires_time": 10**400, "refresh_expires_time": 1e999}
    token = oauth.from_record(record, 0.0, 0.0)
    assert token is not None
    assert token.due_at <= 86_400.0
    nan = oauth.from_record({"access_token": "abc", "expires_time": float("nan")}, 0.0, 0.0)
    assert nan is not None
    assert nan.due_at == 0.0


@pytest.mark.fault
@pytest.mark.parametrize("bad", ["", " ", "a b", "a\r\nb", "a\0", "é", None, 5, b"x"])
def test_invalid_credentials_are_refused_at_once(bad: Any) -> None:
    with pytest.raises(UsageError, match="access_token"):
        AccessToken(bad)
    for number, name in enumerate(("client_id", "client_secret", "jwt")):
        fields = ["good", "good", "good"]
        fields[number] = bad
        with pytest.raises(UsageError, match=name):
            JwtGrant(*fields)


def test_a_client_secret_may_be_none_but_not_empty() -> None:
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


def test_a_new_grant_needs_only_its_form_and_identity() -> None:
    class PasswordGrant:
        client_id, client_secret, is_repeatable = "app", None, True

        def token_form(self) -> dict[str, str]:
            return {"grant_type": "password", "username": "u"}

        def identity(self) -> str:
            return "u"

    grant: Any = PasswordGrant()
    request = next(oauth.renewal(grant, None))
    assert request.body == b"grant_type=password&username=u&client_id=app"
    assert oauth.store_key("https://one.example", grant) != oauth.store_key(
        "https://two.example", grant
    )


def test_all_that_a_login_and_a_revocation_send() -> None:
    headers = {"content-type": "application/x-www-form-urlencoded", "accept": "application/json"}
    assert next(oauth.renewal(AuthorizationCodeGrant("id", None, "c", "https://a"), "r")) == (
        Request(
            *("POST", "/restapi/oauth/token", "Auth", object),
            body=b"grant_type=refresh_token&refresh_token=r&client_id=id",
            headers=headers,
        )
    )
    assert oauth.revocation(JwtGrant("id", "secret", "j"), "abc") == Request(
        *("POST", "/restapi/oauth/revoke", "Auth", object),
        body=b"token=abc",
        headers={**headers, "authorization": "Basic aWQ6c2VjcmV0"},
    )


def test_the_tokens_in_a_request_are_known() -> None:
    assert oauth.tokens_in(next(oauth.renewal(GRANT, "r+/"))) == ["r+/"]
    assert oauth.tokens_in(next(oauth.renewal(GRANT, None))) == []
    assert oauth.tokens_in(oauth.revocation(GRANT, "abc")) == ["abc"]
    assert oauth.tokens_in(Request("GET", "/restapi/x", "", object)) == []


def test_a_store_key_is_the_same_in_every_release() -> None:
    # Another key would lose every stored login.
    public = RefreshTokenGrant("id", None, "r")
    keys = [oauth.store_key("https://one.example", grant) for grant in (GRANT, public)]
    texts = [
        "https://one.example\nid\nsec:ret\n" + GRANT.identity(),
        "https://one.example\nid\n\n" + public.identity(),
    ]
    assert keys == [hashlib.sha256(text.encode()).hexdigest()[:32] for text in texts]


@pytest.mark.parametrize("length", [42, 43, 128, 129])
def test_a_code_verifier_has_43_to_128_characters(length: int) -> None:
    def url() -> str:
        return authorize_url("id", "https://app.example/cb", code_verifier="v" * length)

    if length in (43, 128):
        assert "code_challenge=" in url()
    else:
        with pytest.raises(UsageError) as caught:
            url()
        assert str(caught.value) == "code_verifier must have 43 to 128 characters"


def test_a_login_page_of_another_server() -> None:
    url = authorize_url("id", "https://app", server="https://login.example/X//", state="s")
    assert url == (
        "https://login.example/X/restapi/oauth/authorize"
        "?response_type=code&client_id=id&redirect_uri=https%3A%2F%2Fapp&state=s"
    )


@given(st.binary(min_size=32, max_size=96).map(lambda data: data.hex()[:64]))
def test_a_challenge_has_no_padding(verifier: str) -> None:
    digest = hashlib.sha256(verifier.encode()).digest()
    assert b64decode(oauth.challenge(verifier) + "=", altchars=b"-_") == digest
    assert len(oauth.challenge(verifier)) == 43


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"[]", "the token response is not a JSON object"),
        (b"{}", "$.access_token: the token response has no usable access token"),
        (b"{", "not JSON"),
    ],
)
def test_why_a_response_has_no_token(body: bytes, message: str) -> None:
    with pytest.raises(DecodeError) as caught:
        oauth.read_token(Response(200, {}, body), now=0.0)
    assert str(caught.value) == f"cannot decode the response: {message}"


@pytest.mark.parametrize(
    ("refresh_life", "due"),
    [
        (1000, 940.0),
        (100, 80.0),
        (0, 0.0),
        (-5, -5.0),
        (0.5, 0.4),
        (None, 604_740.0),
        ("x", 604_740.0),
    ],
)
def test_when_a_refresh_token_is_no_longer_used(refresh_life: Any, due: float) -> None:
    answer = {
        "access_token": "abc",
        "expires_in": 100,
        "refresh_token": "def",
        "refresh_token_expires_in": refresh_life,
    }
    token = oauth.read_token(Response(200, {}, json.dumps(answer).encode()), now=1000.0)
    assert token == oauth.Token("abc", 1080.0, "def", 1000.0 + due)


def test_a_stored_record_has_the_times_of_the_wall_clock() -> None:
    token = oauth.Token("abc", 1000.0, "r", 5000.0)
    assert oauth.to_record(token, 400.0, 1e9) == {
        "access_token": "abc",
        "expires_time": 1e9 + 600.0,
        "refresh_token": "r",
        "refresh_expires_time": 1e9 + 4600.0,
    }


def test_a_stored_record_without_times_has_expired_tokens() -> None:
    record = {"access_token": "abc", "refresh_token": "a b"}
    assert oauth.from_record(record, 7.0, 100.0) == oauth.Token("abc", -93.0, None, -93.0)
    bad = {**record, "expires_time": "x", "refresh_expires_time": True}
    assert oauth.from_record(bad, 7.0, 100.0) == oauth.Token("abc", -93.0, None, -93.0)


def test_times_beyond_any_calculation_are_limited_to_one_that_is_not() -> None:
    record = {"access_token": "abc", "expires_time": -(10**400), "refresh_expires_time": 10**400}
    token = oauth.from_record(record, 0.0, 0.0)
    assert token == oauth.Token("abc", -oauth.FOREVER, None, oauth.FOREVER)


@pytest.mark.parametrize(
    ("life", "seconds"),
    [(-1.0, 0.0), (0.0, 0.0), (0.5, 0.1), (299.0, 59.8), (300.0, 60.0), (301.0, 60.0)],
)
def test_the_margin_is_a_minute_or_a_fifth(life: float, seconds: float) -> None:
    assert oauth.margin(life) == pytest.approx(seconds)


def test_all_fields_of_the_error_of_a_refused_login() -> None:
    body = b'{"error":"invalid_grant","errorCode":"OAU-140","message":"canary"}'
    headers = {"rcrequestid": "r-1", "retry-after": "3"}
    error = oauth.token_error(Response(400, headers, body))
    assert vars(error) == {
        "http_status": 400,
        "error_code": "OAU-140",
        "message": "invalid_grant",
        "parameter_name": None,
        "request_id": "r-1",
        "retry_after": 3.0,
        "body": "",
        "final": True,
    }


@pytest.mark.parametrize(
    "code",
    [
        "invalid_client",
        "invalid_grant",
        "invalid_request",
        "invalid_scope",
        "unauthorized_client",
        "unsupported_grant_type",
    ],
)
def test_the_codes_of_oauth_are_shown(code: str) -> None:
    error = oauth.token_error(Response(403, {}, json.dumps({"error": code}).encode()))
    assert (type(error), error.error_code, error.message) == (AuthError, code, None)
    text = json.dumps({"error": f"{code}s"}).encode()
    other = oauth.token_error(Response(403, {}, text))
    assert (type(other), other.error_code) == (AuthError, None)
    assert isinstance(other, AuthError)
    assert not other.final
