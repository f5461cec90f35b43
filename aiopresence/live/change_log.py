"""The changes of a board, for any number of consumers that take them at their own pace.

Theory: a change is written once, however many consumers there are. What a consumer needs of an
extension is the state that it knows, which is `old` of the first change it has not taken, and the
last change of all. The last changes are the same for all consumers; which changes a consumer has
not taken follows from its position in the log. So a consumer that keeps up has only a position.

The log stays short though some consumers may take nothing: when it is full it becomes a part, which
has only the first `old` of each extension, for the consumers that have taken none of it. A part at
whose beginning no consumer is any more is merged into the part before it, or dropped if there is
none. So there are never more parts than consumers, and a consumer that takes nothing costs nothing
per change. When it takes something, it first gathers the states from the parts that are left to it.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from weakref import WeakSet

from ..models import GetPresenceInfo, PresenceChange

# The old states of extensions, by id, in the order of their first changes.
_States = dict[str, GetPresenceInfo | None]

MAX_LENGTH = 100


class ChangeLog:
    """The changes that some consumer has not taken yet.

    Args:
        on_end: called whenever an iteration raises because the board stopped.
        max_length: the changes that the log has at most before it becomes a part.

    Attributes:
        changes: the last changes.
        parts: what was in the log before, oldest first, by the number of the part.
        latest: by id, the last change of each extension that some consumer has not taken.
        error: what ends the iterations; None until then.
        has_news: set when there is a new change, or the end.
    """

    def __init__(self, on_end: Callable[[], None], max_length: int = MAX_LENGTH) -> None:
        self.changes: list[PresenceChange] = []
        self.parts: dict[int, _States] = {}
        self.latest: dict[str, PresenceChange] = {}
        self.error: Exception | None = None
        self.has_news = asyncio.Event()
        self.on_end = on_end
        self._max_length = max_length
        self._next_part = 0
        self._consumers: WeakSet[Changes] = WeakSet()

    def follow(self) -> "Changes":
        """Return an iterator over the changes from now on."""
        consumer = Changes(self)
        self._consumers.add(consumer)
        return consumer

    def put(self, change: PresenceChange) -> None:
        """Add a change."""
        self.changes.append(change)
        self.latest[change.id] = change
        self.has_news.set()
        if len(self.changes) >= self._max_length:
            self._begin_anew()

    def end(self, error: Exception) -> None:
        """End all iterations with an error, after the changes already in the log."""
        self.error = error
        self.has_news.set()

    def _begin_anew(self) -> None:
        number, self._next_part = self._next_part, self._next_part + 1
        self.parts[number] = first_states(self.changes)
        consumers = [*self._consumers]
        for consumer in consumers:
            consumer.part_full(number)
        self.changes.clear()
        self._merge_parts({consumer.part for consumer in consumers})
        if not self.parts and not any(consumer.has_gathered for consumer in consumers):
            self.latest.clear()

    def _merge_parts(self, wanted: set[int | None]) -> None:
        """Merge each part at whose beginning no consumer is into the one before it."""
        merged: dict[int, _States] = {}
        before: _States | None = None
        for number, states in self.parts.items():
            if number in wanted:
                merged[number] = before = states
            elif before is not None:
                add_states(before, states)
        self.parts = merged


class Changes(AsyncIterator[PresenceChange]):
    """The changes that one consumer has not taken, oldest first.

    Changes of one extension that have not been taken are combined into one, from the oldest state
    to the newest, at the place of the first; if they cancel out, there is none. So there is never
    more than one per extension, however slow the consumer is.

    Args:
        log: the log, which is followed from its end.

    Attributes:
        part: the number of the first part that it has not gathered; None if it has all.
    """

    def __init__(self, log: ChangeLog) -> None:
        self.part: int | None = None
        self._log = log
        # How many of the last changes it has taken or gathered.
        self._position = len(log.changes)
        # What it has gathered: states that it knows, their ids, the oldest last; and what is to be
        # taken after these.
        self._known: _States = {}
        self._ids: list[str] = []
        self._later: _States = {}

    @property
    def has_gathered(self) -> bool:
        """Whether it has gathered anything that it has not taken."""
        return bool(self._known or self._later)

    def part_full(self, number: int) -> None:
        """Prepare for the end of the log, which has become the part of this number."""
        if self.part is None and self._position == 0:
            self.part = number
        elif self.part is None:
            self._gather()
        self._position = 0

    def take(self) -> PresenceChange | None:
        """Return the oldest change, which then is taken; None if there is none."""
        log = self._log
        if not self._ids and not self._later and self.part is None:  # It keeps up.
            if (position := self._position) == len(log.changes):
                return None
            change = log.changes[position]
            if change is log.latest[change.id]:
                self._position = position + 1
                return change
        self._gather()
        while self._ids or self._later:
            id_, old = self._pop()
            last = log.latest[id_]
            if last.old is old:
                return last
            if last.new != old:
                return PresenceChange(id_, old, last.new, last.source, last.time, last.entry)
        return None

    def _pop(self) -> tuple[str, GetPresenceInfo | None]:
        # From a dict, taking the first entry takes time in proportion to those ever deleted.
        if not self._ids:
            self._known, self._later = self._later, {}
            self._ids = [*reversed(self._known)]
        id_ = self._ids.pop()
        return id_, self._known.pop(id_)

    def _gather(self) -> None:
        """Gather the states that it knows, up to the end of the log."""
        log = self._log
        if self.part is not None:
            for number, states in log.parts.items():
                if number >= self.part:
                    self._add(states)
            self.part = None
        if self._position < len(log.changes):
            self._add(first_states(log.changes[self._position :]))
            self._position = len(log.changes)

    def _add(self, states: _States) -> None:
        if not self._known:
            add_states(self._later, states)
            return
        for id_, old in states.items():
            if id_ not in self._known:
                self._later.setdefault(id_, old)

    async def __anext__(self) -> PresenceChange:
        log = self._log
        while (change := self.take()) is None:
            if log.error is not None:
                log.on_end()
                raise log.error.with_traceback(None)
            log.has_news.clear()
            await log.has_news.wait()
        return change


def first_states(changes: list[PresenceChange]) -> _States:
    """Return the states before some changes."""
    states: _States = {}
    for change in changes:
        states.setdefault(change.id, change.old)
    return states


def add_states(states: _States, more: _States) -> None:
    """Add states; of an extension that there is already, the old one stays."""
    if not states:
        states.update(more)
        return
    for id_, old in more.items():
        states.setdefault(id_, old)
