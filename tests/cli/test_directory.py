"""Extension numbers and the directory."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from aiopresence import PresenceSession
from aiopresence.cli import directory
from aiopresence.sandbox import Change, Delay, Sandbox
from tests.support.cli_calls import Cli, commanding
from tests.support.sessions import PLENTY


@pytest.fixture
async def cli(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AsyncIterator[Cli]:
    async with commanding(monkeypatch, tmp_path) as cli:
        yield cli


async def test_invalid_and_unknown_numbers_match_no_extension(cli: Cli) -> None:
    def without(body: bytes) -> bytes:
        answer = json.loads(body)
        for record in answer["records"]:
            if record["extensionNumber"] == "101":
                record["extensionNumber"] = None
        answer["records"][1].pop("id")
        answer["records"] += [
            {**answer["records"][3], "id": "77"},
            {"id": "", "extensionNumber": "9"},
        ]
        return json.dumps(answer).encode()

    cli.sandbox.faults.add(Change(without), path="/directory/entries", times=None)
    sets = ("set", "--status", "Busy", "--number")
    for command in (
        sets,
        ("unified-set", "--glip-availability", "DND", "--number"),
        ("queue-set", "1", "--accept", "--number"),
        ("read", "--number"),
        ("unified", "--number"),
        ("queue", "--number"),
        ("queues", "--number"),
        ("poll", "--number"),
        ("watch", "--number"),
    ):
        for number in ("None", "null", "", "-1", "1.0", "\u0661\u0660\u0661", "1e2"):
            sent = len(cli.sandbox.requests)
            done = await cli(*command, number)
            assert (command, done.code, done.out) == (command, 2, "")
            assert "invalid extension number" in done.err.splitlines()[-1]
            assert len(cli.sandbox.requests) == sent
    for number, says in (
        ("101", 'no extension is "101"; near matches: '),
        ("102", 'no extension is "102"; near matches: '),
        ("104", '"104" matches 2 extensions: '),
        ("77", "no extension has the number 77: it is an id"),
        ("9", 'no extension is "9"'),
    ):
        done = await cli(*sets, number)
        assert (done.code, says in done.err.splitlines()[-1]) == (2, True), done
    assert cli.writes == []
    assert (await cli(*sets, "103")).code == 0


async def test_an_id_with_the_same_digits_is_not_taken_for_a_number(cli: Cli) -> None:
    own, other, *_ = cli.sandbox.extension_ids

    def swapped(body: bytes) -> bytes:
        answer = json.loads(body)
        for record in answer["records"]:
            if record["id"] == other:
                record["extensionNumber"] = own
        return json.dumps(answer).encode()

    cli.sandbox.faults.add(Change(swapped), path="/directory/entries", times=None)
    done = await cli("read", own, "--number", own, "-o", "csv")
    assert [line.split(",")[0] for line in done.out.splitlines()[1:]] == [own, other]


def entries(cli: Cli) -> list[tuple[str, str, str]]:
    """Return the id, name and e-mail address of each user."""
    account = cli.sandbox._state.account
    return [
        (e.id, e.name, e.email) for e in account.extensions.values() if e.id in cli.sandbox.user_ids
    ]


async def test_names_and_addresses_stand_for_ids(cli: Cli) -> None:
    first, second, third = entries(cli)[:3]
    given = (first[1].upper(), "~", second[2], third[0])
    wanted = [first[0], "~", second[0], third[0]]
    done = await cli("read", *given, "-n", "101,102", "-n", "103", "-o", "csv")
    ids = [line.split(",")[0] for line in done.out.splitlines()[1:]]
    assert ids == [*wanted, *cli.sandbox.extension_ids[:3]]
    assert directory_reads(cli) == 1
    for call in (
        ("set", first[1], "--status", "Busy"),
        ("unified-set", first[1], "--glip-availability", "DND"),
        ("unified", first[1]),
        ("queues", first[1]),
        ("poll", second[2], first[1], "--count", "2"),
    ):
        done = await cli(*call)
        assert (done.code, done.out != "") == (0, True), done
    queue = cli.sandbox.queue_ids[0]
    member = next(iter(cli.sandbox._state.account.queues[queue].members))
    name = cli.sandbox._state.account.extensions[member].name
    assert (await cli("queue-set", queue, name, "--accept")).code == 0
    assert cli.writes == ["PUT presence", "PATCH unified-presence", "PUT presence"]


async def test_names_that_stand_for_nobody_are_usage_errors(cli: Cli) -> None:
    name = entries(cli)[0][1]
    for call in (
        ("read", name[:-1], "x" * 50), ("set", name[:-1], "--status", "Busy"),
        ("watch", name[:-1]), ("poll", name[:-1]), ("queue", name[:-1]),
    ):  # fmt: skip
        done = await cli(*call)
        assert (done.code, done.out) == (2, "")
        last = done.err.splitlines()[-1]
        assert last.startswith(
            f'Error: no extension is "{name[:-1]}"; near matches: {name} (number 101'
        )
    assert '; no extension is "xxx' in (await cli("read", name[:-1], "x" * 50)).err

    def same(body: bytes) -> bytes:
        answer = json.loads(body)
        for record in answer["records"][:2]:
            record["firstName"], record["lastName"] = name.split()
        return json.dumps(answer).encode()

    rule = cli.sandbox.faults.add(Change(same), path="/directory/entries", times=None)
    done = await cli("set", name, "--status", "Busy")
    assert (done.code, f'"{name}" matches 2 extensions: ' in done.err) == (2, True)
    assert "use the id of one of them" in done.err
    assert rule.fired
    assert cli.writes == []


async def test_the_directory_is_read_only_when_needed(cli: Cli) -> None:
    own = cli.sandbox.extension_ids[0]
    for call in (
        ("read", "~", own), ("account",), ("queue", cli.sandbox.queue_ids[0]), ("queues", "~"),
        ("poll", own, "--count", "1"), ("set", "~", "--status", "Busy"),
    ):  # fmt: skip
        assert (await cli(*call)).code == 0
    assert directory_reads(cli) == 0
    assert (await cli("read", "~", entries(cli)[0][1], "-n", "102", "--names")).code == 0
    assert directory_reads(cli) == 1


async def test_without_permission_there_are_no_names(cli: Cli) -> None:
    cli.sandbox.forbid("ReadAccounts")
    for call in (("read", "~", "--names"), ("read", "Zoë"), ("read", "-n", "101")):
        done = await cli(*call)
        assert (done.code, done.out) == (1, "")
        assert done.err.startswith("aiopresence: HTTP 403")
    assert (await cli("read", "~")).code == 0


async def test_names_that_nobody_asked_for_are_not_waited_for_long(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(directory, "NAMES_TIMEOUT", 0.05)
    async with (
        Sandbox(3, limits=PLENTY) as sandbox,
        PresenceSession(sandbox.grant, server=sandbox.url) as session,
    ):
        rule = sandbox.faults.add(Delay(0.3), path="/directory/entries", times=None)
        names = await directory.read_names(session, None, for_people=True)
        assert names is not None
        assert [*names] == []
        assert rule.fired == 1
        assert capsys.readouterr().err == (
            "No names: reading them takes more than 0.05 s; --names waits for them\n"
        )
        names = await directory.read_names(session, True, for_people=True)
        assert names is not None
        assert [*names] == [*sandbox.extension_ids]
        assert await directory.read_names(session, None, for_people=False) is None
        assert await directory.read_names(session, False, for_people=True) is None
    assert rule.fired == 2


def directory_reads(cli: Cli) -> int:
    return sum(each.path.endswith("/directory/entries") for each in cli.sandbox.requests)
