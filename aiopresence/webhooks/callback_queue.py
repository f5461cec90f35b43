"""The bounded queue between the HTTP handler and the callback."""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from inspect import isawaitable
from traceback import walk_tb

from ..errors import one_line
from ..models import PresenceEvent, Resync

_log = logging.getLogger("aiopresence")

Callback = Callable[[PresenceEvent | Resync], Awaitable[object]]

# Bound of all queued bodies together. A guess: above any real burst, small for any host.
MAX_QUEUED_BYTES = 32 * 1024 * 1024

NOT_ASYNC = "callback must be an async function that takes an event"


class CallbackQueue:
    """A queue of accepted notifications, handed to the callback one at a time and in order.

    Args:
        callback: handles each event.
        size: how many notifications may wait.
    """

    def __init__(self, callback: Callback, size: int) -> None:
        self._callback = callback
        self._size = size
        self._waiting: deque[tuple[PresenceEvent | Resync, int]] = deque()
        self._bytes = 0
        self._changed = asyncio.Event()
        self._closed = True

    def __len__(self) -> int:
        return len(self._waiting)

    def offer(self, event: PresenceEvent, size: int) -> bool:
        """Add a notification; return False, and add nothing, when the queue is full.

        Args:
            event: the notification.
            size: the size of its body in bytes.
        """
        if len(self._waiting) >= self._size or self._bytes + size > MAX_QUEUED_BYTES:
            return False
        self._add(event, size)
        return True

    def push(self, resync: Resync) -> None:
        """Add a Resync, even to a full queue: a Resync is rare, and must not be lost."""
        self._add(resync, 0)

    def _add(self, item: PresenceEvent | Resync, size: int) -> None:
        self._waiting.append((item, size))
        self._bytes += size
        self._changed.set()

    def open(self) -> None:
        """Open the queue, or open it again after a close, possibly on another event loop."""
        self._changed = asyncio.Event()
        self._closed = False

    @property
    def is_open(self) -> bool:
        """Whether added notifications will be handled."""
        return not self._closed

    def close(self) -> None:
        """Make `run` return once the queue is empty."""
        self._closed = True
        self._changed.set()

    async def run(self) -> None:
        """Call the callback for each notification, until `close` and until the queue is empty."""
        while self._waiting or not self._closed:
            if self._waiting:
                item, size = self._waiting.popleft()
                self._bytes -= size
                await self._handle(item)
            else:
                self._changed.clear()
                await self._changed.wait()

    async def _handle(self, item: PresenceEvent | Resync) -> None:
        try:
            result: object = self._callback(item)
            if isawaitable(result):
                await result
            else:
                _log.error("webhook %s: it returned no coroutine", NOT_ASYNC)
        except (Exception, asyncio.CancelledError) as error:
            task = asyncio.current_task()
            if isinstance(error, asyncio.CancelledError) and task and task.cancelling():
                raise
            # Neither the message nor the event is logged: both may hold personal data.
            _log.error("webhook callback failed on %s: %s", _label(item), _origin(error))


def _label(item: PresenceEvent | Resync) -> str:
    return f"event {one_line(str(item.uuid))}" if isinstance(item, PresenceEvent) else "a Resync"


def _origin(error: BaseException) -> str:
    *_, (frame, line) = walk_tb(error.__traceback__)
    code = frame.f_code
    return f"{type(error).__name__} in {code.co_name}, {code.co_filename}:{line}"
