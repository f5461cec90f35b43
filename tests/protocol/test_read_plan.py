"""Which way to read: by batches of group Light, by pages of group Heavy, or by both."""

import pytest

from aiopresence import ChangeSource, GroupLimits
from aiopresence.protocol.read_plan import (
    RoutePlan,
    Wait,
    account_plan,
    best_plan,
    plan_route,
    sustained_interval,
)

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


def limited(allowed: int, limit: int, window: float = 60.0, blocked: float = 0.0) -> Wait:
    """Return the wait under a limit, of which some requests are allowed now."""
    return lambda number: blocked + max(0, -((allowed - number) // limit)) * window


HEAVY, LIGHT = limited(10, 10), limited(50, 50)


def route(
    ids: int,
    pages: int,
    *,
    heavy: Wait = HEAVY,
    light: Wait = LIGHT,
) -> RoutePlan:
    return plan_route(ids, pages, heavy, light, concurrency=8)


@pytest.mark.parametrize(
    ("ids", "pages", "by_pages", "batches", "seconds"),
    [
        (0, 0, 0, 0, 0.0),
        (1, 0, 0, 1, 0.3),
        (1, 1, 0, 1, 0.3),
        # Five batches use as much of the limits as a page does.
        (150, 1, 0, 5, 0.3),
        (151, 1, 1, 0, 1.0),
        (1000, 1, 1, 0, 1.0),
        (1000, 9, 0, 34, 1.5),
        (2000, 100, 0, 67, 62.7),
        (3000, 3, 3, 0, 1.0),
        (10_000, 10, 10, 0, 2.0),
        # The next window begins for one more page, or for the batches of what it has.
        (11_000, 11, 10, 34, 3.5),
        (12_000, 12, 12, 0, 62.0),
        (30_000, 30, 30, 0, 124.0),
        # Pages and batches at the same time.
        (55_000, 55, 50, 167, 247.0),
        (60_000, 60, 60, 0, 308.0),
        (100_000, 100, 90, 334, 492.0),
    ],
)
def test_the_route_that_is_complete_first(
    ids: int, pages: int, by_pages: int, batches: int, seconds: float
) -> None:
    plan = route(ids, pages)
    assert (plan.pages, plan.batches) == (by_pages, batches)
    assert plan.seconds == pytest.approx(seconds)


def test_pages_that_are_allowed_at_once_come_before_the_first_batch() -> None:
    assert route(11_000, 11).first_pages == 10
    # Without batches there is nothing that the other pages could be read at the same time as.
    assert route(12_000, 12).first_pages == 12
    plan = route(900, 9, heavy=limited(2, 2), light=limited(10, 10))
    assert (plan.pages, plan.first_pages, plan.batches) == (3, 2, 20)
    plan = route(900, 9, heavy=limited(2, 2), light=limited(12, 12))
    assert (plan.pages, plan.first_pages, plan.batches) == (2, 2, 24)


@pytest.mark.parametrize(
    ("heavy", "light", "by_pages"),
    [
        (limited(10, 10, blocked=60.0), limited(50, 50), 0),
        (limited(10, 10), limited(50, 50, blocked=60.0), 1),
        (limited(10, 10, blocked=60.0), limited(50, 50, blocked=90.0), 1),
        (limited(0, 1), limited(1000, 1000), 0),
        # They are similarly fast, and the page is the smaller part of the limits.
        (limited(10, 10, blocked=60.0), limited(50, 50, blocked=60.0), 1),
    ],
)
def test_the_waits_decide_the_route(heavy: Wait, light: Wait, by_pages: int) -> None:
    assert route(1000, 1, heavy=heavy, light=light).pages == by_pages


@pytest.mark.parametrize("pages", [101, 5000, 10**9])
def test_a_plan_for_any_number_of_pages_takes_few_steps(pages: int) -> None:
    asked = []

    def wait(number: int) -> float:
        asked.append(number)
        return number / 10

    assert route(1000, pages, heavy=wait).pages == 0
    assert len(asked) < 5000


def test_a_route_that_takes_two_seconds_longer_is_similar() -> None:
    # 34 batches take 0.3 s, and a page, which uses less of the limits, a second and its wait.
    def route(page_wait: float) -> RoutePlan:
        return plan_route(1000, 1, lambda _: page_wait, lambda _: 0.0, concurrency=34)

    assert route(1.3) == RoutePlan(pages=1, first_pages=1, batches=0, seconds=2.3)
    assert route(1.4) == RoutePlan(pages=0, first_pages=0, batches=34, seconds=0.3)
