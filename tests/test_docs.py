"""Every example, command, name and link in the documents works."""

import importlib.util
import inspect
import json
import logging
import re
import shlex
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from enum import EnumType
from pathlib import Path
from types import ModuleType

import attrs
import pytest
from typer.main import get_command

import aiopresence
from aiopresence import (
    BatchResult,
    GroupLimits,
    Outcome,
    PresenceBoard,
    PresenceSession,
    errors,
    filters,
)
from aiopresence.auth_advice import ADVICE
from aiopresence.cli.app import app
from aiopresence.sandbox import Faults, GatewayControl, Sandbox, WebhookControl, plugin
from aiopresence.webhooks import WebhookReceiver, WebhookSubscription

ROOT = Path(__file__).parents[1]
GUIDES = sorted((ROOT / "aiopresence/docs").glob("*.md"))
DOCUMENTS = [
    ROOT / "README.md",
    ROOT / "CHANGELOG.md",
    ROOT / "benchmarks/README.md",
    *sorted((ROOT / ".github").glob("*.md")),
    *GUIDES,
]
TEXT = {path: path.read_text() for path in DOCUMENTS}
README = TEXT[ROOT / "README.md"]
# What somebody who only reads README and the guides is told.
EVERYTHING = "\n".join(TEXT[path] for path in [ROOT / "README.md", *GUIDES])

FENCE = re.compile(r"^(?:<!-- (?P<file>\S+\.py) -->\n)?```python\n(?P<code>.*?)^```$", re.M | re.S)
# pytest-asyncio warns in projects that have not set it.
OPTIONS = ("-p", "no:cacheprovider", "-o", "asyncio_default_fixture_loop_scope=function")
SHELL = re.compile(r"^```sh\n(.*?)^```$", re.M | re.S)
INLINE = re.compile(r"`(aiopresence [^`]+)`")
LINK = re.compile(r"\]\((?P<inline>[^)\s]+)\)|^\[[^\]]+\]: (?P<definition>\S+)$", re.M)
HEADING = re.compile(r"^#+ (.*)$", re.M)


@attrs.frozen
class Example:
    """A block of Python in a document.

    Attributes:
        document: where it is.
        number: which one it is there, from 1.
        code: what it says.
        file: the name of the file that it is, or is a part of; None for a program of its own.
    """

    document: Path
    number: int
    code: str
    file: str | None

    @property
    def name(self) -> str:
        return f"{self.document.stem}-{self.number}"


EXAMPLES = [
    Example(path, number, match["code"], match["file"])
    for path, text in TEXT.items()
    for number, match in enumerate(FENCE.finditer(text), 1)
]
PROGRAMS = [each for each in EXAMPLES if each.file is None]
# Files of this repository, shown in full, which have tests of their own.
QUOTED = [each for each in EXAMPLES if each.file is not None and "/" in each.file]


def files() -> dict[Path, dict[str, str]]:
    """Return the test files of each document, in which blocks of the same name are joined."""
    found: dict[Path, dict[str, str]] = {}
    for each in EXAMPLES:
        if each.file is not None and each not in QUOTED:
            parts = found.setdefault(each.document, {})
            parts[each.file] = "\n\n".join(filter(None, [parts.get(each.file), each.code]))
    return found


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
    run(example)
    assert capsys.readouterr().out or [*Path().iterdir()]


def run(example: Example) -> None:
    module = ModuleType("__main__")
    code = compile(example.code, f"{example.document}, example {example.number}", "exec")
    exec(code, vars(module))  # noqa: S102 - our own examples


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


class TestCommands:
    """Shell commands name commands, options and files that exist."""

    COMMANDS = get_command(app).commands  # type: ignore[attr-defined]
    INSTALLERS = re.compile(r"'?\.\[(\w+)\]'?|\.|/path/to/the/checkout|-[qUe]+|pre-commit")

    def check(self, line: str) -> None:
        """Check one command; AssertionError if it cannot be typed so, or is of an unknown kind."""
        words = shlex.split(line, comments=True)
        program, *rest = words
        program = program.removeprefix(".venv/bin/").removeprefix("./")
        if program == "aiopresence":
            self.check_own(rest)
        elif program in ("python", "python3"):
            self.check_python(rest)
        elif program in ("pip", "pytest", "ruff", "mypy", "pre-commit"):
            self.check_tool(program, rest)
        elif program == "export":
            assert re.fullmatch(r"\w+=\S+", rest[0]), line
        elif program == ".":
            assert rest[0].endswith(".venv/bin/activate"), line
        else:
            assert (ROOT / program).is_file(), f"unknown command: {line}"

    def check_own(self, words: list[str]) -> None:
        flags = {"--help", "-h", "--version", "--install-completion", "--show-completion"}
        if words[0] in flags:
            return
        assert words[0] in self.COMMANDS, words
        known = {o for p in self.COMMANDS[words[0]].params for o in (*p.opts, *p.secondary_opts)}
        assert {w.partition("=")[0] for w in words if w.startswith("-")} <= known | flags, words

    def check_python(self, words: list[str]) -> None:
        if words[0] != "-m":
            assert (ROOT / words[0]).is_file(), words
        elif words[1] in ("pip", "pytest"):
            self.check_tool(words[1], words[2:])
        elif words[1] != "venv":
            assert importlib.util.find_spec(words[1]) is not None, words

    def check_tool(self, program: str, words: list[str]) -> None:
        if program != "pip":
            return
        assert words[0] == "install", words
        extras = [self.INSTALLERS.fullmatch(word) for word in words[1:]]
        assert all(extras), words
        named = {match[1] for match in extras if match is not None and match[1]}
        metadata = (ROOT / "pyproject.toml").read_text()
        assert all(re.search(rf"^{name} = \[", metadata, re.M) for name in named), words

    @pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
    def test_commands_and_options_exist(self, path: Path) -> None:
        lines = [line for block in SHELL.findall(TEXT[path]) for line in block.splitlines()]
        for line in lines:
            for command in line.split(" && "):
                self.check(command)
        for command in INLINE.findall(TEXT[path]):
            self.check(command.replace("…", "X"))

    def test_every_command_is_in_the_guide(self) -> None:
        cli = TEXT[ROOT / "aiopresence/docs/cli.md"]
        assert {name for name in self.COMMANDS if f"`{name}" not in cli} == set()


def public(cls: type) -> set[str]:
    return {name for name in dir(cls) if not name.startswith("_")}


def is_documented(name: str) -> bool:
    return bool(re.search(rf"\b{name}\b", EVERYTHING))


@pytest.mark.parametrize(
    "cls",
    [
        PresenceSession,
        PresenceBoard,
        Outcome,
        BatchResult,
        WebhookReceiver,
        WebhookSubscription,
        Sandbox,
        Faults,
        GatewayControl,
        WebhookControl,
        GroupLimits,
    ],
)
def test_every_public_method_and_property_is_documented(cls: type) -> None:
    inherited = public(dict) | public(tuple)
    called_by_the_server = {"find"}
    names = public(cls) - inherited - called_by_the_server
    assert {name for name in names if not is_documented(name)} == set()


def test_every_argument_of_a_session_and_a_sandbox_is_documented() -> None:
    names = {*inspect.signature(PresenceSession).parameters, *inspect.signature(Sandbox).parameters}
    assert {name for name in names if not is_documented(name)} == set()


def test_every_filter_grant_store_and_fixture_is_documented() -> None:
    functions = inspect.getmembers(filters, inspect.isfunction)
    names = {name for name, each in functions if each.__module__ == filters.__name__}
    names = {name for name in names if not name.startswith("_")}
    names |= {n for n in aiopresence.__all__ if n.endswith(("Grant", "Store", "Hooks"))}
    names |= {*plugin.__all__, "authorize_url", "AccessToken"}
    assert {name for name in names if not is_documented(name)} == set()


def rows(document: str, header: str) -> dict[str, list[str]]:
    """Return the rows of all tables of a guide that begin with a header, by their first cell."""
    text = TEXT[ROOT / "aiopresence/docs" / document]
    tables = re.findall(rf"^\| {header} \|.*\n\|[-|]+\n((?:\|.*\n)+)", text, re.M)
    cells = [line.split("|")[1:3] for table in tables for line in table.splitlines()]
    return {name.strip(" `"): re.findall(r"[^\s,`]+", values) for name, values in cells}


def test_the_guide_lists_the_fields_of_every_record() -> None:
    kinds = {name: getattr(aiopresence, name) for name in aiopresence.__all__}
    records = {
        name: [field.name for field in attrs.fields(kind)]
        for name, kind in kinds.items()
        if attrs.has(kind) and kind.__module__.startswith("aiopresence.models")
    }
    assert rows("records.md", "record") == {
        name: fields for name, fields in records.items() if kinds[name].__name__ == name
    }


def test_the_guide_lists_the_values_of_every_enum() -> None:
    kinds = {name: getattr(aiopresence, name) for name in aiopresence.__all__}
    enums = {n: [*e] for n, e in kinds.items() if isinstance(e, EnumType) and len(e)}
    assert rows("records.md", "enum") == enums


def test_every_public_name_is_documented() -> None:
    names = {name for name in aiopresence.__all__ if not is_documented(name)}
    hooks = "aiopresence.transport.hooks"
    assert {n for n in names if getattr(aiopresence, n).__module__ != hooks} == set()


def test_every_error_is_in_the_guide_and_all_but_groups_in_readme() -> None:
    public_errors = {name for name in aiopresence.__all__ if name in vars(errors)}
    guide = TEXT[ROOT / "aiopresence/docs/errors.md"]
    assert {name for name in public_errors if f"`{name}`" not in guide} - {"PresenceError"} == set()
    groups = {"PresenceError", "TransportError", "ApiError", "BatchError"}
    assert {name for name in public_errors - groups if f"`{name}`" not in README} == set()


def test_the_codes_of_refused_logins_are_those_of_the_messages() -> None:
    guide = TEXT[ROOT / "aiopresence/docs/errors.md"]
    rows = re.findall(r"^\| (`[A-Z]{3}-[0-9].*?) \| (.*) \|$", guide, re.M)
    table = {code: advice for codes, advice in rows for code in re.findall("`(.*?)`", codes)}
    assert table == ADVICE


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(path: Path) -> None:
    prose = FENCE.sub("", TEXT[path])
    for match in LINK.finditer(prose):
        target, _, anchor = (match["inline"] or match["definition"]).partition("#")
        if target.startswith("https://"):
            continue
        to = (path.parent / target).resolve() if target else path
        assert to.exists(), f"{path.name}: {match[0]}"
        if anchor:
            text = to.read_text()
            assert anchor in {slug(each) for each in HEADING.findall(text)}, match[0]


def slug(heading: str) -> str:
    """Return the anchor of a heading, as GitHub makes it."""
    words = re.sub(r"[^\w\- ]", "", heading.strip().lower())
    return words.replace(" ", "-")


# What README quotes of benchmarks/results.json, and in which words.
FIGURES = {
    ("limits", "aiopresence: time over the optimum"): "{:.2f} times the shortest possible time",
    ("growth", "memory for 1,000,000 ids"): "1,000,000 ids needs {:.2f} MB",
    (
        "decoding",
        "30 detailed records: time of ringcentral 0.9.2 over aiopresence's",
    ): "{:.1f} times as fast as by RingCentral's Python SDK",
    ("live", "latency, median"): "within {:.2f} ms (median)",
    (
        "cost",
        "1,000 extensions for an hour: aiopresence's board (counted)",
    ): "a board of 1,000 extensions takes {:.0f} requests",
}


class TestReadme:
    def test_it_is_short(self) -> None:
        assert len((ROOT / "README.md").read_bytes()) <= 9 * 1024

    def test_it_quotes_the_benchmarks_as_they_are(self) -> None:
        rows = json.loads((ROOT / "benchmarks/results.json").read_text())["rows"]
        values = {(row["benchmark"], row["label"]): row["value"] for row in rows}
        for key, words in FIGURES.items():
            assert words.format(values[key]) in README, key
        assert "without a single 429" in README
        assert values["limits", "aiopresence: 429s"] == 0

    def test_the_example_does_what_is_said_of_it(self, capsys: pytest.CaptureFixture[str]) -> None:
        [example] = [each for each in PROGRAMS if each.document.name == "README.md"]
        assert "prints 101 lines, from four requests" in README
        count = "        print(session.stats.requests)\n"
        code = example.code.replace("\n\n\nasyncio.run", f"\n{count}\n\nasyncio.run")
        run(attrs.evolve(example, code=code))
        *lines, last, requests = capsys.readouterr().out.splitlines()
        assert (len(lines), requests) == (100, "4")
        assert last.startswith("999 HTTP 404: CMN-102")

    def test_the_first_command_takes_34_requests(self) -> None:
        assert "in 34 requests:" in README
        command = re.findall(r"^\.venv/bin/aiopresence (.*)$", README, re.M)[0]
        done = subprocess.run(  # noqa: S603 - our own command
            [sys.executable, "-c", "from aiopresence.cli import main; main()", *command.split()],
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0
        assert "1,000 extensions in 34 requests" in done.stderr
