"""multipart/mixed bodies, read strictly and in linear time.

Line ends may be CRLF or LF, also both in one body (LF has been seen in RingCentral's answers). A
part counts only when the delimiter after it has arrived, so a cut body never yields a cut part.
Source: RFC 2046 §5.1.
"""

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from io import BytesIO
from itertools import islice

import attrs

from ..errors import DecodeError

# Bounds on hostile bodies, guesses with room to spare: presence parts have two or three header
# lines, and a detailed record with seven calls is about 7 KB.
MAX_HEADER_LINES = 16
MAX_HEADER_BYTES = 8 * 1024
MAX_PART = 512 * 1024
# How many lines may begin like a delimiter and be none.
MAX_LOOKALIKES = 1000

# RFC 2046 §5.1.1: at most 70 characters, the last of them no space.
_BOUNDARY = re.compile(r"[0-9A-Za-z'()+_,./:=? -]{0,69}[0-9A-Za-z'()+_,./:=?-]", re.ASCII)
_BLANK_LINE = re.compile(rb"(?:\A|\n)\r?\n")
_TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_PARAMETER = re.compile(r';\s*([^\s;="]+)\s*=\s*("(?:[^"\\]|\\.)*"|[^\s;"]*)\s*')


def content_type(value: str) -> tuple[str, dict[str, str]]:
    """Split a Content-Type into its media type and parameters, names in lower case.

    What cannot be understood is left out; of a parameter given twice the first counts.
    """
    value = value[:MAX_HEADER_BYTES]
    media = value.partition(";")[0]
    parameters: dict[str, str] = {}
    for name, text in _PARAMETER.findall(value, len(media)):
        if text.startswith('"'):
            text = re.sub(r"\\(.)", r"\1", text[1:-1])
        parameters.setdefault(name.lower(), text)
    return media.strip().lower(), parameters


def boundary_of(value: str) -> bytes:
    """Take the boundary from the Content-Type of an answer.

    Raises:
        DecodeError: it is not multipart/mixed, or has no boundary that RFC 2046 allows.
    """
    media, parameters = content_type(value)
    if media != "multipart/mixed":
        raise DecodeError("not multipart/mixed")
    boundary = parameters.get("boundary", "")
    if not _BOUNDARY.fullmatch(boundary):
        raise DecodeError("multipart without a valid boundary")
    return boundary.encode()


@attrs.frozen
class Split:
    """The parts of a body, unread.

    Attributes:
        parts: each part's bytes, headers and all, without the line end before its delimiter.
        closed: whether the closing delimiter was there. Without it the body was cut, and what
            came after the last delimiter is not among the parts.
    """

    parts: tuple[bytes, ...]
    closed: bool


def split(body: bytes, boundary: bytes, max_parts: int) -> Split:
    """Split a body at its delimiter lines; what is before the first and after the last is ignored.

    Args:
        body: the whole body.
        boundary: as `boundary_of` gave it.
        max_parts: how many parts the caller can have asked for.

    Raises:
        DecodeError: no delimiter, more parts than `max_parts`, or the parts cannot be told apart.
    """
    parts: list[bytes] = []
    start = None
    for line, after, closing in _delimiters(body, b"--" + boundary):
        if start is not None:
            parts.append(body[start : _line_end_before(body, line, start)])
        if len(parts) > max_parts:
            raise DecodeError(f"more than {max_parts} parts")
        if closing:
            return Split(tuple(parts), closed=True)
        start = after
    if start is None:
        raise DecodeError("multipart without a delimiter")
    return Split(tuple(parts), closed=False)


def _delimiters(body: bytes, dashes: bytes) -> Iterator[tuple[int, int, bool]]:
    """Find delimiter lines: where each begins, where the line after it begins, if it closes."""
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
            raise DecodeError("too many lines that only look like delimiters")
        line = body.find(b"\n" + dashes, after - 1) + 1 or -1


def _line_end_before(body: bytes, line: int, start: int) -> int:
    """Step back over the line end (LF or CRLF) before a line, which belongs to the delimiter."""
    end = line
    for byte in (b"\n", b"\r"):
        if end > start and body[end - 1 : end] == byte:
            end -= 1
    return end


def uniform(body: bytes, boundary: bytes, count: int) -> list[bytes]:
    """Give what the parts hold if there are `count` that look all the same; else nothing.

    Nearly all bodies are like that: every part begins with the same delimiter and headers. What
    looks like another delimiter stays within what a part holds, which is no JSON then.

    Raises:
        DecodeError: as `payload`.
    """
    dashes = b"--" + boundary
    blank = _BLANK_LINE.search(body, 0, MAX_HEADER_BYTES) if body.startswith(dashes) else None
    closing = body.rfind(b"\n" + dashes + b"--") + 1
    if (
        blank is None
        or closing < blank.end()
        or body[closing + len(dashes) + 2 :] not in (b"", b"\n", b"\r\n")
    ):
        return []
    head = body[: blank.end()]
    delimiter, _, headers = body[: blank.start()].partition(b"\n")
    if delimiter.removesuffix(b"\r") != dashes or dashes in headers:
        return []
    _check_headers(headers)
    parts = _lines(body[:closing], head, count) or _split(body[:closing], head)
    longest = MAX_PART - len(head)
    return parts if len(parts) == count and max(map(len, parts)) <= longest else []


def _lines(body: bytes, head: bytes, count: int) -> list[bytes]:
    """Give every so many lines one, if those between are always the same: the quickest way."""
    length = head.count(b"\n") + 1
    lines = [*islice(BytesIO(body), length * count + 1)]
    same = all(lines[n::length] == [lines[n]] * count for n in range(length - 1))
    return lines[length - 1 :: length] if same and len(lines) == length * count else []


def _split(body: bytes, head: bytes) -> list[bytes]:
    """Give what is between two heads, over however many lines."""
    return body[len(head) : -1].split(b"\n" + head)


def payload(part: bytes) -> bytes:
    """Give the JSON bytes of one part.

    Raises:
        DecodeError: headers that are none or too many, a content type that is not JSON (a nested
            multipart, an embedded HTTP status line), or an encoding other than plain UTF-8. A
            Content-Length is not trusted: the delimiters say where a part ends.
    """
    if len(part) > MAX_PART:
        raise DecodeError(f"a part of more than {MAX_PART} bytes")
    blank = _BLANK_LINE.search(part, 0, MAX_HEADER_BYTES)
    if blank is None:
        raise DecodeError("a part without an end of its headers")
    _check_headers(part[: blank.start()])
    return part[blank.end() :]


# All parts of an answer have the same headers, or differ in their Content-Length only.
@lru_cache(maxsize=256)
def _check_headers(lines: bytes) -> None:
    headers = _headers(lines)
    media, parameters = content_type(headers.get("content-type", "application/json"))
    if not (media == "application/json" or media.endswith("+json")):
        raise DecodeError("a part that is not JSON")
    for encoding, plain in (
        (parameters.get("charset", ""), ("", "utf-8", "utf8", "us-ascii")),
        (headers.get("content-transfer-encoding", ""), ("", "7bit", "8bit", "binary")),
        (headers.get("content-encoding", ""), ("", "identity")),
    ):
        if encoding.strip().lower() not in plain:
            raise DecodeError("a part in an encoding that is not plain UTF-8")


def _headers(lines: bytes) -> Mapping[str, str]:
    headers: dict[str, str] = {}
    for ended in lines.split(b"\n") if lines else ():
        line = ended.removesuffix(b"\r")
        name, colon, value = line.partition(b":")
        if not (colon and _TOKEN.fullmatch(name)) or b"\r" in value or b"\0" in value:
            raise DecodeError("a part with a broken header")
        headers.setdefault(name.decode().lower(), value.decode("latin-1").strip())
        if len(headers) > MAX_HEADER_LINES:
            raise DecodeError(f"a part with more than {MAX_HEADER_LINES} headers")
    return headers
