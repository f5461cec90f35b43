"""No reader of a shared board goes back, and all agree with its follower when it is quiet.

The machine is Redis as the script of boards leaves it, its followers in turn, and the readers, who
step through what they read as a process does. Each record has a counter, so that its age shows.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import attrs
from hypothesis import settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from aiopresence import GetPresenceInfo
from aiopresence.models import ChangeSource
from aiopresence.protocol import decoding
from aiopresence.protocol.board_json import (
    BoardEntry,
    BoardStatus,
    dump_entry,
    dump_status,
    status_of,
)
from aiopresence.protocol.board_replica import (
    NEVER,
    BoardReplica,
    Version,
    format_version,
    parse_version,
)

IDS = ("201", "202", "203")
KEPT = 4
NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)


@attrs.define
class Entry:
    """An entry of the stream."""

    version: Version
    before: Version
    status: bytes
    data: Mapping[str, bytes]


@attrs.define
class Redis:
    """What Redis has; `fence` grows with the clock, too, so that it is higher after a loss."""

    fence: int = 0
    last: Version = NEVER
    status: bytes = b""
    records: dict[str, tuple[Version, bytes]] = attrs.field(factory=dict)
    stream: tuple[Entry, ...] = ()

    def copy(self) -> "Redis":
        return attrs.evolve(self, records=dict(self.records))

    def append(self, entry: Entry) -> None:
        self.stream = (*self.stream, entry)[-KEPT:]
        self.last = entry.version


@attrs.define
class Follower:
    """A term: its version, what it knows, and what it has not published of it."""

    version: Version
    known: dict[str, int]
    unpublished: set[str]


@attrs.define
class Reader:
    """A copy, and a snapshot that it is taking: what Redis had, and the ids still to be read."""

    replica: BoardReplica
    shown: dict[str, int] = attrs.field(factory=dict)
    before: Redis | None = None
    unread: list[str] = attrs.field(factory=list)
    present: set[str] = attrs.field(factory=set)


def number_of(record: GetPresenceInfo) -> int:
    return int(str(record.message))


def dumped(id_: str, number: int) -> bytes:
    record = decoding.structure({"extension": {"id": id_}, "message": f"{number}"}, GetPresenceInfo)
    return dump_entry(BoardEntry(record, None, False, ChangeSource.BATCH, NOW))


class SharedBoards(RuleBasedStateMachine):
    @initialize()
    def start(self) -> None:
        self.clock = 100
        self.truth = dict.fromkeys(IDS, 0)
        self.redis = Redis()
        self.saved = self.redis.copy()
        self.readers = [Reader(BoardReplica(IDS)) for _ in range(2)]
        self.followers: list[Follower] = []
        self.take_over(0)

    # Followers. All but the last have lost the lease without knowing it.

    @rule(which=st.integers(0, 1))
    def take_over(self, which: int) -> None:
        """Let the process of a reader become the follower, as `claim` does."""
        redis, replica, self.clock = self.redis, self.readers[which].replica, self.clock + 1
        before = redis.last if redis.last >= replica.position else NEVER
        if before == NEVER:
            redis.records, redis.stream, redis.status = {}, (), b""
        redis.fence = max(redis.fence, replica.position[0], self.clock) + 1
        version = (redis.fence, 0)
        redis.append(Entry(version, before, b"", {}))
        self.finish(self.readers[which])
        known = {id_: number_of(each) for id_, each in replica.records.items()}
        begun = set(known) if before == NEVER else set()
        self.followers = [*self.followers[-1:], Follower(version, known, begun)]

    @rule(id_=st.sampled_from(IDS), published=st.booleans())
    def change(self, id_: str, published: bool) -> None:
        """Let an extension change, and the follower get the event."""
        self.truth[id_] += 1
        follower = self.followers[-1]
        follower.known[id_] = self.truth[id_]
        follower.unpublished.add(id_)
        if published:
            self.publish(follower)

    @rule()
    def read_all(self) -> None:
        """Let the follower read from RingCentral, and publish what is different."""
        follower = self.followers[-1]
        follower.unpublished |= {i for i in IDS if follower.known.get(i) != self.truth[i]}
        follower.known = dict(self.truth)
        self.publish(follower, is_ready=True)

    @rule(id_=st.sampled_from(IDS))
    def write_late(self, id_: str) -> None:
        """Let the follower before the present one write what it knows."""
        self.followers[0].unpublished.add(id_)
        self.followers[0].known.setdefault(id_, 0)
        if len(self.followers) > 1:
            self.publish(self.followers[0])

    def publish(self, follower: Follower, *, is_ready: bool = False) -> None:
        redis, ids = self.redis, sorted(follower.unpublished)
        version = (follower.version[0], follower.version[1] + 1)
        if redis.last != follower.version or redis.fence != version[0]:
            return
        status = dump_status(BoardStatus(is_ready, is_ready, is_ready, frozenset()))
        data = {id_: dumped(id_, follower.known[id_]) for id_ in ids}
        redis.append(Entry(version, redis.last, status, data))
        redis.records |= {id_: (version, each) for id_, each in data.items()}
        redis.status = status
        follower.version = version
        follower.unpublished.clear()

    # What Redis loses.

    @rule()
    def save(self) -> None:
        self.saved = self.redis.copy()

    @rule(how=st.sampled_from(("all", "last second", "a record")))
    def lose(self, how: str) -> None:
        """Lose something. A lost record is found by the count of records: the board is lost.

        All readers know the same before, and the next follower publishes everything. That it
        publishes nothing before it has read it is part of `redis/term.py`, which this does not run:
        see `tests/redis/test_board_faults.py`.
        """
        for reader in self.readers:
            self.finish(reader)
        if how == "last second":
            self.redis = self.saved.copy()
        elif how == "all" or self.redis.records:
            self.redis = Redis(self.redis.fence if how == "a record" else 0)
        self.clock += 1
        self.redis.fence = max([self.redis.fence, *(r.replica.position[0] for r in self.readers)])
        self.take_over(0)
        self.read_all()

    # Readers.

    @rule(which=st.integers(0, 1), number=st.integers(1, 3))
    def read_stream(self, which: int, number: int) -> None:
        reader = self.readers[which]
        if reader.before is not None or reader.replica.position == NEVER:
            return
        position = reader.replica.position
        for entry in [each for each in self.redis.stream if each.version > position][:number]:
            before = format_version(entry.before).encode()
            if not reader.replica.follows(before, entry.version):
                self.begin_snapshot(which)
                return
            for id_, data in entry.data.items():
                reader.replica.apply(id_, entry.version, data, NOW)
            reader.replica.advance(entry.version, entry.status)
            self.nothing_is_older_than_what_was_shown()

    @rule(which=st.integers(0, 1))
    def begin_snapshot(self, which: int) -> None:
        reader, last = self.readers[which], self.redis.last
        if reader.before is None and last != NEVER and last >= reader.replica.position:
            reader.before = self.redis.copy()
            reader.unread, reader.present = [*self.redis.records], set()

    @rule(which=st.integers(0, 1), id_=st.sampled_from(IDS), times=st.integers(1, 3))
    def take_snapshot(self, which: int, id_: str, times: int) -> None:
        """Take a snapshot while an extension changes, and read the first of the changes."""
        self.begin_snapshot(which)
        for _ in range(times):
            self.change(id_, published=True)
        self.read_snapshot(which, len(IDS))
        self.nothing_is_older_than_what_was_shown()
        self.read_stream(which, 1)

    @rule(which=st.integers(0, 1), number=st.integers(1, 3))
    def read_snapshot(self, which: int, number: int) -> None:
        """Read some records as they are now; with the last, the snapshot ends."""
        reader = self.readers[which]
        if reader.before is None:
            return
        for _ in range(min(number, len(reader.unread))):
            id_ = reader.unread.pop()
            if id_ in self.redis.records:
                version, data = self.redis.records[id_]
                reader.present.add(id_)
                text = format_version(version).encode()
                reader.replica.apply(id_, parse_version(text) or NEVER, data, NOW)
        if not reader.unread:
            self.end_snapshot(reader, reader.before)

    def end_snapshot(self, reader: Reader, before: Redis) -> None:
        reader.before = None
        if self.redis.last == NEVER or self.redis.fence != before.fence:
            return
        if status_of(before.status).is_ready:
            reader.replica.retain(reader.present, NOW)
        reader.replica.advance(before.last, before.status)

    def finish(self, reader: Reader) -> None:
        """Read until everything is known."""
        which = self.readers.index(reader)
        for _ in range(4):
            if reader.before is None and reader.replica.position < self.redis.last:
                self.begin_snapshot(which)
            self.read_snapshot(which, len(IDS))
            self.read_stream(which, KEPT)

    # What must be true.

    @invariant()
    def nothing_is_older_than_what_was_shown(self) -> None:
        for reader in getattr(self, "readers", ()):
            for id_, record in reader.replica.records.items():
                number = number_of(record)
                assert number >= reader.shown.get(id_, 0), (id_, number, reader.shown[id_])
                reader.shown[id_] = number

    @invariant()
    def what_is_known_completely_is_what_redis_has(self) -> None:
        for reader in getattr(self, "readers", ()):
            if reader.before is None and reader.replica.position == self.redis.last != NEVER:
                for id_, (_, data) in self.redis.records.items():
                    record = reader.replica.records[id_]
                    assert dumped(id_, number_of(record)) == data, id_

    def teardown(self) -> None:
        if not hasattr(self, "readers"):
            return
        self.take_over(1)
        self.read_all()
        for reader in self.readers:
            self.finish(reader)
            shown = {id_: number_of(each) for id_, each in reader.replica.records.items()}
            assert shown == self.truth
            assert not any(reader.replica.is_stale(id_) for id_ in IDS)


TestSharedBoards: Any = SharedBoards.TestCase
TestSharedBoards.settings = settings(
    max_examples=settings().max_examples * 4, stateful_step_count=40
)
