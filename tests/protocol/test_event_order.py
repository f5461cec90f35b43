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
        (10, -1.0, Order.IN_ORDER),
        (None, None, Order.IN_ORDER),
        (8, 0.0, Order.OLDER),
        (8, None, Order.OLDER),
        (8, 1.0, Order.RESTARTED),
    ],
)
def test_the_number_decides_and_the_time_tells_whether_numbers_began_anew(
    sequence: int | None, seconds: float | None, expected: Order
) -> None:
    order = EventOrder()
    order.record("1", 9, NOW, capacity=5)
    assert order.record("1", sequence, at(seconds), capacity=5) is expected
    assert order.record("2", 1, NOW, capacity=5) is Order.IN_ORDER


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
