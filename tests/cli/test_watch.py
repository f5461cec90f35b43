"""The `watch` command: the board in a terminal, and changes in a pipe."""

import asyncio
import fcntl
import json
import re
import shlex
import signal
import struct
import subprocess
import termios
from collections.abc import AsyncIterator
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from aiopresence.sandbox import Answer, Sandbox
from tests.support.sessions import PLENTY
from tests.support.terminal import COMMAND, Terminal, environment, run

# What switches to the alternate screen and back, and what hides and shows the cursor.
ENTER, LEAVE, HIDE, SHOW = b"\x1b[?1049h", b"\x1b[?1049l", b"\x1b[?25l", b"\x1b[?25h"


@pytest.fixture
async def platform() -> AsyncIterator[Sandbox]:
    async with Sandbox(30, limits=PLENTY) as platform:
        yield platform


def login(platform: Sandbox, home: object) -> dict[str, str]:
    return environment(
        home,
        RC_SERVER_URL=platform.url,
        RC_APP_CLIENT_ID=platform.client_id,
        RC_APP_CLIENT_SECRET=platform.client_secret,
        RC_USER_JWT=platform.jwt,
    )


def mode(terminal: Terminal) -> list[Any]:
    return termios.tcgetattr(terminal._master)


def restored(terminal: Terminal, before: list[Any]) -> bool:
    """Return whether the terminal is restored."""
    raw = terminal.raw
    return (
        raw.rfind(LEAVE) > raw.rfind(ENTER)
        and raw.rfind(SHOW) > raw.rfind(HIDE)
        and mode(terminal)[3] == before[3]
    )


def test_watch_shows_the_board_and_reacts_to_keys_and_resizing(tmp_path: Path) -> None:
    arguments = ("watch", "--sandbox", "60", "--rate", "5")
    with Terminal(*arguments, env=environment(tmp_path)) as terminal:
        before = mode(terminal)
        terminal.until(lambda t: "live" in t.text and re.search("^> 1", t.text, re.M) is not None)
        terminal.until(lambda t: "1-21 of 60  f filter: all" in t.text)
        assert ENTER in terminal.raw
        # Names from the directory instead of ids.
        terminal.until(lambda t: re.search("^. 101 +[A-Z]", t.text, re.M) is not None)
        terminal.type("s")
        terminal.until(lambda t: "sort: name" in t.text)
        terminal.type("fx")
        terminal.until(
            lambda t: (
                "filter: available" in t.text
                and {line[30:39] for line in t.text.split("\n")[2:-1] if line} == {"available"}
            )
        )
        assert mode(terminal)[3] != before[3]
        resize(terminal, 70, 10)
        terminal.until(lambda t: t.text.split("\n")[-1].startswith("1-7 of ") and "live" in t.text)
        assert len(terminal.text.split("\n")) == 10
        terminal.type("q")
        assert terminal.end() == 0
        assert restored(terminal, before)


def test_watch_scrolls_and_searches(tmp_path: Path) -> None:
    named = re.compile(r"^. 101 +(\w+ \w+)", re.M)
    with Terminal("watch", "--sandbox", "60", env=environment(tmp_path), size=(60, 12)) as terminal:
        before = mode(terminal)
        terminal.until(lambda t: "1-9 of 60" in t.text and named.search(t.text))
        name = named.findall(terminal.text)[0].strip().upper()
        for keys, place in (
            ("\x1b[B\x1b[B", "3-11"), ("\x1b[6~", "12-20"), ("\x1b[A", "11-19"),
            ("\x1b[F", "52-60"), ("\x1b[5~", "43-51"),
        ):  # fmt: skip
            terminal.type(keys)
            terminal.until(partial(shows, f"{place} of 60"))
        # A larger terminal has no rows after the last one.
        resize(terminal, 60, 40)
        terminal.until(lambda t: "24-60 of 60" in t.text and "live" in t.text)
        resize(terminal, 30, 5)
        terminal.until(lambda t: "24-25 of 60" in t.text and "live" in t.text)
        resize(terminal, 60, 12)
        terminal.until(lambda t: "24-32 of 60" in t.text)
        terminal.type(f"/{name}")
        terminal.until(lambda t: f"/{name}_  Enter keeps, Esc clears" in t.text)
        assert named.search(terminal.text)
        terminal.type("\n")
        terminal.until(lambda t: f"/ search: {name}" in t.text)
        terminal.type("\x1b")
        terminal.until(lambda t: "1-9 of 60" in t.text and "search:" not in t.text)
        terminal.type("/q")
        terminal.until(lambda t: "/q_" in t.text)
        terminal.interrupt()
        assert terminal.end() == 130
        assert restored(terminal, before)


def shows(text: str, terminal: Terminal) -> bool:
    return text in terminal.text


def resize(terminal: Terminal, columns: int, lines: int) -> None:
    terminal.screen.resize(lines, columns)
    fcntl.ioctl(terminal._master, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))


@pytest.mark.parametrize(
    ("sent", "code"),
    [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGQUIT, 131)],
)
def test_a_signal_restores_the_terminal(tmp_path: Path, sent: signal.Signals, code: int) -> None:
    with Terminal("watch", "--sandbox", "3", env=environment(tmp_path)) as terminal:
        before = mode(terminal)
        terminal.until(lambda t: "live" in t.text)
        terminal.process.send_signal(sent)
        assert terminal.end() == code
        assert restored(terminal, before)
        assert terminal.raw.endswith(LEAVE)


def is_prompted(terminal: Terminal) -> bool:
    """Return whether the shell has printed its prompt after the command stopped.

    Decided by the bytes written: the emulator has no alternate screen, so a drawing stays visible.
    """
    raw = terminal.raw
    return raw.rfind(ENTER) < raw.rfind(LEAVE) < raw.rfind(b"ready$")


def is_drawing(terminal: Terminal) -> bool:
    return terminal.raw.rfind(ENTER) > terminal.raw.rfind(LEAVE) and "live" in terminal.text


def test_ctrl_z_restores_the_terminal_until_fg(tmp_path: Path) -> None:
    command = shlex.join([*COMMAND, "watch", "--sandbox", "3"])
    env = {**environment(tmp_path), "PS1": "ready$ "}
    with Terminal(env=env, command=("bash", "--norc", "--noprofile", "-i")) as terminal:
        terminal.until(lambda t: "ready$" in t.text)
        terminal.type(f"{command}\n")
        terminal.until(is_drawing)
        for times in (1, 2):
            drawing = mode(terminal)
            terminal.type("\x1a")
            terminal.until(is_prompted)
            raw = terminal.raw
            assert raw.count(b"Stopped") == times
            assert raw.rfind(SHOW) > raw.rfind(HIDE)
            terminal.type("fg\n")
            terminal.until(is_drawing)
            assert mode(terminal)[3] == drawing[3]
        terminal.type("q")
        terminal.until(is_prompted)
        terminal.type("exit\n")
        assert terminal.end() == 0


async def test_the_board_is_stale_while_the_connection_is_lost(
    platform: Sandbox, tmp_path: Path
) -> None:
    with Terminal("watch", env=login(platform, tmp_path)) as terminal:
        await asyncio.to_thread(terminal.until, lambda t: "live" in t.text)
        # A status that is not retried before the board becomes stale.
        refusal = platform.faults.add(Answer(507), path="/ws", times=None)
        platform.gateway.cut()
        await asyncio.to_thread(
            terminal.until, lambda t: "stale" in t.text and "? 101" in t.text and "507" in t.text
        )
        refusal.times = refusal.fired
        await asyncio.to_thread(terminal.until, lambda t: "live" in t.text and "?" not in t.text)


async def test_an_error_is_printed_after_the_terminal_is_restored(
    platform: Sandbox, tmp_path: Path
) -> None:
    platform.forbid("WebSocketsSubscription")
    with Terminal("watch", env=login(platform, tmp_path)) as terminal:
        before = mode(terminal)
        assert await asyncio.to_thread(terminal.end) == 1
        assert restored(terminal, before)
        last = terminal.raw[terminal.raw.rfind(LEAVE) + len(LEAVE) :]
        assert last.startswith(b"aiopresence: HTTP 403")
        assert last.count(b"\n") == 1


async def test_watch_shows_ids_where_names_cannot_be_read(
    platform: Sandbox, tmp_path: Path
) -> None:
    platform.forbid("ReadAccounts")
    own = platform.user_ids[0]
    with Terminal("watch", own, env=login(platform, tmp_path), size=(150, 24)) as terminal:
        await asyncio.to_thread(
            terminal.until, lambda t: "live" in t.text and f" 101    {own}" in t.text
        )
        terminal.type("q")
        assert await asyncio.to_thread(terminal.end) == 0
        assert terminal.raw[terminal.raw.rfind(LEAVE) :].startswith(LEAVE + b"No names: HTTP 403")


async def test_watch_does_not_read_names_that_are_not_shown(
    platform: Sandbox, tmp_path: Path
) -> None:
    own = platform.user_ids[0]
    with Terminal("watch", "--ids", env=login(platform, tmp_path)) as terminal:
        await asyncio.to_thread(
            terminal.until, lambda t: "live" in t.text and f" 101    {own}" in t.text
        )
    assert not any("directory" in each.path for each in platform.requests)


def test_watch_names_missing_credentials(tmp_path: Path) -> None:
    done = run("watch", env=environment(tmp_path), cwd=tmp_path)
    assert done.code == 2
    assert done.err.startswith("aiopresence: not set: RC_APP_CLIENT_ID")


async def test_watch_writes_json_lines_in_a_pipe(platform: Sandbox, tmp_path: Path) -> None:
    number, id_ = "102", platform.user_ids[1]
    platform.set_presence(id_, user_status="Available", active_calls=[])
    process = await asyncio.create_subprocess_exec(
        *(*COMMAND, "watch", "--number", number, "~"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=login(platform, tmp_path),
    )
    assert process.stdout is not None
    first = [json.loads(await process.stdout.readline()) for _ in range(2)]
    assert {each["id"] for each in first} == {id_, platform.user_ids[0]}
    assert all(each["old"] is None for each in first)
    platform.set_presence(id_, user_status="Offline")
    change = json.loads(await process.stdout.readline())
    process.send_signal(signal.SIGINT)
    out, err = await process.communicate()
    assert change["id"] == id_
    # It is read again if the event may be older than the first read.
    assert change["source"] in ("event", "batch")
    assert change["old"]["userStatus"] == "Available"
    assert change["new"]["userStatus"] == "Offline"
    assert datetime.fromisoformat(change["time"]).tzinfo is not None
    assert (process.returncode, out, err) == (130, b"", b"")


async def test_watch_writes_lines_for_people_with_output_table(
    platform: Sandbox, tmp_path: Path
) -> None:
    platform.set_extension("~", name="Zoë Torres")
    process = await asyncio.create_subprocess_exec(
        *(*COMMAND, "watch", "~", "--output", "table", "--names"),
        stdout=asyncio.subprocess.PIPE,
        env=login(platform, tmp_path),
    )
    assert process.stdout is not None
    line = (await process.stdout.readline()).decode()
    process.terminate()
    await process.communicate()
    assert re.match(r"\d\d:\d\d:\d\d  Zoë Torres \(101\)  \w+", line)


async def test_watch_filters_changes_in_a_pipe(platform: Sandbox, tmp_path: Path) -> None:
    busy, ringing, other, *_ = platform.user_ids
    quiet = {"active_calls": [], "user_status": "Offline", "dnd_status_personal": "TakeAllCalls"}
    for id_ in platform.user_ids:
        platform.set_presence(id_, meeting_status="Disconnected", **quiet)
    process = await asyncio.create_subprocess_exec(
        *(*COMMAND, "watch", "--filter", "busy,ringing"),
        stdout=asyncio.subprocess.PIPE,
        env=login(platform, tmp_path),
    )
    assert process.stdout is not None
    out = process.stdout

    async def after(id_: str, **fields: Any) -> tuple[str, dict[str, Any], dict[str, Any]]:
        """Return the next line after a change: the id, the old and the new state."""
        platform.set_presence(id_, **fields)
        async with asyncio.timeout(20):
            line = json.loads(await out.readline())
        return line["id"], line["old"] or {}, line["new"]

    id_, _, new = await after(busy, user_status="Busy")
    assert (id_, new["userStatus"]) == (busy, "Busy")
    platform.set_presence(other, telephony_status="OnHold")
    # A change passes by its old or its new state; that of the third extension does not.
    id_, old, _ = await after(busy, user_status="Available")
    assert (id_, old["userStatus"]) == (busy, "Busy")
    id_, _, new = await after(ringing, telephony_status="Ringing")
    assert (id_, new["telephonyStatus"]) == (ringing, "Ringing")
    process.terminate()
    assert (await process.communicate())[0] == b""


def test_watch_ends_without_output_when_the_pipe_closes(tmp_path: Path) -> None:
    with subprocess.Popen(  # noqa: S603 - a fixed command
        [*COMMAND, "watch", "--sandbox", "10", "--rate", "50"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(tmp_path),
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        process.wait(30)
        assert process.stderr.read() == b""
