"""The handlers of the presence endpoints, the directory, the extension list and record.

Each takes the request and returns the response, or raises RefusedError.
"""

from collections.abc import Callable
from functools import partial

from . import paging, representations, writable_fields
from .account import Extension, Queue
from .batch_response import read_each
from .request_context import RequestContext
from .responses import BATCH_JSON_TYPE, Body, Response, bad, forbidden, json_response, missing


def _represent(context: RequestContext) -> Callable[[Extension], Body]:
    """Return the function that writes the record of an extension, with what the query asks for."""
    return partial(
        representations.presence,
        context.base,
        context.account,
        detailed=context.flag("detailedTelephonyState") or False,
        sip=context.flag("sipData") or False,
    )


def read_presence(context: RequestContext) -> Response:
    """GET …/extension/{ids}/presence: one record, or a 207 for several."""
    represent = _represent(context)

    def read(extension_id: str) -> Body:
        """Return the record of an extension."""
        return represent(context.extension(extension_id))

    array_type = BATCH_JSON_TYPE if BATCH_JSON_TYPE in context.header("accept") else None
    return read_each(context, "presence", read, array_type)


def update_presence(context: RequestContext) -> Response:
    """PUT …/extension/{id}/presence. Fields that cannot be set are ignored."""
    extension = context.user()
    body = context.json() if context.received.body else {}
    changes = {
        name: body[writable_fields.wire_name(name)]
        for name in writable_fields.WRITABLE
        if writable_fields.wire_name(name) in body
    }
    for name, value in changes.items():
        if writable_fields.problem(name, value):
            raise bad(writable_fields.wire_name(name))
    if changes.get("dnd_status") == "TakeDepartmentCallsOnly":
        raise bad("dndStatus")
    _refuse_queue_dnd_without_queue(extension, changes, "dndStatus")
    writable_fields.store(extension, changes)
    context.feed.publish(extension)
    record = representations.presence(
        context.base, context.account, extension, detailed=False, sip=False
    )
    return json_response(record)


def read_account_presence(context: RequestContext) -> Response:
    """GET …/account/{id}/presence: all extensions, a page at a time."""
    return paging.page_response(
        context, "presence", _represent(context), ("detailedTelephonyState", "sipData")
    )


def read_queue_presence(context: RequestContext) -> Response:
    """GET …/call-queues/{id}/presence."""
    return json_response(
        representations.queue_members(
            context.account, context.queue(context.params["queue_id"], "groupId")
        )
    )


def update_queue_presence(context: RequestContext) -> Response:
    """PUT …/call-queues/{id}/presence: which members take the queue's calls."""
    queue = context.queue(context.params["queue_id"], "groupId")
    changes = _records(context, "member", "acceptCurrentQueueCalls")
    for member_id, _ in changes:
        if member_id not in queue.members:
            raise missing("member.id")
    queue.members.update(changes)
    for member_id, _ in changes:
        context.feed.publish_member(queue, member_id)
    return read_queue_presence(context)


def read_own_queues(context: RequestContext) -> Response:
    """GET …/extension/{id}/call-queue-presence."""
    extension = context.extension(context.extension_id())
    editable = context.flag("editableMemberStatus")
    return json_response(representations.queues_of_member(context.account, extension, editable))


def update_own_queues(context: RequestContext) -> Response:
    """PUT …/extension/{id}/call-queue-presence: the same settings, from the member's side."""
    extension = context.user()
    changes: list[tuple[Queue, bool]] = []
    for queue_id, accepts in _records(context, "callQueue", "acceptCalls"):
        queue = context.queue(queue_id, "callQueue.id")
        if extension.id not in queue.members:
            raise missing("callQueue.id")
        if not queue.editable:
            raise forbidden("Members of this call queue cannot change their status.")
        changes.append((queue, accepts))
    for queue, accepts in changes:
        queue.members[extension.id] = accepts
        context.feed.publish_member(queue, extension.id)
    return json_response(representations.queues_of_member(context.account, extension, None))


def _records(context: RequestContext, owner: str, switch: str) -> list[tuple[str, bool]]:
    """Parse `{"records": [{owner: {"id": …}, switch: bool}, …]}`."""
    records = context.json().get("records")
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


def read_unified(context: RequestContext) -> Response:
    """GET …/extension/{ids}/unified-presence: one record, or a 207 array for several."""

    def read(extension_id: str) -> Body:
        """Return the record of one extension."""
        return representations.unified(context.account, context.extension(extension_id))

    return read_each(context, "unified-presence", read, "application/json")


# The attribute of Extension for each field of PATCH.
_UNIFIED = {
    ("glip", "visibility"): "glip_visibility",
    ("glip", "availability"): "glip_availability",
    ("telephony", "availability"): "dnd_status",
}
# PATCH's values of telephony.availability, and the dndStatus that each stands for.
_UNIFIED_DND = {
    "TakeAllCalls": "TakeAllCalls",
    "DoNotAcceptAnyCalls": "DoNotAcceptAnyCalls",
    "DoNotAcceptQueueCalls": "DoNotAcceptDepartmentCalls",
}


def update_unified(context: RequestContext) -> Response:
    """PATCH …/extension/{id}/unified-presence. Missing fields keep their values."""
    extension = context.user()
    body = context.json()
    changes: Body = {}
    for (part, field), name in _UNIFIED.items():
        inner = body.get(part, {})
        if not isinstance(inner, dict):
            raise bad(part)
        if field not in inner:
            continue
        value = _UNIFIED_DND.get(str(inner[field])) if name == "dnd_status" else inner[field]
        if writable_fields.problem(name, value):
            raise bad(f"{part}.{field}")
        changes[name] = value
    _refuse_queue_dnd_without_queue(extension, changes, "telephony.availability")
    writable_fields.store(extension, changes)
    context.feed.publish(extension)
    return json_response(representations.unified(context.account, extension))


def _refuse_queue_dnd_without_queue(extension: Extension, changes: Body, parameter: str) -> None:
    wants = changes.get("dnd_status") == "DoNotAcceptDepartmentCalls"
    if wants and not extension.in_a_queue:
        raise bad(parameter)


def list_extensions(context: RequestContext) -> Response:
    """GET …/account/{id}/extension: all extensions, a page at a time."""

    def represent(extension: Extension) -> Body:
        return representations.listed(context.base, context.account, extension)

    return paging.page_response(context, "extension", represent)


def read_directory(context: RequestContext) -> Response:
    """GET …/account/{id}/directory/entries: who the extensions are, a page at a time."""
    context.flag("showFederated")  # All contacts are of this account.
    return paging.directory_response(context, representations.directory_entry)


def read_extension(context: RequestContext) -> Response:
    """GET …/extension/{id}: one extension's own record."""
    extension = context.extension(context.extension_id())
    record = representations.listed(context.base, context.account, extension)
    uri = f"{context.base}/restapi/v1.0/account/{context.account.id}"
    return json_response(record | {"account": {"uri": uri, "id": context.account.id}})
