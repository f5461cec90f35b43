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
    assert times.may_include("1", at(9) + SKEW, 1, at(10))
    assert not times.may_include("1", at(11) + SKEW, 1, at(10))


def test_an_event_of_the_microsecond_of_a_read_is_newer() -> None:
    times = read_at_ten()
    assert not times.may_include("1", at(10) + SKEW, 1, at(10))
    rounding = timedelta(microseconds=10)
    assert not times.may_include("1", at(10) + SKEW - rounding, 1, at(10))
    assert times.may_include("1", at(10) + SKEW - rounding - timedelta.resolution, 1, at(10))


def test_while_the_clock_is_not_known_exactly_a_read_may_include_what_seems_later() -> None:
    times = ReadTimes()
    times.clock.observe_response(ResponseTime(NOW + SKEW, at(0), at(0.5)))
    times.record("1", at(10))
    assert times.may_include("1", at(10.9) + SKEW, 1, at(10))
    assert not times.may_include("1", at(11) + SKEW, 1, at(10))


def test_no_event_is_older_than_a_read_that_never_was() -> None:
    assert not read_at_ten().may_include("2", at(9) + SKEW, 1, at(10))
    assert not ReadTimes().may_include("2", at(9), 1, at(10))


@pytest.mark.parametrize("sequence", [1, None])
def test_an_event_without_time_and_number_is_taken_for_older(sequence: int | None) -> None:
    assert read_at_ten().may_include("1", None, sequence, at(10)) is (sequence is None)


def test_an_event_was_delayed_if_it_is_much_older_than_a_read() -> None:
    times = read_at_ten()
    assert times.was_delayed(at(7.999) + SKEW, at(10))
    assert not times.was_delayed(at(8) + SKEW, at(10))
    assert not times.was_delayed(None, at(10))
    assert not ReadTimes().was_delayed(at(7) + SKEW, at(10))


def test_a_read_is_remembered_for_ten_minutes_and_not_much_longer() -> None:
    times = read_at_ten()
    for seconds in (10, 609.9, 610, 1209.9):
        times.record("2", at(seconds))
        assert times.may_include("1", at(9) + SKEW, 1, at(10))
    times.record("2", at(1210))
    assert not times.may_include("1", at(9) + SKEW, 1, at(10))
    assert times.may_include("2", at(9) + SKEW, 1, at(10))


def test_a_read_that_is_forgotten_may_include_an_event_of_ten_minutes_ago() -> None:
    times = read_at_ten()
    assert times.may_include("2", at(9.9) + SKEW, 1, at(610))
    assert not times.may_include("2", at(10) + SKEW, 1, at(610))
    assert not times.may_include("2", None, None, at(610))


def test_a_clock_that_was_set_back_begins_another_period() -> None:
    times = read_at_ten()
    times.record("2", at(5))
    times.record("3", at(5))
    assert times.may_include("1", at(9) + SKEW, 1, at(10))
    times.record("3", at(4))
    assert not times.may_include("1", at(9) + SKEW, 1, at(10))


def test_extensions_of_one_response_are_all_remembered() -> None:
    times = ReadTimes()
    times.clock.observe(NOW, NOW)
    for id_ in "123":
        times.record(id_, at(10))
    assert all(times.may_include(id_, at(9), 1, at(10)) for id_ in "123")


def test_a_read_forgets_the_doubtful_events_of_its_extension() -> None:
    times = ReadTimes()
    times.doubtful.update({"1": (5, {"a": 1}), "2": (7, {"a": 2})})
    times.record("1", NOW)
    assert times.doubtful == {"2": (7, {"a": 2})}


@pytest.mark.parametrize(("ids", "left"), [(None, ""), ([], "12"), (["1", "3"], "2")])
def test_doubtful_events_are_forgotten_for_some_extensions_or_all(
    ids: list[str] | None, left: str
) -> None:
    times = ReadTimes()
    times.forget_doubtful(ids)
    times.doubtful.update({"1": (5, {"a": 1}), "2": (7, {"a": 2})})
    times.forget_doubtful(ids)
    assert [*times.doubtful] == [*left]


@pytest.mark.parametrize(
    ("last", "sequence", "expected"),
    [(5, 6, {"a": 1}), (5, 7, {}), (5, 5, {}), (5, None, {}), (None, 6, {}), (None, None, {})],
)
def test_doubtful_events_precede_only_the_one_with_the_next_number(
    last: int | None, sequence: int | None, expected: dict[str, int]
) -> None:
    times = ReadTimes()
    times.doubtful["1"] = last, {"a": 1}
    assert times.pop_doubtful("1", sequence) == expected
    assert times.doubtful == {}
    assert times.pop_doubtful("1", sequence) == {}
