"""The board: the present state of many extensions, kept true by events."""

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import aclosing
from types import MappingProxyType, TracebackType
from typing import Self
from weakref import WeakSet

from ..errors import InvalidRequest, NotFound, PresenceError, SessionLost, UsageError
from ..ids import parse_id
from ..models import (
    DisabledFilterInfo,
    GetPresenceInfo,
    PresenceChange,
    Resync,
    ResyncReason,
)
from ..protocol.event_session import MAX_SILENCE, Subscribed
from ..transport.event_connection import EventConnection, StreamItem
from .change_queue import Changes
from .refresher import Keeper
from .snapshot import Reader, delay_after
from .state_waiter import StateWaiter

_log = logging.getLogger("aiopresence")

_EXTENSION = re.compile(r"/extension/([0-9]+)/")
_NOT_OPEN = "the board is not open: use it inside `async with session.board() as board:`"
_CLOSED = "the board was closed"


class PresenceBoard(Mapping[str, GetPresenceInfo]):
    """The presence of some extensions, or of all in the account, kept true by events.

    Use it with `async with session.board(...) as board:`. It is a Mapping from ids to what is
    known; nothing in it waits for the network. It subscribes to events, then reads everything,
    and reads again whatever may have been missed. Until that has come, the last known state stays
    readable, and `is_stale` tells.

    Once it has worked, it ends only when the credentials, a permission or an event filter are
    refused, and still are a minute later. Then looking anything up, iterating and waiting raise
    the error, and so does the end of the `async with` if nobody has seen it.
    """

    def __init__(
        self,
        connect: Callable[[frozenset[str]], EventConnection],
        reader: Reader,
        refresh: float,
        live: "set[asyncio.Task[None]]",
        check_open: Callable[[], None],
    ) -> None:
        self._check_open = check_open
        # Makes an event session that follows all but some ids.
        self._connect = connect
        self._socket = connect(frozenset())
        self._reader = reader
        self._board = reader.board
        self._keeper = Keeper(reader, refresh, self._tell, self._end_waiters)
        self._live = live
        self._disabled: tuple[DisabledFilterInfo, ...] = ()
        self._unfollowed: set[str] = set()
        self._followers: WeakSet[Changes] = WeakSet()
        self._waiters: set[StateWaiter] = set()
        self._error: Exception | None = None
        self._is_seen = False
        self._is_begun = False
        self._is_closing = False
        self._ended: Exception | None = None
        self._running: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        if self._running is not None:
            raise UsageError("a board is entered once")
        self._check_open()
        self._running = asyncio.create_task(self._run())
        # Who closes the session ends it, too.
        self._live.add(self._running)
        self._running.add_done_callback(self._live.discard)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()
        if error is None and not self._is_seen:
            self._check()

    async def close(self) -> None:
        """Stop to follow events. What is known stays readable, as stale; iterations end."""
        self._is_closing = True
        if self._running is not None:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)

    def __getitem__(self, extension_id: str | int) -> GetPresenceInfo:
        self._check()
        return self._board.records[str(extension_id)]

    def __iter__(self) -> Iterator[str]:
        self._check()
        return iter([*self._board.records])

    def __len__(self) -> int:
        self._check()
        return len(self._board.records)

    @property
    def errors(self) -> Mapping[str, PresenceError]:
        """Why extensions could not be read the last time, by id.

        Those that are NotFound or PermissionDenied are not on the board; of others it has the last
        known state, if there is one.
        """
        return MappingProxyType(self._board.errors)

    @property
    def disabled_filters(self) -> tuple[DisabledFilterInfo, ...]:
        """Event filters that RingCentral brings nothing for: what they are about is stale."""
        return self._disabled

    @property
    def is_live(self) -> bool:
        """Whether events are arriving and nothing is known to be missing.

        False as soon as RingCentral has not been heard of for 25 seconds.
        """
        return self._is_following and self._board.is_settled and self.age <= MAX_SILENCE

    @property
    def age(self) -> float:
        """Seconds since the last sign of life from RingCentral's events; inf before the first.

        While the connection is good it stays under 25.
        """
        return self._reader.clock.now() - self._socket.session.last_received_at

    def is_stale(self, extension_id: str | int) -> bool:
        """Return whether an extension may be in another state than the board shows.

        It may while there is no connection, and from a gap in the events until it was read again.
        True for what is not on the board.
        """
        id_ = str(extension_id)
        return not self._is_following or id_ in self._unfollowed or self._board.is_stale(id_)

    async def wait_ready(self) -> None:
        """Wait until everything has been read once.

        Raises:
            PresenceError: the board cannot be made; it says why.
        """
        self._check()
        await self._keeper.ready.wait()
        self._check()
        if self._ended is not None:
            raise self._ended.with_traceback(None)

    def changes(self) -> AsyncIterator[PresenceChange]:
        """Follow the changes from now on: `async for change in board.changes():`.

        A change from None is an extension that was read for the first time, one to None is an
        extension that is gone. Of one extension, changes that nobody has taken yet are joined.

        The iteration ends when the board is closed.

        Raises:
            PresenceError: from the iteration, when the board cannot go on.
        """
        self._check()
        changes = Changes(self._see)
        if self._ended is not None:
            changes.end(self._ended)
        self._followers.add(changes)
        return changes

    async def wait_for(
        self, extension_id: str | int, predicate: Callable[[GetPresenceInfo], bool]
    ) -> GetPresenceInfo:
        """Wait until the presence of an extension satisfies a predicate, and return it.

        Args:
            extension_id: whose.
            predicate: called with what is known now, and with every later state, also one that
                lasts for a moment only. What it raises is raised here.

        Raises:
            UsageError: the board does not follow that extension.
            SessionLost: the board was closed.
            PresenceError: the extension could not be read and is not on the board, see `errors`,
                or the board has ended.
        """
        id_ = parse_id(extension_id, "extension_id")
        if not self._board.includes(id_):
            raise UsageError(f"the board does not follow extension {id_}")
        self._check()
        if self._ended is not None:
            raise SessionLost(_CLOSED)
        waiter = StateWaiter(id_, predicate)
        known, error = self._board.records.get(id_), self._board.errors.get(id_)
        if known is not None:
            waiter.check(known)
        elif error is not None:
            raise error.with_traceback(None)
        self._waiters.add(waiter)
        try:
            return await waiter.found
        finally:
            self._waiters.discard(waiter)

    @property
    def _is_following(self) -> bool:
        running = self._running is not None and not self._running.done()
        return running and self._socket.session.is_live

    def _check(self) -> None:
        if self._running is None:
            raise UsageError(_NOT_OPEN)
        if self._error is not None:
            self._see()
            raise self._error.with_traceback(None)

    def _see(self) -> None:
        self._is_seen = True

    async def _run(self) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._follow_events())
                group.create_task(self._keeper.run())
        except asyncio.CancelledError:
            self._end(SessionLost(_CLOSED))
            raise
        except ExceptionGroup as errors:
            self._error = errors.exceptions[0]
            _log.error("the board cannot go on: %s", self._error)
            self._end(self._error)

    async def _follow_events(self) -> None:
        without = frozenset[str]()
        while True:
            try:
                await self._socket.run(self._take)
            except (InvalidRequest, NotFound) as refusal:
                # One extension that is not there may be why none can be followed.
                if self._board.is_account or not await self._find(self._board.ids - without):
                    raise
                without = self._strangers
                _log.warning("events are followed without those that cannot be: %s", refusal)
                self._is_begun = False
                restart_policy = self._socket.restart_policy
                self._socket = self._connect(without)
                # What has worked is not given up because one id of it is gone.
                self._socket.restart_policy = restart_policy

    async def _find(self, ids: frozenset[str]) -> bool:
        """Read some ids, however often that takes; tell whether one of them cannot be."""
        clock, failures = self._reader.clock, 0
        while True:
            try:
                async with aclosing(self._reader.batches(sorted(ids))) as changes:
                    async for change in changes:
                        self._tell(change)
            except PresenceError as error:
                least = self._keeper.restart_policy.delay(error, clock.now())
                if least is None:
                    raise
                failures += 1
                _log.warning("the board could not be read, trying again: %s", error)
                await clock.wait(asyncio.Event(), max(least, delay_after(failures)))
            else:
                return bool(ids & self._strangers)

    @property
    def _strangers(self) -> frozenset[str]:
        return frozenset(self._board.rejected)

    def _end(self, error: Exception) -> None:
        self._ended = error
        self._keeper.ready.set()
        for changes in self._followers:
            changes.end(StopAsyncIteration() if self._is_closing else error)
        for waiter in self._waiters:
            waiter.end(SessionLost(_CLOSED) if self._is_closing else error)

    def _end_waiters(self) -> None:
        """End the waiting for extensions that turned out not to be there."""
        for waiter in self._waiters:
            if waiter.id in self._board.rejected:
                waiter.end(self._board.errors[waiter.id])

    def _take(self, told: StreamItem) -> None:
        """Take in what the socket tells."""
        if isinstance(told, Subscribed):
            # The first event may be a late one, so it does not show the server's time.
            if told.connected_at is not None:
                self._board.observe_time(told.connected_at, self._reader.now())
            if (date := self._reader.server_time()) is not None:
                self._board.observe_time(*date)
            self._disabled = told.info.disabled_filters or ()
            targets = (_EXTENSION.search(each.filter or "") for each in self._disabled)
            self._unfollowed = {found[1] for found in targets if found}
            if not self._is_begun:
                self._is_begun = True
                self._board.doubt()
        elif isinstance(told, Resync):
            if told.reason is ResyncReason.CONNECTION_LOST:
                self._board.forget_order()
            self._board.doubt()
        else:
            for change in self._board.apply(told, self._reader.now()):
                self._tell(change)
        if self._board.whole or self._board.doubtful or self._board.unknown:
            self._keeper.work.set()

    def _tell(self, change: PresenceChange) -> None:
        for changes in self._followers:
            changes.put(change)
        for waiter in self._waiters:
            waiter.put(change)
