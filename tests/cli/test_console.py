"""Closed and full standard streams, and a missing home directory."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.cli_calls import commanding
from tests.support.terminal import COMMAND, environment

FULL = Path("/dev/full")


def shell(script: str, home: Path, **more: str) -> subprocess.CompletedProcess[str]:
    """Run the command as $0 "$@" in a shell, which can close its streams."""
    done = subprocess.run(  # noqa: S603 - a fixed command
        ["sh", "-c", f'cmd() {{ "$0" "$@"; }}; run() {{ "{sys.executable}" -c "{COMMAND[2]}" "$@"; }}; {script}'],  # noqa: S607, E501
        capture_output=True, text=True, timeout=60, env=environment(home, **more), cwd=home,
    )  # fmt: skip
    assert "Traceback" not in done.stdout + done.stderr
    assert "Exception ignored" not in done.stderr
    return done


@pytest.mark.parametrize(
    "script",
    [
        "run read --sandbox 3 <&-",
        "run read --sandbox 3 >&-",
        "run read --sandbox 3 2>&-",
        "run read --sandbox 3 <&- >&- 2>&-",
        "run set --sandbox 3 --status Busy >&- 2>&-",
        "run whoami --sandbox 3 --output json >&-",
        "run --help >&-",
        "run events --sandbox 3 --rate 50 --count 2 <&- 2>&-",
    ],
)
def test_closed_standard_streams_are_no_error(tmp_path: Path, script: str) -> None:
    assert shell(script, tmp_path).returncode == 0


def to_full_disk(home: Path, *arguments: str, errors: bool = False) -> tuple[int, str]:
    """Run the command with an output that is full; return its exit code and standard error."""
    with FULL.open("w") as full:
        done = subprocess.run(  # noqa: S603 - a fixed command
            [*COMMAND, *arguments], stdout=full, stderr=full if errors else subprocess.PIPE,
            text=True, timeout=60, env=environment(home), cwd=home, check=False,
        )  # fmt: skip
    assert "Exception ignored" not in (done.stderr or "")
    return done.returncode, done.stderr or ""


@pytest.mark.skipif(not FULL.exists(), reason="there is no /dev/full")
def test_a_successful_write_exits_0_if_its_output_fails(tmp_path: Path) -> None:
    write = ("set", "--sandbox", "3", "--status", "Busy")
    code, errors = to_full_disk(tmp_path, *write)
    assert code == 0
    assert "aiopresence: done, but cannot write to standard output: No space" in errors
    assert to_full_disk(tmp_path, *write, errors=True) == (0, "")
    full = "aiopresence: cannot write to standard output: No space left on device\n"
    assert to_full_disk(tmp_path, "read", "--sandbox", "3") == (1, full)
    code, errors = to_full_disk(tmp_path, "--help")
    assert (code, errors.count("\n")) == (1, 1)


async def test_commands_work_without_a_home_directory(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def nobody(_: int) -> None:
        raise KeyError

    async with commanding(monkeypatch, tmp_path, extensions=3) as cli:
        for name in ("HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setattr("pwd.getpwuid", nobody)
        done = await cli("read", "~")
        assert done.code == 0
        assert "no home directory; set HOME or XDG_STATE_HOME" in done.err
        done = await cli("login")
        assert (done.code, done.err.count("\n")) == (2, 1)
        assert (await cli("logout")).code == 0
    assert [*tmp_path.iterdir()] == []
