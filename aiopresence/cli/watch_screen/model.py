"""What a live board shows: its rows, which of them, in which order. Nothing is drawn here."""

from collections.abc import Sequence
from enum import StrEnum
from math import inf
from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    from ... import GetPresenceInfo

NO_CALL = (None, "NoCall")
# Whoever can be reached best comes first.
_ORDER = {"Available": 0, "Busy": 1, "Offline": 2}


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
        number: what people dial; empty when not known.
        name: its name; empty when not known.
        presence: its presence; None when that could not be read.
        changed_at: when that changed last, in monotonic seconds; None for not since the beginning.
        is_stale: whether it may be different by now.
        error: why it could not be read.
    """

    id: str
    number: str = ""
    name: str = ""
    presence: "GetPresenceInfo | None" = None
    changed_at: float | None = None
    is_stale: bool = False
    error: str = ""


@attrs.frozen
class State:
    """All that is shown.

    Attributes:
        rows: the extensions, in any order.
        connection: "live"; "waiting", before everything was read once; or "stale".
        age: seconds since RingCentral was last heard of.
        filter: which rows are shown; None for all.
        sort: in which order.
        detailed: whether calls are known.
        has_keys: whether keys can be pressed.
        remark: what went wrong last; empty for nothing.
    """

    rows: Sequence[Row]
    connection: str = "live"
    age: float = inf
    filter: Filter | None = None
    sort: Sort = Sort.NUMBER
    detailed: bool = False
    has_keys: bool = False
    remark: str = ""

    def chosen(self) -> list[Row]:
        """Give the rows that are shown, in their order."""
        rows = [row for row in self.rows if row_passes(row, self.filter)]
        return sorted(rows, key=_KEYS[self.sort])

    def counts(self) -> dict[str, int]:
        """Count the extensions in each of the states that the header tells."""
        known = [row.presence for row in self.rows if row.presence is not None]
        telephony = [each.effective_telephony_status for each in known]
        return {
            "available": sum(each.presence_status == "Available" for each in known),
            "on a call": sum(status not in (*NO_CALL, "Ringing") for status in telephony),
            "ringing": sum(status == "Ringing" for status in telephony),
            "DND": sum(passes(each, Filter.DND) for each in known),
            "offline": sum(each.presence_status == "Offline" for each in known),
        }


def row_passes(row: Row, chosen: Filter | None) -> bool:
    """Tell whether a row is one of those that were asked for."""
    if chosen is Filter.CHANGED:
        return row.changed_at is not None
    return chosen is None or (row.presence is not None and passes(row.presence, chosen))


def passes(presence: "GetPresenceInfo", chosen: Filter) -> bool:
    """Tell whether someone's presence is what was asked for; `CHANGED` is not about that."""
    if chosen is Filter.ON_CALL:
        return presence.effective_telephony_status not in NO_CALL
    if chosen is Filter.DND:
        return presence.effective_dnd_status == "DoNotAcceptAnyCalls"
    return (presence.presence_status or "").lower() == chosen


def _by_number(row: Row) -> tuple[Any, ...]:
    digits = row.number.isascii() and row.number.isdigit()
    return (not row.number, int(row.number) if digits else inf, row.number, row.id)


def _by_name(row: Row) -> tuple[Any, ...]:
    return (not row.name, row.name.casefold(), *_by_number(row))


def _by_status(row: Row) -> tuple[Any, ...]:
    status = row.presence and row.presence.presence_status
    idle = row.presence is None or row.presence.effective_telephony_status in NO_CALL
    return (_ORDER.get(status or "", len(_ORDER)), idle, *_by_number(row))


def _by_change(row: Row) -> tuple[Any, ...]:
    return (inf if row.changed_at is None else -row.changed_at, *_by_number(row))


_KEYS = {
    Sort.NUMBER: _by_number,
    Sort.NAME: _by_name,
    Sort.STATUS: _by_status,
    Sort.CHANGED: _by_change,
}
