"""The state of the watch screen: rows, filter and order. Drawing it is in render.py."""

from collections.abc import Sequence
from enum import StrEnum
from math import inf
from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    from ... import GetPresenceInfo

NO_CALL = (None, "NoCall")
# In the order by status, extensions that can be reached come first.
_STATUS_ORDER = {"Available": 0, "Busy": 1, "Offline": 2}


class Filter(StrEnum):
    """Which extensions are shown."""

    AVAILABLE = "available"
    BUSY = "busy"
    OFFLINE = "offline"
    ON_CALL = "on-call"
    DND = "dnd"
    CHANGED = "changed"


class Sort(StrEnum):
    """What extensions are sorted by."""

    NUMBER = "number"
    NAME = "name"
    STATUS = "status"
    CHANGED = "changed"


@attrs.frozen
class Row:
    """One extension.

    Attributes:
        id: its id.
        number: its extension number; empty if unknown.
        name: its name; empty if unknown.
        presence: its presence; None if it could not be read.
        changed_at: when the presence last changed, in monotonic seconds; None if it has not
            changed since the screen was opened.
        is_stale: whether the presence may be out of date.
        error: why the presence could not be read.
    """

    id: str
    number: str = ""
    name: str = ""
    presence: "GetPresenceInfo | None" = None
    changed_at: float | None = None
    is_stale: bool = False
    error: str = ""


@attrs.frozen
class ScreenState:
    """Everything that is shown.

    Attributes:
        rows: the extensions, in any order.
        connection: "waiting" until all extensions were read once, then "live" or "stale".
        age: seconds since the last message from RingCentral.
        filter: which rows are shown; None for all.
        sort: the order of the rows.
        detailed: whether active calls are known.
        has_keys: whether keys can be pressed.
        warning: the last warning; empty for none.
    """

    rows: Sequence[Row]
    connection: str = "live"
    age: float = inf
    filter: Filter | None = None
    sort: Sort = Sort.NUMBER
    detailed: bool = False
    has_keys: bool = False
    warning: str = ""

    def visible_rows(self) -> list[Row]:
        """Return the rows that pass the filter, sorted."""
        rows = [row for row in self.rows if _row_passes(row, self.filter)]
        return sorted(rows, key=_SORT_KEYS[self.sort])

    def counts(self) -> dict[str, int]:
        """Return the number of extensions in each state that the header shows."""
        known = [row.presence for row in self.rows if row.presence is not None]
        telephony = [each.effective_telephony_status for each in known]
        return {
            "available": sum(each.presence_status == "Available" for each in known),
            "on a call": sum(status not in (*NO_CALL, "Ringing") for status in telephony),
            "ringing": sum(status == "Ringing" for status in telephony),
            "DND": sum(passes(each, Filter.DND) for each in known),
            "offline": sum(each.presence_status == "Offline" for each in known),
        }


def _row_passes(row: Row, filter_: Filter | None) -> bool:
    if filter_ is Filter.CHANGED:
        return row.changed_at is not None
    return filter_ is None or (row.presence is not None and passes(row.presence, filter_))


def passes(presence: "GetPresenceInfo", filter_: Filter) -> bool:
    """Return whether presence passes a filter other than `CHANGED`."""
    if filter_ is Filter.ON_CALL:
        return presence.effective_telephony_status not in NO_CALL
    if filter_ is Filter.DND:
        return presence.effective_dnd_status == "DoNotAcceptAnyCalls"
    return (presence.presence_status or "").lower() == filter_


def _by_number(row: Row) -> tuple[Any, ...]:
    is_digits = row.number.isascii() and row.number.isdigit()
    return (not row.number, int(row.number) if is_digits else inf, row.number, row.id)


def _by_name(row: Row) -> tuple[Any, ...]:
    return (not row.name, row.name.casefold(), *_by_number(row))


def _by_status(row: Row) -> tuple[Any, ...]:
    status = row.presence and row.presence.presence_status
    idle = row.presence is None or row.presence.effective_telephony_status in NO_CALL
    return (_STATUS_ORDER.get(status or "", len(_STATUS_ORDER)), idle, *_by_number(row))


def _by_change(row: Row) -> tuple[Any, ...]:
    return (inf if row.changed_at is None else -row.changed_at, *_by_number(row))


_SORT_KEYS = {
    Sort.NUMBER: _by_number,
    Sort.NAME: _by_name,
    Sort.STATUS: _by_status,
    Sort.CHANGED: _by_change,
}
