"""Whether events are missing after a connection was lost; the end of a replay is not announced."""

from datetime import UTC, datetime

import pytest
from hypothesis import given, strategies as st

from aiopresence import PresenceEvent
from aiopresence.protocol.event_gaps import MAX_SEEN, GapDetector
from aiopresence.protocol.event_outputs import Gap
from tests.support.session_driver import INCOMPLETE


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
    assert replay(detector, range(1, 3), 5) == []
    detector.connection_lost(140.0)
    assert detector.session_recovered(150.0, "n", 10, None) == [Gap(INCOMPLETE, 140.0)]


def test_another_heartbeat_is_not_the_marker() -> None:
    detector = lost()
    detector.session_recovered(120.0, "m", 3, None)
    for marker in (None, "x", ""):
        detector.heartbeat_received(marker)
    assert replay(detector, range(1, 4), 10) == [Gap(INCOMPLETE, 100.0)]


def test_an_event_without_an_id_is_always_new_and_counts() -> None:
    detector = lost()
    detector.session_recovered(120.0, "m", 2, None)
    assert detector.receive(121.0, PresenceEvent()) == (True, [])
    assert detector.receive(121.0, PresenceEvent()) == (True, [Gap(INCOMPLETE, 100.0)])


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
    long = PresenceEvent("x" * 1000)
    assert detector.receive(0.0, long) == detector.receive(0.0, long) == (True, [])


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
