"""Parse notifications to typed events, and check event filters.

The types of events are the rows of `models.events.EVENT_TYPES`. All their paths are compiled to one
regular expression with a group each, because every notification is matched.

Source: RingCentral API reference, "Events".
"""

import re
from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime
from typing import Any

import attrs

from ..errors import DecodeError, UsageError, short_repr
from ..ids import RecordId
from ..models import EventBody, PresenceEvent, PresenceEventBody
from ..models.events import EVENT_TYPES, EventType
from . import decoding
from .urls import is_path

_IDS = {"account_id": "(?:~|[0-9]+)", "extension_id": "(?:~|[0-9]+)", "group_id": "[0-9]+"}
# The types by the name of the group that matches their path.
_TYPES_BY_GROUP = {
    f"path{number}": tuple(each for each in EVENT_TYPES if each.path == path)
    for number, path in enumerate(dict.fromkeys(each.path for each in EVENT_TYPES))
}
_PATHS = "|".join(
    f"(?P<{group}>{types[0].path.format_map(_IDS)})" for group, types in _TYPES_BY_GROUP.items()
)
_EVENT = re.compile(rf"/restapi/v1\.0/account/{_IDS['account_id']}(?:{_PATHS})(?:\?.*)?", re.ASCII)


@attrs.frozen(weakref_slot=False)
class _Envelope:
    """A notification without its body."""

    uuid: str | None = None
    event: str | None = None
    timestamp: datetime | None = None
    subscription_id: RecordId | None = None
    owner_id: RecordId | None = None


def parse(notification: Any) -> PresenceEvent:
    """Return the event of a notification that was parsed as JSON.

    A body that is not as documented is kept as it is; a wrong part of the envelope is None.

    Raises:
        DecodeError: it is not an object, or has no body.
    """
    if not isinstance(notification, dict) or not isinstance(notification.get("body"), dict):
        raise DecodeError("not a notification")
    envelope = _parse_envelope(notification)
    return PresenceEvent(
        envelope.uuid,
        envelope.event,
        envelope.timestamp,
        envelope.subscription_id,
        envelope.owner_id,
        _parse_body(envelope.event or "", notification["body"]),
    )


def is_presence_event(event: PresenceEvent) -> bool:
    """Return whether an event is about the presence of an extension, whatever its body."""
    return any(each.body is PresenceEventBody for each in _types_of(event.event or ""))


def _parse_envelope(notification: dict[str, Any]) -> _Envelope:
    with suppress(DecodeError):
        return decoding.structure(notification, _Envelope)
    envelope = _Envelope()
    for field in attrs.fields(_Envelope):
        name = decoding.camel(field.name)
        with suppress(DecodeError):
            part = decoding.structure({name: notification.get(name)}, _Envelope)
            envelope = attrs.evolve(envelope, **{field.name: getattr(part, field.name)})
    return envelope


def _parse_body(event: str, body: dict[str, Any]) -> EventBody:
    for each in _types_of(event):
        if each.field is None or each.field in body:
            with suppress(DecodeError):
                typed: EventBody = decoding.structure(body, each.body)
                return typed
            break
    return body


def _types_of(event: str) -> tuple[EventType, ...]:
    match = _EVENT.fullmatch(event)
    return () if match is None else _TYPES_BY_GROUP[str(match.lastgroup)]


def check_filters(event_filters: Iterable[str]) -> tuple[str, ...]:
    """Return event filters without those that a detailed filter of the same path includes.

    Raises:
        UsageError: there are none, or one of them cannot be an event filter.
    """
    wrong = UsageError("event_filters must be filters, such as [filters.account_presence()]")
    if isinstance(event_filters, (str, bytes)) or not isinstance(event_filters, Iterable):
        raise wrong
    filters = [*event_filters]
    if not filters or not all(isinstance(each, str) and is_path(_path(each)) for each in filters):
        raise wrong
    for each in filters:
        if not each.isascii() or not each.isprintable() or " " in each:
            raise UsageError(
                f"{short_repr(each)} has characters that are not allowed in event filters"
            )
    detailed = {_path(each) for each in filters if _is_detailed(each)}
    unique = dict.fromkeys(filters)
    return tuple(each for each in unique if _is_detailed(each) or _path(each) not in detailed)


def _path(event_filter: str) -> str:
    return event_filter.partition("?")[0]


def _is_detailed(event_filter: str) -> bool:
    flags = event_filter.partition("?")[2].split("&")
    return "detailedTelephonyState=true" in flags or "sipData=true" in flags
