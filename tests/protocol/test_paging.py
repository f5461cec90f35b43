"""Which requests come after a page of an account's presence."""

import pytest

from aiopresence import (
    AccountPresenceInfo,
    DecodeError,
    GetPresenceExtensionInfo,
    GetPresenceInfo,
    PresenceNavigationInfo,
    PresenceNavigationInfoURI,
    PresencePagingInfo,
)
from aiopresence.protocol import endpoints, paging as pages
from aiopresence.protocol.endpoints import ReadOptions

SERVER = "https://platform.example"
FIRST = endpoints.read_account_presence(ReadOptions(sip_data=True), per_page=2)
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


def test_a_total_makes_all_pages_known_at_once() -> None:
    requests = list(pages.known_pages(FIRST, page(total=3)))
    assert [dict(r.params) for r in requests] == [
        {"sipData": "true", "perPage": "2", "page": "2"},
        {"sipData": "true", "perPage": "2", "page": "3"},
    ]


@pytest.mark.parametrize("total", [None, 1, 0, -5])
def test_without_a_total_no_page_is_known(total: int | None) -> None:
    assert list(pages.known_pages(FIRST, page(total=total))) == []
    assert list(pages.known_pages(FIRST, AccountPresenceInfo())) == []


def test_a_huge_total_is_not_unrolled() -> None:
    assert next(pages.known_pages(FIRST, page(total=10**12))).params[-1] == ("page", "2")


def test_the_next_page_is_followed() -> None:
    link = f"{SERVER}/restapi/v1.0/account/1/presence?page=3&perPage=1000&cursor=a%2Fb"
    request = pages.next_page(FIRST, page(link=link), SERVER)
    assert request is not None
    assert request.path == FIRST.path
    assert dict(request.params) == {**dict(FIRST.params), "page": "3"}
    assert pages.next_page(request, page(link=link), SERVER) is None


def test_a_next_page_on_another_host_is_an_error() -> None:
    with pytest.raises(DecodeError) as caught:
        pages.next_page(FIRST, page(link="https://evil.example/restapi/v1.0/x"), SERVER)
    assert caught.value.path == "$.navigation.nextPage.uri"


def test_navigation_without_a_next_page_ends_the_listing() -> None:
    assert pages.next_page(FIRST, page(navigation=True), SERVER) is None


def test_without_navigation_and_totals_a_full_page_has_a_next_one() -> None:
    second = pages.next_page(FIRST, page(), SERVER)
    assert second is not None
    assert dict(second.params)["page"] == "2"
    third = pages.next_page(second, page(), SERVER)
    assert third is not None
    assert dict(third.params)["page"] == "3"


@pytest.mark.parametrize("shown", [FULL, FULL[:1], ()])
def test_a_total_on_a_later_page_is_believed(shown: tuple[GetPresenceInfo, ...]) -> None:
    second = pages.next_page(FIRST, page(), SERVER)
    assert second is not None
    third = pages.next_page(second, page(shown, total=3), SERVER)
    assert third is not None
    assert dict(third.params)["page"] == "3"
    assert pages.next_page(third, page(shown, total=3), SERVER) is None


def test_a_full_page_has_at_most_a_thousand_records() -> None:
    greedy = endpoints.read_account_presence(ReadOptions(), per_page=5000)
    thousand = AccountPresenceInfo(records=(GetPresenceInfo(),) * 1000)
    assert pages.next_page(greedy, thousand, SERVER) is not None


@pytest.mark.parametrize("query", ["page=two", "perPage=2", "page=", "page=" + "9" * 5000])
def test_a_link_without_a_page_number_is_an_error(query: str) -> None:
    with pytest.raises(DecodeError, match="no page number"):
        pages.next_page(FIRST, page(link=f"?{query}"), SERVER)


def test_records_of_earlier_pages_are_left_out() -> None:
    def listed(*ids: str | None) -> list[GetPresenceInfo]:
        extensions = (GetPresenceExtensionInfo(id=id_) for id_ in ids)
        return [GetPresenceInfo(extension=each) for each in extensions]

    new = pages.new_presence()
    assert len(new.select(listed("1", "2", "2", None, ""))) == 4
    assert len(new.select(listed("3", "1", None))) == 2
    for count in range(pages.MAX_PAGES_WITHOUT_NEW):
        assert not new.pages_repeat
        assert new.select(listed(*"12"[count % 2 :])) == []
    assert new.pages_repeat


def test_without_navigation_a_page_that_is_not_full_ends_the_listing() -> None:
    assert pages.next_page(FIRST, page(FULL[:1]), SERVER) is None
    assert pages.next_page(FIRST, page(FULL[:1], per_page=1), SERVER) is not None  # clamped
    assert pages.next_page(FIRST, page(total=1), SERVER) is None
    assert pages.next_page(FIRST, AccountPresenceInfo(), SERVER) is None


@pytest.mark.parametrize(
    "link",
    [
        "/restapi/v1.0/account/~/extension?sipData=true&page=2",
        "/restapi/v1.0/account/~/presence/x?sipData=true&page=2",
        "?sipData=false&page=2",
    ],
)
def test_a_link_to_another_call_is_an_error(link: str) -> None:
    with pytest.raises(DecodeError, match="another call") as caught:
        pages.next_page(FIRST, page(link=link), SERVER)
    assert caught.value.path == "$.navigation.nextPage.uri"


def test_pages_are_numbered_up_to_the_total_that_each_states() -> None:
    second = pages.next_page(FIRST, page(total=3), SERVER)
    assert second is not None
    assert dict(second.params) == {**dict(FIRST.params), "page": "2"}
    third = pages.next_page(second, page(total=3), SERVER)
    assert third is not None
    assert dict(third.params) == {**dict(FIRST.params), "page": "3"}
    assert pages.next_page(third, page(total=3), SERVER) is None


def test_without_a_total_the_link_or_the_size_of_the_page_counts() -> None:
    link = f"{SERVER}{FIRST.path}?page=4&sipData=true"
    linked = pages.next_page(FIRST, page(link=link), SERVER)
    assert linked is not None
    assert dict(linked.params)["page"] == "4"
    full = pages.next_page(FIRST, AccountPresenceInfo(records=FULL), SERVER)
    assert full is not None
    assert dict(full.params)["page"] == "2"
    assert pages.next_page(FIRST, AccountPresenceInfo(records=FULL[:1]), SERVER) is None
    with pytest.raises(DecodeError):
        pages.next_page(FIRST, page(link=link.replace("platform", "evil")), SERVER)


def test_a_listing_ends_after_five_pages_without_a_new_record() -> None:
    new = pages.new_presence()
    one, two = (GetPresenceInfo(extension=GetPresenceExtensionInfo(id_)) for id_ in "12")
    assert not new.pages_repeat
    assert new.select([one, one, two]) == [one, two]
    for _ in range(pages.MAX_PAGES_WITHOUT_NEW - 1):
        assert new.select([one]) == []
        assert not new.pages_repeat
    assert new.select(None) == []
    assert new.pages_repeat


def test_a_listing_without_any_record_ends_after_five_pages() -> None:
    new = pages.new_presence()
    for number in range(1, pages.MAX_PAGES_WITHOUT_NEW + 1):
        assert new.select([]) == []
        assert new.pages_repeat == (number == pages.MAX_PAGES_WITHOUT_NEW)


def test_records_without_an_id_are_all_kept_and_new_once() -> None:
    new = pages.new_presence()
    first, second = GetPresenceInfo(message="a"), GetPresenceInfo(message="b")
    for _ in range(pages.MAX_PAGES_WITHOUT_NEW):
        assert new.select([first, first]) == [first, first]
    assert new.select([second]) == [second]
    assert not new.pages_repeat


@pytest.mark.parametrize(
    ("per_page", "count", "is_full"),
    [
        (None, 99, False),
        (None, 100, True),
        (2, 1, False),
        (2, 2, True),
        (1000, 999, False),
        (5000, 999, False),
        (5000, 1000, True),
    ],
)
def test_how_many_records_a_full_page_has(per_page: int | None, count: int, is_full: bool) -> None:
    first = endpoints.read_account_presence(ReadOptions(), per_page=per_page)
    shown = AccountPresenceInfo(records=(GetPresenceInfo(),) * count)
    assert (pages.next_page(first, shown, SERVER) is not None) is is_full


@pytest.mark.parametrize(
    ("link", "reason"),
    [
        (f"{FIRST.path}/x?sipData=true&page=2", "a link to another call is not followed"),
        ("?page=x", "the link has no page number"),
        ("?perPage=2", "the link has no page number"),
        ("?page=" + "1" * 10, "the link has no page number"),
    ],
)
def test_why_a_link_has_no_next_page(link: str, reason: str) -> None:
    with pytest.raises(DecodeError) as caught:
        pages.next_page(FIRST, page(link=link), SERVER)
    assert str(caught.value) == (f"cannot decode the response: $.navigation.nextPage.uri: {reason}")


@pytest.mark.parametrize(
    ("link", "number"),
    [
        ("?page=2", "2"),
        ("?sipData=true&page=" + "9" * 9, "9" * 9),
        ("/restapi/v1.0/account/123/presence?page=2&perPage=1&other=x", "2"),
        ("/restapi/v1.0/account/%7E/presence?page=2", "2"),
        ("?page=1", None),
        ("?page=0", None),
    ],
)
def test_a_link_to_a_later_page_is_followed(link: str, number: str | None) -> None:
    found = pages.next_page(FIRST, page(link=link), SERVER)
    if number is None:
        assert found is None
    else:
        assert found == pages.with_page(FIRST, int(number))
        assert found.params == (("sipData", "true"), ("perPage", "2"), ("page", number))


def test_a_number_in_the_path_is_not_replaced_by_another() -> None:
    own = endpoints.read_account_presence(ReadOptions(5))
    assert pages.next_page(own, page(link="/restapi/v1.0/account/5/presence?page=2"), SERVER)
    with pytest.raises(DecodeError, match="another call"):
        pages.next_page(own, page(link="/restapi/v1.0/account/6/presence?page=2"), SERVER)


def test_new_records_begin_without_a_repetition() -> None:
    new: pages.NewRecords[str] = pages.NewRecords(str)
    assert new.pages_repeat is False
    assert new.select(["a", "b", "a"]) == ["a", "b"]
    assert new.select(iter(["b", "c"])) == ["c"]
    assert new.pages_repeat is False
