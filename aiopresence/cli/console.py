"""The standard streams. All output of the commands is written here, without control characters."""

import asyncio
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from typing import Any, TextIO

from ..escaping import escaped, json_escaped


def prepare_streams() -> None:
    """Make the standard streams usable if they are closed or have a limited encoding.

    A closed stream is opened on the null device, so that no socket takes its descriptor; characters
    that the encoding of standard output lacks are escaped.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            # This takes the lowest free descriptor, which is the closed one.
            descriptor = os.open(os.devnull, os.O_RDWR)
            setattr(sys, name, os.fdopen(descriptor, mode, encoding="utf-8"))
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def flush_streams() -> None:
    """Flush the standard streams; discard what cannot be written, or Python reports it at exit."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


class _TemporaryLine:
    """A text on the terminal of standard error, until anything else is written."""

    def __init__(self) -> None:
        self._timer: asyncio.TimerHandle | None = None
        self._is_shown = False

    def show_later(self, text: str, seconds: float) -> None:
        """Show a text after some seconds; nothing where there is no terminal."""
        if _can_rewrite():
            self._timer = asyncio.get_running_loop().call_later(seconds, self.show, text)

    def end(self) -> None:
        """Remove the text, or do not show it."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._is_shown:
            self._is_shown = False
            _write_quietly(sys.stderr, "\r\x1b[K")

    def show(self, text: str) -> None:
        """Show a text in place of an earlier one; nothing where there is no terminal."""
        self.end()
        if _can_rewrite():
            self._is_shown = True
            _write_quietly(sys.stderr, text)


def _can_rewrite() -> bool:
    return sys.stderr.isatty() and os.environ.get("TERM") != "dumb"


_line = _TemporaryLine()


@contextmanager
def temporary_line(text: str, seconds: float) -> Iterator[None]:
    """Show a text on the terminal of standard error if nothing is written for some seconds.

    Where there is no terminal nothing is shown.
    """
    _line.show_later(text, seconds)
    try:
        yield
    finally:
        _line.end()


def show_temporary_line(text: str) -> None:
    """Show a text on the terminal of standard error, in place of an earlier temporary line."""
    _line.show(text)


def end_temporary_line() -> None:
    """Remove the text of `temporary_line`: something else is on the terminal now."""
    _line.end()


def print_line(text: str) -> None:
    """Write one line to standard output and flush it.

    Raises:
        OSError: it cannot be written.
    """
    _print(escaped(text))


def print_json(text: str) -> None:
    """Write JSON to standard output and flush it.

    Raises:
        OSError: it cannot be written.
    """
    _print(json_escaped(text))


def print_styled(text: Any) -> None:
    """Write a rich Text, whose parts are escaped already, to the terminal on standard output.

    Raises:
        OSError: it cannot be written.
    """
    end_temporary_line()
    terminal().print(text, soft_wrap=True)


def print_notice(text: str) -> None:
    """Write one line to standard error, if that is possible."""
    end_temporary_line()
    _write_quietly(sys.stderr, escaped(text) + "\n")


@contextmanager
def output_is_optional() -> Iterator[None]:
    """Report output that cannot be written as a notice: what the command did remains done."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        flush_streams()
        print_notice(f"aiopresence: done, but {error}")


@cache
def terminal() -> Any:
    """Return the rich Console of standard output: a single one, so that rows stay above a bar."""
    from rich.console import Console

    return Console(highlight=False)


def _print(text: str) -> None:
    if terminal.cache_info().currsize and sys.stdout.isatty():
        from rich.text import Text

        print_styled(Text(text))
        return
    end_temporary_line()
    try:
        _write(sys.stdout, text + "\n")
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OSError(f"cannot write to standard output: {error.strerror}") from None


def _write(stream: TextIO, text: str) -> None:
    stream.write(text)
    stream.flush()


def _write_quietly(stream: TextIO, text: str) -> None:
    with suppress(OSError):
        _write(stream, text)
