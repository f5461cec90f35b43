"""What the commands do when something is wrong: one line, the right code, and no traceback."""

import asyncio
import csv
import io
import json
import os
import re
import signal
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from aiopresence import PresenceSession
from aiopresence.sandbox import Answer, Delay, Sandbox
from aiopresence.transport.clock import Clock
from tests.support.cli_calls import Cli, commanding, credentials, invoke, lead
from tests.support.terminal import COMMAND, Terminal, environment, run

# One way to call each command; QUEUE and MEMBER are of the sandbox.
CALLS = {
    "read": ("read", "~"),
    "account": ("account",),
    "unified": ("unified", "~"),
    "queue": ("queue", "QUEUE"),
    "queues": ("queues",),
    "set": ("set", "--status", "Busy"),
    "queue-set": ("queue-set", "QUEUE", "MEMBER", "--accept"),
    "unified-set": ("unified-set", "--glip-availability", "DND"),
    "limits": ("limits",),
}
# Those that have an error in the row of each id, instead of one line.
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
    """Give the one line that says what is wrong."""
    if name in IN_ROWS:
        _, row = out.splitlines()
        return row
    assert err.startswith("aiopresence: ")
    assert err.count("\n") == 1
    assert out.count("\n") <= 1
    return err


async def test_all_calls_go_well_when_nothing_is_wrong(cli: Cli) -> None:
    for name in CALLS:
        done = await cli(*call(cli, name))
        assert (name, done.code) == (name, 0), done


def test_no_credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    lead(monkeypatch, tmp_path, {})
    for name, arguments in CALLS.items():
        done = invoke(*("1" if each.isupper() and each != "DND" else each for each in arguments))
        assert (name, done.code, done.out) == (name, 2, "")
        assert done.err.startswith("aiopresence: not set: RC_APP_CLIENT_ID, ")
        assert done.err.count("\n") == 1


async def test_a_wrong_secret(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RC_APP_CLIENT_SECRET", "wrong")
    for name in CALLS:
        done = await cli(*call(cli, name))
        assert (name, done.code) == (name, 1)
        assert "check the client id, the client secret" in done.err
        assert done.err.count("\n") == 1
        assert "wrong" not in done.err


async def test_a_server_that_is_not_there(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RC_SERVER_URL", "http://127.0.0.1:9")
    for name in CALLS:
        done = await cli(*call(cli, name))
        assert (name, done.code) == (name, 1)
        assert "cannot connect to 127.0.0.1:9" in said(done.out, done.err.splitlines(True)[0], name)


async def test_a_permission_that_is_missing(cli: Cli) -> None:
    for name in CALLS:
        lacking = "EditPresence" if "set" in name else "ReadPresence"
        cli.sandbox.forbid(lacking)
        done = await cli(*call(cli, name))
        cli.sandbox.permit(lacking)
        assert (name, done.code) == (name, 1)
        assert f"[{lacking}] permission" in said(done.out, done.err, name)
    cli.sandbox.forbid("ReadAccounts")
    for arguments in (("read", "--number", "101"), ("account", "--names"), ("queues", "-n", "101")):
        done = await cli(*arguments)
        assert (done.code, done.out) == (1, "")
        assert "[ReadAccounts] permission" in done.err


async def test_ids_that_nobody_has(cli: Cli) -> None:
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
        "Error: no extension has the number 9",
    )
    assert cli.writes == []


async def test_what_is_no_id_is_refused_before_anything_is_sent(cli: Cli) -> None:
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


async def test_a_server_cannot_steer_the_terminal(cli: Cli) -> None:
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


async def test_a_state_directory_that_cannot_be_written(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    done = await cli("queue", cli.sandbox.queue_ids[0])
    assert done.code == 0
    assert done.out
    [warning, _] = done.err.splitlines()  # That the login is not kept is no reason not to read.
    assert str(tmp_path / "file") in warning


async def test_a_limit_that_is_used_up_is_waited_for(
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


async def test_limits_are_told_without_waiting_for_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with commanding(monkeypatch, tmp_path, limits={}) as cli:
        monkeypatch.setattr(PresenceSession, "_clock", Clock())
        cli.sandbox.consume("Light", 51)
        done = await cli("limits", "--all", "--output", "csv")
    rows = [row.split(",") for row in done.out.splitlines()]
    assert (done.code, rows[0]) == (0, ["group", "limit", "window", "remaining", "blockedFor"])
    assert rows[1:] == [
        ["Auth", "5", "60", "4", "0"],
        ["Light", "50", "60", "0", rows[2][4]],
        ["Medium", "40", "60", "39", "0"],
        ["Heavy", "10", "60", "9", "0"],
    ]
    assert 58 <= int(rows[2][4]) <= 61


def test_in_a_terminal_a_wait_is_told_and_ctrl_c_ends_it(tmp_path: Path) -> None:
    async def limited() -> None:
        async with Sandbox(40, window=3.0) as sandbox:
            env = environment(tmp_path, **credentials(sandbox))
            sandbox.consume("Light", 51)
            await asyncio.to_thread(watch, env)

    def watch(env: dict[str, str]) -> None:
        with Terminal("read", "~", env=env) as terminal:
            terminal.until(lambda t: "s: rate limit of group Light" in t.text)
            assert "waiting " in terminal.text
            assert terminal.end() == 0
            warning, header, row, summary = terminal.text.splitlines()
            assert "HTTP 429: group Light is blocked for" in warning
            assert header.startswith("ID           NUMBER PRESENCE")
            assert row.startswith("~            101")
            assert summary.startswith("Read 1 extension in 2 requests, ")
            assert terminal.screen.cursor.hidden is False
        with Terminal("read", "--sandbox", "5000", env=env) as terminal:
            terminal.until(lambda t: "/5,000" in t.text)
            terminal.interrupt()
            assert terminal.end() == 130
            assert terminal.screen.cursor.hidden is False

    asyncio.run(limited())


async def test_a_long_wait_is_reported_on_standard_error_without_a_terminal(tmp_path: Path) -> None:
    async with Sandbox(3, window=30.0) as sandbox:
        sandbox.consume("Light", 51)
        process = await asyncio.create_subprocess_exec(
            *COMMAND, "read", "~",
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env=environment(tmp_path, **credentials(sandbox)),
        )  # fmt: skip
        assert process.stderr is not None
        lines = [(await process.stderr.readline()).decode() for _ in range(2)]
        process.terminate()
        _, rest = await process.communicate()
    assert "HTTP 429" in lines[0]
    assert re.fullmatch(r"waiting (29|3[01]) s: rate limit of group Light\n", lines[1])
    assert rest == b""


async def test_a_warning_is_printed_above_the_progress_bar(tmp_path: Path) -> None:
    async with Sandbox(40, window=3.0) as sandbox:
        sandbox.faults.add(Delay(1.5), path="/oauth/token")
        sandbox.faults.add(Answer(429, headers={"Retry-After": "1"}), path="/presence")
        env = environment(tmp_path, **credentials(sandbox))
        with Terminal("read", "~", env=env, size=(150, 24)) as terminal:
            assert await asyncio.to_thread(terminal.end) == 0
            warning, header, *_ = terminal.text.splitlines()
    assert "HTTP 429" in warning
    assert header.startswith("ID           NUMBER PRESENCE")


def test_ctrl_c_in_a_pipe(tmp_path: Path) -> None:
    with subprocess.Popen(  # noqa: S603 - our own command
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


def test_a_reader_that_has_enough(tmp_path: Path) -> None:
    for arguments, errors in (
        ("read --sandbox 3000 --output jsonl", subprocess.PIPE),
        ("account --sandbox 3000", subprocess.STDOUT),
    ):
        with subprocess.Popen(  # noqa: S603 - our own command
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


def test_what_the_terminal_cannot_show_is_no_error(tmp_path: Path) -> None:
    env = environment(tmp_path, PYTHONIOENCODING="ascii")
    done = run("account", "--sandbox", "25", "--names", "--output", "json", env=env)
    assert (done.code, done.out.isascii()) == (0, True)
    assert "Zoë Dahl" in [each["name"] for each in json.loads(done.out)]
    done = run("account", "--sandbox", "25", "--names", env=env)
    assert "Zo\\xeb Dahl" in done.out
    assert os.linesep in done.out
