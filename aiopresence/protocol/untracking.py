"""Spare the garbage collector the records that are kept.

Python's cyclic garbage collector visits every instance that it tracks, again and again. Of a board
with thousands of extensions and their calls that takes some hundred milliseconds, in which the
event loop stands still. The collector looks for objects that keep each other alive in a cycle. A
record cannot be part of one, so the collector need not know of it; it forgets tuples of such values
by itself, too. Reference counts free the record as before.

Why a record cannot be part of a cycle: it is frozen, and its parts exist before it. They are str,
int, bool, datetime, members of enumerations, other such records, and tuples of them. For a class
with a field of any other type there is a TypeError, so that whatever may hold an object of the
program, an error or parsed JSON stays tracked.

`PyObject_GC_UnTrack` belongs to the public C API of CPython. A call takes a quarter of a
microsecond, so it is for what is kept: records on a board and the results of a whole bulk read.
Without ctypes, and on other interpreters, nothing is done, and nothing else changes.

The source for GetPresenceInfo begins like this:

    def untrack_all(v0):
        if is_tracked(v0):
            untrack(v0)
            v1 = v0.extension
            if is_tracked(v1):
                untrack(v1)
            v1 = v0.active_calls
            if is_tracked(v1):
                untrack(v1)
                for v2 in v1:
                    if is_tracked(v2):
                        …
"""

import gc
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import cache
from typing import Any, get_args, get_origin

import attrs

from ..enums import OpenStrEnum
from ..ids import RecordId

_ATOMS = (str, int, bool, datetime, RecordId)


def find_function() -> Callable[[object], None] | None:
    """Return `PyObject_GC_UnTrack`; None if this interpreter has none."""
    try:
        import ctypes

        # Not the attribute of `pythonapi`, whose types every user of ctypes may change.
        prototype = ctypes.PYFUNCTYPE(None, ctypes.py_object)
        function: Callable[[object], None] = prototype(("PyObject_GC_UnTrack", ctypes.pythonapi))
    except (ImportError, AttributeError):
        return None
    return function


_untrack = find_function()


def untrack(record: Any) -> None:
    """Make the garbage collector forget a record with all its parts, if it tracks the record.

    Args:
        record: as it was decoded, or made by `frozen_records.replace`; None for no record.

    Raises:
        TypeError: a field of its class may have a value that could refer to the record.
    """
    if _untrack is not None and record is not None:
        cls: Any = type(record)
        untracker(cls)(record)


@cache
def untracker(cls: Any) -> Callable[[Any], None]:
    """Return a function that does it for records of one class; TypeError as `untrack`."""
    names: dict[str, Any] = {"is_tracked": gc.is_tracked, "untrack": _untrack}
    # The source has only the names of fields of our own classes, no data.
    exec("\n".join(["def untrack_all(v0):", *_indent(_record(cls, 0))]), names)  # noqa: S102
    function: Callable[[Any], None] = names["untrack_all"]
    return function


def _record(cls: type, depth: int) -> Iterator[str]:
    """Yield lines that untrack the record `v…` with the number of this depth, and its parts."""
    yield from (f"if is_tracked(v{depth}):", f"    untrack(v{depth})")
    for field in attrs.fields(cls):
        types = {*get_args(field.type)} - {type(None)}
        type_ = types.pop() if len(types) == 1 else field.type
        load = f"    v{depth + 1} = v{depth}.{field.name}"
        if attrs.has(type_):
            yield from (load, *_indent(_record(type_, depth + 1)))
        elif get_origin(type_) is tuple:
            yield from (load, *_indent(_tuple(get_args(type_)[0], depth + 1)))
        elif type_ not in _ATOMS and not _is_enum(type_):
            raise TypeError(f"{cls.__name__}.{field.name} must stay tracked")


def _is_enum(type_: Any) -> bool:
    return isinstance(type_, type) and issubclass(type_, OpenStrEnum)


def _tuple(item: type, depth: int) -> Iterator[str]:
    """Yield lines that untrack the tuple of records `v…`, and the records."""
    yield from (f"if is_tracked(v{depth}):", f"    untrack(v{depth})")
    yield f"    for v{depth + 1} in v{depth}:"
    yield from _indent(_indent(_record(item, depth + 1)))


def _indent(lines: Iterator[str]) -> Iterator[str]:
    return (f"    {line}" for line in lines)
