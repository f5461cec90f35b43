import json
import random
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, strategies as st

from aiopresence import (
    ApiError,
    DecodeError,
    GetPresenceInfo,
    InvalidRequest,
    NotFound,
    Outcome,
    PermissionDenied,
    PresenceStatus,
    RateLimited,
    Response,
    ServerError,
    UnifiedPresence,
)
from aiopresence.protocol import batch, batch_formats
from tests.support.bodies import (
    BOUNDARY,
    Item,
    answer,
    array,
    missing,
    multipart,
    ok,
    part,
    record,
    without_hrefs,
    wrap,
)

JSON_FORM = "application/vnd.ringcentral.multipart+json"
GOOD = [ok("101"), missing("102"), ok("103", presenceStatus="Busy")]
IDS = tuple(item.id for item in GOOD)


def read(
    body: bytes, ids: Sequence[str] = IDS, content_type: str | None = None
) -> list[Outcome[GetPresenceInfo]]:
    outcomes = batch.read(tuple(ids), answer(body, content_type), GetPresenceInfo)
    careful = batch.read_strictly(tuple(ids), answer(body, content_type), GetPresenceInfo)
    assert [*map(repr, outcomes)] == [*map(repr, careful)]  # No short cut leads elsewhere.
    assert [o.id for o in outcomes] == list(ids)
    assert all((o.value is None) is not (o.error is None) for o in outcomes)
    for o in outcomes:
        if o.value is not None and o.value.extension is not None and o.id != "~":
            assert o.value.extension.id in (None, o.id)
    return outcomes


def kinds(outcomes: Sequence[Outcome[Any]]) -> list[str]:
    return [type(o.error).__name__ if o.error else "ok" for o in outcomes]


@pytest.mark.parametrize("eol", [b"\r\n", b"\n"])
@pytest.mark.parametrize("items", [GOOD, without_hrefs(GOOD)], ids=["hrefs", "no hrefs"])
def test_a_complete_response(items: list[Item], eol: bytes) -> None:
    first, second, third = read(multipart(items, eol=eol))
    assert first.status == 200
    assert first.unwrap().presence_status is PresenceStatus.AVAILABLE
    assert first.unwrap().message == "ça va ☕"
    assert third.unwrap().presence_status is PresenceStatus.BUSY
    assert isinstance(second.error, NotFound)
    assert second.status == second.error.http_status == 404
    assert second.error.error_code == "CMN-102"
    assert second.error.message == "Nicht gefunden: extensión ☎"
    assert second.error.request_id == "r-1"


@pytest.mark.fault
@pytest.mark.parametrize("content_type", [JSON_FORM, "application/json;charset=UTF-8"])
def test_both_formats_have_the_same_outcomes(content_type: str) -> None:
    from_array = read(array(GOOD), content_type=content_type)
    from_parts = read(multipart(GOOD))
    assert [o.value for o in from_array] == [o.value for o in from_parts]
    assert kinds(from_array) == kinds(from_parts) == ["ok", "NotFound", "ok"]


@pytest.mark.fault
def test_every_truncation_is_an_error_in_the_right_outcomes_and_never_a_wrong_value() -> None:
    body = multipart(GOOD)
    whole = read(body)
    end_of = [body.index(b"--" + BOUNDARY.encode(), body.index(b'"id": 101'))]
    end_of.append(body.index(b"--" + BOUNDARY.encode(), end_of[0] + 1))
    end_of.append(body.index(b"--" + BOUNDARY.encode(), end_of[1] + 1))
    tails = [len(BOUNDARY) + 4] * 3  # "--boundary" and CRLF, or the closing "--"
    for cut in range(len(body) - 2):
        outcomes = read(body[:cut])
        for outcome, full, end, tail in zip(outcomes, whole, end_of, tails, strict=True):
            if cut < end + tail - 1:
                assert not outcome.ok
            elif cut >= end + tail:
                assert (outcome.value, type(outcome.error)) == (full.value, type(full.error))
    for cut in (len(body) - 2, len(body) - 1):  # Only the last line end is missing, which is legal.
        assert kinds(read(body[:cut])) == kinds(whole)


@pytest.mark.fault
def test_every_truncation_of_an_array_is_an_error_for_all_ids() -> None:
    body = array(GOOD)
    for cut in range(len(body)):
        assert kinds(read(body[:cut], content_type=JSON_FORM)) == ["DecodeError"] * 3


@pytest.mark.fault
def test_the_response_for_one_id_is_a_plain_record() -> None:
    response = answer(json.dumps(record("101")).encode(), "application/json", 200)
    [outcome] = batch.read(("101",), response, GetPresenceInfo)
    assert outcome.unwrap().extension is not None
    assert outcome.status == 200


@pytest.mark.parametrize("body", [multipart([ok("101")]), multipart(without_hrefs([ok("101")]))])
def test_the_response_for_one_id_may_be_a_batch_of_one(body: bytes) -> None:
    assert kinds(read(body, ["101"])) == kinds(read(body, ["~"])) == ["ok"]


def test_the_plain_record_of_another_extension_is_refused() -> None:
    response = answer(json.dumps(record("999")).encode(), "application/json", 200)
    [outcome] = batch.read(("101",), response, GetPresenceInfo)
    assert isinstance(outcome.error, DecodeError)


@pytest.mark.fault
@pytest.mark.parametrize("status", [200, 202, 204, 206])
def test_another_status_than_207_is_an_error_for_all_ids(status: int) -> None:
    outcomes = batch.read(IDS, answer(multipart(GOOD), status=status), GetPresenceInfo)
    assert kinds(outcomes) == ["DecodeError"] * 3
    assert {o.status for o in outcomes} == {status}


@pytest.mark.fault
@pytest.mark.parametrize("order", [(2, 1, 0), (1, 2, 0), (1, 0, 2)])
def test_permuted_answers_are_matched_by_id(order: tuple[int, ...]) -> None:
    items = [GOOD[n] for n in order]
    assert kinds(read(multipart(items))) == ["ok", "NotFound", "ok"]
    assert kinds(read(array(items), content_type=JSON_FORM)) == ["ok", "NotFound", "ok"]


@pytest.mark.fault
@pytest.mark.parametrize("order", [(2, 1, 0), (1, 2, 0), (1, 0, 2)])
def test_permuted_parts_below_a_summary_in_order_are_matched_by_id(order: tuple[int, ...]) -> None:
    body = multipart([GOOD[n] for n in order], lines=GOOD)
    assert kinds(read(body)) == ["ok", "NotFound", "ok"]


@pytest.mark.fault
def test_permuted_answers_without_hrefs_are_matched_by_the_id_in_the_record() -> None:
    body = multipart(without_hrefs([GOOD[2], GOOD[1], GOOD[0]]))
    assert kinds(read(body)) == ["ok", "DecodeError", "ok"]


def test_a_record_without_an_id_is_matched_by_position_only_in_a_complete_response() -> None:
    bare = Item("102", 200, {"presenceStatus": "Busy"})
    items = without_hrefs([ok("101"), bare, ok("103")])
    assert kinds(read(multipart(items))) == ["ok"] * 3
    short = multipart(items[:2], lines=items)
    assert kinds(read(short)) == ["ok", "DecodeError", "DecodeError"]


@pytest.mark.parametrize("items", [GOOD, without_hrefs(GOOD)], ids=["hrefs", "no hrefs"])
def test_a_missing_part_is_an_error_for_its_id_only(items: list[Item]) -> None:
    assert kinds(read(multipart(items[1:], lines=items)))[2] == "ok"
    assert kinds(read(multipart(items[:2], lines=items)))[0] == "ok"
    assert kinds(read(multipart(items[1:], lines=items)))[0] == "DecodeError"
    assert kinds(read(multipart(items[:2], lines=items)))[2] == "DecodeError"


@pytest.mark.fault
def test_a_surplus_part_does_not_shift_the_others() -> None:
    items = [GOOD[0], Item("", 200, {"presenceStatus": "Busy"}), *GOOD[1:]]
    assert kinds(read(multipart(items, lines=GOOD))) == ["ok", "NotFound", "ok"]
    assert kinds(read(multipart(without_hrefs(items), lines=without_hrefs(GOOD)))) == [
        "ok",
        "DecodeError",
        "ok",
    ]


@pytest.mark.fault
@pytest.mark.parametrize("lines", [GOOD[:2], [*GOOD, GOOD[0]], [], [*GOOD] * 2])
def test_with_a_summary_of_another_length_nothing_is_matched_by_position(lines: list[Item]) -> None:
    outcomes = read(multipart(without_hrefs(GOOD), lines=without_hrefs(lines)))
    assert kinds(outcomes) == ["ok", "DecodeError", "ok"]


@pytest.mark.fault
@pytest.mark.parametrize(
    "summary",
    [
        record("100"),  # the summary itself is missing
        b"{",
        [],
        {"response": {}},
        {"response": [1, 2, 3]},
        {"other": []},
        {"response": [{"href": "x" * 500_000, "status": 200}] * 3},
        {"response": [ok("101").line] * 20_000},
        b"",
    ],
)
def test_without_a_summary_all_ids_have_an_error(summary: Any) -> None:
    body = wrap([part(summary), *(part(item.body) for item in GOOD)])
    assert kinds(read(body)) == ["DecodeError"] * 3


@pytest.mark.fault
def test_a_broken_part_is_an_error_for_its_id_only() -> None:
    summary = {"response": [ok(id_).line for id_ in IDS]}
    for broken in (part(b"{"), part(b"\xff{}"), part(b"\xef\xbb\xbf{}"), part({}, headers="x")):
        body = wrap([part(summary), part(record("101")), broken, part(record("103"))])
        assert kinds(read(body)) == ["ok", "DecodeError", "ok"]


def test_a_wrong_type_is_an_error_for_its_id_only_with_the_path() -> None:
    body = multipart([ok("101"), ok("102", activeCalls=[{"startTime": 5}]), ok("103")])
    outcomes = read(body)
    assert kinds(outcomes) == ["ok", "DecodeError", "ok"]
    assert isinstance(outcomes[1].error, DecodeError)
    assert outcomes[1].error.path == "$.activeCalls[0].startTime"


def test_equal_errors_for_one_id_are_one() -> None:
    items = [missing("101"), missing("101"), ok("103")]
    assert kinds(read(multipart(items))) == ["NotFound", "DecodeError", "ok"]


@pytest.mark.fault
def test_of_a_truncated_response_only_records_with_their_id_count() -> None:
    items = [Item(str(n), 200, {"status": "DND"}, f"/extension/{n}/x") for n in (1, 2, 3)]
    cut = multipart([items[0], items[2]], lines=items)[:-10]
    response = answer(cut)
    outcomes = batch.read(("1", "2", "3"), response, UnifiedPresence)
    assert kinds(outcomes) == ["DecodeError"] * 3


def test_the_caller_is_matched_whatever_their_id_is() -> None:
    body = multipart([ok("999")], lines=[ok("101"), ok("999")])
    assert kinds(read(body, ["~"])) == ["DecodeError"]
    body = multipart([ok("101"), ok("999")])
    assert kinds(read(body, ["~"])) == ["DecodeError"]


@pytest.mark.parametrize("depth", [260, 400, 1000])
def test_an_error_body_nested_deeply_is_an_error(depth: int) -> None:
    deep = b'{"errorCode":"X","a":' + b"[" * depth + b"]" * depth + b"}"
    lines = [ok("101"), missing("102"), ok("103")]
    parts = [part(record("101")), part(deep), part(record("103"))]
    body = wrap([part({"response": [line.line for line in lines]}), *parts])
    assert kinds(read(body)) == ["ok", "NotFound", "ok"]


@pytest.mark.fault
def test_an_error_keeps_little_of_the_response() -> None:
    [outcome, *_] = read(b"x" * 1_000_000)
    assert outcome.error is not None
    assert outcome.error.__traceback__ is None
    for _ in range(3):
        with pytest.raises(DecodeError) as caught:
            outcome.unwrap()
        assert len(caught.traceback) <= 2


@pytest.mark.fault
@pytest.mark.parametrize("more", [-29, -1, 1, 29])
def test_thirty_records_below_a_summary_of_another_length_are_matched_by_their_own_ids(
    more: int,
) -> None:
    items = [ok(str(number)) for number in range(101, 131)]
    lines = without_hrefs((items * 2)[: 30 + more])
    ids = [item.id for item in items]
    assert kinds(read(multipart(without_hrefs(items), lines=lines), ids)) == ["ok"] * 30
    anonymous = [Item(item.id, 200, {"presenceStatus": "Busy"}, None) for item in items]
    assert kinds(read(multipart(anonymous, lines=lines), ids)) == ["DecodeError"] * 30


@pytest.mark.fault
def test_parts_after_an_early_closing_delimiter_are_missing() -> None:
    delimiter = b"--" + BOUNDARY.encode()
    summary, first, *rest = multipart(GOOD).split(delimiter + b"\r\n")[1:]
    early = delimiter.join([b"", b"\r\n" + summary, b"\r\n" + first, b"--\r\n"])
    body = early + (delimiter + b"\r\n") + (delimiter + b"\r\n").join(rest)
    # The summary, which is complete, has the status of the second.
    assert kinds(read(body)) == ["ok", "NotFound", "DecodeError"]


@pytest.mark.fault
def test_a_delimiter_that_occurs_twice_moves_no_record_to_another_id() -> None:
    line = b"--" + BOUNDARY.encode() + b"\r\n"
    pieces = multipart(without_hrefs(GOOD)).split(line)
    for place in range(1, len(pieces)):
        body = line.join([*pieces[:place], b"", *pieces[place:]])
        outcomes = read(body)
        assert kinds(outcomes)[1] != "ok"
        assert [o.ok for o in outcomes] in ([True, False, True], [False] * 3)


@pytest.mark.fault
def test_two_answers_for_one_id_must_agree() -> None:
    twice = [ok("101"), ok("101", presenceStatus="Busy"), ok("103")]
    assert kinds(read(multipart(twice))) == ["DecodeError", "DecodeError", "ok"]
    agreeing = [ok("101"), ok("101"), ok("103")]
    assert kinds(read(multipart(agreeing))) == ["ok", "DecodeError", "ok"]


@pytest.mark.fault
def test_an_answer_for_an_id_that_was_not_requested_is_ignored_and_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    outcomes = read(multipart([ok("101"), ok("999", message="psst"), ok("103")]))
    assert kinds(outcomes) == ["ok", "DecodeError", "ok"]
    assert "ignored 1 answers for ids that were not requested" in caplog.text
    assert "psst" not in caplog.text


@pytest.mark.fault
@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, {"errorCode": "CMN-102", "message": "no"}),
        (200, {"error": "invalid_grant"}),
        (200, {"errors": [{"message": "no"}]}),
        ("200", {"errorCode": "CMN-102"}),
        (302, {}),
        (0, record("102")),
        (206, record("102")),
        ("abc", record("102")),
        ("0", record("102")),
        (" 200", record("102")),
        (True, record("102")),
        (None, record("102")),
    ],
)
def test_a_status_and_a_body_that_contradict_each_other_are_an_error(
    status: Any, body: Any
) -> None:
    items = [ok("101"), Item("102", status, body, "/extension/102/presence"), ok("103")]
    assert kinds(read(multipart(items))) == ["ok", "DecodeError", "ok"]
    assert kinds(read(array(items), content_type=JSON_FORM)) == ["ok", "DecodeError", "ok"]


@pytest.mark.fault
@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (403, {"errorCode": "CMN-404"}, "PermissionDenied"),
        (429, {"errorCode": "CMN-301"}, "RateLimited"),
        (503, {}, "ServerError"),
        (599, None, "ServerError"),
        (418, {"errorCode": "X"}, "InvalidRequest"),
        (404, b"<html>", "NotFound"),
    ],
)
def test_the_status_of_a_part_decides_its_error(status: int, body: Any, kind: str) -> None:
    lines = [ok("101"), Item("102", status, body, None), ok("103")]
    assert kinds(read(multipart(lines))) == ["ok", kind, "ok"]


ERROR_BODIES: list[Any] = [
    {"message": "no"},
    {"errors": [{"message": "no"}]},
    {"errors": []},
    {"errors": "no"},
    {"a": 1},
    {"extension": {"id": ""}},
    record("102"),
    {},
    [],
    [1],
    None,
    True,
    5,
    "no",
    "",
]


@pytest.mark.fault
@pytest.mark.parametrize("body", ERROR_BODIES)
@pytest.mark.parametrize("status", [404, "404"])
def test_a_part_of_status_400_or_more_is_that_error_whatever_its_body(
    status: Any, body: Any
) -> None:
    for href in ("/extension/102/presence", None):
        items = [ok("101"), Item("102", status, body, href), ok("103")]
        assert kinds(read(multipart(items))) == ["ok", "NotFound", "ok"]
        assert kinds(read(array(items), content_type=JSON_FORM)) == ["ok", "NotFound", "ok"]


@pytest.mark.parametrize("other", ["103", "999"])
def test_an_error_is_for_the_id_in_the_envelope_even_with_another_record(
    other: str,
) -> None:
    items = [ok("101"), Item("102", 404, record(other), "/extension/102/presence"), ok("103")]
    for body in (multipart(items), array(items)):
        content_type = None if body.startswith(b"--") else JSON_FORM
        assert kinds(read(body, content_type=content_type)) == ["ok", "NotFound", "ok"]


@pytest.mark.parametrize(
    "text", [b"", b"Not found", b"<html></html>", b"\xff\xfe", b"{", b"[" * 9999]
)
@pytest.mark.parametrize(
    "headers", ["Content-Type: application/json", "Content-Type: text/html; charset=utf-99"]
)
def test_a_part_of_status_400_or_more_is_that_error_whatever_its_bytes(
    text: bytes, headers: str
) -> None:
    lines = [ok("101"), missing("102"), ok("103")]
    parts = [part(record("101")), part(text, headers=headers), part(record("103"))]
    body = wrap([part({"response": [line.line for line in lines]}), *parts])
    assert kinds(read(body)) == ["ok", "NotFound", "ok"]


def test_the_code_of_an_error_is_found_in_its_list_of_errors() -> None:
    body = {"errors": [{"message": "no"}, {"errorCode": "CMN-102", "parameterName": "extensionId"}]}
    items = [ok("101"), Item("102", 404, body), ok("103")]
    for outcomes in (read(multipart(items)), read(array(items), content_type=JSON_FORM)):
        error = outcomes[1].error
        assert isinstance(error, NotFound)
        assert (error.error_code, error.message) == ("CMN-102", "no")
        assert error.parameter_name == "extensionId"


@pytest.mark.fault
@pytest.mark.parametrize("own", ["", "x", " 102", [], {}, True, 1.5, -1])
def test_a_record_with_an_invalid_id_is_an_error_in_both_formats(own: Any) -> None:
    body = {**record("102"), "extension": {"id": own}}
    for href in ("/extension/102/presence", None):
        items = [ok("101"), Item("102", 200, body, href), missing("103")]
        expected = ["ok", "DecodeError", "NotFound"]
        assert kinds(read(multipart(items))) == expected
        assert kinds(read(array(items), content_type=JSON_FORM)) == expected
    for id_ in ("102", "~"):
        single = answer(json.dumps(body).encode(), "application/json", 200)
        assert kinds(batch.read((id_,), single, GetPresenceInfo)) == ["DecodeError"]


@pytest.mark.fault
def test_an_empty_resource_id_counts_as_absent() -> None:
    items = [ok("101"), Item("", 404, {}), ok("103")]
    assert kinds(read(array(items), content_type=JSON_FORM)) == ["ok", "NotFound", "ok"]


def test_a_status_may_be_a_string_in_a_batch() -> None:
    texts: Any = "200", "429"
    items = [ok("101"), Item("102", texts[0], record("102")), Item("103", texts[1], {})]
    expected = ["ok", "ok", "RateLimited"]
    assert kinds(read(multipart(items))) == expected
    assert kinds(read(array(items), content_type=JSON_FORM)) == expected


@pytest.mark.fault
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"5",
        b'"x"',
        b"[",
        b"[null,null,null]",
        b"[1,2,3]",
        b"[[],[],[]]",
        b"{}",
        b'[{"resourceId":null,"status":200,"body":null}]',
        b"[" + b"{}," * 99 + b"{}]",
        b"[" * 100_000,
    ],
)
def test_an_array_that_cannot_be_understood_is_an_error_for_all_ids(body: bytes) -> None:
    assert kinds(read(body, content_type=JSON_FORM)) == ["DecodeError"] * 3


def test_an_object_instead_of_an_array_is_one_answer() -> None:
    body = json.dumps({"resourceId": 101, "status": 200, "body": record("101")}).encode()
    assert kinds(read(body, content_type=JSON_FORM)) == ["ok", "DecodeError", "DecodeError"]
    assert kinds(read(body, ["101"], JSON_FORM)) == ["ok"]


def test_unified_presence_has_no_id_and_is_matched_by_the_envelope() -> None:
    items = [Item("102", 200, {"status": "DND"}), Item("101", 200, {"status": "Busy"})]
    response = answer(array(items), "application/json")
    outcomes = batch.read(("101", "102"), response, UnifiedPresence)
    assert [o.unwrap().status for o in outcomes] == ["Busy", "DND"]


@pytest.mark.fault
def test_json_that_is_too_long_or_too_deep_is_an_error() -> None:
    deep = part(b"[" * 200_000)
    summary = {"response": [ok(id_).line for id_ in IDS]}
    body = wrap([part(summary), part(record("101")), deep, part(record("103"))])
    assert kinds(read(body)) == ["ok", "DecodeError", "ok"]


# What is true of any answer at all: read() itself asserts one outcome per id, in order, and that
# no value is another id's.


def mutate(body: bytes, chance: random.Random, *, flips: bool) -> bytes:
    pieces = body.split(b"\r\n")
    for _ in range(chance.randint(1, 4)):
        at, other = chance.randrange(len(pieces)), chance.randrange(len(pieces))
        match chance.randrange(5 if flips else 4):
            case 0:
                del pieces[at]
            case 1:
                pieces.insert(at, pieces[other])
            case 2:
                pieces[at], pieces[other] = pieces[other], pieces[at]
            case 3:
                pieces = pieces[: at + 1]
            case _:
                text = bytearray(pieces[at] or b"x")
                text[chance.randrange(len(text))] ^= 1 << chance.randrange(8)
                pieces[at] = bytes(text)
        pieces = pieces or [b""]
    return b"\r\n".join(pieces)


@pytest.mark.fault
@given(st.randoms(use_true_random=False), st.booleans(), st.booleans(), st.booleans())
def test_a_mutated_response_never_has_a_wrong_value(
    chance: random.Random, hrefs: bool, flips: bool, all_good: bool
) -> None:
    items = [ok(str(n), message=f"I am {n}") for n in range(101, 107)]
    items[3] = items[3] if all_good else missing("104")
    body = multipart(items if hrefs else without_hrefs(items))
    outcomes = read(mutate(body, chance, flips=flips), [item.id for item in items])
    for outcome in outcomes:
        if outcome.value is not None and not flips:
            assert outcome.value.message == f"I am {outcome.id}"


@pytest.mark.fault
@given(st.lists(st.integers(1, 9), max_size=8), st.booleans())
def test_any_choice_of_answers_has_only_values_of_their_ids(chosen: list[int], hrefs: bool) -> None:
    items = [ok(str(n)) for n in chosen]
    outcomes = read(multipart(items if hrefs else without_hrefs(items)), list("123456789"))
    assert [o.ok for o in outcomes] == [n in chosen for n in range(1, 10)]


@pytest.mark.fault
@given(st.binary(max_size=200))
def test_any_bytes_have_one_outcome_per_id(noise: bytes) -> None:
    for content_type in (None, JSON_FORM, "text/html"):
        assert kinds(read(noise, content_type=content_type)) == ["DecodeError"] * 3


# The short cut for answers in which all is well; read() compares it with the long way each time.


@pytest.mark.parametrize("hrefs", [True, False])
@pytest.mark.parametrize("form", ["crlf", "lf", "no last line end", "lengths differ", "array"])
def test_a_regular_response_takes_the_fast_path(form: str, hrefs: bool) -> None:
    items = [ok("101"), ok("102", message="ä"), ok("103")]
    items = items if hrefs else without_hrefs(items)
    eol = b"\n" if form == "lf" else b"\r\n"
    body = array(items) if form == "array" else multipart(items, eol=eol)
    if form == "no last line end":
        body = body.removesuffix(eol)
    if form == "lengths differ":
        body = body.replace(b"json\r\n\r\n", b"json\r\nContent-Length: 1\r\n\r\n", 1)
    content_type = JSON_FORM if form == "array" else None
    ids = ("101", "102", "103")
    records = batch_formats.fast_records(ids, answer(body, content_type))
    assert len(records) == (0 if form == "lengths differ" else 3)
    assert kinds(read(body, ids, content_type)) == ["ok"] * 3


@pytest.mark.parametrize(
    "items",
    [
        GOOD,
        [ok("101"), ok("103"), ok("102")],
        [ok("101"), ok("102")],
        [ok("101"), ok("102"), ok("103"), ok("104")],
        [ok("101"), ok("102"), Item("103", 403, record("103"))],
        [ok("101"), ok("102"), Item("103", 200, {**record("103"), "errorCode": "CMN-101"})],
        [ok("101"), ok("102"), Item("103", 200, {})],
        [ok("101"), ok("102"), Item("103", 200, {"extension": {"id": None}})],
        [ok("101"), ok("102"), Item("103", 200, [])],
        [ok("101"), ok("102"), Item("103", True, record("103"))],
    ],
)
def test_an_irregular_response_takes_the_slow_path(items: list[Item]) -> None:
    for body, content_type in ((multipart(items), None), (array(items), JSON_FORM)):
        assert batch_formats.fast_records(IDS, answer(body, content_type)) == []
        read(body, content_type=content_type)


def test_only_a_207_takes_the_fast_path() -> None:
    items = [ok(id_) for id_ in IDS]
    assert batch_formats.fast_records(IDS, answer(multipart(items))) != []
    assert batch_formats.fast_records(IDS, answer(multipart(items), status=200)) == []


def test_a_wrong_type_in_one_record_leaves_the_others() -> None:
    outcomes = read(multipart([ok("101"), ok("102", message=5), ok("103")]))
    assert kinds(outcomes) == ["ok", "DecodeError", "ok"]
    assert isinstance(outcomes[1].error, DecodeError)
    assert outcomes[1].error.path == "$.message"


# Planning and splitting.


@given(st.lists(st.sampled_from(["1", "2", "3", "~"])))
def test_a_plan_has_each_id_once_and_the_caller_alone(ids: list[str]) -> None:
    requests = batch.plan(ids)
    assert sorted(id_ for request in requests for id_ in request) == sorted(set(ids))
    assert all("~" not in request or request == ("~",) for request in requests)


@pytest.mark.fault
@pytest.mark.parametrize(
    ("error", "divisible", "too_large"),
    [
        (InvalidRequest(400, "InvalidMultipartRequest"), True, True),
        (InvalidRequest(400, "CMN-106"), True, True),
        (InvalidRequest(409, "CMN-406"), True, False),
        (InvalidRequest(400, "CMN-101", None, "extensionId"), True, False),
        (NotFound(404, "CMN-102", None, "extensionId"), True, False),
        (NotFound(404, "CMN-102", None, "2"), True, False),
        (NotFound(404, "CMN-102", None, "accountId"), False, False),
        (NotFound(404, "CMN-102"), False, False),
        (InvalidRequest(400, "CMN-101", None, "sipData"), False, False),
        (RateLimited(429, "CMN-301"), False, False),
        (ServerError(500, "CMN-201", None, "extensionId"), False, False),
        (RateLimited(429, "CMN-106"), False, True),
        (PermissionDenied(403, "CMN-406"), False, False),
    ],
)
def test_which_errors_may_be_about_single_ids(
    error: ApiError, divisible: bool, too_large: bool
) -> None:
    assert batch.is_divisible(("1", "2"), error) is divisible
    assert batch.is_too_large(error) is too_large
    assert not batch.is_divisible(("2",), error)


def test_a_rate_limited_part_has_the_retry_after_of_the_response() -> None:
    items = [ok("101"), Item("102", 429, {"errorCode": "CMN-301"})]
    response = answer(multipart(items))
    headers = {**response.headers, "retry-after": "7", "x-rate-limit-group": "light"}
    outcomes = batch.read(("101", "102"), Response(207, headers, response.body), GetPresenceInfo)
    assert isinstance(outcomes[1].error, RateLimited)
    assert outcomes[1].error.retry_after == 7.0
    assert outcomes[1].error.group == "Light"


def test_a_deeply_nested_id_is_an_error_for_its_id_only() -> None:
    deep = b"[" * 1000 + b"]" * 1000
    items = [b'{"status":200,"body":{"extension":{"id":%b}}}' % id_ for id_ in (b"1", deep)]
    response = Response(207, {"content-type": JSON_FORM}, b"[" + b",".join(items) + b"]")
    good, bad = batch.read(("1", "2"), response, GetPresenceInfo)
    assert good.ok
    assert isinstance(bad.error, DecodeError)


@pytest.mark.parametrize("boundary", ["a:b", "B"])
def test_a_boundary_that_looks_like_a_header_takes_the_slow_path(boundary: str) -> None:
    edge = b"--" + boundary.encode()
    texts = (b'{"response":[{"status":200}]}', b'{"extension":{"id":1}}')
    body = b"".join(edge + b"\r\n" + edge + b"\r\n\r\n" + text + b"\r\n" for text in texts)
    headers = {"content-type": f'multipart/mixed; boundary="{boundary}"'}
    response = Response(207, headers, body + edge + b"--")
    [outcome] = batch.read(("1",), response, GetPresenceInfo)
    assert isinstance(outcome.error, DecodeError)
