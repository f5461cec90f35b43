"""What a write has changed: every field that is different afterwards."""

from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import nullcontext
from typing import Any, TypeVar

import attrs

from ..columns import Column
from ..console import after_success, note
from ..options import Output
from ..output import Writer, plain

T = TypeVar("T")

FIELDS = {
    "id": Column(12),
    "field": Column(24),
    "before": Column(30, least=18),
    "after": Column(30, least=18),
}


@attrs.frozen
class Change:
    """A record before and after a write, as JSON."""

    id: str
    before: Mapping[str, Any]
    after: Mapping[str, Any]


async def changed(
    id_: str,
    before: Any,
    wanted: Mapping[str, Any],
    write: Coroutine[Any, Any, T] | None,
    view: Callable[[T], Any] = plain,
) -> Change:
    """Write, and tell what has changed by it.

    Args:
        id_: whose record it is.
        before: what was read.
        wanted: the JSON of what is to change.
        write: the call that writes; None tells what would be without it.
        view: makes JSON of what the call gives.
    """
    from ... import DecodeError, ServerError, TransportError

    old = plain(before)
    if write is None:
        return Change(id_, old, _merged(old, wanted))
    try:
        return Change(id_, old, view(await write))
    except (DecodeError, ServerError, TransportError):
        note("Whether it was written is not known: read it before you try again.")
        raise


def show(output: Output, changes: Sequence[Change], dry_run: bool) -> None:
    """Write the changes: a document for each, or a row for each field."""
    count = sum(1 for change in changes for _ in _fields(change))
    may_fail = nullcontext() if dry_run else after_success()
    with may_fail, Writer(output, FIELDS, lambda cells: cells) as writer:
        for change in changes:
            fields = [*_fields(change)]
            for item in fields if output not in (Output.JSON, Output.JSONL) else (change,):
                writer.write(item)
    said = f"{count} field{'s' * (count != 1)}" if count else "Nothing"
    does = "would change; nothing was written" if dry_run else "changed"
    note(f"{said} {does}.")


def _fields(change: Change) -> Iterator[list[Any]]:
    before, after = dict(_flat(change.before)), dict(_flat(change.after))
    for name in before | after:
        if before.get(name) != after.get(name):
            yield [change.id, name, before.get(name), after.get(name)]


def _flat(value: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, item in value.items():
        if isinstance(item, Mapping):
            yield from _flat(item, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", None if item == "" else item


def _merged(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(old)
    for name, value in new.items():
        inner = merged.get(name)
        if isinstance(value, Mapping) and isinstance(inner, Mapping):
            merged[name] = _merged(inner, value)
        else:
            merged[name] = value
    return merged
