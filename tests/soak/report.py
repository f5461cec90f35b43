"""The table of a run, as text, as JSON and in benchmarks/README.md."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs

from .tally import COLUMNS, DEFECTS, Tallies

README = Path(__file__).parents[2] / "benchmarks" / "README.md"
_TABLE = re.compile(r"(?<=<!-- soak -->\n\n).*?(?=\n\n<!-- end of soak -->)", re.DOTALL)


@attrs.frozen
class Result:
    """What a run has shown.

    Attributes:
        seconds: how long it took.
        seed: its seed.
        tallies: what was counted.
        missing: the kinds of faults that never fired.
        memory: the growth of the memory in megabytes; None if the run was too short for it.
        complete: whether it has run to its end.
        notes: remarks, such as parts that were skipped.
    """

    seconds: float
    seed: int
    tallies: Tallies
    missing: list[str]
    memory: float | None
    complete: bool
    notes: list[str]

    @property
    def is_good(self) -> bool:
        """Whether nothing was lost, duplicated, wrong, stale, refused or leaked."""
        return self.tallies.is_clean and not self.missing

    @property
    def verdict(self) -> str:
        if not self.tallies.is_clean:
            return "failed"
        if self.missing:
            return f"not meaningful, because these faults never fired: {', '.join(self.missing)}"
        return "passed" if self.complete else "interrupted, and nothing was wrong until then"


def _lines(result: Result) -> list[tuple[str, ...]]:
    rows = [(name, each.counts) for name, each in result.tallies.tallies.items()]
    rows.append(("total", result.tallies.total()))
    columns = (*COLUMNS, *DEFECTS)
    cells = [(name, *(f"{counts[column]:,}" for column in columns)) for name, counts in rows]
    return [("", *columns), *cells]


def table(result: Result) -> str:
    """Return the counts of each activity as a table in Markdown, readable in a terminal."""
    lines = _lines(result)
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    text = ["| " + " | ".join(_aligned(line, widths)) + " |" for line in lines]
    rule = [f"{'-' * (width + 2)}" if not n else f"{'-' * (width + 1)}:"
            for n, width in enumerate(widths)]  # fmt: skip
    return "\n".join([text[0], "|" + "|".join(rule) + "|", *text[1:]])


def _aligned(cells: tuple[str, ...], widths: list[int]) -> list[str]:
    first, *others = zip(cells, widths, strict=True)
    return [first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in others)]


def faults(result: Result) -> str:
    """Return how often each kind of fault has fired."""
    fired = sorted(result.tallies.faults.items(), key=lambda each: (-each[1], each[0]))
    total = sum(result.tallies.faults.values())
    return f"{total:,} faults: " + ", ".join(f"{kind} {count}" for kind, count in fired) + "."


def text(result: Result) -> str:
    """Return everything about a run, and what led to a failure."""
    memory = "not judged" if result.memory is None else f"{result.memory:+.1f} MB"
    parts = [table(result), faults(result), f"Memory: {memory}.", *result.notes]
    if not result.is_good:
        examples = [line for each in result.tallies.tallies.values() for line in each.examples]
        parts += ["\n".join(["Defects:", *examples]), "\n".join(result.tallies.actions)]
    parts.append(f"Seed {result.seed}, {result.seconds:.0f} s: {result.verdict}.")
    return "\n\n".join(parts)


def as_json(result: Result) -> Mapping[str, Any]:
    """Return a run as a JSON object."""
    return {
        "seconds": round(result.seconds, 1),
        "seed": result.seed,
        "verdict": result.verdict,
        "activities": {name: each.counts for name, each in result.tallies.tallies.items()},
        "total": result.tallies.total(),
        "faults": result.tallies.faults,
        "missing": result.missing,
        "memory": result.memory,
        "notes": result.notes,
        "defects": [line for each in result.tallies.tallies.values() for line in each.examples],
    }


def write_json(result: Result, path: Path) -> None:
    path.write_text(json.dumps(as_json(result), indent=1, ensure_ascii=False) + "\n")


def write_readme(result: Result, command: str, where: str, readme: Path = README) -> None:
    """Write the table between its markers in benchmarks/README.md."""
    content = f"`{command}`, {where}: {result.verdict}.\n\n{table(result)}\n\n{faults(result)}"
    text, count = _TABLE.subn(lambda _: content, readme.read_text())
    if not count:
        raise ValueError(f"{readme} has no place for the table")
    readme.write_text(text)
