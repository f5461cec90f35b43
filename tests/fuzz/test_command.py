"""The command that starts a search."""

import sys
from pathlib import Path

import pytest

from tests.fuzz.__main__ import main
from tests.fuzz.coverage import reduced
from tests.fuzz.targets import TARGETS


def test_without_atheris_the_command_says_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "atheris", None)
    monkeypatch.setattr(sys, "argv", ["fuzz", "multipart"])
    assert main() == 2
    assert "pip install -e '.[fuzz]'" in capsys.readouterr().err


def test_a_saved_input_is_run_without_atheris(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "atheris", None)
    file = tmp_path / "input"
    file.write_bytes(b"\xff" * 40)
    monkeypatch.setattr(sys, "argv", ["fuzz", "limit_replies", "--input", str(file)])
    assert main() == 0


def test_inputs_that_reach_nothing_new_are_not_kept(tmp_path: Path) -> None:
    for name, data in {"a": b"", "b": b"\0", "c": b"\0\0", "d": b"\xff" * 90}.items():
        (tmp_path / name).write_bytes(data)
    kept = [path.name for path in reduced(tmp_path.iterdir(), TARGETS["limit_replies"], 9)]
    assert sorted(kept) == ["a", "d"]
    assert len(reduced(tmp_path.iterdir(), TARGETS["limit_replies"], 1)) == 1
