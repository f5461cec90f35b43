"""Follow RingCentral's events for a board that other processes read from Redis.

Theory: whoever gets the lease is the follower, for one term. A term has a fence, a number that is
higher than that of every term before, and ends when Redis says that somebody else has a higher one,
or when the lease could not be renewed. It also ends when Redis does not have what this follower
wrote last: then it has lost something, and the next term publishes everything again.

A new follower knows what the last one has published, because it was a reader. It begins with that,
marked as stale, and publishes only what it finds to be different. What the last one knew and had
not published is lost to everybody alike; its own board shows only what Redis has, too.

Changes are collected for a moment and published together, with the status of the board at that
instant: an extension is said to be stale until its newest state is published. A publication whose
reply is lost is sent again as it was; Redis recognizes it.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from itertools import islice
from math import inf

import attrs

from ..errors import DecodeError, PresenceError, RedisFailed
from ..live.board_feed import BoardFeed
from ..live.source import BoardSpec
from ..models import ChangeSource, PresenceChange
from ..protocol.board_json import (
    MAX_ENTRY,
    MAX_STALE,
    BoardEntry,
    BoardStatus,
    dump_entry,
    dump_status,
)
from ..protocol.board_replica import NEVER, BoardReplica, Version
from .board_keys import BoardKeys, Claim
from .replica import Reader

# Seconds: for which changes are collected; after which the state of the connection is looked at;
# and between two attempts to publish.
COLLECT, POLL, RETRY = 0.02, 0.25, 0.1
# Extensions in one publication.
BATCH = 50

_When = tuple[ChangeSource, datetime]


@attrs.frozen
class Lease:
    """The lease of a follower.

    Attributes:
        holder: identifies the process.
        lasts: the seconds for which it is got and renewed.
        claim: what Redis said to the claim.
        began_at: when that was sent, in monotonic seconds.
    """

    holder: str
    lasts: float
    claim: Claim
    began_at: float


class Term:
    """The time during which this process follows a board.

    Args:
        spec: the board.
        keys: the board in Redis.
        reader: reads what is published.
        replica: what the reader has read.
        lease: the lease that this process has got.
    """

    def __init__(
        self,
        spec: BoardSpec,
        keys: BoardKeys,
        reader: Reader,
        replica: BoardReplica,
        lease: Lease,
    ) -> None:
        self._spec = spec
        self._keys = keys
        self._reader = reader
        self._replica = replica
        self._lease = lease
        self._version: Version = (lease.claim.fence or 0, 0)
        self._is_ready = False
        self._state = spec.new_state()
        # None until this process knows what was published before.
        self._feed: BoardFeed | None = None
        # The ids to publish, and the errors that have been.
        self._changed: dict[str, _When] = {}
        self._errors: dict[str, PresenceError] = {}
        # Records of before that Redis may lack, until this process has read them itself.
        self._unread: set[str] = set()
        self._work = asyncio.Event()
        # What was sent and is not confirmed yet.
        self._pending: tuple[str | bytes | int, ...] | None = None
        # The last status, and its JSON.
        self._status, self._status_json = BoardStatus(), b""
        # In monotonic seconds: when the lease is to be renewed, and when it ends.
        self._renew_at = lease.began_at + lease.lasts / 3
        self._ends_at = lease.began_at + lease.lasts

    async def run(self) -> None:
        """Follow until the term ends.

        Raises:
            PresenceError: an error that trying again does not help against.
        """
        feeding = asyncio.create_task(self._follow())
        feeding.add_done_callback(lambda _: self._work.set())
        is_held, failure = True, None
        try:
            is_held = await self._publish_until_lost(feeding)
        finally:
            feeding.cancel()
            [failure] = await asyncio.gather(feeding, return_exceptions=True)
            while isinstance(failure, ExceptionGroup):
                failure = failure.exceptions[0]
            if is_held:
                await self._resign(failure if isinstance(failure, PresenceError) else None)
        if isinstance(failure, Exception):
            raise failure

    async def _follow(self) -> None:
        """Run the feed, once everything is known that was published before.

        Raises:
            ExceptionGroup: see `BoardFeed.run`.
        """
        await self._reader.reached(self._version)
        known, begins_anew = self._replica, self._lease.claim.before == NEVER
        self._is_ready = known.status.is_ready and not begins_anew
        self._errors = dict(known.errors)
        if known.records:
            self._state.seed(known.records)
        if not self._is_ready:  # Other readers may know newer ones: only what is read is published.
            self._unread = {*known.records}
        self._feed = self._spec.new_feed(self._state, self._on_change, self._after_read)
        await self._feed.run()

    def _on_change(self, change: PresenceChange) -> None:
        if change.id not in self._unread:
            self._changed[change.id] = change.source, change.time
            self._work.set()

    def _after_read(self) -> None:
        """Find the errors that have changed, and the records that were read for the first time."""
        state, when = self._state, (ChangeSource.BATCH, self._now())
        errors, is_ready = state.errors, self._feed is not None and self._feed.ready.is_set()
        read = [
            id_
            for id_ in self._unread
            if is_ready or id_ not in state.records or not state.is_stale(id_)
        ]
        self._unread.difference_update(read)
        self._changed |= dict.fromkeys(read, when)
        changed = [id_ for id_, error in errors.items() if self._errors.get(id_) is not error]
        if is_ready:
            changed += [id_ for id_ in self._errors if id_ not in errors]
        for id_ in changed:
            self._changed.setdefault(id_, when)
        self._work.set()

    async def _publish_until_lost(self, feeding: "asyncio.Task[None]") -> bool:
        """Publish until the feed ends; return False if the lease was lost before."""
        clock = self._spec.clock
        while not feeding.done():
            await clock.wait(self._work, POLL)
            if self._work.is_set():
                await clock.wait(asyncio.Event(), COLLECT)
                self._work.clear()
            while publication := self._pending or self._next():
                self._pending = publication
                if not await self._send(publication):
                    return False
        return True

    async def _send(self, publication: tuple[str | bytes | int, ...]) -> bool:
        """Publish, again if it must be; return False if the lease is lost."""
        clock = self._spec.clock
        while True:
            sent_at = clock.now()
            try:
                version = await self._keys.publish(publication)
            except RedisFailed:
                if clock.now() >= self._ends_at:
                    return False
                await clock.wait(asyncio.Event(), RETRY)
                continue
            if version is None:
                return False
            self._version, self._pending = version, None
            self._renew_at = sent_at + self._lease.lasts / 3
            self._ends_at = sent_at + self._lease.lasts
            return True

    def _next(self) -> tuple[str | bytes | int, ...] | None:
        """Return what is to be published now, if anything."""
        is_due = self._spec.clock.now() >= self._renew_at
        if self._feed is None:
            return self._publication(self._lease.lasts) if is_due else None
        ids = [*islice(self._changed, BATCH)]
        entries = [each for id_ in ids for each in (id_.encode(), self._entry(id_))]
        has_changed = self._set_status(self._new_status(self._feed))
        if entries or has_changed or is_due:
            return self._publication(self._lease.lasts, entries)
        return None

    def _set_status(self, status: BoardStatus) -> bool:
        """Replace the status; return whether it is another one."""
        if self._status_json and status == self._status:
            return False
        self._status, self._status_json = status, dump_status(status)
        return True

    def _publication(
        self, lease: float, entries: Sequence[bytes] = ()
    ) -> tuple[str | bytes | int, ...]:
        return self._keys.publication(
            self._lease.holder,
            lease,
            self._version,
            silence=inf if self._feed is None else self._feed.age,
            status=self._status_json,
            entries=entries,
        )

    def _entry(self, id_: str) -> bytes:
        """Return the state of an extension as JSON, and record it as published; empty if gone."""
        (source, time), state = self._changed.pop(id_), self._state
        record, error = state.records.get(id_), state.errors.get(id_)
        if error is None:
            self._errors.pop(id_, None)
        else:
            self._errors[id_] = error
        if record is None and error is None:
            return b""
        is_rejected = id_ in state.rejected
        data = dump_entry(BoardEntry(record, error, is_rejected, source, time))
        if len(data) > MAX_ENTRY:
            failure = DecodeError(
                f"longer than the {MAX_ENTRY:,} bytes that a shared board accepts"
            )
            data = dump_entry(BoardEntry(None, failure, False, source, time))
        return data

    def _new_status(self, feed: BoardFeed) -> BoardStatus:
        """Return the status of the board; what is still to be published is stale."""
        waiting = self._changed.keys()
        missed = self._state.missed_ids(MAX_STALE)
        stale = None if missed is None or len(waiting) > MAX_STALE else missed | waiting
        self._is_ready = self._is_ready or (feed.ready.is_set() and not waiting)
        return BoardStatus(
            is_following=feed.is_following,
            is_live=feed.is_live and not waiting,
            is_ready=self._is_ready,
            stale=stale,
            disabled_filters=feed.disabled_filters,
        )

    async def _resign(self, error: PresenceError | None) -> None:
        """End the lease at once, and say why if following is not possible any more."""
        with suppress(RedisFailed):
            if self._pending is not None:
                version = await self._keys.publish(self._pending)
                self._version = version or self._version
            filters = self._feed.disabled_filters if self._feed else ()
            self._set_status(BoardStatus(False, False, self._is_ready, None, filters, error))
            await self._keys.publish(self._publication(0.0))

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._spec.clock.wall(), UTC)
