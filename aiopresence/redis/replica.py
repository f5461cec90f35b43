"""Read a board that another process, or this one, publishes in Redis.

Theory: the position of a reader is the version up to which it knows everything. It begins with a
snapshot: the version of the last entry, then all records, part by part. From that version on it
reads the stream, and what the snapshot has already is recognized by its version. An entry that does
not name the position as its predecessor means that some are missing: the reader was stopped for
longer than the stream reaches back, or Redis has lost what it had. Then a Resync is reported, and
another snapshot taken.

A reader trusts what it has for no longer than the lease of the follower lasts, as of when it asked
Redis. So everything is stale as soon as there is no follower, or this process was stopped, or Redis
does not respond; and until everything has been read that was there when it asked.
"""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from math import inf

from ..errors import RedisFailed
from ..models import PresenceChange, Resync, ResyncReason
from ..protocol.board_json import BoardStatus, status_of
from ..protocol.board_replica import NEVER, BoardReplica, Version, parse_version
from ..transport.clock import Clock, chance
from .board_keys import READ_COUNT, BoardKeys, Look, parse_ms

# Seconds between two attempts while Redis does not respond, and between two snapshots.
_RETRY, _SNAPSHOT_GAP = 0.5, 1.0
# No follower publishes as often.
_LAST_NUMBER = 2**52
# The shortest time in seconds between two looks at the board.
_LOOK_GAP = 0.05


class Reader:
    """Keeps a replica current.

    Args:
        keys: the board in Redis.
        replica: the copy.
        clock: the source of time.
        lease: the seconds after which another process follows at the latest.
        on_change: called with every change.
        after_read: called after `rejected` may have changed.
        resynced: called when changes may have been missed.

    Attributes:
        ready: set once everything has been read.
        no_follower: set when there is none; to be cleared by who makes use of that.
        had_follower: whether there has been one.
    """

    def __init__(
        self,
        keys: BoardKeys,
        replica: BoardReplica,
        clock: Clock,
        lease: float,
        on_change: Callable[[PresenceChange], None],
        after_read: Callable[[], None],
        resynced: Callable[[Resync], None],
    ) -> None:
        self.ready = asyncio.Event()
        self.no_follower = asyncio.Event()
        self.had_follower = False
        self._moved = asyncio.Event()
        self._keys = keys
        self._replica = replica
        self._clock = clock
        self._lease = lease
        self._on_change = on_change
        self._after_read = after_read
        self._resynced = resynced
        # All in monotonic seconds: until when the follower has its lease at least; when to look
        # again; when RingCentral was last heard; when the last snapshot was begun; and when it was
        # last known that nothing was missing.
        self._fresh_until = self._look_at = self._heard_at = self._snapshot_at = -inf
        self._complete_at = clock.now()
        # The last version at the last look: with an older position, nothing is current.
        self._last = NEVER
        # What only the entries of later followers are newer than.
        self._next = NEVER
        # Whether there may be extensions that are gone: those of before Redis has lost the board.
        self._has_surplus = False

    @property
    def is_fresh(self) -> bool:
        """Whether there is a follower, and nothing that it has published is missing."""
        return self._clock.now() < self._fresh_until and self._replica.position >= self._last

    @property
    def age(self) -> float:
        """Seconds since the follower is known to have received anything; inf if it has not."""
        return self._clock.now() - self._heard_at

    async def run(self) -> None:
        """Read forever.

        Raises:
            PresenceError: the follower has ended because of this error.
        """
        while True:
            try:
                await self._step()
            except RedisFailed:
                self._fresh_until = self._look_at = -inf
                await self._clock.wait(asyncio.Event(), _RETRY * (0.5 + chance()))

    async def reached(self, version: Version) -> None:
        """Wait until everything up to a version is known."""
        while self._replica.position < version:
            self._moved.clear()
            await self._moved.wait()

    async def _step(self) -> None:
        """Look at the board if it is time to, and read what is published until the next time."""
        if self._clock.now() >= self._look_at:
            await self._look()
        position = self._replica.position
        if position == NEVER and self._last != NEVER:
            await self._snapshot()
            return
        began_at = self._clock.now()
        wait = max(0.0, self._look_at - began_at)
        # If there is no board, the next follower's is awaited, and not what is left of an old one.
        entries = await self._keys.read(position if position > NEVER else self._next, wait)
        for version, fields in entries:
            if not self._replica.follows(fields.get(b"p"), version):
                await self._recover(was_lost=fields.get(b"p") == b"")
                return
            await self._apply(version, fields)
        if len(entries) < READ_COUNT:
            self._complete_at = began_at

    async def _look(self) -> Look:
        """Ask Redis how the board is, and conclude what is current."""
        asked_at = self._clock.now()
        look = await self._keys.look(self._replica.position)
        has_follower = look.lease_left > 0 and look.fence == look.last[0]
        has_all = self._replica.position <= look.last != NEVER
        self._last, self._next = look.last, (look.fence, _LAST_NUMBER)
        self._fresh_until = asked_at + look.lease_left if has_follower and has_all else -inf
        self._heard_at = max(self._heard_at, asked_at - look.age)
        longest = self._lease / 3
        wait = min(look.lease_left, longest) if look.lease_left else longest
        self._look_at = asked_at + max(wait, _LOOK_GAP)
        if look.lease_left:
            self.had_follower = True
        else:
            self.no_follower.set()
        return look

    async def _apply(self, version: Version, fields: dict[bytes, bytes]) -> None:
        """Apply the next entry of the stream."""
        for name, data in fields.items():
            if name.isdigit():
                self._put(name.decode(), version, data)
        if (silence := parse_ms(fields.get(b"a", b""))) is not None:
            # It was published after everything before had been read.
            self._heard_at = max(self._heard_at, self._complete_at - silence)
        await self._advance(version, fields.get(b"s", b""))
        if not (self.is_fresh and self._replica.status.is_following):
            self._look_at = -inf

    def _put(self, id_: str, version: Version, data: bytes) -> None:
        change = self._replica.apply(id_, version, data, self._now())
        if change is not None:
            self._on_change(change)

    async def _advance(self, version: Version, status: bytes) -> None:
        is_first = self._replica.position == NEVER
        self._replica.advance(version, status)
        self._moved.set()
        self._after_read()
        now = self._replica.status
        if now.error is not None and not is_first:  # An earlier end is none of this board's.
            raise now.error
        if now.is_ready and self._has_surplus:
            await self._snapshot()
        if now.is_ready:
            self.ready.set()

    async def _recover(self, *, was_lost: bool) -> None:
        """Report that something is missing, and take another snapshot."""
        self._fresh_until = -inf
        since = self._now() - timedelta(seconds=self._clock.now() - self._complete_at)
        reason = ResyncReason.BOARD_LOST if was_lost else ResyncReason.OVERFLOW
        self._resynced(Resync(reason, since))
        await self._snapshot()

    async def _snapshot(self) -> None:
        """Read all records, unless Redis has less than is known here."""
        wait = self._snapshot_at + _SNAPSHOT_GAP - self._clock.now()
        await self._clock.wait(asyncio.Event(), max(0.0, wait))
        self._snapshot_at = self._clock.now()
        before = await self._look()
        if before.last == NEVER or before.last < self._replica.position:
            return
        present, doubtful = await self._scan(before.fence)
        after = await self._look()
        if after.last == NEVER or after.fence != before.fence:
            return  # There is another follower, and it may have begun anew.
        for id_ in doubtful:
            self._replica.mark_unreadable(id_)
        if wrong := present & self._replica.unreadable:
            await self._keys.remove([id_.encode() for id_ in wrong])
        is_complete = status_of(before.status).is_ready
        self._has_surplus = not is_complete
        if is_complete:
            for change in self._replica.retain(present, self._now()):
                self._on_change(change)
        if not before.status:  # The follower has begun anew, and has not read everything yet.
            self._replica.status = BoardStatus()
        await self._advance(before.last, before.status)

    async def _scan(self, fence: int) -> tuple[set[str], list[str]]:
        """Apply all records; return their ids, and those whose version cannot be right."""
        present, doubtful, cursor = set[str](), list[str](), b""
        while cursor != b"0":
            cursor, items = await self._keys.scan(cursor or b"0")
            for name, value in zip(items[::2], items[1::2], strict=True):
                id_ = name.decode("latin-1")
                text, _, data = value.partition(b" ")
                version = parse_version(text)
                present.add(id_)
                if version is None or version[0] > fence or not data:
                    doubtful.append(id_)
                else:
                    self._put(id_, version, data)
        return present, doubtful

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock.wall(), UTC)
