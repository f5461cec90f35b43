"""The token for WebSocket connections.

The guide calls it good for one connection within some 30 seconds; the vendor's own client uses one
again and again for most of `expires_in`. So a new one is taken for each connection where the limits
allow, and otherwise the last one is tried while it has not expired; when the gateway refuses it,
only a new one will do. The last slot of the limits is kept for when there is no old one.

Source: RingCentral API reference, "Create WebSocket Access Token"; group Auth, permission
WebSocketsSubscription.
"""

from math import inf
from typing import Any

import attrs

from ..errors import DecodeError, UsageError
from ..grants import AccessToken
from ..redaction import Secret, StripTraceback
from .rest import Request, Response
from .urls import gateway_address

WSTOKEN: Request[Any] = Request("POST", "/restapi/oauth/wstoken", "Auth", object)

# Seconds that a token is good for when the answer does not say, and at most; and the part of them
# during which the vendor's client uses it again.
DEFAULT_LIFETIME, MAX_LIFETIME, REUSED_PART = 30.0, 600.0, 0.8


@attrs.frozen
class WsToken:
    """A token that opens connections.

    Attributes:
        uri: the gateway's address, without a query.
        ws_access_token: the token; a secret.
        reuse_until: the monotonic time in seconds until which it is as good as a new one.
        expires_at: when it expires.
    """

    uri: str
    ws_access_token: str = attrs.field(repr=False)
    reuse_until: float
    expires_at: float


def read(response: Response, server: str, now: float) -> WsToken:
    """Parse the answer to WSTOKEN.

    Args:
        response: the answer.
        server: the server that gave it.
        now: the monotonic time in seconds.

    Raises:
        DecodeError: it holds no token.
        ConnectionFailed: it leads to somewhere that is not the server's own gateway.
    """
    with StripTraceback():
        return _read(response.json(), server, now)


def _read(answer: Any, server: str, now: float) -> WsToken:
    said = answer if isinstance(answer, dict) else {}
    uri = said.get("uri")
    try:
        token = AccessToken(said.get("ws_access_token")).access_token  # type: ignore[arg-type]
    except UsageError:
        raise DecodeError("no usable token", "$.ws_access_token") from None
    if not isinstance(uri, str):
        raise DecodeError("no address", "$.uri")
    lifetime = _lifetime(said.get("expires_in"))
    return WsToken(
        gateway_address(uri, server), Secret(token), now + REUSED_PART * lifetime, now + lifetime
    )


def _lifetime(value: Any) -> float:
    """Return for how many seconds a token is good; a value that makes no sense counts as absent."""
    number = type(value) in (int, float) and 0 < value < inf
    return min(float(value), MAX_LIFETIME) if number else DEFAULT_LIFETIME
