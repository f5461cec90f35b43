"""Follows a board, keeps its rows, and publishes their changes to the readers of the stream.

Changes are published at most every `INTERVAL`, each row once with its latest state, so that the
work for a thousand readers does not depend on how busy the account is. The first change after a
pause is published at once. While the board reads everything for the first time, no rows are
published: a reader learns from the status when it is ready, and reads all rows. Whatever looks at
all rows lets other tasks run after every `MAX_ROWS` of them, and they may change meanwhile.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence, Set
from contextlib import suppress
from datetime import datetime
from math import isfinite
from typing import Any

import orjson

from .. import (
    ChangeSource,
    DirectoryEntry,
    GetPresenceInfo,
    PresenceBoard,
    PresenceChange,
    PresenceError,
)
from .readers import Readers
from .rows import Row, names, new_row

INTERVAL = 0.1
# Rows in one frame, so that frames are small and the loop is not blocked for long.
MAX_ROWS = 500
# Seconds between two looks at what no change reports, such as staleness, and between two statuses.
LOOK_INTERVAL, STATUS_INTERVAL = 1.0, 10.0
# The board is taken for broken after so many seconds of silence; it stays under 25 while it works.
MAX_AGE = 60.0


class Publisher:
    """Publishes a board.

    Attributes:
        board: the board.
        rows: the last known rows, by id.
        stale: the ids of those rows that may be out of date.
        is_ready: whether everything was read once.
        end_reason: why the board ended; None while it runs.
        readers: the readers of the stream.
        changes: how many changes were published, by source.
        interruptions: how often the board has ceased to be live.
    """

    def __init__(self, board: PresenceBoard) -> None:
        self.board = board
        self.rows: dict[str, Row] = {}
        self.stale: Set[str] = frozenset()
        self.is_ready = False
        self.end_reason: str | None = None
        self.readers = Readers()
        self.changes: Counter[ChangeSource] = Counter()
        self.interruptions = 0
        self._ids: list[str] | None = None
        self._directory: Mapping[str, DirectoryEntry] = {}
        self._pending: dict[str, None] = {}
        self._news = asyncio.Event()
        self._is_live = False
        self._published_status: bytes = b""

    async def run(self, changes: AsyncIterator[PresenceChange]) -> None:
        """Publish changes until the board ends."""
        async with asyncio.TaskGroup() as group:
            helpers = [
                group.create_task(each) for each in (self._publish(), self._look(), self._load())
            ]
            try:
                async for change in changes:
                    self._apply(change)
            except PresenceError as error:
                self.end(str(error))
            else:
                self.end("the board was closed")
            for helper in helpers:
                helper.cancel()

    def end(self, reason: str) -> None:
        """Publish that there will be no more changes, and end the streams."""
        if self.end_reason is None:
            self.end_reason = reason
            self.stale = frozenset(self.rows)
            self.readers.publish("ended", orjson.dumps({"reason": reason}))
        self.readers.close()

    @property
    def ids(self) -> Sequence[str]:
        """The ids of all rows: the same list until one comes or goes."""
        if self._ids is None:
            self._ids = [*self.rows]
        return self._ids

    @property
    def age(self) -> float | None:
        """Seconds since anything was received from RingCentral; None before the first."""
        return self.board.age if isfinite(self.board.age) else None

    @property
    def problem(self) -> str | None:
        """Why the rows are not to be relied on; None if they are."""
        if self.end_reason is not None:
            return self.end_reason
        if not self.is_ready:
            return "the presence has not been read yet"
        if self.board.age > MAX_AGE:
            return f"nothing was received from RingCentral for {self.board.age:.0f} s"
        return None

    @property
    def is_live(self) -> bool:
        """Whether the rows are current: events arrive, and no row may be out of date."""
        return self.end_reason is None and self.board.is_live

    @property
    def status(self) -> bytes:
        """The status of the board, as JSON."""
        return orjson.dumps({"ready": self.is_ready, "live": self.is_live})

    async def _load(self) -> None:
        """Add what the board knows already, then wait until it has read everything."""
        with suppress(PresenceError):  # `run` publishes it.
            async for id_ in _in_slices([*self.board]):
                record = self.board.get(id_)  # It may be gone by now.
                if record is not None and id_ not in self.rows:
                    self._set(id_, record, None)
            await self.board.wait_ready()
            await self._rename()
            await self._publish_stale()
            self._pending.clear()
            self.is_ready = True
            self._news.set()

    def _apply(self, change: PresenceChange) -> None:
        self.changes[change.source] += 1
        if change.new is None:
            if self.rows.pop(change.id, None) is not None:
                self._ids = None
            self._pending[change.id] = None
        else:
            self._set(change.id, change.new, self._since(change))
        self._news.set()

    def _since(self, change: PresenceChange) -> datetime | None:
        known = self.rows.get(change.id)
        if known is None or change.old is None or change.new is None:
            return None
        return known.since if known.availability is change.new.availability else change.time

    def _set(self, id_: str, record: GetPresenceInfo, since: datetime | None) -> None:
        if id_ not in self.rows:
            self._ids = None
        self.rows[id_] = new_row(id_, record, self._directory.get(id_), since)
        self._pending[id_] = None

    async def _rename(self) -> None:
        """Put the names of a directory that was read meanwhile into the rows."""
        directory = self.board.directory
        if directory is self._directory or directory is None:
            return
        self._directory = directory
        async for id_ in _in_slices(self.ids):
            row = self.rows.get(id_)
            if row and names(row.record, directory.get(id_)) != (row.name, row.number):
                self._set(id_, row.record, row.since)
        self._news.set()

    async def _publish(self) -> None:
        while True:
            await self._news.wait()
            self._news.clear()
            if not self.is_ready:
                self._pending.clear()
            while self._pending:
                ids = [*self._pending][:MAX_ROWS]
                for id_ in ids:
                    del self._pending[id_]
                self.readers.publish("changes", self._changes(ids), resumable=True)
                await asyncio.sleep(0)
            self._publish_status()
            await asyncio.sleep(INTERVAL)

    def _changes(self, ids: Iterable[str]) -> bytes:
        """Return rows that have changed, and the ids of those that are gone, as JSON."""
        rows = self._json(ids)
        gone = orjson.dumps([id_ for id_ in ids if id_ not in self.rows])
        return b'{"rows":[%b],"gone":%b}' % (b",".join(rows), gone)

    def parts(self) -> Iterator[bytes]:
        """Yield a JSON list of all rows in parts, with each row as it is when its part is taken."""
        ids, before = self.ids, b"["
        for start in range(0, len(ids), MAX_ROWS):
            if rows := self._json(ids[start : start + MAX_ROWS]):
                yield before + b",".join(rows)
                before = b","
        yield b"]" if before == b"," else b"[]"

    def _json(self, ids: Iterable[str]) -> list[bytes]:
        return [
            row.json(stale=id_ in self.stale)
            for id_ in ids
            if (row := self.rows.get(id_)) is not None
        ]

    async def _look(self) -> None:
        """Publish what no change reports."""
        loop = asyncio.get_running_loop()
        status_at = loop.time()
        while True:
            await asyncio.sleep(LOOK_INTERVAL)
            await self.readers.check()
            if self.is_ready:
                await self._rename()
                await self._publish_stale()
            if self._publish_status(force=loop.time() >= status_at + STATUS_INTERVAL):
                status_at = loop.time()

    async def _publish_stale(self) -> None:
        """Publish which rows have become stale or current."""
        before, board, stale = self.stale, self.board, set[str]()
        # A board is live also if RingCentral sends nothing for some of its filters.
        if not board.is_live or board.disabled_filters:
            async for id_ in _in_slices(self.ids):
                if board.is_stale(id_):
                    stale.add(id_)
        self.stale = stale
        if stale == before:
            return
        if not stale or len(stale) == len(self.rows):
            data: dict[str, Any] = {"all": bool(stale)}
        else:
            data = {"stale": [*(stale - before)], "current": [*(before - stale)]}
        self.readers.publish("stale", orjson.dumps(data), resumable=True)

    def _publish_status(self, *, force: bool = False) -> bool:
        status = self.status
        if self._is_live and not self.is_live:
            self.interruptions += 1
        self._is_live = self.is_live
        if status == self._published_status and not force:
            return False
        self._published_status = status
        self.readers.publish("status", status)
        return True


async def _in_slices(ids: Sequence[str]) -> AsyncIterator[str]:
    """Yield ids, and let other tasks run after every `MAX_ROWS` of them."""
    for number, id_ in enumerate(ids, start=1):
        yield id_
        if number % MAX_ROWS == 0:
            await asyncio.sleep(0)
