"""The HTTP of a webhook without any web framework: what a call must be, and how it is answered.

Source of what RingCentral sends and expects: RingCentral guide, "Webhooks".
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping

import attrs

from ..errors import DecodeError, UsageError
from ..models import PresenceEvent
from ..protocol import decoding, event_parsing
from .verification import VALIDATION_HEADER, VERIFICATION_HEADER, TokenHeaders

# A detailed notification has a few kilobytes. A guess: above any real notification.
MAX_BODY = 256 * 1024
# RingCentral waits 3 s for the response (documented), so reading longer is useless.
READ_SECONDS = 2.5
# How much of a refused body is read and discarded: a sender may look for the response only after
# it has sent everything. Guesses.
MAX_DISCARDED, DISCARD_SECONDS = 256 * 1024, 0.25
_RETRY_AFTER = "10"  # seconds; a guess


@attrs.frozen
class WebhookResponse:
    """The response to one call of the webhook.

    Attributes:
        status: the HTTP status.
        headers: the headers to send, without Content-Length.
        body: the body to send; RingCentral needs none, so it is empty.
    """

    status: int
    headers: dict[str, str]
    body: bytes = b""


# Returns the body of a call, of which it reads no more than a number of bytes.
ReadBody = Callable[[int], Awaitable[bytes]]


class Refused(Exception):
    """A call is refused.

    Args:
        status: the HTTP status of the response.
        headers: additional headers of the response.
    """

    def __init__(self, status: int, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(status)
        self.status = status
        self.headers = headers


def unavailable() -> Refused:
    """Return the refusal that asks RingCentral to send the notification again later."""
    return Refused(503, {"Retry-After": _RETRY_AFTER})


class CallHeaders:
    """The headers of a call, by name in any case.

    Args:
        pairs: name and value of each header; a repeated header has several pairs.

    Raises:
        UsageError: these are no pairs of str or bytes.
    """

    def __init__(self, pairs: Iterable[tuple[str | bytes, str | bytes]]) -> None:
        self._values: dict[str, list[str]] = {}
        try:
            for name, value in pairs:
                self._values.setdefault(_text(name).lower(), []).append(_text(value))
        except (TypeError, ValueError):
            raise UsageError(
                "headers must be a mapping, or pairs of name and value; all of them str or bytes"
            ) from None

    def get(self, name: str, default: str) -> str:
        """Return the first value of a header, or a default."""
        return self._values.get(name, [default])[0]

    @property
    def tokens(self) -> TokenHeaders:
        """The headers that may hold the token; raises Refused(401) when one is repeated."""
        return TokenHeaders(self._single(VERIFICATION_HEADER), self._single(VALIDATION_HEADER))

    def _single(self, name: str) -> str | None:
        values = self._values.get(name.lower(), [])
        if len(values) > 1:
            raise Refused(401)
        return values[0] if values else None

    def check_body(self, limit: int) -> None:
        """Raise Refused, with status 413 or 415, when the body need not be read at all.

        Args:
            limit: how many bytes the body may have.
        """
        if self.get("content-encoding", "identity").lower() != "identity":
            raise Refused(415)
        length = self.get("content-length", "")
        # Servers refuse what is no number. More digits than any real length are not converted.
        if length.isdecimal() and (len(length) > 18 or int(length) > limit):
            raise Refused(413)


def _text(value: object) -> str:
    """Return a name or value as str, whatever its bytes are: only ASCII is accepted or echoed."""
    if isinstance(value, bytes):
        return value.decode("latin-1")
    if not isinstance(value, str):
        raise TypeError
    return value


def parse_event(headers: CallHeaders, body: bytes) -> PresenceEvent:
    """Parse the notification of a call.

    Raises:
        Refused: with status 415 or 400.
    """
    if headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise Refused(415)
    try:
        return event_parsing.parse(decoding.parse(body))
    except DecodeError:
        raise Refused(400) from None


def respond(status: int, headers: Mapping[str, str] | None = None) -> WebhookResponse:
    """Return a response without a body."""
    return WebhookResponse(status, {"Content-Type": "application/json", **(headers or {})})


# Handles a call: its method, its headers, and what reads its body.
Respond = Callable[[str, CallHeaders, ReadBody], Awaitable[WebhookResponse]]
