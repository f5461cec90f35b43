from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import given, strategies as st

from aiopresence import UsageError
from aiopresence.ids import check_id_iterable, parse_id, parse_id_set


@pytest.mark.parametrize(
    ("value", "text"), [(7, "7"), (0, "0"), ("101", "101"), ("9" * 19, "9" * 19)]
)
def test_an_id_is_returned_as_str(value: str | int, text: str) -> None:
    assert parse_id(value, "extension_id") == text


@given(
    st.text() | st.none() | st.integers(max_value=-1) | st.floats() | st.booleans() | st.binary()
)
def test_anything_but_digits_is_refused(value: object) -> None:
    try:
        text = parse_id(value, "extension_id")
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
def test_text_that_could_change_a_path_is_refused(value: object) -> None:
    with pytest.raises(UsageError):
        parse_id(value, "extension_id")


def test_the_callers_own_id_is_accepted_only_where_allowed() -> None:
    assert parse_id("~", "extension_id", tilde=True) == "~"
    with pytest.raises(UsageError, match="digits or '~'"):
        parse_id("me", "extension_id", tilde=True)


class Anything:
    """Equal to whatever it is compared with, as placeholders in tests are."""

    __hash__ = object.__hash__

    def __eq__(self, other: object) -> bool:
        return True


def test_an_object_that_equals_everything_is_refused() -> None:
    with pytest.raises(UsageError):
        parse_id(Anything(), "extension_id", tilde=True)


def test_the_id_of_a_str_subclass_is_the_text_that_was_checked() -> None:
    class Changing(str):
        __slots__ = ()

        def __str__(self) -> str:
            return "1/../../oauth/revoke"

    text = parse_id(Changing("101"), "extension_id")
    assert f"{text}" == "101"
    assert type(text) is str


@pytest.mark.parametrize("ids", ["101", b"101", 101, None, 1.5])
def test_a_single_id_is_not_an_iterable_of_ids(ids: object) -> None:
    with pytest.raises(UsageError, match="iterable of ids"):
        check_id_iterable(ids)


def test_the_ids_of_a_board_are_a_set_of_str() -> None:
    assert parse_id_set([1, "2", 2, "1"]) == {"1", "2"}
    assert parse_id_set(id_ for id_ in (3,)) == {"3"}


async def async_ids() -> AsyncIterator[str]:
    yield "1"


def test_an_async_iterable_is_accepted_only_where_allowed() -> None:
    check_id_iterable(async_ids(), allow_async=True)
    with pytest.raises(UsageError, match="iter_"):
        check_id_iterable(async_ids())
    with pytest.raises(UsageError, match="iter_"):
        parse_id_set(async_ids())  # type: ignore[arg-type]


@pytest.mark.parametrize("ids", [[], (), "12", b"12", 12, ["~"], [None], [True], [1.0], ["01"]])
def test_wrong_ids_of_a_board_are_refused(ids: Any) -> None:
    with pytest.raises(UsageError):
        parse_id_set(ids)
