"""OAuth: build token requests, parse tokens, and decide which request comes when.

A grant (grants.py) says what to log in with: its form, its client and its identity. This module
turns that into requests, so that a new grant is a class there and nothing here.

Source: RingCentral guide, "Authentication"; RFC 6749, RFC 7523, RFC 7636.
"""

import hashlib
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Generator
from typing import Any
from urllib.parse import parse_qs, urlencode

import attrs

from ..auth_advice import find_code
from ..errors import ApiError, AuthError, DecodeError, RateLimited, ServerError, UsageError
from ..grants import AccessToken, Grant, refresh_form
from ..redaction import Secret, StripTraceback
from .rest import (
    JSON,
    LOGIN_PATH,
    Request,
    Response,
    error_class,
    error_from_response,
    parse_error_body,
)

REVOKE_PATH = "/restapi/oauth/revoke"
AUTHORIZE_PATH = "/restapi/oauth/authorize"

# Source: RFC 6749 §5.2.
_ERROR_CODES = frozenset(
    {
        "invalid_client",
        "invalid_grant",
        "invalid_request",
        "invalid_scope",
        "unauthorized_client",
        "unsupported_grant_type",
    }
)

# Bounds on `expires_in`, in seconds: a token is renewed at most once a second, and none lives
# longer than a day. A lifetime of zero or less counts as a minute, so that a mistake of the server
# cannot start a loop of logins; an absent one counts as RingCentral's default, an hour.
MIN_LIFE, ODD_LIFE, USUAL_LIFE, MAX_LIFE = 1.0, 60.0, 3600.0, 86_400.0
# The lifetime of a refresh token that states none. Source: RingCentral's default, a week.
USUAL_REFRESH_LIFE = 604_800.0
# The largest number of seconds that is calculated with.
FOREVER = 1e11
# A token is renewed this long before it expires, so that none expires while a request is on its
# way; a fifth of the lifetime if that is less. A guess: twice the default timeout.
MARGIN, MARGIN_PART = 60.0, 0.2


@attrs.frozen
class Token:
    """The tokens of one login.

    Attributes:
        access_token: the bearer token.
        due_at: the monotonic time in seconds from which it should be renewed.
        refresh_token: the token that renews it, or None.
        refresh_due_at: the monotonic time in seconds from which the refresh token is not used.
    """

    access_token: str = attrs.field(repr=False)
    due_at: float
    refresh_token: str | None = attrs.field(default=None, repr=False)
    refresh_due_at: float = 0.0


def challenge(code_verifier: str) -> str:
    """Return the S256 code challenge of a code verifier (RFC 7636 §4.2)."""
    digest = hashlib.sha256(code_verifier.encode()).digest()
    return urlsafe_b64encode(digest).decode().rstrip("=")


def authorize_url(
    client_id: str,
    redirect_uri: str,
    *,
    server: str = "https://platform.ringcentral.com",
    state: str | None = None,
    code_verifier: str | None = None,
) -> str:
    """Return the URL of RingCentral's login page, for apps whose users log in with a browser.

    After the login RingCentral redirects to `redirect_uri` with `code` and `state`. Check the
    state, and make an AuthorizationCodeGrant of the code.

    Args:
        client_id: the app's client id.
        redirect_uri: one of those that are registered for the app.
        server: the server to log in at.
        state: an unguessable value that is sent back, such as `secrets.token_urlsafe()`.
        code_verifier: for PKCE, which apps without a client secret must use: a secret of 43 to 128
            characters, such as `secrets.token_urlsafe(64)`. Only its digest is in the URL.

    Raises:
        UsageError: the code verifier is too short or too long.

    Source: RingCentral guide, "Authorization code flow"; RFC 7636.
    """
    query = {"response_type": "code", "client_id": client_id, "redirect_uri": redirect_uri}
    if state is not None:
        query["state"] = state
    if code_verifier is not None:
        if not 43 <= len(code_verifier) <= 128:
            raise UsageError("code_verifier must have 43 to 128 characters")
        query |= {"code_challenge": challenge(code_verifier), "code_challenge_method": "S256"}
    return f"{server.rstrip('/')}{AUTHORIZE_PATH}?{urlencode(query)}"


def renewal(grant: Grant, refresh_token: str | None) -> Generator[Request[Any], Response, Response]:
    """Yield the requests for a new token; send their responses in; return the last response.

    Args:
        grant: what to log in with.
        refresh_token: the refresh token of the last login; None if there is none, or it expired.
    """
    if refresh_token is not None:
        response = yield _form_request(LOGIN_PATH, grant, refresh_form(refresh_token))
        if response.status == 200 or not grant.is_repeatable:
            return response
    return (yield _form_request(LOGIN_PATH, grant, grant.token_form()))


def revocation(grant: Grant | AccessToken, token: str) -> Request[Any]:
    """Return the request that ends a login with all its tokens."""
    return _form_request(REVOKE_PATH, grant, {"token": token})


def _form_request(path: str, grant: Grant | AccessToken, form: dict[str, str]) -> Request[Any]:
    headers = {"content-type": "application/x-www-form-urlencoded", "accept": JSON}
    client_id, client_secret = grant.client_id, grant.client_secret
    if client_id is not None and client_secret is not None:
        pair = f"{client_id}:{client_secret}".encode()
        headers["authorization"] = Secret(f"Basic {b64encode(pair).decode()}")
    elif client_id is not None:
        form = {**form, "client_id": client_id}  # A public app has no secret to authenticate with.
    return Request("POST", path, "Auth", object, body=urlencode(form).encode(), headers=headers)


def tokens_in(request: Request[Any]) -> list[str]:
    """Return the tokens that a request of `renewal` or `revocation` has in its form."""
    form = parse_qs((request.body or b"").decode())
    return [*form.get("refresh_token", ()), *form.get("token", ())]


def token_error(response: Response) -> ApiError:
    """Return the error for a response of the token endpoint that has no token.

    It is an AuthError with `final` if the credentials were refused. Another status that trying
    again does not help against, such as 404, is an AuthError, too: it says nothing about the id
    that the login was for. A failure of the server or of a proxy that may pass has its own class.
    The endpoint was sent every secret there is, and may repeat them: of its texts only error codes
    are kept.
    """
    texts = _error_texts(parse_error_body(response))
    code = next(filter(None, map(find_code, texts)), None)
    oauth_code = next((text for text in texts if text in _ERROR_CODES), None)
    is_refused = response.status in (400, 401) or (
        response.status == 403 and bool(code or oauth_code)
    )
    cls = error_class(response.status)
    if not (issubclass(cls, (RateLimited, ServerError)) or response.status in (408, 425)):
        cls = AuthError
    error = error_from_response(response)
    error = cls(
        response.status,
        code or oauth_code,
        oauth_code if code else None,
        None,
        error.request_id,
        error.retry_after,
    )
    if isinstance(error, AuthError):
        error.final = is_refused
    return error


def _error_texts(body: Any) -> list[str]:
    """Return the fields of an error body that may hold an error code, the likeliest first."""
    if not isinstance(body, dict):
        return []
    nested = body.get("errors")
    errors = [each for each in nested if isinstance(each, dict)] if isinstance(nested, list) else []
    texts = [
        body.get("errorCode"),
        *(each.get("errorCode") for each in errors),
        body.get("error"),
        body.get("error_description"),
    ]
    return [text for text in texts if isinstance(text, str)]


def read_token(response: Response, now: float) -> Token:
    """Parse the token endpoint's response.

    Args:
        response: a response with status 200.
        now: the monotonic time in seconds at which it was requested.

    Raises:
        DecodeError: it has no usable access token. The message does not quote the response.
    """
    with StripTraceback():
        return _read_token(response.json(), now)


def _read_token(body: Any, now: float) -> Token:
    if not isinstance(body, dict):
        raise DecodeError("the token response is not a JSON object")
    access_token = _usable(body.get("access_token"))
    if access_token is None:
        raise DecodeError("the token response has no usable access token", "$.access_token")
    life = _seconds(body.get("expires_in"), USUAL_LIFE)
    life = min(max(life, MIN_LIFE), MAX_LIFE) if life > 0 else ODD_LIFE
    refresh_life = _seconds(body.get("refresh_token_expires_in"), USUAL_REFRESH_LIFE)
    return Token(
        access_token,
        now + life - margin(life),
        _usable(body.get("refresh_token")),
        now + refresh_life - margin(refresh_life),
    )


def margin(life: float) -> float:
    """Return the seconds before its expiry at which a token with this lifetime is renewed."""
    return min(MARGIN, max(0.0, life) * MARGIN_PART)


def to_record(token: Token, now: float, wall: float) -> dict[str, Any]:
    """Return the record of a token for a TokenStore; its times are seconds since 1970.

    Args:
        token: the token.
        now: the monotonic time in seconds.
        wall: the same moment in seconds since 1970.
    """
    return {
        "access_token": token.access_token,
        "expires_time": wall + token.due_at - now,
        "refresh_token": token.refresh_token,
        "refresh_expires_time": wall + token.refresh_due_at - now,
    }


def from_record(record: object, now: float, wall: float) -> Token | None:
    """Return the token in a record of a TokenStore; None if the record cannot be used.

    A wall clock that was set back since must not make a token live longer than any does, so the
    lifetime is limited again.
    """
    if not isinstance(record, dict):
        return None
    access_token = _usable(record.get("access_token"))
    if access_token is None:
        return None
    return Token(
        access_token,
        now + min(_seconds(record.get("expires_time"), 0.0) - wall, MAX_LIFE),
        _usable(record.get("refresh_token")),
        now + _seconds(record.get("refresh_expires_time"), 0.0) - wall,
    )


def _usable(token: object) -> str | None:
    try:
        return Secret(AccessToken(token).access_token)  # type: ignore[arg-type] # it checks
    except UsageError:
        return None


def _seconds(seconds: object, usual: float) -> float:
    # NaN is not equal to itself; very long integers do not fit into a float.
    if not isinstance(seconds, (int, float)) or isinstance(seconds, bool) or seconds != seconds:
        return usual
    return float(max(-FOREVER, min(seconds, FOREVER)))


def store_key(server: str, grant: Grant) -> str:
    """Return the key under which a TokenStore keeps the tokens of one login.

    It is a digest of the server, the app and the user's credential. The client secret is part of
    it: a session with a wrong one must fail, whatever the store has from a session with the right
    one.
    """
    parts = (server, grant.client_id, grant.client_secret or "", grant.identity())
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]
