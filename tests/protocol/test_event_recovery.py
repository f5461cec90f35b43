"""What joins one connection on to the next, and what may be missing between."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, strategies as st

from aiopresence import PresenceEvent
from aiopresence.protocol.event_frames import Wsc
from aiopresence.protocol.event_recovery import MAX_SEEN, Gap, Recovery
from aiopresence.protocol.event_session import SessionOutput, Subscribed
from tests.support.gateway_line import (
    INCOMPLETE,
    LOST,
    Line,
    answer,
    details,
    error,
    gaps,
    notification,
    silence,
    uuids,
    wsc,
)

# A connection that ends between the request and its answer has no subscription that we know of.


def test_a_connection_without_an_answer_is_not_continued() -> None:
    line = Line()
    line.connect()
    line.hear(details())
    line.lose(1.0)
    assert "wsc" not in line.connect(1.0)
    line.hear(details())
    assert line.last_id() == "m2"
    assert [type(each) for each in line.hear(answer("m2"))] == [Subscribed]


def test_a_lost_session_and_then_a_lost_answer_are_one_gap() -> None:
    line = Line().live()
    lost_at = line.now
    line.lose(1.0)
    line.connect(1.0)
    line.hear(details("Failed"))
    line.lose(1.0)
    assert "wsc" not in line.connect(1.0)
    line.hear(details())
    assert gaps(line.hear(answer(line.last_id()))) == [Gap(LOST, lost_at)]


# The token for recovery.


def test_the_token_for_recovery_comes_in_any_frame_and_the_newest_is_kept_ws08() -> None:
    line = Line().live()
    frames = [
        notification(1, **wsc(5)),
        notification(2, **wsc(4)),
        [{"type": "Heartbeat", "messageId": "x", **wsc(7)}],
        [{"type": "ClientRequest", "messageId": "x", **wsc(6)}],
        [{"type": "Error", **wsc(9)}, {"errorCode": "CMN-101"}],
        [{"type": "Unheard", **wsc(8)}],
    ]
    best = 1
    for frame in frames:
        line.hear(frame)
        best = max(best, frame[0]["wsc"]["sequence"])
        assert line.session.connection_query(line.now, "ws")["wsc"] == f"t.{best}"


@pytest.mark.parametrize(
    "value",
    [
        None,
        "t",
        [],
        {},
        {"token": "x"},
        {"sequence": 9},
        {"token": "x", "sequence": "9"},
        {"token": "x", "sequence": True},
        {"token": "x", "sequence": 9.5},
        {"token": 5, "sequence": 9},
        {"token": "", "sequence": 9},
        {"token": "ü", "sequence": 9},
        {"token": "x" * 4097, "sequence": 9},
    ],
)
def test_a_token_for_recovery_that_is_none_is_ignored_ws08(value: Any) -> None:
    line = Line().live()
    assert uuids(line.hear(notification(1, wsc=value))) == ["u1"]
    assert line.session.connection_query(line.now, "ws")["wsc"] == "t.1"


@pytest.mark.parametrize("state", ["Successful", "Failed", None])
def test_new_connection_details_replace_the_token_whatever_its_number_ws08(
    state: str | None,
) -> None:
    line = Line().live()
    line.hear(notification(1, **wsc(50)))
    line.lose()
    line.connect(1.0)
    line.hear(details(state))
    if state != "Successful":
        line.hear(answer(line.last_id()))
    assert line.session.connection_query(line.now, "ws")["wsc"] == "t.1"


def test_details_without_a_token_leave_the_session_its_own() -> None:
    for state, expected in (("Successful", "t.50"), ("Failed", None)):
        line = Line().live()
        line.hear(notification(1, **wsc(50)))
        line.lose()
        line.connect(1.0)
        meta, body = details(state)
        del meta["wsc"]
        line.hear([meta, body])
        if state == "Failed":
            line.hear(answer(line.last_id()))
        assert line.session.connection_query(line.now, "ws").get("wsc") == expected


# Recovery.


@pytest.mark.parametrize("state", ["Successful", "successful", "SUCCESSFUL"])
def test_a_session_that_was_recovered_goes_on_ws05(state: str) -> None:
    line = Line().live()
    line.lose(1.0)
    line.connect(1.0)
    assert line.hear(details(state)) == []
    assert line.said() == [[{"type": "Heartbeat", "messageId": "m2"}]]
    assert not line.is_live()  # What it missed is still on its way.
    assert uuids(line.hear(notification(1))) == ["u1"]
    assert line.hear(json.dumps([{"type": "Heartbeat", "messageId": "m2"}])) == []
    assert line.is_live()


@pytest.mark.parametrize("state", ["Failed", None, "Partly", 1, True, "", ["Successful"]])
def test_a_session_that_was_not_is_subscribed_anew_ws05(state: Any) -> None:
    line = Line().live()
    lost_at = line.now
    line.lose(1.0)
    assert "wsc" in line.connect(1.0)
    assert line.hear(details(recoveryState=state)) == []
    assert [f[0]["type"] for f in line.said()] == ["ClientRequest"]
    assert not line.is_live()
    told = line.hear(answer("m2"))
    assert [type(each) for each in told] == [Subscribed, Gap]
    assert gaps(told) == [Gap(LOST, lost_at)]


def test_a_recovery_nobody_asked_for_is_none() -> None:
    line = Line()
    line.connect()
    line.hear(details("Successful"))
    assert [f[0]["type"] for f in line.said()] == ["ClientRequest"]


@pytest.mark.parametrize("buffer", [100, 10])
@pytest.mark.parametrize("more", [-1, 0, 1])
def test_a_replay_of_a_whole_buffer_may_not_be_all_ws02(buffer: int, more: int) -> None:
    line = Line().live(recoveryBufferSize=buffer)
    lost_at = line.now
    line.lose(20.0)
    marker = line.recover(recoveryBufferSize=buffer)
    told: list[SessionOutput] = []
    for number in range(1, buffer + more + 1):
        told += line.hear(notification(number))
    told += line.hear([{"type": "Heartbeat", "messageId": marker}])
    assert uuids(told) == [f"u{number}" for number in range(1, buffer + more + 1)]
    assert gaps(told) == ([] if more < 0 else [Gap(INCOMPLETE, lost_at)])


@pytest.mark.parametrize("place", [1, 50, 100])
def test_a_replay_that_joins_on_to_what_was_known_is_all_ws02(place: int) -> None:
    line = Line().live()
    line.hear(notification(place))
    line.lose(1.0)
    marker = line.recover()
    told: list[SessionOutput] = []
    for number in range(1, 301):
        told += line.hear(notification(number))
    told += line.hear([{"type": "Heartbeat", "messageId": marker}])
    assert uuids(told) == [f"u{number}" for number in range(1, 301) if number != place]
    assert gaps(told) == []


def test_live_notifications_after_a_replay_are_not_counted() -> None:
    line = Line().live()
    line.hear(notification(0))
    line.lose(1.0)
    marker = line.recover()
    told = line.hear([{"type": "Heartbeat", "messageId": marker}])
    for number in range(1, 300):
        told += line.hear(notification(number))
    assert len(uuids(told)) == 299
    assert gaps(told) == []


def test_a_replay_that_is_cut_off_and_recovered_again_is_reported_ws01() -> None:
    line = Line().live()
    lost_at = line.now
    line.lose(1.0)
    line.recover()
    line.hear(notification(1))
    line.lose(1.0)
    line.connect(1.0)
    assert line.hear(details("Successful")) == [Gap(INCOMPLETE, lost_at)]
    line.lose(1.0)
    marker = line.recover()
    assert line.hear([{"type": "Heartbeat", "messageId": marker}]) == []


def test_a_replay_that_was_whole_before_the_next_loss_is_not_reported_ws01() -> None:
    line = Line().live()
    line.lose(1.0)
    marker = line.recover()
    line.hear(notification(1))
    line.hear([{"type": "Heartbeat", "messageId": marker}])
    line.lose(1.0)
    line.recover()
    assert uuids(line.hear(notification(2))) == ["u2"]


def test_duplicates_are_given_once_over_all_connections_ws06() -> None:
    line = Line().live()
    told = [line.hear(notification(n)) for n in (1, 2, 1, 3, 3)]
    line.lose(1.0)
    line.recover()
    told += [line.hear(notification(n)) for n in (3, 2, 4, 1, 4)]
    line.lose(500.0)
    line.connect()
    line.hear(details())
    line.hear(answer(line.last_id()))
    told += [line.hear(notification(n)) for n in (4, 5)]
    assert uuids([each for one in told for each in one]) == ["u1", "u2", "u3", "u4", "u5"]


def test_one_loss_is_one_gap_however_many_attempts_it_takes_ws01() -> None:
    line = Line().live()
    line.hear(notification(1), after=3.0)
    lost_at = line.now
    line.lose(25.0)
    for _ in range(3):
        line.session.connection_failed()
        line.connect(60.0)
        line.hear([{"type": "Unheard"}])
        line.lose(1.0)
        line.connect(60.0)
        line.hear(details("Failed"))
        line.lose(1.0)
    line.connect(1.0)
    line.hear(details())
    told = line.hear(answer(line.last_id()))
    assert gaps(told) == [Gap(LOST, lost_at)]
    last_received_at = line.now
    line.lose(200.0)
    line.connect(1.0)
    line.hear(details())
    assert gaps(line.hear(answer(line.last_id()))) == [Gap(LOST, last_received_at)]


def test_a_connection_lost_before_the_first_subscription_is_no_gap() -> None:
    line = Line()
    for _ in range(3):
        line.connect(1.0)
        line.hear(details())
        line.lose(1.0)
    line.connect(1.0)
    line.hear(details())
    assert [type(each) for each in line.hear(answer(line.last_id()))] == [Subscribed]


def test_what_broke_a_connection_is_not_asked_for_again() -> None:
    line = Line().live()
    lost_at = line.now
    line.lose(1.0, broken=True)
    assert "wsc" not in line.connect(1.0)
    line.hear(details())
    assert gaps(line.hear(answer(line.last_id()))) == [Gap(LOST, lost_at)]


# The replay, whose end nobody announces.


def event(number: int, minute: int | None = None) -> PresenceEvent:
    return PresenceEvent(f"u{number}", timestamp=None if minute is None else moment(minute))


def moment(minute: int) -> datetime:
    return datetime(2026, 3, 2, 10, minute, tzinfo=UTC)


def lost(newest: int = 5) -> Recovery:
    """Give what is known after a connection whose last event was of that minute."""
    recovery = Recovery()
    recovery.restart(Wsc("t", 1))
    assert recovery.take(90.0, event(0, newest)) == (True, [])
    recovery.lose(100.0)
    return recovery


def replay(recovery: Recovery, numbers: range, minute: int | None) -> list[Gap]:
    return [gap for n in numbers for gap in recovery.take(130.0, event(n, minute))[1]]


def test_what_is_older_than_the_connection_is_replayed_even_after_the_marker_ws02() -> None:
    recovery = lost()
    assert recovery.resume(120.0, None, "m", 100, moment(20)) == []
    assert replay(recovery, range(1, 51), 10) == []
    recovery.echoed("m")
    assert replay(recovery, range(51, 100), 10) == []
    # Live ones between do not count.
    assert replay(recovery, range(200, 300), 21) == []
    assert replay(recovery, range(300, 400), None) == []
    assert replay(recovery, range(100, 101), 10) == [Gap(INCOMPLETE, 100.0)]
    assert replay(recovery, range(101, 200), 10) == []


@pytest.mark.parametrize("created", [None, 1, 5])
def test_a_replay_after_the_marker_is_known_without_the_time_of_the_connection_ws02(
    created: int | None,
) -> None:
    """The gateway may repeat the creation time of the session's first connection, or give none."""
    recovery = lost(newest=5)  # It came at 90, so at 120 it is half past that minute.
    first = None if created is None else moment(created)
    assert recovery.resume(120.0, None, "m", 100, first) == []
    recovery.echoed("m")
    assert replay(recovery, range(200, 400), 6) == []
    assert replay(recovery, range(1, 100), 5) == []
    assert replay(recovery, range(100, 101), 5) == [Gap(INCOMPLETE, 100.0)]


def test_a_replay_after_the_marker_that_joins_on_is_complete_ws02() -> None:
    recovery = lost(newest=5)
    recovery.resume(120.0, None, "m", 10, None)
    recovery.echoed("m")
    assert replay(recovery, range(50), 5) == []


@pytest.mark.parametrize("known", ["nothing", "a clock that does not keep time"])
def test_where_the_clock_is_not_known_a_replay_is_expected_at_the_beginning(known: str) -> None:
    recovery = lost(newest=5)
    if known == "nothing":
        recovery = Recovery()
        recovery.restart(Wsc("t", 1))
    else:
        recovery.take(99.0, event(999, 5))  # Nine seconds later by our clock.
    recovery.lose(100.0)
    recovery.resume(120.0, None, "m", 3, moment(1))
    recovery.echoed("m")
    # What comes later is live.
    assert replay(recovery, range(1, 100), 6) == []
    recovery.lose(140.0)
    assert recovery.resume(150.0, None, "n", 3, moment(1)) == []
    recovery.echoed("n")
    told = [recovery.take(159.9, event(number, 6)) for number in range(200, 203)]
    assert told[:2] == [(True, []), (True, [])]
    assert told[2] == (True, [Gap(INCOMPLETE, 140.0)])


def test_a_cut_after_a_late_replay_is_reported_ws02() -> None:
    recovery = lost(newest=5)
    recovery.resume(120.0, None, "m", 10, None)
    recovery.echoed("m")
    assert replay(recovery, range(1, 3), 5) == []
    recovery.lose(140.0)
    assert recovery.resume(150.0, None, "n", 10, None) == [Gap(INCOMPLETE, 140.0)]


def test_another_heartbeat_is_not_the_marker() -> None:
    recovery = lost()
    recovery.resume(120.0, None, "m", 3, None)
    for marker in (None, "x", ""):
        recovery.echoed(marker)
    assert replay(recovery, range(1, 4), 10) == [Gap(INCOMPLETE, 100.0)]


def test_an_event_without_an_id_is_always_new_and_counts() -> None:
    recovery = lost()
    recovery.resume(120.0, None, "m", 2, None)
    assert recovery.take(121.0, PresenceEvent()) == (True, [])
    assert recovery.take(121.0, PresenceEvent()) == (True, [Gap(INCOMPLETE, 100.0)])


def test_an_event_that_comes_twice_in_one_replay_does_not_join_on() -> None:
    recovery = lost()
    recovery.resume(120.0, None, "m", 3, None)
    told = [recovery.take(121.0, event(number)) for number in (1, 1, 2)]
    assert told == [(True, []), (False, []), (True, [Gap(INCOMPLETE, 100.0)])]


def test_a_buffer_of_one_is_full_with_one() -> None:
    recovery = lost()
    recovery.resume(120.0, None, "m", 1, None)
    assert recovery.take(121.0, event(1)) == (True, [Gap(INCOMPLETE, 100.0)])


def test_the_memory_of_events_is_bounded_bp08() -> None:
    recovery = Recovery()
    for number in range(2 * MAX_SEEN):
        assert recovery.take(0.0, event(number)) == (True, [])
    assert recovery.take(0.0, event(2 * MAX_SEEN - 1)) == (False, [])
    assert recovery.take(0.0, event(MAX_SEEN)) == (False, [])
    assert recovery.take(0.0, event(0)) == (True, [])
    assert recovery.take(0.0, event(MAX_SEEN)) == (True, [])
    assert max(len(held) for held in vars(recovery).values() if isinstance(held, dict)) == MAX_SEEN


def test_an_id_longer_than_any_is_not_remembered_bp08() -> None:
    recovery = Recovery()
    long = PresenceEvent("x" * 1000)
    assert recovery.take(0.0, long) == recovery.take(0.0, long) == (True, [])


@given(st.lists(st.integers(-5, 5), max_size=12))
def test_the_newest_token_is_kept_in_whatever_order_they_come_ws08(sequences: list[int]) -> None:
    recovery = Recovery()
    for sequence in sequences:
        recovery.keep(Wsc(str(sequence), sequence))
        recovery.keep(None)
    assert recovery.token == (str(max(sequences)) if sequences else None)


@given(st.lists(st.lists(st.integers(0, 30), max_size=20), max_size=4))
def test_every_event_is_given_once_however_it_is_repeated_ws06(parts: list[list[int]]) -> None:
    recovery = Recovery()
    given_out = []
    for part in parts:
        given_out += [n for n in part if recovery.take(0.0, event(n))[0]]
        recovery.lose(0.0)
        recovery.resume(1.0, None, "m", 10, None)
    assert given_out == [*dict.fromkeys(n for part in parts for n in part)]


def test_a_replay_before_the_greeting_proves_nothing() -> None:
    line = Line().live()
    line.hear(notification(1))
    line.lose(1.0)
    line.connect(1.0)
    line.hear(notification(50))
    told = line.hear(details("Successful"))
    assert [gap.reason for gap in told if isinstance(gap, Gap)] == ["RecoveryIncomplete"]


# A token for recovery that is refused.

REFUSALS: dict[str, list[Any]] = {
    "WSG-400 without a status": [error("WSG-400")],
    "WSG-400 with a status": [error("WSG-400", 400)],
    "WSG-400 with status 200": [error("WSG-400", 200)],
    "another error": [error("CMN-102", 404)],
    "a forbidden one": [error("CMN-401", 403)],
    "a refused token": [error("OAU-128", 401)],
    "an error without a code": [error(None)],
    "details with a status": [[details(status=400)[0], {"errorCode": "WSG-400"}]],
    "a close": [],
    "another frame and a close": [[{"type": "Unheard"}]],
    "garbage and a close": ["garbage"],
}


@pytest.mark.parametrize("case", REFUSALS)
def test_a_token_for_recovery_is_not_sent_again_after_it_was_refused(case: str) -> None:
    line = Line().live()
    lost_at = line.now
    line.lose(1.0)
    assert "wsc" in line.connect(1.0)
    told = [each for frame in REFUSALS[case] for each in line.hear(frame)]
    assert told == []
    if "close" not in case:
        assert line.ending() is not None
    line.lose(1.0)
    assert "wsc" not in line.connect(1.0)
    line.hear(details())
    assert gaps(line.hear(answer(line.last_id()))) == [Gap(LOST, lost_at)]
    line.lose(1.0)
    assert line.connect(1.0)["wsc"] == "t.1"


def test_silence_in_place_of_connection_details_refuses_the_token() -> None:
    line = Line().live()
    line.lose(1.0)
    assert "wsc" in line.connect(1.0)
    assert line.tick(10.0) == "no greeting in time"
    line.lose()
    assert "wsc" not in line.connect(1.0)


def test_a_late_refusal_of_the_token_is_one_too() -> None:
    line = Line().live()
    line.lose(1.0)
    line.recover()
    assert line.hear(error("WSG-400")) == []
    assert line.ending() == "the gateway reported WSG-400"
    line.lose(1.0)
    assert "wsc" not in line.connect(1.0)


def test_an_address_that_the_server_refuses_is_not_sent_again() -> None:
    line = Line().live()
    line.lose(1.0)
    assert "wsc" in line.session.connection_query(line.now, "ws")
    line.session.recovery_refused()
    line.session.connection_failed()
    assert "wsc" not in line.connect(1.0)


def test_a_network_that_is_down_refuses_nothing() -> None:
    line = Line().live()
    line.lose(1.0)
    for _ in range(5):
        assert "wsc" in line.session.connection_query(line.now, "ws")
        line.session.connection_failed()
    line.recover()


# The time of a disconnect.


@pytest.mark.parametrize(("after", "asks"), [(179.9, True), (180.0, False)])
def test_the_time_for_a_recovery_is_measured_from_the_disconnect(after: float, asks: bool) -> None:
    line = Line().live()
    line.lose(24.0)  # 24 quiet seconds after the last frame.
    for wait in (100.0, after - 100.0):
        line.now += wait
        query = line.session.connection_query(line.now, "ws")
        line.session.connection_failed()
    assert ("wsc" in query) is asks


@pytest.mark.parametrize(("after", "asks"), [(154.9, True), (155.0, False)])
def test_a_peer_that_fell_silent_was_lost_when_it_was_last_heard(after: float, asks: bool) -> None:
    line = Line().live()
    assert line.tick(20.0) is None
    assert line.tick(5.0) == "no pong in time"
    line.lose()
    assert ("wsc" in line.connect(after)) is asks


def test_a_connection_that_ended_while_this_machine_slept_was_lost_before() -> None:
    line = Line().live()
    line.lose(300.0)  # The end of it was seen, but when it was is not known.
    assert "wsc" not in line.connect(1.0)


# The echo of the marker.


def test_without_an_echo_in_time_there_is_a_gap() -> None:
    line = Line().live()
    lost_at = line.now
    line.lose(1.0)
    marker = line.recover()
    line.now += 9.9
    assert line.session.tick(line.now) == []
    assert not line.is_live()
    line.now += 0.1
    assert line.session.next_deadline == line.now
    assert line.session.tick(line.now) == [Gap(INCOMPLETE, lost_at)]
    assert line.ending() is None
    assert line.is_live()
    # Late.
    assert line.hear([{"type": "Heartbeat", "messageId": marker}]) == []
    assert uuids(line.hear(notification(1))) == ["u1"]
    assert silence(line, line.now + 60.0) is None


def test_an_echo_in_time_or_a_gap_before_leaves_nothing_to_report() -> None:
    for full in (False, True):
        line = Line().live()
        line.lose(1.0)
        marker = line.recover(recoveryBufferSize=1)
        if full:
            assert len(gaps(line.hear(notification(1)))) == 1
        else:
            line.hear([{"type": "Heartbeat", "messageId": marker}])
        line.now += 10.0
        assert line.session.tick(line.now) == []
