"""Ids of the command line, of files, and of standard input."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from aiopresence.cli import files
from aiopresence.cli.id_files import ids_in
from aiopresence.sandbox import Sandbox
from tests.support.cli_calls import commanding, credentials
from tests.support.sessions import PLENTY
from tests.support.terminal import COMMAND, environment


def shell(script: str, home: Path, **more: str) -> subprocess.CompletedProcess[str]:
    """Run the command as $0 "$@" in a shell, which can close its streams."""
    done = subprocess.run(  # noqa: S603 - a fixed command
        ["sh", "-c", f'cmd() {{ "$0" "$@"; }}; run() {{ "{sys.executable}" -c "{COMMAND[2]}" "$@"; }}; {script}'],  # noqa: S607, E501
        capture_output=True, text=True, timeout=60, env=environment(home, **more), cwd=home,
    )  # fmt: skip
    assert "Traceback" not in done.stdout + done.stderr
    assert "Exception ignored" not in done.stderr
    return done


def test_closed_standard_input_has_no_ids(tmp_path: Path) -> None:
    done = shell("run read --sandbox 3 --ids-file - <&-", tmp_path)
    assert (done.returncode, "no extension ids" in done.stderr) == (2, True)


def ids_file(home: Path, content: bytes) -> str:
    (home / "ids").write_bytes(content)
    return str(home / "ids")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"\xff\xfe1\x002\x00", "/ids, line 1: not UTF-8 text"),
        (b"1\n" * 100_000 + b"#\xff\n", "/ids, line 100001: not UTF-8 text"),
        (b"7" * 1_000_000, "/ids, line 1: invalid extension id"),
        (b"\0" * 100, "/ids, line 1: invalid extension id"),
        (b"1\n" * 100_000 + b"\x1b[31m\n", "line 100001: invalid extension id '\\x1b[31m'"),
        (
            b"# all\r\n\r\n1, 2  # Ada\r\n12#no id: x\r\n\tAda\n",
            "line 5: invalid extension id 'Ada'",
        ),
        (b"", "no extension ids"),
        (b"# 12\n\n  # 34", "no extension ids"),
    ],
)
async def test_a_file_without_valid_ids_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: bytes, says: str
) -> None:
    async with commanding(monkeypatch, tmp_path, extensions=3) as cli:
        done = await cli("read", "--ids-file", ids_file(tmp_path, content))
        assert (done.code, done.out) == (2, "")
        assert says in done.err.splitlines()[-1]
        assert not any("presence" in each.path for each in cli.sandbox.requests)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64])
def test_comments_and_blank_lines_of_a_file_are_skipped(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, size: int
) -> None:
    monkeypatch.setattr(files, "CHUNK_BYTES", size)
    content = "\ufeff# Zoë: 99\n\n1,2 3# Ada, 98\r\n ~ #\n#97\r#96\r45\n#" + "x 9" * 50
    assert [*ids_in(ids_file(tmp_path, content.encode()))] == ["1", "2", "3", "~", "45"]


@pytest.mark.parametrize("name", ["/dev/zero", "/dev", "/dev/null"])
async def test_devices_and_directories_are_refused_as_files_of_ids(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    async with commanding(monkeypatch, tmp_path, extensions=3) as cli:
        done = await cli("read", "--ids-file", name)
    assert (done.code, done.out) == (2, "")
    assert done.err.splitlines()[-1].startswith("Error: ")


async def test_a_fifo_without_a_writer_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(files, "FIFO_TIMEOUT", 0.01)
    os.mkfifo(tmp_path / "fifo")
    async with commanding(monkeypatch, tmp_path, extensions=3) as cli:
        done = await cli("read", "--ids-file", str(tmp_path / "fifo"))
    assert done.code == 2
    assert "no data within 0.01 s" in done.err


def test_the_writer_of_a_fifo_may_start_later(tmp_path: Path) -> None:
    piped = subprocess.run(  # noqa: S603 - a fixed command
        ["bash", "-c", f'"{sys.executable}" -c "{COMMAND[2]}" read --sandbox 3 --ids-file <(sleep 0.2; echo "~")'],  # noqa: S607, E501
        capture_output=True, text=True, timeout=60, env=environment(tmp_path),
    )  # fmt: skip
    assert (piped.returncode, piped.stdout.count("\n")) == (0, 2)


def test_ids_are_read_as_they_are_used(tmp_path: Path) -> None:
    """Standard input may be endless: results are printed before it ends."""
    with (
        Sandbox.in_thread(40, limits=PLENTY) as sandbox,
        subprocess.Popen(  # noqa: S603 - a fixed command
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
