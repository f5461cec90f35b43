"""README's examples run, and what it says of them is what happens."""

import asyncio
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import aiopresence
from aiopresence import PresenceSession, errors
from aiopresence.auth_advice import ADVICE
from aiopresence.cli.app import COMMANDS
from aiopresence.presence_api import PresenceApi
from aiopresence.sandbox import Sandbox

README = (Path(__file__).parents[1] / "README.md").read_text()
EXAMPLES = re.findall(r"^```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
# Those that are files of a reader's own tests.
FILE = re.compile(r"^<!-- (\w+\.py) -->\n```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
FILES = dict(FILE.findall(README))
FROM_ENV = [example for example in EXAMPLES if "from_env" in example]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Examples may leave files behind."""
    monkeypatch.chdir(tmp_path)


def run(code: str, **environment: str) -> list[str]:
    done = subprocess.run(  # noqa: S603 - our own examples
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, **environment},
    )
    assert done.stderr == ""
    return done.stdout.splitlines()


ALONE = [n for n, e in enumerate(EXAMPLES) if e not in FROM_ENV and e not in FILES.values()]


@pytest.mark.parametrize("number", ALONE)
def test_an_example_runs_without_an_account(number: int) -> None:
    assert run(EXAMPLES[number])


def test_the_codes_of_refused_logins_are_those_of_the_messages() -> None:
    rows = re.findall(r"^\| (`[A-Z]{3}-[0-9].*?) \| (.*) \|$", README, re.MULTILINE)
    table = {code: advice for codes, advice in rows for code in re.findall("`(.*?)`", codes)}
    assert table == ADVICE


def test_the_test_of_a_reader_passes(tmp_path: Path) -> None:
    assert set(FILES) == {"conftest.py", "test_bot.py"}
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    done = subprocess.run(  # noqa: S603 - our own examples
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)],
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stdout
    assert "1 passed" in done.stdout


def test_every_command_is_in_the_readme_and_every_picture_there_is() -> None:
    for function, _ in COMMANDS:
        assert f"`{function.__name__.strip('_').replace('_', '-')}" in README
    for picture in re.findall(r"!\[.*?\]\((.*?)\)", README):
        assert (Path(__file__).parents[1] / picture).is_file()


def test_the_examples_pass_a_strict_type_check(tmp_path: Path) -> None:
    for number, example in enumerate(EXAMPLES):
        (tmp_path / f"example{number}.py").write_text(example)
    cache = Path(aiopresence.__file__).parents[1] / ".mypy_cache"
    done = subprocess.run(  # noqa: S603 - our own examples
        [sys.executable, "-m", "mypy", "--strict", f"--cache-dir={cache}", str(tmp_path)],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout


def test_the_first_example_does_what_is_said_of_it() -> None:
    assert "prints 97 lines" in README
    assert "Five requests were sent: four batches and one for `~`" in README
    lines = run(EXAMPLES[0] + "\n")
    assert len(lines) == 97
    assert lines[95].startswith("999 HTTP 404: CMN-102")
    counted = run(
        EXAMPLES[0].replace(
            "for outcome in", "print(session.stats.requests)\n        for outcome in"
        )
    )
    assert counted[0] == "5"


async def test_your_own_account_takes_four_environment_variables() -> None:
    names = re.findall(r"^export (\w+)=", README, re.MULTILINE)
    async with Sandbox() as sandbox:
        values = (sandbox.url, sandbox.client_id, sandbox.client_secret, sandbox.jwt)
        environment = dict(zip(names, values, strict=True))
        [line] = await asyncio.to_thread(run, FROM_ENV[0], **environment)
        assert line.split()[0] == sandbox.presence("~")["presenceStatus"]


NOT_FOR_THE_TABLE = {"PresenceError", "SessionLost"}


def test_every_error_and_every_way_to_ask_is_in_the_readme() -> None:
    kinds = {n for n in aiopresence.__all__ if n in vars(errors)} - NOT_FOR_THE_TABLE
    assert {name for name in kinds if f"`{name}`" not in README} == set()
    calls = {name for name in vars(PresenceApi) if not name.startswith("update_")}
    names = {*calls, "update_user_presence_statuses", *vars(PresenceSession)} - {"close"}
    spelled_short = {"iter_user_presence_statuses", "iter_unified_presences"}
    assert {
        name for name in names - spelled_short if not name.startswith("_") and name not in README
    } == set()
