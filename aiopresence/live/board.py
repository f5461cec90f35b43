"""The board: the current presence of many extensions, kept up to date by events."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from types import MappingProxyType, TracebackType
from typing import Self

from ..directory import Directory
from ..enums import Availability
from ..errors import PresenceError, SessionLost, UsageError
from ..ids import Id, parse_id
from ..models import DirectoryEntry, DisabledFilterInfo, GetPresenceInfo, PresenceChange
from ..protocol.frozen_records import replace
from .board_directory import BoardDirectory
from .change_log import ChangeLog
from .source import NewSource
from .state_waiter import StateWaiter, StateWaiters

_log = logging.getLogger("aiopresence")

_NOT_OPEN = "the board is not open: use it inside `async with session.board() as board:`"
_CLOSED = "the board was closed"
_NO_DIRECTORY = "the board has no directory: open it with session.board(directory=True)"


class PresenceBoard(Mapping[str, GetPresenceInfo]):
    """The presence of some extensions, or of all in the account, kept up to date by events.

    Use it with `async with session.board(...) as board:`. It is a Mapping from extension ids to
    the last known presence; nothing in it waits for the network. It subscribes to events, reads
    everything once, and reads again whatever events may have been missed for. Meanwhile the last
    known state stays readable, and `is_stale` returns True for it.

    Once it has worked, it stops only when the credentials, a permission or an event filter are
    refused, and are still refused a minute later. From then on lookups, iterations and waits raise
    that error, and so does the end of the `async with` block if nothing else has raised it.
    """

    def __init__(
        self,
        new_source: NewSource,
        live: "set[asyncio.Task[None]]",
        check_open: Callable[[], None],
        names: BoardDirectory | None = None,
    ) -> None:
        self._check_open = check_open
        self._source = new_source(self._publish, self._end_rejected)
        self._names = names
        # The tasks that the session cancels when it is closed.
        self._live = live
        self._log = ChangeLog(self._mark_raised)
        self._waiters = StateWaiters()
        self._task: asyncio.Task[None] | None = None
        # Why the board stopped; None while it runs, and for `_error` after `close`.
        self._ended: Exception | None = None
        self._error: Exception | None = None
        self._error_was_raised = False
        self._is_closing = False

    async def __aenter__(self) -> Self:
        if self._task is not None:
            raise UsageError("a board can be entered only once; make another one")
        self._check_open()
        self._task = asyncio.create_task(self._run())
        self._live.add(self._task)
        self._task.add_done_callback(self._task_ended)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()
        if error is None and not self._error_was_raised:
            self._check()

    async def close(self) -> None:
        """Stop following events. The last known state stays readable, as stale; iterations end."""
        self._is_closing = True
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def __getitem__(self, extension_id: Id) -> GetPresenceInfo:
        self._check()
        return self._source.records[str(extension_id)]

    def __iter__(self) -> Iterator[str]:
        self._check()
        return iter([*self._source.records])

    def __len__(self) -> int:
        self._check()
        return len(self._source.records)

    def count(self) -> dict[Availability, int]:
        """Return how many extensions have each availability, all of them in the order of the enum.

        It looks at every record: 100,000 of them take about 30 ms.
        """
        self._check()
        counts = dict.fromkeys(Availability, 0)
        for record in self._source.records.values():
            counts[record.availability] += 1
        return counts

    @property
    def directory(self) -> Directory | None:
        """Who the extensions are; None without `directory=True`, or if it could not be read."""
        return None if self._names is None else self._names.directory

    def find(self, text: str) -> DirectoryEntry:
        """Return the entry that an id, a number, an e-mail address or a name stands for.

        See `Directory.find`. The extension need not be on the board.

        Raises:
            LookupFailed: nothing matches, or several entries match equally.
            UsageError: the text is not a str; the board was opened without `directory=True`, or is
                not ready yet.
            PresenceError: the directory could not be read because of this error, or the board
                stopped.
        """
        return self._with_directory().known.find(text)

    def entry(self, extension_id: Id) -> DirectoryEntry | None:
        """Return who an extension is; None if the directory was not read, or does not have it.

        Raises:
            UsageError: the board was opened without `directory=True`.
            PresenceError: the board stopped because of this error.
        """
        return self._with_directory().entry(str(extension_id))

    def _with_directory(self) -> BoardDirectory:
        self._check()
        if self._names is None:
            raise UsageError(_NO_DIRECTORY)
        return self._names

    @property
    def errors(self) -> Mapping[str, PresenceError]:
        """Why extensions could not be read the last time, by id.

        An extension with NotFound or PermissionDenied is not on the board. For any other error the
        board keeps the last known state, if there is one.
        """
        return MappingProxyType(self._source.errors)

    @property
    def disabled_filters(self) -> tuple[DisabledFilterInfo, ...]:
        """Event filters that RingCentral sends nothing for; their extensions are stale."""
        return self._source.disabled_filters

    @property
    def is_live(self) -> bool:
        """Whether events are arriving and no extension is stale.

        False also when nothing has been received from RingCentral for 25 seconds.
        """
        return self._is_running and self._source.is_live

    @property
    def age(self) -> float:
        """Seconds since anything was received from RingCentral's events; inf before the first.

        While the connection works it stays under 25.
        """
        return self._source.age

    def is_stale(self, extension_id: Id) -> bool:
        """Return whether the state of an extension may have changed since the board's.

        True while there is no connection, from a gap in the events until the extension has been
        read again, and for an extension that is not on the board. The regular read of everything,
        see `refresh`, makes nothing stale.
        """
        return not self._is_running or self._source.is_stale(str(extension_id))

    async def wait_ready(self) -> None:
        """Wait until everything has been read once, with the directory if there is to be one.

        Extensions that still cannot be read after three attempts are not waited for: see `errors`.
        Nor is a directory that cannot be read; it is tried again every now and then.

        Raises:
            PresenceError: the board stopped because of this error.
            SessionLost: the board was closed.
        """
        self._check()
        await self._source.ready.wait()
        if self._names is not None:
            await self._names.ready.wait()
        self._check()
        if self._ended is not None:
            raise self._ended.with_traceback(None)

    def changes(self) -> AsyncIterator[PresenceChange]:
        """Return an iterator over the changes from now on: `async for change in board.changes():`.

        A change whose `old` is None is an extension that was read for the first time; one whose
        `new` is None is an extension that is gone. Changes of one extension that have not been
        taken yet are combined into one. The iteration ends when the board is closed.

        Raises:
            PresenceError: from the iteration, when the board has stopped.
        """
        self._check()
        return self._log.follow()

    async def wait_for(
        self, extension_id: Id, predicate: Callable[[GetPresenceInfo], bool]
    ) -> GetPresenceInfo:
        """Wait until the presence of an extension satisfies a predicate, and return it.

        Args:
            extension_id: the extension; it must be on the board.
            predicate: called with the current state and then with every new state, however short.
                An error that it raises is raised here.

        Raises:
            UsageError: the board does not follow that extension.
            SessionLost: the board was closed.
            PresenceError: the extension cannot be read and is not on the board (see `errors`), or
                the board has stopped.
        """
        id_ = parse_id(extension_id, "extension_id")
        if not self._source.includes(id_):
            raise UsageError(f"the board does not follow extension {id_}")
        self._check()
        if self._ended is not None:
            raise SessionLost(_CLOSED)
        waiter = StateWaiter(id_, predicate)
        known, error = self._source.records.get(id_), self._source.errors.get(id_)
        if known is not None:
            waiter.check(known)
        elif error is not None:
            raise error.with_traceback(None)
        self._waiters.add(waiter)
        try:
            return await waiter.result
        finally:
            self._waiters.discard(waiter)

    @property
    def _is_running(self) -> bool:
        return self._task is not None and not self._task.done()

    def _check(self) -> None:
        """Raise UsageError before the board is entered, and its error once it has stopped."""
        if self._task is None:
            raise UsageError(_NOT_OPEN)
        if self._error is not None:
            self._mark_raised()
            raise self._error.with_traceback(None)

    def _mark_raised(self) -> None:
        self._error_was_raised = True

    async def _run(self) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._source.run())
                if self._names is not None:
                    group.create_task(self._names.run())
        except ExceptionGroup as errors:
            self._error = errors
            while isinstance(self._error, ExceptionGroup):  # That of the source, in the board's.
                self._error = self._error.exceptions[0]
            _log.error("board stopped: %s", self._error)
            self._end(self._error)

    def _task_ended(self, task: "asyncio.Task[None]") -> None:
        self._live.discard(task)
        if task.cancelled():  # Maybe before it began.
            self._end(SessionLost(_CLOSED))

    def _end(self, error: Exception) -> None:
        self._ended = error
        self._source.ready.set()
        if self._names is not None:
            self._names.ready.set()
        self._log.end(StopAsyncIteration() if self._is_closing else error)
        # Iterations that begin after the board was closed do not end as if they had followed it.
        self._log = ChangeLog(self._mark_raised)
        self._log.end(error)
        for id_ in self._waiters.ids:
            self._waiters.end(id_, SessionLost(_CLOSED) if self._is_closing else error)

    def _end_rejected(self) -> None:
        """End the waits for extensions that RingCentral has rejected."""
        for id_ in self._waiters.ids & self._source.rejected:
            self._waiters.end(id_, self._source.errors[id_])

    def _publish(self, change: PresenceChange) -> None:
        if self._names is not None:
            look_up = self._names.entry if change.new is None else self._names.entry_of_present
            change = replace(change, {"entry": look_up(change.id)})
        self._log.put(change)
        self._waiters.put(change)
