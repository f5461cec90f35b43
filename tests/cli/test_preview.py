"""Long tables on a terminal: the first rows and a count by status, or every row."""

import asyncio
import json
import re
from pathlib import Path

import pytest

from aiopresence.sandbox import Sandbox
from tests.support.cli_calls import credentials, invoke, lead
from tests.support.sessions import PLENTY
from tests.support.terminal import Terminal, environment

HINT = "more rows. Use --all, or pipe the output, to print every row."


def lines_on_terminal(*arguments: str, env: dict[str, str]) -> tuple[int, list[str]]:
    with Terminal(*arguments, env=env, size=(150, 60)) as terminal:
        code = terminal.end()
        return code, terminal.text.splitlines()


@pytest.mark.parametrize("command", ["read", "account", "unified"])
def test_a_long_table_has_ten_rows_and_a_count_by_availability(
    tmp_path: Path, command: str
) -> None:
    code, lines = lines_on_terminal(command, "--sandbox", "1000", env=environment(tmp_path))
    header, *rows, hint, counts, summary = lines
    assert (code, len(rows), header.split()[0]) == (
        0,
        10,
        "ID" if command == "unified" else "NUMBER",
    )
    assert hint == f"… 990 {HINT}"
    assert counts.startswith("1,000 extensions: ")
    assert sum(int(n.replace(",", "")) for n in re.findall(r"[:,] ([0-9,]+) [a-z]", counts)) == 1000
    assert summary.startswith("Read 1,000 extensions in ")


def test_every_row_is_printed_with_all_and_in_other_formats(tmp_path: Path) -> None:
    env = environment(tmp_path)
    _, lines = lines_on_terminal("read", "--sandbox", "30", "--all", env=env)
    assert len(lines) == 32
    _, lines = lines_on_terminal("read", "--sandbox", "30", "--output", "csv", env=env)
    assert len(lines) == 32


def test_every_row_is_printed_in_a_pipe(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    lead(monkeypatch, tmp_path, {})
    assert len(invoke("read", "--sandbox", "30").out.splitlines()) == 31
    assert json.loads(invoke("read", "--sandbox", "30", "-o", "json").out)[29]["id"]


def test_a_table_of_at_most_twenty_rows_is_complete(tmp_path: Path) -> None:
    for arguments in (("read", "--sandbox", "20"), ("account", "--sandbox", "20")):
        code, lines = lines_on_terminal(*arguments, env=environment(tmp_path))
        assert (code, len(lines)) == (0, 22)
        assert not any("more rows" in line for line in lines)
    _, lines = lines_on_terminal("read", "--sandbox", "21", env=environment(tmp_path))
    assert lines[11] == f"… 11 {HINT}"


async def test_errors_in_hidden_rows_are_counted_by_status(tmp_path: Path) -> None:
    async with Sandbox(40, limits=PLENTY) as sandbox:
        env = environment(tmp_path, **credentials(sandbox))
        ids = (*sandbox.extension_ids, "998", "999")
        code, lines = await asyncio.to_thread(lines_on_terminal, "read", *ids, env=env)
    assert code == 1
    assert lines[-2].startswith("42 extensions: ")
    assert lines[-2].endswith(", 2 errors (2 HTTP 404)")
    assert lines[-1].endswith(", 2 failed.")
