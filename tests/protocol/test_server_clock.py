"""The server's clock, estimated from the timestamps of its events."""

from datetime import UTC, datetime, timedelta

from aiopresence.protocol.server_clock import ResponseTime, ServerClock

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)


def seconds(number: float) -> timedelta:
    return timedelta(seconds=number)


def response(stated: datetime | None, sent: float, received: float) -> ResponseTime:
    return ResponseTime(stated, NOW + seconds(sent), NOW + seconds(received))


def test_the_time_is_unknown_before_the_first_event() -> None:
    clock = ServerClock()
    clock.observe_response(response(None, 0, 1))
    assert clock.earliest(NOW) is clock.latest(NOW) is None


def test_a_response_was_made_between_request_and_arrival() -> None:
    clock = ServerClock()
    clock.observe_response(response(NOW + HOUR + seconds(0.5), 0, 2))
    assert clock.earliest(NOW) == NOW + HOUR - seconds(1.5)
    assert clock.latest(NOW) == NOW + HOUR + seconds(0.5)


def test_a_time_in_whole_seconds_may_be_a_second_later() -> None:
    clock = ServerClock()
    clock.observe_response(response(NOW + HOUR, 0.9, 1))
    assert clock.earliest(NOW) == NOW + HOUR - seconds(1)
    assert clock.latest(NOW) == NOW + HOUR + seconds(0.1)


def test_the_narrowest_bounds_count() -> None:
    clock = ServerClock()
    for stated, sent, received in [
        *((10, 10.1, 10.9), (11, 11.7, 11.8), (12, 12.2, 12.3)),
        (13, 13.4, 13.5),
    ]:
        clock.observe_response(response(NOW + seconds(stated), sent, received))
    assert clock.earliest(NOW) == NOW - seconds(0.3)
    assert clock.latest(NOW) == NOW + seconds(0.3)


def test_of_two_responses_at_one_instant_the_narrower_bound_counts() -> None:
    for sent in [(0.5, 0.2), (0.2, 0.5)]:
        clock = ServerClock()
        for each in sent:
            clock.observe_response(response(NOW + seconds(0.5), each, 1.0))
        assert clock.latest(NOW) == NOW


def test_an_upper_bound_is_kept_for_ten_minutes_because_clocks_drift() -> None:
    clock = ServerClock()
    clock.observe_response(response(NOW + seconds(0.5), 0.5, 1.0))
    clock.observe_response(response(NOW + seconds(600.0), 600.0, 600.9))
    assert clock.latest(NOW) == NOW
    clock.observe_response(response(NOW + seconds(601.0), 601.0, 601.0))
    assert clock.latest(NOW) == NOW + seconds(1)


def test_a_contradiction_means_that_a_clock_was_set() -> None:
    clock = ServerClock()
    clock.observe_response(response(NOW + seconds(0.5), 0.5, 0.5))
    clock.observe(NOW + HOUR, NOW)
    assert (clock.earliest(NOW), clock.latest(NOW)) == (NOW + HOUR, NOW + HOUR + seconds(1))
    clock.observe_response(response(NOW + seconds(9.5), 9.4, 9.7))
    assert clock.earliest(NOW) == NOW - seconds(0.2)
    assert clock.latest(NOW) == NOW + seconds(0.1)


def test_a_response_counts_once() -> None:
    clock = ServerClock()
    one = response(NOW + HOUR + seconds(0.5), 0.5, 0.5)
    clock.observe_response(one)
    clock.observe_response(response(NOW + seconds(0.5), 0.5, 0.5))
    clock.observe_response(last := response(NOW + seconds(0.5), 0.5, 0.5))
    for _ in range(256):
        clock.observe(NOW - HOUR, NOW)
        clock.observe_response(last)
    assert clock.earliest(NOW) == NOW - HOUR


def test_the_event_with_the_shortest_delay_shows_the_offset() -> None:
    clock = ServerClock()
    for delay in (5, 1, 3):
        clock.observe(NOW + HOUR - seconds(delay), NOW)
    assert clock.earliest(NOW) == NOW + HOUR - seconds(1)


def test_a_wrong_timestamp_has_an_effect_for_256_events_at_most() -> None:
    clock = ServerClock()
    clock.observe(NOW + 24 * HOUR, NOW)
    for _ in range(255):
        clock.observe(NOW, NOW)
    assert clock.earliest(NOW) == NOW + 24 * HOUR
    clock.observe(NOW, NOW)
    assert clock.earliest(NOW) == NOW


def test_a_replay_of_128_old_events_does_not_change_the_estimate() -> None:
    clock = ServerClock()
    for _ in range(127):
        clock.observe(NOW - seconds(180), NOW)
    clock.observe(NOW, NOW)
    for _ in range(128):
        clock.observe(NOW - seconds(180), NOW)
    assert clock.earliest(NOW) == NOW
    clock.observe(NOW - seconds(180), NOW)
    assert clock.earliest(NOW) == NOW - seconds(180)


def test_a_period_begins_with_the_response_that_shows_that_a_clock_was_set() -> None:
    clock = ServerClock()
    clock.observe(NOW + HOUR, NOW)
    clock.observe_response(response(NOW + seconds(0.5), 0.5, 0.5))
    for _ in range(255):
        clock.observe(NOW - seconds(180), NOW)
    assert clock.earliest(NOW) == NOW
    clock.observe(NOW - seconds(180), NOW)
    assert clock.earliest(NOW) == NOW - seconds(180)


def test_bounds_that_are_equal_are_no_contradiction() -> None:
    clock = ServerClock()
    clock.observe(NOW, NOW)
    clock.observe_response(response(NOW + seconds(0.5), 0.5, 0.7))
    assert clock.earliest(NOW) == clock.latest(NOW) == NOW
    clock.observe(NOW, NOW)
    assert clock.latest(NOW) == NOW


def test_a_time_out_of_range_is_unknown() -> None:
    clock = ServerClock()
    clock.observe(datetime.max.replace(tzinfo=UTC), NOW)
    assert clock.earliest(NOW + HOUR) is None


def test_an_earlier_response_that_is_observed_later_does_not_widen_the_bounds() -> None:
    # Details of a connection have fractions of a second, unlike the Date of the token before them.
    clock = ServerClock()
    clock.observe_response(response(NOW + seconds(1.001), 1.0, 1.002))
    clock.observe_response(response(NOW, 0.5, 0.9))
    assert clock.latest(NOW) == NOW + seconds(0.001)
