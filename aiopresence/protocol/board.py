"""One picture of what is read and what events tell, whatever the order in which they come.

- An event tells what has changed, so it is merged into what is known.
- A read may be older than events that come while it is under way, so these are merged into its
  answer again. When all events have come, every field has its latest value.
- An event that is older than the last one about its extension is not merged. It may have told what
  the later one did not, and the numbers that say so are hardly documented, so the extension is
  doubtful from then on.
- What is doubtful is to be read again. It stays as it was meanwhile.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

import attrs

from ..errors import (
    AuthError,
    InvalidRequest,
    NotFound,
    PermissionDenied,
    PresenceError,
    UsageError,
)
from ..models import (
    ChangeSource,
    GetPresenceInfo,
    PresenceChange,
    PresenceEvent,
    PresenceEventBody,
)
from ..models.inputs import as_id, is_id
from . import events

# What an event tells of an extension, and a read does too.
_SHARED = tuple(
    field.name
    for field in attrs.fields(PresenceEventBody)
    if field.name not in ("extension_id", "sequence", "owner_id")
)


# What reading an extension again will not change: it is not on the board.
REFUSED = (AuthError, InvalidRequest, NotFound, PermissionDenied)
# Of an account, what somebody invents must not fill the memory.
MAX_STRANGERS = 1000


@attrs.define(eq=False)
class Reading:
    """A read under way.

    Attributes:
        whole: whether all extensions of the account are read.
        open: the ids whose answers have not come.
        later: by id, what events have told since it began.
    """

    whole: bool
    open: set[str]
    later: dict[str, dict[str, Any]] = attrs.field(factory=dict)


class Board:
    """The presence of some extensions, or of all in an account.

    Args:
        ids: which; None for all.

    Attributes:
        records: what is known, by id.
        errors: why an extension could not be read the last time, by id.
        doubtful: the ids to read again, in order.
        whole: whether everything is to be read again.
        failed: the ids that could not be read, to be doubtful again after a while.
        whole_failed: whether everything could not be.
    """

    def __init__(self, ids: Iterable[str] | None) -> None:
        self.records: dict[str, GetPresenceInfo] = {}
        self.errors: dict[str, PresenceError] = {}
        self.doubtful: dict[str, None] = {}
        self.whole = False
        self.failed: dict[str, None] = {}
        self.whole_failed = False
        self._ids = None if ids is None else frozenset(ids)
        self._readings: list[Reading] = []
        self._last: dict[str, tuple[int | None, datetime | None]] = {}

    @property
    def is_settled(self) -> bool:
        """Whether nothing is to be read, nor being read."""
        return not (self.whole or self.doubtful or self._readings or self.has_failed)

    @property
    def has_failed(self) -> bool:
        """Whether something could not be read."""
        return self.whole_failed or bool(self.failed)

    def retry(self) -> None:
        """Have read again what could not be."""
        self.doubtful.update(self.failed)
        self.whole = self.whole or self.whole_failed
        self.failed.clear()
        self.whole_failed = False

    @property
    def ids(self) -> frozenset[str]:
        """Whose presence is to be on it; none for all of the account."""
        return self._ids or frozenset()

    @property
    def is_account(self) -> bool:
        """Whether it is of all extensions of the account."""
        return self._ids is None

    def covers(self, id_: str) -> bool:
        """Tell whether an extension is to be on it."""
        return is_id(id_) if self._ids is None else id_ in self._ids

    def is_stale(self, id_: str) -> bool:
        """Tell whether an extension is doubtful, or just being read because it was."""
        unread = self.whole or self.whole_failed or id_ in self.doubtful or id_ in self.failed
        return unread or any(id_ in r.open for r in self._readings)

    def doubt(self, ids: Iterable[str] | None = None) -> None:
        """Have some extensions read again, or all."""
        if ids is not None:
            self.doubtful.update(dict.fromkeys(ids))
        elif self._ids is not None:
            self.doubtful.update(dict.fromkeys(self._ids))
        else:
            self.whole = True

    def forget_order(self) -> None:
        """Compare with no earlier event any more: the numbers may begin anew."""
        self._last.clear()

    def begin(self, ids: Iterable[str] | None = None) -> Reading:
        """Begin to read some extensions, or all. What was doubtful of them no longer is."""
        if ids is None:
            reading = Reading(True, {*self.records, *self.doubtful, *self.failed})
            self.whole = self.whole_failed = False
            self.doubtful.clear()
            self.failed.clear()
        else:
            reading = Reading(False, set(ids))
            for id_ in reading.open:
                self.doubtful.pop(id_, None)
                self.failed.pop(id_, None)
        self._readings.append(reading)
        return reading

    def put(
        self,
        reading: Reading,
        id_: str,
        answer: GetPresenceInfo | PresenceError,
        source: ChangeSource,
        time: datetime,
    ) -> Iterator[PresenceChange]:
        """Take one answer of a read in; give the change that it brings, if any.

        Args:
            reading: which read.
            id_: of which extension.
            answer: what was read, or why nothing was. An error that says nothing of the extension
                itself leaves it as it is, to be read again after a while.
            source: how it was read.
            time: this moment.
        """
        reading.open.discard(id_)
        if isinstance(answer, GetPresenceInfo):
            self.errors.pop(id_, None)
            new = attrs.evolve(answer, **reading.later.get(id_, {}))
            yield from self._change(id_, new, source, time)
            return
        self.errors[id_] = answer
        if not isinstance(answer, REFUSED):
            self.failed[id_] = None
            return
        if self.is_account and len(self.errors) > MAX_STRANGERS:
            del self.errors[next(iter(self.errors))]
        yield from self._change(id_, None, source, time)

    def end(self, reading: Reading, *, complete: bool) -> None:
        """End a read.

        Args:
            reading: which read.
            complete: whether it has come to its end. An extension that a whole one did not answer
                may be gone, or have been missed between two pages: it is doubtful.
        """
        self._readings.remove(reading)
        if complete:
            self.doubtful.update(dict.fromkeys(sorted(reading.open)))
        elif reading.whole:
            self.whole_failed = True
        else:
            self.failed.update(dict.fromkeys(sorted(reading.open)))

    def apply(self, event: PresenceEvent, time: datetime) -> Iterator[PresenceChange]:
        """Take an event in; give the change that it brings, if any."""
        body = event.body
        if isinstance(body, PresenceEventBody) and body.extension_id is not None:
            if self.covers(body.extension_id) and self._is_in_order(event, body):
                yield from self._merge(body.extension_id, _told(body), event.timestamp or time)
        elif events.is_presence(event):
            self._doubt_unread(body.get("extensionId") if isinstance(body, Mapping) else None)

    def _doubt_unread(self, extension_id: object) -> None:
        """Doubt whom a body is about that cannot be read: all, unless it says who."""
        try:
            id_ = as_id(extension_id, "extensionId")
        except UsageError:
            self.doubt()
        else:
            if self.covers(id_):
                self.doubt([id_])

    def _is_in_order(self, event: PresenceEvent, body: PresenceEventBody) -> bool:
        id_ = body.extension_id or ""
        sequence, timestamp = self._last.get(id_, (None, None))
        older = body.sequence is not None and sequence is not None and body.sequence < sequence
        if older:
            self.doubt([id_])
            # Older by number and newer by time: the numbers have begun anew.
            newer = event.timestamp and timestamp and event.timestamp > timestamp
            if not newer:
                return False
        # What an event does not say stays as the one before had it.
        number = sequence if body.sequence is None else body.sequence
        if len(self._last) > MAX_STRANGERS + 2 * len(self.records):
            self._last.clear()
        self._last[id_] = number, event.timestamp or timestamp
        return True

    def _merge(self, id_: str, told: dict[str, Any], time: datetime) -> Iterator[PresenceChange]:
        for reading in self._readings:
            if reading.whole or id_ in reading.open:
                reading.later.setdefault(id_, {}).update(told)
        known = self.records.get(id_)
        if known is not None:
            yield from self._change(id_, attrs.evolve(known, **told), ChangeSource.EVENT, time)
        elif id_ not in self.errors and not any(r.whole or id_ in r.open for r in self._readings):
            self.doubt([id_])  # It is new in the account.

    def _change(
        self, id_: str, new: GetPresenceInfo | None, source: ChangeSource, time: datetime
    ) -> Iterator[PresenceChange]:
        old = self.records.get(id_)
        if new is None:
            self.records.pop(id_, None)
        else:
            self.records[id_] = new
        if new != old:
            yield PresenceChange(id_, old, new, source, time)


def _told(body: PresenceEventBody) -> dict[str, Any]:
    return {name: value for name in _SHARED if (value := getattr(body, name)) is not None}
