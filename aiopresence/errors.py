"""Every error that aiopresence raises.

```
PresenceError
├── TransportError            there is no complete response
│   ├── ConnectionFailed      no connection, or it was lost
│   └── Timeout               it took longer than the session's timeout
├── ApiError                  RingCentral responded with an error
│   ├── AuthError             the credentials or the token were refused
│   ├── PermissionDenied      403
│   ├── NotFound              404
│   ├── InvalidRequest        any other 4xx
│   ├── RateLimited           429
│   └── ServerError           5xx
├── DecodeError               the response cannot be decoded
├── SessionLost               an event stream cannot be continued
├── RestoreFailed             a temporary change of presence could not be undone
├── RedisFailed               Redis does not work, or not in time
├── LookupFailed              a directory has no such entry, or several (also a LookupError)
├── UsageError                the call itself is wrong (also a ValueError)
└── BatchError                several of the above at once (also an ExceptionGroup)
```

Messages are one line, say what to do next where that is known, and never contain a token.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .auth_advice import advice_for
from .escaping import escaped


def one_line(text: str, limit: int = 256) -> str:
    """Return a server's text safe to log: on one line, escaped, and not longer than `limit`."""
    text = text if len(text) <= limit else text[: limit - 1] + "…"
    return escaped(text)


def short_repr(value: object) -> str:
    """Return the repr of an argument for a message: short, on one line, without ever failing."""
    try:
        return one_line(repr(value), 60)
    except Exception:
        return f"a {type(value).__name__}"


# The digits of the longest extension number; ids that were seen have nine or more.
_LONGEST_NUMBER = 6


class PresenceError(Exception):
    """The base of all errors of this library."""


class TransportError(PresenceError):
    """There is no complete response. Whether the request was applied is not known."""


class ConnectionFailed(TransportError):
    """No connection could be made, or it was lost before the response was complete.

    Attributes:
        sent: False when nothing was sent, so that nothing can have been applied.
        final: True when retrying does not help, as with a certificate that is not trusted.
    """

    def __init__(self, message: str, *, sent: bool = True, final: bool = False) -> None:
        super().__init__(message)
        self.sent = sent
        self.final = final


class Timeout(TransportError):
    """The response, body included, was not complete within the session's `timeout`."""


class ApiError(PresenceError):
    """RingCentral responded with an error. Catch a subclass for one kind, this class for all.

    Attributes:
        http_status: the HTTP status of the response, or of one id's part of a batch response.
        error_code: RingCentral's code, such as "CMN-102"; None when the response has none.
            Decide on this, never on the message.
        message: RingCentral's message; None when the response has none.
        parameter_name: the parameter that is wrong according to RingCentral, or None.
        request_id: the `RCRequestId` of the response, for RingCentral's support, or None.
        retry_after: seconds to wait before trying again; None when the response does not say.
        body: the first 256 characters of the response body.

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
        advice = advice_for(self.error_code) or self._advice()
        text = one_line(self._description(), 512)
        # Last, because the end is what is cut where there is no space.
        request = one_line(f" [request {self.request_id}]") if self.request_id else ""
        return (f"{text}; {advice}" if advice else text) + request

    def _description(self) -> str:
        """Return what happened, without advice: RingCentral's reason as a part of a sentence."""
        message = (self.message or "").rstrip(" .")
        reason = " ".join(filter(None, (self.error_code, message))) or "no reason given"
        is_named = self.parameter_name is None or self.parameter_name in message
        about = "" if is_named else f" (parameter {self.parameter_name})"
        return f"HTTP {self.http_status}: {reason}{about}"

    def _advice(self) -> str:
        """Return what to do about this kind of error, where its code does not say."""
        return ""


class AuthError(ApiError):
    """The credentials were refused, or the server rejects the tokens it issues.

    Attributes:
        final: True when the credentials were refused, or the access token of a session that has
            no other: retrying does not help. False when newly issued tokens were rejected in all
            attempts, or when the server did not answer a login as a login endpoint does, as with
            404 or a redirect. Both may pass.
    """

    final: bool = False

    def _advice(self) -> str:
        if self.final:
            return "check the credentials, and that they belong to this server"
        if self.http_status != 401:
            return "this is no answer to a login: check the address of the server"
        return "the server rejected the token that it issued: try again later"


class PermissionDenied(ApiError):
    """The app or the user has no permission. Reads need ReadPresence, writes EditPresence."""

    def _advice(self) -> str:
        advice = "check the app's permissions and the user's role"
        if "ReadAccounts" in (self.message or ""):
            # RingCentral demands it for the whole account and for the directory.
            return f"{advice}, or use extension ids: they need only ReadPresence"
        return advice


class NotFound(ApiError):
    """The extension, account, call queue or path does not exist, or not for this user.

    Attributes:
        id: the id that was requested; None if there was none, or there were several.
    """

    id: str | None = None

    def _advice(self) -> str:
        id_ = self.id or ""
        if id_.isdecimal() and len(id_) <= _LONGEST_NUMBER:
            hint = "looks like an extension number: look up its id with session.read_directory()"
            return f"{id_} {hint}, or use --number on the command line"
        return "check the id, and that this user may see it"


class InvalidRequest(ApiError):
    """RingCentral refused the request as invalid: any other 4xx. Retrying does not help."""


class RateLimited(ApiError):
    """There were too many requests, or the rate limits demand a longer wait than `max_wait`.

    Attributes:
        group: the usage-plan group whose limit is reached; None when not known.
        sent: False when the session did not send the request, because of `max_wait` or of a
            penalty of more than an hour.
        retry_after: seconds until it may be sent again; None when RingCentral did not say.
    """

    group: str | None = None
    sent: bool = True

    def _description(self) -> str:
        # There was no response: the status stands for the one that is avoided.
        return super()._description() if self.sent else self.message or "not sent"

    def _advice(self) -> str:
        advice = _try_again(self.retry_after)
        is_penalty = self.sent and self.retry_after is not None
        return f"{advice}: earlier requests extend the penalty" if is_penalty else advice


class ServerError(ApiError):
    """RingCentral failed: a 5xx. A read may be repeated later; a write may have been applied."""

    def _advice(self) -> str:
        return _try_again(self.retry_after)


def _try_again(seconds: float | None) -> str:
    """Return when to try again; None if RingCentral did not say."""
    return "try again later" if seconds is None else f"try again in {seconds:.0f} s"


class DecodeError(PresenceError):
    """A response could not be decoded, so no value is returned rather than a guessed one.

    Attributes:
        path: where in the response, as in `$.activeCalls[0].startTime`; `$` is all of it.
        reason: what is wrong there. It never quotes the value of a response.
    """

    def __init__(self, reason: str, path: str = "$") -> None:
        super().__init__(reason, path)
        self.reason = reason
        self.path = path

    def __str__(self) -> str:
        where = "" if self.path == "$" else f"{self.path}: "
        return one_line(f"cannot decode the response: {where}{self.reason}")


class SessionLost(PresenceError):
    """An event stream ended and cannot be continued. Events since then are lost."""


class RestoreFailed(PresenceError):
    """A temporary change of presence could not be undone.

    Attributes:
        remaining: the fields of PresenceInfoRequest that may still be changed, and their values;
            empty when nothing was changed, because the values before are not known.
    """

    def __init__(self, message: str, remaining: Mapping[str, Any]) -> None:
        super().__init__(message, remaining)
        self.remaining = dict(remaining)

    def __str__(self) -> str:
        return str(self.args[0])


class RedisFailed(PresenceError):
    """Redis cannot be reached, does not reply in time, or refused a command.

    It concerns only what is shared over Redis; RingCentral has nothing to do with it.
    """


class LookupFailed(PresenceError, LookupError):
    """A text stands for no entry of a directory, or for several.

    Attributes:
        text: what was looked for; of several texts, all that failed, with commas between them.
        matches: the entries that match equally; empty if none matches.
        near: the entries that are like the text, if none matches.
    """

    def __init__(
        self, message: str, text: str, matches: Iterable[Any] = (), near: Iterable[Any] = ()
    ) -> None:
        self.text = text
        self.matches = tuple(matches)
        self.near = tuple(near)
        super().__init__(message, text, self.matches, self.near)

    def __str__(self) -> str:
        return str(self.args[0])


class UsageError(PresenceError, ValueError):
    """The call itself is wrong. The message says what is expected.

    Nothing was sent, except for the ids that a stream of ids yielded before the wrong one.
    """


class BatchError(ExceptionGroup[PresenceError], PresenceError):
    """Some ids of a bulk call failed: `.exceptions` has one error per failed id.

    `except PresenceError` catches the whole group, `except* NotFound` one kind of error in it.
    """

    def derive(self, excs: Sequence[PresenceError]) -> "BatchError":  # type: ignore[override]
        """Return a group of some of the errors, for `except*`."""
        return BatchError(self.message, excs)
