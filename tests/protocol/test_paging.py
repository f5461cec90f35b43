import json
from collections.abc import Mapping

import orjson
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
from aiopresence.protocol import decoding, endpoints, paging as pages
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
    link = f"{SERVER}/restapi/v1.0/account/1/presence?page=3&perPage=1000&cursor=a%2Fb"
    request = pages.following(FIRST, page(link=link), SERVER)
    assert request is not None
    assert request.path == FIRST.path
    assert dict(request.params) == {**dict(FIRST.params), "page": "3"}
    assert pages.following(request, page(link=link), SERVER) is None


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
    greedy = endpoints.read_account_presence(ReadOptions(), per_page=5000)
    thousand = AccountPresenceInfo(records=(GetPresenceInfo(),) * 1000)
    assert pages.following(greedy, thousand, SERVER) is not None


@pytest.mark.parametrize("query", ["page=two", "perPage=2", "page=", "page=" + "9" * 5000])
def test_a_link_without_a_page_number_is_an_error(query: str) -> None:
    with pytest.raises(DecodeError, match="without a page number"):
        pages.following(FIRST, page(link=f"?{query}"), SERVER)


def test_records_that_were_on_an_earlier_page_are_left_out() -> None:
    def listed(*ids: str | None) -> AccountPresenceInfo:
        extensions = (GetPresenceExtensionInfo(id=id_) for id_ in ids)
        return page(tuple(GetPresenceInfo(extension=each) for each in extensions))

    new = pages.NewRecords()
    assert len(new.of(listed("1", "2", "2", None, ""))) == 4
    assert len(new.of(listed("3", "1", None))) == 2
    for count in range(pages.MAX_PAGES_WITHOUT):
        assert not new.repeats
        assert new.of(listed(*"12"[count % 2 :])) == []
    assert new.repeats


def test_without_navigation_the_end_is_a_page_that_is_not_full() -> None:
    assert pages.following(FIRST, page(FULL[:1]), SERVER) is None
    assert pages.following(FIRST, page(FULL[:1], per_page=1), SERVER) is not None  # clamped
    assert pages.following(FIRST, page(total=1), SERVER) is None
    assert pages.following(FIRST, AccountPresenceInfo(), SERVER) is None


def record(id_: int, *, first: str = "uri", **more: object) -> dict[str, object]:
    return {first: "x" * 500, "extension": {"id": id_}, **more}


def sliced(body: bytes) -> tuple[AccountPresenceInfo, int]:
    """Read a page, and tell how often others had their turn."""
    turns, reading = 0, pages.read(body)
    while True:
        try:
            next(reading)
        except StopIteration as end:
            return end.value, turns
        turns += 1


def written(*records: Mapping[str, object], **more: object) -> bytes:
    return orjson.dumps({"uri": "u", "records": records, "paging": {"page": 1}, **more})


MANY = [record(n) for n in range(1000)]


def test_a_large_page_is_read_in_slices() -> None:
    body = written(*MANY)
    read, turns = sliced(body)
    assert read == decoding.load(body, AccountPresenceInfo)
    assert len(body) / (pages.SLICE + 600) <= turns <= len(body) / pages.SLICE + 1


def test_an_indented_one_is_read_in_slices() -> None:
    page = {"uri": "u", "records": MANY, "paging": {"page": 1}}
    body = json.dumps(page, indent=4, separators=(" ,", " : ")).encode()
    read, turns = sliced(body)
    assert read == decoding.load(body, AccountPresenceInfo)
    assert turns > 10


def test_a_small_one_is_read_at_once() -> None:
    body = written(*MANY[:10])
    assert sliced(body) == (decoding.load(body, AccountPresenceInfo), 0)


@pytest.mark.parametrize(
    "records",
    [
        [record(n, first="uri" if n % 3 else "presenceStatus") for n in range(1000)],
        [*MANY[:500], record(0, activeCalls=[{"uri": "y" * 99, "id": "1"}] * 900), *MANY[500:]],
        [record(n, message='"records":[{"uri":' * 9) for n in range(1000)],
        [record(n, message=']},{"uri":"') for n in range(1000)],
        [*MANY, {}],
    ],
    ids=["uneven", "nested", "quoted", "quoted ends", "empty record"],
)
def test_whatever_is_in_a_page_it_is_read_as_a_whole_one_is(
    records: list[dict[str, object]],
) -> None:
    body = written(*records)
    assert sliced(body)[0] == decoding.load(body, AccountPresenceInfo)


@pytest.mark.parametrize(
    "body",
    [
        written(*MANY).replace(b'"records"', b'"records":[],"records"'),
        written(*MANY).replace(b'"paging"', b'"records":[{"uri":"last"}],"paging"'),
        written(other={"records": MANY}),
        written({}, other={"records": MANY}),
        written(*MANY, other=[{"records": MANY}]),
        written(*MANY).replace(b'{"uri":"u","records":', b'{"other":{"records":')[:-1] + b"}}",
        orjson.dumps({"records": MANY, "uri": "u"}, option=orjson.OPT_INDENT_2),
    ],
    ids=[
        "empty before",
        "twice",
        "not there",
        "nearly",
        "there and elsewhere",
        "elsewhere",
        "indented",
    ],
)
def test_wherever_records_are_in_a_page_it_is_read_as_a_whole_one_is(body: bytes) -> None:
    assert len(body) > 2 * pages.SLICE
    assert sliced(body)[0] == decoding.load(body, AccountPresenceInfo)


@pytest.mark.parametrize(
    "body",
    [
        written(*MANY[:-1], record(999, dndStatus=5)),
        written(*MANY[:-1], record(999, extension=[])),
        written(*MANY[:-1])[:-40],
        written(*MANY[:500]) + written(*MANY[500:]),
        written(*MANY[:500], record(1)).replace(
            b'"extension":{"id":1}}', b'"extension":{"id":1},}'
        ),
    ],
    ids=["wrong type", "wrong record", "cut", "two pages", "a comma too many"],
)
def test_what_is_wrong_with_a_page_is_told_as_of_a_whole_one(body: bytes) -> None:
    with pytest.raises(DecodeError) as whole:
        decoding.load(body, AccountPresenceInfo)
    with pytest.raises(DecodeError) as caught:
        sliced(body)
    assert str(caught.value) == str(whole.value)


@pytest.mark.parametrize(
    ("more", "count"),
    [({"activeCalls": [{"id": "1"}] * 12}, 9000), ({"other": [0] * 2000}, 600)],
    ids=["objects", "commas"],
)
def test_a_page_with_more_in_it_than_any_has_is_refused(
    more: dict[str, object], count: int
) -> None:
    body = written(*({"uri": "u", **more} for _ in range(count)))
    assert len(body) > pages.HEAVY
    for read in (sliced, lambda body: decoding.load(body, AccountPresenceInfo)):
        with pytest.raises(DecodeError, match="more in it"):
            read(body)


def test_more_records_than_any_page_has_are_refused() -> None:
    body = written(*({"uri": ""} for _ in range(decoding.MAX_ITEMS + 1)))
    assert len(body) > 2 * pages.SLICE
    with pytest.raises(DecodeError, match="more than"):
        sliced(body)
