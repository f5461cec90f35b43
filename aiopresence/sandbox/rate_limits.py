"""The usage plan: a sliding window per group, and the penalty of those who exceed it."""

import math
from collections import defaultdict, deque
from collections.abc import Mapping

import attrs

from ..errors import UsageError
from . import argument_checks
from .responses import Reply, error_body, json_reply

LIMITS: Mapping[str, int] = {"Light": 50, "Medium": 40, "Heavy": 10, "Auth": 5}
"""Requests per minute in RingCentral's default plan."""

_HTML = b"<html><body><h1>429 Too Many Requests</h1></body></html>"


def _merged(changes: Mapping[str, int] | None) -> Mapping[str, int]:
    if changes is None:
        return LIMITS
    argument_checks.mapping("limits", changes)
    for group, limit in changes.items():
        if group not in LIMITS:
            raise UsageError(
                f"limits are for {', '.join(LIMITS)}, not for {argument_checks.shown(group)}"
            )
        argument_checks.whole(f"the limit of {group}", limit, 1)
    return {**LIMITS, **changes}


@attrs.frozen
class Plan:
    """What is allowed, and how refusals look; the arguments of `Sandbox` of the same names.

    Raises:
        UsageError: one of them makes no sense.
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
        """How long a group stays shut after each 429."""
        return self.window if self.penalty is None else self.penalty

    def headers(self, standing: "Standing") -> dict[str, str]:
        """Write the X-Rate-Limit headers of an answer."""
        if not self.rate_headers:
            return {}
        return {
            "X-Rate-Limit-Group": standing.group.lower(),
            "X-Rate-Limit-Limit": str(standing.limit),
            "X-Rate-Limit-Remaining": str(standing.remaining),
            "X-Rate-Limit-Window": f"{self.window:f}".rstrip("0").rstrip("."),
        }

    def refusal(self) -> Reply:
        """Write a 429."""
        if self.html_429:
            reply = Reply(429, _HTML, {"Content-Type": "text/html"})
        else:
            reply = json_reply(error_body("CMN-301", "Request rate exceeded"), 429)
        if self.retry_after:
            # In whole seconds, and never 0, as from RingCentral: with a short penalty it says
            # more than is left.
            reply.headers["Retry-After"] = str(max(1, math.ceil(self.penalty_seconds)))
        return reply


@attrs.frozen
class Standing:
    """How a group stands after a request.

    Attributes:
        group: the group.
        limit: how many requests a window has.
        remaining: how many are left; 0 for a request that is refused, which is a guess.
        refused: whether the request gets a 429.
        in_penalty: whether it arrived inside a penalty, and so made it longer.
    """

    group: str
    limit: int
    remaining: int
    refused: bool
    in_penalty: bool


@attrs.define
class _Tally:
    arrivals: deque[float] = attrs.field(factory=deque)
    penalty_end: float = -math.inf


class Quota:
    """The requests of the last window, per group: the sandbox has but one user and one app.

    Args:
        plan: what is allowed.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._tallies: defaultdict[str, _Tally] = defaultdict(_Tally)

    def charge(self, now: float, group: str) -> Standing:
        """Count one request, or refuse it.

        A refused request is not counted as an arrival, which is a guess: the penalty that it
        starts, or starts again, is what it costs.

        Args:
            now: the arrival, in monotonic seconds; never earlier than the one before.
            group: one of LIMITS.
        """
        tally, limit = self._tallies[group], self.plan.limits[group]
        while tally.arrivals and tally.arrivals[0] <= now - self.plan.window:
            tally.arrivals.popleft()
        in_penalty = now < tally.penalty_end
        if in_penalty or len(tally.arrivals) >= limit:
            tally.penalty_end = now + self.plan.penalty_seconds
            return Standing(group, limit, 0, True, in_penalty)
        tally.arrivals.append(now)
        return Standing(group, limit, limit - len(tally.arrivals), False, False)
