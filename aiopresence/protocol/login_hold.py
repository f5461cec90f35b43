"""What keeps a login from being repeated at once: rejected tokens, and errors that hold it back.

Pure: times are monotonic seconds, given by the caller.
"""

import copy
from math import inf

from ..errors import ApiError, AuthError
from .retry import Backoff

# Seconds for which refused credentials are not tried again: they will not have changed, and group
# Auth allows five logins a minute. A token rejected within this time of its issue, after another
# one, is rejected early again. A guess.
REFUSAL_HOLD = 30.0
# Before a login whose predecessor's token was rejected early.
EARLY_REJECTION_BACKOFF = Backoff(first=1.0, longest=60.0, jitter=0.5)
# The rejected tokens that are remembered: more than can be valid at a time.
MAX_REJECTED = 64


class RejectedTokens:
    """The access tokens that the server has rejected, the latest ones."""

    def __init__(self) -> None:
        self._tokens: dict[str, None] = {}

    def __contains__(self, access_token: str) -> bool:
        return access_token in self._tokens

    def add(self, access_token: str) -> None:
        """Remember a token; the oldest one is forgotten."""
        self._tokens[access_token] = None
        while len(self._tokens) > MAX_REJECTED:
            del self._tokens[next(iter(self._tokens))]


class LoginHold:
    """Until when no login is tried, and the error that calls raise meanwhile."""

    def __init__(self) -> None:
        self._error: ApiError | None = None
        self._until = -inf
        self._early_rejections = 0

    @property
    def is_final(self) -> bool:
        """Whether the credentials were refused, so that calls fail instead of waiting."""
        return isinstance(self._error, AuthError) and self._error.final

    def remaining(self, now: float) -> float:
        """Return the seconds until a login may be tried; 0 or less when it may."""
        return self._until - now

    def error(self, now: float) -> ApiError:
        """Return the error that holds logins back, for one call to raise."""
        assert self._error is not None  # noqa: S101 - callers have seen that there is one
        error = copy.copy(self._error)
        remaining = self.remaining(now)
        error.retry_after = remaining if remaining > 0 else None
        return error

    def add(self, error: ApiError, now: float, seconds: float) -> None:
        """Hold logins back for some seconds, unless they are for longer already."""
        if now + seconds >= self._until:
            self._error, self._until = error, now + seconds

    def add_refusal(self, error: AuthError, now: float) -> None:
        """Hold logins back because the credentials were refused."""
        self.add(error, now, REFUSAL_HOLD)

    def forget_refusal(self) -> None:
        """Forget that the credentials were refused: a new session is to try them again."""
        if self.is_final:
            self._error, self._until = None, -inf

    def add_early_rejection(
        self, error: ApiError, now: float, issued_at: float, chance: float
    ) -> float:
        """Hold the next login back because a token was rejected before it expired.

        Args:
            error: the error of the request that was sent with the token.
            now: this moment.
            issued_at: when the token was issued.
            chance: a random number from 0 to 1.

        Returns:
            The seconds to wait: none after the first such token, then more each time.
        """
        is_soon = now < issued_at + REFUSAL_HOLD
        self._early_rejections = self._early_rejections + 1 if is_soon else 1
        seconds = EARLY_REJECTION_BACKOFF.delay(self._early_rejections - 1, chance)
        self.add(auth_error(error, final=False), now, seconds)
        return seconds

    def forget_early_rejections(self) -> None:
        """Record that the last token was not rejected."""
        self._early_rejections = 0


def auth_error(error: ApiError, *, final: bool) -> AuthError:
    """Return an error as an AuthError, without the frames it was raised in."""
    copied = AuthError(
        401, error.error_code, error.message, error.parameter_name, error.request_id, None
    )
    copied.final = final
    return copied
