"""Send requests with the access token of a login, and log in when there is no valid one.

The token is looked up twice: before the rate limiter, so that a request does not wait for its
limits only to find that the login fails; and after it, because the token may have been replaced
or become due for renewal during the wait. A rejected token is replaced and the request sent again
(`_retry_on_401`); an expired one never reaches the server.

Logins go through the same rate limiter and the same retries as other requests. When one fails,
`LoginFailed` takes its error past the retries of the call that needed the token: the attempts have
been made.
"""

from contextlib import suppress
from typing import Any, TypeVar

import attrs

from ..errors import AuthError, PresenceError
from ..grants import AccessToken, Grant
from ..protocol import oauth
from ..protocol.rest import LOGIN_PATH, Request, Response, error_from_response
from ..redaction import Secret
from . import shared_login
from .login import LoginSender
from .rate_limiter import RateLimiter
from .retries import Retrier
from .sender import Sender
from .shared_limits import SharedLimits
from .shared_login import SharedLogin, Tokens
from .token_store import TokenStore, check_held

T = TypeVar("T")

# At these paths a 401 is about the credentials in the form, not about the access token.
CREDENTIAL_PATHS = frozenset({LOGIN_PATH, oauth.REVOKE_PATH})
# Statuses with which the token endpoint decides about a login. Others are failures on the way.
_LOGIN_STATUSES = frozenset({200, 400, 401, 403})


class LoginFailed(Exception):
    """A login failed after all its attempts.

    Attributes:
        error: the error to raise from the call that needed a token.
    """

    def __init__(self, error: PresenceError) -> None:
        super().__init__()
        self.error = error


class AuthorizedSender:
    """Sends requests with the access token of one login.

    Args:
        grant: the credentials.
        store: where tokens are kept; None for memory, shared by the sessions of the login.
        limiter: where limits are kept; None for memory, shared by the sessions of the login.
        sender: sends each request once.
        retrier: repeats logins.
    """

    def __init__(
        self,
        grant: AccessToken | Grant,
        store: TokenStore | None,
        limiter: RateLimiter | None,
        sender: Sender,
        retrier: Retrier,
    ) -> None:
        self._grant = grant
        self._store = store
        self._rate_limiter = limiter
        self._sender = sender
        self._limiter = sender.limiter
        self._retrier = retrier
        self._login: SharedLogin | None = None
        self._limits: SharedLimits
        self._tokens: Tokens
        self._login_sender: LoginSender

    async def open(self) -> None:
        """Share the tokens and the limits of the login with its other sessions.

        Raises:
            PresenceError: the rate limiter cannot be reached; nothing is shared.
        """
        server, clock = self._sender.http.server, self._sender.clock
        login = shared_login.acquire(server, self._grant, clock)
        try:
            limits = await login.acquire_limits(server, self._grant, self._rate_limiter, clock)
        except BaseException:
            shared_login.release(login, clock)
            raise
        self._login, self._limits = login, limits
        self._tokens = login.acquire_tokens(server, self._grant, self._store, clock)
        self._limiter.open(limits)
        self._login_sender = LoginSender(
            self._log_in,
            self._revoke,
            self._retrier.attempts,
            self._limiter.max_wait,
            self._limiter.closed,
            self._sender.instrumentation,
        )

    async def stop(self) -> None:
        """End a login of this session that is under way."""
        if self._login is not None:
            await self._tokens.close(self._login_sender)

    async def close(self) -> None:
        """End the use of the shared login. Calling it again does nothing."""
        login, self._login = self._login, None
        if login is not None:
            login.release_tokens(self._tokens)
            shared_login.release(login, self._sender.clock)
            await login.release_limits(self._limits)

    async def send(self, request: Request[Any]) -> Response:
        """Send a request and return its response, whatever its status but a 401.

        Raises:
            LoginFailed: there is no token.
            AuthError: the server rejected each token.
            PresenceError: there is no complete response.
        """
        return await self._retry_on_401(request)

    async def renew(self) -> None:
        """Replace the access token, because a WebSocket token made with it was refused.

        Raises:
            PresenceError: the login failed.
        """
        token = await self._tokens.get(self._login_sender)
        if self._tokens.is_renewable:
            self._tokens.reject(
                token, AuthError(401, message="WebSocket tokens made with it are refused")
            )
            await self._tokens.get(self._login_sender)

    async def revoke(self) -> None:
        """Forget the tokens, and revoke them at the server unless it cannot be reached.

        Raises:
            UsageError: the session is not open.
        """
        self._sender.http.check_open()
        token = await self._tokens.forget()
        if token is not None:
            await self._revoke(token)

    async def _revoke(self, token: str) -> None:
        """End the login of an access token, unless the server cannot be reached."""
        with suppress(PresenceError):
            await self._transmit_login(oauth.revocation(self._grant, token))

    async def _retry_on_401(self, request: Request[Any]) -> Response:
        """Send a request with newer tokens while the server rejects those it was sent with."""
        for _ in range(max(2, self._retrier.attempts)):
            token, response = await self._send_once(request)
            if response.status != 401 or request.path in CREDENTIAL_PATHS:
                return response
            error = error_from_response(response)
            if not self._tokens.reject(token, error):
                break
        if isinstance(error, AuthError):
            error.final = not self._tokens.is_renewable
        raise error

    async def _send_once(self, request: Request[Any]) -> tuple[str, Response]:
        """Send a request once; return the token that it was sent with, too."""
        self._sender.http.check_open()
        may_be_due = False
        while True:
            token = await self._token()
            permit = await self._limiter.acquire(request)
            if self._tokens.is_latest(token, due=may_be_due):
                self._sender.http.redactor.add(token)
                authorization = Secret(f"Bearer {token}")
                return token, await self._sender.transmit(request, authorization, permit)
            permit.release()  # The token was replaced, or became due, during the wait.
            # A token may live for less than a wait: the next one is sent even when it is due.
            may_be_due = True

    async def _token(self) -> str:
        try:
            return await self._limiter.wait_for_login(self._tokens.get(self._login_sender))
        except PresenceError as error:
            raise LoginFailed(error) from None

    async def _log_in(self, request: Request[Any], lock: object) -> Response:
        return await self._retrier.with_retries(request, lambda r: self._log_in_once(r, lock))

    async def _log_in_once(self, request: Request[Any], lock: object) -> Response:
        response = await self._transmit_login(request, lock)
        if response.status not in _LOGIN_STATUSES:
            raise oauth.token_error(response)
        if response.status == 200:
            # A 200 without a token comes from something in front of the server, and is retried.
            token = oauth.read_token(response, self._sender.clock.now())
            self._sender.http.redactor.add(token.refresh_token or "")  # It is sent only to renew.
        return response

    async def _transmit_login(self, request: Request[Any], lock: object = None) -> Response:
        """Send a request that carries credentials of its own.

        The lock of the token store is checked last: all that comes before may take long.
        """
        self._register_credentials(request)
        permit = await self._limiter.acquire(request)
        try:
            await check_held(lock)
        except BaseException:
            permit.release()
            raise
        return await self._sender.transmit(request, None, permit)

    def _register_credentials(self, request: Request[Any]) -> None:
        """Register what is about to be sent, in case that a response repeats it."""
        redactor = self._sender.http.redactor
        for secret in attrs.astuple(self._grant, recurse=False):
            if isinstance(secret, Secret):
                redactor.add(secret)
        redactor.add(request.headers.get("authorization", "").removeprefix("Basic "))
        for value in oauth.tokens_in(request):
            redactor.add(value)
