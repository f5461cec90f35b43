import copy
import pickle
from typing import Any

import pytest

from aiopresence import CallerIdVisibility, PresenceStatus, TelephonyStatus, UsageError, UserStatus


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


def test_an_unknown_value_is_no_member_though_it_be_called_like_one() -> None:
    assert PresenceStatus("OFFLINE") not in list(PresenceStatus)
    assert PresenceStatus("OFFLINE").name != PresenceStatus.OFFLINE.name


def test_an_unknown_value_survives_copies() -> None:
    status = TelephonyStatus("Beaming\n")
    assert copy.deepcopy(status) == status
    again = pickle.loads(pickle.dumps(status))  # noqa: S301 - our own bytes
    assert again == status
    assert type(again) is TelephonyStatus
    assert "\n" not in repr(status)


@pytest.mark.parametrize("value", [None, 5, True, b"Busy", ["Busy"]])
def test_only_text_is_a_value(value: Any) -> None:
    with pytest.raises(UsageError, match="one of: Offline, Busy, Available"):
        UserStatus(value)
