"""The access token of a login, renewed once for all tasks and sessions that use it.

Theory. Many calls of several sessions need the token at the same time; the server ends the oldest
of more than five logins of one user and app, and allows few logins a minute. So:

- *Who renews.* The first call that finds no usable token starts a task, which logs in through that
  call's session; all others wait for the same task. It holds the store's lock, so other processes
  wait, too, and looks for a newer token in the store before it logs in.
- *Lost locks.* The lock of a store may expire while this process is stopped. It is checked right
  before each token request, and the store refuses to save a token after it was lost. In both cases
  the task starts again: it waits for the lock, and finds the token of the process that had it. A
  login that came too late is revoked, because nobody will use it; but not a refresh: its token
  belongs to the same login as the newer one.
- *Failure.* The error of the task is raised from every call that waited for it, and the next call
  tries again. When the login was not tried because its session is closed, or may not wait as long
  as the rate limit demands, the other sessions go on with a task of their own.
- *Cancellation.* A cancelled call leaves the task to the others. Closing a session cancels the task
  that logs in through it, and calls of other sessions start another one.
- *Rejected tokens.* A token that the server has rejected is never sent again, wherever it comes
  from: another process may have saved it, and the endpoint may issue it twice.
- *Hold.* The next login waits (`LoginHold`) when the endpoint sent Retry-After; when tokens are
  rejected soon after their issue, because another process that ends our logins, as we end its,
  would otherwise continue forever; and when the credentials were refused. In the last case calls
  fail at once instead of waiting.
"""

import asyncio
import logging
from contextlib import suppress
from math import inf

import attrs

from ..errors import ApiError, AuthError, PresenceError
from ..grants import Grant
from ..protocol import oauth
from ..protocol.failure_policy import Kind, kind_of
from ..protocol.login_hold import LoginHold, RejectedTokens
from .clock import Clock, chance
from .hooks import TokenSource
from .login import LoginSender, log_in
from .token_store import Superseded, TokenStore

_log = logging.getLogger("aiopresence")

# The longest wait of a call for a login in seconds, whatever its `max_wait`.
MAX_LOGIN_WAIT = 600.0
# The seconds that closing a session waits for a login that it revokes.
REVOCATION_WAIT = 1.0
# How often a renewal starts again because the lock of the store was lost; then it goes on without.
# A guess: once is usual, and more often means that the lock expires sooner than a login takes.
MAX_SUPERSEDED = 3


@attrs.frozen(eq=False)
class _Renewal:
    """A renewal in progress, and what its login is sent with."""

    task: "asyncio.Task[oauth.Token]"
    sender: LoginSender


class TokenManager:
    """The tokens of one login, for all sessions that share it.

    Args:
        grant: the credentials.
        key: the name of this login in the store.
        store: where tokens are kept.
        clock: the source of time.
        rejected: the tokens that the server has rejected, also of this login in other stores.
    """

    is_renewable = True

    def __init__(
        self, grant: Grant, key: str, store: TokenStore, clock: Clock, rejected: RejectedTokens
    ) -> None:
        self._grant = grant
        self._key = key
        self._store = store
        self._clock = clock
        self._token: oauth.Token | None = None
        self._issued_at = -inf
        self._rejected = rejected
        self._hold = LoginHold()
        self._renewal: _Renewal | None = None
        self._revocations: dict[asyncio.Task[None], LoginSender] = {}

    async def get(self, sender: LoginSender) -> str:
        """Return a token that is valid for at least the next request.

        Raises:
            AuthError: the credentials are refused, now or within the last 30 seconds; or
                (`final` is False) all tokens that are issued have been rejected before.
            PresenceError: the token endpoint cannot be reached or fails, or the store cannot be
                used. The next call tries again.
        """
        for _ in range(max(2, sender.attempts)):
            token = self._token
            if token is None or not self._is_valid(token):
                await self._wait_to_log_in(sender)
                token = await self._renewed(sender)
            if token.access_token not in self._rejected:
                return token.access_token
        raise self._hold.error(self._clock.now())

    def is_latest(self, access_token: str, *, due: bool) -> bool:
        """Return whether a token is the newest one and not rejected.

        Args:
            access_token: the token.
            due: whether it may be due for renewal.
        """
        token = self._token
        if token is None or token.access_token != access_token:
            return False
        return self._is_valid(token) or (due and access_token not in self._rejected)

    def reject(self, access_token: str, error: ApiError) -> bool:
        """Record that the server rejected a token; return True: there can be another one.

        Args:
            access_token: the token.
            error: the error of the request that was sent with it.
        """
        if access_token not in self._rejected:
            is_early = self._token is not None and self.is_latest(access_token, due=False)
            self._rejected.add(access_token)
            if is_early:
                self._hold_after_early_rejection(error)
        return True

    async def forget(self) -> str | None:
        """Forget the token, here and in the store, and return it to be revoked; None if none."""
        token = self._token
        while True:
            with suppress(Superseded):
                async with self._store.lock(self._key):
                    token = await self._load() or token
                    self._token = None
                    await self._store.save(self._key, None)
                    break
        if token is None:
            return None
        self._rejected.add(token.access_token)
        return token.access_token

    def forget_refusal(self) -> None:
        """Forget that the credentials were refused: a new session is to try them again."""
        self._hold.forget_refusal()

    async def close(self, sender: LoginSender) -> None:
        """End a login through a session; calls of other sessions that wait for it log in again."""
        if self._renewal is not None and self._renewal.sender is sender:
            task = self._renewal.task
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        if revocations := [task for task, own in self._revocations.items() if own is sender]:
            await asyncio.wait(revocations, timeout=REVOCATION_WAIT)

    def _is_valid(self, token: oauth.Token) -> bool:
        """Return whether a token is neither due for renewal nor rejected."""
        return self._clock.now() < token.due_at and token.access_token not in self._rejected

    def _hold_after_early_rejection(self, error: ApiError) -> None:
        now = self._clock.now()
        seconds = self._hold.add_early_rejection(error, now, self._issued_at, chance())
        _log.warning(
            "an access token was rejected before it expired; logging in again in %.1f s (more than"
            " five logins of one user and app end the oldest: a shared token_store avoids them)",
            seconds,
        )

    async def _wait_to_log_in(self, sender: LoginSender) -> None:
        """Wait until a login may be tried, or the store has a newer token.

        Raises:
            PresenceError: the credentials were refused, or the wait would be too long. It is the
                error of the last login.
        """
        longest = min(MAX_LOGIN_WAIT, inf if sender.max_wait is None else sender.max_wait)
        while (remaining := self._hold.remaining(self._clock.now())) > 0:
            stored = await self._load()
            if stored is not None and self._is_valid(stored):
                return
            if remaining > longest or self._hold.is_final:
                raise self._hold.error(self._clock.now())
            await self._wait(sender, remaining)
            sender.check_open()

    async def _wait(self, sender: LoginSender, seconds: float) -> None:
        began = self._clock.now()
        sender.instrumentation.wait_begins("login", seconds)
        try:
            await self._clock.wait(sender.closed, seconds)
        finally:
            sender.instrumentation.wait_ended("login", self._clock.now() - began)

    async def _renewed(self, sender: LoginSender) -> oauth.Token:
        """Wait for the renewal in progress, or start one; see the theory above."""
        while True:
            renewal = self._renewal
            if renewal is None or renewal.task.done():  # Its callback may not have run yet.
                sender.check_open()
                renewal = self._start_renewal(sender)
            try:
                return await asyncio.shield(renewal.task)
            except asyncio.CancelledError:
                task = asyncio.current_task()
                if task is None or task.cancelling():
                    raise
            except PresenceError as error:
                is_own = renewal.sender is sender
                was_tried = not renewal.sender.closed.is_set() and (
                    kind_of(error) is not Kind.HELD_BACK
                )
                if is_own or was_tried:
                    raise
            # The session of the renewal is closed, or may not wait as long as this one.
            sender.check_open()

    def _start_renewal(self, sender: LoginSender) -> _Renewal:
        renewal = _Renewal(asyncio.create_task(self._renew(sender)), sender)
        if not renewal.task.done():  # With eager tasks it may be done already.
            self._renewal = renewal
        renewal.task.add_done_callback(self._renewal_ended)
        return renewal

    def _renewal_ended(self, task: "asyncio.Task[oauth.Token]") -> None:
        if self._renewal is not None and self._renewal.task is task:
            self._renewal = None
        if not task.cancelled():
            task.exception()  # Marked as retrieved, even if every call that waited is cancelled.

    async def _renew(self, sender: LoginSender) -> oauth.Token:
        """Return a valid token of the store, or log in and save the new one."""
        superseded = 0
        while True:
            is_last = superseded == MAX_SUPERSEDED
            try:
                async with self._store.lock(self._key) as lock:
                    return await self._renew_locked(sender, None if is_last else lock, is_last)
            except Superseded:
                superseded += 1
                sender.check_open()

    async def _renew_locked(self, sender: LoginSender, lock: object, is_last: bool) -> oauth.Token:
        """Do what `_renew` does, with the lock of the store.

        Raises:
            Superseded: the lock was lost, and the token of this process is not used.
        """
        old, stored = self._token, await self._load()
        if stored is not None and self._is_valid(stored):
            self._adopt(stored)  # Another process has renewed it.
            self._report(sender, "store", stored)
            return stored
        if old is None or old.access_token not in self._rejected:
            self._hold.forget_early_rejections()
        token, source = await log_in(
            self._grant, stored or old, sender, self._hold, self._clock, lock
        )
        self._adopt(token)
        if token.access_token in self._rejected:
            error = AuthError(401, message="a rejected access token was issued again")
            self._hold_after_early_rejection(error)
            # Its refresh token serves for the next login; the access token is not sent.
            self._token = token = attrs.evolve(token, due_at=self._clock.now())
        if not await self._is_saved(token) and not is_last:
            self._token = old
            if source == "login":
                self._revoke_later(token, sender)
            raise Superseded
        if token.access_token not in self._rejected:
            self._report(sender, source, token)
        return token

    def _adopt(self, token: oauth.Token) -> None:
        self._token, self._issued_at = token, self._clock.now()

    def _report(self, sender: LoginSender, source: TokenSource, token: oauth.Token) -> None:
        sender.instrumentation.token_obtained(source, token.due_at - self._clock.now())

    async def _is_saved(self, token: oauth.Token) -> bool:
        """Save a token; return False if the store refuses it, because there may be a newer one."""
        record = oauth.to_record(token, self._clock.now(), self._clock.wall())
        try:
            await self._store.save(self._key, record)
        except Superseded:
            return False
        except Exception as error:
            # The token is valid; only the next process will have to log in again.
            reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
            _log.warning("the token could not be saved: %s", reason)
        return True

    def _revoke_later(self, token: oauth.Token, sender: LoginSender) -> None:
        """Revoke a token that nobody will use, without making the calls wait for it."""
        self._rejected.add(token.access_token)
        task = asyncio.create_task(sender.revoke(token.access_token))
        self._revocations[task] = sender
        task.add_done_callback(self._revocations.pop)

    async def _load(self) -> oauth.Token | None:
        record = await self._store.load(self._key)
        return oauth.from_record(record, self._clock.now(), self._clock.wall())
