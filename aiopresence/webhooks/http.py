"""The HTTP side of a webhook with aiohttp.web: limited reading, short responses.

Source of what RingCentral sends and expects: RingCentral guide, "Webhooks".
"""

import asyncio
from collections.abc import Mapping
from contextlib import suppress

from aiohttp import StreamReader, web

from ..errors import DecodeError
from ..models import PresenceEvent
from ..protocol import decoding, event_parsing
from .verification import VALIDATION_HEADER, VERIFICATION_HEADER, TokenHeaders

# A detailed notification has a few kilobytes. A guess: above any real notification.
MAX_BODY = 256 * 1024
# RingCentral waits 3 s for the response (documented), so reading longer is useless.
READ_SECONDS = 2.5
# How much of a refused body is read and discarded: a sender may look for the response only after
# it has sent everything. Guesses.
_MAX_DISCARDED, DISCARD_SECONDS = 256 * 1024, 0.25
_RETRY_AFTER = "10"  # seconds; a guess


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


def token_headers(request: web.Request) -> TokenHeaders:
    """Return the token headers of a call; raise Refused(401) when one is repeated."""
    return TokenHeaders(_single(request, VERIFICATION_HEADER), _single(request, VALIDATION_HEADER))


def _single(request: web.Request, name: str) -> str | None:
    values = request.headers.getall(name, [])
    if len(values) > 1:
        raise Refused(401)
    return values[0] if values else None


async def read(request: web.Request, limit: int, seconds: float) -> bytes:
    """Return the body of a call.

    Args:
        request: the call.
        limit: how many bytes the body may have.
        seconds: how long reading may take.

    Raises:
        Refused: with status 400, 408, 413 or 415.
    """
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise Refused(415)
    if (request.content_length or 0) > limit:
        raise Refused(413)
    # A middleware of the application may have read the body; then aiohttp has kept it.
    already_read = request.content.at_eof()
    body = await request.read() if already_read else await _read_within(request, limit, seconds)
    if len(body) > limit:
        raise Refused(413)
    return body


async def _read_within(request: web.Request, limit: int, seconds: float) -> bytes:
    try:
        async with asyncio.timeout(seconds):
            return await _read_up_to(request.content, limit)
    except TimeoutError:
        raise Refused(408) from None
    except Exception:  # malformed HTTP, or the caller has disconnected
        raise Refused(400) from None


async def _read_up_to(content: StreamReader, limit: int) -> bytes:
    body = bytearray()
    while chunk := await content.read(min(65_536, limit + 1 - len(body))):
        body += chunk
        if len(body) > limit:
            return bytes(body)
    return bytes(body)


def parse_event(request: web.Request, body: bytes) -> PresenceEvent:
    """Parse the notification of a call.

    Raises:
        Refused: with status 415 or 400.
    """
    if request.content_type != "application/json":
        raise Refused(415)
    try:
        return event_parsing.parse(decoding.parse(body))
    except DecodeError:
        raise Refused(400) from None


def respond(status: int, headers: Mapping[str, str] | None = None) -> web.Response:
    """Return a response without a body."""
    return web.Response(
        status=status, headers={"Content-Type": "application/json", **(headers or {})}
    )


async def finish(request: web.Request, response: web.Response) -> web.StreamResponse:
    """Return the response; if the body is not read yet, send it now and close the connection.

    Otherwise aiohttp would continue to read the body for 10 s.
    """
    if request.content.is_eof():
        return response
    response.force_close()
    with suppress(Exception):  # the caller has disconnected, or does not stop sending
        await response.prepare(request)
        await response.write_eof()
        async with asyncio.timeout(DISCARD_SECONDS):
            await _read_up_to(request.content, _MAX_DISCARDED)
    if not request.content.is_eof():
        request.protocol.force_close()
    return response
