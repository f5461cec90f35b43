"""The statuses that RingCentral computes from stored ones, as pure functions."""

from collections.abc import Iterable

# Of several calls the first status in this order counts.
_PRECEDENCE = ("CallConnected", "Ringing", "OnHold", "ParkedCall")


def telephony_status(call_statuses: Iterable[str]) -> str:
    """Return the telephonyStatus of an extension from the statuses of its calls."""
    present = set(call_statuses)
    return next((status for status in _PRECEDENCE if status in present), "NoCall")


def dnd_status(personal: str, accepts_queue_calls: bool, in_a_queue: bool) -> str:
    """Return the dndStatus that two settings of do-not-disturb make.

    Args:
        personal: dndStatusPersonal, about calls to the person.
        accepts_queue_calls: acceptCallQueueCalls, about calls to the person's queues.
        in_a_queue: whether the person is a member of a queue; if not, only `personal` counts.
    """
    takes_own = personal == "TakeAllCalls"
    if not in_a_queue or takes_own == accepts_queue_calls:
        return personal
    return "DoNotAcceptDepartmentCalls" if takes_own else "TakeDepartmentCallsOnly"


def presence_status(user: str, dnd: str, telephony: str, meeting: str) -> str:
    """Return presenceStatus: Offline if the user is, Busy for any of four reasons, or Available.

    Args:
        user: userStatus.
        dnd: dndStatus.
        telephony: telephonyStatus.
        meeting: meetingStatus.
    """
    if user == "Offline":
        return "Offline"
    occupied = user == "Busy" or telephony != "NoCall" or meeting == "Connected"
    return "Busy" if occupied or dnd == "DoNotAcceptAnyCalls" else "Available"


def unified_status(presence: str, dnd: str, glip_availability: str) -> str:
    """Return the status of a unified presence, in which DND takes precedence over Busy.

    Args:
        presence: presenceStatus.
        dnd: dndStatus.
        glip_availability: Available or DND.
    """
    if presence == "Offline":
        return "Offline"
    if dnd == "DoNotAcceptAnyCalls" or glip_availability == "DND":
        return "DND"
    return presence
