"""The board without a network: exact records after events, snapshots, gaps and refusals."""

from datetime import datetime, timedelta
from typing import Any

import attrs
import pytest
from hypothesis import given, strategies as st

from aiopresence import (
    ApiError,
    ChangeSource,
    ConnectionFailed,
    DecodeError,
    GetPresenceInfo,
    InvalidRequest,
    NotFound,
    PermissionDenied,
    PresenceChange,
    PresenceError,
    ServerError,
    filters,
)
from aiopresence.protocol import decoding
from aiopresence.protocol.presence_state import PresenceState
from aiopresence.protocol.server_clock import ResponseTime
from tests.support.presence_state import (
    NOW,
    apply,
    but,
    event,
    merge_read,
    notice,
    record,
    state_of,
)


def test_an_event_replaces_its_fields_and_leaves_the_others() -> None:
    state = state_of("1", userStatus="Available", telephonyStatus="NoCall", message="Hello")
    [change] = apply(state, notice("1", 7, at=3.0, telephonyStatus="Ringing", userStatus=None))
    before = record("1", userStatus="Available", telephonyStatus="NoCall", message="Hello")
    after = but(before, telephony_status="Ringing")
    assert change == PresenceChange(
        "1", before, after, ChangeSource.EVENT, NOW + timedelta(seconds=3)
    )
    assert state.records == {"1": after}
    again = notice("1", 8, at=4.0, telephonyStatus="Ringing")
    assert apply(state, again, notice("1", 9, at=5.0)) == []
    assert state.is_settled


def test_an_extension_that_hides_or_shows_its_presence_is_read_again() -> None:
    state = state_of("1", allowSeeMyPresence=True, userStatus="Busy")
    apply(state, notice("1", 1, allowSeeMyPresence=True))
    assert not state.is_stale("1")
    apply(state, notice("1", 2, allowSeeMyPresence=False))
    assert state.is_stale("1")
    pending = state.begin_read(["1"])
    apply(state, notice("1", 3, allowSeeMyPresence=True))
    merge_read(state, pending, "1", record("1", allowSeeMyPresence=False))
    assert state.is_stale("1")


def test_an_event_without_a_time_has_the_time_of_its_arrival() -> None:
    [change] = apply(state_of("1"), notice("1", 1, at=None, userStatus="Busy"))
    assert change.time == NOW


@pytest.mark.parametrize("ids", [None, frozenset({"1"})])
def test_a_read_does_not_overwrite_events_since_it_began(
    ids: frozenset[str] | None,
) -> None:
    state = state_of("1", of=ids, userStatus="Available", telephonyStatus="NoCall", message="Old")
    pending = state.begin_read(ids)
    apply(
        state,
        notice("1", 1, userStatus="Busy"),
        notice("1", 2, dndStatus="TakeAllCalls"),
    )
    apply(state, notice("1", 3, userStatus="Offline"))
    snapshot = record("1", userStatus="Available", telephonyStatus="Ringing", message="New")
    [change] = merge_read(state, pending, "1", snapshot)
    state.end_read(pending, complete=True)
    expected = but(snapshot, user_status="Offline", dnd_status="TakeAllCalls")
    assert (change.new, change.source) == (expected, ChangeSource.BATCH)
    assert state.records == {"1": expected}


def test_a_read_overwrites_events_before_it_began() -> None:
    state = state_of("1", userStatus="Available")
    apply(state, notice("1", 1, userStatus="Busy"))
    pending = state.begin_read(["1"])
    merge_read(state, pending, "1", record("1", userStatus="Offline"))
    assert state.records == {"1": record("1", userStatus="Offline")}


def test_of_two_concurrent_reads_each_keeps_the_events_since_it_began() -> None:
    state = state_of("1", userStatus="Available", telephonyStatus="NoCall")
    first = state.begin_read(["1"])
    apply(state, notice("1", 1, userStatus="Busy"))
    second = state.begin_read(["1"])
    apply(state, notice("1", 2, telephonyStatus="Ringing"))
    old = record("1", userStatus="Available", telephonyStatus="NoCall")
    merge_read(state, second, "1", but(old, user_status="Busy"))
    merge_read(state, first, "1", old)
    assert state.records == {"1": record("1", userStatus="Busy", telephonyStatus="Ringing")}


@pytest.mark.parametrize("status", ["Busy", "Available"])
def test_of_two_concurrent_reads_the_one_that_is_merged_last_reverts_nothing(status: str) -> None:
    state = state_of("1", userStatus="Available")
    reads = state.begin_read(["1"]), state.begin_read()
    merge_read(state, reads[1], "1", record("1", userStatus="Busy"))
    assert merge_read(state, reads[0], "1", record("1", userStatus=status)) == []
    for read in reads:
        state.end_read(read, complete=True)
    assert state.records == {"1": record("1", userStatus="Busy")}
    assert state.is_stale("1") is (status != "Busy")


def test_a_read_of_the_account_does_not_revert_another_one_of_an_extension_without_a_record() -> (
    None
):
    state = PresenceState(None)
    full, single = state.begin_read(), state.begin_read(["1"])
    merge_read(state, single, "1", record("1", userStatus="Busy"))
    assert merge_read(state, full, "1", record("1", userStatus="Available")) == []
    assert state.records == {"1": record("1", userStatus="Busy")}
    assert state.is_stale("1")


def test_an_event_during_the_first_read_is_merged_into_its_result() -> None:
    state = PresenceState(None)
    pending = state.begin_read()
    assert apply(state, notice("1", 1, userStatus="Busy")) == []
    [change] = merge_read(state, pending, "1", record("1", userStatus="Available", message="Hi"))
    assert (change.old, change.new) == (None, record("1", userStatus="Busy", message="Hi"))
    state.end_read(pending, complete=True)
    assert state.is_settled


def test_an_event_with_a_lower_number_makes_the_extension_stale() -> None:
    state = state_of("1", "2")
    apply(state, notice("1", 9, at=9.0, userStatus="Busy"))
    assert apply(state, notice("1", 8, at=8.0, userStatus="Available", meetingStatus="X")) == []
    assert state.records["1"].user_status == "Busy"
    assert [*state.stale] == ["1"]
    assert state.is_stale("1")
    assert not state.is_stale("2")


def test_numbers_of_different_extensions_are_independent() -> None:
    state = state_of("1", "2")
    apply(state, notice("1", 9, userStatus="Busy"), notice("2", 3, userStatus="Busy"))
    assert [each.user_status for each in state.records.values()] == ["Busy", "Busy"]
    assert state.is_settled


# Each number and time of an event, whether it is merged, and whether it makes the extension stale,
# after one with the number 9 at the time 0.
@pytest.mark.fault
@pytest.mark.parametrize(
    ("sequence", "at", "is_merged", "is_stale"),
    [
        (9, 1.0, True, False),
        (10, 1.0, True, False),
        (10**30, 1.0, True, False),
        (None, 1.0, True, False),
        # Nothing says whether it is older than the read.
        (None, None, False, True),
        # Older by number and newer by time: the numbers have begun anew.
        (0, 1.0, True, True),
        (8, 1.0, True, True),
        (-1, 1.0, True, True),
        (-(10**30), 1.0, True, True),
        # Nothing says that they have.
        (8, 0.0, False, True),
        (8, -1.0, False, True),
        (8, None, False, True),
    ],
)
def test_which_numbers_are_merged_and_which_make_the_extension_stale(
    sequence: int | None, at: float | None, is_merged: bool, is_stale: bool
) -> None:
    state = state_of("1", userStatus="Available")
    apply(state, notice("1", 9, at=0.0, userStatus="Offline"))
    changes = apply(state, notice("1", sequence, at=at, userStatus="Busy"))
    assert len(changes) == is_merged
    assert state.records["1"].user_status == ("Busy" if is_merged else "Offline")
    assert bool(state.stale) is is_stale


def test_numbers_that_begin_anew_make_the_extension_stale_once() -> None:
    state = state_of("1")
    apply(state, notice("1", 900, at=0), notice("1", 1, at=1, userStatus="Busy"))
    state.end_read(state.begin_read(["1"]), complete=True)
    state.stale.clear()
    apply(state, notice("1", 2, at=2, userStatus="Offline"))
    assert state.records["1"].user_status == "Offline"
    assert state.is_settled


def test_after_an_event_without_a_number_older_ones_are_still_refused() -> None:
    state = state_of("1")
    apply(state, notice("1", 9, at=9.0, userStatus="Busy"), notice("1", None, at=None))
    assert apply(state, notice("1", 8, at=8.0, userStatus="Available")) == []
    assert [*state.stale] == ["1"]


def test_an_invalid_number_makes_the_extension_stale() -> None:
    state = state_of("1", "2")
    assert apply(state, notice("1", "ten", userStatus="Busy")) == []
    assert state.records["1"].user_status is None
    assert [*state.stale] == ["1"]


def test_after_forget_order_any_number_is_the_first() -> None:
    state = state_of("1")
    apply(state, notice("1", 9, at=9.0, userStatus="Busy"))
    state.forget_order()
    apply(state, notice("1", 2, at=None, userStatus="Offline"))
    assert state.records["1"].user_status == "Offline"
    assert state.is_settled


UNDECODABLE = {"userStatus": ["Busy"]}


@pytest.mark.parametrize(
    ("ids", "body", "stale", "all_stale"),
    [
        (None, {"extensionId": "1", **UNDECODABLE}, ["1"], False),
        (None, {"extensionId": 1, **UNDECODABLE}, ["1"], False),
        # It is new in the account.
        (None, {"extensionId": "7", **UNDECODABLE}, ["7"], False),
        # It does not say whose it is, or not so that it can be asked for.
        (None, UNDECODABLE, [], True),
        (None, {"extensionId": None, **UNDECODABLE}, [], True),
        (None, {"extensionId": [1], **UNDECODABLE}, [], True),
        (None, {"extensionId": "1/presence", **UNDECODABLE}, [], True),
        (None, {"userStatus": "Busy"}, [], True),
        ({"1", "2"}, {"extensionId": "2", **UNDECODABLE}, ["2"], False),
        ({"1", "2"}, {"extensionId": "7", **UNDECODABLE}, [], False),
        ({"1", "2"}, UNDECODABLE, ["1", "2"], False),
    ],
)
def test_a_body_that_cannot_be_decoded_makes_its_extension_or_all_stale(
    ids: set[str] | None, body: dict[str, Any], stale: list[str], all_stale: bool
) -> None:
    state = state_of("1", "2", of=None if ids is None else frozenset(ids))
    before = dict(state.records)
    assert apply(state, event(body)) == []
    assert (sorted(state.stale), state.all_stale) == (stale, all_stale)
    assert state.records == before


@pytest.mark.parametrize(
    "filter_",
    [
        None,
        "/restapi/v1.0/account/5/extension/1/message-store",
        filters.extension_lines(1),
        filters.call_queue_presence(3),
    ],
)
def test_events_about_something_else_are_ignored(filter_: str | None) -> None:
    state = state_of("1")
    body = {"extensionId": "1", "changes": 1, **UNDECODABLE}
    assert apply(state, event(body, filter_=filter_)) == []
    assert state.is_settled


def test_events_about_extensions_that_are_not_followed_are_ignored() -> None:
    state = state_of("1", of=frozenset({"1"}))
    assert not state.is_account
    assert state.includes("1")
    assert not state.includes("2")
    assert apply(state, notice("2", 1, userStatus="Busy"), notice("2", 0, at=-1)) == []
    assert state.is_settled
    assert [*state.records] == ["1"]


def test_an_extension_that_is_new_in_the_account_is_to_be_read_once() -> None:
    state = state_of("1")
    assert state.is_account
    apply(
        state,
        notice("2", 1, userStatus="Busy"),
        notice("2", 2, userStatus="Offline"),
    )
    assert [*state.unknown_ids] == ["2"]
    pending = state.begin_read(["2"])
    apply(state, notice("2", 3, userStatus="Available"))  # It is being read already.
    assert not state.stale
    [change] = merge_read(state, pending, "2", record("2", userStatus="Offline"))
    state.end_read(pending, complete=True)
    assert change.new == record("2", userStatus="Available")
    assert state.is_settled


def test_a_new_extension_during_a_full_read_is_not_stale() -> None:
    state = state_of("1")
    pending = state.begin_read()
    apply(state, notice("2", 1, userStatus="Busy"))
    assert not state.stale
    merge_read(state, pending, "2", record("2"))
    assert state.records["2"].user_status == "Busy"


@pytest.mark.parametrize("error", [NotFound(404), PermissionDenied(403)])
def test_a_rejected_extension_is_removed(error: PresenceError) -> None:
    state = state_of("1", "2")
    state.mark_stale(["1"])
    pending = state.begin_read(["1"])
    assert merge_read(state, pending, "1", error) == [
        PresenceChange("1", record("1"), None, ChangeSource.BATCH, NOW)
    ]
    state.end_read(pending, complete=True)
    assert [*state.records] == ["2"]
    assert state.errors == {"1": error}
    assert apply(state, notice("1", 1, userStatus="Busy")) == []
    assert state.is_settled  # What is known not to be readable is not asked for again.
    again = state.begin_read()
    assert [c.old for c in merge_read(state, again, "1", record("1"))] == [None]
    assert not state.errors


def test_the_rejection_of_an_extension_without_a_record_is_no_change() -> None:
    state = PresenceState(frozenset({"1"}))
    pending = state.begin_read(["1"])
    assert merge_read(state, pending, "1", NotFound(404)) == []


@pytest.mark.parametrize(
    "error", [ServerError(503), ConnectionFailed("lost"), DecodeError("not JSON")]
)
def test_an_error_that_is_not_about_the_extension_leaves_its_record_stale(
    error: PresenceError,
) -> None:
    state = state_of("1", userStatus="Busy")
    pending = state.begin_read(["1"])
    assert merge_read(state, pending, "1", error) == []
    state.end_read(pending, complete=True)
    assert state.records == {"1": record("1", userStatus="Busy")}
    assert state.errors == {"1": error}
    assert (not state.stale, state.has_unreadable, state.is_stale("1")) == (True, True, True)
    state.retry_unreadable()
    assert [*state.stale] == ["1"]
    assert apply(state, notice("1", 1, userStatus="Offline"))
    merge_read(state, state.begin_read(["1"]), "1", record("1"))
    assert not state.errors


def test_a_full_read_that_fails_leaves_everything_stale() -> None:
    state = state_of("1", "2", "3")
    state.mark_stale()
    pending = state.begin_read()
    merge_read(state, pending, "1", record("1"))
    state.end_read(pending, complete=False)
    assert not state.all_stale
    assert state.is_stale("1")
    assert not state.is_settled
    state.retry_unreadable()
    assert state.all_stale


def test_extensions_that_a_full_read_did_not_return_are_stale() -> None:
    state = state_of("1", "2", "3")
    state.mark_stale(["9"])
    pending = state.begin_read()
    merge_read(state, pending, "2", record("2"))
    state.end_read(pending, complete=True)
    assert not state.all_stale
    assert [*state.stale] == ["1", "3", "9"]
    assert set(state.records) == {"1", "2", "3"}


def test_extensions_that_a_failed_read_did_not_return_are_unreadable() -> None:
    state = state_of("1", "2", "3")
    pending = state.begin_read(["1", "2"])
    merge_read(state, pending, "1", record("1"))
    state.end_read(pending, complete=False)
    assert (not state.stale, state.is_stale("2"), state.is_stale("1")) == (True, True, False)
    state.retry_unreadable()
    assert [*state.stale] == ["2"]
    assert not state.all_stale


def test_an_extension_is_stale_while_it_is_to_be_read_or_being_read() -> None:
    state = state_of("1", "2")
    state.mark_stale(["1"])
    assert (state.is_stale("1"), state.is_stale("2"), state.is_settled) == (True, False, False)
    pending = state.begin_read(["1"])
    assert (state.is_stale("1"), state.is_stale("2"), state.is_settled) == (True, False, False)
    merge_read(state, pending, "1", record("1"))
    assert (state.is_stale("1"), state.is_settled) == (False, False)
    state.end_read(pending, complete=True)
    assert state.is_settled
    state.mark_stale()
    assert state.is_stale("2")


def test_an_extension_that_becomes_stale_during_its_read_stays_stale() -> None:
    state = state_of("1")
    pending = state.begin_read(["1"])
    state.mark_stale(["1"])
    merge_read(state, pending, "1", record("1"))
    state.end_read(pending, complete=True)
    assert [*state.stale] == ["1"]


@pytest.mark.parametrize("ids", [None, frozenset({"1", "2", "3"})])
@pytest.mark.parametrize("complete", [True, False])
def test_a_scheduled_read_makes_only_stale_what_was_missed(
    ids: frozenset[str] | None, complete: bool
) -> None:
    state = state_of("1", "2", "3", of=ids)

    def stale() -> list[str]:
        return [id_ for id_ in state.records if state.is_stale(id_)]

    state.schedule_read()
    assert (stale(), state.is_settled) == ([], True)
    assert state.all_stale or state.stale.keys() == state.ids
    state.mark_stale(["2"])
    assert (stale(), state.is_settled) == (["2"], False)
    pending = state.begin_read(ids)
    assert (stale(), state.is_settled) == (["2"], False)
    merge_read(state, pending, "2", record("2"))
    if complete:
        assert (stale(), state.is_settled) == ([], True)
        merge_read(state, pending, "1", record("1"))
    state.end_read(pending, complete=complete)
    # One that a complete read did not return was missed; a failed read shows nothing.
    missed = ["3"] if complete else []
    assert [id_ for id_ in ("1", "3") if state.is_stale(id_)] == missed
    state.schedule_read()
    assert [id_ for id_ in ("1", "3") if state.is_stale(id_)] == missed
    state.mark_stale()
    assert (stale(), state.is_settled) == (["1", "2", "3"], False)


def test_a_state_without_records_is_not_settled_by_a_scheduled_read() -> None:
    state = PresenceState(None)
    state.mark_stale()
    state.schedule_read()
    assert not state.is_settled
    state.begin_read()
    assert not state.is_settled


def test_a_rejected_extension_does_not_unsettle_the_others_when_it_is_read_again() -> None:
    state = state_of("1", of=frozenset({"1", "2"}))
    first = state.begin_read(["2"])
    merge_read(state, first, "2", NotFound(404, "gone"))
    state.end_read(first, complete=True)
    state.schedule_read()
    assert (state.is_settled, state.is_stale("1"), state.is_stale("2")) == (True, False, True)


def test_marking_all_of_given_ids_stale_marks_each_id() -> None:
    state = PresenceState(["2", "1"])
    assert state.ids == {"1", "2"}
    assert PresenceState(None).ids == frozenset()
    state.mark_stale()
    assert (sorted(state.stale), state.all_stale) == (["1", "2"], False)


TOLD = st.lists(
    st.tuples(
        st.sampled_from(["1", "2", "3"]),
        st.sampled_from(["userStatus", "telephonyStatus", "meetingStatus"]),
        st.sampled_from(["a", "b", "c"]),
    ),
    max_size=12,
)


@pytest.mark.fault
@given(TOLD, st.randoms(use_true_random=False), st.booleans())
def test_events_in_any_order_and_one_more_read_have_the_right_result(
    happened: list[tuple[str, str, str]], random: Any, has_times: bool
) -> None:
    state, truth = state_of("1", "2"), {id_: record(id_) for id_ in ("1", "2", "3")}
    notes = []
    for n, (id_, name, value) in enumerate(happened):
        notes.append(notice(id_, n, at=n if has_times else None, **{name: value}))
        fields = decoding.structure({name: value}, GetPresenceInfo)
        changed = {k: v for k, v in attrs.asdict(fields, recurse=False).items() if v is not None}
        truth[id_] = but(truth[id_], **changed)
    random.shuffle(notes)
    apply(state, *notes)
    pending = state.begin_read(asked := [*state.stale, *state.unknown_ids])
    for id_ in asked:
        merge_read(state, pending, id_, truth[id_])
    state.end_read(pending, complete=True)
    told_of = {"1", "2"} | {id_ for id_, _, _ in happened}
    assert state.records == {id_: truth[id_] for id_ in truth if id_ in told_of}
    assert state.is_settled


@pytest.mark.parametrize(
    "id_", ["abc", "", "1,2", "../x", "0011", " 1", "-5", "\u0663", "~", "1" * 20]
)
def test_an_event_with_an_invalid_id_is_ignored(id_: str) -> None:
    state = state_of("1")
    assert apply(state, notice(id_, 1, userStatus="Busy")) == []
    assert not state.includes(id_)
    assert state.is_settled


@pytest.mark.fault
def test_unknown_ids_do_not_fill_the_memory() -> None:
    state = state_of("1")
    for number in range(5000):
        pending = state.begin_read([str(number + 10)])
        assert merge_read(state, pending, str(number + 10), NotFound(404)) == []
        state.end_read(pending, complete=True)
        apply(state, notice(str(number + 10), 1, userStatus="Busy"))
    parts = [state, state._order, state._times]
    assert max(len(v) for each in parts for v in vars(each).values() if isinstance(v, dict)) <= 1100


REFUSALS: list[PresenceError] = [NotFound(404), PermissionDenied(403), InvalidRequest(400)]


@pytest.mark.parametrize("error", REFUSALS, ids=repr)
@pytest.mark.parametrize("of", [None, frozenset({"1", "2"})])
def test_a_rejection_of_the_whole_request_removes_nobody(
    error: PresenceError, of: frozenset[str] | None
) -> None:
    state = state_of("1", "2", of=of, userStatus="Busy")
    pending = state.begin_read(["1", "2"])
    for id_ in ("1", "2"):
        given = state.merge_read(pending, id_, error, ChangeSource.BATCH, NOW, of_request=True)
        assert given is None
    state.end_read(pending, complete=True)
    assert [*state.records] == ["1", "2"]
    assert state.is_stale("1")
    assert not state.rejected
    state.retry_unreadable()
    assert [*state.stale] == ["1", "2"]


@pytest.mark.parametrize("status", [401, 408, 409, 425, 429, 500, 503])
def test_a_transient_error_is_no_rejection(status: int) -> None:
    state = state_of("1")
    pending = state.begin_read(["1"])
    assert merge_read(state, pending, "1", ApiError(status)) == []
    assert "1" in state.records


@pytest.mark.parametrize("of", [None, frozenset({"1", "2"})])
def test_an_event_of_an_extension_that_was_rejected_has_it_read(of: frozenset[str] | None) -> None:
    state = state_of("1", "2", of=of)
    pending = state.begin_read(["2"])
    merge_read(state, pending, "2", NotFound(404))
    state.end_read(pending, complete=True)
    assert state.is_stale("2")
    apply(state, notice("2", 1, userStatus="Busy"))
    assert [*state.unknown_ids] == ["2"]
    pending = state.begin_read(["2"])
    [change] = merge_read(state, pending, "2", record("2"))
    assert change.new is not None
    assert (state.errors, state.rejected, state.unknown_ids) == ({}, set(), {})


def test_an_extension_whose_first_event_comes_during_a_read_of_all_is_read() -> None:
    state = PresenceState(None)
    pending = state.begin_read()
    merge_read(state, pending, "1", record("1"))
    apply(state, notice("2", 1, userStatus="Busy"))
    state.end_read(pending, complete=True)
    assert [*state.unknown_ids] == ["2"]
    assert state.is_settled


def test_an_extension_without_a_record_is_stale() -> None:
    state = state_of("1", of=frozenset({"1"}))
    assert [state.is_stale(id_) for id_ in ("1", "2", "~", "x")] == [False, True, True, True]


def later(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


@pytest.mark.parametrize("skew", [0.0, 3600.0, -3600.0])
class TestEventsOlderThanTheRead:
    """The server's clock may be wrong by any amount, or ours."""

    def read_at_ten(self, skew: float) -> PresenceState:
        state = state_of("1", userStatus="Available")
        # A prompt event of somebody else shows how the clocks differ.
        self.hear(state, "2", 1, 9.0, 9.0 + skew, userStatus="Busy")
        pending = state.begin_read(["1"])
        state.merge_read(
            pending, "1", record("1", userStatus="Busy"), ChangeSource.BATCH, later(10)
        )
        state.end_read(pending, complete=True)
        return state

    def hear(
        self,
        state: PresenceState,
        id_: str,
        number: int | None,
        at: float,
        timestamp: float,
        **fields: Any,
    ) -> list[PresenceChange]:
        change = state.apply(notice(id_, number, at=timestamp, **fields), later(at))
        return [] if change is None else [change]

    def test_an_older_event_reverts_nothing_and_makes_the_extension_stale(
        self, skew: float
    ) -> None:
        state = self.read_at_ten(skew)
        assert self.hear(state, "1", 1, 12.0, 8.0 + skew, userStatus="Available") == []
        assert state.records["1"].user_status == "Busy"
        assert [*state.stale] == ["1"]

    def test_an_older_event_reverts_nothing_even_as_the_first_of_all(self, skew: float) -> None:
        state = PresenceState(None)
        state.observe_response(ResponseTime(later(skew), later(0), later(0.1)))
        pending = state.begin_read()
        state.merge_read(
            pending, "1", record("1", userStatus="Busy"), ChangeSource.ACCOUNT, later(1)
        )
        state.end_read(pending, complete=True)
        assert self.hear(state, "1", 1, 12.0, skew - 30, userStatus="Available") == []
        assert state.records["1"].user_status == "Busy"
        assert [*state.stale] == ["1"]

    def test_an_older_event_that_equals_the_read_has_no_effect(self, skew: float) -> None:
        state = self.read_at_ten(skew)
        assert self.hear(state, "1", 1, 12.0, 8.0 + skew, userStatus="Busy") == []
        assert not state.stale

    def test_a_newer_event_is_merged_at_once(self, skew: float) -> None:
        state = self.read_at_ten(skew)
        [change] = self.hear(state, "1", 1, 10.2, 10.1 + skew, userStatus="Offline")
        assert change.new == record("1", userStatus="Offline")
        assert not state.stale

    @pytest.mark.parametrize("between", [1.0, 5.0])
    def test_an_event_that_may_be_older_is_not_merged_before_the_clocks_are_known_exactly(
        self, skew: float, between: float
    ) -> None:
        """Two events were made just before a read, which has the second, and arrive after it."""
        state = PresenceState(None)
        # All that is known of the server's clock is a whole second, and the time of the response.
        stated = later(skew).replace(microsecond=0)
        state.observe_response(ResponseTime(stated, later(0), later(between)))
        pending = state.begin_read()
        answer = record("1", userStatus="S15", dndStatus="D15")
        state.merge_read(pending, "1", answer, ChangeSource.ACCOUNT, later(between))
        state.end_read(pending, complete=True)
        for number in (14, 15):
            told = {"userStatus": f"S{number}", "dndStatus": f"D{number}"}
            at = between - 0.02 + number / 1000
            assert self.hear(state, "1", number, between + 0.01, at + skew, **told) == []
        assert state.is_stale("1")
        newer = between + 1.01
        [change] = self.hear(state, "1", 16, newer, newer + skew, userStatus="S16")
        assert change.new == record("1", userStatus="S16", dndStatus="D15")

    def test_a_newer_event_brings_those_that_were_doubtful(self, skew: float) -> None:
        state = self.read_at_ten(skew)
        told_of = [{"dndStatus": "D1"}, {"dndStatus": "D2"}, {"meetingStatus": "M"}]
        for number, told in enumerate(told_of):
            assert self.hear(state, "1", number, 10.5, 9.9 + skew, **told) == []
        assert state.is_stale("1")
        [change] = self.hear(state, "1", 3, 10.6, 10.5 + skew, userStatus="Offline")
        assert change.new == record("1", userStatus="Offline", dndStatus="D2", meetingStatus="M")
        assert state.is_stale("1")

    def test_a_doubtful_event_is_forgotten_when_a_later_one_is_delayed(self, skew: float) -> None:
        """The read has the value of the delayed one, which is newer."""
        state = self.read_at_ten(skew)
        assert self.hear(state, "1", 1, 10.5, 9.8 + skew, userStatus="Available") == []
        [change] = self.hear(state, "1", 3, 10.6, 10.5 + skew, dndStatus="D3")
        assert change.new == record("1", userStatus="Busy", dndStatus="D3")
        assert self.hear(state, "1", 2, 10.7, 9.9 + skew, userStatus="Busy") == []
        assert state.is_stale("1")

    @pytest.mark.parametrize(("ids", "dnd"), [(None, None), (["1"], None), (["2"], "D1")])
    def test_a_doubtful_event_is_forgotten_when_later_ones_may_be_missing(
        self, skew: float, ids: list[str] | None, dnd: str | None
    ) -> None:
        state = self.read_at_ten(skew)
        self.hear(state, "1", 1, 10.5, 9.9 + skew, dndStatus="D1")
        state.mark_stale(ids)
        [change] = self.hear(state, "1", 2, 10.6, 10.5 + skew, userStatus="Offline")
        assert change.new == record("1", userStatus="Offline", dndStatus=dnd)

    def test_a_doubtful_event_is_forgotten_with_the_next_read(self, skew: float) -> None:
        state = self.read_at_ten(skew)
        self.hear(state, "1", 1, 10.5, 9.9 + skew, dndStatus="D1")
        answer = record("1", dndStatus="D2")
        state.merge_read(state.begin_read(["1"]), "1", answer, ChangeSource.BATCH, later(11))
        [change] = self.hear(state, "1", 2, 11.6, 11.5 + skew, userStatus="Offline")
        assert change.new == but(answer, user_status="Offline")

    def test_an_event_that_may_be_older_than_two_reads_makes_the_extension_stale(
        self, skew: float
    ) -> None:
        """It equals the first one, and the second one may be from before it."""
        state = self.read_at_ten(skew)
        pending = state.begin_read(["1"])
        assert self.hear(state, "1", 1, 10.5, 9.9 + skew, userStatus="Busy") == []
        answer = record("1", userStatus="Offline")
        state.merge_read(pending, "1", answer, ChangeSource.ACCOUNT, later(11))
        state.end_read(pending, complete=True)
        assert [*state.stale] == ["1"]

    def test_a_slow_read_does_not_revert_a_delayed_event(self, skew: float) -> None:
        state = self.read_at_ten(skew)
        pending = state.begin_read(["1"])
        [change] = self.hear(state, "1", 1, 20.0, 12.0 + skew, userStatus="Offline")
        answer = record("1", userStatus="Busy")
        state.merge_read(pending, "1", answer, ChangeSource.ACCOUNT, later(20.5))
        assert state.records["1"] == change.new == record("1", userStatus="Offline")
        assert [*state.stale] == ["1"]

    def test_a_delayed_event_during_the_first_read_changes_nothing(self, skew: float) -> None:
        state = self.read_at_ten(skew)
        pending = state.begin_read()
        self.hear(state, "3", 1, 20.0, 12.0 + skew, userStatus="Available")
        answer = record("3", userStatus="Busy")
        state.merge_read(pending, "3", answer, ChangeSource.ACCOUNT, later(20.5))
        assert state.records["3"] == answer
        assert [*state.stale] == ["3"]


def test_one_wrong_timestamp_does_not_suppress_events_for_ever() -> None:
    state = state_of("1", userStatus="Available")
    apply(state, notice("2", 1, at=86_400.0))  # A day ahead.
    taken = 0
    for n in range(300):
        taken += len(apply(state, notice("1", n, at=float(n), userStatus=f"S{n}")))
    assert taken > 0
    assert state.records["1"].user_status == "S299"


def test_appearances_of_an_event_are_not_merged() -> None:
    state = state_of("1", userStatus="Available")
    [change] = apply(
        state, notice("1", 1, userStatus="Busy", appearances=[{"lineStatus": "Seized"}])
    )
    assert change.new == record("1", userStatus="Busy")
    assert apply(state, notice("1", 2, appearances=[{"lineStatus": "Released"}])) == []


@pytest.mark.parametrize(
    ("contact_centre", "event", "expected"),
    [
        (None, {"telephonyStatus": "NoCall"}, "NoCall"),
        ("NoCall", {"telephonyStatus": "NoCall"}, "NoCall"),
        # It goes on in the contact centre.
        ("CallConnected", {"telephonyStatus": "NoCall"}, "CallConnected"),
        (
            "CallConnected",
            {"telephonyStatus": "NoCall", "cxTelephonyStatus": "NoCall"},
            "NoCall",
        ),
        (None, {"telephonyStatus": "NoCall", "aggregatedTelephonyStatus": "OnHold"}, "OnHold"),
        (None, {"userStatus": "Busy"}, "CallConnected"),
    ],
)
def test_the_aggregated_status_follows_the_phone_without_a_contact_center(
    contact_centre: str | None, event: dict[str, Any], expected: str
) -> None:
    state = state_of(
        "1",
        telephonyStatus="CallConnected",
        aggregatedTelephonyStatus="CallConnected",
        cxTelephonyStatus=contact_centre,
    )
    apply(state, notice("1", 1, **event))
    assert state.records["1"].aggregated_telephony_status == expected


def test_a_record_without_an_aggregated_status_does_not_get_one_from_the_phone() -> None:
    state = state_of("1", telephonyStatus="NoCall")
    apply(state, notice("1", 1, telephonyStatus="Ringing"))
    assert state.records["1"].aggregated_telephony_status is None


def test_records_of_somebody_else_are_stale_until_they_are_read() -> None:
    known = {"1": record("1", message="a"), "2": record("2"), "x": record("x")}
    state = PresenceState(None)
    state.seed(known)
    assert set(state.records) == {"1", "2"}
    assert all(state.is_stale(id_) for id_ in state.records)
    assert state.all_stale
    read = state.begin_read()
    assert merge_read(state, read, "1", record("1", message="a")) == []
    [change] = merge_read(state, read, "2", record("2", message="b"))
    assert change.old == record("2")
    state.end_read(read, complete=True)
    assert state.is_settled
    some = PresenceState(frozenset({"1"}))
    some.seed(known)
    assert set(some.records) == set(some.stale) == {"1"}


def test_which_extensions_are_missed() -> None:
    state = state_of("1", "2", "3")
    assert state.missed_ids(2) == frozenset()
    state.mark_stale(["1"])
    reading = state.begin_read(["2"])
    assert state.missed_ids(2) == frozenset({"1", "2"})
    assert state.missed_ids(1) is None
    merge_read(state, reading, "2", record("2"))
    state.end_read(reading, complete=True)
    state.schedule_read()
    assert state.missed_ids(2) == frozenset({"1"})
    assert state.missed_ids(0) is None
    state.mark_stale()
    assert state.missed_ids(9) is None
