"""Rate limits: how much of each usage-plan group is used, and when it may be used again.

RingCentral counts the requests of a user and app that arrived within the last window, per group.
We see when we send and when the answer comes; the arrival lies between. So a slot is taken when a
request is sent and is free again one window after its answer: a later request then arrives more
than a window after the earlier one did, whatever the latencies, and the limit is never exceeded.

Source: RingCentral guide, "API rate limits". Times are monotonic seconds, given by the caller.
"""

import re
from collections import deque
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from functools import lru_cache
from math import inf

import attrs

Headers = Mapping[str, str]


@attrs.frozen
class GroupLimits:
    """The state of one usage-plan group; also a preset for `PresenceSession(limits=…)`.

    Attributes:
        limit: requests allowed in a window.
        window: length of the window in seconds.
        remaining: requests that may be sent at this moment, as far as is known; None in a preset.
        blocked_for: seconds until the next request may be sent; 0.0 when it may be now.
    """

    limit: int
    window: float = 60.0
    remaining: int | None = None
    blocked_for: float = 0.0


# RingCentral's default plan, until presets or answers say otherwise.
DEFAULTS = {
    "Light": GroupLimits(50),
    "Medium": GroupLimits(40),
    "Heavy": GroupLimits(10),
    "Auth": GroupLimits(5),
}
# For a group that is neither: a guess, the smallest of those for data.
OTHERWISE = GroupLimits(10)
# The shortest penalty when a 429 does not say how long it is.
MIN_PENALTY = 30.0
# A slot is used again so many seconds later than the rule allows, or a thousandth of the window if
# that is less: clocks tick as coarsely as 15.6 ms, and the server's is not ours.
MARGIN = 0.02
# What a server invents must not fill the memory, nor stop us for ever.
MAX_GROUPS, MAX_CALLS, MAX_LIMIT, MAX_WINDOW = 64, 256, 10_000, 86_400.0


def group_name(text: str) -> str:
    """Give a group's name as we spell it: RingCentral's headers vary in case."""
    name = text.strip()[:64]
    return name.capitalize() if name.islower() or name.isupper() else name


def group_of(headers: Headers) -> str | None:
    """Give the group an answer was counted in, or None when it does not say."""
    return group_name(headers.get("x-rate-limit-group", "")) or None


def retry_after(headers: Headers) -> float | None:
    """Give the seconds an answer asks to wait, the longest if it says so twice; None if never.

    A date is taken relative to the answer's own Date: our wall clock may be wrong.
    """
    text = headers.get("retry-after", "")
    waits = [float(t) for t in re.split(r"\s*,\s*", text.strip()) if re.fullmatch("[0-9]{1,9}", t)]
    if waits:
        return max(waits)
    try:
        until, now = parsedate_to_datetime(text), parsedate_to_datetime(headers.get("date", ""))
        return max(0.0, (until - now).total_seconds())
    except (TypeError, ValueError, OverflowError):
        return None


# Nearly every answer says the same.
@lru_cache(maxsize=256)
def _number(text: str) -> float | None:
    text = text.strip()
    return float(text) if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,3})?", text) else None


@attrs.frozen
class Taken:
    """A slot that was taken, and what stood then.

    Attributes:
        penalties: how many penalties there had been.
        used: how many slots were in use, this one included.
        charged: how many had ever been.
    """

    penalties: int
    used: int
    charged: int


class Group:
    """The sliding window of one group.

    Until the first answer, and again after a penalty, one request at a time is let through: an
    earlier process may have used the quota already, and a request too many restarts a penalty.
    """

    def __init__(self, preset: GroupLimits, blocked_until: float = -inf) -> None:
        self.limit = preset.limit
        self.window = preset.window
        # Whether an answer has had limits, so that presets do not count any more.
        self.learned = False
        self.blocked_until = blocked_until
        self.in_flight = 0
        # Whether one request at a time is the rule, and since which penalty.
        self._probing = True
        self.penalties = 0
        self._penalty = 0.0
        # When each request of the last window was answered, in order. Requests of others count
        # here too, from the moment when we learned of them.
        self._freeing: deque[float] = deque()
        self._last_freed = -inf
        self._charged = 0

    @property
    def _span(self) -> float:
        return self.window + min(MARGIN, self.window / 1000)

    def _used(self, now: float) -> int:
        while self._freeing and self._freeing[0] + self._span <= now:
            self._last_freed = self._freeing.popleft()
        return len(self._freeing) + self.in_flight

    def delay(self, now: float, keep: int = 0) -> float:
        """Give the seconds until a request may be sent; inf when only an answer can tell.

        Args:
            now: this moment.
            keep: slots to leave alone, for requests that matter more.
        """
        if now < self.blocked_until:
            return self.blocked_until - now
        if self._probing and self.in_flight:
            return inf
        missing = self._missing(now, keep)
        if missing <= 0:
            return 0.0
        late = missing > len(self._freeing)
        return inf if late else self._freeing[missing - 1] + self._span - now

    def forecast(self, now: float, ahead: int, keep: int = 0) -> float:
        """Give the seconds that a request will have to wait behind `ahead` others, at least."""
        blocked = max(0.0, self.blocked_until - now)
        # Who is as many places behind as there are slots uses the same slot one window later.
        windows, place = divmod(ahead, self.limit)
        nth = place + self._missing(now, keep) - 1
        if nth < 0:
            return blocked + windows * self._span
        freed_at = self._freeing[nth] if nth < len(self._freeing) else now
        return max(blocked, freed_at + self._span - now) + windows * self._span

    def _missing(self, now: float, keep: int) -> int:
        return 1 + min(keep, self.limit - 1) + self._used(now) - self.limit

    def take(self, now: float) -> Taken:
        """Count a request as sent; give what to settle it with."""
        self.in_flight += 1
        self._charged += 1
        return Taken(self.penalties, self._used(now), self._charged)

    def settle(self, now: float, taken: Taken, headers: Headers) -> None:
        """Count a request as answered, and learn from the answer."""
        self._free(now)
        self._observe(now, taken, headers)
        if taken.penalties == self.penalties:
            self._probing = False

    def lose(self, now: float, taken: Taken) -> None:
        """Count a request as sent without an answer: it may have arrived as late as now.

        If it did so during a penalty, which began after it was sent, it restarted that.
        """
        self._free(now)
        if taken.penalties != self.penalties:
            self.blocked_until = max(self.blocked_until, now + self._penalty)

    def _free(self, now: float) -> None:
        self.in_flight -= 1
        self._freeing.append(now)

    def unsent(self) -> None:
        """Give the slot of a request back that never left."""
        self.in_flight -= 1

    def _observe(self, now: float, taken: Taken, headers: Headers) -> None:
        limit = _number(headers.get("x-rate-limit-limit", ""))
        window = _number(headers.get("x-rate-limit-window", ""))
        self.limit = int(min(limit, MAX_LIMIT)) if limit and limit >= 1 else self.limit
        self.learned = self.learned or bool(limit or window)
        if window and window > self.window:
            # Requests that were forgotten count again.
            self.blocked_until = max(self.blocked_until, self._last_freed + min(window, MAX_WINDOW))
        self.window = min(window, MAX_WINDOW) if window else self.window
        remaining = _number(headers.get("x-rate-limit-remaining", ""))
        if remaining is None or remaining > self.limit:
            return
        # Of ours the server can have counted what was in use when this request was sent, and what
        # has been charged since. What it counted beyond that is somebody else's. An older answer
        # can only add to it, so it never raises the budget.
        ours = taken.used + self._charged - taken.charged
        others = max(0, int(self.limit - remaining) - ours)
        self._freeing.extend([now] * others)
        self._charged += others

    def penalise(self, now: float, seconds: float | None) -> None:
        """Shut the group after a 429; seconds of None or 0 say nothing of how long."""
        self._penalty = seconds or max(MIN_PENALTY, self.window)
        self.blocked_until = max(self.blocked_until, now + self._penalty)
        self._probing = True
        self.penalties += 1

    def view(self, now: float) -> GroupLimits:
        """Give what is known at this moment."""
        blocked = self.forecast(now, 0)
        remaining = 0 if blocked else self.limit - self._used(now)
        return GroupLimits(self.limit, self.window, remaining, blocked)


class Limits:
    """All groups of a quota, and which call counts in which."""

    def __init__(self) -> None:
        self._presets = dict(DEFAULTS)
        self._groups: dict[str, Group] = {}
        self._learned: dict[str, str] = {}
        self._all_blocked_until = -inf

    def add_presets(self, presets: Mapping[str, GroupLimits]) -> None:
        """Use other limits for groups of which no answer has told the limits yet."""
        self._presets |= presets
        for name, preset in presets.items():
            group = self._groups.get(name)
            if group is not None and not group.learned:
                group.limit, group.window = preset.limit, preset.window

    def group(self, call: str, expected: str) -> Group:
        """Give the group a call counts in: what its last answer said, or what is expected."""
        return self._named(self._learned.get(call, expected))

    def delay(self, group: Group, now: float, keep: int = 0) -> float:
        """Give the seconds until a request of a group may be sent, as `Group.delay`.

        One whose group is not known yet may turn out to be of any, so it waits for all.
        """
        if group is not self._groups.get(""):
            return group.delay(now, keep)
        return max(each.delay(now) for each in self._groups.values())

    def settle(self, now: float, call: str, group: Group, taken: Taken, headers: Headers) -> Group:
        """Count a request of a group as answered, and learn from the answer.

        Returns:
            The group it was counted in, which may be another than the expected one.
        """
        name = group_of(headers)
        actual = group if name is None else self._named(name)
        if actual is group:
            group.settle(now, taken, headers)
            return group
        if name:
            self._learned[call] = name
            if len(self._learned) > MAX_CALLS:
                del self._learned[next(iter(self._learned))]
        group.unsent()
        # It passed no gate of that group, so it is not the probe that ends a penalty.
        actual.settle(now, attrs.evolve(actual.take(now), penalties=-1), headers)
        return actual

    def penalise(self, now: float, group: Group, headers: Headers) -> None:
        """Shut a group after a 429, or all of them when the 429 names no group.

        One without rate limit headers comes from another limit, of the account or of all.
        """
        if any(name.startswith("x-rate-limit-") for name in headers):
            group.penalise(now, retry_after(headers))
            return
        for each in self._groups.values():
            each.penalise(now, retry_after(headers))
            self._all_blocked_until = max(self._all_blocked_until, each.blocked_until)

    def view(self, now: float) -> dict[str, GroupLimits]:
        """Return what is known of each group that is in use, by name."""
        return {name: group.view(now) for name, group in self._groups.items() if name}

    def _named(self, name: str) -> Group:
        if name not in self._groups and len(self._groups) >= MAX_GROUPS:
            name = ""
        if name not in self._groups:
            preset = self._presets.get(name, OTHERWISE)
            self._groups[name] = Group(preset, self._all_blocked_until)
        return self._groups[name]
