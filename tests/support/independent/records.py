"""What reads show of an account, as JSON."""

from tests.support.independent.account import Account, Extension, Json

_ALWAYS = ("allowSeeMyPresence", "ringOnMonitoredCall", "pickUpCallsOnHold")
_STATUS_FIELDS = (
    "userStatus",
    "dndStatus",
    "dndStatusPersonal",
    "telephonyStatus",
    "meetingStatus",
    "cxTelephonyStatus",
    "message",
    "callerIdVisibility",
    "acceptCallQueueCalls",
)


def presence_path(account: Account, extension_id: str) -> str:
    return f"/restapi/v1.0/account/{account.id}/extension/{extension_id}/presence"


def presence_record(
    account: Account, extension: Extension, server: str, *, detailed: bool, sip_data: bool
) -> Json:
    """Return a GetPresenceInfo. SIP data implies the detailed state."""
    path = presence_path(account, extension.id)
    record: Json = {
        "uri": server + path,
        "extension": {
            "uri": server + path.removesuffix("/presence"),
            "id": int(extension.id),
            "extensionNumber": extension.number,
        },
        **{name: extension.presence[name] for name in _ALWAYS},
    }
    if extension.is_silent:
        return {**record, "presenceStatus": "Offline"}
    presence = extension.presence
    if not presence["allowSeeMyPresence"] and extension.id != account.caller:
        return {**record, "presenceStatus": "Offline"}
    record["presenceStatus"] = extension.presence_status
    record |= {name: presence[name] for name in _STATUS_FIELDS if name in presence}
    record["aggregatedTelephonyStatus"] = presence["telephonyStatus"]
    if detailed or sip_data:
        record["activeCalls"] = shown_calls(presence["activeCalls"], sip_data=sip_data)
    return record


def shown_calls(calls: list[Json], *, sip_data: bool) -> list[Json]:
    """Return the latest seven calls, without SIP data unless it was asked for."""
    hidden = () if sip_data else ("sipData",)
    return [{key: call[key] for key in call if key not in hidden} for call in calls[-7:]]


def unified_record(account: Account, extension: Extension) -> Json:
    """Return a UnifiedPresence. Visibilities are shown to their owner only."""
    presence, own = extension.presence, extension.id == account.caller
    dnd = presence["dndStatus"] == "DoNotAcceptAnyCalls"
    status = extension.presence_status
    glip = {"availability": extension.glip["availability"]}
    telephony = {"availability": _telephony_availability(presence["dndStatus"])}
    if own or extension.glip["visibility"] == "Visible":
        glip["status"] = "Offline" if presence["userStatus"] == "Offline" else "Online"
    if own or extension.phone_visibility == "Visible":
        telephony["status"] = presence["telephonyStatus"]
    if own:
        glip["visibility"] = extension.glip["visibility"]
        telephony["visibility"] = extension.phone_visibility
    in_meeting = presence["meetingStatus"] == "Connected"
    return {
        "status": "DND" if dnd and status != "Offline" else status,
        "glip": glip,
        "telephony": telephony,
        "meeting": {"status": "InMeeting" if in_meeting else "NoMeeting"},
    }


def _telephony_availability(dnd_status: str) -> str:
    names = {"DoNotAcceptDepartmentCalls": "DoNotAcceptQueueCalls"}
    return names.get(dnd_status, dnd_status)


def queue_record(account: Account, queue_id: str) -> Json:
    """Return a CallQueuePresence."""
    records = [
        {
            "member": {"id": each.id, "name": each.name, "extensionNumber": each.number},
            "acceptQueueCalls": each.presence["acceptCallQueueCalls"],
            "acceptCurrentQueueCalls": each.queues[queue_id],
        }
        for each in account.members(queue_id)
    ]
    return {"records": records}


def member_record(account: Account, extension: Extension, *, editable: bool) -> Json:
    """Return an ExtensionCallQueuePresenceList; `editable` asks for editableMemberStatus."""
    records = []
    for queue_id, accepts in extension.queues.items():
        queue = account.extensions[queue_id]
        shown: Json = {"id": queue_id, "name": queue.name, "extensionNumber": queue.number}
        if editable:
            shown["editableMemberStatus"] = True
        records.append({"callQueue": shown, "acceptCalls": accepts})
    return {"records": records}


def directory_entry(account: Account, extension: Extension) -> Json:
    """Return a record of the company directory."""
    entry: Json = {
        "id": extension.id,
        "type": extension.kind,
        "status": extension.status,
        "extensionNumber": extension.number,
        "account": {"id": account.id, "companyName": "Example"},
        "site": {"id": "main-site", "name": "Main Site"},
        "hidden": False,
    }
    if extension.kind == "User":
        entry["firstName"], entry["lastName"] = extension.first_name, extension.last_name
        entry["email"] = f"{extension.number}@example.com"
    else:
        entry["name"] = extension.name
    return entry


def extension_record(account: Account, extension: Extension, server: str) -> Json:
    """Return a record of the extension list, whose ids are numbers."""
    return {
        "uri": f"{server}/restapi/v1.0/account/{account.id}/extension/{extension.id}",
        "id": int(extension.id),
        "extensionNumber": extension.number,
        "name": extension.name,
        "type": extension.kind,
        "status": extension.status,
        "contact": {
            "firstName": extension.first_name,
            "lastName": extension.last_name,
            "email": f"{extension.number}@example.com",
        },
        "permissions": {"admin": {"enabled": extension.id == account.caller}},
    }
