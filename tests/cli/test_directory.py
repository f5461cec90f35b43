"""Extension numbers and the directory."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from aiopresence.sandbox import Change
from tests.support.cli_calls import Cli, commanding


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

    cli.sandbox.faults.add(Change(without), path="/account/~/extension?", times=None)
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
        ("101", "no extension has the number 101"),
        ("102", "no extension has the number 102"),
        ("104", "several extensions have the number 104: "),
        ("9", "no extension has the number 9"),
    ):
        done = await cli(*sets, number)
        assert (done.code, says in done.err.splitlines()[-1]) == (2, True), done
    assert cli.writes == []
    assert (await cli(*sets, "103")).code == 0
