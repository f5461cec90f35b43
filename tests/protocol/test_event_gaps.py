"""Whether events are missing after a connection was lost; the end of a replay is not announced."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, strategies as st

from aiopresence import PresenceEvent
from aiopresence.protocol.event_gaps import MAX_SEEN, GapDetector
from aiopresence.protocol.event_outputs import Gap
from tests.support.session_driver import INCOMPLETE, LOST, UNREADABLE


def event(number: int, minute: int | None = None) -> PresenceEvent:
    return PresenceEvent(f"u{number}", timestamp=None if minute is None else moment(minute))


def moment(minute: int) -> datetime:
    return datetime(2026, 3, 2, 10, minute, tzinfo=UTC)


def lost(newest: int = 5) -> GapDetector:
    """Return a detector after a connection whose last event was made in that minute."""
    detector = GapDetector()
    detector.session_started()
    assert detector.receive(90.0, event(0, newest)) == (True, [])
    detector.connection_lost(100.0)
    return detector


def end_replay(detector: GapDetector, now: float) -> None:
    assert detector.replay_timed_out(now, "end") == []
    detector.heartbeat_received("end")


def replay(detector: GapDetector, numbers: range, minute: int | None) -> list[Gap]:
    return [gap for n in numbers for gap in detector.receive(130.0, event(n, minute))[1]]


@pytest.mark.fault
def test_what_is_older_than_the_connection_is_replayed_even_after_the_marker() -> None:
    detector = lost()
    assert detector.session_recovered(120.0, "m", 100, moment(20)) == []
    assert replay(detector, range(1, 51), 10) == []
    detector.heartbeat_received("m")
    assert replay(detector, range(51, 100), 10) == []
    # Live events in between do not count.
    assert replay(detector, range(200, 300), 21) == []
    assert replay(detector, range(300, 400), None) == []
    assert replay(detector, range(100, 101), 10) == [Gap(INCOMPLETE, 100.0)]
    assert replay(detector, range(101, 200), 10) == []


@pytest.mark.fault
@pytest.mark.parametrize("created", [None, 1, 5])
def test_a_replay_after_the_marker_is_known_without_the_time_of_the_connection(
    created: int | None,
) -> None:
    """The gateway may repeat the creation time of the session's first connection, or omit it."""
    detector = lost(newest=5)  # It arrived at 90, so at 120 the gateway's clock is 30 s later.
    first = None if created is None else moment(created)
    assert detector.session_recovered(120.0, "m", 100, first) == []
    detector.heartbeat_received("m")
    assert replay(detector, range(200, 400), 6) == []
    assert replay(detector, range(1, 100), 5) == []
    assert replay(detector, range(100, 101), 5) == [Gap(INCOMPLETE, 100.0)]


@pytest.mark.fault
def test_a_replay_after_the_marker_with_a_known_event_is_complete() -> None:
    detector = lost(newest=5)
    detector.session_recovered(120.0, "m", 10, None)
    detector.heartbeat_received("m")
    assert replay(detector, range(50), 5) == []


@pytest.mark.parametrize("known", ["nothing", "a clock that does not keep time"])
def test_where_the_clock_is_not_known_a_replay_is_expected_at_the_beginning(known: str) -> None:
    detector = lost(newest=5)
    if known == "nothing":
        detector = GapDetector()
        detector.session_started()
    else:
        detector.receive(99.0, event(999, 5))  # Nine seconds later by our clock.
    detector.connection_lost(100.0)
    detector.session_recovered(120.0, "m", 3, moment(1))
    detector.heartbeat_received("m")
    # Later events are live.
    assert replay(detector, range(1, 100), 6) == []
    end_replay(detector, 130.0)
    detector.connection_lost(140.0)
    assert detector.session_recovered(150.0, "n", 3, moment(1)) == []
    detector.heartbeat_received("n")
    outputs = [detector.receive(159.9, event(number, 6)) for number in range(200, 203)]
    assert outputs[:2] == [(True, []), (True, [])]
    assert outputs[2] == (True, [Gap(INCOMPLETE, 140.0)])


@pytest.mark.fault
def test_a_disconnect_in_a_replay_after_the_marker_is_a_gap() -> None:
    detector = lost(newest=5)
    detector.session_recovered(120.0, "m", 10, None)
    detector.heartbeat_received("m")
    end_replay(detector, 130.0)
    assert replay(detector, range(1, 3), 5) == []
    detector.connection_lost(140.0)
    assert detector.session_recovered(150.0, "n", 10, None) == [Gap(INCOMPLETE, 100.0)]


@pytest.mark.fault
@pytest.mark.parametrize("echo", ["none", "of the marker", "of another", "of both"])
def test_a_disconnect_before_the_second_marker_is_a_gap(echo: str) -> None:
    """A gateway may echo first, replay later, and give a token for what it has not replayed."""
    detector = lost()
    detector.session_recovered(120.0, "m", 10, None)
    if echo != "none":
        detector.heartbeat_received("m")
    if echo == "of both":
        end_replay(detector, 130.0)
    elif echo == "of another":
        assert detector.replay_timed_out(130.0, "end") == []
        detector.heartbeat_received("x")
    detector.connection_lost(140.0)
    gap = [] if echo == "of both" else [Gap(INCOMPLETE, 100.0)]
    assert detector.session_recovered(150.0, "n", 10, None) == gap


def test_a_gap_during_a_replay_begins_with_what_is_replayed() -> None:
    detector = lost()
    detector.session_recovered(120.0, "m", 10, None)
    detector.heartbeat_received("m")
    assert detector.report_gap(125.0, INCOMPLETE) == [Gap(INCOMPLETE, 100.0)]


def test_another_heartbeat_is_not_the_marker() -> None:
    detector = lost()
    detector.session_recovered(120.0, "m", 3, None)
    for marker in (None, "x", ""):
        detector.heartbeat_received(marker)
    assert replay(detector, range(1, 4), 10) == [Gap(INCOMPLETE, 100.0)]


@pytest.mark.parametrize("id_", [None, ""])
def test_an_event_without_an_id_is_always_new_and_counts(id_: str | None) -> None:
    detector = lost()
    detector.session_recovered(120.0, "m", 2, None)
    assert detector.receive(121.0, PresenceEvent(id_)) == (True, [])
    assert detector.receive(121.0, PresenceEvent(id_)) == (True, [Gap(INCOMPLETE, 100.0)])


def test_an_event_twice_in_one_replay_is_not_one_from_before_the_loss() -> None:
    detector = lost()
    detector.session_recovered(120.0, "m", 3, None)
    outputs = [detector.receive(121.0, event(number)) for number in (1, 1, 2)]
    assert outputs == [(True, []), (False, []), (True, [Gap(INCOMPLETE, 100.0)])]


def test_a_buffer_of_one_is_full_with_one() -> None:
    detector = lost()
    detector.session_recovered(120.0, "m", 1, None)
    assert detector.receive(121.0, event(1)) == (True, [Gap(INCOMPLETE, 100.0)])


@pytest.mark.fault
def test_the_memory_of_events_is_bounded() -> None:
    detector = GapDetector()
    for number in range(2 * MAX_SEEN):
        assert detector.receive(0.0, event(number)) == (True, [])
    assert detector.receive(0.0, event(2 * MAX_SEEN - 1)) == (False, [])
    assert detector.receive(0.0, event(MAX_SEEN)) == (False, [])
    assert detector.receive(0.0, event(0)) == (True, [])
    assert detector.receive(0.0, event(MAX_SEEN)) == (True, [])
    assert max(len(held) for held in vars(detector).values() if isinstance(held, dict)) == MAX_SEEN


@pytest.mark.fault
def test_an_uuid_longer_than_any_is_not_remembered() -> None:
    detector = GapDetector()
    for size, is_new in ((100, False), (101, True)):
        event = PresenceEvent("x" * size)
        assert detector.receive(0.0, event) == (True, [])
        assert detector.receive(0.0, event) == (is_new, [])


def after_marker(detector: GapDetector, created: datetime | None = None) -> GapDetector:
    """Let a connection at 120 s recover the session, with a replay of one event at most."""
    assert detector.session_recovered(120.0, "m", 1, created) == []
    detector.heartbeat_received("m")
    assert detector.is_complete
    return detector


@pytest.mark.parametrize(("arrived", "is_replayed"), [(129.9, True), (130.0, False)])
def test_without_a_clock_a_replay_is_expected_for_ten_seconds(
    arrived: float, is_replayed: bool
) -> None:
    detector = GapDetector()
    detector.session_started()
    detector.connection_lost(100.0)
    gap = [Gap(INCOMPLETE, 100.0)] if is_replayed else []
    assert after_marker(detector).receive(arrived, event(1, 5)) == (True, gap)


@pytest.mark.parametrize("number", [1, 2])
@pytest.mark.parametrize(("arrived", "is_replayed"), [(129.9, True), (130.0, False)])
def test_an_event_without_a_time_counts_as_replayed_for_ten_seconds(
    arrived: float, is_replayed: bool, number: int
) -> None:
    gap = [Gap(INCOMPLETE, 100.0)] if is_replayed else []
    assert after_marker(lost(), moment(20)).receive(arrived, event(number)) == (True, gap)


@pytest.mark.parametrize(("delay", "is_known"), [(5.0, True), (5.1, False)])
def test_the_clock_is_not_known_if_the_last_event_was_delayed_for_too_long(
    delay: float, is_known: bool
) -> None:
    detector = lost(newest=5)
    detector.receive(90.0 + delay, event(1, 5))
    gap = [Gap(INCOMPLETE, 100.0)] if is_known else []
    assert after_marker(detector).receive(140.0, event(2, 5)) == (True, gap)


@pytest.mark.parametrize(("seconds", "is_replayed"), [(-0.001, True), (0.0, False)])
@pytest.mark.parametrize("is_stated", [True, False])
def test_what_was_made_before_the_connection_is_replayed(
    seconds: float, is_replayed: bool, is_stated: bool
) -> None:
    # It arrived at 90, so at 120 the gateway's clock is 30 s later.
    created = moment(6) if is_stated else moment(5) + timedelta(seconds=30)
    made = PresenceEvent("u9", timestamp=created + timedelta(seconds=seconds))
    detector = after_marker(lost(newest=5), created if is_stated else None)
    gap = [Gap(INCOMPLETE, 100.0)] if is_replayed else []
    assert detector.receive(140.0, made) == (True, gap)


def test_the_newest_event_and_the_smallest_delay_count_in_whatever_order_they_came() -> None:
    detector = lost(newest=5)
    detector.receive(91.0, event(1, 4))  # A minute late.
    detector.receive(92.0, PresenceEvent("u2", timestamp=moment(5) + timedelta(seconds=2)))
    # It is that of the session's first connection: older than the newest event.
    after_marker(detector, moment(5))
    assert detector.receive(140.0, PresenceEvent("u3", timestamp=moment(5))) == (
        *(True, [Gap(INCOMPLETE, 100.0)]),
    )


def test_without_an_echo_in_time_the_gap_is_from_when_the_connection_was_lost() -> None:
    detector = lost()
    assert detector.replay_timed_out(110.0, "end") == []
    detector.session_recovered(120.0, "m", 3, None)
    assert detector.replay_timed_out(130.0, "end") == [Gap(INCOMPLETE, 100.0)]
    assert detector.is_complete
    assert detector.replay_timed_out(131.0, "end") == []
    assert after_marker(lost()).replay_timed_out(130.0, "end") == []


def test_a_gap_is_reported_from_when_something_is_missing_and_at_most_until_now() -> None:
    detector = lost()
    assert detector.report_gap(120.0, LOST) == [Gap(LOST, 100.0)]
    assert detector.is_complete
    assert detector.report_gap(130.0, UNREADABLE) == [Gap(UNREADABLE, 130.0)]


def test_several_losses_without_a_recovery_are_missing_since_the_first() -> None:
    detector = lost()
    detector.connection_lost(110.0)
    detector.session_started()
    assert detector.report_gap(120.0, LOST) == [Gap(LOST, 100.0)]


def test_without_a_loss_a_gap_begins_with_the_recovery() -> None:
    detector = GapDetector()
    detector.session_recovered(120.0, "m", 1, None)
    assert detector.receive(125.0, event(1)) == (True, [Gap(INCOMPLETE, 120.0)])
    detector.session_recovered(130.0, "m", 1, None)
    assert detector.replay_timed_out(140.0, "end") == [Gap(INCOMPLETE, 130.0)]
    detector.interrupt_replay()
    assert detector.session_recovered(150.0, "m", 1, None) == [Gap(INCOMPLETE, 150.0)]


def test_the_time_of_a_connection_is_not_used_without_an_event_to_compare_it_with() -> None:
    detector = GapDetector()
    detector.session_started()
    detector.connection_lost(100.0)
    after_marker(detector, moment(20))
    assert detector.receive(140.0, event(1, 5)) == (True, [])


def test_an_event_of_any_earlier_connection_was_received_before_the_loss() -> None:
    detector = GapDetector()
    for gap in ([Gap(INCOMPLETE, 100.0)], []):
        detector.session_started()
        detector.connection_lost(100.0)
        detector.session_recovered(120.0, "m", 1, None)
        assert detector.receive(121.0, event(1))[1] == gap


def test_an_interrupted_replay_makes_one_recovery_a_gap() -> None:
    detector = lost()
    detector.interrupt_replay()
    assert detector.session_recovered(120.0, "m", 1, None) == [Gap(INCOMPLETE, 100.0)]
    detector.heartbeat_received("m")
    assert detector.receive(121.0, event(7, 5)) == (True, [])
    detector.connection_lost(130.0)
    assert detector.session_recovered(140.0, "m", 1, None) == []


@pytest.mark.fault
@given(st.lists(st.lists(st.integers(0, 30), max_size=20), max_size=4))
def test_every_event_is_new_once_however_often_it_is_sent(parts: list[list[int]]) -> None:
    detector = GapDetector()
    given_out = []
    for part in parts:
        given_out += [n for n in part if detector.receive(0.0, event(n))[0]]
        detector.connection_lost(0.0)
        detector.session_recovered(1.0, "m", 10, None)
    assert given_out == [*dict.fromkeys(n for part in parts for n in part)]
