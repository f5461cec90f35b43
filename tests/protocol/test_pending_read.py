"""The events that arrive while a read is in progress."""

from datetime import UTC, datetime

import pytest

from aiopresence import ActiveCallInfo, GetPresenceInfo
from aiopresence.protocol import pending_read
from aiopresence.protocol.pending_read import PendingRead, known_calls

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)


def test_the_latest_value_of_each_field_is_kept() -> None:
    read = PendingRead(is_full=False, pending={"1": None})
    assert read.record_event("1", {"a": 1, "b": 1}, NOW, is_uncertain=True)
    assert read.record_event("1", {"b": 2}, None, is_uncertain=False)
    assert (read.changed, read.changed_at) == ({"1": {"a": 1, "b": 2}}, {"1": NOW})
    assert read.uncertain == {"1"}


def test_an_event_about_an_extension_that_is_not_read_is_not_kept() -> None:
    read = PendingRead(is_full=False, pending={"1": None})
    assert read.record_event("2", {"a": 1}, NOW, is_uncertain=True)
    assert not read.changed


def test_a_full_read_keeps_events_about_any_extension_up_to_a_limit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pending_read, "MAX_EVENTS", 2)
    read = PendingRead(is_full=True, pending={})
    kept = [read.record_event(id_, {"a": 1}, NOW, is_uncertain=False) for id_ in "1231"]
    assert kept == [True, True, False, True]
    assert [*read.changed] == ["1", "2"]


def test_the_calls_of_an_extension_are_those_of_its_record_or_of_the_events_during_reads() -> None:
    call = ActiveCallInfo("c")
    reads = [PendingRead(is_full=True, pending={}) for _ in range(3)]
    assert known_calls("1", None, []) is None
    assert known_calls("1", None, reads) is None
    reads[1].record_event("1", {"active_calls": (call,)}, NOW, is_uncertain=False)
    reads[2].record_event("1", {"active_calls": ()}, NOW, is_uncertain=False)
    reads[2].record_event("2", {"active_calls": ()}, NOW, is_uncertain=False)
    assert known_calls("1", None, reads) == (call,)
    assert known_calls("2", None, reads) == ()
    assert known_calls("3", None, reads) is None
    assert known_calls("1", GetPresenceInfo(), reads) is None
    assert known_calls("1", GetPresenceInfo(active_calls=()), reads) == ()
