"""What is known of the rate limits of one usage-plan group.

Source: RingCentral guide, "API rate limits".
"""

from collections.abc import Mapping

import attrs

Headers = Mapping[str, str]

# The penalty to assume when a 429 does not say (the guide's shortest).
DEFAULT_PENALTY = 30.0


@attrs.frozen
class GroupLimits:
    """The state of one usage-plan group, as RingCentral last told it; None where it never did.

    Attributes:
        limit: requests allowed in a window.
        remaining: requests still allowed in this window when the last answer was sent.
        window: length of the window in seconds.
        blocked_for: seconds until the group may be used again after a 429; 0.0 when it may be.
    """

    limit: int | None = None
    remaining: int | None = None
    window: float | None = None
    blocked_for: float = 0.0


def group_of(headers: Headers) -> str | None:
    """Give the usage-plan group an answer was counted in, or None when it does not say."""
    return headers.get("x-rate-limit-group") or None


def retry_after(headers: Headers) -> float | None:
    """Give the seconds an answer asks to wait, or None when it does not say in whole seconds."""
    waits = [text.strip() for text in headers.get("retry-after", "").split(",")]
    return max((float(w) for w in waits if w.isascii() and w.isdigit()), default=None)


def _number(headers: Headers, name: str) -> int | None:
    text = headers.get(name, "").strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


class Group:
    """One usage-plan group, learning from each answer. Times are monotonic seconds."""

    def __init__(self) -> None:
        self._known = GroupLimits()
        self._blocked_until = 0.0

    def settle(self, now: float, status: int, headers: Headers) -> None:
        """Learn from an answer of this group."""
        limit = _number(headers, "x-rate-limit-limit")
        remaining = _number(headers, "x-rate-limit-remaining")
        window = _number(headers, "x-rate-limit-window")
        self._known = GroupLimits(
            limit=self._known.limit if limit is None else limit,
            remaining=remaining,
            window=self._known.window if window is None else float(window),
        )
        if status == 429:
            wait = retry_after(headers)
            self._blocked_until = now + (DEFAULT_PENALTY if wait is None else wait)

    def view(self, now: float) -> GroupLimits:
        """Give what is known at this moment."""
        return attrs.evolve(self._known, blocked_for=max(0.0, self._blocked_until - now))
