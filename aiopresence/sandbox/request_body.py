"""Request bodies: Expect, Content-Encoding, and JSON."""

import json
import zlib

from aiohttp import HttpVersion11, web

from .responses import RefusedError

MAX_SIZE = 2**20  # bytes, before and after decompression; a guess

_WBITS = {"gzip": 31, "x-gzip": 31, "deflate": 15}  # for zlib


async def read_body(request: web.BaseRequest) -> bytes:
    """Return the body, decompressed.

    Raises:
        RefusedError: 417 for an unknown expectation, 415 for an unknown Content-Encoding, 413 for
            a body over 1 MiB, or 400 for one that cannot be decompressed.
    """
    expect = request.headers.get("Expect")
    if expect is not None and request.version >= HttpVersion11:
        if expect.lower() != "100-continue":
            raise _refused(417, "The expectation is not supported.")
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0  # as aiohttp does: the response has not started
    coding = request.headers.get("Content-Encoding", "identity").strip().lower() or "identity"
    if coding != "identity" and coding not in _WBITS:
        raise _refused(415, "The Content-Encoding is not supported.")
    try:
        data = await request.read()
    except web.HTTPRequestEntityTooLarge:
        raise _too_large() from None
    return data if coding == "identity" else _decompressed(data, _WBITS[coding])


def parse_json(data: str | bytes) -> object:
    """Parse JSON that can be serialized again as UTF-8.

    Raises:
        ValueError: it is not JSON, is nested too deeply, or has NaN, an infinite number or a lone
            surrogate, with which every response that repeats it would fail.
    """
    try:
        value: object = json.loads(data)
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except RecursionError:
        raise ValueError("nested too deeply") from None
    return value


def parse_object(data: bytes) -> dict[str, object]:
    """Parse a JSON object; anything else raises RefusedError 400."""
    try:
        value = parse_json(data)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise RefusedError(400, "CMN-101", "Parameter [body] value is invalid.", "body")
    return value


def _decompressed(data: bytes, wbits: int) -> bytes:
    result = b""
    while data:  # gzip data may consist of several members
        unpacker = zlib.decompressobj(wbits)
        try:
            result += unpacker.decompress(data, MAX_SIZE + 1 - len(result))
        except zlib.error:
            raise _refused(400, "The body cannot be decompressed.") from None
        if len(result) > MAX_SIZE:
            raise _too_large()
        if not unpacker.eof:
            raise _refused(400, "The compressed body is cut off.")
        data = unpacker.unused_data
    return result


def _too_large() -> RefusedError:
    return _refused(413, f"The body exceeds {MAX_SIZE} bytes.")


def _refused(status: int, message: str) -> RefusedError:
    return RefusedError(status, "CMN-101", message)  # which code RingCentral sends is a guess
