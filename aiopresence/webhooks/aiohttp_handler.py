"""The webhook as a request handler of aiohttp.web."""

import asyncio
from contextlib import suppress

from aiohttp import StreamReader, web

from . import http
from .http import CallHeaders, Refused, Respond


async def handle(request: web.Request, respond: Respond) -> web.StreamResponse:
    """Return the response to a call.

    Args:
        request: the call.
        respond: what handles it.
    """

    async def read(limit: int) -> bytes:
        # A middleware of the application may have read the body; then aiohttp has kept it.
        if request.content.at_eof():
            return await request.read()
        try:
            return await _read_up_to(request.content, limit)
        except Exception:  # malformed HTTP, or the caller has disconnected
            raise Refused(400) from None

    answer = await respond(request.method, CallHeaders(request.headers.items()), read)
    response = web.Response(status=answer.status, headers=answer.headers, body=answer.body)
    return await _finish(request, response)


async def _read_up_to(content: StreamReader, limit: int) -> bytes:
    body = bytearray()
    while chunk := await content.read(min(65_536, limit - len(body))):
        body += chunk
    return bytes(body)


async def _finish(request: web.Request, response: web.Response) -> web.StreamResponse:
    """Return the response; if the body is not read yet, send it now and close the connection.

    Otherwise aiohttp would continue to read the body for 10 s.
    """
    if request.content.is_eof():
        return response
    response.force_close()
    with suppress(Exception):  # the caller has disconnected, or does not stop sending
        await response.prepare(request)
        await response.write_eof()
        async with asyncio.timeout(http.DISCARD_SECONDS):
            await _read_up_to(request.content, http.MAX_DISCARDED)
    if not request.content.is_eof():
        request.protocol.force_close()
    return response
