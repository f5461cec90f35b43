"""Following presence without events: by reading it again and again."""

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing

from ..errors import PermissionDenied, PresenceError
from ..models import ChangeSource, PresenceChange
from ..protocol import read_plan
from ..protocol.read_plan import Way
from ..protocol.retry import RestartPolicy
from .snapshot import Reader, delay_after

_log = logging.getLogger("aiopresence")

# Not more often, however few there are to read. A guess at what is of use.
SHORTEST = 1.0
# The size of an account that cannot be asked for: reading it by pages is no way.
ENDLESS = 10**9


class Rounds:
    """What to read in each round.

    Args:
        reader: what reads.
        ids: which extensions; None for all of the account.
    """

    def __init__(self, reader: Reader, ids: frozenset[str] | None) -> None:
        self._reader = reader
        self._ids = ids
        self._size: int | None = None
        # Whether the account was listed in the last round. One read by its known ids brings no new
        # extension, so every second round lists it.
        self._is_listed = False

    async def choose(self) -> Way:
        """Choose the way of the next round.

        Raises:
            PresenceError: the size of the account could not be asked for.
        """
        limits = self._reader.limits()
        if self._ids is not None:
            count = len(self._ids)
            likely = read_plan.choose(count, self._size or count, limits)
            if self._size is None and likely.source is ChangeSource.ACCOUNT:
                self._size = await self._ask_size()
            return read_plan.choose(count, self._size or count, limits)
        known = len(self._reader.board.records)
        if not self._is_listed:
            return read_plan.pages(known, limits)
        return read_plan.choose(known, known, limits)

    def interval(self, way: Way) -> float:
        """Return the seconds after which a round may follow this one, for ever."""
        limits = self._reader.limits()
        known = len(self._reader.board.records)
        usual = read_plan.choose(known, known, limits)
        if self._ids is not None or usual.source is ChangeSource.ACCOUNT:
            return read_plan.interval(way, limits)
        # Batches and the list of the account take turns, and each has its own limit.
        return max(usual.interval, read_plan.pages(known, limits).interval) / 2

    async def _ask_size(self) -> int:
        try:
            page = await self._reader.calls.read_account_presence(per_page=1)
        except PermissionDenied:
            return ENDLESS
        return (page.paging and page.paging.total_elements) or ENDLESS

    async def read(self, way: Way) -> AsyncGenerator[PresenceChange, None]:
        """Read everything once; give what has changed. PresenceError: not all could be read."""
        reader, board = self._reader, self._reader.board
        # What no page brings of it, a batch may.
        board.doubt(self._ids or board.records)
        board.retry()
        self._is_listed = False
        if way.source is ChangeSource.ACCOUNT:
            async with aclosing(reader.account()) as changes:
                async for change in changes:
                    yield change
            self._is_listed = True
        if board.doubtful:
            async with aclosing(reader.batches([*board.doubtful])) as changes:
                async for change in changes:
                    yield change


async def poll(
    reader: Reader, ids: frozenset[str] | None, interval: float | None
) -> AsyncGenerator[PresenceChange, None]:
    """Read again and again; see `PresenceSession.poll`."""
    clock, rounds, never = reader.clock, Rounds(reader, ids), asyncio.Event()
    restart_policy, told, failures = RestartPolicy(), dict[str, str](), 0
    while True:
        began_at = clock.now()
        try:
            way = await rounds.choose()
            async with aclosing(rounds.read(way)) as changes:
                async for change in changes:
                    yield change
        except PresenceError as error:
            least = restart_policy.delay(error, clock.now())
            if least is None:
                raise
            failures += 1
            _log.warning("not everything could be polled, trying again: %s", error)
            await clock.wait(never, max(least, delay_after(failures)))
            continue
        restart_policy.record_success()
        failures = 0
        # What the limits are may only be known now.
        every = interval or max(SHORTEST, rounds.interval(way))
        _tell(told, f"polling by {way.source}: requests {way.requests}, every {every:g} s")
        for id_, why in reader.board.errors.items():
            _tell(told, f"extension {id_} cannot be polled: {why}", id_)
        await clock.wait(never, began_at + every - clock.now())


def _tell(told: dict[str, str], text: str, about: str = "") -> None:
    """Log what is not what was logged of it the last time."""
    if told.get(about) != text:
        told[about] = text
        _log.log(logging.WARNING if about else logging.INFO, "%s", text)
