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
from aiopresence.protocol.oauth import store_key
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
# Parts of the names of the tasks of a session itself, not of its callers.
OWN = ("EventConnection", "PresenceBoard", "TokenManager", "AuthorizedSender")
# What is under way until its session is closed.
KEPT = ("board", "events", "poll", "temporary", "subscribe")
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
        self.other_store = FileTokenStore(path) if has_file else None
        self.session = virtual_session(self.sandbox, token_store=store, concurrency=3)
        self.is_open = False
        self.tasks: list[asyncio.Task[Any]] = []
        self.others: list[asyncio.Task[None]] = []
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

    @rule(
        name=st.sampled_from([*SHARED, *KEPT * 6]),
        fault=st.sampled_from([None, *FAULTS]),
        path=st.sampled_from(PATHS),
        skip=st.sampled_from([0, 0, 1, 3]),
        is_expired=st.booleans(),
        seconds=st.sampled_from([0.0, 0.001, 0.5, 3.0]),
        is_closed=st.sampled_from([True, True, False]),
    )
    def work(
        self,
        name: str,
        fault: str | None,
        path: str,
        skip: int,
        is_expired: bool,
        seconds: float,
        is_closed: bool,
    ) -> None:
        """Begin something, which may fail, and maybe close the session soon after."""
        if is_expired:
            self.sandbox.expire_tokens()
        if fault is not None:
            self.sandbox.faults.add(FAULTS[fault], path=path, times=2, skip=skip)
        if name == "subscribe":
            self.start(self.subscribe())
        elif name in KEPT:
            self.start(keep_open(name, self.session, self.sandbox))
        else:
            operation: Operation = OPERATIONS[name]
            self.start(operation.run(self.session, self.sandbox))
        if seconds:
            self.loop.pass_time(seconds)
        if is_closed:
            self.close()
            self.open()

    @rule(seconds=st.sampled_from([1.0, 30.0]))
    def log_in_elsewhere(self, seconds: float) -> None:
        """Let another process hold the lock of the token store."""

        async def hold(store: FileTokenStore) -> None:
            key = store_key(self.sandbox.url, self.sandbox.grant)
            async with store.lock(key):
                await asyncio.sleep(seconds)

        if self.other_store is not None:
            self.others.append(self.loop.start(hold(self.other_store)))

    @rule(seconds=st.sampled_from([0.001, 0.5, 1.5, 3.0, 61.0]))
    def wait(self, seconds: float) -> None:
        self.loop.pass_time(seconds)

    @rule(steps=st.integers(0, 40))
    def step(self, steps: int) -> None:
        async def some() -> None:
            for _ in range(steps):
                await asyncio.sleep(0)

        self.loop.run(some())

    def open(self) -> None:
        if not self.is_open:
            self.loop.run(self.session.__aenter__())
            self.is_open = True

    @rule(
        how=st.sampled_from(["cancel open", "cancel close", "close during open", "close twice"]),
        step=st.sampled_from([0, 1, 2, 3, 4, 6, 9, 14, 25]),
        again=st.none() | st.integers(1, 3),
    )
    def end(self, how: str, step: int, again: int | None) -> None:
        """Open and close the session in an unusual way."""
        {
            "cancel open": lambda: self.cancel_open(step, again),
            "cancel close": lambda: self.cancel_close(step, again),
            "close during open": self.close_during_open,
            "close twice": self.close_twice_at_once,
        }[how]()
        self.open()

    def cancel_open(self, step: int, again: int | None) -> None:
        self.close()
        if self.is_cancelled(self.session.__aenter__(), step, again):
            self.close()
        else:
            self.is_open = True

    def cancel_close(self, step: int, again: int | None) -> None:
        self.is_cancelled(self.session.close(), step, again)
        if again is not None:
            self.loop.run(self.session.close())
        self.closed()

    def is_cancelled(self, work: Coroutine[Any, Any, Any], step: int, again: int | None) -> bool:
        task = self.loop.start(work)
        self.loop.cancel_at(task, step, again)
        self.loop.pass_time(60.0)
        assert task.done()
        return task.cancelled()

    def close_during_open(self) -> None:
        self.close()
        opening = self.loop.start(self.session.__aenter__())
        self.loop.run(self.session.close())
        self.loop.pass_time()
        assert opening.done()
        self.close()

    def close_twice_at_once(self) -> None:
        others = [self.loop.start(self.session.close()) for _ in range(2)]
        self.close()
        assert [other.exception() for other in others] == [None, None]

    def close(self) -> None:
        self.loop.run(self.session.close())
        self.closed()

    def closed(self) -> None:
        """Check that all that was under way ends, as it should, and leaves nothing."""
        self.is_open = False
        assert [task for task in self.loop.tasks if any(own in repr(task) for own in OWN)] == []
        self.loop.pass_time(2.0)  # An operation may sleep.
        for task in self.tasks:
            if not task.done():
                # It sleeps in a block, or in a board, that has ended; or is checked now and then.
                assert any(name in repr(task) for name in ("keep_open", "Close.subscribe")), task
                if "keep_open" in repr(task):
                    task.cancel()
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
TestClose.settings = stories(share=0.6, steps=14)
