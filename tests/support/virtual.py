"""A loop on which time passes only when there is nothing else to do, sockets included.

Hours go by in a moment, in the order in which they would: timers of the library, of the sandbox and
of aiohttp all follow the loop's time.
"""

import asyncio
import functools
from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec, TypeVar

from aiopresence.sandbox import GatewayPlan, Sandbox
from benchmarks.virtual import Loop, Session
from tests.support.sessions import PLENTY

T = TypeVar("T")
P = ParamSpec("P")


def run(story: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run a test in virtual time; whatever it leaves running fails it."""

    async def tell() -> T:
        value = await story()
        for _ in range(10):
            await asyncio.sleep(0)
        left = asyncio.all_tasks() - {asyncio.current_task()}
        assert not left
        return value

    with asyncio.Runner(loop_factory=Loop) as runner:
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


def virtual_session(sandbox: Sandbox, **options: Any) -> Session:
    return Session(sandbox.grant, server=sandbox.url, **options)
