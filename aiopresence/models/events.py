"""What happens to presence: RingCentral's notifications, and our words for what is made of them.

Every field of a notification may be absent: None means that RingCentral said nothing, which in a
presence body is "has not changed".
Source of names and meanings: RingCentral API reference, "Events", presence events.
"""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any

import attrs

from ..ids import RecordId
from .enums import (
    DndStatus,
    MeetingStatus,
    OpenStrEnum,
    PresenceStatus,
    TelephonyStatus,
    UserStatus,
)
from .presence import ActiveCallInfo, GetPresenceInfo
from .queues import CallQueuePresence


class LineStatus(OpenStrEnum):
    """Whether a shared line is in use at one of its appearances."""

    SEIZED = "Seized"
    RELEASED = "Released"


@attrs.frozen(weakref_slot=False)
class LineAppearanceInfo:
    """One appearance of a shared line.

    Attributes:
        phone_number: the shared line's number.
        appearance_number: 1 to 8.
        line_status: whether it is in use.
    """

    phone_number: str | None = None
    appearance_number: int | None = None
    line_status: LineStatus | None = None


@attrs.frozen(weakref_slot=False)
class PresenceEventBody:
    """What has changed in the presence of one extension.

    Attributes:
        extension_id: whose presence.
        sequence: orders the notifications about one extension; its scope is not documented.
        presence_status: as in GetPresenceInfo, like all that follow.
        telephony_status: what the phone does.
        user_status: what the user has set.
        meeting_status: whether in a meeting.
        dnd_status: which calls are taken.
        dnd_status_personal: which calls are taken apart from those of call queues.
        allow_see_my_presence: whether others may see this presence.
        ring_on_monitored_call: whether to ring when a monitored extension rings.
        pick_up_calls_on_hold: whether calls held on a monitored line may be picked up.
        accept_call_queue_calls: whether calls of call queues are taken.
        cx_telephony_status: what the user does in RingCentral's contact centre.
        aggregated_telephony_status: phone and contact centre together.
        active_calls: the 7 latest calls at most; with a detailed filter only.
        total_active_calls: how many calls there are; with a detailed filter only.
        appearances: appearances of shared lines; with a detailed filter only, and never in a read.
        owner_id: the extension that subscribed.
    """

    extension_id: RecordId | None = None
    sequence: int | None = None
    presence_status: PresenceStatus | None = None
    telephony_status: TelephonyStatus | None = None
    user_status: UserStatus | None = None
    meeting_status: MeetingStatus | None = None
    dnd_status: DndStatus | None = None
    dnd_status_personal: DndStatus | None = None
    allow_see_my_presence: bool | None = None
    ring_on_monitored_call: bool | None = None
    pick_up_calls_on_hold: bool | None = None
    accept_call_queue_calls: bool | None = None
    cx_telephony_status: TelephonyStatus | None = None
    aggregated_telephony_status: TelephonyStatus | None = None
    active_calls: tuple[ActiveCallInfo, ...] | None = None
    total_active_calls: int | None = None
    appearances: tuple[LineAppearanceInfo, ...] | None = None
    owner_id: RecordId | None = None


@attrs.frozen(weakref_slot=False)
class PresenceLineExtension:
    """An extension on a presence line.

    Attributes:
        id: the internal id of the extension.
    """

    id: RecordId | None = None


@attrs.frozen(weakref_slot=False)
class PresenceLineEventBody:
    """Which extensions a user's presence lines show has changed.

    Attributes:
        extension: the extensions.
        sequence: orders the notifications.
    """

    extension: tuple[PresenceLineExtension, ...] | None = None
    sequence: int | None = None


@attrs.frozen(weakref_slot=False)
class CallQueueMemberEventBody:
    """Whether a member takes a queue's calls: one of the two documented forms of that event.

    Attributes:
        extension_id: the member.
        call_queue_id: the queue.
        accept_calls: whether calls of this queue are taken.
    """

    extension_id: RecordId | None = None
    call_queue_id: RecordId | None = None
    accept_calls: bool | None = None


EventBody = (
    PresenceEventBody
    | PresenceLineEventBody
    | CallQueuePresence
    | CallQueueMemberEventBody
    | Mapping[str, Any]
)


@attrs.frozen(weakref_slot=False)
class PresenceEvent:
    """A notification.

    Attributes:
        uuid: its own id; the same notification may be sent twice.
        event: the event filter it is for, in real ids or with `~`.
        timestamp: when RingCentral sent it.
        subscription_id: of which subscription.
        owner_id: the extension that subscribed.
        body: what happened. Of an event that this library does not know, or whose body is not as
            documented, the JSON object as it came.
    """

    uuid: str | None = None
    event: str | None = None
    timestamp: datetime | None = None
    subscription_id: RecordId | None = None
    owner_id: RecordId | None = None
    body: EventBody | None = attrs.field(default=None)


class ResyncReason(StrEnum):
    """Why events may have been lost."""

    CONNECTION_LOST = "ConnectionLost"
    """The connection was lost, and could not be continued where it had ended."""
    RECOVERY_INCOMPLETE = "RecoveryIncomplete"
    """It could, but more may have happened meanwhile than RingCentral keeps."""
    UNREADABLE = "Unreadable"
    """RingCentral sent something that cannot be understood."""
    OVERFLOW = "Overflow"
    """Events came faster than they were taken, until there was no room for more."""
    WEBHOOK_LOST = "WebhookLost"
    """RingCentral had stopped to call the webhook."""


@attrs.frozen(weakref_slot=False)
class Resync:
    """Events may have been lost: whoever keeps a state should read it anew.

    Attributes:
        reason: why.
        since: the last moment at which nothing was missing; None when not known.
        missed: how many events are known to be missing; None when that is not known.
    """

    reason: ResyncReason
    since: datetime | None = None
    missed: int | None = None


class ChangeSource(StrEnum):
    """What told of a change."""

    EVENT = "event"
    """A notification."""
    BATCH = "batch"
    """A batch read, of group Light."""
    ACCOUNT = "account"
    """A page of the account's presence, of group Heavy."""


@attrs.frozen(weakref_slot=False)
class PresenceChange:
    """A change of the presence of one extension.

    Attributes:
        id: the extension's id.
        old: the presence before; None when it was not known.
        new: the presence now; None when there is none any more.
        source: what told of it.
        time: when: the event's own time, or when the answer of a read came.
    """

    id: str
    old: GetPresenceInfo | None
    new: GetPresenceInfo | None
    source: ChangeSource
    time: datetime
