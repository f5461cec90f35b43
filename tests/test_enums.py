import copy
import json
import pickle
import subprocess
import sys
from typing import Any

import attrs
import orjson
import pytest

from aiopresence import (
    ActiveCallInfo,
    CallerIdVisibility,
    GetPresenceInfo,
    PresenceStatus,
    TelephonyStatus,
    UsageError,
    UserStatus,
)


def test_a_known_value_is_its_member() -> None:
    assert PresenceStatus("Busy") is PresenceStatus.BUSY
    assert CallerIdVisibility("None") is CallerIdVisibility.NONE
    assert "Busy" in list(PresenceStatus)


def test_an_unknown_value_is_kept() -> None:
    status = PresenceStatus("Meditating")
    assert isinstance(status, PresenceStatus)
    assert status == "Meditating"
    assert f"{status}" == status.value == "Meditating"
    assert hash(status) == hash("Meditating")
    assert "Meditating" in {status}
    assert status == PresenceStatus("Meditating")
    assert status != PresenceStatus.BUSY
    assert "Meditating" not in list(PresenceStatus)
    assert len(PresenceStatus) == 3


def test_an_unknown_value_with_the_name_of_a_member_is_not_that_member() -> None:
    assert PresenceStatus("OFFLINE") not in list(PresenceStatus)
    assert PresenceStatus("OFFLINE").name != PresenceStatus.OFFLINE.name


def test_containment_is_true_for_members_only() -> None:
    assert PresenceStatus.BUSY in PresenceStatus
    assert "Busy" in PresenceStatus
    assert UserStatus.BUSY in PresenceStatus
    for other in (PresenceStatus("Meditating"), "Meditating", "BUSY", 5, None, ["Busy"]):
        assert other not in PresenceStatus


VALUES = [TelephonyStatus.RINGING, TelephonyStatus("Beaming\n"), TelephonyStatus("RINGING")]
UNKNOWN = [*VALUES[1:], TelephonyStatus(""), TelephonyStatus("\ud800")]


@pytest.mark.parametrize("value", [*VALUES, *UNKNOWN], ids=repr)
def test_a_value_survives_copies(value: TelephonyStatus) -> None:
    pickled = [pickle.dumps(value, protocol) for protocol in range(pickle.HIGHEST_PROTOCOL + 1)]
    unpickled = [pickle.loads(data) for data in pickled]  # noqa: S301 - our own bytes
    for again in (copy.copy(value), copy.deepcopy(value), *unpickled):
        assert type(again) is TelephonyStatus
        assert again == value == again.value
        assert hash(again) == hash(value) == hash(value.value)
        assert (again.name, repr(again)) == (value.name, repr(value))
        assert type(again.value) is str
        assert (again in TelephonyStatus) is (value is TelephonyStatus.RINGING)
        assert (again is value) or value in UNKNOWN


def test_an_unknown_value_survives_copies_of_its_record() -> None:
    call = ActiveCallInfo(telephony_status=TelephonyStatus("Beaming"))
    presence = GetPresenceInfo(presence_status=PresenceStatus("Odd"), active_calls=(call,))
    assert copy.deepcopy(presence) == copy.copy(presence) == presence
    assert pickle.loads(pickle.dumps(presence)) == presence  # noqa: S301 - our own bytes
    assert attrs.asdict(presence)["presence_status"] == "Odd"
    assert attrs.evolve(presence) == presence


def test_an_unknown_value_survives_another_process() -> None:
    value = PresenceStatus("Meditating")
    program = (
        "import pickle, sys; sys.stdout.buffer.write(pickle.dumps(pickle.load(sys.stdin.buffer)))"
    )
    command = [sys.executable, "-c", program]
    result = subprocess.run(command, input=pickle.dumps(value), stdout=subprocess.PIPE, check=True)  # noqa: S603
    again = pickle.loads(result.stdout)  # noqa: S301 - our own bytes
    assert again == value
    assert type(again) is PresenceStatus


def test_an_unknown_value_of_one_enumeration_converts_to_another() -> None:
    status = PresenceStatus(UserStatus("Meditating"))
    assert type(status) is PresenceStatus
    assert type(status.value) is str
    assert status == "Meditating"


@pytest.mark.parametrize("value", [*VALUES, *UNKNOWN[:2]], ids=repr)
def test_a_value_is_its_text_in_json(value: TelephonyStatus) -> None:
    assert json.loads(json.dumps({value: value})) == {value.value: value.value}
    assert json.loads(orjson.dumps([value])) == [value.value]


def test_values_match_in_match_statements() -> None:
    def kind(status: str) -> str:
        match status:
            case TelephonyStatus.RINGING:
                return "member"
            case "Beaming":
                return "text"
            case TelephonyStatus(text):
                return f"other {text}"
        return "none"

    texts = ("Ringing", "Beaming", "Singing")
    assert [kind(TelephonyStatus(text)) for text in texts] == ["member", "text", "other Singing"]


def test_a_repr_has_one_line() -> None:
    assert repr(TelephonyStatus("Beaming\n")) == r"<TelephonyStatus.'Beaming\n': 'Beaming\n'>"
    assert repr(TelephonyStatus.RINGING) == "<TelephonyStatus.RINGING: 'Ringing'>"


@pytest.mark.parametrize("value", [None, 5, True, b"Busy", ["Busy"]])
def test_only_a_str_is_a_value(value: Any) -> None:
    with pytest.raises(UsageError, match="must be a str, such as Offline, Busy, Available"):
        UserStatus(value)
