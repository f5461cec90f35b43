"""Parse multipart/mixed bodies, strictly and in linear time.

Lines end with CRLF or LF, also both in one body (LF was seen in RingCentral's responses). A part
counts only when the delimiter after it has arrived, so a truncated body never yields a truncated
part. Source: RFC 2046 §5.1.
"""

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from io import BytesIO
from itertools import islice

import attrs

from ..errors import DecodeError

# Bounds on hostile bodies. Guesses, with a large margin: presence parts have two or three header
# lines, and a detailed record with seven calls is about 7 KB.
MAX_HEADER_LINES = 16
MAX_HEADER_BYTES = 8 * 1024
MAX_PART = 512 * 1024
# The lines that may begin like a delimiter and not be one.
MAX_LOOKALIKES = 1000

# RFC 2046 §5.1.1: at most 70 characters, the last one not a space.
_BOUNDARY = re.compile(r"[0-9A-Za-z'()+_,./:=? -]{0,69}[0-9A-Za-z'()+_,./:=?-]", re.ASCII)
_BLANK_LINE = re.compile(rb"(?:\A|\n)\r?\n")
_TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_PARAMETER = re.compile(r';\s*([^\s;="]+)\s*=\s*("(?:[^"\\]|\\.)*"|[^\s;"]*)\s*')


def parse_content_type(value: str) -> tuple[str, dict[str, str]]:
    """Return the media type and the parameters of a Content-Type, names in lower case.

    Invalid parameters are ignored; of a repeated parameter the first counts.
    """
    value = value[:MAX_HEADER_BYTES]
    media = value.partition(";")[0]
    parameters: dict[str, str] = {}
    for name, text in _PARAMETER.findall(value, len(media)):
        if text.startswith('"'):
            text = re.sub(r"\\(.)", r"\1", text[1:-1])
        parameters.setdefault(name.lower(), text)
    return media.strip().lower(), parameters


def parse_boundary(value: str) -> bytes:
    """Return the boundary in a Content-Type.

    Raises:
        DecodeError: it is not multipart/mixed, or has no boundary that RFC 2046 allows.
    """
    media, parameters = parse_content_type(value)
    if media != "multipart/mixed":
        raise DecodeError("expected multipart/mixed")
    boundary = parameters.get("boundary", "")
    if not _BOUNDARY.fullmatch(boundary):
        raise DecodeError("multipart without a valid boundary")
    return boundary.encode()


@attrs.frozen
class Split:
    """The parts of a body, unparsed.

    Attributes:
        parts: the bytes of each part with its headers, without the line end before the delimiter.
        is_closed: whether the body has a closing delimiter. Without it the body is truncated, and
            the text after the last delimiter is not among the parts.
    """

    parts: tuple[bytes, ...]
    is_closed: bool


def split(body: bytes, boundary: bytes, max_parts: int) -> Split:
    """Split a body at its delimiter lines; text before the first and after the last is ignored.

    Args:
        body: the whole body.
        boundary: from `parse_boundary`.
        max_parts: the most parts there can be.

    Raises:
        DecodeError: no delimiter, more parts than `max_parts`, or too many lines that look like a
            delimiter.
    """
    parts: list[bytes] = []
    start = None
    for line, after, closing in _delimiters(body, b"--" + boundary):
        if start is not None:
            parts.append(body[start : _line_end_before(body, line, start)])
        if len(parts) > max_parts:
            raise DecodeError(f"more than {max_parts} parts")
        if closing:
            return Split(tuple(parts), is_closed=True)
        start = after
    if start is None:
        raise DecodeError("multipart without a delimiter")
    return Split(tuple(parts), is_closed=False)


def _delimiters(body: bytes, dashes: bytes) -> Iterator[tuple[int, int, bool]]:
    """Yield each delimiter line: its start, the start of the next line, and whether it closes."""
    lookalikes = 0
    line = 0 if body.startswith(dashes) else body.find(b"\n" + dashes) + 1 or -1
    while line >= 0:
        newline = body.find(b"\n", line)
        after = newline + 1 or len(body)
        tail = body[line + len(dashes) : after].rstrip(b"\n").removesuffix(b"\r").rstrip(b" \t")
        if tail == b"--" or (not tail and newline >= 0):
            yield line, after, bool(tail)
        else:
            lookalikes += 1
        if lookalikes > MAX_LOOKALIKES:
            raise DecodeError("multipart with too many lines that look like a delimiter")
        line = body.find(b"\n" + dashes, after - 1) + 1 or -1


def _line_end_before(body: bytes, line: int, start: int) -> int:
    """Return where the line end (LF or CRLF) before a delimiter line begins: it is part of it."""
    end = line
    for byte in (b"\n", b"\r"):
        if end > start and body[end - 1 : end] == byte:
            end -= 1
    return end


def split_uniform(body: bytes, boundary: bytes, count: int) -> list[bytes]:
    """Return the payloads of `count` parts with identical headers; else an empty list.

    It is the fast path: in nearly all bodies every part begins with the same delimiter and headers.
    If another delimiter is among them, it stays within a payload, which is then not JSON.

    Raises:
        DecodeError: as `payload`.
    """
    dashes = b"--" + boundary
    blank = _BLANK_LINE.search(body, 0, MAX_HEADER_BYTES)
    closing = body.rfind(b"\n" + dashes + b"--") + 1
    if (
        blank is None
        or closing <= blank.end()
        or body[closing + len(dashes) + 2 :] not in (b"", b"\n", b"\r\n")
    ):
        return []
    head = body[: blank.end()]
    delimiter, _, headers = body[: blank.start()].partition(b"\n")
    if delimiter.removesuffix(b"\r") != dashes or dashes in headers:
        return []
    _check_headers(headers)
    parts = _split_by_lines(body[:closing], head, count) or _split_by_head(body[:closing], head)
    longest = MAX_PART - len(head)
    return parts if len(parts) == count and max(map(len, parts)) <= longest else []


def _split_by_lines(body: bytes, head: bytes, count: int) -> list[bytes]:
    """Return the payloads if each is one line, so that every n-th line is one: the fastest way."""
    length = head.count(b"\n") + 1
    lines = [*islice(BytesIO(body), length * count + 1)]
    same = all(lines[n::length] == [lines[n]] * count for n in range(length - 1))
    return lines[length - 1 :: length] if same and len(lines) == length * count else []


def _split_by_head(body: bytes, head: bytes) -> list[bytes]:
    """Return the payloads between the headers, of any number of lines."""
    return body[len(head) : -1].split(b"\n" + head)


def payload(part: bytes) -> bytes:
    """Return the JSON bytes of one part.

    The delimiters decide where a part ends; its Content-Length is ignored.

    Raises:
        DecodeError: broken or too many headers, a content type that is not JSON (a nested
            multipart, an embedded HTTP status line), or an encoding other than plain UTF-8.
    """
    if len(part) > MAX_PART:
        raise DecodeError(f"multipart part exceeds {MAX_PART} bytes")
    blank = _BLANK_LINE.search(part, 0, MAX_HEADER_BYTES)
    if blank is None:
        raise DecodeError("multipart part without the blank line after its headers")
    _check_headers(part[: blank.start()])
    return part[blank.end() :]


# The parts of a response have the same headers, or differ in their Content-Length only.
@lru_cache(maxsize=256)
def _check_headers(lines: bytes) -> None:
    headers = _headers(lines)
    media, parameters = parse_content_type(headers.get("content-type", "application/json"))
    if not (media == "application/json" or media.endswith("+json")):
        raise DecodeError("multipart part is not JSON")
    for encoding, plain in (
        (parameters.get("charset", ""), ("", "utf-8", "utf8", "us-ascii")),
        (headers.get("content-transfer-encoding", ""), ("", "7bit", "8bit", "binary")),
        (headers.get("content-encoding", ""), ("", "identity")),
    ):
        if encoding.strip().lower() not in plain:
            raise DecodeError("multipart part is not plain UTF-8")


def _headers(lines: bytes) -> Mapping[str, str]:
    headers: dict[str, str] = {}
    for raw_line in lines.split(b"\n") if lines else ():
        line = raw_line.removesuffix(b"\r")
        name, colon, value = line.partition(b":")
        if not (colon and _TOKEN.fullmatch(name)) or b"\r" in value or b"\0" in value:
            raise DecodeError("multipart part with a broken header")
        headers.setdefault(name.decode().lower(), value.decode("latin-1").strip())
        if len(headers) > MAX_HEADER_LINES:
            raise DecodeError(f"multipart part with more than {MAX_HEADER_LINES} headers")
    return headers
