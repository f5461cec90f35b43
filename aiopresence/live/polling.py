"""Follow presence without events, by reading everything again and again."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing

from ..errors import PermissionDenied, PresenceError
from ..models import ChangeSource, PresenceChange
from ..protocol.endpoints import ReadOptions
from ..protocol.read_plan import ReadPlan, account_plan, best_plan, sustained_interval
from ..protocol.retry import RestartPolicy
from .snapshot import SnapshotReader, delay_after

_log = logging.getLogger("aiopresence")

# The shortest automatic interval in seconds, however few extensions there are. A guess at what is
# of use.
MIN_POLL_INTERVAL = 1.0
# The size of an account that may not be read: so large that reading it by pages is never the plan.
UNKNOWN_SIZE = 10**9


class PollPlanner:
    """Chooses how to read in each round.

    Args:
        reader: reads into the state.
        ids: which extensions; None for all of the account.
    """

    def __init__(self, reader: SnapshotReader, ids: frozenset[str] | None) -> None:
        self._reader = reader
        self._ids = ids
        self._account_size: int | None = None
        # Whether the last round read the account by pages. One that reads the known ids finds no
        # new extensions, so every second round reads by pages.
        self._read_by_pages = False

    async def plan(self) -> ReadPlan:
        """Return the plan of the next round.

        Raises:
            PresenceError: reading the size of the account failed.
        """
        limits = self._reader.limits()
        if self._ids is not None:
            count = len(self._ids)
            likely = best_plan(count, self._account_size or count, limits)
            if self._account_size is None and likely.source is ChangeSource.ACCOUNT:
                self._account_size = await self._read_account_size()
            return best_plan(count, self._account_size or count, limits)
        known = len(self._reader.state.records)
        if not self._read_by_pages:
            return account_plan(known, limits)
        return best_plan(known, known, limits)

    def interval(self, plan: ReadPlan) -> float:
        """Return the seconds between two rounds that the limits sustain, the last one by a plan."""
        limits = self._reader.limits()
        known = len(self._reader.state.records)
        usual = best_plan(known, known, limits)
        if self._ids is not None or usual.source is ChangeSource.ACCOUNT:
            return sustained_interval(plan, limits)
        # Rounds by batches and by pages alternate, and each kind has its own limit.
        return max(usual.interval, account_plan(known, limits).interval) / 2

    async def _read_account_size(self) -> int:
        readers = self._reader.readers
        account = ReadOptions(self._reader.options.account_id)
        if readers.account_reader.is_forbidden(account):
            return UNKNOWN_SIZE
        try:
            page = await readers.account_reader.read_page(account, per_page=1)
        except PermissionDenied:
            return UNKNOWN_SIZE
        return (page.paging and page.paging.total_elements) or UNKNOWN_SIZE

    async def read(self, plan: ReadPlan) -> AsyncGenerator[PresenceChange, None]:
        """Read everything once and yield the changes.

        Raises:
            PresenceError: not everything could be read.
        """
        reader, state = self._reader, self._reader.state
        # Whatever no page has is then read in batches.
        state.mark_stale(self._ids or state.records)
        state.retry_unreadable()
        self._read_by_pages = False
        if plan.source is ChangeSource.ACCOUNT:
            async with aclosing(reader.account()) as changes:
                async for change in changes:
                    yield change
            self._read_by_pages = True
        if state.stale:
            async with aclosing(reader.ids([*state.stale], "batches")) as changes:
                async for change in changes:
                    yield change


async def poll(
    reader: SnapshotReader, ids: frozenset[str] | None, interval: float | None
) -> AsyncGenerator[PresenceChange, None]:
    """Read again and again, and yield the changes; see `PresenceSession.poll`."""
    clock, planner, never = reader.clock, PollPlanner(reader, ids), asyncio.Event()
    restart_policy, log, failures = RestartPolicy(), _ChangeLog(), 0
    while True:
        began_at = clock.now()
        try:
            plan = await planner.plan()
            async with aclosing(planner.read(plan)) as changes:
                async for change in changes:
                    yield change
        except PresenceError as error:
            least = restart_policy.delay(error, clock.now())
            if least is None:
                raise
            failures += 1
            wait = max(least, delay_after(failures))
            _log.warning("polling failed, retrying in %.0f s: %s", wait, error)
            await clock.wait(never, wait)
            continue
        restart_policy.record_success()
        failures = 0
        # The limits may have become known with this round.
        every = interval or max(MIN_POLL_INTERVAL, planner.interval(plan))
        log.record_plan(plan, every)
        log.record_errors(reader.state.errors)
        await clock.wait(never, began_at + every - clock.now())


class _ChangeLog:
    """Logs how rounds are read and what cannot be read, when it differs from the last time."""

    def __init__(self) -> None:
        self._plan = ""
        self._errors: dict[str, str] = {}

    def record_plan(self, plan: ReadPlan, interval: float) -> None:
        """Log the plan of a round and the seconds between rounds."""
        text = f"polling by {plan.source}: requests {plan.requests}, every {interval:g} s"
        if text != self._plan:
            self._plan = text
            _log.info("%s", text)

    def record_errors(self, errors: Mapping[str, PresenceError]) -> None:
        """Log why extensions could not be read, by id."""
        for id_, error in errors.items():
            if self._errors.get(id_) != str(error):
                self._errors[id_] = str(error)
                _log.warning("cannot poll extension %s: %s", id_, error)
