"""OAuth: grants as token requests, answers as tokens, and which request comes when.

Source: RingCentral guide, "Authentication"; RFC 6749, RFC 7523, RFC 7636.
"""

import hashlib
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Generator
from typing import Any
from urllib.parse import urlencode

import attrs

from ..auth_advice import find_code
from ..errors import ApiError, AuthError, DecodeError, UsageError
from ..grants import AccessToken, AuthorizationCodeGrant, Grant, JwtGrant, RefreshTokenGrant
from ..redaction import Secret, StripTraceback
from .rest import JSON, LOGIN_PATH, Request, Response, error_class, error_texts, refusal

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

# Bounds on `expires_in`, in seconds: a token is not renewed more often than once a second, and
# none outlives a day. One that says it has no time to live is taken for one that lives a minute,
# so that a server's slip cannot start a loop of logins.
MIN_LIFE, ODD_LIFE, USUAL_LIFE, MAX_LIFE = 1.0, 60.0, 3600.0, 86_400.0
# A refresh token that does not say how long it lives. Source: RingCentral's default.
USUAL_REFRESH_LIFE = 604_800.0
FOREVER = 1e11
# A token is renewed this long before its end, so that no request travels with one that dies on
# the way. A guess, twice the usual timeout; of a short life it is a part.
MARGIN, MARGIN_PART = 60.0, 0.2


@attrs.frozen
class Token:
    """What a login gave.

    Attributes:
        access_token: the bearer token.
        due_at: the monotonic second from which it should be replaced.
        refresh_token: what replaces it, or None.
        refresh_due_at: the monotonic second from which the refresh token is worth nothing.
    """

    access_token: str = attrs.field(repr=False)
    due_at: float
    refresh_token: str | None = attrs.field(default=None, repr=False)
    refresh_due_at: float = 0.0


def challenge(code_verifier: str) -> str:
    """Give the S256 code challenge of a code verifier (RFC 7636 §4.2)."""
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
    """Give the address of RingCentral's login page, for apps whose users log in with a browser.

    After the login RingCentral calls `redirect_uri` with `code` and `state`. Check the state, and
    make an AuthorizationCodeGrant of the code.

    Args:
        client_id: the app's client id.
        redirect_uri: one of those that the app has registered.
        server: the server to log in at.
        state: an unguessable value that comes back, such as `secrets.token_urlsafe()`.
        code_verifier: for PKCE, which apps without a client secret must use: a secret of 43 to 128
            characters, such as `secrets.token_urlsafe(64)`. Only its digest is in the address.

    Raises:
        UsageError: the code verifier has not that length.

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
    """Go the way to a new token: yield requests, be sent their answers, return the last answer.

    Args:
        grant: what to log in with.
        refresh_token: what the last login gave, or None when there was none or it has expired.
    """
    if refresh_token is not None:
        response = yield _token_request(grant, _refresh_form(refresh_token))
        if response.status == 200 or not isinstance(grant, JwtGrant):
            return response
    return (yield _token_request(grant, _form(grant)))


def _form(grant: Grant) -> dict[str, str]:
    if isinstance(grant, JwtGrant):
        return {
            "grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer",
            "assertion": grant.jwt,
        }
    if isinstance(grant, RefreshTokenGrant):
        return _refresh_form(grant.refresh_token)
    form = {
        "grant_type": "authorization_code",
        "code": grant.code,
        "redirect_uri": grant.redirect_uri,
    }
    return form if grant.code_verifier is None else {**form, "code_verifier": grant.code_verifier}


def _refresh_form(refresh_token: str) -> dict[str, str]:
    return {"grant_type": "refresh_token", "refresh_token": refresh_token}


def _token_request(grant: Grant, form: dict[str, str]) -> Request[Any]:
    return _form_request(LOGIN_PATH, grant, form)


def revocation(grant: Grant | AccessToken, token: str) -> Request[Any]:
    """Give the request that ends a login: all its tokens die."""
    return _form_request(REVOKE_PATH, grant, {"token": token})


def _form_request(path: str, grant: Grant | AccessToken, form: dict[str, str]) -> Request[Any]:
    headers = {"content-type": "application/x-www-form-urlencoded", "accept": JSON}
    if isinstance(grant, AccessToken):
        pass
    elif grant.client_secret is None:
        form = {**form, "client_id": grant.client_id}  # A public app has nothing to prove.
    else:
        pair = f"{grant.client_id}:{grant.client_secret}".encode()
        headers["authorization"] = Secret(f"Basic {b64encode(pair).decode()}")
    return Request("POST", path, "Auth", object, body=urlencode(form).encode(), headers=headers)


def token_refusal(response: Response) -> ApiError:
    """Return the error for a response of the token endpoint that brings no token.

    It is an AuthError only when the credentials were refused: not for a failure of the server or
    of something in front of it. The endpoint was sent every secret there is, and may repeat them:
    of its text only error codes are kept.
    """
    texts = error_texts(response)
    code = next(filter(None, map(find_code, texts)), None)
    oauth = next((text for text in texts if text in _ERROR_CODES), None)
    error = refusal(response)
    refused = response.status in (400, 401) or (response.status == 403 and bool(code or oauth))
    cls = AuthError if refused else error_class(response.status)
    kept = (code or oauth, oauth if code else None, None, error.request_id, error.retry_after)
    error = cls(response.status, *kept)
    if isinstance(error, AuthError):
        error.final = True
    return error


def read_token(response: Response, now: float) -> Token:
    """Parse the token endpoint's response.

    Args:
        response: a response with status 200.
        now: the monotonic second when it was asked for.

    Raises:
        DecodeError: it holds no usable access token. The message does not quote it.
    """
    with StripTraceback():
        return _read_token(response.json(), now)


def _read_token(answer: Any, now: float) -> Token:
    if not isinstance(answer, dict):
        raise DecodeError("a token answer that is not an object")
    access_token = _usable(answer.get("access_token"))
    if access_token is None:
        raise DecodeError("a token answer without a usable token", "$.access_token")
    life = _seconds(answer.get("expires_in"), USUAL_LIFE)
    life = min(max(life, MIN_LIFE), MAX_LIFE) if life > 0 else ODD_LIFE
    refresh_life = _seconds(answer.get("refresh_token_expires_in"), USUAL_REFRESH_LIFE)
    return Token(
        access_token,
        now + life - margin(life),
        _usable(answer.get("refresh_token")),
        now + refresh_life - margin(refresh_life),
    )


def margin(life: float) -> float:
    """Return how many seconds before the end of its life a token is to be replaced."""
    return min(MARGIN, max(0.0, life) * MARGIN_PART)


def to_record(token: Token, now: float, wall: float) -> dict[str, Any]:
    """Give what a TokenStore keeps of a token; its times are seconds since 1970."""
    return {
        "access_token": token.access_token,
        "expires_time": wall + token.due_at - now,
        "refresh_token": token.refresh_token,
        "refresh_expires_time": wall + token.refresh_due_at - now,
    }


def from_record(record: object, now: float, wall: float) -> Token | None:
    """Make a token of what a TokenStore kept; None when that cannot be used.

    A wall clock that was set back meanwhile must not make a token live longer than any does.
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
    # Compared with itself a NaN is not equal, and longer integers fit no float.
    if not isinstance(seconds, (int, float)) or isinstance(seconds, bool) or seconds != seconds:
        return usual
    return float(max(-FOREVER, min(seconds, FOREVER)))


def store_key(server: str, grant: Grant) -> str:
    """Return the name under which a TokenStore keeps the token of one login.

    It tells servers, apps and users apart, and is a digest. The client secret is part of it: a
    wrong one must fail, whatever a right one has left in the store.
    """
    secret = {
        JwtGrant: lambda: grant.jwt,  # type: ignore[union-attr]
        RefreshTokenGrant: lambda: grant.refresh_token,  # type: ignore[union-attr]
        AuthorizationCodeGrant: lambda: grant.code,  # type: ignore[union-attr]
    }[type(grant)]()
    parts = (server, grant.client_id, str(grant.client_secret or ""), str(secret))
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]
