"""Whether a new connection joins on to the lost one, or notifications may be missing between.

RingCentral keeps the newest notifications of a lost connection for a while and replays them to one
that brings the old one's token. Older ones are gone without a word, so it is counted here how much
was replayed: a whole buffer may not have been all, unless it brings something that was known.
Notifications are told apart by uuid.

Theory: the end of a replay is not announced. What comes before the echo of a heartbeat that was
sent at the beginning is taken for replayed. A gateway may echo first and replay then, so what was
made before the connection is taken for replayed, too. Which is that, needs the gateway's clock:
a notification cannot arrive before it is made, so its timestamp less the time of its arrival is at
most the difference of the clocks, and the largest of these is the best estimate. It errs on the
side of an early clock, so that no live notification is taken for a replayed one. It is not used
when the last notification came much later than it should have: then it was delayed, or the clock
does not keep time. Where the clock is not known, whatever comes in the first `REPLAYED_WITHIN`
seconds may be replayed.

Source: RingCentral guide, "WebSockets", session recovery. Times are monotonic seconds, given by
the caller.
"""

from collections import OrderedDict
from datetime import datetime
from math import inf

import attrs

from ..models import PresenceEvent, ResyncReason
from .event_frames import Wsc

# A replay brings some hundred known notifications again; a bound for what is not documented.
MAX_SEEN, MAX_UUID = 10_000, 100
# Seconds that the last notification may have taken for the gateway's clock to count as known.
MAX_DELAY = 5.0
# Seconds from the beginning of a connection in which a replay is expected. A guess.
REPLAYED_WITHIN = 10.0


@attrs.frozen
class Gap:
    """Notifications may be missing since a moment; none are from here on."""

    reason: ResyncReason
    since_at: float


@attrs.define
class _Replay:
    """The replay after a recovery, whose end is not announced.

    Attributes:
        marker: the heartbeat that was sent at its beginning.
        since_at: when the lost connection was last heard of.
        left: how many more notifications make it a whole buffer.
        resumed_at: when the connection was made.
        made_at: the same by the gateway's clock in seconds since 1970; -inf when not known.
        over: whether the marker has come back.
        late: whether something was replayed after that.
    """

    marker: str
    since_at: float
    left: float
    resumed_at: float
    made_at: float
    over: bool = False
    late: bool = False

    def brings(self, now: float, event: PresenceEvent) -> bool:
        """Return whether a notification is a replayed one, or may be."""
        if not self.over:
            return True
        if event.timestamp is None or self.made_at == -inf:
            return now < self.resumed_at + REPLAYED_WITHIN
        older = event.timestamp.timestamp() < self.made_at
        self.late = self.late or older
        return older


class Recovery:
    """What is known of the notifications so far, over all connections."""

    def __init__(self) -> None:
        self._wsc: Wsc | None = None
        self._connection = 0
        # By uuid, the connection that brought it; ordered, because a dict finds its oldest slowly.
        self._seen: OrderedDict[str, int] = OrderedDict()
        # The latest time of a notification, by the gateway's clock in seconds since 1970.
        self._newest = -inf
        # The gateway's clock in seconds since 1970, less our monotonic one, is not less than this.
        self._clock_offset = -inf
        # Seconds that the last notification took, by that clock.
        self._delay = 0.0
        # Since when notifications may be missing; None while none are.
        self._missing_since: float | None = None
        self._replay: _Replay | None = None
        # A replay was cut off. The token may be newer than what it would still have brought.
        self._torn = False

    @property
    def token(self) -> str | None:
        """What the next connection can be asked to continue the last one with."""
        return None if self._wsc is None else self._wsc.token

    def keep(self, wsc: Wsc | None) -> None:
        """Keep a token if it is newer, in whatever order they come."""
        if wsc and (self._wsc is None or wsc.sequence >= self._wsc.sequence):
            self._wsc = wsc

    @property
    def is_whole(self) -> bool:
        """Whether nothing is known to be missing."""
        return self._missing_since is None

    def doubt_replay(self) -> None:
        """Take note of notifications that came before it was known what they continue."""
        self._torn = True

    def forget_token(self) -> None:
        """Continue nothing with the next connection."""
        self._wsc = None

    def since(self, at: float) -> float:
        """Give until when nothing is missing: until `at`, unless something is already."""
        return at if self._missing_since is None else self._missing_since

    def lose(self, heard_at: float) -> None:
        """Take note of the end of a connection, until which nothing more is missing."""
        self._missing_since = self.since(heard_at)
        if self._replay is not None and (self._replay.late or not self._replay.over):
            self._torn = True

    def _made_at(self, now: float, created: datetime | None) -> float:
        """Return when a new connection was made, by the gateway's clock; -inf if not known."""
        stated = -inf if created is None else created.timestamp()
        if -inf < self._newest < stated:  # Else it is that of the session's first connection.
            return stated
        return now + self._clock_offset if self._delay <= MAX_DELAY else -inf

    def _learn_time(self, now: float, made: float) -> None:
        """Learn of the gateway's clock from the time of a notification that has just come."""
        self._newest = max(self._newest, made)
        self._clock_offset = max(self._clock_offset, made - now)
        self._delay = now + self._clock_offset - made

    def resume(
        self, now: float, wsc: Wsc | None, marker: str, buffer: int, created: datetime | None
    ) -> list[Gap]:
        """Begin with a connection that continues the lost one.

        Args:
            now: this moment.
            wsc: what this connection can be continued with; None for the same as the lost one.
            marker: the id of the heartbeat that is sent now.
            buffer: how many notifications the gateway keeps.
            created: when the connection was made, or the session's first one, as the gateway
                says; None when it does not.
        """
        self._connection += 1
        self._wsc = wsc or self._wsc
        since = self.since(now)
        if self._torn:
            return self.report(now, ResyncReason.RECOVERY_INCOMPLETE)
        self._replay = _Replay(marker, since, buffer, now, self._made_at(now, created))
        return []

    def give_up_replay(self, now: float) -> list[Gap]:
        """Wait no longer for the marker of a replay; return the gap if it has not come back."""
        if self._replay is None or self._replay.over:
            return []
        return self.report(now, ResyncReason.RECOVERY_INCOMPLETE)

    def restart(self, wsc: Wsc | None) -> None:
        """Begin with a connection that continues nothing."""
        self._connection += 1
        self._wsc = wsc

    def echoed(self, marker: str | None) -> None:
        """Take note of a heartbeat that came back: what was missing has been replayed."""
        if self._replay and marker == self._replay.marker:
            self._replay.over = True
            self._missing_since = None

    def report(self, now: float, reason: ResyncReason) -> list[Gap]:
        """Report what may be missing, and count on it no more."""
        since = self.since(now)
        self._missing_since, self._torn, self._replay = None, False, None
        return [Gap(reason, since)]

    def take(self, now: float, event: PresenceEvent) -> tuple[bool, list[Gap]]:
        """Take a notification in; tell whether it is new, and what is missing before it."""
        # A longer one than any is would fill the memory, were it remembered.
        uuid = event.uuid if len(event.uuid or "") <= MAX_UUID else None
        known = None if uuid is None else self._seen.get(uuid)
        gap = self._count(now, event, known)
        if known is None and uuid is not None:
            self._seen[uuid] = self._connection
            if len(self._seen) > MAX_SEEN:
                self._seen.popitem(last=False)
        if event.timestamp is not None:
            self._learn_time(now, event.timestamp.timestamp())
        return known is None, gap

    def _count(self, now: float, event: PresenceEvent, known: int | None) -> list[Gap]:
        replay = self._replay
        if replay is None or not replay.brings(now, event):
            return []
        if known is not None and known != self._connection:
            replay.left = inf  # It joins on to what had come before: nothing is between.
        replay.left -= 1
        if replay.left > 0:
            return []
        self._missing_since = replay.since_at
        return self.report(now, ResyncReason.RECOVERY_INCOMPLETE)
