"""RingCentral's enumerations, open: a value that is new to this library is kept, never refused."""

from enum import EnumType, StrEnum
from typing import Any, Self

from ..errors import UsageError


class _OpenEnumType(EnumType):
    # Python 3.11 raises TypeError for a text and 3.12 counts pseudo-members in.
    def __contains__(cls, value: object) -> bool:
        """Return True for a member or the text of one."""
        return isinstance(value, str) and value in cls.__members__.values()


class OpenStrEnum(StrEnum, metaclass=_OpenEnumType):
    """A StrEnum that takes any text.

    A text that is no member becomes a pseudo-member, which keeps the text, equals it and hashes
    like it, and is not listed among the members. RingCentral adds values without notice.

    Raises:
        UsageError: the value is not a str.
    """

    @classmethod
    def _missing_(cls, value: object) -> Self:
        if not isinstance(value, str):
            raise UsageError(f"{cls.__name__} takes a str, one of: {', '.join(cls)}")
        text = str.__str__(value)  # also of a pseudo-member of another enumeration
        unknown = str.__new__(cls, text)
        unknown._value_ = text
        # The name goes into reprs, so into logs: on one line. In quotes, it is no member's.
        unknown._name_ = repr(text)
        return unknown

    # Python 3.11.2 copies and pickles by the name, which a pseudo-member does not have.
    def __reduce_ex__(self, _protocol: object) -> tuple[type[Self], tuple[str]]:
        """Return how to get the value back from its text."""
        return type(self), (self.value,)

    def __copy__(self) -> Self:
        """Return the value itself, which cannot change."""
        return self

    def __deepcopy__(self, _memo: dict[int, Any]) -> Self:
        """Return the value itself, which cannot change."""
        return self


class PresenceStatus(OpenStrEnum):
    """What others see: RingCentral's aggregate of user, telephony, meeting and DnD status."""

    OFFLINE = "Offline"
    BUSY = "Busy"
    AVAILABLE = "Available"


class UserStatus(OpenStrEnum):
    """What the user has set."""

    OFFLINE = "Offline"
    BUSY = "Busy"
    AVAILABLE = "Available"


class TelephonyStatus(OpenStrEnum):
    """What the user's phone does, or one call of it."""

    NO_CALL = "NoCall"
    CALL_CONNECTED = "CallConnected"
    RINGING = "Ringing"
    ON_HOLD = "OnHold"
    PARKED_CALL = "ParkedCall"


class DndStatus(OpenStrEnum):
    """Do-not-disturb: which calls the user takes.

    `DO_NOT_ACCEPT_DEPARTMENT_CALLS` can be set for members of a call queue only, and
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
    """Who sees the caller id of the user's calls."""

    ALL = "All"
    NONE = "None"
    PERMITTED_USERS = "PermittedUsers"


class CallDirection(OpenStrEnum):
    """Who called whom, as the extension sees it."""

    INBOUND = "Inbound"
    OUTBOUND = "Outbound"


class TerminationType(OpenStrEnum):
    """Whether a call leg has ended for good or goes on elsewhere."""

    FINAL = "final"
    INTERMEDIATE = "intermediate"


class CallInfoType(OpenStrEnum):
    """What a line of a call queue call's display shows."""

    PHONE_NUMBER_LABEL = "PhoneNumberLabel"
    PHONE_NUMBER = "PhoneNumber"
    QUEUE_EXTENSION = "QueueExtension"
    QUEUE_NAME = "QueueName"
    CALLER_ID_NAME = "CallerIdName"
    CALLER_ID_NUMBER = "CallerIdNumber"
    NONE = "None"


class UnifiedStatus(OpenStrEnum):
    """The aggregate over Glip, telephony and meetings."""

    AVAILABLE = "Available"
    OFFLINE = "Offline"
    DND = "DND"
    BUSY = "Busy"


class GlipStatus(OpenStrEnum):
    """Whether the user is connected to Glip, RingCentral's messaging."""

    OFFLINE = "Offline"
    ONLINE = "Online"


class Visibility(OpenStrEnum):
    """Whether others may see this part of the user's presence."""

    VISIBLE = "Visible"
    INVISIBLE = "Invisible"


class GlipAvailability(OpenStrEnum):
    """Whether the user receives Glip notifications."""

    AVAILABLE = "Available"
    DND = "DND"


class TelephonyAvailability(OpenStrEnum):
    """Do-not-disturb of the phone, in the words of unified presence."""

    TAKE_ALL_CALLS = "TakeAllCalls"
    DO_NOT_ACCEPT_ANY_CALLS = "DoNotAcceptAnyCalls"
    DO_NOT_ACCEPT_QUEUE_CALLS = "DoNotAcceptQueueCalls"


class UnifiedMeetingStatus(OpenStrEnum):
    """Whether the user is in a meeting, in the words of unified presence."""

    NO_MEETING = "NoMeeting"
    IN_MEETING = "InMeeting"
