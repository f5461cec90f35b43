"""The event session without a network: exact frames, exact results, time as an argument."""

from itertools import pairwise
from math import inf
from typing import Any

import pytest

from aiopresence import ApiError, InvalidRequest, NotFound, PermissionDenied
from aiopresence.protocol.event_outputs import Gap, Subscribed
from tests.support.session_driver import (
    ACCOUNT,
    EXTENSION,
    INCOMPLETE,
    LOST,
    UNREADABLE,
    SessionDriver,
    details,
    disabled,
    error,
    gaps,
    idle_until,
    notification,
    response,
    subscribing,
    uuids,
    wsc,
)


def test_nothing_is_said_before_connection_details() -> None:
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


def test_the_subscription_is_told_once_for_each_time_it_was_made() -> None:
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


@pytest.mark.parametrize("to", ["m2", "", None, "d"])
def test_an_answer_counts_by_its_message_id_alone(to: str | None) -> None:
    driver = SessionDriver()
    driver.connect()
    driver.receive(details())
    assert driver.receive(response(to)) == []
    assert not driver.is_live()
    assert [type(each) for each in driver.receive(response("m1"))] == [Subscribed]


def test_the_answer_to_a_request_of_an_earlier_connection_is_none() -> None:
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


# The numbers of ConnectionDetails.


@pytest.mark.parametrize(
    ("idle", "every"), [(1800, 600.0), (90_000, 600.0), (60, 20.0), (30, 10.0), (1, 1.0)]
)
def test_heartbeats_go_three_times_as_often_as_they_must(idle: int, every: float) -> None:
    driver = SessionDriver().go_live(idleTimeout=idle)
    beats, until = 0, driver.now + 3 * every
    while driver.now < until:
        driver.now = driver.session.next_deadline
        assert driver.tick() is None
        driver.session.wants_ping = False
        driver.session.keepalive_received(driver.now)
        frames = driver.sent()
        beats += len(frames)
        assert all(f == [{"type": "Heartbeat", "messageId": f"m{1 + beats}"}] for f in frames)
    assert beats == 3


@pytest.mark.parametrize(("absolute", "age"), [(86400, 82_080.0), (100, 95.0)])
def test_a_connection_is_replaced_before_it_would_be_ended(absolute: int, age: float) -> None:
    driver = SessionDriver()
    driver.go_live(absoluteTimeout=absolute)
    assert idle_until(driver, 1000.0 + age - 0.1) is None
    assert idle_until(driver, 1000.0 + age) == "connection reached its maximum age"
    assert driver.now == 1000.0 + age
    driver.disconnect()
    marker = driver.recover(absoluteTimeout=absolute)
    assert driver.receive([{"type": "Heartbeat", "messageId": marker}]) == []
    assert driver.is_live()


@pytest.mark.parametrize(
    ("timeout", "after", "asks"),
    [(180, 179.0, True), (180, 180.0, False), (180, 181.0, False), (30, 29, True), (30, 30, False)],
)
def test_recovery_is_asked_for_while_it_can_succeed(timeout: int, after: float, asks: bool) -> None:
    driver = SessionDriver().go_live(recoveryTimeout=timeout)
    driver.receive(notification(1, **wsc(2)), after=5.0)
    # What counts is the disconnect, not the last frame.
    driver.disconnect(25.0)
    query = driver.connect(after)
    assert query == {"access_token": "ws"} | ({"wsc": "t.2"} if asks else {})


NONSENSE = [0, -1, -(2**63), "30", "", None, True, 1.5, [], {}, 2**64]


@pytest.mark.parametrize("value", NONSENSE)
def test_a_number_that_makes_no_sense_was_not_said(value: Any) -> None:
    names = ("recoveryBufferSize", "recoveryTimeout", "idleTimeout", "absoluteTimeout")
    driver = SessionDriver().go_live(**dict.fromkeys(names, value))
    assert idle_until(driver, 1599.9) is None
    assert driver.sent() == []
    assert idle_until(driver, 1600.0) is None
    assert [f[0]["type"] for f in driver.sent()] == ["Heartbeat"]
    assert idle_until(driver, 1e6) == "connection reached its maximum age"
    assert driver.now == 1000.0 + 82_080.0
    last_received_at, lost_at = driver.session.last_received_at, driver.now
    driver.disconnect()
    assert "wsc" not in driver.session.connection_query(lost_at + 180.0, "ws")
    driver.recover(179.0, recoveryBufferSize=value)
    outputs = [gaps(driver.receive(notification(number))) for number in range(1, 101)]
    assert outputs == [[]] * 99 + [[Gap(INCOMPLETE, last_received_at)]]


@pytest.mark.parametrize("body", [None, [], "x", 5, {}])
def test_details_without_any_number_mean_the_documented_ones(body: Any) -> None:
    driver = SessionDriver()
    driver.connect()
    driver.receive([details()[0], body] if body != [] else [details()[0]])
    driver.receive(response(driver.last_message_id()))
    assert idle_until(driver, 1e6) == "connection reached its maximum age"
    assert driver.now == 1000.0 + 82_080.0


def test_the_largest_numbers_there_are_break_nothing() -> None:
    names = ("recoveryBufferSize", "recoveryTimeout", "idleTimeout", "absoluteTimeout")
    driver = SessionDriver().go_live(**dict.fromkeys(names, 2**63))
    assert idle_until(driver, 2000.0) is None
    assert len(driver.sent()) == 1
    driver.disconnect()
    assert "wsc" in driver.connect(1e9)


# Filters that bring nothing.


def test_some_disabled_filters_are_remarked() -> None:
    driver = SessionDriver(ACCOUNT, EXTENSION)
    driver.connect()
    driver.receive(details())
    [subscribed] = driver.receive(response("m1", disabledFilters=disabled(EXTENSION)))
    assert isinstance(subscribed, Subscribed)
    assert [each.filter for each in subscribed.info.disabled_filters or ()] == [EXTENSION]
    assert driver.new_diagnostics() == [f"event filter {EXTENSION} is disabled: SUB-407 No line"]
    assert driver.is_live()


# A wrong type elsewhere in the answer hides nothing.
@pytest.mark.parametrize("more", [{}, {"expiresIn": "604800"}, {"creationTime": 5}])
def test_all_filters_disabled_is_a_permission_denied(more: dict[str, Any]) -> None:
    driver = SessionDriver(ACCOUNT, EXTENSION)
    driver.connect()
    driver.receive(details())
    with pytest.raises(PermissionDenied) as caught:
        driver.receive(response("m1", disabledFilters=disabled(ACCOUNT, EXTENSION), **more))
    assert (caught.value.http_status, caught.value.error_code) == (403, "SUB-407")
    assert caught.value.message == "No line"


@pytest.mark.parametrize("body", [None, [], "x", 5, {}, {"disabledFilters": "x", "id": []}])
def test_an_answer_of_odd_content_is_a_subscription_all_the_same(body: Any) -> None:
    driver = SessionDriver()
    driver.connect()
    driver.receive(details())
    [subscribed] = driver.receive([response("m1")[0], body])
    assert isinstance(subscribed, Subscribed)
    assert subscribed.info.id is None


# Refusals.


@pytest.mark.parametrize("kind", ["Error", "ClientRequest"])
@pytest.mark.parametrize(
    ("code", "status", "expected"),
    [
        ("SUB-505", 400, InvalidRequest),
        ("SUB-508", 400, InvalidRequest),
        ("SUB-402", 403, PermissionDenied),
        ("CMN-401", 403, PermissionDenied),
        ("CMN-102", 404, NotFound),
        ("CMN-101", 400, InvalidRequest),
    ],
)
def test_a_refusal_that_would_come_again_is_raised(
    kind: str, code: str, status: int, expected: type[ApiError]
) -> None:
    with pytest.raises(expected) as caught:
        subscribing().receive(error(code, status, "m1", kind))
    assert (caught.value.http_status, caught.value.error_code) == (status, code)
    assert caught.value.message == "Said so"


@pytest.mark.parametrize("to", ["m1", None])
@pytest.mark.parametrize("status", [None, 200, "400", 0])
@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("SUB-505", InvalidRequest),
        ("SUB-508", InvalidRequest),
        ("SUB-402", InvalidRequest),
        ("CMN-401", PermissionDenied),
        ("CMN-101", InvalidRequest),
    ],
)
def test_a_code_without_a_status_is_enough(
    to: str | None, status: Any, code: str, expected: type[ApiError]
) -> None:
    with pytest.raises(expected) as caught:
        subscribing().receive(error(code, status, to))
    assert caught.value.error_code == code


MAY_PASS = (
    ("OAU-128", 401, True, 0.0),
    ("OAU-128", None, True, 0.0),
    ("CMN-301", 429, False, 30.0),
    ("CMN-301", None, False, 30.0),
    ("CMN-201", 500, False, 0.0),
    ("CMN-201", None, False, 0.0),
    ("CMN-202", 503, False, 0.0),
    ("WSG-901", None, False, 0.0),
    (None, 504, False, 0.0),
    (5, 408, False, 0.0),
)


@pytest.mark.parametrize(
    ("kind", "code", "status", "renew", "wait"),
    [
        *(("Error", *row) for row in MAY_PASS),
        # Without a status this would be an answer.
        *(("ClientRequest", *row) for row in MAY_PASS if row[1] is not None),
    ],
)
def test_a_refusal_that_may_pass_ends_the_connection(
    kind: str, code: Any, status: int | None, renew: bool, wait: float
) -> None:
    driver = subscribing()
    assert driver.receive(error(code, status, "m1", kind)) == []
    shown = code if isinstance(code, str) else "without a code"
    assert driver.close_reason() == f"gateway error {shown}"
    assert driver.session.is_unauthorized is renew
    driver.disconnect()
    assert driver.session.reconnect.delay(0.0) == wait
    assert driver.close_reason() is None
    assert driver.session.is_unauthorized is renew


@pytest.mark.parametrize("code", ["WSG-902", "WSG-903"])
@pytest.mark.parametrize("status", [408, None, 500])
def test_the_end_of_a_live_connection_is_no_error(code: str, status: int | None) -> None:
    driver = SessionDriver().go_live()
    assert driver.receive(error(code, status)) == []
    assert driver.close_reason() == f"gateway error {code}"
    assert driver.new_diagnostics() == []
    driver.disconnect()
    assert "wsc" in driver.connect(1.0)


@pytest.mark.parametrize("status", [400, 403, 404, 429, 500, None])
def test_an_error_about_nothing_of_ours_is_only_remarked(status: int | None) -> None:
    driver = SessionDriver().go_live()
    for _ in range(3):
        assert driver.receive(error("CMN-101", status)) == []
    assert driver.close_reason() is None
    assert driver.new_diagnostics() == ["gateway error CMN-101"]
    assert driver.is_live()


def test_codes_that_nobody_knows_do_not_fill_the_memory() -> None:
    driver = SessionDriver().go_live()
    for number in range(1000):
        driver.receive(error(f"XXX-{number}" + "x" * 1000, 400))
    remarks = driver.new_diagnostics()
    assert 0 < len(remarks) <= 100
    assert max(map(len, remarks)) <= 256


def test_a_token_that_is_refused_while_live_is_renewed() -> None:
    driver = SessionDriver().go_live()
    assert driver.receive(error("OAU-128", 401)) == []
    assert driver.session.is_unauthorized
    assert driver.close_reason() == "gateway error OAU-128"


@pytest.mark.parametrize(
    ("status", "expected"),
    [(403, PermissionDenied), (400, InvalidRequest), (401, None), (429, None), (503, None)],
)
def test_details_that_refuse(status: int, expected: type[ApiError] | None) -> None:
    driver = SessionDriver()
    driver.connect()
    refusal = [details(status=status)[0], {"errorCode": "X-1"}]
    if expected is None:
        assert driver.receive(refusal) == []
        assert driver.close_reason() == "gateway error X-1"
        assert driver.session.is_unauthorized is (status == 401)
    else:
        with pytest.raises(expected):
            driver.receive(refusal)
    assert driver.sent() == []
    assert not driver.is_live()


def test_an_error_before_details_is_about_the_connection() -> None:
    driver = SessionDriver()
    driver.connect()
    with pytest.raises(PermissionDenied):
        driver.receive(error("CMN-401", 403, "whatever"))
    driver.disconnect()
    driver.connect()
    driver.receive(error("OAU-128"))
    assert driver.session.is_unauthorized


# Time.


def test_details_are_waited_for() -> None:
    driver = SessionDriver()
    driver.connect()
    assert driver.session.next_deadline == 1010.0
    assert driver.tick(9.99) is None
    assert driver.tick(0.01) == "no ConnectionDetails within 10 s"


def test_the_answer_is_waited_for() -> None:
    driver = subscribing()
    for _ in range(5):
        driver.now += 5.99
        driver.session.keepalive_received(driver.now)
        assert driver.tick() is None
    assert driver.tick(0.06) == "no response to the subscription request within 30 s"
    assert driver.session.next_deadline < inf


def test_connection_details_after_their_deadline_are_ignored() -> None:
    driver = SessionDriver()
    driver.connect()
    reason = driver.tick(10.0)
    assert driver.receive(details()) == []
    assert driver.sent() == []
    assert driver.close_reason() == reason == "no ConnectionDetails within 10 s"


def test_a_response_after_its_deadline_is_ignored() -> None:
    driver = subscribing()
    driver.now += 19.0
    driver.session.keepalive_received(driver.now)
    reason = driver.tick(11.0)
    assert driver.receive(response("m1")) == []
    assert driver.session.subscription is None
    assert driver.close_reason() == reason == "no response to the subscription request within 30 s"


def test_a_dead_peer_is_found_in_25_seconds() -> None:
    driver = SessionDriver().go_live()
    assert driver.session.next_deadline == 1020.0
    assert driver.tick(19.99) is None
    assert not driver.pings()
    assert driver.tick(0.01) is None
    assert driver.pings()
    assert driver.session.next_deadline == 1025.0
    assert driver.tick(4.99) is None
    assert driver.tick(0.01) == "no pong within 5 s"
    assert not driver.is_live()


@pytest.mark.parametrize("sign", ["pong", "frame", "garbage"])
def test_any_sign_of_life_will_do(sign: str) -> None:
    driver = SessionDriver().go_live()
    for _ in range(5):
        assert driver.tick(20.0) is None
        assert driver.session.wants_ping
        driver.session.wants_ping = False
        driver.now += 4.0
        if sign == "pong":
            driver.session.keepalive_received(driver.now)
        else:
            driver.receive(notification(1) if sign == "frame" else "")
        assert driver.session.last_received_at == driver.now
        assert driver.tick(2.0) is None
        driver.now -= 2.0
        assert driver.session.next_deadline == driver.now + 20.0


def test_after_an_hour_asleep_the_connection_is_dead() -> None:
    driver = SessionDriver().go_live()
    last_received_at = driver.now
    assert driver.tick(3600.0) == "this process was suspended"
    driver.disconnect()
    assert "wsc" not in driver.connect()
    driver.receive(details())
    assert gaps(driver.receive(response(driver.last_message_id()))) == [Gap(LOST, last_received_at)]


def test_a_tick_too_early_does_nothing() -> None:
    driver = SessionDriver().go_live()
    before = driver.session.next_deadline
    for _ in range(10):
        assert driver.tick(1.0) is None
    assert (driver.sent(), driver.session.wants_ping, driver.session.next_deadline) == (
        [],
        False,
        before,
    )


# Waiting before the next connection.


def test_waits_double_up_to_two_minutes_with_full_jitter() -> None:
    driver = SessionDriver()
    assert driver.session.reconnect.delay(1.0) == 0.0
    waits = []
    for _ in range(12):
        driver.session.connection_failed()
        waits.append(driver.session.reconnect.delay(1.0))
        assert driver.session.reconnect.delay(0.0) == 0.0
        assert driver.session.reconnect.delay(0.25) == waits[-1] / 4
    assert waits == [1, 2, 4, 8, 16, 32, 64, 120, 120, 120, 120, 120]
    for _ in range(10_000):
        driver.session.connection_failed()
    assert driver.session.reconnect.delay(1.0) == 120.0


@pytest.mark.parametrize(("held", "wait"), [(9.9, 32.0), (10.0, 1.0), (6e4, 1.0)])
def test_a_connection_that_held_on_starts_the_waits_afresh(held: float, wait: float) -> None:
    driver = SessionDriver()
    for _ in range(5):
        driver.session.connection_failed()
    driver.go_live()
    driver.disconnect(held)
    assert driver.session.reconnect.delay(1.0) == wait


def test_connections_that_are_cut_every_fifteen_seconds_never_wait_long() -> None:
    driver = SessionDriver().go_live()
    for number in range(100):
        driver.disconnect(15.0)
        assert driver.session.reconnect.delay(1.0) == 1.0
        if number % 2:
            driver.receive([{"type": "Heartbeat", "messageId": driver.recover(1.0)}])
        else:
            driver.connect(1.0)
            driver.receive(details("Failed"))
            driver.receive(response(driver.last_message_id()))


@pytest.mark.parametrize("held", [0.1, 5.0, 9.9])
def test_connections_that_are_cut_at_once_wait_longer_and_longer(held: float) -> None:
    driver, waits = SessionDriver().go_live(), []
    for _ in range(4):
        driver.disconnect(held)
        waits.append(driver.session.reconnect.delay(1.0))
        driver.receive([{"type": "Heartbeat", "messageId": driver.recover(1.0)}])
    assert waits == [1.0, 2.0, 4.0, 8.0]


def test_a_connection_that_never_subscribed_is_no_success() -> None:
    driver = SessionDriver()
    for waits in (1.0, 2.0, 4.0):
        driver.connect()
        driver.receive(details())
        driver.disconnect(29.0)
        assert driver.session.reconnect.delay(1.0) == waits


def test_a_connection_without_details_does_not_count_as_held() -> None:
    driver = SessionDriver()
    for waits in (1.0, 2.0, 4.0):
        driver.connect()
        driver.disconnect(100.0)
        assert driver.session.reconnect.delay(1.0) == waits


def test_what_the_server_asks_for_is_the_least_wait() -> None:
    driver = SessionDriver()
    driver.session.connection_failed(7.5)
    assert driver.session.reconnect.delay(0.0) == driver.session.reconnect.delay(1.0) == 7.5
    driver.session.connection_failed()
    assert driver.session.reconnect.delay(1.0) == 2.0
    driver.session.connection_failed(2.0)
    assert driver.session.reconnect.delay(1.0) == 4.0
    driver.connect()
    assert driver.session.reconnect.delay(0.0) == 0.0


def test_every_wait_has_a_reason() -> None:
    driver = SessionDriver()
    driver.session.connection_failed(7.5, "Retry-After")
    assert driver.session.reconnect.reason(driver.session.reconnect.delay(1.0)) == "Retry-After"
    for _ in range(4):
        driver.session.connection_failed()
    assert (
        driver.session.reconnect.reason(driver.session.reconnect.delay(1.0))
        == "backoff, failures in a row: 5"
    )
    driver = SessionDriver().go_live()
    driver.receive(error("CMN-301", 429))
    driver = subscribing()
    driver.receive(error("CMN-301", 429, "m1"))
    driver.disconnect()
    reason = driver.session.reconnect.reason(driver.session.reconnect.delay(1.0))
    assert reason == "gateway error CMN-301"


# Frames of more elements than are documented.


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
def test_a_further_notification_that_cannot_be_read_is_a_gap(more: dict[str, Any]) -> None:
    driver = SessionDriver().go_live()
    outputs = driver.receive([*notification(1), more, notification(3)[1]], after=3.0)
    assert uuids(outputs) == ["u1", "u3"]
    assert gaps(outputs) == [Gap(UNREADABLE, 1000.0)]
    assert "unreadable frame" in driver.new_diagnostics()[0]


@pytest.mark.parametrize("more", [None, 5, "x", [], {}, {"headers": {}}])
def test_a_further_element_that_is_no_notification_is_remarked_once(more: Any) -> None:
    driver = SessionDriver().go_live()
    for number in range(100):
        assert uuids(driver.receive([*notification(number), more])) == [f"u{number}"]
    assert driver.close_reason() is None
    assert driver.new_diagnostics() == [
        "ignored what followed the body of a frame: it is not a notification"
    ]


def test_an_answer_to_a_batch_is_unreadable_and_reported() -> None:
    driver = SessionDriver().go_live()
    text = '[{"type":"ClientRequest","messageId":"b","status":207},--Boundary\r\nX: y\r\n\r\n{}]'
    assert gaps(driver.receive(text)) == [Gap(UNREADABLE, 1000.0)]
    assert len(driver.new_diagnostics()) == 1


# Keep-alive.


def pings_at(chance: float) -> list[float]:
    """Return when a connection pings, while everybody hears the same event now and then."""
    driver, times = SessionDriver(), []
    driver.session.connection_made(driver.now, chance)
    driver.receive(details())
    driver.receive(response("m1"))
    while driver.now < 1200.0:
        before, driver.now = driver.now, driver.session.next_deadline
        if before < 1100.0 <= driver.now:
            driver.now = 1100.0
            driver.receive(notification(1))
            continue
        driver.session.tick(driver.now)
        if driver.session.wants_ping:
            times.append(driver.now)
            driver.session.wants_ping = False
        driver.session.keepalive_received(driver.now)
    return times


def test_connections_that_were_opened_together_do_not_ping_together() -> None:
    times = [pings_at(number / 500) for number in range(500)]
    first = [each[0] for each in times]
    assert max(first) - min(first) > 9.0
    # Nor after something that all of them have heard.
    after = [next(at for at in each if at > 1100.0) for each in times]
    assert max(after) - min(after) > 9.0
    assert max(first) <= 1020.0
    for each in times:
        assert max(b - a for a, b in pairwise(each)) <= 40.0


@pytest.mark.parametrize("chance", [0.0, 0.3, 1.0])
def test_a_dead_peer_is_found_in_25_seconds_at_any_pace(chance: float) -> None:
    driver = SessionDriver()
    driver.session.connection_made(driver.now, chance)
    driver.receive(details())
    driver.receive(response("m1"))
    while driver.close_reason() is None:
        driver.now = driver.session.next_deadline
        driver.tick()
    assert driver.now - 1000.0 <= 25.0


# What counts as a refusal of the filters.


def is_about_filters(driver: SessionDriver) -> bool:
    return driver.session.are_filters_refused


def test_only_the_answer_to_our_subscription_is_about_its_filters() -> None:
    driver = subscribing()
    with pytest.raises(InvalidRequest):
        driver.receive(error("SUB-508", 400, "m1"))
    driver.disconnect()
    assert is_about_filters(driver)
    driver.session.connection_failed()
    assert not is_about_filters(driver)
    driver.connect(1.0)
    with pytest.raises(InvalidRequest):
        driver.receive(error("CMN-101", 400))
    assert not is_about_filters(driver)


def test_a_subscription_all_of_whose_filters_are_disabled_is_not_continued() -> None:
    driver = subscribing()
    with pytest.raises(PermissionDenied):
        driver.receive(response("m1", disabledFilters=disabled(ACCOUNT)))
    driver.disconnect(1.0)
    assert "wsc" not in driver.connect(1.0)
