import pytest

from aiopresence import DndStatus, GetPresenceInfo, PresenceInfoRequest, TelephonyStatus

TAKES, REFUSES = DndStatus.TAKE_ALL_CALLS, DndStatus.DO_NOT_ACCEPT_ANY_CALLS
REFUSES_QUEUES, UNKNOWN = DndStatus.DO_NOT_ACCEPT_DEPARTMENT_CALLS, DndStatus.UNKNOWN
IDLE, TALKING = TelephonyStatus.NO_CALL, TelephonyStatus.CALL_CONNECTED


@pytest.mark.parametrize(
    ("dnd", "personal", "effective"),
    [
        (None, None, None),
        (None, REFUSES, REFUSES),
        (None, UNKNOWN, UNKNOWN),
        (UNKNOWN, None, UNKNOWN),
        (UNKNOWN, REFUSES, REFUSES),
        (DndStatus("Unknown"), TAKES, TAKES),
        (UNKNOWN, UNKNOWN, UNKNOWN),
        (UNKNOWN, DndStatus("Nights"), "Nights"),
        (TAKES, None, TAKES),
        (REFUSES, TAKES, REFUSES),
        (REFUSES_QUEUES, TAKES, REFUSES_QUEUES),
        (DndStatus("Nights"), TAKES, "Nights"),
    ],
)
def test_the_personal_dnd_status_counts_if_the_other_is_unknown_or_absent(
    dnd: DndStatus | None, personal: DndStatus | None, effective: DndStatus | None
) -> None:
    presence = GetPresenceInfo(dnd_status=dnd, dnd_status_personal=personal)
    assert presence.effective_dnd_status == effective


@pytest.mark.parametrize(
    ("phone", "aggregated", "effective"),
    [
        (None, None, None),
        (TALKING, None, TALKING),
        (None, TALKING, TALKING),
        (IDLE, TALKING, TALKING),
        (TALKING, IDLE, IDLE),
        (IDLE, TelephonyStatus("Wrapup"), "Wrapup"),
    ],
)
def test_the_aggregated_telephony_status_takes_precedence(
    phone: TelephonyStatus | None,
    aggregated: TelephonyStatus | None,
    effective: TelephonyStatus | None,
) -> None:
    presence = GetPresenceInfo(telephony_status=phone, aggregated_telephony_status=aggregated)
    assert presence.effective_telephony_status == effective


def test_a_field_of_a_request_accepts_the_text_of_an_enum() -> None:
    assert PresenceInfoRequest(dnd_status_personal="TakeAllCalls").dnd_status_personal is TAKES
