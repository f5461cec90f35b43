"""Read single keys from the terminal."""

import asyncio
import codecs
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from .keys import split_keys

# Seconds after which an Escape is the key itself, and not the beginning of a sequence. A guess.
ESCAPE_SECONDS = 0.05


class Keyboard:
    """Reads single keys from the terminal on standard input.

    Without a terminal, or on a system without termios, no keys are read.

    Args:
        on_key: called with each key, as `split_keys` names it.

    Attributes:
        is_available: whether keys can be read.
    """

    def __init__(self, on_key: Callable[[str], None]) -> None:
        self.is_available = _termios() is not None and sys.stdin.isatty()
        self._on_key = on_key
        self._saved_mode: list[Any] | None = None
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._rest = ""
        self._escape_timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Start to read keys; call it again after another program has set the terminal's mode."""
        termios = _termios()
        if not self.is_available or termios is None:
            return
        import tty

        if self._saved_mode is None:
            self._saved_mode = termios.tcgetattr(sys.stdin.fileno())
        tty.setcbreak(sys.stdin.fileno())
        asyncio.get_running_loop().add_reader(sys.stdin.fileno(), self._read)

    def stop(self) -> None:
        """Stop to read keys, and restore the terminal's mode."""
        termios = _termios()
        if self._saved_mode is None or termios is None:
            return
        asyncio.get_running_loop().remove_reader(sys.stdin.fileno())
        self._cancel_escape()
        self._rest = ""
        mode, self._saved_mode = self._saved_mode, None
        with suppress(termios.error):  # The terminal was closed.
            termios.tcsetattr(sys.stdin.fileno(), termios.TCSADRAIN, mode)

    def _read(self) -> None:
        try:
            data = os.read(sys.stdin.fileno(), 64)
        except OSError:
            data = b""
        if not data:  # The terminal was closed: it would be ready to read forever.
            asyncio.get_running_loop().remove_reader(sys.stdin.fileno())
        self._press(self._decoder.decode(data), is_complete=False)

    def _press(self, text: str, *, is_complete: bool) -> None:
        """Press the keys in a text; what may be an Escape only if nothing follows soon."""
        self._cancel_escape()
        keys, self._rest = split_keys(self._rest + text, is_complete=is_complete)
        if self._rest:
            self._escape_timer = asyncio.get_running_loop().call_later(
                ESCAPE_SECONDS, lambda: self._press("", is_complete=True)
            )
        for key in keys:
            self._on_key(key)

    def _cancel_escape(self) -> None:
        if self._escape_timer is not None:
            self._escape_timer.cancel()
            self._escape_timer = None


def _termios() -> Any:
    try:
        import termios
    except ImportError:  # Windows
        return None
    return termios


@contextmanager
def read_keys(on_key: Callable[[str], None]) -> Iterator[Keyboard]:
    """Call a function with each key until the end of the `with`; then restore the terminal."""
    keyboard = Keyboard(on_key)
    try:
        keyboard.start()
        yield keyboard
    finally:
        keyboard.stop()
