"""Iterate over the events of an event connection, with a buffer between the two.

The connection must be read as fast as RingCentral sends, or it is closed there; the user may be
slow. So events are buffered, and dropped when the buffer is full. A Resync marks the place.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable
from datetime import datetime

import attrs

from ..errors import PermissionDenied, SessionLost
from ..models import PresenceEvent, Resync, ResyncReason
from ..protocol.event_outputs import Subscribed
from ..transport.event_connection import EventConnection, StreamItem

# Events that are buffered. A guess: some seconds of the busiest account.
BUFFER_SIZE = 10_000


class EventBuffer:
    """A queue that drops and counts what does not fit, and never blocks who puts.

    Once full, it drops everything until half of it has been consumed, so that there is one Resync
    and not one for each event that does not fit. All before the Resync is complete.

    Args:
        size: the number of events that are kept.
    """

    def __init__(self, size: int = BUFFER_SIZE) -> None:
        self._size = size
        self._items: deque[PresenceEvent | Resync] = deque()
        # Whether items are dropped; the last item is the Resync that counts them then.
        self._is_dropping = False
        self._error: BaseException | None = None
        self._changed = asyncio.Event()

    def put(self, item: PresenceEvent | Resync) -> None:
        """Add an item, or count it as dropped."""
        if self._is_dropping and isinstance(resync := self._items.pop(), Resync):
            missed = (resync.missed or 0) + isinstance(item, PresenceEvent)
            item = attrs.evolve(resync, missed=missed)
        elif len(self._items) >= self._size:
            self._is_dropping = True
            if isinstance(item, PresenceEvent):
                item = Resync(ResyncReason.OVERFLOW, _time(self._items[-1]), 1)
        self._items.append(item)
        self._changed.set()

    def close(self, error: BaseException) -> None:
        """Make `get` raise an error after the items that are buffered."""
        self._error = error
        self._changed.set()

    async def get(self) -> PresenceEvent | Resync:
        """Wait for the next item; remove and return it.

        Raises:
            BaseException: the error given to `close`; at every further call, too.
        """
        while not self._items:
            if self._error is not None:
                raise self._error.with_traceback(None)
            self._changed.clear()
            await self._changed.wait()
        self._is_dropping = self._is_dropping and len(self._items) > self._size // 2 + 1
        return self._items.popleft()


def _time(item: PresenceEvent | Resync) -> datetime | None:
    return item.timestamp if isinstance(item, PresenceEvent) else item.since


async def iter_events(
    connection: EventConnection,
    tasks: "set[asyncio.Task[None]]",
    check_open: Callable[[], None],
) -> AsyncGenerator[PresenceEvent | Resync, None]:
    """Yield the events of a connection until it fails, or the generator is closed.

    Args:
        connection: the event connection, which is run in a task.
        tasks: contains that task while it runs; who cancels it there ends the iteration.
        check_open: raises UsageError if the session is not open.

    Raises:
        PermissionDenied: an event filter is disabled.
        SessionLost: the task was cancelled, because the session was closed.
        PresenceError: the connection has failed.
    """
    check_open()
    buffer = EventBuffer()

    def emit(item: StreamItem) -> None:
        """Buffer an event; check the filters of a new subscription."""
        if isinstance(item, Subscribed):
            _check_filters(item)
        else:
            buffer.put(item)

    def done(task: "asyncio.Task[None]") -> None:
        """End the iteration with the error of the connection."""
        tasks.discard(task)
        closed = SessionLost("the session was closed")
        buffer.close(closed if task.cancelled() else task.exception() or closed)

    task = asyncio.create_task(connection.run(emit))
    tasks.add(task)
    task.add_done_callback(done)
    try:
        while True:
            yield await buffer.get()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def _check_filters(subscribed: Subscribed) -> None:
    """Raise PermissionDenied if an event filter is disabled: its events would never arrive."""
    for each in subscribed.info.disabled_filters or ():
        message = f"event filter {each.filter} is disabled: {each.message}"
        raise PermissionDenied(403, each.reason, message)
