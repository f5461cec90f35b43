"""Fail each test that shows a secret: a plugin of pytest, `pytest -p tests.support.canaries`.

Secrets are recognised in two ways. Those that a sandbox makes have a marker in them, such as
"SandboxToken", wherever they are. All others are known from the moment at which they are registered
with a session's `Redactor`, and those of servers and dashboards by `register`.

Whatever is shown during a test goes to `see`: log records of all levels, also when nothing listens
to them; what is printed, also by child processes; errors that a test expects, with the local
variables of the package's own frames; arguments of hooks; responses of dashboards; and what Redis
holds at the end. Each text is kept, and searched once, when the test has ended, for
every form that a secret may have. A test that shows secrets on purpose is marked `shows_secrets`.

PYTEST_DONT_REWRITE: this module is imported by others before pytest loads it.
"""

import asyncio
import logging
import subprocess
import sys
from base64 import b64encode
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from functools import lru_cache
from inspect import iscoroutine
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any
from urllib.parse import quote

import aiohttp.log
import attrs
import pytest
from _pytest.raises import RaisesExc

import aiopresence
from aiopresence import PresenceError
from aiopresence.redaction import Redactor
from aiopresence.transport.instrumentation import Instrumentation

# What the secrets of every sandbox have in them.
MARKERS = (
    "SandboxToken",
    "SandboxRefresh",
    "SandboxWsToken",
    "SandboxCode",
    "NotASecret",
    "NotASignature",
)
# Shorter secrets are words of good texts, such as "token".
MIN_LENGTH = 16
# Longer collections, as of the records of a directory, are not looked into.
_MAX_ITEMS = 1000
_MAX_KEPT = 4 * 1024 * 1024
_LOGGERS = ("aiopresence", "aiohttp", "asyncio")
_PACKAGE = str(Path(aiopresence.__file__).parent)
_SANDBOX = str(Path(_PACKAGE, "sandbox"))


@lru_cache(1000)
def forms(secret: str) -> dict[str, str]:
    """Return what shows a secret, with the name of the form."""
    data = secret.encode("utf-8", "surrogatepass")
    texts = {
        quote(data, safe=""): "percent-encoded",
        secret: "as it is",
        secret[::-1]: "reversed",
        "".join(f"%{byte:02X}" for byte in data): "percent-encoded",
        "".join(f"%{byte:02x}" for byte in data): "percent-encoded",
        data.hex(): "hexadecimal",
        data.hex().upper(): "hexadecimal",
    }
    for before in range(3):  # bytes before it in the group of three, as in "client_id:secret"
        digits = b64encode(bytes(before) + data).decode().rstrip("=")
        inner = digits[-(-before * 8 // 6) : (before + len(data)) * 8 // 6]
        texts |= {inner: "base64", inner.translate({43: "-", 47: "_"}): "base64"}
    return texts


@attrs.define
class Watch:
    """What was shown during a test, and the secrets that must not have been.

    Attributes:
        secrets: the secrets without a marker.
        texts: what was shown, each text once, and where first.
        found: what was found.
    """

    secrets: set[str] = attrs.field(factory=set)
    texts: dict[str, str] = attrs.field(factory=dict)
    found: list[str] = attrs.field(factory=list)
    _size: int = 0

    def register(self, secret: str) -> None:
        """Look for a secret, unless it is too short or has a marker."""
        if len(secret) >= MIN_LENGTH and not any(marker in secret for marker in MARKERS):
            self.secrets.add(str(secret))

    def see(self, place: str, text: str) -> None:
        """Keep a text that was shown."""
        if text in self.texts:
            return
        self.texts[text] = place
        self._size += len(text)
        if self._size > _MAX_KEPT:
            self.search()

    def search(self) -> None:
        """Search what was kept, and forget it."""
        texts, self.texts, self._size = self.texts, {}, 0
        whole = "\n".join(texts)
        for secret in (*MARKERS, *self.secrets):
            for form, name in forms(secret).items():
                if form in whole:
                    places = sorted({place for text, place in texts.items() if form in text})
                    self.found.append(f"{secret[:14]}… {name} in {', '.join(places)}")

    def see_error(self, place: str, error: BaseException) -> None:
        """Keep all that a log, a debugger or an error tracker would show of an exception."""
        seen: set[int] = set()
        queue: list[BaseException | None] = [error]
        while queue:
            each = queue.pop()
            if each is None or id(each) in seen:
                continue
            seen.add(id(each))
            queue += [each.__cause__, each.__context__, *getattr(each, "exceptions", ())]
            notes = getattr(each, "__notes__", "")
            self.see(place, f"{each} {each!r} {getattr(each, '__dict__', '')!r} {notes}")
            for frame in _frames(each.__traceback__):
                for value in frame.f_locals.values():
                    self.see(f"the local variables of {place}", _shown(value))


def _frames(trace: TracebackType | None) -> Iterator[FrameType]:
    """Yield the frames in the package."""
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if file.startswith(_PACKAGE) and not file.startswith(_SANDBOX):
            yield trace.tb_frame
        trace = trace.tb_next


def _shown(value: object) -> str:
    if isinstance(value, (list, tuple, dict, set, frozenset)) and len(value) > _MAX_ITEMS:
        return ""
    try:
        return repr(value)
    except Exception as error:  # such as an object that is half made
        return type(error).__name__


_watch = Watch()


def register(secret: str) -> None:
    """Look for a secret in what the present test shows."""
    _watch.register(secret)


def see(place: str, text: str | bytes | None) -> None:
    """Search a text at the end of the present test; ignore it in a program that runs no tests.

    Args:
        place: where it was shown, for the message.
        text: the text; bytes as a terminal would show them.
    """
    if text and getattr(Redactor, "is_watched", False):
        shown = text if isinstance(text, str) else text.decode("utf-8", "replace")
        _watch.see(place, shown)


def see_response(place: str, headers: Mapping[str, str], body: object = None) -> None:
    """Search a response of a server of ours at the end of the present test."""
    see(place, f"{dict(headers)}")
    see(place, body if isinstance(body, (str, bytes)) else None)


class _Logger(logging.Logger):
    """A logger that shows everything to `see`, and what it is set to its handlers."""

    def isEnabledFor(self, level: int) -> bool:  # noqa: N802 - logging's name
        return True

    def _log(
        self, level: int, msg: object, args: Any, exc_info: Any = None, *rest: Any, **options: Any
    ) -> None:
        error = exc_info[1] if isinstance(exc_info, tuple) else exc_info
        error = sys.exception() if error is True else error
        if isinstance(error, BaseException):
            _watch.see_error(f"the log {self.name}", error)
        one = args[0] if len(args) == 1 and isinstance(args[0], Mapping) and args[0] else args
        _watch.see(f"the log {self.name}", str(msg) % one if args else str(msg))
        if super().isEnabledFor(level):
            options["stacklevel"] = options.get("stacklevel", 1) + 1  # without this frame
            super()._log(level, msg, args, exc_info, *rest, **options)


def _watch_logs() -> None:
    for name in ("aiopresence", aiohttp.log.client_logger.name, "asyncio"):
        logging.getLogger(name).__class__ = _Logger
    for name, logger in [*logging.root.manager.loggerDict.items()]:
        if isinstance(logger, logging.Logger) and name.split(".")[0] in _LOGGERS:
            logger.__class__ = _Logger


def _wrap(owner: Any, name: str, look: Callable[..., None]) -> None:
    """Show what a method returns, and its arguments, to a function."""
    original = getattr(owner, name)

    def method(*args: Any, **options: Any) -> Any:
        result = original(*args, **options)
        if iscoroutine(result):
            return _looked_at(result, look)
        look(result, *args, **options)
        return result

    setattr(owner, name, method)


async def _looked_at(result: Any, look: Callable[..., None]) -> Any:
    value = await result
    look(value)
    return value


def _output(result: Any, *_: Any, **__: Any) -> None:
    for text in result:
        see("the output", text)


def _error(_result: Any, _raises: Any, _kind: Any, error: Any, trace: Any) -> None:
    # Others are raised by libraries that a test uses itself.
    if isinstance(error, PresenceError) or next(_frames(trace), None) is not None:
        _watch.see_error("an error", error)


def _hook(_result: Any, _self: Any, name: str, argument: Any) -> None:
    see(f"the argument of {name}", f"{argument!r} {getattr(argument, 'path', '')}")
    if (error := getattr(argument, "error", None)) is not None:
        _watch.see_error(f"the error of {name}", error)


def pytest_configure(config: pytest.Config) -> None:
    """Watch everything from now on."""
    config.addinivalue_line("markers", "shows_secrets(reason): the test shows secrets on purpose")
    if getattr(Redactor, "is_watched", False):
        return  # by a run of pytest around this one
    Redactor.is_watched = True  # type: ignore[attr-defined] # of this module alone
    _watch_logs()
    _wrap(Redactor, "add", lambda _result, _self, secret: register(secret))
    _wrap(Instrumentation, "_call", _hook)
    _wrap(RaisesExc, "__exit__", _error)
    _wrap(pytest.CaptureFixture, "readouterr", _output)
    _wrap(subprocess.Popen, "communicate", _output)
    _wrap(asyncio.subprocess.Process, "communicate", _output)


def pytest_warning_recorded(warning_message: Any) -> None:
    """Look at a warning."""
    see("a warning", str(warning_message.message))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Begin a test: forget the secrets of the last one."""
    _watch.secrets, _watch.texts, _watch.found = set(), {}, []


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None]:
    """End a test: it fails if it has shown a secret."""
    yield
    for when, kind, text in _sections(item):
        see(f"the captured {kind} of its {when}", text)
    _watch.search()
    if _watch.found and item.get_closest_marker("shows_secrets") is None:
        pytest.fail("the test has shown secrets: " + "; ".join(_watch.found), pytrace=False)


def _sections(item: pytest.Item) -> Iterable[tuple[str, str, str]]:
    return item._report_sections
