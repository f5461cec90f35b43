"""Which fields of an event are merged into the record of an extension."""

from typing import Any

import attrs
import pytest

from aiopresence import ActiveCallInfo, GetPresenceInfo, PresenceEventBody, TelephonyStatus
from aiopresence.protocol.event_merge import changed_fields, changes_visibility, merge_calls

EVENT_ONLY = {"extension_id", "sequence", "appearances", "owner_id"}


def test_all_fields_but_those_of_events_alone_are_merged() -> None:
    names = set(attrs.fields_dict(PresenceEventBody))
    values: dict[str, Any] = dict.fromkeys(names, "x")
    fields = changed_fields(None, PresenceEventBody(**values))
    assert fields == dict.fromkeys(names - EVENT_ONLY, "x")
    assert attrs.evolve(GetPresenceInfo(), **fields) != GetPresenceInfo()


def test_fields_that_an_event_does_not_have_are_not_merged() -> None:
    assert changed_fields(None, PresenceEventBody(extension_id="1", sequence=2)) == {}


IDLE, RINGING, BUSY = (
    TelephonyStatus.NO_CALL,
    TelephonyStatus.RINGING,
    TelephonyStatus.CALL_CONNECTED,
)


@pytest.mark.parametrize(
    ("known", "said", "aggregated"),
    [
        # The phone is all that there is.
        ({"aggregated_telephony_status": BUSY}, {"telephony_status": IDLE}, IDLE),
        (
            {"aggregated_telephony_status": BUSY, "cx_telephony_status": IDLE},
            {"telephony_status": RINGING},
            RINGING,
        ),
        (
            {"aggregated_telephony_status": BUSY, "cx_telephony_status": BUSY},
            {"telephony_status": RINGING, "cx_telephony_status": IDLE},
            RINGING,
        ),
        # The contact centre has a part in it.
        (
            {"aggregated_telephony_status": BUSY, "cx_telephony_status": BUSY},
            {"telephony_status": IDLE},
            None,
        ),
        (
            {"aggregated_telephony_status": IDLE},
            {"telephony_status": IDLE, "cx_telephony_status": BUSY},
            None,
        ),
        # The event has an aggregate itself, or the record never had one.
        (
            {"aggregated_telephony_status": BUSY},
            {"telephony_status": IDLE, "aggregated_telephony_status": RINGING},
            RINGING,
        ),
        ({}, {"telephony_status": IDLE}, None),
        (None, {"telephony_status": IDLE}, None),
        ({"aggregated_telephony_status": BUSY}, {"cx_telephony_status": IDLE}, None),
    ],
)
def test_the_aggregated_status_follows_that_of_the_phone_unless_the_contact_centre_counts(
    known: dict[str, Any] | None, said: dict[str, Any], aggregated: TelephonyStatus | None
) -> None:
    record = None if known is None else GetPresenceInfo(**known)
    fields = changed_fields(record, PresenceEventBody(**said))
    expected = said | ({} if aggregated is None else {"aggregated_telephony_status": aggregated})
    assert fields == expected


@pytest.mark.parametrize(
    ("known", "said", "expected"),
    [
        (None, {}, False),
        (None, {"allow_see_my_presence": True}, True),
        (GetPresenceInfo(), {"allow_see_my_presence": False}, True),
        (GetPresenceInfo(allow_see_my_presence=True), {"allow_see_my_presence": False}, True),
        (GetPresenceInfo(allow_see_my_presence=True), {"allow_see_my_presence": True}, False),
        (GetPresenceInfo(allow_see_my_presence=True), {"user_status": "Busy"}, False),
    ],
)
def test_a_presence_is_hidden_or_shown_by_an_event_that_says_otherwise_than_before(
    known: GetPresenceInfo | None, said: dict[str, Any], expected: bool
) -> None:
    assert changes_visibility(known, said) is expected


A, B = (ActiveCallInfo(id_, telephony_status=BUSY) for id_ in "ab")


@pytest.mark.parametrize(
    ("known", "said", "merged", "is_uncertain"),
    [
        # Not about calls.
        (GetPresenceInfo(active_calls=(A,), total_active_calls=1), {}, {}, False),
        # The calls are left open.
        (None, {"telephony_status": BUSY}, {}, True),
        (GetPresenceInfo(active_calls=(A,)), {"total_active_calls": 1}, {}, False),
        (
            GetPresenceInfo(active_calls=(A,)),
            {"active_calls": (A, B)},
            {"active_calls": (A, B)},
            False,
        ),
        (
            GetPresenceInfo(active_calls=(A,), total_active_calls=1),
            {"active_calls": (A, B)},
            {"active_calls": (A, B), "total_active_calls": 2},
            False,
        ),
        (
            GetPresenceInfo(active_calls=(A,), total_active_calls=1),
            {"active_calls": (B,)},
            {"active_calls": (B, A), "total_active_calls": 2},
            True,
        ),
        (
            GetPresenceInfo(active_calls=(A,), total_active_calls=1),
            {"aggregated_telephony_status": IDLE},
            {"active_calls": (), "total_active_calls": 0},
            False,
        ),
        (
            GetPresenceInfo(active_calls=(), total_active_calls=0),
            {"active_calls": (A,), "total_active_calls": 2},
            {"active_calls": (A,)},
            True,
        ),
    ],
)
def test_the_calls_of_an_event_replace_those_before_and_are_counted(
    known: GetPresenceInfo | None,
    said: dict[str, Any],
    merged: dict[str, Any],
    is_uncertain: bool,
) -> None:
    fields = dict(said)
    before = None if known is None else known.active_calls
    assert merge_calls(fields, known, before, PresenceEventBody(**said)) is is_uncertain
    assert fields == said | merged
