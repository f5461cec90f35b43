"""The readers of the stream: one task for each writes what its reader has not had yet.

Memory is bounded. A reader has a position in the log, and what was not sent yet: at most two
buffers of 64 KiB and a frame in this process, because a write waits while they are full, and
a limited buffer in the system. A reader that takes nothing for `STALL` seconds is dropped, and so
is one whose position has left the log. It may connect again, and then gets what it lacks or reads
everything again.

Readers are woken in slices, so that other tasks run between their writes. One that is still to be
woken keeps its place when there is another frame.
"""

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from enum import StrEnum
from itertools import islice

from aiohttp import web

from .connections import Connection
from .frames import FrameLog, encode

MAX_READERS = 10_000
STALL = 20.0
# Readers that are woken or checked in one turn of the event loop.
WAKE = 100
# Milliseconds after which a browser connects again.
_RETRY = b"retry: 2000\n\n"


class Dropped(StrEnum):
    """Why a reader was dropped."""

    STALLED = "stalled"
    BEHIND = "behind"


class Reader(Connection):
    """One reader.

    Attributes:
        position: the number of the next frame that it gets.
        wake: set when there may be something to write, or the connection has ended.
        writing_since: when the write began that has not ended yet; None if there is none.
    """

    def __init__(self, transport: asyncio.Transport | None, position: int) -> None:
        super().__init__(transport)
        self.position = position
        self.wake = asyncio.Event()
        self.writing_since: float | None = None


class Readers:
    """Sends the frames of a log to all readers.

    Attributes:
        log: the frames.
        dropped: how many readers were dropped, by the reason.
        refused: how many were refused because there were too many.
        is_closed: whether all streams have been told to end.
    """

    def __init__(self) -> None:
        self.log = FrameLog()
        self.dropped: Counter[Dropped] = Counter()
        self.refused = 0
        self.is_closed = False
        self._readers = set[Reader]()
        # Those that have to be woken, in order.
        self._waiting: dict[Reader, None] = {}
        self._waking: asyncio.Handle | None = None

    def __len__(self) -> int:
        return len(self._readers)

    def __iter__(self) -> Iterator[Reader]:
        return iter(self._readers)

    def publish(self, kind: str, data: bytes, *, resumable: bool = False) -> None:
        """Add a frame to the log and wake the readers."""
        self.log.add(kind, data, resumable=resumable)
        self._wake_all()

    def _wake_all(self) -> None:
        self._waiting.update(dict.fromkeys(self._readers))
        if self._waking is None:
            self._wake()

    def _wake(self) -> None:
        """Wake the next readers, and the others in the next turns."""
        for reader in [*islice(self._waiting, WAKE)]:
            del self._waiting[reader]
            reader.wake.set()
            if self.is_closed and reader.writing_since is not None:
                reader.abort()
        loop = asyncio.get_running_loop()
        self._waking = loop.call_soon(self._wake) if self._waiting else None

    async def serve(
        self, request: web.Request, response: web.StreamResponse, status: bytes
    ) -> None:
        """Write frames to a reader until it disconnects, is dropped or the stream ends.

        Args:
            request: its request.
            response: the prepared response.
            status: the present status, as JSON.
        """
        log = self.log
        resumed = log.position(request.headers.get("Last-Event-ID"))
        reader = Reader(request.transport, log.end if resumed is None else resumed)
        reader.limit_buffer()
        self._readers.add(reader)
        # What is replayed ends here. Then the reader learns that it has everything.
        current = log.end
        begin = _RETRY if resumed is not None else _RETRY + encode("reset", b"{}", log.id)
        try:
            # A connection that is lost raises from a write.
            with suppress(ConnectionError):
                await self._write(reader, response, begin)
                await self._write_until(reader, response, current)
                await self._write(reader, response, encode("status", status))
                await self._follow(reader, response)
        finally:
            self._readers.discard(reader)

    async def _follow(self, reader: Reader, response: web.StreamResponse) -> None:
        while not reader.is_gone:
            reader.wake.clear()
            await self._write_until(reader, response, self.log.end)
            if self.is_closed:
                return
            await reader.wake.wait()

    async def _write_until(self, reader: Reader, response: web.StreamResponse, end: int) -> None:
        while reader.position < end:
            if not self.log.has(reader.position):
                self._drop(reader, Dropped.BEHIND)
                raise ConnectionAbortedError
            frame = self.log[reader.position]
            reader.position += 1
            await self._write(reader, response, frame)

    async def _write(self, reader: Reader, response: web.StreamResponse, data: bytes) -> None:
        reader.writing_since = asyncio.get_running_loop().time()
        await response.write(data)
        reader.writing_since = None

    async def check(self) -> None:
        """Drop readers that take nothing, and end the streams of those that are gone."""
        now = asyncio.get_running_loop().time()
        for number, reader in enumerate([*self._readers], start=1):
            if reader.is_gone:
                reader.wake.set()
            elif reader.writing_since is not None and now - reader.writing_since > STALL:
                self._drop(reader, Dropped.STALLED)
            if number % WAKE == 0:
                await asyncio.sleep(0)

    def _drop(self, reader: Reader, reason: Dropped) -> None:
        self.dropped[reason] += 1
        reader.abort()

    def close(self) -> None:
        """End all streams, after what is in the log; those that take nothing at once."""
        self.is_closed = True
        self._wake_all()
