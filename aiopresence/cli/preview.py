"""The first rows of a long table on a terminal, and a summary of all of them."""

from collections import Counter
from typing import TYPE_CHECKING, Any

from ..escaping import escaped
from .console import print_line
from .output import Layout, TableRenderer

if TYPE_CHECKING:
    from .. import Availability, Outcome

# Rows at the beginning of a long table, and the number of rows up to which a table is complete:
# hiding a few rows would save nothing.
FIRST_ROWS, COMPLETE_UP_TO = 10, 20


class PreviewRenderer(TableRenderer):
    """Writes the first rows of a table of outcomes, and at the end the count by availability."""

    def __init__(self, layout: Layout) -> None:
        super().__init__(layout)
        self._availabilities: Counter[Availability] = Counter()
        self._errors: Counter[str] = Counter()
        self._count = 0
        self._held: list[Outcome[Any]] = []

    def write(self, item: "Outcome[Any]") -> None:
        """Count one outcome, and write it if it is one of the first."""
        self._count += 1
        if item.value is None:
            self._errors[_error_name(item)] += 1
        else:
            self._availabilities[item.value.availability] += 1
        if self._count <= FIRST_ROWS:
            super().write(item)
        elif self._count <= COMPLETE_UP_TO:
            self._held.append(item)

    def finish(self) -> None:
        """Write the remaining rows if they are few, or else the summary."""
        if self._count <= COMPLETE_UP_TO:
            for item in self._held:
                super().write(item)
            super().finish()
            return
        more = self._count - FIRST_ROWS
        print_line(f"… {more:,} more rows. Use --all, or pipe the output, to print every row.")
        print_line(f"{self._count:,} extensions: {', '.join(self._counts())}")

    def _counts(self) -> list[str]:
        from .. import Availability

        known = self._availabilities
        counts = [f"{known[each]:,} {each.label}" for each in Availability if known[each]]
        failed = self._errors.total()
        if failed:
            kinds = ", ".join(f"{n:,} {escaped(name)}" for name, n in self._errors.most_common())
            counts.append(f"{failed:,} error{'s' * (failed != 1)} ({kinds})")
        return counts


def _error_name(outcome: "Outcome[Any]") -> str:
    """Return how an error is counted: by HTTP status, or by type where there is none."""
    return f"HTTP {outcome.status}" if outcome.status else type(outcome.error).__name__
