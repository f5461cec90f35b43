"""FAULTS.md describes each fault in words, and names exactly the tests marked `fault`."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

TESTS = Path(__file__).parent
LINES = (TESTS / "FAULTS.md").read_text().splitlines()
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in LINES
    if line.startswith("| ") and not line.startswith("| fault ")
]


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node


def marked() -> set[str]:
    """Return the tests with the marker; of one that runs scenarios, those."""
    found = set()
    for path in TESTS.rglob("test_*.py"):
        for function in functions(path):
            decorators = {
                ast.unparse(decorator): decorator for decorator in function.decorator_list
            }
            if "pytest.mark.fault" in decorators:
                names = [function.name]
                for text, decorator in decorators.items():
                    if text.startswith("pytest.mark.parametrize('scenario'"):
                        arguments = decorator.args[1:]  # type: ignore[attr-defined] # a Call
                        names = [ast.unparse(each) for each in arguments[0].elts]
                found |= {f"{path.relative_to(TESTS).as_posix()}::{name}" for name in names}
    return found


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
    tests = {each.name for path in TESTS.rglob("test_*.py") for each in functions(path)}
    codes = ["au", "bp", "ck", "co", "ct", "hs", "js", "mp", "rd", "rl", "se", "tr", "wh", "ws"]
    coded = re.compile(rf"^test_.*_({'|'.join(codes)})_?[0-9]{{2}}(_|$)")
    assert sorted(name for name in tests if coded.search(name)) == []
