"""What the sessions of one login on one event loop share: its rate limits and its tokens.

RingCentral counts requests per user and app, so sessions with the same server and login share one
rate limiter: each on its own would exceed the limits together. They share the token, too, because
RingCentral ends the oldest of more than five logins. Event loops never share anything.
"""

import asyncio
import hashlib
from collections import Counter
from typing import Any

import attrs

from ..grants import AccessToken, Grant
from ..protocol import oauth
from ..protocol.login_hold import RejectedTokens
from .clock import Clock
from .fixed_token import FixedToken
from .rate_limiter import RateLimiter, RemoteLimits
from .shared_limits import SharedLimits
from .token_manager import TokenManager
from .token_store import MemoryTokenStore, TokenStore

# How long the state of a login is kept after its last session, in seconds, and for how many logins:
# sessions may be opened one after the other. Guesses: longer than any usual penalty.
KEPT_FOR = 3600.0
MAX_KEPT = 64

Tokens = TokenManager | FixedToken


@attrs.define(eq=False)
class _RemoteState:
    """The limits of a login that are kept elsewhere, and how many sessions use them."""

    shared: SharedLimits
    limits: RemoteLimits
    sessions: int = 0


@attrs.define(eq=False)
class SharedLogin:
    """The state that the sessions of one login share.

    Attributes:
        limits: the state of the rate limiter in memory.
        sessions: how many open sessions use it.
        left_at: when the last one closed, in monotonic seconds.
    """

    limits: SharedLimits = attrs.field(factory=SharedLimits)
    sessions: int = 0
    left_at: float = 0.0
    # By the id of the token store, because sessions of one login may have different ones; 0 is for
    # sessions without.
    _tokens: dict[int, Tokens] = attrs.field(factory=dict, repr=False)
    _users: Counter[Tokens] = attrs.field(factory=Counter, repr=False)
    # Kept here because a store may still have such a token when a session is opened again.
    _rejected: RejectedTokens = attrs.field(factory=RejectedTokens, repr=False)
    # By the id of the rate limiter.
    _remote: dict[int, _RemoteState] = attrs.field(factory=dict, repr=False)
    _lock: asyncio.Lock = attrs.field(factory=asyncio.Lock, repr=False)

    async def acquire_limits(
        self, server: str, grant: AccessToken | Grant, limiter: RateLimiter | None, clock: Clock
    ) -> SharedLimits:
        """Return the limits of the login in a rate limiter, for one session; see `release_limits`.

        Raises:
            PresenceError: the rate limiter cannot be reached.
        """
        if limiter is None:
            return self.limits
        async with self._lock:  # One session opens it; others wait until it is open.
            remote = self._remote.get(id(limiter))
            if remote is None:
                limits = limiter.limits_of(server, grant, clock)
                remote = _RemoteState(SharedLimits(limits), limits)
                await limits.open(remote.shared)
                self._remote[id(limiter)] = remote
            remote.sessions += 1
        return remote.shared

    async def release_limits(self, shared: SharedLimits) -> None:
        """End the use of limits by one session. Those kept elsewhere are closed with the last."""
        users = [n for n, remote in self._remote.items() if remote.shared is shared]
        for name in users:
            remote = self._remote[name]
            remote.sessions -= 1
            if not remote.sessions:
                del self._remote[name]
                await remote.limits.close()

    def acquire_tokens(
        self, server: str, grant: AccessToken | Grant, store: TokenStore | None, clock: Clock
    ) -> Tokens:
        """Return the tokens of the login in a store, for one session; see `release_tokens`."""
        name = 0 if store is None else id(store)
        tokens = self._tokens.get(name)
        if tokens is None:
            tokens = _new_tokens(server, grant, store, clock, self._rejected)
            self._tokens[name] = tokens
        self._users[tokens] += 1
        return tokens

    def release_tokens(self, tokens: Tokens) -> None:
        """End the use of tokens by one session. Those in memory are kept for the next one."""
        self._users[tokens] -= 1
        if self._users[tokens]:
            return
        del self._users[tokens]
        if isinstance(tokens, TokenManager) and tokens is self._tokens.get(0):
            tokens.forget_refusal()
        else:
            self._tokens = {n: each for n, each in self._tokens.items() if each is not tokens}


def _new_tokens(
    server: str,
    grant: AccessToken | Grant,
    store: TokenStore | None,
    clock: Clock,
    rejected: RejectedTokens,
) -> Tokens:
    if isinstance(grant, AccessToken):
        return FixedToken(grant.access_token)
    key = oauth.store_key(server, grant)
    return TokenManager(grant, key, MemoryTokenStore() if store is None else store, clock, rejected)


# By server, login and clock: times of another clock cannot be compared.
_Key = tuple[str, Clock]
_logins: dict[asyncio.AbstractEventLoop, dict[_Key, SharedLogin]] = {}


def acquire(server: str, grant: AccessToken | Grant, clock: Clock) -> SharedLogin:
    """Return the state of a login on the running event loop, for one session; see `release`."""
    for loop in [*_logins]:
        if loop.is_closed():
            _logins.pop(loop, None)
    logins = _logins.setdefault(asyncio.get_running_loop(), {})
    _discard_unused(logins)
    key = (_identity(server, grant), clock)
    # Removed and inserted again: the order is that of the last use.
    login = logins[key] = logins.pop(key) if key in logins else SharedLogin()
    login.sessions += 1
    return login


def release(login: SharedLogin, clock: Clock) -> None:
    """End the use of a login by one session."""
    login.sessions -= 1
    login.left_at = clock.now()


def _discard_unused(logins: dict[_Key, SharedLogin]) -> None:
    """Discard logins that no session uses: those of long ago, and the oldest of too many."""
    unused = [key for key, login in logins.items() if not login.sessions]
    excess = len(unused) - MAX_KEPT
    for number, key in enumerate(unused):
        if number < excess or key[1].now() > logins[key].left_at + KEPT_FOR:
            del logins[key]


def _identity(server: str, grant: AccessToken | Grant) -> str:
    """Return a digest of all that makes two logins the same, the client secret included."""
    values: tuple[Any, ...] = (server, type(grant).__name__, *attrs.astuple(grant))
    return hashlib.sha256(repr([v and str(v) for v in values]).encode()).hexdigest()
