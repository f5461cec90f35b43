"""How long to wait before the next event connection, and why.

Theory: many clients lose their connections at the same moment, when a gateway restarts, and each
new connection costs a request of the rate limit group Auth, which allows few. So failures are
followed by waits that double, with full jitter. A connection that worked is not a failure, however
often the network cuts it: `STABLE_AFTER` seconds with a subscription show that reconnecting works,
and the next wait is the first, short one again.
"""

from .retry import Backoff

BACKOFF = Backoff(first=1.0, longest=120.0, jitter=1.0)
# Seconds with a subscription after which a connection counts as a success. A guess: long enough
# that a gateway which drops every subscriber at once is not reconnected to at full speed.
STABLE_AFTER = 10.0
# Seconds to wait after a 429 of the gateway, which names no time: the usual window and the second
# that penalties may last longer. Each request during a penalty restarts it, so that shorter waits
# could keep the group shut for ever.
RATE_LIMITED_DELAY = 61.0


class ReconnectPolicy:
    """Decide how long to wait before the next connection."""

    def __init__(self) -> None:
        self._failures = 0
        self._minimum, self._reason = 0.0, ""

    def record_connection(self) -> None:
        """Record that a connection was made: what `wait_at_least` asked for is over."""
        self._minimum = 0.0

    def record_failure(self) -> None:
        """Record an attempt that made no connection, or a connection that was lost too soon."""
        self._failures += 1

    def record_success(self) -> None:
        """Record the end of a connection that worked."""
        self._failures = 1

    def wait_at_least(self, seconds: float, reason: str) -> None:
        """Set the least seconds to wait next, and why."""
        self._minimum, self._reason = seconds, reason

    def delay(self, chance: float) -> float:
        """Return the seconds to wait now.

        Args:
            chance: a random number from 0 to 1.
        """
        return max(self._minimum, BACKOFF.delay(self._failures, chance))

    def reason(self, delay: float) -> str:
        """Return why there is this delay, for a log."""
        if self._minimum and delay <= self._minimum:
            return self._reason
        return f"backoff, failures in a row: {self._failures}"
