"""Counting requests per usage-plan group in a sliding window. Nothing is refused here."""

from collections import defaultdict, deque

import attrs

WINDOW = 60.0  # seconds; RingCentral's default for every group
LIMITS = {"Light": 50, "Medium": 40, "Heavy": 10, "Auth": 5}  # RingCentral's default plan


@attrs.frozen
class Standing:
    """How a group stands after a request: what the X-Rate-Limit headers say."""

    group: str
    limit: int
    remaining: int

    @property
    def headers(self) -> dict[str, str]:
        """The four headers of an answer."""
        return {
            "X-Rate-Limit-Group": self.group.lower(),
            "X-Rate-Limit-Limit": str(self.limit),
            "X-Rate-Limit-Remaining": str(self.remaining),
            "X-Rate-Limit-Window": str(int(WINDOW)),
        }


class Quota:
    """The requests of the last window, per caller and group."""

    def __init__(self) -> None:
        self._arrivals: defaultdict[tuple[str, str], deque[float]] = defaultdict(deque)

    def charge(self, now: float, caller: str, group: str) -> Standing:
        """Count one request.

        Args:
            now: the arrival, in monotonic seconds; never earlier than the one before.
            caller: who is counted, such as an access token or a client id.
            group: one of LIMITS.
        """
        arrivals = self._arrivals[caller, group]
        while arrivals and arrivals[0] <= now - WINDOW:
            arrivals.popleft()
        arrivals.append(now)
        limit = LIMITS[group]
        return Standing(group, limit, max(0, limit - len(arrivals)))
