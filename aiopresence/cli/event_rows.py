"""How a change and an event are written, and how the filters of events are called."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import attrs
import typer

from .output import camel, plain, text_of

if TYPE_CHECKING:
    from .. import PresenceChange, PresenceEvent, Resync

# Who it is stands in a column of its own, and these are for machines.
_UNSAID = ("uri", "extension_id", "owner_id", "sequence")
# What is told of an extension that was read for the first time.
_FIRST = ("presence_status", "telephony_status", "user_status", "dnd_status", "message")
CHANGE = {"time": 8, "source": 7, "id": 12, "extensionNumber": 15, "change": 0}
EVENT = {"time": 8, "event": 24, "id": 12, "body": 0}


def event_filter(name: str, detailed: bool) -> str:
    """Give RingCentral's filter for a short name; its own it gives back.

    Raises:
        BadParameter: it is neither.
        UsageError: the id is none.
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
    raise typer.BadParameter(
        f"{name!r} is no filter: account, extension:ID, dnd:ID, queue:ID, or a path from /restapi/"
    )


def change_document(change: "PresenceChange") -> dict[str, Any]:
    """Give the JSON of a change; what was not known is null."""
    return {
        "id": change.id,
        "old": plain(change.old),
        "new": plain(change.new),
        "source": change.source.value,
        "time": change.time.isoformat(),
    }


def change_row(change: "PresenceChange") -> list[Any]:
    """Give the cells of a change."""
    known = change.new or change.old
    number = known and known.extension and known.extension.extension_number
    return [clock(change.time), change.source, change.id, number, _difference(change)]


def _difference(change: "PresenceChange") -> str:
    """Tell what has changed, by RingCentral's names."""
    if change.new is None:
        return "gone"
    if change.old is None:
        return _fields(change.new, _FIRST)
    old, new = change.old, change.new
    names = [f.name for f in attrs.fields(type(new))]
    different = [name for name in names if getattr(old, name) != getattr(new, name)]
    return ", ".join(
        f"{camel(name)} {_short(getattr(old, name))} → {_short(getattr(new, name))}"
        for name in different
    )


def _fields(record: Any, names: Sequence[str]) -> str:
    """Tell those of the fields of a record that RingCentral said something in."""
    said = [(name, getattr(record, name)) for name in names]
    return ", ".join(f"{camel(name)} {_short(value)}" for name, value in said if value is not None)


def _short(value: Any) -> str:
    if isinstance(value, tuple):
        return str(len(value))
    return "-" if value is None else text_of(value)


def clock(time: datetime | None) -> str:
    """Write a moment as the clock on the wall tells it."""
    return "-" if time is None else f"{time.astimezone():%H:%M:%S}"


def event_document(event: "PresenceEvent | Resync") -> dict[str, Any]:
    """Give the JSON of an event."""
    from .. import Resync

    if isinstance(event, Resync):
        return {"resync": plain(event)}
    document: dict[str, Any] = plain(event)
    return document


def event_row(event: "PresenceEvent | Resync") -> list[Any]:
    """Give the cells of an event."""
    from .. import Resync

    if isinstance(event, Resync):
        since = f" since {clock(event.since)}" if event.since else ""
        missed = f", {event.missed:,} missed" if event.missed else ""
        return [clock(None), "Resync", None, f"{event.reason}{since}{missed}: read anew"]
    body = event.body
    who = getattr(body, "extension_id", None)
    kind = type(body)
    names = [f.name for f in attrs.fields(kind)] if attrs.has(kind) else []
    said = _fields(body, [n for n in names if n not in _UNSAID]) if names else plain(body)
    # Which account it is goes without saying.
    path = (event.event or "").partition("?")[0]
    return [clock(event.timestamp), path.partition("/account/")[2].partition("/")[2], who, said]
