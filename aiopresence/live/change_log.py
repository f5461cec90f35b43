"""The changes of a board, for any number of consumers that take them at their own pace.

Theory: a change is written once, however many consumers there are. What one consumer needs of an
extension is the state that this consumer knows, which is `old` of the first change it has not
taken, and the last change of all. The last changes are the same for all consumers; what a consumer
has of its own is a position in the log, and the old states of what it has not taken before that
position. When it takes a change, it first notes the old states up to the end of the log. When the
log is full, all consumers do so, and the log begins anew. So it stays short, and a consumer that
takes nothing costs one look into a dict per change, and memory for one state per extension.
"""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from weakref import WeakSet

from ..models import GetPresenceInfo, PresenceChange

# With thousands of consumers that are slow, beginning anew takes milliseconds.
MAX_LENGTH = 64


class ChangeLog:
    """The changes that some consumer has not taken yet.

    Args:
        on_end: called whenever an iteration raises because the board stopped.
        max_length: the changes after which the log begins anew.

    Attributes:
        entries: the id and the old state of each of the last changes.
        latest: by id, the last change of each extension that some consumer has not taken.
        error: what ends the iterations; None until then.
        has_news: set when there is a new change, or the end.
    """

    def __init__(self, on_end: Callable[[], None], max_length: int = MAX_LENGTH) -> None:
        self.entries: list[tuple[str, GetPresenceInfo | None]] = []
        self.latest: dict[str, PresenceChange] = {}
        self.error: Exception | None = None
        self.has_news = asyncio.Event()
        self.on_end = on_end
        self._max_length = max_length
        self._consumers: WeakSet[Changes] = WeakSet()

    def follow(self) -> "Changes":
        """Return an iterator over the changes from now on."""
        consumer = Changes(self)
        self._consumers.add(consumer)
        return consumer

    def put(self, change: PresenceChange) -> None:
        """Add a change."""
        self.entries.append((change.id, change.old))
        self.latest[change.id] = change
        self.has_news.set()
        if len(self.entries) >= self._max_length:
            self._begin_anew()

    def end(self, error: Exception) -> None:
        """End all iterations with an error, after the changes already in the log."""
        self.error = error
        self.has_news.set()

    def _begin_anew(self) -> None:
        are_all_taken = True
        for consumer in self._consumers:
            are_all_taken &= consumer.note_all()
            consumer.position = 0
        self.entries.clear()
        if are_all_taken:
            self.latest.clear()


class Changes(AsyncIterator[PresenceChange]):
    """The changes that one consumer has not taken, oldest first.

    Changes of one extension that have not been taken are combined into one, from the oldest state
    to the newest, at the place of the first; if they cancel out, there is none. So there is never
    more than one per extension, however slow the consumer is.

    Args:
        log: the log, which is followed from its end.

    Attributes:
        position: the number of entries in the log whose old states have been noted.
    """

    def __init__(self, log: ChangeLog) -> None:
        self.position = len(log.entries)
        self._log = log
        # Not a dict: finding its first entry takes time in proportion to the entries ever deleted.
        self._known: OrderedDict[str, GetPresenceInfo | None] = OrderedDict()

    def note_all(self) -> bool:
        """Note the old states up to the end of the log; return whether there are none to take."""
        entries, note = self._log.entries, self._known.setdefault
        for id_, old in entries[self.position :] if self.position else entries:
            note(id_, old)
        self.position = len(entries)
        return not self._known

    def take(self) -> PresenceChange | None:
        """Return the oldest change, which then is taken; None if there is none."""
        log, known = self._log, self._known
        if self.position < len(log.entries):
            self.note_all()
        while known:
            id_, old = known.popitem(last=False)
            last = log.latest[id_]
            if last.old is old:
                return last
            if last.new != old:
                return PresenceChange(id_, old, last.new, last.source, last.time)
        return None

    async def __anext__(self) -> PresenceChange:
        log = self._log
        while (change := self.take()) is None:
            if log.error is not None:
                log.on_end()
                raise log.error.with_traceback(None)
            log.has_news.clear()
            await log.has_news.wait()
        return change
