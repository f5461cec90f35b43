"""Send one request: authenticate, wait for the rate limiter, send, record limits, retry."""

import random
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

import aiohttp
from yarl import URL

from ..errors import (
    ApiError,
    AuthError,
    ConnectionFailed,
    DecodeError,
    PresenceError,
    RateLimited,
    UsageError,
)
from ..grants import AccessToken, Grant
from ..protocol import oauth, retry
from ..protocol.batch import MAX_IDS
from ..protocol.rate_limit_headers import read_date
from ..protocol.rest import LOGIN_PATH, Request, Response, refusal
from ..protocol.urls import follow
from ..redaction import Secret
from . import shared_login
from .clock import Clock
from .http import Http
from .instrumentation import Stats
from .rate_limiter import Permit, RateLimiter
from .shared_login import SharedLogin
from .token_manager import LoginSender, TokenManager
from .token_store import TokenStore

T = TypeVar("T")

MAX_REDIRECTS = 3
REDIRECTS = frozenset({301, 302, 303, 307, 308})
# What the token endpoint may answer without anything being wrong with the way to it.
_LOGIN_ANSWERS = frozenset({200, 400, 401, 403})
_CREDENTIAL_PATHS = frozenset({LOGIN_PATH, oauth.REVOKE_PATH})


class _LoginError(Exception):
    """A login failed, after as many attempts as it is worth. The call is not to repeat them."""

    def __init__(self, error: PresenceError) -> None:
        super().__init__()
        self.error = error


class Requester:
    """Sends requests of one session.

    Args:
        grant: what to log in with.
        store: where tokens are kept; None for memory, shared by the sessions of the login.
        http: the wire.
        limiter: what holds requests back.
        attempts: how often a request may be sent at most, the first time included.
        clock: where time comes from.
        stats: what to count in.
    """

    def __init__(
        self,
        grant: AccessToken | Grant,
        store: TokenStore | None,
        http: Http,
        limiter: RateLimiter,
        attempts: int,
        clock: Clock,
        stats: Stats,
    ) -> None:
        self._grant = grant
        self._store = store
        self._login: SharedLogin | None = None
        self._tokens: TokenManager
        self._sender: LoginSender
        self._http = http
        self._limiter = limiter
        self._attempts = attempts
        self._clock = clock
        self._stats = stats
        self._budget = retry.RetryBudget()
        # The tokens in use, and some before: a refused one may still be a good one.
        self._recent: deque[str] = deque(maxlen=4)
        # The Date of the last response, and our time when it came.
        self._date, self._dated_at = "", 0.0

    async def send(self, request: Request[Any], *, once: bool = False) -> Response:
        """Send a request and give its successful answer.

        Args:
            request: what to send.
            once: do not try again; the caller has a back-off of its own.

        Raises:
            PresenceError: the last attempt failed, or there is no use in another one.
        """
        self._budget.earn()
        try:
            return await (self._follow_redirects if once else self._retried)(request)
        except _LoginError as failure:
            error = failure.error
        raise error

    async def _retried(self, request: Request[Any]) -> Response:
        return await self._with_retries(request, self._follow_redirects)

    async def revoke(self) -> None:
        """End the login at the server. Whether it heard is not told: the token is forgotten."""
        self._http.check_open()
        token = await self._tokens.forget()
        if token is None:
            return
        request = oauth.revocation(self._grant, token)
        try:
            await self._transmit(request, None, await self._limiter.acquire(request))
        except PresenceError:
            return

    @property
    def server(self) -> str:
        """The server's address."""
        return self._http.server

    @property
    def server_time(self) -> tuple[datetime, datetime] | None:
        """The server's time and ours when it last answered; None if it did not say."""
        date = read_date(self._date)
        return None if date is None else (date, datetime.fromtimestamp(self._dated_at, UTC))

    def forecast(self, request: Request[Any], behind: int = 0) -> float:
        """Return the least seconds a request would have to wait; see `RateLimiter.forecast`."""
        return self._limiter.forecast(request, behind)

    async def connect_websocket(self, url: URL) -> aiohttp.ClientWebSocketResponse:
        """Open a WebSocket, with a token of its own in the address; see `handshake.connect`."""
        return await self._http.connect(url)

    async def renew_token(self) -> None:
        """Have another access token, because the present one was refused elsewhere.

        Raises:
            PresenceError: the login fails.
        """
        token = await self._tokens.get(self._sender)
        if self._tokens.is_renewable:
            self._tokens.reject(token, AuthError(401, message="it opens no WebSocket"))
            await self._tokens.get(self._sender)

    async def open(self) -> None:
        """Open the way to the server."""
        self._login = shared_login.enter(self._http.server, self._grant, self._clock)
        self._tokens = self._login.enter_tokens(
            self._http.server, self._grant, self._store, self._clock
        )
        self._limiter.open(self._login.limits)
        self._sender = LoginSender(
            self._log_in, self._attempts, self._limiter.max_wait, self._limiter.closed
        )
        await self._http.open()

    async def close(self) -> None:
        """Refuse whatever waits, and close the way to the server."""
        self._limiter.close()
        login, self._login = self._login, None
        try:
            if login is not None:
                await self._tokens.close(self._sender)
            await self._http.close()
        finally:
            if login is not None:
                login.leave_tokens(self._tokens)
                shared_login.leave(login, self._clock)

    async def wait_to_retry(self, errors: Mapping[str, PresenceError], attempt: int) -> list[str]:
        """Wait until some ids of a batch may be asked for again.

        Args:
            errors: what the parts of the answer said, by id.
            attempt: how often they were asked for.

        Returns:
            The ids to ask for again; none when there is no use in it.
        """
        waits = {id_: self._retry_delay(error, attempt) for id_, error in errors.items()}
        ids = [id_ for id_, wait in waits.items() if wait is not None]
        rationed = [id_ for id_ in ids if not isinstance(errors[id_], RateLimited)]
        if not self._budget.spend(-(-len(rationed) // MAX_IDS)):
            ids = [id_ for id_ in ids if id_ not in rationed]
        if ids:
            self._stats.retries += 1
            await self._sleep(max(waits[id_] or 0.0 for id_ in ids))
        return ids

    def apply_429(self, request: Request[Any], response: Response) -> None:
        """Shut a request's group because a part of its answer was a 429."""
        self._limiter.apply_429(request, response)

    async def _with_retries(
        self, request: Request[Any], send: Callable[[Request[Any]], Awaitable[Response]]
    ) -> Response:
        attempt = 1
        while True:
            try:
                return await send(request)
            except PresenceError as error:
                wait = self._retry_delay(
                    error, attempt, write=request.is_write, login=request.is_login
                )
                # A wait for the rate limiter costs nobody anything; other repetitions are rationed.
                if wait is None or not (isinstance(error, RateLimited) or self._budget.spend()):
                    raise
            attempt += 1
            self._stats.retries += 1
            await self._sleep(wait)

    async def _sleep(self, seconds: float) -> None:
        # Whoever is to try again finds out at once when the session is closed.
        await self._clock.wait(self._limiter.closed, seconds)

    def _retry_delay(
        self, error: PresenceError, attempt: int, *, write: bool = False, login: bool = False
    ) -> float | None:
        if attempt >= self._attempts:
            return None
        chance = random.random()  # noqa: S311 - spreads repetitions, protects nothing
        wait = retry.retry_delay(error, attempt, write=write, login=login, chance=chance)
        longest = retry.LONGEST_WAIT if self._limiter.max_wait is None else self._limiter.max_wait
        return None if wait is not None and wait > longest else wait

    async def _follow_redirects(self, request: Request[Any]) -> Response:
        for _ in range(MAX_REDIRECTS + 1):
            response = await self._retry_on_401(request)
            location = response.location
            if response.status not in REDIRECTS or location is None:
                if 200 <= response.status < 300:
                    return response
                is_login = request.path in _CREDENTIAL_PATHS
                raise oauth.token_refusal(response) if is_login else refusal(response)
            if request.is_write:
                raise ApiError(response.status, message="redirects of writes are not followed")
            request = follow(request, self._http.server, location, "Location")
        raise DecodeError(f"more than {MAX_REDIRECTS} redirects", "Location")

    async def _retry_on_401(self, request: Request[Any]) -> Response:
        """Send a request with a token, and with newer ones while those sent are rejected."""
        for _ in range(max(2, self._attempts)):
            token, response = await self._send_once(request)
            # At these paths a 401 is about the credentials in the form, not about the token.
            if response.status != 401 or request.path in _CREDENTIAL_PATHS:
                return response
            error = refusal(response)
            if not self._tokens.reject(token, error):
                break
        if isinstance(error, AuthError):
            error.final = not self._tokens.is_renewable
        raise error

    async def _send_once(self, request: Request[Any]) -> tuple[str, Response]:
        """Send a request once; return the token it was sent with, too."""
        self._http.check_open()
        due = False
        while True:
            token = await _login(self._limiter.wait_for_login(self._tokens.get(self._sender)))
            permit = await self._limiter.acquire(request)
            if self._tokens.is_latest(token, due=due):
                return token, await self._transmit(request, Secret(f"Bearer {token}"), permit)
            permit.release()  # It was replaced, or became due, while this request waited.
            # A token may live for less than a wait: the next one is good enough when it is due.
            due = True

    async def _log_in(self, request: Request[Any]) -> Response:
        return await self._with_retries(request, self._log_in_once)

    async def _log_in_once(self, request: Request[Any]) -> Response:
        response = await self._transmit(request, None, await self._limiter.acquire(request))
        if response.status not in _LOGIN_ANSWERS:
            raise oauth.token_refusal(response)
        if response.status == 200:
            # What is no token is the failure of something in front of the server.
            oauth.read_token(response, self._clock.now())
        return response

    async def _transmit(
        self, request: Request[Any], authorization: str | None, permit: Permit
    ) -> Response:
        again = permit.reacquire if self._attempts > 1 else _never
        try:
            response = await self._http.send(request, authorization, again)
        except BaseException as error:
            unsent = isinstance(error, UsageError) or (
                isinstance(error, ConnectionFailed) and not error.sent
            )
            if unsent:
                permit.release()
            else:
                permit.abandon()
            raise
        self._date, self._dated_at = response.headers.get("date", ""), self._clock.wall()
        response = self._with_secrets(response, authorization)
        # What the limits learn is shown: the name of a group is in `session.limits`.
        permit.complete(response.without_secrets())
        return response

    def _with_secrets(self, response: Response, authorization: str | None) -> Response:
        """Return a response that knows our tokens, should the server have repeated them."""
        token = Secret((authorization or "").removeprefix("Bearer "))
        if token and token not in self._recent:
            self._recent.append(token)
        return Response(response.status, response.headers, response.body, tuple(self._recent))


async def _login(renewal: Awaitable[T]) -> T:
    try:
        return await renewal
    except PresenceError as error:
        raise _LoginError(error) from None


def _never() -> bool:
    return False
