"""Whether to try again after an error, and how long to wait before.

Source: RingCentral guide, "Error handling" and "API rate limits".
"""

from ..errors import (
    ApiError,
    AuthError,
    ConnectionFailed,
    DecodeError,
    InvalidRequest,
    NotFound,
    PermissionDenied,
    PresenceError,
    RateLimited,
    ServerError,
    SessionLost,
    Timeout,
    UsageError,
)

# Seconds before the second attempt, doubled before each further one.
FIRST_WAIT = 2.0
# A request that RingCentral refuses as a duplicate of one it is still working on. No quota.
DUPLICATE_REQUEST = "CMN-304"

# The first are RingCentral's; beyond 511 no status is registered, and those seen are of proxies.
_FAILURES = frozenset({500, 502, 503, 504})
_UNREGISTERED = 512
_ONCE = frozenset({408, 425})


def decide(error: PresenceError, attempt: int, *, write: bool, chance: float) -> float | None:
    """Give the seconds to wait before the next attempt, or None to give up.

    Args:
        error: why the attempt failed.
        attempt: how many there have been, this one included.
        write: whether the request changes something; then it is repeated only when this one
            cannot have been applied.
        chance: a random number from 0 to 1, so that those who failed together come back apart.
    """
    repeatable = _not_applied(error) if write else _may_pass(error, attempt)
    if not repeatable:
        return None
    if isinstance(error, RateLimited) and error.error_code != DUPLICATE_REQUEST:
        return 0.0  # The gate holds the next attempt back until the penalty is over.
    asked = error.retry_after if isinstance(error, ApiError) else None
    return max(asked or 0.0, FIRST_WAIT * 2.0 ** (attempt - 1) * (0.5 + chance / 2))


def _not_applied(error: PresenceError) -> bool:
    if isinstance(error, ConnectionFailed):
        return not (error.sent or error.final)
    if isinstance(error, RateLimited):
        return error.sent
    return isinstance(error, ServerError) and error.http_status == 503 and bool(error.retry_after)


def _may_pass(error: PresenceError, attempt: int) -> bool:
    if isinstance(error, ConnectionFailed):
        return not error.final
    if isinstance(error, DecodeError):
        return attempt == 1
    if isinstance(error, ServerError):
        return error.http_status in _FAILURES or error.http_status >= _UNREGISTERED
    if isinstance(error, ApiError) and error.http_status in _ONCE:
        return attempt == 1
    return isinstance(error, Timeout) or (isinstance(error, RateLimited) and error.sent)


class Budget:
    """How many repetitions a session can afford, so that an outage is not made worse.

    Each call earns a tenth of a repetition, and a few are there from the start: however long
    everything fails, there are at most 1.1 requests per call, and those few.
    """

    PER_CALL = 0.1
    # A guess: enough for the usual hiccup of a small script, nothing against an outage.
    RESERVE = 10.0

    def __init__(self) -> None:
        self._balance = self.RESERVE

    def earn(self) -> None:
        """Count a call."""
        self._balance = min(self.RESERVE, self._balance + self.PER_CALL)

    def spend(self, requests: int = 1) -> bool:
        """Take some repetitions; False when there are not so many left."""
        if self._balance < requests:
            return False
        self._balance -= requests
        return True


# Seconds before what has worked is given up for good: longer than a refused login is remembered.
SECOND_LOOK = 35.0
_OURS = (SessionLost, UsageError)
_FATAL = (AuthError, InvalidRequest, NotFound, PermissionDenied)


class Patience:
    """When to give up something that is to go on for ever.

    A refusal ends what never worked. What did is given a second chance: one odd answer after hours
    of health, or a login that somebody else's ended, is no reason to stop.
    """

    def __init__(self) -> None:
        self._has_worked = False

    def worked(self) -> None:
        """Take note that it works."""
        self._has_worked = True

    def wait(self, error: PresenceError) -> float | None:
        """Give the least seconds to wait after an error; None to give up."""
        if isinstance(error, _OURS) or (isinstance(error, ConnectionFailed) and error.final):
            return None
        asked = (error.retry_after if isinstance(error, ApiError) else None) or 0.0
        if not isinstance(error, _FATAL):
            return asked
        had_worked, self._has_worked = self._has_worked, False
        return max(asked, SECOND_LOOK) if had_worked else None
