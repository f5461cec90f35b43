"""Errors of commands: one line, the right exit code, and no traceback."""

import csv
import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from aiopresence.sandbox import Sandbox
from tests.support.cli_calls import Cli, commanding, credentials, invoke, lead
from tests.support.terminal import COMMAND, environment, run

# One way to call each command; QUEUE and MEMBER are of the sandbox.
CALLS = {
    "read": ("read", "~"),
    "account": ("account",),
    "unified": ("unified", "~"),
    "queue": ("queue", "QUEUE"),
    "queues": ("queues", "~"),
    "set": ("set", "--status", "Busy"),
    "queue-set": ("queue-set", "QUEUE", "MEMBER", "--accept"),
    "unified-set": ("unified-set", "--glip-availability", "DND"),
    "limits": ("limits",),
}
# Commands with an error in the row of each id, instead of one line.
IN_ROWS = ("read", "unified")


@pytest.fixture
async def cli(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AsyncIterator[Cli]:
    async with commanding(monkeypatch, tmp_path) as cli:
        yield cli


def call(cli: Cli, name: str) -> list[str]:
    queue = cli.sandbox.queue_ids[0]
    member = next(iter(cli.sandbox._state.account.queues[queue].members))
    return [{"QUEUE": queue, "MEMBER": member}.get(each, each) for each in CALLS[name]]


def said(out: str, err: str, name: str) -> str:
    """Return the line with the error."""
    if name in IN_ROWS:
        _, row = out.splitlines()
        return row
    assert err.startswith("aiopresence: ")
    assert err.count("\n") == 1
    assert out.count("\n") <= 1
    return err


async def test_every_call_succeeds_without_faults(cli: Cli) -> None:
    for name in CALLS:
        done = await cli(*call(cli, name))
        assert (name, done.code) == (name, 0), done


def test_missing_credentials_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    lead(monkeypatch, tmp_path, {})
    for name, arguments in CALLS.items():
        done = invoke(*("1" if each.isupper() and each != "DND" else each for each in arguments))
        assert (name, done.code, done.out) == (name, 2, "")
        assert done.err.startswith("aiopresence: not set: RC_APP_CLIENT_ID, ")
        assert done.err.count("\n") == 1


async def test_a_wrong_client_secret_is_a_one_line_error(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RC_APP_CLIENT_SECRET", "wrong")
    for name in CALLS:
        done = await cli(*call(cli, name))
        assert (name, done.code) == (name, 1)
        assert "check the client id, the client secret" in done.err
        assert done.err.count("\n") == 1
        assert "wrong" not in done.err


async def test_an_unreachable_server_is_reported(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RC_SERVER_URL", "http://127.0.0.1:9")
    for name in CALLS:
        done = await cli(*call(cli, name))
        assert (name, done.code) == (name, 1)
        assert "cannot connect to 127.0.0.1:9" in said(done.out, done.err.splitlines(True)[0], name)


async def test_a_missing_permission_is_reported(cli: Cli) -> None:
    for name in CALLS:
        lacking = "EditPresence" if "set" in name else "ReadPresence"
        cli.sandbox.forbid(lacking)
        done = await cli(*call(cli, name))
        cli.sandbox.permit(lacking)
        assert (name, done.code) == (name, 1)
        assert f"[{lacking}] permission" in said(done.out, done.err, name)
    cli.sandbox.forbid("ReadAccounts")
    for arguments in (
        *(("read", "--number", "101"), ("account", "--names"), ("read", "Zoë Torres")),
        *(("queues", "-n", "101"), ("queues",)),
    ):
        done = await cli(*arguments)
        assert (done.code, done.out) == (1, "")
        assert "[ReadAccounts] permission" in done.err


async def test_unknown_ids_are_reported(cli: Cli) -> None:
    for arguments in (
        ("read", "999"),
        ("unified", "999"),
        ("queue", "999"),
        ("queues", "999"),
        ("set", "999", "--status", "Busy"),
        ("unified-set", "999", "--glip-availability", "DND"),
        ("queue-set", "999", "1", "--accept"),
    ):
        done = await cli(*arguments)
        assert (arguments, done.code) == (arguments, 1)
        assert "HTTP 404: CMN-102" in said(done.out, done.err, arguments[0])
    done = await cli("queue-set", cli.sandbox.queue_ids[0], "999", "--accept")
    assert done.code == 2
    assert "999 is not a member of the queue; nothing was changed" in done.err
    done = await cli("queues", "--number", "9")
    assert (done.code, done.err.splitlines()[-1]) == (
        2,
        'Error: no extension is "9"',
    )
    assert cli.writes == []


async def test_invalid_arguments_are_refused_before_any_request(cli: Cli) -> None:
    for arguments in (
        ("read", "x"),
        ("read", "1", "0123"),
        ("read", "1" * 20),
        ("unified", "1,2"),
        ("queue", "~"),
        ("queues", "12\x1b[31m"),
        ("set", "x", "--status", "Busy"),
        ("unified-set", "-1", "--glip-availability", "DND"),
        ("queue-set", "1", "~", "--accept"),
        ("read",),
        ("queue",),
        ("queue-set", "1", "--accept"),
        ("read", "--ids-file", "not-there"),
        ("read", "--sandbox", "0"),
        ("read", "--output", "xml"),
        ("queues", "1", "--number", "101"),
    ):
        done = await cli(*arguments)
        assert (arguments, done.code, done.out) == (arguments, 2, "")
        assert "\x1b" not in done.err
    presence = [each for each in cli.sandbox.requests if "presence" in each.path]
    assert presence == []


async def test_control_characters_of_a_server_are_escaped(cli: Cli) -> None:
    message = "\x1b[31mred\x9b2J\x07\r\nnext\u202eline"
    cli.sandbox.set_presence("~", message=message)
    for output in ("table", "csv", "json", "jsonl"):
        done = await cli("read", "~", "--output", output)
        assert done.out.replace("\n", "").isprintable()
        assert done.err.replace("\n", "").isprintable()
    done = await cli("read", "~", "--output", "csv")
    rows = list(csv.DictReader(io.StringIO(done.out)))
    assert [row["message"] for row in rows] == ["\\x1b[31mred\\x9b2J\\x07\\r\\nnext\\u202eline"]
    done = await cli("read", "~", "--output", "jsonl")
    assert json.loads(done.out)["presence"]["message"] == message


async def test_an_unwritable_state_directory_is_only_a_warning(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    done = await cli("queue", cli.sandbox.queue_ids[0])
    assert done.code == 0
    assert done.out
    [warning, _] = done.err.splitlines()  # The login is not saved, but the read succeeds.
    assert str(tmp_path / "file") in warning


async def test_commands_wait_for_an_exhausted_limit(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with commanding(monkeypatch, tmp_path, limits={}) as cli:
        for group, name in (("Light", "read"), ("Medium", "unified-set"), ("Heavy", "account")):
            cli.clock.waits.clear()
            cli.sandbox.consume(group, 51)
            done = await cli(*call(cli, name))
            assert (name, done.code) == (name, 0)
            assert any(59 < wait <= 61 for wait in cli.clock.waits)
        assert cli.sandbox.counters.rate_limited == 3


def test_ctrl_c_in_a_pipe_prints_nothing(tmp_path: Path) -> None:
    with subprocess.Popen(  # noqa: S603 - a fixed command
        [*COMMAND, "read", "--sandbox", "5000", "--output", "jsonl"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(tmp_path),
        text=True,
    ) as process:
        assert process.stdout is not None
        json.loads(process.stdout.readline())
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (130, "")


@pytest.mark.parametrize("module", ["typer", "aiopresence.cli.output", "aiohttp"])
def test_ctrl_c_while_modules_are_imported_prints_nothing(tmp_path: Path, module: str) -> None:
    # Python prints the name of each module once it is imported.
    command = [sys.executable, "-X", "importtime", *COMMAND[1:], "limits"]
    with (
        Sandbox.in_thread(2) as sandbox,
        subprocess.Popen(  # noqa: S603 - a fixed command
            command,
            stderr=subprocess.PIPE,
            env=environment(tmp_path, **credentials(sandbox)),
            text=True,
        ) as process,
    ):
        assert process.stderr is not None
        assert any(line.split("|")[-1].strip() == module for line in process.stderr)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert [line for line in err.splitlines() if not line.startswith("import time:")] == []


def test_a_reader_that_closes_the_pipe_is_no_error(tmp_path: Path) -> None:
    for arguments, errors in (
        ("read --sandbox 3000 --output jsonl", subprocess.PIPE),
        ("account --sandbox 3000", subprocess.STDOUT),
    ):
        with subprocess.Popen(  # noqa: S603 - a fixed command
            [*COMMAND, *arguments.split()],
            stdout=subprocess.PIPE,
            stderr=errors,
            env=environment(tmp_path),
        ) as process:
            assert process.stdout is not None
            assert process.stdout.readline()
            process.stdout.close()
            assert process.wait(30) == 0
            assert process.stderr is None or process.stderr.read() == b""


def test_characters_that_the_encoding_lacks_are_escaped(tmp_path: Path) -> None:
    env = environment(tmp_path, PYTHONIOENCODING="ascii")
    done = run("account", "--sandbox", "25", "--names", "--output", "json", env=env)
    assert (done.code, done.out.isascii()) == (0, True)
    assert "Zoë Dahl" in [each["name"] for each in json.loads(done.out)]
    done = run("account", "--sandbox", "25", "--names", env=env)
    assert "Zo\\xeb Dahl" in done.out
    assert os.linesep in done.out
