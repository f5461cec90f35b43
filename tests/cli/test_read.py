"""The commands that read, and the help of all commands."""

import csv
import io
import json
import os
import pty
import shlex
import subprocess
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from aiopresence.cli.app import COMMANDS
from aiopresence.cli.columns import Column, cut, fit_columns, pad
from aiopresence.sandbox import Change
from tests.support.cli_calls import Cli, commanding, invoke
from tests.support.terminal import COMMAND, Terminal, environment

# These run until Ctrl-C, or need a terminal or a login: their own tests run them.
ENDLESS = ("sandbox", "watch", "poll", "events", "login", "logout", "whoami")


@pytest.fixture
async def cli(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AsyncIterator[Cli]:
    async with commanding(monkeypatch, tmp_path) as cli:
        yield cli


@pytest.mark.parametrize("example", [example for _, example in COMMANDS])
def test_every_help_has_an_example_that_runs(example: str, tmp_path: Path) -> None:
    program, name, *arguments = shlex.split(example)
    help_ = invoke(name, "--help")
    text = " ".join(help_.out.split())
    assert (program, help_.code) == ("aiopresence", 0)
    assert text.startswith(f"Usage: aiopresence {name} [OPTIONS]")
    assert f"Example: {example}" in text
    assert "Exit codes: 0 success, 1 something failed, 2 usage or settings error" in text
    assert "…" not in text
    if name not in ENDLESS:
        done = invoke(name, *arguments)
        assert (name, done.code) == (name, 0)
        assert len(done.out.splitlines()) >= 2


async def test_a_table_in_a_pipe_has_all_columns_and_nothing_is_cut(cli: Cli) -> None:
    own, second, *_ = cli.sandbox.extension_ids
    cli.sandbox.set_presence("~", user_status="Busy", message="", telephony_status="NoCall")
    cli.sandbox.set_presence(
        second, user_status="Offline", dnd_status_personal="TakeAllCalls", message="外出中" * 25
    )
    done = await cli("read", "~", own, second, "999", "--names")
    header, caller, same, absent, unknown = done.out.splitlines()
    assert header == (
        "ID           NUMBER NAME                     PRESENCE  TELEPHONY     USER     "
        " DND                        MESSAGE"
    )
    assert caller.split()[:2] == ["~", "101"]
    assert caller.split()[2:] == same.split()[2:]
    assert absent.endswith("外出中" * 25)
    assert unknown.startswith("999          HTTP 404: CMN-102 Resource for parameter ")
    assert done.code == 1
    assert done.err.startswith("Read 4 extensions in 3 requests, ")
    assert done.err.endswith(" s, 1 failed.\n")


async def test_json_has_ringcentrals_names(cli: Cli) -> None:
    own = cli.sandbox.extension_ids[0]
    cli.sandbox.set_presence("~", message="Déjeuner 🍜", telephony_status="Ringing")
    done = await cli("read", "~", "999", "--output", "json", "--detailed")
    good, bad = json.loads(done.out)
    wire = cli.sandbox.presence("~", detailed=True)
    assert list(good) == ["id", "presence"]
    assert set(good["presence"]) == set(wire)
    assert good["presence"]["message"] == "Déjeuner 🍜"
    assert good["presence"]["extension"]["id"] == own
    assert set(good["presence"]["activeCalls"][0]) == set(wire["activeCalls"][0])
    assert bad.keys() == {"id", "error"}
    assert bad["error"].keys() == {"type", "httpStatus", "errorCode", "message"}
    assert (bad["error"]["type"], bad["error"]["errorCode"]) == ("NotFound", "CMN-102")
    lines = (await cli("read", "~", "999", "--output", "jsonl", "--names")).out.splitlines()
    named, unnamed = (json.loads(line) for line in lines)
    assert list(named) == ["id", "name", "presence"]
    assert list(unnamed) == ["id", "error"]


async def test_csv_has_a_column_for_errors(cli: Cli) -> None:
    done = await cli("read", "~", "999", "--output", "csv", "--detailed", "--names")
    good, bad = csv.DictReader(io.StringIO(done.out))
    assert list(good) == [
        *("id", "extensionNumber", "name", "presenceStatus", "telephonyStatus", "userStatus"),
        *("dndStatus", "message", "activeCalls", "error"),
    ]
    assert (good["error"], bad["name"]) == ("", "")
    assert bad["error"].startswith("HTTP 404: CMN-102 ")


async def test_columns_have_the_effective_statuses_and_json_the_wires(cli: Cli) -> None:
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


async def test_ids_come_from_everywhere(cli: Cli, tmp_path: Path) -> None:
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
    for content, reason in ((b"\xff", "it is not UTF-8 text"), (b"", "no extension ids")):
        done = await cli("read", "--ids-file", "-", stdin=content)
        assert (done.code, done.out) == (2, "")
        assert reason in done.err
    directory = [each for each in cli.sandbox.requests if each.path.endswith("/extension")]
    assert len(directory) == 1


async def test_the_whole_account(cli: Cli) -> None:
    done = await cli("account", "--output", "jsonl")
    documents = [json.loads(line) for line in done.out.splitlines()]
    assert [each["id"] for each in documents] == [*cli.sandbox.extension_ids]
    assert all(each["presence"]["extension"]["id"] == each["id"] for each in documents)
    assert done.err.startswith("Read 100 extensions in 1 request, ")
    table = (await cli("account")).out
    assert table == (await cli("read", *cli.sandbox.extension_ids)).out


async def test_a_queue_and_the_queues_of_a_member(cli: Cli) -> None:
    queue = cli.sandbox.queue_ids[0]
    done = await cli("queue", queue, "--output", "json")
    members = json.loads(done.out)
    assert [each.keys() for each in members] == [
        {"member", "acceptQueueCalls", "acceptCurrentQueueCalls"}
    ] * len(members)
    own = cli.sandbox.extension_ids[0]
    mine = next(each for each in members if each["member"]["id"] == own)
    table = (await cli("queue", "--number", "120")).out.splitlines()
    assert table[0] == "ID           NAME                         NUMBER ANY-QUEUE THIS-QUEUE"
    assert len(table) == len(members) + 1
    rows = csv.DictReader(io.StringIO((await cli("queues", "--output", "csv")).out))
    row = next(row for row in rows if row["id"] == queue)
    assert list(row) == [*("id", "name", "extensionNumber", "editableMemberStatus", "acceptCalls")]
    assert row["acceptCalls"] == str(mine["acceptCurrentQueueCalls"]).lower()
    assert (await cli("queues", own)).out == (await cli("queues", "--number", "101")).out


async def test_unified(cli: Cli) -> None:
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
    assert bad["error"].startswith("HTTP 404: CMN-102 ")


async def test_limits_need_one_cheap_request(cli: Cli) -> None:
    done = await cli("limits", "--output", "json")
    auth, light = json.loads(done.out)
    assert light == {
        "group": "Light", "limit": 9000, "window": 60.0, "remaining": 8999, "blockedFor": 0.0,
    }  # fmt: skip
    assert auth["group"] == "Auth"
    assert [each.group for each in cli.sandbox.requests] == ["Auth", "Light"]


def test_data_goes_into_the_pipe_while_the_bar_is_on_the_terminal(tmp_path: Path) -> None:
    master, slave = pty.openpty()
    with subprocess.Popen(  # noqa: S603 - our own command
        [*COMMAND, "read", "--sandbox", "5000", "--output", "csv"],
        stdout=subprocess.PIPE,
        stderr=slave,
        env={**environment(tmp_path), "TERM": "xterm"},
        text=True,
    ) as process:
        os.close(slave)
        with ThreadPoolExecutor() as threads:
            errors = threads.submit(drained, master)
            assert process.stdout is not None
            lines = process.stdout.read().splitlines()
            shown = errors.result().decode()
    os.close(master)
    assert (process.returncode, len(lines)) == (0, 5001)
    assert {line.count(",") for line in lines} <= {7, 8}  # A message may have a comma.
    assert "/5,000" in shown
    assert "Read 5,000 extensions in 167 requests, " in shown


def drained(terminal: int) -> bytes:
    data = b""
    while True:
        try:
            got = os.read(terminal, 65536)
        except OSError:  # Its other side is closed.
            return data
        if not got:
            return data
        data += got


def test_colours_and_width_are_those_of_the_terminal(tmp_path: Path) -> None:
    env = environment(tmp_path)
    with Terminal("read", "--sandbox", "19", "--names", env=env) as terminal:
        assert terminal.end() == 0
        lines = terminal.text.splitlines()
        assert lines[0].split() == ["ID", "NUMBER", "NAME", "PRESENCE", "TELEPHONY", "DND"]
        assert len(lines) == 21
        assert b"\x1b[32mAvailable" in terminal.raw
    with Terminal("read", "--sandbox", "3", env={**env, "NO_COLOR": "1"}) as terminal:
        assert terminal.end() == 0
        assert b"Available" in terminal.raw
        assert not any(b"\x1b[%dm" % colour in terminal.raw for colour in range(30, 50))
    with Terminal("account", "--sandbox", "3", env=env, size=(150, 10)) as terminal:
        assert terminal.end() == 0
        assert len(terminal.text.splitlines()) == 5
        assert "MESSAGE" in terminal.text


def test_columns_give_way() -> None:
    columns = {
        "a": Column(10),
        "b": Column(20, least=10, drop=1),
        "c": Column(20, least=10, drop=2),
    }
    assert fit_columns(columns, 100) == {"a": 10, "b": 20, "c": 20}
    assert fit_columns(columns, 40) == {"a": 10, "b": 18, "c": 10}
    assert fit_columns(columns, 32) == {"a": 10, "b": 10, "c": 10}
    assert fit_columns(columns, 31) == {"a": 10, "b": 20}
    assert fit_columns(columns, 5) == {"a": 10}


def test_wide_letters_take_two_cells() -> None:
    assert pad("外出", 6) == "外出  "
    assert pad("longer than that", 4) == "longer than that"
    assert (cut("外出中", 6), cut("外出中", 5), cut("abcdef", 4)) == ("外出中", "外出…", "abc…")
