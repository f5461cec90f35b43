"""How the statuses that RingCentral computes follow from those that are stored. Pure functions."""

from collections.abc import Iterable

# The state of the call that says most about the person wins, whatever the order of the calls.
_WEIGHT = ("CallConnected", "Ringing", "OnHold", "ParkedCall")


def telephony_status(call_statuses: Iterable[str]) -> str:
    """Sum up the statuses of all calls of one extension."""
    present = set(call_statuses)
    return next((status for status in _WEIGHT if status in present), "NoCall")


def dnd_status(personal: str, accepts_queue_calls: bool, in_a_queue: bool) -> str:
    """Join the personal and the queue half of do-not-disturb into one dndStatus.

    Args:
        personal: dndStatusPersonal, about calls to the person.
        accepts_queue_calls: acceptCallQueueCalls, about calls to the person's queues.
        in_a_queue: without a queue the second half says nothing, and the first stands alone.
    """
    takes_own = personal == "TakeAllCalls"
    if not in_a_queue or takes_own == accepts_queue_calls:
        return personal
    return "DoNotAcceptDepartmentCalls" if takes_own else "TakeDepartmentCallsOnly"


def presence_status(user: str, dnd: str, telephony: str, meeting: str) -> str:
    """Compute presenceStatus: Offline by choice, Busy for any of four reasons, else Available.

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
    """Compute the one status of a unified presence, in which DND outweighs Busy.

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
