"""Merge reads and events into the current presence of many extensions.

Theory: the inputs come in no reliable order. A read takes seconds, and events arrive meanwhile;
events may be late, replayed or out of order, and some are lost. The result is right all the same,
because of two rules. Each field has the value of the newest input that has it. And wherever it is
unknown which of two inputs is newer, the extension is marked stale, so that it is read again.

Events:
- An event is partial: it replaces the fields that it has.
- While a read is in progress, its result may be older than an event, so the fields of the event
  are kept with the PendingRead and merged into its result. Once all events have arrived, every
  field has its latest value. If the event was delayed, a later one may have arrived before it, so
  the extension becomes stale if the read differs.
- An event older than the last one about its extension (EventOrder) is not merged. It may have
  fields that the later one had not, so the extension becomes stale.
- An event that may be older than the last read of its extension (ReadTimes, which compares by the
  server's clock) is not merged. If the two differ, the extension becomes stale. It is merged with
  the event of the next number if that is newer: the read then has the same or older values.
- An event that hides or shows a presence makes its extension stale. One that cannot be decoded
  does so, too, or makes everything stale if it names no extension.
- An event about an extension without a record makes its id an unknown id, to be read when its turn
  comes: the extension may be new or have come back, or somebody invents ids.

Reads:
- A rejection removes an extension only if it is about this extension: its own part of a batch, or
  a request for it alone. After any other error its last known state stays, and it is unreadable
  until the next attempt.
- Of two reads at a time, the result that is merged last may be the older one. It is not merged. If
  the two differ, the extension becomes stale.
- An extension that a complete read did not return is stale: it may be gone, or have been missed
  between two pages.
- A scheduled read of everything does not mean that anything was missed. What was current before it
  stays current until there is such a reason, also if the read fails.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime
from itertools import filterfalse
from typing import Any

from ..errors import PresenceError, UsageError
from ..ids import is_id, parse_id
from ..models import (
    ChangeSource,
    GetPresenceInfo,
    PresenceChange,
    PresenceEvent,
    PresenceEventBody,
)
from . import active_calls, event_parsing
from .event_merge import changed_fields, changes_visibility, merge_calls
from .event_order import EventOrder, Order
from .failure_policy import Action, policy_for
from .frozen_records import constructor, replace
from .pending_read import PendingRead, known_calls
from .read_times import ReadTimes
from .record_update import update, update_all
from .server_clock import ResponseTime
from .untracking import untrack

_new_change: Callable[..., PresenceChange] = constructor(PresenceChange)
# Of a whole account, ids that somebody invents must not fill the memory.
MAX_UNKNOWN_IDS = 1000


class PresenceState:
    """The presence of some extensions, or of all in an account.

    Args:
        ids: which; None for all.
        detailed: whether reads and events have active calls.

    Attributes:
        records: the known state, by id.
        errors: why an extension could not be read the last time, by id.
        rejected: the ids among them that RingCentral rejected; they have no record.
        unknown_ids: ids to read because of an event, though there is no record.
        stale: the ids to read again, in order.
        all_stale: whether everything is to be read again.
        unreadable: the ids that could not be read, to be stale again after a while.
        all_unreadable: whether the account could not be read.
    """

    def __init__(self, ids: Iterable[str] | None, *, detailed: bool = False) -> None:
        self.records: dict[str, GetPresenceInfo] = {}
        self.errors: dict[str, PresenceError] = {}
        self.rejected: set[str] = set()
        self.unknown_ids: dict[str, None] = {}
        self.stale: dict[str, None] = {}
        self.all_stale = False
        self.unreadable: dict[str, None] = {}
        self.all_unreadable = False
        self._ids = None if ids is None else frozenset(ids)
        self._detailed = detailed
        self._reads: list[PendingRead] = []
        # The ids that are, were or could not be read only because it was time to.
        self._scheduled: set[str] = set()
        self._order = EventOrder()
        self._times = ReadTimes()

    @property
    def ids(self) -> frozenset[str]:
        """The extensions to follow; empty for all of the account."""
        return self._ids or frozenset()

    @property
    def is_account(self) -> bool:
        """Whether all extensions of the account are followed."""
        return self._ids is None

    @property
    def is_settled(self) -> bool:
        """Whether nothing is to be read, nor being read, except by a scheduled read."""
        is_all_waiting = self.all_stale or self.all_unreadable
        if (is_all_waiting or self._reads) and not self._scheduled:
            return False  # Also while the first read has no record yet.
        waiting = self._waiting()
        if is_all_waiting:
            waiting.append(self.records)
        return all(self._scheduled.issuperset(ids) for ids in waiting)

    @property
    def has_unreadable(self) -> bool:
        """Whether something could not be read."""
        return self.all_unreadable or bool(self.unreadable)

    def includes(self, id_: str) -> bool:
        """Return whether an extension is followed."""
        return is_id(id_) if self._ids is None else id_ in self._ids

    def is_stale(self, id_: str) -> bool:
        """Return whether an extension is to be read, is being read, or has no record.

        A scheduled read does not count.
        """
        return id_ not in self.records or self._is_missed(id_)

    def _is_missed(self, id_: str) -> bool:
        if id_ in self._scheduled:
            return False
        if self.all_stale or self.all_unreadable or id_ in self.stale or id_ in self.unreadable:
            return True
        return self._is_being_read(id_)

    def _is_being_read(self, id_: str) -> bool:
        return any(id_ in read.pending for read in self._reads)

    def missed_ids(self, most: int) -> frozenset[str] | None:
        """Return the ids with a record that `is_stale`; None if there are more than `most`."""
        is_all_waiting = self.all_stale or self.all_unreadable
        if is_all_waiting and not self._scheduled:
            return None
        waiting = self._waiting()
        if is_all_waiting:
            waiting.append(self.records)
        if max(map(len, waiting)) > most + len(self._scheduled):
            return None
        missed = set().union(*map(self._unscheduled, waiting))
        return frozenset(missed) if len(missed) <= most else None

    def mark_stale(self, ids: Collection[str] | None = None) -> None:
        """Request that some extensions are read again because of a doubt; None for all."""
        self._times.forget_doubtful(ids)
        if ids is None:
            self._scheduled.clear()
            self._request_all()
        else:
            self.stale.update(wanted := dict.fromkeys(ids))
            self._scheduled.difference_update(wanted)

    def schedule_read(self) -> None:
        """Request that everything is read again, without a doubt about what is current."""
        ids = self.records if self._ids is None else self._ids
        if self.all_stale or self.all_unreadable:
            self._scheduled.intersection_update(ids)
        else:
            missed = [self._unscheduled(waiting) for waiting in self._waiting()]
            self._scheduled = set(ids).difference(*missed)
        self._request_all()

    def _waiting(self) -> list[Mapping[str, object]]:
        """Return the ids that are to be read, could not be read, or are being read."""
        return [self.stale, self.unreadable, *(read.pending for read in self._reads)]

    def _unscheduled(self, ids: Iterable[str]) -> Iterable[str]:
        return filterfalse(self._scheduled.__contains__, ids)

    def _request_all(self) -> None:
        if self._ids is None:
            self.all_stale = True
        elif self.stale:
            self.stale.update(dict.fromkeys(self._ids))
        else:
            self.stale = dict.fromkeys(self._ids)

    def mark_unreadable(self, ids: Collection[str]) -> None:
        """Record that extensions could not be read."""
        self.unreadable.update(dict.fromkeys(ids))

    def retry_unreadable(self) -> None:
        """Mark stale what could not be read."""
        self.stale.update(self.unreadable)
        self.all_stale = self.all_stale or self.all_unreadable
        self.unreadable.clear()
        self.all_unreadable = False

    def seed(self, records: Mapping[str, GetPresenceInfo]) -> None:
        """Begin with records that somebody else knew; all are stale until they are read."""
        self.records.update((id_, each) for id_, each in records.items() if self.includes(id_))
        self.mark_stale()

    def begin_read(self, ids: Iterable[str] | None = None) -> PendingRead:
        """Begin to read some extensions, or all; those are not stale any more."""
        if ids is None:
            read = PendingRead(True, {**self.records, **self.stale, **self.unreadable})
            self.all_stale = self.all_unreadable = False
            self.stale.clear()
            self.unreadable.clear()
        else:
            read = PendingRead(False, dict.fromkeys(ids))
            for waiting in (self.stale, self.unreadable):
                if waiting.keys() <= read.pending.keys():
                    waiting.clear()
                else:
                    for id_ in read.pending:
                        waiting.pop(id_, None)
        self._reads.append(read)
        return read

    def merge_read(
        self,
        read: PendingRead,
        id_: str,
        result: GetPresenceInfo | PresenceError,
        source: ChangeSource,
        time: datetime,
        *,
        of_request: bool = False,
    ) -> PresenceChange | None:
        """Merge one result of a read; return the change that it makes, if any.

        Args:
            read: the read it belongs to.
            id_: the extension.
            result: the record, or why there is none.
            source: how it was read.
            time: the local time when the response had come.
            of_request: whether the error is that of a request for several extensions.
        """
        read.pending.pop(id_, None)
        self.unknown_ids.pop(id_, None)
        if id_ in read.overtaken:
            if result != self.records.get(id_):
                self.mark_stale([id_])
            return None
        for each in self._reads:
            if each is not read and (each.is_full or id_ in each.pending):
                each.overtaken.add(id_)
                if id_ not in self.records:  # It was not known when a read of all began.
                    each.pending[id_] = None
        if isinstance(result, GetPresenceInfo):
            self.errors.pop(id_, None)
            self.rejected.discard(id_)
            known, new = self.records.get(id_), self._with_events(read, id_, result, time)
            return self._set(id_, update_all(known, new) if known else new, source, time)
        self.errors[id_] = result
        if of_request or policy_for(result).record is not Action.SKIP_ID:
            self.unreadable[id_] = None
            return None
        self.rejected.add(id_)
        if self.is_account and len(self.rejected) > MAX_UNKNOWN_IDS:
            self.errors.pop(self.rejected.pop(), None)
        return self._set(id_, None, source, time)

    def _with_events(
        self, read: PendingRead, id_: str, record: GetPresenceInfo, time: datetime
    ) -> GetPresenceInfo:
        """Return a record that was read, with the fields of events since the read began."""
        old = self.records.get(id_)
        if self._detailed and old is not None:
            record = active_calls.after_read(old, record)
        self._times.record(id_, time)
        if (changed := read.changed.get(id_)) is None:
            return record
        if self._times.was_delayed(read.changed_at.get(id_), time):
            self._mark_stale_if_different(id_, record, changed)
            if old is None:
                return record
        # What was shown stays: a response may take long, and be older even than such an event.
        merged = replace(record, changed)
        calls_differ = self._detailed and active_calls.may_differ(record, merged)
        if calls_differ or id_ in read.uncertain:
            self.mark_stale([id_])
        return merged

    def end_read(self, read: PendingRead, *, complete: bool) -> None:
        """End a read; `complete` is whether it was read to its end."""
        self._reads.remove(read)
        if read.is_full:
            for id_ in read.changed:
                self._add_unknown(id_)
        if complete:
            self.mark_stale(read.pending)
        elif read.is_full:
            self.all_unreadable = True
        else:
            self.mark_unreadable(read.pending)

    def observe_response(self, response: ResponseTime) -> None:
        """Record the server's time in a response, which times are compared by."""
        self._times.clock.observe_response(response)

    def forget_order(self) -> None:
        """Compare the next events with no earlier ones: their numbers may begin anew."""
        self._order.clear()

    def apply(self, event: PresenceEvent, time: datetime) -> PresenceChange | None:
        """Merge an event that arrived at a local time; return the change it makes, if any."""
        body = event.body
        if event.timestamp is not None:
            self._times.clock.observe(event.timestamp, time)
        if isinstance(body, PresenceEventBody) and (id_ := body.extension_id) is not None:
            if self.includes(id_) and self._is_in_order(id_, event.timestamp, body.sequence):
                return self._merge_event(id_, event, body, time)
        elif event_parsing.is_presence_event(event):
            extension_id = body.get("extensionId") if isinstance(body, Mapping) else None
            self._mark_undecoded(extension_id, event.timestamp)
        return None

    def _mark_undecoded(self, extension_id: object, timestamp: datetime | None) -> None:
        """Mark stale the extension whose event could not be decoded; all if that is unknown."""
        try:
            id_ = parse_id(extension_id, "extensionId")
        except UsageError:
            self.mark_stale()
        else:
            if self.includes(id_):
                self._is_in_order(id_, timestamp, None)  # An earlier one may still arrive.
                self.mark_stale([id_])

    def _is_in_order(self, id_: str, timestamp: datetime | None, sequence: int | None) -> bool:
        capacity = MAX_UNKNOWN_IDS + 2 * len(self.records)
        order = self._order.record(id_, sequence, timestamp, capacity=capacity)
        if order is not Order.IN_ORDER:
            self.mark_stale([id_])
        return order is not Order.OLDER

    def _merge_event(
        self, id_: str, event: PresenceEvent, body: PresenceEventBody, time: datetime
    ) -> PresenceChange | None:
        known, timestamp = self.records.get(id_), event.timestamp
        fields = changed_fields(known, body)
        is_uncertain = changes_visibility(known, fields)
        if self._detailed:
            is_uncertain |= merge_calls(fields, known, known_calls(id_, known, self._reads), body)
        if known is not None and self._times.may_include(id_, timestamp, body.sequence, time):
            doubtful = body.sequence, self._times.pop_doubtful(id_, body.sequence) | fields
            if self._is_being_read(id_):
                self.mark_stale([id_])
            else:
                self._mark_stale_if_different(id_, known, fields)
            self._times.doubtful[id_] = doubtful
            return None
        fields = self._times.pop_doubtful(id_, body.sequence) | fields
        is_kept = True
        for read in self._reads:
            is_kept &= read.record_event(id_, fields, timestamp, is_uncertain=is_uncertain)
        if known is None:
            if not any(read.is_full for read in self._reads):
                self._add_unknown(id_)
            return None
        if is_uncertain or not is_kept:
            self.mark_stale([id_])
        return self._set(id_, update(known, fields), ChangeSource.EVENT, timestamp or time)

    def _add_unknown(self, id_: str) -> None:
        if id_ not in self.records and len(self.unknown_ids) < MAX_UNKNOWN_IDS:
            self.unknown_ids[id_] = None

    def _mark_stale_if_different(
        self, id_: str, record: GetPresenceInfo, fields: Mapping[str, Any]
    ) -> None:
        """Mark an extension stale if an event that was not merged differs from its record."""
        if any(getattr(record, name) != value for name, value in fields.items()):
            self.mark_stale([id_])

    def _set(
        self, id_: str, new: GetPresenceInfo | None, source: ChangeSource, time: datetime
    ) -> PresenceChange | None:
        """Set the record of an extension, or remove it; return the change unless it is the same."""
        old = self.records.get(id_)
        if new is old:
            return None
        if new is None:
            del self.records[id_]
        else:
            untrack(new)
            self.records[id_] = new
        return _new_change(id_, old, new, source, time, None)
