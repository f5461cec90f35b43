"""The results of the last run of all benchmarks: results.json, and the tables in README.md."""

import ast
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs

from .report import Row, rows_of, table

# In the order in which they are run and reported.
BENCHMARKS = (
    *("decoding", "throughput", "limits", "routes", "growth", "directory", "overhead"),
    *("events", "consumers", "live", "dashboard", "shared", "startup", "cost"),
)
HERE = Path(__file__).parent
RESULTS, README = HERE / "results.json", HERE / "README.md"
# Where README has the tables.
_TABLES = re.compile(r"(?<=<!-- results -->\n\n).*?(?=\n\n<!-- end of results -->)", re.DOTALL)


def question(name: str) -> str:
    """Return the question a benchmark answers: the first paragraph of its docstring."""
    tree = ast.parse((HERE / f"{name}.py").read_text())
    paragraph = (ast.get_docstring(tree) or "").partition("\n\n")[0]
    return " ".join(paragraph.split())


def section(name: str, rows: Sequence[Row]) -> str:
    """Return the table of one benchmark, under its question."""
    return f"### {name.capitalize()}\n\n{question(name)}\n\n{table(rows)}"


def tables(environment: Mapping[str, Any], rows: Sequence[Row]) -> str:
    """Return all tables, under one line about where they were measured."""
    packages = ", ".join(f"{name} {version}" for name, version in environment["packages"].items())
    where = "{date}, Python {python}, {machine}".format_map(environment)
    of = {name: [row for row in rows if row.benchmark == name] for name in BENCHMARKS}
    sections = (section(name, of[name]) for name in BENCHMARKS)
    return "\n\n".join([f"`python -m benchmarks`, {where}; {packages}.", *sections])


def save(environment: Mapping[str, Any], rows: Sequence[Row]) -> None:
    """Write results.json, and its tables into README.md."""
    results = {"environment": environment, "rows": [attrs.asdict(row) for row in rows]}
    RESULTS.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n")
    write_tables()


def load() -> tuple[Mapping[str, Any], list[Row]]:
    """Return the environment and the rows of results.json."""
    results = json.loads(RESULTS.read_text())
    return results["environment"], rows_of(results["rows"])


def write_tables() -> None:
    """Write the tables of results.json into README.md."""
    text = tables(*load())
    README.write_text(_TABLES.sub(lambda _: text, README.read_text()))


def problems() -> list[str]:
    """Return what is wrong with results.json and README.md; empty if nothing is."""
    environment, rows = load()
    found = []
    if [*dict.fromkeys(row.benchmark for row in rows)] != [*BENCHMARKS]:
        found.append(f"{RESULTS.name} does not have the results of every benchmark")
    quoted = _TABLES.search(README.read_text())
    if quoted is None or quoted[0] != tables(environment, rows):
        found.append(f"{README.name} differs from {RESULTS.name}: run with --write-tables")
    found += [
        f"the docstring of {name}.py does not begin with a question"
        for name in BENCHMARKS
        if not question(name).endswith("?")
    ]
    return found
