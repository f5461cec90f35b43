"""Decide what is wrong with an answer: pure, with a test for each kind of defect."""

from collections.abc import Callable, Collection, Mapping, Sequence

import attrs

from aiopresence import GetPresenceInfo, NotFound, Outcome, PresenceError

from . import states
from .tally import Tally


@attrs.frozen
class Call:
    """What is known about a call for presence.

    Attributes:
        before: the state of each extension at its start; ids that are missing do not exist.
        after: the same at its end.
        explained: whether a fault explains an error.
    """

    before: Mapping[str, int]
    after: Mapping[str, int]
    explained: bool


def check_outcomes(
    tally: Tally, ids: Sequence[str], outcomes: Sequence[Outcome[GetPresenceInfo]], call: Call
) -> None:
    """Count the outcomes of a bulk read: one for each id, in their order."""
    if len(outcomes) < len(ids):
        tally.defect("lost", f"{len(ids)} ids, {len(outcomes)} outcomes", len(ids) - len(outcomes))
    if len(outcomes) > len(ids):
        extra = len(outcomes) - len(ids)
        tally.defect("duplicated", f"{len(ids)} ids, {len(outcomes)} outcomes", extra)
    for id_, outcome in zip(ids, outcomes, strict=False):
        if outcome.id != id_:
            tally.defect("wrong", f"the outcome of {id_} is of {outcome.id}")
        elif outcome.value is not None:
            check_record(tally, id_, outcome.value, call)
        else:
            check_error(tally, id_, outcome.error, call)


def check_record(tally: Tally, id_: str, record: GetPresenceInfo, call: Call) -> None:
    """Count a record that was read: of the right extension, in a state during the call."""
    number = states.number_of_read(record)
    found = record.extension.id if record.extension else None
    if found != id_:
        tally.defect("wrong", f"the record of {id_} is of {found}")
    elif number is None:
        tally.defect("wrong", f"the record of {id_} mixes states")
    elif not call.before[id_] <= number <= call.after[id_]:
        span = f"{call.before[id_]} to {call.after[id_]}"
        tally.defect("wrong", f"{id_} shows state {number}, and had {span} during the call")
    else:
        tally.add("answered")


def check_error(tally: Tally, id_: str, error: BaseException | None, call: Call) -> None:
    """Count an error: of an unknown id, explained by a fault, or lost."""
    if id_ not in call.before and isinstance(error, NotFound):
        tally.add("answered")
    elif isinstance(error, PresenceError) and call.explained:
        tally.add("failed")
    else:
        tally.defect("lost", f"{id_}: {type(error).__name__}: {error}, which no fault explains")


@attrs.define
class Latest:
    """What a follower has shown of each extension, which must never go back.

    Attributes:
        shown: the newest state of each.
    """

    tally: Tally
    shown: dict[str, int] = attrs.field(factory=dict)

    def see(self, id_: str, number: int | None, newest: int, source: str = "") -> None:
        """Count a state that is shown, because of a source."""
        before = self.shown.get(id_, -1)
        if number is None or number > newest:
            self.tally.defect("wrong", f"{id_} shows {number}, and the server has had {newest}")
        elif number < before:
            self.tally.defect(
                "wrong", f"{id_} goes back from {before} to {number} {source}".rstrip()
            )
        else:
            self.shown[id_] = number


@attrs.define
class Deliveries:
    """Notifications, each of which must arrive once, unless a resync covers it.

    Attributes:
        is_open: whether what is sent must arrive; before that, it may.
        expected: when each was sent that has not arrived yet.
        arrived: when each arrived; forgotten after `memory` seconds.
        covered: those that a resync covers, which may still arrive once.
    """

    tally: Tally
    memory: float = 300.0
    is_open: bool = False
    expected: dict[tuple[str, int], float] = attrs.field(factory=dict)
    arrived: dict[tuple[str, int], float] = attrs.field(factory=dict)
    covered: dict[tuple[str, int], float] = attrs.field(factory=dict)

    def send(self, id_: str, number: int, now: float) -> None:
        """Expect a notification, or allow it if the follower has not begun."""
        if not self.is_open:
            self.covered[id_, number] = now
            return
        self.expected[id_, number] = now
        self.tally.add("requested")

    def arrive(self, id_: str, number: int | None, now: float) -> None:
        """Count a notification that has arrived."""
        if number is None:
            self.tally.defect("wrong", f"a notification about {id_} has no state")
            return
        key = (id_, number)
        if key in self.arrived:
            self.tally.defect("duplicated", f"state {number} of {id_} arrived twice")
        elif self.expected.pop(key, None) is not None:
            self.tally.add("answered")
        elif self.covered.pop(key, None) is None:
            self.tally.defect("wrong", f"state {number} of {id_} was never sent")
        self.arrived[key] = now

    def cover(self, now: float) -> None:
        """Count what is missing as reported by a resync."""
        self.tally.add("failed", len(self.expected))
        self.covered |= self.expected
        self.expected.clear()

    def overdue(self, since: float) -> int:
        """Return how many that were sent before a time have not arrived."""
        return sum(sent <= since for sent in self.expected.values())

    def lose(self, since: float) -> None:
        """Count those that were sent before a time and have not arrived as lost."""
        for id_, number in [key for key, sent in self.expected.items() if sent <= since]:
            del self.expected[id_, number]
            self.tally.defect("lost", f"state {number} of {id_} has not arrived")

    def stop(self) -> None:
        """Expect nothing more; what is on its way does not count."""
        self.is_open = False
        self.tally.add("cancelled", len(self.expected))
        self.covered |= self.expected
        self.expected.clear()

    def forget(self, now: float) -> None:
        """Forget what is so old that it cannot arrive twice."""
        for known in (self.arrived, self.covered):
            while known and next(iter(known.values())) < now - self.memory:
                del known[next(iter(known))]


View = Callable[[], Mapping[str, int | None]]


def behind(shown: Mapping[str, int | None], goal: Mapping[str, int]) -> list[str]:
    """Return the extensions that are shown in an older state than the goal, or not at all."""
    return [id_ for id_, number in goal.items() if not is_current(shown.get(id_), number)]


def is_current(shown: int | None, goal: int) -> bool:
    """Return whether a state that is shown is not older than the goal."""
    return shown is not None and shown >= goal


def check_view(tally: Tally, shown: Mapping[str, int | None], goal: Mapping[str, int]) -> None:
    """Count the states that a follower shows, after it had time enough to become current."""
    late = behind(shown, goal)
    tally.add("requested", len(goal))
    tally.add("answered", len(goal) - len(late))
    for id_ in late:
        state = shown.get(id_, "nothing")
        tally.defect("stale", f"{id_} shows {state}, and has had {goal[id_]} for long")


def check_leaks(tally: Tally, before: Mapping[str, int], after: Mapping[str, int]) -> None:
    """Count what is left of each kind of resource."""
    for kind, number in after.items():
        if (more := number - before.get(kind, 0)) > 0:
            tally.defect("leaked", f"{more} {kind}", more)


def check_memory(tally: Tally, samples: Sequence[float], allowed: float) -> float | None:
    """Compare the memory of the last third of a run with that of the second, in megabytes.

    Returns:
        The growth; None for a run that is too short for it.
    """
    third = len(samples) // 3
    if third < 50:  # Before, caches and logs still fill up.
        return None
    growth = _median(samples[-third:]) - _median(samples[third : 2 * third])
    if growth > allowed:
        tally.defect("leaked", f"{growth:.1f} MB of memory")
    return growth


def _median(values: Collection[float]) -> float:
    return sorted(values)[len(values) // 2]


def unfired(faults: Mapping[str, int], kinds: Collection[str]) -> list[str]:
    """Return the kinds of faults that have never fired."""
    return [kind for kind in kinds if not faults.get(kind)]
