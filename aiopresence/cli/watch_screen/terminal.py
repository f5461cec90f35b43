"""Keys, one at a time, and signals, while a command runs."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any


class Keyboard:
    """The keys of the terminal that standard input is, one at a time.

    There are none where standard input is no terminal, or the system has no termios.

    Args:
        press: called with each key.

    Attributes:
        is_there: whether there are any keys.
    """

    def __init__(self, press: Callable[[str], None]) -> None:
        self.is_there = _termios() is not None and sys.stdin.isatty()
        self._press = press
        self._before: list[Any] | None = None

    def start(self) -> None:
        """Read single keys from now on; again, if something else has set the terminal."""
        termios = _termios()
        if not self.is_there or termios is None:
            return
        import tty

        if self._before is None:
            self._before = termios.tcgetattr(sys.stdin.fileno())
        tty.setcbreak(sys.stdin.fileno())
        asyncio.get_running_loop().add_reader(sys.stdin.fileno(), self._read)

    def stop(self) -> None:
        """Set the terminal as it was."""
        termios = _termios()
        if self._before is None or termios is None:
            return
        asyncio.get_running_loop().remove_reader(sys.stdin.fileno())
        before, self._before = self._before, None
        with suppress(termios.error):  # It is gone.
            termios.tcsetattr(sys.stdin.fileno(), termios.TCSADRAIN, before)

    def _read(self) -> None:
        try:
            pressed = os.read(sys.stdin.fileno(), 64).decode(errors="replace")
        except OSError:
            pressed = ""
        if not pressed:  # The terminal is gone: it would be ready to read for ever.
            asyncio.get_running_loop().remove_reader(sys.stdin.fileno())
        for key in pressed:
            self._press(key)


def _termios() -> Any:
    try:
        import termios
    except ImportError:  # Windows
        return None
    return termios


@contextmanager
def keys(press: Callable[[str], None]) -> Iterator[Keyboard]:
    """Call a function with each key, until the end of the `with`.

    The terminal is as it was afterwards, whatever happens.
    """
    keyboard = Keyboard(press)
    try:
        keyboard.start()
        yield keyboard
    finally:
        keyboard.stop()


def suspend() -> None:
    """Stop this process, as Ctrl-Z does by default, until it is continued."""
    handler = signal.signal(signal.SIGTSTP, signal.SIG_DFL)
    os.kill(os.getpid(), signal.SIGTSTP)
    signal.signal(signal.SIGTSTP, handler)


@contextmanager
def on_signals(actions: Mapping[str, Callable[[int], object]]) -> Iterator[None]:
    """Call a function with the number of a signal when it comes, by the names of signals.

    Those that the system does not have, or that are ignored, as by nohup, never come.
    """
    loop = asyncio.get_running_loop()
    handled = []
    try:
        for name, action in actions.items():
            number = getattr(signal, name, None)
            if number is None or signal.getsignal(number) is signal.SIG_IGN:
                continue
            # A loop that takes no signals: on Windows, or outside the main thread.
            with suppress(NotImplementedError, RuntimeError, ValueError):
                loop.add_signal_handler(number, action, int(number))
                handled.append(number)
        yield
    finally:
        for number in handled:
            loop.remove_signal_handler(number)
