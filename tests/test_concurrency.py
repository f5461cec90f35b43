import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator
from contextlib import aclosing

import pytest

from aiopresence import UsageError
from aiopresence.concurrency import (
    aiter_any,
    in_bursts,
    map_ordered,
    merge,
    run_cooperatively,
)
from tests.support.virtual import virtual


async def idle() -> None:
    """Let every task that can run do so."""
    for _ in range(20):
        await asyncio.sleep(0)


def other_tasks() -> int:
    return len(asyncio.all_tasks()) - 1


class Work:
    """Work that finishes when it is told to."""

    def __init__(self) -> None:
        self.started: list[int] = []
        self.gates: dict[int, asyncio.Event] = {}

    async def __call__(self, item: int) -> int:
        self.started.append(item)
        self.gates[item] = asyncio.Event()
        await self.gates[item].wait()
        return item * 10


async def collect(results: AsyncIterator[int], into: list[int]) -> None:
    async for result in results:
        into.append(result)  # noqa: PERF401 - what comes before an error counts


async def test_results_come_in_order_while_work_overlaps() -> None:
    work, got = Work(), list[int]()
    reader = asyncio.create_task(collect(map_ordered(work, aiter_any([1, 2, 3, 4]), limit=3), got))
    await idle()
    assert work.started == [1, 2, 3]
    work.gates[3].set()
    work.gates[2].set()
    await idle()
    assert (got, work.started) == ([], [1, 2, 3])
    work.gates[1].set()
    await idle()
    assert (got, work.started) == ([10, 20, 30], [1, 2, 3, 4])
    work.gates[4].set()
    await reader
    assert got == [10, 20, 30, 40]
    assert other_tasks() == 0


@pytest.mark.fault
async def test_the_source_is_read_only_as_fast_as_results_are_taken() -> None:
    taken = 0

    def numbers() -> Iterator[int]:
        nonlocal taken
        while True:
            yield (taken := taken + 1)

    async def work(item: int) -> int:
        return item

    async with aclosing(map_ordered(work, aiter_any(numbers()), limit=4)) as results:
        for expected in range(1, 11):
            assert await anext(results) == expected
            await idle()
    assert taken <= 15
    assert other_tasks() == 0


async def test_an_error_of_the_work_is_raised_in_its_place_and_leaves_no_task() -> None:
    async def work(item: int) -> int:
        if item == 2:
            raise ValueError("two")
        return item

    got: list[int] = []
    with pytest.raises(ValueError, match="two"):
        await collect(map_ordered(work, aiter_any([0, 1, 2, 3]), limit=2), got)
    assert got == [0, 1]
    assert other_tasks() == 0


async def test_an_error_of_the_source_is_raised_after_the_results_before_it() -> None:
    async def source() -> AsyncGenerator[int, None]:
        yield 1
        yield 2
        raise LookupError("lost")

    async def work(item: int) -> int:
        await idle()
        return item

    got: list[int] = []
    with pytest.raises(LookupError, match="lost"):
        await collect(map_ordered(work, source(), limit=5), got)
    assert got == [1, 2]
    assert other_tasks() == 0


@pytest.mark.fault
@pytest.mark.parametrize("steps", range(12))
async def test_cancelling_at_any_step_leaves_no_task(steps: int) -> None:
    work, got = Work(), list[int]()
    reader = asyncio.create_task(collect(map_ordered(work, aiter_any([1, 2, 3, 4]), limit=2), got))
    for _ in range(steps):
        await asyncio.sleep(0)
        for gate in list(work.gates.values())[: steps // 4]:
            gate.set()
    assert not reader.done()
    reader.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reader
    assert other_tasks() == 0


@pytest.mark.fault
async def test_breaking_off_leaves_no_task_once_closed() -> None:
    work = Work()
    async with aclosing(map_ordered(work, aiter_any([1, 2, 3]), limit=3)) as results:
        first = asyncio.ensure_future(anext(results))
        await idle()
        work.gates[1].set()
        assert await first == 10
    assert other_tasks() == 0


async def test_a_cooperative_computation_lets_other_tasks_run_between_its_steps() -> None:
    order = []

    def work() -> Generator[None, None, str]:
        for n in range(3):
            order.append(f"work {n}")
            yield
        return "done"

    async def other() -> None:
        for n in range(3):
            order.append(f"other {n}")
            await asyncio.sleep(0)

    result, _ = await asyncio.gather(run_cooperatively(work()), other())
    assert result == "done"
    assert order == ["work 0", "other 0", "work 1", "other 1", "work 2", "other 2"]


async def test_an_error_of_a_cooperative_computation_is_raised() -> None:
    def work() -> Generator[None, None, None]:
        yield
        raise UsageError("broken")

    with pytest.raises(UsageError, match="broken"):
        await run_cooperatively(work())


class Source:
    """A generator that yields at given times, may fail, and knows whether it was closed."""

    def __init__(self, *items: float, error: BaseException | None = None) -> None:
        self.is_closed = False
        self._items = items
        self._error = error

    async def __call__(self) -> AsyncGenerator[float, None]:
        began = asyncio.get_running_loop().time()
        try:
            for at in self._items:
                await asyncio.sleep(began + at - asyncio.get_running_loop().time())
                yield at
            if self._error is not None:
                raise self._error
        finally:
            self.is_closed = True


@virtual
async def test_merged_generators_yield_as_items_come() -> None:
    one, two, none = Source(1, 4, 5), Source(2, 3, 6), Source()
    assert [each async for each in merge(one(), two(), none())] == [1, 2, 3, 4, 5, 6]


@virtual
async def test_an_error_of_a_merged_generator_is_raised_and_closes_the_others() -> None:
    one, two = Source(1, 4, 50), Source(2, error=OSError())
    merged, got = merge(one(), two()), list[float]()
    with pytest.raises(OSError):  # noqa: PT011 - it has no message
        got.extend([each async for each in _kept(merged, got)])
    assert got == [1, 2]
    assert one.is_closed


async def _kept(items: AsyncIterator[float], got: list[float]) -> AsyncIterator[float]:
    async for item in items:
        got.append(item)
        yield item


@virtual
async def test_leaving_merged_generators_closes_them() -> None:
    one, two = Source(1, 4), Source(2, 3)
    async with aclosing(merge(one(), two())) as merged:
        assert await anext(merged) == 1
    assert one.is_closed
    assert two.is_closed


async def test_all_generators_are_closed_when_merging_is_cancelled_twice() -> None:
    closed = list[str]()

    async def source(name: str) -> AsyncGenerator[str, None]:
        try:
            yield name
            yield name
        finally:
            try:
                await idle()
            finally:  # The second cancellation may come here.
                closed.append(name)

    async def read() -> None:
        async with aclosing(merge(source("one"), source("two"))) as merged:
            async for _ in merged:
                await asyncio.Event().wait()

    reader = asyncio.create_task(read())
    await idle()
    for _ in range(2):
        reader.cancel()
        await asyncio.sleep(0)
    with pytest.raises(asyncio.CancelledError):
        await reader
    assert sorted(closed) == ["one", "two"]
    assert other_tasks() == 0


@virtual
async def test_a_burst_ends_with_a_pause_or_when_it_is_full() -> None:
    source = Source(0, 0.5, 1, 5, 5, 5, 5, 5, 9)
    bursts = [each async for each in in_bursts(source(), most=3, pause=1.0, longest=60.0)]
    assert bursts == [[0, 0.5, 1], [5, 5, 5], [5, 5], [9]]
    assert source.is_closed
    assert [each async for each in in_bursts(Source()(), most=3, pause=1.0, longest=60.0)] == []


@virtual
async def test_a_burst_without_a_pause_ends_after_a_while() -> None:
    source = Source(*(place / 2 for place in range(20)))
    bursts = [len(each) async for each in in_bursts(source(), most=99, pause=1.0, longest=5.0)]
    assert bursts == [11, 9]


@virtual
async def test_many_items_at_once_make_full_bursts() -> None:
    items = aiter_any(range(25_000))
    bursts = [len(each) async for each in in_bursts(items, most=10_000, pause=1.0, longest=60.0)]
    assert bursts == [10_000, 10_000, 5_000]


@virtual
async def test_an_error_is_raised_after_the_burst_before_it() -> None:
    bursts = in_bursts(Source(0, 0, error=OSError())(), most=9, pause=1.0, longest=60.0)
    assert await anext(bursts) == [0, 0]
    with pytest.raises(OSError):  # noqa: PT011 - it has no message
        await anext(bursts)


@virtual
async def test_a_cancellation_within_the_source_of_bursts_is_raised() -> None:
    bursts = in_bursts(
        Source(0, 0, error=asyncio.CancelledError())(), most=9, pause=1.0, longest=60.0
    )
    assert await anext(bursts) == [0, 0]
    with pytest.raises(asyncio.CancelledError):
        await anext(bursts)


@virtual
async def test_leaving_bursts_closes_their_source() -> None:
    source = Source(0, 5, 10)
    async with aclosing(in_bursts(source(), most=9, pause=1.0, longest=60.0)) as bursts:
        assert await anext(bursts) == [0]
    assert source.is_closed
