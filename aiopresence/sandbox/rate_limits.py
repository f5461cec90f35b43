"""The usage plan: a sliding window per group, and the penalty for exceeding it."""

import math
from collections import defaultdict, deque
from collections.abc import Mapping

import attrs

from ..errors import UsageError
from . import argument_checks
from .responses import Response, error_body, json_response

LIMITS: Mapping[str, int] = {"Light": 50, "Medium": 40, "Heavy": 10, "Auth": 5}
"""Requests per minute in RingCentral's default plan."""

_HTML = b"<html><body><h1>429 Too Many Requests</h1></body></html>"


@attrs.define
class Counters:
    """What a sandbox has counted so far.

    Attributes:
        rate_limited: 429 responses because of the usage plan; those of faults do not count.
        in_penalty: requests that arrived during a penalty, whatever their response.
        token_requests: requests that arrived at the token endpoint.
        logins: logins with a JWT or an authorization code.
        refreshes: accepted refresh tokens, also those accepted again within their grace.
    """

    rate_limited: int = 0
    in_penalty: int = 0
    token_requests: int = 0
    logins: int = 0
    refreshes: int = 0


def _merged(changes: Mapping[str, int] | None) -> Mapping[str, int]:
    if changes is None:
        return LIMITS
    argument_checks.mapping("limits", changes)
    for group, limit in changes.items():
        if group not in LIMITS:
            raise UsageError(
                f"limits may have {', '.join(LIMITS)}, not {argument_checks.shown(group)}"
            )
        argument_checks.whole(f"limits[{group!r}]", limit, 1)
    return {**LIMITS, **changes}


@attrs.frozen
class UsagePlan:
    """How many requests are allowed, and how 429s look: the arguments of `Sandbox`.

    Raises:
        UsageError: one of them has the wrong type or is out of range.
    """

    window: float = 60.0
    limits: Mapping[str, int] = attrs.field(default=None, converter=_merged)
    penalty: float | None = None
    rate_headers: bool = True
    retry_after: bool = True
    html_429: bool = False

    def __attrs_post_init__(self) -> None:
        argument_checks.seconds("window", self.window)
        argument_checks.seconds("penalty", self.penalty, zero=True, none=True)
        for name in ("rate_headers", "retry_after", "html_429"):
            argument_checks.flag(name, getattr(self, name))

    @property
    def penalty_seconds(self) -> float:
        """How many seconds a group refuses requests after each 429."""
        return self.window if self.penalty is None else self.penalty

    def headers(self, quota_state: "QuotaState") -> dict[str, str]:
        """Return the X-Rate-Limit headers of a response."""
        if not self.rate_headers:
            return {}
        return {
            "X-Rate-Limit-Group": quota_state.group.lower(),
            "X-Rate-Limit-Limit": str(quota_state.limit),
            "X-Rate-Limit-Remaining": str(quota_state.remaining),
            "X-Rate-Limit-Window": f"{self.window:f}".rstrip("0").rstrip("."),
        }

    def refusal(self) -> Response:
        """Return a 429."""
        if self.html_429:
            response = Response(429, _HTML, {"Content-Type": "text/html"})
        else:
            response = json_response(error_body("CMN-301", "Request rate exceeded"), 429)
        if self.retry_after:
            # Whole seconds, and never 0, as RingCentral sends them: after a short penalty it is
            # more than is left.
            response.headers["Retry-After"] = str(max(1, math.ceil(self.penalty_seconds)))
        return response


@attrs.frozen
class QuotaState:
    """The quota of a group after a request.

    Attributes:
        group: the group.
        limit: requests per window.
        remaining: requests left in the window; 0 for a refused request, which is a guess.
        refused: whether the response is a 429.
        in_penalty: whether the request arrived during a penalty, which starts again then.
    """

    group: str
    limit: int
    remaining: int
    refused: bool
    in_penalty: bool


@attrs.define
class _GroupWindow:
    arrivals: deque[float] = attrs.field(factory=deque)
    penalty_end: float = -math.inf


class Quota:
    """Counts requests per group, for the one user and app of a sandbox.

    Args:
        plan: how many requests are allowed.
    """

    def __init__(self, plan: UsagePlan) -> None:
        self.plan = plan
        self._windows: defaultdict[str, _GroupWindow] = defaultdict(_GroupWindow)

    def charge(self, now: float, group: str) -> QuotaState:
        """Count a request, or refuse it.

        A refused request starts the penalty, or starts it again. That it does not count in the
        window as well is a guess.

        Args:
            now: the arrival in seconds; never earlier than the one before.
            group: one of LIMITS.
        """
        window, limit = self._windows[group], self.plan.limits[group]
        while window.arrivals and window.arrivals[0] <= now - self.plan.window:
            window.arrivals.popleft()
        in_penalty = now < window.penalty_end
        if in_penalty or len(window.arrivals) >= limit:
            window.penalty_end = now + self.plan.penalty_seconds
            return QuotaState(group, limit, 0, True, in_penalty)
        window.arrivals.append(now)
        return QuotaState(group, limit, limit - len(window.arrivals), False, False)
