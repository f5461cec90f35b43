"""Parse the two formats of a batch response: into answers, not yet matched to ids.

RingCentral sends multipart/mixed by default: a summary with a status per id, then one JSON part per
id. On request it sends one JSON array instead (`MULTIPART_JSON`).

Nearly all responses are regular: everything succeeded, and each record has the id that was
requested at its position. `fast_records` reads those without further checks, and returns nothing
for any other response. `parse_answers` reads everything that can be understood.

Source: RingCentral guide, "Batch requests". Seen in traces, and tolerated but not relied on:
missing hrefs, hrefs with or without "/restapi/v1.0", one object instead of an array.
"""

import re
from collections.abc import Sequence
from typing import Any

import attrs

from ..errors import DecodeError
from . import decoding, multipart
from .rest import JSON, Response, is_error_body, parse_status

MULTIPART_JSON = "application/vnd.ringcentral.multipart+json"

# The content types of an array.
_ARRAYS = (MULTIPART_JSON, JSON)
_ID = re.compile(r"[0-9]{1,19}", re.ASCII)
_HREF = re.compile(r"/extension/([0-9]{1,19})(?:[/?]|$)", re.ASCII)


@attrs.frozen
class Answer:
    """One answer in a batch response.

    Attributes:
        envelope_id: the id that the summary or the array item names; None when it names none.
        status: the status in the summary or the array item, 0 when it is not an integer; None when
            it is unknown which status belongs to this answer.
        body: the parsed JSON, or a DecodeError that says why there is none.
    """

    envelope_id: str | None
    status: int | None
    body: Any

    @property
    def is_error(self) -> bool:
        """Whether its status makes it an error, whatever its body is."""
        return self.status is not None and self.status >= 400

    @property
    def record_id(self) -> str | None:
        """The id in the record itself; None when it has none."""
        id_ = _text(_extension_id(self.body))
        return id_ if id_ is not None and _ID.fullmatch(id_) else None

    @property
    def has_bad_id(self) -> bool:
        """Whether the record has an id that is not valid, such as an empty string."""
        return _extension_id(self.body) is not None and self.record_id is None


def fast_records(ids: Sequence[str], response: Response) -> list[Any]:
    """Return the records of a regular response, parsed; an empty list for any other response.

    A response is regular if every status is 200, and every record has the id that was requested at
    its position, so nothing has to be matched.
    """
    if response.status != 207 or ids[0] == "~":
        return []
    header = response.headers.get("content-type", "")
    try:
        if header.partition(";")[0] in _ARRAYS:
            lines = response.json()
            bodies = [line["body"] for line in lines]
        else:
            boundary = multipart.parse_boundary(header)
            parts = multipart.split_uniform(response.body, boundary, 1 + len(ids))
            summary, *bodies = decoding.parse_all(parts)
            lines = summary["response"]
        statuses = [line["status"] for line in lines]
        record_ids = [body["extension"]["id"] for body in bodies]
    except (DecodeError, LookupError, TypeError, ValueError):
        return []
    record_ids = [str(id_) if type(id_) is int else id_ for id_ in record_ids]
    succeeded = statuses == [200] * len(ids) and {*map(type, statuses)} == {int}
    is_regular = record_ids == [*ids] and succeeded and not any(map(is_error_body, bodies))
    return bodies if is_regular else []


def parse_answers(ids: Sequence[str], response: Response) -> tuple[list[Answer], bool]:
    """Return the answers in a response, and whether there is exactly one for each id.

    Raises:
        DecodeError: the format is broken, so that nothing is known about any id.
    """
    if response.status == 200 and len(ids) == 1:
        return [Answer(None, 200, response.json())], True
    if response.status != 207:
        raise DecodeError(f"expected HTTP 207 for a batch, got {response.status}")
    header = response.headers.get("content-type", "")
    if multipart.parse_content_type(header)[0] in _ARRAYS:
        return _parse_array(ids, response.json())
    return _parse_multipart(ids, header, response.body)


def _extension_id(body: Any) -> object:
    extension = body.get("extension") if isinstance(body, dict) else None
    return extension.get("id") if isinstance(extension, dict) else None


def _text(value: object) -> str | None:
    text = str(value) if type(value) is int else value
    return text if isinstance(text, str) else None


def _max_answers(ids: Sequence[str]) -> int:
    # More answers than ids are read, so that duplicates are found; not any number of them.
    return 2 * len(ids) + 2


def _status(item: dict[str, Any]) -> int:
    return parse_status(item.get("status")) or 0


def _parse_array(ids: Sequence[str], array: Any) -> tuple[list[Answer], bool]:
    items = [array] if isinstance(array, dict) else array
    if not isinstance(items, list) or len(items) > _max_answers(ids):
        raise DecodeError(f"expected a list of {len(ids)} answers")
    answers = [
        Answer(_text(item.get("resourceId")) or None, _status(item), item.get("body"))
        if isinstance(item, dict)
        else Answer(None, None, DecodeError("expected an object"))
        for item in items
    ]
    return answers, len(answers) == len(ids)


def _parse_multipart(ids: Sequence[str], header: str, body: bytes) -> tuple[list[Answer], bool]:
    boundary = multipart.parse_boundary(header)
    split = multipart.split(body, boundary, 1 + _max_answers(ids))
    if not split.parts:
        raise DecodeError("multipart response without parts")
    lines = _parse_summary(split.parts[0], _max_answers(ids))
    bodies = [_parse_part(part) for part in split.parts[1:]]
    if split.is_closed and len(bodies) == len(lines):
        answers = [Answer(*line, body) for line, body in zip(lines, bodies, strict=True)]
        if not _is_contradictory(ids, answers):
            return answers, len(answers) == len(ids)
    return _unpaired_answers(lines, bodies), False


def _parse_summary(part: bytes, max_lines: int) -> list[tuple[str | None, int]]:
    """Return the id and the status of each answer in the first part."""
    summary = decoding.parse(multipart.payload(part))
    lines = summary.get("response") if isinstance(summary, dict) else None
    if isinstance(lines, list) and len(lines) <= max_lines and all(type(x) is dict for x in lines):
        return [(_href_id(line.get("href")), _status(line)) for line in lines]
    raise DecodeError("the first part of a multipart response is not a summary", "$.response")


def _href_id(href: object) -> str | None:
    match = _HREF.search(href) if isinstance(href, str) else None
    return match[1] if match else None


def _parse_part(part: bytes) -> Any:
    try:
        return decoding.parse(multipart.payload(part))
    except DecodeError as error:
        return error


def _is_contradictory(ids: Sequence[str], answers: Sequence[Answer]) -> bool:
    """Return whether a record has another id than its line of the summary.

    A line without an href counts for the id at its position, provided there are as many.
    """
    positions = ids if len(answers) == len(ids) else [None] * len(answers)
    return any(
        answer.record_id is not None
        and (answer.envelope_id or id_) not in (answer.record_id, None, "~")
        for answer, id_ in zip(answers, positions, strict=True)
    )


def _unpaired_answers(
    lines: Sequence[tuple[str | None, int]], bodies: Sequence[Any]
) -> list[Answer]:
    """Return the answers that name their id, when lines and parts cannot be paired.

    A record with its id is an answer without a status; a line of the summary with an href and an
    error status is one without a body.
    """
    records = [answer for body in bodies if (answer := Answer(None, None, body)).record_id]
    errors = [Answer(id_, status, {}) for id_, status in lines if id_ and status >= 400]
    return records + errors
