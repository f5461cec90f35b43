"""A call that is cancelled, wherever it waits, leaves the session usable and other calls correct.

Every public method is cancelled at every step of the event loop, and again during its cleanup. By
default it is only some of the steps, others for each method; all with the thorough profile.
"""

import asyncio
import inspect
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from itertools import count
from typing import Any

import pytest

from aiopresence import BatchResult, GetPresenceInfo, PresenceSession
from aiopresence.sandbox import Sandbox
from aiopresence.webhooks import WebhookReceiver
from tests.support.operations import OPERATIONS, Operation
from tests.support.private_loop import PrivateLoop, is_thorough
from tests.support.virtual import virtual_sandbox, virtual_session
from tests.support.webhook_calls import TOKEN, served

# What does not wait.
INSTANT = {"from_env", "limits", "stats"}
# Steps from the first to the second cancellation; None for a single one.
AGAIN = (None, 1, None, 2, 5)
STRIDE = 7
Result = BatchResult[GetPresenceInfo]

NAMES = [*OPERATIONS, "subscribe"]


def is_server(task: "asyncio.Task[Any]") -> bool:
    """Return whether a task is a server's: of a connection, or the sandbox's for webhooks."""
    return "RequestHandler.start" in repr(task) or "WebhookDeliverer" in repr(task)


class World:
    """A session with its sandbox on a private loop; at the end nothing of it may be left."""

    def __init__(self) -> None:
        self.loop = PrivateLoop()
        self.sandbox = virtual_sandbox(60, latency=0.01)
        self.loop.run(self.sandbox.start())
        self.session = virtual_session(self.sandbox, concurrency=2)
        self.loop.run(self.session.__aenter__())
        self.loop.run(self.session.read_user_presence_status())
        self.operations = {**OPERATIONS, "subscribe": Operation(self._subscribe)}
        self._webhook = AsyncExitStack()
        self.loop.run(self._receive())
        self._idle = self.loop.tasks

    def __enter__(self) -> "World":
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self.loop.run(self.session.close())
        self.loop.run(self._webhook.aclose())
        self.loop.run(self.sandbox.close())
        self.loop.pass_time()
        left = self.loop.tasks, self.loop.timers
        self.loop.close()
        if kind is None:
            assert left == (set(), [])
            assert not self.loop.problems

    async def _receive(self) -> None:
        """Open a receiver of webhooks."""

        async def take(_: object) -> None:
            pass

        self._receiver = WebhookReceiver(take, TOKEN)
        await self._webhook.enter_async_context(self._receiver)
        self._caller = await self._webhook.enter_async_context(served(self._receiver.handler))

    async def _subscribe(self, session: PresenceSession, _: Sandbox) -> None:
        async with self._receiver.subscribe(session, self._caller.url):
            await asyncio.sleep(1.0)

    def reopen(self) -> None:
        self.loop.run(self.session.close())
        self.loop.run(self.session.__aenter__())

    def check(self) -> None:
        """Fail unless nothing is left of a call, and the next one works."""
        self.loop.pass_time()
        left = [task for task in self.loop.tasks - self._idle if not is_server(task)]
        assert not left
        self.is_right(self.loop.run(read(self.session, self.sandbox)))

    def is_right(self, result: Result) -> None:
        ids = [outcome.unwrap().extension for outcome in result]
        assert [each and each.id for each in ids] == [*self.sandbox.extension_ids[:35]]


def read(session: PresenceSession, sandbox: Sandbox) -> Coroutine[Any, Any, Result]:
    return session.read_user_presence_statuses(sandbox.extension_ids[:35])


async def ended(task: "asyncio.Task[Any]") -> None:
    await asyncio.wait([task])


def cancel(world: World, operation: Operation, step: int, again: int | None) -> bool:
    """Cancel an operation at a step, and maybe again; return False if it had ended before."""
    loop, session, sandbox = world.loop, world.session, world.sandbox
    others = [loop.start(read(session, sandbox))] if operation.is_shared else []
    task = loop.start(operation.run(session, sandbox))
    asked = loop.cancel_at(task, step, again)
    loop.run(ended(task))
    if asked:
        assert task.cancelled(), f"the cancellation at step {step} was ignored: {task}"
    else:
        task.result()
    for other in others:
        loop.run(ended(other))
        world.is_right(other.result())
    return bool(asked)


@pytest.mark.parametrize("name", NAMES)
def test_cancelling_at_any_step_leaves_the_session_usable(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    with World() as world:
        stride = 1 if is_thorough() else STRIDE
        cancelled = sweep(world, world.operations[name], NAMES.index(name) % stride, stride, caplog)
        assert cancelled
        # No slot of the rate limits is lost.
        world.loop.pass_time(61.0)
        limits = world.loop.call(lambda: world.session.limits)
        assert [each for each in limits.values() if each.remaining != each.limit] == []


def sweep(
    world: World, operation: Operation, first: int, stride: int, caplog: pytest.LogCaptureFixture
) -> int:
    """Cancel an operation at one step after another; return how often until it ended before."""
    sandbox = world.sandbox
    for number in count():
        before = sandbox.presence(sandbox.user_ids[3])
        caplog.clear()
        again = AGAIN[number % len(AGAIN)]
        step = 1 + (first + number * stride if number else 0)
        if not cancel(world, operation, step, again):
            return number
        if not operation.is_shared:
            world.reopen()
        world.check()
        # A temporary change is undone, unless undoing it was cancelled.
        if "was not restored" not in caplog.text:
            assert sandbox.presence(sandbox.user_ids[3]) == before
    raise AssertionError


def test_every_public_method_is_cancelled() -> None:
    public = {name for name, _ in inspect.getmembers_static(PresenceSession) if name[0] != "_"}
    tested = {name.partition(",")[0] for name in OPERATIONS}
    assert tested - {"__aenter__", "__aexit__"} == public - INSTANT
