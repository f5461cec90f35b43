"""The results of the last run of all benchmarks: results.json, and where they are quoted."""

import ast
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs

from .report import Row, rows_of, table

# In the order in which they are run and told.
QUESTIONS = (
    *("decoding", "throughput", "limits", "growth", "overhead"),
    *("events", "live", "startup", "cost"),
)
HERE = Path(__file__).parent
KEPT = HERE / "results.json"
# What quotes them, between two marks: all of them, and an extract.
ALL, EXTRACT = HERE / "README.md", HERE.parent / "README.md"
_QUOTED = re.compile(r"(?<=<!-- results -->\n\n).*?(?=\n\n<!-- end of results -->)", re.DOTALL)


def question(name: str) -> str:
    """Give what a benchmark asks: the first paragraph of its docstring."""
    tree = ast.parse((HERE / f"{name}.py").read_text())
    paragraph = (ast.get_docstring(tree) or "").partition("\n\n")[0]
    return " ".join(paragraph.split())


def section(name: str, rows: Sequence[Row]) -> str:
    """Give the table of one benchmark, under its question."""
    return f"### {name.capitalize()}\n\n{question(name)}\n\n{table(rows)}"


def everything(where: Mapping[str, Any], rows: Sequence[Row]) -> str:
    """Give all tables."""
    of = {name: [row for row in rows if row.question == name] for name in QUESTIONS}
    return "\n\n".join([_described(where), *(section(name, of[name]) for name in QUESTIONS)])


def extract(where: Mapping[str, Any], rows: Sequence[Row]) -> str:
    """Give one table of what has a target, and of what else is to be told."""
    some = [
        attrs.evolve(row, what=f"{row.question}: {row.what}")
        for row in rows
        if row.target is not None or row.told
    ]
    return f"{_described(where)}\n\n{table(some, short=True)}"


def _described(where: Mapping[str, Any]) -> str:
    packages = ", ".join(f"{name} {version}" for name, version in where["packages"].items())
    return (
        f"`python -m benchmarks`, {where['date']}, Python {where['python']}, {where['machine']};"
        f" {packages}."
    )


def keep(where: Mapping[str, Any], rows: Sequence[Row]) -> None:
    """Keep the results, and quote them."""
    kept = {"where": where, "rows": [attrs.asdict(row) for row in rows]}
    KEPT.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n")
    _quote(ALL, everything(where, rows))
    _quote(EXTRACT, extract(where, rows))


def _quote(file: Path, text: str) -> None:
    file.write_text(_QUOTED.sub(lambda _: text, file.read_text()))


def kept() -> tuple[Mapping[str, Any], list[Row]]:
    """Give the results that were kept."""
    found = json.loads(KEPT.read_text())
    return found["where"], rows_of(found["rows"])


def quoted(file: Path) -> str:
    """Give what a file quotes."""
    found = _QUOTED.search(file.read_text())
    return found[0] if found else ""
