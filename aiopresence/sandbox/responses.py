"""Responses as bytes: JSON, error bodies and both forms of a 207.

They are written by hand, so that they share no code with the client that parses them.
"""

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
class Response:
    """An HTTP response before it is sent; sending adds the Content-Length."""

    status: int
    body: bytes = b""
    headers: CIMultiDict[str] = attrs.field(factory=dict, converter=_headers)


@attrs.frozen
class DeferredResponse(Response):
    """A response that is still to be made, because making it waits for something.

    A fault may delay it or keep it back; `Change` sees this placeholder.

    Attributes:
        finish: returns the response, or raises RefusedError.
    """

    finish: Callable[[], Awaitable[Response]] = attrs.field(kw_only=True)


@attrs.frozen
class BatchItem:
    """The result for one id of a batch; href is None without links."""

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
    """A request to the token endpoint is refused with an error of RFC 6749.

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
    """Return the error for a parameter with an invalid value."""
    return RefusedError(400, "CMN-101", f"Parameter [{parameter}] value is invalid.", parameter)


def missing(parameter: str) -> RefusedError:
    """Return the error for a parameter that names nothing in this account."""
    message = f"Resource for parameter [{parameter}] is not found."
    return RefusedError(404, "CMN-102", message, parameter)


def forbidden(message: str) -> RefusedError:
    """Return the error for a request that the caller is not allowed to make."""
    # Which of the permission codes RingCentral sends here is a guess.
    return RefusedError(403, "CMN-404", message)


def error_body(code: str, message: str, parameter: str | None = None) -> Body:
    """Return the body of an error: code and message, also as the first of the list of errors."""
    error = {"errorCode": code, "message": message}
    if parameter is not None:
        error["parameterName"] = parameter
    return {**error, "errors": [error]}


def dump(value: object) -> bytes:
    """Serialize JSON as UTF-8, without escaping letters outside ASCII."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def json_response(value: object, status: int = 200, content_type: str = JSON_TYPE) -> Response:
    """Return a response with a JSON document."""
    return Response(status, dump(value), {"Content-Type": content_type})


def array_response(items: Iterable[BatchItem], content_type: str) -> Response:
    """Return a 207 whose body is one JSON array, with an object per id."""
    rows = [{"resourceId": item.id, "status": item.status, "body": item.body} for item in items]
    return json_response(rows, 207, content_type)


def multipart_response(items: Sequence[BatchItem], boundary: str, line_ending: str) -> Response:
    """Return a multipart 207: a part with a summary, then one part per id.

    Args:
        items: the results, in the order of the requested ids.
        boundary: the boundary, without the leading dashes.
        line_ending: the line ending outside the JSON documents.
    """
    documents = [dump({"response": [_summary(item) for item in items]})]
    documents += [dump(item.body) for item in items]
    end = line_ending.encode()
    edge = b"--" + boundary.encode()
    head = edge + end + b"Content-Type: application/json" + end + end
    body = b"".join(head + document + end for document in documents) + edge + b"--" + end
    return Response(207, body, {"Content-Type": f"multipart/mixed; boundary={boundary}"})


_DESCRIPTIONS = {200: "OK", 400: "Bad Request", 403: "Forbidden", 404: "Not Found"}


def _summary(item: BatchItem) -> Body:
    row: Body = {} if item.href is None else {"href": item.href}
    return row | {"status": item.status, "responseDescription": _DESCRIPTIONS[item.status]}
