"""Random records of any class, for property-based tests."""

from datetime import UTC, datetime, timedelta, timezone
from enum import Enum
from typing import Any, get_args, get_origin

import attrs
from hypothesis import strategies as st

import aiopresence
from aiopresence import PresenceEvent
from aiopresence.enums import OpenStrEnum
from aiopresence.ids import RecordId
from aiopresence.models.events import EVENT_TYPES

# Every public record class, under one name each.
CLASSES = sorted(
    {
        kind
        for kind in (getattr(aiopresence, name) for name in aiopresence.__all__)
        if attrs.has(kind) and kind.__module__.startswith("aiopresence.models")
    },
    key=lambda kind: kind.__name__,
)

_TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
_ZONES = st.sampled_from([UTC, timezone(timedelta(hours=-5, minutes=-30))])
_ATOMS: dict[Any, st.SearchStrategy[Any]] = {
    str: _TEXTS,
    RecordId: st.from_regex(r"\A[1-9][0-9]{0,9}\Z"),
    bool: st.booleans(),
    int: st.integers(-(2**31), 2**31),
    float: st.floats(allow_nan=False, allow_infinity=False),
    datetime: st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1), timezones=_ZONES),  # noqa: DTZ001
}
_JSON = st.dictionaries(_TEXTS, st.none() | st.booleans() | _TEXTS | st.lists(_TEXTS, max_size=2))


def records(cls: Any) -> st.SearchStrategy[Any]:
    """Return a strategy of instances of a record class, with any of their fields None."""
    if cls is PresenceEvent:
        return _events()
    fields = {field.name: _field(field) for field in attrs.fields(cls)}
    return st.builds(cls, **fields)


def _field(field: "attrs.Attribute[Any]") -> st.SearchStrategy[Any]:
    # These are ids that a request checks.
    if field.name == "id" and field.type is str:
        return _ATOMS[RecordId]
    return _values(field.type)


def _values(kind: Any) -> st.SearchStrategy[Any]:
    if kind in _ATOMS:
        return _ATOMS[kind]
    if get_origin(kind) is tuple:
        return st.lists(_values(get_args(kind)[0]), max_size=2).map(tuple)
    if attrs.has(kind):
        return records(kind)
    if isinstance(kind, type) and issubclass(kind, Enum):
        known = st.sampled_from([*kind])
        return known | _TEXTS.map(kind) if issubclass(kind, OpenStrEnum) else known
    return st.one_of(
        *(st.none() if each is type(None) else _values(each) for each in get_args(kind))
    )


def _events() -> st.SearchStrategy[PresenceEvent]:
    """Return a strategy of events with the bodies of their types, and of other events."""
    ids = {"extension_id": "~", "group_id": "7"}
    known = [
        (f"/restapi/v1.0/account/~{each.path.format(**ids)}?detailedTelephonyState=true", each)
        for each in EVENT_TYPES
    ]
    bodies = [
        st.tuples(st.just(event), records(each.body).filter(_fits(each.field)))
        for event, each in known
    ]
    other = st.tuples(st.none() | st.just("/restapi/v1.0/account/~/other"), st.none() | _JSON)
    envelope = {
        field.name: _values(field.type)
        for field in attrs.fields(PresenceEvent)
        if field.name not in ("event", "body")
    }
    events = st.one_of(*bodies, other)
    return st.builds(
        lambda pair, **rest: PresenceEvent(event=pair[0], body=pair[1], **rest), events, **envelope
    )


def _fits(field: str | None) -> Any:
    return lambda body: field is None or getattr(body, field) is not None
