"""What is counted for each activity."""

import time
from collections import Counter, deque

import attrs

# The columns of the table. What fails the run comes last.
COLUMNS = ("requested", "answered", "failed", "cancelled")
DEFECTS = ("lost", "duplicated", "wrong", "stale", "refused", "leaked")
_EXAMPLES = 5


@attrs.define
class Tally:
    """The counts of one activity.

    Attributes:
        name: the activity.
        counts: by column: `requested` items; those `answered` with a record; `failed` with an error
            that a fault explains; `cancelled` by the test; and the defects: `lost` without an
            answer, or with an error that no fault explains; `duplicated`; `wrong` for a record of
            another id, a state that never was, or one older than was shown before; `stale` for too
            long; `refused` with a 429 that no fault has injected; and `leaked`.
        examples: a description of the first defects of each kind.
    """

    name: str
    counts: Counter[str] = attrs.field(factory=Counter)
    examples: list[str] = attrs.field(factory=list)

    def add(self, column: str, number: int = 1) -> None:
        assert column in COLUMNS
        self.counts[column] += number

    def defect(self, column: str, text: str, number: int = 1) -> None:
        """Count a defect, and describe it."""
        assert column in DEFECTS
        if self.counts[column] < _EXAMPLES:
            self.examples.append(f"{time.strftime('%H:%M:%S')} {self.name}: {column}: {text}")
        self.counts[column] += number

    @property
    def is_clean(self) -> bool:
        return not any(self.counts[column] for column in DEFECTS)

    @property
    def pending(self) -> int:
        """How many requested items are not accounted for."""
        done = ("answered", "failed", "cancelled", "lost", "wrong", "stale")
        return self.counts["requested"] - sum(self.counts[column] for column in done)


@attrs.define
class Tallies:
    """The counts of all activities, the faults, and the last actions.

    Attributes:
        faults: how often each kind of fault has fired.
        actions: the last faults and phases.
    """

    started: float = attrs.field(factory=time.monotonic)
    tallies: dict[str, Tally] = attrs.field(factory=dict)
    faults: Counter[str] = attrs.field(factory=Counter)
    actions: deque[str] = attrs.field(factory=lambda: deque(maxlen=100))

    def of(self, name: str) -> Tally:
        """Return the counts of an activity."""
        return self.tallies.setdefault(name, Tally(name))

    def act(self, text: str) -> None:
        """Record an action."""
        self.actions.append(f"{time.monotonic() - self.started:7.1f} s  {text}")

    def total(self) -> Counter[str]:
        return sum((each.counts for each in self.tallies.values()), Counter())

    @property
    def is_clean(self) -> bool:
        return all(each.is_clean for each in self.tallies.values())
