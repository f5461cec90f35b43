"""Event filters, and the body of a notification for each."""

import re
from dataclasses import dataclass
from typing import Literal
from urllib.parse import parse_qsl

from tests.support.independent.account import Account, Extension, Json
from tests.support.independent.records import shown_calls

FilterKind = Literal["presence", "line", "monitored", "dnd", "queue"]
_EVENT_FIELDS = (
    "presenceStatus",
    "aggregatedTelephonyStatus",
    "userStatus",
    "dndStatus",
    "dndStatusPersonal",
    "telephonyStatus",
    "meetingStatus",
    "acceptCallQueueCalls",
    "allowSeeMyPresence",
    "ringOnMonitoredCall",
    "pickUpCallsOnHold",
    "cxTelephonyStatus",
)
_ROOT = r"(?:/restapi/v1\.0)?/account/(?P<account>~|\d+)"
_SHAPES: tuple[tuple[FilterKind, str], ...] = (
    ("presence", r"(?:/extension/(?P<id>~|\d+))?/presence"),
    ("dnd", r"(?:/extension/(?P<id>~|\d+))?/presence/dnd"),
    ("line", r"/extension/(?P<id>~|\d+)/presence/line"),
    ("monitored", r"/extension/(?P<id>~|\d+)/(?:presence/line|favorite)/presence"),
    ("queue", r"/call-queues/(?P<id>\d+)/presence"),
)


@dataclass(frozen=True)
class EventFilter:
    """An event filter. `target` is an extension or queue id, None for the whole account."""

    text: str
    kind: FilterKind
    target: str | None
    detailed: bool = False
    sip_data: bool = False

    @property
    def permission(self) -> str:
        return "ReadAccounts" if self.target is None or self.kind == "dnd" else "ReadPresence"


def parse_filter(text: str, account: Account) -> EventFilter | None:
    """Return the filter that a text stands for, or None if there is no such filter."""
    path, _, query = text.partition("?")
    options = dict(parse_qsl(query, keep_blank_values=True))
    known = options.keys() <= {"detailedTelephonyState", "sipData"}
    if not known or not set(options.values()) <= {"true", "false"}:
        return None
    for kind, shape in _SHAPES:
        match = re.fullmatch(_ROOT + shape, path)
        if match is None or not account.is_own(match["account"]):
            continue
        target = account.resolve(match["id"]) if match["id"] else None
        if target is not None and target not in account.extensions:
            return None
        sip_data = options.get("sipData") == "true"
        detailed = sip_data or options.get("detailedTelephonyState") == "true"
        return EventFilter(text, kind, target, detailed, sip_data)
    return None


def effective(filters: list[EventFilter]) -> list[EventFilter]:
    """Leave out plain filters whose target has a detailed one, too."""
    detailed = {(each.kind, each.target) for each in filters if each.detailed}
    return [each for each in filters if each.detailed or (each.kind, each.target) not in detailed]


def body_for(
    filter_: EventFilter, extension: Extension, record: Json, changed: set[str]
) -> Json | None:
    """Return the body that a filter gets of a change, or None if it gets nothing.

    A body has what has changed. `record` is what can be seen now, with all details; `changed` are
    names of its fields.
    """
    if extension.is_silent or filter_.kind == "queue":
        return None
    if filter_.kind == "line":
        fits = filter_.target == extension.id and "telephonyStatus" in changed
        return (
            {"extension": [{"id": extension.id}], "sequence": extension.sequence} if fits else None
        )
    if filter_.target not in {None, extension.id} and filter_.kind != "monitored":
        return None
    if filter_.kind == "dnd":
        body = {name: record[name] for name in {"dndStatus"} & changed}
        return {"extensionId": extension.id, **body} if body else None
    return _presence_body(filter_, extension, record, changed)


def _presence_body(
    filter_: EventFilter, extension: Extension, record: Json, changed: set[str]
) -> Json | None:
    body: Json = {name: record[name] for name in _EVENT_FIELDS if name in changed}
    if filter_.detailed and (body or "activeCalls" in changed) and "activeCalls" in record:
        calls = shown_calls(record["activeCalls"], sip_data=filter_.sip_data)
        body |= {"activeCalls": calls} if calls else {}
        body["totalActiveCalls"] = len(extension.presence["activeCalls"])
    if not body:
        return None
    return {"extensionId": extension.id, "sequence": extension.sequence, **body}


def queue_body(filter_: EventFilter, queue_id: str, extension: Extension, form: int) -> Json | None:
    """Return the body of a change of a queue member, in one of the two documented forms."""
    if filter_.kind != "queue" or filter_.target != queue_id:
        return None
    accepts = extension.queues[queue_id]
    if form:
        return {"extensionId": extension.id, "callQueueId": queue_id, "acceptCalls": accepts}
    return {"records": [{"member": {"id": extension.id}, "acceptCurrentQueueCalls": accepts}]}
