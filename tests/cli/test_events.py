"""The commands that go on: in a terminal and in pipes."""

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
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import typer

from aiopresence import PresenceEvent, Resync, ResyncReason
from aiopresence.cli.event_rows import EVENT_LAYOUT, event_filter
from aiopresence.sandbox import Answer, Sandbox
from tests.support.terminal import COMMAND, Terminal, environment, run

PLENTY = {"Light": 9_000, "Medium": 9_000, "Heavy": 9_000, "Auth": 9_000}
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
    """Tell whether the terminal is as it was."""
    raw = terminal.raw
    return (
        raw.rfind(LEAVE) > raw.rfind(ENTER)
        and raw.rfind(SHOW) > raw.rfind(HIDE)
        and mode(terminal)[3] == before[3]
    )


def test_the_board_in_a_terminal(tmp_path: Path) -> None:
    arguments = ("watch", "--sandbox", "60", "--rate", "20")
    with Terminal(*arguments, env=environment(tmp_path)) as terminal:
        before = mode(terminal)
        terminal.until(lambda t: "live" in t.text and re.search("^> 1", t.text, re.M) is not None)
        terminal.until(lambda t: "… 39 more  filter: all [f]" in t.text)
        assert ENTER in terminal.raw
        # Names of the directory, in place of ids.
        terminal.until(lambda t: re.search("^. 101 +[A-Z]", t.text, re.M) is not None)
        terminal.type("s")
        terminal.until(lambda t: "sort: name" in t.text)
        terminal.type("fx")
        terminal.until(lambda t: "filter: available" in t.text and " Busy " not in t.text)
        assert mode(terminal)[3] != before[3]
        size = struct.pack("HHHH", 10, 70, 0, 0)
        terminal.screen.resize(10, 70)
        fcntl.ioctl(terminal._master, termios.TIOCSWINSZ, size)
        terminal.until(lambda t: t.text.split("\n")[-1].startswith("… ") and "live" in t.text)
        assert len(terminal.text.split("\n")) == 10
        terminal.type("q")
        assert terminal.end() == 0
        assert restored(terminal, before)


@pytest.mark.parametrize(
    ("sent", "code"),
    [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGQUIT, 131)],
)
def test_a_signal_leaves_the_terminal_as_it_was(
    tmp_path: Path, sent: signal.Signals, code: int
) -> None:
    with Terminal("watch", "--sandbox", "3", env=environment(tmp_path)) as terminal:
        before = mode(terminal)
        terminal.until(lambda t: "live" in t.text)
        terminal.process.send_signal(sent)
        assert terminal.end() == code
        assert restored(terminal, before)
        assert terminal.raw.endswith(LEAVE)


def is_prompted(terminal: Terminal) -> bool:
    """Return whether the shell has its prompt below what a command has left.

    By what was written: the emulator has no second screen, so a drawing stays on it.
    """
    raw = terminal.raw
    return raw.rfind(ENTER) < raw.rfind(LEAVE) < raw.rfind(b"ready$")


def is_drawing(terminal: Terminal) -> bool:
    return terminal.raw.rfind(ENTER) > terminal.raw.rfind(LEAVE) and "live" in terminal.text


def test_ctrl_z_gives_the_terminal_back_until_fg(tmp_path: Path) -> None:
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


async def test_it_is_stale_while_the_connection_is_lost(platform: Sandbox, tmp_path: Path) -> None:
    with Terminal("watch", env=login(platform, tmp_path)) as terminal:
        await asyncio.to_thread(terminal.until, lambda t: "live" in t.text)
        # Not one of the faults that are tried again before anybody hears of them.
        refusal = platform.faults.add(Answer(507), path="/ws", times=None)
        platform.gateway.cut()
        await asyncio.to_thread(
            terminal.until, lambda t: "stale" in t.text and "? 101" in t.text and "507" in t.text
        )
        refusal.times = refusal.fired
        await asyncio.to_thread(terminal.until, lambda t: "live" in t.text and "?" not in t.text)


async def test_an_error_is_told_when_the_screen_is_the_users_again(
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


@pytest.mark.parametrize("command", ["events", "poll"])
async def test_a_missing_permission_takes_one_line(
    platform: Sandbox, tmp_path: Path, command: str
) -> None:
    for permission in ("ReadPresence", "ReadAccounts", "WebSocketsSubscription"):
        platform.forbid(permission)
    done = await asyncio.to_thread(run, command, env=login(platform, tmp_path))
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("aiopresence: HTTP 403")
    assert done.err.count("\n") == 1


def test_without_credentials_it_says_what_to_set(tmp_path: Path) -> None:
    done = run("watch", env=environment(tmp_path), cwd=tmp_path)
    assert done.code == 2
    assert done.err.startswith("aiopresence: not set: RC_APP_CLIENT_ID")


async def test_changes_in_a_pipe_are_json_lines(platform: Sandbox, tmp_path: Path) -> None:
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
    assert (change["id"], change["source"]) == (id_, "event")
    assert change["old"]["userStatus"] == "Available"
    assert change["new"]["userStatus"] == "Offline"
    assert datetime.fromisoformat(change["time"]).tzinfo is not None
    assert (process.returncode, out, err) == (130, b"", b"")


def test_events_end_after_so_many(tmp_path: Path) -> None:
    arguments = ("--sandbox", "30", "--rate", "50", "--count", "3", "--detailed")
    done = run("events", *arguments, env=environment(tmp_path))
    assert (done.code, done.err) == (0, "")
    events = [json.loads(line) for line in done.out.splitlines()]
    assert len(events) == 3
    assert all(each["event"].endswith("detailedTelephonyState=true") for each in events)
    assert any("activeCalls" in each["body"] for each in events)


@pytest.mark.parametrize("command", ["events", "poll", "watch"])
def test_a_stream_has_no_json_document(tmp_path: Path, command: str) -> None:
    done = run(command, "--sandbox", "3", "--output", "json", env=environment(tmp_path))
    assert (done.code, done.out) == (2, "")
    assert done.err.endswith("Error: --output json is not available for a stream: use jsonl\n")


def test_changes_as_csv(tmp_path: Path) -> None:
    arguments = ("--sandbox", "3", "--count", "3", "--output", "csv")
    done = run("poll", *arguments, env=environment(tmp_path))
    header, *lines = done.out.splitlines()
    assert (header, len(lines)) == ("time,source,id,extensionNumber,change", 3)


def test_polling_as_a_table(tmp_path: Path) -> None:
    arguments = ("--sandbox", "5", "--rate", "50", "--count", "6", "--interval", "0.1")
    done = run("poll", *arguments, "-o", "table", env=environment(tmp_path))
    assert (done.code, done.err) == (0, "")
    header, *lines = done.out.splitlines()
    assert header == "TIME     SOURCE  ID           NUMBER CHANGE"
    assert len(lines) == 6
    assert "presenceStatus" in lines[0]
    assert " → " in lines[5]


def test_a_pipe_that_closes_ends_it_quietly(tmp_path: Path) -> None:
    with subprocess.Popen(  # noqa: S603 - our own command
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


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("account", "account/~/presence?detailedTelephonyState=true"),
        ("extension:7", "account/~/extension/7/presence?detailedTelephonyState=true"),
        ("dnd:7", "account/~/extension/7/presence/dnd"),
        ("queue:8", "account/~/call-queues/8/presence"),
        ("/restapi/v1.0/account/~/extension/~/presence", "account/~/extension/~/presence"),
    ],
)
def test_short_names_of_filters(name: str, path: str) -> None:
    assert event_filter(name, detailed=True) == f"/restapi/v1.0/{path}"


@pytest.mark.parametrize("name", ["", "extension", "extension:", "queue", "everything"])
def test_what_is_no_filter_is_refused(name: str) -> None:
    with pytest.raises(typer.BadParameter, match="unknown filter"):
        event_filter(name, detailed=False)


def test_a_resync_is_told_as_such() -> None:
    resync = Resync(ResyncReason.OVERFLOW, datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), 1234)
    [[_, kind, _, text]] = EVENT_LAYOUT.rows(resync)
    assert kind == "Resync"
    assert re.fullmatch(r"Overflow since \d\d:04:05, 1,234 missed: events may be missing, .*", text)
    assert EVENT_LAYOUT.document(resync) == {
        "resync": {"reason": "Overflow", "since": "2026-01-02T03:04:05+00:00", "missed": 1234}
    }


def test_an_event_of_tomorrow_is_shown_as_it_came() -> None:
    event = PresenceEvent(event="/restapi/v1.0/account/1/new-thing?x=y", body={"a": 1})
    assert [*EVENT_LAYOUT.rows(event)] == [["-", "new-thing", None, {"a": 1}]]
    assert [*EVENT_LAYOUT.rows(PresenceEvent())] == [["-", "", None, None]]
