"""When to try again after an error: delays, the retry budget, and the end of long-running tasks.

What may be tried again at all is decided in `failure_policy.py`. Delays double with each failure
and are spread by a random part, so that clients which failed together do not come back together.
"""

from math import inf

import attrs

from ..errors import ApiError, PresenceError
from .failure_policy import POLICY, Action, Kind, kind_of, policy_for

# The longest wait in seconds that a server is granted with Retry-After, unless the session's
# max_wait allows another: one wrong header must not stop a board for years. A guess.
LONGEST_WAIT = 600.0
# Seconds between two refusals that stop a task which has worked: time for a deployment, or another
# process that uses the same login, to finish. A guess.
SECOND_CHANCE_DELAY = 60.0


@attrs.frozen
class Backoff:
    """Delays that double with each failure in a row.

    Attributes:
        first: the seconds after the first failure.
        longest: the most seconds.
        jitter: the part of each delay that is random: from 0, none, to 1, all of it.
    """

    first: float
    longest: float
    jitter: float

    def delay(self, failures: int, chance: float) -> float:
        """Return the seconds to wait after some failures in a row; 0 after none.

        Args:
            failures: how many there were, the last one included.
            chance: a random number from 0 to 1.
        """
        if failures < 1:
            return 0.0
        doubled = min(self.longest, self.first * 2.0 ** min(failures - 1, 64))
        return doubled * (1.0 - self.jitter * (1.0 - chance))


# Between the attempts of one request. Guesses, as those of every other Backoff are.
REQUEST_BACKOFF = Backoff(first=2.0, longest=inf, jitter=0.5)


def retry_delay(
    error: PresenceError, attempt: int, *, write: bool, chance: float, login: bool = False
) -> float | None:
    """Return the seconds to wait before the next attempt of a request; None to give up.

    Args:
        error: why the last attempt failed.
        attempt: how many attempts there were, the last one included.
        write: whether the request may change something.
        login: whether the request asks for a token.
        chance: a random number from 0 to 1.
    """
    kind = kind_of(error)
    policy = POLICY[kind]
    action = policy.write if write else policy.login if login else policy.read
    if action is Action.STOP or (action is Action.RETRY_ONCE and attempt > 1):
        return None
    if kind is Kind.RATE_LIMITED:
        return 0.0  # The rate limiter holds the next attempt back until the penalty is over.
    return max(_retry_after(error), REQUEST_BACKOFF.delay(attempt, chance))


def is_permanent(error: PresenceError) -> bool:
    """Return whether an error stops a long-running task that has worked, once confirmed."""
    return policy_for(error).running is Action.CONFIRM


def _retry_after(error: PresenceError) -> float:
    """Return the seconds that the server asked to wait; 0 when it did not."""
    return (error.retry_after if isinstance(error, ApiError) else None) or 0.0


class RetryBudget:
    """The number of retries that a session has left.

    Each call adds a tenth of a retry, and a few are there from the start: however long everything
    fails, there are at most 1.1 requests per call, and those few.
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
        """Take some retries; return False, and take none, when there are not so many left."""
        if self._balance < requests:
            return False
        self._balance -= requests
        return True


class RestartPolicy:
    """Decides whether a long-running task, such as a board, is tried again after an error.

    A refusal is confirmed when the same class of error is raised `SECOND_CHANCE_DELAY` seconds
    after the first one, without a success in between. Other errors, and further refusals before
    that time, neither stop the task nor confirm the refusal.
    """

    def __init__(self) -> None:
        self._has_worked = False
        # By class, when a refusal was first seen since the last success.
        self._refused_at: dict[type[PresenceError], float] = {}

    def record_success(self) -> None:
        """Record that the task works."""
        self._has_worked = True
        self._refused_at.clear()

    def delay(
        self, error: PresenceError, now: float, *, about_filters: bool = False
    ) -> float | None:
        """Return the least seconds to wait before trying again; None to stop with the error.

        Args:
            error: why the task failed.
            now: the monotonic time in seconds.
            about_filters: whether the error refuses the event filters of a subscription.
        """
        policy = policy_for(error)
        if not self._has_worked and policy.starting is Action.STOP:
            return None
        action = policy.filters if about_filters else policy.running
        if action is Action.STOP:
            return None
        asked = min(_retry_after(error), LONGEST_WAIT)
        if action is Action.RETRY:
            return asked
        check_at = self._refused_at.setdefault(type(error), now) + SECOND_CHANCE_DELAY
        return None if now >= check_at else max(asked, check_at - now)
