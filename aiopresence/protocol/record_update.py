"""Update records, and keep the parts of the old one that are equal.

Most of what a read brings is known already. If the old objects stay, the new ones are freed at
once, where they were just allocated: a board does not exchange its memory with every read, and
`untracking` has little to do.
"""

from collections.abc import Mapping
from typing import Any

import attrs

from ..models import GetPresenceInfo
from .frozen_records import replace

_CALLS = "active_calls"
_NAMES = tuple(field.name for field in attrs.fields(GetPresenceInfo))


def update(known: GetPresenceInfo, fields: Mapping[str, Any]) -> GetPresenceInfo:
    """Return a record with new values of some fields; `known` itself if they are equal."""
    changes = {
        name: new
        for name, new in fields.items()
        if name != _CALLS and (old := getattr(known, name)) is not new and old != new
    }
    # To compare calls takes longer than to replace them, so it is done only if it matters.
    if _CALLS in fields and (changes or known.active_calls != fields[_CALLS]):
        changes[_CALLS] = fields[_CALLS]
    return replace(known, changes) if changes else known


def update_all(known: GetPresenceInfo, new: GetPresenceInfo) -> GetPresenceInfo:
    """Return a record that equals `new`; `known` itself if they are equal."""
    return update(known, {name: getattr(new, name) for name in _NAMES})
