"""A loop on which time passes only when there is nothing else to do: hours go by in a moment.

Timers of the library, of the embedded platform and of aiohttp all follow the loop's time.
"""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

from aiopresence import PresenceSession
from aiopresence.sandbox import Sandbox
from aiopresence.transport.clock import Clock

T = TypeVar("T")

# What was sent over loopback is there at once, but for the rare time that the system takes a turn.
_LOOPBACK = 0.0001


class _Selector(selectors.SelectSelector):
    # Not epoll, which counts in milliseconds.
    passed = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        ready = super().select(_LOOPBACK if timeout is not None else timeout)
        if not ready and timeout is not None:
            self.passed += timeout
        return ready


class Loop(asyncio.SelectorEventLoop):
    """The loop."""

    def __init__(self) -> None:
        self._virtual = _Selector()
        super().__init__(self._virtual)

    def time(self) -> float:
        """Give the seconds that have passed."""
        return 1000.0 + self._virtual.passed


class _Clock(Clock):
    def now(self) -> float:
        return asyncio.get_running_loop().time()

    def wall(self) -> float:
        return 1.8e9 + self.now()


class Session(PresenceSession):
    """A session that lives in the loop's time."""

    _clock = _Clock()


def sandbox(extensions: int, **options: Any) -> Sandbox:
    """Make a platform that lives in the loop's time."""
    return Sandbox(extensions, clock=asyncio.get_running_loop().time, **options)


def session(platform: Sandbox) -> Session:
    """Make a session with it."""
    return Session(platform.grant, server=platform.url)


def run(story: Coroutine[Any, Any, T]) -> T:
    """Run something in virtual time."""
    with asyncio.Runner(loop_factory=Loop) as runner:
        return runner.run(story)
