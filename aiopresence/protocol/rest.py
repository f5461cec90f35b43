"""Requests and responses as values, and error responses as exceptions."""

import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Generic, NamedTuple, TypeVar

import attrs

from ..auth_advice import is_code
from ..errors import (
    ApiError,
    AuthError,
    DecodeError,
    InvalidRequest,
    NotFound,
    PermissionDenied,
    RateLimited,
    ServerError,
)
from ..redaction import Redactor, Secret, StripTraceback
from . import decoding
from .rate_limit_headers import group_of, retry_after

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

JSON = "application/json"
LOGIN_PATH = "/restapi/oauth/token"
# The characters of a body or message that an exception has: enough for a log line.
EXCERPT = 256
# The bytes of an error response that are parsed. RingCentral's have a few hundred; a longer body
# is a page of something in front of it.
MAX_ERROR = 64 * 1024
# The entries of a list of errors that are searched for a code and a message.
MAX_ERRORS = 10
# A batch of 30 detailed records with seven calls each is about 200 KB, a page of 1,000 about 7 MB.
MAX_BODY = 4 * 1024 * 1024
MAX_PAGE = 16 * 1024 * 1024


@attrs.frozen
class Request(Generic[T_co]):
    """One request, before it has a server and a token.

    Attributes:
        method: the HTTP method.
        path: from "/restapi", percent-encoded: it is sent as it is.
        group: the usage-plan group in which it is expected to count.
        model: the class of the record in the response.
        params: the query, not encoded.
        body: the bytes to send, or None.
        headers: headers beyond the usual ones.
        max_body: the bytes of the largest response that is read.
        attempt: 1 for the first attempt, and one more for each retry.
    """

    method: str
    path: str
    group: str
    model: type[T_co]
    params: tuple[tuple[str, str], ...] = ()
    body: bytes | None = attrs.field(default=None, repr=False)
    headers: Mapping[str, str] = attrs.field(factory=dict, repr=False)
    max_body: int = MAX_BODY
    attempt: int = 1

    @property
    def is_write(self) -> bool:
        """Whether it may change something. A login does not: a second one makes another token."""
        return self.method not in ("GET", "HEAD") and not self.is_login

    @property
    def is_login(self) -> bool:
        """Whether it requests an access token for the session."""
        return self.path == LOGIN_PATH


@attrs.frozen
class Response:
    """One response, unparsed.

    Attributes:
        status: the HTTP status, any integer.
        headers: by lower-case name; the values of repeated headers are joined by ", ".
        body: the whole body, decompressed.
    """

    status: int
    headers: Mapping[str, str] = attrs.field(repr=False)
    body: bytes = attrs.field(repr=False)
    # What redacts the session's secrets, should the server have repeated them. The body itself is
    # parsed with them: they may be part of valid data, and a new token may be equal to the old one.
    _redactor: Redactor | None = attrs.field(default=None, repr=False, eq=False)

    def json(self) -> Any:
        """Return the body as parsed JSON.

        Raises:
            DecodeError: it is not JSON.
        """
        return decoding.parse(self.body)

    def without_secrets(self) -> "Response":
        """Return the response with the session's secrets redacted."""
        if self._redactor is None:
            return self
        headers, body = self._redactor.headers(self.headers), self._redactor.body(self.body)
        return Response(self.status, headers, body)

    def with_redacted_headers(self) -> "Response":
        """Return the response with redacted headers; its body is unchanged."""
        if self._redactor is None:
            return self
        headers = self._redactor.headers(self.headers)
        if headers is self.headers:
            return self
        return Response(self.status, headers, self.body, self._redactor)

    def _redacted_excerpt(self, text: str | None) -> str | None:
        """Return the beginning of a text from the response, without the session's secrets."""
        if text and self._redactor is not None:
            text = self._redactor.text(text)
        return text and text[:EXCERPT]

    @property
    def location(self) -> Secret | None:
        """The target of a redirect, which may hold a secret; None if there is none."""
        link = self.headers.get("location")
        return None if link is None else Secret(link)

    @property
    def request_id(self) -> str | None:
        """RingCentral's id of the request, which its support asks for; None if it sent none."""
        return request_id(self.headers)


# It is part of messages, so nothing else is accepted.
_REQUEST_ID = re.compile(r"[0-9A-Za-z._-]{1,64}", re.ASCII)


def request_id(headers: Mapping[str, str]) -> str | None:
    """Return RingCentral's id of a request, or None if the response headers have none."""
    text = headers.get("rcrequestid", "")
    return text if _REQUEST_ID.fullmatch(text) else None


_BY_STATUS: dict[int, type[ApiError]] = {
    401: AuthError,
    403: PermissionDenied,
    404: NotFound,
    429: RateLimited,
}


def error_class(status: int) -> type[ApiError]:
    """Return the class of error for an HTTP status."""
    if status < 400:
        return ApiError
    return _BY_STATUS.get(status, ServerError if status >= 500 else InvalidRequest)


# Some servers write a status as a string.
_STATUS = re.compile(r"[1-9][0-9]{2}", re.ASCII)


def parse_status(value: object) -> int | None:
    """Return the HTTP status in a JSON value, or None if it is not a status."""
    if isinstance(value, str) and _STATUS.fullmatch(value):
        return int(value)
    return value if type(value) is int else None


def load(data: bytes, cls: type[T]) -> T:
    """Parse the body of a successful response as a record.

    Raises:
        DecodeError: as `decoding.load`, or it is the body of an error.
    """
    return structure(decoding.parse(data), cls)


def structure(value: Any, cls: type[T]) -> T:
    """Return the parsed body of a successful response as a record.

    Raises:
        DecodeError: as `decoding.structure`, or it is the body of an error.
    """
    if is_error_body(value):
        raise DecodeError("the status and the body contradict each other")
    return decoding.structure(value, cls)


def check_ok(response: Response) -> None:
    """Raise DecodeError unless a successful response has the status 200, and so a body."""
    if response.status != 200:
        raise DecodeError(f"expected HTTP 200, got {response.status}")


def load_response(response: Response, cls: type[T]) -> T:
    """Parse a successful response as a record; DecodeError if it is not one.

    The traceback of an error has no frames of the parser, whose variables hold the body.
    """
    check_ok(response)
    with StripTraceback():
        return load(response.body, cls)


def is_error_body(body: Any) -> bool:
    """Return whether parsed JSON is the body of an error."""
    return type(body) is dict and bool("errorCode" in body or "error" in body or body.get("errors"))


class _ErrorFields(NamedTuple):
    """What the body of an error has; None for what it has not."""

    code: str | None
    message: str | None
    parameter: str | None


def error_code(body: Any) -> str | None:
    """Return the code in the body of an error, or None."""
    return _error_fields(body).code


def _error_fields(body: Any) -> _ErrorFields:
    """Return the fields of an error body of the API, or of the token endpoint (RFC 6749 §5.2)."""
    nested = body.get("errors") if isinstance(body, dict) else None
    errors = nested[:MAX_ERRORS] if isinstance(nested, list) else []
    sources = [source for source in (body, *errors) if isinstance(source, dict)]

    def first(*names: str) -> str | None:
        """Return the first text that a source has under one of the names; None if none has."""
        texts = (source.get(name) for source in sources for name in names)
        return next((text for text in texts if isinstance(text, str) and text), None)

    return _ErrorFields(
        first("errorCode", "error"), first("message", "error_description"), first("parameterName")
    )


def parse_error_body(response: Response) -> Any:
    """Return the parsed body of an error response; None if it is not JSON, or too long."""
    if len(response.body) <= MAX_ERROR:
        with suppress(DecodeError):
            return decoding.parse(response.body)
    return None


# The id of one extension or call queue in a path.
_ID_IN_PATH = re.compile(r"/(?:extension|call-queues)/([0-9]+)(?:/|\Z)", re.ASCII)


def error_from_response(response: Response, path: str = "") -> ApiError:
    """Return the error for a response whose status is not one of success.

    Args:
        response: the response.
        path: the path of its request.
    """
    excerpt = response.body[:MAX_ERROR].decode("utf-8", "replace")
    found = _ID_IN_PATH.search(path)
    id_ = None if found is None else found[1]
    return error_from_body(response, parse_error_body(response), excerpt=excerpt, id_=id_)


def error_from_body(
    response: Response,
    body: Any,
    *,
    status: int | None = None,
    excerpt: str = "",
    id_: str | None = None,
) -> ApiError:
    """Return the error for a response, or a part of one, whose body has been parsed.

    Args:
        response: the response.
        body: the parsed body of it, or of the part; any JSON value.
        status: the status of the part; None for that of the response.
        excerpt: the beginning of the body.
        id_: the one id that was requested.
    """
    status = response.status if status is None else status
    fields = _error_fields(body)
    shown = response._redacted_excerpt
    error = error_class(status)(
        status,
        fields.code if is_code(fields.code) else shown(fields.code),
        shown(fields.message),
        shown(fields.parameter),
        shown(response.request_id),
        retry_after(response.headers),
        shown(excerpt) or "",
    )
    if isinstance(error, RateLimited):
        # Redacted first: the name of a group is normalized, and so is a secret in its place.
        error.group = group_of(response.with_redacted_headers().headers)
    if isinstance(error, NotFound):
        error.id = id_
    return error
