"""Which presence fields can be set, and to what; shared by the calls and by `set_presence`."""

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
_LONGEST_MESSAGE = 75  # characters; RingCentral's limit

NAMES = (*_WORDS, *_FLAGS, "message", "active_calls")
# What PUT …/presence takes; the rest is computed from calls and meetings, or set elsewhere.
WRITABLE = (
    "user_status",
    "dnd_status",
    "dnd_status_personal",
    "caller_id_visibility",
    "message",
    *_FLAGS,
)


def wire_name(name: str) -> str:
    """Turn `user_status` into `userStatus`."""
    return re.sub(r"_(.)", lambda match: match[1].upper(), name)


def objection(name: str, value: object) -> str | None:
    """Say what a value should have been, or None when it is fine.

    Args:
        name: one of NAMES.
        value: what somebody wants to set it to.
    """
    if name in _WORDS:
        fine = isinstance(value, str) and value in _WORDS[name]
        return None if fine else f"one of {', '.join(_WORDS[name])}"
    if name in _FLAGS:
        return None if isinstance(value, bool) else "true or false"
    if name == "message":
        fine = (
            isinstance(value, str)
            and len(value) <= _LONGEST_MESSAGE
            and argument_checks.is_encodable(value)
        )
        return None if fine else f"text of at most {_LONGEST_MESSAGE} characters"
    return _objection_to_calls(value)


def _objection_to_calls(calls: object) -> str | None:
    fine = isinstance(calls, list) and all(
        isinstance(call, dict) and call.get("telephonyStatus") in TELEPHONY and _is_json(call)
        for call in calls
    )
    return None if fine else "a list of calls as JSON objects, each with a telephonyStatus"


def _is_json(value: object) -> bool:
    try:
        parse_json(json.dumps(value))
    except (TypeError, ValueError, RecursionError):
        return False
    return True


def store(extension: Extension, changes: Mapping[str, Any]) -> None:
    """Store checked values. dndStatus goes first, so that its two halves may refine it.

    Args:
        extension: whose presence it is.
        changes: names and values without an objection; telephony_status is not among them,
            as it follows from the calls.
    """
    rest = dict(changes)
    if (dnd := rest.pop("dnd_status", None)) is not None:
        extension.dnd_status_personal, extension.accept_call_queue_calls = _DND[dnd]
    if (calls := rest.pop("active_calls", None)) is not None:
        extension.active_calls = [dict(call) for call in calls][-active_calls.MOST :]
    for name, value in rest.items():
        setattr(extension, name, value)
