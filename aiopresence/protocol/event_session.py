"""The event session: what to send to RingCentral's WebSocket gateway, and what its frames mean.

A state machine without I/O. The driver reports connections, texts and the time; it sends what is
in `outgoing`, closes the connection once `close_reason` is set, and connects again after
`reconnect.delay()`. The states are in `event_state`, the deadlines in `event_timers`.

Theory: the gateway keeps the session of a lost connection for `recovery_timeout` seconds from the
disconnect, and continues it on a connection whose address carries the session's recovery token.

- The time starts when the connection ended. If the driver noticed that at once, it is now. If the
  peer fell silent, or this machine was suspended, it may have been at any time since something was
  last received, and that earlier time is used.
- A connection that carried the recovery token and ended before ConnectionDetails, or got an error
  instead of them, may have been refused because of the token. The token is not sent again: the
  next connection makes a new session, and a gap is reported.
- The same goes for what broke a connection, such as too many unreadable frames: a recovery would
  replay it. A single one may be replayed, and be readable then, but not after later notifications.
- After a recovery the session is complete once the heartbeat that was sent after ConnectionDetails
  is echoed; without an echo in time a gap is reported. So is one if the connection is lost again
  before a second heartbeat, which is sent some seconds later, is echoed. See `event_gaps`.

Source: RingCentral guide, "WebSockets". Times are monotonic seconds, given by the driver.
"""

from collections.abc import Callable
from math import inf

import attrs

from ..errors import DecodeError, PermissionDenied
from ..models import ResyncReason, SubscriptionInfo
from ..redaction import Redactor
from . import event_details, event_frames, event_parsing
from .event_details import ConnectionDetails
from .event_diagnostics import Diagnostics
from .event_errors import (
    INVALID_RECOVERY_TOKEN,
    TOO_MANY,
    UNAUTHORIZED,
    ErrorAction,
    action_for,
    error_from_frame,
)
from .event_filters import redact
from .event_frames import Frame
from .event_gaps import GapDetector
from .event_outputs import Gap, SessionOutput, Subscribed
from .event_recovery import Recovery
from .event_state import TRANSITIONS, Input, State, next_state
from .event_timers import CLOSE_REASONS, MAX_SILENCE, PING_INTERVAL, Timer, Timers
from .reconnect import RATE_LIMITED_DELAY, STABLE_AFTER, ReconnectPolicy

# Unreadable frames on one connection before it is replaced. A guess.
MAX_UNREADABLE = 10
# Used for every event: looking up a member of an Enum is slow in Python 3.11.
_NOTIFICATION = Input.NOTIFICATION
# A body with one of these is a notification.
_NOTIFICATION_FIELDS = frozenset({"uuid", "event", "body"})


@attrs.define
class _Connection:
    """The state of one connection; each connection has a new one.

    Attributes:
        timers: its deadlines.
        details: None before ConnectionDetails.
        request_id: the id of the subscription request; None before it.
        live_since: when its session had the subscription; inf before.
        is_silent: whether nothing was received for so long that it was given up.
        unreadable: the number of unreadable frames.
    """

    timers: Timers
    details: ConnectionDetails | None = None
    request_id: str | None = None
    live_since: float = inf
    is_silent: bool = False
    unreadable: int = 0


class EventSession:
    """An event session, which outlives its connections.

    Args:
        filters: the event filters of its one subscription.
        new_id: returns a new message id.
        redactor: knows the secrets that the gateway may repeat.

    Attributes:
        state: see `event_state`.
        outgoing: texts to send.
        wants_ping: whether to send a ping.
        close_reason: why to close the connection; None to keep it.
        is_unauthorized: whether the gateway refused the access token of the address with a 401.
        are_filters_refused: whether the error that `receive` raised is about the event filters.
        diagnostics: messages for the log.
        subscription: the last one that was made; None before.
        last_received_at: when something was last received.
        reconnect: decides how long to wait before the next connection.
    """

    def __init__(
        self, filters: tuple[str, ...], new_id: Callable[[], str], redactor: Redactor
    ) -> None:
        self.state = State.CLOSED
        self.outgoing: list[str] = []
        self.wants_ping = False
        self.close_reason: str | None = None
        self.is_unauthorized = False
        self.are_filters_refused = False
        self.diagnostics = Diagnostics()
        self.subscription: SubscriptionInfo | None = None
        self.last_received_at = -inf
        self.reconnect = ReconnectPolicy()
        self._filters = filters
        self._new_id = new_id
        self._redactor = redactor
        self._recovery = Recovery()
        self._gaps = GapDetector()
        # When something was received before the present frame.
        self._previously_received_at = -inf
        self._connection = _Connection(Timers(0.0, 0.0))

    @property
    def is_live(self) -> bool:
        """Whether events arrive and none is known to be missing."""
        return self.state is State.LIVE and self._gaps.is_complete

    @property
    def next_deadline(self) -> float:
        """When to call `tick` next; inf for never."""
        return inf if self.state is State.CLOSED else self._connection.timers.next_deadline

    # What the driver reports.

    def connection_query(self, now: float, ws_access_token: str) -> dict[str, str]:
        """Return the query of the address to connect to, which has the tokens."""
        token = self._recovery.request(now)
        return {"access_token": ws_access_token} | ({"wsc": token} if token else {})

    def recovery_refused(self) -> None:
        """Record that the server refused the address, perhaps for the recovery token in it."""
        if self._recovery.is_requested:
            self._recovery.forget_token()

    def connection_failed(self, wait: float = 0.0, reason: str = "") -> None:
        """Record an attempt to connect that failed.

        Args:
            wait: the least seconds before the next attempt.
            reason: why, for a log.
        """
        self.are_filters_refused = False
        self.reconnect.record_failure()
        self.reconnect.wait_at_least(wait, reason)

    def connection_made(self, now: float, chance: float) -> None:
        """Record a new connection.

        Args:
            now: the monotonic time in seconds.
            chance: a random number from 0 to 1, so that connections do not ping together.

        Raises:
            RuntimeError: there is a connection already.
        """
        self.state = next_state(self.state, Input.CONNECTED)
        self.is_unauthorized = self.are_filters_refused = False
        self.reconnect.record_connection()
        self.diagnostics.restart()
        self._connection = _Connection(Timers(now, chance))

    def connection_lost(self, now: float, *, broken: bool = False) -> None:
        """Record the end of the connection.

        Args:
            now: the monotonic time in seconds.
            broken: it ended because of what the gateway sent, which a recovery would replay.

        Raises:
            RuntimeError: there is no connection.
        """
        self.state = next_state(self.state, Input.DISCONNECTED)
        connection, silence = self._connection, now - self.last_received_at
        if broken or connection.unreadable > MAX_UNREADABLE or self._is_recovery_pending:
            self._recovery.forget_token()
        if self.subscription is not None:
            self._gaps.connection_lost(self.last_received_at)
        was_seen = not connection.is_silent and silence <= MAX_SILENCE
        self._recovery.connection_lost(now if was_seen else self.last_received_at)
        if now - connection.live_since >= STABLE_AFTER:
            self.reconnect.record_success()
        else:
            self.reconnect.record_failure()
        self.outgoing.clear()
        self.wants_ping, self.close_reason = False, None

    def close(self, reason: str) -> None:
        """Close the connection, for the first reason that there is."""
        if self._accept(Input.CLOSE):
            self.close_reason = reason

    def keepalive_received(self, now: float) -> None:
        """Record a ping or pong."""
        self.last_received_at = now
        self._connection.timers.activity(now)

    def tick(self, now: float) -> list[SessionOutput]:
        """Do what is due."""
        due = self._connection.timers.pop_due(now)
        return [output for timer, late in due for output in self._expire(timer, now, late)]

    def receive(self, now: float, text: str) -> list[SessionOutput]:
        """Process the text of a frame.

        Raises:
            ApiError: the subscription or the connection is refused, and would be again.
        """
        self._previously_received_at = self.last_received_at
        self.keepalive_received(now)
        try:
            frames = event_frames.parse(text)
        except DecodeError as error:
            return self._on_unreadable(error.reason)
        outputs: list[SessionOutput] = []
        for frame in frames:
            outputs += self._on_frame(now, frame)
        return outputs

    # What frames and deadlines mean.

    def _accept(self, input_: Input) -> bool:
        """Move to the next state; return False if the input is to be ignored in this state."""
        state = TRANSITIONS[self.state].get(input_)
        if state is None:
            return False
        self.state = state
        return True

    def _on_frame(self, now: float, frame: Frame) -> list[SessionOutput]:
        if frame.is_extra:
            return self._on_extra_body(now, frame)
        if frame.type == "ServerNotification":
            return self._on_notification(now, frame)
        if frame.wsc is not None:
            self._redactor.add(frame.wsc.token)
        if frame.type == "ConnectionDetails":
            return self._on_details(now, frame)
        self._recovery.update_token(frame.wsc)
        if frame.type == "Heartbeat":
            if self._accept(Input.HEARTBEAT):
                self._gaps.heartbeat_received(frame.message_id)
        elif frame.type in ("ClientRequest", "Error"):
            return self._on_response(now, frame)
        else:
            self.diagnostics.add("ignored a frame of unknown type")
        return []

    def _on_extra_body(self, now: float, frame: Frame) -> list[SessionOutput]:
        # Not documented; most likely one more notification.
        if isinstance(frame.body, dict) and not _NOTIFICATION_FIELDS.isdisjoint(frame.body):
            return self._on_notification(now, frame)
        self.diagnostics.add("ignored what followed the body of a frame: it is not a notification")
        return []

    def _on_notification(self, now: float, frame: Frame) -> list[SessionOutput]:
        if not self._accept(_NOTIFICATION):
            return []
        if self._connection.details is None:
            self._gaps.interrupt_replay()
        try:
            event = event_parsing.parse(frame.body)
        except DecodeError as error:
            return self._on_unreadable(error.reason)
        self._recovery.notification_received(frame.wsc)
        is_new, gap = self._gaps.receive(now, event)
        return [event, *gap] if is_new else [*gap]

    def _on_unreadable(self, reason: str) -> list[SessionOutput]:
        self._connection.unreadable += 1
        self.diagnostics.add(f"unreadable frame, events may be missing: {reason}")
        self._recovery.frame_lost()
        if self._connection.unreadable > MAX_UNREADABLE:
            self.close("too many unreadable frames")
        if self._connection.live_since == inf:
            return []
        since = self._previously_received_at
        return [*self._gaps.report_gap(since, ResyncReason.UNREADABLE)]

    def _on_details(self, now: float, frame: Frame) -> list[SessionOutput]:
        if frame.is_error:
            if self._accept(Input.REFUSED):
                self._on_error(frame, is_ours=False)
            return []
        details = event_details.parse(frame.body)
        is_recovered = self._recovery.is_requested and details.is_recovered
        if not self._accept(Input.RECOVERED if is_recovered else Input.NEW_SESSION):
            return []
        self._connection.details = details
        self._connection.timers.details_received(now, details)
        if is_recovered:
            self._recovery.session_recovered(frame.wsc, details.recovery_timeout)
            return [*self._resume(now, details)]
        self._recovery.session_started(frame.wsc, details.recovery_timeout)
        self._subscribe(now)
        return []

    def _resume(self, now: float, details: ConnectionDetails) -> list[Gap]:
        self._connection.live_since = now
        self._connection.timers.start(Timer.REPLAY, now)
        marker, buffer = self._send_heartbeat(now), details.recovery_buffer_size
        return self._gaps.session_recovered(now, marker, buffer, details.creation_time)

    def _subscribe(self, now: float) -> None:
        self._gaps.session_started()
        self._connection.request_id = request_id = self._new_id()
        self._connection.timers.start(Timer.RESPONSE, now)
        self.outgoing.append(event_frames.build_subscription_request(request_id, self._filters))

    def _on_response(self, now: float, frame: Frame) -> list[SessionOutput]:
        is_ours = frame.message_id is not None and frame.message_id == self._connection.request_id
        if frame.is_error:
            # An error without an id is about the only request that there is.
            may_be_ours = is_ours or frame.message_id is None
            if self._accept(Input.ERROR):
                self._on_error(frame, is_ours=may_be_ours and self.state is State.SUBSCRIBING)
            return []
        if is_ours and self._accept(Input.SUBSCRIBED):
            return self._on_subscribed(now, frame)
        return []

    def _on_subscribed(self, now: float, frame: Frame) -> list[SessionOutput]:
        is_repeated = self.subscription is not None
        self._connection.timers.stop(Timer.RESPONSE)
        fields = event_details.parse_fields(frame.body, SubscriptionInfo)
        info = redact(SubscriptionInfo(**fields), self._redactor)
        self.subscription = self._with_filters(info)
        self._recovery.has_subscription = True
        self._connection.live_since = now
        gap = self._gaps.report_gap(now, ResyncReason.CONNECTION_LOST) if is_repeated else []
        details = self._connection.details
        connected_at = None if details is None else details.creation_time
        return [Subscribed(self.subscription, connected_at, self._recovery.requested_at), *gap]

    def _with_filters(self, info: SubscriptionInfo) -> SubscriptionInfo:
        """Return a subscription unless all of its filters are disabled."""
        disabled = info.disabled_filters or ()
        for each in disabled:
            self.diagnostics.add(
                f"event filter {each.filter} is disabled: {each.reason} {each.message}"
            )
        if len({each.filter for each in disabled}) >= len(self._filters):
            self.close("all event filters are disabled")
            raise PermissionDenied(403, disabled[0].reason, disabled[0].message)
        return info

    def _on_error(self, frame: Frame, *, is_ours: bool) -> None:
        """Process an error that is about our subscription request, the connection, or neither."""
        error = error_from_frame(frame, self._redactor)
        reason = f"gateway error {error.error_code or 'without a code'}"
        if error.error_code == INVALID_RECOVERY_TOKEN:
            self._recovery.forget_token()
        is_decisive = is_ours or self.state is State.AWAITING_DETAILS
        action = action_for(error, is_decisive=is_decisive, is_recovering=self._is_recovery_pending)
        if action is ErrorAction.REPORT:
            self.diagnostics.add(reason)
            return
        self.close(reason)
        if action is ErrorAction.RAISE:
            self.are_filters_refused = is_ours
            raise error
        if error.http_status == UNAUTHORIZED:
            self.is_unauthorized = True
        if error.http_status == TOO_MANY:
            self.reconnect.wait_at_least(RATE_LIMITED_DELAY, reason)

    @property
    def _is_recovery_pending(self) -> bool:
        """Whether a recovery was requested, and the gateway has not responded with its details."""
        return self._recovery.is_requested and self._connection.details is None

    def _expire(self, timer: Timer, now: float, late: float) -> list[Gap]:
        if timer is Timer.HEARTBEAT:
            self._send_heartbeat(now)
        elif timer is Timer.REPLAY:
            return self._gaps.replay_timed_out(now, self._send_heartbeat(now))
        elif timer is Timer.PING and late < PING_INTERVAL:
            self.wants_ping = True
            self._connection.timers.start(Timer.PONG, now)
        else:
            self._connection.is_silent |= timer is Timer.PONG
            self.close(CLOSE_REASONS[timer])
        return []

    def _send_heartbeat(self, now: float) -> str:
        message_id = self._new_id()
        self.outgoing.append(event_frames.build_heartbeat(message_id))
        self._connection.timers.heartbeat_sent(now)
        return message_id
