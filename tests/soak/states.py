"""States of extensions that are numbered, so that each record shows its age."""

from typing import Any

from aiopresence import GetPresenceInfo, PresenceEventBody

_USER = ("Available", "Busy", "Offline")
_DND = ("TakeAllCalls", "DoNotAcceptAnyCalls")


def fields(number: int) -> dict[str, Any]:
    """Return the fields of a state, as `Sandbox.set_presence` takes them."""
    return {**statuses(number), "message": str(number), "active_calls": [_call(number)]}


def statuses(number: int) -> dict[str, Any]:
    """Return the statuses of a state; those of the next six states differ."""
    return {
        "user_status": _USER[number % 3],
        "dnd_status": _DND[number % 2],
        "ring_on_monitored_call": number % 4 < 2,
        "pick_up_calls_on_hold": number % 8 < 4,
    }


def _call(number: int) -> dict[str, Any]:
    return {
        "id": f"call-{number}",
        "direction": "Inbound",
        "from": "+16505550100",
        "to": "101",
        "telephonyStatus": ("Ringing", "CallConnected")[number % 2],
        "sessionId": str(number),
        "telephonySessionId": f"s-{number}",
    }


def number_of_read(record: GetPresenceInfo) -> int | None:
    """Return the number of a record that was read; None if its fields are of different states."""
    if not record.message or not record.message.isdigit():
        return None
    number = int(record.message)
    if record.active_calls and number != number_of_calls(record):
        return None
    return number if has_statuses(record, number) else None


def number_of_calls(record: GetPresenceInfo | PresenceEventBody) -> int | None:
    """Return the number that the active call shows; None without one."""
    session = record.active_calls[0].session_id if record.active_calls else None
    return int(session) if session and session.isdigit() else None


def has_statuses(record: GetPresenceInfo, number: int) -> bool:
    """Return whether a record has the statuses of a state."""
    return all(getattr(record, name) == value for name, value in statuses(number).items())
