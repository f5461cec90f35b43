"""The board without a network: exact records after events, snapshots, gaps and refusals."""

from datetime import UTC, datetime, timedelta
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
    PresenceEvent,
    ServerError,
    filters,
)
from aiopresence.protocol import decoding, event_parsing
from aiopresence.protocol.pending_read import PendingRead
from aiopresence.protocol.presence_state import PresenceState

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
ACCOUNT = filters.account_presence(account_id=5)


def record(id_: str, **fields: Any) -> GetPresenceInfo:
    return decoding.structure({"extension": {"id": id_}, **fields}, GetPresenceInfo)


def but(known: GetPresenceInfo, **fields: Any) -> GetPresenceInfo:
    return attrs.evolve(known, **fields)


def event(
    body: dict[str, Any], *, at: float | None = 0.0, filter_: str | None = ACCOUNT
) -> PresenceEvent:
    when = None if at is None else (NOW + timedelta(seconds=at)).isoformat()
    return event_parsing.parse({"event": filter_, "timestamp": when, "body": body})


def told(id_: str, sequence: Any = None, *, at: float | None = 0.0, **fields: Any) -> PresenceEvent:
    return event({"extensionId": id_, "sequence": sequence, **fields}, at=at)


def apply(state: PresenceState, *given: PresenceEvent) -> list[PresenceChange]:
    changes = [state.apply(each, NOW) for each in given]
    return [change for change in changes if change is not None]


def put(
    state: PresenceState, reading: PendingRead, id_: str, answer: GetPresenceInfo | PresenceError
) -> list[PresenceChange]:
    change = state.merge_read(reading, id_, answer, ChangeSource.BATCH, NOW)
    return [] if change is None else [change]


def known(*ids: str, of: frozenset[str] | None = None, **fields: Any) -> PresenceState:
    """Make a board that has read some extensions."""
    state = PresenceState(of)
    reading = state.begin_read(None if of is None else ids)
    for id_ in ids:
        put(state, reading, id_, record(id_, **fields))
    state.end_read(reading, complete=True)
    assert state.is_settled
    return state


def test_an_event_tells_what_has_changed_and_the_rest_stays() -> None:
    state = known("1", userStatus="Available", telephonyStatus="NoCall", message="Hello")
    [change] = apply(state, told("1", 7, at=3.0, telephonyStatus="Ringing", userStatus=None))
    before = record("1", userStatus="Available", telephonyStatus="NoCall", message="Hello")
    after = but(before, telephony_status="Ringing")
    assert change == PresenceChange(
        "1", before, after, ChangeSource.EVENT, NOW + timedelta(seconds=3)
    )
    assert state.records == {"1": after}
    assert apply(state, told("1", 8, telephonyStatus="Ringing"), told("1", 9)) == []
    assert state.is_settled


def test_an_event_without_a_time_is_dated_when_it_comes() -> None:
    [change] = apply(known("1"), told("1", 1, at=None, userStatus="Busy"))
    assert change.time == NOW


@pytest.mark.parametrize("ids", [None, frozenset({"1"})])
def test_a_snapshot_does_not_overwrite_what_was_told_since_it_was_begun(
    ids: frozenset[str] | None,
) -> None:
    state = known("1", of=ids, userStatus="Available", telephonyStatus="NoCall", message="Old")
    reading = state.begin_read(ids)
    apply(state, told("1", 1, userStatus="Busy"), told("1", 2, dndStatus="TakeAllCalls"))
    apply(state, told("1", 3, userStatus="Offline"))
    snapshot = record("1", userStatus="Available", telephonyStatus="Ringing", message="New")
    [change] = put(state, reading, "1", snapshot)
    state.end_read(reading, complete=True)
    expected = but(snapshot, user_status="Offline", dnd_status="TakeAllCalls")
    assert (change.new, change.source) == (expected, ChangeSource.BATCH)
    assert state.records == {"1": expected}


def test_what_was_told_before_a_snapshot_was_begun_is_overwritten() -> None:
    state = known("1", userStatus="Available")
    apply(state, told("1", 1, userStatus="Busy"))
    reading = state.begin_read(["1"])
    put(state, reading, "1", record("1", userStatus="Offline"))
    assert state.records == {"1": record("1", userStatus="Offline")}


def test_of_two_reads_at_once_each_keeps_what_was_told_since_it_was_begun() -> None:
    state = known("1", userStatus="Available", telephonyStatus="NoCall")
    first = state.begin_read(["1"])
    apply(state, told("1", 1, userStatus="Busy"))
    second = state.begin_read(["1"])
    apply(state, told("1", 2, telephonyStatus="Ringing"))
    old = record("1", userStatus="Available", telephonyStatus="NoCall")
    put(state, second, "1", but(old, user_status="Busy"))
    put(state, first, "1", old)
    assert state.records == {"1": record("1", userStatus="Busy", telephonyStatus="Ringing")}


def test_an_extension_told_of_before_the_first_snapshot_has_both() -> None:
    state = PresenceState(None)
    reading = state.begin_read()
    assert apply(state, told("1", 1, userStatus="Busy")) == []
    [change] = put(state, reading, "1", record("1", userStatus="Available", message="Hi"))
    assert (change.old, change.new) == (None, record("1", userStatus="Busy", message="Hi"))
    state.end_read(reading, complete=True)
    assert state.is_settled


def test_an_older_number_is_not_taken_and_doubted() -> None:
    state = known("1", "2")
    apply(state, told("1", 9, at=9.0, userStatus="Busy"))
    assert apply(state, told("1", 8, at=8.0, userStatus="Available", meetingStatus="X")) == []
    assert state.records["1"].user_status == "Busy"
    assert [*state.stale] == ["1"]
    assert state.is_stale("1")
    assert not state.is_stale("2")


def test_numbers_are_those_of_one_extension() -> None:
    state = known("1", "2")
    apply(state, told("1", 9, userStatus="Busy"), told("2", 3, userStatus="Busy"))
    assert [each.user_status for each in state.records.values()] == ["Busy", "Busy"]
    assert state.is_settled


# WS-07. Each number, and whether an event with it is taken and whether it is doubted, when the one
# before had 9 and was sent a second earlier.
@pytest.mark.parametrize(
    ("sequence", "at", "is_taken", "is_doubted"),
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
def test_numbers_of_every_kind(
    sequence: int | None, at: float | None, is_taken: bool, is_doubted: bool
) -> None:
    state = known("1", userStatus="Available")
    apply(state, told("1", 9, at=0.0, userStatus="Offline"))
    changes = apply(state, told("1", sequence, at=at, userStatus="Busy"))
    assert len(changes) == is_taken
    assert state.records["1"].user_status == ("Busy" if is_taken else "Offline")
    assert bool(state.stale) is is_doubted


def test_numbers_that_have_begun_anew_are_doubted_once() -> None:
    state = known("1")
    apply(state, told("1", 900, at=0), told("1", 1, at=1, userStatus="Busy"))
    state.end_read(state.begin_read(["1"]), complete=True)
    state.stale.clear()
    apply(state, told("1", 2, at=2, userStatus="Offline"))
    assert state.records["1"].user_status == "Offline"
    assert state.is_settled


def test_an_event_without_a_number_does_not_let_an_older_one_through() -> None:
    state = known("1")
    apply(state, told("1", 9, at=9.0, userStatus="Busy"), told("1", None, at=None))
    assert apply(state, told("1", 8, at=8.0, userStatus="Available")) == []
    assert [*state.stale] == ["1"]


def test_a_number_that_is_none_leaves_the_body_unread() -> None:
    state = known("1", "2")
    assert apply(state, told("1", "ten", userStatus="Busy")) == []
    assert state.records["1"].user_status is None
    assert [*state.stale] == ["1"]


def test_after_forget_order_any_number_is_the_first() -> None:
    state = known("1")
    apply(state, told("1", 9, at=9.0, userStatus="Busy"))
    state.forget_order()
    apply(state, told("1", 2, at=None, userStatus="Offline"))
    assert state.records["1"].user_status == "Offline"
    assert state.is_settled


UNREAD = {"userStatus": ["Busy"]}


@pytest.mark.parametrize(
    ("ids", "body", "doubtful", "whole"),
    [
        (None, {"extensionId": "1", **UNREAD}, ["1"], False),
        (None, {"extensionId": 1, **UNREAD}, ["1"], False),
        # It is new in the account.
        (None, {"extensionId": "7", **UNREAD}, ["7"], False),
        # It does not say whose it is, or not so that it can be asked for.
        (None, UNREAD, [], True),
        (None, {"extensionId": None, **UNREAD}, [], True),
        (None, {"extensionId": [1], **UNREAD}, [], True),
        (None, {"extensionId": "1/presence", **UNREAD}, [], True),
        (None, {"userStatus": "Busy"}, [], True),
        ({"1", "2"}, {"extensionId": "2", **UNREAD}, ["2"], False),
        ({"1", "2"}, {"extensionId": "7", **UNREAD}, [], False),
        ({"1", "2"}, UNREAD, ["1", "2"], False),
    ],
)
def test_a_body_that_cannot_be_read_is_doubt(
    ids: set[str] | None, body: dict[str, Any], doubtful: list[str], whole: bool
) -> None:
    state = known("1", "2", of=None if ids is None else frozenset(ids))
    before = dict(state.records)
    assert apply(state, event(body)) == []
    assert (sorted(state.stale), state.all_stale) == (doubtful, whole)
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
    state = known("1")
    body = {"extensionId": "1", "changes": 1, **UNREAD}
    assert apply(state, event(body, filter_=filter_)) == []
    assert state.is_settled


def test_what_a_board_of_given_ids_does_not_cover_is_ignored() -> None:
    state = known("1", of=frozenset({"1"}))
    assert not state.is_account
    assert state.includes("1")
    assert not state.includes("2")
    assert apply(state, told("2", 1, userStatus="Busy"), told("2", 0, at=-1)) == []
    assert state.is_settled
    assert [*state.records] == ["1"]


def test_an_extension_that_is_new_in_the_account_is_to_be_read_once() -> None:
    state = known("1")
    assert state.is_account
    apply(state, told("2", 1, userStatus="Busy"), told("2", 2, userStatus="Offline"))
    assert [*state.unknown_ids] == ["2"]
    reading = state.begin_read(["2"])
    apply(state, told("2", 3, userStatus="Available"))  # It is being read already.
    assert not state.stale
    [change] = put(state, reading, "2", record("2", userStatus="Offline"))
    state.end_read(reading, complete=True)
    assert change.new == record("2", userStatus="Available")
    assert state.is_settled


def test_while_everything_is_read_a_new_extension_is_not_doubted() -> None:
    state = known("1")
    reading = state.begin_read()
    apply(state, told("2", 1, userStatus="Busy"))
    assert not state.stale
    put(state, reading, "2", record("2"))
    assert state.records["2"].user_status == "Busy"


@pytest.mark.parametrize("error", [NotFound(404), PermissionDenied(403)])
def test_who_is_not_there_or_not_to_be_seen_leaves_the_board(error: PresenceError) -> None:
    state = known("1", "2")
    state.mark_stale(["1"])
    reading = state.begin_read(["1"])
    assert put(state, reading, "1", error) == [
        PresenceChange("1", record("1"), None, ChangeSource.BATCH, NOW)
    ]
    state.end_read(reading, complete=True)
    assert [*state.records] == ["2"]
    assert state.errors == {"1": error}
    assert apply(state, told("1", 1, userStatus="Busy")) == []
    assert state.is_settled  # What is known not to be readable is not asked for again.
    again = state.begin_read()
    assert [c.old for c in put(state, again, "1", record("1"))] == [None]
    assert not state.errors


def test_who_was_never_there_is_no_change() -> None:
    state = PresenceState(frozenset({"1"}))
    reading = state.begin_read(["1"])
    assert put(state, reading, "1", NotFound(404)) == []


@pytest.mark.parametrize(
    "error", [ServerError(503), ConnectionFailed("lost"), DecodeError("not JSON")]
)
def test_an_error_that_says_nothing_of_the_extension_leaves_it_and_its_doubt(
    error: PresenceError,
) -> None:
    state = known("1", userStatus="Busy")
    reading = state.begin_read(["1"])
    assert put(state, reading, "1", error) == []
    state.end_read(reading, complete=True)
    assert state.records == {"1": record("1", userStatus="Busy")}
    assert state.errors == {"1": error}
    assert (not state.stale, state.has_unreadable, state.is_stale("1")) == (True, True, True)
    state.retry_unreadable()
    assert [*state.stale] == ["1"]
    assert apply(state, told("1", 1, userStatus="Offline"))
    put(state, state.begin_read(["1"]), "1", record("1"))
    assert not state.errors


def test_a_read_of_everything_that_breaks_off_leaves_everything_doubtful() -> None:
    state = known("1", "2", "3")
    state.mark_stale()
    reading = state.begin_read()
    put(state, reading, "1", record("1"))
    state.end_read(reading, complete=False)
    assert not state.all_stale
    assert state.is_stale("1")
    assert not state.is_settled
    state.retry_unreadable()
    assert state.all_stale


def test_whom_a_read_of_everything_did_not_bring_is_doubtful() -> None:
    state = known("1", "2", "3")
    state.mark_stale(["9"])
    reading = state.begin_read()
    put(state, reading, "2", record("2"))
    state.end_read(reading, complete=True)
    assert not state.all_stale
    assert [*state.stale] == ["1", "3", "9"]
    assert set(state.records) == {"1", "2", "3"}


def test_what_a_read_of_some_did_not_bring_is_to_be_read_later() -> None:
    state = known("1", "2", "3")
    reading = state.begin_read(["1", "2"])
    put(state, reading, "1", record("1"))
    state.end_read(reading, complete=False)
    assert (not state.stale, state.is_stale("2"), state.is_stale("1")) == (True, True, False)
    state.retry_unreadable()
    assert [*state.stale] == ["2"]
    assert not state.all_stale


def test_stale_is_what_is_doubtful_or_being_read_and_settled_when_nothing_is() -> None:
    state = known("1", "2")
    state.mark_stale(["1"])
    assert (state.is_stale("1"), state.is_stale("2"), state.is_settled) == (True, False, False)
    reading = state.begin_read(["1"])
    assert (state.is_stale("1"), state.is_stale("2"), state.is_settled) == (True, False, False)
    put(state, reading, "1", record("1"))
    assert (state.is_stale("1"), state.is_settled) == (False, False)
    state.end_read(reading, complete=True)
    assert state.is_settled
    state.mark_stale()
    assert state.is_stale("2")


def test_what_is_doubted_while_it_is_read_is_read_again() -> None:
    state = known("1")
    reading = state.begin_read(["1"])
    state.mark_stale(["1"])
    put(state, reading, "1", record("1"))
    state.end_read(reading, complete=True)
    assert [*state.stale] == ["1"]


def test_all_of_a_board_of_given_ids_are_doubted_by_their_ids() -> None:
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


@given(TOLD, st.randoms(use_true_random=False), st.booleans())
def test_in_whatever_order_events_come_one_more_read_ends_in_the_truth(
    happened: list[tuple[str, str, str]], random: Any, has_times: bool
) -> None:
    state, truth = known("1", "2"), {id_: record(id_) for id_ in ("1", "2", "3")}
    notes = []
    for n, (id_, name, value) in enumerate(happened):
        notes.append(told(id_, n, at=n if has_times else None, **{name: value}))
        fields = decoding.structure({name: value}, GetPresenceInfo)
        changed = {k: v for k, v in attrs.asdict(fields, recurse=False).items() if v is not None}
        truth[id_] = but(truth[id_], **changed)
    random.shuffle(notes)
    apply(state, *notes)
    reading = state.begin_read(asked := [*state.stale, *state.unknown_ids])
    for id_ in asked:
        put(state, reading, id_, truth[id_])
    state.end_read(reading, complete=True)
    told_of = {"1", "2"} | {id_ for id_, _, _ in happened}
    assert state.records == {id_: truth[id_] for id_ in truth if id_ in told_of}
    assert state.is_settled


@pytest.mark.parametrize(
    "id_", ["abc", "", "1,2", "../x", "0011", " 1", "-5", "\u0663", "~", "1" * 20]
)
def test_an_id_that_no_extension_has_is_not_taken(id_: str) -> None:
    state = known("1")
    assert apply(state, told(id_, 1, userStatus="Busy")) == []
    assert not state.includes(id_)
    assert state.is_settled


def test_strangers_do_not_fill_the_memory_bp08() -> None:
    state = known("1")
    for number in range(5000):
        reading = state.begin_read([str(number + 10)])
        assert put(state, reading, str(number + 10), NotFound(404)) == []
        state.end_read(reading, complete=True)
        apply(state, told(str(number + 10), 1, userStatus="Busy"))
    parts = [state, state._order, state._times]
    assert max(len(v) for each in parts for v in vars(each).values() if isinstance(v, dict)) <= 1100


REFUSALS: list[PresenceError] = [NotFound(404), PermissionDenied(403), InvalidRequest(400)]


@pytest.mark.parametrize("error", REFUSALS, ids=repr)
@pytest.mark.parametrize("of", [None, frozenset({"1", "2"})])
def test_a_rejection_of_the_whole_request_removes_nobody(
    error: PresenceError, of: frozenset[str] | None
) -> None:
    state = known("1", "2", of=of, userStatus="Busy")
    reading = state.begin_read(["1", "2"])
    for id_ in ("1", "2"):
        given = state.merge_read(reading, id_, error, ChangeSource.BATCH, NOW, of_request=True)
        assert given is None
    state.end_read(reading, complete=True)
    assert [*state.records] == ["1", "2"]
    assert state.is_stale("1")
    assert not state.rejected
    state.retry_unreadable()
    assert [*state.stale] == ["1", "2"]


@pytest.mark.parametrize("status", [401, 408, 409, 425, 429, 500, 503])
def test_what_passes_is_no_rejection(status: int) -> None:
    state = known("1")
    reading = state.begin_read(["1"])
    assert put(state, reading, "1", ApiError(status)) == []
    assert "1" in state.records


@pytest.mark.parametrize("of", [None, frozenset({"1", "2"})])
def test_an_event_of_an_extension_that_was_rejected_has_it_read(of: frozenset[str] | None) -> None:
    state = known("1", "2", of=of)
    reading = state.begin_read(["2"])
    put(state, reading, "2", NotFound(404))
    state.end_read(reading, complete=True)
    assert state.is_stale("2")
    apply(state, told("2", 1, userStatus="Busy"))
    assert [*state.unknown_ids] == ["2"]
    reading = state.begin_read(["2"])
    [change] = put(state, reading, "2", record("2"))
    assert change.new is not None
    assert (state.errors, state.rejected, state.unknown_ids) == ({}, set(), {})


def test_an_extension_whose_first_event_comes_during_a_read_of_all_is_read() -> None:
    state = PresenceState(None)
    reading = state.begin_read()
    put(state, reading, "1", record("1"))
    apply(state, told("2", 1, userStatus="Busy"))
    state.end_read(reading, complete=True)
    assert [*state.unknown_ids] == ["2"]
    assert state.is_settled


def test_what_is_not_on_the_board_is_stale() -> None:
    state = known("1", of=frozenset({"1"}))
    assert [state.is_stale(id_) for id_ in ("1", "2", "~", "x")] == [False, True, True, True]


def later(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


@pytest.mark.parametrize("skew", [0.0, 3600.0, -3600.0])
class TestEventsOlderThanTheRead:
    """The server's clock may be wrong by any amount, or ours."""

    def read_at_ten(self, skew: float) -> PresenceState:
        state = known("1", userStatus="Available")
        # A prompt event of somebody else shows how the clocks differ.
        self.hear(state, "2", 1, 9.0, 9.0 + skew, userStatus="Busy")
        reading = state.begin_read(["1"])
        state.merge_read(
            reading, "1", record("1", userStatus="Busy"), ChangeSource.BATCH, later(10)
        )
        state.end_read(reading, complete=True)
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
        change = state.apply(told(id_, number, at=timestamp, **fields), later(at))
        return [] if change is None else [change]

    def test_it_reverts_nothing_and_is_read_again(self, skew: float) -> None:
        state = self.read_at_ten(skew)
        assert self.hear(state, "1", 1, 12.0, 8.0 + skew, userStatus="Available") == []
        assert state.records["1"].user_status == "Busy"
        assert [*state.stale] == ["1"]

    def test_it_reverts_nothing_even_if_it_is_the_first_event_of_all(self, skew: float) -> None:
        state = PresenceState(None)
        state.observe_time(later(skew), later(0.1))
        reading = state.begin_read()
        state.merge_read(
            reading, "1", record("1", userStatus="Busy"), ChangeSource.ACCOUNT, later(1)
        )
        state.end_read(reading, complete=True)
        assert self.hear(state, "1", 1, 12.0, skew - 30, userStatus="Available") == []
        assert state.records["1"].user_status == "Busy"
        assert [*state.stale] == ["1"]

    def test_what_it_says_and_the_read_has_costs_nothing(self, skew: float) -> None:
        state = self.read_at_ten(skew)
        assert self.hear(state, "1", 1, 12.0, 8.0 + skew, userStatus="Busy") == []
        assert not state.stale

    def test_a_newer_one_counts_at_once(self, skew: float) -> None:
        state = self.read_at_ten(skew)
        [change] = self.hear(state, "1", 1, 10.2, 10.1 + skew, userStatus="Offline")
        assert change.new == record("1", userStatus="Offline")
        assert not state.stale

    def test_one_that_came_long_after_its_time_while_the_read_went_on_reverts_nothing(
        self, skew: float
    ) -> None:
        state = self.read_at_ten(skew)
        reading = state.begin_read()
        self.hear(state, "3", 1, 20.0, 12.0 + skew, userStatus="Available")
        answer = record("3", userStatus="Busy")
        state.merge_read(reading, "3", answer, ChangeSource.ACCOUNT, later(20.5))
        assert state.records["3"] == answer
        assert [*state.stale] == ["3"]


def test_a_wrong_time_of_one_event_does_not_hold_up_others_for_ever() -> None:
    state = known("1", userStatus="Available")
    apply(state, told("2", 1, at=86_400.0))  # A day ahead.
    taken = 0
    for n in range(300):
        taken += len(apply(state, told("1", n, at=float(n), userStatus=f"S{n}")))
    assert taken > 0
    assert state.records["1"].user_status == "S299"


def test_what_only_events_have_is_not_merged() -> None:
    state = known("1", userStatus="Available")
    [change] = apply(state, told("1", 1, userStatus="Busy", appearances=[{"lineStatus": "Seized"}]))
    assert change.new == record("1", userStatus="Busy")
    assert apply(state, told("1", 2, appearances=[{"lineStatus": "Released"}])) == []


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
def test_the_aggregated_status_follows_the_phone_if_no_contact_centre_is_involved(
    contact_centre: str | None, event: dict[str, Any], expected: str
) -> None:
    state = known(
        "1",
        telephonyStatus="CallConnected",
        aggregatedTelephonyStatus="CallConnected",
        cxTelephonyStatus=contact_centre,
    )
    apply(state, told("1", 1, **event))
    assert state.records["1"].aggregated_telephony_status == expected


def test_a_record_without_an_aggregated_status_does_not_get_one_from_the_phone() -> None:
    state = known("1", telephonyStatus="NoCall")
    apply(state, told("1", 1, telephonyStatus="Ringing"))
    assert state.records["1"].aggregated_telephony_status is None
