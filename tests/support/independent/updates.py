"""The rules for writes. Each function changes the account, or raises and changes nothing."""

import json
from collections.abc import Callable, Mapping

from tests.support.independent.account import Account, Extension, Json
from tests.support.independent.errors import ApiFailure, invalid, not_found

_Check = Callable[[object], bool]


def _one_of(*values: str) -> _Check:
    return lambda value: value in values


def _is_bool(value: object) -> bool:
    return isinstance(value, bool)


def _is_message(value: object) -> bool:
    return isinstance(value, str) and len(value) <= 75


_DND = ("TakeAllCalls", "DoNotAcceptAnyCalls", "DoNotAcceptDepartmentCalls", "Unknown")
_PRESENCE: Mapping[str, _Check] = {
    "userStatus": _one_of("Offline", "Busy", "Available"),
    "dndStatus": _one_of(*_DND),
    "dndStatusPersonal": _one_of("TakeAllCalls", "DoNotAcceptAnyCalls", "Unknown"),
    "message": _is_message,
    "allowSeeMyPresence": _is_bool,
    "ringOnMonitoredCall": _is_bool,
    "pickUpCallsOnHold": _is_bool,
    "callerIdVisibility": _one_of("All", "None", "PermittedUsers"),
    "acceptCallQueueCalls": _is_bool,
}
_UNIFIED: Mapping[tuple[str, str], _Check] = {
    ("glip", "visibility"): _one_of("Visible", "Invisible"),
    ("glip", "availability"): _one_of("Available", "DND"),
    ("telephony", "availability"): _one_of(
        "TakeAllCalls", "DoNotAcceptAnyCalls", "DoNotAcceptQueueCalls"
    ),
}


def parse_body(body: bytes, content_type: str) -> Json:
    """Return the object in a body; an absent body is an empty object."""
    if not body:
        return {}
    if content_type != "application/json":
        raise ApiFailure("CMN-101", f"Unsupported content type {content_type!r}", "Content-Type")
    try:
        value = json.loads(body)
    except ValueError:
        raise ApiFailure("CMN-101", "The body is not valid JSON", "body") from None
    if not isinstance(value, dict):
        raise invalid("body")
    return value


def checked_presence(extension: Extension, body: Json) -> Json:
    """Return the fields to store for a PresenceInfoRequest."""
    if extension.kind != "User":
        raise ApiFailure("CMN-101", "Presence is not supported for this extension", "extensionId")
    for name, value in body.items():
        if name not in _PRESENCE or not _PRESENCE[name](value):
            raise invalid(name)
    if body.get("dndStatus") == "DoNotAcceptDepartmentCalls" and not extension.queues:
        raise invalid("dndStatus")
    return body


def update_unified(extension: Extension, body: Json) -> Json:
    """Store an UpdateUnifiedPresence; return the presence fields that it changes."""
    pairs = [(group, key) for group in body for key in _mapping(body[group], group)]
    for group, key in pairs:
        check = _UNIFIED.get((group, key))
        if check is None or not check(body[group][key]):
            raise invalid(f"{group}.{key}")
    extension.glip.update(body.get("glip", {}))
    wanted = body.get("telephony", {}).get("availability")
    if wanted is None:
        return {}
    return {"dndStatus": wanted.replace("QueueCalls", "DepartmentCalls")}


def update_queue(account: Account, queue_id: str, body: Json) -> list[Extension]:
    """Store a CallQueueUpdatePresence; return the members whose state has changed."""
    changes = []
    for record in _records(body):
        accepts = record.get("acceptCurrentQueueCalls")
        member = account.extensions.get(str(_mapping(record.get("member"), "member").get("id")))
        if member is None or queue_id not in member.queues:
            raise not_found("member.id")
        if not isinstance(accepts, bool):
            raise invalid("acceptCurrentQueueCalls")
        changes.append((member, accepts))
    changed = [member for member, accepts in changes if member.queues[queue_id] != accepts]
    for member, accepts in changes:
        member.queues[queue_id] = accepts
    return changed


def update_member(extension: Extension, body: Json) -> list[str]:
    """Store an ExtensionCallQueueUpdatePresenceList; return the queues that have changed."""
    changes = {}
    for record in _records(body):
        queue_id = str(_mapping(record.get("callQueue"), "callQueue").get("id"))
        if queue_id not in extension.queues:
            raise not_found("callQueue.id")
        if not isinstance(record.get("acceptCalls"), bool):
            raise invalid("acceptCalls")
        changes[queue_id] = record["acceptCalls"]
    changed = [id_ for id_, accepts in changes.items() if extension.queues[id_] != accepts]
    extension.queues.update(changes)
    return changed


def _records(body: Json) -> list[Json]:
    records = body.get("records")
    if not isinstance(records, list):
        raise invalid("records")
    return [_mapping(each, "records") for each in records]


def _mapping(value: object, name: str) -> Json:
    if not isinstance(value, dict):
        raise invalid(name)
    return value
