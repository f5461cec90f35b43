"""The plugin that looks for secrets in the output of every test finds each form in each place."""

import os
import re
import subprocess
import sys
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable
from pathlib import Path
from subprocess import PIPE
from urllib.parse import quote

import pytest

from tests.support.canaries import MARKERS, Watch

# With bytes that the two alphabets of base64 spell differently, and characters that URLs escape.
SECRET = "kU9>>>ö???/a secret of a test"
FORMS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "reversed": lambda text: text[::-1],
    "percent-encoded": lambda text: quote(text, safe=""),
    "all percent-encoded": lambda text: "".join(f"%{byte:02x}" for byte in text.encode()),
    "hexadecimal": lambda text: text.encode().hex(),
    "upper-case hexadecimal": lambda text: text.encode().hex().upper(),
    "base64": lambda text: b64encode(text.encode()).decode(),
    "base64 of a pair": lambda text: b64encode(f"id:{text}".encode()).decode(),
    "base64 of another pair": lambda text: b64encode(f"id1:{text}:".encode()).decode(),
    "base64 for URLs": lambda text: urlsafe_b64encode(f"{text}.".encode()).decode(),
}


def found(text: str, *secrets: str) -> bool:
    watch = Watch()
    for secret in secrets:
        watch.register(secret)
    watch.see("a place", f"so {text} it is")
    watch.search()
    return bool(watch.found)


@pytest.mark.parametrize("form", FORMS)
def test_a_secret_is_found_in_each_form(form: str) -> None:
    assert found(FORMS[form](SECRET), SECRET)
    assert not found(FORMS[form](SECRET), "another secret of a test")
    for marker in MARKERS:
        assert found(FORMS[form](f"{marker}0123"))


def test_a_word_is_no_secret() -> None:
    assert not found("a token", "token", "")


LEAKS = """
import asyncio, logging, subprocess, sys
import pytest
from aiopresence import PresenceSession, SessionHooks, UsageError
from aiopresence.redaction import Redactor
from aiopresence.transport.clock import Clock
from aiopresence.transport.instrumentation import Instrumentation
from tests.support import canaries
from tests.support.terminal import Done

TEXT = "SandboxToken0123"
CHILD = "print('SandboxToken' + '0123')"

class Hooks(SessionHooks):
    def on_event(self, event): pass

def in_a_debug_log(): logging.getLogger("aiopresence").debug("x %s", TEXT)
def in_a_log_of_aiohttp(): logging.getLogger("aiohttp.client").debug("x %(a)s", {"a": TEXT})
def in_a_log_of_asyncio(): logging.getLogger("asyncio").info(TEXT)
def in_a_logged_exception():
    try:
        raise ValueError(TEXT)
    except ValueError:
        logging.getLogger("aiopresence").exception("failed")
def on_stdout(): print(TEXT)
def on_stderr(): print(TEXT, file=sys.stderr)
def of_a_child(): subprocess.run([sys.executable, "-Sc", CHILD], stdout=subprocess.PIPE)
def of_a_child_of_asyncio():
    async def main():
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-Sc", CHILD, stdout=subprocess.PIPE)
        await process.communicate()
    asyncio.run(main())
def of_a_command(): Done(0, "", TEXT)
def in_an_error():
    with pytest.raises(UsageError):
        raise UsageError(TEXT)
def in_a_cause():
    with pytest.raises(UsageError):
        try:
            raise ValueError(TEXT)
        except ValueError as error:
            raise UsageError("x") from error
def in_a_note():
    error = UsageError("x")
    error.add_note(TEXT)
    with pytest.raises(UsageError):
        raise error
def in_a_local_variable():
    with pytest.raises(UsageError):
        PresenceSession("token", server=TEXT)
def for_a_hook(): Instrumentation(Hooks(), Clock())._call("on_event", TEXT)
def that_is_registered():
    Redactor().add("a secret of another kind")
    print("a secret of another kind")
def of_a_server():
    canaries.register("the password of a server")
    canaries.see("a key of Redis", b"x:the password of a server")

LEAKS = [value for value in [*vars().values()] if getattr(value, "__module__", "") == __name__
         and type(value) is type(on_stdout)]

@pytest.mark.parametrize("leak", LEAKS, ids=lambda leak: leak.__name__)
def test_leak(leak): leak()

def test_captured(capsys):
    print(TEXT)
    assert capsys.readouterr().out

@pytest.mark.shows_secrets("on purpose")
def test_marked(): print(TEXT)

def test_nothing_is_left_of_the_tests_before(caplog):
    logging.getLogger("aiopresence").debug("a secret of another kind")
    assert caplog.records == []
"""


# Its summary has the beginning of the secret where lines are not cut, as on a CI server.
@pytest.mark.shows_secrets("the summary of the tests that fail")
def test_a_secret_fails_the_test_that_shows_it_in_each_place(tmp_path: Path) -> None:
    (tmp_path / "test_leaks.py").write_text(LEAKS)
    root = Path(__file__).parent.parent
    options = ["-p", "tests.support.canaries", "-p", "no:cacheprovider", "-c", os.devnull, "-rA"]
    done = subprocess.run(  # noqa: S603 - our own code
        [sys.executable, "-m", "pytest", *options, "--tb=no", "--show-capture=no", str(tmp_path)],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        stderr=subprocess.DEVNULL,
        stdout=PIPE,
        check=False,
    )
    results = re.findall(
        r"^(PASSED|ERROR|FAILED) .*::test_(\S+)", done.stdout.decode(), re.MULTILINE
    )
    by_result = {kind: {name for k, name in results if k == kind} for kind, _ in results}
    leaks = {
        f"leak[{name}]" for name in re.findall(r"^def ((?:in|on|of|for|that)_\w+)", LEAKS, re.M)
    }
    good = {"marked", "nothing_is_left_of_the_tests_before"}
    assert len(leaks) == 16
    # The body of each test passes, and its end fails if it has shown a secret.
    assert by_result == {"ERROR": {*leaks, "captured"}, "PASSED": {*leaks, "captured", *good}}
