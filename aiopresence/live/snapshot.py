"""Read presence into a PresenceState, in batches of ids or by pages of the account."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Collection, Mapping
from contextlib import aclosing
from datetime import UTC, datetime

import attrs

from ..concurrency import slices
from ..errors import DecodeError
from ..models import ChangeSource, GetPresenceInfo, PresenceChange
from ..protocol.endpoints import ReadOptions
from ..protocol.outcome import Outcome
from ..protocol.pending_read import PendingRead
from ..protocol.presence_state import PresenceState
from ..protocol.rate_limits import GroupLimits
from ..protocol.retry import Backoff
from ..protocol.server_clock import ResponseTime
from ..readers import Readers
from ..routed_read import Route, RoutedRead
from ..transport.clock import Clock, chance

# Between reads that fail.
_BACKOFF = Backoff(first=2.0, longest=120.0, jitter=0.5)


@attrs.frozen
class SnapshotReader:
    """Reads extensions and merges what it reads into a PresenceState.

    Attributes:
        readers: reads extensions by their ids, and the whole account.
        options: what to read of each extension, and of which account.
        state: what the results are merged into.
        limits: returns the known rate limits, by group.
        clock: the source of time.
        last_response: returns when the last response was made; None before the first.
    """

    readers: Readers
    options: ReadOptions
    state: PresenceState
    limits: Callable[[], Mapping[str, GroupLimits]]
    clock: Clock
    last_response: Callable[[], ResponseTime | None]

    async def ids(
        self, ids: Collection[str], route: Route = "fastest"
    ) -> AsyncGenerator[PresenceChange, None]:
        """Read extensions by their ids; yield the changes.

        Extensions that could not be read raise nothing: see `PresenceState.unreadable`, `errors`.

        Raises:
            PresenceError: none could be read, or there is no record at all.
        """
        state, read = self.state, self.state.begin_read(ids)
        groups = RoutedRead(self.readers, ids, self.options, route).groups()
        any_read, failure, complete = False, None, False
        try:
            async with aclosing(groups):
                async for group in groups:
                    for part in slices(group.outcomes):
                        for outcome in part:
                            change = self._merge(read, outcome, group.source)
                            if change is not None:
                                yield change
                            any_read = any_read or outcome.id not in state.unreadable
                            failure = failure or outcome.error
                        await asyncio.sleep(0)
            complete = True
        finally:
            state.end_read(read, complete=complete)
        if failure is not None and not (any_read and state.records):
            state.mark_unreadable(ids)
            raise failure

    def _merge(
        self, read: PendingRead, outcome: Outcome[GetPresenceInfo], source: ChangeSource
    ) -> PresenceChange | None:
        error = outcome.error or DecodeError("empty response")
        result = error if outcome.value is None else outcome.value
        return self.state.merge_read(
            *(read, outcome.id, result, source, self._received_at()), of_request=outcome.of_request
        )

    def _received_at(self) -> datetime:
        """Return when the last response had come: what is merged now is no newer."""
        if (response := self.last_response()) is None:
            return self.now()
        self.state.observe_response(response)
        return response.received_at

    async def account(self) -> AsyncGenerator[PresenceChange, None]:
        """Read all extensions of the account, page by page; yield the changes.

        Raises:
            PresenceError: a page could not be read.
        """
        state, read = self.state, self.state.begin_read()
        records = self.readers.account_reader.iter_presence(self.options)
        complete = False
        try:
            async with aclosing(records):
                async for record in records:
                    id_ = record.extension.id if record.extension else None
                    if id_ is not None and state.includes(id_):
                        source, time = ChangeSource.ACCOUNT, self._received_at()
                        change = state.merge_read(read, id_, record, source, time)
                        if change is not None:
                            yield change
            complete = True
        finally:
            state.end_read(read, complete=complete)

    def now(self) -> datetime:
        """Return the local time."""
        return self.time_of(self.clock.now())

    def time_of(self, at: float) -> datetime:
        """Return the local time at a monotonic second."""
        return datetime.fromtimestamp(self.clock.wall() - (self.clock.now() - at), UTC)


def delay_after(failures: int) -> float:
    """Return the seconds to wait before reading again after some failures in a row."""
    return _BACKOFF.delay(failures, chance())
