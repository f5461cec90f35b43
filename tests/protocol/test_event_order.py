"""Which events are older than the last one about their extension."""

from datetime import UTC, datetime, timedelta

import pytest

from aiopresence.protocol.event_order import EventOrder, Order

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)


def at(seconds: float | None) -> datetime | None:
    return None if seconds is None else NOW + timedelta(seconds=seconds)


@pytest.mark.fault
@pytest.mark.parametrize(
    ("sequence", "seconds", "expected"),
    [
        (9, 0.0, Order.IN_ORDER),
        (10, 1.0, Order.IN_ORDER),
        (10, None, Order.IN_ORDER),
        (10, -0.001, Order.OLDER),
        (10, 1 - 86_400.0, Order.OLDER),
        (10, -86_400.0, Order.IN_ORDER),
        (None, None, Order.IN_ORDER),
        (None, -1.0, Order.OLDER),
        (8, 0.0, Order.OLDER),
        (8, None, Order.OLDER),
        (8, 1.0, Order.RESTARTED),
    ],
)
def test_an_event_is_older_by_its_number_or_its_time_unless_the_numbers_began_anew(
    sequence: int | None, seconds: float | None, expected: Order
) -> None:
    order = EventOrder()
    order.record("1", 9, NOW, capacity=5)
    assert order.record("1", sequence, at(seconds), capacity=5) is expected
    assert order.record("2", 1, NOW, capacity=5) is Order.IN_ORDER


def test_what_was_overtaken_by_an_event_with_a_new_low_number_is_older() -> None:
    order = EventOrder()
    order.record("1", 1, at(3.0), capacity=5)
    assert order.record("1", 11, at(1.0), capacity=5) is Order.OLDER
    assert order.record("1", 12, at(2.0), capacity=5) is Order.OLDER
    assert order.record("1", 2, at(4.0), capacity=5) is Order.IN_ORDER


def test_a_time_far_in_the_future_does_not_make_all_later_events_older() -> None:
    order = EventOrder()
    order.record("1", 1, datetime.max.replace(tzinfo=UTC), capacity=5)
    assert order.record("1", 2, NOW, capacity=5) is Order.IN_ORDER
    assert order.record("1", 3, at(1.0), capacity=5) is Order.IN_ORDER


def test_an_event_without_a_number_leaves_the_last_number_in_place() -> None:
    order = EventOrder()
    order.record("1", 9, NOW, capacity=5)
    order.record("1", None, at(1.0), capacity=5)
    assert order.record("1", 8, at(0.5), capacity=5) is Order.OLDER


def test_all_is_forgotten_for_one_more_extension_than_the_capacity() -> None:
    order = EventOrder()
    for id_ in "1221":
        order.record(id_, 9, NOW, capacity=2)
    assert order.record("1", 8, NOW, capacity=2) is Order.OLDER
    order.record("3", 9, NOW, capacity=2)
    assert order.record("3", 8, NOW, capacity=2) is Order.OLDER
    assert order.record("1", 8, NOW, capacity=2) is Order.IN_ORDER


def test_after_clear_any_number_is_in_order() -> None:
    order = EventOrder()
    order.record("1", 9, NOW, capacity=5)
    order.clear()
    assert order.record("1", 1, NOW, capacity=5) is Order.IN_ORDER


def test_an_event_about_a_remembered_extension_forgets_no_others() -> None:
    order = EventOrder()
    order.record("1", 9, None, capacity=2)
    order.record("2", 5, None, capacity=2)
    order.record("2", 6, None, capacity=2)
    assert order.record("1", 8, None, capacity=2) is Order.OLDER


def test_an_event_without_number_and_time_leaves_both_in_place() -> None:
    order = EventOrder()
    order.record("1", 9, None, capacity=5)
    order.record("1", None, None, capacity=5)
    assert order.record("1", 8, None, capacity=5) is Order.OLDER
