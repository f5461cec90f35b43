"""HTTP/1.1 over asyncio streams: requests are parsed and responses are written by hand."""

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote

JSON = "application/json"
REASONS = {
    101: "Switching Protocols",
    200: "OK",
    201: "Created",
    204: "No Content",
    207: "Multi-Status",
    302: "Found",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    415: "Unsupported Media Type",
    429: "Too Many Requests",
    500: "Internal Server Error",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Gateway Timeout",
}


class WireError(Exception):
    """What the client sent is not HTTP/1.1."""


@dataclass(frozen=True)
class Request:
    """One request as it arrived. `path` is not decoded."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes = b""

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    @property
    def query(self) -> list[tuple[str, str]]:
        return parse_qsl(self.target.partition("?")[2], keep_blank_values=True)

    def header(self, name: str) -> str | None:
        """Return the first value of a header, whatever the case of its name."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)

    @property
    def content_type(self) -> str:
        return (self.header("Content-Type") or "").partition(";")[0].strip().lower()

    @property
    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.body.decode("utf-8", "replace"), keep_blank_values=True))

    @property
    def ids(self) -> list[str]:
        """The ids between "/extension/" and the next slash; empty if there are none."""
        _, found, rest = self.path.partition("/extension/")
        return unquote(rest.partition("/")[0]).split(",") if found else []


@dataclass
class Response:
    """A response: status, headers in the order in which they are sent, and the body."""

    status: int
    body: bytes = b""
    content_type: str = JSON
    headers: list[tuple[str, str]] = field(default_factory=list)

    def encode(self) -> bytes:
        """Return the bytes of the response, with Content-Length."""
        reason = REASONS.get(self.status, "Status")
        lines = [f"HTTP/1.1 {self.status} {reason}"]
        if self.body:
            lines.append(f"Content-Type: {self.content_type}")
        if self.status not in {101, 204}:
            lines.append(f"Content-Length: {len(self.body)}")
        lines += [f"{name}: {value}" for name, value in self.headers]
        return "\r\n".join([*lines, "", ""]).encode("latin-1") + self.body


def json_response(status: int, value: Any, content_type: str = JSON) -> Response:
    return Response(status, json.dumps(value).encode(), content_type)


async def read_request(reader: asyncio.StreamReader) -> Request | None:
    """Return the next request, or None if the client closed the connection before it.

    Raises:
        WireError: The bytes are no request.
    """
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        if error.partial:
            raise WireError(f"the connection ended in a head: {error.partial!r}") from error
        return None
    request = parse_head(head)
    return Request(request.method, request.target, request.headers, await _body(request, reader))


def parse_head(head: bytes) -> Request:
    """Return the request of a head that ends with an empty line, without its body."""
    start, *lines = head.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
    words = start.split(" ")
    if len(words) != 3 or words[2] != "HTTP/1.1" or not words[1].startswith("/"):
        raise WireError(f"no request line: {start!r}")
    headers = []
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not name or name != name.strip():
            raise WireError(f"no header: {line!r}")
        headers.append((name, value.strip()))
    return Request(words[0], words[1], tuple(headers))


async def _body(request: Request, reader: asyncio.StreamReader) -> bytes:
    if (request.header("Transfer-Encoding") or "").lower() == "chunked":
        return await _chunks(reader)
    return await reader.readexactly(int(request.header("Content-Length") or 0))


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    body = b""
    while True:
        size = int((await reader.readuntil(b"\r\n")).partition(b";")[0], 16)
        body += (await reader.readexactly(size + 2))[:-2]
        if not size:
            return body


def parse_response_head(head: bytes) -> tuple[int, dict[str, str]]:
    """Return the status and the headers, with lower-case names, of a response."""
    start, *lines = head.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
    pairs = (line.partition(":") for line in lines)
    return int(start.split(" ")[1]), {name.lower(): value.strip() for name, _, value in pairs}
