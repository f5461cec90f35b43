"""Shell commands in the documents name commands, options and files that exist."""

import importlib.util
import re
import shlex
from pathlib import Path

import pytest
from typer.main import get_command

from aiopresence.cli.app import app
from tests.support.documents import DOCUMENTS, ROOT, TEXT

SHELL = re.compile(r"^```sh\n(.*?)^```$", re.M | re.S)
INLINE = re.compile(r"`(aiopresence [^`]+)`")
COMMANDS = get_command(app).commands  # type: ignore[attr-defined]


def check(line: str) -> None:
    """Check one command; AssertionError if it cannot be typed so, or is of an unknown kind."""
    words = shlex.split(line, comments=True)
    program, *rest = words
    program = program.removeprefix(".venv/bin/").removeprefix("./")
    if program == "aiopresence":
        check_own(rest)
    elif program in ("python", "python3"):
        check_python(rest)
    elif program in ("pip", "pytest", "ruff", "mypy", "pre-commit"):
        check_tool(program, rest)
    elif program == "gunicorn":
        module = rest[0].partition(":")[0]
        assert [*(ROOT / "tests/recipes").rglob(f"{module}.py")], line
    elif program == "curl":
        assert rest[0].startswith("http://127.0.0.1:8000/"), line
    elif program == "export":
        assert re.fullmatch(r"\w+=\S+", rest[0]), line
    elif program == ".":
        assert rest[0].endswith(".venv/bin/activate"), line
    else:
        assert (ROOT / program).is_file(), f"unknown command: {line}"


def check_own(words: list[str]) -> None:
    flags = {"--help", "-h", "--version", "--install-completion", "--show-completion"}
    while words[0] in ("-v", "-vv"):
        words = words[1:]
    if words[0] in flags:
        return
    assert words[0] in COMMANDS, words
    known = {o for p in COMMANDS[words[0]].params for o in (*p.opts, *p.secondary_opts)}
    assert {w.partition("=")[0] for w in words if w.startswith("-")} <= known | flags | {"-vv"}, (
        words
    )


def check_python(words: list[str]) -> None:
    if words[0] != "-m":
        assert (ROOT / words[0]).is_file(), words
    elif words[1] in ("pip", "pytest"):
        check_tool(words[1], words[2:])
    elif words[1] != "venv":
        assert importlib.util.find_spec(words[1]) is not None, words


def check_tool(program: str, words: list[str]) -> None:
    if program != "pip":
        return
    assert words[0] == "install", words
    metadata = (ROOT / "pyproject.toml").read_text()
    for word in words[1:]:
        if extra := re.fullmatch(r"(?:\.|aiopresence)\[(\w+)\]", word):
            assert re.search(rf"^{extra[1]} = \[", metadata, re.M), words
        elif not re.fullmatch(r"\.|/path/to/the/checkout|-[qUe]+|pre-commit", word):
            # What examples import is installed for the tests.
            assert re.search(rf'"{re.escape(word)}[">=]', metadata), words


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_commands_and_options_exist(path: Path) -> None:
    lines = [line for block in SHELL.findall(TEXT[path]) for line in block.splitlines()]
    for line in lines:
        for command in line.split(" && "):
            check(command)
    for command in INLINE.findall(TEXT[path]):
        check(command.replace("…", "X"))


def test_every_command_is_in_the_guide() -> None:
    cli = TEXT[ROOT / "aiopresence/docs/cli.md"]
    assert {name for name in COMMANDS if f"`{name}" not in cli} == set()
