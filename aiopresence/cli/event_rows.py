"""How presence changes and events are presented, and the short names of event filters."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import attrs

from .columns import Column
from .conversion import camel, plain, text_of
from .output import Layout, one_row
from .usage import InvalidArgument

if TYPE_CHECKING:
    from .. import PresenceChange, PresenceEvent, Resync

# Fields of an event's body that are not shown: the id has its own column, the others are internal.
_OMITTED = ("uri", "extension_id", "owner_id", "sequence")
# The fields that are shown when an extension is read for the first time.
_INITIAL = ("presence_status", "telephony_status", "user_status", "dnd_status", "message")


def event_filter(name: str, detailed: bool) -> str:
    """Return RingCentral's event filter for a short name; a path is returned as it is.

    Raises:
        InvalidArgument: it is neither.
        UsageError: the id is invalid.
    """
    from .. import filters

    kind, _, id_ = name.partition(":")
    if name.startswith("/restapi/"):
        return name
    if name == "account":
        return filters.account_presence(detailed=detailed)
    if kind == "extension" and id_:
        return filters.extension_presence(id_, detailed=detailed)
    if kind == "dnd" and id_:
        return filters.extension_dnd(id_)
    if kind == "queue" and id_:
        return filters.call_queue_presence(id_)
    raise InvalidArgument(
        f"unknown filter {name!r}: use account, extension:ID, dnd:ID, queue:ID, or a path that"
        " starts with /restapi/"
    )


def _change_document(change: "PresenceChange") -> dict[str, Any]:
    """Return the JSON of a change; unknown presence is null."""
    return {
        "id": change.id,
        "old": plain(change.old),
        "new": plain(change.new),
        "source": change.source.value,
        "time": change.time.isoformat(),
    }


def _change_cells(change: "PresenceChange") -> list[Any]:
    number = _number(change)
    return [clock_time(change.time), change.source, change.id, number, _difference(change)]


def _number(change: "PresenceChange") -> str | None:
    known = change.new or change.old
    extension = known.extension if known else None
    return extension.extension_number if extension else None


def _difference(change: "PresenceChange") -> str:
    """Return the fields that changed, with both values."""
    if change.new is None:
        return "removed"
    if change.old is None:
        return _fields(change.new, _INITIAL)
    old, new = change.old, change.new
    names = [f.name for f in attrs.fields(type(new))]
    different = [name for name in names if getattr(old, name) != getattr(new, name)]
    return ", ".join(
        f"{camel(name)} {_short(getattr(old, name))} → {_short(getattr(new, name))}"
        for name in different
    )


def _fields(record: Any, names: Sequence[str]) -> str:
    """Return those of the named fields that are set, with their values."""
    values = [(name, getattr(record, name)) for name in names]
    return ", ".join(
        f"{camel(name)} {_short(value)}" for name, value in values if value is not None
    )


def _short(value: Any) -> str:
    if isinstance(value, tuple):
        return str(len(value))
    return "-" if value is None else text_of(value)


def clock_time(time: datetime | None) -> str:
    """Return a time as hours, minutes and seconds of the local time zone."""
    return "-" if time is None else f"{time.astimezone():%H:%M:%S}"


def _event_document(event: "PresenceEvent | Resync") -> dict[str, Any]:
    from .. import Resync

    if isinstance(event, Resync):
        return {"resync": plain(event)}
    document: dict[str, Any] = plain(event)
    return document


def _event_cells(event: "PresenceEvent | Resync") -> list[Any]:
    from .. import Resync

    if isinstance(event, Resync):
        since = f" since {clock_time(event.since)}" if event.since else ""
        missed = f", {event.missed:,} missed" if event.missed else ""
        reason = f"{event.reason}{since}{missed}: events may be missing, read presence again"
        return [clock_time(None), "Resync", None, reason]
    body = event.body
    id_ = getattr(body, "extension_id", None)
    kind = type(body)
    names = [f.name for f in attrs.fields(kind)] if attrs.has(kind) else []
    shown = _fields(body, [n for n in names if n not in _OMITTED]) if names else plain(body)
    return [clock_time(event.timestamp), _event_name(event), id_, shown]


def _event_name(event: "PresenceEvent") -> str:
    """Return the path of an event without the account, which is the same for all events."""
    path = (event.event or "").partition("?")[0]
    return path.partition("/account/")[2].partition("/")[2]


def change_layout() -> Layout:
    """Return the layout of changes: a sentence in tables, the new state by fields in CSV."""
    columns = {
        "time": Column(8),
        "source": Column(7),
        "id": Column(12),
        "extensionNumber": Column(6, heading="number"),
        "change": Column(0),
    }
    return Layout(columns, one_row(_change_cells), _change_document, csv=_change_csv())


def _change_csv() -> Layout:
    from .. import GetPresenceInfo

    names = [f.name for f in attrs.fields(GetPresenceInfo) if f.name not in ("uri", "extension")]
    first = ("time", "source", "id", "extensionNumber", "change")

    def cells(change: "PresenceChange") -> list[Any]:
        kind = "removed" if change.new is None else "added" if change.old is None else "changed"
        values = [getattr(change.new, name, None) for name in names]
        return [change.time, change.source, change.id, _number(change), kind, *values]

    return Layout(_csv_columns(*first, *map(camel, names)), one_row(cells))


def event_layout() -> Layout:
    """Return the layout of events: a sentence in tables, a column for each field in CSV."""
    columns = {"time": Column(8), "event": Column(24), "id": Column(12), "body": Column(0)}
    return Layout(columns, one_row(_event_cells), _event_document, csv=_event_csv())


def _event_csv() -> Layout:
    from .. import (
        CallQueueMemberEventBody,
        CallQueuePresence,
        PresenceEventBody,
        PresenceLineEventBody,
        Resync,
    )

    bodies = (PresenceEventBody, PresenceLineEventBody, CallQueuePresence, CallQueueMemberEventBody)
    fields = [f.name for kind in (*bodies, Resync) for f in attrs.fields(kind)]
    names = [camel(name) for name in fields if name not in _OMITTED]
    columns = _csv_columns("time", "event", "id", *names, "body")

    def cells(event: "PresenceEvent | Resync") -> list[Any]:
        if isinstance(event, Resync):
            values = {"event": "Resync", **plain(event)}
        else:
            body = event.body
            known = plain(body) if isinstance(body, bodies) else {"body": body}
            id_ = getattr(body, "extension_id", None)
            values = {**known, "time": event.timestamp, "event": _event_name(event), "id": id_}
        return [values.get(name) for name in columns]

    return Layout(columns, one_row(cells))


def _csv_columns(*names: str) -> dict[str, Column]:
    return {name: Column(0) for name in names}
