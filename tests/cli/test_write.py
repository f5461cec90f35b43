"""The commands `set`, `unified-set` and `queue-set`."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from aiopresence.sandbox import Answer, Reset
from tests.support.cli_calls import Cli, commanding

HEADER = "ID           FIELD                    BEFORE                         AFTER"


@pytest.fixture
async def cli(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AsyncIterator[Cli]:
    async with commanding(monkeypatch, tmp_path) as cli:
        cli.sandbox.set_presence(
            "~", user_status="Available", dnd_status_personal="TakeAllCalls", message="Back at 3"
        )
        cli.sandbox.set_presence("~", telephony_status="NoCall", meeting_status="Disconnected")
        cli.sandbox.set_presence("~", accept_call_queue_calls=True)
        yield cli


async def test_a_write_prints_each_changed_field(cli: Cli) -> None:
    done = await cli("set", "--status", "busy", "--message", "", "--no-allow-see-my-presence")
    assert done.out.splitlines() == [
        HEADER,
        "~            presenceStatus           Available                      Busy",
        "~            userStatus               Available                      Busy",
        "~            message                  Back at 3                      -",
        "~            allowSeeMyPresence       true                           false",
    ]
    assert (done.code, done.err) == (0, "4 fields changed.\n")
    assert cli.writes == ["PUT presence"]
    assert cli.sandbox.presence("~")["userStatus"] == "Busy"
    again = await cli("set", "--status", "Busy")
    assert (again.code, again.out, again.err) == (0, HEADER + "\n", "Nothing changed.\n")


async def test_every_field_can_be_set(cli: Cli) -> None:
    other = cli.sandbox.extension_ids[1]
    cli.sandbox.set_presence(other, user_status="Available", accept_call_queue_calls=True)
    cli.sandbox.set_presence(other, dnd_status_personal="TakeAllCalls")
    done = await cli(
        "set", "--number", "102", "--status", "Offline", "--dnd", "DoNotAcceptAnyCalls",
        "--message", "外出中", "--no-accept-queue-calls", "--ring-on-monitored-call",
        "--pick-up-calls-on-hold", "--caller-id-visibility", "none", "--output", "jsonl",
    )  # fmt: skip
    change = json.loads(done.out)
    assert list(change) == ["id", "before", "after"]
    assert change["id"] == other
    assert change["before"]["userStatus"] == "Available"
    wire = cli.sandbox.presence(other)
    assert {name: change["after"][name] for name in wire if name not in ("extension", "uri")} == {
        name: value for name, value in wire.items() if name not in ("extension", "uri")
    }
    assert (wire["userStatus"], wire["dndStatus"]) == ("Offline", "DoNotAcceptAnyCalls")
    assert (wire["message"], wire["callerIdVisibility"]) == ("外出中", "None")
    assert wire["ringOnMonitoredCall"] is wire["pickUpCallsOnHold"] is True


async def test_dnd_personal_can_be_set_alone(cli: Cli) -> None:
    cli.sandbox.set_presence("~", accept_call_queue_calls=False)
    before = cli.sandbox.presence("~")["dndStatus"]
    assert before in ("TakeAllCalls", "DoNotAcceptDepartmentCalls")
    done = await cli("set", "--dnd-personal", "donotacceptanycalls", "--output", "jsonl")
    assert (done.code, cli.writes) == (0, ["PUT presence"])
    after = json.loads(done.out)["after"]
    assert after["dndStatusPersonal"] == "DoNotAcceptAnyCalls"
    assert cli.sandbox.presence("~")["dndStatusPersonal"] == "DoNotAcceptAnyCalls"
    assert (await cli("set", "--dnd-personal", "TakeAllCalls")).code == 0
    assert cli.sandbox.presence("~")["dndStatus"] == before
    assert (await cli("set", "--dnd-personal", "TakeDepartmentCallsOnly")).code == 2


async def test_a_dry_run_writes_nothing(cli: Cli) -> None:
    queue = cli.sandbox.queue_ids[0]
    member = next(
        each
        for each in json.loads((await cli("queue", queue, "-o", "json")).out)
        if each["acceptCurrentQueueCalls"]
    )["member"]["id"]
    done = await cli("set", "--status", "Busy", "--message", "Back at 3", "--dry-run")
    assert done.out.splitlines()[1:] == [
        "~            userStatus               Available                      Busy"
    ]
    assert done.err == "1 field would change (dry run).\n"
    done = await cli("unified-set", "--glip-visibility", "invisible", "--dry-run", "-o", "json")
    (change,) = json.loads(done.out)
    assert change["before"]["glip"]["visibility"] == "Visible"
    assert change["after"]["glip"] == {**change["before"]["glip"], "visibility": "Invisible"}
    done = await cli("queue-set", queue, member, "--no-accept", "--dry-run", "-o", "csv")
    assert done.out.splitlines() == [
        "id,field,before,after",
        f"{member},acceptCurrentQueueCalls,true,false",
    ]
    assert cli.writes == []


async def test_unified_presence_is_written(cli: Cli) -> None:
    done = await cli(
        "unified-set", "--glip-availability", "DND", "--telephony-availability",
        "DoNotAcceptAnyCalls", "--output", "csv",
    )  # fmt: skip
    assert done.out.splitlines() == [
        "id,field,before,after",
        "~,status,Available,DND",
        "~,glip.availability,Available,DND",
        "~,telephony.availability,TakeAllCalls,DoNotAcceptAnyCalls",
    ]
    assert cli.writes == ["PATCH unified-presence"]
    body = json.loads(cli.sandbox.requests[-1].body)
    assert body == {
        "glip": {"availability": "DND"},
        "telephony": {"availability": "DoNotAcceptAnyCalls"},
    }
    await cli("unified-set", "--telephony-availability", "TakeAllCalls")
    assert json.loads(cli.sandbox.requests[-1].body) == {
        "telephony": {"availability": "TakeAllCalls"}
    }


async def test_members_of_a_queue_are_written_together(cli: Cli) -> None:
    queue = cli.sandbox.queue_ids[0]
    members = json.loads((await cli("queue", queue, "-o", "json")).out)
    first, second = (each["member"]["id"] for each in members[:2])
    await cli("queue-set", queue, first, second, "--accept")
    done = await cli("queue-set", "--number", "120", first, second, first, "--no-accept")
    assert done.out.splitlines() == [
        HEADER,
        f"{first:<12} acceptCurrentQueueCalls  true                           false",
        f"{second:<12} acceptCurrentQueueCalls  true                           false",
    ]
    assert cli.writes == ["PUT presence"] * 2
    done = await cli("queue-set", queue, first, "--accept", "-o", "json")
    (change,) = json.loads(done.out)
    assert list(change) == ["id", "before", "after"]
    assert change["before"].keys() == {"member", "acceptQueueCalls", "acceptCurrentQueueCalls"}
    assert change["after"]["acceptCurrentQueueCalls"] is True


async def test_invalid_changes_are_refused_before_any_request(cli: Cli) -> None:
    for arguments in (
        ("set",),
        ("set", "~", "--dry-run"),
        ("unified-set",),
        ("queue-set", "1", "2"),
        ("set", "--status", "Away"),
        ("unified-set", "--glip-availability", "Busy"),
    ):
        done = await cli(*arguments)
        assert (arguments, done.code, done.out) == (arguments, 2, "")
    done = await cli("set", "--status", "Away")
    assert done.err.splitlines()[-1] == (
        "Error: Invalid value for '--status': 'Away' is not one of Available, Busy, Offline"
    )
    done = await cli("set", "--message", "x" * 76)
    assert (done.code, done.err) == (
        2,
        "aiopresence: message must have at most 75 characters, not 76\n",
    )
    assert [each.path for each in cli.sandbox.requests] == []


async def test_a_write_that_may_have_been_applied_is_reported(cli: Cli) -> None:
    for fault in (Answer(500), Reset(after_handling=True)):
        cli.sandbox.faults.add(fault, method="PUT")
        done = await cli("set", "--status", "Busy")
        assert (done.code, done.out) == (1, "")
        unknown, error = done.err.splitlines()
        assert (
            unknown == "The change may have been applied: read the presence before you try again."
        )
        assert error.startswith("aiopresence: ")


@pytest.mark.parametrize(
    ("before", "sent"),
    [
        ("TakeAllCalls", {"TakeAllCalls"}),
        ("DoNotAcceptDepartmentCalls", {"DoNotAcceptDepartmentCalls"}),
        # No request can set this one: its two parts are sent.
        ("TakeDepartmentCallsOnly", {None}),
    ],
)
async def test_dnd_off_goes_back_to_the_setting_before(
    cli: Cli, before: str, sent: set[str | None]
) -> None:
    members = json.loads((await cli("queue", cli.sandbox.queue_ids[0], "-o", "json")).out)
    member = members[0]["member"]["id"]
    cli.sandbox.set_presence(member, dnd_status=before)
    known = cli.sandbox.presence(member)
    for _ in range(2):  # Once more on changes nothing, and does not replace what is kept.
        assert (await cli("set", member, "--dnd", "on")).code == 0
        assert cli.sandbox.presence(member)["dndStatus"] == "DoNotAcceptAnyCalls"
    done = await cli("set", member, "--dnd", "off")
    assert (done.code, cli.sandbox.presence(member)) == (0, known)
    assert {json.loads(cli.sandbox.requests[-1].body).get("dndStatus")} == sent
    assert "not known" not in done.err


async def test_dnd_off_says_what_it_sends_if_the_setting_before_is_not_known(cli: Cli) -> None:
    cli.sandbox.set_presence("~", dnd_status="DoNotAcceptAnyCalls")
    done = await cli("set", "--dnd", "off")
    assert done.err.splitlines()[0] == (
        "The setting before is not known on this computer: accepting all calls."
    )
    assert cli.sandbox.presence("~")["dndStatus"] == "TakeAllCalls"
    again = await cli("set", "--dnd", "off", "-o", "csv")
    assert again.err.splitlines() == [
        "Do-not-disturb is not on: dndStatus is TakeAllCalls.",
        "Nothing changed.",
    ]
    assert cli.writes == ["PUT presence"]


async def test_what_is_kept_before_dnd_is_used_once(cli: Cli, tmp_path: Path) -> None:
    queue = ("--accept-queue-calls", "--status", "Busy")
    await cli("set", "--dnd", "on")
    await cli("set", "--dnd", "off", *queue)
    assert cli.sandbox.presence("~")["userStatus"] == "Busy"
    cli.sandbox.set_presence("~", dnd_status="DoNotAcceptAnyCalls")
    assert "is not known" in (await cli("set", "--dnd", "off")).err
    await cli("set", "--dnd", "DoNotAcceptAnyCalls")
    [file] = tmp_path.rglob("do-not-disturb.json")
    uri = cli.sandbox.presence("~")["extension"]["uri"]
    for damaged in ("", "[]", json.dumps({uri: 5}), json.dumps({uri: {"dndStatus": 5}})):
        file.write_text(damaged)
        assert (await cli("set", "--dnd", "off", "--dry-run")).code == 0


async def test_dnd_off_for_a_while_is_refused(cli: Cli) -> None:
    done = await cli("set", "--dnd", "off", "--for", "1h")
    assert (done.code, cli.sandbox.requests) == (2, [])
    assert "pass the setting, such as TakeAllCalls" in done.err


async def test_a_setting_that_cannot_be_kept_is_said(cli: Cli, tmp_path: Path) -> None:
    await cli("limits")
    [state] = {path.parent for path in tmp_path.rglob("tokens*")} or {tmp_path}
    (state / "do-not-disturb.json").mkdir()
    done = await cli("set", "--dnd", "on")
    assert (done.code, cli.sandbox.presence("~")["dndStatus"]) == (0, "DoNotAcceptAnyCalls")
    assert "aiopresence: the setting before is not kept: Is a directory" in done.err
