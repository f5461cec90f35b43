"""What a benchmark found: rows with a target each, and how things are measured against each other.

Times are compared within one run only. The contestants take turns, round after round, so that
whatever else the machine does falls on all of them, and what counts is the median of the rounds'
ratios; the spread is between their quartiles.
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
    """One answer.

    Attributes:
        question: the benchmark it belongs to.
        what: what was measured.
        value: the result.
        unit: of the result and the target: "x" for a ratio.
        target: what it should be; None when it is there to compare with.
        at_least: whether the target is a lower bound; otherwise it is an upper one.
        spread: the quartiles of the rounds; None where there is one value only.
        told: whether the project's README tells it, though it has no target.
    """

    question: str
    what: str
    value: float
    unit: str = "x"
    target: float | None = None
    at_least: bool = False
    spread: tuple[float, float] | None = None
    told: bool = False

    @property
    def is_good(self) -> bool:
        """Whether the target is met."""
        if self.target is None:
            return True
        return self.value >= self.target if self.at_least else self.value <= self.target

    def cells(self) -> tuple[str, ...]:
        """Give what a table shows of it: what, result, spread, target, verdict."""
        sign = "≥" if self.at_least else "≤"
        return (
            self.what,
            f"{_short(self.value)} {self.unit}",
            f"{_short(self.spread[0])} … {_short(self.spread[1])}" if self.spread else "",
            "" if self.target is None else f"{sign} {_short(self.target)} {self.unit}",
            "" if self.target is None else "met" if self.is_good else "**missed**",
        )


def _short(number: float) -> str:
    digits = 0 if abs(number) >= 100 or number == int(number) else 1 if abs(number) >= 10 else 2
    return f"{number:,.{digits}f}"


def table(rows: Sequence[Row], *, short: bool = False) -> str:
    """Give a table, in Markdown that also reads well in a terminal; a short one has no spread."""
    lines = [("", "result", "quartiles", "target", ""), *(row.cells() for row in rows)]
    if short:
        lines = [line[:2] + line[3:] for line in lines]
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
    """Time each contestant once a round, in seconds per call.

    Args:
        contestants: by name. Each is called once before anything is timed.
        rounds: how often each is timed.
        seconds: how long one timing should take, about.
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
    question: str,
    what: str,
    times: Times,
    over: str,
    under: str,
    *,
    target: float | None = None,
    at_least: bool = False,
    told: bool = False,
) -> Row:
    """Give how many times as long `over` takes as `under`, round by round."""
    ratios = [a / b for a, b in zip(times[over], times[under], strict=True)]
    return spread(question, what, ratios, target=target, at_least=at_least, told=told)


def spread(
    question: str,
    what: str,
    values: Sequence[float],
    *,
    unit: str = "x",
    target: float | None = None,
    at_least: bool = False,
    told: bool = False,
) -> Row:
    """Give the median of some values, and their quartiles."""
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return Row(question, what, middle, unit, target, at_least, (low, high), told)


def rows_of(found: Sequence[Mapping[str, Any]]) -> list[Row]:
    """Give the rows that JSON has kept."""
    return [Row(**{**row, "spread": row["spread"] and tuple(row["spread"])}) for row in found]


def finish(rows: Sequence[Row]) -> int:
    """Print a table, write the rows to the file of `--json=…`, and give the exit code."""
    print(table(rows))
    for argument in sys.argv[1:]:
        if argument.startswith("--json="):
            path = Path(argument.removeprefix("--json="))
            path.write_text(json.dumps([attrs.asdict(row) for row in rows]))
    return 0 if all(row.is_good for row in rows) else 1
