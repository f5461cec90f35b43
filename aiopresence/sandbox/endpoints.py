"""The nine presence calls, each a function from what was asked to the answer."""

from . import paging, representations, writable_fields
from .account import Extension, Queue
from .batch_response import answer_each
from .request_context import Ask
from .responses import BATCH_JSON_TYPE, Body, Reply, bad, forbidden, json_reply, missing


def read_presence(ask: Ask) -> Reply:
    """GET …/extension/{ids}/presence: one record, or a 207 for several."""
    detailed = ask.flag("detailedTelephonyState") or False
    sip = ask.flag("sipData") or False

    def read(extension_id: str) -> Body:
        extension = ask.extension(extension_id)
        return representations.presence(
            ask.base, ask.account, extension, detailed=detailed, sip=sip
        )

    array_type = BATCH_JSON_TYPE if BATCH_JSON_TYPE in ask.accept else None
    return answer_each(ask, "presence", read, array_type)


def update_presence(ask: Ask) -> Reply:
    """PUT …/extension/{id}/presence. Fields that cannot be set are ignored."""
    extension = ask.user()
    body = ask.json() if ask.body else {}
    changes = {
        name: body[writable_fields.wire_name(name)]
        for name in writable_fields.WRITABLE
        if writable_fields.wire_name(name) in body
    }
    for name, value in changes.items():
        if writable_fields.objection(name, value):
            raise bad(writable_fields.wire_name(name))
    if changes.get("dnd_status") == "TakeDepartmentCallsOnly":
        raise bad("dndStatus")
    _refuse_queue_dnd_without_queue(extension, changes, "dndStatus")
    writable_fields.store(extension, changes)
    ask.feed.touch(extension)
    record = representations.presence(ask.base, ask.account, extension, detailed=False, sip=False)
    return json_reply(record)


def read_account_presence(ask: Ask) -> Reply:
    """GET …/account/{id}/presence: all extensions, a page at a time."""
    detailed = ask.flag("detailedTelephonyState") or False
    sip = ask.flag("sipData") or False

    def view(extension: Extension) -> Body:
        return representations.presence(
            ask.base, ask.account, extension, detailed=detailed, sip=sip
        )

    return paging.answer(ask, "presence", view, ("detailedTelephonyState", "sipData"))


def read_queue_presence(ask: Ask) -> Reply:
    """GET …/call-queues/{id}/presence."""
    return json_reply(representations.queue_members(ask.account, ask.queue(ask.target, "groupId")))


def update_queue_presence(ask: Ask) -> Reply:
    """PUT …/call-queues/{id}/presence: whether members take the calls of this queue."""
    queue = ask.queue(ask.target, "groupId")
    changes = _records(ask, "member", "acceptCurrentQueueCalls")
    for member_id, _ in changes:
        if member_id not in queue.members:
            raise missing("member.id")
    queue.members.update(changes)
    for member_id, _ in changes:
        ask.feed.touch_member(queue, member_id)
    return read_queue_presence(ask)


def read_own_queues(ask: Ask) -> Reply:
    """GET …/extension/{id}/call-queue-presence."""
    extension = ask.extension(ask.only_id())
    editable = ask.flag("editableMemberStatus")
    return json_reply(representations.queues_of_member(ask.account, extension, editable))


def update_own_queues(ask: Ask) -> Reply:
    """PUT …/extension/{id}/call-queue-presence: the same switches, from the member's side."""
    extension = ask.user()
    changes: list[tuple[Queue, bool]] = []
    for queue_id, accepts in _records(ask, "callQueue", "acceptCalls"):
        queue = ask.queue(queue_id, "callQueue.id")
        if extension.id not in queue.members:
            raise missing("callQueue.id")
        if not queue.editable:
            raise forbidden("Members of this call queue cannot change their status.")
        changes.append((queue, accepts))
    for queue, accepts in changes:
        queue.members[extension.id] = accepts
        ask.feed.touch_member(queue, extension.id)
    return json_reply(representations.queues_of_member(ask.account, extension, None))


def _records(ask: Ask, owner: str, switch: str) -> list[tuple[str, bool]]:
    """Read `{"records": [{owner: {"id": …}, switch: bool}, …]}`."""
    records = ask.json().get("records")
    if not isinstance(records, list):
        raise bad("records")
    return [_record(record, owner, switch) for record in records]


def _record(record: object, owner: str, switch: str) -> tuple[str, bool]:
    if not isinstance(record, dict) or not isinstance(record.get(owner), dict):
        raise bad(owner)
    if not isinstance(record[owner].get("id"), str):
        raise bad(f"{owner}.id")
    if not isinstance(record.get(switch), bool):
        raise bad(switch)
    return record[owner]["id"], record[switch]


def read_unified(ask: Ask) -> Reply:
    """GET …/extension/{ids}/unified-presence: one record, or a 207 array for several."""

    def read(extension_id: str) -> Body:
        return representations.unified(ask.account, ask.extension(extension_id))

    return answer_each(ask, "unified-presence", read, "application/json")


# Where PATCH stores each of its fields.
_UNIFIED = {
    ("glip", "visibility"): "glip_visibility",
    ("glip", "availability"): "glip_availability",
    ("telephony", "availability"): "dnd_status",
}
# What PATCH calls a dndStatus.
_UNIFIED_DND = {
    "TakeAllCalls": "TakeAllCalls",
    "DoNotAcceptAnyCalls": "DoNotAcceptAnyCalls",
    "DoNotAcceptQueueCalls": "DoNotAcceptDepartmentCalls",
}


def update_unified(ask: Ask) -> Reply:
    """PATCH …/extension/{id}/unified-presence. A field left out stays as it is."""
    extension = ask.user()
    body = ask.json()
    changes: Body = {}
    for (part, field), name in _UNIFIED.items():
        inner = body.get(part, {})
        if not isinstance(inner, dict):
            raise bad(part)
        if field not in inner:
            continue
        value = _UNIFIED_DND.get(str(inner[field])) if name == "dnd_status" else inner[field]
        if writable_fields.objection(name, value):
            raise bad(f"{part}.{field}")
        changes[name] = value
    _refuse_queue_dnd_without_queue(extension, changes, "telephony.availability")
    writable_fields.store(extension, changes)
    ask.feed.touch(extension)
    return json_reply(representations.unified(ask.account, extension))


def _refuse_queue_dnd_without_queue(extension: Extension, changes: Body, parameter: str) -> None:
    wants = changes.get("dnd_status") == "DoNotAcceptDepartmentCalls"
    if wants and not extension.in_a_queue:
        raise bad(parameter)
