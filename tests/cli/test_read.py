"""The commands `read`, `account` and `unified`."""

import csv
import io
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from aiopresence import Availability
from aiopresence.sandbox import Answer, Change
from tests.support.cli_calls import Cli, commanding, invoke
from tests.support.terminal import Terminal, environment


@pytest.fixture
async def cli(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AsyncIterator[Cli]:
    async with commanding(monkeypatch, tmp_path) as cli:
        yield cli


async def test_a_table_in_a_pipe_is_complete(cli: Cli) -> None:
    own, second, *_ = cli.sandbox.extension_ids
    cli.sandbox.set_presence("~", user_status="Busy", message="", telephony_status="NoCall")
    cli.sandbox.set_presence(
        second, user_status="Offline", dnd_status_personal="TakeAllCalls", message="外出中" * 25
    )
    done = await cli("read", "~", own, second, "999", "--names")
    header, caller, same, absent, unknown = done.out.splitlines()
    assert header == (
        "ID           NUMBER NAME                     PRESENCE  TELEPHONY     USER     "
        " DND                        MESSAGE                        AVAILABILITY"
    )
    assert caller.split()[:2] == ["~", "101"]
    assert caller.split()[2:] == same.split()[2:]
    assert absent.endswith("外出中" * 25 + " offline")
    assert unknown.startswith("999          HTTP 404: CMN-102 Resource for parameter ")
    assert done.code == 1
    assert done.err.startswith("Read 4 extensions in 3 requests, ")
    assert done.err.endswith(" s, 1 failed.\n")


async def test_an_error_has_the_number_and_the_name_of_its_extension(cli: Cli) -> None:
    own = cli.sandbox.extension_ids[0]
    cli.sandbox.set_extension(own, name="Zoë Torres")
    fault = cli.sandbox.faults.add(Answer.error(403, "CMN-401", "no"), path="/presence")
    done = await cli("read", own, "--names")
    assert fault.fired == 1
    assert re.match(rf"{own} +101 +Zoë Torres +HTTP 403: CMN-401 no;", done.out.splitlines()[1])


async def test_json_has_the_field_names_of_ringcentral(cli: Cli) -> None:
    own = cli.sandbox.extension_ids[0]
    cli.sandbox.set_presence("~", message="Déjeuner 🍜", telephony_status="Ringing")
    done = await cli("read", "~", "999", "--output", "json", "--detailed")
    good, bad = json.loads(done.out)
    wire = cli.sandbox.presence("~", detailed=True)
    assert list(good) == ["id", "presence", "availability"]
    assert good["availability"] == "ringing"
    assert set(good["presence"]) == set(wire)
    assert good["presence"]["message"] == "Déjeuner 🍜"
    assert good["presence"]["extension"]["id"] == own
    assert set(good["presence"]["activeCalls"][0]) == set(wire["activeCalls"][0])
    assert bad.keys() == {"id", "error"}
    assert bad["error"].keys() == {"type", "httpStatus", "errorCode", "message"}
    assert (bad["error"]["type"], bad["error"]["errorCode"]) == ("NotFound", "CMN-102")
    lines = (await cli("read", "~", "999", "--output", "jsonl", "--names")).out.splitlines()
    named, unnamed = (json.loads(line) for line in lines)
    assert list(named) == ["id", "name", "presence", "availability"]
    assert list(unnamed) == ["id", "error"]


async def test_csv_has_a_column_for_errors(cli: Cli) -> None:
    done = await cli("read", "~", "999", "--output", "csv", "--detailed", "--names")
    good, bad = csv.DictReader(io.StringIO(done.out))
    assert list(good) == [
        *("id", "extensionNumber", "name", "presenceStatus", "telephonyStatus", "userStatus"),
        *("dndStatus", "message", "activeCalls", "error", "availability"),
    ]
    assert (good["error"], bad["name"]) == ("", "")
    assert bad["error"].startswith("HTTP 404: CMN-102 ")


async def test_columns_have_effective_statuses_and_json_those_of_the_response(cli: Cli) -> None:
    def changed(body: bytes) -> bytes:
        presence = json.loads(body)
        presence |= {"telephonyStatus": "NoCall", "aggregatedTelephonyStatus": "CallConnected"}
        presence |= {"dndStatus": "Unknown", "dndStatusPersonal": "DoNotAcceptAnyCalls"}
        return json.dumps(presence).encode()

    rule = cli.sandbox.faults.add(Change(changed), path="/presence", times=None)
    [row] = csv.DictReader(io.StringIO((await cli("read", "~", "--output", "csv")).out))
    assert (row["telephonyStatus"], row["dndStatus"]) == ("CallConnected", "DoNotAcceptAnyCalls")
    document = json.loads((await cli("read", "~", "--output", "jsonl")).out)["presence"]
    assert (document["telephonyStatus"], document["dndStatus"]) == ("NoCall", "Unknown")
    assert rule.fired == 2


async def test_ids_of_arguments_files_and_numbers_are_combined(cli: Cli, tmp_path: Path) -> None:
    first, second, third, fourth, *_ = cli.sandbox.extension_ids
    (tmp_path / "ids").write_bytes(b"\xef\xbb\xbf" + f"{second}\r\n{third},~\n".encode())
    done = await cli(
        "read", first, "--ids-file", "ids", "--number", "104", "-n", "101", "-o", "csv"
    )
    assert [line.split(",")[0] for line in done.out.splitlines()[1:]] == [
        *(first, second, third, "~", fourth, first)
    ]
    assert "in 3 requests, " in done.err
    done = await cli("unified", "--ids-file", "-", "-o", "csv", stdin=f"{second}\n{third}\n")
    assert [line.split(",")[0] for line in done.out.splitlines()[1:]] == [second, third]
    for content, reason in (
        (b"\xff", "standard input, line 1: not UTF-8"),
        (b"", "no extension ids"),
    ):
        done = await cli("read", "--ids-file", "-", stdin=content)
        assert (done.code, done.out) == (2, "")
        assert reason in done.err
    directory = [each for each in cli.sandbox.requests if each.path.endswith("/directory/entries")]
    assert len(directory) == 1


async def test_account_reads_all_extensions(cli: Cli) -> None:
    done = await cli("account", "--output", "jsonl")
    documents = [json.loads(line) for line in done.out.splitlines()]
    assert [each["id"] for each in documents] == [*cli.sandbox.extension_ids]
    assert all(each["presence"]["extension"]["id"] == each["id"] for each in documents)
    assert done.err.startswith("Read 100 extensions in 1 request, ")
    table = (await cli("account")).out
    assert table == (await cli("read", *cli.sandbox.extension_ids)).out


async def test_unified_presence_is_read(cli: Cli) -> None:
    other = cli.sandbox.extension_ids[1]
    cli.sandbox.set_presence("~", user_status="Available", dnd_status_personal="TakeAllCalls")
    cli.sandbox.set_presence("~", glip_availability="DND", telephony_status="OnHold")
    done = await cli("unified", "~", other, "999", "--output", "json")
    own, theirs, unknown = json.loads(done.out)
    assert own["unifiedPresence"]["glip"] == {
        "status": "Online",
        "visibility": "Visible",
        "availability": "DND",
    }
    assert "visibility" not in theirs["unifiedPresence"]["telephony"]
    assert unknown["error"]["httpStatus"] == 404
    done = await cli("unified", "~", "999", "--output", "csv")
    good, bad = csv.DictReader(io.StringIO(done.out))
    assert (good["status"], good["telephonyStatus"]) == ("DND", "OnHold")
    assert (own["availability"], good["availability"]) == ("on-hold", "on-hold")
    assert bad["error"].startswith("HTTP 404: CMN-102 ")


@pytest.mark.parametrize("command", ["read", "account", "unified"])
async def test_a_filter_keeps_rows_with_an_availability_and_errors(cli: Cli, command: str) -> None:
    ids = cli.sandbox.user_ids[:4]
    for id_, telephony, status in zip(
        ids,
        ("CallConnected", "Ringing", "NoCall", "NoCall"),
        ("Available", "Available", "Available", "Busy"),
        strict=True,
    ):
        cli.sandbox.set_presence(
            id_, user_status=status, telephony_status=telephony,
            dnd_status_personal="TakeAllCalls", meeting_status="Disconnected",
        )  # fmt: skip
    given = () if command == "account" else (*ids, "999")
    words = ("--filter", "On-Call, busy")
    done = await cli(command, *given, *words, "-o", "csv")
    rows = [line.split(",")[0] for line in done.out.splitlines()[1:]]
    if command == "account":
        assert {ids[0], ids[3]} <= {*rows}
        assert not {ids[1], ids[2]} & {*rows}
        assert f", {len(rows)} shown.\n" in done.err
        return
    assert rows == [ids[0], ids[3], "999"]
    assert done.err.endswith(" s, 3 shown, 1 failed.\n")
    counts = json.loads((await cli(command, *given, "--count", "-o", "json")).out)
    assert [*counts] == [*Availability, "error"]
    assert {name: count for name, count in counts.items() if count} == {
        "available": 1, "on-call": 1, "ringing": 1, "busy": 1, "error": 1,
    }  # fmt: skip
    table = (await cli(command, *given, *words, "--count")).out.splitlines()
    assert table[0].split() == ["AVAILABILITY", "EXTENSIONS"]
    assert [line.split() for line in table if line[-1] in "12"] == [
        ["on-call", "1"],
        ["busy", "1"],
        ["error", "1"],
    ]
    [header, first, *_] = (await cli(command, *given, "--count", "-o", "csv")).out.splitlines()
    assert (header, first) == ("availability,extensions", "available,1")


@pytest.mark.parametrize("command", ["read", "account", "unified", "watch"])
def test_an_unknown_word_of_a_filter_is_an_error_with_the_list(command: str) -> None:
    for words, wrong in (("on-call,bsy", "bsy"), ("", ""), ("available,", "")):
        done = invoke(command, "--sandbox", "3", "--filter", words)
        assert (done.code, done.out) == (2, "")
        message = f"'{wrong}' is not one of available, on-call, ringing, on-hold, in-meeting,"
        assert message in done.err.splitlines()[-1]


def test_counts_on_a_terminal_need_no_names(tmp_path: Path) -> None:
    with Terminal("read", "--sandbox", "30", "--count", env=environment(tmp_path)) as terminal:
        assert terminal.end() == 0
        header, *rows, summary = terminal.text.splitlines()
    assert (header.split()[0], len(rows)) == ("AVAILABILITY", 10)
    assert sum(int(row.split()[1]) for row in rows) == 30
    assert summary.startswith("Read 30 extensions in 1 request, ")
    assert b"\x1b[33mon-call" in terminal.raw


def test_tables_use_the_colors_and_width_of_the_terminal(tmp_path: Path) -> None:
    env = environment(tmp_path)
    with Terminal("read", "--sandbox", "19", env=env) as terminal:
        assert terminal.end() == 0
        lines = terminal.text.splitlines()
        assert lines[0].split() == ["NUMBER", "NAME", "AVAILABILITY", "DND", "MESSAGE"]
        assert re.match(r"101    \w+ \w+ ", lines[1])
        assert len(lines) == 21
        assert b"\x1b[32mavailable" in terminal.raw
    with Terminal("read", "999", "998", "--sandbox", "3", env=env, size=(300, 10)) as terminal:
        assert terminal.end() == 1
        for line, id_ in zip(terminal.text.splitlines()[1:], ("999", "998"), strict=False):
            assert re.match(rf"- +{id_} +HTTP 404: CMN-102 ", line)
    with Terminal("read", "--sandbox", "3", "--ids", env=env) as terminal:
        assert terminal.end() == 0
        assert terminal.text.split()[:3] == ["ID", "NUMBER", "AVAILABILITY"]
    with Terminal("read", "--sandbox", "3", env={**env, "NO_COLOR": "1"}) as terminal:
        assert terminal.end() == 0
        assert b"available" in terminal.raw
        assert not any(b"\x1b[%dm" % colour in terminal.raw for colour in range(30, 50))
    with Terminal("account", "--sandbox", "3", env=env, size=(150, 10)) as terminal:
        assert terminal.end() == 0
        assert len(terminal.text.splitlines()) == 5
        assert "MESSAGE" in terminal.text
