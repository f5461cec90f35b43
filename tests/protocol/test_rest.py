import json
from typing import Any

import pytest

from aiopresence import (
    ApiError,
    AuthError,
    DecodeError,
    GetPresenceInfo,
    InvalidRequest,
    NotFound,
    PermissionDenied,
    RateLimited,
    Response,
    ServerError,
)
from aiopresence.protocol import rest
from aiopresence.redaction import Redactor

SERVER = "https://platform.example"
REQUEST = rest.Request("GET", "/restapi/v1.0/account/~/presence", "Heavy", object)


def refused(status: int, body: Any = None, **headers: str) -> ApiError:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return rest.error_from_response(Response(status, headers, data))


@pytest.mark.fault
@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (302, ApiError),
        (400, InvalidRequest),
        (401, AuthError),
        (403, PermissionDenied),
        (404, NotFound),
        (408, InvalidRequest),
        (418, InvalidRequest),
        (429, RateLimited),
        (500, ServerError),
        (520, ServerError),
        (599, ServerError),
    ],
)
def test_the_status_decides_the_class(status: int, kind: type[ApiError]) -> None:
    error = refused(status, {"errorCode": "CMN-1", "message": "no"})
    assert type(error) is kind
    assert error.http_status == status


def test_an_api_error_has_the_fields_of_the_body() -> None:
    body = {
        "errorCode": "CMN-102",
        "message": "Resource is gone",
        "errors": [{"errorCode": "CMN-999", "parameterName": "extensionId"}],
    }
    error = refused(404, body, rcrequestid="r-9")
    assert (error.error_code, error.message) == ("CMN-102", "Resource is gone")
    assert (error.parameter_name, error.request_id) == ("extensionId", "r-9")
    assert str(error) == (
        "HTTP 404: CMN-102 Resource is gone (parameter extensionId);"
        " check the id, and that this user may see it [request r-9]"
    )


@pytest.mark.parametrize(
    ("status", "body", "text"),
    [
        (
            404,
            {
                "errorCode": "CMN-102",
                "message": "Resource for parameter [extensionId] is not found.",
                "parameterName": "extensionId",
            },
            "CMN-102 Resource for parameter [extensionId] is not found;"
            " check the id, and that this user may see it",
        ),
        (
            403,
            {"errorCode": "CMN-408", "message": "User needs to have [EditPresence] permission."},
            "CMN-408 User needs to have [EditPresence] permission;"
            " check the app's permissions and the user's role",
        ),
        (
            403,
            {"errorCode": "CMN-408", "message": "User needs to have [ReadAccounts] permission."},
            "CMN-408 User needs to have [ReadAccounts] permission;"
            " check the app's permissions and the user's role, or use extension ids: they need"
            " only ReadPresence",
        ),
        (503, {}, "no reason given; try again later"),
        (429, {}, "no reason given; try again later"),
    ],
)
def test_a_message_ends_with_what_to_do(status: int, body: dict[str, str], text: str) -> None:
    assert str(refused(status, body)) == f"HTTP {status}: {text}"


def test_an_oauth_error_has_the_fields_of_the_body() -> None:
    body = {"error": "invalid_grant", "error_description": "Expired", "errors": []}
    error = refused(400, body)
    assert (error.error_code, error.message) == ("invalid_grant", "Expired")


@pytest.mark.fault
@pytest.mark.parametrize(
    "body",
    [b"", b"<html>Bad\nGateway</html>", b"\xff", b"null", b"[]", b'{"errors":5}', b'{"errors":[5]}',
     b'{"errorCode":5,"message":["x"]}'],
)  # fmt: skip
def test_any_body_with_an_error_status_is_an_error(body: bytes) -> None:
    error = refused(502, body)
    assert type(error) is ServerError
    assert str(error) == "HTTP 502: no reason given; try again later"


def test_the_body_is_excerpted() -> None:
    error = refused(502, "é" * 9_999)
    assert len(error.body) <= 256


def test_a_long_message_does_not_hide_the_request_id() -> None:
    error = refused(400, {"errorCode": "X", "message": "a" * 5_000}, rcrequestid="r-7")
    assert "[request r-7]" in str(error)
    assert len(error.message or "") <= 256


def test_a_huge_error_body_is_not_parsed() -> None:
    assert refused(400, {"errorCode": "X", "padding": "a" * 70_000}).error_code is None


@pytest.mark.fault
def test_an_error_prints_on_one_short_line() -> None:
    error = refused(400, {"errorCode": "X\n", "message": "a\r\n\x1b[31m" + "é" * 999})
    assert str(error).isprintable()
    assert len(str(error)) < 600
    assert "é" in str(error)


@pytest.mark.fault
@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "60"}, 60.0),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after": "5, 30"}, 30.0),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "\u0666\u0660"}, None),
        ({"retry-after": "soon"}, None),
    ],
)
def test_retry_after_of_an_error(headers: dict[str, str], seconds: float | None) -> None:
    error = refused(429, {}, **headers, **{"x-rate-limit-group": "light"})
    assert isinstance(error, RateLimited)
    assert (error.retry_after, error.group) == (seconds, "Light")


def test_a_response_is_parsed_as_json() -> None:
    assert Response(200, {}, b'{"a": 1}').json() == {"a": 1}
    with pytest.raises(DecodeError):
        Response(200, {}, b"<html>").json()
    assert repr(Response(200, {"x": "secret"}, b"secret")) == "Response(status=200)"


def test_only_a_response_with_the_status_200_is_a_record() -> None:
    assert rest.load_response(Response(200, {}, b'{"message":"a"}'), GetPresenceInfo) == (
        GetPresenceInfo(message="a")
    )
    with pytest.raises(DecodeError, match="expected HTTP 200, got 204"):
        rest.load_response(Response(204, {}, b""), GetPresenceInfo)
    with pytest.raises(DecodeError, match="contradict"):
        rest.load_response(Response(200, {}, b'{"errorCode":"CMN-1"}'), GetPresenceInfo)


def test_secrets_that_the_server_repeats_are_redacted() -> None:
    redactor = Redactor()
    redactor.add("hush-hush-hush")
    headers = {"location": "/x?hush-hush-hush", "rcrequestid": "r-1"}
    body = b'{"errorCode":"CMN-1","message":"no hush-hush-hush here"}'
    response = Response(400, headers, body, redactor)
    assert response.location == "/x?hush-hush-hush"
    assert "hush" not in repr(response.location)
    for shown in (response.without_secrets(), response.with_redacted_headers()):
        assert "hush" not in shown.headers["location"]
    assert b"hush" not in response.without_secrets().body
    assert response.with_redacted_headers().body == body
    error = rest.error_from_response(response)
    assert "hush" not in f"{error}{error.body}"
    plain = Response(200, {}, b"hush-hush-hush")
    assert plain.without_secrets() == plain.with_redacted_headers() == plain
    assert plain.location is None


@pytest.mark.parametrize(("value", "status"), [(404, 404), ("404", 404), ("ok", None), (4.5, None)])
def test_a_status_may_be_a_string(value: object, status: int | None) -> None:
    assert rest.parse_status(value) == status
