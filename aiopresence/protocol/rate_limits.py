"""Track how much of each usage-plan group is used, and when the next request may be sent.

Theory. RingCentral counts the requests of a user and app per group, in a sliding window: a request
is rejected if as many as the limit have arrived within the last window.

*Slots.* We know when we send a request and when its response comes; it arrives in between. So a
slot is taken when a request is sent, and is free one window after its response. Then a later
request in that slot arrives more than a window after the earlier one did, whatever the latencies,
and the limit is never exceeded.

*What is learned from headers.* The stated limit and window apply; those of the request that was
sent last count, because responses may overtake each other. A single window that is very different
from the present one counts as a mistake (milliseconds, say) until it is repeated. If `Remaining` is
less than our own requests explain, other clients use the same quota: those slots are counted as
used. Other clients may take the last slots while a request of ours is in flight, so the fewer slots
are left, the fewer requests of ours may be in flight, down to one.

*Penalties.* A 429 starts a penalty, and each request that arrives during it restarts it. So nothing
is sent until it is over, and then a single request, the probe. Each rejected probe doubles the
wait. A new group begins with a probe as well, because an earlier process may have used its quota.

*Guessed limit.* Where no response states the limit, the number of requests that were accepted in
the window before a 429 is taken for the limit, for a day.

Source: RingCentral guide, "API rate limits". Times are monotonic seconds, passed in by the caller.
"""

from collections import deque
from math import inf
from typing import NamedTuple

import attrs

from .rate_limit_headers import Headers, StatedLimits, read_limits, retry_after


@attrs.frozen
class GroupLimits:
    """The rate limit of one usage-plan group; also a preset for `PresenceSession(limits=…)`.

    Attributes:
        limit: the requests allowed in a window.
        window: the length of the window in seconds.
        remaining: the requests that may be sent now, as far as is known; None in a preset.
        blocked_for: the seconds until the next request may be sent; 0.0 if it may be sent now.
    """

    limit: int
    window: float = 60.0
    remaining: int | None = None
    blocked_for: float = 0.0


# RingCentral's default plan. Presets and responses replace it.
DEFAULTS = {
    "Light": GroupLimits(50),
    "Medium": GroupLimits(40),
    "Heavy": GroupLimits(10),
    "Auth": GroupLimits(5),
}
# For any other group: the smallest limit of a group for data. A guess.
UNKNOWN_GROUP_LIMITS = GroupLimits(10)
# The shortest penalty after a 429 without Retry-After, in seconds.
MIN_PENALTY = 30.0
# The longest Retry-After that is obeyed, and the longest wait after rejected probes, in seconds.
MAX_PENALTY, MAX_BACKOFF = 86_400.0, 600.0
# Retry-After is rounded down to whole seconds, so the penalty may last up to a second longer.
ROUNDING = 1.0
# A slot is free this many seconds later than the theory says, or a thousandth of the window if that
# is less: some clocks have a resolution of 15.6 ms, and the server's runs differently from ours.
MARGIN = 0.02
# The longest window of a preset, in seconds.
MAX_WINDOW = 86_400.0
# A window that differs by more than this factor from one that was stated by two responses in a row
# must be stated by two in a row as well.
ODD_WINDOW = 10.0
# How long other clients are expected to go on, in windows; the slots that must be left for them for
# each request of ours in flight; and the multiple of the limit at which they are assumed to have
# sent since the last response. Guesses.
SHARED_WINDOWS, SLOTS_PER_REQUEST, OTHERS_PACE = 10, 8, 4
# Seconds for which a guessed limit applies. Other clients may have caused that 429, so the old
# limit is tried again, at the price of one 429 a day.
GUESS_LIFETIME = 86_400.0


class Slot(NamedTuple):
    """The slot of one request, with the state of its window when the request was sent.

    Attributes:
        penalties: the number of penalties before it.
        number: the number of slots taken before it, plus one.
        used: the number of slots in use, this one included.
    """

    penalties: int
    number: int
    used: int


class GroupWindow:
    """The sliding window of one group.

    Args:
        preset: the limit and window until a response states others.
        blocked_until: when the first request may be sent.
        name: the name of the group; None for requests whose group is unknown.

    Attributes:
        limit: the requests allowed in a window.
        window: the length of the window in seconds.
        blocked_until: when the penalty ends.
        in_flight: the requests that have been sent and not completed.
        penalties: the number of penalties so far.
    """

    def __init__(
        self, preset: GroupLimits, blocked_until: float = -inf, name: str | None = None
    ) -> None:
        self.name = name
        self.limit = preset.limit
        self.window = preset.window
        self.blocked_until = blocked_until
        self.in_flight = 0
        # The times of the responses in the window, in order; of earlier ones, in case the window
        # becomes longer; and when each request of other clients became known.
        self._responses: deque[float] = deque()
        self._expired: deque[float] = deque()
        self._others: deque[float] = deque()
        self._shared_until = self._last_response_at = -inf
        # Whether only one request may be in flight.
        self._is_probing = True
        self.penalties = 0
        # The longest wait of the present series of penalties, and the least wait of the next one.
        self._penalty = self._backoff = 0.0
        # The number of slots taken; and the slots of the responses that limits and the requests of
        # others were learned from last.
        self._taken = self._limits_from = self._others_from = 0
        self._is_limit_stated = self._is_window_stated = self._is_window_confirmed = False
        self._last_window: float | None = None
        # While the limit is a guess: the limit before, when the guess expires, and the number of
        # penalties before.
        self._guess: tuple[int, float, int] | None = None

    def use_preset(self, preset: GroupLimits) -> None:
        """Use another limit and window, unless a response has stated them."""
        if not self._is_limit_stated and self._guess is None:
            self.limit = preset.limit
        if not self._is_window_stated:
            self._set_window(preset.window)

    def fill(self, now: float) -> None:
        """Count the whole window as used by others, who may have used it."""
        self._others.extend([now] * (self.limit - self._used(now)))

    @property
    def _span(self) -> float:
        return self.window + min(MARGIN, self.window / 1000)

    def _used(self, now: float) -> int:
        freed = now - self._span
        while self._responses and self._responses[0] <= freed:
            self._expired.append(self._responses.popleft())
            if len(self._expired) > self.limit:
                self._expired.popleft()
        while self._others and self._others[0] <= freed:
            self._others.popleft()
        return len(self._responses) + len(self._others) + self.in_flight

    def delay(self, now: float, keep: int = 0) -> float:
        """Return the seconds until a request may be sent; inf if that depends on a response.

        Args:
            now: the monotonic time in seconds.
            keep: the slots to leave free, for more important requests.
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
        if self._is_probing:
            return 1
        if now >= self._shared_until:
            return inf
        # The longer ago the last response was, the more slots others may have used since.
        since = (now - self._last_response_at) / self.window * self.limit * OTHERS_PACE
        return max(1, (free - since) // SLOTS_PER_REQUEST)

    def forecast(self, now: float, ahead: int, keep: int = 0) -> float:
        """Return the least seconds that a request has to wait, with `ahead` others before it."""
        blocked = max(0.0, self.blocked_until - now)
        # A request that is a whole limit further behind uses the same slot one window later.
        windows, place = divmod(ahead, self.limit)
        nth = place + self._missing(now, keep) - 1
        if nth < 0:
            return blocked + windows * self._span
        return max(blocked, self._free_at(nth, now + self._span) - now) + windows * self._span

    def _missing(self, now: float, keep: int) -> int:
        return 1 + min(keep, self.limit - 1) + self._used(now) - self.limit

    def _free_at(self, nth: int, unknown: float) -> float:
        """Return when the nth of the used slots becomes free; `unknown` if it is in flight."""
        if not self._others:
            return self._responses[nth] + self._span if nth < len(self._responses) else unknown
        both = sorted((*self._responses, *self._others))
        return both[nth] + self._span if nth < len(both) else unknown

    def take(self, now: float, _keep: int = 0) -> Slot:
        """Count a request as sent, and return its slot: pass it on when the request has ended."""
        if self._guess is not None and now >= self._guess[1]:
            self.limit, self._guess = self._guess[0], None
        self.in_flight += 1
        self._taken += 1
        used = self._used(now) - len(self._others)
        return Slot(self.penalties, self._taken, used)

    def complete(self, now: float, slot: Slot, headers: Headers) -> None:
        """Count a request as completed, and learn from the headers of its response."""
        self._free(now)
        stated = read_limits(headers)
        self._learn(now, slot, stated)
        self._count_others(now, slot, stated)
        if slot.penalties == self.penalties:
            self._is_probing = False
            self._penalty = self._backoff = 0.0
        elif self._guess is not None and slot.penalties == self._guess[2]:
            # It was accepted before the request that was rejected, so the limit is one more.
            self.limit = min(self.limit + 1, self._guess[0])

    def reject(self, now: float, slot: Slot, headers: Headers) -> None:
        """Count a request as rejected with a 429, learn from its headers, and start a penalty.

        It occupies no slot.
        """
        self.in_flight -= 1
        stated = read_limits(headers)
        self._learn(now, slot, stated)
        self._count_others(now, slot, stated)
        if slot.penalties == self.penalties:
            if self._is_probing:
                self._backoff = min(2 * self._penalty, MAX_BACKOFF)
            elif not self._is_limit_stated:
                self._guess_limit(now)
        self.start_penalty(now, retry_after(headers))
        self._shared_until = self.blocked_until + SHARED_WINDOWS * self.window

    def abandon(self, now: float, slot: Slot) -> None:
        """Count a request as ended without a response: it may have arrived as late as now.

        If a penalty began after it was sent, its arrival may have restarted the penalty.
        """
        self._free(now)
        if slot.penalties != self.penalties:
            self.blocked_until = max(self.blocked_until, now + self._penalty)

    def _free(self, now: float) -> None:
        self.in_flight -= 1
        self._responses.append(now)
        self._last_response_at = now

    def release(self, _slot: Slot) -> None:
        """Free the slot of a request that was never sent."""
        self.in_flight -= 1

    def _learn(self, now: float, slot: Slot, stated: StatedLimits) -> None:
        """Use the stated limits, unless the response to a later request has stated some."""
        if slot.number < self._limits_from or (stated.limit is None and stated.window is None):
            return
        self._limits_from = slot.number
        if stated.limit is not None:
            self.limit, self._is_limit_stated, self._guess = stated.limit, True, None
        if stated.window is not None:
            again = stated.window == self._last_window
            odd = not 1 / ODD_WINDOW <= stated.window / self.window <= ODD_WINDOW
            if again or not (odd and self._is_window_confirmed):
                self._set_window(stated.window)
                self._used(now)
                self._is_window_confirmed = again
            self._is_window_stated, self._last_window = True, stated.window

    def _set_window(self, window: float) -> None:
        if window > self.window:
            # Earlier requests are in the window again.
            while self._expired:
                self._responses.appendleft(self._expired.pop())
        self.window = window

    def _count_others(self, now: float, slot: Slot, stated: StatedLimits) -> None:
        """Count the slots used by other clients, as `Remaining` shows them."""
        limit = stated.limit or self.limit
        if stated.remaining is None or stated.remaining > limit:
            return
        # Of our requests the server has counted at most those in use when this one was sent, and
        # those sent since, if they overtook it. The rest are those of other clients.
        counted = limit - stated.remaining
        others = counted - slot.used - (self._taken - slot.number)
        if others > 0:
            self._shared_until = now + SHARED_WINDOWS * self.window
        if others > len(self._others):
            self._others.extend([now] * (others - len(self._others)))
            self._others_from = slot.number
        elif slot.number > self._others_from:
            for _ in range(len(self._others) - max(0, counted - slot.used)):
                self._others.popleft()

    def _guess_limit(self, now: float) -> None:
        """Take the number of requests that were accepted in the window for the limit."""
        self._used(now)
        if self._responses:
            before = self.limit if self._guess is None else self._guess[0]
            self.limit = min(self.limit, len(self._responses))
            self._guess = before, now + GUESS_LIFETIME, self.penalties

    def start_penalty(self, now: float, seconds: float | None) -> None:
        """Block the group after a 429.

        Args:
            now: the monotonic time in seconds.
            seconds: the Retry-After of the response; None or 0 if it states no time.
        """
        asked = min(seconds, MAX_PENALTY) + ROUNDING if seconds else max(MIN_PENALTY, self.window)
        wait = max(asked, self._backoff)
        self._penalty = max(self._penalty, wait)
        self.blocked_until = max(self.blocked_until, now + wait)
        self._is_probing = True
        self.penalties += 1

    def snapshot(self, now: float) -> GroupLimits:
        """Return the state at this moment."""
        blocked = self.forecast(now, 0)
        remaining = 0 if blocked else self.limit - self._used(now)
        return GroupLimits(self.limit, self.window, remaining, blocked)
