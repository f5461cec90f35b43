"""Presence changes and events as lines for people: the time, who, and what is different.

`14:03:12  Zoë Torres (101)  available → on call`
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any

import attrs

from .columns import STATUS_STYLES
from .conversion import camel, cell, plain, text_of
from .output import Part
from .rows import call_text

if TYPE_CHECKING:
    from .. import Availability, Directory, GetPresenceInfo, PresenceChange, PresenceEvent, Resync

# Fields of an event's body that are not shown: the id has its own place, the others are internal.
OMITTED = ("uri", "extension_id", "owner_id", "sequence")
# The fields that the availability is derived from: it is shown in place of them.
_COMBINED = (
    *("presence_status", "user_status", "dnd_status", "dnd_status_personal", "meeting_status"),
    *("telephony_status", "cx_telephony_status", "aggregated_telephony_status"),
)
# The latest call is shown in place of them.
_CALLS = ("active_calls", "total_active_calls")


def change_lines(names: "Directory | None") -> "Callable[[PresenceChange], Sequence[Part]]":
    """Return a function that describes changes.

    Args:
        names: names and numbers by id; None shows ids.
    """

    def line(change: "PresenceChange") -> Sequence[Part]:
        known = change.new or change.old
        number = known and known.extension and known.extension.extension_number
        who = _who(change.id, number or None, names)
        return _line(change.time, who, _change_parts(change.old, change.new))

    return line


def event_lines(names: "Directory | None") -> "Callable[[PresenceEvent | Resync], Sequence[Part]]":
    """Return a function that describes events, and keeps the last availability of each extension.

    Args:
        names: names and numbers by id; None shows ids.
    """
    from .. import Availability, PresenceEventBody, Resync

    latest: dict[str | None, Availability] = {}

    def line(event: "PresenceEvent | Resync") -> Sequence[Part]:
        if isinstance(event, Resync):
            return _line(None, "Resync", [(_resync_text(event), "yellow")])
        body, name = event.body, event_name(event)
        id_ = getattr(body, "extension_id", None)
        who = _who(id_, None, names) if id_ else name
        if isinstance(body, PresenceEventBody) and body.availability is not Availability.UNKNOWN:
            old, latest[id_] = latest.get(id_), body.availability
            call = call_text(body.active_calls)
            what = _together(_transition(old, body.availability), [call] if call else [])
        else:
            text = _body_text(body)
            what = [(cell(f"{name}: {text}" if id_ else text), "")]
        return _line(event.timestamp, who, what)

    return line


def event_name(event: "PresenceEvent") -> str:
    """Return the path of an event without the account, which is the same for all events."""
    path = (event.event or "").partition("?")[0]
    return path.partition("/account/")[2].partition("/")[2]


def _line(time: datetime | None, who: str, what: Sequence[Part]) -> list[Part]:
    clock = "--:--:--" if time is None else _clock_time(time)
    return [(clock, "dim"), ("  ", ""), (cell(who), "bold"), ("  ", ""), *what]


def _clock_time(time: datetime) -> str:
    """Return a time as hours, minutes and seconds: of the local time zone, if that has it."""
    with suppress(OverflowError):  # The year would be 0 or 10000 there.
        time = time.astimezone()
    return f"{time:%H:%M:%S}"


def _who(id_: str, number: str | None, names: "Directory | None") -> str:
    """Return a name and number as far as they are known; the id if names are not shown."""
    if names is None:
        return id_
    entry = names.get(id_)
    number = number or (entry.extension_number if entry else None)
    name = entry.name if entry else None
    return f"{name} ({number})" if name and number else name or number or id_


def _change_parts(old: "GetPresenceInfo | None", new: "GetPresenceInfo | None") -> list[Part]:
    if new is None:
        return [("removed", "")]
    before = None if old is None else old.availability
    has_changed = before is not new.availability
    transition = _transition(before, new.availability) if has_changed else []
    if old is None:
        details = [f"message {new.message}"] if new.message else []
    else:
        hidden = (*_CALLS, *_COMBINED) if has_changed else _CALLS
        details = [*_differences(old, new, hidden)]
    if old is None or old.active_calls != new.active_calls:
        details += [call] if (call := call_text(new.active_calls)) else []
    return _together(transition, details) or [("calls changed", "")]


def _differences(old: Any, new: Any, hidden: Sequence[str]) -> Iterator[str]:
    for name in (f.name for f in attrs.fields(type(new)) if f.name not in hidden):
        before, after = getattr(old, name), getattr(new, name)
        if before != after:
            yield f"{camel(name)} {_short(before)} → {_short(after)}"


def _together(transition: list[Part], details: Sequence[str]) -> list[Part]:
    gap: list[Part] = [(", ", "")] if transition and details else []
    return [*transition, *gap, *([(cell(", ".join(details)), "")] if details else [])]


def _transition(old: "Availability | None", new: "Availability") -> list[Part]:
    parts: list[Part] = []
    if old is not None and old is not new:
        parts = [(old.label, STATUS_STYLES.get(old.label, "")), (" → ", "")]
    return [*parts, (new.label, STATUS_STYLES.get(new.label, ""))]


def _body_text(body: Any) -> str:
    if not attrs.has(type(body)):
        return text_of(plain(body))
    values = [(f.name, getattr(body, f.name)) for f in attrs.fields(type(body))]
    return ", ".join(
        f"{camel(name)} {_short(value)}"
        for name, value in values
        if value is not None and name not in OMITTED
    )


def _short(value: Any) -> str:
    if isinstance(value, tuple):
        return str(len(value))
    return "-" if value is None else text_of(value)


def _resync_text(resync: "Resync") -> str:
    since = f" since {_clock_time(resync.since)}" if resync.since else ""
    missed = f", {resync.missed:,} missed" if resync.missed else ""
    return f"{cell(resync.reason)}{since}{missed}: events may be missing, read presence again"
