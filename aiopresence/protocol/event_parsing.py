"""Parse notifications to typed events.

The types of events are the rows of `models.events.EVENT_TYPES`. All their paths are compiled to one
regular expression with a group each, because every notification is matched.

Source: RingCentral API reference, "Events".
"""

import re
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from functools import lru_cache
from itertools import chain
from typing import Any

import attrs

from ..errors import DecodeError
from ..ids import RecordId
from ..models import EventBody, PresenceEvent, PresenceEventBody
from ..models.events import EVENT_TYPES, EventType
from . import decoding
from .frozen_records import constructor

# A bound keeps the time short: a text of a megabyte of digits is tried with each path.
_ID = "[0-9]{1,19}"
_IDS = {"account_id": f"(?:~|{_ID})", "extension_id": f"(?:~|{_ID})", "group_id": _ID}
_PATHS = tuple(dict.fromkeys(each.path for each in EVENT_TYPES))
_GROUPS = "|".join(f"({path.format_map(_IDS)})" for path in _PATHS)
_EVENT = re.compile(rf"/restapi/v1\.0/account/{_IDS['account_id']}(?:{_GROUPS})(?:\?.*)?", re.ASCII)
# The types of the path that each group matches. Groups are numbered from 1.
_TYPES_BY_GROUP = dict(
    enumerate((tuple(each for each in EVENT_TYPES if each.path == path) for path in _PATHS), 1)
)

# Levels of objects and lists in a body that is kept as it is. Known bodies have four; to show or to
# compare values that are nested much deeper, Python raises RecursionError.
MAX_DEPTH = 50

# Texts of event filters whose types are remembered, and the longest one.
MAX_TEXTS, MAX_KEPT = 1000, 200


@attrs.frozen(weakref_slot=False)
class _Envelope:
    """A notification without its body."""

    uuid: str | None = None
    event: str | None = None
    timestamp: datetime | None = None
    subscription_id: RecordId | None = None
    owner_id: RecordId | None = None


_new_event: Callable[..., PresenceEvent] = constructor(PresenceEvent)


def parse(notification: Any) -> PresenceEvent:
    """Return the event of a notification that was parsed as JSON.

    A body that is not as documented is kept as it is; a wrong part of the envelope is None.

    Raises:
        DecodeError: it is not an object, or has no body, or one that is not as documented and has
            more than `MAX_DEPTH` levels.
    """
    if not isinstance(notification, dict) or not isinstance(notification.get("body"), dict):
        raise DecodeError("not a notification")
    envelope = _parse_envelope(notification)
    return _new_event(
        envelope.uuid,
        envelope.event,
        envelope.timestamp,
        envelope.subscription_id,
        envelope.owner_id,
        _parse_body(envelope.event or "", notification["body"]),
    )


def parse_saved(values: Any) -> PresenceEvent:
    """Return an event that was converted to JSON values; its body may be absent.

    Raises:
        DecodeError: it is not an object, a part of the envelope has the wrong type, or as `parse`.
    """
    envelope, body = decoding.structure(values, _Envelope), values.get("body")
    if body is not None and not isinstance(body, dict):
        raise DecodeError("expected an object", "$.body")
    typed = None if body is None else _parse_body(envelope.event or "", body)
    return PresenceEvent(**attrs.asdict(envelope), body=typed)


def is_presence_event(event: PresenceEvent) -> bool:
    """Return whether an event is about the presence of an extension, whatever its body."""
    return any(each.body is PresenceEventBody for each in _types_of(event.event or ""))


def _parse_envelope(notification: dict[str, Any]) -> _Envelope:
    try:
        return decoding.structure(notification, _Envelope)
    except DecodeError:
        pass  # What is right of it is kept.
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
            try:
                typed: EventBody = decoding.structure(body, each.body)
            except DecodeError:
                break
            return typed
    _check_depth(body)
    return body


def _check_depth(body: dict[str, Any]) -> None:
    level: list[Any] = [body]
    for _ in range(MAX_DEPTH):
        children = [each.values() if isinstance(each, dict) else each for each in level]
        level = [each for each in chain(*children) if isinstance(each, (dict, list))]
        if not level:
            return
    raise DecodeError("nested too deeply", "$.body")


def _types_of(event: str) -> tuple[EventType, ...]:
    return _known_types(event) if len(event) <= MAX_KEPT else _match_types(event)


def _match_types(event: str) -> tuple[EventType, ...]:
    match = _EVENT.fullmatch(event)
    return () if match is None else _TYPES_BY_GROUP[match.lastindex or 0]


# Nearly all notifications of a subscription have one of few texts.
_known_types = lru_cache(MAX_TEXTS)(_match_types)
