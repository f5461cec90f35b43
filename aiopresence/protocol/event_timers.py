"""The deadlines of one event connection: keepalive, responses and maximum age.

Theory: a peer that has vanished sends nothing, not even an error, so it is detected by silence.
After at most `PING_INTERVAL` seconds without a frame a ping is sent, and unless anything arrives
within `PONG_TIMEOUT` the connection is given up. Many clients that receive the same event would
ping at the same instant afterwards, so each connection has a pace of its own, from half the
interval to all of it. The gateway does not count pings as activity, and ends a connection after
`idle_timeout` seconds without a request, hence the heartbeats.

A ping that goes out very late means that this process did not run meanwhile: the machine was
suspended. The connection is given up then without waiting for a pong.

Times are monotonic seconds, given by the caller.
"""

from enum import StrEnum
from math import inf

from .event_details import ConnectionDetails

# Seconds. A dead peer is found within their sum.
PING_INTERVAL, PONG_TIMEOUT = 20.0, 5.0
# The longest time in seconds between two signs of life of a connection that works.
MAX_SILENCE = PING_INTERVAL + PONG_TIMEOUT
# Seconds to wait for ConnectionDetails, a response, and the echo that ends a replay. Guesses.
DETAILS_TIMEOUT, RESPONSE_TIMEOUT, REPLAY_TIMEOUT = 10.0, 30.0, 10.0
# Heartbeats go three times as often as they must, but not more often than is of any use.
HEARTBEATS_PER_IDLE, MIN_HEARTBEAT, MAX_HEARTBEAT = 3, 1.0, 600.0
# The part of its allowed age at which a connection is replaced, before the gateway would end it.
USED_AGE = 0.95


class Timer(StrEnum):
    """What there is a deadline for."""

    DETAILS = "details"
    RESPONSE = "response"
    REPLAY = "replay"
    PING = "ping"
    PONG = "pong"
    HEARTBEAT = "heartbeat"
    AGE = "age"


# Used for every frame: looking up a member of an Enum is slow in Python 3.11.
_PING, _PONG = Timer.PING, Timer.PONG
_TIMEOUTS = {
    Timer.RESPONSE: RESPONSE_TIMEOUT,
    Timer.REPLAY: REPLAY_TIMEOUT,
    Timer.PONG: PONG_TIMEOUT,
}

# Why to close the connection when a deadline has passed.
CLOSE_REASONS = {
    Timer.DETAILS: f"no ConnectionDetails within {DETAILS_TIMEOUT:g} s",
    Timer.RESPONSE: f"no response to the subscription request within {RESPONSE_TIMEOUT:g} s",
    Timer.PING: "this process was suspended",
    Timer.PONG: f"no pong within {PONG_TIMEOUT:g} s",
    Timer.AGE: "connection reached its maximum age",
}


class Timers:
    """The deadlines of a connection.

    Args:
        now: when it was opened.
        chance: a random number from 0 to 1, which the pace of its pings and heartbeats depends on.
    """

    def __init__(self, now: float, chance: float) -> None:
        self._pace = 0.5 + chance / 2
        self._heartbeat_interval = inf
        self._deadlines = {Timer.DETAILS: now + DETAILS_TIMEOUT}
        self.activity(now)

    @property
    def next_deadline(self) -> float:
        """When the first of them is due; inf if none is."""
        return min(self._deadlines.values(), default=inf)

    def activity(self, now: float) -> None:
        """Record that something was received."""
        self._deadlines.pop(_PONG, None)
        self._deadlines[_PING] = now + PING_INTERVAL * self._pace

    def details_received(self, now: float, details: ConnectionDetails) -> None:
        """Start what the gateway has named the times of."""
        self.stop(Timer.DETAILS)
        self._deadlines[Timer.AGE] = now + USED_AGE * details.absolute_timeout
        needed = min(MAX_HEARTBEAT, details.idle_timeout / HEARTBEATS_PER_IDLE)
        self._heartbeat_interval = max(MIN_HEARTBEAT, self._pace * needed)
        self.heartbeat_sent(now)

    def heartbeat_sent(self, now: float) -> None:
        """Schedule the next heartbeat."""
        self._deadlines[Timer.HEARTBEAT] = now + self._heartbeat_interval

    def start(self, timer: Timer, now: float) -> None:
        """Start to wait for a response, a pong, or the end of a replay."""
        self._deadlines[timer] = now + _TIMEOUTS[timer]

    def stop(self, timer: Timer) -> None:
        """Stop to wait for something."""
        self._deadlines.pop(timer, None)

    def pop_due(self, now: float) -> list[tuple[Timer, float]]:
        """Remove what is due; return each, and for how many seconds it has been."""
        due = [timer for timer, at in self._deadlines.items() if at <= now]
        return [(timer, now - self._deadlines.pop(timer)) for timer in due]
