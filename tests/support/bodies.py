"""Batch answers written by hand, so that a bug in the reader cannot hide in a shared writer."""

import json
from collections.abc import Sequence
from typing import Any

import attrs

from aiopresence import Response

BOUNDARY = "Boundary_7_42"
NOT_FOUND = {"errorCode": "CMN-102", "message": "Nicht gefunden: extensión ☎"}


def record(id_: str, **fields: Any) -> dict[str, Any]:
    return {
        "uri": f"https://example.test/restapi/v1.0/account/1/extension/{id_}/presence",
        "extension": {"id": int(id_), "extensionNumber": id_[-3:]},
        "presenceStatus": "Available",
        "message": "ça va ☕",
        **fields,
    }


@attrs.frozen
class Item:
    """One id's answer, to be written in either form."""

    id: str
    status: int
    body: Any
    href: str | None = None

    @property
    def line(self) -> dict[str, Any]:
        line: dict[str, Any] = {"status": self.status, "responseDescription": "…"}
        return line if self.href is None else {"href": self.href, **line}


def ok(id_: str, **fields: Any) -> Item:
    return Item(id_, 200, record(id_, **fields), f"/account/1/extension/{id_}/presence")


def missing(id_: str) -> Item:
    return Item(id_, 404, NOT_FOUND, f"/restapi/v1.0/account/1/extension/{id_}/presence")


def without_hrefs(items: Sequence[Item]) -> list[Item]:
    return [attrs.evolve(item, href=None) for item in items]


def part(
    body: Any, *, headers: str = "Content-Type: application/json", eol: bytes = b"\r\n"
) -> bytes:
    lines = [line.encode() for line in headers.splitlines()]
    text = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
    return eol.join([*lines, b"", text])


def wrap(parts: Sequence[bytes], *, eol: bytes = b"\r\n", boundary: str = BOUNDARY) -> bytes:
    dashes = b"--" + boundary.encode()
    return b"".join(dashes + eol + p + eol for p in parts) + dashes + b"--" + eol


def multipart(
    items: Sequence[Item], *, eol: bytes = b"\r\n", lines: Sequence[Item] | None = None
) -> bytes:
    summary = {"response": [item.line for item in (items if lines is None else lines)]}
    parts = [part(summary, eol=eol), *(part(item.body, eol=eol) for item in items)]
    return wrap(parts, eol=eol)


def answer(body: bytes, content_type: str | None = None, status: int = 207) -> Response:
    content_type = content_type or f'multipart/mixed; boundary="{BOUNDARY}"'
    return Response(status, {"content-type": content_type, "rcrequestid": "r-1"}, body)


def array(items: Sequence[Item]) -> bytes:
    return json.dumps(
        [{"resourceId": i.id, "status": i.status, "body": i.body} for i in items]
    ).encode()
