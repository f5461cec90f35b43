"""The event session without a network: exact frames, exact results, time as an argument."""

from datetime import UTC, datetime
from math import inf
from typing import Any

import pytest

from aiopresence import PermissionDenied, SubscriptionInfo
from aiopresence.models import DisabledFilterInfo, SubscriptionStatus
from aiopresence.protocol.event_outputs import Gap, Subscribed
from aiopresence.protocol.event_state import State
from tests.support.session_driver import (
    ACCOUNT,
    EXTENSION,
    LOST,
    UNREADABLE,
    SessionDriver,
    details,
    disabled,
    error,
    gaps,
    notification,
    response,
    uuids,
    wsc,
)


@pytest.mark.fault
def test_nothing_is_sent_before_connection_details() -> None:
    driver = SessionDriver()
    assert driver.session.next_deadline == inf
    assert driver.connect() == {"access_token": "ws"}
    assert driver.sent() == []
    assert uuids(driver.receive(notification(1))) == ["u1"]
    assert driver.receive([{"type": "Heartbeat", "messageId": "x"}]) == []
    assert driver.receive(response("x")) == []
    assert driver.receive("garbage") == []
    assert driver.tick(9.9) is None
    assert driver.sent() == []
    assert not driver.is_live()


def test_a_session_begins_without_a_connection() -> None:
    session = SessionDriver().session
    assert (session.state, session.outgoing, session.close_reason) == (State.CLOSED, [], None)
    assert (session.subscription, session.last_received_at) == (None, -inf)
    assert not session.diagnostics
    flags = [session.wants_ping, session.is_unauthorized, session.are_filters_refused]
    assert [*flags, session.is_live] == [False] * 4
    assert all(each is False for each in flags)


def test_only_one_connection_is_made_and_lost_at_a_time() -> None:
    driver = SessionDriver()
    with pytest.raises(RuntimeError, match=r"^DISCONNECTED is not allowed in state CLOSED$"):
        driver.disconnect()
    driver.connect()
    with pytest.raises(RuntimeError, match=r"^CONNECTED is not allowed in state AWAITING_DETAILS$"):
        driver.connect()


def test_the_end_of_a_connection_leaves_nothing_to_send_and_no_reason_to_close() -> None:
    driver = SessionDriver().go_live(idleTimeout=3)
    driver.tick(20.0)
    driver.session.close("first")
    driver.session.close("second")
    assert driver.close_reason() == "first"
    assert (len(driver.session.outgoing), driver.session.wants_ping) == (1, True)
    driver.disconnect()
    assert driver.session.wants_ping is False
    assert (driver.session.outgoing, driver.close_reason()) == ([], None)
    assert driver.session.next_deadline == inf


def test_a_subscription_is_emitted_with_the_times_of_its_connection() -> None:
    driver = SessionDriver()
    driver.connect()
    driver.receive(details(), after=2.0)
    assert driver.receive(response("m1"), after=3.0) == [
        Subscribed(
            SubscriptionInfo("s-1", status=SubscriptionStatus.ACTIVE),
            datetime(2026, 3, 2, 9, tzinfo=UTC),
            1000.0,
        )
    ]
    driver.disconnect(1.0)
    driver.connect(1.0)
    driver.receive(details("Failed", creationTime=None), after=2.0)
    [subscribed, gap] = driver.receive(response("m2"), after=3.0)
    assert isinstance(subscribed, Subscribed)
    assert (subscribed.connected_at, subscribed.requested_at) == (None, 1007.0)
    assert gap == Gap(LOST, 1005.0)


def test_a_failure_to_connect_may_name_the_next_wait_and_its_reason() -> None:
    reconnect, session = (driver := SessionDriver()).session.reconnect, driver.session
    session.connection_failed()
    assert (reconnect.delay(0.0), reconnect.reason(0.0)) == (0.0, "backoff, failures in a row: 1")
    session.connection_failed(5.0)
    assert (reconnect.delay(0.0), reconnect.reason(5.0)) == (5.0, "")
    session.connection_failed(7.0, "the server asks for it")
    assert (reconnect.delay(0.0), reconnect.reason(7.0)) == (7.0, "the server asks for it")


def test_tokens_of_frames_are_not_repeated() -> None:
    driver = SessionDriver(ACCOUNT, EXTENSION)
    driver.connect()
    meta, body = details()
    driver.receive([meta | wsc(1, "first-token"), body])
    driver.receive([{"type": "Heartbeat", "messageId": "x", **wsc(2, "second-token")}])
    repeated = [{"filter": EXTENSION, "reason": "first-token", "message": "second-token"}]
    [subscribed] = driver.receive(response("m1", disabledFilters=repeated))
    assert isinstance(subscribed, Subscribed)
    assert subscribed.info.disabled_filters == (DisabledFilterInfo(EXTENSION, "***", "***"),)
    assert driver.new_diagnostics() == [f"event filter {EXTENSION} is disabled: *** ***"]


@pytest.mark.fault
def test_one_exact_request_subscribes_to_everything() -> None:
    driver = SessionDriver(ACCOUNT, EXTENSION)
    driver.connect()
    assert driver.receive(details()) == []
    assert driver.session.outgoing == [
        '[{"type":"ClientRequest","messageId":"m1","method":"POST",'
        '"path":"/restapi/v1.0/subscription/"},'
        f'{{"eventFilters":["{ACCOUNT}","{EXTENSION}"],'
        '"deliveryMode":{"transportType":"WebSocket"}}]'
    ]
    assert not driver.is_live()
    [subscribed] = driver.receive(response("m1", eventFilters=[ACCOUNT, EXTENSION], expiresIn=5))
    assert isinstance(subscribed, Subscribed)
    assert (subscribed.info.id, subscribed.info.status) == ("s-1", "Active")
    assert subscribed.info.event_filters == (ACCOUNT, EXTENSION)
    assert driver.session.subscription is subscribed.info
    assert driver.is_live()
    assert driver.receive(response("m1")) == []
    assert driver.receive(details()) == []
    assert len(driver.sent()) == 1


def test_each_subscription_is_emitted_once() -> None:
    driver = SessionDriver().go_live()
    driver.disconnect(1.0)
    driver.recover()
    assert uuids(driver.receive(notification(1))) == ["u1"]
    assert driver.receive(response("m1")) == []
    driver.disconnect(1.0)
    driver.connect(1.0)
    driver.receive(details("Failed"))
    outputs = driver.receive(response(driver.last_message_id()))
    assert [type(each) for each in outputs] == [Subscribed, Gap]


@pytest.mark.fault
@pytest.mark.parametrize("to", ["m2", "", None, "d"])
def test_a_response_is_matched_by_its_message_id(to: str | None) -> None:
    driver = SessionDriver()
    driver.connect()
    driver.receive(details())
    assert driver.receive(response(to)) == []
    assert not driver.is_live()
    assert [type(each) for each in driver.receive(response("m1"))] == [Subscribed]


@pytest.mark.fault
def test_a_response_to_a_request_of_an_earlier_connection_is_ignored() -> None:
    driver = SessionDriver()
    driver.connect()
    driver.receive(details())
    driver.disconnect()
    driver.connect()
    driver.receive(details())
    assert driver.sent()[-1][0]["messageId"] == "m2"
    assert driver.receive(response("m1")) == []
    assert driver.receive(error("SUB-505", 400, "m1")) == []
    assert driver.close_reason() is None
    assert not driver.is_live()
    assert len(driver.receive(response("m2"))) == 1


# Disabled filters.


@pytest.mark.fault
def test_some_disabled_filters_are_logged() -> None:
    driver = SessionDriver(ACCOUNT, EXTENSION)
    driver.connect()
    driver.receive(details())
    [subscribed] = driver.receive(response("m1", disabledFilters=disabled(EXTENSION)))
    assert isinstance(subscribed, Subscribed)
    assert [each.filter for each in subscribed.info.disabled_filters or ()] == [EXTENSION]
    assert driver.new_diagnostics() == [f"event filter {EXTENSION} is disabled: SUB-407 No line"]
    assert driver.is_live()


# A wrong type elsewhere in the response hides nothing.
@pytest.mark.fault
@pytest.mark.parametrize("more", [{}, {"expiresIn": "604800"}, {"creationTime": 5}])
def test_all_filters_disabled_is_a_permission_denied(more: dict[str, Any]) -> None:
    driver = SessionDriver(ACCOUNT, EXTENSION)
    driver.connect()
    driver.receive(details())
    with pytest.raises(PermissionDenied) as caught:
        driver.receive(response("m1", disabledFilters=disabled(ACCOUNT, EXTENSION), **more))
    assert (caught.value.http_status, caught.value.error_code) == (403, "SUB-407")
    assert caught.value.message == "No line"
    assert driver.close_reason() == "all event filters are disabled"


def test_all_filters_are_disabled_only_if_each_of_them_is() -> None:
    driver = SessionDriver(ACCOUNT, EXTENSION)
    driver.connect()
    driver.receive(details())
    twice = disabled(EXTENSION, EXTENSION)
    assert len(driver.receive(response("m1", disabledFilters=twice))) == 1
    assert driver.close_reason() is None
    assert len(driver.new_diagnostics()) == 1


@pytest.mark.parametrize("body", [None, [], "x", 5, {}, {"disabledFilters": "x", "id": []}])
def test_a_response_with_unexpected_content_is_still_a_subscription(body: Any) -> None:
    driver = SessionDriver()
    driver.connect()
    driver.receive(details())
    [subscribed] = driver.receive([response("m1")[0], body])
    assert isinstance(subscribed, Subscribed)
    assert subscribed.info.id is None


# Frames with more elements than documented.


def test_every_notification_in_a_frame_is_processed() -> None:
    driver = SessionDriver().go_live()
    first, second = notification(1), notification(2)
    assert uuids(driver.receive([*first, second[1]])) == ["u1", "u2"]
    assert uuids(driver.receive([*notification(3), *notification(4), notification(5)[1]])) == [
        *("u3", "u4", "u5")
    ]
    assert uuids(driver.receive([{"type": "Heartbeat", "messageId": "x"}, {}, first[1]])) == []
    assert uuids(driver.receive([{"type": "Heartbeat"}, None, *notification(6)])) == ["u6"]
    assert driver.new_diagnostics() == []


@pytest.mark.parametrize("more", [{"event": "x"}, {"uuid": "u2", "body": None}])
def test_an_unreadable_second_notification_in_a_frame_is_a_gap(more: dict[str, Any]) -> None:
    driver = SessionDriver().go_live()
    outputs = driver.receive([*notification(1), more, notification(3)[1]], after=3.0)
    assert uuids(outputs) == ["u1", "u3"]
    assert gaps(outputs) == [Gap(UNREADABLE, 1000.0)]
    assert "unreadable frame" in driver.new_diagnostics()[0]


@pytest.mark.parametrize("more", [None, 5, "x", [], {}, {"headers": {}}])
def test_a_further_element_that_is_not_a_notification_is_logged_once(more: Any) -> None:
    driver = SessionDriver().go_live()
    for number in range(100):
        assert uuids(driver.receive([*notification(number), more])) == [f"u{number}"]
    assert driver.close_reason() is None
    assert driver.new_diagnostics() == [
        "ignored what followed the body of a frame: it is not a notification"
    ]


def test_the_response_to_a_batch_is_unreadable_and_a_gap() -> None:
    driver = SessionDriver().go_live()
    text = '[{"type":"ClientRequest","messageId":"b","status":207},--Boundary\r\nX: y\r\n\r\n{}]'
    assert gaps(driver.receive(text)) == [Gap(UNREADABLE, 1000.0)]
    assert len(driver.new_diagnostics()) == 1
