"""The event session: what to say to RingCentral's WebSocket gateway, and what it says back.

A machine without I/O. Whoever drives it tells it of connections, frames and the time, sends what
is in `outbox`, closes the connection when `ending` says why, and connects again after `delay`.

Source: RingCentral guide, "WebSockets". Times are monotonic seconds, given by the caller.
"""

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from math import inf
from typing import Any

import attrs

from ..errors import ApiError, DecodeError, PermissionDenied, one_line
from ..models import PresenceEvent, ResyncReason, SubscriptionInfo
from . import convert, events, frames
from .frames import Frame
from .recovery import Gap, Recovery

# A dead peer is found in 25 s: so long after the last sign of life we ask for one, and wait.
PING_EVERY, PONG_WITHIN = 20.0, 5.0
GREETED_WITHIN, ANSWERED_WITHIN = 10.0, 30.0
# Pings do not count as activity there, so heartbeats go three times as often as they must.
HEARTBEATS_PER_IDLE, MIN_HEARTBEAT, MAX_HEARTBEAT = 3, 1.0, 600.0
# The part of its allowed life after which a connection is replaced, in our own good time.
LIFE = 0.95
# Waits before the next connection double up to the longest; one that held on starts afresh.
FIRST_DELAY, MAX_DELAY, HELD_ON = 1.0, 120.0, 60.0
RATE_LIMITED_DELAY = 30.0
UNAUTHORIZED, TOO_MANY = 401, 429
# Refusals that may be none the next time.
TRANSIENT = frozenset({UNAUTHORIZED, 408, TOO_MANY, *range(500, 600)})
# Garbage from the gateway is put up with so often; then another connection may do better.
MAX_UNREADABLE = 10
# Different remarks on one connection: the gateway chooses their words. A guess.
MAX_REMARKS = 100


@attrs.frozen
class Terms:
    """What the gateway says of a connection; by default, what RingCentral documents.

    Attributes:
        recovery_buffer_size: how many missed notifications are replayed at most.
        recovery_timeout: seconds after which a lost connection cannot be continued.
        idle_timeout: seconds without a frame from us after which it is ended.
        absolute_timeout: seconds that it may last at all.
        creation_time: when it was made, by the gateway's clock.
        recovery_state: whether it continues a lost one; None when that was not asked for.
    """

    recovery_buffer_size: int = 100
    recovery_timeout: int = 180
    idle_timeout: int = 1800
    absolute_timeout: int = 86400
    creation_time: datetime | None = None
    recovery_state: str | None = None


@attrs.frozen
class Subscribed:
    """The subscription was made, for the first time or anew; its notifications come from here."""

    info: SubscriptionInfo


Happening = PresenceEvent | Gap | Subscribed


class Gateway:
    """One event session, which outlives its connections.

    Args:
        filters: the event filters of its one subscription.
        new_id: makes ids of messages.

    Attributes:
        outbox: frames to send.
        ping: whether to send a ping, too.
        ending: why to close the connection; None to keep it.
        renew: whether the access token was refused, so that another one is needed.
        remarks: what somebody should read in a log, each thing once per connection.
        subscription: as it was made last; None before.
        heard_at: when the last sign of life came.
    """

    def __init__(self, filters: tuple[str, ...], new_id: Callable[[], str]) -> None:
        self.outbox: list[str] = []
        self.remarks: list[str] = []
        self.renew = False
        self.subscription: SubscriptionInfo | None = None
        self.heard_at = -inf
        self._filters = filters
        self._new_id = new_id
        self._terms = Terms()
        self._recovery = Recovery()
        self._asks_recovery = False
        # Whether the session that could be continued has our subscription, as far as is known.
        self._has_subscription = False
        self._failures = 0
        self._wait = 0.0
        self._begin(-inf)

    def _begin(self, now: float) -> None:
        self.outbox.clear()
        self.ping = False
        self.ending: str | None = None
        self._opened_at = now
        self._greeted = False
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
        return self._greeted and self._asked is None and self.ending is None

    @property
    def due_at(self) -> float:
        """When `tick` is to be called next; inf for never."""
        return min(self._due.values(), default=inf)

    def delay(self, chance: float) -> float:
        """Give the seconds to wait before the next connection; `chance` is from 0 to 1."""
        doubled = FIRST_DELAY * 2.0 ** min(self._failures - 1, 10)
        return max(self._wait, chance * min(MAX_DELAY, doubled) if self._failures else 0.0)

    def query(self, now: float, ws_access_token: str) -> dict[str, str]:
        """Give the query of the address to connect to, in which the tokens are."""
        query = {"access_token": ws_access_token}
        wsc = self._recovery.token
        in_time = now - self.heard_at < self._terms.recovery_timeout
        self._asks_recovery = self._has_subscription and bool(wsc) and in_time
        return query | {"wsc": wsc} if self._asks_recovery and wsc else query

    def connected(self, now: float) -> None:
        """Take note of a new connection. Nothing is said before the gateway has spoken."""
        self._begin(now)
        self._wait = 0.0
        self._due = {"greeting": now + GREETED_WITHIN, "ping": now + PING_EVERY}

    def failed(self, wait: float = 0.0) -> None:
        """Take note of an attempt to connect that failed, and for how long there is no use."""
        self._failures += 1
        self._wait = wait

    def lost(self, now: float, *, broken: bool = False) -> None:
        """Take note of the end of the connection.

        Args:
            now: this moment.
            broken: it ended because of what the gateway sent, which a recovery would bring again.
        """
        if broken or self._unreadable > MAX_UNREADABLE:
            self._recovery.forget_token()
        if self.subscription is not None:
            self._recovery.lose(self.heard_at)
        held_on = self._greeted and now - self._opened_at >= HELD_ON
        self._failures = 1 if held_on else self._failures + 1
        self._begin(now)

    def ponged(self, now: float) -> None:
        """Take note of a sign of life."""
        self.heard_at = now
        self._due.pop("pong", None)
        self._due["ping"] = now + PING_EVERY

    def tick(self, now: float) -> None:
        """Do what is due."""
        for name in [name for name, at in self._due.items() if at <= now]:
            late = now - self._due.pop(name)
            if name == "heartbeat":
                self._heartbeat(now)
            elif name == "ping" and late < PING_EVERY:
                self.ping = True
                self._due["pong"] = now + PONG_WITHIN
            elif name == "age":
                self.ending = "it has lived long enough"
            else:
                # Also a ping that should have gone long ago: this machine has been asleep.
                self.ending = f"no {name} in time"

    def receive(self, now: float, text: str) -> list[Happening]:
        """Take a frame in.

        Raises:
            ApiError: the subscription is refused, and would be again.
        """
        heard_at = self.heard_at
        self.ponged(now)
        try:
            frame = frames.read(text)
            if frame.type == "ServerNotification":
                return self._notified(now, frame)
        except DecodeError as error:
            return self._unread(heard_at, error.reason)
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

    def _notified(self, now: float, frame: Frame) -> list[Happening]:
        if not self._greeted:
            self._recovery.doubt_replay()
        event = events.read(frame.body)
        self._recovery.keep(frame.wsc)
        is_new, gap = self._recovery.take(now, event)
        return [event, *gap] if is_new else [*gap]

    def _unread(self, heard_at: float, reason: str) -> list[Happening]:
        self._unreadable += 1
        self._remark(f"a frame could not be read, so events may be missing: {reason}")
        if self._unreadable > MAX_UNREADABLE:
            self.ending = "too much that cannot be read"
        if not self._is_answered:
            return []
        return [*self._recovery.report(heard_at, ResyncReason.UNREADABLE)]

    def _greet(self, now: float, frame: Frame) -> list[Happening]:
        if self._greeted:
            return []
        if frame.status is not None and frame.status >= 400:
            self._refuse(frames.refusal(frame), ours=False)
            return []
        self._greeted = True
        self._due.pop("greeting", None)
        terms = self._terms = _terms(frame.body)
        self._due["age"] = now + LIFE * terms.absolute_timeout
        self._schedule_heartbeat(now)
        if self._asks_recovery and str(terms.recovery_state).lower() == "successful":
            marker, buffer = self._heartbeat(now), terms.recovery_buffer_size
            resume = self._recovery.resume
            return [*resume(now, frame.wsc, marker, buffer, terms.creation_time)]
        self._recovery.restart(frame.wsc)
        self._has_subscription = False
        self._asked = self._new_id()
        self._due["answer"] = now + ANSWERED_WITHIN
        self.outbox.append(frames.subscribe(self._asked, self._filters))
        return []

    def _answered(self, now: float, frame: Frame) -> list[Happening]:
        ours = self._asked is not None and frame.message_id in (self._asked, None)
        if frame.type == "Error" or (frame.status is not None and frame.status >= 400):
            self._refuse(frames.refusal(frame), ours=ours)
            return []
        if not ours or frame.message_id is None:
            return []  # A late answer to what was given up.
        self._asked = None
        self._has_subscription = True
        self._due.pop("answer", None)
        again = self.subscription is not None
        self.subscription = self._check(frame.body)
        gap = self._recovery.report(now, ResyncReason.CONNECTION_LOST) if again else []
        return [Subscribed(self.subscription), *gap]

    def _check(self, body: Any) -> SubscriptionInfo:
        info = SubscriptionInfo(**_readable(body, SubscriptionInfo))
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
        if error.http_status == UNAUTHORIZED:
            self.renew = True
        elif decides and error.http_status not in TRANSIENT:
            raise error
        elif not decides and not code.startswith("WSG-"):
            self._remark(f"the gateway reported {code}")
            return
        if error.http_status == TOO_MANY:
            self._wait = RATE_LIMITED_DELAY
        self.ending = f"the gateway reported {code}"

    def _heartbeat(self, now: float) -> str:
        id_ = self._new_id()
        self.outbox.append(frames.heartbeat(id_))
        self._schedule_heartbeat(now)
        return id_

    def _schedule_heartbeat(self, now: float) -> None:
        often = self._terms.idle_timeout / HEARTBEATS_PER_IDLE
        self._due["heartbeat"] = now + max(MIN_HEARTBEAT, min(MAX_HEARTBEAT, often))

    def _remark(self, text: str) -> None:
        text = one_line(text)
        if text not in self._said and len(self._said) < MAX_REMARKS:
            self._said.add(text)
            self.remarks.append(text)


def _terms(body: Any) -> Terms:
    """Read what the gateway says of itself; what makes no sense has not been said."""
    good = _readable(body, Terms).items()
    return Terms(**{k: v for k, v in good if v and (not isinstance(v, int) or v > 0)})


def _readable(body: Any, cls: type[Any]) -> dict[str, Any]:
    """Read the fields of a record one by one, so that a wrong one hides no other."""
    said = body if isinstance(body, dict) else {}
    good = {}
    for field in attrs.fields(cls):
        name = convert.camel(field.name)
        with suppress(DecodeError, KeyError):
            good[field.name] = getattr(convert.structure({name: said[name]}, cls), field.name)
    return good
