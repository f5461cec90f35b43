"""The changes of a board that one consumer has not taken yet."""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable

import attrs

from ..models import PresenceChange


class ChangeQueue(AsyncIterator[PresenceChange]):
    """The changes since the last one taken, oldest first.

    Changes of one extension that have not been taken are combined into one, from the oldest state
    to the newest; if they cancel out, there is none. So the queue never holds more than one change
    per extension, however slow its consumer is.

    Args:
        on_end: called when the iteration raises because the board stopped.
    """

    def __init__(self, on_end: Callable[[], None]) -> None:
        self._on_end = on_end
        # Not a dict: finding its first entry takes time in proportion to the entries ever deleted.
        self._pending: OrderedDict[str, PresenceChange] = OrderedDict()
        self._error: Exception | None = None
        self._wake = asyncio.Event()

    def put(self, change: PresenceChange) -> None:
        """Add a change."""
        earlier = self._pending.get(change.id)
        if earlier is not None and earlier.old == change.new:
            del self._pending[change.id]
            return
        if earlier is not None:
            change = attrs.evolve(change, old=earlier.old)
        self._pending[change.id] = change
        self._wake.set()

    def end(self, error: Exception) -> None:
        """End the iteration with an error, after the changes already in the queue."""
        self._error = error
        self._wake.set()

    async def __anext__(self) -> PresenceChange:
        while not self._pending:
            if self._error is not None:
                self._on_end()
                raise self._error.with_traceback(None)
            self._wake.clear()
            await self._wake.wait()
        return self._pending.popitem(last=False)[1]
