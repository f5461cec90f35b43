"""An event loop with virtual time, which passes only when there is nothing else to do.

Timers of the library, of the sandbox and of aiohttp all use the loop's time.
"""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

from aiopresence import PresenceSession
from aiopresence.sandbox import Sandbox
from aiopresence.transport.clock import Clock

T = TypeVar("T")

# Seconds to wait for data on loopback, which the system rarely delivers late.
_LOOPBACK = 0.0001


class _Selector(selectors.SelectSelector):
    # Not epoll, whose resolution is a millisecond.
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
    """An event loop with virtual time."""

    def __init__(self) -> None:
        self._virtual = _Selector()
        super().__init__(self._virtual)

    def time(self) -> float:
        """Return the virtual time in seconds."""
        return 1000.0 + self._virtual.passed


class _Clock(Clock):
    def now(self) -> float:
        return asyncio.get_running_loop().time()

    def wall(self) -> float:
        return 1.8e9 + self.now()


class Session(PresenceSession):
    """A session that uses the loop's time."""

    _clock = _Clock()


def sandbox(extensions: int, **options: Any) -> Sandbox:
    """Return a sandbox that uses the loop's time."""
    return Sandbox(extensions, clock=asyncio.get_running_loop().time, **options)


def session(platform: Sandbox) -> Session:
    """Return a session with a sandbox."""
    return Session(platform.grant, server=platform.url)


def run(story: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine in virtual time."""
    with asyncio.Runner(loop_factory=Loop) as runner:
        return runner.run(story)
