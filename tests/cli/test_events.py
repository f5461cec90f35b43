"""The commands `events` and `poll`."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import typer

from aiopresence import PresenceEvent, Resync, ResyncReason
from aiopresence.cli.event_rows import EVENT_LAYOUT, event_filter
from aiopresence.sandbox import Sandbox
from tests.support.sessions import PLENTY
from tests.support.terminal import environment, run


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


@pytest.mark.parametrize("command", ["events", "poll"])
async def test_a_missing_permission_is_a_one_line_error(
    platform: Sandbox, tmp_path: Path, command: str
) -> None:
    for permission in ("ReadPresence", "ReadAccounts", "WebSocketsSubscription"):
        platform.forbid(permission)
    done = await asyncio.to_thread(run, command, env=login(platform, tmp_path))
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("aiopresence: HTTP 403")
    assert done.err.count("\n") == 1


def test_events_stop_after_count_lines(tmp_path: Path) -> None:
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


def test_poll_writes_csv(tmp_path: Path) -> None:
    arguments = ("--sandbox", "3", "--count", "3", "--output", "csv")
    done = run("poll", *arguments, env=environment(tmp_path))
    header, *lines = done.out.splitlines()
    assert (header, len(lines)) == ("time,source,id,extensionNumber,change", 3)


def test_poll_writes_a_table(tmp_path: Path) -> None:
    arguments = ("--sandbox", "5", "--rate", "50", "--count", "6", "--interval", "0.1")
    done = run("poll", *arguments, "-o", "table", env=environment(tmp_path))
    assert (done.code, done.err) == (0, "")
    header, *lines = done.out.splitlines()
    assert header == "TIME     SOURCE  ID           NUMBER CHANGE"
    assert len(lines) == 6
    assert "presenceStatus" in lines[0]
    assert " → " in lines[5]


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
def test_short_names_become_event_filters(name: str, path: str) -> None:
    assert event_filter(name, detailed=True) == f"/restapi/v1.0/{path}"


@pytest.mark.parametrize("name", ["", "extension", "extension:", "queue", "everything"])
def test_unknown_filters_are_refused(name: str) -> None:
    with pytest.raises(typer.BadParameter, match="unknown filter"):
        event_filter(name, detailed=False)


def test_a_resync_is_a_line_of_its_own() -> None:
    resync = Resync(ResyncReason.OVERFLOW, datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), 1234)
    [[_, kind, _, text]] = EVENT_LAYOUT.rows(resync)
    assert kind == "Resync"
    assert re.fullmatch(r"Overflow since \d\d:04:05, 1,234 missed: events may be missing, .*", text)
    assert EVENT_LAYOUT.document(resync) == {
        "resync": {"reason": "Overflow", "since": "2026-01-02T03:04:05+00:00", "missed": 1234}
    }


def test_an_unknown_event_is_shown_as_received() -> None:
    event = PresenceEvent(event="/restapi/v1.0/account/1/new-thing?x=y", body={"a": 1})
    assert [*EVENT_LAYOUT.rows(event)] == [["-", "new-thing", None, {"a": 1}]]
    assert [*EVENT_LAYOUT.rows(PresenceEvent())] == [["-", "", None, None]]
