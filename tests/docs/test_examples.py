"""Every example in the documents runs, and passes the checks that our own code passes."""

import logging
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest

from aiopresence.sandbox import Sandbox
from tests.support.documents import EXAMPLES, PROGRAMS, QUOTED, ROOT, TEXT, Example, files, run
from tests.support.redis_servers import redis_server

# pytest-asyncio warns in projects that have not set it.
OPTIONS = ("-p", "no:cacheprovider", "-o", "asyncio_default_fixture_loop_scope=function")


@pytest.fixture(scope="module")
def account() -> Iterator[Sandbox]:
    """An account for the examples that need one, in which something happens."""
    with Sandbox.in_thread(extensions=20, window=1.0) as sandbox, sandbox.simulate(rate=200):  # type: ignore[attr-defined]
        yield sandbox


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Examples may leave files behind, and configure logging."""
    monkeypatch.chdir(tmp_path)
    loggers = [logging.getLogger(name) for name in (None, "aiopresence", "asyncio")]
    before = [(each, each.level, each.handlers[:], each.propagate) for each in loggers]
    yield
    for logger, level, handlers, propagate in before:
        logger.setLevel(level)
        logger.handlers[:] = handlers
        logger.propagate = propagate


def test_there_are_examples_in_readme_and_guides() -> None:
    where = {each.document.name for each in EXAMPLES}
    assert {"README.md", "quickstart.md", "live.md", "webhooks.md", "testing.md"} <= where
    # A block that the pattern does not find would not be tested.
    fences = sum(len(re.findall("^ *```python", text, re.M)) for text in TEXT.values())
    assert len(EXAMPLES) == fences


@pytest.mark.parametrize("example", PROGRAMS, ids=lambda each: each.name)
def test_a_program_runs_and_prints_something(
    example: Example,
    account: Sandbox,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("RC_SERVER_URL", account.url)
    monkeypatch.setenv("RC_APP_CLIENT_ID", account.client_id)
    monkeypatch.setenv("RC_APP_CLIENT_SECRET", account.client_secret)
    monkeypatch.setenv("RC_USER_JWT", account.jwt)
    with redis_server() if "REDIS" in example.code else nullcontext() as redis:
        if redis is not None:
            monkeypatch.setenv("REDIS_URL", redis.url)
        run(example)
    assert capsys.readouterr().out or [*Path().iterdir()]


@pytest.mark.parametrize("example", QUOTED, ids=lambda each: str(each.file))
def test_a_quoted_file_is_quoted_in_full(example: Example) -> None:
    assert example.file is not None
    assert example.code == (ROOT / example.file).read_text()


@pytest.mark.parametrize("document", files(), ids=lambda path: path.stem)
def test_test_files_pass_in_a_project_of_their_own(document: Path, tmp_path: Path) -> None:
    written = files()[document]
    for name, text in written.items():
        (tmp_path / name).write_text(text)
    done = subprocess.run(  # noqa: S603 - our own examples
        [sys.executable, "-W", "error", "-m", "pytest", "-q", *OPTIONS, tmp_path],
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stdout
    tests = sum(len(re.findall(r"^(?:async )?def test_", text, re.M)) for text in written.values())
    assert f"{tests} passed" in done.stdout


def test_examples_pass_mypy_and_ruff(tmp_path: Path) -> None:
    for each in PROGRAMS:
        (tmp_path / f"{each.name.lower().replace('-', '_')}.py").write_text(each.code)
    names = Counter(name for written in files().values() for name in written)
    assert max(names.values()) == 1, "file names are used once in all documents"
    for written in files().values():
        for name, text in written.items():
            (tmp_path / name).write_text(text)
    ruff = [sys.executable, "-m", "ruff", "--isolated", "--config", "line-length = 100"]
    own = 'lint.isort.known-first-party = ["aiopresence"]'
    commands: list[list[str | Path]] = [
        # With the project's options, which are strict, and so with its cache.
        [sys.executable, "-m", "mypy", tmp_path],
        [*ruff, "--config", own, "check", "--select=E,F,I,UP,B", tmp_path],
        [*ruff, "format", "--check", "--diff", tmp_path],
    ]
    for command in commands:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)  # noqa: S603
        assert done.returncode == 0, done.stdout
