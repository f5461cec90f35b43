"""Signal handlers while a command runs."""

import asyncio
import os
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress


@contextmanager
def signal_handlers(handlers: Mapping[str, Callable[[int], object]]) -> Iterator[None]:
    """Call a function with the number of a signal when it arrives.

    Signals that the system does not have, or that are ignored, for example by nohup, are skipped.

    Args:
        handlers: the functions by the names of signals.
    """
    loop = asyncio.get_running_loop()
    installed = []
    try:
        for name, handler in handlers.items():
            number = getattr(signal, name, None)
            if number is None or signal.getsignal(number) is signal.SIG_IGN:
                continue
            # The loop takes no signals on Windows and outside the main thread.
            with suppress(NotImplementedError, RuntimeError, ValueError):
                loop.add_signal_handler(number, handler, int(number))
                installed.append(number)
        yield
    finally:
        for number in installed:
            loop.remove_signal_handler(number)


def suspend_process() -> None:
    """Stop this process, as Ctrl-Z does by default, until it is continued."""
    handler = signal.signal(signal.SIGTSTP, signal.SIG_DFL)
    os.kill(os.getpid(), signal.SIGTSTP)
    signal.signal(signal.SIGTSTP, handler)
