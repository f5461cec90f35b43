"""The states of an event session, and which inputs are allowed in each of them.

Theory of operation
===================

A session has one connection at a time and outlives it. The connection goes through these states::

                     CONNECTED                    NEW_SESSION               SUBSCRIBED
    CLOSED ───────────────────▶ AWAITING_DETAILS ─────────────▶ SUBSCRIBING ────────────▶ LIVE
                                       └───────────────────── RECOVERED ──────────────────▶

    CLOSE leads from the last three to CLOSING; DISCONNECTED leads from everywhere to CLOSED.

Nothing is sent before the gateway has sent ConnectionDetails. Their content decides what follows:
either the gateway has recovered the lost session, with its subscription, or this is a new session
that has to subscribe. A new session in place of a lost one is a gap in the events. A recovered one
may be a gap: `event_gaps` finds out, so LIVE alone does not mean that nothing is missing.

`TRANSITIONS` is the only place that decides what is allowed. What it does not list is refused, and
how depends on who caused the input:

- The driver (CONNECTED, DISCONNECTED) has a bug: `next_state` raises RuntimeError.
- The gateway sent a frame that means nothing now, such as a second ConnectionDetails or a response
  that was given up: the frame is ignored.
- CLOSE while CLOSING: the first reason to close is kept.

CLOSING exists because frames may be in the receive buffer when we decide to close. Notifications
among them are delivered, and a heartbeat may complete a replay; nothing else is of use any more.

Source: RingCentral guide, "WebSockets".
"""

from collections.abc import Mapping
from enum import StrEnum


class State(StrEnum):
    """The state of an event session."""

    CLOSED = "CLOSED"
    """There is no connection."""
    AWAITING_DETAILS = "AWAITING_DETAILS"
    """Connected; the gateway has not sent ConnectionDetails."""
    SUBSCRIBING = "SUBSCRIBING"
    """The subscription was requested; there is no response to it."""
    LIVE = "LIVE"
    """The session has its subscription, and notifications arrive."""
    CLOSING = "CLOSING"
    """There is a reason to close the connection, which is still there."""


class Input(StrEnum):
    """What the state depends on."""

    CONNECTED = "CONNECTED"
    """The driver has opened a connection."""
    REFUSED = "REFUSED"
    """ConnectionDetails with an error status."""
    NEW_SESSION = "NEW_SESSION"
    """ConnectionDetails of a session that continues no other."""
    RECOVERED = "RECOVERED"
    """ConnectionDetails of the lost session, recovered."""
    SUBSCRIBED = "SUBSCRIBED"
    """The successful response to the subscription request."""
    NOTIFICATION = "NOTIFICATION"
    """A notification."""
    HEARTBEAT = "HEARTBEAT"
    """The echo of a heartbeat."""
    ERROR = "ERROR"
    """An error, about a request or the connection."""
    CLOSE = "CLOSE"
    """A reason to close: an error, a deadline, too many unreadable frames."""
    DISCONNECTED = "DISCONNECTED"
    """The driver has found the connection ended, or has closed it."""


TRANSITIONS: Mapping[State, Mapping[Input, State]] = {
    State.CLOSED: {
        Input.CONNECTED: State.AWAITING_DETAILS,
    },
    State.AWAITING_DETAILS: {
        Input.REFUSED: State.AWAITING_DETAILS,  # The error decides: it is raised, or closes.
        Input.NEW_SESSION: State.SUBSCRIBING,
        Input.RECOVERED: State.LIVE,
        Input.NOTIFICATION: State.AWAITING_DETAILS,
        Input.ERROR: State.AWAITING_DETAILS,
        Input.CLOSE: State.CLOSING,
        Input.DISCONNECTED: State.CLOSED,
    },
    State.SUBSCRIBING: {
        Input.SUBSCRIBED: State.LIVE,
        Input.NOTIFICATION: State.SUBSCRIBING,
        Input.HEARTBEAT: State.SUBSCRIBING,
        Input.ERROR: State.SUBSCRIBING,
        Input.CLOSE: State.CLOSING,
        Input.DISCONNECTED: State.CLOSED,
    },
    State.LIVE: {
        Input.NOTIFICATION: State.LIVE,
        Input.HEARTBEAT: State.LIVE,
        Input.ERROR: State.LIVE,
        Input.CLOSE: State.CLOSING,
        Input.DISCONNECTED: State.CLOSED,
    },
    State.CLOSING: {
        Input.NOTIFICATION: State.CLOSING,
        Input.HEARTBEAT: State.CLOSING,
        Input.DISCONNECTED: State.CLOSED,
    },
}


def next_state(state: State, input_: Input) -> State:
    """Return the state that follows.

    Raises:
        RuntimeError: the input is not allowed in that state.
    """
    try:
        return TRANSITIONS[state][input_]
    except KeyError:
        raise RuntimeError(f"{input_} is not allowed in state {state}") from None
