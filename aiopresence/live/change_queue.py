"""The changes of a board, for each who follows them at their own pace."""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable

import attrs

from ..models import PresenceChange


class Changes(AsyncIterator[PresenceChange]):
    """What has changed on a board since the last one taken, oldest first.

    Several changes of one extension that nobody has taken yet are given as one, from the oldest
    state to the newest; what has changed back is not given. So it never holds more than one change
    for each extension, however slow its user is.

    Args:
        see: called when the iteration ends because the board did.
    """

    def __init__(self, see: Callable[[], None]) -> None:
        self._see = see
        # Not a dict: one whose first entry is taken again and again passes by all it ever had.
        self._waiting: OrderedDict[str, PresenceChange] = OrderedDict()
        self._end: Exception | None = None
        self._changed = asyncio.Event()

    def put(self, change: PresenceChange) -> None:
        """Add a change."""
        earlier = self._waiting.get(change.id)
        if earlier is not None and earlier.old == change.new:
            del self._waiting[change.id]
            return
        if earlier is not None:
            change = attrs.evolve(change, old=earlier.old)
        self._waiting[change.id] = change
        self._changed.set()

    def end(self, error: Exception) -> None:
        """Let the iteration end with an error, after the changes before it."""
        self._end = error
        self._changed.set()

    async def __anext__(self) -> PresenceChange:
        while not self._waiting:
            if self._end is not None:
                self._see()
                raise self._end.with_traceback(None)
            self._changed.clear()
            await self._changed.wait()
        return self._waiting.popitem(last=False)[1]
