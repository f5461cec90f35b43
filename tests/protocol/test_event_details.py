"""ConnectionDetails: the limits of a connection, and values that make no sense."""

from datetime import UTC, datetime
from typing import Any

import attrs
import pytest

from aiopresence.protocol import decoding, event_details
from aiopresence.protocol.event_details import ConnectionDetails
from aiopresence.protocol.event_outputs import Gap
from tests.support.session_driver import (
    INCOMPLETE,
    SessionDriver,
    details,
    gaps,
    idle_until,
    notification,
    response,
    wsc,
)


@pytest.mark.fault
@pytest.mark.parametrize(
    ("timeout", "after", "is_requested"),
    [(180, 179.0, True), (180, 180.0, False), (180, 181.0, False), (30, 29, True), (30, 30, False)],
)
def test_a_recovery_is_requested_while_it_can_succeed(
    timeout: int, after: float, is_requested: bool
) -> None:
    driver = SessionDriver().go_live(recoveryTimeout=timeout)
    driver.receive(notification(1, **wsc(2)), after=5.0)
    # What counts is the disconnect, not the last frame.
    driver.disconnect(25.0)
    query = driver.connect(after)
    assert query == {"access_token": "ws"} | ({"wsc": "t.2"} if is_requested else {})


NONSENSE = [0, -1, -(2**63), "30", "", None, True, 1.5, [], {}, 2**64]


@pytest.mark.fault
@pytest.mark.parametrize("value", NONSENSE)
def test_a_number_that_makes_no_sense_counts_as_absent(value: Any) -> None:
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
def test_details_without_numbers_mean_the_documented_ones(body: Any) -> None:
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


DEFAULTS = ConnectionDetails()
GOOD = {
    "recovery_buffer_size": 1,
    "recovery_timeout": 2,
    "idle_timeout": 3,
    "absolute_timeout": 4,
    "creation_time": "2026-03-02T09:00:00Z",
    "recovery_state": "Failed",
}


@pytest.mark.parametrize("value", [each for each in NONSENSE if each not in ("30", 2**64)])
@pytest.mark.parametrize("name", GOOD)
def test_a_wrong_value_leaves_the_default_and_the_other_values(name: str, value: Any) -> None:
    expected = ConnectionDetails(1, 2, 3, 4, datetime(2026, 3, 2, 9, tzinfo=UTC), "Failed")
    body = {decoding.camel(each): given for each, given in {**GOOD, name: value}.items()}
    changed = attrs.evolve(expected, **{name: getattr(DEFAULTS, name)})
    assert event_details.parse(body) == changed
