"""Presence of extensions: one, several, or a whole account.

Any field may be absent from a response, and is None then.
Source of names and meanings: RingCentral API reference, "Presence".
"""

from datetime import datetime

import attrs
from attrs.converters import optional

from ..enums import (
    Availability,
    CallDirection,
    CallerIdVisibility,
    CallInfoType,
    DndStatus,
    MeetingStatus,
    PresenceStatus,
    TelephonyStatus,
    TerminationType,
    UserStatus,
)
from ..ids import RecordId
from . import writable
from .availability import availability_of
from .validation import encodable, flag, status_message


@attrs.frozen(weakref_slot=False)
class GetPresenceExtensionInfo:
    """The extension of a presence record.

    Attributes:
        id: the internal id, which is not the number people dial.
        uri: the URL of the extension in the API.
        extension_number: the number people dial, usually 3 or 4 digits.
    """

    id: RecordId | None = None
    uri: str | None = None
    extension_number: str | None = None


@attrs.frozen(weakref_slot=False)
class DetailedCallInfo:
    """The SIP dialog of a call (RFC 3261); only with `sip_data=True`.

    Attributes:
        call_id: the Call-ID header.
        to_tag: the tag of the To header.
        from_tag: the tag of the From header.
        remote_uri: the SIP URI of the other side.
        local_uri: the SIP URI of this side.
        rc_session_id: RingCentral's id of the session.
    """

    call_id: str | None = None
    to_tag: str | None = None
    from_tag: str | None = None
    remote_uri: str | None = None
    local_uri: str | None = None
    rc_session_id: RecordId | None = None


@attrs.frozen(weakref_slot=False)
class PrimaryCQInfo:
    """The first line that a phone displays for a call of a call queue.

    Attributes:
        type: the kind of text.
        value: the text.
    """

    type: CallInfoType | None = None
    value: str | None = None


@attrs.frozen(weakref_slot=False)
class AdditionalCQInfo:
    """The second line that a phone displays for a call of a call queue.

    Attributes:
        type: the kind of text.
        value: the text.
    """

    type: CallInfoType | None = None
    value: str | None = None


@attrs.frozen(weakref_slot=False)
class CallInfoCQ:
    """The text that a phone displays for a call of a call queue.

    Attributes:
        primary: the first line.
        additional: the second line.
    """

    primary: PrimaryCQInfo | None = None
    additional: AdditionalCQInfo | None = None


@attrs.frozen(weakref_slot=False)
class AppearanceInfo:
    """The appearance of a shared line that a call is on.

    Attributes:
        phone_number: the number of the shared line.
        appearance_number: 1 to 8.
    """

    phone_number: str | None = None
    appearance_number: int | None = None


@attrs.frozen(weakref_slot=False)
class ActiveCallInfo:
    """One of the latest calls of an extension; only with `detailed_telephony_state=True`.

    Attributes:
        id: the id of the call.
        direction: whether it came in or went out, as this extension sees it.
        queue_call: whether the call came through a call queue.
        from_: the number of the caller; `from` in JSON, which is a keyword in Python.
        from_name: the name of the caller.
        to: the number of the callee.
        to_name: the name of the callee.
        start_time: when the call began, with a UTC offset.
        telephony_status: the state of the call. A call may be listed after its end, as NoCall.
        sip_data: the SIP dialog; only with `sip_data=True`.
        session_id: the id of the call session in the call log.
        telephony_session_id: the id of the session in the call control API.
        on_behalf_of: the extension id of the person the call is made for.
        party_id: the id of this party within the telephony session.
        termination_type: how the call ended; None while it lasts.
        call_info: the text that a phone displays; only for calls of a call queue.
        appearance_info: the appearance of a shared line that the call is on.
    """

    id: RecordId | None = None
    direction: CallDirection | None = None
    queue_call: bool | None = None
    from_: str | None = None
    from_name: str | None = None
    to: str | None = None
    to_name: str | None = None
    start_time: datetime | None = None
    telephony_status: TelephonyStatus | None = None
    sip_data: DetailedCallInfo | None = None
    session_id: RecordId | None = None
    telephony_session_id: RecordId | None = None
    on_behalf_of: RecordId | None = None
    party_id: RecordId | None = None
    termination_type: TerminationType | None = None
    call_info: CallInfoCQ | None = None
    appearance_info: AppearanceInfo | None = None


@attrs.frozen(weakref_slot=False)
class GetPresenceInfo:
    """The presence of one extension.

    Only User extensions have a status of their own: for call queues, IVR menus, voicemail, fax,
    paging, shared lines, application and park location extensions `presence_status` is Offline,
    and `telephony_status`, `message`, `user_status` and `dnd_status` are None. A user who hides
    their presence from others still sees their own.

    Attributes:
        uri: the URL of the record in the API.
        extension: the extension.
        presence_status: the presence that others see.
        telephony_status: the state of the phone.
        user_status: the status that the user has set.
        meeting_status: whether the user is in a meeting.
        dnd_status: which calls the user accepts.
        dnd_status_personal: which calls the user accepts, call queues aside.
        message: the status message, at most 75 characters.
        allow_see_my_presence: whether others can see this presence.
        caller_id_visibility: who can see the user's caller id.
        ring_on_monitored_call: whether to ring when a monitored extension rings.
        pick_up_calls_on_hold: whether calls held on a monitored line may be picked up.
        accept_call_queue_calls: whether the user accepts calls of call queues.
        active_calls: at most the 7 latest calls, some of which may have ended; None unless
            `detailed_telephony_state=True`.
        cx_telephony_status: the state of the user in RingCentral's contact center.
        aggregated_telephony_status: the aggregate of phone and contact center.
        total_active_calls: the number of calls, also those not in `active_calls`; only in events.
    """

    uri: str | None = None
    extension: GetPresenceExtensionInfo | None = None
    presence_status: PresenceStatus | None = None
    telephony_status: TelephonyStatus | None = None
    user_status: UserStatus | None = None
    meeting_status: MeetingStatus | None = None
    dnd_status: DndStatus | None = None
    dnd_status_personal: DndStatus | None = None
    message: str | None = None
    allow_see_my_presence: bool | None = None
    caller_id_visibility: CallerIdVisibility | None = None
    ring_on_monitored_call: bool | None = None
    pick_up_calls_on_hold: bool | None = None
    accept_call_queue_calls: bool | None = None
    active_calls: tuple[ActiveCallInfo, ...] | None = None
    cx_telephony_status: TelephonyStatus | None = None
    aggregated_telephony_status: TelephonyStatus | None = None
    total_active_calls: int | None = None

    @property
    def effective_telephony_status(self) -> TelephonyStatus | None:
        """Return the aggregated telephony status, or `telephony_status` if there is none."""
        if self.aggregated_telephony_status is not None:
            return self.aggregated_telephony_status
        return self.telephony_status

    @property
    def effective_dnd_status(self) -> DndStatus | None:
        """Return `dnd_status`, or the personal one if that is Unknown or None.

        RingCentral sends Unknown for extensions whose call queues it cannot determine.
        """
        if self.dnd_status in (None, DndStatus.UNKNOWN) and self.dnd_status_personal is not None:
            return self.dnd_status_personal
        return self.dnd_status

    @property
    def availability(self) -> Availability:
        """Whether the user can be reached, in one word.

        The first of these that applies: a call that rings, is connected, on hold or parked;
        do-not-disturb for all calls; a meeting; Offline, Busy or Available. UNKNOWN if what decides
        is absent or not known to this library. See models/availability.py for the table.
        """
        return availability_of(self)


# RingCentral has two names for one record. Here it is one class, so that the record that an update
# returned can equal the one that the next read returns.
PresenceInfoResponse = GetPresenceInfo


@attrs.frozen(weakref_slot=False)
class PresenceInfoRequest:
    """Changes to a user's presence; a field that is None is not changed.

    Attributes:
        user_status: a UserStatus or its text.
        dnd_status: a DndStatus or its text. RingCentral refuses DoNotAcceptDepartmentCalls for a
            user who is in no call queue, and TakeDepartmentCallsOnly for every user.
        dnd_status_personal: TakeAllCalls or DoNotAcceptAnyCalls.
        message: the status message, at most 75 characters; "" removes it.
        allow_see_my_presence: whether others can see this presence.
        ring_on_monitored_call: whether to ring when a monitored extension rings.
        pick_up_calls_on_hold: whether calls held on a monitored line may be picked up.
        caller_id_visibility: a CallerIdVisibility or its text.
        accept_call_queue_calls: whether the user accepts calls of call queues.

    Raises:
        UsageError: a field has the wrong type or a lone surrogate, or the message is too long.
    """

    user_status: UserStatus | None = attrs.field(
        default=None, converter=optional(writable.user_status), validator=encodable
    )
    dnd_status: DndStatus | None = attrs.field(
        default=None, converter=optional(writable.dnd_status), validator=encodable
    )
    dnd_status_personal: DndStatus | None = attrs.field(
        default=None, converter=optional(writable.dnd_status_personal), validator=encodable
    )
    message: str | None = attrs.field(default=None, validator=status_message)
    allow_see_my_presence: bool | None = attrs.field(default=None, validator=flag)
    ring_on_monitored_call: bool | None = attrs.field(default=None, validator=flag)
    pick_up_calls_on_hold: bool | None = attrs.field(default=None, validator=flag)
    caller_id_visibility: CallerIdVisibility | None = attrs.field(
        default=None, converter=optional(writable.caller_id_visibility), validator=encodable
    )
    accept_call_queue_calls: bool | None = attrs.field(default=None, validator=flag)


@attrs.frozen(weakref_slot=False)
class PresencePagingInfo:
    """The position of a page in the presence of an account; any field may be absent.

    Attributes:
        page: the number of this page, from 1.
        per_page: the records of a full page: as requested, or less (1,000 at most).
        page_start: the index of the first record, from 0.
        page_end: the index of the last record.
        total_pages: the number of pages.
        total_elements: the number of records.
    """

    page: int | None = None
    per_page: int | None = None
    page_start: int | None = None
    page_end: int | None = None
    total_pages: int | None = None
    total_elements: int | None = None


@attrs.frozen(weakref_slot=False)
class PresenceNavigationInfoURI:
    """The URL of a page.

    Attributes:
        uri: an absolute URL on the same server.
    """

    uri: str | None = None


@attrs.frozen(weakref_slot=False)
class PresenceNavigationInfo:
    """The URLs of other pages; None if there is no such page.

    Attributes:
        first_page: the first page.
        next_page: the page after this one.
        previous_page: the page before this one.
        last_page: the last page.
    """

    first_page: PresenceNavigationInfoURI | None = None
    next_page: PresenceNavigationInfoURI | None = None
    previous_page: PresenceNavigationInfoURI | None = None
    last_page: PresenceNavigationInfoURI | None = None


@attrs.frozen(weakref_slot=False)
class AccountPresenceInfo:
    """One page of the presence of all extensions of an account.

    Attributes:
        uri: the URL of the page in the API.
        records: the presence of each extension.
        paging: the position of this page.
        navigation: the URLs of other pages.
    """

    uri: str | None = None
    records: tuple[GetPresenceInfo, ...] | None = None
    paging: PresencePagingInfo | None = None
    navigation: PresenceNavigationInfo | None = None
