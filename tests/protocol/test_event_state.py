"""Every input in every state of an event session: where it leads, and how it is refused."""

from collections.abc import Callable

import pytest

from aiopresence import PresenceEvent
from aiopresence.protocol.event_outputs import Gap, SessionOutput, Subscribed
from aiopresence.protocol.event_state import TRANSITIONS, Input, State, next_state
from aiopresence.protocol.event_timers import REPLAY_TIMEOUT
from tests.support.session_driver import (
    SessionDriver,
    details,
    error,
    notification,
    response,
    subscribing,
)

Bring = Callable[[SessionDriver], list[SessionOutput]]

# The whole table once more, by hand: the next state, or "-" for an input that is refused.
TABLE = """
             CLOSED           AWAITING_DETAILS SUBSCRIBING LIVE    CLOSING
CONNECTED    AWAITING_DETAILS -                -           -       -
REFUSED      -                AWAITING_DETAILS -           -       -
NEW_SESSION  -                SUBSCRIBING      -           -       -
RECOVERED    -                LIVE             -           -       -
SUBSCRIBED   -                -                LIVE        -       -
NOTIFICATION -                AWAITING_DETAILS SUBSCRIBING LIVE    CLOSING
HEARTBEAT    -                -                SUBSCRIBING LIVE    CLOSING
ERROR        -                AWAITING_DETAILS SUBSCRIBING LIVE    -
CLOSE        -                CLOSING          CLOSING     CLOSING -
DISCONNECTED -                CLOSED           CLOSED      CLOSED  CLOSED
"""
STATES, *ROWS = [line.split() for line in TABLE.strip().splitlines()]
PAIRS = [
    (State(state), Input(input_), next_)
    for input_, *row in ROWS
    for state, next_ in zip(STATES, row, strict=True)
]
every_pair = pytest.mark.parametrize(("state", "input_", "expected"), PAIRS)


def in_state(state: State) -> SessionDriver:
    """Return the driver of a session that is in a state, and may recover a lost session."""
    driver = SessionDriver()
    if state is State.SUBSCRIBING:
        return subscribing()
    driver.go_live()
    if state in (State.CLOSED, State.AWAITING_DETAILS):
        driver.disconnect(1.0)
    if state is State.AWAITING_DETAILS:
        assert "wsc" in driver.connect(1.0)
    if state is State.CLOSING:
        driver.session.close("a reason")
    return driver


def bring(driver: SessionDriver, input_: Input) -> list[SessionOutput]:
    """Cause an input as it is caused on a connection."""
    frames: dict[Input, list[object]] = {
        Input.REFUSED: details(status=503),
        Input.NEW_SESSION: details(),
        Input.RECOVERED: details("Successful"),
        Input.SUBSCRIBED: response("m1"),
        Input.NOTIFICATION: notification(1),
        Input.HEARTBEAT: [{"type": "Heartbeat", "messageId": "x"}],
        Input.ERROR: error("CMN-101", 400, "another request"),
    }
    if input_ is Input.CONNECTED:
        driver.connect()
    elif input_ is Input.DISCONNECTED:
        driver.disconnect()
    elif input_ is Input.CLOSE:
        driver.session.close("another reason")
    else:
        return driver.receive(frames[input_])
    return []


def test_the_table_has_a_row_for_every_state() -> None:
    assert set(TRANSITIONS) == set(State)
    assert {(state, input_) for state, input_, _ in PAIRS} == {(s, i) for s in State for i in Input}


@every_pair
def test_the_table_is_complete(state: State, input_: Input, expected: str) -> None:
    if expected == "-":
        with pytest.raises(RuntimeError, match=f"{input_} is not allowed in state {state}"):
            next_state(state, input_)
    else:
        assert next_state(state, input_) == expected


# What an error does beyond the table: it closes the connection, or is only written to the log.
AFTER_ERROR = {
    (State.AWAITING_DETAILS, Input.REFUSED): State.CLOSING,
    (State.AWAITING_DETAILS, Input.ERROR): State.CLOSING,
}


@every_pair
def test_a_session_goes_where_the_table_says(state: State, input_: Input, expected: str) -> None:
    driver = in_state(state)
    assert driver.session.state is state
    driver.sent()
    if expected == "-":
        refuse(driver, state, input_)
    else:
        outputs = bring(driver, input_)
        assert driver.session.state == AFTER_ERROR.get((state, input_), expected)
        kinds = {Input.NOTIFICATION: [PresenceEvent], Input.SUBSCRIBED: [Subscribed]}
        assert [type(each) for each in outputs] == kinds.get(input_, [])


def refuse(driver: SessionDriver, state: State, input_: Input) -> None:
    """Show that an input is refused: by an error if the driver caused it, else by no effect."""
    reason = driver.close_reason()
    if input_ in (Input.CONNECTED, Input.DISCONNECTED):
        with pytest.raises(RuntimeError, match="not allowed"):
            bring(driver, input_)
    else:
        assert bring(driver, input_) == []
    assert driver.session.state is state
    assert driver.close_reason() == reason
    assert driver.sent() == []
    assert not driver.session.is_unauthorized


def test_the_first_reason_to_close_is_kept() -> None:
    driver = SessionDriver().go_live()
    driver.session.close("the first")
    driver.session.close("the second")
    driver.tick(1e6)
    assert driver.close_reason() == "the first"
    driver.disconnect()
    assert driver.close_reason() is None


def test_a_heartbeat_received_while_closing_completes_a_replay() -> None:
    driver = SessionDriver().go_live()
    driver.disconnect(1.0)
    driver.receive([{"type": "Heartbeat", "messageId": driver.recover()}])
    assert driver.tick(REPLAY_TIMEOUT) is None
    driver.session.close("connection reached its maximum age")
    driver.receive([{"type": "Heartbeat", "messageId": driver.last_message_id()}])
    driver.disconnect(1.0)
    # Had the replay been interrupted, this recovery would be a gap.
    driver.recover()


def test_a_notification_that_precedes_connection_details_makes_a_recovery_a_gap() -> None:
    driver = SessionDriver().go_live()
    driver.disconnect(1.0)
    driver.connect(1.0)
    driver.receive(notification(1))
    assert [type(each) for each in driver.receive(details("Successful"))] == [Gap]
