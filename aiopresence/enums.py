"""RingCentral's enumerations, open: a value that is unknown to this library is kept.

They need no other package, so that the command line can use them before it imports anything large.
Source: RingCentral API reference, "Presence".
"""

from enum import EnumType, StrEnum
from typing import Any, Self

from .errors import UsageError


class _OpenEnumType(EnumType):
    # Python 3.11 raises TypeError for a str, and 3.12 includes pseudo-members.
    def __contains__(cls, value: object) -> bool:
        """Return whether a value is a member, or the text of one."""
        return isinstance(value, str) and value in cls.__members__.values()


class OpenStrEnum(StrEnum, metaclass=_OpenEnumType):
    """A StrEnum that accepts any text.

    RingCentral adds values without notice. An unknown text becomes a pseudo-member: it equals the
    text and has its hash, but is not listed among the members.

    Raises:
        UsageError: the value is not a str.
    """

    @classmethod
    def _missing_(cls, value: object) -> Self:
        if not isinstance(value, str):
            raise UsageError(f"{cls.__name__} must be a str, such as {', '.join(cls)}")
        text = str.__str__(value)  # The value may be a member of another enumeration.
        unknown = str.__new__(cls, text)
        unknown._value_ = text
        # The name is part of the repr: quoted, it is on one line and differs from any member's.
        unknown._name_ = repr(text)
        return unknown

    # Python 3.11.2 copies and pickles members by name, which fails for pseudo-members.
    def __reduce_ex__(self, _protocol: object) -> tuple[type[Self], tuple[str]]:
        """Return how to make the value from its text."""
        return type(self), (self.value,)

    def __copy__(self) -> Self:
        """Return the value itself, which is immutable."""
        return self

    def __deepcopy__(self, _memo: dict[int, Any]) -> Self:
        """Return the value itself, which is immutable."""
        return self


class Availability(StrEnum):
    """Whether somebody can be reached, in one word: what a list of people shows.

    It is derived from several fields of a presence record, see `GetPresenceInfo.availability`.
    RingCentral does not send it, and no other values will be added without notice.
    """

    AVAILABLE = "available"
    ON_CALL = "on-call"
    RINGING = "ringing"
    ON_HOLD = "on-hold"
    IN_MEETING = "in-meeting"
    DO_NOT_DISTURB = "do-not-disturb"
    BUSY = "busy"
    OFFLINE = "offline"
    UNKNOWN = "unknown"

    @property
    def label(self) -> str:
        """The words for people, such as "on call"."""
        return self.value.replace("-", " ")


class PresenceStatus(OpenStrEnum):
    """The presence that others see: an aggregate of user, telephony, meeting and DND status."""

    OFFLINE = "Offline"
    BUSY = "Busy"
    AVAILABLE = "Available"


class UserStatus(OpenStrEnum):
    """The status that the user has set."""

    OFFLINE = "Offline"
    BUSY = "Busy"
    AVAILABLE = "Available"


class TelephonyStatus(OpenStrEnum):
    """The state of the user's phone, or of one call."""

    NO_CALL = "NoCall"
    CALL_CONNECTED = "CallConnected"
    RINGING = "Ringing"
    ON_HOLD = "OnHold"
    PARKED_CALL = "ParkedCall"


class DndStatus(OpenStrEnum):
    """Do-not-disturb: which calls the user accepts.

    `DO_NOT_ACCEPT_DEPARTMENT_CALLS` can be set only for members of a call queue, and
    `TAKE_DEPARTMENT_CALLS_ONLY` cannot be set at all.
    """

    TAKE_ALL_CALLS = "TakeAllCalls"
    DO_NOT_ACCEPT_ANY_CALLS = "DoNotAcceptAnyCalls"
    DO_NOT_ACCEPT_DEPARTMENT_CALLS = "DoNotAcceptDepartmentCalls"
    TAKE_DEPARTMENT_CALLS_ONLY = "TakeDepartmentCallsOnly"
    UNKNOWN = "Unknown"


class MeetingStatus(OpenStrEnum):
    """Whether the user is in a RingCentral meeting."""

    CONNECTED = "Connected"
    DISCONNECTED = "Disconnected"


class CallerIdVisibility(OpenStrEnum):
    """Who can see the caller id of the user's calls."""

    ALL = "All"
    NONE = "None"
    PERMITTED_USERS = "PermittedUsers"


class CallDirection(OpenStrEnum):
    """Whether a call came in or went out, as the extension sees it."""

    INBOUND = "Inbound"
    OUTBOUND = "Outbound"


class TerminationType(OpenStrEnum):
    """Whether a call has ended, or continues elsewhere, such as after a transfer."""

    FINAL = "final"
    INTERMEDIATE = "intermediate"


class CallInfoType(OpenStrEnum):
    """The kind of text that a phone displays for a call of a call queue."""

    PHONE_NUMBER_LABEL = "PhoneNumberLabel"
    PHONE_NUMBER = "PhoneNumber"
    QUEUE_EXTENSION = "QueueExtension"
    QUEUE_NAME = "QueueName"
    CALLER_ID_NAME = "CallerIdName"
    CALLER_ID_NUMBER = "CallerIdNumber"
    NONE = "None"


class UnifiedStatus(OpenStrEnum):
    """The aggregate of Glip, telephony and meeting status, in unified presence."""

    AVAILABLE = "Available"
    OFFLINE = "Offline"
    DND = "DND"
    BUSY = "Busy"


class GlipStatus(OpenStrEnum):
    """Whether the user is connected to Glip, RingCentral's messaging."""

    OFFLINE = "Offline"
    ONLINE = "Online"


class Visibility(OpenStrEnum):
    """Whether others can see this part of the user's presence."""

    VISIBLE = "Visible"
    INVISIBLE = "Invisible"


class GlipAvailability(OpenStrEnum):
    """Whether the user receives Glip notifications."""

    AVAILABLE = "Available"
    DND = "DND"


class TelephonyAvailability(OpenStrEnum):
    """Do-not-disturb of the phone, in unified presence."""

    TAKE_ALL_CALLS = "TakeAllCalls"
    DO_NOT_ACCEPT_ANY_CALLS = "DoNotAcceptAnyCalls"
    DO_NOT_ACCEPT_QUEUE_CALLS = "DoNotAcceptQueueCalls"


class UnifiedMeetingStatus(OpenStrEnum):
    """Whether the user is in a meeting, in unified presence."""

    NO_MEETING = "NoMeeting"
    IN_MEETING = "InMeeting"


class ExtensionType(OpenStrEnum):
    """What an extension is. Only a `USER` has a presence of its own.

    Source: RingCentral API reference, "List Company Directory Entries" and "List Extensions".
    """

    USER = "User"
    DEPARTMENT = "Department"
    """A call queue."""
    ANNOUNCEMENT = "Announcement"
    VOICEMAIL = "Voicemail"
    FAX_USER = "FaxUser"
    VIRTUAL_USER = "VirtualUser"
    DIGITAL_USER = "DigitalUser"
    SHARED_LINES_GROUP = "SharedLinesGroup"
    PAGING_ONLY = "PagingOnly"
    PARK_LOCATION = "ParkLocation"
    IVR_MENU = "IvrMenu"
    LIMITED = "Limited"
    APPLICATION_EXTENSION = "ApplicationExtension"
    SITE = "Site"
    BOT = "Bot"
    ROOM = "Room"
    ROOM_CONNECTOR = "RoomConnector"
    PROXY_ADMIN = "ProxyAdmin"
    DELEGATED_LINES_GROUP = "DelegatedLinesGroup"
    GROUP_CALL_PICKUP = "GroupCallPickup"
    EXTERNAL = "External"
    """A contact of another account, which a directory leaves out."""


class ExtensionStatus(OpenStrEnum):
    """Whether an extension is in use."""

    ENABLED = "Enabled"
    DISABLED = "Disabled"
    FROZEN = "Frozen"
    NOT_ACTIVATED = "NotActivated"
    UNASSIGNED = "Unassigned"
