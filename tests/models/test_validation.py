from datetime import timedelta
from typing import Any

import pytest

from aiopresence import (
    CallQueueId,
    CallQueueMemberId,
    CallQueueUpdateMemberPresence,
    CallQueueUpdatePresence,
    ExtensionCallQueueUpdatePresenceList,
    PresenceInfoRequest,
    UpdateUnifiedPresence,
    UsageError,
)
from aiopresence.models.validation import seconds


def test_mappings_become_records() -> None:
    body = CallQueueUpdatePresence(
        records=({"member": {"id": n}, "accept_current_queue_calls": True} for n in (1, 2))
    )
    assert body.records[1] == CallQueueUpdateMemberPresence(CallQueueMemberId("2"), True)
    assert isinstance(hash(body), int)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ((PresenceInfoRequest, "user_status", 5), "must be a str, such as Offline"),
        ((PresenceInfoRequest, "message", "x" * 76), "at most 75 characters, not 76"),
        ((PresenceInfoRequest, "message", 5), "message must be a str"),
        ((PresenceInfoRequest, "allow_see_my_presence", "no"), "must be True or False"),
        ((PresenceInfoRequest, "accept_call_queue_calls", 1), "must be True or False"),
        (
            (CallQueueUpdatePresence, "records", [{"membr": {}}]),
            "no field 'membr'; did you mean 'member'",
        ),
        ((CallQueueUpdatePresence, "records", [{}]), "needs 'member'"),
        ((CallQueueUpdatePresence, "records", [{"member": {"id": "x"}}]), "digits"),
        ((CallQueueUpdatePresence, "records", [5]), "or a mapping, not int"),
        ((CallQueueUpdatePresence, "records", "12"), "a list of"),
        ((CallQueueUpdatePresence, "records", {"member": {}}), "a list of"),
        ((CallQueueUpdatePresence, "records", None), "a list of"),
        ((CallQueueId, "id", None), "digits"),
        (
            (ExtensionCallQueueUpdatePresenceList, "records", [{"callQueue": {"id": "1"}}]),
            "no field 'callQueue'; did you mean 'call_queue'",
        ),
        ((UpdateUnifiedPresence, "glip", {"visibile": "x"}), "no field 'visibile'"),
        ((UpdateUnifiedPresence, "telephony", []), "or a mapping, not list"),
        ((PresenceInfoRequest, "message", "a\ud800"), "message has a lone surrogate"),
        ((PresenceInfoRequest, "user_status", "\udfff"), "user_status has a lone surrogate"),
        ((PresenceInfoRequest, "dnd_status", "\udfff"), "dnd_status has a lone surrogate"),
        ((PresenceInfoRequest, "dnd_status_personal", "\udfff"), "has a lone surrogate"),
        ((PresenceInfoRequest, "caller_id_visibility", "\udfff"), "has a lone surrogate"),
        ((UpdateUnifiedPresence, "glip", {"visibility": "\ud800"}), "visibility has a lone"),
        ((UpdateUnifiedPresence, "glip", {"availability": "\ud800"}), "has a lone surrogate"),
        ((UpdateUnifiedPresence, "telephony", {"availability": "\ud800"}), "a lone surrogate"),
        ((UpdateUnifiedPresence, "glip", {5: "x"}), "no field 5; it has visibility, availability"),
    ],
)
def test_a_wrong_body_is_refused_at_once(wrong: tuple[Any, str, object], message: str) -> None:
    cls, field, value = wrong
    with pytest.raises(UsageError, match=message):
        cls(**{field: value})


@pytest.mark.parametrize(
    ("duration", "expected"), [(5, 5.0), (0.5, 0.5), (timedelta(minutes=1), 60.0)]
)
def test_a_duration_is_seconds_or_a_timedelta(duration: float | timedelta, expected: float) -> None:
    assert seconds("interval", duration) == expected
    assert seconds("interval", 0, zero=True) == 0.0


@pytest.mark.parametrize("duration", [0, -1, timedelta(0), float("nan"), 1e12, "5", None, True])
def test_other_durations_are_refused(duration: Any) -> None:
    with pytest.raises(UsageError, match="interval must be a positive number of seconds"):
        seconds("interval", duration)


def test_a_duration_below_zero_is_refused_where_zero_is_allowed() -> None:
    with pytest.raises(UsageError, match="max_wait must be a number of seconds, 0 or more, or a"):
        seconds("max_wait", -1, zero=True)
