"""The commands `events` and `poll`."""

import asyncio
import csv
import io
import json
import re
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import attrs
import pytest

from aiopresence import (
    ActiveCallInfo,
    CallQueueMemberEventBody,
    ChangeSource,
    Directory,
    DirectoryEntry,
    GetPresenceExtensionInfo,
    GetPresenceInfo,
    PresenceChange,
    PresenceEvent,
    PresenceEventBody,
    PresenceSession,
    PresenceStatus,
    Resync,
    ResyncReason,
    TelephonyStatus,
    UserStatus,
    filters,
)
from aiopresence.cli.event_lines import change_lines, event_lines
from aiopresence.cli.event_rows import change_layout, event_layout
from aiopresence.cli.filter_names import event_filters, parse_filter
from aiopresence.cli.output import Part
from aiopresence.cli.usage import InvalidArgument
from aiopresence.sandbox import Sandbox
from tests.support.cli_calls import invoke
from tests.support.sessions import PLENTY
from tests.support.terminal import Done, Terminal, environment


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
    layout = change_layout()
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
    layout = event_layout()
    [row] = layout.rows(event)
    values = zip(layout.columns, row, strict=True)
    assert {name: value for name, value in values if value is not None} == expected


def test_a_table_of_poll_is_lines_for_people(tmp_path: Path) -> None:
    arguments = ("--sandbox", "5", "--rate", "50", "--count", "6", "--interval", "0.1")
    done = invoke("poll", *arguments, "-o", "table", "--names", env=environment(tmp_path))
    assert (done.code, done.err) == (0, "")
    *first, changed = done.out.splitlines()
    assert len(first) == 5
    for number, line in enumerate(first, 101):
        assert re.match(rf"\d\d:\d\d:\d\d  \w+ \w+ \({number}\)  [a-z]+", line)
    assert re.search(r"  [a-z ]+ → [a-z ]+|  \w+ .* → ", changed)
    done = invoke("poll", *arguments, "-o", "table", env=environment(tmp_path))
    assert all(re.match(r"\S{8}  [0-9]{9,}  ", line) for line in done.out.splitlines())


def test_events_and_changes_on_a_terminal_are_lines_with_names(tmp_path: Path) -> None:
    arguments = ("--sandbox", "5", "--rate", "50")
    env = environment(tmp_path)
    with Terminal("events", *arguments, "--count", "9", env=env, size=(150, 30)) as terminal:
        assert terminal.end() == 0
        lines = terminal.text.splitlines()
    assert len(lines) == 9
    assert all(re.match(r"\S{8}  \w+ \w+ \(10[1-5]\)  [a-z]", line) for line in lines)
    assert any(" → " in line for line in lines)
    with Terminal("poll", *arguments, "--count", "5", env=env, size=(150, 30)) as terminal:
        assert terminal.end() == 0
        lines = terminal.text.splitlines()
    assert [re.findall(r"\S{8}  \w+ \w+ \((10\d)\)  ", line) for line in lines] == [
        [f"10{number}"] for number in range(1, 6)
    ]
    with Terminal("events", *arguments, "--count", "1", "--ids", env=env) as terminal:
        assert terminal.end() == 0
        assert re.match(r"\S{8}  [0-9]{9,}  ", terminal.text)


async def test_lines_have_ids_if_names_cannot_be_read(platform: Sandbox, tmp_path: Path) -> None:
    platform.forbid("ReadAccounts")
    own = platform.user_ids[0]
    with Terminal(
        "poll", own, "--count", "1", env=login(platform, tmp_path), size=(300, 9)
    ) as terminal:
        assert await asyncio.to_thread(terminal.end) == 0
        note, line = terminal.text.splitlines()
    assert note.startswith("No names: HTTP 403")
    assert re.match(r"\S{8}  101  [a-z]", line)


AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
NAMES = Directory([DirectoryEntry("7", "101", "Zoë Torres"), DirectoryEntry("8")])
FREE = GetPresenceInfo(presence_status=PresenceStatus.AVAILABLE)
TALKS = attrs.evolve(FREE, telephony_status=TelephonyStatus.CALL_CONNECTED)
CALL = ActiveCallInfo(from_name="Ada", telephony_status=TelephonyStatus.CALL_CONNECTED)


def text(line: Sequence[Part]) -> str:
    return "".join(part for part, _ in line)[len("hh:mm:ss  ") :]


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (None, FREE, "available"),
        (None, attrs.evolve(TALKS, message="Lunch"), "on call, message Lunch"),
        (FREE, TALKS, "available → on call"),
        (FREE, attrs.evolve(TALKS, active_calls=(CALL,)), "available → on call, from Ada"),
        (attrs.evolve(TALKS, active_calls=(CALL,)), FREE, "on call → available"),
        (FREE, attrs.evolve(TALKS, message="x"), "available → on call, message - → x"),
        (FREE, attrs.evolve(FREE, user_status=UserStatus.BUSY), "userStatus - → Busy"),
        (TALKS, attrs.evolve(TALKS, active_calls=()), "calls changed"),
        (FREE, None, "removed"),
    ],
)
def test_a_line_shows_what_has_changed(
    old: GetPresenceInfo | None, new: GetPresenceInfo | None, says: str
) -> None:
    change = PresenceChange("7", old, new, ChangeSource.EVENT, AT)
    assert text(change_lines(NAMES)(change)) == f"Zoë Torres (101)  {says}"
    assert text(change_lines(None)(change)) == f"7  {says}"
    assert change_lines(NAMES)(change)[0] == (f"{AT.astimezone():%H:%M:%S}", "dim")
    unknown = attrs.evolve(change, id="8")
    assert text(change_lines(NAMES)(unknown)) == f"8  {says}"


@pytest.mark.parametrize(
    ("time", "shown"),
    [
        ("0001-01-01T00:00:05+23:59", "00:00:05"),
        ("9999-12-31T23:59:58-23:59", "23:59:58"),
    ],
)
def test_a_time_that_the_local_zone_does_not_have_is_shown_as_it_is(time: str, shown: str) -> None:
    event = PresenceEvent(event="/x", body={}, timestamp=datetime.fromisoformat(time))
    assert event_lines(None)(event)[0] == (shown, "dim")


def test_a_line_of_an_event_has_the_availability_of_the_one_before() -> None:
    line = event_lines(NAMES)
    bodies = (
        PresenceEventBody("7", presence_status=PresenceStatus.AVAILABLE),
        PresenceEventBody("7", telephony_status=TelephonyStatus.RINGING, active_calls=(CALL,)),
        PresenceEventBody("7", telephony_status=TelephonyStatus.RINGING),
        PresenceEventBody("7", ring_on_monitored_call=True),
        CallQueueMemberEventBody("7", "9", False),
        {"a": "\u202e"},
    )
    path = "/restapi/v1.0/account/1/thing?x=y"
    assert [text(line(PresenceEvent(event=path, body=body, timestamp=AT))) for body in bodies] == [
        "Zoë Torres (101)  available",
        "Zoë Torres (101)  available → ringing, from Ada",
        "Zoë Torres (101)  ringing",
        "Zoë Torres (101)  thing: ringOnMonitoredCall true",
        "Zoë Torres (101)  thing: callQueueId 9, acceptCalls false",
        'thing  {"a": "\\u202e"}',
    ]
    assert text(line(PresenceEvent(body={}))) == "  {}"


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("account", "account/~/presence?detailedTelephonyState=true"),
        ("extension:~", "account/~/extension/~/presence?detailedTelephonyState=true"),
        ("extension:7", "account/~/extension/7/presence?detailedTelephonyState=true"),
        ("dnd:7", "account/~/extension/7/presence/dnd"),
        ("queue:8", "account/~/call-queues/8/presence"),
        ("/restapi/v1.0/account/~/extension/~/presence", "account/~/extension/~/presence"),
    ],
)
async def test_short_names_become_event_filters(platform: Sandbox, name: str, path: str) -> None:
    async with PresenceSession(platform.grant, server=platform.url) as session:
        [found] = await event_filters(session, [parse_filter(name)], detailed=True)
    assert found == f"/restapi/v1.0/{path}"
    assert not any("directory" in each.path for each in platform.requests)


async def test_filters_take_names(platform: Sandbox) -> None:
    account, queue, user = platform._state.account, platform.queue_ids[0], platform.user_ids[1]
    name, email = account.extensions[queue].name, account.extensions[user].email
    names = [f"queue:{name}", "account", f"dnd:{email}"]
    async with PresenceSession(platform.grant, server=platform.url) as session:
        found = await event_filters(session, map(parse_filter, names), detailed=False)
        assert found == [
            filters.call_queue_presence(queue),
            filters.account_presence(),
            filters.extension_dnd(user),
        ]
        with pytest.raises(InvalidArgument, match=r'^no extension is "Nobody at all"'):
            await event_filters(session, [parse_filter("queue:Nobody at all")], detailed=False)


@pytest.mark.parametrize("name", ["", "extension", "extension:", "queue", "everything", "a:7"])
def test_unknown_filters_are_refused(name: str) -> None:
    with pytest.raises(InvalidArgument, match="unknown filter"):
        parse_filter(name)
    with pytest.raises(InvalidArgument, match="invalid extension"):
        parse_filter("queue:~")


def test_a_resync_is_a_line_of_its_own() -> None:
    resync = Resync(ResyncReason.OVERFLOW, datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), 1234)
    assert re.fullmatch(
        r"Resync  Overflow since \d\d:04:05, 1,234 missed: events may be missing, .*",
        text(event_lines(None)(resync)),
    )
    assert event_layout().document(resync) == {
        "resync": {"reason": "Overflow", "since": "2026-01-02T03:04:05+00:00", "missed": 1234}
    }
