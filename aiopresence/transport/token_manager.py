"""The access token of a login, renewed once for all tasks and sessions that use it.

A token that the server has rejected is never sent again, whoever gets it from where. The store is
asked for a newer one first, then the token endpoint. What the endpoint says, or the loss of it, is
the error of the calls that needed the token, and the next call tries again. There are three
reasons to wait before that:

- the endpoint asked for it with `Retry-After`: calls wait, as long as their `max_wait` allows;
- tokens are rejected soon after they were issued: calls wait, longer each time, because another
  process that ends our logins, as we end its, would otherwise go on with us for ever;
- the credentials were refused: calls fail at once, because trying again will not help.
"""

import asyncio
import copy
import logging
from collections.abc import Awaitable, Callable
from math import inf
from typing import Any

import attrs

from ..errors import ApiError, AuthError, PresenceError, RateLimited, UsageError
from ..grants import AccessToken, Grant
from ..protocol import oauth
from ..protocol.rest import Request, Response
from ..protocol.retry import Backoff
from .clock import Clock, chance
from .hooks import TokenSource
from .instrumentation import Instrumentation
from .token_store import TokenStore

_log = logging.getLogger("aiopresence")

# Refused credentials are not tried again sooner: they will not have changed, and five logins a
# minute are all there are. A token rejected within this time of its issue was rejected early, too.
# A guess.
REFUSAL_HOLDS = 30.0
# Before a login whose predecessor's token was rejected early.
EARLY_REJECTION_BACKOFF = Backoff(first=1.0, longest=60.0, jitter=0.5)
# No call waits longer than this for a login: it fails, and can be made again.
LONGEST_HOLD = 600.0
# So many rejected tokens are remembered: more than can be alive at a time.
REMEMBERED = 64


@attrs.frozen(eq=False)
class LoginSender:
    """What a session logs in through.

    Attributes:
        send: sends a token request; returns a response with status 200, 400, 401 or 403, and
            raises everything else.
        attempts: how many tokens to try at most.
        max_wait: the seconds a call may wait for a login at most; None for no bound.
        closed: set once the session is closed.
        instrumentation: reports the session's waits, and the logins made through it.
    """

    send: Callable[[Request[Any]], Awaitable[Response]]
    attempts: int
    max_wait: float | None
    closed: asyncio.Event
    instrumentation: Instrumentation

    def check_open(self) -> None:
        """Raise UsageError when the session is closed."""
        if self.closed.is_set():
            raise UsageError("the session was closed while it logged in")


@attrs.frozen(eq=False)
class _Renewal:
    """A login that is under way, and the session it goes through."""

    task: "asyncio.Task[oauth.Token]"
    sender: LoginSender


class TokenManager:
    """The tokens of one login, for all sessions that share it.

    Args:
        grant: what to log in with.
        key: the name of this login in the store.
        store: where tokens are kept.
        clock: where time comes from.
    """

    def __init__(
        self, grant: AccessToken | Grant, key: str, store: TokenStore, clock: Clock
    ) -> None:
        self._grant = grant
        self._key = key
        self._store = store
        self._clock = clock
        self._token: oauth.Token | None = None
        self._issued_at = -inf
        self._rejected: dict[str, None] = {}
        self._early_rejections = 0
        self._renewal: _Renewal | None = None
        # Until then there is no login, because of this error.
        self._login_at = -inf
        self._held: ApiError | None = None

    @property
    def is_renewable(self) -> bool:
        """Whether there can be another token than the present one."""
        return not isinstance(self._grant, AccessToken)

    async def get(self, sender: LoginSender) -> str:
        """Return a token that is good for at least the next request.

        Raises:
            AuthError: the credentials are refused, now or within the last 30 seconds; or
                (`final` is False) all tokens that are issued have been rejected before.
            PresenceError: the token endpoint cannot be reached or fails, or the store cannot be
                used. The next call tries again.
        """
        if isinstance(self._grant, AccessToken):
            if self._held is not None:
                raise self._held_error()
            return self._grant.access_token
        for _ in range(max(2, sender.attempts)):
            token = self._token
            if token is None or not self._is_good(token):
                await self._wait_to_log_in(sender)
                token = await self._renewed(sender)
            if token.access_token not in self._rejected:
                return token.access_token
        raise self._held_error()

    def is_latest(self, access_token: str, *, due: bool) -> bool:
        """Return whether a token is the newest one and not rejected.

        Args:
            access_token: the token.
            due: whether it may be due for renewal.
        """
        if isinstance(self._grant, AccessToken):
            return self._held is None
        token = self._token
        if token is None or token.access_token != access_token:
            return False
        return self._is_good(token) or (due and access_token not in self._rejected)

    def reject(self, access_token: str, error: ApiError) -> bool:
        """Record that the server rejected a token; return whether there can be another.

        Args:
            access_token: the token.
            error: the error of the request that was sent with it.
        """
        if isinstance(self._grant, AccessToken):
            self._held = _auth_error(error, final=True)
            return False
        if access_token not in self._rejected:
            is_early = self._token is not None and self.is_latest(access_token, due=False)
            self._remember(access_token)
            if is_early:
                self._rejected_early(error)
        return True

    async def forget(self) -> str | None:
        """Drop the token, here and in the store, and return it to be revoked; None if none."""
        if isinstance(self._grant, AccessToken):
            revoked = AuthError(401, message="the access token was revoked")
            self._held = _auth_error(revoked, final=True)
            return self._grant.access_token
        async with self._store.lock(self._key):
            token = await self._load() or self._token
            self._token = None
            await self._store.save(self._key, None)
        if token is None:
            return None
        self._remember(token.access_token)
        return token.access_token

    def try_again(self) -> None:
        """Forget that the credentials were refused: a new session is to try them again."""
        if isinstance(self._held, AuthError) and self._held.final:
            self._held, self._login_at = None, -inf

    async def close(self, sender: LoginSender) -> None:
        """End a login that goes through a session; others that wait for it do their own."""
        if self._renewal is not None and self._renewal.sender is sender:
            task = self._renewal.task
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def _is_good(self, token: oauth.Token) -> bool:
        return self._clock.now() < token.due_at and token.access_token not in self._rejected

    def _remember(self, access_token: str) -> None:
        self._rejected[access_token] = None
        while len(self._rejected) > REMEMBERED:
            del self._rejected[next(iter(self._rejected))]

    def _rejected_early(self, error: ApiError) -> None:
        """Record that a token was rejected before it expired, and delay the next login."""
        now = self._clock.now()
        is_soon = now < self._issued_at + REFUSAL_HOLDS
        self._early_rejections = self._early_rejections + 1 if is_soon else 1
        wait = EARLY_REJECTION_BACKOFF.delay(self._early_rejections - 1, chance())
        self._hold(_auth_error(error, final=False), wait)
        _log.warning(
            "an access token was rejected before it expired; logging in again in %.1f s (more than"
            " five logins of one user and app end the oldest: a shared token_store avoids them)",
            wait,
        )

    def _hold(self, error: ApiError, seconds: float) -> None:
        until = self._clock.now() + seconds
        if until >= self._login_at:
            self._held, self._login_at = error, until

    def _held_error(self) -> ApiError:
        """Return the error that holds logins back, for one call to raise."""
        assert self._held is not None  # noqa: S101 - whoever asks has seen that there is one
        error = copy.copy(self._held)
        left = self._login_at - self._clock.now()
        error.retry_after = left if left > 0 else None
        return error

    async def _wait_to_log_in(self, sender: LoginSender) -> None:
        """Wait until a login may be tried, unless the store has a newer token.

        Raises:
            PresenceError: the credentials were refused, or the wait would be too long. It is what
                the last login failed with.
        """
        longest = min(LONGEST_HOLD, inf if sender.max_wait is None else sender.max_wait)
        while (left := self._login_at - self._clock.now()) > 0:
            stored = await self._load()
            if stored is not None and self._is_good(stored):
                return
            if left > longest or (isinstance(self._held, AuthError) and self._held.final):
                raise self._held_error()
            await self._wait(sender, left)
            sender.check_open()

    async def _wait(self, sender: LoginSender, seconds: float) -> None:
        began = self._clock.now()
        sender.instrumentation.wait_begins("login", seconds)
        try:
            await self._clock.wait(sender.closed, seconds)
        finally:
            sender.instrumentation.wait_ended("login", self._clock.now() - began)

    async def _renewed(self, sender: LoginSender) -> oauth.Token:
        """Log in once for all who ask meanwhile; who is cancelled does not cancel the others."""
        while True:
            renewal = self._renewal or self._start(sender)
            try:
                return await asyncio.shield(renewal.task)
            except asyncio.CancelledError:
                task = asyncio.current_task()
                if task is None or task.cancelling():
                    raise
            except PresenceError as error:
                # It concerns the other session only: it was closed, or has a shorter max_wait.
                not_sent = isinstance(error, RateLimited) and not error.sent
                if renewal.sender is sender or not (renewal.sender.closed.is_set() or not_sent):
                    raise
            # The session that logged in gave up. The others go on through their own.
            sender.check_open()

    def _start(self, sender: LoginSender) -> _Renewal:
        renewal = _Renewal(asyncio.create_task(self._renew(sender)), sender)
        if not renewal.task.done():  # As it may be at once, with eager tasks.
            self._renewal = renewal
        renewal.task.add_done_callback(self._ended)
        return renewal

    def _ended(self, task: "asyncio.Task[oauth.Token]") -> None:
        self._renewal = None
        if not task.cancelled():
            task.exception()  # Retrieved, even if all who waited for it are gone.

    async def _renew(self, sender: LoginSender) -> oauth.Token:
        async with self._store.lock(self._key):
            old, stored = self._token, await self._load()
            if stored is not None and self._is_good(stored):
                self._adopt(stored)  # Another process has renewed it.
                self._report(sender, "store", stored)
                return stored
            if old is None or old.access_token not in self._rejected:
                self._early_rejections = 0
            token, source = await self._log_in(sender, stored or old)
            self._adopt(token)
            if token.access_token in self._rejected:
                error = AuthError(401, message="a rejected access token was issued again")
                self._rejected_early(error)
                # Its refresh token is good for the next login; nothing is sent with itself.
                self._token = token = attrs.evolve(token, due_at=self._clock.now())
            await self._save(token)
            if token.access_token not in self._rejected:
                self._report(sender, source, token)
            return token

    def _adopt(self, token: oauth.Token) -> None:
        self._token, self._issued_at = token, self._clock.now()

    def _report(self, sender: LoginSender, source: TokenSource, token: oauth.Token) -> None:
        sender.instrumentation.token_obtained(source, token.due_at - self._clock.now())

    async def _log_in(
        self, sender: LoginSender, old: oauth.Token | None
    ) -> tuple[oauth.Token, TokenSource]:
        """Return a new token, and what it was obtained with."""
        now = self._clock.now()
        refresh_token = old.refresh_token if old and now < old.refresh_due_at else None
        flow = oauth.renewal(self._grant, refresh_token)  # type: ignore[arg-type] # get() has seen to it
        response: Response | None = None
        source: TokenSource = "login" if refresh_token is None else "refresh"
        while True:
            try:
                request = flow.send(response)  # type: ignore[arg-type] # None starts it
            except StopIteration as done:
                response = done.value
                break
            if response is not None:
                source = "login"  # The refresh token was refused.
            response = await self._send(sender, request)
        if response.status != 200:
            error = oauth.token_error(response)
            if isinstance(error, AuthError):
                self._hold(error, REFUSAL_HOLDS)
            raise error
        token = oauth.read_token(response, self._clock.now())
        if token.refresh_token is None and refresh_token is not None and old is not None:
            # It was not replaced, so it goes on (RFC 6749 §6).
            token = attrs.evolve(
                token, refresh_token=refresh_token, refresh_due_at=old.refresh_due_at
            )
        return token, source

    async def _send(self, sender: LoginSender, request: Request[Any]) -> Response:
        try:
            return await sender.send(request)
        except ApiError as error:
            # What the server asked for holds for the next calls, too. A 429 is the rate limiter's.
            if error.retry_after and error.http_status != 429:
                self._hold(error, error.retry_after)
            raise

    async def _save(self, token: oauth.Token) -> None:
        record = oauth.to_record(token, self._clock.now(), self._clock.wall())
        try:
            await self._store.save(self._key, record)
        except Exception as error:
            # The token is good; only the next process will have to log in again.
            why = getattr(error, "strerror", None) or str(error) or type(error).__name__
            _log.warning("the token could not be saved: %s", why)

    async def _load(self) -> oauth.Token | None:
        record = await self._store.load(self._key)
        return oauth.from_record(record, self._clock.now(), self._clock.wall())


def _auth_error(error: ApiError, *, final: bool) -> AuthError:
    """Return an error as an AuthError, without the frames it was raised in."""
    found = AuthError(
        401, error.error_code, error.message, error.parameter_name, error.request_id, None
    )
    found.final = final
    return found
