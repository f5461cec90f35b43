"""The changes of a board, for each who follows them at their own pace."""

import asyncio
import time
from datetime import UTC, datetime, timedelta

import pytest

from aiopresence import (
    ChangeSource,
    GetPresenceInfo,
    PresenceChange,
    PresenceStatus,
    SessionLost,
    UserStatus,
)
from aiopresence.live.change_queue import ChangeQueue

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
FREE = GetPresenceInfo(user_status=UserStatus.AVAILABLE)
BUSY = GetPresenceInfo(user_status=UserStatus.BUSY)
AWAY = GetPresenceInfo(user_status=UserStatus.OFFLINE, presence_status=PresenceStatus.OFFLINE)


def change(
    id_: str, old: GetPresenceInfo | None, new: GetPresenceInfo | None, minute: int = 0
) -> PresenceChange:
    return PresenceChange(id_, old, new, ChangeSource.EVENT, NOW + timedelta(minutes=minute))


def changes() -> ChangeQueue:
    return ChangeQueue(lambda: None)


async def take(followed: ChangeQueue) -> list[PresenceChange]:
    followed.end(StopAsyncIteration())
    return [each async for each in followed]


async def test_changes_come_in_order() -> None:
    followed = changes()
    given = [change(id_, None, FREE) for id_ in ("2", "1", "3")]
    for each in given:
        followed.put(each)
    assert await take(followed) == given


async def test_changes_of_one_extension_are_combined_at_the_place_of_the_first() -> None:
    followed = changes()
    followed.put(change("1", FREE, BUSY, 1))
    followed.put(change("2", None, FREE, 2))
    followed.put(change("1", BUSY, AWAY, 3))
    assert await take(followed) == [change("1", FREE, AWAY, 3), change("2", None, FREE, 2)]


async def test_a_change_that_was_taken_is_not_combined_with_later_ones() -> None:
    followed = changes()
    followed.put(change("1", FREE, BUSY))
    assert await anext(followed) == change("1", FREE, BUSY)
    followed.put(change("1", BUSY, FREE))
    assert await take(followed) == [change("1", BUSY, FREE)]


@pytest.mark.parametrize("first", [None, FREE])
async def test_changes_that_cancel_out_are_dropped(first: GetPresenceInfo | None) -> None:
    followed = changes()
    followed.put(change("1", first, BUSY))
    followed.put(change("2", FREE, BUSY))
    followed.put(change("1", BUSY, first))
    assert await take(followed) == [change("2", FREE, BUSY)]


async def test_a_consumer_is_not_woken_for_changes_that_cancel_out() -> None:
    followed = changes()
    waiting = asyncio.create_task(anext(followed))
    await asyncio.sleep(0)
    followed.put(change("1", FREE, BUSY))
    followed.put(change("1", BUSY, FREE))
    for _ in range(3):
        await asyncio.sleep(0)
    assert not waiting.done()
    followed.put(change("1", FREE, AWAY))
    assert await waiting == change("1", FREE, AWAY)


async def test_the_end_comes_after_the_changes_before_it_and_stays() -> None:
    seen: list[bool] = []
    followed = ChangeQueue(lambda: seen.append(True))
    followed.put(change("1", None, FREE))
    followed.end(SessionLost("the end"))
    assert await anext(followed) == change("1", None, FREE)
    assert not seen
    for times in (1, 2):
        with pytest.raises(SessionLost):
            await anext(followed)
        assert len(seen) == times


async def test_the_end_wakes_a_waiting_consumer() -> None:
    followed = changes()
    waiting = [asyncio.create_task(anext(followed, None)) for _ in range(2)]
    await asyncio.sleep(0)
    followed.end(StopAsyncIteration())
    assert await asyncio.gather(*waiting) == [None, None]


async def test_a_cancelled_consumer_loses_no_change() -> None:
    followed = changes()
    waiting = asyncio.create_task(anext(followed))
    await asyncio.sleep(0)
    followed.put(change("1", FREE, BUSY))
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert await take(followed) == [change("1", FREE, BUSY)]


async def test_a_stalled_consumer_has_one_pending_change_per_extension() -> None:
    followed = changes()
    states = (FREE, BUSY, AWAY)
    for n in range(15_000):
        followed.put(change(str(n % 10), states[n // 10 % 3], states[(n // 10 + 1) % 3]))
    # 1,500 changes of each lead back to where it was; one more does not.
    assert await take(followed) == []
    for n in range(15_010):
        followed.put(change(str(n % 10), states[n // 10 % 3], states[(n // 10 + 1) % 3]))
    assert [(each.old, each.new) for each in await take(followed)] == [(FREE, BUSY)] * 10


async def test_a_change_is_taken_as_fast_from_many_as_from_few() -> None:
    """The first snapshot of a huge account: taking each one must not pass by those taken before."""
    given = [change(str(n), None, FREE) for n in range(32_000)]

    async def spent(count: int) -> float:
        followed = changes()
        for each in given[:count]:
            followed.put(each)
        began = time.process_time()
        assert len(await take(followed)) == count
        return (time.process_time() - began) / count

    # It was 12 times as long for each.
    assert min([await spent(32_000) for _ in range(2)]) < 5 * await spent(4_000)
