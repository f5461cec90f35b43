"""OAuth: a grant as a token request, and its answer as a token.

Source: RingCentral guide, "Authentication"; RFC 6749, RFC 7523.
"""

from base64 import b64encode
from typing import Any
from urllib.parse import urlencode

import attrs

from ..errors import ApiError, AuthError, DecodeError, UsageError
from ..grants import AccessToken, JwtGrant
from .wire import JSON, Request, Response, refusal

# Bounds on `expires_in`, so that an odd one can neither start a loop of logins nor outlive a day.
MIN_LIFETIME, USUAL_LIFETIME, MAX_LIFETIME = 60.0, 3600.0, 86_400.0
# A token is renewed this long before its end, so that no request travels with one that dies on
# the way. A guess, twice the usual timeout.
MARGIN = 60.0


@attrs.frozen
class Token:
    """An access token and when to get the next one.

    Attributes:
        access_token: the bearer token.
        due_at: the monotonic second from which it should be replaced.
    """

    access_token: str = attrs.field(repr=False)
    due_at: float


def token_request(grant: JwtGrant) -> Request[Any]:
    """Give the request that turns a grant into a token."""
    basic = b64encode(f"{grant.client_id}:{grant.client_secret}".encode()).decode()
    form = {
        "grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer",
        "assertion": grant.jwt,
    }
    headers = {
        "authorization": f"Basic {basic}",
        "content-type": "application/x-www-form-urlencoded",
        "accept": JSON,
    }
    body = urlencode(form).encode()
    return Request("POST", "/restapi/oauth/token", "Auth", object, body=body, headers=headers)


def token_refusal(response: Response) -> ApiError:
    """Give the error for a refused token request: a 4xx means that the credentials are wrong."""
    final = 400 <= response.status < 500 and response.status not in (408, 429)
    return refusal(response, AuthError if final else None)


def read_token(response: Response, now: float) -> Token:
    """Read the token endpoint's answer.

    Raises:
        DecodeError: it holds no usable access token. The message does not quote it.
    """
    answer = response.json()
    if not isinstance(answer, dict):
        raise DecodeError("a token answer that is not an object")
    try:
        token = AccessToken(answer.get("access_token", "")).access_token
    except UsageError:
        token = ""
    if not token:
        raise DecodeError("a token answer without a usable token", "$.access_token")
    return Token(token, now + max(_lifetime(answer.get("expires_in")) - MARGIN, MARGIN / 2))


def _lifetime(seconds: object) -> float:
    if not isinstance(seconds, (int, float)) or isinstance(seconds, bool):
        return USUAL_LIFETIME
    return min(max(float(seconds), MIN_LIFETIME), MAX_LIFETIME)
