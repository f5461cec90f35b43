"""Errors that the gateway reports: raised, a reason to reconnect, or only logged."""

from typing import Any

import pytest

from aiopresence import ApiError, InvalidRequest, NotFound, PermissionDenied
from aiopresence.protocol.event_errors import error_from_frame
from aiopresence.protocol.event_frames import Frame
from aiopresence.redaction import Redactor
from tests.support.session_driver import (
    ACCOUNT,
    SessionDriver,
    details,
    disabled,
    error,
    response,
    subscribing,
)


@pytest.mark.fault
@pytest.mark.parametrize("kind", ["Error", "ClientRequest"])
@pytest.mark.parametrize(
    ("code", "status", "expected"),
    [
        ("SUB-505", 400, InvalidRequest),
        ("SUB-508", 400, InvalidRequest),
        ("SUB-402", 403, PermissionDenied),
        ("CMN-401", 403, PermissionDenied),
        ("CMN-102", 404, NotFound),
        ("CMN-101", 400, InvalidRequest),
    ],
)
def test_a_permanent_refusal_is_raised(
    kind: str, code: str, status: int, expected: type[ApiError]
) -> None:
    with pytest.raises(expected) as caught:
        subscribing().receive(error(code, status, "m1", kind))
    assert (caught.value.http_status, caught.value.error_code) == (status, code)
    assert caught.value.message == "Not allowed"


@pytest.mark.fault
@pytest.mark.parametrize("to", ["m1", None])
@pytest.mark.parametrize("status", [None, 200, "400", 0])
@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("SUB-505", InvalidRequest),
        ("SUB-508", InvalidRequest),
        ("SUB-402", InvalidRequest),
        ("CMN-401", PermissionDenied),
        ("CMN-101", InvalidRequest),
    ],
)
def test_a_code_without_a_status_is_enough(
    to: str | None, status: Any, code: str, expected: type[ApiError]
) -> None:
    with pytest.raises(expected) as caught:
        subscribing().receive(error(code, status, to))
    assert caught.value.error_code == code


TRANSIENT = (
    ("OAU-128", 401, True, 0.0),
    ("OAU-128", None, True, 0.0),
    ("CMN-301", 429, False, 61.0),
    ("CMN-301", None, False, 61.0),
    ("CMN-201", 500, False, 0.0),
    ("CMN-201", None, False, 0.0),
    ("CMN-202", 503, False, 0.0),
    ("WSG-901", None, False, 0.0),
    (None, 504, False, 0.0),
    (5, 408, False, 0.0),
)


@pytest.mark.parametrize(
    ("kind", "code", "status", "renew", "wait"),
    [
        *(("Error", *row) for row in TRANSIENT),
        # Without a status this would be a response.
        *(("ClientRequest", *row) for row in TRANSIENT if row[1] is not None),
    ],
)
def test_a_transient_refusal_closes_the_connection(
    kind: str, code: Any, status: int | None, renew: bool, wait: float
) -> None:
    driver = subscribing()
    assert driver.receive(error(code, status, "m1", kind)) == []
    shown = code if isinstance(code, str) else "without a code"
    assert driver.close_reason() == f"gateway error {shown}"
    assert driver.session.is_unauthorized is renew
    driver.disconnect()
    assert driver.session.reconnect.delay(0.0) == wait
    assert driver.close_reason() is None
    assert driver.session.is_unauthorized is renew


@pytest.mark.fault
@pytest.mark.parametrize("code", ["WSG-902", "WSG-903"])
@pytest.mark.parametrize("status", [408, None, 500])
def test_the_announced_end_of_a_live_connection_is_not_an_error(
    code: str, status: int | None
) -> None:
    driver = SessionDriver().go_live()
    assert driver.receive(error(code, status)) == []
    assert driver.close_reason() == f"gateway error {code}"
    assert driver.new_diagnostics() == []
    driver.disconnect()
    assert "wsc" in driver.connect(1.0)


@pytest.mark.parametrize("status", [400, 403, 404, 429, 500, None])
def test_an_error_about_an_unknown_request_is_only_logged(status: int | None) -> None:
    driver = SessionDriver().go_live()
    for _ in range(3):
        assert driver.receive(error("CMN-101", status)) == []
    assert driver.close_reason() is None
    assert driver.new_diagnostics() == ["gateway error CMN-101"]
    assert driver.is_live()


def test_unknown_error_codes_do_not_fill_the_memory() -> None:
    driver = SessionDriver().go_live()
    for number in range(1000):
        driver.receive(error(f"XXX-{number}" + "x" * 1000, 400))
    messages = driver.new_diagnostics()
    assert 0 < len(messages) <= 100
    assert max(map(len, messages)) <= 256


@pytest.mark.fault
def test_a_token_that_is_refused_while_live_is_renewed() -> None:
    driver = SessionDriver().go_live()
    assert driver.receive(error("OAU-128", 401)) == []
    assert driver.session.is_unauthorized
    assert driver.close_reason() == "gateway error OAU-128"


@pytest.mark.fault
@pytest.mark.parametrize(
    ("status", "expected"),
    [(403, PermissionDenied), (400, InvalidRequest), (401, None), (429, None), (503, None)],
)
def test_connection_details_with_an_error_status(
    status: int, expected: type[ApiError] | None
) -> None:
    driver = SessionDriver()
    driver.connect()
    refusal = [details(status=status)[0], {"errorCode": "X-1"}]
    if expected is None:
        assert driver.receive(refusal) == []
        assert driver.close_reason() == "gateway error X-1"
        assert driver.session.is_unauthorized is (status == 401)
    else:
        with pytest.raises(expected):
            driver.receive(refusal)
        assert driver.session.are_filters_refused is False
        assert driver.close_reason() == "gateway error X-1"
    assert driver.sent() == []
    assert not driver.is_live()


@pytest.mark.fault
def test_an_error_before_details_is_about_the_connection() -> None:
    driver = SessionDriver()
    driver.connect()
    with pytest.raises(PermissionDenied):
        driver.receive(error("CMN-401", 403, "whatever"))
    driver.disconnect()
    driver.connect()
    driver.receive(error("OAU-128"))
    assert driver.session.is_unauthorized


def is_about_filters(driver: SessionDriver) -> bool:
    return driver.session.are_filters_refused


def test_only_the_response_to_our_subscription_is_about_its_filters() -> None:
    driver = subscribing()
    with pytest.raises(InvalidRequest):
        driver.receive(error("SUB-508", 400, "m1"))
    driver.disconnect()
    assert is_about_filters(driver)
    driver.session.connection_failed()
    assert not is_about_filters(driver)
    driver.connect(1.0)
    with pytest.raises(InvalidRequest):
        driver.receive(error("CMN-101", 400))
    assert not is_about_filters(driver)


def test_a_subscription_with_all_filters_disabled_is_not_recovered() -> None:
    driver = subscribing()
    with pytest.raises(PermissionDenied):
        driver.receive(response("m1", disabledFilters=disabled(ACCOUNT)))
    driver.disconnect(1.0)
    assert "wsc" not in driver.connect(1.0)


@pytest.mark.parametrize("body", [None, "x", {"errorCode": "X-1", "message": "No"}])
@pytest.mark.parametrize(("status", "expected"), [(None, 500), (399, 500), (400, 400), (503, 503)])
def test_an_error_has_its_status_and_its_code_as_an_excerpt(
    body: Any, status: int | None, expected: int
) -> None:
    error = error_from_frame(Frame("Error", None, status, None, body))
    code, message = ("X-1", "No") if isinstance(body, dict) else (None, None)
    assert vars(error) == {
        "http_status": expected,
        "error_code": code,
        "message": message,
        "parameter_name": None,
        "request_id": None,
        "retry_after": None,
        "body": code or "",
    }


def test_a_secret_that_an_error_frame_repeats_is_not_shown() -> None:
    redactor = Redactor()
    redactor.add("the-secret-of-this-test")
    body = {"errorCode": "CMN-101", "message": "no: the-secret-of-this-test"}
    frame = Frame("Error", None, 400, None, body)
    assert "the-secret" in str(error_from_frame(frame))
    assert "the-secret" not in str(error_from_frame(frame, redactor))
