"""How presence changes and events are presented."""

from typing import TYPE_CHECKING, Any

import attrs

from .columns import Column
from .conversion import camel, plain
from .event_lines import OMITTED, change_lines, event_lines, event_name
from .output import Layout, one_row

if TYPE_CHECKING:
    from .. import Directory, PresenceChange, PresenceEvent, Resync


def _change_document(change: "PresenceChange") -> dict[str, Any]:
    """Return the JSON of a change; unknown presence is null."""
    return {
        "id": change.id,
        "old": plain(change.old),
        "new": plain(change.new),
        "source": change.source.value,
        "time": change.time.isoformat(),
    }


def _number(change: "PresenceChange") -> str | None:
    known = change.new or change.old
    extension = known.extension if known else None
    return extension.extension_number if extension else None


def _event_document(event: "PresenceEvent | Resync") -> dict[str, Any]:
    from .. import Resync

    if isinstance(event, Resync):
        return {"resync": plain(event)}
    document: dict[str, Any] = plain(event)
    return document


def change_layout(names: "Directory | None" = None) -> Layout:
    """Return the layout of changes: lines for people, and the new state by fields in CSV."""
    from .. import GetPresenceInfo

    fields = [f.name for f in attrs.fields(GetPresenceInfo) if f.name not in ("uri", "extension")]
    first = ("time", "source", "id", "extensionNumber", "change")

    def cells(change: "PresenceChange") -> list[Any]:
        kind = "removed" if change.new is None else "added" if change.old is None else "changed"
        values = [getattr(change.new, name, None) for name in fields]
        return [change.time, change.source, change.id, _number(change), kind, *values]

    columns = _csv_columns(*first, *map(camel, fields))
    return Layout(columns, one_row(cells), _change_document, line=change_lines(names))


def event_layout(names: "Directory | None" = None) -> Layout:
    """Return the layout of events: lines for people, and a column for each field in CSV."""
    from .. import (
        CallQueueMemberEventBody,
        CallQueuePresence,
        PresenceEventBody,
        PresenceLineEventBody,
        Resync,
    )

    bodies = (PresenceEventBody, PresenceLineEventBody, CallQueuePresence, CallQueueMemberEventBody)
    fields = [f.name for kind in (*bodies, Resync) for f in attrs.fields(kind)]
    in_body = [camel(name) for name in fields if name not in OMITTED]
    columns = _csv_columns("time", "event", "id", *in_body, "body")

    def cells(event: "PresenceEvent | Resync") -> list[Any]:
        if isinstance(event, Resync):
            values = {"event": "Resync", **plain(event)}
        else:
            body = event.body
            known = plain(body) if isinstance(body, bodies) else {"body": body}
            id_ = getattr(body, "extension_id", None)
            values = {**known, "time": event.timestamp, "event": event_name(event), "id": id_}
        return [values.get(name) for name in columns]

    return Layout(columns, one_row(cells), _event_document, line=event_lines(names))


def _csv_columns(*names: str) -> dict[str, Column]:
    return {name: Column(0) for name in names}
