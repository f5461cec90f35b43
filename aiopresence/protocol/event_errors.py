"""Parse an error that the gateway reports, and decide what follows from it.

Source: RingCentral guide, "WebSockets".
"""

from enum import Enum

from ..errors import ApiError
from ..redaction import Redactor
from .event_frames import Frame
from .rest import Response, error_code, error_from_body

# The gateway cannot use the recovery token.
INVALID_RECOVERY_TOKEN = "WSG-400"  # noqa: S105 - an error code
UNAUTHORIZED, TOO_MANY = 401, 429
# Statuses of errors that a later request may not get.
TRANSIENT = frozenset({UNAUTHORIZED, 408, TOO_MANY, *range(500, 600)})
# Errors about the connection itself.
_GATEWAY_CODES = "WSG-"
# The status of an error by the beginning of its code: the gateway may send the code alone.
_STATUS = {"CMN-1": 400, "CMN-2": 500, "CMN-3": 429, "CMN-4": 403, "OAU-": 401, "SUB-": 400}


class ErrorAction(Enum):
    """What to do about an error."""

    RAISE = "raise"
    """Raise it: the next connection would get it, too."""
    RECONNECT = "reconnect"
    """Close the connection and make another one."""
    REPORT = "report"
    """Keep the connection, and write it to the log."""


def error_from_frame(frame: Frame, redactor: Redactor | None = None) -> ApiError:
    """Return the error that a frame reports, without the secrets that a redactor knows."""
    code = error_code(frame.body)
    status = frame.status or 0
    if status < 400:
        status = next((s for start, s in _STATUS.items() if str(code).startswith(start)), 500)
    return error_from_body(Response(status, {}, b"", redactor), frame.body, excerpt=str(code or ""))


def action_for(error: ApiError, *, is_decisive: bool, is_recovering: bool) -> ErrorAction:
    """Return what to do about an error.

    Args:
        error: what the gateway has reported.
        is_decisive: it is about the connection or its subscription, so the session cannot go on.
        is_recovering: it may be about the recovery token, which is not sent a second time.
    """
    if is_decisive and error.http_status not in TRANSIENT and not is_recovering:
        return ErrorAction.RAISE
    is_about_connection = (error.error_code or "").startswith(_GATEWAY_CODES)
    if is_decisive or is_about_connection or error.http_status == UNAUTHORIZED:
        return ErrorAction.RECONNECT
    return ErrorAction.REPORT
