"""Both sides of each boundary of the limiter, and rare states, in exact numbers.

In simulations, with a model of the server: test_rate_limits.py. Times are seconds; a slot is free
60.02 s after its response, the window and a margin.
"""

from math import inf
from typing import Any

import pytest

from aiopresence import GroupLimits
from aiopresence.protocol.rate_limits import GroupWindow, Slot

SPAN = 60.02


def told(group: GroupWindow, now: float, slot: Slot | None = None, **stated: Any) -> None:
    """Answer a request, with limits in the headers; one that is sent now unless a slot is given."""
    headers = {f"x-rate-limit-{name}": f"{value:g}" for name, value in stated.items()}
    group.complete(now, group.take(now) if slot is None else slot, headers)


def answered(limit: int = 50, requests: int = 1, now: float = 0.0, **stated: Any) -> GroupWindow:
    group = GroupWindow(GroupLimits(limit))
    for _ in range(requests):
        told(group, now, **stated)
    return group


def test_slots_are_numbered_and_know_what_was_used() -> None:
    group = GroupWindow(GroupLimits(50), name="Light")
    assert group.name == "Light"
    assert (group.penalties, group.in_flight) == (0, 0)
    assert group.take(0.0) == Slot(penalties=0, number=1, used=1)
    assert group.take(0.0) == Slot(penalties=0, number=2, used=2)
    told(group, 0.0, Slot(0, 1, 1), remaining=40)
    group.start_penalty(0.0, None)
    # Those of other clients are not among the used ones.
    assert group.take(0.0) == Slot(penalties=1, number=3, used=3)


def test_a_slot_is_free_at_the_end_of_its_span() -> None:
    group = answered(limit=1)
    assert group.delay(SPAN - 0.5) == pytest.approx(0.5)
    assert group.delay(SPAN) == 0.0
    filled = GroupWindow(GroupLimits(1))
    filled.fill(0.0)
    assert filled.delay(SPAN - 0.5) == pytest.approx(0.5)
    assert filled.delay(SPAN) == 0.0
    assert filled.snapshot(SPAN).remaining == 1


@pytest.mark.parametrize(("window", "margin"), [(1.0, 0.001), (20.0, 0.02), (3000.0, 0.02)])
def test_the_margin_is_a_thousandth_of_the_window_or_20_ms(window: float, margin: float) -> None:
    group = GroupWindow(GroupLimits(1, window))
    told(group, 0.0)
    assert group.delay(0.0) == pytest.approx(window + margin)


def test_a_window_is_filled_with_what_is_not_used_yet() -> None:
    group = answered(limit=5, requests=2)
    group.fill(10.0)
    assert group.snapshot(10.0).remaining == 0
    assert group.delay(10.0) == pytest.approx(SPAN - 10.0)
    assert group.snapshot(SPAN).remaining == 2
    assert group.snapshot(10.0 + SPAN).remaining == 5


def test_all_slots_of_the_limit_may_be_in_a_longer_window_again() -> None:
    group = answered(limit=3, requests=3)
    assert group.snapshot(70.0).remaining == 3
    group.use_preset(GroupLimits(3, 3000.0))
    assert group.snapshot(70.0).remaining == 0
    assert group.delay(70.0) == pytest.approx(3000.02 - 70.0)


def test_requests_in_flight_are_fewer_the_fewer_slots_others_leave() -> None:
    group = answered(limit=50, remaining=30)  # 19 are of others, 30 are free.
    allowed = []
    for now in (0.0, 1.5, 3.0):
        count = 0
        while group.delay(now) == 0.0:
            group.take(now)
            count += 1
        allowed.append(count)
        for _ in range(count):
            group.release(Slot(0, 0, 0))
    # A quarter of the time in which others use a whole limit are as many as are free after 9 s.
    assert allowed == [3, 2, 2]


def test_others_go_on_for_ten_windows() -> None:
    group = answered(limit=50, remaining=30)
    told(group, 599.0)
    group.take(599.0)
    allowed = [group.delay(now) for now in (599.9, 600.0)]
    group.take(600.0)
    assert allowed == [0.0, 0.0]
    others = [answered(limit=5, remaining=2) for _ in range(2)]
    for each, now in zip(others, (599.9, 600.0), strict=True):
        told(each, 599.0)
        each.take(599.0)
        assert each.delay(now) == (inf if now < 600.0 else 0.0)


def test_a_forecast_behind_a_penalty_or_requests_in_flight() -> None:
    group = answered(limit=2, requests=1, now=1000.0)
    group.take(1000.0)
    # The first slot is free after its span; that of the request in flight in a span at least.
    assert [group.forecast(1010.0, ahead) for ahead in range(4)] == [
        pytest.approx(wait) for wait in (50.02, 60.02, 50.02 + 60.02, 60.02 + 60.02)
    ]
    blocked = answered(limit=2, now=1000.0)
    blocked.start_penalty(1000.0, 100.0)
    assert [blocked.forecast(1010.0, ahead) for ahead in range(3)] == [
        pytest.approx(wait) for wait in (91.0, 91.0, 91.0 + 60.02)
    ]
    assert blocked.forecast(1200.0, 0) == 0.0
    assert blocked.forecast(1200.0, 0, keep=1) == 0.0
    assert blocked.forecast(1200.0, 1, keep=1) == pytest.approx(60.02)


def test_early_answers_raise_a_guessed_limit_up_to_the_one_before() -> None:
    group = answered(limit=5)
    slots = [group.take(1.0) for _ in range(4)]
    group.complete(2.0, slots[0], {})
    group.reject(2.0, slots[1], {"retry-after": "1"})
    assert group.limit == 2
    group.complete(3.0, slots[2], {})
    assert group.limit == 3
    # The request after the penalty is no early one.
    told(group, 100.0)
    assert group.limit == 3
    group.take(2.0 + 86_399.9)
    assert group.limit == 3
    group.take(2.0 + 86_400.0)
    assert group.limit == 5


def test_a_second_guess_ends_with_the_limit_before_the_first() -> None:
    group = answered(limit=5, requests=3)
    group.reject(0.0, group.take(0.0), {"retry-after": "1"})
    assert group.limit == 3
    told(group, 100.0)
    group.reject(101.0, group.take(101.0), {"retry-after": "1"})
    assert group.limit == 1
    group.take(101.0 + 86_400.0)
    assert group.limit == 5


def test_answers_with_different_limits_overtake_each_other() -> None:
    group = answered(limit=5)
    early, late = group.take(1.0), group.take(1.0)
    told(group, 2.0, late, limit=8)
    # It counts with its own limit, of which all but two remain: none of others.
    told(group, 2.0, early, limit=5, remaining=3)
    assert group.snapshot(2.0) == GroupLimits(8, 60.0, 5, 0.0)


def test_answers_with_the_same_others_overtake_each_other() -> None:
    group = answered(limit=11)
    slots = [group.take(1.0) for _ in range(3)]
    told(group, 2.0, slots[0], remaining=5)
    assert group.snapshot(2.0).remaining == 5  # 4 own ones, 2 of others.
    told(group, 2.0, slots[2], remaining=5)
    assert group.snapshot(2.0).remaining == 5
    told(group, 2.0, slots[1], remaining=7)
    assert group.snapshot(2.0).remaining == 6  # One may have come after that answer.


def test_others_are_gone_when_all_remain() -> None:
    group = answered(limit=11, remaining=8)
    assert group.snapshot(0.0).remaining == 8
    told(group, 1.0, remaining=11)
    assert group.snapshot(1.0).remaining == 9


@pytest.mark.parametrize(
    ("window", "applies"), [(5.9, False), (6, True), (600, True), (601, False)]
)
def test_a_window_is_odd_if_it_differs_by_more_than_a_factor_of_ten(
    window: float, applies: bool
) -> None:
    group = answered(requests=2, window=60)
    told(group, 1.0, window=window)
    assert group.window == (window if applies else 60.0)


def test_a_penalty_restarts_when_a_request_sent_before_it_ends_without_an_answer() -> None:
    group = answered()
    early = group.take(0.0)
    group.reject(1.0, group.take(0.0), {"retry-after": "10"})
    assert group.blocked_until == 12.0
    probe = group.take(12.0)
    group.abandon(13.0, probe)  # It was sent after the penalty.
    assert group.blocked_until == 12.0
    group.abandon(14.0, early)
    assert group.blocked_until == 25.0


@pytest.mark.parametrize(
    ("seconds", "wait"),
    [(1, 2.0), (86_400, 86_401.0), (86_401, 86_401.0), (1e9, 86_401.0), (0, 60.0), (None, 60.0)],
)
def test_a_penalty_lasts_for_the_rounded_time_but_no_longer_than_a_day(
    seconds: float | None, wait: float
) -> None:
    group = answered()
    group.start_penalty(0.0, seconds)
    assert (group.blocked_until, group.penalties) == (wait, 1)


def test_one_request_of_others_makes_the_group_a_shared_one() -> None:
    alone, shared = answered(limit=8, remaining=7), answered(limit=8, remaining=6)
    for group in (alone, shared):
        group.take(0.0)
    assert alone.delay(0.0) == 0.0
    assert shared.delay(0.0) == inf  # One at a time, until it is known what is left.


def test_more_requests_of_others_are_counted_once() -> None:
    group = answered(limit=50, remaining=48)
    assert group.snapshot(0.0).remaining == 48
    told(group, 0.0, remaining=44)  # Two of this session, four of others.
    assert group.snapshot(0.0).remaining == 44


def test_a_response_to_a_request_before_the_last_penalty_does_not_end_it() -> None:
    group = answered(limit=50)
    group.start_penalty(0.0, 1.0)
    between = group.take(10.0)
    group.start_penalty(11.0, 1.0)
    assert group.penalties == 2
    told(group, 20.0, between)
    group.take(20.0)
    assert group.delay(20.0) == inf  # Still one at a time.


def test_a_window_that_was_stated_is_not_replaced_by_a_preset() -> None:
    group = answered(limit=1, window=30)
    group.use_preset(GroupLimits(1, 3000.0))
    assert group.window == 30.0


def test_the_wait_for_a_slot_that_is_in_flight_is_at_least_its_span() -> None:
    group = answered(limit=3, remaining=1)  # One of this session, one of others, one is free.
    group.take(10.0)
    waits = [group.forecast(10.0, ahead) for ahead in range(3)]
    assert waits == pytest.approx([SPAN - 10.0, SPAN - 10.0, SPAN])
