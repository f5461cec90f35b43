"""Warnings that the library logs while a command runs, shown where the command shows them."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

# The loggers whose warnings are for the user. Others log details of errors that are raised anyway.
_SHOWN = ("aiopresence", "dotenv.main")
_sinks: list[Callable[[str], None]] = []


class _Handler(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        # Errors are raised, too.
        if record.name in _SHOWN and record.levelno < logging.ERROR:
            _sinks[-1](record.getMessage())


@contextmanager
def show_warnings(show: Callable[[str], None]) -> Iterator[None]:
    """Pass the library's warnings to a function; within another call it replaces that function."""
    handler = _Handler(logging.WARNING)
    root = logging.getLogger()
    _sinks.append(show)
    if len(_sinks) == 1:
        root.addHandler(handler)
    try:
        yield
    finally:
        _sinks.pop()
        root.removeHandler(handler)
