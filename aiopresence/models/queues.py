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
        name: its name.
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
        extension_sub_type: RingCentral's finer type of the extension.
        site: the site it belongs to.
    """

    id: RecordId | None = None
    name: str | None = None
    extension_number: str | None = None
    extension_sub_type: str | None = None
    site: SiteBasicInfo | None = None


@attrs.frozen(weakref_slot=False)
class CallQueueMemberPresence:
    """Whether a member takes a queue's calls.

    Attributes:
        member: who.
        accept_queue_calls: whether calls of any queue are taken.
        accept_current_queue_calls: whether calls of this queue are taken.
    """

    member: CallQueueMember | None = None
    accept_queue_calls: bool | None = None
    accept_current_queue_calls: bool | None = None


@attrs.frozen(weakref_slot=False)
class CallQueuePresence:
    """The members of a call queue and whether they take its calls.

    Attributes:
        records: one for each member.
    """

    records: tuple[CallQueueMemberPresence, ...] | None = None


@attrs.frozen(weakref_slot=False)
class CallQueueMemberId:
    """The member a change is for.

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
    """Whether a member is to take the queue's calls.

    Attributes:
        member: who; also a plain `{"id": "…"}`.
        accept_current_queue_calls: True to take them, False not to.

    Raises:
        UsageError: a field has the wrong type, or a mapping an unknown key.
    """

    member: CallQueueMemberId = attrs.field(converter=_member)
    accept_current_queue_calls: bool | None = attrs.field(default=None, validator=flag)


def _members(
    values: Iterable[CallQueueUpdateMemberPresence | Mapping[str, Any]],
) -> tuple[CallQueueUpdateMemberPresence, ...]:
    return as_records(CallQueueUpdateMemberPresence, values)


@attrs.frozen(weakref_slot=False)
class CallQueueUpdatePresence:
    """Which members of a call queue are to take its calls; others stay as they are.

    Attributes:
        records: one for each member to change, also as plain mappings.

    Raises:
        UsageError: a field has the wrong type, or a mapping an unknown key.
    """

    records: tuple[CallQueueUpdateMemberPresence, ...] = attrs.field(converter=_members)


@attrs.frozen(weakref_slot=False)
class PresenceCallQueueInfo:
    """A call queue that an extension is a member of.

    Attributes:
        id: the internal id of the queue's extension.
        name: its name.
        extension_number: the number people dial.
        editable_member_status: whether the member may change it by themselves.
    """

    id: RecordId | None = None
    name: str | None = None
    extension_number: str | None = None
    editable_member_status: bool | None = None


@attrs.frozen(weakref_slot=False)
class ExtensionCallQueuePresence:
    """Whether an extension takes the calls of one of its queues.

    Attributes:
        call_queue: which queue.
        accept_calls: whether its calls are taken.
    """

    call_queue: PresenceCallQueueInfo | None = None
    accept_calls: bool | None = None


@attrs.frozen(weakref_slot=False)
class ExtensionCallQueuePresenceList:
    """The call queues of an extension and whether it takes their calls.

    Attributes:
        records: one for each queue.
    """

    records: tuple[ExtensionCallQueuePresence, ...] | None = None


@attrs.frozen(weakref_slot=False)
class CallQueueId:
    """The call queue a change is for.

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
    """Whether an extension is to take the calls of one of its queues.

    Attributes:
        call_queue: which queue; also a plain `{"id": "…"}`.
        accept_calls: True to take them, False not to.

    Raises:
        UsageError: a field has the wrong type, or a mapping an unknown key.
    """

    call_queue: CallQueueId = attrs.field(converter=_call_queue)
    accept_calls: bool | None = attrs.field(default=None, validator=flag)


def _queues(
    values: Iterable[ExtensionCallQueueUpdatePresence | Mapping[str, Any]],
) -> tuple[ExtensionCallQueueUpdatePresence, ...]:
    return as_records(ExtensionCallQueueUpdatePresence, values)


@attrs.frozen(weakref_slot=False)
class ExtensionCallQueueUpdatePresenceList:
    """Which call queues an extension is to take calls of; others stay as they are.

    Attributes:
        records: one for each queue to change, also as plain mappings.

    Raises:
        UsageError: a field has the wrong type, or a mapping an unknown key.
    """

    records: tuple[ExtensionCallQueueUpdatePresence, ...] = attrs.field(converter=_queues)
