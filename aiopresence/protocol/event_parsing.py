"""Notifications: what to be told of, and from their JSON to typed events.

Source: RingCentral API reference, "Events".
"""

import re
from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime
from typing import Any

import attrs

from ..errors import DecodeError, UsageError, shown
from ..ids import RecordId
from ..models import (
    CallQueueMemberEventBody,
    CallQueuePresence,
    EventBody,
    PresenceEvent,
    PresenceEventBody,
    PresenceLineEventBody,
)
from . import decoding
from .urls import is_path

_EXTENSION = r"/extension/(?:~|[0-9]+)"
_EVENT = re.compile(
    r"/restapi/v1\.0/account/(?:~|[0-9]+)/?"
    rf"(?:(?P<queue>call-queues/[0-9]+/presence)|(?P<line>{_EXTENSION[1:]}/presence/line)"
    rf"|(?P<presence>(?:{_EXTENSION[1:]}/)?"
    r"(?:presence|presence/line/presence|favorite/presence|presence/dnd)))(?:\?.*)?",
    re.ASCII,
)


@attrs.frozen(weakref_slot=False)
class _Envelope:
    """A notification, but for its body."""

    uuid: str | None = None
    event: str | None = None
    timestamp: datetime | None = None
    subscription_id: RecordId | None = None
    owner_id: RecordId | None = None


def check_filters(event_filters: Iterable[str]) -> tuple[str, ...]:
    """Check event filters, and leave out what a detailed filter of the same target brings anyway.

    Raises:
        UsageError: they are not filters, or none.
    """
    wrong = UsageError("event_filters must be filters, such as [filters.account_presence()]")
    if isinstance(event_filters, (str, bytes)) or not isinstance(event_filters, Iterable):
        raise wrong
    given = [*event_filters]
    for each in given:
        if not isinstance(each, str) or not is_path(each.partition("?")[0]):
            raise wrong
        if not each.isascii() or not each.isprintable() or " " in each:
            raise UsageError(f"{shown(each)} is no event filter: it has characters that none has")
    if not given:
        raise wrong
    targets = {each: each.partition("?")[0] for each in given}
    detailed = {target for each, target in targets.items() if _is_detailed(each)}
    return tuple(
        each for each, target in targets.items() if _is_detailed(each) or target not in detailed
    )


def _is_detailed(event_filter: str) -> bool:
    flags = event_filter.partition("?")[2].split("&")
    return "detailedTelephonyState=true" in flags or "sipData=true" in flags


def read(notification: Any) -> PresenceEvent:
    """Make an event of a parsed notification.

    A body that is not as documented is kept as it came; a part of the envelope that is not is None.

    Raises:
        DecodeError: it is no notification: no object, or one without a body.
    """
    if not isinstance(notification, dict) or not isinstance(notification.get("body"), dict):
        raise DecodeError("not a notification")
    envelope = _envelope(notification)
    body = _body(envelope.event or "", notification["body"])
    return PresenceEvent(
        envelope.uuid,
        envelope.event,
        envelope.timestamp,
        envelope.subscription_id,
        envelope.owner_id,
        body,
    )


def is_presence(event: PresenceEvent) -> bool:
    """Tell whether an event is about the presence of an extension, whatever its body."""
    return _kind(event.event or "", {}) is PresenceEventBody


def _envelope(notification: dict[str, Any]) -> _Envelope:
    with suppress(DecodeError):
        return decoding.structure(notification, _Envelope)
    good = _Envelope()
    for name in (decoding.camel(field.name) for field in attrs.fields(_Envelope)):
        with suppress(DecodeError):
            one = decoding.structure({name: notification.get(name)}, _Envelope)
            given = {k: v for k, v in attrs.asdict(one).items() if v is not None}
            good = attrs.evolve(good, **given)
    return good


def _body(event: str, body: dict[str, Any]) -> EventBody:
    kind = _kind(event, body)
    if kind is not None:
        with suppress(DecodeError):
            typed: EventBody = decoding.structure(body, kind)
            return typed
    return body


def _kind(event: str, body: dict[str, Any]) -> type[Any] | None:
    found = _EVENT.fullmatch(event)
    if not found:
        return None
    if found["queue"]:
        return CallQueuePresence if "records" in body else CallQueueMemberEventBody
    return PresenceLineEventBody if found["line"] else PresenceEventBody
