"""The command where something of its surroundings is missing: streams, a home, files."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from aiopresence.sandbox import Sandbox
from tests.support import terminal
from tests.support.cli_calls import commanding, credentials
from tests.support.sessions import PLENTY
from tests.support.terminal import COMMAND, environment

FULL = Path("/dev/full")


def shell(script: str, home: Path, **more: str) -> subprocess.CompletedProcess[str]:
    """Run the command as $0 "$@" in a shell, which can close its streams."""
    done = subprocess.run(  # noqa: S603 - our own command
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
def test_a_closed_stream_is_no_error(tmp_path: Path, script: str) -> None:
    assert shell(script, tmp_path).returncode == 0


def test_ids_from_a_closed_standard_input(tmp_path: Path) -> None:
    done = shell("run read --sandbox 3 --ids-file - <&-", tmp_path)
    assert (done.returncode, "no extension ids" in done.stderr) == (2, True)


@pytest.mark.skipif(not FULL.exists(), reason="there is no /dev/full")
def test_a_write_that_succeeded_exits_0_whatever_becomes_of_its_result(tmp_path: Path) -> None:
    done = shell("run set --sandbox 3 --status Busy >/dev/full", tmp_path)
    assert done.returncode == 0
    assert "done, but the result cannot be printed: [Errno 28]" in done.stderr
    assert (
        shell("run set --sandbox 3 --status Busy >/dev/full 2>/dev/full", tmp_path).returncode == 0
    )
    done = shell("run read --sandbox 3 >/dev/full", tmp_path)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "No space left on device" in done.stderr
    done = shell("run --help >/dev/full", tmp_path)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)


async def test_without_a_home_directory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
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


def ids_file(home: Path, content: bytes) -> str:
    (home / "ids").write_bytes(content)
    return str(home / "ids")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"\xff\xfe1\x002\x00", "it is not UTF-8 text"),
        (b"7" * 1_000_000, "invalid extension id"),
        (b"\0" * 100, "invalid extension id"),
        (b"1\n" * 100_000 + b"\x1b[31m\n", "invalid extension id '\\x1b[31m'"),
        (b"", "no extension ids"),
    ],
)
async def test_a_file_that_has_no_ids(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: bytes, says: str
) -> None:
    async with commanding(monkeypatch, tmp_path, extensions=3) as cli:
        done = await cli("read", "--ids-file", ids_file(tmp_path, content))
        assert (done.code, done.out) == (2, "")
        assert says in done.err.splitlines()[-1]
        assert not any("presence" in each.path for each in cli.sandbox.requests)


@pytest.mark.parametrize("name", ["/dev/zero", "/dev", "/dev/null"])
def test_devices_and_directories_as_files_of_ids(tmp_path: Path, name: str) -> None:
    done = terminal.run("read", "--sandbox", "3", "--ids-file", name, env=environment(tmp_path))
    assert (done.code, done.out) == (2, "")
    assert done.err.splitlines()[-1].startswith("Error: ")


def test_a_fifo_that_nobody_writes_to(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    done = terminal.run(
        "read", "--sandbox", "3", "--ids-file", str(tmp_path / "fifo"),
        env=environment(tmp_path), seconds=20,
    )  # fmt: skip
    assert done.code == 2
    assert "no data within 3 s" in done.err
    piped = subprocess.run(  # noqa: S603 - our own command
        ["bash", "-c", f'"{sys.executable}" -c "{COMMAND[2]}" read --sandbox 3 --ids-file <(sleep 0.2; echo "~")'],  # noqa: S607, E501
        capture_output=True, text=True, timeout=60, env=environment(tmp_path),
    )  # fmt: skip
    assert (piped.returncode, piped.stdout.count("\n")) == (0, 2)


def test_ids_are_read_as_they_are_used(tmp_path: Path) -> None:
    """Standard input may have no end: what was read is answered before more comes."""
    with (
        Sandbox.in_thread(40, limits=PLENTY) as sandbox,
        subprocess.Popen(  # noqa: S603 - our own command
            [*COMMAND, "read", "--ids-file", "-", "--output", "jsonl"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env=environment(tmp_path, **credentials(sandbox)),
        ) as process,
    ):  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write("\n".join([*sandbox.extension_ids, ""]))
        process.stdin.flush()
        record = json.loads(process.stdout.readline())
        process.terminate()
        assert record["id"] == sandbox.extension_ids[0]
        assert record["presence"]["extension"]["id"] == record["id"]
        assert process.wait(20) == 143


async def test_an_odd_date_is_no_failure(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from aiopresence.cli.doctor.context import CheckContext, CheckSkipped
    from aiopresence.cli.doctor.environment import clock

    for text in (
        "", "yesterday", "1 2 3 4 5 6", "Sun, 01 Jan 2023 99:99:99 GMT",
        "Sun, 01 Jan 99999999999999999999 00:00:00 GMT",
        "Sun, 01 Jan 2023 00:00:00 +99999999999999",
    ):  # fmt: skip
        context = CheckContext(None, None, None, date=(text, 0.0))  # type: ignore[arg-type]
        with pytest.raises(CheckSkipped, match="invalid"):
            await clock(context)
