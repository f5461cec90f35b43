"""Undoing temporary changes, as values. Against a server: tests/test_temporary_presence.py."""

from typing import Any

import pytest

from aiopresence import DndStatus, GetPresenceInfo, PresenceInfoRequest, UserStatus
from aiopresence.protocol.restoring import (
    before_both,
    groups,
    remaining,
    restoring,
    unknown_fields,
    without,
)

TAKES, REFUSES = DndStatus.TAKE_ALL_CALLS, DndStatus.DO_NOT_ACCEPT_ANY_CALLS
QUEUES_ONLY, UNKNOWN = DndStatus.TAKE_DEPARTMENT_CALLS_ONLY, DndStatus.UNKNOWN
AVAILABLE, BUSY = UserStatus.AVAILABLE, UserStatus.BUSY


def presence(**fields: Any) -> GetPresenceInfo:
    return GetPresenceInfo(**fields)


def dnd(whole: Any, personal: Any, queues: Any) -> dict[str, Any]:
    names = ("dnd_status", "dnd_status_personal", "accept_call_queue_calls")
    return dict(zip(names, (whole, personal, queues), strict=True))


@pytest.mark.parametrize(
    ("before", "change", "unknown"),
    [
        ({}, {"message": "x"}, []),
        ({}, {"user_status": "Busy", "allow_see_my_presence": True}, None),
        ({"user_status": BUSY}, {"user_status": "Offline"}, []),
        (dnd(TAKES, None, None), {"dnd_status": REFUSES}, []),
        (dnd(TAKES, None, None), {"dnd_status_personal": REFUSES}, []),
        (dnd(None, TAKES, True), {"dnd_status": REFUSES}, []),
        (dnd(QUEUES_ONLY, REFUSES, True), {"dnd_status": REFUSES}, []),
        (dnd(QUEUES_ONLY, REFUSES, None), {"dnd_status": REFUSES}, None),
        (dnd(UNKNOWN, TAKES, None), {"dnd_status": REFUSES}, None),
        (dnd(UNKNOWN, TAKES, None), {"dnd_status_personal": REFUSES}, []),
        (dnd(UNKNOWN, UNKNOWN, True), {"dnd_status_personal": REFUSES}, None),
        (dnd(None, None, True), {"accept_call_queue_calls": False}, []),
    ],
)
def test_values_that_are_not_known_before(
    before: dict[str, Any], change: dict[str, Any], unknown: list[str] | None
) -> None:
    expected = [*change] if unknown is None else unknown
    assert unknown_fields(presence(**before), PresenceInfoRequest(**change)) == expected


@pytest.mark.parametrize(
    ("before", "applied", "now", "back"),
    [
        # As it was set, changed by somebody else, and restored already.
        ("Available", "Busy", "Busy", "Available"),
        ("Available", "Busy", "Offline", None),
        ("Available", "Busy", "Available", None),
        # What the server has made of the change counts, not what was sent.
        ("Available", "Away", "Away", "Available"),
        # An answer or a read without the field says nothing about it.
        ("Available", None, "Busy", "Available"),
        ("Available", "Busy", None, "Available"),
    ],
)
def test_a_field_goes_back_unless_somebody_else_has_changed_it(
    before: str, applied: str | None, now: str | None, back: str | None
) -> None:
    old, set_, new = (
        presence(user_status=value and UserStatus(value)) for value in (before, applied, now)
    )
    change = PresenceInfoRequest(user_status="Busy")
    expected = None if back is None else PresenceInfoRequest(user_status=UserStatus(back))
    assert restoring(old, set_, new, change) == expected


@pytest.mark.parametrize(
    ("before", "now", "back"),
    [
        ((TAKES, TAKES, True), (REFUSES, REFUSES, False), (TAKES, TAKES, True)),
        ((QUEUES_ONLY, REFUSES, True), (REFUSES, REFUSES, False), (None, REFUSES, True)),
        ((TAKES, TAKES, None), (REFUSES, REFUSES, False), (TAKES, TAKES, None)),
        ((TAKES, UNKNOWN, True), (UNKNOWN, REFUSES, False), (TAKES, None, True)),
        # Somebody else has changed one of the three.
        ((TAKES, TAKES, True), (QUEUES_ONLY, REFUSES, True), None),
        ((TAKES, TAKES, True), (REFUSES, REFUSES, True), None),
    ],
)
def test_do_not_disturb_goes_back_as_a_whole(before: Any, now: Any, back: Any) -> None:
    change = PresenceInfoRequest(dnd_status=REFUSES)
    applied = presence(**dnd(REFUSES, REFUSES, False))
    expected = back and PresenceInfoRequest(**dnd(*back))
    old, new = presence(**dnd(*before)), presence(**dnd(*now))
    assert restoring(old, applied, new, change) == expected


def test_what_remains_are_the_fields_of_the_change_with_other_values() -> None:
    before = presence(user_status=AVAILABLE, message="a", allow_see_my_presence=True)
    now = presence(user_status=BUSY, message="b", allow_see_my_presence=None)
    change = PresenceInfoRequest(user_status="Busy", allow_see_my_presence=False)
    assert remaining(before, now, change) == {"user_status": "Busy"}
    gone = PresenceInfoRequest(message="b")
    assert remaining(before, presence(), gone) == {"message": ""}
    assert remaining(presence(), now, gone) == {"message": "b"}


def test_a_later_change_gets_the_value_before_an_earlier_one_unless_somebody_changed_it() -> None:
    before, applied = presence(message="here", user_status=BUSY), presence(message="out")
    later = presence(message="out", user_status=AVAILABLE)
    both = before_both(before, applied, later, ("message",))
    assert both == presence(message="here", user_status=AVAILABLE)
    other = presence(message="theirs")
    assert before_both(before, applied, other, ("message",)) is other


def test_a_change_without_others_has_none_of_their_groups() -> None:
    change = PresenceInfoRequest(
        user_status=BUSY, message="x", dnd_status=REFUSES, ring_on_monitored_call=True
    )
    others = [
        PresenceInfoRequest(message="y"),
        PresenceInfoRequest(accept_call_queue_calls=False, user_status=AVAILABLE),
    ]
    left = without(change, others)
    assert left == PresenceInfoRequest(ring_on_monitored_call=True)
    assert groups(left) == [("ring_on_monitored_call",)]
    assert without(change, []) == change


def test_fields_and_do_not_disturb_go_back_in_one_request() -> None:
    change = PresenceInfoRequest(user_status=BUSY, message="x", dnd_status=REFUSES)
    before = presence(user_status=AVAILABLE, message="here", **dnd(TAKES, TAKES, True))
    applied = presence(user_status=BUSY, message="x", **dnd(REFUSES, REFUSES, False))
    assert restoring(before, applied, applied, change) == PresenceInfoRequest(
        user_status=AVAILABLE, message="here", **dnd(TAKES, TAKES, True)
    )


def test_one_part_of_do_not_disturb_is_not_enough_for_the_whole() -> None:
    change = PresenceInfoRequest(dnd_status=REFUSES)
    for parts in ((None, None, True), (None, TAKES, None)):
        assert unknown_fields(presence(**dnd(*parts)), change) == ["dnd_status"]
