"""The statuses that are computed from others."""

import pytest

from aiopresence.sandbox import status_rules


@pytest.mark.parametrize(
    ("calls", "status"),
    [
        ([], "NoCall"),
        (["NoCall", "NoCall"], "NoCall"),
        (["NoCall", "ParkedCall"], "ParkedCall"),
        (["ParkedCall", "OnHold"], "OnHold"),
        (["OnHold", "Ringing"], "Ringing"),
        (["Ringing", "CallConnected", "OnHold"], "CallConnected"),
    ],
)
def test_telephony_status_is_that_of_the_first_call_in_precedence(
    calls: list[str], status: str
) -> None:
    assert status_rules.telephony_status(calls) == status


@pytest.mark.parametrize(
    ("personal", "queue_calls", "in_a_queue", "status"),
    [
        ("TakeAllCalls", True, True, "TakeAllCalls"),
        ("TakeAllCalls", False, True, "DoNotAcceptDepartmentCalls"),
        ("DoNotAcceptAnyCalls", True, True, "TakeDepartmentCallsOnly"),
        ("DoNotAcceptAnyCalls", False, True, "DoNotAcceptAnyCalls"),
        ("TakeAllCalls", False, False, "TakeAllCalls"),
        ("DoNotAcceptAnyCalls", True, False, "DoNotAcceptAnyCalls"),
    ],
)
def test_dnd_status_combines_both_settings(
    personal: str, queue_calls: bool, in_a_queue: bool, status: str
) -> None:
    assert status_rules.dnd_status(personal, queue_calls, in_a_queue) == status


@pytest.mark.parametrize(
    ("user", "dnd", "telephony", "meeting", "status"),
    [
        ("Available", "TakeAllCalls", "NoCall", "Disconnected", "Available"),
        ("Busy", "TakeAllCalls", "NoCall", "Disconnected", "Busy"),
        ("Available", "DoNotAcceptAnyCalls", "NoCall", "Disconnected", "Busy"),
        ("Available", "DoNotAcceptDepartmentCalls", "NoCall", "Disconnected", "Available"),
        ("Available", "TakeAllCalls", "Ringing", "Disconnected", "Busy"),
        ("Available", "TakeAllCalls", "OnHold", "Disconnected", "Busy"),
        ("Available", "TakeAllCalls", "NoCall", "Connected", "Busy"),
        ("Offline", "DoNotAcceptAnyCalls", "CallConnected", "Connected", "Offline"),
    ],
)
def test_presence_status(user: str, dnd: str, telephony: str, meeting: str, status: str) -> None:
    assert status_rules.presence_status(user, dnd, telephony, meeting) == status


@pytest.mark.parametrize(
    ("presence", "dnd", "glip", "status"),
    [
        ("Available", "TakeAllCalls", "Available", "Available"),
        ("Busy", "TakeAllCalls", "Available", "Busy"),
        ("Busy", "DoNotAcceptAnyCalls", "Available", "DND"),
        ("Available", "TakeAllCalls", "DND", "DND"),
        ("Offline", "DoNotAcceptAnyCalls", "DND", "Offline"),
    ],
)
def test_unified_status(presence: str, dnd: str, glip: str, status: str) -> None:
    assert status_rules.unified_status(presence, dnd, glip) == status
