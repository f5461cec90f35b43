"""The people of an account, and what is known of their presence."""

from dataclasses import dataclass, field
from typing import Any

ACCOUNT_ID = "400131426008"
FIRST_ID = 63190001
Json = dict[str, Any]

# These have no presence of their own: reads show Offline, and no status fields at all.
SILENT_KINDS = (
    "Department",
    "Announcement",
    "Voicemail",
    "FaxUser",
    "PagingOnly",
    "SharedLinesGroup",
    "IvrMenu",
    "ApplicationExtension",
    "ParkLocation",
)
_FIRST_NAMES = ("Ada", "Björn", "Chiara", "Dmitri", "Eun-ji", "Fatima", "Gil")
_LAST_NAMES = ("Almeida", "Brandt", "Çelik", "D'Arcy", "Eze", "Fischer", "Górska", "Haddad")


def new_presence() -> Json:
    """Return the stored state of somebody who has changed nothing, under RingCentral's names."""
    return {
        "userStatus": "Available",
        "dndStatus": "TakeAllCalls",
        "telephonyStatus": "NoCall",
        "meetingStatus": "Disconnected",
        "cxTelephonyStatus": "NoCall",
        "allowSeeMyPresence": True,
        "ringOnMonitoredCall": False,
        "pickUpCallsOnHold": False,
        "callerIdVisibility": "All",
        "acceptCallQueueCalls": True,
        "activeCalls": [],
    }


@dataclass
class Extension:
    """One extension. `presence` has RingCentral's names; `queues` maps ids to acceptCalls."""

    id: str
    number: str
    kind: str = "User"
    first_name: str = ""
    last_name: str = ""
    status: str = "Enabled"
    department: str = ""
    presence: Json = field(default_factory=new_presence)
    glip: Json = field(
        default_factory=lambda: {"visibility": "Visible", "availability": "Available"}
    )
    phone_visibility: str = "Visible"
    queues: dict[str, bool] = field(default_factory=dict)
    sequence: int = 0

    @property
    def name(self) -> str:
        return f"{self.first_name} {self.last_name}".strip()

    @property
    def is_silent(self) -> bool:
        return self.kind in SILENT_KINDS

    @property
    def presence_status(self) -> str:
        """The aggregated status, unless a test has set another one."""
        presence = self.presence
        if "presenceStatus" in presence:
            return str(presence["presenceStatus"])
        if presence["userStatus"] == "Offline":
            return "Offline"
        busy = (
            presence["userStatus"] == "Busy"
            or presence["telephonyStatus"] != "NoCall"
            or presence["dndStatus"] == "DoNotAcceptAnyCalls"
            or presence["meetingStatus"] == "Connected"
        )
        return "Busy" if busy else "Available"


@dataclass
class Account:
    """All extensions by id. The user who is logged in is `caller`."""

    extensions: dict[str, Extension]
    caller: str
    id: str = ACCOUNT_ID
    forbidden: set[str] = field(default_factory=set)

    def resolve(self, extension_id: str) -> str:
        return self.caller if extension_id == "~" else extension_id

    def is_own(self, account_id: str) -> bool:
        return account_id in {"~", self.id}

    def ids_of(self, *kinds: str) -> list[str]:
        return [each.id for each in self.extensions.values() if each.kind in kinds]

    def members(self, queue_id: str) -> list[Extension]:
        return [each for each in self.extensions.values() if queue_id in each.queues]


def build_account(users: int) -> Account:
    """Return an account with this many users, two call queues and an IVR menu.

    Every third user is a member of the first queue, every fifth of the second.
    """
    extensions = {}
    for index in range(users):
        id_ = str(FIRST_ID + index)
        first, last = _FIRST_NAMES[index % 7], _LAST_NAMES[index % 8]
        extensions[id_] = Extension(id_, str(1001 + index), "User", first, f"{last} {index}")
    others = [("Department", "Sales"), ("Department", "Support"), ("IvrMenu", "Welcome")]
    for index, (kind, name) in enumerate(others):
        id_ = str(FIRST_ID + users + index)
        extensions[id_] = Extension(id_, str(9001 + index), kind, name)
    account = Account(extensions, caller=str(FIRST_ID))
    for queue_id, every in zip(account.ids_of("Department"), (3, 5), strict=True):
        for each in list(extensions.values())[:users:every]:
            each.queues[queue_id] = True
    return account


def matching_calls(extension: Extension, telephony_status: str) -> list[Json]:
    """Return the calls of an extension whose telephony status becomes this."""
    if telephony_status == "NoCall":
        return []
    calls = extension.presence["activeCalls"] or [
        {
            "id": f"call-{extension.id}-{extension.sequence}",
            "direction": "Inbound",
            "from": "+16505550100",
            "to": extension.number,
            "sessionId": f"{extension.id}{extension.sequence}",
            "sipData": {"callId": f"sip-{extension.id}-{extension.sequence}"},
        }
    ]
    return [{**each, "telephonyStatus": telephony_status} for each in calls]
