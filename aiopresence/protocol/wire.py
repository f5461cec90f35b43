"""Requests and answers as values, and what an answer that is a refusal means."""

import re
from collections.abc import Mapping
from typing import Any, Generic, TypeVar
from urllib.parse import SplitResult, parse_qsl, urljoin, urlsplit

import attrs

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
from . import convert
from .limits import group_of, retry_after

T_co = TypeVar("T_co", covariant=True)

JSON = "application/json"
# Error answers are excerpted in exceptions; a page of HTML helps nobody.
EXCERPT = 256


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
    """

    method: str
    path: str
    group: str
    answer: type[T_co]
    params: tuple[tuple[str, str], ...] = ()
    body: bytes | None = attrs.field(default=None, repr=False)
    headers: Mapping[str, str] = attrs.field(factory=dict, repr=False)


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

    def json(self) -> Any:
        """Give the body as parsed JSON.

        Raises:
            DecodeError: it is not JSON.
        """
        return convert.parse(self.body)

    @property
    def request_id(self) -> str | None:
        """RingCentral's id of the request, which its support asks for; None when not sent."""
        return self.headers.get("rcrequestid")


# The characters RFC 3986 allows in a path, one percent-encoded byte at a time, and no segments
# that a URL library would resolve to another path.
_PATH = re.compile(r"/restapi/(?:[A-Za-z0-9._~!$&'()*+,;=:@/-]|%[0-9A-Fa-f]{2})*", re.ASCII)
_DOTS = re.compile(r"/(?:\.|%2e){1,2}(?:/|$)", re.IGNORECASE)


def is_path(path: object) -> bool:
    """Tell whether a path may be put on the wire as it is: in the API, encoded, and no query."""
    return isinstance(path, str) and bool(_PATH.fullmatch(path)) and not _DOTS.search(path)


def follow(request: Request[T_co], server: str, link: str, where: str) -> Request[T_co]:
    """Give the request that a link in the answer to another one leads to.

    Args:
        request: the request that was answered.
        server: the server it was sent to.
        link: an absolute or relative URL.
        where: the place of the link in the answer, for the message.

    Raises:
        DecodeError: it leads away from `server`, or out of its API.
    """
    try:
        there = urlsplit(urljoin(server + request.path, link))
        same = _origin(there) == _origin(urlsplit(server))
    except ValueError:
        raise DecodeError("a link that is no URL", where) from None
    if not same:
        raise DecodeError(f"a link to {there.hostname} is not followed", where)
    if not is_path(there.path):
        raise DecodeError("a link out of the API is not followed", where)
    return attrs.evolve(request, path=there.path, params=tuple(parse_qsl(there.query)))


def _origin(url: SplitResult) -> tuple[str, str | None, int | None]:
    return url.scheme, url.hostname, url.port or {"http": 80, "https": 443}.get(url.scheme)


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


def refusal(response: Response, kind: type[ApiError] | None = None) -> ApiError:
    """Turn a refusing answer into the error to raise, whatever its body is.

    Args:
        response: an answer that is no success; also a part of a batch answer.
        kind: the class of error, when not the status decides.
    """
    code, message, parameter = _said(response.body)
    error = (kind or error_class(response.status))(
        response.status,
        code,
        message,
        parameter,
        response.request_id,
        retry_after(response.headers),
        response.body[:EXCERPT].decode("utf-8", "replace"),
    )
    if isinstance(error, RateLimited):
        error.group = group_of(response.headers)
    return error


def _said(body: bytes) -> tuple[str | None, str | None, str | None]:
    """Read an error body, of the API or of the token endpoint; None for what is not there."""
    try:
        said = convert.parse(body)
    except DecodeError:
        return None, None, None
    nested = said.get("errors") if isinstance(said, dict) else None
    first = nested[0] if isinstance(nested, list) and nested else None
    sources = [source for source in (said, first) if isinstance(source, dict)]

    def pick(*names: str) -> str | None:
        texts = (source.get(name) for source in sources for name in names)
        return next((text for text in texts if isinstance(text, str) and text), None)

    return (
        pick("errorCode", "error"),
        pick("message", "error_description"),
        pick("parameterName"),
    )
