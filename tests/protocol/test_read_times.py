"""Which events are older than the last read of their extension."""

from datetime import UTC, datetime, timedelta

import pytest

from aiopresence.protocol.read_times import ReadTimes

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
SKEW = timedelta(hours=1)


def at(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def read_at_ten() -> ReadTimes:
    """Return the times of one read, by a clock that is an hour behind the server's."""
    times = ReadTimes()
    times.clock.observe(NOW + SKEW, NOW)
    times.record("1", at(10))
    return times


def test_times_are_compared_by_the_clock_of_the_server() -> None:
    times = read_at_ten()
    assert times.is_before_read("1", at(9) + SKEW, is_numbered=True)
    assert not times.is_before_read("1", at(11) + SKEW, is_numbered=True)


def test_reads_at_nearly_the_same_time_have_the_time_of_the_first() -> None:
    times = read_at_ten()
    for id_, seconds in [("2", 10.009), ("3", 10.011)]:
        times.record(id_, at(seconds))
    between = at(10.005) + SKEW
    assert [times.is_before_read(id_, between, is_numbered=True) for id_ in "123"] == [
        *(False, False, True)
    ]
    times.record("1", at(5))  # The local clock was set back.
    assert not times.is_before_read("1", at(6) + SKEW, is_numbered=True)


def test_no_event_is_older_than_a_read_that_never_was() -> None:
    assert not read_at_ten().is_before_read("2", at(9) + SKEW, is_numbered=True)


@pytest.mark.parametrize("is_numbered", [True, False])
def test_an_event_without_time_and_number_is_taken_for_older(is_numbered: bool) -> None:
    assert read_at_ten().is_before_read("1", None, is_numbered=is_numbered) is not is_numbered


def test_an_event_was_delayed_if_it_is_much_older_than_a_read() -> None:
    times = read_at_ten()
    assert times.was_delayed(at(7) + SKEW, at(10))
    assert not times.was_delayed(at(9) + SKEW, at(10))
    assert not times.was_delayed(None, at(10))
    assert not ReadTimes().was_delayed(at(7) + SKEW, at(10))


def test_a_read_is_remembered_for_ten_minutes_and_not_much_longer() -> None:
    times = read_at_ten()
    for minute in range(1, 10):
        times.record("2", at(60 * minute))
    assert times.is_before_read("1", at(9) + SKEW, is_numbered=True)
    for minute in range(10, 40):
        times.record("2", at(60 * minute))
    assert not times.is_before_read("1", at(9) + SKEW, is_numbered=True)
