"""Sandboxes and sessions for tests in virtual time."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import pytest

from aiopresence import PresenceSession
from aiopresence.sandbox import GatewayPlan, Sandbox, virtual_time
from tests.support.sessions import PLENTY

T = TypeVar("T")

virtual = pytest.mark.usefixtures("in_virtual_time")
"""Marks a test that runs in virtual time, and fails if it leaves a task running."""


def run(story: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run a test in virtual time, as tests marked `virtual` do."""

    async def checked() -> T:
        value = await story()
        await no_task_is_left()
        return value

    return virtual_time.run(checked())


def block(seconds: float) -> None:
    """Let virtual time pass as if the running callback blocked the event loop."""
    vars(asyncio.get_running_loop())["time"].__self__._now += seconds


async def no_task_is_left() -> None:
    """Fail if the test has left a task running."""
    for _ in range(10):
        await asyncio.sleep(0)
    assert not asyncio.all_tasks() - {asyncio.current_task()}


def virtual_sandbox(extensions: int = 20, **options: Any) -> Sandbox:
    """Return a sandbox whose limits no test reaches by chance."""
    options.setdefault("limits", PLENTY)
    options.setdefault("gateway", GatewayPlan())
    return Sandbox(extensions, **options)


def virtual_session(sandbox: Sandbox, **options: Any) -> PresenceSession:
    return PresenceSession(sandbox.grant, server=sandbox.url, **options)
