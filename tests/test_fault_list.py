"""FAULTS.md describes each fault in words, and names exactly the tests marked `fault`."""

import ast
import re
from functools import cache
from pathlib import Path

TESTS = Path(__file__).parent
MODULES = {path: path.read_text() for path in TESTS.rglob("test_*.py")}
LINES = (TESTS / "FAULTS.md").read_text().splitlines()
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in LINES
    if line.startswith("| ") and not line.startswith("| fault ")
]


@cache
def marked() -> set[str]:
    """Return the tests with the marker; of one that runs scenarios, those."""
    return {
        f"{path.relative_to(TESTS).as_posix()}::{name}"
        for path, text in MODULES.items()
        if "pytest.mark.fault" in text
        for node in ast.parse(text).body
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        for name in names_if_marked(node)
    }


def names_if_marked(function: ast.FunctionDef | ast.AsyncFunctionDef) -> list[str]:
    decorators = [ast.unparse(decorator) for decorator in function.decorator_list]
    if "pytest.mark.fault" not in decorators:
        return []
    for decorator in decorators:
        if scenarios := re.match(r"pytest\.mark\.parametrize\('scenario', \[(.*?)\]", decorator):
            return scenarios[1].split(", ")
    return [function.name]


def listed() -> set[str]:
    return {name for row in ROWS for name in re.findall(r"`([^`]*::[^`]*)`", row[2])}


def test_every_row_has_a_fault_what_is_done_about_it_and_a_test() -> None:
    for row in ROWS:
        assert len(row) == 3, row[0]
        assert all(row)
        assert "::" in row[2], row[0]


def test_every_test_of_the_list_exists_and_has_the_marker() -> None:
    assert sorted(listed() - marked()) == [], "not there, or without @pytest.mark.fault"


def test_every_test_with_the_marker_is_in_the_list() -> None:
    assert sorted(marked() - listed()) == [], "add a row to FAULTS.md, or remove the marker"


def test_no_fault_is_listed_twice() -> None:
    faults = [row[0] for row in ROWS]
    assert len(faults) == len(set(faults))
    assert faults


def test_names_describe_behaviour_and_hold_no_codes() -> None:
    pattern = re.compile(r"^(?:async )?def (test_\w+)", re.MULTILINE)
    tests = {name for text in MODULES.values() for name in pattern.findall(text)}
    codes = ["au", "bp", "ck", "co", "ct", "hs", "js", "mp", "rd", "rl", "se", "tr", "wh", "ws"]
    coded = re.compile(rf"^test_.*_({'|'.join(codes)})_?[0-9]{{2}}(_|$)")
    assert sorted(name for name in tests if coded.search(name)) == []
