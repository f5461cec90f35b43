"""What all activities have in common: how they run, and how the test cancels calls."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

import attrs

from aiopresence import PresenceSession

from .accounts import Account
from .checks import View
from .tally import Tally

T = TypeVar("T")


@attrs.define(eq=False)
class Activity:
    """One thing that a program does with an account, again and again.

    Attributes:
        name: its name in the table.
        account: the account.
        session: its session.
        tally: where it counts.
        run: works until `stopping` is set.
        chance: its random choices.
        stopping: set when it is to end.
        view: returns the state of each extension that it shows; None if it follows nothing.
        overdue: returns how many notifications that were sent before a time have not arrived.
        lose: counts those as lost.
        can: which of the following it regards.
        to_cancel: how many of the next calls are to be cancelled.
        to_refuse: how many of the next calls of its webhook are to be refused.
        to_lose: how many responses of its webhook are to be lost.
        to_disconnect: how many readers of its dashboard are to be disconnected.
    """

    name: str
    account: Account
    session: PresenceSession
    tally: Tally
    run: Callable[["Activity"], Coroutine[Any, Any, None]]
    chance: random.Random
    stopping: asyncio.Event = attrs.field(factory=asyncio.Event)
    view: View | None = None
    overdue: Callable[[float], int] | None = None
    lose: Callable[[float], None] | None = None
    can: frozenset[str] = frozenset()
    to_cancel: int = 0
    to_refuse: int = 0
    to_lose: int = 0
    to_disconnect: int = 0

    async def pause(self, seconds: float) -> None:
        """Wait for about so many seconds, or until the end."""
        try:
            async with asyncio.timeout(self.chance.uniform(0.2, 1.8) * seconds):
                await self.stopping.wait()
        except TimeoutError:
            pass

    async def maybe_cancelled(self, items: int, call: Awaitable[T]) -> T | None:
        """Await a call for some items; None if the test has cancelled it."""
        self.tally.add("requested", items)
        task = asyncio.ensure_future(call)
        is_marked, handle = self.to_cancel > 0, None
        if is_marked:
            self.to_cancel -= 1
            delay = self.chance.uniform(0, 0.05)
            handle = asyncio.get_running_loop().call_later(delay, task.cancel)
        try:
            result = await task
        except asyncio.CancelledError:
            if not is_marked or asyncio.current_task().cancelling():  # type: ignore[union-attr]
                raise
            self.account.fire("cancelled call", self.name, explains=False)
            self.tally.add("cancelled", items)
            return None
        finally:
            if handle is not None:
                handle.cancel()
        self.to_cancel += is_marked  # It was too fast: the next one is cancelled.
        return result


async def retrying(activity: Activity, follow: Callable[[], Awaitable[None]]) -> None:
    """Follow something until the end; begin again after an error that a fault explains."""
    while not activity.stopping.is_set():
        started = time.monotonic()
        task = asyncio.ensure_future(follow())
        stop = asyncio.ensure_future(activity.stopping.wait())
        try:
            await asyncio.wait([task, stop], return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in (task, stop):
                each.cancel()
            (error, _) = await asyncio.gather(task, stop, return_exceptions=True)
        if isinstance(error, Exception):
            explained = activity.account.explains(started)
            text = f"ended with {type(error).__name__}: {error}"
            if explained:
                activity.tally.add("failed")
            else:
                activity.tally.defect("lost", text)
            await activity.pause(0.5)
