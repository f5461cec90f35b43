"""Log in once: with the refresh token if there is one, else with the credentials."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import attrs

from ..errors import ApiError, AuthError, UsageError
from ..grants import Grant
from ..protocol import oauth
from ..protocol.login_hold import LoginHold
from ..protocol.rest import Request, Response
from .clock import Clock
from .hooks import TokenSource
from .instrumentation import Instrumentation


@attrs.frozen(eq=False)
class LoginSender:
    """What the logins of one session are sent with.

    Attributes:
        send: sends a token request, with retries, while the lock of the token store is held;
            returns a response with status 200, 400, 401 or 403, and raises PresenceError for
            everything else.
        revoke: ends the login of an access token, unless the server cannot be reached.
        attempts: how many tokens a call may try at most.
        max_wait: the seconds a call may wait for a login at most; None for no limit.
        closed: set once the session is closed.
        instrumentation: reports the session's waits, and the logins made through it.
    """

    send: Callable[[Request[Any], object], Awaitable[Response]]
    revoke: Callable[[str], Coroutine[Any, Any, None]]
    attempts: int
    max_wait: float | None
    closed: asyncio.Event
    instrumentation: Instrumentation

    def check_open(self) -> None:
        """Raise UsageError when the session is closed."""
        if self.closed.is_set():
            raise UsageError("the session was closed while it logged in")


async def log_in(
    grant: Grant,
    old: oauth.Token | None,
    sender: LoginSender,
    hold: LoginHold,
    clock: Clock,
    lock: object,
) -> tuple[oauth.Token, TokenSource]:
    """Return a new token, and what it was obtained with.

    Args:
        grant: the credentials.
        old: the last token, for its refresh token; None if there is none.
        sender: sends the token requests.
        hold: records why the next login has to wait: refused credentials, or Retry-After.
        clock: the source of time.
        lock: what the lock of the token store has yielded.

    Raises:
        Superseded: the lock was lost before a request.
        AuthError: the credentials were refused.
        PresenceError: the token endpoint cannot be reached, or fails.
    """
    refresh_token = old.refresh_token if old and clock.now() < old.refresh_due_at else None
    flow = oauth.renewal(grant, refresh_token)
    source: TokenSource = "login" if refresh_token is None else "refresh"
    response: Response | None = None
    while True:
        try:
            request = flow.send(response)  # type: ignore[arg-type] # None starts it
        except StopIteration as done:
            response = done.value
            break
        if response is not None:
            source = "login"  # The refresh token was refused.
        response = await _send(request, sender, hold, clock, lock)
    if response.status != 200:
        error = oauth.token_error(response)
        if isinstance(error, AuthError) and error.final:
            hold.add_refusal(error, clock.now())
        raise error
    token = oauth.read_token(response, clock.now())
    if token.refresh_token is None and refresh_token is not None and old is not None:
        # It was not replaced, so it stays valid (RFC 6749 §6).
        token = attrs.evolve(token, refresh_token=refresh_token, refresh_due_at=old.refresh_due_at)
    return token, source


async def _send(
    request: Request[Any], sender: LoginSender, hold: LoginHold, clock: Clock, lock: object
) -> Response:
    try:
        return await sender.send(request, lock)
    except ApiError as error:
        # A Retry-After also concerns the next calls. That of a 429 is the rate limiter's business.
        if error.retry_after and error.http_status != 429:
            hold.add(error, clock.now(), error.retry_after)
        raise
