"""The command `set --for`."""

import asyncio
import re
import signal
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import typer

from aiopresence.cli.commands.write_options import parse_duration
from aiopresence.cli.session import SAME_SIGNAL
from aiopresence.sandbox import Answer, Change, Delay, Sandbox
from tests.support.cli_calls import commanding, credentials
from tests.support.sessions import PLENTY
from tests.support.terminal import COMMAND, Terminal, environment

BUSY = ("set", "--status", "Busy", "--message", "at lunch", "--for")


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox(20, limits=PLENTY) as sandbox:
        sandbox.set_presence("~", user_status="Available", message="here")
        yield sandbox


def status(sandbox: Sandbox) -> tuple[str, str]:
    now = sandbox.presence("~")
    return now["userStatus"], now["message"]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("45m", 2700), ("1h30m", 5400), ("90s", 90), ("1H", 3600), ("1h1m1s", 3661), ("24h", 86400)],
)
def test_a_duration(text: str, seconds: int) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "0s", "45", "m", "30m1h", "-5m", "1.5h", "24h1s", "9" * 400])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="not a duration up to 24h, such as 45m"):
        parse_duration(text)


async def test_a_change_lasts_for_its_time(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    async with commanding(monkeypatch, tmp_path) as cli:
        cli.sandbox.set_presence("~", user_status="Available", message="here")
        done = await cli(*BUSY, "1s", "--output", "csv")
        assert status(cli.sandbox) == ("Available", "here")
        assert done.out.splitlines()[-2:] == [
            "~,userStatus,Available,Busy",
            "~,message,here,at lunch",
        ]
        changed, restoring, restored = done.err.splitlines()
        assert changed == f"{len(done.out.splitlines()) - 1} fields changed."
        assert re.fullmatch(r"Restoring at \d\d:\d\d:\d\d; Ctrl-C restores now\.", restoring)
        assert (done.code, restored) == (0, "Restored.")
        assert cli.writes == ["PUT presence"] * 2


async def test_what_somebody_else_has_changed_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with commanding(monkeypatch, tmp_path) as cli:
        cli.sandbox.set_presence("~", user_status="Available", message="here")

        def meanwhile(body: bytes) -> bytes:
            cli.sandbox.set_presence("~", message="ill")
            return body

        fault = cli.sandbox.faults.add(Change(meanwhile), method="PUT")
        done = await cli(*BUSY, "1s")
        assert fault.fired == 1
        assert done.err.splitlines()[-1] == (
            "Restored, but for what others have changed: message (ill)."
        )
        assert status(cli.sandbox) == ("Available", "ill")


async def test_what_cannot_be_restored_is_an_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with commanding(monkeypatch, tmp_path) as cli:
        fault = cli.sandbox.faults.add(Answer.error(403, "CMN-408", "no"), method="PUT", skip=1)
        done = await cli(*BUSY, "1s")
        assert (fault.fired, done.code) == (1, 1)
        error = done.err.splitlines()[-1]
        assert error.startswith(
            "aiopresence: the presence of your own extension was not restored: "
        )
        assert "message may still be 'at lunch'" in error


async def test_a_dry_run_does_not_wait(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    async with commanding(monkeypatch, tmp_path) as cli:
        cli.sandbox.set_presence("~", user_status="Available")
        done = await cli(*BUSY, "24h", "--dry-run")
        assert (done.code, cli.writes) == (0, [])
        assert "would change" in done.err
        done = await cli("set", "--for", "1h")
        assert done.code == 2
        assert "nothing to change" in done.err


async def test_without_an_effect_there_is_nothing_to_wait_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with commanding(monkeypatch, tmp_path) as cli:
        cli.sandbox.set_presence("~", user_status="Busy", message="at lunch")
        done = await cli(*BUSY, "24h")
        assert done.code == 0
        assert done.err.splitlines() == ["Nothing changed.", "There is nothing to restore."]


@pytest.mark.fault
async def test_a_terminal_shows_the_rest_of_the_time_and_ctrl_c_restores(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    env = environment(tmp_path, **credentials(sandbox))
    sandbox.set_presence("~", dnd_status="TakeAllCalls")
    with Terminal(*BUSY, "1h30m", "--dnd", "on", env=env) as terminal:
        await asyncio.to_thread(terminal.until, lambda t: "restoring in 1:29:5" in t.text)
        assert status(sandbox) == ("Busy", "at lunch")
        assert re.search(r" dndStatus +TakeAllCalls +DoNotAcceptAnyCalls$", terminal.text, re.M)
        terminal.interrupt()
        assert await asyncio.to_thread(terminal.end) == 130
        assert terminal.text.splitlines()[-2:] == ["Restoring.", "Restored."]
    assert status(sandbox) == ("Available", "here")


async def start(sandbox: Sandbox, home: Path) -> asyncio.subprocess.Process:
    """Start a change in a process of its own, and wait until it is made."""
    process = await asyncio.create_subprocess_exec(
        *COMMAND, *BUSY, "45m", stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        env=environment(home, **credentials(sandbox)),
    )  # fmt: skip
    assert process.stderr is not None
    while b"Restoring at" not in await process.stderr.readline():
        pass
    return process


@pytest.mark.fault
@pytest.mark.parametrize("is_refused", [False, True])
async def test_sigterm_restores_and_what_remains_is_said(
    sandbox: Sandbox, tmp_path: Path, is_refused: bool
) -> None:
    if is_refused:
        sandbox.faults.add(Answer.error(403, "CMN-408", "no"), method="PUT", skip=1)
    process = await start(sandbox, tmp_path)
    process.send_signal(signal.SIGTERM)
    _, rest = await process.communicate()
    first, second = rest.decode().splitlines()
    assert (process.returncode, first) == (143, "Restoring.")
    if is_refused:
        assert "user_status may still be 'Busy'" in second
    else:
        assert second == "Restored."
    assert status(sandbox)[0] == ("Busy" if is_refused else "Available")


async def test_a_signal_that_comes_twice_at_once_restores(sandbox: Sandbox, tmp_path: Path) -> None:
    process = await start(sandbox, tmp_path)
    for number in (signal.SIGINT, signal.SIGHUP):
        process.send_signal(number)
    _, rest = await process.communicate()
    assert process.returncode in (130, 129)
    assert rest.decode().splitlines() == ["Restoring.", "Restored."]
    assert status(sandbox) == ("Available", "here")


async def test_a_second_ctrl_c_ends_the_restoring_and_what_remains_is_said(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    fault = sandbox.faults.add(Delay(60), method="PUT", skip=1)
    process = await start(sandbox, tmp_path)
    assert process.stderr is not None
    process.send_signal(signal.SIGINT)
    assert await process.stderr.readline() == b"Restoring.\n"
    await asyncio.sleep(SAME_SIGNAL + 0.05)  # Another one that comes earlier is the same.
    process.send_signal(signal.SIGINT)
    _, remains = await process.communicate()
    assert (fault.fired, process.returncode) == (1, 130)
    assert b"not restored: user_status may still be 'Busy', message may" in remains
