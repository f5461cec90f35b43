"""Ordered concurrent work in bounded memory, and long computations that yield to the event loop."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Coroutine, Generator, Iterable
from contextlib import aclosing
from typing import Any, TypeVar

T = TypeVar("T")
R = TypeVar("R")


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


async def aiter_any(values: Iterable[T] | AsyncIterable[T]) -> AsyncGenerator[T, None]:
    """Yield the values of an iterable or of an async iterable."""
    if isinstance(values, AsyncIterable):
        async for value in values:
            yield value
    else:
        for value in values:
            yield value
