"""Active calls after events and reads: none that has ended stays, none that goes on is lost."""

from typing import Any

import pytest

from aiopresence import ActiveCallInfo, GetPresenceInfo, PresenceEventBody, TelephonyStatus
from aiopresence.protocol.active_calls import (
    after_event,
    after_read,
    may_differ,
    total_after_event,
)
from aiopresence.protocol.presence_state import PresenceState
from tests.support.presence_state import apply, merge_read, notice, record, state_of


def call(id_: str, status: str = "CallConnected", **fields: Any) -> dict[str, Any]:
    return {"id": id_, "telephonyStatus": status, **fields}


def board_with(*calls: dict[str, Any], total: int | None = None, status: str = "") -> PresenceState:
    """Return a board of extension 1 whose calls were read, and counted by an event."""
    status = status or ("CallConnected" if calls else "NoCall")
    state = PresenceState(None, detailed=True)
    pending = state.begin_read()
    merge_read(state, pending, "1", record("1", telephonyStatus=status, activeCalls=[*calls]))
    state.end_read(pending, complete=True)
    if total is not None:
        apply(
            state,
            notice("1", 1, telephonyStatus=status, activeCalls=[*calls], totalActiveCalls=total),
        )
        state.stale.clear()
    return state


def listed(state: PresenceState) -> list[tuple[str | None, str | None]]:
    return [(c.id, c.telephony_status) for c in state.records["1"].active_calls or ()]


def read_again(state: PresenceState, **fields: Any) -> list[tuple[GetPresenceInfo | None, Any]]:
    pending = state.begin_read(["1"])
    changes = merge_read(state, pending, "1", record("1", **fields))
    state.end_read(pending, complete=True)
    return [(change.old, change.new) for change in changes]


A, B = call("a"), call("b")


@pytest.mark.parametrize("idle", ["telephonyStatus", "aggregatedTelephonyStatus"])
@pytest.mark.parametrize("total", [None, 1])
def test_an_idle_phone_without_a_list_has_no_call(idle: str, total: int | None) -> None:
    state = board_with(A, total=total)
    fields: dict[str, Any] = {idle: "NoCall"}
    apply(state, notice("1", 2, **fields))
    assert listed(state) == []
    assert state.records["1"].total_active_calls == (None if total is None else 0)
    assert not state.stale


def test_a_call_that_is_listed_as_ended_is_shown_as_ended() -> None:
    state = board_with(A)
    ended = call("a", "NoCall", terminationType="final")
    apply(
        state,
        notice("1", 2, telephonyStatus="NoCall", activeCalls=[ended], totalActiveCalls=1),
    )
    assert listed(state) == [("a", "NoCall")]
    assert not state.stale


def test_a_live_call_that_is_not_listed_any_more_is_kept_and_read_again() -> None:
    state = board_with(A, B)
    apply(
        state,
        notice("1", 2, telephonyStatus="CallConnected", activeCalls=[A], totalActiveCalls=1),
    )
    assert listed(state) == [("a", "CallConnected"), ("b", "CallConnected")]
    assert [*state.stale] == ["1"]


def test_two_legs_whose_events_list_one_leg_each_are_both_shown() -> None:
    legs = [call("", partyId=f"p{n}", telephonySessionId="s") for n in (1, 2)]
    for leg in legs:
        del leg["id"]
    state = board_with()
    for n, leg in enumerate(legs):
        apply(state, notice("1", 2 + n, telephonyStatus="CallConnected", activeCalls=[leg]))
    assert [c.party_id for c in state.records["1"].active_calls or ()] == ["p2", "p1"]
    assert [*state.stale] == ["1"]


@pytest.mark.parametrize(
    ("event", "is_read_again"),
    [
        ({"activeCalls": [A], "totalActiveCalls": 2}, True),
        ({"activeCalls": [A, call("x", "NoCall")], "totalActiveCalls": 2}, True),
        ({"totalActiveCalls": 2}, True),
        ({"activeCalls": [A], "totalActiveCalls": 1}, False),
        ({"totalActiveCalls": 1}, False),
        # An event about the phone without a list may mean that there are no calls.
        ({"telephonyStatus": "OnHold"}, True),
        ({"telephonyStatus": "Ringing", "activeCalls": []}, True),
        # Contradictions.
        ({"telephonyStatus": "NoCall", "activeCalls": [A]}, True),
        ({"telephonyStatus": "NoCall", "totalActiveCalls": 1}, True),
        ({"telephonyStatus": "Ringing", "totalActiveCalls": 0}, True),
        # Not about the phone.
        ({"userStatus": "Busy"}, False),
    ],
    ids=str,
)
def test_calls_that_may_be_hidden_are_read_again(
    event: dict[str, Any], is_read_again: bool
) -> None:
    state = board_with(A)
    apply(state, notice("1", 2, **event))
    assert ("1" in state.stale) == is_read_again


def test_a_phone_that_rings_without_a_listed_call_is_read_again() -> None:
    state = board_with()
    apply(state, notice("1", 2, telephonyStatus="Ringing"))
    assert [*state.stale] == ["1"]


@pytest.mark.parametrize(
    "answer",
    [
        {"telephonyStatus": "CallConnected", "activeCalls": [A, B]},
        # In another order.
        {"telephonyStatus": "CallConnected", "activeCalls": [B, A]},
    ],
)
def test_a_read_with_the_calls_of_the_events_is_no_change(answer: dict[str, Any]) -> None:
    state = board_with(A, B, total=2)
    assert read_again(state, **answer) == []
    assert state.records["1"].total_active_calls == 2


@pytest.mark.parametrize("calls", [[], None])
def test_an_absent_list_is_an_empty_one(calls: Any) -> None:
    state = board_with(total=0)
    assert read_again(state, telephonyStatus="NoCall", activeCalls=calls) == []


def test_a_read_with_other_calls_counts_them() -> None:
    state = board_with(A, B, total=2)
    [(_, new)] = read_again(state, telephonyStatus="CallConnected", activeCalls=[A])
    assert new.total_active_calls == 1
    assert listed(state) == [("a", "CallConnected")]


def test_more_calls_than_a_read_can_list_stay_counted() -> None:
    seven = [call(f"c{n}") for n in range(7)]
    state = board_with(*seven, total=9)
    read_again(state, telephonyStatus="CallConnected", activeCalls=[*seven[1:], call("new")])
    assert state.records["1"].total_active_calls == 9


def test_events_during_a_read_are_applied_to_its_calls() -> None:
    state = PresenceState(None, detailed=True)
    pending = state.begin_read()
    apply(state, notice("1", 1, telephonyStatus="CallConnected", activeCalls=[A]))
    apply(state, notice("1", 2, telephonyStatus="NoCall"))
    merge_read(state, pending, "1", record("1", telephonyStatus="CallConnected", activeCalls=[A]))
    state.end_read(pending, complete=True)
    assert listed(state) == []


@pytest.mark.parametrize(("calls", "is_stale"), [([A], False), ([A, B], True), ([B], True)])
def test_a_read_whose_calls_differ_from_those_of_events_meanwhile_is_repeated(
    calls: list[dict[str, Any]], is_stale: bool
) -> None:
    state = board_with(A)
    pending = state.begin_read(["1"])
    apply(state, notice("1", 1, telephonyStatus="OnHold", activeCalls=[A]))
    merge_read(state, pending, "1", record("1", telephonyStatus="OnHold", activeCalls=calls))
    assert listed(state) == [("a", "CallConnected")]
    assert ([*state.stale], state.all_stale) == (["1"] if is_stale else [], False)


def test_without_details_the_calls_of_events_meanwhile_repeat_no_read() -> None:
    state = state_of("1")
    pending = state.begin_read(["1"])
    apply(state, notice("1", 1, activeCalls=[A]))
    merge_read(state, pending, "1", record("1"))
    assert not state.stale


def test_events_during_the_first_read_add_up_to_the_calls_of_an_extension() -> None:
    state = PresenceState(None, detailed=True)
    pending = state.begin_read()
    for number, each in enumerate((A, B)):
        apply(state, notice("1", number, telephonyStatus="CallConnected", activeCalls=[each]))
    merge_read(state, pending, "1", record("1", activeCalls=[A, B]))
    assert listed(state) == [("b", "CallConnected"), ("a", "CallConnected")]


def test_with_details_too_an_extension_that_hides_its_presence_is_read_again() -> None:
    state = board_with()
    apply(state, notice("1", 1, allowSeeMyPresence=False))
    assert [*state.stale] == ["1"]


def test_without_details_events_about_the_phone_are_merged_as_they_are() -> None:
    state = state_of("1", telephonyStatus="NoCall")
    apply(state, notice("1", 1, telephonyStatus="Ringing"))
    assert state.records["1"] == record("1", telephonyStatus="Ringing")
    assert state.is_settled


BUSY = "CallConnected"


@pytest.mark.parametrize(
    "said",
    [
        {"aggregatedTelephonyStatus": BUSY},
        {"telephonyStatus": "NoCall", "aggregatedTelephonyStatus": BUSY},
        {"totalActiveCalls": 0, "aggregatedTelephonyStatus": BUSY},
        {"activeCalls": [], "aggregatedTelephonyStatus": BUSY},
        {"activeCalls": [], "telephonyStatus": "NoCall", "totalActiveCalls": 1},
        {"activeCalls": [A], "totalActiveCalls": 0},
    ],
)
def test_an_event_that_contradicts_itself_has_the_calls_read_again(said: dict[str, Any]) -> None:
    state = board_with()
    apply(state, notice("1", 1, **said))
    assert state.is_stale("1")


def test_a_total_of_zero_leaves_no_call() -> None:
    state = board_with(A)
    apply(state, notice("1", 1, activeCalls=[], totalActiveCalls=0))
    assert listed(state) == []


@pytest.mark.parametrize(
    ("said", "calls"),
    [
        ({"telephonyStatus": BUSY}, [A]),
        ({"aggregatedTelephonyStatus": BUSY}, [A]),
        ({"totalActiveCalls": 1}, [A]),
        ({"activeCalls": [], "telephonyStatus": BUSY}, []),
        ({"activeCalls": [call("other")], "telephonyStatus": BUSY}, [call("other")]),
        ({"activeCalls": [A], "telephonyStatus": "NoCall"}, [A]),
    ],
)
def test_an_event_during_the_first_read_hides_no_call_for_good(
    said: dict[str, Any], calls: list[dict[str, Any]]
) -> None:
    state = PresenceState(None, detailed=True)
    pending = state.begin_read()
    apply(state, notice("1", 1, **said))
    merge_read(state, pending, "1", record("1", telephonyStatus=BUSY, activeCalls=[A]))
    state.end_read(pending, complete=True)
    assert listed(state) == [(each["id"], each["telephonyStatus"]) for each in calls]
    assert state.is_stale("1")


@pytest.mark.parametrize("before", [[], [A]])
@pytest.mark.parametrize("said", [{"aggregatedTelephonyStatus": BUSY}, {"totalActiveCalls": 1}])
def test_an_event_without_a_list_during_a_read_leaves_the_calls_that_were_read(
    before: list[dict[str, Any]], said: dict[str, Any]
) -> None:
    state = board_with(*before)
    pending = state.begin_read(["1"])
    apply(state, notice("1", 1, **said))
    merge_read(state, pending, "1", record("1", telephonyStatus=BUSY, activeCalls=[call("new")]))
    state.end_read(pending, complete=True)
    assert listed(state) == [("new", BUSY)]


def test_an_event_that_says_nothing_about_calls_leaves_them() -> None:
    assert after_event((), PresenceEventBody()) == (None, False)
    assert after_event((), PresenceEventBody(active_calls=())) == ((), False)


def with_calls(*ids: str, total: int | None = None) -> GetPresenceInfo:
    calls = tuple(
        ActiveCallInfo(id=id_, telephony_status=TelephonyStatus.CALL_CONNECTED) for id_ in ids
    )
    return GetPresenceInfo(active_calls=calls, total_active_calls=total)


@pytest.mark.parametrize(
    ("known", "after", "said", "total"),
    [
        (None, "a", None, None),
        (None, "a", 0, 0),
        (with_calls("a"), "ab", None, None),
        (with_calls("a", total=3), "a", None, 3),
        (with_calls("a", total=3), "a", 0, 0),
        (with_calls("a", total=3), "ab", None, 2),
        (with_calls("a", total=3), "", None, 0),
        (GetPresenceInfo(total_active_calls=3), "a", None, 1),
    ],
)
def test_the_total_is_that_of_an_event_or_counted_if_there_was_one(
    known: GetPresenceInfo | None, after: str, said: int | None, total: int | None
) -> None:
    assert total_after_event(known, with_calls(*after).active_calls, said) == total


@pytest.mark.parametrize(
    ("old", "new", "total"),
    [
        (with_calls("a", total=3), with_calls("a"), 3),  # The calls are the same.
        (with_calls("a", total=3), with_calls("a", total=2), 2),
        (with_calls("a", total=3), with_calls("b"), 1),
        (with_calls("a"), with_calls("b"), None),
        (with_calls(*"abcdefg", total=9), with_calls(*"bcdefgh"), 9),
    ],
)
def test_a_read_keeps_the_total_of_events_while_its_calls_are_the_same(
    old: GetPresenceInfo, new: GetPresenceInfo, total: int | None
) -> None:
    merged = after_read(old, new)
    assert merged.total_active_calls == total
    assert merged.active_calls == new.active_calls


def test_a_read_that_changes_nothing_is_used_as_it_is() -> None:
    old, new = with_calls("a"), with_calls("b", total=1)
    assert after_read(old, new) is new
    again = with_calls("a")
    assert after_read(old, again).active_calls is old.active_calls


@pytest.mark.parametrize(
    ("read", "merged", "expected"),
    [
        (with_calls("a"), with_calls("a"), False),
        (with_calls("a", "b"), with_calls("b", "a"), False),
        (with_calls("a"), with_calls("b"), True),
        (with_calls("a"), with_calls("a", total=1), False),
        (with_calls("a"), with_calls("a", total=2), True),
        (with_calls("a", total=2), with_calls("a", total=2), False),
        (with_calls(), with_calls(), False),
        (with_calls(), with_calls(total=1), True),
        (GetPresenceInfo(), GetPresenceInfo(total_active_calls=0), False),
    ],
)
def test_calls_may_differ_if_they_are_others_or_more_are_counted(
    read: GetPresenceInfo, merged: GetPresenceInfo, expected: bool
) -> None:
    assert may_differ(read, merged) is expected
