"""The changes of a board, for each who follows them at their own pace."""

import asyncio
import sys
import time
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import attrs
import pytest
from hypothesis import given, settings, strategies as st

from aiopresence import (
    ChangeSource,
    GetPresenceInfo,
    PresenceChange,
    PresenceStatus,
    SessionLost,
    UserStatus,
)
from aiopresence.live.change_log import MAX_LENGTH, ChangeLog, Changes

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
FREE = GetPresenceInfo(user_status=UserStatus.AVAILABLE)
BUSY = GetPresenceInfo(user_status=UserStatus.BUSY)
AWAY = GetPresenceInfo(user_status=UserStatus.OFFLINE, presence_status=PresenceStatus.OFFLINE)


def change(
    id_: str, old: GetPresenceInfo | None, new: GetPresenceInfo | None, minute: int = 0
) -> PresenceChange:
    return PresenceChange(id_, old, new, ChangeSource.EVENT, NOW + timedelta(minutes=minute))


@pytest.fixture
def log() -> ChangeLog:
    return ChangeLog(lambda: None)


@pytest.fixture
def followed(log: ChangeLog) -> Changes:
    return log.follow()


async def take(log: ChangeLog, followed: Changes) -> list[PresenceChange]:
    log.end(StopAsyncIteration())
    return [each async for each in followed]


async def test_changes_come_in_order(log: ChangeLog, followed: Changes) -> None:
    made = [change(id_, None, FREE) for id_ in ("2", "1", "3")]
    for each in made:
        log.put(each)
    assert await take(log, followed) == made


async def test_changes_of_one_extension_are_combined_at_the_place_of_the_first(
    log: ChangeLog, followed: Changes
) -> None:
    log.put(change("1", FREE, BUSY, 1))
    log.put(change("2", None, FREE, 2))
    log.put(change("1", BUSY, AWAY, 3))
    assert await take(log, followed) == [change("1", FREE, AWAY, 3), change("2", None, FREE, 2)]


async def test_a_change_that_was_taken_is_not_combined_with_later_ones(
    log: ChangeLog, followed: Changes
) -> None:
    log.put(change("1", FREE, BUSY))
    assert await anext(followed) == change("1", FREE, BUSY)
    log.put(change("1", BUSY, FREE))
    assert await take(log, followed) == [change("1", BUSY, FREE)]


@pytest.mark.parametrize("first", [None, FREE])
async def test_changes_that_cancel_out_are_dropped(
    log: ChangeLog, followed: Changes, first: GetPresenceInfo | None
) -> None:
    log.put(change("1", first, BUSY))
    log.put(change("2", FREE, BUSY))
    log.put(change("1", BUSY, first))
    assert await take(log, followed) == [change("2", FREE, BUSY)]


async def test_a_consumer_is_not_woken_for_changes_that_cancel_out(
    log: ChangeLog, followed: Changes
) -> None:
    waiting = asyncio.create_task(anext(followed))
    await asyncio.sleep(0)
    log.put(change("1", FREE, BUSY))
    log.put(change("1", BUSY, FREE))
    for _ in range(3):
        await asyncio.sleep(0)
    assert not waiting.done()
    log.put(change("1", FREE, AWAY))
    assert await waiting == change("1", FREE, AWAY)


async def test_the_end_comes_after_the_changes_before_it_and_stays() -> None:
    seen: list[bool] = []
    log = ChangeLog(lambda: seen.append(True))
    followed = log.follow()
    log.put(change("1", None, FREE))
    log.end(SessionLost("the end"))
    assert await anext(followed) == change("1", None, FREE)
    assert not seen
    for times in (1, 2):
        with pytest.raises(SessionLost):
            await anext(followed)
        assert len(seen) == times


async def test_the_end_wakes_a_waiting_consumer(log: ChangeLog, followed: Changes) -> None:
    waiting = [asyncio.create_task(anext(followed, None)) for _ in range(2)]
    await asyncio.sleep(0)
    log.end(StopAsyncIteration())
    assert await asyncio.gather(*waiting) == [None, None]


async def test_a_cancelled_consumer_loses_no_change(log: ChangeLog, followed: Changes) -> None:
    waiting = asyncio.create_task(anext(followed))
    await asyncio.sleep(0)
    log.put(change("1", FREE, BUSY))
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert await take(log, followed) == [change("1", FREE, BUSY)]


@pytest.mark.fault
async def test_a_stalled_consumer_has_one_pending_change_per_extension(
    log: ChangeLog, followed: Changes
) -> None:
    states = (FREE, BUSY, AWAY)
    for n in range(15_000):
        log.put(change(str(n % 10), states[n // 10 % 3], states[(n // 10 + 1) % 3]))
    # 1,500 changes of each lead back to where it was; one more does not.
    assert followed.take() is None
    for n in range(15_010):
        log.put(change(str(n % 10), states[n // 10 % 3], states[(n // 10 + 1) % 3]))
    assert [(each.old, each.new) for each in await take(log, followed)] == [(FREE, BUSY)] * 10


async def test_a_change_is_taken_as_fast_from_many_as_from_few() -> None:
    """The first snapshot of a huge account: taking each one must not pass by those taken before."""
    made = [change(str(n), None, FREE) for n in range(32_000)]

    async def spent(count: int) -> float:
        log = ChangeLog(lambda: None)
        followed = log.follow()
        for each in made[:count]:
            log.put(each)
        began = time.process_time()
        assert len(await take(log, followed)) == count
        return (time.process_time() - began) / count

    # It was 12 times as long for each.
    assert min([await spent(32_000) for _ in range(2)]) < 5 * await spent(4_000)


async def test_a_log_keeps_no_states_between_the_oldest_and_the_newest(
    log: ChangeLog, followed: Changes
) -> None:
    slow = log.follow()
    unused, *records = [GetPresenceInfo(message=str(n)) for n in range(5 * MAX_LENGTH)]
    for before, after in pairwise(records):
        log.put(change("1", before, after))
        followed.take()
    references = [sys.getrefcount(record) for record in (unused, *records)]
    # The unused record is referenced once less: it is in no list.
    kept = sum(count > references[0] + 1 for count in references)
    assert slow.take() == change("1", records[0], records[-1])
    assert kept <= MAX_LENGTH + 2


def test_the_log_has_as_many_parts_as_places_where_consumers_are(log: ChangeLog) -> None:
    slow = []
    for n in range(10 * MAX_LENGTH):
        if n in (0, 2 * MAX_LENGTH, 5 * MAX_LENGTH):
            slow += [log.follow(), log.follow()]
        log.put(change(str(n), None, FREE))
    assert [len(states) for states in log.parts.values()] == [200, 300, 500]
    taken = slow[2].take()
    del slow[3]
    assert taken == change("200", None, FREE)
    for n in range(MAX_LENGTH):
        log.put(change(str(n), FREE, BUSY))
    assert [len(states) for states in log.parts.values()] == [500, 500, 100]
    slow.clear()
    for n in range(MAX_LENGTH):
        log.put(change(str(n), BUSY, FREE))
    assert not log.parts
    assert not log.latest
    assert not log.changes


class Model:
    """What one consumer is given, in the simplest way: a queue of its own."""

    def __init__(self) -> None:
        self.pending: dict[str, PresenceChange] = {}

    def put(self, change: PresenceChange) -> None:
        earlier = self.pending.get(change.id)
        if earlier is not None:
            change = attrs.evolve(change, old=earlier.old)
        self.pending[change.id] = change

    def take(self) -> PresenceChange | None:
        while self.pending:
            oldest = self.pending.pop(next(iter(self.pending)))
            if oldest.old != oldest.new:
                return oldest
        return None


STATES = (None, FREE, BUSY, AWAY)
# A step is a change of an extension to a state, or that a consumer begins, takes some, or is gone.
STEPS = st.one_of(
    st.tuples(st.just("put"), st.integers(0, 4), st.integers(0, 3)),
    st.tuples(st.just("put"), st.integers(0, 4), st.integers(0, 3)),
    st.tuples(st.just("take"), st.integers(0, 5), st.integers(1, 7)),
    st.tuples(st.just("begin"), st.just(0), st.just(0)),
    st.tuples(st.just("drop"), st.integers(0, 5), st.just(0)),
)


@given(st.lists(STEPS, max_size=80), st.integers(1, 6))
@settings(max_examples=300)
def test_each_consumer_is_given_what_a_queue_of_its_own_would_have(
    steps: list[tuple[str, int, int]], length: int
) -> None:
    log = ChangeLog(lambda: None, length)
    states: dict[int, GetPresenceInfo | None] = {}
    consumers = [(log.follow(), Model())]
    for number, (step, which, how) in enumerate(steps):
        if step == "put" and states.get(which) != STATES[how]:
            made = change(str(which), states.get(which), STATES[how], number)
            states[which] = STATES[how]
            log.put(made)
            for _, model in consumers:
                model.put(made)
        elif step == "begin" and len(consumers) < 6:
            consumers.append((log.follow(), Model()))
        elif step == "take" and which < len(consumers):
            followed, model = consumers[which]
            for _ in range(how):
                assert followed.take() == model.take()
        elif step == "drop" and which < len(consumers):
            del consumers[which]
    for followed, model in consumers:
        while (expected := model.take()) is not None:
            assert followed.take() == expected
        assert followed.take() is None
