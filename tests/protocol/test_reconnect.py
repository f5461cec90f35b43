"""How long the next connection waits, and why."""

import pytest

from aiopresence.protocol.reconnect import ReconnectPolicy
from tests.support.session_driver import SessionDriver, details, error, response, subscribing


@pytest.mark.fault
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


@pytest.mark.fault
@pytest.mark.parametrize(("held", "wait"), [(9.9, 32.0), (10.0, 1.0), (6e4, 1.0)])
def test_a_connection_that_worked_starts_the_waits_afresh(held: float, wait: float) -> None:
    driver = SessionDriver()
    for _ in range(5):
        driver.session.connection_failed()
    driver.go_live()
    driver.disconnect(held)
    assert driver.session.reconnect.delay(1.0) == wait


@pytest.mark.fault
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


@pytest.mark.fault
@pytest.mark.parametrize("held", [0.1, 5.0, 9.9])
def test_the_waits_double_for_connections_that_are_cut_at_once(held: float) -> None:
    driver, waits = SessionDriver().go_live(), []
    for _ in range(4):
        driver.disconnect(held)
        waits.append(driver.session.reconnect.delay(1.0))
        driver.connect(1.0)
        driver.receive(details("Successful"))  # It may report a gap, which does not matter here.
        driver.receive([{"type": "Heartbeat", "messageId": driver.last_message_id()}])
    assert waits == [1.0, 2.0, 4.0, 8.0]


@pytest.mark.fault
def test_a_connection_that_never_subscribed_is_no_success() -> None:
    driver = SessionDriver()
    for waits in (1.0, 2.0, 4.0):
        driver.connect()
        driver.receive(details())
        driver.disconnect(29.0)
        assert driver.session.reconnect.delay(1.0) == waits


@pytest.mark.fault
def test_a_connection_without_details_is_no_success() -> None:
    driver = SessionDriver()
    for waits in (1.0, 2.0, 4.0):
        driver.connect()
        driver.disconnect(100.0)
        assert driver.session.reconnect.delay(1.0) == waits


def test_a_least_wait_is_observed() -> None:
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
    # A request in the penalty, which lasts for a window of a minute, would restart it.
    assert driver.session.reconnect.delay(0.0) == 61.0


def test_a_wait_longer_than_the_least_one_is_a_backoff() -> None:
    policy = ReconnectPolicy()
    policy.record_failure()
    policy.wait_at_least(7.5, "Retry-After")
    assert policy.reason(7.5) == "Retry-After"
    assert policy.reason(7.6) == "backoff, failures in a row: 1"
