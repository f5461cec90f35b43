"""The state of a board: what was read and what events have changed since, in whatever order.

- An event is partial, so it is merged into the record.
- A read may be older than events that arrive while it is in progress, so these are merged into its
  result again. When all events have arrived, every field has its latest value.
- An event older than the last one about its extension is not merged. It may have brought what the
  later one did not, and `sequence` is hardly documented, so the extension becomes stale.
- An event older than the last read of its extension is not merged either: the read has what it
  says, unless it changed again. If the two differ, the extension becomes stale. Times are compared
  by the server's clock, which `ServerClock` derives from the events and connections.
- A rejection removes an extension only if it is about this extension: its own part of a batch, or
  a request for it alone.
- An event for an id that has no record, for whatever reason, makes it an unknown id, to be read in
  its turn (see Refresher): the extension may be new, or have come back.
- A stale extension is to be read again. Its last known state stays.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

import attrs

from ..errors import PresenceError, UsageError
from ..ids import is_id, parse_id
from ..models import (
    ActiveCallInfo,
    ChangeSource,
    GetPresenceInfo,
    PresenceChange,
    PresenceEvent,
    PresenceEventBody,
    TelephonyStatus,
)
from . import active_calls, event_parsing
from .failure_policy import Action, policy_for
from .pending_read import Reading
from .server_clock import ServerClock

# The fields of an event that a record has too.
_SHARED = tuple(
    field.name for field in attrs.fields(PresenceEventBody) if hasattr(GetPresenceInfo, field.name)
)


# Of these, what concerns active calls.
_CALLS = frozenset(
    {"telephony_status", "aggregated_telephony_status", "active_calls", "total_active_calls"}
)

_NO_CALL = TelephonyStatus.NO_CALL
# Of an account, what somebody invents must not fill the memory.
MAX_STRANGERS = 1000
# An event that is older than a read by more than this is older, even if it arrived while the read
# was in progress: responses do not take longer to arrive, or the extension is read again. A guess.
_IN_FLIGHT = timedelta(seconds=2)
# How long the time of a read is remembered. Events are replayed for some three minutes.
_REMEMBERED = timedelta(minutes=10)


class Board:
    """The presence of some extensions, or of all in an account.

    Args:
        ids: which; None for all.
        detailed: whether reads and events have active calls.

    Attributes:
        records: what is known, by id.
        errors: why an extension could not be read the last time, by id.
        rejected: those of them that RingCentral rejected by themselves: they are not on the board.
        unknown: the ids to read because of an event, though there is no record.
        doubtful: the ids to read again, in order.
        whole: whether everything is to be read again.
        failed: the ids that could not be read, to be doubtful again after a while.
        whole_failed: whether everything could not be.
    """

    def __init__(self, ids: Iterable[str] | None, *, detailed: bool = False) -> None:
        self.records: dict[str, GetPresenceInfo] = {}
        self.errors: dict[str, PresenceError] = {}
        self.rejected: set[str] = set()
        self.unknown: dict[str, None] = {}
        self.doubtful: dict[str, None] = {}
        self.whole = False
        self.failed: dict[str, None] = {}
        self.whole_failed = False
        self._ids = None if ids is None else frozenset(ids)
        self._detailed = detailed
        self._readings: list[Reading] = []
        self._last: dict[str, tuple[int | None, datetime | None]] = {}
        self._clock = ServerClock()
        # When extensions were read, by our clock: lately, and in the period before that.
        self._read_at: dict[str, datetime] = {}
        self._read_before: dict[str, datetime] = {}
        self._since: datetime | None = None

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

    def includes(self, id_: str) -> bool:
        """Return whether an extension is to be on the board."""
        return is_id(id_) if self._ids is None else id_ in self._ids

    def is_stale(self, id_: str) -> bool:
        """Return whether an extension is to be read again, being read, or not on the board."""
        unread = self.whole or self.whole_failed or id_ in self.doubtful or id_ in self.failed
        unread = unread or id_ not in self.records
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
        *,
        of_request: bool = False,
    ) -> Iterator[PresenceChange]:
        """Merge one result of a read; yield the change that it makes, if any.

        Args:
            reading: which read.
            id_: of which extension.
            answer: the record, or why there is none. An error that says nothing of the extension
                itself leaves its record as it is, to be read again after a while.
            source: how it was read.
            time: now.
            of_request: whether the error is that of a request for several extensions.
        """
        reading.open.discard(id_)
        self.unknown.pop(id_, None)
        if isinstance(answer, GetPresenceInfo):
            self.errors.pop(id_, None)
            self.rejected.discard(id_)
            yield from self._change(id_, self._merge_read(reading, id_, answer, time), source, time)
            return
        self.errors[id_] = answer
        if of_request or policy_for(answer).record is not Action.SKIP_ID:
            self.failed[id_] = None
            return
        self.rejected.add(id_)
        if self.is_account and len(self.rejected) > MAX_STRANGERS:
            self.errors.pop(self.rejected.pop(), None)
        yield from self._change(id_, None, source, time)

    def _merge_read(
        self, reading: Reading, id_: str, record: GetPresenceInfo, time: datetime
    ) -> GetPresenceInfo:
        """Return a record that was read, with what events have changed since."""
        old = self.records.get(id_)
        if self._detailed and old is not None:
            record = active_calls.after_read(old, record)
        self._remember_read(id_, time)
        later = reading.later.get(id_)
        if later is None:
            return record
        later_at, read_at = reading.later_at.get(id_), self._clock.server_time(time)
        if later_at is None or read_at is None or later_at >= read_at - _IN_FLIGHT:
            merged = attrs.evolve(record, **later)
            unsure = id_ in reading.unsure or active_calls.is_doubtful(record, merged)
            if self._detailed and unsure:
                self.doubt([id_])
            return merged
        self._check_against(id_, record, later)
        return record

    def _remember_read(self, id_: str, time: datetime) -> None:
        if self._since is None or not timedelta() <= time - self._since < _REMEMBERED:
            self._since, self._read_before, self._read_at = time, self._read_at, {}
        self._read_at[id_] = time

    def end(self, reading: Reading, *, complete: bool) -> None:
        """End a read.

        Args:
            reading: which read.
            complete: whether it has come to its end. An extension that a whole one did not answer
                may be gone, or have been missed between two pages: it is doubtful.
        """
        self._readings.remove(reading)
        if reading.whole:
            for id_ in reading.later:
                self._note_unknown(id_)
        if complete:
            self.doubtful.update(dict.fromkeys(sorted(reading.open)))
        elif reading.whole:
            self.whole_failed = True
        else:
            self.failed.update(dict.fromkeys(sorted(reading.open)))

    def observe_time(self, server_time: datetime, time: datetime) -> None:
        """Record that it was a time by the server's clock, or a little later, at a time of ours."""
        self._clock.observe(server_time, time)

    def apply(self, event: PresenceEvent, time: datetime) -> Iterator[PresenceChange]:
        """Merge an event; yield the change that it makes, if any.

        Args:
            event: the event.
            time: now.
        """
        body = event.body
        if event.timestamp is not None:
            self.observe_time(event.timestamp, time)
        if isinstance(body, PresenceEventBody) and body.extension_id is not None:
            if self.includes(body.extension_id) and self._is_in_order(event, body):
                yield from self._merge(body.extension_id, event, body, time)
        elif event_parsing.is_presence(event):
            self._doubt_unread(body.get("extensionId") if isinstance(body, Mapping) else None)

    def _doubt_unread(self, extension_id: object) -> None:
        """Doubt whom a body is about that cannot be read: all, unless it says who."""
        try:
            id_ = parse_id(extension_id, "extensionId")
        except UsageError:
            self.doubt()
        else:
            if self.includes(id_):
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

    def _merge(
        self, id_: str, event: PresenceEvent, body: PresenceEventBody, time: datetime
    ) -> Iterator[PresenceChange]:
        known = self.records.get(id_)
        told, is_unsure = self._changed_fields(id_, known, body)
        if known is not None and self._is_older_than_read(id_, event, body):
            self._check_against(id_, known, told)
            return
        kept = True
        for reading in self._readings:
            kept = reading.keep(id_, told, event.timestamp, is_unsure=is_unsure) and kept
        if known is not None:
            if is_unsure or not kept:
                self.doubt([id_])
            new, source = attrs.evolve(known, **told), ChangeSource.EVENT
            yield from self._change(id_, new, source, event.timestamp or time)
        elif not any(reading.whole for reading in self._readings):
            self._note_unknown(id_)

    def _note_unknown(self, id_: str) -> None:
        if id_ not in self.records and len(self.unknown) < MAX_STRANGERS:
            self.unknown[id_] = None

    def _changed_fields(
        self, id_: str, known: GetPresenceInfo | None, body: PresenceEventBody
    ) -> tuple[dict[str, Any], bool]:
        """Return what an event says of a record, and whether its calls have to be read again."""
        told = {name: value for name in _SHARED if (value := getattr(body, name)) is not None}
        if known is not None and "telephony_status" in told:
            _aggregate(known, told)
        if not self._detailed or told.keys().isdisjoint(_CALLS):
            return told, False
        calls, is_unsure = active_calls.after_event(self._known_calls(id_, known), body)
        if calls is not None:
            told["active_calls"] = calls
            total = active_calls.total_after_event(known, calls, body.total_active_calls)
            told |= {} if total is None else {"total_active_calls": total}
        return told, is_unsure

    def _known_calls(
        self, id_: str, known: GetPresenceInfo | None
    ) -> tuple[ActiveCallInfo, ...] | None:
        if known is not None:
            return known.active_calls
        later = (reading.later.get(id_, {}) for reading in self._readings)
        return next((told["active_calls"] for told in later if "active_calls" in told), None)

    def _is_older_than_read(self, id_: str, event: PresenceEvent, body: PresenceEventBody) -> bool:
        """Return whether an event is older than the last read, or may be and nothing says when."""
        time = self._read_at.get(id_) or self._read_before.get(id_)
        if time is None:
            return False
        if event.timestamp is None:
            return body.sequence is None
        read_at = self._clock.server_time(time)
        return read_at is not None and event.timestamp < read_at

    def _check_against(self, id_: str, record: GetPresenceInfo, told: Mapping[str, Any]) -> None:
        """Have an extension read again if an event that was not merged differs from its record."""
        if any(getattr(record, name) != value for name, value in told.items()):
            self.doubt([id_])

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


def _aggregate(known: GetPresenceInfo, told: dict[str, Any]) -> None:
    """Set the aggregated status to the phone's where the contact centre has no part in it.

    An event may bring the status of the phone alone; the one before must not stay beside it.
    """
    if known.aggregated_telephony_status is None or "aggregated_telephony_status" in told:
        return
    if told.get("cx_telephony_status", known.cx_telephony_status) in (None, _NO_CALL):
        told["aggregated_telephony_status"] = told["telephony_status"]
