"""What docs/architecture.md says about files is true."""

import re
from pathlib import Path

import pytest

import aiopresence

PACKAGE = Path(aiopresence.__file__).parent
TEXT = (PACKAGE / "docs/architecture.md").read_text()
FILES = re.findall(r"`((?:[a-z_]+/)*[a-z_]+\.py)`", TEXT)
SECTION = TEXT.partition("## Where to make a change")[2].partition("\n## ")[0]
CHANGES = re.findall(r"^\| (?!change \|)(?!-)(.*?) \| (.*?) \|$", SECTION, re.MULTILINE)


@pytest.mark.parametrize("file", sorted(set(FILES)))
def test_the_files_exist(file: str) -> None:
    assert (PACKAGE / file).is_file() or (PACKAGE.parent / file).is_file()


@pytest.mark.parametrize(("change", "files"), CHANGES)
def test_a_typical_change_touches_few_files(change: str, files: str) -> None:
    most = 4 if change == "a new event type" else 2
    assert len(re.findall(r"`[^`]*\.py`", files)) <= most


def test_all_typical_changes_are_listed() -> None:
    assert len(CHANGES) >= 15
