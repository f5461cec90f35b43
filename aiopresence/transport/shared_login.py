"""What the sessions of one login on one event loop share.

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
from .clock import Clock
from .shared_limits import SharedLimits
from .token_manager import TokenManager
from .token_store import MemoryTokenStore, TokenStore

# The state is kept for sessions that are opened one after the other: seconds since the last one
# closed, and for how many logins. Guesses: longer than any usual penalty.
KEPT_FOR = 3600.0
MAX_KEPT = 64


@attrs.define(eq=False)
class SharedLogin:
    """The state that the sessions of one login share.

    Attributes:
        limits: the state of the rate limiter.
        sessions: how many open sessions use it.
        left_at: when the last one closed, in monotonic seconds.
    """

    limits: SharedLimits = attrs.field(factory=SharedLimits)
    sessions: int = 0
    left_at: float = 0.0
    # Who shares a login need not share a token store: by its id; 0 is that of those without.
    _tokens: dict[int, TokenManager] = attrs.field(factory=dict, repr=False)
    _users: Counter[TokenManager] = attrs.field(factory=Counter, repr=False)

    def enter_tokens(
        self, server: str, grant: AccessToken | Grant, store: TokenStore | None, clock: Clock
    ) -> TokenManager:
        """Return the tokens of the login in a store. To be ended with `leave_tokens`."""
        name = 0 if store is None else id(store)
        if name not in self._tokens:
            key = "" if isinstance(grant, AccessToken) else oauth.store_key(server, grant)
            kept_in = MemoryTokenStore() if store is None else store
            self._tokens[name] = TokenManager(grant, key, kept_in, clock)
        self._users[self._tokens[name]] += 1
        return self._tokens[name]

    def leave_tokens(self, tokens: TokenManager) -> None:
        """End the use of tokens by one session. Those in memory are kept for the next one."""
        self._users[tokens] -= 1
        if self._users[tokens]:
            return
        del self._users[tokens]
        kept = self._tokens.get(0)
        if tokens is kept and tokens.is_renewable:
            tokens.try_again()
        else:
            self._tokens = {n: each for n, each in self._tokens.items() if each is not tokens}


# A clock of its own has a time of its own, so its state is of no use to others.
_Key = tuple[str, Clock]
_logins: dict[asyncio.AbstractEventLoop, dict[_Key, SharedLogin]] = {}


def enter(server: str, grant: AccessToken | Grant, clock: Clock) -> SharedLogin:
    """Return the state of a login on the running event loop. To be ended with `leave`."""
    for loop in [*_logins]:
        if loop.is_closed():
            _logins.pop(loop, None)
    logins = _logins.setdefault(asyncio.get_running_loop(), {})
    _forget(logins)
    key = (_identity(server, grant), clock)
    # Taken out and put in again: the last one entered is the last one forgotten.
    login = logins[key] = logins.pop(key) if key in logins else SharedLogin()
    login.sessions += 1
    return login


def leave(login: SharedLogin, clock: Clock) -> None:
    """End the use of a login by one session."""
    login.sessions -= 1
    login.left_at = clock.now()


def _forget(logins: dict[_Key, SharedLogin]) -> None:
    """Forget what no session uses: what is old, and the oldest if there is too much."""
    unused = [key for key, login in logins.items() if not login.sessions]
    excess = len(unused) - MAX_KEPT
    for number, key in enumerate(unused):
        if number < excess or key[1].now() > logins[key].left_at + KEPT_FOR:
            del logins[key]


def _identity(server: str, grant: AccessToken | Grant) -> str:
    """Return a digest of all that makes two logins the same, the client secret included."""
    values: tuple[Any, ...] = (server, type(grant).__name__, *attrs.astuple(grant))
    return hashlib.sha256(repr([v and str(v) for v in values]).encode()).hexdigest()
