"""Deadlines of a connection: keepalive, responses, heartbeats and maximum age."""

from itertools import pairwise
from math import inf

import pytest

from aiopresence.protocol.event_details import ConnectionDetails
from aiopresence.protocol.event_outputs import Gap
from aiopresence.protocol.event_timers import Timer, Timers
from tests.support.session_driver import (
    LOST,
    SessionDriver,
    details,
    gaps,
    idle_until,
    notification,
    response,
    subscribing,
)


@pytest.mark.fault
def test_the_wait_for_connection_details_is_limited() -> None:
    driver = SessionDriver()
    driver.connect()
    assert driver.session.next_deadline == 1010.0
    assert driver.tick(9.99) is None
    assert driver.tick(0.01) == "no ConnectionDetails within 10 s"


@pytest.mark.fault
def test_the_wait_for_a_response_is_limited() -> None:
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


@pytest.mark.fault
def test_a_response_after_its_deadline_is_ignored() -> None:
    driver = subscribing()
    driver.now += 19.0
    driver.session.keepalive_received(driver.now)
    reason = driver.tick(11.0)
    assert driver.receive(response("m1")) == []
    assert driver.session.subscription is None
    assert driver.close_reason() == reason == "no response to the subscription request within 30 s"


@pytest.mark.fault
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


@pytest.mark.fault
@pytest.mark.parametrize("sign", ["pong", "frame", "garbage"])
def test_anything_received_postpones_the_next_ping(sign: str) -> None:
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


@pytest.mark.fault
def test_a_connection_is_closed_after_an_hour_of_suspension() -> None:
    driver = SessionDriver().go_live()
    last_received_at = driver.now
    assert driver.tick(3600.0) == "this process was suspended"
    driver.disconnect()
    assert "wsc" not in driver.connect()
    driver.receive(details())
    assert gaps(driver.receive(response(driver.last_message_id()))) == [Gap(LOST, last_received_at)]


@pytest.mark.parametrize(("late", "reason"), [(19.9, None), (20.0, "this process was suspended")])
def test_a_ping_that_is_twenty_seconds_late_shows_a_suspension(
    late: float, reason: str | None
) -> None:
    driver = SessionDriver().go_live()
    assert driver.tick(20.0 + late) == reason
    assert driver.pings() is (reason is None)


def test_a_connection_that_is_too_old_can_be_recovered_for_the_whole_time() -> None:
    driver = SessionDriver().go_live(absoluteTimeout=100)
    driver.tick(20.0)
    driver.session.keepalive_received(1075.0)
    driver.now = 1095.0
    assert driver.tick() == "connection reached its maximum age"
    driver.disconnect()
    assert "wsc" in driver.connect(179.9)


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


@pytest.mark.fault
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


@pytest.mark.fault
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


def pings_at(chance: float) -> list[float]:
    """Return when a connection pings, if it receives an event at 1100 as all others do."""
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
    # Nor after an event that all of them have received.
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


# The deadlines by themselves.


@pytest.mark.parametrize(("chance", "late"), [(0.0, 10.0), (0.5, 5.0), (1.0, 0.0)])
def test_what_is_due_is_returned_once_with_how_late_it_is(chance: float, late: float) -> None:
    timers = Timers(100.0, chance)
    assert timers.next_deadline == 110.0
    assert timers.pop_due(109.9) == []
    assert timers.pop_due(120.0) == [(Timer.DETAILS, 10.0), (Timer.PING, late)]
    assert timers.next_deadline == inf
    assert timers.pop_due(1000.0) == []


@pytest.mark.parametrize(
    ("timer", "seconds"), [(Timer.RESPONSE, 30.0), (Timer.REPLAY, 10.0), (Timer.PONG, 5.0)]
)
def test_a_wait_ends_after_its_time_or_when_it_is_stopped(timer: Timer, seconds: float) -> None:
    timers = Timers(0.0, 1.0)
    timers.stop(Timer.DETAILS)
    timers.pop_due(20.0)
    timers.start(timer, 100.0)
    assert timers.next_deadline == 100.0 + seconds
    timers.stop(timer)
    timers.stop(timer)
    assert timers.next_deadline == inf
    timers.start(timer, 100.0)
    assert timers.pop_due(100.0 + seconds) == [(timer, 0.0)]


def test_whatever_is_received_ends_the_wait_for_a_pong_only() -> None:
    timers = Timers(0.0, 1.0)
    timers.start(Timer.PONG, 0.0)
    timers.activity(1.0)
    timers.activity(2.0)
    assert timers.pop_due(50.0) == [(Timer.DETAILS, 40.0), (Timer.PING, 28.0)]


@pytest.mark.parametrize(
    ("idle", "chance", "interval"),
    [
        *((1800, 1.0, 600.0), (1800, 0.0, 300.0), (9000, 1.0, 600.0), (9000, 0.5, 450.0)),
        *((60, 1.0, 20.0), (60, 0.0, 10.0), (3, 1.0, 1.0), (3, 0.0, 1.0), (1, 1.0, 1.0)),
    ],
)
def test_the_gateway_names_how_often_to_send_a_heartbeat_and_how_old_a_connection_may_be(
    idle: int, chance: float, interval: float
) -> None:
    timers = Timers(0.0, chance)
    timers.details_received(0.0, ConnectionDetails(idle_timeout=idle, absolute_timeout=10_000))
    assert sorted(timers.pop_due(inf)) == sorted(
        [(Timer.PING, inf), (Timer.HEARTBEAT, inf), (Timer.AGE, inf)]
    )
    timers.details_received(5.0, ConnectionDetails(idle_timeout=idle, absolute_timeout=10_000))
    assert timers.next_deadline == 5.0 + interval
    timers.heartbeat_sent(7.0)
    assert timers.pop_due(7.0 + interval) == [(Timer.HEARTBEAT, 0.0)]
    assert timers.next_deadline == 9505.0
