"""A page that is decoded in slices is the one that is decoded as a whole."""

import json
from collections.abc import Mapping

import orjson
import pytest
from hypothesis import given, strategies as st

from aiopresence import AccountPresenceInfo, DecodeError, GetPresenceInfo
from aiopresence.protocol import decoding, page_decoding, rest


def record(id_: int, *, first: str = "uri", **more: object) -> dict[str, object]:
    return {first: "x" * 500, "extension": {"id": id_}, **more}


def sliced(body: bytes) -> tuple[AccountPresenceInfo, int]:
    """Decode a page; return it, and how many slices it was decoded in."""
    turns, reading = 0, page_decoding.decode_page(body, AccountPresenceInfo, GetPresenceInfo)
    while True:
        try:
            next(reading)
        except StopIteration as end:
            return end.value, turns
        turns += 1


def written(*records: Mapping[str, object], **more: object) -> bytes:
    return orjson.dumps({"uri": "u", "records": records, "paging": {"page": 1}, **more})


MANY = [record(n) for n in range(1000)]


def test_a_large_page_is_decoded_in_slices() -> None:
    body = written(*MANY)
    read, turns = sliced(body)
    assert read == decoding.load(body, AccountPresenceInfo)
    assert len(body) / (page_decoding.SLICE + 600) <= turns <= len(body) / page_decoding.SLICE + 1


def test_an_indented_page_is_decoded_in_slices() -> None:
    page = {"uri": "u", "records": MANY, "paging": {"page": 1}}
    body = json.dumps(page, indent=4, separators=(" ,", " : ")).encode()
    read, turns = sliced(body)
    assert read == decoding.load(body, AccountPresenceInfo)
    assert turns > 10


def test_equal_strings_of_a_page_are_one_object() -> None:
    call = {"from": "+12025550105", "toName": "Ada Example", "onBehalfOf": "700201"}
    info = {"callInfo": {"primary": {"value": "Ada Example"}}}
    many = [record(700201, message="Away", activeCalls=[call | info, call]) for _ in range(200)]
    read, _ = sliced(written(*many))
    texts = [
        text
        for each in read.records or ()
        for call in each.active_calls or ()
        for text in (each.message, call.from_, call.to_name, call.on_behalf_of)
    ]
    assert len(texts) == 200 * 2 * 4
    assert len({*map(id, texts)}) == len({*texts}) == 4
    [first, *_] = read.records or ()
    assert first.extension is not None
    assert first.extension.id is texts[3]


def test_a_small_page_is_decoded_at_once() -> None:
    body = written(*MANY[:10])
    assert sliced(body) == (decoding.load(body, AccountPresenceInfo), 0)


@pytest.mark.parametrize(
    ("count", "turns"),
    [
        (page_decoding.RECORDS, 0),
        # Once after parsing it, and after each slice.
        (page_decoding.RECORDS + 1, 3),
        (decoding.MAX_ITEMS, 1 + decoding.MAX_ITEMS // page_decoding.RECORDS),
    ],
)
def test_a_small_page_with_many_records_is_decoded_in_slices(count: int, turns: int) -> None:
    body = written(*[{}] * count)
    assert len(body) <= 2 * page_decoding.SLICE
    assert sliced(body) == (decoding.load(body, AccountPresenceInfo), turns)


@pytest.mark.parametrize(("more", "turns"), [(0, 0), (1, 2)])
def test_a_page_of_more_than_two_slices_is_cut(more: int, turns: int) -> None:
    records = [record(n) for n in range(90)]
    missing = 2 * page_decoding.SLICE - len(written(*records)) + more
    body = written(
        *records[:-1], {**records[-1], "message": "x" * (missing - len(',"message":""'))}
    )
    assert len(body) == 2 * page_decoding.SLICE + more
    assert sliced(body) == (decoding.load(body, AccountPresenceInfo), turns)


def test_a_page_whose_records_have_lists_is_cut() -> None:
    records = [record(n, activeCalls=[{"id": "1"}]) for n in range(page_decoding.RECORDS)]
    read, turns = sliced(written(*records, other="x" * page_decoding.SLICE))
    assert read == decoding.load(written(*records), AccountPresenceInfo)
    assert turns == 2


def test_a_page_with_as_many_records_as_are_allowed_is_cut() -> None:
    body = written(*[{"uri": "x" * 45}] * decoding.MAX_ITEMS)
    read, turns = sliced(body)
    assert read == decoding.load(body, AccountPresenceInfo)
    # The last slice of each piece of text is shorter.
    assert 1 < turns - decoding.MAX_ITEMS // page_decoding.RECORDS < 10


@pytest.mark.parametrize("body", [b"[]", b"5", b"null", b'["records"]', orjson.dumps(MANY)])
def test_a_page_that_is_no_object_is_refused(body: bytes) -> None:
    with pytest.raises(DecodeError) as caught:
        sliced(body)
    assert caught.value.path == "$"
    assert caught.value.reason.startswith("expected an object, not ")


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
def test_slices_of_any_records_decode_to_the_same_page(
    records: list[dict[str, object]],
) -> None:
    body = written(*records)
    assert sliced(body)[0] == decoding.load(body, AccountPresenceInfo)


@pytest.mark.parametrize(
    "body",
    [
        written(*MANY).replace(b'"records"', b'"records":[],"records"'),
        written(*MANY).replace(b'"paging"', b'"records":[{"uri":"last"}],"paging"'),
        written(*MANY).replace(b'"paging":{"page":1}', b'"records":null'),
        written(other={"records": MANY}),
        written({}, other={"records": MANY}),
        written(*MANY, other=[{"records": MANY}]),
        written(*MANY).replace(b'{"uri":"u","records":', b'{"other":{"records":')[:-1] + b"}}",
        orjson.dumps({"records": MANY, "uri": "u"}, option=orjson.OPT_INDENT_2),
    ],
    ids=[
        "empty before",
        "twice",
        "null after",
        "not there",
        "nearly",
        "there and elsewhere",
        "elsewhere",
        "indented",
    ],
)
def test_a_page_with_records_anywhere_decodes_to_the_same_page(body: bytes) -> None:
    assert len(body) > 2 * page_decoding.SLICE
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
def test_an_error_in_a_sliced_page_is_that_of_the_whole_page(body: bytes) -> None:
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
def test_a_page_that_exceeds_the_limits_is_refused(more: dict[str, object], count: int) -> None:
    body = written(*({"uri": "u", **more} for _ in range(count)))
    assert len(body) > page_decoding.CHECKED_SIZE
    for read in (sliced, lambda body: decoding.load(body, AccountPresenceInfo)):
        with pytest.raises(DecodeError, match="exceeds the limit of"):
            read(body)


def test_what_is_beside_the_records_counts_for_the_limits() -> None:
    """It and the records are below the size from which objects are counted."""
    many: list[object] = [[]] * 5000
    records = orjson.dumps([{"uri": "u", "other": many}] * 21)
    body = b'{"other":[%b],"records":%b}' % (b"0," * 700_000 + b"0", records)
    assert len(records) < page_decoding.CHECKED_SIZE
    with pytest.raises(DecodeError, match="exceeds the limit of 100,000 objects"):
        sliced(body)


def test_a_page_with_too_many_records_is_refused() -> None:
    body = written(*({"uri": ""} for _ in range(decoding.MAX_ITEMS + 1)))
    assert len(body) > 2 * page_decoding.SLICE
    with pytest.raises(DecodeError, match="exceeds the limit of 10,000"):
        sliced(body)


def outcome(body: bytes) -> tuple[object, int]:
    """Decode a page; return it, or its error, and how many slices it was decoded in."""
    turns, reading = 0, page_decoding.decode_page(body, AccountPresenceInfo, GetPresenceInfo)
    while True:
        try:
            next(reading)
        except StopIteration as end:
            return end.value, turns
        except DecodeError as error:
            return (error.path, error.reason), turns
        turns += 1


def test_only_the_record_with_a_wrong_type_is_decoded_again() -> None:
    """It took 100 ms, in one turn of the event loop, to decode them all slowly."""
    body = written(*MANY[:617], record(617, telephonyStatus=5), *MANY[618:])
    error, turns = outcome(body)
    assert error == ("$.records[617].telephonyStatus", "expected a string, not a number")
    assert turns > len(body) / (page_decoding.SLICE + 600)


@pytest.mark.parametrize(
    "records",
    [
        [record(0), *(dict(reversed(each.items())) for each in MANY[1:])],
        [record(0, activeCalls=[{"uri": "y" * 99, "id": "1"}] * 900), *MANY],
    ],
    ids=["uneven", "nested"],
)
@pytest.mark.parametrize("status", ["Busy", 5])
def test_records_that_cannot_be_told_apart_by_the_text_are_decoded_in_slices(
    records: list[dict[str, object]], status: object
) -> None:
    body = written(*records, {"userStatus": status})
    read, turns = outcome(body)
    if status == 5:
        path = f"$.records[{len(records)}].userStatus"
        assert read == (path, "expected a string, not a number")
    else:
        assert read == rest.load(body, AccountPresenceInfo)
    assert turns >= len(records) / page_decoding.RECORDS


VALUES: st.SearchStrategy[object] = st.sampled_from(
    [None, 5, True, "Busy", [], [5], [{}], {}, {"id": []}, {"uri": 1}]
)
RECORD_FIELDS = st.sampled_from(["uri", "extension", "userStatus", "activeCalls", "other"])
PAGE_FIELDS = st.sampled_from(["uri", "paging", "navigation", "errorCode", "errors", "other"])


@given(
    st.dictionaries(st.integers(0, 149), st.dictionaries(RECORD_FIELDS, VALUES), max_size=3),
    st.dictionaries(st.integers(0, 149), VALUES, max_size=1),
    st.dictionaries(PAGE_FIELDS, VALUES, max_size=2),
    st.sampled_from(["", '"records":[]', '"records":null', '"records":[{"uri":1}]']),
    st.integers(0, 3),
)
def test_any_page_is_decoded_as_if_at_once(
    changes: dict[int, dict[str, object]],
    others: dict[int, object],
    fields: dict[str, object],
    repeated: str,
    missing: int,
) -> None:
    records: list[object] = [{**each, **changes.get(n, {})} for n, each in enumerate(MANY[:150])]
    for n, value in others.items():
        records[n] = value
    first, second = written(records=records)[:-1], orjson.dumps(fields)[1:-1]
    body = b",".join(filter(None, [first, second, repeated.encode()])) + b"}"
    body = body[: len(body) - missing]
    assert len(body) > 2 * page_decoding.SLICE
    try:
        whole: object = rest.load(body, AccountPresenceInfo)
    except DecodeError as error:
        whole = error.path, error.reason
    assert outcome(body)[0] == whole
