"""Deadlines of a connection: keepalive, responses, heartbeats and maximum age."""

from itertools import pairwise
from math import inf

import pytest

from aiopresence.protocol.event_outputs import Gap
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
