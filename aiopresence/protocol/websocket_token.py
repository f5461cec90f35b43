"""WebSocket tokens: how they are requested, how long they are used, and what a refusal means.

Theory: the guide calls a token good for one connection within some 30 seconds; the vendor's own
client uses one repeatedly for most of `expires_in`. Each request for one costs a slot of the rate
limit group Auth, which allows few, and the logins of the session need them, too. So a new token is
requested for each connection while the rate limit allows it without a wait. Otherwise the last one
is reused until it expires. The last free slot is left unused while the token is fresh, because it
may be the only one for a minute when the token has expired.

A refusal (401) of a reused token means that the gateway does not accept it a second time; a new one
is requested at once. A refusal of a new token means little: it may have been issued a moment before
the login behind it was replaced. `MAX_REFUSALS` refusals of new tokens in a row mean that the
access token which they were requested with has ended, although the server still accepts it.

Source: RingCentral API reference, "Create WebSocket Access Token"; rate limit group Auth,
permission WebSocketsSubscription. Times are monotonic seconds, given by the caller.
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

# Seconds that a token is good for if the response does not say, and at most; and the part of them
# during which the vendor's client reuses it.
DEFAULT_LIFETIME, MAX_LIFETIME, REUSED_PART = 30.0, 600.0, 0.8
# The longest wait in seconds for a new token; beyond, the last one is reused. A guess.
MAX_WAIT = 1.0
# Refusals of new tokens in a row after which the access token is replaced. A guess.
MAX_REFUSALS = 2


@attrs.frozen
class WsToken:
    """A token that opens connections.

    Attributes:
        uri: the address of the gateway, without a query.
        ws_access_token: the token; a secret.
        fresh_until: until when it is as good as a new one.
        expires_at: when it expires.
    """

    uri: str
    ws_access_token: str = attrs.field(repr=False)
    fresh_until: float
    expires_at: float


def parse(response: Response, server: str, now: float) -> WsToken:
    """Parse the response to WSTOKEN.

    Args:
        response: the response.
        server: the server that sent it.
        now: the monotonic time in seconds.

    Raises:
        DecodeError: it has no token.
        ConnectionFailed: its address is not that of a gateway of the server.
    """
    with StripTraceback():
        return _parse(response.json(), server, now)


def _parse(body: Any, server: str, now: float) -> WsToken:
    fields = body if isinstance(body, dict) else {}
    uri = fields.get("uri")
    try:
        token = AccessToken(fields.get("ws_access_token")).access_token  # type: ignore[arg-type]
    except UsageError:
        raise DecodeError("no usable token", "$.ws_access_token") from None
    if not isinstance(uri, str):
        raise DecodeError("no address", "$.uri")
    lifetime = _lifetime(fields.get("expires_in"))
    return WsToken(
        gateway_address(uri, server), Secret(token), now + REUSED_PART * lifetime, now + lifetime
    )


def _lifetime(value: Any) -> float:
    """Return the seconds that a token is good for; a value that makes no sense counts as absent."""
    is_usable = type(value) in (int, float) and 0 < value < inf
    return min(float(value), MAX_LIFETIME) if is_usable else DEFAULT_LIFETIME


class TokenPolicy:
    """Decides which token the next connection gets.

    Attributes:
        token: the last token; None if there is none, or it was refused.
        is_reused: whether the present connection got a token that an earlier one had.
    """

    def __init__(self) -> None:
        self.token: WsToken | None = None
        self.is_reused = False
        # Refusals of new tokens since one was accepted.
        self._refusals = 0

    @property
    def needs_access_token(self) -> bool:
        """Whether to replace the access token before a new token is requested."""
        return self._refusals >= MAX_REFUSALS

    def reusable(self, now: float) -> WsToken | None:
        """Return the last token unless it has expired."""
        return self.token if self.token is not None and now < self.token.expires_at else None

    def prefers_reuse(self, now: float, wait: float, wait_behind: float) -> bool:
        """Return whether to reuse the last token rather than request a new one.

        Args:
            now: the monotonic time in seconds.
            wait: the seconds that a request would have to wait.
            wait_behind: the seconds that a second request would have to wait.
        """
        is_fresh = self.token is not None and now < self.token.fresh_until
        return wait > MAX_WAIT or (is_fresh and wait_behind > MAX_WAIT)

    def issued(self, token: WsToken) -> None:
        """Record a new token."""
        self.token, self.is_reused = token, False

    def access_token_replaced(self) -> None:
        """Record that the access token was replaced."""
        self._refusals = 0

    def accepted(self) -> None:
        """Record that a connection was made with the token."""
        self._refusals = 0

    def refused(self) -> None:
        """Record that the token was refused as unauthorized (401)."""
        self.token = None
        if not self.is_reused:
            self._refusals += 1

    def discard(self) -> None:
        """Do not use the token again: its connection was refused, whatever the reason."""
        self.token = None
