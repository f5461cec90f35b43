"""The server's clock, estimated from the timestamps of its events."""

from datetime import UTC, datetime, timedelta

from aiopresence.protocol.server_clock import ServerClock

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)


def seconds(number: float) -> timedelta:
    return timedelta(seconds=number)


def test_the_time_is_unknown_before_the_first_event() -> None:
    assert ServerClock().server_time(NOW) is None


def test_the_event_with_the_shortest_delay_shows_the_offset() -> None:
    clock = ServerClock()
    for delay in (5, 1, 3):
        clock.observe(NOW + HOUR - seconds(delay), NOW)
    assert clock.server_time(NOW) == NOW + HOUR - seconds(1)


def test_a_wrong_timestamp_has_an_effect_for_256_events_at_most() -> None:
    clock = ServerClock()
    clock.observe(NOW + 24 * HOUR, NOW)
    for _ in range(256):
        clock.observe(NOW, NOW)
    assert clock.server_time(NOW) == NOW


def test_a_replay_of_old_events_does_not_change_the_estimate() -> None:
    clock = ServerClock()
    clock.observe(NOW, NOW)
    for _ in range(127):
        clock.observe(NOW - seconds(180), NOW)
    assert clock.server_time(NOW) == NOW


def test_a_time_out_of_range_is_unknown() -> None:
    clock = ServerClock()
    clock.observe(datetime.max.replace(tzinfo=UTC), NOW)
    assert clock.server_time(NOW + HOUR) is None
