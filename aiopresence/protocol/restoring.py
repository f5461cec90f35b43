"""Decide what undoes a temporary change of presence.

Theory. Three records are known: the presence before the change, what the server answered to the
change, and the presence at the end. A field goes back to its value before if it still has the value
of the answer; else somebody else has changed it meanwhile, and it stays as they want it. What was
sent is not compared with anything, because the server may have written it differently.

The fields of do-not-disturb are one setting: `dnd_status` is what `dnd_status_personal` and
`accept_call_queue_calls` make together, so a change of one of the three changes others. They go
back together, or, if somebody else has changed one, not at all. `TakeDepartmentCallsOnly`, which no
request can set, comes back through the other two.

Several blocks may change one extension at once. When one ends, what a later one changes too stays
as it is, and the value before the next one, which the ended one has set, becomes that from before
the ended one: so the last one to end restores what was there before the first.

A value may be unknown: absent from a record, or "Unknown" of do-not-disturb. An absent message is
no message, which is what the server means by it.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import attrs

from ..enums import DndStatus
from ..models import GetPresenceInfo, PresenceInfoRequest

_DND = ("dnd_status", "dnd_status_personal", "accept_call_queue_calls")
_NAMES = tuple(field.name for field in attrs.fields(PresenceInfoRequest))
_NOT_SETTABLE = {DndStatus.UNKNOWN, DndStatus.TAKE_DEPARTMENT_CALLS_ONLY}


def groups(change: PresenceInfoRequest) -> list[tuple[str, ...]]:
    """Return the fields that a change may change, those that go back together in one tuple."""
    requested = [name for name in _NAMES if getattr(change, name) is not None]
    single = [(name,) for name in requested if name not in _DND]
    return [*single, _DND] if {*_DND} & {*requested} else [*single]


def _known(record: GetPresenceInfo, name: str) -> Any:
    """Return the value of a field; None if it is not known."""
    value = getattr(record, name)
    if name == "message":
        return value or ""
    return None if isinstance(value, DndStatus) and value == DndStatus.UNKNOWN else value


def _settable(record: GetPresenceInfo, name: str) -> Any:
    """Return the value of a field; None if it is not known, or no request can set it."""
    value = _known(record, name)
    return None if isinstance(value, DndStatus) and value in _NOT_SETTABLE else value


def unknown_fields(before: GetPresenceInfo, change: PresenceInfoRequest) -> list[str]:
    """Return the fields of a change whose values before are not known, so that none could go back.

    Args:
        before: the presence before the change.
        change: the change.
    """
    unknown = []
    for group in groups(change):
        known = {name for name in group if _settable(before, name) is not None}
        requested = [name for name in group if getattr(change, name) is not None]
        # Of do-not-disturb, the whole is enough, or its parts.
        needed = {*_DND[1:]} if _DND[0] in requested else {*requested}
        if not (_DND[0] in known or needed <= known):
            unknown += requested
    return unknown


def restoring(
    before: GetPresenceInfo,
    applied: GetPresenceInfo,
    now: GetPresenceInfo,
    change: PresenceInfoRequest,
) -> PresenceInfoRequest | None:
    """Return the request that undoes a change; None if there is nothing to undo.

    Args:
        before: the presence before the change.
        applied: what the server answered to the change.
        now: the present presence.
        change: the change.
    """
    back: dict[str, Any] = {}
    for group in groups(change):
        if all(_is_unchanged(applied, now, name) for name in group):
            values = {name: _settable(before, name) for name in group}
            if any(_known(now, name) != _known(before, name) for name in group):
                back |= {name: value for name, value in values.items() if value is not None}
    return PresenceInfoRequest(**back) if back else None


def _is_unchanged(applied: GetPresenceInfo, now: GetPresenceInfo, name: str) -> bool:
    was, is_ = _known(applied, name), _known(now, name)
    return was is None or is_ is None or was == is_


def before_both(
    before: GetPresenceInfo,
    applied: GetPresenceInfo,
    later: GetPresenceInfo,
    group: Iterable[str],
) -> GetPresenceInfo:
    """Return the presence before a later change, but for what an earlier change had set.

    Args:
        before: the presence before the earlier change.
        applied: what the server answered to it.
        later: the presence before the later change.
        group: the fields, one of `groups` of both changes, of which the later is the next one.
    """
    if any(_known(later, name) != _known(applied, name) for name in group):
        return later  # Somebody else has changed it in between.
    return attrs.evolve(later, **{name: getattr(before, name) for name in group})


def without(
    change: PresenceInfoRequest, others: Iterable[PresenceInfoRequest]
) -> PresenceInfoRequest:
    """Return a change without the fields that others change."""
    theirs = {name for other in others for group in groups(other) for name in group}
    kept = {name: getattr(change, name) for name in _NAMES if name not in theirs}
    return PresenceInfoRequest(**kept)


def remaining(
    before: GetPresenceInfo, now: GetPresenceInfo, change: PresenceInfoRequest
) -> Mapping[str, Any]:
    """Return the fields that do not have their value before, with the value that they have.

    Args:
        before: the presence before the change.
        now: the presence to compare it with.
        change: the change; other fields are not looked at.
    """
    values = {name: _known(now, name) for group in groups(change) for name in group}
    return {
        name: value
        for name, value in values.items()
        if value is not None and _known(before, name) not in (None, value)
    }
