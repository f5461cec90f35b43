"""Reading again whatever is doubtful on a board."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from itertools import islice
from math import inf

from ..errors import PresenceError
from ..models import ChangeSource, PresenceChange
from ..protocol.batch import MAX_IDS
from ..protocol.read_plan import choose, pages
from ..protocol.retry import RestartPolicy
from .snapshot import Reader, delay_after

_log = logging.getLogger("aiopresence")

# So often everything doubtful is tried to be read before the board is ready without the rest.
TRIES = 3
# Seconds between two reads of single extensions. Should every event be unreadable, say because
# RingCentral has changed one, re-reading must leave the limits to others. A guess.
LULL = 5.0


# Everything is read again this many times less often than the limits sustain.
SHARE = 2.0
# The longest time in seconds between two reads of unknown ids. It is reached when none of them
# turns out to be an extension: whoever invents ids must not use up the limits. A guess.
MAX_UNKNOWN_PAUSE = 120.0


class Keeper:
    """Reads what is doubtful as soon as it is, unknown ids in their turn, and all now and then.

    Args:
        reader: what reads, and into which board.
        refresh: seconds after which everything is read again.
        tell: called with every change.
        after_read: called after every read.

    Attributes:
        work: to be set when something is doubtful.
        ready: set when everything has been read once.
    """

    def __init__(
        self,
        reader: Reader,
        refresh: float,
        tell: Callable[[PresenceChange], None],
        after_read: Callable[[], None],
    ) -> None:
        self.work = asyncio.Event()
        self.ready = asyncio.Event()
        self._reader = reader
        self._board = reader.board
        self._refresh = refresh
        self._tell = tell
        self._after_read = after_read
        # Shared with whoever else reads into the board.
        self.restart_policy = RestartPolicy()
        self._failures = 0
        self._retry_at = inf
        self._read_at = -inf
        self._all_read_at = -inf
        self._unknown_at = -inf
        self._unknown_pause = LULL

    async def run(self) -> None:
        """Read, and never return.

        Raises:
            PresenceError: it cannot be read at all.
        """
        clock, board = self._reader.clock, self._board
        due_at = inf
        while True:
            unknown_at = self._unknown_at if board.unknown else inf
            await clock.wait(self.work, min(due_at, self._retry_at, unknown_at) - clock.now())
            self.work.clear()
            if clock.now() >= due_at:
                board.doubt()
            if clock.now() >= self._retry_at:
                board.retry()
            if board.whole or board.doubtful or not self.ready.is_set():
                await self._pause()
                if self._is_all_doubtful:
                    self._all_read_at = clock.now()
                    due_at = self._all_read_at + self._refresh
                await self._try()
                self._read_at = clock.now()
                if not board.has_failed or (self._failures >= TRIES and board.records):
                    self.ready.set()
            if board.unknown and clock.now() >= self._unknown_at:
                await self._read_unknown()
            self._after_read()

    async def _pause(self) -> None:
        clock = self._reader.clock
        while (left := self._not_before() - clock.now()) > 0:
            await clock.wait(self.work, left)
            self.work.clear()

    def _not_before(self) -> float:
        """Return when the next read may begin.

        Everything is read again at once, but when that happens again and again it leaves half of
        the limits to others.
        """
        board, limits = self._board, self._reader.limits()
        size = len(board.records)
        if board.whole:
            return self._all_read_at + SHARE * pages(size, limits).interval
        gap = SHARE * choose(len(board.doubtful), size, limits).interval
        all_again = self._all_read_at + gap if self._is_all_doubtful else -inf
        return max(self._read_at + LULL, all_again)

    async def _read_unknown(self) -> None:
        """Read the next unknown ids; wait longer before the next ones if none is an extension.

        Where the list of the account costs less, it brings all that there are.
        """
        board = self._board
        plan = choose(len(board.unknown), len(board.records), self._reader.limits())
        listed = board.is_account and plan.source is ChangeSource.ACCOUNT
        ids = [*board.unknown] if listed else [*islice(board.unknown, MAX_IDS)]
        try:
            await self._take(self._reader.account() if listed else self._reader.batches(ids))
        except PresenceError as error:
            _log.warning("unknown extensions could not be read, trying again: %s", error)
        else:
            for id_ in ids:
                board.unknown.pop(id_, None)
        found = any(id_ in board.records for id_ in ids)
        longer = min(2 * self._unknown_pause, MAX_UNKNOWN_PAUSE)
        self._unknown_pause = LULL if found else longer
        now = self._reader.clock.now()
        self._unknown_at = now + self._unknown_pause
        if board.has_failed:
            self._retry_at = min(self._retry_at, now + delay_after(self._failures + 1))

    async def _take(self, read: AsyncGenerator[PresenceChange, None]) -> None:
        async with aclosing(read) as changes:
            async for change in changes:
                self._tell(change)

    @property
    def _is_all_doubtful(self) -> bool:
        return self._board.whole or len(self._board.doubtful) >= max(1, len(self._board.records))

    async def _try(self) -> None:
        wait = 0.0
        try:
            await self._read()
        except PresenceError as error:
            least = self.restart_policy.delay(error, self._reader.clock.now())
            if least is None:
                raise
            wait = max(least, delay_after(self._failures + 1))
            _log.warning("the board could not be read, trying again: %s", error)
        else:
            self.restart_policy.record_success()
        if self._board.has_failed:
            self._failures += 1
            self._retry_at = self._reader.clock.now() + (wait or delay_after(self._failures))
        else:
            self._failures, self._retry_at = 0, inf

    async def _read(self) -> None:
        """Read what is doubtful now; what becomes so meanwhile is for the next time."""
        board, reader = self._board, self._reader
        plan = choose(len(board.doubtful), len(board.records), reader.limits())
        if board.whole or (board.is_account and plan.source is ChangeSource.ACCOUNT):
            await self._take(reader.account())
        if board.doubtful:  # Also what no page has brought.
            await self._take(reader.batches([*board.doubtful]))
