"""Virtual time: hours pass in no time, in the order in which they would.

In virtual time the clock of an event loop stands still while there is something to do. When no
callback is ready, no socket has data and no thread works for the loop, the clock jumps to the next
timer. So a test that waits for an hour ends at once, and timers never fire because the machine is
slow. Everything that follows the loop's clock takes part: sleeps and timeouts, sessions, boards and
webhooks of this package, and sandboxes on the same loop. `time.time()` and `time.monotonic()` do
not, nor do other processes: a server that is not on the loop has no time to respond.

In tests use the fixture `presence_virtual_time` of `aiopresence.sandbox.plugin`; elsewhere:

```
from aiopresence.sandbox import virtual_time

virtual_time.run(main())
```
"""

import asyncio
import math
import selectors
import time
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from typing import Any, TypeVar

from ..errors import UsageError

T = TypeVar("T")

# Real seconds in which data that was sent over loopback arrives for certain, and in which threads
# finish what they do for the loop, before the clock jumps. Both are guesses.
_LOOPBACK = 0.0001
_THREADS = 1.0


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine in virtual time on a new event loop, and return its result."""

    async def in_virtual_time() -> T:
        with virtual_time():
            return await main

    with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
        return runner.run(in_virtual_time())


@contextmanager
def virtual_time() -> Iterator[None]:
    """Switch the running event loop to virtual time for a `with` block.

    The loop's clock never goes back: after the block it continues at the usual pace from where it
    is. The time of day is the system's when the block begins, and then keeps step.

    Raises:
        UsageError: the loop is in virtual time already, or is not one of asyncio's selector event
            loops, such as uvloop's.
        RuntimeError: no event loop is running.
    """
    clock = _VirtualClock(asyncio.get_running_loop())
    try:
        yield
    finally:
        clock.stop()


class _VirtualClock:
    """Takes the place of a loop's clock, and of the waiting of its selector."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        selector = getattr(loop, "_selector", None)
        if not isinstance(selector, selectors.BaseSelector):
            raise UsageError(
                f"virtual time needs a selector event loop of asyncio, not {type(loop).__name__}"
            )
        if "select" in vars(selector):
            raise UsageError("the event loop is in virtual time already")
        # Whole seconds, so that sums of times are exact.
        self._now: float = math.ceil(loop.time())
        self._epoch = getattr(loop, "wall_time", time.time)() - self._now
        self._stopped_at: float | None = None
        self._in_threads = 0
        self._loop = loop
        self._selector = selector
        self._select = selector.select
        self._run_in_executor = loop.run_in_executor
        vars(selector).update(select=self.select)
        # `wall_time` marks the loop: see `clock`, and `Clock` of the client.
        vars(loop).update(
            time=self.time, wall_time=self.wall_time, run_in_executor=self.run_in_executor
        )

    def stop(self) -> None:
        """Continue in real time."""
        self._stopped_at = time.monotonic()
        del vars(self._selector)["select"], vars(self._loop)["run_in_executor"]

    def time(self) -> float:
        """Return the monotonic time in seconds; `loop.time` of the loop."""
        if self._stopped_at is None:
            return self._now
        return self._now + time.monotonic() - self._stopped_at

    def wall_time(self) -> float:
        """Return the seconds since 1970."""
        return self._epoch + self.time()

    def select(self, timeout: float | None = None) -> Any:
        """Return what is ready; if nothing is, let the time pass instead of waiting."""
        ready = self._select(0)
        if ready or timeout == 0:
            return ready
        if timeout is None:
            return self._select(None)
        if self._in_threads:
            ready = self._select(_THREADS)
        else:
            # Not select, which would take whole milliseconds.
            time.sleep(_LOOPBACK)
            ready = self._select(0)
        if not ready:
            self._now += timeout
        return ready

    def run_in_executor(
        self, executor: Executor | None, function: Callable[..., Any], *args: object
    ) -> Any:
        """Run a function in a thread; the time does not pass meanwhile."""
        future = self._run_in_executor(executor, function, *args)
        self._in_threads += 1
        future.add_done_callback(self._thread_is_done)
        return future

    def _thread_is_done(self, _: object) -> None:
        self._in_threads -= 1
