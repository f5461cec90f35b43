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
# The longest wait that a server is granted with Retry-After, unless the session's max_wait allows
# another: ten minutes. A guess.
LONGEST_WAIT = 600.0
# A request that RingCentral refuses as a duplicate of one it is still working on. No quota.
DUPLICATE_REQUEST = "CMN-304"

# The first are RingCentral's; beyond 511 no status is registered, and those seen are of proxies.
_FAILURES = frozenset({500, 502, 503, 504})
_UNREGISTERED = 512
_ONCE = frozenset({408, 425})


def retry_delay(
    error: PresenceError, attempt: int, *, write: bool, chance: float, login: bool = False
) -> float | None:
    """Give the seconds to wait before the next attempt, or None to give up.

    Args:
        error: why the attempt failed.
        attempt: how many there have been, this one included.
        write: whether the request changes something; then it is repeated only when this one
            cannot have been applied.
        login: whether the request asks for a token: a response without one is a failure like a
            503, of something in front of the server.
        chance: a random number from 0 to 1, so that those who failed together come back apart.
    """
    repeatable = _not_applied(error) if write else _may_pass(error, attempt)
    repeatable = repeatable or (login and isinstance(error, DecodeError))
    if not repeatable:
        return None
    if isinstance(error, RateLimited) and error.error_code != DUPLICATE_REQUEST:
        return 0.0  # The rate limiter holds the next attempt back until the penalty is over.
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


class RetryBudget:
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


# Seconds between two refusals that end what has worked before: time for a deployment, or another
# process that uses the same login, to finish. A guess.
SECOND_CHECK_AFTER = 60.0
# Seconds that are waited at most, whatever the server asks for: one wrong Retry-After must not stop
# a board for years. A guess.
LONGEST_WAIT = 600.0
# Ends a connection only when it has never worked: a permission or a setting is most likely wrong.
_REFUSALS = (AuthError, InvalidRequest, NotFound, PermissionDenied)
# Refusals of a subscription that may pass: too many subscriptions; the webhook did not answer.
_TRANSIENT_CODES = frozenset({"SUB-505", "SUB-525"})


class Patience:
    """Decides when something that runs until it is stopped, such as a board, ends with an error.

    What has never worked ends with its first refusal: most likely something is set up wrongly.
    What has worked ends only on a permanent error, and only if the same kind of refusal is still
    there `SECOND_CHECK_AFTER` seconds after the first, without a success in between. Other errors,
    and further refusals before that time, neither end it nor count as the second check.
    """

    def __init__(self) -> None:
        self._has_worked = False
        # By kind, when a permanent error was first seen since the last success.
        self._refused_at: dict[type[PresenceError], float] = {}

    def worked(self) -> None:
        """Record a success."""
        self._has_worked = True
        self._refused_at.clear()

    def wait(
        self, error: PresenceError, now: float, *, about_filters: bool = False
    ) -> float | None:
        """Return the least seconds to wait after an error; None to end with it.

        Args:
            error: what happened.
            now: the monotonic time in seconds.
            about_filters: the error refuses the filters of a subscription.
        """
        asked = (error.retry_after if isinstance(error, ApiError) else None) or 0.0
        asked = min(asked, LONGEST_WAIT)
        if isinstance(error, UsageError) or not (self._has_worked or _may_start_later(error)):
            return None
        if not is_permanent(error, about_filters=about_filters):
            return asked
        check_at = self._refused_at.setdefault(type(error), now) + SECOND_CHECK_AFTER
        return None if now >= check_at else max(asked, check_at - now)


def _may_start_later(error: PresenceError) -> bool:
    if isinstance(error, (AuthError, ConnectionFailed)):
        return not error.final
    if isinstance(error, InvalidRequest) and error.http_status in _ONCE:
        return True
    return not isinstance(error, (SessionLost, *_REFUSALS))


def is_permanent(error: PresenceError, *, about_filters: bool = False) -> bool:
    """Return whether an error ends what has worked, once it is confirmed; see `Patience`."""
    if isinstance(error, AuthError):
        return error.final
    if isinstance(error, (InvalidRequest, NotFound)):
        return about_filters and error.error_code not in _TRANSIENT_CODES
    return isinstance(error, PermissionDenied)
