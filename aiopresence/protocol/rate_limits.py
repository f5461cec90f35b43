"""Rate limits: how much of each usage-plan group is used, and when it may be used again.

RingCentral counts the requests of a user and app that arrived within the last window, per group.
We see when we send and when the answer comes; the arrival lies between. So a slot is taken when a
request is sent and is free again one window after its answer: a later request then arrives more
than a window after the earlier one did, whatever the latencies, and the limit is never exceeded.

The limits of the response whose request was sent last apply; older responses that arrive late are
ignored. Where `Remaining` is less than our own requests explain, other clients use the same quota.
They may use the last slots while a request of ours is in flight, so the fewer slots are left, the
fewer of our requests are in flight at once, down to one.

A 429 starts a penalty, and each request that arrives during it restarts it. So nothing is sent
until it is over, and then one request, the probe. Each rejected probe doubles the wait. Where no
response states the limit, the requests accepted in the window before a 429 are taken for it.

Source: RingCentral guide, "API rate limits". Times are monotonic seconds, given by the caller.
"""

from collections import deque
from math import inf
from typing import NamedTuple

import attrs

from .rate_limit_headers import Headers, StatedLimits, read_limits, retry_after


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
UNKNOWN_GROUP_LIMITS = GroupLimits(10)
# The shortest penalty when a 429 does not say how long it is.
MIN_PENALTY = 30.0
# The longest Retry-After that is followed, and the longest wait that doubling leads to.
MAX_PENALTY, MAX_BACKOFF = 86_400.0, 600.0
# Retry-After is cut down to whole seconds, so the penalty may last that much longer.
CUT = 1.0
# A slot is used again so many seconds later than the rule allows, or a thousandth of the window if
# that is less: clocks tick as coarsely as 15.6 ms, and the server's is not ours.
MARGIN = 0.02
# The longest window that a preset may have.
MAX_WINDOW = 86_400.0
# A window that differs by more than this factor from one that two responses in a row have stated
# must be stated twice in a row as well: a single one is a mistake, such as milliseconds.
ODD_WINDOW = 10.0
# Other clients are expected for this many windows after they were noticed; each of our requests in
# flight leaves this many slots for theirs; and since the last response they are assumed to have
# sent at this multiple of the limit. Guesses.
SHARED_WINDOWS, HEADROOM, PACE = 10, 8, 4
# Seconds for which a limit learned from a 429 applies. Other clients may have caused that 429, and
# one more a day is a fair price for finding out.
GUESS_HOLDS = 86_400.0


class Slot(NamedTuple):
    """One request in the window of a group, and the state of the window when it was sent.

    Attributes:
        penalties: how many penalties there had been.
        number: how many slots had ever been taken, this one included.
        used: how many were in use, this one included.
    """

    penalties: int
    number: int
    used: int


class GroupWindow:
    """The sliding window of one group.

    Until the first answer, and again after a penalty, one request at a time is let through: an
    earlier process may have used the quota already, and a request too many restarts a penalty.
    """

    def __init__(
        self, preset: GroupLimits, blocked_until: float = -inf, name: str | None = None
    ) -> None:
        self.name = name
        self.limit = preset.limit
        self.window = preset.window
        self.blocked_until = blocked_until
        self.in_flight = 0
        # When each request of the last window was answered, in order; those of windows before;
        # and when we learned of each that others have sent.
        self._answered: deque[float] = deque()
        self._expired: deque[float] = deque()
        self._others: deque[float] = deque()
        self._shared_until = self._answered_at = -inf
        # Whether one request at a time is the rule, and since which penalty.
        self._probing = True
        self.penalties = 0
        self._penalty = self._backoff = 0.0
        # The requests that were sent last of those whose answers have stated something.
        self._sent = self._stated_by = self._others_stated_by = 0
        self._limit_stated = self._window_stated = self._window_confirmed = False
        self._last_window: float | None = None
        # While the limit is what a 429 has taught: what it was before, until when, and how many
        # penalties there had been.
        self._guess: tuple[int, float, int] | None = None

    def use_preset(self, preset: GroupLimits) -> None:
        """Use other limits than before, where no answer has stated any yet."""
        if not self._limit_stated and self._guess is None:
            self.limit = preset.limit
        if not self._window_stated:
            self._set_window(preset.window)

    @property
    def _span(self) -> float:
        return self.window + min(MARGIN, self.window / 1000)

    def _used(self, now: float) -> int:
        freed = now - self._span
        while self._answered and self._answered[0] <= freed:
            self._expired.append(self._answered.popleft())
            if len(self._expired) > self.limit:
                self._expired.popleft()
        while self._others and self._others[0] <= freed:
            self._others.popleft()
        return len(self._answered) + len(self._others) + self.in_flight

    def delay(self, now: float, keep: int = 0) -> float:
        """Return the seconds until a request may be sent; inf when it depends on a response.

        Args:
            now: this moment.
            keep: slots to leave alone, for requests that matter more.
        """
        if now < self.blocked_until:
            return self.blocked_until - now
        missing = self._missing(now, keep)
        if self.in_flight and self.in_flight >= self._most_in_flight(now, 1 - missing):
            return inf
        if missing <= 0:
            return 0.0
        return max(0.0, self._free_at(missing - 1, inf) - now)

    def _most_in_flight(self, now: float, free: int) -> float:
        if self._probing:
            return 1
        if now >= self._shared_until:
            return inf
        # The longer ago the last answer was, the more they may have used since.
        since = (now - self._answered_at) / self.window * self.limit * PACE
        return max(1, (free - since) // HEADROOM)

    def forecast(self, now: float, ahead: int, keep: int = 0) -> float:
        """Return the seconds that a request will have to wait behind `ahead` others, at least."""
        blocked = max(0.0, self.blocked_until - now)
        # Who is as many places behind as there are slots uses the same slot one window later.
        windows, place = divmod(ahead, self.limit)
        nth = place + self._missing(now, keep) - 1
        if nth < 0:
            return blocked + windows * self._span
        return max(blocked, self._free_at(nth, now + self._span) - now) + windows * self._span

    def _missing(self, now: float, keep: int) -> int:
        return 1 + min(keep, self.limit - 1) + self._used(now) - self.limit

    def _free_at(self, nth: int, unknown: float) -> float:
        """Return when the nth of the slots that will be free comes free; `unknown` in flight."""
        if not self._others:
            return self._answered[nth] + self._span if nth < len(self._answered) else unknown
        both = sorted((*self._answered, *self._others))
        return both[nth] + self._span if nth < len(both) else unknown

    def take(self, now: float) -> Slot:
        """Count a request as sent; return what to settle it with."""
        if self._guess is not None and now >= self._guess[1]:
            self.limit, self._guess = self._guess[0], None
        self.in_flight += 1
        self._sent += 1
        used = self._used(now) - len(self._others)
        return Slot(self.penalties, self._sent, used)

    def complete(self, now: float, slot: Slot, headers: Headers) -> None:
        """Count a request as answered, and learn from the answer."""
        self._free(now)
        stated = read_limits(headers)
        self._learn(now, slot, stated)
        self._count_others(now, slot, stated)
        if slot.penalties == self.penalties:
            self._probing = False
            self._penalty = self._backoff = 0.0
        elif self._guess is not None and slot.penalties == self._guess[2]:
            # It had arrived before the request that was refused, so it is one of the limit.
            self.limit = min(self.limit + 1, self._guess[0])

    def reject(self, now: float, slot: Slot, headers: Headers) -> None:
        """Count a request as refused with a 429, learn from it, and begin a penalty.

        It takes no slot: the penalty is what it costs.
        """
        self.in_flight -= 1
        stated = read_limits(headers)
        self._learn(now, slot, stated)
        self._count_others(now, slot, stated)
        if slot.penalties == self.penalties:
            if self._probing:
                self._backoff = min(2 * self._penalty, MAX_BACKOFF)
            elif not self._limit_stated:
                self._guess_limit(now)
        self.start_penalty(now, retry_after(headers))
        self._shared_until = self.blocked_until + SHARED_WINDOWS * self.window

    def abandon(self, now: float, slot: Slot) -> None:
        """Count a request as sent without an answer: it may have arrived as late as now.

        If it did so during a penalty, which began after it was sent, it restarted that.
        """
        self._free(now)
        if slot.penalties != self.penalties:
            self.blocked_until = max(self.blocked_until, now + self._penalty)

    def _free(self, now: float) -> None:
        self.in_flight -= 1
        self._answered.append(now)
        self._answered_at = now

    def release(self) -> None:
        """Give the slot of a request back that never left."""
        self.in_flight -= 1

    def _learn(self, now: float, slot: Slot, stated: StatedLimits) -> None:
        """Use the limits that an answer states, unless a request sent later has stated them."""
        if slot.number < self._stated_by or (stated.limit is None and stated.window is None):
            return
        self._stated_by = slot.number
        if stated.limit is not None:
            self.limit, self._limit_stated, self._guess = stated.limit, True, None
        if stated.window is not None:
            again = stated.window == self._last_window
            odd = not 1 / ODD_WINDOW <= stated.window / self.window <= ODD_WINDOW
            if again or not (odd and self._window_confirmed):
                self._set_window(stated.window)
                self._used(now)
                self._window_confirmed = again
            self._window_stated, self._last_window = True, stated.window

    def _set_window(self, window: float) -> None:
        if window > self.window:
            # Requests that were forgotten count again.
            while self._expired:
                self._answered.appendleft(self._expired.pop())
        self.window = window

    def _count_others(self, now: float, slot: Slot, stated: StatedLimits) -> None:
        """Count what others have used, as an answer shows it."""
        limit = stated.limit or self.limit
        if stated.remaining is None or stated.remaining > limit:
            return
        # The server can have counted of ours what was in use when this request was sent, and, if
        # that overtook it, what has been sent since. The rest is somebody else's.
        counted = limit - stated.remaining
        others = counted - slot.used - (self._sent - slot.number)
        if others > 0:
            self._shared_until = now + SHARED_WINDOWS * self.window
        if others > len(self._others):
            self._others.extend([now] * (others - len(self._others)))
            self._others_stated_by = slot.number
        elif slot.number > self._others_stated_by:
            for _ in range(len(self._others) - max(0, counted - slot.used)):
                self._others.popleft()

    def _guess_limit(self, now: float) -> None:
        """Take what was in use when a 429 came for the limit, as no answer states it."""
        self._used(now)
        if self._answered:
            before = self.limit if self._guess is None else self._guess[0]
            self.limit = min(self.limit, len(self._answered))
            self._guess = before, now + GUESS_HOLDS, self.penalties

    def start_penalty(self, now: float, seconds: float | None) -> None:
        """Shut the group after a 429; seconds of None or 0 say nothing of how long."""
        asked = min(seconds, MAX_PENALTY) + CUT if seconds else max(MIN_PENALTY, self.window)
        wait = max(asked, self._backoff)
        self._penalty = max(self._penalty, wait)
        self.blocked_until = max(self.blocked_until, now + wait)
        self._probing = True
        self.penalties += 1

    def snapshot(self, now: float) -> GroupLimits:
        """Return what is known at this moment."""
        blocked = self.forecast(now, 0)
        remaining = 0 if blocked else self.limit - self._used(now)
        return GroupLimits(self.limit, self.window, remaining, blocked)
