"""Many pieces of work at once, their results in order, in bounded memory."""

import asyncio
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    Callable,
    Coroutine,
    Generator,
    Iterable,
    Sequence,
)
from contextlib import aclosing
from typing import Any, TypeVar

from .errors import UsageError
from .models.validation import as_id

C = TypeVar("C")
R = TypeVar("R")
Ids = Iterable[str | int] | AsyncIterable[str | int]

# Ids that are looked at in one turn of the event loop. A guess.
SLICE = 1000


async def stream(
    items: AsyncGenerator[C, None], work: Callable[[C], Coroutine[Any, Any, R]], *, ahead: int
) -> AsyncGenerator[R, None]:
    """Work on up to `ahead` items at once and yield the results in the order of the items.

    An error of `work` is raised in its place, one of `items` after the results before it. However
    it ends, no task is left behind.
    """
    results: asyncio.Queue[asyncio.Task[R] | None] = asyncio.Queue()
    room = asyncio.Semaphore(ahead)
    tasks: set[asyncio.Task[R]] = set()

    async def feed() -> None:
        try:
            async with aclosing(items):
                async for item in items:
                    await room.acquire()
                    task = asyncio.create_task(work(item))
                    tasks.add(task)
                    results.put_nowait(task)
        finally:
            results.put_nowait(None)

    feeder = asyncio.create_task(feed())
    try:
        while (task := await results.get()) is not None:
            yield await task
            tasks.discard(task)
            room.release()
        await feeder
    finally:
        feeder.cancel()
        for task in tasks:
            task.cancel()
        await asyncio.gather(feeder, *tasks, return_exceptions=True)


async def in_turns(work: Generator[None, None, R]) -> R:
    """Do some work that takes long, with a turn for everybody else at each of its yields."""
    while True:
        try:
            next(work)
        except StopIteration as end:
            result: R = end.value
            return result
        await asyncio.sleep(0)


async def each(values: Iterable[C] | AsyncIterable[C]) -> AsyncGenerator[C, None]:
    """Iterate over an iterable of either kind."""
    if isinstance(values, AsyncIterable):
        async for value in values:
            yield value
    else:
        for value in values:
            yield value


def check_ids(ids: object) -> None:
    """Refuse what is no iterable of ids, above all a single id: its digits are no ids.

    Raises:
        UsageError: it is one.
    """
    if isinstance(ids, (str, bytes, bytearray)) or not isinstance(ids, (Iterable, AsyncIterable)):
        raise UsageError("extension_ids must be an iterable of ids, such as [id]")


def checked(ids: Sequence[str | int]) -> Generator[None, None, tuple[list[str], dict[str, None]]]:
    """Check ids, and give them as str: as they were asked for, and each once; see `in_turns`.

    Raises:
        UsageError: an id is not digits or `~`.
    """
    asked: list[str] = []
    unique: dict[str, None] = {}
    for start in range(0, len(ids), SLICE):
        some = enumerate(ids[start : start + SLICE], start)
        asked += [as_id(id_, "extension_ids", n, tilde=True) for n, id_ in some]
        unique |= dict.fromkeys(asked[start:])
        yield
    return asked, unique


async def chunks(ids: Ids, size: Callable[[], int]) -> AsyncGenerator[tuple[str, ...], None]:
    """Group ids into chunks of `size()`; ids before one that is wrong are not lost.

    Raises:
        UsageError: an id is not digits or `~`; whatever the iterable raises.
    """
    chunk: list[str] = []
    failure: Exception | None = None
    try:
        position = 0
        async for value in each(ids):
            chunk.append(as_id(value, "extension_ids", position, tilde=True))
            position += 1
            if len(chunk) >= size():
                full, chunk = tuple(chunk), []
                yield full
    except Exception as error:  # Also the iterable's own, which goes on to the user below.
        failure = error
    if chunk:
        yield tuple(chunk)
    if failure is not None:
        raise failure
