"""Events: RingCentral's notifications, and the changes and gaps that are derived from them.

`EVENT_TYPES` lists every type of event with its body; a new type is one more row.

Every field of a notification may be absent. It is None then, which in a presence body means that
it has not changed.
Source of names and meanings: RingCentral API reference, "Events", presence events.
"""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any

import attrs

from ..enums import (
    Availability,
    DndStatus,
    MeetingStatus,
    OpenStrEnum,
    PresenceStatus,
    TelephonyStatus,
    UserStatus,
)
from ..ids import RecordId
from .availability import availability_of
from .directory import DirectoryEntry
from .presence import ActiveCallInfo, GetPresenceInfo
from .queues import CallQueuePresence


class LineStatus(OpenStrEnum):
    """The state of one appearance of a shared line."""

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
        presence_status: the overall status, as in GetPresenceInfo, like all that follow.
        telephony_status: the status of the phone.
        user_status: the status that the user has set.
        meeting_status: whether the user is in a meeting.
        dnd_status: which calls are accepted.
        dnd_status_personal: which calls are accepted, apart from those of call queues.
        allow_see_my_presence: whether other users may see this presence.
        ring_on_monitored_call: whether the phone rings when a monitored extension is called.
        pick_up_calls_on_hold: whether calls held on a monitored line may be picked up.
        accept_call_queue_calls: whether calls of call queues are accepted.
        cx_telephony_status: the status in RingCentral's contact centre.
        aggregated_telephony_status: the status of phone and contact centre together.
        active_calls: the latest calls, 7 at most; with a detailed filter only.
        total_active_calls: the number of calls; with a detailed filter only.
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

    @property
    def availability(self) -> Availability:
        """The availability as far as this body has it, as in `GetPresenceInfo`.

        A body has only what has changed, so that its availability may not be that of the user: a
        board merges bodies into records, whose availability is.
        """
        return availability_of(self)


@attrs.frozen(weakref_slot=False)
class PresenceLineExtension:
    """An extension on a presence line.

    Attributes:
        id: the internal id of the extension.
    """

    id: RecordId | None = None


@attrs.frozen(weakref_slot=False)
class PresenceLineEventBody:
    """The extensions that a user's presence lines show have changed.

    Attributes:
        extension: the extensions.
        sequence: orders the notifications.
    """

    extension: tuple[PresenceLineExtension, ...] | None = None
    sequence: int | None = None


@attrs.frozen(weakref_slot=False)
class CallQueueMemberEventBody:
    """Whether a member accepts the calls of a queue: one of the two documented forms of this event.

    Attributes:
        extension_id: the member.
        call_queue_id: the queue.
        accept_calls: whether calls of this queue are accepted.
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


@attrs.frozen
class EventType:
    """A type of event.

    Attributes:
        path: the path of its event filter below that of the account.
        body: the class of its body.
        field: a field that the body has to have; None for any body. Of rows with the same path the
            first one that fits is taken.
    """

    path: str
    body: type[Any]
    field: str | None = None


EVENT_TYPES = (
    EventType("/presence", PresenceEventBody),
    EventType("/extension/{extension_id}/presence", PresenceEventBody),
    EventType("/extension/{extension_id}/presence/line", PresenceLineEventBody),
    EventType("/extension/{extension_id}/presence/line/presence", PresenceEventBody),
    EventType("/extension/{extension_id}/favorite/presence", PresenceEventBody),
    EventType("/extension/{extension_id}/presence/dnd", PresenceEventBody),
    EventType("/call-queues/{group_id}/presence", CallQueuePresence, field="records"),
    EventType("/call-queues/{group_id}/presence", CallQueueMemberEventBody),
)


@attrs.frozen(weakref_slot=False)
class PresenceEvent:
    """A notification.

    Attributes:
        uuid: the id of the notification; RingCentral may send the same one twice.
        event: the event filter that it matches, with ids or with `~`.
        timestamp: when RingCentral sent it.
        subscription_id: the id of the subscription.
        owner_id: the extension that subscribed.
        body: what has changed. The parsed JSON object if the type of event is not known, or its
            body is not as documented.
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
    """The connection was lost, and its session could not be recovered."""
    RECOVERY_INCOMPLETE = "RecoveryIncomplete"
    """The session was recovered, but more events may have occurred than RingCentral keeps."""
    UNREADABLE = "Unreadable"
    """RingCentral sent something that could not be parsed."""
    OVERFLOW = "Overflow"
    """Events arrived faster than they were consumed, until the buffer was full."""
    WEBHOOK_LOST = "WebhookLost"
    """RingCentral had stopped calling the webhook."""
    BOARD_LOST = "BoardLost"
    """Redis has lost what it had of a shared board."""


@attrs.frozen(weakref_slot=False)
class Resync:
    """Events may have been lost: read again whatever state you keep.

    Attributes:
        reason: why they may have been lost.
        since: the last time at which no event was missing; None if not known.
        missed: the number of lost events; None if not known.
    """

    reason: ResyncReason
    since: datetime | None = None
    missed: int | None = None


class ChangeSource(StrEnum):
    """Where a change was found."""

    EVENT = "event"
    """A notification."""
    BATCH = "batch"
    """A batch read, of rate limit group Light."""
    ACCOUNT = "account"
    """A page of the account's presence, of rate limit group Heavy."""


@attrs.frozen(weakref_slot=False)
class PresenceChange:
    """A change of the presence of one extension.

    Attributes:
        id: the id of the extension.
        old: the presence before; None if it was not known.
        new: the presence now; None if the extension is gone.
        source: where the change was found.
        time: the timestamp of the event, or when the response to a read arrived.
        entry: who the extension is; None unless the board has a directory, which was read, with it.
    """

    id: str
    old: GetPresenceInfo | None
    new: GetPresenceInfo | None
    source: ChangeSource
    time: datetime
    entry: DirectoryEntry | None = None
