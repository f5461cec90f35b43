"""Which event filters `events` accepts, and which of them it subscribes to."""

from typing import Any

import pytest

from aiopresence import UsageError, filters
from aiopresence.models import DisabledFilterInfo, SubscriptionInfo
from aiopresence.protocol.event_filters import check_filters, disabled_extensions, redact
from aiopresence.redaction import Redactor

PATH = filters.account_presence()


@pytest.mark.parametrize(
    "event_filters",
    [
        *(PATH, PATH.encode(), 7, [], (), {}, [None], [7], [PATH.encode()], [[PATH]], [{}]),
        *([""], ["presence"], ["/rest/v1.0/account/~/presence"], ["?" + PATH]),
        *([PATH + "\n"], [PATH + "?a=\x00"], [PATH + "?a=\r\nb"], [PATH + "?a=b c"], [PATH + " "]),
        *([PATH + "?ä=1"], [f"https://platform.ringcentral.com{PATH}"], [f"//localhost{PATH}"]),
        *([PATH + "/../../x"], [PATH, ""]),
    ],
)
def test_wrong_filters_are_refused_at_once(event_filters: Any) -> None:
    with pytest.raises(UsageError):
        check_filters(event_filters)


def test_filters_stay_in_order_and_are_asked_for_once() -> None:
    queue, line = filters.call_queue_presence(7), filters.extension_lines(8)
    assert check_filters(iter([queue, PATH, line, PATH, queue])) == (queue, PATH, line)


ONE, TWO = filters.extension_presence(1), filters.extension_presence(2)
DETAILED = filters.extension_presence(1, detailed=True)
SIP = filters.extension_presence(1, sip_data=True)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ([ONE, DETAILED], (DETAILED,)),
        ([DETAILED, ONE], (DETAILED,)),
        ([ONE, SIP], (SIP,)),
        ([ONE, DETAILED, TWO], (DETAILED, TWO)),
        ([ONE, TWO], (ONE, TWO)),
        # Another target, though it is the caller's own.
        ([filters.extension_presence(), DETAILED], (filters.extension_presence(), DETAILED)),
        ([PATH, DETAILED], (PATH, DETAILED)),
    ],
)
def test_a_plain_filter_is_left_out_where_a_detailed_one_tells_more(
    given: list[str], kept: tuple[str, ...]
) -> None:
    assert check_filters(given) == kept


@pytest.mark.parametrize(
    "query",
    [
        "?detailedTelephonyState=true",
        "?sipData=true",
        "?sipData=true&detailedTelephonyState=true",
        "?detailedTelephonyState=true&sipData=true",
    ],
)
@pytest.mark.parametrize("plain", ["", "?detailedTelephonyState=false", "?sipData=false"])
def test_of_a_plain_and_a_detailed_filter_the_detailed_one_is_requested(
    query: str, plain: str
) -> None:
    account = "/restapi/v1.0/account/400100"
    target, other = f"{account}/extension/700201/presence", f"{account}/presence"
    given = [f"{target}{plain}", other, f"{target}{query}", f"{target}{plain}"]
    assert check_filters(given) == (other, f"{target}{query}")


def test_an_error_says_what_is_wrong_with_filters() -> None:
    for given, message in (
        (None, "event_filters must be filters, such as [filters.account_presence()]"),
        ([7], "event_filters must be filters, such as [filters.account_presence()]"),
        (
            [PATH + "?a=b c"],
            f"'{PATH}?a=b c' has characters that are not allowed in event filters",
        ),
    ):
        with pytest.raises(UsageError) as caught:
            check_filters(given)  # type: ignore[arg-type]
        assert str(caught.value) == message


def test_a_query_begins_at_the_first_question_mark() -> None:
    odd = f"{ONE}?detailedTelephonyState=true&x=?"
    assert check_filters([ONE, odd]) == (odd,)


def test_disabled_filters_are_shown_without_secrets() -> None:
    redactor = Redactor()
    redactor.add("canary-1")
    info = SubscriptionInfo("s", disabled_filters=(DisabledFilterInfo("canary-1", "a canary-1"),))
    shown = SubscriptionInfo("s", disabled_filters=(DisabledFilterInfo("***", "a ***"),))
    assert redact(info, redactor) == shown
    texts = (DisabledFilterInfo(None, "x", "the canary-1"), DisabledFilterInfo("", "y", ""))
    assert redact(SubscriptionInfo(disabled_filters=texts), redactor).disabled_filters == (
        *(DisabledFilterInfo(None, "x", "the ***"), DisabledFilterInfo("", "y", "")),
    )
    none = SubscriptionInfo("s")
    assert redact(none, redactor) is none


def test_a_disabled_filter_without_its_text_disables_no_extension() -> None:
    infos = [DisabledFilterInfo(None, "x", "y"), DisabledFilterInfo(TWO), DisabledFilterInfo(PATH)]
    assert disabled_extensions(infos) == {"2"}
