"""Bodies of errors: of the API, of the token endpoint, of the gateway, and of what is in front."""

from typing import Any

from aiopresence import ApiError, Response
from aiopresence.protocol.error_values import from_error, to_error
from aiopresence.protocol.event_errors import error_from_frame
from aiopresence.protocol.event_frames import Frame
from aiopresence.protocol.oauth import token_error
from aiopresence.protocol.rest import error_from_response, is_error_body
from aiopresence.redaction import Redactor
from tests.fuzz.checks import check_error
from tests.fuzz.choices import Choices, mutated_text
from tests.fuzz.documents import SECRET, any_value, text, written

STATUSES = (400, 401, 403, 404, 408, 429, 500, 503, 599, 301, 999)
CODES = ("CMN-102", "OAU-128", "invalid_grant", "SUB-508", "CMN-106", "OAU-251", "WSG-400")
NAMES = ("errorCode", "message", "parameterName", "error", "error_description", "errors")
RETRY_AFTER = ("", "5", "0", "-1", "1e9", "5, 60", "Mon, 02 Mar 2026 09:00:00 GMT", "9" * 5000)
# How a server may spell a secret that it repeats.
SPELLINGS = (
    SECRET,
    SECRET.replace("-", "%2d"),
    SECRET.replace("-", "\\u002d"),
    SECRET.replace("-", "&#45;"),
    SECRET.encode().hex(),
)


def error_bodies(data: bytes) -> None:
    """Any response with an error is one ApiError, which shows no secret."""
    choices = Choices(data)
    redactor = Redactor()
    redactor.add(SECRET)
    status, body = choices.pick(STATUSES), _body(choices)
    parsed = any_value(choices) if choices.rarely() else body
    content = choices.mutated(written(parsed))
    headers = {
        "retry-after": choices.pick(RETRY_AFTER),
        "date": choices.pick(("Mon, 02 Mar 2026 08:59:00 GMT", "x", "")),
        "rcrequestid": mutated_text(choices, "r-1"),
        "x-rate-limit-group": mutated_text(choices, "light"),
    }
    response = Response(status, headers, content, redactor)
    path = "/restapi/v1.0/account/~/extension/101/presence"
    for error in (
        error_from_response(response, path),
        token_error(response),
        error_from_frame(Frame("Error", None, status, None, body), redactor),
    ):
        assert isinstance(error, ApiError)
        check_error(error)
        _check_round_trip(error)
    is_error_body(parsed)


def _body(choices: Choices) -> dict[str, Any]:
    body: dict[str, Any] = {"errorCode": choices.pick(CODES), "message": "Not found"}
    for _ in range(choices.below(6)):
        body[choices.pick(NAMES)] = _field(choices)
    return body


def _field(choices: Choices) -> Any:
    kind = choices.below(5)
    if kind == 3:
        names = choices.several(NAMES, 3)
        return [{name: text(choices) for name in names} for _ in range(choices.below(4))]
    if kind == 4:
        return any_value(choices)
    shown = (choices.pick(CODES), text(choices), f"a {choices.pick(SPELLINGS)} b")
    return shown[kind]


def _check_round_trip(error: ApiError) -> None:
    again = to_error(from_error(error))
    assert type(again) is type(error)
    assert str(again)[:200] == str(error)[:200]
