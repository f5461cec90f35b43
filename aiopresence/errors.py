"""Every error that aiopresence raises.

```
PresenceError
├── TransportError            the bytes did not make it there or back
│   ├── ConnectionFailed      no connection, or it broke
│   └── Timeout               it took longer than the session's timeout
├── ApiError                  RingCentral answered, and the answer is no
│   ├── AuthError             the credentials or the token were refused
│   ├── PermissionDenied      403
│   ├── NotFound              404
│   ├── InvalidRequest        any other 4xx
│   ├── RateLimited           429
│   └── ServerError           5xx
├── DecodeError               RingCentral answered, and we cannot make sense of it
├── SessionLost               an event stream cannot be continued
├── UsageError                the call itself is wrong (also a ValueError)
└── BatchError                several of the above at once (also an ExceptionGroup)
```

Messages are one line, say what to do next where that is known, and never hold a token.
"""

from collections.abc import Sequence

from .auth_advice import advice_for
from .escaping import escaped


def one_line(text: str, limit: int = 256) -> str:
    """Make a server's text safe to log: on one line, escaped, and not longer than `limit`."""
    text = text if len(text) <= limit else text[: limit - 1] + "…"
    return escaped(text)


def shown(value: object) -> str:
    """Show what the user gave, in a message: short, on one line, and whatever it is."""
    try:
        return one_line(repr(value), 60)
    except Exception:
        return f"a {type(value).__name__}"


class PresenceError(Exception):
    """The base of all errors of this library."""


class TransportError(PresenceError):
    """The request or its answer was lost on the way. Whether it had an effect is not known."""


class ConnectionFailed(TransportError):
    """No connection could be made, or it broke before the whole answer had arrived.

    Attributes:
        sent: False when no connection was made, so that nothing can have been applied.
        final: True when trying again will not help, as with a certificate that is not trusted.
    """

    def __init__(self, message: str, *, sent: bool = True, final: bool = False) -> None:
        super().__init__(message)
        self.sent = sent
        self.final = final


class Timeout(TransportError):
    """The answer, body included, did not arrive within the session's `timeout`."""


class ApiError(PresenceError):
    """RingCentral refused. Catch a subclass for one kind of refusal, this one for all.

    Attributes:
        http_status: the status of the answer, or of one id's part in a batch answer.
        error_code: RingCentral's code, such as "CMN-102"; None when the answer had none.
            Decide on this, never on the message.
        message: RingCentral's own words; None when the answer had none.
        parameter_name: the parameter RingCentral objects to, or None.
        request_id: the `RCRequestId` of the answer, which RingCentral's support asks for, or None.
        retry_after: seconds to wait before trying again, or None when the answer did not say.
        body: the first 256 characters of the answer.

    Source: RingCentral API reference, "Error handling".
    """

    def __init__(
        self,
        http_status: int,
        error_code: str | None = None,
        message: str | None = None,
        parameter_name: str | None = None,
        request_id: str | None = None,
        retry_after: float | None = None,
        body: str = "",
    ) -> None:
        super().__init__(http_status, error_code, message, parameter_name)
        self.http_status = http_status
        self.error_code = error_code
        self.message = message
        self.parameter_name = parameter_name
        self.request_id = request_id
        self.retry_after = retry_after
        self.body = body

    def __str__(self) -> str:
        said = " ".join(filter(None, (self.error_code, self.message))) or "no reason given"
        about = f" (parameter {self.parameter_name})" if self.parameter_name else ""
        request = f" [request {self.request_id}]" if self.request_id else ""
        advice = advice_for(self.error_code) or self._advice()
        text = one_line(f"HTTP {self.http_status}: {said}{about}{request}", 512)
        return f"{text}; {advice}" if advice else text

    def _advice(self) -> str:
        """Return what to do about this kind of error, where its code does not say."""
        return ""


class AuthError(ApiError):
    """The credentials were refused, or the server keeps refusing the tokens it issues.

    Attributes:
        final: True when the credentials were refused, or the access token of a session that has
            nothing else: trying again will not help. False when newly issued tokens were refused
            in all attempts, which may pass.
    """

    final: bool = False

    def _advice(self) -> str:
        if self.final:
            return "check the credentials, and that they belong to this server"
        return "the server refused the token that it issued: try again later"


class PermissionDenied(ApiError):
    """The app or the user may not do this. Reads need ReadPresence, writes EditPresence."""

    def _advice(self) -> str:
        return "check the app's permissions and the user's role"


class NotFound(ApiError):
    """There is no such extension, account, call queue or path, or this user cannot see it."""


class InvalidRequest(ApiError):
    """RingCentral found the request itself wrong; sending it again will not help."""


class RateLimited(ApiError):
    """Too many requests, or more waiting for the limits than `max_wait` allows.

    Attributes:
        group: the usage-plan group that is used up; None when not known.
        sent: False when the session refused by itself, because of `max_wait` or of a penalty of
            more than an hour.
        retry_after: seconds until it may be tried again; None when RingCentral did not say.
    """

    group: str | None = None
    sent: bool = True

    def _advice(self) -> str:
        if self.retry_after is None:
            return ""
        advice = f"try again in {self.retry_after:.0f} s"
        return f"{advice}, sooner makes it longer" if self.sent else advice


class ServerError(ApiError):
    """RingCentral failed. Reading again later is safe."""


class DecodeError(PresenceError):
    """An answer could not be understood, so no value is given rather than a guessed one.

    Attributes:
        path: where in the answer, as in `$.activeCalls[0].startTime`; `$` is the whole of it.
        reason: what is wrong there. It never quotes the value.
    """

    def __init__(self, reason: str, path: str = "$") -> None:
        super().__init__(reason, path)
        self.reason = reason
        self.path = path

    def __str__(self) -> str:
        return one_line(f"{self.path}: {self.reason}")


class SessionLost(PresenceError):
    """An event stream ended and cannot be continued; events since then are lost."""


class UsageError(PresenceError, ValueError):
    """The call is wrong. The message says what would be right.

    Nothing was sent, unless it comes from a stream of ids: then what came before the wrong one was.
    """


class BatchError(ExceptionGroup[PresenceError], PresenceError):
    """Some ids of a bulk call failed: one error per failed id, in `.exceptions`.

    `except PresenceError` catches it whole, `except* NotFound` one kind of it.
    """

    def derive(self, excs: Sequence[PresenceError]) -> "BatchError":  # type: ignore[override]
        """Make the part of this group that `except*` asks for."""
        return BatchError(self.message, excs)
