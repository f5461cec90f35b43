"""Files that commands read and write."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from aiopresence.cli.files import create_directory, replace_text
from tests.support.cli_calls import commanding

pytestmark = pytest.mark.skipif(os.name != "posix", reason="file modes are posix's")


@pytest.fixture(autouse=True)
def umask_0() -> Iterator[None]:
    """Files and directories are accessible to everybody unless their modes are given."""
    before = os.umask(0)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_directory_and_its_parents_are_created_for_this_user_only(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "and new"
    create_directory(folder)
    create_directory(folder)
    assert [mode(folder), mode(folder.parent)] == [0o700, 0o700]


def test_a_file_is_replaced_and_a_link_is_not_written_through(tmp_path: Path) -> None:
    other, path = tmp_path / "other", tmp_path / "file"
    other.write_text("precious")
    path.symlink_to(other)
    replace_text(path, "new")
    assert (other.read_text(), path.read_text(), mode(path)) == ("precious", "new", 0o600)
    assert {*tmp_path.iterdir()} == {other, path}


def test_a_file_that_cannot_be_replaced_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "file").mkdir()
    with pytest.raises(IsADirectoryError):
        replace_text(tmp_path / "file", "new")
    assert [*tmp_path.iterdir()] == [tmp_path / "file"]


async def test_whatever_a_command_writes_is_accessible_to_its_user_only(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    tmp_path.chmod(0o755)
    async with commanding(monkeypatch, tmp_path) as cli:
        assert (await cli("set", "--dnd", "on")).code == 0
    written = {path: mode(path) for path in tmp_path.rglob("*")}
    names = {path.name for path in written}
    assert {"tokens.json", "do-not-disturb.json"} <= names
    wrong = {p.name: oct(m) for p, m in written.items() if m != (0o700 if p.is_dir() else 0o600)}
    assert wrong == {}
