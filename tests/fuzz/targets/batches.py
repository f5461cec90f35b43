"""Responses of batch requests, in both formats."""

from collections.abc import Sequence
from typing import Any

import attrs

from aiopresence import DecodeError, GetPresenceInfo, NotFound, Response, UnifiedPresence
from aiopresence.protocol import batch
from aiopresence.protocol.batch_formats import MULTIPART_JSON
from aiopresence.protocol.outcome import Outcome
from aiopresence.redaction import Redactor
from tests.fuzz.checks import check_error
from tests.fuzz.choices import Choices
from tests.fuzz.documents import IDS, SECRET, Raw, any_value, record, text, written

BOUNDARIES = ("Boundary_1", "B", "a b", "Content-Type: x", "-", "x" * 70, "x" * 71, "", "=_?.'")
CONTENT_TYPES = (
    *("multipart/mixed; boundary=%s", 'multipart/mixed; boundary="%s"', "multipart/mixed"),
    *('Multipart/Mixed; x="a;b\\"c"; BOUNDARY=%s', "multipart/mixed; boundary=%s; boundary=z"),
    *("multipart/form-data; boundary=%s", "text/plain", "multipart/mixed;boundary=;=;;%s"),
)
PART_HEADERS = (
    *("Content-Type: application/json", "", "content-type:application/json;charset=UTF-8"),
    *("Content-Type: text/html", "Content-Type: application/json\r\nContent-Length: -5"),
    *("Content-Transfer-Encoding: base64", "Content-Encoding: gzip", "no colon", ": x"),
    *("Content-Type: multipart/mixed; boundary=x", "X: \0", "HTTP/1.1 200 OK", "A: b\r\n c"),
    "\r\n".join(f"X-{n}: {n}" for n in range(20)),
)


@attrs.frozen
class _Batch:
    """A batch: its ids, and the response."""

    ids: tuple[str, ...]
    response: Response
    # The outcomes, if the response is valid in every respect.
    expected: list[str] | None


def multipart(data: bytes) -> None:
    """A multipart response has one outcome for each id."""
    choices = Choices(data)
    ids, items, expected = _items(choices)
    boundary = choices.pick(BOUNDARIES) if choices.rarely() else BOUNDARIES[0]
    template = choices.pick(CONTENT_TYPES) if choices.rarely() else CONTENT_TYPES[0]
    eol = b"\n" if choices.flag() else b"\r\n"
    dashes = b"--" + boundary.encode()
    summary: Any = {"response": [_line(choices, item) for item in items]}
    if choices.rarely():
        summary = any_value(choices)
        expected = None
    parts = [summary, *(item["body"] for item in items)]
    if choices.rarely():
        parts = choices.several(parts, len(parts) + 1)
        expected = None
    written_parts = [_part(choices, each, eol) for each in parts]
    body = b"".join(dashes + eol + part + eol for part in written_parts) + dashes + b"--" + eol
    changed = choices.mutated(body)
    header = template.replace("%s", boundary)
    is_valid = changed == body and template == CONTENT_TYPES[0] and boundary == BOUNDARIES[0]
    expected = expected if is_valid and all(_HEAD in part for part in written_parts) else None
    _check(_Batch(ids, _response(choices, header, changed), expected))


_HEAD = b"Content-Type: application/json\r\n\r\n"


def array(data: bytes) -> None:
    """A response that is one JSON array has one outcome for each id."""
    choices = Choices(data)
    ids, items, expected = _items(choices)
    if choices.rarely():
        items = choices.several(items, len(items) + 1)
        expected = None
    body = written(items[0] if len(items) == 1 and choices.flag() else items)
    changed = choices.mutated(body)
    header = choices.pick((MULTIPART_JSON, "application/json", "Application/Json; charset=utf-8"))
    _check(_Batch(ids, _response(choices, header, changed), expected if changed == body else None))


def raw_multipart(data: bytes) -> None:
    """Any bytes that follow a boundary have one outcome for each id."""
    header = "multipart/mixed; boundary=B"
    _check(_Batch(("101", "102"), Response(207, {"content-type": header}, data), None))


def _items(choices: Choices) -> tuple[tuple[str, ...], list[dict[str, Any]], list[str] | None]:
    """Return the ids of a batch, an item for each, and what becomes of them if all is valid."""
    if choices.rarely():
        return ("~",), [_item(choices, "101", _ODD)], None
    ids = IDS[: 1 + choices.below(4)]
    kinds = [choices.pick((_OK, _MISSING, _ODD)) for _ in ids]
    items = [_item(choices, id_, kind) for id_, kind in zip(ids, kinds, strict=True)]
    return ids, items, None if _ODD in kinds else kinds


_OK, _MISSING, _ODD = "value", "not found", "odd"


def _item(choices: Choices, id_: str, kind: str) -> dict[str, Any]:
    if kind == _OK:
        presence = choices.pick(("Available", "Busy", "New"))
        body: dict[str, Any] = {"extension": {"id": int(id_)}, "presenceStatus": presence}
        return {"resourceId": id_, "status": 200, "body": body}
    if kind == _MISSING:
        body = {"errorCode": "CMN-102", "message": "x", "parameterName": "extensionId"}
        return {"resourceId": id_, "status": 404, "body": body}
    body = record(choices, GetPresenceInfo)
    if choices.flag():
        body["extension"] = {"id": choices.pick((*IDS, 101, "", "0101", None, 1.5))}
    status = choices.pick((200, "200", 404, 429, 500, 0, None, True, 2**63, "x"))
    return {
        "resourceId": choices.pick((id_, 101, None, "", "999", "~")),
        "status": status,
        "body": any_value(choices) if choices.rarely() else body,
    }


def _line(choices: Choices, item: dict[str, Any]) -> dict[str, Any]:
    """Return the line of the summary for an item."""
    prefix = choices.pick(("/restapi/v1.0/account/1", "/account/~", "https://x.test"))
    href = f"{prefix}/extension/{item['resourceId']}/presence"
    return {"href": text(choices) if choices.rarely() else href, "status": item["status"]}


def _part(choices: Choices, body: Any, eol: bytes) -> bytes:
    headers = choices.pick(PART_HEADERS) if choices.rarely() else PART_HEADERS[0]
    payload = choices.blob(60) if isinstance(body, Raw) else written(body)
    return headers.encode().replace(b"\r\n", eol) + (eol if headers else b"") + eol + payload


def _response(choices: Choices, content_type: str, body: bytes) -> Response:
    redactor = Redactor()
    redactor.add(SECRET)
    status = choices.pick((207, 200, 204, 206)) if choices.rarely() else 207
    headers = {"content-type": content_type, "retry-after": choices.pick(("", "5", "x"))}
    return Response(status, headers, body, redactor)


def _check(each: _Batch) -> None:
    for model in (GetPresenceInfo, UnifiedPresence):
        _check_outcomes(each, model)


def _check_outcomes(each: _Batch, model: type[Any]) -> None:
    outcomes = batch.read(each.ids, each.response, model)
    assert [outcome.id for outcome in outcomes] == [*each.ids]
    for outcome in outcomes:
        assert (outcome.value is None) != (outcome.error is None)
        if outcome.error is not None:
            check_error(outcome.error)
        elif isinstance(outcome.value, GetPresenceInfo):
            extension = outcome.value.extension
            assert each.ids == ("~",) or extension is None or extension.id in (None, outcome.id)
    strictly = batch.read_strictly(each.ids, each.response, model)
    assert _shown(outcomes) == _shown(strictly)
    if each.expected is not None and each.response.status == 207:
        assert [_kind(outcome) for outcome in outcomes] == each.expected


def _kind(outcome: Outcome[Any]) -> str:
    if outcome.error is None:
        return _OK
    return _MISSING if isinstance(outcome.error, NotFound) else _ODD


def _shown(outcomes: Sequence[Outcome[Any]]) -> list[tuple[object, ...]]:
    return [
        (each.id, each.status, each.value, type(each.error), _reason(each)) for each in outcomes
    ]


def _reason(outcome: Outcome[Any]) -> str:
    error = outcome.error
    return error.path + error.reason if isinstance(error, DecodeError) else str(error)
