"""Convert errors to JSON values and back.

The values may have been written by anybody: no class is looked up by a name from outside.
"""

from typing import Any

import attrs

from .. import errors
from ..errors import (
    ApiError,
    AuthError,
    ConnectionFailed,
    DecodeError,
    NotFound,
    PresenceError,
    RateLimited,
    one_line,
)

_ERRORS: dict[str, type[Any]] = {
    each.__name__: each
    for each in (
        errors.ApiError,
        errors.AuthError,
        errors.ConnectionFailed,
        errors.DecodeError,
        errors.InvalidRequest,
        errors.NotFound,
        errors.PermissionDenied,
        errors.PresenceError,
        errors.RateLimited,
        errors.RedisFailed,
        errors.ServerError,
        errors.SessionLost,
        errors.Timeout,
        errors.TransportError,
        errors.UsageError,
    )
}


@attrs.frozen(weakref_slot=False)
class ErrorValues:
    """A PresenceError: the name of its class, and its attributes.

    `message` is RingCentral's of an ApiError, the reason of a DecodeError, else the whole text.
    """

    type: str | None = None
    message: str | None = None
    http_status: int | None = None
    error_code: str | None = None
    parameter_name: str | None = None
    request_id: str | None = None
    retry_after: float | None = None
    body: str | None = None
    path: str | None = None
    id: str | None = None
    group: str | None = None
    final: bool | None = None
    sent: bool | None = None


def from_error(error: PresenceError | None) -> ErrorValues | None:
    """Return an error by the first of its classes that has a name here."""
    if error is None:
        return None
    name = next(each.__name__ for each in type(error).__mro__ if each.__name__ in _ERRORS)
    attributes: dict[str, Any] = {
        name: value
        for name in ("http_status", "error_code", "parameter_name", "request_id", "path", "id")
        if (value := getattr(error, name, None)) is not None
    }
    message = _message(error)
    return ErrorValues(
        name,
        message and message[:1000],
        retry_after=getattr(error, "retry_after", None),
        body=getattr(error, "body", None),
        group=getattr(error, "group", None),
        final=getattr(error, "final", None),
        sent=getattr(error, "sent", None),
        **attributes,
    )


def _message(error: PresenceError) -> str | None:
    if isinstance(error, ApiError):
        return error.message
    return error.reason if isinstance(error, DecodeError) else str(error)


def to_error(info: ErrorValues | None) -> PresenceError | None:
    """Return the error again, of the same class; a PresenceError if that has no name here."""
    if info is None:
        return None
    cls: type[PresenceError] = _ERRORS.get(info.type or "", PresenceError)
    message = None if info.message is None else one_line(info.message, 1000)
    if issubclass(cls, ApiError):
        return _to_api_error(info, cls, message)
    if issubclass(cls, DecodeError):
        return cls(message or "", info.path or "$")
    if issubclass(cls, ConnectionFailed):
        return cls(message or "", sent=info.sent is not False, final=info.final is True)
    return cls(message or "")


def _to_api_error(info: ErrorValues, cls: type[ApiError], message: str | None) -> ApiError:
    error = cls(
        info.http_status or 0,
        info.error_code,
        message,
        info.parameter_name,
        info.request_id,
        info.retry_after,
        one_line(info.body or ""),
    )
    if isinstance(error, RateLimited):
        error.group, error.sent = info.group, info.sent is not False
    if isinstance(error, NotFound) and info.id is not None:
        error.id = info.id
    if isinstance(error, AuthError):
        error.final = info.final is True
    return error
