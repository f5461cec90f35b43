"""Which reads the presence state requests, and what each of them leaves to be read."""

from datetime import timedelta
from typing import Any

import pytest

from aiopresence import (
    CallQueuePresence,
    ChangeSource,
    NotFound,
    PresenceChange,
    PresenceEvent,
    PresenceEventBody,
    ServerError,
)
from aiopresence.protocol import pending_read, presence_state
from aiopresence.protocol.presence_state import PresenceState
from tests.support.presence_state import (
    ACCOUNT,
    NOW,
    apply,
    event,
    merge_read,
    notice,
    record,
    state_of,
)

LATER = NOW + timedelta(minutes=1)


def test_a_new_state_knows_nothing_and_requests_nothing() -> None:
    state = PresenceState(None)
    assert (state.records, state.errors, state.rejected, state.unknown_ids) == ({}, {}, set(), {})
    assert (state.stale, state.unreadable) == ({}, {})
    flags = [state.all_stale, state.all_unreadable, state.has_unreadable]
    assert all(flag is False for flag in flags)
    assert state.is_account
    assert state.is_settled
    assert state.missed_ids(0) == frozenset()


def test_a_change_by_a_read_has_the_time_of_its_response() -> None:
    state = state_of("1")
    read = state.begin_read(["1"])
    new = record("1", message="x")
    assert state.merge_read(read, "1", new, ChangeSource.ACCOUNT, LATER) == PresenceChange(
        "1", record("1"), new, ChangeSource.ACCOUNT, LATER
    )
    read = state.begin_read(["1"])
    gone = state.merge_read(read, "1", NotFound(404), ChangeSource.BATCH, LATER)
    assert gone == PresenceChange("1", new, None, ChangeSource.BATCH, LATER)


def test_a_failed_read_of_all_is_requested_again_once() -> None:
    state = state_of("1")
    state.end_read(state.begin_read(), complete=False)
    assert (state.all_stale, state.all_unreadable, state.has_unreadable) == (False, True, True)
    state.retry_unreadable()
    assert (state.all_stale, state.has_unreadable) == (True, False)
    read = state.begin_read()
    assert state.all_stale is state.all_unreadable is state.has_unreadable is False
    merge_read(state, read, "1", record("1"))
    state.end_read(read, complete=True)
    state.retry_unreadable()
    assert state.all_stale is state.all_unreadable is False
    assert state.is_settled


def test_a_read_takes_over_what_it_reads_and_leaves_the_rest() -> None:
    state = state_of("1", "2", "3")
    state.mark_stale(["1", "2"])
    state.mark_unreadable(["2", "3"])
    read = state.begin_read(["2"])
    assert (read.is_full, [*read.pending]) == (False, ["2"])
    assert ([*state.stale], [*state.unreadable]) == (["1"], ["3"])
    state.begin_read(["1", "3"])
    assert (state.stale, state.unreadable) == ({}, {})


def test_a_read_of_all_takes_over_everything() -> None:
    state = state_of("1")
    state.mark_stale(["2"])
    state.mark_unreadable(["3"])
    state.mark_stale()
    read = state.begin_read()
    assert (read.is_full, [*read.pending]) == (True, ["1", "2", "3"])
    assert (state.stale, state.unreadable, state.all_stale) == ({}, {}, False)


def test_a_scheduled_read_does_not_hide_that_everything_was_missed() -> None:
    state = state_of("1", "2")
    state.mark_stale()
    state.schedule_read()
    assert (state.is_stale("1"), state.is_settled, state.missed_ids(9)) == (True, False, None)
    state.end_read(state.begin_read(), complete=False)
    state.schedule_read()
    assert (state.is_stale("1"), state.is_settled, state.missed_ids(9)) == (True, False, None)


def test_as_many_missed_extensions_are_named_as_are_asked_for() -> None:
    state = state_of("1", "2", "3")
    state.mark_stale(["1"])
    assert state.missed_ids(1) == frozenset({"1"})
    assert state.missed_ids(0) is None
    state.schedule_read()
    state.mark_stale(["2"])
    assert state.missed_ids(2) == frozenset({"1", "2"})
    assert state.missed_ids(1) is None


def test_the_older_of_two_reads_makes_only_its_extension_stale() -> None:
    state = state_of("1", "2")
    older, newer = state.begin_read(["1", "2"]), state.begin_read(["1"])
    merge_read(state, newer, "1", record("1", message="new"))
    assert merge_read(state, older, "1", record("1", message="old")) == []
    assert (state.records["1"].message, [*state.stale], state.all_stale) == ("new", ["1"], False)
    # Nothing else was overtaken.
    assert merge_read(state, older, "2", record("2", message="new"))


def test_an_extension_that_comes_twice_in_one_read_has_the_last_result() -> None:
    state = state_of("1")
    read = state.begin_read()
    for message in ("first", "second"):
        merge_read(state, read, "1", record("1", message=message))
    assert state.records["1"].message == "second"
    assert not state.stale


def test_a_read_of_others_is_not_overtaken() -> None:
    state = state_of("1", "2")
    other, read = state.begin_read(["2"]), state.begin_read(["1"])
    merge_read(state, read, "1", record("1", message="a"))
    merge_read(state, other, "1", record("1", message="b"))
    assert state.records["1"].message == "b"


def test_rejections_of_an_account_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(presence_state, "MAX_UNKNOWN_IDS", 2)
    state, some = PresenceState(None), PresenceState(["1", "2", "3"])
    for count, id_ in enumerate("123", 1):
        for each in (state, some):
            merge_read(each, each.begin_read([id_]), id_, NotFound(404))
        assert len(state.rejected) == min(count, 2)
        assert state.errors.keys() == state.rejected
    assert some.rejected == some.errors.keys() == {"1", "2", "3"}


def test_unknown_ids_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(presence_state, "MAX_UNKNOWN_IDS", 2)
    state = state_of("9")
    apply(state, *(notice(id_, 1, userStatus="Busy") for id_ in "1213"))
    assert [*state.unknown_ids] == ["1", "2"]


def test_an_event_that_one_of_two_reads_cannot_keep_has_its_extension_read_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pending_read, "MAX_EVENTS", 1)
    state = state_of("1", "2")
    state.begin_read()
    apply(state, notice("1", 1, userStatus="Busy"))
    state.begin_read()
    assert not state.stale
    apply(state, notice("2", 1, userStatus="Busy"))
    assert [*state.stale] == ["2"]


def test_the_order_of_events_is_remembered_for_twice_the_extensions_and_some_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(presence_state, "MAX_UNKNOWN_IDS", 0)
    state = state_of("1", "2")
    apply(state, *(notice(id_, 5) for id_ in "1234"))
    assert apply(state, notice("1", 4, userStatus="Busy")) == []
    apply(state, notice("5", 5))
    assert len(apply(state, notice("1", 3, userStatus="Busy"))) == 1


@pytest.mark.parametrize("body", [None, PresenceEventBody(), CallQueuePresence(), {}])
def test_an_event_that_names_no_extension_makes_everything_stale(body: Any) -> None:
    state = state_of("1")
    assert state.apply(PresenceEvent(event=ACCOUNT, body=body), NOW) is None
    assert state.all_stale


def test_an_event_that_cannot_be_decoded_makes_its_extension_stale() -> None:
    state = state_of("1", "2")
    apply(state, event({"extensionId": "1", "sequence": "x"}))
    assert ([*state.stale], state.all_stale) == (["1"], False)


def test_an_error_is_kept_until_the_next_result() -> None:
    state = state_of("1")
    merge_read(state, state.begin_read(["1"]), "1", error := ServerError(503))
    assert (state.errors, [*state.unreadable]) == ({"1": error}, ["1"])
    merge_read(state, state.begin_read(["1"]), "1", record("1"))
    assert (state.errors, state.unreadable, state.rejected) == ({}, {}, set())


def test_what_was_overtaken_by_an_event_that_cannot_be_decoded_is_not_merged_into_a_read() -> None:
    state, read_at = state_of("1", userStatus="Available"), LATER + timedelta(seconds=1)
    undecoded = event({"extensionId": "1", "activeCalls": 7}, at=60.0)
    assert state.apply(undecoded, LATER) is None
    read = state.begin_read(["1"])
    assert state.apply(notice("1", 1, at=59.9, userStatus="Busy"), LATER) is None
    offline = record("1", userStatus="Offline")
    state.merge_read(read, "1", offline, ChangeSource.BATCH, read_at)
    state.end_read(read, complete=True)
    assert state.records["1"] == offline
    assert [*state.stale] == ["1"]


def test_an_extension_that_another_read_brings_is_stale_until_a_later_read_of_all_has_it() -> None:
    state = PresenceState(None)
    first = state.begin_read()
    state.mark_stale()
    second = state.begin_read()
    merge_read(state, first, "1", record("1"))
    state.end_read(first, complete=True)
    assert state.is_stale("1")
    merge_read(state, second, "1", record("1"))
    assert not state.is_stale("1")
    state.end_read(second, complete=True)
    assert state.is_settled
