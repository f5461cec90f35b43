"""Event filters, as RingCentral writes them."""

from collections.abc import Callable
from typing import Any

import pytest

from aiopresence import UsageError, filters

A = "/restapi/v1.0/account"


@pytest.mark.parametrize(
    ("event_filter", "expected"),
    [
        (filters.account_presence(), "~/presence"),
        (
            filters.account_presence(detailed=True, account_id=5),
            "5/presence?detailedTelephonyState=true",
        ),
        (
            filters.extension_presence("7", sip_data=True),
            "~/extension/7/presence?detailedTelephonyState=true&sipData=true",
        ),
        (filters.extension_lines(), "~/extension/~/presence/line"),
        (
            filters.extension_lines_presence(7, detailed=True),
            "~/extension/7/presence/line/presence?detailedTelephonyState=true",
        ),
        (filters.extension_favorites_presence(7), "~/extension/7/favorite/presence"),
        (filters.extension_dnd(7), "~/extension/7/presence/dnd"),
        (filters.call_queue_presence(9, account_id=5), "5/call-queues/9/presence"),
    ],
)
def test_a_filter_is_the_path_of_its_target(event_filter: str, expected: str) -> None:
    assert event_filter == f"{A}/{expected}"


@pytest.mark.parametrize(
    "make",
    [
        lambda: filters.extension_presence("1/x"),
        lambda: filters.account_presence(account_id="x"),
        lambda: filters.call_queue_presence("~"),
        lambda: filters.account_presence(detailed=1),  # type: ignore[arg-type]
        lambda: filters.extension_presence(sip_data="yes"),  # type: ignore[arg-type]
    ],
)
def test_wrong_arguments_are_refused(make: Callable[[], Any]) -> None:
    with pytest.raises(UsageError):
        make()
