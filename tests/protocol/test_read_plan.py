"""Which way to poll: by batches of group Light, or by pages of group Heavy."""

import pytest

from aiopresence import ChangeSource, GroupLimits
from aiopresence.protocol.read_plan import account_plan, best_plan, sustained_interval

BATCH, ACCOUNT = ChangeSource.BATCH, ChangeSource.ACCOUNT


# With the default plan, of 50 batches of 30 and 10 pages of 1,000 in a minute.
@pytest.mark.parametrize(
    ("ids", "size", "source", "requests", "interval"),
    [
        (0, 0, BATCH, 0, 0.0),
        (1, 1, BATCH, 1, 1.2),
        (30, 30, BATCH, 1, 1.2),
        (31, 31, BATCH, 2, 2.4),
        (150, 150, BATCH, 5, 6.0),
        (151, 151, ACCOUNT, 1, 6.0),
        (1000, 1000, ACCOUNT, 1, 6.0),
        (1001, 1001, ACCOUNT, 2, 12.0),
        (100, 100_000, BATCH, 4, 4.8),
        (1000, 10_000, BATCH, 34, 40.8),
        (1000, 6_000, ACCOUNT, 6, 36.0),
        # An account cannot be smaller than what is read of it.
        (151, 1, ACCOUNT, 1, 6.0),
        (5000, 1, ACCOUNT, 5, 30.0),
        (100, 10**9, BATCH, 4, 4.8),
    ],
)
def test_the_plan_that_can_be_repeated_sooner_is_best(
    ids: int, size: int, source: ChangeSource, requests: int, interval: float
) -> None:
    way = best_plan(ids, size, {})
    assert (way.source, way.requests, way.wait) == (source, requests, 0.0)
    assert way.interval == pytest.approx(interval)


@pytest.mark.parametrize(
    ("light", "heavy", "source", "wait"),
    [
        # 300 ids: 10 batches, every 12 s; or 1 page, every 6 s.
        (GroupLimits(50), GroupLimits(10), ACCOUNT, 0.0),
        (GroupLimits(50), GroupLimits(10, remaining=1), ACCOUNT, 0.0),
        (GroupLimits(50), GroupLimits(10, remaining=0), ACCOUNT, 6.0),
        (GroupLimits(50), GroupLimits(10, remaining=0, blocked_for=60.0), BATCH, 0.0),
        (GroupLimits(50, remaining=9), GroupLimits(10, blocked_for=60.0), BATCH, 1.2),
        (GroupLimits(50, blocked_for=60.0), GroupLimits(10, blocked_for=60.0), ACCOUNT, 60.0),
        (GroupLimits(50, blocked_for=30.0), GroupLimits(10, blocked_for=60.0), BATCH, 30.0),
        (GroupLimits(500), GroupLimits(10), BATCH, 0.0),
        (GroupLimits(50, window=6.0), GroupLimits(10), BATCH, 0.0),
        (GroupLimits(50), GroupLimits(1), BATCH, 0.0),
    ],
)
def test_remaining_requests_and_blocks_decide_the_plan(
    light: GroupLimits, heavy: GroupLimits, source: ChangeSource, wait: float
) -> None:
    way = best_plan(300, 300, {"Light": light, "Heavy": heavy})
    assert way.source is source
    assert way.wait == pytest.approx(wait)


@pytest.mark.parametrize(("size", "requests"), [(0, 1), (1000, 1), (1001, 2), (10**9, 10**6)])
def test_an_account_has_at_least_one_page(size: int, requests: int) -> None:
    way = account_plan(size, {})
    assert (way.source, way.requests) == (ACCOUNT, requests)
    assert way.interval == pytest.approx(6.0 * requests)
    assert way.wait == pytest.approx(6.0 * max(0, requests - 10))


def test_a_plan_with_more_requests_than_remain_has_to_wait() -> None:
    limits = {"Light": GroupLimits(50, remaining=2, blocked_for=3.0)}
    assert best_plan(150, 10**6, limits).wait == pytest.approx(6.6)


def test_the_interval_of_a_plan_follows_the_limits() -> None:
    plan = account_plan(2000, {})
    assert (plan.interval, sustained_interval(plan, {"Heavy": GroupLimits(20)})) == (12.0, 6.0)
    batches = best_plan(60, 60, {})
    assert sustained_interval(batches, {"Light": GroupLimits(100)}) == pytest.approx(1.2)
