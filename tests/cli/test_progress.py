"""Progress and waits on standard error."""

import asyncio
import os
import pty
import re
import subprocess
from pathlib import Path

import pytest

from aiopresence.cli import session
from aiopresence.sandbox import Answer, Delay, Sandbox
from tests.support.cli_calls import commanding, credentials, slow_sandbox
from tests.support.sessions import PLENTY
from tests.support.terminal import COMMAND, Terminal, environment


async def test_the_bar_on_the_terminal_does_not_mix_with_data_in_the_pipe(tmp_path: Path) -> None:
    master, slave = pty.openpty()
    # The bar is shown after a second; the first request is sent alone.
    async with slow_sandbox(120, 1.1, 0.1, 0.2, 0.3) as sandbox:
        process = await asyncio.create_subprocess_exec(
            *COMMAND, "read", *sandbox.extension_ids, "--output", "csv",
            stdout=subprocess.PIPE, stderr=slave,
            env={**environment(tmp_path, **credentials(sandbox)), "TERM": "xterm"},
        )  # fmt: skip
        os.close(slave)
        errors = asyncio.create_task(asyncio.to_thread(drained, master))
        out, _ = await process.communicate()
        shown = (await errors).decode()
    os.close(master)
    lines = out.decode().splitlines()
    assert (process.returncode, len(lines)) == (0, 121)
    assert {line.count(",") for line in lines} <= {8, 9}  # A message may contain a comma.
    assert "/120" in shown
    assert "Read 120 extensions in 4 requests, " in shown


def drained(terminal: int) -> bytes:
    data = b""
    while True:
        try:
            got = os.read(terminal, 65536)
        except OSError:  # The other side is closed.
            return data
        if not got:
            return data
        data += got


async def test_a_wait_is_shown_on_a_terminal(tmp_path: Path) -> None:
    async with Sandbox(40, limits=PLENTY) as sandbox:
        env = environment(tmp_path, **credentials(sandbox))
        headers = {"Retry-After": "2", "X-Rate-Limit-Group": "Light"}
        sandbox.faults.add(Answer(429, headers=headers), path="/presence")
        with Terminal("read", "~", env=env) as terminal:
            await asyncio.to_thread(
                terminal.until, lambda t: "s: rate limit of group Light" in t.text
            )
            assert "waiting " in terminal.text
            assert await asyncio.to_thread(terminal.end) == 0
            warning, header, row, summary = terminal.text.splitlines()
    assert "HTTP 429: group Light is blocked for" in warning
    assert header.startswith("NUMBER NAME ")
    assert row.startswith("101    ")
    assert summary.startswith("Read 1 extension in 3 requests, ")
    assert terminal.screen.cursor.hidden is False


async def test_ctrl_c_ends_the_progress_bar(tmp_path: Path) -> None:
    async with slow_sandbox(40, 30.0) as sandbox:
        env = environment(tmp_path, **credentials(sandbox))
        with Terminal("read", *sandbox.extension_ids, env=env) as terminal:
            await asyncio.to_thread(terminal.until, lambda t: "/40" in t.text)
            terminal.interrupt()
            assert await asyncio.to_thread(terminal.end) == 130
    assert terminal.screen.cursor.hidden is False


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
    async with Sandbox(40, limits=PLENTY) as sandbox:
        sandbox.faults.add(Delay(1.2), path="/oauth/token")
        sandbox.faults.add(Answer(429, headers={"Retry-After": "30"}), path="/presence")
        env = environment(tmp_path, **credentials(sandbox))
        with Terminal("read", "~", env=env, size=(150, 24)) as terminal:
            await asyncio.to_thread(terminal.until, lambda t: "waiting" in t.text)
            warning, bar = terminal.text.splitlines()
    assert "HTTP 429" in warning
    assert bar.startswith("━")


async def test_a_terminal_shows_connecting_until_output_begins(tmp_path: Path) -> None:
    async with Sandbox(3, limits=PLENTY) as sandbox:
        rule = sandbox.faults.add(Delay(1.5), path="/oauth/token", times=None)
        env = environment(tmp_path, **credentials(sandbox))
        ran = [
            asyncio.to_thread(connecting, arguments, env)
            for arguments in (("limits",), ("read", "~"), ("events",))
        ]
        for text in await asyncio.gather(*ran):
            assert "connecting" not in text
    assert rule.fired == len(ran)


def connecting(arguments: tuple[str, ...], env: dict[str, str]) -> str:
    """Run a command until it shows that it is connecting; return what is left at its end."""
    # A state directory of its own: a login for each command.
    with Terminal(*arguments, env={**env, "XDG_STATE_HOME": f"{env['HOME']}/{arguments[0]}"}) as t:
        t.until(lambda t: "connecting…".encode() in t.raw)
        if arguments[0] == "events":
            t.until(lambda t: t.text == "")
            t.interrupt()
        assert t.end() == (130 if arguments[0] == "events" else 0)
        return t.text


async def test_a_pipe_does_not_show_connecting(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(session, "CONNECTING_AFTER", 0.0)
    async with commanding(monkeypatch, tmp_path, extensions=3) as cli:
        rule = cli.sandbox.faults.add(Delay(0.05), path="/oauth/token")
        done = await cli("limits")
        assert rule.fired == 1
    assert (done.code, done.err) == (0, "")
