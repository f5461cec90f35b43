"""Answers to requests for several ids, in each form that was seen.

A 207 is multipart/mixed or, if asked for, a JSON array. RingCentral's servers write the former
in more than one way. A `BatchStyle` is one of the ways, drawn from the random numbers of a server.
"""

import json
import random
from dataclasses import dataclass
from typing import Any, Literal

from tests.support.independent.account import Json
from tests.support.independent.http_wire import JSON, Response, json_response

MULTIPART_JSON = "application/vnd.ringcentral.multipart+json"
ErrorForm = Literal["whole", "message", "errors", "empty", "text", "html"]
HrefForm = Literal["url", "path", "short", "none"]
ERROR_FORMS: tuple[ErrorForm, ...] = ("whole", "message", "errors", "empty", "text", "html")
HREF_FORMS: tuple[HrefForm, ...] = ("url", "path", "short", "none")


@dataclass(frozen=True)
class Part:
    """The answer about one id. `path` is the path of its resource."""

    id: str
    path: str
    status: int
    body: Json


@dataclass(frozen=True)
class BatchStyle:
    """How a multipart body is written."""

    newlines: tuple[str, ...] = ("\r\n",)
    """Line ends, which are used in turn."""
    type_header: str = "Content-Type"
    charset: str = ""
    lengths: bool = False
    hrefs: HrefForm = "url"
    quoted: bool = False
    preamble: str = ""
    errors: ErrorForm = "whole"


def draw_style(chance: random.Random) -> BatchStyle:
    """Return a style by chance."""
    return BatchStyle(
        newlines=chance.choice((("\r\n",), ("\n",), ("\r\n", "\n"))),
        type_header=chance.choice(("Content-Type", "content-type", "CONTENT-TYPE")),
        charset=chance.choice(("", ";charset=UTF-8", '; charset="utf-8"')),
        lengths=chance.random() < 0.5,
        hrefs=chance.choice(HREF_FORMS),
        quoted=chance.random() < 0.5,
        preamble=chance.choice(("", "This is a message of several parts.")),
        errors=chance.choice(ERROR_FORMS),
    )


def array_response(parts: list[Part], content_type: str = MULTIPART_JSON) -> Response:
    """Return a 207 with one object per id."""
    items = [{"resourceId": each.id, "status": each.status, "body": each.body} for each in parts]
    return json_response(207, items, content_type)


def multipart_response(
    parts: list[Part], style: BatchStyle, server: str, boundary: str
) -> Response:
    """Return a 207 with a part about all statuses and one part per id."""
    summary = json.dumps({"response": [_summary(each, style, server) for each in parts]})
    contents = [(JSON, summary), *(_content(each, style) for each in parts)]
    body = write_multipart(contents, style, boundary)
    value = f'"{boundary}"' if style.quoted else boundary
    return Response(207, body, f"multipart/mixed; boundary={value}")


def write_multipart(contents: list[tuple[str, str]], style: BatchStyle, boundary: str) -> bytes:
    """Return the body for pairs of content type and text."""
    lines = [style.preamble] if style.preamble else []
    for content_type, text in contents:
        lines += [f"--{boundary}", f"{style.type_header}: {content_type}{style.charset}"]
        if style.lengths:
            lines.append(f"Content-Length: {len(text.encode())}")
        lines += ["", text]
    lines += [f"--{boundary}--", ""]
    ends = style.newlines
    text = "".join(line + ends[index % len(ends)] for index, line in enumerate(lines[:-1]))
    return text.encode()


def _summary(part: Part, style: BatchStyle, server: str) -> Json:
    hrefs = {
        "url": server + part.path,
        "path": part.path,
        "short": part.path.removeprefix("/restapi/v1.0"),
    }
    summary: Json = {"href": hrefs[style.hrefs]} if style.hrefs != "none" else {}
    description = "OK" if part.status == 200 else str(part.body.get("message", ""))
    return {**summary, "status": part.status, "responseDescription": description}


def _content(part: Part, style: BatchStyle) -> tuple[str, str]:
    if part.status < 400 or style.errors in {"whole", "message", "errors", "empty"}:
        body: Any = part.body
        if part.status >= 400 and style.errors != "whole":
            kept = {"message", "errors"} & {style.errors}
            body = {name: part.body[name] for name in kept}
        return JSON, json.dumps(body)
    if style.errors == "text":
        return "text/plain", "Resource is not available"
    return "text/html", f"<html><body><h1>{part.status}</h1></body></html>"
