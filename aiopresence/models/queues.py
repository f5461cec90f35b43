"""Call queue presence, from both sides: the members of a queue, and the queues of a member.

Source of names and meanings: RingCentral API reference, "Presence", call queue operations.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import attrs

from ..ids import RecordId
from .validation import as_record, as_records, flag, member_id


@attrs.frozen(weakref_slot=False)
class SiteBasicInfo:
    """The site an extension belongs to.

    Attributes:
        id: the internal id of the site.
        name: the name of the site.
    """

    id: RecordId | None = None
    name: str | None = None


@attrs.frozen(weakref_slot=False)
class CallQueueMember:
    """A member of a call queue.

    Attributes:
        id: the internal id of the member's extension.
        name: the member's name.
        extension_number: the number people dial.
        extension_sub_type: the subtype of the extension.
        site: the site of the extension.
    """

    id: RecordId | None = None
    name: str | None = None
    extension_number: str | None = None
    extension_sub_type: str | None = None
    site: SiteBasicInfo | None = None


@attrs.frozen(weakref_slot=False)
class CallQueueMemberPresence:
    """Whether a member accepts the calls of a queue.

    Attributes:
        member: the member.
        accept_queue_calls: whether the member accepts calls of call queues at all.
        accept_current_queue_calls: whether the member accepts calls of this queue.
    """

    member: CallQueueMember | None = None
    accept_queue_calls: bool | None = None
    accept_current_queue_calls: bool | None = None


@attrs.frozen(weakref_slot=False)
class CallQueuePresence:
    """The members of a call queue, and whether they accept its calls.

    Attributes:
        records: one per member.
    """

    records: tuple[CallQueueMemberPresence, ...] | None = None


@attrs.frozen(weakref_slot=False)
class CallQueueMemberId:
    """The member whose setting is changed.

    Attributes:
        id: the internal id of the member's extension, as str or int.

    Raises:
        UsageError: the id is not digits.
    """

    id: str = attrs.field(converter=member_id)


def _member(value: CallQueueMemberId | Mapping[str, Any]) -> CallQueueMemberId:
    return as_record(CallQueueMemberId, value)


@attrs.frozen(weakref_slot=False)
class CallQueueUpdateMemberPresence:
    """Whether a member shall accept the calls of the queue.

    Attributes:
        member: the member; also as a mapping, `{"id": "…"}`.
        accept_current_queue_calls: whether to accept them.

    Raises:
        UsageError: a field has the wrong type, or a mapping has an unknown key.
    """

    member: CallQueueMemberId = attrs.field(converter=_member)
    accept_current_queue_calls: bool | None = attrs.field(default=None, validator=flag)


def _members(
    values: Iterable[CallQueueUpdateMemberPresence | Mapping[str, Any]],
) -> tuple[CallQueueUpdateMemberPresence, ...]:
    return as_records(CallQueueUpdateMemberPresence, values)


@attrs.frozen(weakref_slot=False)
class CallQueueUpdatePresence:
    """Changes to which members of a call queue accept its calls; other members are not changed.

    Attributes:
        records: one per member to change; also as mappings.

    Raises:
        UsageError: a field has the wrong type, or a mapping has an unknown key.
    """

    records: tuple[CallQueueUpdateMemberPresence, ...] = attrs.field(converter=_members)


@attrs.frozen(weakref_slot=False)
class PresenceCallQueueInfo:
    """A call queue that an extension is a member of.

    Attributes:
        id: the internal id of the queue's extension.
        name: the name of the queue.
        extension_number: the number people dial.
        editable_member_status: whether members can change their own setting.
    """

    id: RecordId | None = None
    name: str | None = None
    extension_number: str | None = None
    editable_member_status: bool | None = None


@attrs.frozen(weakref_slot=False)
class ExtensionCallQueuePresence:
    """Whether an extension accepts the calls of one of its queues.

    Attributes:
        call_queue: the queue.
        accept_calls: whether the extension accepts its calls.
    """

    call_queue: PresenceCallQueueInfo | None = None
    accept_calls: bool | None = None


@attrs.frozen(weakref_slot=False)
class ExtensionCallQueuePresenceList:
    """The call queues of an extension, and whether it accepts their calls.

    Attributes:
        records: one per queue.
    """

    records: tuple[ExtensionCallQueuePresence, ...] | None = None


@attrs.frozen(weakref_slot=False)
class CallQueueId:
    """The call queue whose setting is changed.

    Attributes:
        id: the internal id of the queue's extension, as str or int.

    Raises:
        UsageError: the id is not digits.
    """

    id: str = attrs.field(converter=member_id)


def _call_queue(value: CallQueueId | Mapping[str, Any]) -> CallQueueId:
    return as_record(CallQueueId, value)


@attrs.frozen(weakref_slot=False)
class ExtensionCallQueueUpdatePresence:
    """Whether an extension shall accept the calls of one of its queues.

    Attributes:
        call_queue: the queue; also as a mapping, `{"id": "…"}`.
        accept_calls: whether to accept its calls.

    Raises:
        UsageError: a field has the wrong type, or a mapping has an unknown key.
    """

    call_queue: CallQueueId = attrs.field(converter=_call_queue)
    accept_calls: bool | None = attrs.field(default=None, validator=flag)


def _queues(
    values: Iterable[ExtensionCallQueueUpdatePresence | Mapping[str, Any]],
) -> tuple[ExtensionCallQueueUpdatePresence, ...]:
    return as_records(ExtensionCallQueueUpdatePresence, values)


@attrs.frozen(weakref_slot=False)
class ExtensionCallQueueUpdatePresenceList:
    """Changes to which queues' calls an extension accepts; other queues are not changed.

    Attributes:
        records: one per queue to change; also as mappings.

    Raises:
        UsageError: a field has the wrong type, or a mapping has an unknown key.
    """

    records: tuple[ExtensionCallQueueUpdatePresence, ...] = attrs.field(converter=_queues)
