"""The state of the watch screen: rows, filter, search and order. Drawing it is in render.py."""

import unicodedata
from collections import Counter
from collections.abc import Sequence
from enum import StrEnum
from functools import lru_cache
from math import inf
from typing import TYPE_CHECKING, Any

import attrs

from ... import Availability
from ..state_filter import StateFilter

if TYPE_CHECKING:
    from ... import GetPresenceInfo

_ORDER = {each: number for number, each in enumerate(Availability)}


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

    @property
    def availability(self) -> Availability | None:
        """The availability; None if the presence could not be read."""
        return None if self.presence is None else self.presence.availability


@attrs.frozen
class ScreenState:
    """Everything that is shown.

    Attributes:
        rows: the extensions, in any order.
        connection: "waiting" until all extensions were read once, then "live" or "stale".
        age: seconds since the last message from RingCentral.
        filter: which rows are shown.
        sort: the order of the rows.
        search: a part of the names or numbers shown; empty for all.
        is_typing: whether the user is typing it.
        first: the index of the first row shown, among those that pass.
        detailed: whether active calls are known.
        has_keys: whether keys can be pressed.
        warning: the last warning; empty for none.
    """

    rows: Sequence[Row]
    connection: str = "live"
    age: float = inf
    filter: StateFilter = attrs.field(factory=StateFilter)
    sort: Sort = Sort.NUMBER
    search: str = ""
    is_typing: bool = False
    first: int = 0
    detailed: bool = False
    has_keys: bool = False
    warning: str = ""

    def visible_rows(self) -> list[Row]:
        """Return the rows that pass the filter and the search, sorted."""
        rows = [row for row in self.rows if self._passes(row)]
        return sorted(rows, key=_SORT_KEYS[self.sort])

    def counts(self) -> dict[Availability, int]:
        """Return the number of extensions of each availability that any has, in order."""
        counts = Counter(row.availability for row in self.rows)
        return {each: counts[each] for each in Availability if counts[each]}

    def _passes(self, row: Row) -> bool:
        if not self.filter.passes(row.availability, row.changed_at is not None):
            return False
        wanted = folded(self.search)
        return any(wanted in folded(text) for text in (row.name, row.number, row.id))


@lru_cache(100_000)
def folded(text: str) -> str:
    """Return a text without case and accents, to compare with others."""
    letters = unicodedata.normalize("NFKD", text.casefold())
    return "".join(each for each in letters if not unicodedata.combining(each))


def _by_number(row: Row) -> tuple[Any, ...]:
    is_digits = row.number.isascii() and row.number.isdigit()
    return (not row.number, int(row.number) if is_digits else inf, row.number, row.id)


def _by_name(row: Row) -> tuple[Any, ...]:
    return (not row.name, folded(row.name), *_by_number(row))


def _by_status(row: Row) -> tuple[Any, ...]:
    known = row.availability
    return (_ORDER[known] if known is not None else len(_ORDER), *_by_number(row))


def _by_change(row: Row) -> tuple[Any, ...]:
    return (inf if row.changed_at is None else -row.changed_at, *_by_number(row))


_SORT_KEYS = {
    Sort.NUMBER: _by_number,
    Sort.NAME: _by_name,
    Sort.STATUS: _by_status,
    Sort.CHANGED: _by_change,
}
