from typing import Any

import pytest
from hypothesis import given, strategies as st

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
from aiopresence.models.validation import as_id


@pytest.mark.parametrize(
    ("value", "text"), [(7, "7"), (0, "0"), ("101", "101"), ("9" * 19, "9" * 19)]
)
def test_ids(value: str | int, text: str) -> None:
    assert as_id(value, "extension_id") == text


@given(
    st.text() | st.none() | st.integers(max_value=-1) | st.floats() | st.booleans() | st.binary()
)
def test_an_id_is_digits_or_refused(value: object) -> None:
    try:
        text = as_id(value, "extension_id")
    except UsageError as error:
        assert "extension_id must be digits" in str(error)  # noqa: PT017
        assert str(error).isprintable()  # noqa: PT017
    else:
        assert text == str(value)
        assert type(text) is str
        assert text.isascii()
        assert text.isdigit()


@pytest.mark.parametrize(
    "value",
    [
        "",
        "~",
        "1,2",
        "1/../2",
        "..",
        "1%2f",
        "1?x=1",
        "1#",
        "1\r\n",
        " 1",
        "\u0661\u0660",
        "9" * 20,
        10**19,
    ],
)
def test_what_could_lead_elsewhere_is_no_id(value: object) -> None:
    with pytest.raises(UsageError):
        as_id(value, "extension_id")


def test_the_callers_own_id_only_where_it_makes_sense() -> None:
    assert as_id("~", "extension_id", tilde=True) == "~"
    with pytest.raises(UsageError, match="digits or '~'"):
        as_id("me", "extension_id", tilde=True)


class Anything:
    """Equal to whatever it is compared with, as placeholders in tests are."""

    __hash__ = object.__hash__

    def __eq__(self, other: object) -> bool:
        return True


def test_what_only_says_that_it_is_equal_is_no_id() -> None:
    with pytest.raises(UsageError):
        as_id(Anything(), "extension_id", tilde=True)


def test_an_id_of_a_class_with_other_ideas_is_what_was_checked() -> None:
    class Traveller(str):
        __slots__ = ()

        def __str__(self) -> str:
            return "1/../../oauth/revoke"

    text = as_id(Traveller("101"), "extension_id")
    assert f"{text}" == "101"
    assert type(text) is str


def test_plain_mappings_become_records() -> None:
    body = CallQueueUpdatePresence(
        records=({"member": {"id": n}, "accept_current_queue_calls": True} for n in (1, 2))
    )
    assert body.records[1] == CallQueueUpdateMemberPresence(CallQueueMemberId("2"), True)
    assert isinstance(hash(body), int)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ((PresenceInfoRequest, "user_status", 5), "takes a str, one of: Offline"),
        ((PresenceInfoRequest, "message", "x" * 76), "75 characters at most, not 76"),
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
