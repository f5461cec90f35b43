"""The commands `events` and `poll`."""

import asyncio
import csv
import io
import json
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import typer

from aiopresence import (
    CallQueueMemberEventBody,
    ChangeSource,
    GetPresenceExtensionInfo,
    GetPresenceInfo,
    PresenceChange,
    PresenceEvent,
    Resync,
    ResyncReason,
)
from aiopresence.cli.event_rows import change_layout, event_filter, event_layout
from aiopresence.sandbox import Sandbox
from tests.support.cli_calls import invoke
from tests.support.sessions import PLENTY
from tests.support.terminal import Done, environment


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


@pytest.mark.parametrize("command", ["events", "poll", "watch"])
async def test_a_missing_permission_is_a_one_line_error(
    platform: Sandbox, tmp_path: Path, command: str
) -> None:
    for permission in ("ReadPresence", "ReadAccounts", "WebSocketsSubscription"):
        platform.forbid(permission)
    done = await asyncio.to_thread(invoke, command, env=login(platform, tmp_path))
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("aiopresence: HTTP 403")
    assert done.err.count("\n") == 1


def test_events_stop_after_count_lines(tmp_path: Path) -> None:
    arguments = ("--sandbox", "30", "--rate", "50", "--count", "3", "--detailed")
    done = invoke("events", *arguments, env=environment(tmp_path))
    assert (done.code, done.err) == (0, "")
    events = [json.loads(line) for line in done.out.splitlines()]
    assert len(events) == 3
    assert all(each["event"].endswith("detailedTelephonyState=true") for each in events)
    assert any("activeCalls" in each["body"] for each in events)


@pytest.mark.parametrize("command", ["events", "poll", "watch"])
def test_a_stream_has_no_json_document(tmp_path: Path, command: str) -> None:
    done = invoke(command, "--sandbox", "3", "--output", "json", env=environment(tmp_path))
    assert (done.code, done.out) == (2, "")
    assert done.err.endswith("Error: --output json is not available for a stream: use jsonl\n")


def in_csv(done: Done) -> list[dict[str, str]]:
    """Return the rows that a command has written, each with a time that has a time zone."""
    assert (done.code, done.err) == (0, "")
    rows = list(csv.DictReader(io.StringIO(done.out)))
    assert all(datetime.fromisoformat(row["time"]).tzinfo for row in rows)
    return rows


@pytest.mark.parametrize("output", ["csv", "csv-raw"])
def test_poll_writes_csv_with_a_column_for_each_field(tmp_path: Path, output: str) -> None:
    arguments = ("--sandbox", "5", "--rate", "50", "--count", "6", "--interval", "0.1")
    *first, changed = in_csv(invoke("poll", *arguments, "-o", output, env=environment(tmp_path)))
    assert [*changed][:6] == [
        *("time", "source", "id", "extensionNumber", "change", "presenceStatus")
    ]
    assert {row["change"] for row in first} == {"added"}
    assert {row["extensionNumber"] for row in first} == {f"10{n}" for n in range(1, 6)}
    assert changed["change"] == "changed"
    [before] = [row for row in first if row["id"] == changed["id"]]
    fields = [*changed][5:]
    assert [before[name] for name in fields] != [changed[name] for name in fields]
    assert changed["userStatus"] in ("Available", "Busy", "Offline")


def test_a_removed_extension_is_a_row_without_a_state() -> None:
    old = GetPresenceInfo(extension=GetPresenceExtensionInfo(id="7", extension_number="101"))
    time = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    layout = change_layout().csv
    assert layout is not None
    [row] = layout.rows(PresenceChange("7", old, None, ChangeSource.ACCOUNT, time))
    assert [*row][:5] == [time, "account", "7", "101", "removed"]
    assert {*row[5:]} == {None}
    assert len(row) == len(layout.columns)


def test_events_write_csv_with_a_column_for_each_field(tmp_path: Path) -> None:
    arguments = ("--sandbox", "5", "--rate", "50", "--count", "3", "--output", "csv")
    rows = in_csv(invoke("events", *arguments, env=environment(tmp_path)))
    assert [*rows[0]][:4] == ["time", "event", "id", "presenceStatus"]
    assert {row["event"] for row in rows} == {"presence"}
    assert all(row["id"] and not row["body"] for row in rows)
    assert all(row["presenceStatus"] or row["telephonyStatus"] for row in rows)


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (
            Resync(ResyncReason.OVERFLOW, datetime(2026, 1, 2, tzinfo=UTC), 1234),
            {
                "event": "Resync",
                "reason": "Overflow",
                "since": "2026-01-02T00:00:00+00:00",
                "missed": 1234,
            },
        ),
        (
            PresenceEvent(event="/restapi/v1.0/account/1/new-thing", body={"a": 1}),
            {"event": "new-thing", "body": {"a": 1}},
        ),
        (
            PresenceEvent(body=CallQueueMemberEventBody("7", "8", False)),
            {"event": "", "id": "7", "callQueueId": "8", "acceptCalls": False},
        ),
    ],
    ids=["resync", "unknown", "member of a queue"],
)
def test_other_events_have_their_own_columns_in_csv(
    event: PresenceEvent | Resync, expected: dict[str, object]
) -> None:
    layout = event_layout().csv
    assert layout is not None
    [row] = layout.rows(event)
    values = zip(layout.columns, row, strict=True)
    assert {name: value for name, value in values if value is not None} == expected


def test_poll_writes_a_table(tmp_path: Path) -> None:
    arguments = ("--sandbox", "5", "--rate", "50", "--count", "6", "--interval", "0.1")
    done = invoke("poll", *arguments, "-o", "table", env=environment(tmp_path))
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
    [[_, kind, _, text]] = event_layout().rows(resync)
    assert kind == "Resync"
    assert re.fullmatch(r"Overflow since \d\d:04:05, 1,234 missed: events may be missing, .*", text)
    assert event_layout().document(resync) == {
        "resync": {"reason": "Overflow", "since": "2026-01-02T03:04:05+00:00", "missed": 1234}
    }


def test_an_unknown_event_is_shown_as_received() -> None:
    event = PresenceEvent(event="/restapi/v1.0/account/1/new-thing?x=y", body={"a": 1})
    assert [*event_layout().rows(event)] == [["-", "new-thing", None, {"a": 1}]]
    assert [*event_layout().rows(PresenceEvent())] == [["-", "", None, None]]
