"""The standard streams. All that a command shows goes through here, without control characters."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from typing import Any, TextIO

from ..escaping import escaped, json_escaped


def prepare() -> None:
    """Make the standard streams usable, whatever the caller has closed or set.

    A closed stream is opened on the null device, so that no socket takes its place; what the
    encoding of standard output cannot hold is escaped.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            # The lowest free descriptor, which is the closed one.
            descriptor = os.open(os.devnull, os.O_RDWR)
            setattr(sys, name, os.fdopen(descriptor, mode, encoding="utf-8"))
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def show(text: str) -> None:
    """Write one line to standard output, at once.

    Raises:
        OSError: it cannot be written.
    """
    _show(escaped(text))


def show_json(text: str) -> None:
    """Write JSON to standard output, at once.

    Raises:
        OSError: it cannot be written.
    """
    _show(json_escaped(text))


def note(text: str) -> None:
    """Write one line to standard error, if it can be written."""
    with suppress(OSError):
        _write(sys.stderr, escaped(text))


@contextmanager
def after_success() -> Iterator[None]:
    """Print the result of what is done: where that cannot be printed, it has been done anyway."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        settle()
        note(f"aiopresence: done, but the result cannot be printed: {error}")


def show_styled(text: Any) -> None:
    """Write a rich Text of escaped parts to the terminal that standard output is.

    Raises:
        OSError: it cannot be written.
    """
    terminal().print(text, soft_wrap=True)


@cache
def terminal() -> Any:
    """Return the terminal that standard output is: one, so that rows stay above a bar."""
    from rich.console import Console

    return Console(highlight=False)


def settle() -> None:
    """Discard what a stream cannot write: Python would complain of it at its own end."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _show(text: str) -> None:
    if terminal.cache_info().currsize and sys.stdout.isatty():
        from rich.text import Text

        show_styled(Text(text))
    else:
        _write(sys.stdout, text)


def _write(stream: TextIO, text: str) -> None:
    stream.write(text + "\n")
    stream.flush()
