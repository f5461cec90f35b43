"""Output formats: formulas in CSV, escaped JSON, and one module that writes."""

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
async def test_csv_disarms_formulas_and_csv_raw_does_not(cli: Cli, text: str) -> None:
    cli.sandbox.set_presence("~", message=text)
    for output, expected in (("csv", FORMULAS[text]), ("csv-raw", text)):
        done = await cli("read", "~", "--output", output)
        [row] = csv.DictReader(io.StringIO(done.out))
        assert row["message"] == expected
    done = await cli("read", "~", "--output", "json")
    assert json.loads(done.out)[0]["presence"]["message"] == text


@pytest.mark.parametrize("text", PLAIN)
def test_other_text_is_left_as_it_is(text: str) -> None:
    assert disarm_formula(text) == text


async def test_escaped_json_is_lossless(cli: Cli) -> None:
    name = "\x1b]52;c;aGk=\x07\x9b2J\u202e山田\u3000太郎 👩\u200d👧"

    def renamed(body: bytes) -> bytes:
        return json.dumps({**json.loads(body), "name": name}).encode()

    cli.sandbox.faults.add(Change(renamed), path="/extension/~", times=None)
    done = await cli("whoami", "--output", "json")
    assert (done.code, done.err) == (0, "Logged in with the JWT in the environment.\n")
    assert json.loads(done.out)["name"] == name
    assert not {*"\x1b\x07\x9b\u202e"} & {*done.out}
    assert "山田\u3000太郎 👩\u200d👧" in done.out


def test_only_console_writes_to_the_standard_streams() -> None:
    for path in Path(aiopresence.cli.__file__).parent.glob("*.py"):
        if path.name == "console.py":
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                called = ast.unparse(node.func)
                assert called not in ("print", "typer.echo", "typer.secho"), path.name
                assert not called.startswith(("sys.stdout.write", "sys.stderr.write")), path.name
