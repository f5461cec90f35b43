"""The presence fields that can be set, and their values, for endpoints and `set_presence`."""

import json
import re
from collections.abc import Mapping
from typing import Any

from . import active_calls, argument_checks
from .account import Extension
from .request_body import parse_json

TELEPHONY = ("NoCall", "CallConnected", "Ringing", "OnHold", "ParkedCall")
_DND = {  # dndStatus: (dndStatusPersonal, acceptCallQueueCalls)
    "TakeAllCalls": ("TakeAllCalls", True),
    "DoNotAcceptAnyCalls": ("DoNotAcceptAnyCalls", False),
    "DoNotAcceptDepartmentCalls": ("TakeAllCalls", False),
    "TakeDepartmentCallsOnly": ("DoNotAcceptAnyCalls", True),
}
_WORDS = {
    "user_status": ("Available", "Busy", "Offline"),
    "dnd_status": tuple(_DND),
    "dnd_status_personal": ("TakeAllCalls", "DoNotAcceptAnyCalls"),
    "caller_id_visibility": ("All", "None", "PermittedUsers"),
    "meeting_status": ("Connected", "Disconnected"),
    "telephony_status": TELEPHONY,
    "glip_availability": ("Available", "DND"),
    "glip_visibility": ("Visible", "Invisible"),
}
_FLAGS = (
    "allow_see_my_presence",
    "ring_on_monitored_call",
    "pick_up_calls_on_hold",
    "accept_call_queue_calls",
)
_MAX_MESSAGE = 75  # characters; RingCentral's limit

NAMES = (*_WORDS, *_FLAGS, "message", "active_calls")
# The fields of PUT …/presence; the others are computed from calls and meetings, or set elsewhere.
WRITABLE = (
    "user_status",
    "dnd_status",
    "dnd_status_personal",
    "caller_id_visibility",
    "message",
    *_FLAGS,
)


def wire_name(name: str) -> str:
    """Return the JSON name of a field: `userStatus` for `user_status`."""
    return re.sub(r"_(.)", lambda match: match[1].upper(), name)


def problem(name: str, value: object) -> str | None:
    """Return what the value of a field must be; None for a valid one.

    Args:
        name: one of NAMES.
        value: the value.
    """
    if name in _WORDS:
        valid = isinstance(value, str) and value in _WORDS[name]
        return None if valid else f"one of {', '.join(_WORDS[name])}"
    if name in _FLAGS:
        return None if isinstance(value, bool) else "true or false"
    if name == "message":
        valid = (
            isinstance(value, str)
            and len(value) <= _MAX_MESSAGE
            and argument_checks.is_encodable(value)
        )
        return None if valid else f"text of at most {_MAX_MESSAGE} characters"
    return _problem_of_calls(value)


def _problem_of_calls(calls: object) -> str | None:
    valid = isinstance(calls, list) and all(
        isinstance(call, dict) and call.get("telephonyStatus") in TELEPHONY and _is_json(call)
        for call in calls
    )
    return None if valid else "a list of calls as JSON objects, each with a valid telephonyStatus"


def _is_json(value: object) -> bool:
    try:
        parse_json(json.dumps(value))
    except (TypeError, ValueError, RecursionError):
        return False
    return True


def store(extension: Extension, changes: Mapping[str, Any]) -> None:
    """Store valid values; dnd_status first, because it sets two of the other fields.

    Args:
        extension: the extension.
        changes: valid names and values, without telephony_status, which calls determine.
    """
    rest = dict(changes)
    if (dnd := rest.pop("dnd_status", None)) is not None:
        extension.dnd_status_personal, extension.accept_call_queue_calls = _DND[dnd]
    if (calls := rest.pop("active_calls", None)) is not None:
        extension.active_calls = [dict(call) for call in calls][-active_calls.MAX_CALLS :]
    for name, value in rest.items():
        setattr(extension, name, value)
