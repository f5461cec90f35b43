"""The effect of a write: every field that differs afterwards."""

from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import nullcontext
from typing import Any, TypeVar

import attrs

from ..columns import Column
from ..console import output_is_optional, print_notice
from ..conversion import plain
from ..output import Layout, OutputFormat

T = TypeVar("T")


@attrs.frozen
class Run:
    """The options of a write that are not about its fields."""

    dry_run: bool
    output: OutputFormat
    sandbox: int | None
    profile: str | None


@attrs.frozen
class Change:
    """A record before and after a write, as JSON."""

    id: str
    before: Mapping[str, Any]
    after: Mapping[str, Any]


async def apply_change(
    id_: str,
    before: Any,
    update: Mapping[str, Any],
    write: Coroutine[Any, Any, T] | None,
    to_json: Callable[[T], Any] = plain,
) -> Change:
    """Await a write and return its effect.

    Args:
        id_: the id of the record.
        before: the record before the write.
        update: the JSON of the fields to change.
        write: the call that writes; None for a dry run.
        to_json: converts the result of the call to JSON.
    """
    from ... import DecodeError, ServerError, TransportError

    old = plain(before)
    if write is None:
        return Change(id_, old, _merge(old, update))
    try:
        return Change(id_, old, to_json(await write))
    except (DecodeError, ServerError, TransportError):
        print_notice("The change may have been applied: read the presence before you try again.")
        raise


def print_changes(output: OutputFormat, changes: Sequence[Change], dry_run: bool) -> None:
    """Print changes: in JSON the whole records, otherwise a row for each field."""
    optional = nullcontext() if dry_run else output_is_optional()
    with optional, output.renderer(_LAYOUT) as renderer:
        for change in changes:
            renderer.write(change)
    count = sum(1 for change in changes for _ in _fields(change))
    fields = f"{count} field{'s' * (count != 1)}" if count else "Nothing"
    effect = "would change (dry run)" if dry_run else "changed"
    print_notice(f"{fields} {effect}.")


def _fields(change: Change) -> Iterator[list[Any]]:
    before, after = dict(_flatten(change.before)), dict(_flatten(change.after))
    for name in before | after:
        if before.get(name) != after.get(name):
            yield [change.id, name, before.get(name), after.get(name)]


def _flatten(value: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, item in value.items():
        if isinstance(item, Mapping):
            yield from _flatten(item, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", None if item == "" else item


def _merge(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(old)
    for name, value in new.items():
        inner = merged.get(name)
        if isinstance(value, Mapping) and isinstance(inner, Mapping):
            merged[name] = _merge(inner, value)
        else:
            merged[name] = value
    return merged


_LAYOUT = Layout(
    {
        "id": Column(12),
        "field": Column(24),
        # As wide as DoNotAcceptAnyCalls.
        "before": Column(30, least=19),
        "after": Column(30, least=19),
    },
    _fields,
    attrs.asdict,
)
