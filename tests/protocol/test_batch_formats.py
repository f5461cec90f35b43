"""What is read from the two formats, before answers are matched to ids."""

from typing import Any

import pytest

from aiopresence import DecodeError, Response
from aiopresence.protocol.batch_formats import Answer, fast_records, parse_answers
from tests.support.bodies import Item, answer, array, multipart, part, wrap

JSON_FORM = "application/vnd.ringcentral.multipart+json"
ONE = {"extension": {"id": 1}}
TWO = {"extension": {"id": "2"}}
HREF = "/restapi/v1.0/account/5/extension/1/presence"
NAMED = Item("1", 200, ONE, HREF)
NO_SUMMARY = "the first part of a multipart response is not a summary"
SUMMARIES: list[Any] = [
    [],
    {},
    {"response": {}},
    {"response": [{}, 5]},
    {"response": [{}] * 7},
]
BARE = Item("2", 404, {"errorCode": "CMN-102"})


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (multipart([NAMED, BARE]), None),
        (array([NAMED, BARE]), JSON_FORM),
        (array([NAMED, BARE]), "Application/JSON ; charset=utf-8"),
    ],
)
def test_all_answers_of_both_formats(body: bytes, content_type: str | None) -> None:
    second = None if content_type is None else "2"
    expected = [Answer("1", 200, ONE), Answer(second, 404, {"errorCode": "CMN-102"})]
    assert parse_answers(("1", "2"), answer(body, content_type)) == (expected, True)
    assert parse_answers(("1", "2", "3"), answer(body, content_type)) == (expected, False)


def test_a_plain_record_is_the_answer_for_one_id_only() -> None:
    response = Response(200, {}, b'{"extension":{"id":1}}')
    assert parse_answers(("1",), response) == ([Answer(None, 200, ONE)], True)
    with pytest.raises(DecodeError) as caught:
        parse_answers(("1", "2"), response)
    assert str(caught.value) == (
        "cannot decode the response: expected HTTP 207 for a batch, got 200"
    )
    with pytest.raises(DecodeError) as caught:
        parse_answers(("1",), Response(202, {}, b"{}"))
    assert caught.value.reason == "expected HTTP 207 for a batch, got 202"


@pytest.mark.parametrize(
    ("body", "content_type", "reason", "path"),
    [
        (b"5", JSON_FORM, "expected a list of 2 answers", "$"),
        (b"[" + b"{}," * 6 + b"{}]", JSON_FORM, "expected a list of 2 answers", "$"),
        (b"--Boundary_7_42--", None, "multipart response without parts", "$"),
        (b"", "text/html", "expected multipart/mixed", "$"),
        (wrap([part(ONE)] * 8), None, "more than 7 parts", "$"),
        *((wrap([part(summary)]), None, NO_SUMMARY, "$.response") for summary in SUMMARIES),
    ],
)
def test_a_broken_format_is_an_error_that_says_where(
    body: bytes, content_type: str | None, reason: str, path: str
) -> None:
    with pytest.raises(DecodeError) as caught:
        parse_answers(("1", "2"), answer(body, content_type))
    assert (caught.value.reason, caught.value.path) == (reason, path)


def test_without_a_content_type_nothing_is_known() -> None:
    with pytest.raises(DecodeError) as caught:
        parse_answers(("1", "2"), Response(207, {}, b"[]"))
    assert caught.value.reason == "expected multipart/mixed"
    assert fast_records(("1",), Response(207, {}, array([NAMED]))) == []


def test_twice_as_many_answers_as_ids_and_two_are_read() -> None:
    six = [NAMED] * 6
    expected = ([Answer("1", 200, ONE)] * 6, False)
    assert parse_answers(("1", "2"), answer(multipart(six))) == expected
    assert parse_answers(("1", "2"), answer(array(six), JSON_FORM)) == expected


def test_what_is_wrong_with_one_item_of_an_array() -> None:
    body = b'[5,{"resourceId":7,"status":"404"},{"resourceId":"","status":null,"body":{}}]'
    (first, *others), complete = parse_answers(("1", "2", "3"), answer(body, JSON_FORM))
    assert (first.envelope_id, first.status, complete) == (None, None, True)
    assert str(first.body) == "cannot decode the response: expected an object"
    assert others == [Answer("7", 404, None), Answer(None, 0, {})]


@pytest.mark.parametrize(
    ("href", "id_"),
    [
        ("/account/~/extension/7/presence", "7"),
        ("https://x.example/restapi/v1.0/account/5/extension/7", "7"),
        ("/extension/7?x=y", "7"),
        ("/extension/7x", None),
        ("/extension/~/presence", None),
        ("/extension/" + "9" * 19, "9" * 19),
        ("/extension/" + "9" * 20, None),
        ("", None),
        (5, None),
        (None, None),
    ],
)
def test_the_id_in_an_href(href: Any, id_: str | None) -> None:
    [found], _ = parse_answers(("1",), answer(multipart([Item("", 200, {}, href)])))
    assert found == Answer(id_, 200, {})


def test_answers_that_contradict_their_lines_are_not_paired_with_them() -> None:
    lines = [NAMED, Item("3", 400, {}, "/extension/3/presence"), Item("4", 500, {})]
    body = multipart([Item("", 200, TWO), NAMED, BARE], lines=lines)
    expected = [Answer(None, None, TWO), Answer(None, None, ONE), Answer("3", 400, {})]
    assert parse_answers(("1", "2", "3"), answer(body)) == (expected, False)


@pytest.mark.parametrize("ids", [("1", "~"), ("~", "2"), ("1", "2")])
def test_a_record_without_an_href_may_be_the_one_at_its_position(ids: tuple[str, ...]) -> None:
    body = multipart([Item("1", 200, ONE), Item("2", 200, TWO)])
    expected = [Answer(None, 200, ONE), Answer(None, 200, TWO)]
    assert parse_answers(ids, answer(body)) == (expected, True)


def test_a_record_at_the_position_of_another_id_is_not_paired() -> None:
    body = multipart([Item("1", 200, ONE), Item("2", 200, TWO)])
    expected = [Answer(None, None, ONE), Answer(None, None, TWO)]
    assert parse_answers(("2", "1"), answer(body)) == (expected, False)
    # With more ids than answers no position counts.
    assert parse_answers(("2", "1", "3"), answer(body)) == (
        [Answer(None, 200, ONE), Answer(None, 200, TWO)],
        False,
    )


@pytest.mark.parametrize(
    ("body", "record_id", "is_bad"),
    [
        ({"extension": {"id": 7}}, "7", False),
        ({"extension": {"id": "9" * 19}}, "9" * 19, False),
        ({"extension": {"id": "9" * 20}}, None, True),
        ({"extension": {"id": True}}, None, True),
        ({"extension": {"id": ""}}, None, True),
        ({"extension": {"id": None}}, None, False),
        ({"extension": {}}, None, False),
        ({"extension": 5}, None, False),
        ({}, None, False),
        ([], None, False),
    ],
)
def test_the_id_in_a_record(body: Any, record_id: str | None, is_bad: bool) -> None:
    found = Answer(None, 200, body)
    assert (found.record_id, found.has_bad_id) == (record_id, is_bad)


@pytest.mark.parametrize(
    ("status", "expected"), [(None, False), (0, False), (399, False), (400, True), (404, True)]
)
def test_a_status_of_400_or_more_is_an_error(status: int | None, expected: bool) -> None:
    assert Answer("1", status, {}).is_error is expected


@pytest.mark.parametrize("content_type", [None, JSON_FORM, "application/json;charset=UTF-8"])
def test_the_records_of_a_regular_response(content_type: str | None) -> None:
    items = [Item("1", 200, ONE), Item("2", 200, TWO)]
    body = multipart(items) if content_type is None else array(items)
    response = answer(body, content_type)
    assert fast_records(("1", "2"), response) == [ONE, TWO]
    assert fast_records(("1", "3"), response) == fast_records(("1",), response) == []


def test_the_own_record_takes_the_slow_path() -> None:
    for id_ in (1, "~"):
        body = multipart([Item("", 200, {"extension": {"id": id_}})])
        assert fast_records(("~",), answer(body)) == []
