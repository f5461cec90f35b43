"""Batch responses of either format that are wrong in one way."""

import json
import random
from collections.abc import Callable
from typing import Any

Items = list[Any]
FOREIGN = "12345"
"""The id of an extension that nobody has asked for."""
_RECORD = {"uri": "x", "extension": {"id": FOREIGN, "uri": "x"}, "message": "of nobody here"}


def _drop(items: Items, place: int) -> Items:
    return [*items[:place], *items[place + 1 :]]


def _double(items: Items, place: int) -> Items:
    return [*items[: place + 1], *items[place:]]


def _permute(items: Items, place: int) -> Items:
    random.Random(place).shuffle(items)  # noqa: S311 - protects nothing
    return items


def _swap(items: Items, place: int) -> Items:
    items[place], items[0] = items[0], items[place]
    return items


def _foreign(items: Items, place: int) -> Items:
    items[place] = json.dumps(_RECORD).encode()
    return items


def _add_foreign(items: Items, place: int) -> Items:
    return [*items[:place], json.dumps(_RECORD).encode(), *items[place:]]


def _repeat(items: Items, place: int) -> Items:
    items[place] = items[0]
    return items


def _break(items: Items, place: int) -> Items:
    items[place] = items[place][: len(items[place]) // 2]
    return items


def _empty(items: Items, place: int) -> Items:
    items[place] = b"{}"
    return items


def _rename(items: Items, place: int) -> Items:
    """Let a record claim to be that of another extension of the response."""
    first, other = json.loads(items[0]), json.loads(items[place])
    if "extension" in first and "extension" in other:
        first["extension"]["id"] = other["extension"]["id"]
        items[0] = json.dumps(first).encode()
    return items


def _drop_all(_: Items, _place: int) -> Items:
    return []


CHANGES: dict[str, Callable[[Items, int], Items]] = {
    "drop": _drop,
    "double": _double,
    "permute": _permute,
    "swap": _swap,
    "foreign": _foreign,
    "add foreign": _add_foreign,
    "repeat": _repeat,
    "break": _break,
    "empty": _empty,
    "rename": _rename,
    "drop all": _drop_all,
}
# Of the summary, or of the statuses in it.
SUMMARIES = ("missing summary", "permuted summary", "short summary", "other statuses", "no hrefs")
WHOLE = ("cut", "cut without end", "nothing", "garbage")
KINDS = (*CHANGES, *SUMMARIES, *WHOLE)


def mangled(body: bytes, kind: str, place: int) -> bytes:
    """Return the body of a batch response with one thing wrong.

    Args:
        body: the body of a multipart or an array response, or of a single record.
        kind: one of KINDS.
        place: where.
    """
    if kind in WHOLE:
        return _mangled_whole(body, kind, place)
    if body.startswith(b"--"):
        return _mangled_multipart(body, kind, place)
    value = json.loads(body)
    if isinstance(value, dict):
        return body if kind in SUMMARIES else _change([body], kind, 0, b"{}")[0]
    return _mangled_array(value, kind, place)


def _mangled_whole(body: bytes, kind: str, place: int) -> bytes:
    return {
        "cut": body[: place * 97 % len(body)],
        "cut without end": body.rstrip()[: -2 - place % 3],
        "nothing": b"",
        "garbage": b"\x00\xff" * (1 + place),
    }[kind]


def _change(items: list[bytes], kind: str, place: int, default: bytes) -> list[bytes]:
    return CHANGES[kind]([*items], place % len(items)) or [default]


def _mangled_multipart(body: bytes, kind: str, place: int) -> bytes:
    delimiter = body[: body.index(b"\n")].rstrip()
    parts = body.split(delimiter)[1:-1]
    heads = [part.partition(b"{")[0] for part in parts]
    texts = [part[part.index(b"{") :].rstrip() for part in parts]
    summary, records = texts[0], texts[1:]
    if kind in SUMMARIES:
        lines = json.loads(summary)["response"]
        summary = json.dumps({"response": _changed_lines(lines, kind, place)}).encode()
        texts = records if kind == "missing summary" else [summary, *records]
    else:
        changed = CHANGES[kind]([*records], place % len(records))
        texts = [summary, *changed]
    made = [delimiter + heads[min(1, n)] + text + b"\r\n" for n, text in enumerate(texts)]
    return b"".join(made) + delimiter + b"--\r\n"


def _changed_lines(lines: list[dict[str, Any]], kind: str, place: int) -> list[dict[str, Any]]:
    if kind == "permuted summary":
        _permute(lines, place)
    elif kind == "short summary":
        del lines[place % len(lines)]
    elif kind == "other statuses":
        lines[place % len(lines)]["status"] = (404, 429, 500, 503, "200", 0)[place % 6]
    elif kind == "no hrefs":
        for line in lines:
            line.pop("href", None)
        _permute(lines, place)
    return lines


def _mangled_array(items: list[dict[str, Any]], kind: str, place: int) -> bytes:
    if kind == "missing summary":  # as far as an array has one
        return json.dumps([item.get("body") for item in items]).encode()
    if kind in SUMMARIES:
        for item in items if kind == "no hrefs" else [items[place % len(items)]]:
            item.pop("resourceId", None)
            item["status"] = (404, 429, 500, 503, 200, 200)[place % 6]
        return json.dumps(items).encode()
    records = [json.dumps(item["body"]).encode() for item in items]
    changed = CHANGES[kind]([*records], place % len(records))
    found = []
    for number, text in enumerate(changed):
        try:
            record = json.loads(text)
        except ValueError:
            record = text.decode()
        found.append({**items[min(number, len(items) - 1)], "body": record})
    return json.dumps(found).encode()
