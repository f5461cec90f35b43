"""Keep a PresenceState current by reading whatever is stale in it."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from itertools import islice
from math import inf

from ..errors import PresenceError
from ..models import ChangeSource, PresenceChange
from ..protocol.batch import MAX_IDS
from ..protocol.read_plan import account_plan, best_plan
from ..protocol.retry import RestartPolicy
from .snapshot import SnapshotReader, delay_after

_log = logging.getLogger("aiopresence")

# After so many failed reads the board is ready without the extensions that cannot be read.
READY_AFTER_FAILURES = 3
# Seconds between two reads of single extensions. If every event were undecodable, say because
# RingCentral has changed their format, reading must leave the limits to other requests. A guess.
MIN_REFRESH_GAP = 5.0
# Everything is read again at most at this fraction of the rate that the limits sustain.
FULL_READ_SHARE = 0.5
# The longest time in seconds between two reads of unknown ids. It is reached when none of them
# turns out to be an extension: whoever invents ids must not use up the limits. A guess.
MAX_UNKNOWN_GAP = 120.0


class Refresher:
    """Reads stale extensions at once, unknown ids when it is their turn, and all now and then.

    Args:
        reader: reads into the state.
        refresh: seconds after which everything is read again.
        on_change: called with every change.
        after_read: called after every read.

    Attributes:
        work: to be set when something has become stale.
        ready: set once everything has been read, or has failed `READY_AFTER_FAILURES` times.
        restart_policy: decides which errors stop the board.
    """

    def __init__(
        self,
        reader: SnapshotReader,
        refresh: float,
        on_change: Callable[[PresenceChange], None],
        after_read: Callable[[], None],
    ) -> None:
        self.work = asyncio.Event()
        self.ready = asyncio.Event()
        self.restart_policy = RestartPolicy()
        self._reader = reader
        self._state = reader.state
        self._refresh = refresh
        self._on_change = on_change
        self._after_read = after_read
        self._failures = 0
        # All in monotonic seconds: when everything is due, and what failed; the last reads of
        # something and of everything; and when unknown ids may be read, and the gap after that.
        self._due_at = self._retry_at = inf
        self._read_at = self._all_read_at = -inf
        self._unknown_at = -inf
        self._unknown_gap = MIN_REFRESH_GAP

    async def run(self) -> None:
        """Read forever.

        Raises:
            PresenceError: an error that trying again does not help against.
        """
        clock, state = self._reader.clock, self._state
        while True:
            unknown_at = self._unknown_at if state.unknown_ids else inf
            next_at = min(self._due_at, self._retry_at, unknown_at)
            await clock.wait(self.work, next_at - clock.now())
            self.work.clear()
            if clock.now() >= self._due_at:
                state.schedule_read()
            if clock.now() >= self._retry_at:
                state.retry_unreadable()
            if state.all_stale or state.stale or not self.ready.is_set():
                await self._refresh_stale()
            if state.unknown_ids and clock.now() >= self._unknown_at:
                await self._read_unknown()
            self._after_read()

    async def _refresh_stale(self) -> None:
        clock, state = self._reader.clock, self._state
        await self._wait_for_gap()
        if self._is_full_read:
            self._all_read_at = clock.now()
            self._due_at = self._all_read_at + self._refresh
        await self._try_read()
        self._read_at = clock.now()
        has_given_up = self._failures >= READY_AFTER_FAILURES and state.records
        if not state.has_unreadable or has_given_up:
            self.ready.set()

    async def _wait_for_gap(self) -> None:
        clock = self._reader.clock
        while (left := self._earliest_read_at() - clock.now()) > 0:
            await clock.wait(self.work, left)
            self.work.clear()

    def _earliest_read_at(self) -> float:
        """Return when the next read may begin.

        The first read of everything begins at once. When it happens again and again, it leaves
        half of the limits to other requests.
        """
        state, limits = self._state, self._reader.limits()
        size = len(state.records)
        if state.all_stale:
            return self._all_read_at + account_plan(size, limits).interval / FULL_READ_SHARE
        gap = best_plan(len(state.stale), size, limits).interval / FULL_READ_SHARE
        full_read_at = self._all_read_at + gap if self._is_full_read else -inf
        return max(self._read_at + MIN_REFRESH_GAP, full_read_at)

    @property
    def _is_full_read(self) -> bool:
        state = self._state
        return state.all_stale or len(state.stale) >= max(1, len(state.records))

    async def _try_read(self) -> None:
        clock, wait, state = self._reader.clock, 0.0, self._state
        others = state.unreadable.keys() - state.stale.keys()
        try:
            await self._read_stale()
        except PresenceError as error:
            least = self.restart_policy.delay(error, clock.now())
            if least is None:
                raise
            wait = max(least, delay_after(self._failures + 1))
            _log.warning("reading the board failed, retrying in %.0f s: %s", wait, error)
        else:
            self.restart_policy.record_success()
        if not state.has_unreadable:
            self._failures, self._retry_at = 0, inf
        elif wait or state.all_unreadable or state.unreadable.keys() - others:
            self._failures += 1
            now, next_at = clock.now(), self._retry_at
            self._retry_at = now + (wait or delay_after(self._failures))
            if not wait and next_at > now:  # A read that is planned already is not postponed.
                self._retry_at = min(self._retry_at, next_at)

    async def _read_stale(self) -> None:
        """Read what is stale now; what becomes stale meanwhile is for the next time."""
        state, reader = self._state, self._reader
        plan = best_plan(len(state.stale), len(state.records), reader.limits())
        if state.all_stale or (state.is_account and plan.source is ChangeSource.ACCOUNT):
            await self._consume(reader.account())
        if state.stale:  # Also what no page had.
            await self._consume(reader.ids([*state.stale]))

    async def _read_unknown(self) -> None:
        """Read the next unknown ids; wait longer before the next ones if none is an extension.

        Where a read of the account takes less time, it has all of them that exist.
        """
        state, now = self._state, self._reader.clock.now
        plan = best_plan(len(state.unknown_ids), len(state.records), self._reader.limits())
        by_account = state.is_account and plan.source is ChangeSource.ACCOUNT
        ids = [*state.unknown_ids] if by_account else [*islice(state.unknown_ids, MAX_IDS)]
        try:
            await self._consume(self._reader.account() if by_account else self._reader.ids(ids))
        except PresenceError as error:
            _log.warning("reading unknown extensions failed, retrying later: %s", error)
        else:
            for id_ in ids:
                state.unknown_ids.pop(id_, None)
        found = any(id_ in state.records for id_ in ids)
        longer = min(2 * self._unknown_gap, MAX_UNKNOWN_GAP)
        self._unknown_gap = MIN_REFRESH_GAP if found else longer
        self._unknown_at = now() + self._unknown_gap
        if state.has_unreadable:
            self._retry_at = min(self._retry_at, now() + delay_after(self._failures + 1))

    async def _consume(self, changes: AsyncGenerator[PresenceChange, None]) -> None:
        async with aclosing(changes):
            async for change in changes:
                self._on_change(change)
