"""Faults of the transport and of a server, asked for one by one or drawn by chance."""

import random
from collections import Counter
from dataclasses import dataclass, field
from typing import Literal

from tests.support.independent.errors import error_body
from tests.support.independent.http_wire import Request, Response, json_response

Kind = Literal[
    "reset",  # the connection is reset before the request is handled
    "lost_reply",  # the request is handled, then the connection is reset
    "truncate",  # half of the response, then the end of the connection
    "slow",  # the response byte by byte at first, with a pause
    "500",
    "502",
    "503",
    "504",
    "401",  # the token is refused as expired
    "429",  # with Retry-After, though no limit is reached
    "429_bare",  # without any header
    "malformed",  # the last part of a 207 is cut in the middle of its JSON
    "missing_part",  # a 207 without its last part
]
ANSWERS = frozenset({"500", "502", "503", "504", "401", "429", "429_bare"})
BATCH_KINDS = frozenset({"malformed", "missing_part"})


@dataclass
class Fault:
    """A fault for the next `times` requests whose path contains `path`."""

    kind: Kind
    path: str = ""
    times: int = 1
    delay: float = 0.05
    retry_after: str | None = None
    fired: int = 0

    def fits(self, request: Request) -> bool:
        if self.kind in BATCH_KINDS and len(request.ids) < 2:
            return False
        return self.path in request.path and self.fired < self.times


@dataclass
class Faults:
    """The faults of a server. `fired` counts them by kind."""

    chance: random.Random
    pending: list[Fault] = field(default_factory=list)
    rate: float = 0.0
    kinds: tuple[Kind, ...] = ()
    path: str = ""
    fired: Counter[str] = field(default_factory=Counter)

    def draw(self, request: Request) -> Fault | None:
        """Return the fault for a request, or None."""
        fault = next((each for each in self.pending if each.fits(request)), None)
        if fault is None and self.kinds and self.chance.random() < self.rate:
            fault = Fault(self.chance.choice(self.kinds), self.path, retry_after="1")
            fault = fault if fault.fits(request) else None
        if fault is not None:
            fault.fired += 1
            self.fired[fault.kind] += 1
        return fault


def answer_of(fault: Fault) -> Response:
    """Return the response of a fault whose kind is a status."""
    response = _answer(fault.kind)
    if fault.retry_after is not None and fault.kind != "429_bare":
        response.headers.append(("Retry-After", fault.retry_after))
    return response


def _answer(kind: Kind) -> Response:
    if kind == "401":
        return json_response(401, error_body("OAU-128", "Access token expired"))
    if kind in {"429", "429_bare"}:
        return json_response(429, error_body("CMN-301", "Request rate exceeded"))
    if kind == "502":
        return Response(502, b"<html><h1>502 Bad Gateway</h1></html>", "text/html")
    if kind == "504":
        return Response(504)
    return json_response(int(kind), error_body("CMN-203", "Internal server error"))


def damaged(response: Response, kind: Kind) -> Response:
    """Return a 207 with its last part cut off or missing; any other response as it is."""
    boundary = response.content_type.partition("boundary=")[2].strip('"').encode()
    marker = b"--" + boundary
    if response.status != 207 or not boundary or response.body.count(marker) < 3:
        return response
    start = response.body.rindex(marker, 0, response.body.rindex(marker))
    end = response.body.rindex(marker)
    cut = start if kind == "missing_part" else start + (end - start) // 2
    separator = b"" if kind == "missing_part" else b"\r\n"
    body = response.body[:cut] + separator + response.body[end:]
    return Response(207, body, response.content_type, response.headers)
