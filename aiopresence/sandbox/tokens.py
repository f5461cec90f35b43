"""The logins of the one user and app: which tokens are good, and until when."""

import math
import random
from typing import TypeGuard

import attrs

from . import argument_checks, fake_people
from .responses import GrantError, RefusedError

ACCESS_LIFE = 3600.0  # seconds; RingCentral's defaults
REFRESH_LIFE = 604800.0
MOST = 5  # RingCentral: usually five sessions per user and app
# Not documented, but seen (github.com/tylerlong/ringcentral-token-refresh-experiment): once the new
# access token is used, the refresh token it replaced is good for 10 s; until then, for 60 min at
# least. That it is not longer is a guess.
GRACE = 10.0
GRACE_UNUSED = 3600.0


@attrs.frozen
class Lives:
    """How long new tokens live, in seconds.

    Args:
        access: an access token.
        refresh: a refresh token; with 0 or less there is none.

    Raises:
        UsageError: access tokens would not live at all.
    """

    access: float = ACCESS_LIFE
    refresh: float = REFRESH_LIFE

    def __attrs_post_init__(self) -> None:
        argument_checks.seconds("token_lifetime", self.access)


@attrs.define
class Token:
    """A token and when it expires."""

    value: str = attrs.field(repr=False)
    end: float


@attrs.define(eq=False)
class Session:
    """One login.

    Attributes:
        endpoint_id: stays the same through all refreshes, which is a guess.
        access: the good access token.
        refresh: the good refresh token, or None.
        replaced: the refresh token that these two replaced, or None. Used again within its grace
            it brings the same two again, so that an answer that was lost does no harm.
    """

    endpoint_id: str
    access: Token
    refresh: Token | None
    replaced: Token | None = None

    def use(self, now: float) -> None:
        """Note a request with the access token."""
        if self.replaced is not None:
            self.replaced.end = min(self.replaced.end, now + GRACE)

    def has(self, token: str | None) -> bool:
        """Tell whether a token is one of this login's."""
        return any(_is(each, token) for each in (self.access, self.refresh, self.replaced))


class Sessions:
    """The logins that are not over, the oldest first.

    Args:
        rng: where tokens come from.
    """

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._sessions: list[Session] = []

    def begin(self, lives: Lives, now: float) -> Session:
        """Log in; the oldest login ends when there are too many, even one that is in use."""
        endpoint_id = fake_people.token(self._rng, "", 22)
        session = Session(endpoint_id, *self._tokens(lives, now))
        self._sessions.append(session)
        del self._sessions[:-MOST]
        return session

    def refresh(self, token: str | None, lives: Lives, now: float) -> Session:
        """Go on with a refresh token: the access token dies at once, and there are new ones.

        Raises:
            GrantError: 400 invalid_grant: there is no such refresh token, or it has expired.
        """
        for session in self._sessions:
            if _is(session.replaced, token) and now < session.replaced.end:
                return session
            if _is(session.refresh, token):
                if now >= session.refresh.end:
                    raise GrantError(400, "invalid_grant", "OAU-210", "Token expired")
                # The one replaced before is gone with that, which is a guess.
                session.replaced = Token(session.refresh.value, now + GRACE_UNUSED)
                session.access, session.refresh = self._tokens(lives, now)
                return session
        raise GrantError(400, "invalid_grant", "OAU-213", "Token not found")

    def check(self, token: str | None, now: float) -> None:
        """Take a bearer token, or refuse one that is missing, unknown, replaced or expired.

        Raises:
            RefusedError: 401, OAU-213 or OAU-128.
        """
        for session in self._sessions:
            if _is(session.access, token):
                if now >= session.access.end:
                    raise RefusedError(401, "OAU-128", "Access token is expired.")
                session.use(now)
                return
        raise RefusedError(401, "OAU-213", "Token is not found.")

    def end(self, token: str | None) -> None:
        """End the login that a token belongs to, if there is one."""
        self._sessions = [each for each in self._sessions if not each.has(token)]

    def expire_access(self) -> None:
        """Let every access token given out so far be expired."""
        for session in self._sessions:
            session.access.end = -math.inf

    def expire_refresh(self) -> None:
        """Let every refresh token given out so far be expired."""
        for session in self._sessions:
            for token in (session.refresh, session.replaced):
                if token is not None:
                    token.end = -math.inf

    def _tokens(self, lives: Lives, now: float) -> tuple[Token, Token | None]:
        access = Token(fake_people.token(self._rng, "SandboxToken", 120), now + lives.access)
        if lives.refresh <= 0:
            return access, None
        return access, Token(
            fake_people.token(self._rng, "SandboxRefresh", 120), now + lives.refresh
        )


def _is(known: Token | None, token: str | None) -> TypeGuard[Token]:
    return known is not None and known.value == token
