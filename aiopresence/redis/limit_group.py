"""One usage-plan group whose slots are granted in Redis: its side in this process.

Theory. `limits.lua` decides; this class knows what to ask it, and when (`due`):

- when more requests wait than there are slots in hand, and the time to come back has passed, or a
  message says that something has changed;
- when requests have ended: at once if others may wait for that, else a little later;
- when slots in hand are not used because those who waited are gone: they are released;
- before it was silent for so long that it would be taken for dead.

One call is under way at a time. It carries everything that has accumulated since the last one, so
a busy process makes fewer calls than requests. A slot in hand that is older than SLACK is never
sent with. A call whose reply was lost is not repeated: the next one states which slots are held,
and reports again what was not confirmed.
"""

import asyncio
from collections import deque
from collections.abc import Iterator, Sequence
from math import inf

from ..protocol.rate_limit_headers import Headers, retry_after
from ..protocol.rate_limits import MAX_PENALTY, MIN_PENALTY, ROUNDING, GroupLimits
from ..transport.clock import chance
from ..transport.rate_limiter import Waiting
from .limit_calls import Call, Kind, Reply, Report, Slot
from .own_seat import OwnSeat

# Seconds after which a silent process is taken for dead, and after which a slot is not sent with.
# The first is LEASE in limits.lua.
LEASE, SLACK = 5.0, 1.0
# Seconds in which a granted slot has to find a request, and in which a report is due.
UNUSED, REPORT = 0.02, 0.5
# The shortest and the longest time between calls while Redis does not work, in seconds.
RETRY, LONGEST_RETRY = 0.05, 0.5
# The most reports that are kept while Redis does not work.
MAX_REPORTS = 2000


class RedisGroup:
    """The slots of one group; it is a `transport.rate_limiter.Group`. Times are monotonic seconds.

    Args:
        name: the name of the group; None for requests whose group is unknown.
        preset: the limits to assume before a response states others.
        process: the name of this process.
        waiting: the requests that wait.
        own: what this process may send while Redis does not work.

    Attributes:
        blocked_until: when the penalty ends.
        preset: as given.
        own: as given.
        changed: set when `due` may have changed.
    """

    def __init__(
        self,
        name: str | None,
        preset: GroupLimits,
        process: str,
        waiting: Waiting,
        own: OwnSeat,
    ) -> None:
        self.name, self.preset, self.own = name, preset, own
        self.blocked_until = -inf
        self.changed = asyncio.Event()
        self._process, self._waiting = process, waiting
        # The slots that no request has taken yet, by the slots they leave free; and all slots that
        # no report has ended, by their ids.
        self._hand: dict[int, deque[Slot]] = {}
        self._held: dict[int, Slot] = {}
        self._granted_at = -inf
        # Reports that are not confirmed; how many there were, and how many calls.
        self._reports: deque[Report] = deque()
        self._reported = self._calls = 0
        self._next_id = 1
        # The call under way: its wants and its first id; and whether its slots are not to be used.
        self._wants: Sequence[tuple[int, int]] = ()
        self._first_id = 0
        self._is_void = False
        # When the last call that succeeded was sent and answered, and what the reply was.
        self._sent = self._received = -inf
        self._reply: Reply | None = None
        # When to ask again; when to try again after failures, and how many there were.
        self._back = self._retry_at = -inf
        self._failures = 0
        self._must_list = False
        self._stopped = -1  # When others had a 429, in the time of the script.

    @property
    def is_failing(self) -> bool:
        """Whether the last call has failed."""
        return self._failures > 0

    @property
    def window(self) -> float:
        """The length of the window in seconds, as last known."""
        return self.preset.window if self._reply is None else self._reply.window / 1000

    @property
    def limit(self) -> int:
        """The requests allowed in a window, as last known."""
        return self.preset.limit if self._reply is None else self._reply.limit

    # What the session asks: see transport.rate_limiter.Group.

    def delay(self, now: float, keep: int = 0) -> float:
        """Return 0 if there is a slot in hand, else the time until one is asked for, or inf."""
        hand = self._hand.get(keep)
        while hand and hand[0].expires <= now:
            self.release(hand.popleft())
        if hand:
            return 0.0
        self.changed.set()
        if self.is_failing:
            return self.own.delay(now, keep)
        wait = max(self.blocked_until, self._back) - now
        return wait if wait > 0 else inf

    def forecast(self, now: float, ahead: int, keep: int = 0) -> float:
        """Return the least seconds that a request has to wait, with `ahead` others before it."""
        reply, blocked = self._reply, max(0.0, self.blocked_until - now)
        if reply is None:
            return blocked
        span = (reply.window + reply.margin) / 1000
        blocked = max(blocked, self._received + reply.blocked / 1000 - now)
        windows, place = divmod(ahead, reply.limit)
        nth = place + min(keep, reply.limit - 1) - reply.free - self._in_hand()
        if nth < 0:
            return blocked + windows * span
        index = nth // reply.step
        known = index < len(reply.times)
        free_at = self._received + reply.times[index] / 1000 if known else now + span
        return max(blocked, free_at - now) + windows * span

    def take(self, now: float, keep: int = 0) -> Slot:
        """Take a slot in hand, when `delay` is 0."""
        hand = self._hand.get(keep)
        if hand:
            return hand.popleft()
        slot = Slot(self._next_id, 0, -1, 0, keep)
        self._next_id += 1
        self._held[slot.id] = slot
        self._must_list = True
        self.own.take(now, slot.id)
        return slot

    def complete(self, now: float, slot: Slot, headers: Headers, *, refused: bool) -> None:
        """Report the response to a request; `refused` if it was a 429."""
        self.own.complete(now, slot.id, headers, refused=refused)
        if refused:
            self._stop(now, headers)
        self._end(now, Kind.REJECT if refused else Kind.COMPLETE, slot, headers)

    def abandon(self, now: float, slot: Slot) -> None:
        """Report that a request has ended without a response."""
        self.own.abandon(now, slot.id)
        self._end(now, Kind.ABANDON, slot)

    def release(self, slot: Slot) -> None:
        """Report that a slot was not used."""
        self.own.release(slot.id)
        self._end(-inf, Kind.RELEASE, slot)

    def apply_429(self, now: float, headers: Headers) -> None:
        """Report that a part of a response was a 429."""
        self._stop(now, headers)
        self._end(now, Kind.BLOCK, Slot(0, 0, -1, 0), headers)

    def adopt(self) -> Slot:
        """Return a slot for a request that was granted one in another group."""
        return Slot(0, 0, -1, 0)

    def snapshot(self, now: float) -> GroupLimits:
        """Return the state at this moment, as far as it is known here."""
        blocked = self.forecast(now, 0)
        free = self.limit if self._reply is None else max(0, self._reply.free) + self._in_hand()
        return GroupLimits(self.limit, self.window, 0 if blocked else free, blocked)

    # What the task that calls the script asks.

    def due(self, now: float) -> float:
        """Return when to call the script; inf if there is no reason to."""
        times = [inf]
        demand = self._waiting.demand(self)
        if any(count > len(self._hand.get(keep, ())) for keep, count in demand.items()):
            times.append(self._back)
        if self._reports:
            prompt = self._reply is None or self._reply.prompt
            wait = 0.0 if prompt else min(REPORT, self.window / 4)
            times.append(self._reports[0].time + wait)
        if any(len(hand) > demand.get(keep, 0) for keep, hand in self._hand.items()):
            times.append(self._granted_at + UNUSED)
        if self._held or self._must_list or self.own.has_seat:
            times.append(self._sent + LEASE / 3)
        return max(min(times), self._retry_at)

    def call(self, now: float, *, closing: bool = False) -> Call:
        """Return the next call of the script."""
        demand = {} if closing else self._waiting.demand(self)
        self._release_unused(now, demand)
        unmet = ((k, count - len(self._hand.get(k, ()))) for k, count in sorted(demand.items()))
        self._wants = [(keep, count) for keep, count in unmet if count > 0]
        self._calls += 1
        self._first_id = self._next_id
        self._next_id += sum(count for _, count in self._wants)
        self._is_void = False
        self._forget_reports(now)
        reply, epoch = self._reply, self._reply.epoch if self._reply else ""
        return Call(
            self._process,
            self._calls,
            epoch,
            reply.time if reply else -1,
            now - self._sent if reply else 0.0,
            self._first_id,
            [*self._held] if self._must_list else len(self._held),
            [report.values(now, epoch) for report in self._reports],
            self._wants,
            self._limits(),
            reply.stated if reply else 0,
            max(0.0, self.blocked_until - now),
            self.own.seats,
            self.own.name,
            closing,
        )

    def apply(self, reply: Reply, sent: float, now: float) -> None:
        """Use the reply to a call.

        Args:
            reply: the reply.
            sent: when the call was sent.
            now: when the reply came.
        """
        is_void = self._is_void or reply.time <= self._stopped
        self._sent, self._received, self._reply = sent, now, reply
        self._failures, self._retry_at = 0, -inf
        self._must_list = bool(reply.disagrees)
        # Sent such that it arrives when the time has passed, if it takes as long as this call.
        self._back = -inf if reply.back < 0 else sent + (reply.back + 1) / 1000
        self.blocked_until = now + reply.penalty / 1000 if reply.penalty else -inf
        self.own.contact(sent, reply)
        while self._reports and self._reports[0].number <= reply.applied:
            self._reports.popleft()
        self._granted_at = now
        for slot in self._slots(reply, sent):
            self._held[slot.id] = slot
            if is_void or slot.expires <= now:
                self.release(slot)
            else:
                self._hand.setdefault(slot.keep, deque()).append(slot)

    def is_lost(self, reply: Reply) -> bool:
        """Return whether Redis has no more of what this process knew, as the next reply shows."""
        return self._reply is not None and self._reply.epoch != reply.epoch

    def failed(self, now: float) -> None:
        """Note that a call has failed; whether the script was run is not known."""
        self._failures += 1
        self._must_list = True
        wait = min(LONGEST_RETRY, RETRY * 2**self._failures)
        self._retry_at = now + wait * (0.5 + chance() / 2)

    def notify(self, stopped: int | None = None) -> None:
        """Ask again soon, because something has changed in Redis.

        Args:
            stopped: when there was a 429, in the time of the script; None if there was none.
        """
        if stopped is not None and self._reply is not None:
            self._stopped = stopped
            self._drop_hand()
        self._back = -inf
        self.changed.set()

    # Details.

    def _limits(self) -> GroupLimits:
        """Return what a response has stated, or the presets."""
        stated = self._reply.stated if self._reply else 0
        return GroupLimits(
            self.limit if stated & 1 else self.preset.limit,
            self.window if stated & 2 else self.preset.window,
        )

    def _in_hand(self) -> int:
        return sum(map(len, self._hand.values()))

    def _slots(self, reply: Reply, sent: float) -> Iterator[Slot]:
        count = 0
        for (keep, wanted), granted in zip(self._wants, reply.grants, strict=False):
            for _ in range(min(wanted, granted)):
                yield Slot(
                    self._first_id + count,
                    reply.number + count,
                    reply.penalties,
                    reply.used + count,
                    keep,
                    sent + SLACK,
                    reply.epoch,
                )
                count += 1

    def _end(self, now: float, kind: Kind, slot: Slot, headers: Headers | None = None) -> None:
        self._held.pop(slot.id, None)
        self._reported += 1
        self._reports.append(Report(self._reported, now, kind, slot, headers or {}))
        self.changed.set()

    def _drop_hand(self) -> None:
        for hand in self._hand.values():
            while hand:
                self.release(hand.popleft())

    def _stop(self, now: float, headers: Headers) -> None:
        """Send nothing more until Redis says when the penalty ends; estimate it."""
        seconds = retry_after(headers)
        least = max(MIN_PENALTY, self.window)
        wait = min(seconds, MAX_PENALTY) + ROUNDING if seconds else least
        self.blocked_until = max(self.blocked_until, now + wait)
        self._is_void = True
        self._drop_hand()

    def _release_unused(self, now: float, demand: dict[int, int]) -> None:
        for keep, hand in self._hand.items():
            while hand and (len(hand) > demand.get(keep, 0) or hand[0].expires <= now):
                if hand[0].expires > now and now < self._granted_at + UNUSED:
                    break
                self.release(hand.popleft())

    def _forget_reports(self, now: float) -> None:
        """Forget reports that say nothing any more: of slots that are free again by now."""
        if not self.is_failing:
            return
        oldest = now - 2 * self.window
        kept = [r for r in self._reports if r.time > oldest or r.kind in (Kind.REJECT, Kind.BLOCK)]
        self._reports = deque(kept[-MAX_REPORTS:])
