"""Recovering the session of a lost connection: with which token, until when, and with what gaps."""

import json
from math import inf
from typing import Any

import pytest
from hypothesis import given, strategies as st

from aiopresence.protocol.event_frames import RecoveryToken
from aiopresence.protocol.event_outputs import Gap, SessionOutput, Subscribed
from aiopresence.protocol.event_recovery import Recovery
from tests.support.session_driver import (
    INCOMPLETE,
    LOST,
    UNREADABLE,
    SessionDriver,
    details,
    error,
    gaps,
    idle_until,
    notification,
    response,
    uuids,
    wsc,
)

# A connection that is lost before the response to its subscription request.


def test_a_session_without_a_response_to_its_subscription_is_not_recovered() -> None:
    driver = SessionDriver()
    driver.connect()
    driver.receive(details())
    driver.disconnect(1.0)
    assert "wsc" not in driver.connect(1.0)
    driver.receive(details())
    assert driver.last_message_id() == "m2"
    assert [type(each) for each in driver.receive(response("m2"))] == [Subscribed]


def test_a_lost_session_and_then_a_lost_response_are_one_gap() -> None:
    driver = SessionDriver().go_live()
    lost_at = driver.now
    driver.disconnect(1.0)
    driver.connect(1.0)
    driver.receive(details("Failed"))
    driver.disconnect(1.0)
    assert "wsc" not in driver.connect(1.0)
    driver.receive(details())
    assert gaps(driver.receive(response(driver.last_message_id()))) == [Gap(LOST, lost_at)]


# The recovery token.


@pytest.mark.fault
def test_any_frame_may_carry_a_recovery_token_and_the_newest_is_kept() -> None:
    driver = SessionDriver().go_live()
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
        driver.receive(frame)
        best = max(best, frame[0]["wsc"]["sequence"])
        assert driver.session.connection_query(driver.now, "ws")["wsc"] == f"t.{best}"


@pytest.mark.fault
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
def test_an_invalid_recovery_token_is_ignored(value: Any) -> None:
    driver = SessionDriver().go_live()
    assert uuids(driver.receive(notification(1, wsc=value))) == ["u1"]
    assert driver.session.connection_query(driver.now, "ws")["wsc"] == "t.1"


@pytest.mark.fault
@pytest.mark.parametrize("state", ["Successful", "Failed", None])
def test_new_connection_details_replace_the_token_whatever_its_number(
    state: str | None,
) -> None:
    driver = SessionDriver().go_live()
    driver.receive(notification(1, **wsc(50)))
    driver.disconnect()
    driver.connect(1.0)
    driver.receive(details(state))
    if state != "Successful":
        driver.receive(response(driver.last_message_id()))
    assert driver.session.connection_query(driver.now, "ws")["wsc"] == "t.1"


def test_details_without_a_token_keep_the_token_of_a_recovered_session() -> None:
    for state, expected in (("Successful", "t.50"), ("Failed", None)):
        driver = SessionDriver().go_live()
        driver.receive(notification(1, **wsc(50)))
        driver.disconnect()
        driver.connect(1.0)
        meta, body = details(state)
        del meta["wsc"]
        driver.receive([meta, body])
        if state == "Failed":
            driver.receive(response(driver.last_message_id()))
        assert driver.session.connection_query(driver.now, "ws").get("wsc") == expected


# Recovery.


@pytest.mark.fault
@pytest.mark.parametrize("state", ["Successful", "successful", "SUCCESSFUL"])
def test_a_recovered_session_needs_no_subscription(state: str) -> None:
    driver = SessionDriver().go_live()
    driver.disconnect(1.0)
    driver.connect(1.0)
    assert driver.receive(details(state)) == []
    assert driver.sent() == [[{"type": "Heartbeat", "messageId": "m2"}]]
    assert not driver.is_live()  # The replay is not complete.
    assert uuids(driver.receive(notification(1))) == ["u1"]
    assert driver.receive(json.dumps([{"type": "Heartbeat", "messageId": "m2"}])) == []
    assert driver.is_live()


@pytest.mark.fault
@pytest.mark.parametrize("state", ["Failed", None, "Partly", 1, True, "", ["Successful"]])
def test_a_session_that_was_not_recovered_subscribes_again(state: Any) -> None:
    driver = SessionDriver().go_live()
    lost_at = driver.now
    driver.disconnect(1.0)
    assert "wsc" in driver.connect(1.0)
    assert driver.receive(details(recoveryState=state)) == []
    assert [f[0]["type"] for f in driver.sent()] == ["ClientRequest"]
    assert not driver.is_live()
    outputs = driver.receive(response("m2"))
    assert [type(each) for each in outputs] == [Subscribed, Gap]
    assert gaps(outputs) == [Gap(LOST, lost_at)]


def test_a_recovery_that_was_not_requested_is_a_new_session() -> None:
    driver = SessionDriver()
    driver.connect()
    driver.receive(details("Successful"))
    assert [f[0]["type"] for f in driver.sent()] == ["ClientRequest"]


@pytest.mark.fault
@pytest.mark.parametrize("buffer", [100, 10])
@pytest.mark.parametrize("more", [-1, 0, 1])
def test_a_replay_of_a_full_buffer_may_be_incomplete(buffer: int, more: int) -> None:
    driver = SessionDriver().go_live(recoveryBufferSize=buffer)
    lost_at = driver.now
    driver.disconnect(20.0)
    marker = driver.recover(recoveryBufferSize=buffer)
    outputs: list[SessionOutput] = []
    for number in range(1, buffer + more + 1):
        outputs += driver.receive(notification(number))
    outputs += driver.receive([{"type": "Heartbeat", "messageId": marker}])
    assert uuids(outputs) == [f"u{number}" for number in range(1, buffer + more + 1)]
    assert gaps(outputs) == ([] if more < 0 else [Gap(INCOMPLETE, lost_at)])


@pytest.mark.fault
@pytest.mark.parametrize("place", [1, 50, 100])
def test_a_replay_with_a_known_event_is_complete(place: int) -> None:
    driver = SessionDriver().go_live()
    driver.receive(notification(place))
    driver.disconnect(1.0)
    marker = driver.recover()
    outputs: list[SessionOutput] = []
    for number in range(1, 301):
        outputs += driver.receive(notification(number))
    outputs += driver.receive([{"type": "Heartbeat", "messageId": marker}])
    assert uuids(outputs) == [f"u{number}" for number in range(1, 301) if number != place]
    assert gaps(outputs) == []


def test_what_was_made_before_the_connection_counts_as_replayed() -> None:
    driver = SessionDriver().go_live()
    driver.receive(notification(1))
    lost_at = driver.now
    driver.disconnect(1.0)
    marker = driver.recover(recoveryBufferSize=1, creationTime="2026-03-02T10:05:00Z")
    driver.receive([{"type": "Heartbeat", "messageId": marker}])
    assert gaps(driver.receive(notification(301), after=20.0)) == []
    assert gaps(driver.receive(notification(299), after=20.0)) == [Gap(INCOMPLETE, lost_at)]


def test_live_notifications_after_a_replay_are_not_counted() -> None:
    driver = SessionDriver().go_live()
    driver.receive(notification(0))
    driver.disconnect(1.0)
    marker = driver.recover()
    outputs = driver.receive([{"type": "Heartbeat", "messageId": marker}])
    for number in range(1, 300):
        outputs += driver.receive(notification(number))
    assert len(uuids(outputs)) == 299
    assert gaps(outputs) == []


@pytest.mark.fault
def test_a_disconnect_in_a_replay_is_a_gap() -> None:
    driver = SessionDriver().go_live()
    lost_at = driver.now
    driver.disconnect(1.0)
    driver.recover()
    driver.receive(notification(1))
    driver.disconnect(1.0)
    driver.connect(1.0)
    assert driver.receive(details("Successful")) == [Gap(INCOMPLETE, lost_at)]
    driver.disconnect(1.0)
    marker = driver.recover()
    assert driver.receive([{"type": "Heartbeat", "messageId": marker}]) == []


@pytest.mark.fault
def test_a_disconnect_after_a_complete_replay_is_not_a_gap() -> None:
    driver = SessionDriver().go_live()
    driver.disconnect(1.0)
    marker = driver.recover()
    driver.receive(notification(1))
    driver.receive([{"type": "Heartbeat", "messageId": marker}])
    # The echo of a second heartbeat shows that nothing was replayed after the first.
    assert driver.tick(10.0) is None
    driver.receive([{"type": "Heartbeat", "messageId": driver.last_message_id()}])
    driver.disconnect(1.0)
    driver.recover()
    assert uuids(driver.receive(notification(2))) == ["u2"]


@pytest.mark.fault
def test_duplicates_are_emitted_once_over_all_connections() -> None:
    driver = SessionDriver().go_live()
    outputs = [driver.receive(notification(n)) for n in (1, 2, 1, 3, 3)]
    driver.disconnect(1.0)
    driver.recover()
    outputs += [driver.receive(notification(n)) for n in (3, 2, 4, 1, 4)]
    driver.disconnect(500.0)
    driver.connect()
    driver.receive(details())
    driver.receive(response(driver.last_message_id()))
    outputs += [driver.receive(notification(n)) for n in (4, 5)]
    assert uuids([each for one in outputs for each in one]) == ["u1", "u2", "u3", "u4", "u5"]


@pytest.mark.fault
def test_one_loss_is_one_gap_however_many_attempts_it_takes() -> None:
    driver = SessionDriver().go_live()
    driver.receive(notification(1), after=3.0)
    lost_at = driver.now
    driver.disconnect(25.0)
    for _ in range(3):
        driver.session.connection_failed()
        driver.connect(60.0)
        driver.receive([{"type": "Unheard"}])
        driver.disconnect(1.0)
        driver.connect(60.0)
        driver.receive(details("Failed"))
        driver.disconnect(1.0)
    driver.connect(1.0)
    driver.receive(details())
    outputs = driver.receive(response(driver.last_message_id()))
    assert gaps(outputs) == [Gap(LOST, lost_at)]
    last_received_at = driver.now
    driver.disconnect(200.0)
    driver.connect(1.0)
    driver.receive(details())
    assert gaps(driver.receive(response(driver.last_message_id()))) == [Gap(LOST, last_received_at)]


def test_a_connection_lost_before_the_first_subscription_is_no_gap() -> None:
    driver = SessionDriver()
    for _ in range(3):
        driver.connect(1.0)
        driver.receive(details())
        driver.disconnect(1.0)
    driver.connect(1.0)
    driver.receive(details())
    assert [type(each) for each in driver.receive(response(driver.last_message_id()))] == [
        Subscribed
    ]


def test_what_broke_a_connection_is_not_replayed() -> None:
    driver = SessionDriver().go_live()
    lost_at = driver.now
    driver.disconnect(1.0, broken=True)
    assert "wsc" not in driver.connect(1.0)
    driver.receive(details())
    assert gaps(driver.receive(response(driver.last_message_id()))) == [Gap(LOST, lost_at)]


def test_an_unreadable_notification_is_not_replayed_after_a_later_one() -> None:
    driver = SessionDriver().go_live()
    assert gaps(driver.receive("garbage")) == [Gap(UNREADABLE, driver.now)]
    driver.receive(notification(2))
    lost_at = driver.now
    driver.disconnect(1.0)
    assert "wsc" not in driver.connect(1.0)
    driver.receive(details())
    assert gaps(driver.receive(response(driver.last_message_id()))) == [Gap(LOST, lost_at)]


def test_a_session_is_recovered_with_a_token_from_after_an_unreadable_frame() -> None:
    driver = SessionDriver().go_live()
    driver.receive("garbage")
    driver.receive(notification(2, **wsc(2)))
    driver.disconnect(1.0)
    assert driver.connect(1.0)["wsc"] == "t.2"


def test_an_unreadable_notification_that_was_replayed_prevents_no_further_recovery() -> None:
    driver = SessionDriver().go_live()
    driver.receive("garbage")
    driver.disconnect(1.0)
    driver.recover()
    assert uuids(driver.receive(notification(1))) == ["u1"]
    driver.disconnect(1.0)
    assert driver.connect(1.0)["wsc"] == "t.1"


def test_an_unreadable_frame_is_a_gap_after_there_is_a_reason_to_close() -> None:
    driver = SessionDriver().go_live()
    driver.session.close("cannot send")
    assert driver.receive("garbage") == [Gap(UNREADABLE, driver.now)]
    # With its token the session is recovered without a replay of the garbage.
    assert uuids(driver.receive(notification(2, **wsc(2)))) == ["u2"]


@pytest.mark.fault
@given(st.lists(st.integers(-5, 5), max_size=12))
def test_the_newest_token_is_kept_in_whatever_order_they_come(sequences: list[int]) -> None:
    recovery = Recovery()
    for sequence in sequences:
        recovery.update_token(RecoveryToken(str(sequence), sequence))
        recovery.update_token(None)
    recovery.has_subscription = True
    recovery.session_recovered(None, 180.0)
    recovery.connection_lost(0.0)
    assert recovery.request(1.0) == (str(max(sequences)) if sequences else None)


def test_without_a_session_there_is_nothing_to_recover() -> None:
    recovery = Recovery()
    assert recovery.requested_at == -inf
    assert recovery.is_requested is recovery.has_subscription is False
    assert recovery.request(5.0) is None
    assert (recovery.requested_at, recovery.is_requested) == (5.0, False)


def test_a_session_can_be_recovered_with_its_last_token_once_it_has_a_subscription() -> None:
    recovery = Recovery()
    recovery.session_started(RecoveryToken("first", 1), 180.0)
    assert recovery.has_subscription is False
    recovery.update_token(RecoveryToken("second", 1))
    recovery.connection_lost(10.0)
    assert recovery.request(11.0) is None
    recovery.has_subscription = True
    assert (recovery.request(189.9), recovery.is_requested) == ("second", True)
    assert (recovery.request(190.0), recovery.is_requested) == (None, False)
    recovery.forget_token()
    assert recovery.request(11.0) is None
    recovery.session_recovered(RecoveryToken("third", 0), 20.0)
    assert (recovery.request(29.9), recovery.request(30.0)) == ("third", None)


def test_a_replay_before_connection_details_is_a_gap() -> None:
    driver = SessionDriver().go_live()
    driver.receive(notification(1))
    driver.disconnect(1.0)
    driver.connect(1.0)
    driver.receive(notification(50))
    outputs = driver.receive(details("Successful"))
    assert [gap.reason for gap in outputs if isinstance(gap, Gap)] == ["RecoveryIncomplete"]


# A recovery token that is refused.

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
def test_a_refused_recovery_token_is_not_sent_again(case: str) -> None:
    driver = SessionDriver().go_live()
    lost_at = driver.now
    driver.disconnect(1.0)
    assert "wsc" in driver.connect(1.0)
    outputs = [each for frame in REFUSALS[case] for each in driver.receive(frame)]
    assert outputs == []
    if "close" not in case:
        assert driver.close_reason() is not None
    driver.disconnect(1.0)
    assert "wsc" not in driver.connect(1.0)
    driver.receive(details())
    assert gaps(driver.receive(response(driver.last_message_id()))) == [Gap(LOST, lost_at)]
    driver.disconnect(1.0)
    assert driver.connect(1.0)["wsc"] == "t.1"


def test_silence_in_place_of_connection_details_counts_as_a_refusal_of_the_recovery_token() -> None:
    driver = SessionDriver().go_live()
    driver.disconnect(1.0)
    assert "wsc" in driver.connect(1.0)
    assert driver.tick(10.0) == "no ConnectionDetails within 10 s"
    driver.disconnect()
    assert "wsc" not in driver.connect(1.0)


def test_a_recovery_token_may_be_refused_after_connection_details() -> None:
    driver = SessionDriver().go_live()
    driver.disconnect(1.0)
    driver.recover()
    assert driver.receive(error("WSG-400")) == []
    assert driver.close_reason() == "gateway error WSG-400"
    driver.disconnect(1.0)
    assert "wsc" not in driver.connect(1.0)


def test_the_recovery_token_of_a_refused_address_is_not_sent_again() -> None:
    driver = SessionDriver().go_live()
    driver.disconnect(1.0)
    assert "wsc" in driver.session.connection_query(driver.now, "ws")
    driver.session.recovery_refused()
    driver.session.connection_failed()
    assert "wsc" not in driver.connect(1.0)


def test_a_failure_to_connect_does_not_refuse_the_recovery_token() -> None:
    driver = SessionDriver().go_live()
    driver.disconnect(1.0)
    for _ in range(5):
        assert "wsc" in driver.session.connection_query(driver.now, "ws")
        driver.session.connection_failed()
    driver.recover()


# The time of a disconnect.


@pytest.mark.fault
@pytest.mark.parametrize(("after", "is_requested"), [(179.9, True), (180.0, False)])
def test_the_time_for_a_recovery_is_measured_from_the_disconnect(
    after: float, is_requested: bool
) -> None:
    driver = SessionDriver().go_live()
    driver.disconnect(24.0)  # 24 s after the last frame.
    for wait in (100.0, after - 100.0):
        driver.now += wait
        query = driver.session.connection_query(driver.now, "ws")
        driver.session.connection_failed()
    assert ("wsc" in query) is is_requested


@pytest.mark.parametrize(("after", "is_requested"), [(154.9, True), (155.0, False)])
def test_a_silent_peer_was_lost_when_something_was_last_received(
    after: float, is_requested: bool
) -> None:
    driver = SessionDriver().go_live()
    assert driver.tick(20.0) is None
    assert driver.tick(5.0) == "no pong within 5 s"
    driver.disconnect()
    assert ("wsc" in driver.connect(after)) is is_requested


@pytest.mark.parametrize(
    ("silence", "after", "is_requested"),
    [(25.0, 179.9, True), (25.1, 154.8, True), (25.1, 155.0, False)],
)
def test_after_a_silence_that_no_connection_has_it_was_lost_when_something_was_last_received(
    silence: float, after: float, is_requested: bool
) -> None:
    driver = SessionDriver().go_live()
    driver.disconnect(silence)
    assert ("wsc" in driver.connect(after)) is is_requested


@pytest.mark.fault
def test_a_connection_that_ended_while_the_machine_was_suspended_was_lost_before() -> None:
    driver = SessionDriver().go_live()
    driver.disconnect(300.0)  # The end was noticed then, but may have been earlier.
    assert "wsc" not in driver.connect(1.0)


# The echo of the marker.


def test_without_an_echo_in_time_there_is_a_gap() -> None:
    driver = SessionDriver().go_live()
    lost_at = driver.now
    driver.disconnect(1.0)
    marker = driver.recover()
    driver.now += 9.9
    assert driver.session.tick(driver.now) == []
    assert not driver.is_live()
    driver.now += 0.1
    assert driver.session.next_deadline == driver.now
    assert driver.session.tick(driver.now) == [Gap(INCOMPLETE, lost_at)]
    assert driver.close_reason() is None
    assert driver.is_live()
    # Too late.
    assert driver.receive([{"type": "Heartbeat", "messageId": marker}]) == []
    assert uuids(driver.receive(notification(1))) == ["u1"]
    assert idle_until(driver, driver.now + 60.0) is None


def test_an_echo_in_time_or_a_gap_before_leaves_nothing_to_report() -> None:
    for full in (False, True):
        driver = SessionDriver().go_live()
        driver.disconnect(1.0)
        marker = driver.recover(recoveryBufferSize=1)
        if full:
            assert len(gaps(driver.receive(notification(1)))) == 1
        else:
            driver.receive([{"type": "Heartbeat", "messageId": marker}])
        driver.now += 10.0
        assert driver.session.tick(driver.now) == []
