"""How the presence of extensions is presented in tables, CSV and JSON."""

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from .columns import Column
from .conversion import plain
from .output import Layout, one_row

if TYPE_CHECKING:
    from .. import (
        ActiveCallInfo,
        Directory,
        DirectoryEntry,
        GetPresenceInfo,
        Outcome,
        UnifiedPresence,
    )

_COLUMNS = {
    "id": Column(12),
    "extensionNumber": Column(6, heading="number"),
    "presenceStatus": Column(9, heading="presence"),
    "telephonyStatus": Column(13, heading="telephony"),
    "userStatus": Column(9, drop=4, heading="user"),
    "dndStatus": Column(26, least=19, drop=1, heading="dnd"),
    "message": Column(30, least=12, drop=3),
    "name": Column(24, least=14),
    "availability": Column(14),
    "dnd": Column(11, drop=1),
    "activeCalls": Column(44, least=12, drop=2, heading="calls"),
    "call": Column(24, least=14, drop=2),
    "error": Column(0),
}
_PRESENCE = (
    *("id", "extensionNumber", "presenceStatus", "telephonyStatus"),
    *("userStatus", "dndStatus", "message"),
)
_FOR_PEOPLE = ("id", "extensionNumber", "availability", "dnd", "message")
_DND = {
    "TakeAllCalls": "",
    "DoNotAcceptAnyCalls": "DND",
    "DoNotAcceptDepartmentCalls": "no queues",
    "TakeDepartmentCallsOnly": "queues only",
}
_UNIFIED = {
    "id": Column(12),
    "status": Column(9),
    "glipStatus": Column(7, heading="glip"),
    "glipAvailability": Column(9, heading="messages"),
    "glipVisibility": Column(9, drop=3, heading="glip-seen"),
    "telephonyStatus": Column(13, heading="telephony"),
    "telephonyAvailability": Column(21, least=15, heading="calls"),
    "telephonyVisibility": Column(9, drop=4, heading="tel-seen"),
    "meetingStatus": Column(9, drop=2, heading="meeting"),
    "error": Column(0),
    "availability": Column(14, drop=5),
}


def presence_layout(
    names: "Directory | None" = None, detailed: bool = False, *, for_people: bool = False
) -> Layout:
    """Return the layout of outcomes with presence.

    Args:
        names: names by id, for a column with them; None for no such column.
        detailed: whether there is a column with the active calls.
        for_people: whether names replace ids, and the availability the fields that it is made of.
    """
    shown = [*_FOR_PEOPLE] if for_people else [*_PRESENCE]
    if names is not None:
        shown.insert(2, "name")
        if for_people:
            shown.remove("id")
    if detailed:
        shown.append("call" if for_people else "activeCalls")
    shown += ["error"] if for_people else ["error", "availability"]
    columns = {name: _COLUMNS[name] for name in shown}

    def cells(outcome: "Outcome[GetPresenceInfo]") -> list[Any]:
        entry = _entry(names, outcome)
        name = (entry and entry.name) or (outcome.id if for_people else None)
        number = entry and entry.extension_number
        values = {"id": outcome.id, "extensionNumber": number, "name": name, "error": outcome.error}
        if outcome.value is not None:
            values |= _presence_cells(outcome.value)
            values["availability"] = _availability(outcome.value, for_people)
        return [values.get(name) for name in columns]

    return Layout(columns, one_row(cells), partial(_presence_document, names))


def _availability(presence: "GetPresenceInfo", for_people: bool) -> str:
    """Return the availability in the words for people, or in the one that --filter takes."""
    return presence.availability.label if for_people else presence.availability.value


def _presence_cells(presence: "GetPresenceInfo") -> dict[str, Any]:
    return {
        "extensionNumber": presence.extension and presence.extension.extension_number,
        "presenceStatus": presence.presence_status,
        "telephonyStatus": presence.effective_telephony_status,
        "userStatus": presence.user_status,
        "dndStatus": presence.effective_dnd_status,
        "dnd": dnd_text(presence),
        "message": presence.message,
        "call": call_text(presence.active_calls),
        "activeCalls": "; ".join(_call(call) for call in presence.active_calls or ()),
    }


def dnd_text(presence: "GetPresenceInfo") -> str:
    """Return which calls are refused; empty for none."""
    status = presence.effective_dnd_status or ""
    return _DND.get(status, status)


def call_text(calls: "Sequence[ActiveCallInfo] | None") -> str:
    """Return the other party of the latest of some calls that has not ended; empty for none."""
    call = next((each for each in calls or () if each.telephony_status != "NoCall"), None)
    if call is None:
        return ""
    if call.direction == "Outbound":
        return f"to {call.to_name or call.to or '?'}"
    return f"from {call.from_name or call.from_ or '?'}"


def _call(call: "ActiveCallInfo") -> str:
    other = call.to if call.direction == "Outbound" else call.from_
    return " ".join(str(plain(each)) for each in (call.telephony_status, call.direction, other))


def _presence_document(
    names: "Directory | None", outcome: "Outcome[GetPresenceInfo]"
) -> dict[str, Any]:
    document = _outcome_document("presence", outcome)
    entry = _entry(names, outcome)
    if entry is None or entry.name is None:
        return document
    return {"id": document.pop("id"), "name": entry.name, **document}


def _entry(
    names: "Directory | None", outcome: "Outcome[GetPresenceInfo]"
) -> "DirectoryEntry | None":
    if names is None:
        return None
    extension = outcome.value and outcome.value.extension
    return names.get((extension and extension.id) or outcome.id)


def _unified_cells(outcome: "Outcome[UnifiedPresence]") -> list[Any]:
    value = outcome.value
    if value is None:
        return [outcome.id, *[None] * (len(_UNIFIED) - 3), outcome.error, None]
    glip, phone, meeting = value.glip, value.telephony, value.meeting
    return [
        *(outcome.id, value.status),
        *(glip and glip.status, glip and glip.availability, glip and glip.visibility),
        *(phone and phone.status, phone and phone.availability, phone and phone.visibility),
        *(meeting and meeting.status, None, value.availability.value),
    ]


def _outcome_document(key: str, outcome: "Outcome[Any]") -> dict[str, Any]:
    """Return the JSON of an outcome: its id, and its value under a key or its error."""
    if outcome.value is not None:
        availability = outcome.value.availability.value
        return {"id": outcome.id, key: plain(outcome.value), "availability": availability}
    error = outcome.error
    fields = {
        "type": type(error).__name__,
        "httpStatus": getattr(error, "http_status", None),
        "errorCode": getattr(error, "error_code", None),
        "message": str(error),
    }
    return {
        "id": outcome.id,
        "error": {name: value for name, value in fields.items() if value is not None},
    }


UNIFIED_LAYOUT = Layout(
    _UNIFIED, one_row(_unified_cells), partial(_outcome_document, "unifiedPresence")
)
