"""The values that RingCentral lets users set, as types.

Fields of request bodies accept an enum's member, or one of these texts: a type checker reports any
other text, such as a misspelt one. What RingCentral adds later can be set with the enum, as in
`UserStatus("Away")`.
"""

from typing import Literal

from ..enums import (
    CallerIdVisibility,
    DndStatus,
    GlipAvailability,
    TelephonyAvailability,
    UserStatus,
    Visibility,
)

UserStatusText = Literal["Available", "Busy", "Offline"]
DndStatusText = Literal["TakeAllCalls", "DoNotAcceptAnyCalls", "DoNotAcceptDepartmentCalls"]
DndStatusPersonalText = Literal["TakeAllCalls", "DoNotAcceptAnyCalls"]
CallerIdVisibilityText = Literal["All", "None", "PermittedUsers"]
VisibilityText = Literal["Visible", "Invisible"]
GlipAvailabilityText = Literal["Available", "DND"]
TelephonyAvailabilityText = Literal["TakeAllCalls", "DoNotAcceptAnyCalls", "DoNotAcceptQueueCalls"]


def user_status(value: UserStatus | UserStatusText) -> UserStatus:
    """Convert a user status; UsageError if it is not a str."""
    return UserStatus(value)


def dnd_status(value: DndStatus | DndStatusText) -> DndStatus:
    """Convert a do-not-disturb status; UsageError if it is not a str."""
    return DndStatus(value)


def dnd_status_personal(value: DndStatus | DndStatusPersonalText) -> DndStatus:
    """Convert a do-not-disturb status without queues; UsageError if it is not a str."""
    return DndStatus(value)


def caller_id_visibility(value: CallerIdVisibility | CallerIdVisibilityText) -> CallerIdVisibility:
    """Convert the visibility of the caller id; UsageError if it is not a str."""
    return CallerIdVisibility(value)


def visibility(value: Visibility | VisibilityText) -> Visibility:
    """Convert a visibility; UsageError if it is not a str."""
    return Visibility(value)


def glip_availability(value: GlipAvailability | GlipAvailabilityText) -> GlipAvailability:
    """Convert an availability in messaging; UsageError if it is not a str."""
    return GlipAvailability(value)


def telephony_availability(
    value: TelephonyAvailability | TelephonyAvailabilityText,
) -> TelephonyAvailability:
    """Convert an availability on the phone; UsageError if it is not a str."""
    return TelephonyAvailability(value)
