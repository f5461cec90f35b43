"""Requests and answers as values, and what an answer that is a refusal means."""

import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Generic, TypeVar

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
# Error answers are excerpted in exceptions; a page of HTML helps nobody. A longer one is none.
EXCERPT = 256
MAX_ERROR = 64 * 1024
# Of a list of errors, so many are searched for a code and a message.
MAX_ERRORS = 10
# A batch of 30 detailed records with seven calls each is about 200 KB, a page of 1,000 about 7 MB.
MAX_BODY = 4 * 1024 * 1024
MAX_PAGE = 16 * 1024 * 1024


@attrs.frozen
class Request(Generic[T_co]):
    """One request, before it has a server and a token.

    Attributes:
        method: the HTTP method.
        path: from "/restapi", safe to put on the wire as it is.
        group: the usage-plan group it is expected to count in.
        answer: the model of its answer.
        params: the query, unencoded.
        body: the bytes to send, or None.
        headers: what to send beyond the usual.
        max_body: the bytes of the largest answer that is read.
        attempt: 1 for the first attempt, and one more for each retry.
    """

    method: str
    path: str
    group: str
    answer: type[T_co]
    params: tuple[tuple[str, str], ...] = ()
    body: bytes | None = attrs.field(default=None, repr=False)
    headers: Mapping[str, str] = attrs.field(factory=dict, repr=False)
    max_body: int = MAX_BODY
    attempt: int = 1

    @property
    def is_write(self) -> bool:
        """Whether it may change something. A login does not: asked twice, it is two logins."""
        return self.method not in ("GET", "HEAD") and not self.is_login

    @property
    def is_login(self) -> bool:
        """Whether it asks for a token of the session."""
        return self.path == LOGIN_PATH


@attrs.frozen
class Response:
    """One answer, as it came.

    Attributes:
        status: the HTTP status, any integer.
        headers: by lower-case name; those sent twice are joined by ", ".
        body: the whole body, decompressed.
    """

    status: int
    headers: Mapping[str, str] = attrs.field(repr=False)
    body: bytes = attrs.field(repr=False)
    # Parsers get the response as it came: a secret may be a part of good data.
    _redactor: Redactor | None = attrs.field(default=None, repr=False, eq=False)

    def json(self) -> Any:
        """Give the body as parsed JSON.

        Raises:
            DecodeError: it is not JSON.
        """
        return decoding.parse(self.body)

    def without_secrets(self) -> "Response":
        """Return the response as it may be shown."""
        if self._redactor is None:
            return self
        headers, body = self._redactor.headers(self.headers), self._redactor.body(self.body)
        return Response(self.status, headers, body)

    def with_redacted_headers(self) -> "Response":
        """Return the response with headers that may be shown; its body is as it came."""
        if self._redactor is None:
            return self
        headers = self._redactor.headers(self.headers)
        return Response(self.status, headers, self.body, self._redactor)

    def _redacted_excerpt(self, text: str | None) -> str | None:
        """Return the beginning of a text of the response without secrets."""
        if text and self._redactor is not None:
            text = self._redactor.text(text)
        return text and text[:EXCERPT]

    @property
    def location(self) -> Secret | None:
        """The link of a redirect, which may hold a secret; None when there is none."""
        link = self.headers.get("location")
        return None if link is None else Secret(link)

    @property
    def request_id(self) -> str | None:
        """RingCentral's id of the request, which its support asks for; None when not sent."""
        return request_id(self.headers)


# It goes into messages, so it must look like what it is.
_REQUEST_ID = re.compile(r"[0-9A-Za-z._-]{1,64}", re.ASCII)


def request_id(headers: Mapping[str, str]) -> str | None:
    """Give RingCentral's id of a request, or None when the answer has none."""
    text = headers.get("rcrequestid", "")
    return text if _REQUEST_ID.fullmatch(text) else None


_BY_STATUS: dict[int, type[ApiError]] = {
    401: AuthError,
    403: PermissionDenied,
    404: NotFound,
    429: RateLimited,
}


def error_class(status: int) -> type[ApiError]:
    """Give the class of error that an HTTP status means."""
    if status < 400:
        return ApiError
    return _BY_STATUS.get(status, ServerError if status >= 500 else InvalidRequest)


# Some servers write it as a string.
_STATUS = re.compile(r"[1-9][0-9]{2}", re.ASCII)


def status_of(value: object) -> int | None:
    """Return the HTTP status in JSON, or None when it is none."""
    if isinstance(value, str) and _STATUS.fullmatch(value):
        return int(value)
    return value if type(value) is int else None


def code_of(body: Any) -> str | None:
    """Return the code in the body of an error, or None."""
    return _said(body)[0]


def refuses(body: Any) -> bool:
    """Return whether parsed JSON is the body of an error."""
    return type(body) is dict and bool("errorCode" in body or "error" in body or body.get("errors"))


def load(data: bytes, cls: type[T]) -> T:
    """Parse the body of a successful response as a record.

    Raises:
        DecodeError: as `convert.load`, or it is the body of an error.
    """
    value = decoding.parse(data)
    if refuses(value):
        raise DecodeError("the status contradicts the body")
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


def refusal(response: Response) -> ApiError:
    """Turn a refusing answer into the error to raise, whatever its body is."""
    said = None
    if len(response.body) <= MAX_ERROR:
        with suppress(DecodeError):
            said = decoding.parse(response.body)
    excerpt = response.body[:MAX_ERROR].decode("utf-8", "replace")
    return refusal_of(response, said, excerpt=excerpt)


def error_texts(response: Response) -> list[str]:
    """Return where the body of a refused login may hold an error code, the likeliest first."""
    said = None
    if len(response.body) <= MAX_ERROR:
        with suppress(DecodeError):
            said = decoding.parse(response.body)
    if not isinstance(said, dict):
        return []
    nested = said.get("errors")
    errors = [each for each in nested if isinstance(each, dict)] if isinstance(nested, list) else []
    texts = [
        said.get("errorCode"),
        *(each.get("errorCode") for each in errors),
        said.get("error"),
        said.get("error_description"),
    ]
    return [text for text in texts if isinstance(text, str)]


def refusal_of(
    response: Response, said: Any, *, status: int | None = None, excerpt: str = ""
) -> ApiError:
    """Turn a refusal, whose body has been parsed, into the error to raise.

    Args:
        response: the answer that it is, or is a part of.
        said: the parsed body, whatever it is.
        status: of a part of the answer; None for that of the answer.
        excerpt: the beginning of the body.
    """
    status = response.status if status is None else status
    code, message, parameter = _said(said)
    code, message, parameter = (
        code if is_code(code) else response._redacted_excerpt(code),
        response._redacted_excerpt(message),
        response._redacted_excerpt(parameter),
    )
    error = error_class(status)(
        status,
        code,
        message,
        parameter,
        response._redacted_excerpt(response.request_id),
        retry_after(response.headers),
        response._redacted_excerpt(excerpt) or "",
    )
    if isinstance(error, RateLimited):
        error.group = response._redacted_excerpt(group_of(response.headers))
    return error


def _said(said: Any) -> tuple[str | None, str | None, str | None]:
    """Read an error body, of the API or of the token endpoint; None for what is not there."""
    nested = said.get("errors") if isinstance(said, dict) else None
    errors = nested[:MAX_ERRORS] if isinstance(nested, list) else []
    sources = [source for source in (said, *errors) if isinstance(source, dict)]

    def pick(*names: str) -> str | None:
        texts = (source.get(name) for source in sources for name in names)
        return next((text for text in texts if isinstance(text, str) and text), None)

    return (
        pick("errorCode", "error"),
        pick("message", "error_description"),
        pick("parameterName"),
    )
