"""The JSON objects of responses and events, made from the account's state."""

import attrs

from . import status_rules
from .account import SITES, Account, Extension, Queue
from .responses import Body

# The types of the list and of the directory, where the presence API has other names.
_TYPES = {
    "Announcement Only": "Announcement",
    "Application": "ApplicationExtension",
    "Fax User": "FaxUser",
    "IVR Menu": "IvrMenu",
    "Paging Only": "PagingOnly",
    "Park Location": "ParkLocation",
    "Shared Lines": "SharedLinesGroup",
}


def extension_uri(base: str, account: Account, extension_id: str) -> str:
    """Return the URI of an extension.

    Args:
        base: scheme, host and port of the server.
        account: the account of the extension.
        extension_id: the extension's id.
    """
    return f"{base}/restapi/v1.0/account/{account.id}/extension/{extension_id}"


def presence(
    base: str, account: Account, extension: Extension, *, detailed: bool, sip: bool
) -> Body:
    """Return the presence of an extension as the caller may see it.

    Args:
        base: scheme, host and port of the server.
        account: the account of the extension.
        extension: the extension.
        detailed: include activeCalls.
        sip: include activeCalls with sipData.
    """
    uri = extension_uri(base, account, extension.id)
    seen = _as_seen(account, extension)
    body: Body = {
        "uri": f"{uri}/presence",
        "extension": {"uri": uri, "id": int(seen.id), "extensionNumber": seen.number},
        "presenceStatus": seen.presence_status,
        "allowSeeMyPresence": seen.allow_see_my_presence,
        "callerIdVisibility": seen.caller_id_visibility,
        "ringOnMonitoredCall": seen.ring_on_monitored_call,
        "pickUpCallsOnHold": seen.pick_up_calls_on_hold,
    }
    if seen.is_user:
        body |= _user_fields(seen)
    if seen.is_user and (detailed or sip):
        body["activeCalls"] = _calls(seen, sip)
    return body


def listed(base: str, account: Account, extension: Extension) -> Body:
    """Return the record of an extension in the list of all extensions.

    Args:
        base: scheme, host and port of the server.
        account: the account of the extension.
        extension: the extension.
    """
    return {
        "id": int(extension.id),
        "uri": extension_uri(base, account, extension.id),
        "extensionNumber": extension.number,
        "name": extension.name,
        "type": _TYPES.get(extension.kind, extension.kind),
        "status": extension.status,
        "contact": _contact(extension),
        "site": SITES[extension.site],
    }


def directory_entry(extension: Extension) -> Body:
    """Return the record of an extension in the directory. Only persons have two names."""
    contact = _contact(extension)
    return {
        "id": extension.id,
        "type": _TYPES.get(extension.kind, extension.kind),
        "status": extension.status,
        "extensionNumber": extension.number,
        "site": SITES[extension.site],
        **(contact if extension.is_user else {**contact, "name": extension.name}),
    }


def _contact(extension: Extension) -> Body:
    """Return who an extension is, without what is not known."""
    first, _, last = extension.name.partition(" ")
    names = {"firstName": first, "lastName": last} if extension.is_user else {}
    work = {"department": extension.department, "jobTitle": extension.job_title}
    known = {**names, "email": extension.email, **work}
    return {name: text for name, text in known.items() if text}


def event(account: Account, extension: Extension) -> tuple[Body, list[Body]]:
    """Return the fields of presence events about an extension, and its calls, as a copy.

    Events have neither message nor callerIdVisibility.
    """
    seen = _as_seen(account, extension)
    body: Body = {
        "presenceStatus": seen.presence_status,
        "allowSeeMyPresence": seen.allow_see_my_presence,
        "ringOnMonitoredCall": seen.ring_on_monitored_call,
        "pickUpCallsOnHold": seen.pick_up_calls_on_hold,
    }
    if not seen.is_user:
        return body, []
    body |= _user_fields(seen)
    body.pop("message", None)
    return body, _calls(seen, sip=True)


def without_sip(calls: list[Body]) -> list[Body]:
    """Return calls without sipData."""
    return [{name: call[name] for name in call if name != "sipData"} for call in calls]


def unified(account: Account, extension: Extension) -> Body:
    """Return the unified presence of an extension; visibility is included for the caller only.

    Args:
        account: the account of the extension.
        extension: the extension.
    """
    seen = _as_seen(account, extension)
    online = seen.is_user and seen.user_status != "Offline"
    glip = {"status": "Online" if online else "Offline", "availability": seen.glip_availability}
    telephony = {
        "status": seen.telephony_status,
        # Two values have other names in a unified presence.
        "availability": {
            "DoNotAcceptDepartmentCalls": "DoNotAcceptQueueCalls",
            "TakeDepartmentCallsOnly": "TakeAllCalls",
        }.get(seen.dnd_status, seen.dnd_status),
    }
    if extension is account.caller:
        glip["visibility"] = seen.glip_visibility
        telephony["visibility"] = "Visible" if seen.allow_see_my_presence else "Invisible"
    elif seen.glip_visibility == "Invisible":
        glip["status"] = "Offline"
    status = status_rules.unified_status(
        seen.presence_status, seen.dnd_status, seen.glip_availability
    )
    meeting = "InMeeting" if seen.meeting_status == "Connected" else "NoMeeting"
    return {
        "status": status,
        "glip": glip,
        "telephony": telephony,
        "meeting": {"status": meeting},
    }


def queue_members(account: Account, queue: Queue) -> Body:
    """Return the members of a queue, and whether they take its calls and queue calls at all."""
    members = (account.extensions[member_id] for member_id in queue.members)
    return {"records": [_member(member, queue.members[member.id]) for member in members]}


def queues_of_member(account: Account, extension: Extension, editable: bool | None) -> Body:
    """Return the queues of a member, and whether they take the calls of each.

    Args:
        account: the account of the extension.
        extension: the member.
        editable: only queues whose members may (True) or may not (False) change that themselves;
            None for all.
    """
    queues = account.queues_of(extension.id)
    return {
        "records": [
            {
                "callQueue": {
                    "id": queue.extension.id,
                    "name": queue.extension.name,
                    "extensionNumber": queue.extension.number,
                    "editableMemberStatus": queue.editable,
                },
                "acceptCalls": queue.members[extension.id],
            }
            for queue in queues
            if editable in (None, queue.editable)
        ]
    }


def _as_seen(account: Account, extension: Extension) -> Extension:
    """Return an extension as the caller sees it: colleagues may hide their presence."""
    if extension.allow_see_my_presence or extension is account.caller:
        return extension
    return attrs.evolve(
        extension,
        user_status="Offline",
        meeting_status="Disconnected",
        message="",
        active_calls=[],
    )


def _user_fields(extension: Extension) -> Body:
    telephony = extension.telephony_status
    body: Body = {
        "telephonyStatus": telephony,
        "userStatus": extension.user_status,
        "meetingStatus": extension.meeting_status,
        "dndStatus": extension.dnd_status,
        "dndStatusPersonal": extension.dnd_status_personal,
        "acceptCallQueueCalls": extension.accept_call_queue_calls,
        "cxTelephonyStatus": "NoCall",
        "aggregatedTelephonyStatus": telephony,
    }
    return body | ({"message": extension.message} if extension.message else {})


def _calls(extension: Extension, sip: bool) -> list[Body]:
    calls = extension.active_calls
    return [dict(call) for call in calls] if sip else without_sip(calls)


def _member(member: Extension, accepts: bool) -> Body:
    return {
        "member": {
            "id": member.id,
            "name": member.name,
            "extensionNumber": member.number,
            "extensionSubType": "DigitalUser",
            "site": SITES[member.site],
        },
        "acceptQueueCalls": member.accept_call_queue_calls,
        "acceptCurrentQueueCalls": accepts,
    }
