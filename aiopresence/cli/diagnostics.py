"""What the library logs while a command runs, shown where the command shows it.

Warnings are always shown; `-v` adds waits, retries, logins and connections, `-vv` each request.
"""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_LIBRARY = "aiopresence"
# The logger of what runs until it is stopped: its errors are not raised.
_FLEET = "aiopresence.fleet"
# The loggers whose warnings are for the user. Others log details of errors that are raised anyway.
_SHOWN = (_LIBRARY, _FLEET, "dotenv.main")
_LEVELS = (logging.WARNING, logging.INFO, logging.DEBUG)

Show = Callable[[str, int], None]
_sinks: list[Show] = []
_verbosity = 0


def set_verbosity(count: int) -> None:
    """Set how often `-v` was given."""
    global _verbosity
    _verbosity = count


def add_verbosity(count: int) -> None:
    """Add how often `-v` was given after the command."""
    set_verbosity(_verbosity + count)


class _Handler(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        is_raised = record.levelno >= logging.ERROR and record.name != _FLEET
        if record.name not in _SHOWN or is_raised:
            return
        text = record.getMessage()
        if _verbosity:
            text = f"{time.strftime('%H:%M:%S', time.localtime(record.created))} {text}"
        _sinks[-1](text, record.levelno)


@contextmanager
def show_log(show: Show) -> Iterator[None]:
    """Pass each line and its level to a function; within another call it replaces that function."""
    level = _LEVELS[min(_verbosity, len(_LEVELS) - 1)]
    handler, root, library = _Handler(level), logging.getLogger(), logging.getLogger(_LIBRARY)
    before = library.level
    _sinks.append(show)
    if len(_sinks) == 1:
        root.addHandler(handler)
    if _verbosity:
        library.setLevel(level)
    try:
        yield
    finally:
        library.setLevel(before)
        _sinks.pop()
        root.removeHandler(handler)
