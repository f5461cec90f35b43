"""Find the fields of a presence record that an event changes."""

from collections.abc import Mapping
from operator import attrgetter
from typing import Any

import attrs

from ..models import ActiveCallInfo, GetPresenceInfo, PresenceEventBody, TelephonyStatus
from . import active_calls

# The fields that both an event and a record have. Of the others, such as `appearances`, a read
# would bring nothing, so a record has no place for them.
_MERGED = tuple(
    field.name
    for field in attrs.fields(PresenceEventBody)
    if field.name in attrs.fields_dict(GetPresenceInfo)
)
_values = attrgetter(*_MERGED)
_CALL_FIELDS = frozenset(
    {"telephony_status", "aggregated_telephony_status", "active_calls", "total_active_calls"}
)


def changed_fields(known: GetPresenceInfo | None, body: PresenceEventBody) -> dict[str, Any]:
    """Return the fields that an event has, active calls as it lists them.

    Args:
        known: the record before the event; None when there is none.
        body: the event.
    """
    fields = {
        name: value for name, value in zip(_MERGED, _values(body), strict=True) if value is not None
    }
    if known is not None and "telephony_status" in fields:
        _set_aggregated_status(known, fields)
    return fields


def merge_calls(
    fields: dict[str, Any],
    known: GetPresenceInfo | None,
    calls: tuple[ActiveCallInfo, ...] | None,
    body: PresenceEventBody,
) -> bool:
    """Set the active calls after an event; return whether the calls have to be read again.

    Args:
        fields: what `changed_fields` returned; its calls are replaced.
        known: the record before the event; None when there is none.
        calls: the calls before the event; None when they are not known.
        body: the event.
    """
    if fields.keys().isdisjoint(_CALL_FIELDS):
        return False
    calls, is_uncertain = active_calls.after_event(calls, body)
    if calls is not None:
        fields["active_calls"] = calls
        total = active_calls.total_after_event(known, calls, body.total_active_calls)
        if total is not None:
            fields["total_active_calls"] = total
    return is_uncertain


def changes_visibility(known: GetPresenceInfo | None, fields: Mapping[str, Any]) -> bool:
    """Return whether a person hides or shows the presence with an event.

    Reads then have fewer fields, or more, of which the event need not say anything.
    """
    if "allow_see_my_presence" not in fields:
        return False
    return known is None or known.allow_see_my_presence != fields["allow_see_my_presence"]


def _set_aggregated_status(known: GetPresenceInfo, fields: dict[str, Any]) -> None:
    """Set the aggregated status to that of the phone, unless the contact centre has a part in it.

    An event may bring the status of the phone alone; the old aggregate must not stay beside it.
    """
    if known.aggregated_telephony_status is None or "aggregated_telephony_status" in fields:
        return
    contact_centre = fields.get("cx_telephony_status", known.cx_telephony_status)
    if contact_centre in (None, TelephonyStatus.NO_CALL):
        fields["aggregated_telephony_status"] = fields["telephony_status"]
