import pytest

from aiopresence import (
    AccountPresenceInfo,
    DecodeError,
    GetPresenceInfo,
    PresenceNavigationInfo,
    PresenceNavigationInfoURI,
    PresencePagingInfo,
)
from aiopresence.protocol import calls, pages

SERVER = "https://platform.example"
FIRST = calls.read_account_presence("~", sip_data=True, per_page=2)
FULL = (GetPresenceInfo(), GetPresenceInfo())


def page(
    records: tuple[GetPresenceInfo, ...] = FULL,
    total: int | None = None,
    per_page: int | None = None,
    link: str | None = None,
    *,
    navigation: bool = False,
) -> AccountPresenceInfo:
    paging = PresencePagingInfo(total_pages=total, per_page=per_page)
    uri = None if link is None else PresenceNavigationInfoURI(link)
    found = PresenceNavigationInfo(next_page=uri) if navigation or link else None
    return AccountPresenceInfo(records=records, paging=paging, navigation=found)


def test_a_total_gives_all_pages_at_once() -> None:
    requests = list(pages.known(FIRST, page(total=3)))
    assert [dict(r.params) for r in requests] == [
        {"sipData": "true", "perPage": "2", "page": "2"},
        {"sipData": "true", "perPage": "2", "page": "3"},
    ]


@pytest.mark.parametrize("total", [None, 1, 0, -5])
def test_no_total_gives_none(total: int | None) -> None:
    assert list(pages.known(FIRST, page(total=total))) == []
    assert list(pages.known(FIRST, AccountPresenceInfo())) == []


def test_a_huge_total_is_not_unrolled() -> None:
    assert next(pages.known(FIRST, page(total=10**12))).params[-1] == ("page", "2")


def test_the_next_page_is_followed() -> None:
    link = f"{SERVER}/restapi/v1.0/account/1/presence?page=2&perPage=2&cursor=a%2Fb"
    request = pages.following(FIRST, page(link=link), SERVER)
    assert request is not None
    assert request.path == "/restapi/v1.0/account/1/presence"
    assert dict(request.params) == {"page": "2", "perPage": "2", "cursor": "a/b"}


def test_the_next_page_on_another_host_is_not() -> None:
    with pytest.raises(DecodeError) as caught:
        pages.following(FIRST, page(link="https://evil.example/restapi/v1.0/x"), SERVER)
    assert caught.value.path == "$.navigation.nextPage.uri"


def test_navigation_without_a_next_page_is_the_end() -> None:
    assert pages.following(FIRST, page(navigation=True), SERVER) is None


def test_without_navigation_and_totals_a_full_page_has_a_next_one() -> None:
    second = pages.following(FIRST, page(), SERVER)
    assert second is not None
    assert dict(second.params)["page"] == "2"
    third = pages.following(second, page(), SERVER)
    assert third is not None
    assert dict(third.params)["page"] == "3"


def test_a_page_is_never_larger_than_a_thousand() -> None:
    greedy = calls.read_account_presence("~", per_page=5000)
    thousand = AccountPresenceInfo(records=(GetPresenceInfo(),) * 1000)
    assert pages.following(greedy, thousand, SERVER) is not None


@pytest.mark.parametrize("query", ["page=two", "perPage=x", "page=" + "9" * 5000])
def test_a_link_without_page_numbers_ends_in_an_error(query: str) -> None:
    link = pages.following(FIRST, page(link=f"?{query}"), SERVER)
    assert link is not None
    with pytest.raises(DecodeError):
        pages.following(link, page(), SERVER)


def test_without_navigation_the_end_is_a_page_that_is_not_full() -> None:
    assert pages.following(FIRST, page(FULL[:1]), SERVER) is None
    assert pages.following(FIRST, page(FULL[:1], per_page=1), SERVER) is not None  # clamped
    assert pages.following(FIRST, page(total=1), SERVER) is None
    assert pages.following(FIRST, AccountPresenceInfo(), SERVER) is None
