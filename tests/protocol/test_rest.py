import json
from collections.abc import Callable
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


def test_all_fields_of_an_error() -> None:
    body = b'{"errorCode":"CMN-1","message":"No.","parameterName":"x"}'
    headers = {"rcrequestid": "r-1", "retry-after": "5", "x-rate-limit-group": "light"}
    common = {
        "error_code": "CMN-1",
        "message": "No.",
        "parameter_name": "x",
        "request_id": "r-1",
        "retry_after": 5.0,
        "body": body.decode(),
    }
    path = "/restapi/v1.0/account/1/extension/23/presence"
    missing = rest.error_from_response(Response(404, headers, body), path)
    assert vars(missing) == {"http_status": 404, "id": "23", **common}
    limited = rest.error_from_response(Response(429, headers, body), path)
    assert vars(limited) == {"http_status": 429, "group": "Light", **common}
    refused = rest.error_from_response(Response(400, headers, body), path)
    assert vars(refused) == {"http_status": 400, **common}


@pytest.mark.parametrize(
    ("path", "id_"),
    [
        ("/restapi/v1.0/account/1/extension/23/presence", "23"),
        ("/restapi/v1.0/account/1/extension/23", "23"),
        ("/restapi/v1.0/account/1/call-queues/4/presence", "4"),
        ("/restapi/v1.0/account/1/extension/1,2/presence", None),
        ("/restapi/v1.0/account/1/extension/~/presence", None),
        ("/restapi/v1.0/account/1/presence", None),
        ("", None),
    ],
)
def test_the_one_id_of_a_request_is_that_of_its_not_found(path: str, id_: str | None) -> None:
    error = rest.error_from_response(Response(404, {}, b""), path)
    assert isinstance(error, NotFound)
    assert error.id == id_
    part = rest.error_from_body(Response(207, {}, b""), {}, status=404, id_=id_)
    assert isinstance(part, NotFound)
    assert (part.http_status, part.id, part.body) == (404, id_, "")


def test_an_error_without_a_path_has_no_id() -> None:
    error = refused(404)
    assert isinstance(error, NotFound)
    assert error.id is None


def test_the_largest_error_body_that_is_parsed() -> None:
    for size, code in ((rest.MAX_ERROR, "X"), (rest.MAX_ERROR + 1, None)):
        error = refused(400, b'{"errorCode":"X"}'.ljust(size))
        assert (error.error_code, error.body) == (code, '{"errorCode":"X"}'.ljust(256))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (b"a" * 256, "a" * 256),
        (b"a" * 257, "a" * 256),
        (b"\xffok", "\ufffdok"),
        (b"", ""),
    ],
)
def test_the_excerpt_of_a_body(text: bytes, shown: str) -> None:
    assert refused(502, text).body == shown


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({"errorCode": "", "error": "b"}, ("b", None, None)),
        ({"error": "b", "errors": [{"errorCode": "c"}]}, ("b", None, None)),
        ({"message": "", "error_description": "d"}, (None, "d", None)),
        ({"errors": [{}, {"errorCode": "c", "message": "m"}]}, ("c", "m", None)),
        ({"errors": [{}] * 9 + [{"parameterName": "p"}]}, (None, None, "p")),
        ({"errors": [{}] * 10 + [{"parameterName": "p"}]}, (None, None, None)),
        ({"errors": {"errorCode": "c"}}, (None, None, None)),
        ("errorCode", (None, None, None)),
    ],
)
def test_where_the_fields_of_an_error_are_found(body: Any, fields: tuple[str | None, ...]) -> None:
    error = refused(400, body)
    assert (error.error_code, error.message, error.parameter_name) == fields
    assert rest.error_code(body) == fields[0]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"errorCode": None}, True),
        ({"error": None}, True),
        ({"errors": [1]}, True),
        ({"errors": []}, False),
        ({"message": "no"}, False),
        ({}, False),
        ([], False),
        (["errorCode"], False),
        (None, False),
    ],
)
def test_what_the_body_of_an_error_is(body: object, expected: bool) -> None:
    assert rest.is_error_body(body) is expected


@pytest.mark.parametrize(
    ("status", "kind"),
    [(0, ApiError), (399, ApiError), (400, InvalidRequest), (499, InvalidRequest)],
)
def test_the_bounds_of_the_classes_of_errors(status: int, kind: type[ApiError]) -> None:
    assert rest.error_class(status) is kind


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: rest.check_ok(Response(201, {}, b"")), "expected HTTP 200, got 201"),
        (lambda: rest.load(b"{", GetPresenceInfo), "not JSON"),
        (
            lambda: rest.structure({"errorCode": "X"}, GetPresenceInfo),
            "the status and the body contradict each other",
        ),
    ],
)
def test_why_a_response_is_not_a_record(call: Callable[[], object], message: str) -> None:
    with pytest.raises(DecodeError) as caught:
        call()
    assert str(caught.value) == f"cannot decode the response: {message}"


def test_the_error_of_a_broken_record_has_no_frame_of_the_parser() -> None:
    with pytest.raises(DecodeError) as caught:
        rest.load_response(Response(200, {}, b'{"message":5}'), GetPresenceInfo)
    assert not any("decoding" in str(entry.path) for entry in caught.traceback)
    assert caught.value.path == "$.message"


@pytest.mark.parametrize(
    ("method", "path", "is_write", "is_login"),
    [
        ("GET", "/restapi/v1.0/x", False, False),
        ("HEAD", "/restapi/v1.0/x", False, False),
        ("PUT", "/restapi/v1.0/x", True, False),
        ("POST", "/restapi/oauth/revoke", True, False),
        ("POST", "/restapi/oauth/token", False, True),
    ],
)
def test_a_login_is_not_a_write(method: str, path: str, is_write: bool, is_login: bool) -> None:
    request = rest.Request(method, path, "", object)
    assert (request.is_write, request.is_login) == (is_write, is_login)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a", "a"),
        ("Az09._-", "Az09._-"),
        ("a" * 64, "a" * 64),
        ("a" * 65, None),
        ("", None),
        ("a b", None),
        ("a\n", None),
        ("é", None),
    ],
)
def test_the_id_of_a_request(text: str, expected: str | None) -> None:
    assert rest.request_id({"rcrequestid": text}) == expected
    assert Response(200, {"rcrequestid": text}, b"").request_id == expected
    assert rest.request_id({}) is None


def test_copies_of_a_response_without_secrets() -> None:
    redactor = Redactor()
    redactor.add("hush-hush-hush")
    secret = Response(201, {"x": "hush-hush-hush"}, b"hush-hush-hush", redactor)
    assert secret.without_secrets() == Response(201, {"x": "***"}, b"***")
    copy = secret.with_redacted_headers()
    assert copy == Response(201, {"x": "***"}, b"hush-hush-hush")
    # It still redacts what is shown of its body.
    assert copy.without_secrets() == Response(201, {"x": "***"}, b"***")
    plain = Response(201, {"x": "y"}, b"z", redactor)
    assert plain.with_redacted_headers() is plain
    alone = Response(201, {"x": "y"}, b"z")
    assert alone.without_secrets() is alone.with_redacted_headers() is alone


def test_every_text_of_an_error_is_redacted_and_short() -> None:
    redactor = Redactor()
    redactor.add("hush-hush-hush")
    text = "hush-hush-hush" + "a" * 300
    body = json.dumps({"error": text, "message": text, "parameterName": text}).encode()
    headers = {"rcrequestid": "hush-hush-hush", "x-rate-limit-group": "hush-hush-hush"}
    error = rest.error_from_response(Response(429, headers, body, redactor))
    assert isinstance(error, RateLimited)
    short = ("***" + "a" * 300)[:256]
    assert (error.error_code, error.message, error.parameter_name) == (short, short, short)
    assert (error.request_id, error.group) == ("***", None)
    assert error.body.startswith('{"error": "***aaa')
    assert len(error.body) == 256


def test_a_code_is_shown_even_if_a_secret_is_equal_to_it() -> None:
    redactor = Redactor()
    redactor.add("CMN-12345")
    body = b'{"errorCode":"CMN-12345","message":"CMN-12345"}'
    error = rest.error_from_response(Response(400, {}, body, redactor))
    assert (error.error_code, error.message) == ("CMN-12345", "***")


@pytest.mark.parametrize(
    ("value", "status"),
    [("100", 100), ("999", 999), ("099", None), ("1000", None), ("20", None), (True, None), (0, 0)],
)
def test_which_texts_and_numbers_are_a_status(value: object, status: int | None) -> None:
    assert rest.parse_status(value) == status
