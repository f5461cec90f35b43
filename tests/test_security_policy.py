"""The threat model in SECURITY.md: each test that it names exists."""

import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
ROWS = [
    [cell.strip() for cell in line.strip("|").split(" | ")]
    for line in (TESTS.parent / ".github" / "SECURITY.md").read_text().splitlines()
    if re.match(r"\| [0-9]+ \|", line)
]
STRIDE = (
    *("Spoofing", "Tampering", "Repudiation", "Information disclosure"),
    *("Denial of service", "Elevation of privilege"),
)


def test_threats_are_numbered_and_of_each_kind() -> None:
    assert [int(row[0].strip("| ")) for row in ROWS] == [*range(1, len(ROWS) + 1)]
    assert [*dict.fromkeys(row[1] for row in ROWS)] == [*STRIDE]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0].strip("| "))
def test_each_threat_names_tests_that_exist(row: list[str]) -> None:
    named = re.findall(r"`([^`]+)`", row[-1])
    assert named
    for name in named:
        file, _, test = name.partition("::")
        text = (TESTS / file).read_text()
        assert re.search(rf"^(?:async )?def {test or 'test_'}", text, re.MULTILINE), name
