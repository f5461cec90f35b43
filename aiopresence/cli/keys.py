"""Keys, one at a time, and signals, while a command runs."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress


@contextmanager
def keys(press: Callable[[str], None]) -> Iterator[bool]:
    """Call a function with each key, until the end of the `with`; tell whether there are any.

    There are none where standard input is no terminal, or the system has no termios. The terminal
    is as it was afterwards, whatever happens.
    """
    try:
        import termios
        import tty
    except ImportError:  # Windows
        yield False
        return
    if not sys.stdin.isatty():
        yield False
        return
    terminal, loop = sys.stdin.fileno(), asyncio.get_running_loop()

    def read() -> None:
        pressed = os.read(terminal, 64).decode(errors="replace")
        if not pressed:  # The terminal is gone: it would be ready to read for ever.
            loop.remove_reader(terminal)
        for key in pressed:
            press(key)

    before = termios.tcgetattr(terminal)
    try:
        tty.setcbreak(terminal)
        loop.add_reader(terminal, read)
        yield True
    finally:
        loop.remove_reader(terminal)
        termios.tcsetattr(terminal, termios.TCSADRAIN, before)


@contextmanager
def on_signals(actions: Mapping[str, Callable[[], object]]) -> Iterator[None]:
    """Act on signals by name; those that the system does not have never come."""
    loop = asyncio.get_running_loop()
    handled = []
    try:
        for name, action in actions.items():
            # Windows: no such signal, or a loop that takes none.
            with suppress(AttributeError, NotImplementedError):
                number = getattr(signal, name)
                loop.add_signal_handler(number, action)
                handled.append(number)
        yield
    finally:
        for number in handled:
            loop.remove_signal_handler(number)
