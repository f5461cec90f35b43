"""Ordered concurrent work in bounded memory, and long computations that yield to the event loop."""

import asyncio
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    Callable,
    Coroutine,
    Generator,
    Iterable,
    Iterator,
    Sequence,
)
from contextlib import AsyncExitStack, aclosing, suppress
from math import inf
from typing import Any, TypeVar

T = TypeVar("T")
R = TypeVar("R")

# Batches or pages in progress, for each request that may be in flight. Results are yielded in
# order, so without more of them one slow response would leave the others idle. A guess.
AHEAD = 2
# Records after which other tasks run: handling one of them may take some ten microseconds.
SLICE = 25
# How many items a source may be ahead of a group: few enough for one turn of the event loop.
_BUFFERED = 1000


async def map_ordered(
    function: Callable[[T], Coroutine[Any, Any, R]], items: AsyncGenerator[T, None], *, limit: int
) -> AsyncGenerator[R, None]:
    """Call `function` on items concurrently and yield the results in the order of the items.

    At most `limit` items are being worked on or have a result that was not yielded yet, and one
    more was taken from `items`, so memory is bounded however slow the consumer is. An error of
    `function` is raised in place of its result, an error of `items` after the results before it.
    However the iteration ends, `items` is closed and no task is left behind.
    """
    tasks_in_order: asyncio.Queue[asyncio.Task[R] | None] = asyncio.Queue()
    slots = asyncio.Semaphore(limit)
    tasks: set[asyncio.Task[R]] = set()

    async def start_tasks() -> None:
        """Start a task for each item, `limit` at a time."""
        try:
            async with aclosing(items):
                async for item in items:
                    await slots.acquire()
                    task = asyncio.create_task(function(item))
                    tasks.add(task)
                    tasks_in_order.put_nowait(task)
        finally:
            tasks_in_order.put_nowait(None)

    starter = asyncio.create_task(start_tasks())
    try:
        while (task := await tasks_in_order.get()) is not None:
            yield await task
            tasks.discard(task)
            slots.release()
        await starter  # Raises the error of `items`.
    finally:
        starter.cancel()
        for task in tasks:
            task.cancel()
        await asyncio.gather(starter, *tasks, return_exceptions=True)


async def merge(*sources: AsyncGenerator[T, None]) -> AsyncGenerator[T, None]:
    """Yield the items of generators that run at the same time, in the order in which they come.

    Each is at most one item ahead of what is yielded. An error of one is raised when it occurs.
    However the iteration ends, all are closed and no task is left behind.
    """
    async with AsyncExitStack() as stack:  # Closes all, even if this is cancelled once more.
        for source in sources:
            await stack.enter_async_context(aclosing(source))
        tasks = {_next_task(source): source for source in sources}
        try:
            while tasks:
                done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    item, source = task.result(), tasks[task]
                    del tasks[task]
                    if item is not None:
                        yield item[0]
                        tasks[_next_task(source)] = source
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


def _next_task(source: AsyncGenerator[T, None]) -> "asyncio.Task[tuple[T] | None]":
    """Return a task for the next item of a generator; its result is None at the end."""

    async def next_item() -> tuple[T] | None:
        """Return the next item in a tuple; None if there is none."""
        async for item in source:
            return (item,)
        return None

    return asyncio.create_task(next_item())


async def in_bursts(
    items: AsyncGenerator[T, None], *, most: int, pause: float, longest: float
) -> AsyncGenerator[list[T], None]:
    """Group the items that come without a pause.

    An error of `items` is raised after the items before it. However the iteration ends, `items` is
    closed and no task is left behind.

    Args:
        items: the items.
        most: the most items in one group.
        pause: the seconds without an item after which a group ends.
        longest: the seconds after which it ends all the same.
    """
    arrived: asyncio.Queue[tuple[T] | BaseException | None] = asyncio.Queue(maxsize=_BUFFERED)

    async def read() -> None:
        """Put each item into the queue, and at last None or an error."""
        end: BaseException | None = None
        try:
            async with aclosing(items):
                async for item in items:
                    await arrived.put((item,))
        except (Exception, asyncio.CancelledError) as error:
            task = asyncio.current_task()  # An eager task may fail before `reader` is set.
            if task is None or task.cancelling():
                raise
            end = error  # Raised below, also if it is a cancellation within the source.
        await arrived.put(end)

    reader = asyncio.create_task(read())
    burst: list[T] = []
    now, ends_at = asyncio.get_running_loop().time, inf
    try:
        while isinstance(entry := await _get(arrived, pause if burst else None), tuple):
            if not burst:
                ends_at = now() + longest
            burst += entry
            if len(burst) >= most or not entry or now() >= ends_at:
                yield burst
                burst = []
        if burst:
            yield burst
        if entry is not None:
            raise entry
    finally:
        reader.cancel()
        await asyncio.gather(reader, return_exceptions=True)


async def _get(
    queue: "asyncio.Queue[tuple[T] | BaseException | None]", longest: float | None
) -> tuple[T] | tuple[()] | BaseException | None:
    """Return the next entry of a queue; an empty tuple if none comes in time."""
    with suppress(asyncio.QueueEmpty):
        return queue.get_nowait()  # Without the cost of a timeout.
    try:
        async with asyncio.timeout(longest):
            return await queue.get()
    except TimeoutError:
        return ()


async def run_cooperatively(steps: Generator[None, None, R]) -> R:
    """Run a long computation and return its result, letting other tasks run at each of its yields.

    Raises:
        Exception: whatever the computation raises.
    """
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: R = end.value
            return result
        await asyncio.sleep(0)


def slices(items: Sequence[T]) -> Iterator[Sequence[T]]:
    """Cut many items into slices, between which other tasks are to run."""
    return (items[start : start + SLICE] for start in range(0, len(items), SLICE))


async def aiter_any(values: Iterable[T] | AsyncIterable[T]) -> AsyncGenerator[T, None]:
    """Yield the values of an iterable or of an async iterable."""
    if isinstance(values, AsyncIterable):
        async for value in values:
            yield value
    else:
        for value in values:
            yield value
