"""The garbage collector does not visit records that are kept, and visits everything else."""

import gc
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import attrs
import pytest

from aiopresence import (
    AccountPresenceInfo,
    GetPresenceInfo,
    NotFound,
    Outcome,
    PresenceChange,
    PresenceEvent,
    UnifiedPresence,
)
from aiopresence.protocol import decoding, untracking
from aiopresence.protocol.outcome import keep, succeeded
from aiopresence.protocol.presence_state import PresenceState
from tests.support.presence_state import apply, merge_read, notice, record

CALL = {
    "id": "c-1",
    "telephonyStatus": "Ringing",
    "startTime": "2026-03-02T09:00:00Z",
    "callInfo": {"primary": {"type": "QueueName", "value": "Sales"}, "additional": {}},
    "appearanceInfo": {"phoneNumber": "+12025550105", "appearanceNumber": 5},
    "sipData": {"callId": "x"},
}
OTHER = CALL | {"id": "c-2"}
# A record with all its parts, the tuple of calls among them.
PARTS = 2 + 1 + 2 * 6


def parts(value: Any) -> Iterator[object]:
    """Yield a record and all records and tuples in it."""
    if attrs.has(type(value)):
        yield value
        for field in attrs.fields(type(value)):
            yield from parts(getattr(value, field.name))
    elif isinstance(value, tuple):
        yield value
        for each in value:
            yield from parts(each)


def tracked(value: Any) -> int:
    return sum(map(gc.is_tracked, parts(value)))


def detailed(id_: str = "1") -> GetPresenceInfo:
    return record(id_, activeCalls=[CALL, OTHER], message="Hello")


def board() -> PresenceState:
    """Return a state with one detailed record."""
    state = PresenceState(None, detailed=True)
    merge_read(state, state.begin_read(), "1", detailed())
    return state


def test_a_record_is_untracked_with_all_its_parts() -> None:
    known = detailed()
    assert tracked(known) == PARTS
    before = repr(known)
    untracking.untrack(known)
    assert (tracked(known), repr(known)) == (0, before)
    untracking.untrack(known)
    assert tracked(known) == 0


@pytest.mark.parametrize("cls", [AccountPresenceInfo, GetPresenceInfo, UnifiedPresence])
def test_absent_parts_are_no_obstacle(cls: Any) -> None:
    known = decoding.structure({}, cls)
    untracking.untrack(known)
    assert tracked(known) == 0


def test_an_untracked_record_is_freed_with_its_last_reference() -> None:
    known = detailed()
    untracking.untrack(known)
    calls = known.active_calls
    assert calls is not None
    count = sys.getrefcount(calls)
    del known
    assert sys.getrefcount(calls) == count - 1


def test_records_on_a_board_are_untracked() -> None:
    state = board()
    first = state.records["1"]
    [by_event] = apply(state, notice("1", 1, activeCalls=[OTHER], telephonyStatus="Ringing"))
    [by_read] = merge_read(state, state.begin_read(), "1", record("1", presenceStatus="Busy"))
    assert [tracked(each) for each in (first, by_event.new, by_read.new)] == [0, 0, 0]
    assert state.records == {"1": by_read.new}


def test_what_a_board_replaces_is_freed_without_a_collection() -> None:
    state = board()
    gc.collect()
    gc.disable()
    try:
        alive = sys.getallocatedblocks()
        for number in range(1000):
            apply(state, notice("1", number, activeCalls=[CALL], totalActiveCalls=number))
        grown = sys.getallocatedblocks() - alive
    finally:
        gc.enable()
    assert grown < 1000  # fewer than one block for each event


def test_values_that_are_kept_are_untracked_and_errors_are_not() -> None:
    error = NotFound(404)
    found: dict[str, Outcome[GetPresenceInfo]] = {}
    keep(found, [*succeeded(["1"], [detailed()]), Outcome("2", 404, error=error)])
    assert found == {"1": Outcome("1", 200, detailed()), "2": Outcome("2", 404, error=error)}
    assert tracked(found["1"].unwrap()) == 0
    assert gc.is_tracked(found["2"])
    assert gc.is_tracked(error)


@attrs.frozen(weakref_slot=False)
class Open:
    """A class with a field that may hold anything."""

    body: Mapping[str, Any] | None = None


@pytest.mark.parametrize("cls", [Open, PresenceEvent, PresenceChange, Outcome])
def test_what_may_hold_any_object_stays_tracked(cls: Any) -> None:
    with pytest.raises(TypeError, match="must stay tracked"):
        untracking.untracker(cls)


def test_without_ctypes_records_stay_tracked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ctypes", None)
    monkeypatch.setattr(untracking, "_untrack", untracking.find_function())
    state = board()
    assert state.records == {"1": detailed()}
    assert tracked(state.records["1"]) == PARTS
