"""Events as a stream, taken in as fast as they come and given out as fast as they are used."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable
from datetime import datetime

import attrs

from ..errors import PermissionDenied, SessionLost
from ..models import PresenceEvent, Resync, ResyncReason
from ..protocol.event_outputs import Subscribed
from ..transport.event_connection import EventConnection, StreamItem

# Events that may wait for their user. A guess: some seconds of the busiest account.
ROOM = 10_000


class Buffer:
    """What has come and was not taken yet, in order.

    When it is full, what comes is dropped and counted, until half of it was taken. A Resync stands
    where that was, so up to there nothing is missing.
    """

    def __init__(self, room: int = ROOM) -> None:
        self._room = room
        self._waiting: deque[PresenceEvent | Resync] = deque()
        self._full = False
        self._error: BaseException | None = None
        self._changed = asyncio.Event()

    def put(self, told: PresenceEvent | Resync) -> None:
        """Add something, or count it as dropped."""
        if self._full and isinstance(gap := self._waiting.pop(), Resync):
            missed = (gap.missed or 0) + isinstance(told, PresenceEvent)
            told = attrs.evolve(gap, missed=missed)
        elif len(self._waiting) >= self._room:
            self._full = True
            if isinstance(told, PresenceEvent):
                told = Resync(ResyncReason.OVERFLOW, _time(self._waiting[-1]), 1)
        self._waiting.append(told)
        self._changed.set()

    def fail(self, error: BaseException) -> None:
        """Let `get` raise an error, after what has come before it."""
        self._error = error
        self._changed.set()

    async def get(self) -> PresenceEvent | Resync:
        """Take the next one, waiting for it."""
        while not self._waiting:
            if self._error is not None:
                raise self._error.with_traceback(None)
            self._changed.clear()
            await self._changed.wait()
        self._full = self._full and len(self._waiting) > self._room // 2 + 1
        return self._waiting.popleft()


def _time(told: PresenceEvent | Resync) -> datetime | None:
    return told.timestamp if isinstance(told, PresenceEvent) else told.since


async def events(
    socket: EventConnection, running: "set[asyncio.Task[None]]", check_open: Callable[[], None]
) -> AsyncGenerator[PresenceEvent | Resync, None]:
    """Follow a socket until it fails, or the generator is closed.

    Args:
        socket: what to follow.
        running: where its task is kept while it runs; who cancels it there ends the stream.
        check_open: raises UsageError when the session cannot be used.
    """
    check_open()
    buffer = Buffer()

    def tell(told: StreamItem) -> None:
        if not isinstance(told, Subscribed):
            buffer.put(told)
        elif told.info.disabled_filters:
            one = told.info.disabled_filters[0]
            raise PermissionDenied(403, one.reason, f"{one.filter} is disabled: {one.message}")

    def ended(task: "asyncio.Task[None]") -> None:
        running.discard(task)
        lost = SessionLost("the session was closed")
        buffer.fail(lost if task.cancelled() else task.exception() or lost)

    task = asyncio.create_task(socket.run(tell))
    running.add(task)
    task.add_done_callback(ended)
    try:
        while True:
            yield await buffer.get()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
