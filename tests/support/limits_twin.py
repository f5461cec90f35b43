"""`limits.lua` again, in Python: a test compares the decisions of the two.

It is written for reading: state as attributes, and one method for each rule. The theory is at the
top of `limits.lua`; values are those of a call and a reply, see `redis/limit_calls.py`.
"""

from math import ceil, floor, inf
from typing import Any

import attrs

LEASE, FORGET = 5000, 3_600_000
MIN_PENALTY, MAX_PENALTY, MAX_BACKOFF, ROUNDING = 30_000, 86_400_000, 600_000, 1000
ODD, SHARED, PER_REQUEST, PACE, GUESS = 10, 10, 8, 4, 86_400_000
GRACE, FALLBACK, SHOWN = 250, 1000, 50
COMPLETE, REJECT, ABANDON, RELEASE, BLOCK = 1, 2, 3, 4, 5


@attrs.define
class Process:
    seen: int
    number: int = 0
    reported: int = 0
    want: int = 0
    want_until: int = 0


@attrs.define
class Seat:
    process: str = ""
    seen: int = -1
    name: str = ""

    def is_silent(self, now: int) -> bool:
        return self.seen >= 0 and (now - self.seen > LEASE or not self.process)


@attrs.define
class Owner:
    """What all groups of an owner share: the clock, and the end of a block of all groups.

    `groups` has the time until which the record of each group matters.
    """

    offset: int = 0
    last: int = 0
    blocked: int = 0
    blocks: int = 0
    groups: dict[str, int] = attrs.field(factory=dict)


@attrs.define
class Report:
    number: int
    kind: int
    id: int
    slot: int
    penalties: int
    used: int
    age: int
    limit: int
    window: int
    remaining: int
    retry: int
    all: int
    time: int = 0


@attrs.define
class Call:
    process: str
    number: int
    epoch: str
    at: int
    most: int
    next_id: int
    held: Any
    reports: list[list[int]]
    wants: list[list[int]]
    limit: int
    window: int
    stated: int
    penalty: int
    seats: int
    name: str
    closing: int


@attrs.define
class Group:
    epoch: str
    limit: int
    window: int
    blocked: int
    blocks: int
    lost: bool
    full: int = 0
    limit_stated: bool = False
    window_stated: bool = False
    window_sure: bool = False
    last_window: int = -1
    limits_from: int = 0
    others_from: int = 0
    taken: int = 0
    penalties: int = 0
    probing: bool = True
    alone: bool = False
    penalty: int = 0
    backoff: int = 0
    shared: int = 0
    answered_at: int = 0
    pruned: float = -1e15
    guess: tuple[int, int, int] | None = None
    capped: bool = False
    last: int = 0
    run: str = ""
    in_flight: list[tuple[int, str]] = attrs.field(factory=list)
    answered: list[tuple[int, str]] = attrs.field(factory=list)
    others: list[int] = attrs.field(factory=list)
    processes: dict[str, Process] = attrs.field(factory=dict)
    seats: list[Seat] = attrs.field(factory=list)

    @property
    def margin(self) -> int:
        return max(20, min(250, ceil(self.window / 240)))

    @property
    def span(self) -> int:
        return self.window + self.margin

    @property
    def opens(self) -> int:
        return max(self.blocked, self.full + self.span)


class Twin:
    """Redis with one owner and some groups. Attributes: `published`, by the last call."""

    def __init__(self) -> None:
        self.owner: Owner | None = None
        self.groups: dict[str, Group] = {}
        self.unreadable: set[str] = set()
        self.published: str | None = None

    def flush(self) -> None:
        self.owner, self.groups = None, {}
        self.unreadable.clear()

    def run(self, raw: int, run: str, values: list[Any], name: str = "group") -> list[Any] | None:
        """Decide about a call at a time of Redis's clock; None if the call is too late."""
        group = None if name in self.unreadable else self.groups.get(name)
        step = Step(self.owner or Owner(), group, Call(*values), name, name in self.unreadable)
        reply = step.decide(raw, run)
        self.published = None
        if reply is not None:
            self.owner, self.groups[name] = step.o, step.g
            self.unreadable.discard(name)
            self.published = step.message(name)
        return reply


class Step:
    """One decision."""

    g: Group

    def __init__(
        self, owner: Owner, group: Group | None, call: Call, name: str, is_unreadable: bool
    ) -> None:
        self.o, self.a, self.now = owner, call, 0
        self.name, self.is_unreadable = name, is_unreadable
        self.known = group
        self.granted = 0
        self.wake = self.stop = self.stop_all = False

    def message(self, name: str) -> str | None:
        """Return what all processes are told: of a penalty, or that more may be sent."""
        if self.stop_all:
            return f"{self.now} "
        if self.stop:
            return f"{self.now} {name}"
        return f" {name}" if self.wake else None

    def decide(self, raw: int, run: str) -> list[Any] | None:
        a, o = self.a, self.o
        known = self.known
        if a.number <= self.last_number(known):
            return None
        self.tick(raw)
        lost = a.epoch != "" and (known is None or known.epoch != a.epoch)
        missing = 0 if known else self.missing()
        self.g = g = known or Group(
            f"{a.process}:{a.number}", a.limit, a.window, o.blocked, o.blocks, lost or missing > 0
        )
        if known is None:
            g.full = max(self.now, missing - g.span) if g.lost else 0
        elif lost and not g.lost:
            g.lost, g.full = True, self.now
        elif run and g.run != run:
            g.full = self.now
        g.run, g.last = run, self.now
        if lost:
            g.blocked = max(g.blocked, self.now + a.penalty)
        self.assume()
        process = g.processes.setdefault(a.process, Process(self.now))
        process.number, process.seen = a.number, self.now
        if g.blocks < o.blocks:
            g.blocks, g.probing, g.penalties = o.blocks, True, g.penalties + 1
            g.blocked = max(g.blocked, o.blocked)
        self.prune()
        self.apply_reports(process)
        agreed = self.reconcile()
        self.end_leases(process)
        self.prune()
        if g.guess and self.now >= g.guess[1]:
            g.limit, g.guess = g.guess[0], None
        return self.answer(process, agreed)

    def missing(self) -> int:
        o, now = self.o, self.now
        o.groups = {name: time for name, time in o.groups.items() if time > now}
        return max(now if self.is_unreadable else 0, o.groups.get(self.name, 0))

    def last_number(self, known: Group | None) -> int:
        process = known.processes.get(self.a.process) if known else None
        return process.number if process else 0

    def answer(self, process: Process, agreed: bool) -> list[Any]:
        g, a, now = self.g, self.a, self.now
        seat, withheld = self.take_seat() if a.seats else (0, 0)
        limit = g.limit - withheld
        free = limit - len(g.in_flight) - len(g.answered) - len(g.others)
        share, used, owed = self.fair_share(limit)
        number, in_use = g.taken + 1, len(g.in_flight) + len(g.answered) + 1
        is_open = agreed and now >= g.opens
        if self.wake:
            g.capped = False
        grants, want, keep = [], 0, 0
        for level, count in a.wants:
            n = self.grant(free, level, count, share, used, owed) if is_open else 0
            free, used = free - n, used + n
            grants.append(n)
            if n < count:
                keep = min(keep, level) if want else level
                want += count - n
        times = sorted(
            [t + g.span - now for t, _ in g.answered] + [t + g.span - now for t in g.others]
        )
        back = -1
        if not agreed:
            back = 0
        elif want:
            back = self.come_back(times, free, keep, want, share, used, owed)
        process.want, process.want_until = want, now + max(back, 0) + GRACE
        lease = LEASE if g.in_flight else 0
        self.o.groups[self.name] = max(now + g.span + lease, g.opens)
        step = max(1, ceil(len(times) / SHOWN))
        prompt = g.probing or g.alone or g.capped or now < g.shared
        blocked = max(0, g.opens - now)
        stated = int(g.limit_stated) + 2 * int(g.window_stated)
        return [
            *(g.epoch, now, g.limit, g.window, g.margin, max(0, free), blocked, back),
            *(g.penalties, number, in_use, grants, step, times[step - 1 :: step]),
            *(int(not agreed), int(prompt), seat, process.reported),
            *(max(0, g.blocked - now), stated),
        ]

    def tick(self, raw: int) -> None:
        known, a, o = self.known, self.a, self.o
        now: float = raw + o.offset
        if a.at >= 0 and (known is None or known.epoch == a.epoch):
            now = min(now, a.at + a.most + (known.margin if known else 20))
        self.now = int(max(now, o.last, known.last if known else 0))
        o.offset, o.last = self.now - raw, self.now

    def assume(self) -> None:
        g, a = self.g, self.a
        if not g.limit_stated and g.guess is None:
            g.limit, g.limit_stated = a.limit, bool(a.stated & 1)
        if not g.window_stated:
            self.set_window(a.window)
            g.window_stated = bool(a.stated & 2)

    def prune(self) -> None:
        g, freed = self.g, self.now - self.g.span
        g.pruned = max([g.pruned, *(time for time, _ in g.answered if time <= freed)])
        g.answered = [slot for slot in g.answered if slot[0] > freed]
        g.others = [time for time in g.others if time > freed]

    def set_window(self, window: int) -> None:
        g, is_longer = self.g, window > self.g.window
        g.window = window
        if is_longer:
            g.full = int(max(g.full, g.pruned))
        self.prune()

    def apply_reports(self, process: Process) -> None:
        for values in self.a.reports:
            report = Report(*values)
            if report.number > process.reported:
                process.reported = report.number
                report.time = self.now - report.age
                self.apply(report)

    def apply(self, r: Report) -> None:
        g = self.g
        slot = (r.id, self.a.process)
        held = slot in g.in_flight
        if held:
            g.in_flight.remove(slot)
            self.wake |= g.capped
        if not 1 <= r.slot <= g.taken:
            r.slot, r.penalties = g.taken, -1
            r.used = len(g.in_flight) + len(g.answered) + 1
        if r.kind == COMPLETE:
            self.complete(r)
        elif r.kind == REJECT:
            self.reject(r)
        elif r.kind == ABANDON:
            self.count_answer(r.time, self.a.process)
            if r.penalties != g.penalties:
                g.blocked = max(g.blocked, r.time + g.penalty)
        elif r.kind == RELEASE and held:
            self.wake, g.alone = True, False
        elif r.kind == BLOCK:
            self.start_penalty(r)

    def count_answer(self, time: int, process: str) -> None:
        g = self.g
        if time + g.span > self.now:
            g.answered.append((time, process))
            g.answered.sort(key=lambda slot: slot[0])
        g.answered_at = max(g.answered_at, time)
        g.alone = False

    def complete(self, r: Report) -> None:
        g = self.g
        self.count_answer(r.time, self.a.process)
        self.learn(r)
        self.count_others(r)
        if r.penalties == g.penalties:
            self.wake |= g.probing
            g.probing, g.penalty, g.backoff = False, 0, 0
        elif g.guess and r.penalties == g.guess[2]:
            g.limit = min(g.limit + 1, g.guess[0])

    def reject(self, r: Report) -> None:
        g = self.g
        g.alone = False
        self.learn(r)
        self.count_others(r)
        if r.penalties == g.penalties:
            if g.probing:
                g.backoff = min(2 * g.penalty, MAX_BACKOFF)
            elif not g.limit_stated:
                self.guess_limit()
        self.start_penalty(r)
        g.shared = g.blocked + SHARED * g.window

    def guess_limit(self) -> None:
        g = self.g
        self.prune()
        if g.answered:
            before = g.guess[0] if g.guess else g.limit
            g.limit = min(g.limit, len(g.answered))
            g.guess = before, self.now + GUESS, g.penalties

    def learn(self, r: Report) -> None:
        g = self.g
        if r.slot < g.limits_from or (r.limit < 0 and r.window < 0):
            return
        g.limits_from = r.slot
        if r.limit > 0:
            self.wake |= r.limit > g.limit
            g.limit, g.limit_stated, g.guess = r.limit, True, None
        if r.window > 0:
            again = r.window == g.last_window
            odd = not 1 / ODD <= r.window / g.window <= ODD
            if again or not (odd and g.window_sure):
                self.set_window(r.window)
                g.window_sure = again
            g.window_stated, g.last_window = True, r.window

    def count_others(self, r: Report) -> None:
        g = self.g
        limit = r.limit if r.limit > 0 else g.limit
        if not 0 <= r.remaining <= limit:
            return
        counted = limit - r.remaining
        others = counted - r.used - (g.taken - r.slot)
        if others > 0:
            g.shared = max(g.shared, r.time + SHARED * g.window)
        if others > len(g.others):
            g.others = sorted(g.others + [r.time] * (others - len(g.others)))
            g.others_from = r.slot
        elif r.slot > g.others_from:
            del g.others[: max(0, len(g.others) - max(0, counted - r.used))]

    def start_penalty(self, r: Report) -> None:
        g, o = self.g, self.o
        asked = min(r.retry, MAX_PENALTY) + ROUNDING if r.retry > 0 else max(MIN_PENALTY, g.window)
        wait = max(asked, g.backoff)
        g.penalty = max(g.penalty, wait)
        g.blocked = max(g.blocked, r.time + wait)
        g.probing = True
        g.penalties += 1
        self.stop = True
        if r.all:
            self.stop_all = True
            o.blocked, o.blocks = max(o.blocked, g.blocked), o.blocks + 1
            g.blocks = o.blocks

    def end_leases(self, own: Process) -> None:
        g, now = self.g, self.now
        for name, process in [*g.processes.items()]:
            is_gone = process is own and bool(self.a.closing)
            if not is_gone and now - process.seen <= LEASE:
                continue
            slots = [slot for slot in g.in_flight if slot[1] == name]
            g.in_flight = [slot for slot in g.in_flight if slot[1] != name]
            for _ in slots:
                self.count_answer(min(now, process.seen + LEASE), name)
            self.wake |= bool(slots) and g.capped
            if is_gone or now - process.seen > LEASE + 2 * g.span:
                del g.processes[name]

    def reconcile(self) -> bool:
        g, a = self.g, self.a
        others = [slot for slot in g.in_flight if slot[1] != a.process]
        if isinstance(a.held, int):
            return len(g.in_flight) - len(others) == a.held
        before, g.in_flight = len(g.in_flight), others + [(id_, a.process) for id_ in a.held]
        if len(g.in_flight) < before:
            self.wake, g.alone = True, False
        return True

    def take_seat(self) -> tuple[int, int]:
        g, a, now = self.g, self.a, self.now
        while len(g.seats) < a.seats:
            g.seats.append(Seat("", now if g.lost else -1))
        for i, seat in enumerate(g.seats):
            if i >= a.seats or now - seat.seen > FORGET:
                seat.process, seat.seen, seat.name = "", -1, ""
        own = [s for s in g.seats if s.process == a.process or (a.name and s.name == a.name)]
        empty = [seat for seat in g.seats[: a.seats] if seat.seen < 0]
        silent = sorted((s for s in g.seats if s.is_silent(now)), key=lambda seat: seat.seen)
        found = [*own, *empty, *silent][:1]
        for seat in found:
            seat.process, seat.seen, seat.name = a.process, now, a.name
            if a.closing:
                seat.process, seat.seen, seat.name = "", -1, ""
        withheld = sum(each.is_silent(now) for each in g.seats) * floor(g.limit / a.seats)
        return len(found), withheld

    def fair_share(self, limit: int) -> tuple[int, int, int]:
        g, own = self.g, self.a.process
        users = [name for _, name in g.in_flight] + [name for _, name in g.answered]
        others = {
            name: process.want
            for name, process in g.processes.items()
            if name != own and process.want > 0 and process.want_until >= self.now
        }
        share = floor(limit / (1 + len(others)))
        owed = sum(min(w, max(0, share - users.count(name))) for name, w in others.items())
        return share, users.count(own), owed

    def most_in_flight(self, free: int) -> float:
        g = self.g
        if g.probing or g.alone:
            return 1
        if self.now >= g.shared:
            return inf
        since = (self.now - g.answered_at) / g.window * g.limit * PACE
        return max(1, floor((free - since) / PER_REQUEST))

    def grant(self, free: int, keep: int, count: int, share: int, used: int, owed: int) -> int:
        g = self.g
        keep = min(keep, g.limit - 1)
        room = max(0, free - keep)
        own = min(count, room, max(0, share - used))
        wanted = own + min(count - own, max(0, room - own - owed))
        for granted in range(wanted):
            if g.in_flight and len(g.in_flight) >= self.most_in_flight(free - granted - keep):
                g.capped = True
                return granted
            is_quiet = self.now - g.answered_at > g.window / 4
            if not g.in_flight and not g.probing and is_quiet:
                g.alone = True
            g.taken += 1
            g.in_flight.append((self.a.next_id + self.granted, self.a.process))
            self.granted += 1
        return max(0, wanted)

    def come_back(
        self, times: list[int], free: int, keep: int, want: int, share: int, used: int, owed: int
    ) -> int:
        g, now = self.g, self.now
        if now < g.opens:
            return g.opens - now
        if g.capped or g.alone or (g.probing and g.in_flight):
            g.capped = True
            return min(g.window, FALLBACK)
        nth = 1 + min(keep, g.limit - 1) - free
        back = g.span
        if used >= share:
            nth += owed
            own = [time for time, name in g.answered if name == self.a.process]
            if used - share < len(own):
                back = own[used - share] + g.span - now
        nth = max(1, nth)
        back = min(times[nth - 1] if nth <= len(times) else g.span, back)
        last = min(nth + want - 1, len(times))
        batch = times[last - 1] if last else back
        return max(1, back, min(batch, back + min(60, floor(g.window / 16))))
