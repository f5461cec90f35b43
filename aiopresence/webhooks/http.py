"""The HTTP of a webhook: reading calls with care, and answering them briefly.

Source of what RingCentral sends and expects: RingCentral guide, "Webhooks".
"""

import asyncio
import re
from collections.abc import Mapping
from contextlib import suppress

import attrs
from aiohttp import StreamReader, web

from ..errors import DecodeError
from ..models import PresenceEvent
from ..protocol import decoding, event_parsing

# A detailed notification has some kilobytes; a guess at what none reaches.
MAX_BODY = 256 * 1024
# RingCentral waits 3 s for the answer, so there is no use in reading longer than this.
READ_SECONDS = 2.5
# What is read and thrown away of a body that is refused, so that the sender, which may not look
# before all is sent, sees the answer. Guesses.
_SPILL, SPILL_SECONDS = 256 * 1024, 0.25
# What may be echoed: nothing that could be more than a header's value.
_CHALLENGE = re.compile(r"[A-Za-z0-9._~+/=-]{1,256}", re.ASCII)
_RETRY_AFTER = "10"  # seconds; a guess


class RefusedError(Exception):
    """A call is not taken.

    Args:
        status: the HTTP status to answer with.
        headers: what else to answer.
    """

    def __init__(self, status: int, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(status)
        self.status = status
        self.headers = headers


def unavailable() -> RefusedError:
    """Make the refusal of what may be sent again."""
    return RefusedError(503, {"Retry-After": _RETRY_AFTER})


@attrs.frozen
class Credentials:
    """The two headers that may hold a secret; None for one that did not come.

    Attributes:
        verification: the secret.
        validation: the secret as well, or the challenge of a handshake.
    """

    verification: str | None = attrs.field(repr=False)
    validation: str | None = attrs.field(repr=False)

    @property
    def secret(self) -> str:
        """What has to be the secret of a notification; empty when there is nothing."""
        return (self.validation if self.verification is None else self.verification) or ""


def credentials(request: web.Request) -> Credentials:
    """Find the credentials of a call; RefusedError when one came twice."""
    return Credentials(_one(request, "Verification-Token"), _one(request, "Validation-Token"))


def _one(request: web.Request, name: str) -> str | None:
    values = request.headers.getall(name, [])
    if len(values) > 1:
        raise RefusedError(401)
    return values[0] if values else None


def is_challenge(text: str | None) -> bool:
    """Tell whether a Validation-Token may be echoed."""
    return text is not None and bool(_CHALLENGE.fullmatch(text))


async def read(request: web.Request, bound: int, seconds: float) -> bytes:
    """Read a body.

    Args:
        request: the call.
        bound: how many bytes it may have.
        seconds: how long it may take.

    Raises:
        RefusedError: 413, 408 or 415.
    """
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise RefusedError(415)
    if (request.content_length or 0) > bound:
        raise RefusedError(413)
    # A middleware of the app's may have read it before; then aiohttp has kept it.
    read_before = request.content.at_eof()
    body = await request.read() if read_before else await _in_time(request, bound, seconds)
    if len(body) > bound:
        raise RefusedError(413)
    return body


async def _in_time(request: web.Request, bound: int, seconds: float) -> bytes:
    try:
        async with asyncio.timeout(seconds):
            return await _up_to(request.content, bound)
    except TimeoutError:
        raise RefusedError(408) from None
    except Exception:  # what is no HTTP, or a caller who has left
        raise RefusedError(400) from None


async def _up_to(content: StreamReader, bound: int) -> bytes:
    body = bytearray()
    while chunk := await content.read(min(65_536, bound + 1 - len(body))):
        body += chunk
        if len(body) > bound:
            return bytes(body)
    return bytes(body)


def event(request: web.Request, body: bytes) -> PresenceEvent:
    """Read the notification of a call.

    Raises:
        RefusedError: 415 or 400.
    """
    if request.content_type != "application/json":
        raise RefusedError(415)
    try:
        return event_parsing.read(decoding.parse(body))
    except DecodeError:
        raise RefusedError(400) from None


def answer(status: int, headers: Mapping[str, str] | None = None) -> web.Response:
    """Make an answer that says nothing but this."""
    always = {"Content-Type": "application/json"}
    return web.Response(status=status, headers={**always, **(headers or {})})


async def finish(request: web.Request, response: web.Response) -> web.StreamResponse:
    """Answer at once when the call is not over yet, and hang up.

    By itself, aiohttp would go on to read for 10 s whatever comes.
    """
    if request.content.is_eof():
        return response
    response.force_close()
    with suppress(Exception):  # the caller has left, or goes on and on
        await response.prepare(request)
        await response.write_eof()
        async with asyncio.timeout(SPILL_SECONDS):
            await _up_to(request.content, _SPILL)
    if not request.content.is_eof():
        request.protocol.force_close()
    return response
