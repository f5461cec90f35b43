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
from aiopresence.protocol.pending_read import Reading
from aiopresence.protocol.presence_state import Board

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
    return event_parsing.read({"event": filter_, "timestamp": when, "body": body})


def told(id_: str, sequence: Any = None, *, at: float | None = 0.0, **fields: Any) -> PresenceEvent:
    return event({"extensionId": id_, "sequence": sequence, **fields}, at=at)


def apply(board: Board, *given: PresenceEvent) -> list[PresenceChange]:
    return [change for each in given for change in board.apply(each, NOW)]


def put(
    board: Board, reading: Reading, id_: str, answer: GetPresenceInfo | PresenceError
) -> list[PresenceChange]:
    return [*board.put(reading, id_, answer, ChangeSource.BATCH, NOW)]


def known(*ids: str, of: frozenset[str] | None = None, **fields: Any) -> Board:
    """Make a board that has read some extensions."""
    board = Board(of)
    reading = board.begin(None if of is None else ids)
    for id_ in ids:
        put(board, reading, id_, record(id_, **fields))
    board.end(reading, complete=True)
    assert board.is_settled
    return board


def test_an_event_tells_what_has_changed_and_the_rest_stays() -> None:
    board = known("1", userStatus="Available", telephonyStatus="NoCall", message="Hello")
    [change] = apply(board, told("1", 7, at=3.0, telephonyStatus="Ringing", userStatus=None))
    before = record("1", userStatus="Available", telephonyStatus="NoCall", message="Hello")
    after = but(before, telephony_status="Ringing")
    assert change == PresenceChange(
        "1", before, after, ChangeSource.EVENT, NOW + timedelta(seconds=3)
    )
    assert board.records == {"1": after}
    assert apply(board, told("1", 8, telephonyStatus="Ringing"), told("1", 9)) == []
    assert board.is_settled


def test_an_event_without_a_time_is_dated_when_it_comes() -> None:
    [change] = apply(known("1"), told("1", 1, at=None, userStatus="Busy"))
    assert change.time == NOW


@pytest.mark.parametrize("ids", [None, frozenset({"1"})])
def test_a_snapshot_does_not_overwrite_what_was_told_since_it_was_begun(
    ids: frozenset[str] | None,
) -> None:
    board = known("1", of=ids, userStatus="Available", telephonyStatus="NoCall", message="Old")
    reading = board.begin(ids)
    apply(board, told("1", 1, userStatus="Busy"), told("1", 2, dndStatus="TakeAllCalls"))
    apply(board, told("1", 3, userStatus="Offline"))
    snapshot = record("1", userStatus="Available", telephonyStatus="Ringing", message="New")
    [change] = put(board, reading, "1", snapshot)
    board.end(reading, complete=True)
    expected = but(snapshot, user_status="Offline", dnd_status="TakeAllCalls")
    assert (change.new, change.source) == (expected, ChangeSource.BATCH)
    assert board.records == {"1": expected}


def test_what_was_told_before_a_snapshot_was_begun_is_overwritten() -> None:
    board = known("1", userStatus="Available")
    apply(board, told("1", 1, userStatus="Busy"))
    reading = board.begin(["1"])
    put(board, reading, "1", record("1", userStatus="Offline"))
    assert board.records == {"1": record("1", userStatus="Offline")}


def test_of_two_reads_at_once_each_keeps_what_was_told_since_it_was_begun() -> None:
    board = known("1", userStatus="Available", telephonyStatus="NoCall")
    first = board.begin(["1"])
    apply(board, told("1", 1, userStatus="Busy"))
    second = board.begin(["1"])
    apply(board, told("1", 2, telephonyStatus="Ringing"))
    old = record("1", userStatus="Available", telephonyStatus="NoCall")
    put(board, second, "1", but(old, user_status="Busy"))
    put(board, first, "1", old)
    assert board.records == {"1": record("1", userStatus="Busy", telephonyStatus="Ringing")}


def test_an_extension_told_of_before_the_first_snapshot_has_both() -> None:
    board = Board(None)
    reading = board.begin()
    assert apply(board, told("1", 1, userStatus="Busy")) == []
    [change] = put(board, reading, "1", record("1", userStatus="Available", message="Hi"))
    assert (change.old, change.new) == (None, record("1", userStatus="Busy", message="Hi"))
    board.end(reading, complete=True)
    assert board.is_settled


def test_an_older_number_is_not_taken_and_doubted() -> None:
    board = known("1", "2")
    apply(board, told("1", 9, at=9.0, userStatus="Busy"))
    assert apply(board, told("1", 8, at=8.0, userStatus="Available", meetingStatus="X")) == []
    assert board.records["1"].user_status == "Busy"
    assert [*board.doubtful] == ["1"]
    assert board.is_stale("1")
    assert not board.is_stale("2")


def test_numbers_are_those_of_one_extension() -> None:
    board = known("1", "2")
    apply(board, told("1", 9, userStatus="Busy"), told("2", 3, userStatus="Busy"))
    assert [each.user_status for each in board.records.values()] == ["Busy", "Busy"]
    assert board.is_settled


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
    board = known("1", userStatus="Available")
    apply(board, told("1", 9, at=0.0, userStatus="Offline"))
    changes = apply(board, told("1", sequence, at=at, userStatus="Busy"))
    assert len(changes) == is_taken
    assert board.records["1"].user_status == ("Busy" if is_taken else "Offline")
    assert bool(board.doubtful) is is_doubted


def test_numbers_that_have_begun_anew_are_doubted_once() -> None:
    board = known("1")
    apply(board, told("1", 900, at=0), told("1", 1, at=1, userStatus="Busy"))
    board.end(board.begin(["1"]), complete=True)
    board.doubtful.clear()
    apply(board, told("1", 2, at=2, userStatus="Offline"))
    assert board.records["1"].user_status == "Offline"
    assert board.is_settled


def test_an_event_without_a_number_does_not_let_an_older_one_through() -> None:
    board = known("1")
    apply(board, told("1", 9, at=9.0, userStatus="Busy"), told("1", None, at=None))
    assert apply(board, told("1", 8, at=8.0, userStatus="Available")) == []
    assert [*board.doubtful] == ["1"]


def test_a_number_that_is_none_leaves_the_body_unread() -> None:
    board = known("1", "2")
    assert apply(board, told("1", "ten", userStatus="Busy")) == []
    assert board.records["1"].user_status is None
    assert [*board.doubtful] == ["1"]


def test_after_forget_order_any_number_is_the_first() -> None:
    board = known("1")
    apply(board, told("1", 9, at=9.0, userStatus="Busy"))
    board.forget_order()
    apply(board, told("1", 2, at=None, userStatus="Offline"))
    assert board.records["1"].user_status == "Offline"
    assert board.is_settled


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
    board = known("1", "2", of=None if ids is None else frozenset(ids))
    before = dict(board.records)
    assert apply(board, event(body)) == []
    assert (sorted(board.doubtful), board.whole) == (doubtful, whole)
    assert board.records == before


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
    board = known("1")
    body = {"extensionId": "1", "changes": 1, **UNREAD}
    assert apply(board, event(body, filter_=filter_)) == []
    assert board.is_settled


def test_what_a_board_of_given_ids_does_not_cover_is_ignored() -> None:
    board = known("1", of=frozenset({"1"}))
    assert not board.is_account
    assert board.includes("1")
    assert not board.includes("2")
    assert apply(board, told("2", 1, userStatus="Busy"), told("2", 0, at=-1)) == []
    assert board.is_settled
    assert [*board.records] == ["1"]


def test_an_extension_that_is_new_in_the_account_is_to_be_read_once() -> None:
    board = known("1")
    assert board.is_account
    apply(board, told("2", 1, userStatus="Busy"), told("2", 2, userStatus="Offline"))
    assert [*board.unknown] == ["2"]
    reading = board.begin(["2"])
    apply(board, told("2", 3, userStatus="Available"))  # It is being read already.
    assert not board.doubtful
    [change] = put(board, reading, "2", record("2", userStatus="Offline"))
    board.end(reading, complete=True)
    assert change.new == record("2", userStatus="Available")
    assert board.is_settled


def test_while_everything_is_read_a_new_extension_is_not_doubted() -> None:
    board = known("1")
    reading = board.begin()
    apply(board, told("2", 1, userStatus="Busy"))
    assert not board.doubtful
    put(board, reading, "2", record("2"))
    assert board.records["2"].user_status == "Busy"


@pytest.mark.parametrize("error", [NotFound(404), PermissionDenied(403)])
def test_who_is_not_there_or_not_to_be_seen_leaves_the_board(error: PresenceError) -> None:
    board = known("1", "2")
    board.doubt(["1"])
    reading = board.begin(["1"])
    assert put(board, reading, "1", error) == [
        PresenceChange("1", record("1"), None, ChangeSource.BATCH, NOW)
    ]
    board.end(reading, complete=True)
    assert [*board.records] == ["2"]
    assert board.errors == {"1": error}
    assert apply(board, told("1", 1, userStatus="Busy")) == []
    assert board.is_settled  # What is known not to be readable is not asked for again.
    again = board.begin()
    assert [c.old for c in put(board, again, "1", record("1"))] == [None]
    assert not board.errors


def test_who_was_never_there_is_no_change() -> None:
    board = Board(frozenset({"1"}))
    reading = board.begin(["1"])
    assert put(board, reading, "1", NotFound(404)) == []


@pytest.mark.parametrize(
    "error", [ServerError(503), ConnectionFailed("lost"), DecodeError("not JSON")]
)
def test_an_error_that_says_nothing_of_the_extension_leaves_it_and_its_doubt(
    error: PresenceError,
) -> None:
    board = known("1", userStatus="Busy")
    reading = board.begin(["1"])
    assert put(board, reading, "1", error) == []
    board.end(reading, complete=True)
    assert board.records == {"1": record("1", userStatus="Busy")}
    assert board.errors == {"1": error}
    assert (not board.doubtful, board.has_failed, board.is_stale("1")) == (True, True, True)
    board.retry()
    assert [*board.doubtful] == ["1"]
    assert apply(board, told("1", 1, userStatus="Offline"))
    put(board, board.begin(["1"]), "1", record("1"))
    assert not board.errors


def test_a_read_of_everything_that_breaks_off_leaves_everything_doubtful() -> None:
    board = known("1", "2", "3")
    board.doubt()
    reading = board.begin()
    put(board, reading, "1", record("1"))
    board.end(reading, complete=False)
    assert not board.whole
    assert board.is_stale("1")
    assert not board.is_settled
    board.retry()
    assert board.whole


def test_whom_a_read_of_everything_did_not_bring_is_doubtful() -> None:
    board = known("1", "2", "3")
    board.doubt(["9"])
    reading = board.begin()
    put(board, reading, "2", record("2"))
    board.end(reading, complete=True)
    assert not board.whole
    assert [*board.doubtful] == ["1", "3", "9"]
    assert set(board.records) == {"1", "2", "3"}


def test_what_a_read_of_some_did_not_bring_is_to_be_read_later() -> None:
    board = known("1", "2", "3")
    reading = board.begin(["1", "2"])
    put(board, reading, "1", record("1"))
    board.end(reading, complete=False)
    assert (not board.doubtful, board.is_stale("2"), board.is_stale("1")) == (True, True, False)
    board.retry()
    assert [*board.doubtful] == ["2"]
    assert not board.whole


def test_stale_is_what_is_doubtful_or_being_read_and_settled_when_nothing_is() -> None:
    board = known("1", "2")
    board.doubt(["1"])
    assert (board.is_stale("1"), board.is_stale("2"), board.is_settled) == (True, False, False)
    reading = board.begin(["1"])
    assert (board.is_stale("1"), board.is_stale("2"), board.is_settled) == (True, False, False)
    put(board, reading, "1", record("1"))
    assert (board.is_stale("1"), board.is_settled) == (False, False)
    board.end(reading, complete=True)
    assert board.is_settled
    board.doubt()
    assert board.is_stale("2")


def test_what_is_doubted_while_it_is_read_is_read_again() -> None:
    board = known("1")
    reading = board.begin(["1"])
    board.doubt(["1"])
    put(board, reading, "1", record("1"))
    board.end(reading, complete=True)
    assert [*board.doubtful] == ["1"]


def test_all_of_a_board_of_given_ids_are_doubted_by_their_ids() -> None:
    board = Board(["2", "1"])
    board.doubt()
    assert (sorted(board.doubtful), board.whole) == (["1", "2"], False)


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
    board, truth = known("1", "2"), {id_: record(id_) for id_ in ("1", "2", "3")}
    notes = []
    for n, (id_, name, value) in enumerate(happened):
        notes.append(told(id_, n, at=n if has_times else None, **{name: value}))
        fields = decoding.structure({name: value}, GetPresenceInfo)
        changed = {k: v for k, v in attrs.asdict(fields, recurse=False).items() if v is not None}
        truth[id_] = but(truth[id_], **changed)
    random.shuffle(notes)
    apply(board, *notes)
    reading = board.begin(asked := [*board.doubtful, *board.unknown])
    for id_ in asked:
        put(board, reading, id_, truth[id_])
    board.end(reading, complete=True)
    told_of = {"1", "2"} | {id_ for id_, _, _ in happened}
    assert board.records == {id_: truth[id_] for id_ in truth if id_ in told_of}
    assert board.is_settled


@pytest.mark.parametrize(
    "id_", ["abc", "", "1,2", "../x", "0011", " 1", "-5", "\u0663", "~", "1" * 20]
)
def test_an_id_that_no_extension_has_is_not_taken(id_: str) -> None:
    board = known("1")
    assert apply(board, told(id_, 1, userStatus="Busy")) == []
    assert not board.includes(id_)
    assert board.is_settled


def test_strangers_do_not_fill_the_memory_bp08() -> None:
    board = known("1")
    for number in range(5000):
        reading = board.begin([str(number + 10)])
        assert put(board, reading, str(number + 10), NotFound(404)) == []
        board.end(reading, complete=True)
        apply(board, told(str(number + 10), 1, userStatus="Busy"))
    assert max(len(v) for v in vars(board).values() if isinstance(v, dict)) <= 1100


REFUSALS: list[PresenceError] = [NotFound(404), PermissionDenied(403), InvalidRequest(400)]


@pytest.mark.parametrize("error", REFUSALS, ids=repr)
@pytest.mark.parametrize("of", [None, frozenset({"1", "2"})])
def test_a_rejection_of_the_whole_request_removes_nobody(
    error: PresenceError, of: frozenset[str] | None
) -> None:
    board = known("1", "2", of=of, userStatus="Busy")
    reading = board.begin(["1", "2"])
    for id_ in ("1", "2"):
        given = board.put(reading, id_, error, ChangeSource.BATCH, NOW, of_request=True)
        assert [*given] == []
    board.end(reading, complete=True)
    assert [*board.records] == ["1", "2"]
    assert board.is_stale("1")
    assert not board.rejected
    board.retry()
    assert [*board.doubtful] == ["1", "2"]


@pytest.mark.parametrize("status", [401, 408, 409, 425, 429, 500, 503])
def test_what_passes_is_no_rejection(status: int) -> None:
    board = known("1")
    reading = board.begin(["1"])
    assert put(board, reading, "1", ApiError(status)) == []
    assert "1" in board.records


@pytest.mark.parametrize("of", [None, frozenset({"1", "2"})])
def test_an_event_of_an_extension_that_was_rejected_has_it_read(of: frozenset[str] | None) -> None:
    board = known("1", "2", of=of)
    reading = board.begin(["2"])
    put(board, reading, "2", NotFound(404))
    board.end(reading, complete=True)
    assert board.is_stale("2")
    apply(board, told("2", 1, userStatus="Busy"))
    assert [*board.unknown] == ["2"]
    reading = board.begin(["2"])
    [change] = put(board, reading, "2", record("2"))
    assert change.new is not None
    assert (board.errors, board.rejected, board.unknown) == ({}, set(), {})


def test_an_extension_whose_first_event_comes_during_a_read_of_all_is_read() -> None:
    board = Board(None)
    reading = board.begin()
    put(board, reading, "1", record("1"))
    apply(board, told("2", 1, userStatus="Busy"))
    board.end(reading, complete=True)
    assert [*board.unknown] == ["2"]
    assert board.is_settled


def test_what_is_not_on_the_board_is_stale() -> None:
    board = known("1", of=frozenset({"1"}))
    assert [board.is_stale(id_) for id_ in ("1", "2", "~", "x")] == [False, True, True, True]


def later(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


@pytest.mark.parametrize("skew", [0.0, 3600.0, -3600.0])
class TestEventsOlderThanTheRead:
    """The server's clock may be wrong by any amount, or ours."""

    def read_at_ten(self, skew: float) -> Board:
        board = known("1", userStatus="Available")
        # A prompt event of somebody else shows how the clocks differ.
        self.hear(board, "2", 1, 9.0, 9.0 + skew, userStatus="Busy")
        reading = board.begin(["1"])
        [*board.put(reading, "1", record("1", userStatus="Busy"), ChangeSource.BATCH, later(10))]
        board.end(reading, complete=True)
        return board

    def hear(
        self, board: Board, id_: str, number: int | None, at: float, timestamp: float, **fields: Any
    ) -> list[PresenceChange]:
        return [*board.apply(told(id_, number, at=timestamp, **fields), later(at))]

    def test_it_reverts_nothing_and_is_read_again(self, skew: float) -> None:
        board = self.read_at_ten(skew)
        assert self.hear(board, "1", 1, 12.0, 8.0 + skew, userStatus="Available") == []
        assert board.records["1"].user_status == "Busy"
        assert [*board.doubtful] == ["1"]

    def test_it_reverts_nothing_even_if_it_is_the_first_event_of_all(self, skew: float) -> None:
        board = Board(None)
        board.observe_time(later(skew), later(0.1))
        reading = board.begin()
        [*board.put(reading, "1", record("1", userStatus="Busy"), ChangeSource.ACCOUNT, later(1))]
        board.end(reading, complete=True)
        assert self.hear(board, "1", 1, 12.0, skew - 30, userStatus="Available") == []
        assert board.records["1"].user_status == "Busy"
        assert [*board.doubtful] == ["1"]

    def test_what_it_says_and_the_read_has_costs_nothing(self, skew: float) -> None:
        board = self.read_at_ten(skew)
        assert self.hear(board, "1", 1, 12.0, 8.0 + skew, userStatus="Busy") == []
        assert not board.doubtful

    def test_a_newer_one_counts_at_once(self, skew: float) -> None:
        board = self.read_at_ten(skew)
        [change] = self.hear(board, "1", 1, 10.2, 10.1 + skew, userStatus="Offline")
        assert change.new == record("1", userStatus="Offline")
        assert not board.doubtful

    def test_one_that_came_long_after_its_time_while_the_read_went_on_reverts_nothing(
        self, skew: float
    ) -> None:
        board = self.read_at_ten(skew)
        reading = board.begin()
        self.hear(board, "3", 1, 20.0, 12.0 + skew, userStatus="Available")
        answer = record("3", userStatus="Busy")
        [*board.put(reading, "3", answer, ChangeSource.ACCOUNT, later(20.5))]
        assert board.records["3"] == answer
        assert [*board.doubtful] == ["3"]


def test_a_wrong_time_of_one_event_does_not_hold_up_others_for_ever() -> None:
    board = known("1", userStatus="Available")
    apply(board, told("2", 1, at=86_400.0))  # A day ahead.
    taken = 0
    for n in range(300):
        taken += len(apply(board, told("1", n, at=float(n), userStatus=f"S{n}")))
    assert taken > 0
    assert board.records["1"].user_status == "S299"


def test_what_only_events_have_is_not_merged() -> None:
    board = known("1", userStatus="Available")
    [change] = apply(board, told("1", 1, userStatus="Busy", appearances=[{"lineStatus": "Seized"}]))
    assert change.new == record("1", userStatus="Busy")
    assert apply(board, told("1", 2, appearances=[{"lineStatus": "Released"}])) == []


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
    board = known(
        "1",
        telephonyStatus="CallConnected",
        aggregatedTelephonyStatus="CallConnected",
        cxTelephonyStatus=contact_centre,
    )
    apply(board, told("1", 1, **event))
    assert board.records["1"].aggregated_telephony_status == expected


def test_a_record_without_an_aggregated_status_does_not_get_one_from_the_phone() -> None:
    board = known("1", telephonyStatus="NoCall")
    apply(board, told("1", 1, telephonyStatus="Ringing"))
    assert board.records["1"].aggregated_telephony_status is None
