"""Find out whether events are missing after a connection was lost.

Theory: RingCentral keeps the newest `recovery_buffer_size` notifications of a lost connection for
`recovery_timeout` seconds, and replays them to a connection that presents the recovery token of the
lost one. Older ones are dropped silently. So replayed notifications are counted here: fewer than a
full buffer is all there was, and a full buffer is all there was if it contains a notification that
had been received before the loss; otherwise there is a gap. Notifications are identified by uuid.

The end of a replay is not announced. A heartbeat, the *marker*, is sent at its beginning, and what
arrives before the echo counts as replayed. A gateway may echo first and replay afterwards, so
notifications made before the connection count as replayed, too. To decide that takes the gateway's
clock: a notification cannot arrive before it is made, so its timestamp minus its arrival is at most
the difference of the clocks, and the largest such value is the best estimate. Its error is on the
safe side: the gateway's clock is taken to be earlier than it is, and no live notification counts as
replayed. The estimate is not used if the last notification arrived more than `MAX_DELAY` seconds
later than it implies: then that was delayed, or the clock drifts. Where the clock is not known, all
that arrives in the first `REPLAY_WINDOW` seconds may be replayed.

A loss in the middle of a replay is a gap: the recovery token may be newer than what had not been
replayed yet. As the gateway may echo the marker first, a replay may go on until a second heartbeat
is echoed, which is sent some seconds after the first. What is replayed later opens it again.

Source: RingCentral guide, "WebSockets", session recovery. Times are monotonic seconds, given by
the caller.
"""

from collections import OrderedDict
from datetime import datetime
from math import inf

import attrs

from ..models import PresenceEvent, ResyncReason
from .event_outputs import Gap

# Remembered notifications, and the longest uuid that is remembered. A replay repeats some hundred;
# these bound what is not documented.
MAX_SEEN, MAX_UUID = 10_000, 100
# Seconds that the last notification may have been delayed for the gateway's clock to be known.
MAX_DELAY = 5.0
# Seconds from the beginning of a connection in which a replay is expected. A guess.
REPLAY_WINDOW = 10.0


@attrs.define
class _Replay:
    """The replay after a recovery.

    Attributes:
        marker: the id of the heartbeat that was sent at its beginning.
        end_marker: the id of the one that was sent when it should have come; None before.
        since_at: when the lost connection was last heard of.
        remaining: the number of further notifications that make it a full buffer.
        connected_at: when the connection was made.
        server_connected_at: the same by the gateway's clock in seconds since 1970; -inf if not
            known.
        is_acknowledged: whether the marker has been echoed.
        is_over: whether the second marker has been echoed, and nothing was replayed since.
    """

    marker: str
    since_at: float
    remaining: float
    connected_at: float
    server_connected_at: float
    end_marker: str | None = None
    is_acknowledged: bool = False
    is_over: bool = False

    def may_include(self, now: float, event: PresenceEvent) -> bool:
        """Return whether a notification is, or may be, replayed."""
        if not self.is_acknowledged:
            return True
        if event.timestamp is None or self.server_connected_at == -inf:
            return now < self.connected_at + REPLAY_WINDOW
        is_older = event.timestamp.timestamp() < self.server_connected_at
        self.is_over = self.is_over and not is_older
        return is_older


class GapDetector:
    """Records what has been received over all connections, and reports what may be missing."""

    def __init__(self) -> None:
        # The number of the connection.
        self._connection = 0
        # The number of the connection that brought a notification, by uuid. Ordered, because a
        # dict finds its oldest item slowly.
        self._seen: OrderedDict[str, int] = OrderedDict()
        # The latest time of a notification, by the gateway's clock in seconds since 1970.
        self._newest = -inf
        # The gateway's clock in seconds since 1970, minus our monotonic one, is at least this.
        self._clock_offset = -inf
        # Seconds that the last notification was delayed, by that clock.
        self._delay = 0.0
        # Since when events may be missing; None while none are.
        self._missing_since: float | None = None
        self._replay: _Replay | None = None
        # Whether a connection was lost in the middle of its replay.
        self._was_interrupted = False

    @property
    def is_complete(self) -> bool:
        """Whether no event is known to be missing."""
        return self._missing_since is None

    def interrupt_replay(self) -> None:
        """Record notifications that cannot be assigned to a session: the next recovery is a gap."""
        self._was_interrupted = True

    def connection_lost(self, last_received_at: float) -> None:
        """Record the end of a connection, and until when everything was received."""
        self._missing_since = self._complete_until(last_received_at)
        self._was_interrupted |= self._open_replay is not None

    def session_started(self) -> None:
        """Record a connection with a new session."""
        self._connection += 1

    def session_recovered(
        self, now: float, marker: str, buffer: int, created: datetime | None
    ) -> list[Gap]:
        """Record a connection that recovers the lost session; return the gap if there is one.

        Args:
            now: the monotonic time in seconds.
            marker: the id of the heartbeat that is sent now.
            buffer: the number of notifications that the gateway keeps.
            created: when the connection was made, or the session's first one, as the gateway
                says; None if it does not.
        """
        self._connection += 1
        if self._was_interrupted:
            return self.report_gap(now, ResyncReason.RECOVERY_INCOMPLETE)
        since = self._complete_until(now)
        self._replay = _Replay(marker, since, buffer, now, self._server_time(now, created))
        return []

    def heartbeat_received(self, message_id: str | None) -> None:
        """Record the echo of a heartbeat. If it is the marker, what was missing was replayed."""
        replay = self._replay
        if replay is None or message_id is None:
            return
        if message_id == replay.marker:
            replay.is_acknowledged = True
            self._missing_since = None
        elif message_id == replay.end_marker:
            replay.is_over = True

    def replay_timed_out(self, now: float, marker: str) -> list[Gap]:
        """Expect no more of a replay; return the gap unless its marker has been echoed.

        Args:
            now: the monotonic time in seconds.
            marker: the id of the heartbeat that is sent now.
        """
        if self._replay is None:
            return []
        if not self._replay.is_acknowledged:
            return self.report_gap(now, ResyncReason.RECOVERY_INCOMPLETE)
        self._replay.end_marker = marker
        return []

    def report_gap(self, now: float, reason: ResyncReason) -> list[Gap]:
        """Return the gap that ends now, and count from here."""
        since = self._complete_until(now)
        self._missing_since, self._was_interrupted, self._replay = None, False, None
        return [Gap(reason, since)]

    def receive(self, now: float, event: PresenceEvent) -> tuple[bool, list[Gap]]:
        """Record a notification; return whether it is new, and the gap that it reveals."""
        uuid = event.uuid or ""
        if len(uuid) > MAX_UUID:
            uuid = ""  # A longer one than any that is sent would fill the memory.
        seen_on = self._seen.get(uuid)
        gap = self._count_replayed(now, event, seen_on)
        if uuid and seen_on is None:
            self._seen[uuid] = self._connection
            if len(self._seen) > MAX_SEEN:
                self._seen.popitem(last=False)
        if event.timestamp is not None:
            self._learn_server_time(now, event.timestamp.timestamp())
        return seen_on is None, gap

    def _complete_until(self, at: float) -> float:
        """Return until when nothing is missing: until `at`, unless something is or may be."""
        if self._missing_since is not None:
            return self._missing_since
        replay = self._open_replay
        return at if replay is None else replay.since_at

    @property
    def _open_replay(self) -> _Replay | None:
        """The replay that may not be over."""
        return None if self._replay is None or self._replay.is_over else self._replay

    def _count_replayed(self, now: float, event: PresenceEvent, seen_on: int | None) -> list[Gap]:
        replay = self._replay
        if replay is None or not replay.may_include(now, event):
            return []
        if seen_on is not None and seen_on != self._connection:
            replay.remaining = inf  # It was received before the loss: nothing is between.
        replay.remaining -= 1
        if replay.remaining > 0:
            return []
        return self.report_gap(now, ResyncReason.RECOVERY_INCOMPLETE)

    def _server_time(self, now: float, created: datetime | None) -> float:
        """Return when a new connection was made, by the gateway's clock; -inf if not known."""
        stated = -inf if created is None else created.timestamp()
        if -inf < self._newest < stated:  # Otherwise it is that of the session's first connection.
            return stated
        return now + self._clock_offset if self._delay <= MAX_DELAY else -inf

    def _learn_server_time(self, now: float, made_at: float) -> None:
        """Update the estimate of the gateway's clock with a notification that has just arrived."""
        self._newest = max(self._newest, made_at)
        self._clock_offset = max(self._clock_offset, made_at - now)
        self._delay = now + self._clock_offset - made_at
