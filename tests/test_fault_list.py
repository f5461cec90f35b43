"""FAULTS.md describes each fault in words and names tests that exist."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
LINES = (TESTS / "FAULTS.md").read_text().splitlines()
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in LINES
    if line.startswith("| ") and not line.startswith("| fault ")
]


def names_of_tests(path: Path) -> set[str]:
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    tree = ast.parse(path.read_text())
    return {node.name for node in tree.body if isinstance(node, functions)}


@cache
def names() -> dict[Path, set[str]]:
    return {path: names_of_tests(path) for path in TESTS.rglob("test_*.py")}


@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_every_fault_has_a_test_that_exists(row: list[str]) -> None:
    fault, expected, tests = row
    assert fault
    assert expected
    named = re.findall(r"`(.*?)::(.*?)`", tests)
    assert named
    for path, name in named:
        assert name in names()[TESTS / path], f"{path} has no {name}"


def test_no_fault_is_listed_twice() -> None:
    faults = [row[0] for row in ROWS]
    assert len(faults) == len(set(faults))
    assert faults


def test_names_describe_behaviour_and_hold_no_codes() -> None:
    tests = {name for each in names().values() for name in each if name.startswith("test_")}
    codes = ["au", "bp", "ck", "co", "ct", "hs", "js", "mp", "rd", "rl", "se", "tr", "wh", "ws"]
    coded = re.compile(rf"_({'|'.join(codes)})_?[0-9]{{2}}(_|$)")
    assert sorted(name for name in tests if coded.search(name)) == []
