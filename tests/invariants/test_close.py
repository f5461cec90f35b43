"""After a session is closed nothing of it remains, whatever was under way.

No task, socket, timer, thread, lock file or open file is left, on the client's side and on the
server's; and whoever waited for something gets an error. That holds for calls, events, boards,
polls, webhook subscriptions and temporary changes, when a session is closed twice, or cancelled
while it opens or closes.
"""

import asyncio
import os
import tempfile
import threading
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from aiopresence import FileTokenStore, PresenceError, PresenceSession, UsageError
from aiopresence.sandbox import Answer, Delay, Fault, Hang, Reset, Sandbox
from aiopresence.webhooks import WebhookReceiver
from tests.support.operations import OPERATIONS, Operation
from tests.support.private_loop import PrivateLoop, stories
from tests.support.virtual import virtual_sandbox, virtual_session
from tests.support.webhook_calls import TOKEN, served

FAULTS: dict[str, Fault] = {
    "slow": Delay(2.0),
    "hang": Hang(),
    "busy": Answer.error(503, "CMN-211", headers={"Retry-After": "5"}),
    "429": Answer.error(429, "CMN-301", headers={"Retry-After": "9"}),
    "401": Answer.error(401, "OAU-213"),
    "reset": Reset(),
}
PATHS = ("/presence", "/oauth/token", "/oauth/wstoken", "/directory", "/subscription", "")
SHARED = sorted(name for name, operation in OPERATIONS.items() if operation.is_shared)


def open_files() -> set[str]:
    """Return the numbers of the open files, and what they are."""
    found = set()
    for number in os.listdir("/proc/self/fd"):
        path = Path(f"/proc/self/fd/{number}")
        if path.is_symlink():
            found.add(f"{number} {path.readlink()}")
    return {each for each in found if "/proc/" not in each}


async def keep_open(name: str, session: PresenceSession, _: Sandbox) -> None:
    """Stay where events, a board, a poll or a temporary change is under way."""
    async with AsyncExitStack() as stack:
        if name == "board":
            await stack.enter_async_context(session.board())
        elif name == "temporary":
            change = {"message": "away"}
            await stack.enter_async_context(session.temporary_presence(change))
        else:
            items = session.events() if name == "events" else session.poll(interval=10.0)
            async for _item in items:
                pass
        await asyncio.sleep(1e6)


class Close(RuleBasedStateMachine):
    """A session with anything open, which is closed at any time."""

    @initialize(seed=st.none() | st.integers(0, 99), has_file=st.booleans(), is_small=st.booleans())
    def begin(self, seed: int | None, has_file: bool, is_small: bool) -> None:
        self.files, self.threads = open_files(), threading.active_count()
        self.directory = tempfile.TemporaryDirectory()
        self.loop = PrivateLoop(seed)
        limits = {"Light": 5, "Medium": 5, "Heavy": 2, "Auth": 5} if is_small else None
        options = {"limits": limits} if is_small else {}
        self.sandbox = virtual_sandbox(40, **options)
        self.loop.run(self.sandbox.start())
        self.webhook = AsyncExitStack()
        self.loop.run(self.receive())
        path = Path(self.directory.name, "tokens.json")
        store = FileTokenStore(path) if has_file else None
        self.session = virtual_session(self.sandbox, token_store=store, concurrency=3)
        self.is_open = False
        self.tasks: list[asyncio.Task[Any]] = []
        self.ended = 0
        self.open()

    async def receive(self) -> None:
        async def take(_: object) -> None:
            pass

        self.receiver = WebhookReceiver(take, TOKEN)
        await self.webhook.enter_async_context(self.receiver)
        self.caller = await self.webhook.enter_async_context(served(self.receiver.handler))

    async def subscribe(self) -> None:
        async with self.receiver.subscribe(self.session, self.caller.url) as subscription:
            await subscription.wait_closed()

    def start(self, work: Coroutine[Any, Any, Any]) -> None:
        self.tasks.append(self.loop.start(work))

    @rule(name=st.sampled_from(SHARED))
    def call(self, name: str) -> None:
        operation: Operation = OPERATIONS[name]
        self.start(operation.run(self.session, self.sandbox))

    @rule(name=st.sampled_from(["board", "events", "poll", "temporary"]))
    def keep(self, name: str) -> None:
        self.start(keep_open(name, self.session, self.sandbox))

    @rule()
    def subscribe_by_webhook(self) -> None:
        self.start(self.subscribe())

    @rule(
        name=st.sampled_from([*FAULTS]),
        path=st.sampled_from(PATHS),
        times=st.integers(1, 3),
        skip=st.integers(0, 3),
    )
    def fail(self, name: str, path: str, times: int, skip: int) -> None:
        self.sandbox.faults.add(FAULTS[name], path=path, times=times, skip=skip)

    @rule()
    def expire(self) -> None:
        self.sandbox.expire_tokens()

    @rule(seconds=st.sampled_from([0.001, 0.5, 1.5, 3.0, 61.0]))
    def wait(self, seconds: float) -> None:
        self.loop.pass_time(seconds)

    @rule(steps=st.integers(0, 40))
    def step(self, steps: int) -> None:
        async def some() -> None:
            for _ in range(steps):
                await asyncio.sleep(0)

        self.loop.run(some())

    @rule()
    def open(self) -> None:
        if not self.is_open:
            self.loop.run(self.session.__aenter__())
            self.is_open = True

    @rule(step=st.integers(0, 15), again=st.none() | st.integers(1, 3))
    def cancel_open(self, step: int, again: int | None) -> None:
        if not self.is_open:
            self.is_open = self.is_cancelled(self.session.__aenter__(), step, again) is False
            if not self.is_open:
                self.loop.run(self.session.close())

    @rule(step=st.integers(0, 25), again=st.none() | st.integers(1, 3))
    def cancel_close(self, step: int, again: int | None) -> None:
        self.is_cancelled(self.session.close(), step, again)
        self.close()

    def is_cancelled(self, work: Coroutine[Any, Any, Any], step: int, again: int | None) -> bool:
        task = self.loop.start(work)
        self.loop.cancel_at(task, step, again)
        self.loop.pass_time(60.0)
        assert task.done()
        return task.cancelled()

    @rule()
    def close_during_open(self) -> None:
        if not self.is_open:
            opening = self.loop.start(self.session.__aenter__())
            self.loop.run(self.session.close())
            self.loop.pass_time()
            assert opening.done()
            self.is_open = opening.exception() is None
            self.close()

    @rule()
    def close_twice_at_once(self) -> None:
        others = [self.loop.start(self.session.close()) for _ in range(2)]
        self.close()
        assert [other.exception() for other in others] == [None, None]

    @rule()
    def close(self) -> None:
        self.loop.run(self.session.close())
        self.is_open = False
        self.loop.pass_time()
        self.check()

    def check(self) -> None:
        """Check that all that was under way ends, as it should, and leaves nothing."""
        for _ in range(20):  # A temporary change tries to undo; an operation may sleep.
            if all(task.done() for task in self.tasks):
                break
            self.loop.pass_time(2.0)
        for task in self.tasks:
            if not task.done() and "keep_open" in repr(task):
                task.cancel()  # It sleeps in a block, or in a board, that has ended.
        self.loop.pass_time(3600.0)  # A webhook subscription is checked every few minutes.
        for task in self.tasks:
            assert task.done(), task
            if not task.cancelled() and (error := task.exception()) is not None:
                assert isinstance(error, PresenceError | UsageError), repr(error)
        self.tasks.clear()

    def teardown(self) -> None:
        if not hasattr(self, "loop"):
            return
        self.close()
        self.loop.run(self.webhook.aclose())
        self.loop.run(self.sandbox.close())
        self.loop.pass_time()
        left = self.loop.tasks, self.loop.timers
        self.loop.close()
        locks = [*Path(self.directory.name).glob("*.lock")]
        self.directory.cleanup()
        assert left == (set(), [])
        assert not self.loop.problems
        assert not locks
        assert threading.active_count() == self.threads
        assert open_files() == self.files


TestClose: Any = Close.TestCase
TestClose.settings = stories(share=0.25, steps=14)
