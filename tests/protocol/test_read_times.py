"""Which events are older than the last read of their extension."""

from datetime import UTC, datetime, timedelta

import pytest

from aiopresence.protocol.read_times import ReadTimes
from aiopresence.protocol.server_clock import ResponseTime

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
    assert times.may_include("1", at(9) + SKEW, 1)
    assert not times.may_include("1", at(11) + SKEW, 1)


def test_an_event_of_the_microsecond_of_a_read_is_newer() -> None:
    times = read_at_ten()
    assert not times.may_include("1", at(10) + SKEW, 1)
    assert times.may_include("1", at(9.9999) + SKEW, 1)


def test_while_the_clock_is_not_known_exactly_a_read_may_include_what_seems_later() -> None:
    times = ReadTimes()
    times.clock.observe_response(ResponseTime(NOW + SKEW, at(0), at(0.5)))
    times.record("1", at(10))
    assert times.may_include("1", at(10.9) + SKEW, 1)
    assert not times.may_include("1", at(11) + SKEW, 1)


def test_no_event_is_older_than_a_read_that_never_was() -> None:
    assert not read_at_ten().may_include("2", at(9) + SKEW, 1)


@pytest.mark.parametrize("sequence", [1, None])
def test_an_event_without_time_and_number_is_taken_for_older(sequence: int | None) -> None:
    assert read_at_ten().may_include("1", None, sequence) is (sequence is None)


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
    assert times.may_include("1", at(9) + SKEW, 1)
    for minute in range(10, 40):
        times.record("2", at(60 * minute))
    assert not times.may_include("1", at(9) + SKEW, 1)
