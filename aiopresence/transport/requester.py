"""Send the requests of one session.

Each policy is a method or an object of its own, from the outside in:

- `Retrier.with_retries` repeats a request whose failure may pass;
- `Requester._follow_redirects` follows links within the server's API;
- `AuthorizedSender` adds the access token, and replaces one that the server rejects;
- the rate limiter holds the request back until its group has a free slot;
- `Sender.transmit` sends it once and records what the response shows.
"""

import asyncio
from collections.abc import Mapping
from typing import Any

import aiohttp
from yarl import URL

from ..errors import ApiError, DecodeError, PresenceError, RateLimited, UsageError
from ..grants import AccessToken, Grant
from ..protocol import oauth
from ..protocol.rest import Request, Response, error_from_response
from ..protocol.server_clock import ResponseTime
from ..protocol.urls import follow
from ..redaction import Redactor
from .authorized import CREDENTIAL_PATHS, AuthorizedSender, LoginFailed
from .http import HttpClient
from .instrumentation import Instrumentation
from .rate_limiter import RateLimiter
from .request_queue import RequestQueue
from .retries import Retrier
from .sender import Sender
from .token_store import TokenStore

MAX_REDIRECTS = 3
REDIRECTS = frozenset({301, 302, 303, 307, 308})


class Requester:
    """Sends the requests of one session.

    Args:
        grant: the credentials.
        store: where tokens are kept; None for memory, shared by the sessions of the login.
        rate_limiter: where limits are kept; None for memory, shared by the sessions of the login.
        http: the connection pool.
        limiter: the queues of its requests.
        attempts: how often a request may be sent at most, the first time included.
        instrumentation: counts, logs and reports what is done.
    """

    def __init__(
        self,
        grant: AccessToken | Grant,
        store: TokenStore | None,
        rate_limiter: RateLimiter | None,
        http: HttpClient,
        limiter: RequestQueue,
        attempts: int,
        instrumentation: Instrumentation,
    ) -> None:
        clock = instrumentation.clock
        # The event loop on which it was opened; None while it is closed.
        self._loop: asyncio.AbstractEventLoop | None = None
        self._limiter = limiter
        self._retrier = Retrier(attempts, limiter, clock, instrumentation)
        self._sender = Sender(http, limiter, clock, instrumentation, may_resend=attempts > 1)
        self._authorized = AuthorizedSender(grant, store, rate_limiter, self._sender, self._retrier)

    async def open(self) -> None:
        """Open the connection pool. The login is made by the first request.

        Raises:
            UsageError: it is open already, on this event loop or another one.
        """
        if self._loop is not None and not self._loop.is_closed():
            raise UsageError("the session is open already: close it before entering it again")
        self._loop = asyncio.get_running_loop()
        try:
            await self._authorized.open()
            await self._sender.http.open()
        except BaseException:
            self._loop = None
            raise

    async def close(self) -> None:
        """Refuse the waiting requests, and close the connection pool."""
        self._limiter.close()
        try:
            await self._authorized.stop()
        finally:  # Also when it is cancelled, at any of these steps.
            try:
                await self._sender.http.close()
            finally:
                self._loop = None
                await self._authorized.close()

    @property
    def is_open(self) -> bool:
        """Whether it was opened and not closed since."""
        return self._loop is not None

    def check_open(self) -> None:
        """Raise UsageError unless it is open on the running event loop."""
        if self._loop is None:
            raise UsageError(
                "the session is not open, or was closed: use it inside `async with session:`"
            )
        if self._loop is not asyncio.get_running_loop():
            raise UsageError(
                "the session is open on another event loop: use one session for each event loop"
            )

    async def send(self, request: Request[Any], *, once: bool = False) -> Response:
        """Send a request and return its successful response.

        Args:
            request: the request.
            once: do not retry; the caller has a back-off of its own.

        Raises:
            UsageError: it is not open on the running event loop.
            PresenceError: the last attempt failed, or another one is not worth it.
        """
        self.check_open()
        self._retrier.count_call()
        try:
            if once:
                return await self._follow_redirects(request)
            return await self._retrier.with_retries(request, self._follow_redirects)
        except LoginFailed as failure:
            error = failure.error
        raise error

    async def wait_to_retry(self, errors: Mapping[str, PresenceError], attempt: int) -> list[str]:
        """Wait until failed ids of a batch may be requested again; see `Retrier.wait_to_retry`."""
        return await self._retrier.wait_to_retry(errors, attempt)

    def apply_429(self, request: Request[Any], response: Response) -> None:
        """Block the group of a request because a part of its response was a 429."""
        self._limiter.apply_429(request, response.with_redacted_headers())

    def forecast(self, request: Request[Any], behind: int = 0) -> float:
        """Return the least seconds a request would have to wait; see `RequestQueue.forecast`."""
        return self._limiter.forecast(request, behind)

    async def connect_websocket(self, url: URL) -> aiohttp.ClientWebSocketResponse:
        """Open a WebSocket whose address holds a token of its own; see `websocket.connect`."""
        return await self._sender.http.connect(url)

    async def renew_token(self) -> None:
        """Replace the access token, because a WebSocket token made with it was refused.

        Raises:
            PresenceError: the login failed.
        """
        await self._authorized.renew()

    async def revoke(self) -> None:
        """Forget the tokens, and revoke them at the server; see `AuthorizedSender.revoke`."""
        self.check_open()
        await self._authorized.revoke()

    @property
    def redactor(self) -> Redactor:
        """Removes the secrets of the session from what is shown."""
        return self._sender.http.redactor

    @property
    def server(self) -> str:
        """The address of the server."""
        return self._sender.http.server

    @property
    def last_response(self) -> ResponseTime | None:
        """When the last response was made; None before the first."""
        return self._sender.last_response

    async def _follow_redirects(self, request: Request[Any]) -> Response:
        """Send a request and return its successful response, or that of where it leads.

        Raises:
            ApiError: the response is an error, or redirects a write.
            DecodeError: a redirect leads elsewhere, or there are too many.
        """
        for _ in range(MAX_REDIRECTS + 1):
            response = await self._authorized.send(request)
            location = response.location
            if response.status not in REDIRECTS or location is None:
                return self._successful(request, response)
            if request.is_write:
                raise ApiError(response.status, message="redirects of writes are not followed")
            request = follow(request, self._sender.http.server, location, "Location")
        raise DecodeError(f"more than {MAX_REDIRECTS} redirects", "Location")

    def _successful(self, request: Request[Any], response: Response) -> Response:
        """Return a response if its status is a success; raise its error otherwise."""
        if 200 <= response.status < 300:
            return response
        if request.path in CREDENTIAL_PATHS:
            raise oauth.token_error(response)
        error = error_from_response(response, request.path)
        if isinstance(error, RateLimited):
            # The penalty may be longer than the response says; see protocol/rate_limits.py.
            error.retry_after = max(error.retry_after or 0.0, self.forecast(request)) or None
        raise error
