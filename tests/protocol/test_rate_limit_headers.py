import pytest
from hypothesis import given, strategies as st

from aiopresence.protocol.rate_limit_headers import (
    LONGEST_STATED,
    StatedLimits,
    group_name,
    group_of,
    has_limits,
    read_limits,
    retry_after,
)


@pytest.mark.fault
@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "60"}, 60.0),
        ({"retry-after": "5, 30"}, 30.0),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after": "7200.5"}, 7200.5),
        ({"retry-after": "9" * 12}, LONGEST_STATED),
        ({"retry-after": "9" * 400}, LONGEST_STATED),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "1e9"}, None),
        ({"retry-after": "\u0666\u0660"}, None),
        ({"retry-after": "soon"}, None),
        (
            {
                "retry-after": "Wed, 21 Oct 2015 07:28:30 GMT",
                "date": "Wed, 21 Oct 2015 07:28:00 GMT",
            },
            30.0,
        ),
        (
            {
                "retry-after": "Wed, 21 Oct 2015 07:28:00 GMT",
                "date": "Wed, 21 Oct 2015 07:29:00 GMT",
            },
            0.0,
        ),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, None),
        ({"retry-after": f"Wed, 21 Oct 2015 {'9' * 20}:28:00 GMT"}, None),
        (
            {"retry-after": "Wed, 21 Oct 2015 07:28:00", "date": "Wed, 21 Oct 2015 07:28:00 GMT"},
            None,
        ),
    ],
)
def test_retry_after_is_seconds_or_a_date(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers) == seconds


@given(st.text(), st.text())
def test_any_retry_after_is_a_wait_or_none(text: str, date: str) -> None:
    seconds = retry_after({"retry-after": text, "date": date})
    assert seconds is None or seconds >= 0.0


@pytest.mark.parametrize("text", ["light", "LIGHT", "Light", "LiGhT", " lIGHT "])
def test_group_names_have_one_spelling(text: str) -> None:
    assert group_name(text) == "Light"
    assert group_of({"x-rate-limit-group": text}) == "Light"
    assert group_of({"x-ratelimit-group": text}) == "Light"


def test_a_group_name_is_short() -> None:
    assert len(group_name("x" * 999)) == 64


NAMES = ("limit", "window", "remaining")


@pytest.mark.parametrize("prefix", ["x-rate-limit-", "x-ratelimit-"])
def test_limits_are_read_in_both_spellings(prefix: str) -> None:
    headers = dict(zip((prefix + name for name in NAMES), ("50", "60", "7"), strict=True))
    assert read_limits(headers) == StatedLimits(50, 60.0, 7)
    assert has_limits(headers)
    wrong = {f"x-rate-limit-{name}": "?" for name in NAMES}
    assert read_limits({**headers, **wrong} if prefix != "x-rate-limit-" else headers).limit == 50


@pytest.mark.fault
@pytest.mark.parametrize(
    "odd", ["", "-1", "many", "\u0665", "9" * 400, "1e9", "inf", "nan", "0.5", "1,0"]
)
def test_invalid_numbers_are_no_limits(odd: str) -> None:
    assert read_limits({f"x-rate-limit-{name}": odd for name in NAMES}).limit is None


@pytest.mark.parametrize("window", ["3601", "60000", "86400", "0"])
def test_a_window_of_more_than_an_hour_is_ignored(window: str) -> None:
    assert read_limits({"x-rate-limit-window": window}).window is None


def test_a_response_without_limits_has_none() -> None:
    assert not has_limits({"retry-after": "30", "x-rate": "1"})
    assert read_limits({}) == StatedLimits(None, None, None)


@pytest.mark.parametrize(
    "name", ["Secret/token=", "x" * 33, "\x1b[31mLight", "%53ecret", "U0VDUkVUdG9rZW4=", "***", ""]
)
def test_a_group_that_cannot_be_a_name_is_ignored(name: str) -> None:
    assert group_of({"x-rate-limit-group": name}) is None
    assert group_of({"x-rate-limit-group": name, "x-ratelimit-group": "heavy"}) == "Heavy"


def test_the_smallest_limit_and_the_longest_window_are_read() -> None:
    stated = {"x-rate-limit-limit": "1", "x-rate-limit-window": "3600"}
    assert read_limits(stated) == StatedLimits(1, 3600.0, None)


def test_the_second_spelling_counts_where_the_first_is_absent() -> None:
    both = {"x-rate-limit-limit": "", "x-ratelimit-limit": "7", "x-ratelimit-remaining": "0"}
    assert read_limits(both) == StatedLimits(7, None, 0)
