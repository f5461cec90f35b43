"""The one place where time comes from."""

import time


class Clock:
    """Monotonic time, which no change of the wall clock moves."""

    def now(self) -> float:
        """Give the monotonic time in seconds."""
        return time.monotonic()
