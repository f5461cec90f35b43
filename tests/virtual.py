"""A loop on which time passes only when there is nothing else to do, sockets included.

Hours go by in a moment, in the order in which they would: timers of the library, of the sandbox and
of aiohttp all follow the loop's time.
"""

import asyncio
import functools
import selectors
from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec, TypeVar

from conftest import PLENTY

from aiopresence import PresenceSession
from aiopresence.sandbox import GatewayPlan, Sandbox
from aiopresence.transport.clock import Clock

T = TypeVar("T")
P = ParamSpec("P")

# What was sent over loopback is there at once, but for the rare time that the system takes a turn.
_LOOPBACK = 0.0001


# Not epoll, which counts in milliseconds.
class _Selector(selectors.SelectSelector):
    passed = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        ready = super().select(_LOOPBACK if timeout is not None else timeout)
        if not ready and timeout is not None:
            self.passed += timeout
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._virtual = _Selector()
        super().__init__(self._virtual)

    def time(self) -> float:
        return 1000.0 + self._virtual.passed


class LoopClock(Clock):
    """The loop's time."""

    def now(self) -> float:
        return asyncio.get_running_loop().time()

    def wall(self) -> float:
        return 1.8e9 + self.now()


class VirtualSession(PresenceSession):
    _clock = LoopClock()


def run(story: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run a test in virtual time; whatever it leaves running fails it."""

    async def tell() -> T:
        value = await story()
        for _ in range(10):
            await asyncio.sleep(0)
        left = asyncio.all_tasks() - {asyncio.current_task()}
        assert not left
        return value

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(tell())


def virtual(test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """Run a test in virtual time."""

    @functools.wraps(test)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> None:
        run(lambda: test(*args, **kwargs))

    return wrapped


def virtual_sandbox(extensions: int = 20, **options: Any) -> Sandbox:
    """Make a sandbox that lives in the loop's time."""
    options.setdefault("limits", PLENTY)
    options.setdefault("gateway", GatewayPlan())
    return Sandbox(extensions, clock=asyncio.get_running_loop().time, **options)


def virtual_session(sandbox: Sandbox, **options: Any) -> VirtualSession:
    return VirtualSession(sandbox.grant, server=sandbox.url, **options)
