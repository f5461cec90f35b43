"""The two envelopes of a batch answer, opened: a list of answers, not yet matched to ids.

Source: RingCentral guide, "Batch requests"; what was only seen in traces is tolerated, not relied
upon: missing hrefs, hrefs with or without "/restapi/v1.0", one object instead of a list.
"""

import re
from collections.abc import Sequence
from typing import Any

import attrs

from ..errors import DecodeError
from . import decoding, multipart
from .rest import JSON, Response, refuses, status_of

MULTIPART_JSON = "application/vnd.ringcentral.multipart+json"

# The types of an answer that is an array.
_ARRAYS = (MULTIPART_JSON, JSON)
_ID = re.compile(r"[0-9]{1,19}", re.ASCII)
_HREF = re.compile(r"/extension/([0-9]{1,19})(?:[/?]|$)", re.ASCII)


@attrs.frozen
class Answer:
    """One answer out of a batch.

    Attributes:
        claim: the id that the envelope says it is for, or None when it does not say.
        status: the status that the envelope gives it, 0 when that is no integer; None when it is
            not known which status belongs to it.
        body: its JSON, or the DecodeError that tells why there is none.
    """

    claim: str | None
    status: int | None
    body: Any

    @property
    def is_error(self) -> bool:
        """Whether its status makes it an error, whatever its body is."""
        return self.status is not None and self.status >= 400

    @property
    def own_id(self) -> str | None:
        """The id that the record itself says it is about, or None when it does not say."""
        own = _id(_own_id(self.body))
        return own if own is not None and _ID.fullmatch(own) else None

    @property
    def has_bad_id(self) -> bool:
        """Whether the record has an id that is none, such as an empty string."""
        return _own_id(self.body) is not None and self.own_id is None


def records(ids: Sequence[str], response: Response) -> list[Any]:
    """Give the records of an answer in which everything is as it should be; else nothing.

    Every status is 200, and every record names the id that was asked for at its place. Nearly all
    answers are like that, and it takes no matching. Of all others `answers` makes the best.
    """
    if response.status != 207 or ids[0] == "~":
        return []
    header = response.headers.get("content-type", "")
    try:
        if header.partition(";")[0] in _ARRAYS:
            lines = response.json()
            bodies = [line["body"] for line in lines]
        else:
            boundary = multipart.boundary_of(header)
            parts = multipart.uniform(response.body, boundary, 1 + len(ids))
            summary, *bodies = decoding.parse_all(parts)
            lines = summary["response"]
        statuses = [line["status"] for line in lines]
        own_ids = [body["extension"]["id"] for body in bodies]
    except (DecodeError, LookupError, TypeError, ValueError):
        return []
    own_ids = [str(id_) if type(id_) is int else id_ for id_ in own_ids]
    is_good = own_ids == [*ids] and statuses == [200] * len(ids) and {*map(type, statuses)} == {int}
    return bodies if is_good and not any(map(refuses, bodies)) else []


def answers(ids: Sequence[str], response: Response) -> tuple[list[Answer], bool]:
    """Take the answers out of their envelope, and tell whether each id has exactly one.

    Raises:
        DecodeError: the envelope cannot be opened, so that nothing is known of any id.
    """
    if response.status == 200 and len(ids) == 1:
        return [Answer(None, 200, response.json())], True
    if response.status != 207:
        raise DecodeError(f"HTTP {response.status} is no answer to {len(ids)} ids")
    header = response.headers.get("content-type", "")
    if multipart.content_type(header)[0] in _ARRAYS:
        return _from_array(ids, response.json())
    return _from_parts(ids, header, response.body)


def _own_id(body: Any) -> object:
    extension = body.get("extension") if isinstance(body, dict) else None
    return extension.get("id") if isinstance(extension, dict) else None


def _id(value: object) -> str | None:
    text = str(value) if type(value) is int else value
    return text if isinstance(text, str) else None


def _most(ids: Sequence[str]) -> int:
    # A surplus answer is a fault to find and report; a flood of them is not worth reading.
    return 2 * len(ids) + 2


def _status(item: dict[str, Any]) -> int:
    return status_of(item.get("status")) or 0


def _from_array(ids: Sequence[str], array: Any) -> tuple[list[Answer], bool]:
    items = [array] if isinstance(array, dict) else array
    if not isinstance(items, list) or len(items) > _most(ids):
        raise DecodeError(f"not a list of answers to {len(ids)} ids")
    found = [
        Answer(_id(item.get("resourceId")) or None, _status(item), item.get("body"))
        if isinstance(item, dict)
        else Answer(None, None, DecodeError("expected an object"))
        for item in items
    ]
    return found, len(found) == len(ids)


def _from_parts(ids: Sequence[str], header: str, body: bytes) -> tuple[list[Answer], bool]:
    split = multipart.split(body, multipart.boundary_of(header), 1 + _most(ids))
    if not split.parts:
        raise DecodeError("a multipart answer without parts")
    lines = _summary(split.parts[0], _most(ids))
    bodies = [_part(part) for part in split.parts[1:]]
    if split.closed and len(bodies) == len(lines):
        pairs = [Answer(*line, body) for line, body in zip(lines, bodies, strict=True)]
        if not _crossed(ids, pairs):
            return pairs, len(pairs) == len(ids)
    return _unpaired(lines, bodies), False


def _summary(part: bytes, most: int) -> list[tuple[str | None, int]]:
    """Read what the first part says of each answer: its id and its status."""
    summary = decoding.parse(multipart.payload(part))
    lines = summary.get("response") if isinstance(summary, dict) else None
    if isinstance(lines, list) and len(lines) <= most and all(type(x) is dict for x in lines):
        return [(_href_id(line.get("href")), _status(line)) for line in lines]
    raise DecodeError("a multipart answer without its summary", "$.response")


def _href_id(href: object) -> str | None:
    found = _HREF.search(href) if isinstance(href, str) else None
    return found[1] if found else None


def _part(part: bytes) -> Any:
    try:
        return decoding.parse(multipart.payload(part))
    except DecodeError as error:
        return error


def _crossed(ids: Sequence[str], pairs: Sequence[Answer]) -> bool:
    """Tell whether a record says it is about another id than its line of the summary.

    A line without an href speaks of the id at its position, provided there are as many.
    """
    positions = ids if len(pairs) == len(ids) else [None] * len(pairs)
    return any(
        pair.own_id is not None and (pair.claim or id_) not in (pair.own_id, None, "~")
        for pair, id_ in zip(pairs, positions, strict=True)
    )


def _unpaired(lines: Sequence[tuple[str | None, int]], bodies: Sequence[Any]) -> list[Answer]:
    """Keep what proves itself when it is not known which line of the summary is whose.

    A record that names its id is an answer without a status; a line of the summary that refuses
    an id by its href is one without a body.
    """
    records = [answer for body in bodies if (answer := Answer(None, None, body)).own_id]
    refusals = [Answer(id_, status, {}) for id_, status in lines if id_ and status >= 400]
    return records + refusals
