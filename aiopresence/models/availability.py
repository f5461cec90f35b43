"""Combine the fields of a presence record into one word, an `Availability`.

The first row whose field has one of its values decides:

| field | value | availability |
|---|---|---|
| telephony status | Ringing | ringing |
| | CallConnected | on-call |
| | OnHold, ParkedCall | on-hold |
| | any other but NoCall | unknown |
| `dnd_status`, `dnd_status_personal` | DoNotAcceptAnyCalls, in either | do-not-disturb |
| `meeting_status` | Connected | in-meeting |
| presence status | Offline | offline |
| | Busy | busy |
| | Available | available |
| | any other, or none | unknown |

The telephony status is `aggregated_telephony_status`; if that is None, `telephony_status`; if that
is None too, `cx_telephony_status`. The presence status is `presence_status`; if that is None,
`user_status`.

So a call counts more than everything else: somebody who talks is on a call, even if their status is
Offline or do-not-disturb. Somebody who refuses calls of call queues only does not have
do-not-disturb. A value that is not in the table, because RingCentral has added it, makes the
availability unknown only as a telephony or presence status; any other is skipped like None.

Unified presence has the same rows in other fields, see `unified_availability`.
"""

from typing import Protocol

from ..enums import (
    Availability,
    DndStatus,
    MeetingStatus,
    PresenceStatus,
    TelephonyAvailability,
    TelephonyStatus,
    UnifiedMeetingStatus,
    UnifiedStatus,
    UserStatus,
)

# None: another field decides.
_CALLS: dict[TelephonyStatus | None, Availability | None] = {
    None: None,
    TelephonyStatus.NO_CALL: None,
    TelephonyStatus.RINGING: Availability.RINGING,
    TelephonyStatus.CALL_CONNECTED: Availability.ON_CALL,
    TelephonyStatus.ON_HOLD: Availability.ON_HOLD,
    TelephonyStatus.PARKED_CALL: Availability.ON_HOLD,
}
# The members of other enums with the same text are equal, so each text is here once.
_STATUSES: dict[str | None, Availability] = {
    PresenceStatus.OFFLINE: Availability.OFFLINE,
    PresenceStatus.BUSY: Availability.BUSY,
    PresenceStatus.AVAILABLE: Availability.AVAILABLE,
}
# A member of an enum is found slower through its class.
_UNKNOWN, _DND, _IN_MEETING = (
    Availability.UNKNOWN,
    Availability.DO_NOT_DISTURB,
    Availability.IN_MEETING,
)
_NO_CALLS, _CONNECTED = DndStatus.DO_NOT_ACCEPT_ANY_CALLS, MeetingStatus.CONNECTED


class Presence(Protocol):
    """The fields that the availability depends on, of a presence record or the body of an event."""

    @property
    def aggregated_telephony_status(self) -> TelephonyStatus | None:
        """The aggregate of phone and contact center."""

    @property
    def telephony_status(self) -> TelephonyStatus | None:
        """The state of the phone."""

    @property
    def cx_telephony_status(self) -> TelephonyStatus | None:
        """The state in RingCentral's contact center."""

    @property
    def dnd_status(self) -> DndStatus | None:
        """Which calls are accepted."""

    @property
    def dnd_status_personal(self) -> DndStatus | None:
        """Which of the own calls are accepted."""

    @property
    def meeting_status(self) -> MeetingStatus | None:
        """Whether the person is in a meeting."""

    @property
    def presence_status(self) -> PresenceStatus | None:
        """The presence that others see."""

    @property
    def user_status(self) -> UserStatus | None:
        """The status that the person has set."""


def availability_of(presence: Presence) -> Availability:
    """Return the availability of an extension; it raises nothing and keeps nothing."""
    call = presence.aggregated_telephony_status
    if call is None:
        call = presence.telephony_status
        if call is None:
            call = presence.cx_telephony_status
    on_phone = _CALLS.get(call, _UNKNOWN)
    if on_phone is not None:
        return on_phone
    if presence.dnd_status == _NO_CALLS or presence.dnd_status_personal == _NO_CALLS:
        return _DND
    if presence.meeting_status == _CONNECTED:
        return _IN_MEETING
    status = presence.presence_status
    return _STATUSES.get(presence.user_status if status is None else status, _UNKNOWN)


def unified_availability(
    status: UnifiedStatus | None,
    call: TelephonyStatus | None,
    accepts: TelephonyAvailability | None,
    meeting: UnifiedMeetingStatus | None,
) -> Availability:
    """Return the availability in unified presence.

    Args:
        status: the aggregate; DND decides where `dnd_status` does in the table, Offline, Busy and
            Available where the presence status does.
        call: `telephony.status`, the telephony status of the table.
        accepts: `telephony.availability`; DoNotAcceptAnyCalls is do-not-disturb.
        meeting: `meeting.status`; InMeeting is Connected in the table.
    """
    on_phone = _CALLS.get(call, _UNKNOWN)
    if on_phone is not None:
        return on_phone
    if status == UnifiedStatus.DND or accepts == TelephonyAvailability.DO_NOT_ACCEPT_ANY_CALLS:
        return _DND
    if meeting == UnifiedMeetingStatus.IN_MEETING:
        return _IN_MEETING
    return _STATUSES.get(status, _UNKNOWN)
