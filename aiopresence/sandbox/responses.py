"""The answers as bytes: JSON, error bodies and both forms of a 207, written by hand."""

import json
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any

import attrs
from multidict import CIMultiDict

JSON_TYPE = "application/json;charset=UTF-8"
BATCH_JSON_TYPE = "application/vnd.ringcentral.multipart+json"

Body = dict[str, Any]
Headers = Mapping[str, str] | Sequence[tuple[str, str]]


def _headers(headers: Headers) -> CIMultiDict[str]:
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    return CIMultiDict(list(pairs))


@attrs.frozen
class Reply:
    """An HTTP answer before it is sent. Content-Length is added on the way out."""

    status: int
    body: bytes = b""
    headers: CIMultiDict[str] = attrs.field(factory=dict, converter=_headers)


@attrs.frozen
class Later(Reply):
    """Stands for an answer that takes a while to make, until that is sent.

    A fault that works on the real answer may delay it or keep it back; `Change` sees this one.

    Args:
        finish: makes it, or raises RefusedError.
    """

    finish: Callable[[], Awaitable[Reply]] = attrs.field(kw_only=True)


@attrs.frozen
class BatchItem:
    """The answer for one id of a batch; the link is None when links are left out."""

    id: str
    href: str | None
    status: int
    body: Body


class RefusedError(Exception):
    """A request, or one id of a batch, is refused with an error body.

    Args:
        status: the HTTP status.
        code: RingCentral's errorCode.
        message: text for people.
        parameter: the name of the parameter at fault, or None.
    """

    def __init__(self, status: int, code: str, message: str, parameter: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.body = error_body(code, message, parameter)


class GrantError(Exception):
    """A request to the token endpoint is refused, in the words of RFC 6749.

    Args:
        status: the HTTP status.
        error: the OAuth error.
        code: RingCentral's errorCode.
        message: text for people.
    """

    def __init__(self, status: int, error: str, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.body: Body = {
            "error": error,
            "error_description": message,
            "errors": [{"errorCode": code, "message": message}],
        }


def bad(parameter: str) -> RefusedError:
    """Make the refusal of a parameter whose value makes no sense."""
    return RefusedError(400, "CMN-101", f"Parameter [{parameter}] value is invalid.", parameter)


def missing(parameter: str) -> RefusedError:
    """Make the refusal of a parameter that names nothing in this account."""
    message = f"Resource for parameter [{parameter}] is not found."
    return RefusedError(404, "CMN-102", message, parameter)


def forbidden(message: str) -> RefusedError:
    """Make the refusal of something that exists and may not be done."""
    # Which of the permission codes RingCentral sends here is a guess.
    return RefusedError(403, "CMN-404", message)


def error_body(code: str, message: str, parameter: str | None = None) -> Body:
    """Write an API error: code and message at the top, and again in the list of all errors."""
    error = {"errorCode": code, "message": message}
    if parameter is not None:
        error["parameterName"] = parameter
    return {**error, "errors": [error]}


def dump(value: object) -> bytes:
    """Write JSON as UTF-8, with letters outside ASCII as they are."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def json_reply(value: object, status: int = 200, content_type: str = JSON_TYPE) -> Reply:
    """Answer with one JSON document."""
    return Reply(status, dump(value), {"Content-Type": content_type})


def array_reply(items: Iterable[BatchItem], content_type: str) -> Reply:
    """Answer a batch with one JSON array, an object per id."""
    rows = [{"resourceId": item.id, "status": item.status, "body": item.body} for item in items]
    return json_reply(rows, 207, content_type)


def multipart_reply(items: Sequence[BatchItem], boundary: str, line_ending: str) -> Reply:
    """Answer a batch with a summary part and then one part per id.

    Args:
        items: in the order of the ids asked for.
        boundary: without the leading dashes.
        line_ending: what ends each line outside the JSON.
    """
    documents = [dump({"response": [_summary(item) for item in items]})]
    documents += [dump(item.body) for item in items]
    end = line_ending.encode()
    edge = b"--" + boundary.encode()
    head = edge + end + b"Content-Type: application/json" + end + end
    body = b"".join(head + document + end for document in documents) + edge + b"--" + end
    return Reply(207, body, {"Content-Type": f"multipart/mixed; boundary={boundary}"})


_DESCRIPTIONS = {200: "OK", 400: "Bad Request", 403: "Forbidden", 404: "Not Found"}


def _summary(item: BatchItem) -> Body:
    row: Body = {} if item.href is None else {"href": item.href}
    return row | {"status": item.status, "responseDescription": _DESCRIPTIONS[item.status]}
