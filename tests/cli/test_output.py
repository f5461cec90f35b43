"""How values are written: formulas in CSV, and one module for all that is shown."""

import ast
import csv
import io
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

import aiopresence.cli
from aiopresence.cli.output import disarm_formula
from aiopresence.sandbox import Change
from tests.support.cli_calls import Cli, commanding

FORMULAS = {
    "=1+1": "'=1+1",
    "+1+cmd|' /C calc'!A0": "'+1+cmd|' /C calc'!A0",
    "-2+3": "'-2+3",
    "@SUM(A1)": "'@SUM(A1)",
    " =1+1": "' =1+1",
    '"=1+1"': '\'"=1+1"',
    "\uff1d1+1": "'\uff1d1+1",
    "a;=1+1": "a;'=1+1",
    "+1 (650) 555-0100": "'+1 (650) 555-0100",
}
PLAIN = (
    "",
    "-1.5",
    "+16505550100",
    "101",
    "Back at 3 - call me",
    "a=b",
    "山田 太郎",
    "x@example.com",
)


@pytest.fixture
async def cli(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AsyncIterator[Cli]:
    async with commanding(monkeypatch, tmp_path) as cli:
        yield cli


@pytest.mark.parametrize("text", FORMULAS)
async def test_csv_has_no_formulas_but_where_asked_for(cli: Cli, text: str) -> None:
    cli.sandbox.set_presence("~", message=text)
    for output, expected in (("csv", FORMULAS[text]), ("csv-raw", text)):
        done = await cli("read", "~", "--output", output)
        [row] = csv.DictReader(io.StringIO(done.out))
        assert row["message"] == expected
    done = await cli("read", "~", "--output", "json")
    assert json.loads(done.out)[0]["presence"]["message"] == text


@pytest.mark.parametrize("text", PLAIN)
def test_what_is_no_formula_stays(text: str) -> None:
    assert disarm_formula(text) == text


async def test_whoami_as_json_is_escaped_and_lossless(cli: Cli) -> None:
    name = "\x1b]52;c;aGk=\x07\x9b2J\u202e山田\u3000太郎 👩\u200d👧"

    def renamed(body: bytes) -> bytes:
        return json.dumps({**json.loads(body), "name": name}).encode()

    cli.sandbox.faults.add(Change(renamed), path="/extension/~", times=None)
    done = await cli("whoami", "--output", "json")
    assert (done.code, done.err) == (0, "Logged in with the JWT in the environment.\n")
    assert json.loads(done.out)["name"] == name
    assert not {*"\x1b\x07\x9b\u202e"} & {*done.out}
    assert "山田\u3000太郎 👩\u200d👧" in done.out


def test_nothing_is_printed_past_the_module_for_it() -> None:
    for path in Path(aiopresence.cli.__file__).parent.glob("*.py"):
        if path.name == "console.py":
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                called = ast.unparse(node.func)
                assert called not in ("print", "typer.echo", "typer.secho"), path.name
                assert not called.startswith(("sys.stdout.write", "sys.stderr.write")), path.name


async def test_a_number_matches_no_extension_without_one(cli: Cli) -> None:
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
