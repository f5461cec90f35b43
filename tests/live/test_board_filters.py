from typing import Any

import pytest

from aiopresence import PresenceSession, UsageError, filters
from aiopresence.live.board_filters import MAX_FILTERS, board_filters
from aiopresence.protocol.endpoints import ReadOptions

OPTIONS = ReadOptions(5)


def ids(count: int) -> frozenset[str]:
    return frozenset(map(str, range(1, count + 1)))


def test_a_board_has_one_filter_for_each_extension() -> None:
    assert board_filters(ids(2), OPTIONS) == (
        filters.extension_presence(1, account_id=5),
        filters.extension_presence(2, account_id=5),
    )


def test_a_board_of_more_extensions_than_one_subscription_takes_follows_the_account() -> None:
    assert len(board_filters(ids(MAX_FILTERS), OPTIONS)) == MAX_FILTERS
    account = (filters.account_presence(account_id=5),)
    assert board_filters(ids(MAX_FILTERS + 1), OPTIONS) == account
    assert board_filters(None, OPTIONS) == account


@pytest.mark.parametrize("followed", [None, ids(1)])
@pytest.mark.parametrize(
    ("options", "query"),
    [
        (ReadOptions(), ""),
        (ReadOptions(detailed_telephony_state=False, sip_data=False), ""),
        (ReadOptions(detailed_telephony_state=True), "?detailedTelephonyState=true"),
        (ReadOptions(sip_data=True), "?detailedTelephonyState=true&sipData=true"),
    ],
)
def test_events_include_the_calls_that_reads_include(
    followed: frozenset[str] | None, options: ReadOptions, query: str
) -> None:
    [event_filter] = board_filters(followed, options)
    assert event_filter.endswith(f"/presence{query}")


def test_extensions_whose_events_are_unavailable_are_not_followed() -> None:
    assert board_filters(ids(2), OPTIONS, frozenset({"1"})) == (
        filters.extension_presence(2, account_id=5),
    )


@pytest.mark.parametrize(
    "wrong", [{"detailed_telephony_state": 1}, {"sip_data": "yes"}, {"sip_data": None}]
)
def test_a_board_and_a_poll_refuse_wrong_flags_at_once(wrong: dict[str, Any]) -> None:
    session = PresenceSession("token")
    with pytest.raises(UsageError, match="must be True"):
        session.board(["1"], **wrong)
    with pytest.raises(UsageError, match="must be True"):
        session.poll(["1"], **wrong)
