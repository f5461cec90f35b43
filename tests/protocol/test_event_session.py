"""The event session without a network: exact frames, exact results, time as an argument."""

from itertools import pairwise
from math import inf
from typing import Any

import pytest

from aiopresence import ApiError, InvalidRequest, NotFound, PermissionDenied
from aiopresence.protocol.event_recovery import Gap
from aiopresence.protocol.event_session import Subscribed
from tests.support.gateway_line import (
    ACCOUNT,
    EXTENSION,
    INCOMPLETE,
    LOST,
    UNREADABLE,
    Line,
    answer,
    asked,
    details,
    disabled,
    error,
    gaps,
    notification,
    silence,
    uuids,
    wsc,
)


def test_nothing_is_said_before_connection_details_ws10() -> None:
    line = Line()
    assert line.session.next_deadline == inf
    assert line.connect() == {"access_token": "ws"}
    assert line.said() == []
    assert uuids(line.hear(notification(1))) == ["u1"]
    assert line.hear([{"type": "Heartbeat", "messageId": "x"}]) == []
    assert line.hear(answer("x")) == []
    assert line.hear("garbage") == []
    assert line.tick(9.9) is None
    assert line.said() == []
    assert not line.is_live()


def test_one_exact_request_subscribes_to_everything_ws20() -> None:
    line = Line(ACCOUNT, EXTENSION)
    line.connect()
    assert line.hear(details()) == []
    assert line.session.outgoing == [
        '[{"type":"ClientRequest","messageId":"m1","method":"POST",'
        '"path":"/restapi/v1.0/subscription/"},'
        f'{{"eventFilters":["{ACCOUNT}","{EXTENSION}"],'
        '"deliveryMode":{"transportType":"WebSocket"}}]'
    ]
    assert not line.is_live()
    [subscribed] = line.hear(answer("m1", eventFilters=[ACCOUNT, EXTENSION], expiresIn=5))
    assert isinstance(subscribed, Subscribed)
    assert (subscribed.info.id, subscribed.info.status) == ("s-1", "Active")
    assert subscribed.info.event_filters == (ACCOUNT, EXTENSION)
    assert line.session.subscription is subscribed.info
    assert line.is_live()
    assert line.hear(answer("m1")) == []
    assert line.hear(details()) == []
    assert len(line.said()) == 1


def test_the_subscription_is_told_once_for_each_time_it_was_made() -> None:
    line = Line().live()
    line.lose(1.0)
    line.recover()
    assert uuids(line.hear(notification(1))) == ["u1"]
    assert line.hear(answer("m1")) == []
    line.lose(1.0)
    line.connect(1.0)
    line.hear(details("Failed"))
    told = line.hear(answer(line.last_id()))
    assert [type(each) for each in told] == [Subscribed, Gap]


@pytest.mark.parametrize("to", ["m2", "", None, "d"])
def test_an_answer_counts_by_its_message_id_alone_ws19(to: str | None) -> None:
    line = Line()
    line.connect()
    line.hear(details())
    assert line.hear(answer(to)) == []
    assert not line.is_live()
    assert [type(each) for each in line.hear(answer("m1"))] == [Subscribed]


def test_the_answer_to_a_request_of_an_earlier_connection_is_none_ws19() -> None:
    line = Line()
    line.connect()
    line.hear(details())
    line.lose()
    line.connect()
    line.hear(details())
    assert line.said()[-1][0]["messageId"] == "m2"
    assert line.hear(answer("m1")) == []
    assert line.hear(error("SUB-505", 400, "m1")) == []
    assert line.ending() is None
    assert not line.is_live()
    assert len(line.hear(answer("m2"))) == 1


# The numbers of ConnectionDetails.


@pytest.mark.parametrize(
    ("idle", "every"), [(1800, 600.0), (90_000, 600.0), (60, 20.0), (30, 10.0), (1, 1.0)]
)
def test_heartbeats_go_three_times_as_often_as_they_must(idle: int, every: float) -> None:
    line = Line().live(idleTimeout=idle)
    beats, until = 0, line.now + 3 * every
    while line.now < until:
        line.now = line.session.next_deadline
        assert line.tick() is None
        line.session.wants_ping = False
        line.session.keepalive_received(line.now)
        frames = line.said()
        beats += len(frames)
        assert all(f == [{"type": "Heartbeat", "messageId": f"m{1 + beats}"}] for f in frames)
    assert beats == 3


@pytest.mark.parametrize(("absolute", "age"), [(86400, 82_080.0), (100, 95.0)])
def test_a_connection_is_replaced_before_it_would_be_ended_ws12(absolute: int, age: float) -> None:
    line = Line()
    line.live(absoluteTimeout=absolute)
    assert silence(line, 1000.0 + age - 0.1) is None
    assert silence(line, 1000.0 + age) == "it has lived long enough"
    assert line.now == 1000.0 + age
    line.lose()
    marker = line.recover(absoluteTimeout=absolute)
    assert line.hear([{"type": "Heartbeat", "messageId": marker}]) == []
    assert line.is_live()


@pytest.mark.parametrize(
    ("timeout", "after", "asks"),
    [(180, 179.0, True), (180, 180.0, False), (180, 181.0, False), (30, 29, True), (30, 30, False)],
)
def test_recovery_is_asked_for_while_it_can_succeed_ws03_ws04(
    timeout: int, after: float, asks: bool
) -> None:
    line = Line().live(recoveryTimeout=timeout)
    line.hear(notification(1, **wsc(2)), after=5.0)
    # What counts is the disconnect, not the last frame.
    line.lose(25.0)
    query = line.connect(after)
    assert query == {"access_token": "ws"} | ({"wsc": "t.2"} if asks else {})


NONSENSE = [0, -1, -(2**63), "30", "", None, True, 1.5, [], {}, 2**64]


@pytest.mark.parametrize("value", NONSENSE)
def test_a_number_that_makes_no_sense_was_not_said_ws04(value: Any) -> None:
    names = ("recoveryBufferSize", "recoveryTimeout", "idleTimeout", "absoluteTimeout")
    line = Line().live(**dict.fromkeys(names, value))
    assert silence(line, 1599.9) is None
    assert line.said() == []
    assert silence(line, 1600.0) is None
    assert [f[0]["type"] for f in line.said()] == ["Heartbeat"]
    assert silence(line, 1e6) == "it has lived long enough"
    assert line.now == 1000.0 + 82_080.0
    last_received_at, lost_at = line.session.last_received_at, line.now
    line.lose()
    assert "wsc" not in line.session.connection_query(lost_at + 180.0, "ws")
    line.recover(179.0, recoveryBufferSize=value)
    told = [gaps(line.hear(notification(number))) for number in range(1, 101)]
    assert told == [[]] * 99 + [[Gap(INCOMPLETE, last_received_at)]]


@pytest.mark.parametrize("body", [None, [], "x", 5, {}])
def test_details_without_any_number_mean_the_documented_ones(body: Any) -> None:
    line = Line()
    line.connect()
    line.hear([details()[0], body] if body != [] else [details()[0]])
    line.hear(answer(line.last_id()))
    assert silence(line, 1e6) == "it has lived long enough"
    assert line.now == 1000.0 + 82_080.0


def test_the_largest_numbers_there_are_break_nothing() -> None:
    names = ("recoveryBufferSize", "recoveryTimeout", "idleTimeout", "absoluteTimeout")
    line = Line().live(**dict.fromkeys(names, 2**63))
    assert silence(line, 2000.0) is None
    assert len(line.said()) == 1
    line.lose()
    assert "wsc" in line.connect(1e9)


# Filters that bring nothing.


def test_some_disabled_filters_are_remarked_ws19() -> None:
    line = Line(ACCOUNT, EXTENSION)
    line.connect()
    line.hear(details())
    [subscribed] = line.hear(answer("m1", disabledFilters=disabled(EXTENSION)))
    assert isinstance(subscribed, Subscribed)
    assert [each.filter for each in subscribed.info.disabled_filters or ()] == [EXTENSION]
    assert line.remarks() == [f"the filter {EXTENSION} is disabled: SUB-407 No line"]
    assert line.is_live()


# A wrong type elsewhere in the answer hides nothing.
@pytest.mark.parametrize("more", [{}, {"expiresIn": "604800"}, {"creationTime": 5}])
def test_all_filters_disabled_is_a_permission_denied_ws19(more: dict[str, Any]) -> None:
    line = Line(ACCOUNT, EXTENSION)
    line.connect()
    line.hear(details())
    with pytest.raises(PermissionDenied) as caught:
        line.hear(answer("m1", disabledFilters=disabled(ACCOUNT, EXTENSION), **more))
    assert (caught.value.http_status, caught.value.error_code) == (403, "SUB-407")
    assert caught.value.message == "No line"


@pytest.mark.parametrize("body", [None, [], "x", 5, {}, {"disabledFilters": "x", "id": []}])
def test_an_answer_of_odd_content_is_a_subscription_all_the_same(body: Any) -> None:
    line = Line()
    line.connect()
    line.hear(details())
    [subscribed] = line.hear([answer("m1")[0], body])
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
def test_a_refusal_that_would_come_again_is_raised_ws19(
    kind: str, code: str, status: int, expected: type[ApiError]
) -> None:
    with pytest.raises(expected) as caught:
        asked().hear(error(code, status, "m1", kind))
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
def test_a_code_without_a_status_is_enough_ws19(
    to: str | None, status: Any, code: str, expected: type[ApiError]
) -> None:
    with pytest.raises(expected) as caught:
        asked().hear(error(code, status, to))
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
def test_a_refusal_that_may_pass_ends_the_connection_ws19(
    kind: str, code: Any, status: int | None, renew: bool, wait: float
) -> None:
    line = asked()
    assert line.hear(error(code, status, "m1", kind)) == []
    shown = code if isinstance(code, str) else "an error without a code"
    assert line.ending() == f"the gateway reported {shown}"
    assert line.session.is_unauthorized is renew
    line.lose()
    assert line.session.delay(0.0) == wait
    assert line.ending() is None
    assert line.session.is_unauthorized is renew


@pytest.mark.parametrize("code", ["WSG-902", "WSG-903"])
@pytest.mark.parametrize("status", [408, None, 500])
def test_the_end_of_a_live_connection_is_no_error_ws12(code: str, status: int | None) -> None:
    line = Line().live()
    assert line.hear(error(code, status)) == []
    assert line.ending() == f"the gateway reported {code}"
    assert line.remarks() == []
    line.lose()
    assert "wsc" in line.connect(1.0)


@pytest.mark.parametrize("status", [400, 403, 404, 429, 500, None])
def test_an_error_about_nothing_of_ours_is_only_remarked(status: int | None) -> None:
    line = Line().live()
    for _ in range(3):
        assert line.hear(error("CMN-101", status)) == []
    assert line.ending() is None
    assert line.remarks() == ["the gateway reported CMN-101"]
    assert line.is_live()


def test_codes_that_nobody_knows_do_not_fill_the_memory() -> None:
    line = Line().live()
    for number in range(1000):
        line.hear(error(f"XXX-{number}" + "x" * 1000, 400))
    remarks = line.remarks()
    assert 0 < len(remarks) <= 100
    assert max(map(len, remarks)) <= 256


def test_a_token_that_is_refused_while_live_is_renewed_ws25() -> None:
    line = Line().live()
    assert line.hear(error("OAU-128", 401)) == []
    assert line.session.is_unauthorized
    assert line.ending() == "the gateway reported OAU-128"


@pytest.mark.parametrize(
    ("status", "expected"),
    [(403, PermissionDenied), (400, InvalidRequest), (401, None), (429, None), (503, None)],
)
def test_details_that_refuse_ws16(status: int, expected: type[ApiError] | None) -> None:
    line = Line()
    line.connect()
    refusal = [details(status=status)[0], {"errorCode": "X-1"}]
    if expected is None:
        assert line.hear(refusal) == []
        assert line.ending() == "the gateway reported X-1"
        assert line.session.is_unauthorized is (status == 401)
    else:
        with pytest.raises(expected):
            line.hear(refusal)
    assert line.said() == []
    assert not line.is_live()


def test_an_error_before_details_is_about_the_connection_ws16() -> None:
    line = Line()
    line.connect()
    with pytest.raises(PermissionDenied):
        line.hear(error("CMN-401", 403, "whatever"))
    line.hear(error("OAU-128"))
    assert line.session.is_unauthorized


# Time.


def test_details_are_waited_for_ws11() -> None:
    line = Line()
    line.connect()
    assert line.session.next_deadline == 1010.0
    assert line.tick(9.99) is None
    assert line.tick(0.01) == "no greeting in time"


def test_the_answer_is_waited_for_ws19() -> None:
    line = asked()
    for _ in range(5):
        line.now += 5.99
        line.session.keepalive_received(line.now)
        assert line.tick() is None
    assert line.tick(0.06) == "no answer in time"
    assert line.session.next_deadline < inf


@pytest.mark.parametrize("late", ["greeting", "answer"])
def test_what_comes_with_the_tick_that_gave_it_up_breaks_nothing(late: str) -> None:
    line = Line()
    line.connect()
    if late == "answer":
        line.hear(details())
        line.now += 19.0
        line.session.keepalive_received(line.now)
        line.now -= 19.0
    assert line.tick(30.0 if late == "answer" else 10.0) == f"no {late} in time"
    line.hear(answer("m1") if late == "answer" else details())
    assert line.ending() == f"no {late} in time"


def test_a_dead_peer_is_found_in_25_seconds_ws14() -> None:
    line = Line().live()
    assert line.session.next_deadline == 1020.0
    assert line.tick(19.99) is None
    assert not line.pings()
    assert line.tick(0.01) is None
    assert line.pings()
    assert line.session.next_deadline == 1025.0
    assert line.tick(4.99) is None
    assert line.tick(0.01) == "no pong in time"
    assert not line.is_live()


@pytest.mark.parametrize("sign", ["pong", "frame", "garbage"])
def test_any_sign_of_life_will_do_ws14(sign: str) -> None:
    line = Line().live()
    for _ in range(5):
        assert line.tick(20.0) is None
        assert line.session.wants_ping
        line.session.wants_ping = False
        line.now += 4.0
        if sign == "pong":
            line.session.keepalive_received(line.now)
        else:
            line.hear(notification(1) if sign == "frame" else "")
        assert line.session.last_received_at == line.now
        assert line.tick(2.0) is None
        line.now -= 2.0
        assert line.session.next_deadline == line.now + 20.0


def test_after_an_hour_asleep_the_connection_is_dead_ws24() -> None:
    line = Line().live()
    last_received_at = line.now
    assert line.tick(3600.0) == "no ping in time"
    line.lose()
    assert "wsc" not in line.connect()
    line.hear(details())
    assert gaps(line.hear(answer(line.last_id()))) == [Gap(LOST, last_received_at)]


def test_a_tick_too_early_does_nothing() -> None:
    line = Line().live()
    before = line.session.next_deadline
    for _ in range(10):
        assert line.tick(1.0) is None
    assert (line.said(), line.session.wants_ping, line.session.next_deadline) == ([], False, before)


# Waiting before the next connection.


def test_waits_double_up_to_two_minutes_with_full_jitter_ws21() -> None:
    line = Line()
    assert line.session.delay(1.0) == 0.0
    waits = []
    for _ in range(12):
        line.session.connection_failed()
        waits.append(line.session.delay(1.0))
        assert line.session.delay(0.0) == 0.0
        assert line.session.delay(0.25) == waits[-1] / 4
    assert waits == [1, 2, 4, 8, 16, 32, 64, 120, 120, 120, 120, 120]
    for _ in range(10_000):
        line.session.connection_failed()
    assert line.session.delay(1.0) == 120.0


@pytest.mark.parametrize(("held", "wait"), [(9.9, 32.0), (10.0, 1.0), (6e4, 1.0)])
def test_a_connection_that_held_on_starts_the_waits_afresh_ws21(held: float, wait: float) -> None:
    line = Line()
    for _ in range(5):
        line.session.connection_failed()
    line.live()
    line.lose(held)
    assert line.session.delay(1.0) == wait


def test_connections_that_are_cut_every_fifteen_seconds_never_wait_long_ws21() -> None:
    line = Line().live()
    for number in range(100):
        line.lose(15.0)
        assert line.session.delay(1.0) == 1.0
        if number % 2:
            line.hear([{"type": "Heartbeat", "messageId": line.recover(1.0)}])
        else:
            line.connect(1.0)
            line.hear(details("Failed"))
            line.hear(answer(line.last_id()))


@pytest.mark.parametrize("held", [0.1, 5.0, 9.9])
def test_connections_that_are_cut_at_once_wait_longer_and_longer_ws21(held: float) -> None:
    line, waits = Line().live(), []
    for _ in range(4):
        line.lose(held)
        waits.append(line.session.delay(1.0))
        line.hear([{"type": "Heartbeat", "messageId": line.recover(1.0)}])
    assert waits == [1.0, 2.0, 4.0, 8.0]


def test_a_connection_that_never_subscribed_is_no_success_ws21() -> None:
    line = Line()
    for waits in (1.0, 2.0, 4.0):
        line.connect()
        line.hear(details())
        line.lose(29.0)
        assert line.session.delay(1.0) == waits


def test_a_connection_without_details_does_not_count_as_held_ws21() -> None:
    line = Line()
    for waits in (1.0, 2.0, 4.0):
        line.connect()
        line.lose(100.0)
        assert line.session.delay(1.0) == waits


def test_what_the_server_asks_for_is_the_least_wait_ws16() -> None:
    line = Line()
    line.session.connection_failed(7.5)
    assert line.session.delay(0.0) == line.session.delay(1.0) == 7.5
    line.session.connection_failed()
    assert line.session.delay(1.0) == 2.0
    line.session.connection_failed(2.0)
    assert line.session.delay(1.0) == 4.0
    line.connect()
    assert line.session.delay(0.0) == 0.0


def test_every_wait_has_a_reason() -> None:
    line = Line()
    line.session.connection_failed(7.5, "Retry-After")
    assert line.session.delay_reason(line.session.delay(1.0)) == "Retry-After"
    for _ in range(4):
        line.session.connection_failed()
    assert line.session.delay_reason(line.session.delay(1.0)) == "back-off, failure 5 in a row"
    line = Line().live()
    line.hear(error("CMN-301", 429))
    line = asked()
    line.hear(error("CMN-301", 429, "m1"))
    line.lose()
    reason = line.session.delay_reason(line.session.delay(1.0))
    assert reason == "the gateway reported CMN-301"


# Frames of more elements than are documented.


def test_every_notification_in_a_frame_is_processed() -> None:
    line = Line().live()
    first, second = notification(1), notification(2)
    assert uuids(line.hear([*first, second[1]])) == ["u1", "u2"]
    assert uuids(line.hear([*notification(3), *notification(4), notification(5)[1]])) == [
        *("u3", "u4", "u5")
    ]
    assert uuids(line.hear([{"type": "Heartbeat", "messageId": "x"}, {}, first[1]])) == []
    assert uuids(line.hear([{"type": "Heartbeat"}, None, *notification(6)])) == ["u6"]
    assert line.remarks() == []


@pytest.mark.parametrize("more", [{"event": "x"}, {"uuid": "u2", "body": None}])
def test_a_further_notification_that_cannot_be_read_is_a_gap(more: dict[str, Any]) -> None:
    line = Line().live()
    told = line.hear([*notification(1), more, notification(3)[1]], after=3.0)
    assert uuids(told) == ["u1", "u3"]
    assert gaps(told) == [Gap(UNREADABLE, 1000.0)]
    assert "could not be read" in line.remarks()[0]


@pytest.mark.parametrize("more", [None, 5, "x", [], {}, {"headers": {}}])
def test_a_further_element_that_is_no_notification_is_remarked_once(more: Any) -> None:
    line = Line().live()
    for number in range(100):
        assert uuids(line.hear([*notification(number), more])) == [f"u{number}"]
    assert line.ending() is None
    assert line.remarks() == [
        "a frame has more than two elements; what is no notification was ignored"
    ]


def test_an_answer_to_a_batch_is_unreadable_and_reported() -> None:
    line = Line().live()
    text = '[{"type":"ClientRequest","messageId":"b","status":207},--Boundary\r\nX: y\r\n\r\n{}]'
    assert gaps(line.hear(text)) == [Gap(UNREADABLE, 1000.0)]
    assert len(line.remarks()) == 1


# Keep-alive.


def pings_at(chance: float) -> list[float]:
    """Return when a connection pings, while everybody hears the same event now and then."""
    line, times = Line(), []
    line.session.connection_made(line.now, chance)
    line.hear(details())
    line.hear(answer("m1"))
    while line.now < 1200.0:
        before, line.now = line.now, line.session.next_deadline
        if before < 1100.0 <= line.now:
            line.now = 1100.0
            line.hear(notification(1))
            continue
        line.session.tick(line.now)
        if line.session.wants_ping:
            times.append(line.now)
            line.session.wants_ping = False
        line.session.keepalive_received(line.now)
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
    line = Line()
    line.session.connection_made(line.now, chance)
    line.hear(details())
    line.hear(answer("m1"))
    while line.ending() is None:
        line.now = line.session.next_deadline
        line.tick()
    assert line.now - 1000.0 <= 25.0


# What counts as a refusal of the filters.


def is_about_filters(line: Line) -> bool:
    return line.session.are_filters_refused


def test_only_the_answer_to_our_subscription_is_about_its_filters() -> None:
    line = asked()
    with pytest.raises(InvalidRequest):
        line.hear(error("SUB-508", 400, "m1"))
    line.lose()
    assert is_about_filters(line)
    line.session.connection_failed()
    assert not is_about_filters(line)
    line.connect(1.0)
    with pytest.raises(InvalidRequest):
        line.hear(error("CMN-101", 400))
    assert not is_about_filters(line)


def test_a_subscription_all_of_whose_filters_are_disabled_is_not_continued() -> None:
    line = asked()
    with pytest.raises(PermissionDenied):
        line.hear(answer("m1", disabledFilters=disabled(ACCOUNT)))
    line.lose(1.0)
    assert "wsc" not in line.connect(1.0)
