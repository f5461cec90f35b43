"""The rows of a benchmark's result, each with a target, and how contestants are compared.

Times are compared within one run only. The contestants take turns, round after round, so that
other load on the machine affects all of them. The result is the median of the rounds' ratios; the
spread is between their quartiles.
"""

import json
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs

Times = Mapping[str, Sequence[float]]


@attrs.frozen
class Row:
    """One result.

    Attributes:
        benchmark: the benchmark it belongs to.
        label: what was measured.
        value: the result.
        unit: of the result and the target: "x" for a ratio.
        target: what the result should be; None for a row that is there for comparison only.
        at_least: whether the target is a lower bound; otherwise it is an upper one.
        quartiles: of the rounds; None where there is one value only.
    """

    benchmark: str
    label: str
    value: float
    unit: str = "x"
    target: float | None = None
    at_least: bool = False
    quartiles: tuple[float, float] | None = None

    @property
    def is_met(self) -> bool:
        """Whether the target is met, or there is none."""
        if self.target is None:
            return True
        return self.value >= self.target if self.at_least else self.value <= self.target

    def cells(self) -> tuple[str, ...]:
        """Return the row of a table: label, result, quartiles, target, verdict."""
        sign = "≥" if self.at_least else "≤"
        spread = self.quartiles
        return (
            self.label,
            f"{_short(self.value)} {self.unit}",
            f"{_short(spread[0])} … {_short(spread[1])}" if spread else "",
            "" if self.target is None else f"{sign} {_short(self.target)} {self.unit}",
            "" if self.target is None else "met" if self.is_met else "**missed**",
        )


def _short(number: float) -> str:
    digits = 0 if abs(number) >= 100 or number == int(number) else 1 if abs(number) >= 10 else 2
    return f"{number:,.{digits}f}"


def table(rows: Sequence[Row]) -> str:
    """Return a table in Markdown that is also readable in a terminal."""
    lines = [("", "result", "quartiles", "target", ""), *(row.cells() for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    text = [
        "| " + " | ".join(cell.ljust(n) for cell, n in zip(line, widths, strict=True)) + " |"
        for line in lines
    ]
    rule = "|" + "|".join("-" * (n + 2) for n in widths) + "|"
    return "\n".join([text[0], rule, *text[1:]])


def interleaved(
    contestants: Mapping[str, Callable[[], object]], *, rounds: int = 15, seconds: float = 0.1
) -> Times:
    """Measure each contestant once a round; return the seconds per call.

    Args:
        contestants: by name. Each is called once before anything is measured.
        rounds: how often each is measured.
        seconds: how long one measurement should take, about.
    """
    calls: dict[str, int] = {}
    for name, call in contestants.items():
        call()
        calls[name] = max(1, int(seconds / _timed(call, 1)))
    times: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, call in contestants.items():
            times[name].append(_timed(call, calls[name]))
    return times


def _timed(call: Callable[[], object], count: int) -> float:
    started = time.perf_counter()
    for _ in range(count):
        call()
    return (time.perf_counter() - started) / count


def ratio(
    benchmark: str,
    label: str,
    times: Times,
    over: str,
    under: str,
    *,
    target: float | None = None,
    at_least: bool = False,
) -> Row:
    """Return how many times as long `over` takes as `under`, round by round."""
    ratios = [a / b for a, b in zip(times[over], times[under], strict=True)]
    return median(benchmark, label, ratios, target=target, at_least=at_least)


def median(
    benchmark: str,
    label: str,
    values: Sequence[float],
    *,
    unit: str = "x",
    target: float | None = None,
    at_least: bool = False,
) -> Row:
    """Return the median of some values, with their quartiles."""
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return Row(benchmark, label, middle, unit, target, at_least, (low, high))


def rows_of(document: Sequence[Mapping[str, Any]]) -> list[Row]:
    """Return the rows of a JSON document."""
    return [
        Row(**{**row, "quartiles": row["quartiles"] and (*row["quartiles"],)}) for row in document
    ]


def finish(rows: Sequence[Row]) -> int:
    """Print a table, write the rows to the file of `--json=…`, and return the exit code."""
    print(table(rows))
    for argument in sys.argv[1:]:
        if argument.startswith("--json="):
            path = Path(argument.removeprefix("--json="))
            path.write_text(json.dumps([attrs.asdict(row) for row in rows]))
    return 0 if all(row.is_met for row in rows) else 1
