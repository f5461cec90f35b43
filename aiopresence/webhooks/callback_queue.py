"""What was accepted and is still to be handled."""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from traceback import walk_tb

from ..errors import one_line
from ..models import PresenceEvent, Resync

_log = logging.getLogger("aiopresence")

Callback = Callable[[PresenceEvent | Resync], Awaitable[object]]

# Of all bodies together: a guess at what no honest burst reaches and any host can spare.
MAX_BYTES = 32 * 1024 * 1024


class Backlog:
    """Hands what was accepted to the callback, one at a time and in order.

    Args:
        callback: what handles it.
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
        """Take a notification; False when there is no room for it.

        Args:
            event: the notification.
            size: the bytes it came in.
        """
        if len(self._waiting) >= self._size or self._bytes + size > MAX_BYTES:
            return False
        self._add(event, size)
        return True

    def push(self, resync: Resync) -> None:
        """Take a Resync, for which there always is room: it is rare, and must not be lost."""
        self._add(resync, 0)

    def _add(self, item: PresenceEvent | Resync, size: int) -> None:
        self._waiting.append((item, size))
        self._bytes += size
        self._changed.set()

    def open(self) -> None:
        """Begin, or begin again after a close, maybe on another loop."""
        self._changed = asyncio.Event()
        self._closed = False

    @property
    def is_open(self) -> bool:
        """Whether what is taken will be handled."""
        return not self._closed

    def close(self) -> None:
        """Let `work` end once everything is handled."""
        self._closed = True
        self._changed.set()

    async def work(self) -> None:
        """Handle whatever comes, until the close."""
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
            await self._callback(item)
        except (Exception, asyncio.CancelledError) as error:
            task = asyncio.current_task()
            if isinstance(error, asyncio.CancelledError) and task and task.cancelling():
                raise
            # Neither its message nor the event: both may hold what is nobody's business.
            _log.error("the webhook's callback failed on %s: %s", _name(item), _place(error))


def _name(item: PresenceEvent | Resync) -> str:
    return f"event {one_line(str(item.uuid))}" if isinstance(item, PresenceEvent) else "a Resync"


def _place(error: BaseException) -> str:
    *_, (frame, line) = walk_tb(error.__traceback__)
    code = frame.f_code
    return f"{type(error).__name__} in {code.co_name}, {code.co_filename}:{line}"
