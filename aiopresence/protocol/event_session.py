"""The event session: what to say to RingCentral's WebSocket gateway, and what it says back.

A machine without I/O. Whoever drives it reports connections, frames and the time, sends what is in
`outgoing`, closes the connection when `close_reason` is set, and connects again after `delay`.

Theory: the gateway keeps the session of a lost connection for `recovery_timeout` seconds from the
disconnect, and continues it for a connection whose address carries the session's token (wsc). So:

- A disconnect that was seen is dated by when it was seen. When the peer fell silent, or this
  machine slept, it may have been at any time since the last sign of life: that is its date then.
- A connection that carried the token and ended before ConnectionDetails, or got an error instead,
  counts as refused because of the token. The token is not sent again: the next connection makes a
  new subscription, and a Gap is due.
- After a recovery the session counts as complete once the heartbeat that was sent after
  ConnectionDetails is echoed; without an echo in time there is a Gap.

Source: RingCentral guide, "WebSockets". Times are monotonic seconds, given by the caller.
"""

from collections.abc import Callable
from datetime import datetime
from math import inf
from typing import Any

import attrs

from ..errors import ApiError, DecodeError, PermissionDenied, one_line
from ..models import PresenceEvent, ResyncReason, SubscriptionInfo
from . import event_details, event_frames, event_parsing
from .event_details import Terms
from .event_frames import Frame
from .event_recovery import Gap, Recovery
from .reconnect import STABLE_AFTER, Reconnect

# A dead peer is found in 25 s: at most so long after the last sign of life we ask for one, and
# wait. Each connection has a pace of its own from half of this to all of it, since thousands that
# hear the same events would otherwise ask in the same instant.
PING_EVERY, PONG_WITHIN = 20.0, 5.0
# The longest time in seconds between two signs of life of a connection that works.
MAX_SILENCE = PING_EVERY + PONG_WITHIN
GREETED_WITHIN, ANSWERED_WITHIN, ECHOED_WITHIN = 10.0, 30.0, 10.0
# Pings do not count as activity there, so heartbeats go three times as often as they must.
HEARTBEATS_PER_IDLE, MIN_HEARTBEAT, MAX_HEARTBEAT = 3, 1.0, 600.0
# The part of its allowed life after which a connection is replaced, in our own good time.
LIFE = 0.95
RATE_LIMITED_DELAY = 30.0
UNAUTHORIZED, TOO_MANY = 401, 429
# The gateway cannot use the token for recovery.
BAD_WSC = "WSG-400"
# Refusals that may be none the next time.
TRANSIENT = frozenset({UNAUTHORIZED, 408, TOO_MANY, *range(500, 600)})
# Garbage from the gateway is put up with so often; then another connection may do better.
MAX_UNREADABLE = 10
# What tells a notification from other objects.
_NOTIFICATION = frozenset({"uuid", "event", "body"})
# Different diagnostics on one connection: the gateway chooses their words. A guess.
MAX_REMARKS = 100


@attrs.frozen
class Subscribed:
    """The subscription was made, for the first time or anew; its notifications come from here.

    Attributes:
        info: the subscription.
        connected_at: when its connection was made, by the gateway's clock; None when not known.
    """

    info: SubscriptionInfo
    connected_at: datetime | None = None


SessionOutput = PresenceEvent | Gap | Subscribed


class EventSession:
    """One event session, which outlives its connections.

    Args:
        filters: the event filters of its one subscription.
        new_id: makes ids of messages.

    Attributes:
        outgoing: frames to send.
        wants_ping: whether to send a ping, too.
        close_reason: why to close the connection; None to keep it.
        is_unauthorized: whether what was sent in the address was refused as unauthorized.
        are_filters_refused: whether the error that `receive` raised is about our filters.
        diagnostics: what somebody should read in a log, each thing once per connection.
        subscription: as it was made last; None before.
        last_received_at: when the last sign of life came.
    """

    def __init__(self, filters: tuple[str, ...], new_id: Callable[[], str]) -> None:
        self.outgoing: list[str] = []
        self.diagnostics: list[str] = []
        self.is_unauthorized = False
        self.are_filters_refused = False
        self.subscription: SubscriptionInfo | None = None
        self.last_received_at = -inf
        self._filters = filters
        self._new_id = new_id
        self._terms = Terms()
        self._recovery = Recovery()
        self._asks_recovery = False
        # Whether the session that could be continued has our subscription, as far as is known.
        self._has_subscription = False
        # The part of the longest intervals after which this connection pings and heartbeats.
        self._pace = 1.0
        self._reconnect = Reconnect()
        self._lost_at = inf
        self._begin()

    def _begin(self) -> None:
        self.outgoing.clear()
        self.wants_ping = False
        self.close_reason: str | None = None
        self._greeted = False
        # Since when notifications come, with a subscription that is new or was recovered.
        self._subscribed_at = inf
        # Whether the connection was given up because nothing came.
        self._silent = False
        # The id of our request for the subscription, until it is answered.
        self._asked: str | None = None
        self._due: dict[str, float] = {}
        self._unreadable = 0
        self._said: set[str] = set()

    @property
    def is_live(self) -> bool:
        """Whether notifications are coming, as far as is known."""
        return self._is_answered and self._recovery.is_whole

    @property
    def _is_answered(self) -> bool:
        return self._greeted and self._asked is None and self.close_reason is None

    @property
    def next_deadline(self) -> float:
        """When `tick` is to be called next; inf for never."""
        return min(self._due.values(), default=inf)

    def delay(self, chance: float) -> float:
        """Return the seconds to wait before the next connection; `chance` is from 0 to 1."""
        return self._reconnect.delay(chance)

    def delay_reason(self, delay: float) -> str:
        """Return why there is this delay, for a log."""
        return self._reconnect.reason(delay)

    def connection_query(self, now: float, ws_access_token: str) -> dict[str, str]:
        """Give the query of the address to connect to, in which the tokens are."""
        query = {"access_token": ws_access_token}
        wsc = self._recovery.token
        in_time = now - self._lost_at < self._terms.recovery_timeout
        self._asks_recovery = self._has_subscription and bool(wsc) and in_time
        return query | {"wsc": wsc} if self._asks_recovery and wsc else query

    def connection_made(self, now: float, chance: float) -> None:
        """Record a new connection. Nothing is said before the gateway has spoken.

        Args:
            now: this moment.
            chance: a random number from 0 to 1, so that connections do not ping together.
        """
        self._begin()
        self.is_unauthorized = self.are_filters_refused = False
        self._reconnect.started()
        self._pace = 0.5 + chance / 2
        self._due = {"greeting": now + GREETED_WITHIN, "ping": now + PING_EVERY * self._pace}

    def recovery_refused(self) -> None:
        """Record that the server refused the address, maybe for the recovery token in it."""
        if self._asks_recovery:
            self._recovery.forget_token()

    def connection_failed(self, wait: float = 0.0, reason: str = "") -> None:
        """Record an attempt to connect that failed.

        Args:
            wait: the least seconds before the next attempt.
            reason: why so long, for a log.
        """
        self.are_filters_refused = False
        self._reconnect.failed()
        self._reconnect.at_least(wait, reason)

    def connection_lost(self, now: float, *, broken: bool = False) -> None:
        """Take note of the end of the connection.

        Args:
            now: this moment.
            broken: it ended because of what the gateway sent, which a recovery would bring again.
        """
        if broken or self._may_be_wsc or self._unreadable > MAX_UNREADABLE:
            self._recovery.forget_token()
        if self.subscription is not None:
            self._recovery.lose(self.last_received_at)
        unseen = self._silent or now - self.last_received_at > MAX_SILENCE
        self._lost_at = self.last_received_at if unseen else now
        if now - self._subscribed_at >= STABLE_AFTER:
            self._reconnect.succeeded()
        else:
            self._reconnect.failed()
        self._begin()

    def keepalive_received(self, now: float) -> None:
        """Take note of a sign of life."""
        self.last_received_at = now
        self._due.pop("pong", None)
        self._due["ping"] = now + PING_EVERY * self._pace

    def tick(self, now: float) -> list[SessionOutput]:
        """Do what is due; return what follows from it."""
        happenings: list[SessionOutput] = []
        for name in [name for name, at in self._due.items() if at <= now]:
            late = now - self._due.pop(name)
            if name == "heartbeat":
                self._heartbeat(now)
            elif name == "echo":
                happenings += self._recovery.give_up_replay(now)
            elif name == "ping" and late < PING_EVERY:
                self.wants_ping = True
                self._due["pong"] = now + PONG_WITHIN
            elif name == "age":
                self.close_reason = "it has lived long enough"
            else:
                # Also a ping that should have gone long ago: this machine has been asleep.
                self.close_reason = f"no {name} in time"
                self._silent = name in ("ping", "pong")
        return happenings

    def receive(self, now: float, text: str) -> list[SessionOutput]:
        """Take a frame in.

        Raises:
            ApiError: the subscription is refused, and would be again.
        """
        last_received_at = self.last_received_at
        self.keepalive_received(now)
        try:
            found = event_frames.read(text)
        except DecodeError as error:
            return self._unread(last_received_at, error.reason)
        happenings: list[SessionOutput] = []
        for frame in found:
            happenings += self._take(now, last_received_at, frame)
        return happenings

    def _take(self, now: float, last_received_at: float, frame: Frame) -> list[SessionOutput]:
        if frame.is_extra:
            return self._extra(now, last_received_at, frame)
        if frame.type == "ServerNotification":
            return self._notified(now, last_received_at, frame)
        if frame.type == "ConnectionDetails":
            return self._greet(now, frame)
        self._recovery.keep(frame.wsc)
        if frame.type == "Heartbeat":
            self._recovery.echoed(frame.message_id)
        elif frame.type in ("ClientRequest", "Error"):
            return self._answered(now, frame)
        else:
            self._remark("a frame of unknown type was ignored")
        return []

    def _extra(self, now: float, last_received_at: float, frame: Frame) -> list[SessionOutput]:
        """Take a body that nobody has documented: most likely one more notification."""
        if isinstance(frame.body, dict) and not _NOTIFICATION.isdisjoint(frame.body):
            return self._notified(now, last_received_at, frame)
        self._remark("a frame has more than two elements; what is no notification was ignored")
        return []

    def _notified(self, now: float, last_received_at: float, frame: Frame) -> list[SessionOutput]:
        if not self._greeted:
            self._recovery.doubt_replay()
        try:
            event = event_parsing.read(frame.body)
        except DecodeError as error:
            return self._unread(last_received_at, error.reason)
        self._recovery.keep(frame.wsc)
        is_new, gap = self._recovery.take(now, event)
        return [event, *gap] if is_new else [*gap]

    def _unread(self, last_received_at: float, reason: str) -> list[SessionOutput]:
        self._unreadable += 1
        self._remark(f"a frame could not be read, so events may be missing: {reason}")
        if self._unreadable > MAX_UNREADABLE:
            self.close_reason = "too much that cannot be read"
        if not self._is_answered:
            return []
        return [*self._recovery.report(last_received_at, ResyncReason.UNREADABLE)]

    def _greet(self, now: float, frame: Frame) -> list[SessionOutput]:
        if self._greeted:
            return []
        if frame.status is not None and frame.status >= 400:
            self._refuse(event_frames.refusal(frame), ours=False)
            return []
        self._greeted = True
        self._due.pop("greeting", None)
        terms = self._terms = event_details.parse(frame.body)
        self._due["age"] = now + LIFE * terms.absolute_timeout
        self._schedule_heartbeat(now)
        if self._asks_recovery and terms.is_recovered:
            self._subscribed_at = now
            self._due["echo"] = now + ECHOED_WITHIN
            marker, buffer = self._heartbeat(now), terms.recovery_buffer_size
            resume = self._recovery.resume
            return [*resume(now, frame.wsc, marker, buffer, terms.creation_time)]
        self._recovery.restart(frame.wsc)
        self._has_subscription = False
        self._asked = self._new_id()
        self._due["answer"] = now + ANSWERED_WITHIN
        self.outgoing.append(event_frames.subscribe(self._asked, self._filters))
        return []

    def _answered(self, now: float, frame: Frame) -> list[SessionOutput]:
        ours = self._asked is not None and frame.message_id in (self._asked, None)
        if frame.type == "Error" or (frame.status is not None and frame.status >= 400):
            self._refuse(event_frames.refusal(frame), ours=ours)
            return []
        if not ours or frame.message_id is None:
            return []  # A late answer to what was given up.
        self._asked = None
        self._due.pop("answer", None)
        again = self.subscription is not None
        self.subscription = self._check(frame.body)
        self._has_subscription = True
        self._subscribed_at = now
        gap = self._recovery.report(now, ResyncReason.CONNECTION_LOST) if again else []
        return [Subscribed(self.subscription, self._terms.creation_time), *gap]

    def _check(self, body: Any) -> SubscriptionInfo:
        info = SubscriptionInfo(**event_details.readable(body, SubscriptionInfo))
        disabled = info.disabled_filters or ()
        for each in disabled:
            self._remark(f"the filter {each.filter} is disabled: {each.reason} {each.message}")
        if len({each.filter for each in disabled}) >= len(self._filters):
            raise PermissionDenied(403, disabled[0].reason, disabled[0].message)
        return info

    def _refuse(self, error: ApiError, *, ours: bool) -> None:
        """Deal with an error that is about our subscription, the connection, or neither."""
        code = error.error_code or "an error without a code"
        decides = ours or not self._greeted
        if code == BAD_WSC:
            self._recovery.forget_token()
        if error.http_status == UNAUTHORIZED:
            self.is_unauthorized = True
        elif decides and error.http_status not in TRANSIENT and not self._may_be_wsc:
            self.are_filters_refused = ours
            raise error
        elif not decides and not code.startswith("WSG-"):
            self._remark(f"the gateway reported {code}")
            return
        if error.http_status == TOO_MANY:
            self._reconnect.at_least(RATE_LIMITED_DELAY, f"the gateway reported {code}")
        self.close_reason = f"the gateway reported {code}"

    @property
    def _may_be_wsc(self) -> bool:
        """Whether a refusal may be about the token for recovery."""
        return self._asks_recovery and not self._greeted

    def _heartbeat(self, now: float) -> str:
        id_ = self._new_id()
        self.outgoing.append(event_frames.heartbeat(id_))
        self._schedule_heartbeat(now)
        return id_

    def _schedule_heartbeat(self, now: float) -> None:
        often = self._terms.idle_timeout / HEARTBEATS_PER_IDLE
        every = self._pace * min(MAX_HEARTBEAT, often)
        self._due["heartbeat"] = now + max(MIN_HEARTBEAT, every)

    def _remark(self, text: str) -> None:
        text = one_line(text)
        if text not in self._said and len(self._said) < MAX_REMARKS:
            self._said.add(text)
            self.diagnostics.append(text)
