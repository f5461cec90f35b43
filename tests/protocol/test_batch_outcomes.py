"""What exactly the outcomes of a batch hold: statuses, messages and the fields of errors."""

import logging
from typing import Any

import pytest

from aiopresence import DecodeError, GetPresenceExtensionInfo, GetPresenceInfo, NotFound, Outcome
from aiopresence.protocol import batch
from aiopresence.protocol.rest import Response
from tests.support.bodies import BOUNDARY, Item, answer, array, multipart, ok, part, wrap

JSON_FORM = "application/vnd.ringcentral.multipart+json"
MISSING = "no answer for this id, or none that is certain to be for it"
CONTRADICTION = "the status and the body contradict each other"
HREF = "/extension/2/presence"


def body_of(id_: Any) -> dict[str, Any]:
    return {"extension": {"id": id_}}


def outcome_of(id_: str) -> Outcome[GetPresenceInfo]:
    return Outcome(id_, 200, GetPresenceInfo(extension=GetPresenceExtensionInfo(id=id_)))


def read(ids: tuple[str, ...], response: Response) -> list[Outcome[GetPresenceInfo]]:
    return batch.read(ids, response, GetPresenceInfo)


@pytest.mark.parametrize(
    ("status", "body", "shown", "reason", "path"),
    [
        (200, {"errorCode": "CMN-1"}, 200, CONTRADICTION, "$"),
        (302, {}, 302, CONTRADICTION, "$"),
        (206, body_of(2), 206, CONTRADICTION, "$"),
        (0, body_of(2), None, CONTRADICTION, "$"),
        ("x", {}, None, CONTRADICTION, "$"),
        (200, b"{", 200, "not JSON", "$"),
        (0, b"{", None, "not JSON", "$"),
        (200, body_of("x"), 200, "expected an id", "$.extension.id"),
        (200, {"message": 5}, 200, "expected a string, not a number", "$.message"),
    ],
)
def test_why_one_id_of_a_batch_has_no_value(
    status: Any, body: Any, shown: int | None, reason: str, path: str
) -> None:
    items = [Item("1", 200, body_of(1)), Item("2", status, body, HREF), Item("3", 200, body_of(3))]
    first, second, third = read(("1", "2", "3"), answer(multipart(items)))
    assert (first, third) == (outcome_of("1"), outcome_of("3"))
    assert isinstance(second.error, DecodeError)
    assert (second.id, second.status, second.of_request) == ("2", shown, False)
    assert (second.error.reason, second.error.path) == (reason, path)


def test_ids_without_an_answer_and_with_two_have_an_error_without_a_status() -> None:
    twice = [Item("1", 200, body_of(1)), Item("1", 200, {**body_of(1), "message": "x"})]
    conflict, missing = read(("1", "2"), answer(array(twice), JSON_FORM))
    assert [str(each.error) for each in (conflict, missing)] == [
        "cannot decode the response: two answers for this id contradict each other",
        f"cannot decode the response: {MISSING}",
    ]
    assert (conflict.status, missing.status) == (None, None)
    assert (conflict.of_request, missing.of_request) == (False, False)


def test_answers_for_one_id_that_agree_are_one() -> None:
    good, refused = Item("1", 200, body_of(1)), Item("2", 404, {"errorCode": "CMN-102"})
    first, second = read(("1", "2"), answer(array([good, refused, good, refused]), JSON_FORM))
    assert first == outcome_of("1")
    assert isinstance(second.error, NotFound)
    other = Item("2", 404, {"errorCode": "CMN-103"})
    _, second = read(("1", "2"), answer(array([good, refused, other]), JSON_FORM))
    assert isinstance(second.error, DecodeError)
    assert second.error.reason == "two answers for this id contradict each other"


def test_an_error_of_one_id_has_the_fields_of_its_body_and_of_the_response() -> None:
    body = {"errorCode": "CMN-102", "message": "Gone.", "parameterName": "extensionId"}
    items = [Item("2", 404, body, HREF), ok("1")]
    _, outcome = read(("1", "2"), answer(multipart(items)))
    error = outcome.error
    assert isinstance(error, NotFound)
    assert vars(error) == {
        "http_status": 404,
        "error_code": "CMN-102",
        "message": "Gone.",
        "parameter_name": "extensionId",
        "request_id": "r-1",
        "retry_after": None,
        "body": "",
        "id": "2",
    }
    assert (outcome.id, outcome.status, outcome.value, outcome.of_request) == (
        "2",
        404,
        None,
        False,
    )


def test_a_broken_response_is_the_error_of_the_whole_request() -> None:
    outcomes = read(("1", "2"), answer(b"{", JSON_FORM))
    assert [(o.id, o.status, o.value, o.of_request) for o in outcomes] == [
        ("1", 207, None, True),
        ("2", 207, None, True),
    ]
    assert {str(o.error) for o in outcomes} == {"cannot decode the response: not JSON"}
    [single] = read(("1",), answer(b"{", JSON_FORM))
    assert single.of_request is False


def test_no_error_keeps_a_traceback() -> None:
    summary = part({"response": [{"status": 200}] * 3})
    body = wrap([summary, part(body_of(1)), part(b"{"), part({"message": 5})])
    outcomes = read(("1", "2", "3"), answer(body))
    assert outcomes[0] == outcome_of("1")
    for outcome in outcomes[1:]:
        assert isinstance(outcome.error, DecodeError)
        assert outcome.error.__traceback__ is None


def test_the_answer_for_the_caller_has_any_id() -> None:
    [outcome] = read(("~",), answer(multipart([ok("999")])))
    assert (outcome.id, outcome.status) == ("~", 200)
    [outcome] = read(("~",), answer(multipart([Item("999", 404, {}, HREF)])))
    assert isinstance(outcome.error, NotFound)
    assert outcome.error.id == "~"


def test_answers_for_other_ids_are_logged_once_per_response(
    caplog: pytest.LogCaptureFixture,
) -> None:
    items = [Item("1", 200, body_of(1)), Item("8", 200, body_of(8)), Item("9", 404, {})]
    first, second = read(("1", "2"), answer(array(items), JSON_FORM))
    assert first == outcome_of("1")
    assert isinstance(second.error, DecodeError)
    assert second.error.reason == MISSING
    assert caplog.record_tuples == [
        ("aiopresence", logging.WARNING, "ignored 2 answers for ids that were not requested")
    ]


def test_nothing_is_logged_about_answers_without_an_id(caplog: pytest.LogCaptureFixture) -> None:
    items = [Item("", 200, {}), Item("1", 200, body_of(1)), Item("", 404, {})]
    outcomes = read(("1", "2"), answer(array(items), JSON_FORM))
    assert outcomes[0] == outcome_of("1")
    assert caplog.record_tuples == []


def test_the_plan_keeps_the_order_and_leaves_out_what_is_empty() -> None:
    assert batch.plan([]) == []
    assert batch.plan(["~", "~"]) == [("~",)]
    assert batch.plan(["3", "1", "3", "2"]) == [("3", "1", "2")]
    assert batch.plan(["~", "2", "1", "~"]) == [("2", "1"), ("~",)]


def test_a_body_that_is_cut_within_its_summary_is_an_error_of_the_request() -> None:
    body = multipart([ok("1"), ok("2")])
    cut = body[: body.index(b"--" + BOUNDARY.encode(), 10) - 5]
    outcomes = read(("1", "2"), answer(cut))
    assert [o.of_request for o in outcomes] == [True, True]
    assert str(outcomes[0].error) == (
        "cannot decode the response: multipart response without parts"
    )
