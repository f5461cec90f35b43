"""The table in the guide on records is the specification: these tests interpret it."""

import itertools
import re
from collections.abc import Callable
from typing import Any

import attrs
import pytest
from hypothesis import example, given, strategies as st

from aiopresence import (
    Availability,
    DndStatus,
    GetPresenceInfo,
    MeetingStatus,
    PresenceEventBody,
    PresenceInfoResponse,
    PresenceStatus,
    TelephonyAvailability,
    TelephonyStatus,
    UnifiedMeetingStatus,
    UnifiedPresence,
    UnifiedPresenceGlip,
    UnifiedPresenceMeeting,
    UnifiedPresenceTelephony,
    UnifiedStatus,
    UserStatus,
)
from aiopresence.enums import GlipAvailability, OpenStrEnum
from aiopresence.models import availability
from tests.support.documents import ROOT, TEXT

HEADER = "| field | value | availability |"


def table(text: str) -> list[list[str]]:
    """Return the cells of the table, with the field in each row."""
    lines = text.partition(f"{HEADER}\n|---|---|---|\n")[2].partition("\n\n")[0].splitlines()
    rows = [[cell.strip() for cell in line.split("|")[1:4]] for line in lines]
    for previous, row in itertools.pairwise(rows):
        row[0] = row[0] or previous[0]
    return rows


TABLE = table(TEXT[ROOT / "aiopresence/docs/records.md"])


def first(*values: str | None) -> str | None:
    return next((value for value in values if value is not None), None)


Fields = dict[str, str | None]
VALUES: dict[str, Callable[[Fields], list[str | None]]] = {
    "telephony status": lambda f: [
        first(f["aggregated_telephony_status"], f["telephony_status"], f["cx_telephony_status"])
    ],
    "`dnd_status`, `dnd_status_personal`": lambda f: [f["dnd_status"], f["dnd_status_personal"]],
    "`meeting_status`": lambda f: [f["meeting_status"]],
    "presence status": lambda f: [first(f["presence_status"], f["user_status"])],
}


def applies(cell: str, values: list[str | None]) -> bool:
    """Return whether the values of a field are those of a cell; earlier rows are known not to."""
    if cell == "any other but NoCall":
        return values not in ([None], ["NoCall"])
    named = re.findall(r"[A-Z]\w+", cell)
    return cell == "any other, or none" or any(value in named for value in values)


def by_the_table(fields: Fields) -> str:
    return next(word for name, cell, word in TABLE if applies(cell, VALUES[name](fields)))


def values(kind: type[OpenStrEnum]) -> st.SearchStrategy[Any]:
    known = st.none() | st.sampled_from([*kind])
    return known | st.sampled_from(["New", "ringing", ""]).map(kind)


FIELDS = st.fixed_dictionaries(
    {
        "aggregated_telephony_status": values(TelephonyStatus),
        "telephony_status": values(TelephonyStatus),
        "cx_telephony_status": values(TelephonyStatus),
        "dnd_status": values(DndStatus),
        "dnd_status_personal": values(DndStatus),
        "meeting_status": values(MeetingStatus),
        "presence_status": values(PresenceStatus),
        "user_status": values(UserStatus),
    }
)


def test_the_guide_and_the_module_have_one_table() -> None:
    assert table(availability.__doc__ or "") == TABLE
    assert {word for *_, word in TABLE} == {*Availability}
    assert {name for name, *_ in TABLE} == {*VALUES}


@given(FIELDS)
def test_any_presence_has_the_availability_of_the_table(fields: dict[str, Any]) -> None:
    presence, body = GetPresenceInfo(**fields), PresenceEventBody(**fields)
    assert isinstance(presence.availability, Availability)
    assert presence.availability == body.availability == by_the_table(fields)


@given(
    values(UnifiedStatus),
    values(TelephonyStatus),
    values(TelephonyAvailability),
    values(UnifiedMeetingStatus),
)
@example(None, None, None, None)
def test_unified_presence_has_the_availability_of_the_same_table(
    status: UnifiedStatus | None,
    call: TelephonyStatus | None,
    accepts: TelephonyAvailability | None,
    meeting: UnifiedMeetingStatus | None,
) -> None:
    presence = UnifiedPresence(
        status,
        telephony=UnifiedPresenceTelephony(status=call, availability=accepts),
        meeting=UnifiedPresenceMeeting(status=meeting),
    )
    fields: Fields = {field.name: None for field in attrs.fields(GetPresenceInfo)}
    fields |= {
        "telephony_status": call,
        "dnd_status": "DoNotAcceptAnyCalls" if status == "DND" else accepts,
        "meeting_status": "Connected" if meeting == "InMeeting" else None,
        "presence_status": status,
    }
    assert presence.availability == by_the_table(fields)


@pytest.mark.parametrize(
    ("presence", "word"),
    [
        (GetPresenceInfo(), "unknown"),
        (GetPresenceInfo(presence_status=PresenceStatus.OFFLINE), "offline"),
        (PresenceInfoResponse(user_status=UserStatus.BUSY), "busy"),
        (PresenceEventBody(telephony_status=TelephonyStatus.NO_CALL), "unknown"),
        (PresenceEventBody(telephony_status=TelephonyStatus.PARKED_CALL), "on-hold"),
        (UnifiedPresence(), "unknown"),
        (UnifiedPresence(status=UnifiedStatus.DND), "do-not-disturb"),
        # Glip counts only as far as RingCentral counts it in `status`.
        (
            UnifiedPresence(
                UnifiedStatus.AVAILABLE, UnifiedPresenceGlip(availability=GlipAvailability.DND)
            ),
            "available",
        ),
        # The texts do as well as the members.
        (GetPresenceInfo(presence_status="Busy", telephony_status="NoCall"), "busy"),  # type: ignore[arg-type]
    ],
)
def test_records_with_few_fields(presence: Any, word: str) -> None:
    assert presence.availability is Availability(word)


def test_who_talks_is_on_a_call_whatever_else_they_are() -> None:
    presence = GetPresenceInfo(
        presence_status=PresenceStatus.OFFLINE,
        dnd_status=DndStatus.DO_NOT_ACCEPT_ANY_CALLS,
        meeting_status=MeetingStatus.CONNECTED,
        telephony_status=TelephonyStatus.CALL_CONNECTED,
    )
    assert presence.availability is Availability.ON_CALL


def test_refusing_the_calls_of_queues_is_not_do_not_disturb() -> None:
    presence = GetPresenceInfo(
        presence_status=PresenceStatus.AVAILABLE,
        dnd_status=DndStatus.DO_NOT_ACCEPT_DEPARTMENT_CALLS,
    )
    assert presence.availability is Availability.AVAILABLE


def test_a_label_has_words() -> None:
    assert Availability.DO_NOT_DISTURB.label == "do not disturb"
    assert Availability.ON_CALL.label == "on call"
