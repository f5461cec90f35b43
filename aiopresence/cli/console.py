"""The standard streams. All output of the commands is written here, without control characters."""

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
    terminal().print(text, soft_wrap=True)


def print_notice(text: str) -> None:
    """Write one line to standard error, if that is possible."""
    with suppress(OSError):
        _write(sys.stderr, escaped(text))


@contextmanager
def output_is_optional() -> Iterator[None]:
    """Report output that cannot be written as a notice: what the command did remains done."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        flush_streams()
        print_notice(f"aiopresence: done, but the result cannot be printed: {error}")


@cache
def terminal() -> Any:
    """Return the rich Console of standard output: a single one, so that rows stay above a bar."""
    from rich.console import Console

    return Console(highlight=False)


def _print(text: str) -> None:
    if terminal.cache_info().currsize and sys.stdout.isatty():
        from rich.text import Text

        print_styled(Text(text))
    else:
        _write(sys.stdout, text)


def _write(stream: TextIO, text: str) -> None:
    stream.write(text + "\n")
    stream.flush()
