"""The directory of a board: the names of its extensions, read beside it."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from ..directory import Directory
from ..errors import PresenceError, UsageError
from ..models import DirectoryEntry
from ..transport.clock import Clock

_log = logging.getLogger("aiopresence")

# Seconds between two reads because of ids that are not in the directory, or because it could not be
# read. The gap doubles while that does not help, up to the longest one. Without a reason it is read
# again no sooner than after that: names change rarely, and a large account takes many requests.
# Guesses.
MIN_GAP, MAX_GAP = 60.0, 3600.0


class BoardDirectory:
    """Reads a directory, and again when an unknown id appears; never in the way of events.

    Args:
        read: reads the directory, and returns the earlier one that it is called with if nothing in
            it is different.
        refresh: seconds after which it is read again, at least `MAX_GAP`.
        clock: the source of time.

    Attributes:
        directory: the last one that was read; None if there is none.
        error: why the last read failed; None if it did not.
        ready: set once it has been read, or could not be.
    """

    def __init__(
        self,
        read: Callable[[Directory | None], Awaitable[Directory]],
        refresh: float,
        clock: Clock,
    ) -> None:
        self.directory: Directory | None = None
        self.error: PresenceError | None = None
        self.ready = asyncio.Event()
        self._read = read
        self._refresh = refresh
        self._clock = clock
        # The ids that were looked up in vain since the last read, and what is set for them.
        self._unknown: set[str] = set()
        self._work = asyncio.Event()
        self._gap = MIN_GAP

    @property
    def known(self) -> Directory:
        """The last directory that was read.

        Raises:
            PresenceError: why there is none.
        """
        if self.directory is not None:
            return self.directory
        if self.error is not None:
            raise self.error.with_traceback(None)
        raise UsageError("the directory has not been read yet: await board.wait_ready() first")

    def entry(self, id_: str) -> DirectoryEntry | None:
        """Return the entry of an extension; None if there is none."""
        return None if self.directory is None else self.directory.get(id_)

    def entry_of_present(self, id_: str) -> DirectoryEntry | None:
        """Return the entry of an extension that exists; if there is none, have it read."""
        entry = self.entry(id_)
        if entry is None and self.directory is not None:
            self._unknown.add(id_)
            self._work.set()
        return entry

    async def run(self) -> None:
        """Keep the directory up to date, forever."""
        while True:
            await self._try_read()
            self.ready.set()
            next_at = self._clock.now() + self._gap
            if self.error is None:
                await self._clock.wait(self._work, max(self._refresh, MAX_GAP))
            await self._clock.wait(asyncio.Event(), next_at - self._clock.now())

    async def _try_read(self) -> None:
        wanted, self._unknown = self._unknown, set()
        self._work.clear()
        try:
            self.directory = directory = await self._read(self.directory)
        except PresenceError as error:
            self.error = error
            self._gap = self._longer_gap() if self.ready.is_set() else MIN_GAP
            _log.warning(
                "reading the directory failed, trying again in %.0f s: %s", self._gap, error
            )
        else:
            self.error = None
            found = not wanted or any(id_ in directory for id_ in wanted)
            self._gap = MIN_GAP if found else self._longer_gap()

    def _longer_gap(self) -> float:
        return min(2 * self._gap, MAX_GAP)
