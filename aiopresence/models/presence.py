"""Presence of extensions: one, several, or a whole account.

Every field may be absent from an answer: None means that RingCentral said nothing.
Source of names and meanings: RingCentral API reference, "Presence".
"""

from datetime import datetime

import attrs
from attrs.converters import optional

from ..ids import RecordId
from .enums import (
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
from .validation import encodable, flag, status_message


@attrs.frozen(weakref_slot=False)
class GetPresenceExtensionInfo:
    """The extension that a presence record is about.

    Attributes:
        id: the internal id, which is not the number people dial.
        uri: the extension's own address in the API.
        extension_number: the number people dial, usually 3 or 4 digits.
    """

    id: RecordId | None = None
    uri: str | None = None
    extension_number: str | None = None


@attrs.frozen(weakref_slot=False)
class DetailedCallInfo:
    """The SIP dialogue of a call (sent with `sip_data=True` only), as RFC 3261 names its parts.

    Attributes:
        call_id: the Call-ID header.
        to_tag: the tag of the To header.
        from_tag: the tag of the From header.
        remote_uri: the address of the other side.
        local_uri: the address of this side.
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
    """The first line that a phone shows for a call of a call queue.

    Attributes:
        type: what kind of text it is.
        value: the text.
    """

    type: CallInfoType | None = None
    value: str | None = None


@attrs.frozen(weakref_slot=False)
class AdditionalCQInfo:
    """The second line that a phone shows for a call of a call queue.

    Attributes:
        type: what kind of text it is.
        value: the text.
    """

    type: CallInfoType | None = None
    value: str | None = None


@attrs.frozen(weakref_slot=False)
class CallInfoCQ:
    """What a phone shows for a call of a call queue.

    Attributes:
        primary: the first line.
        additional: the second line.
    """

    primary: PrimaryCQInfo | None = None
    additional: AdditionalCQInfo | None = None


@attrs.frozen(weakref_slot=False)
class AppearanceInfo:
    """Which appearance of a shared line a call is on.

    Attributes:
        phone_number: the shared line's number.
        appearance_number: 1 to 8.
    """

    phone_number: str | None = None
    appearance_number: int | None = None


@attrs.frozen(weakref_slot=False)
class ActiveCallInfo:
    """One of the latest calls of an extension (sent with `detailed_telephony_state=True` only).

    Attributes:
        id: the id of the call.
        direction: who called whom, as this extension sees it.
        queue_call: whether the call came through a call queue.
        from_: number of the caller (`from` on the wire, which Python reserves).
        from_name: name of the caller.
        to: number of the callee.
        to_name: name of the callee.
        start_time: when the call began, with its UTC offset.
        telephony_status: what the call does now. A call may be listed after its end, as NoCall.
        sip_data: the SIP dialogue, with `sip_data=True`.
        session_id: the id of the call session, as the call log has it.
        telephony_session_id: the id of the session in the call control API.
        on_behalf_of: the extension id of the person for whom the call is made.
        party_id: the id of this party within the telephony session.
        termination_type: how the call ended; None while it goes on.
        call_info: what a phone shows, for calls of a call queue.
        appearance_info: which appearance of a shared line.
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
    and `telephony_status`, `message`, `user_status` and `dnd_status` are None. One's own presence
    is told truly even while it is hidden from others.

    Attributes:
        uri: the record's own address in the API.
        extension: whose presence this is.
        presence_status: what others see.
        telephony_status: what the phone does.
        user_status: what the user has set.
        meeting_status: whether in a meeting.
        dnd_status: which calls are taken.
        dnd_status_personal: which calls are taken apart from those of call queues.
        message: the user's own words, at most 75 characters.
        allow_see_my_presence: whether others may see this presence.
        caller_id_visibility: who sees the caller id.
        ring_on_monitored_call: whether to ring when a monitored extension rings.
        pick_up_calls_on_hold: whether calls held on a monitored line may be picked up.
        accept_call_queue_calls: whether calls of call queues are taken.
        active_calls: the 7 latest calls at most, some maybe over already; None unless
            `detailed_telephony_state=True`.
        cx_telephony_status: what the user does in RingCentral's contact centre.
        aggregated_telephony_status: phone and contact centre together.
        total_active_calls: how many calls there are, also beyond `active_calls` (events only).
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
        """Return the telephony status that counts: the aggregated one where there is one."""
        if self.aggregated_telephony_status is not None:
            return self.aggregated_telephony_status
        return self.telephony_status

    @property
    def effective_dnd_status(self) -> DndStatus | None:
        """Return the do-not-disturb status that counts.

        It is the personal one where `dnd_status` is Unknown or None, as for extensions whose
        queues cannot be determined.
        """
        if self.dnd_status in (None, DndStatus.UNKNOWN) and self.dnd_status_personal is not None:
            return self.dnd_status_personal
        return self.dnd_status


# RingCentral has two names for one record. One class, so that what an update returned equals
# what the next read returns.
PresenceInfoResponse = GetPresenceInfo


@attrs.frozen(weakref_slot=False)
class PresenceInfoRequest:
    """What to change in a user's presence; None leaves a field as it is.

    Attributes:
        user_status: a UserStatus or its text.
        dnd_status: a DndStatus or its text. DoNotAcceptDepartmentCalls is refused for someone
            who is in no call queue, TakeDepartmentCallsOnly for everybody.
        dnd_status_personal: TakeAllCalls or DoNotAcceptAnyCalls.
        message: the user's own words, at most 75 characters; "" clears it.
        allow_see_my_presence: whether others may see this presence.
        ring_on_monitored_call: whether to ring when a monitored extension rings.
        pick_up_calls_on_hold: whether calls held on a monitored line may be picked up.
        caller_id_visibility: a CallerIdVisibility or its text.
        accept_call_queue_calls: whether calls of call queues are taken.

    Raises:
        UsageError: a field has the wrong type or a lone surrogate, or the message is too long.
    """

    user_status: UserStatus | None = attrs.field(
        default=None, converter=optional(UserStatus), validator=encodable
    )
    dnd_status: DndStatus | None = attrs.field(
        default=None, converter=optional(DndStatus), validator=encodable
    )
    dnd_status_personal: DndStatus | None = attrs.field(
        default=None, converter=optional(DndStatus), validator=encodable
    )
    message: str | None = attrs.field(default=None, validator=status_message)
    allow_see_my_presence: bool | None = attrs.field(default=None, validator=flag)
    ring_on_monitored_call: bool | None = attrs.field(default=None, validator=flag)
    pick_up_calls_on_hold: bool | None = attrs.field(default=None, validator=flag)
    caller_id_visibility: CallerIdVisibility | None = attrs.field(
        default=None, converter=optional(CallerIdVisibility), validator=encodable
    )
    accept_call_queue_calls: bool | None = attrs.field(default=None, validator=flag)


@attrs.frozen(weakref_slot=False)
class PresencePagingInfo:
    """Where a page of the account's presence stands; RingCentral may leave out any of it.

    Attributes:
        page: the number of this page, from 1.
        per_page: records on a full page: what was asked for, or less (1,000 at most).
        page_start: index of the first record, from 0.
        page_end: index of the last record.
        total_pages: how many pages there are.
        total_elements: how many records there are.
    """

    page: int | None = None
    per_page: int | None = None
    page_start: int | None = None
    page_end: int | None = None
    total_pages: int | None = None
    total_elements: int | None = None


@attrs.frozen(weakref_slot=False)
class PresenceNavigationInfoURI:
    """The address of a page.

    Attributes:
        uri: absolute, on the server that was asked.
    """

    uri: str | None = None


@attrs.frozen(weakref_slot=False)
class PresenceNavigationInfo:
    """The addresses of other pages; None where there is no such page.

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
        uri: the page's own address in the API.
        records: the presence of each extension.
        paging: where this page stands.
        navigation: the addresses of other pages.
    """

    uri: str | None = None
    records: tuple[GetPresenceInfo, ...] | None = None
    paging: PresencePagingInfo | None = None
    navigation: PresenceNavigationInfo | None = None
