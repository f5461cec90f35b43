"""Frozen records with other values, and classes that cannot be built fast."""

import sys
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import attrs
import pytest

from aiopresence import ChangeSource, GetPresenceInfo, Outcome, PresenceChange
from aiopresence.protocol.frozen_records import constructor, mutable_twin, replace
from tests.support.presence_state import record


@pytest.mark.parametrize(
    "changes", [{}, {"message": None}, {"uri": "u", "active_calls": (), "message": "x"}]
)
def test_a_record_with_changes_is_what_attrs_makes(changes: dict[str, Any]) -> None:
    known = record("1", message="Hello", telephonyStatus="Ringing")
    before = repr(known)
    new = replace(known, changes)
    assert type(new) is GetPresenceInfo
    assert (new, repr(new)) == (expected := attrs.evolve(known, **changes), repr(expected))
    assert new is not known
    assert new.extension is known.extension
    assert repr(known) == before
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        new.message = "changed"  # type: ignore[misc] # what is tested


def test_a_field_that_does_not_exist_is_refused() -> None:
    with pytest.raises(AttributeError):
        replace(record("1"), {"colour": "red"})


def test_a_constructed_record_is_what_its_class_makes() -> None:
    values = ("1", None, record("1"), ChangeSource.EVENT, datetime.now(UTC), None)
    new = constructor(PresenceChange)(*values)
    assert type(new) is PresenceChange
    assert (new, repr(new)) == (expected := PresenceChange(*values), repr(expected))
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        new.id = "2"  # type: ignore[misc] # what is tested
    with pytest.raises(TypeError):
        constructor(PresenceChange)("1")


def test_a_generic_class_has_a_mutable_twin() -> None:
    made = mutable_twin(Outcome)()
    made.id = "1"
    made.__class__ = Outcome
    assert type(made) is Outcome
    assert made.id == "1"
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        made.id = "2"  # type: ignore[misc] # what is tested


@attrs.frozen
class Referable:
    """A class with a slot for weak references, which ours do without."""

    a: str | None = None


def test_a_class_without_a_mutable_twin_is_refused_at_once() -> None:
    # Python 3.12 can fill this one, too.
    twin = None
    with suppress(TypeError):
        twin = mutable_twin(Referable)
    assert (twin is None) == (sys.version_info < (3, 12))
