"""The tokens of the one app and user: which are valid, and until when."""

import math
import random
from typing import TypeGuard

import attrs

from . import argument_checks, fake_people
from .request_context import RequestContext
from .responses import GrantError, RefusedError, Response, json_response

ACCESS_LIFETIME = 3600.0  # seconds; RingCentral's defaults
REFRESH_LIFETIME = 604800.0
MAX_LOGINS = 5  # RingCentral: usually five sessions per user and app
# Not documented, but seen (github.com/tylerlong/ringcentral-token-refresh-experiment): once the new
# access token is used, the refresh token it replaced is valid for 10 s; until then, for 60 min at
# least. That it is not longer is a guess.
GRACE = 10.0
GRACE_UNUSED = 3600.0


@attrs.frozen
class TokenLifetimes:
    """How long new tokens are valid, in seconds.

    Attributes:
        access: an access token.
        refresh: a refresh token; with 0 or less a login returns none.

    Raises:
        UsageError: the lifetime of access tokens is not a positive number.
    """

    access: float = ACCESS_LIFETIME
    refresh: float = REFRESH_LIFETIME

    def __attrs_post_init__(self) -> None:
        argument_checks.seconds("token_lifetime", self.access)


@attrs.define
class Token:
    """A token, and when it expires in seconds of the sandbox's clock."""

    value: str = attrs.field(repr=False)
    expires_at: float


@attrs.define(eq=False)
class Login:
    """One login, and its tokens through all refreshes.

    Attributes:
        endpoint_id: the endpoint_id of token responses; that it survives refreshes is a guess.
        access: the valid access token.
        refresh: the valid refresh token, or None.
        replaced: the refresh token that the two replaced, or None. Until its grace ends it
            returns the same two tokens again, for clients that lost the response.
    """

    endpoint_id: str
    access: Token
    refresh: Token | None
    replaced: Token | None = None

    def record_use(self, now: float) -> None:
        """Record a request with the access token, which shortens the grace of the old one."""
        if self.replaced is not None:
            self.replaced.expires_at = min(self.replaced.expires_at, now + GRACE)

    def has(self, token: str | None) -> bool:
        """Return whether a token belongs to this login."""
        return any(_is(each, token) for each in (self.access, self.refresh, self.replaced))


class Logins:
    """The logins that have not ended, oldest first.

    Args:
        rng: the source of tokens.
    """

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._logins: list[Login] = []

    def begin(self, lifetimes: TokenLifetimes, now: float) -> Login:
        """Log in. With more than five logins the oldest ends, even if it is in use."""
        endpoint_id = fake_people.token(self._rng, "", 22)
        login = Login(endpoint_id, *self._new_tokens(lifetimes, now))
        self._logins.append(login)
        del self._logins[:-MAX_LOGINS]
        return login

    def refresh(self, token: str | None, lifetimes: TokenLifetimes, now: float) -> Login:
        """Replace both tokens of a login; its old access token is invalid at once.

        Raises:
            GrantError: 400 invalid_grant: the refresh token is unknown or has expired.
        """
        for login in self._logins:
            if _is(login.replaced, token) and now < login.replaced.expires_at:
                return login
            if _is(login.refresh, token):
                if now >= login.refresh.expires_at:
                    raise GrantError(400, "invalid_grant", "OAU-210", "Token expired")
                # That the one replaced before is invalid from now on is a guess.
                login.replaced = Token(login.refresh.value, now + GRACE_UNUSED)
                login.access, login.refresh = self._new_tokens(lifetimes, now)
                return login
        raise GrantError(400, "invalid_grant", "OAU-213", "Token not found")

    def check(self, token: str | None, now: float) -> None:
        """Check a bearer token, and record its use.

        Raises:
            RefusedError: 401, OAU-128 for one that has expired, OAU-213 for one that is missing,
                unknown or replaced.
        """
        for login in self._logins:
            if _is(login.access, token):
                if now >= login.access.expires_at:
                    raise RefusedError(401, "OAU-128", "Access token is expired.")
                login.record_use(now)
                return
        raise RefusedError(401, "OAU-213", "Token is not found.")

    def end(self, token: str | None) -> None:
        """End the login that a token belongs to, if there is one."""
        self._logins = [each for each in self._logins if not each.has(token)]

    def expire_access(self) -> None:
        """Expire every access token issued so far."""
        for login in self._logins:
            login.access.expires_at = -math.inf

    def expire_refresh(self) -> None:
        """Expire every refresh token issued so far."""
        for login in self._logins:
            for token in (login.refresh, login.replaced):
                if token is not None:
                    token.expires_at = -math.inf

    def _new_tokens(self, lifetimes: TokenLifetimes, now: float) -> tuple[Token, Token | None]:
        access = fake_people.token(self._rng, "SandboxToken", 120)
        if lifetimes.refresh <= 0:
            return Token(access, now + lifetimes.access), None
        refresh = fake_people.token(self._rng, "SandboxRefresh", 120)
        return Token(access, now + lifetimes.access), Token(refresh, now + lifetimes.refresh)


class WebSocketTokens:
    """The tokens that open WebSockets, and their two endpoints.

    Args:
        rng: the source of tokens.
        lifetime: how long a token is accepted, in seconds.
        single_use: whether a token is accepted only once.
    """

    def __init__(self, rng: random.Random, lifetime: float, *, single_use: bool) -> None:
        self._rng = rng
        self._lifetime = lifetime
        self._single_use = single_use
        self._expires_at: dict[str, float] = {}

    def issue(self, context: RequestContext) -> Response:
        """POST /restapi/oauth/wstoken: issue a token."""
        now = context.received.arrival
        self._expires_at = {token: end for token, end in self._expires_at.items() if now < end}
        token = fake_people.token(self._rng, "SandboxWsToken", 80)
        self._expires_at[token] = now + self._lifetime
        # RingCentral sends whole seconds; a test may have shorter lifetimes.
        whole = int(self._lifetime)
        return json_response(
            {
                "uri": f"ws{context.base.removeprefix('http')}/ws",
                "ws_access_token": token,
                "expires_in": whole if whole == self._lifetime else self._lifetime,
            }
        )

    def accept(self, context: RequestContext) -> Response:
        """GET /ws: accept a token, with 101 in place of a response, or raise RefusedError 401."""
        if context.received.method != "GET" or context.header("upgrade").lower() != "websocket":
            return Response(426, headers={"Upgrade": "websocket"})
        token = context.query.get("access_token", "")
        now = context.received.arrival
        if now >= self._expires_at.get(token, now):
            # RingCentral does not document this error: the code is a guess.
            raise RefusedError(401, "OAU-213", "WebSocket token is not found.")
        if self._single_use:
            del self._expires_at[token]
        return Response(101)


def _is(known: Token | None, token: str | None) -> TypeGuard[Token]:
    return known is not None and known.value == token
