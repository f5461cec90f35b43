"""A good access token for every request, renewed once for all tasks."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from math import inf
from typing import Any

import attrs

from ..errors import ApiError, UsageError
from ..grants import AccessToken, Grant
from ..protocol import oauth
from ..protocol.wire import Request, Response
from .clock import Clock
from .store import TokenStore

_log = logging.getLogger("aiopresence")

# A refused login is not tried again sooner: the credentials will not have changed, and five
# logins a minute are all there are. A guess.
REFUSAL_HOLDS = 30.0


class Tokens:
    """The tokens of a session.

    Args:
        grant: what to log in with.
        key: the name of this login in the store.
        store: where tokens are kept.
        send: puts a token request on the wire; its answer is a 2xx, a 400, a 401 or a 403, all
            else is raised.
        clock: tells when a token is due.
    """

    def __init__(
        self,
        grant: AccessToken | Grant,
        key: str,
        store: TokenStore,
        send: Callable[[Request[Any]], Awaitable[Response]],
        clock: Clock,
    ) -> None:
        self._grant = grant
        self._key = key
        self._store = store
        self._send = send
        self._clock = clock
        self._token: oauth.Token | None = None
        self._renewing: asyncio.Task[oauth.Token] | None = None
        self._refused: ApiError | None = None
        self._refused_until = 0.0
        self._replaced_at = -inf

    async def get(self) -> str:
        """Give a token that is good for at least the next request.

        Raises:
            AuthError: the credentials are refused, now or within the last 30 seconds.
            PresenceError: the token endpoint cannot be reached or fails. The next call tries
                again.
        """
        if isinstance(self._grant, AccessToken):
            return self._grant.access_token
        token = self._token
        if token is None or not self._is_good(token):
            token = await self._renewed(token)
        return token.access_token

    def is_latest(self, access_token: str) -> bool:
        """Tell whether a token is the newest there is, and still good."""
        if isinstance(self._grant, AccessToken):
            return True
        token = self._token
        return token is not None and token.access_token == access_token and self._is_good(token)

    async def replace(self, refused: str) -> bool:
        """Have another token than one that got a 401; False when there can be none.

        Raises:
            PresenceError: as `get`.
        """
        if isinstance(self._grant, AccessToken):
            return False
        token = self._token
        if token is not None and token.access_token == refused:
            if self._renewing is None:
                if self._clock.now() < self._replaced_at + REFUSAL_HOLDS:
                    return False  # The last one was refused too: another will not do better.
                self._replaced_at = self._clock.now()
                _log.warning(
                    "RingCentral refused an access token before its time; more than five logins"
                    " of one user and app end the oldest, a shared token_store avoids them"
                )
            await self._renewed(token)
        return True

    async def forget(self) -> str | None:
        """Drop the token, here and in the store, and give it to be revoked; None if none."""
        if isinstance(self._grant, AccessToken):
            return self._grant.access_token
        async with self._store.lock(self._key):
            token = await self._load() or self._token
            self._token = None
            await self._store.save(self._key, None)
        return None if token is None else token.access_token

    async def close(self) -> None:
        """End a renewal that is under way."""
        if self._renewing is not None:
            self._renewing.cancel()
            await asyncio.gather(self._renewing, return_exceptions=True)

    def _is_good(self, token: oauth.Token) -> bool:
        return self._clock.now() < token.due_at

    async def _renewed(self, old: oauth.Token | None) -> oauth.Token:
        """Renew once for all who ask meanwhile; who is cancelled does not cancel the others."""
        if self._renewing is None:
            renewing = asyncio.create_task(self._renew(old))
            if not renewing.done():  # As it may be at once, with eager tasks.
                self._renewing = renewing
            renewing.add_done_callback(self._renewed_now)
        else:
            renewing = self._renewing
        try:
            return await asyncio.shield(renewing)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
        raise UsageError("the session was closed while it logged in")

    def _renewed_now(self, task: asyncio.Task[oauth.Token]) -> None:
        self._renewing = None
        if not task.cancelled():
            task.exception()  # Seen, even if all who waited for it are gone.

    async def _renew(self, old: oauth.Token | None) -> oauth.Token:
        async with self._store.lock(self._key):
            stored = await self._load()
            if stored and self._is_good(stored) and not (old and _same(stored, old)):
                self._token = stored  # Another process has renewed it.
                return stored
            if self._refused is not None and self._clock.now() < self._refused_until:
                raise self._refused.with_traceback(None)
            self._token = await self._log_in(stored or old)
            await self._save(self._token)
            return self._token

    async def _log_in(self, old: oauth.Token | None) -> oauth.Token:
        now = self._clock.now()
        refresh_token = old.refresh_token if old and now < old.refresh_due_at else None
        flow = oauth.renewal(self._grant, refresh_token)  # type: ignore[arg-type] # get() has seen to it
        response: Response | None = None
        while True:
            try:
                request = flow.send(response)  # type: ignore[arg-type] # None starts it
            except StopIteration as done:
                response = done.value
                break
            response = await self._send_or_hold(request)
        now = self._clock.now()
        if response.status != 200:
            error = oauth.token_refusal(response)
            self._refused, self._refused_until = error, now + REFUSAL_HOLDS
            raise error
        token = oauth.read_token(response, now)
        if token.refresh_token is None and refresh_token is not None and old is not None:
            # It was not replaced, so it goes on (RFC 6749 §6).
            return attrs.evolve(
                token, refresh_token=refresh_token, refresh_due_at=old.refresh_due_at
            )
        return token

    async def _send_or_hold(self, request: Request[Any]) -> Response:
        try:
            return await self._send(request)
        except ApiError as error:
            # What the endpoint asked for holds for the next calls, too.
            self._refused = error
            self._refused_until = self._clock.now() + (error.retry_after or 0.0)
            raise

    async def _save(self, token: oauth.Token) -> None:
        record = oauth.to_record(token, self._clock.now(), self._clock.wall())
        try:
            await self._store.save(self._key, record)
        except Exception as error:
            # The token is good; only the next process will have to log in again.
            why = getattr(error, "strerror", None) or type(error).__name__
            _log.warning("the token could not be saved: %s", why)

    async def _load(self) -> oauth.Token | None:
        record = await self._store.load(self._key)
        return oauth.from_record(record, self._clock.now(), self._clock.wall())


def _same(one: oauth.Token, other: oauth.Token) -> bool:
    return one.access_token == other.access_token
