"""Structure hooks written for one class each, for the converter that is to be fast.

A generic hook asks for every field what its type is, whether it may be None and who converts it,
record after record. Here that is asked once, and the answers are written down as a function, with
the records within a record in the same function. For GetPresenceInfo it begins like this:

    def read(value0, _=None):
        if type(value0) is not dict:
            raise TypeError
        it0 = Open()
        v = value0.get('uri')
        if type(v) is not str and v is not None:
            raise TypeError
        it0.uri = v
        v = value0.get('extension')
        if v is not None:
            value1 = v
            …
            it1.__class__ = GetPresenceExtensionInfo
            v = it1
        it0.extension = v
        v = value0.get('presenceStatus')
        try:
            v = members[v]
        except KeyError:
            v = hook(v, type)
        it0.presence_status = v

Names like `Open` and `members` have a number each. Nothing is explained: when anything is wrong,
the converter that explains reads the value again.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any, get_args, get_origin

import attrs

from ..ids import RecordId
from ..models.enums import OpenStrEnum
from .frozen import unfrozen

Hook = Callable[..., Any]

_REFUSE = "    raise TypeError"
# How a value `v` of the simplest types is checked, and converted.
_CHECKS: dict[object, tuple[str, ...]] = {
    str: ("if type(v) is not str and v is not None:", _REFUSE),
    int: ("if type(v) is not int and v is not None:", _REFUSE),
    bool: ("if v is not True and v is not False and v is not None:", _REFUSE),
    RecordId: (
        "if type(v) is int:",
        "    v = str(v)",
        "elif type(v) is not str and v is not None:",
        _REFUSE,
    ),
    datetime: (
        "if v is not None:",
        "    v = moment(v)",
        "    if v.tzinfo is None:",
        f"    {_REFUSE}",
    ),
}


def is_plain(cls: type) -> bool:
    """Tell whether all fields of a class are of one type, or None, and kept as they are read."""
    # A subclass of a record cannot be filled: it is frozen by its base.
    return (
        attrs.has(cls)
        and cls.__bases__ == (object,)
        and all(
            field.default is None
            and field.converter is None
            and field.validator is None
            and len(_kinds(field)) == 1
            for field in attrs.fields(cls)
        )
    )


def _kinds(field: "attrs.Attribute[Any]") -> list[Any]:
    return [kind for kind in get_args(field.type) if kind is not type(None)]


class Writer:
    """Writes the hook of a class that `is_plain`.

    Args:
        hook: gives the hook of any type.
        camel: gives the wire's name of a field.
        max_items: the length of the longest list that is read.
    """

    def __init__(
        self, hook: Callable[[Any], Hook], camel: Callable[[str], str], max_items: int
    ) -> None:
        self._hook = hook
        self._camel = camel
        self._max_items = max_items
        # What the function can see, by name.
        self._names: dict[str, Any] = {"moment": datetime.fromisoformat}

    def write(self, cls: type) -> Hook:
        """Write it.

        Raises:
            TypeError: the class, or that of a record within, has not the layout of our records.
        """
        lines = ["def read(value0, _=None):", *_within(self._record(cls, 0)), "    return it0"]
        # Only names and types of our own records are in it, nothing that anybody sends.
        exec("\n".join(lines), self._names)  # noqa: S102
        read: Hook = self._names["read"]
        return read

    def _record(self, cls: Any, depth: int) -> list[str]:
        """Make a record `it…` of a `value…`, both of that depth."""
        value, it = f"value{depth}", f"it{depth}"
        name, open_name = self._named(cls.__name__, cls), self._named("Open", unfrozen(cls))
        lines = [f"if type({value}) is not dict:", _REFUSE, f"{it} = {open_name}()"]
        for field in attrs.fields(cls):
            [kind] = _kinds(field)
            lines += [f"v = {value}.get({self._camel(field.name)!r})", *self._field(kind, depth)]
            lines += [f"{it}.{field.name} = v"]
        return [*lines, f"{it}.__class__ = {name}"]

    def _field(self, kind: Any, depth: int) -> tuple[str, ...]:
        """Check and convert `v`."""
        if kind in _CHECKS:
            return _CHECKS[kind]
        if get_origin(kind) is tuple and is_plain(get_args(kind)[0]):
            return "if v is not None:", *_within(self._list(get_args(kind)[0], depth))
        if is_plain(kind):
            record = [f"value{depth + 1} = v", *self._record(kind, depth + 1), f"v = it{depth + 1}"]
            return "if v is not None:", *_within(record)
        convert = f"    v = {self._named('hook', self._hook(kind))}(v, {self._named('type', kind)})"
        if not (isinstance(kind, type) and issubclass(kind, OpenStrEnum)):
            return "if v is not None:", convert
        members = self._named("members", {None: None, **{each.value: each for each in kind}})
        return "try:", f"    v = {members}[v]", "except KeyError:", convert

    def _list(self, kind: Any, depth: int) -> list[str]:
        """Make a tuple of records of `v`."""
        return [
            f"if type(v) is not list or len(v) > {self._max_items}:",
            _REFUSE,
            f"items{depth} = []",
            f"for value{depth + 1} in v:",
            *_within(self._record(kind, depth + 1)),
            f"    items{depth}.append(it{depth + 1})",
            f"v = tuple(items{depth})",
        ]

    def _named(self, what: str, thing: Any) -> str:
        name = f"{what}{len(self._names)}"
        self._names[name] = thing
        return name


def _within(lines: list[str]) -> list[str]:
    return [f"    {line}" for line in lines]
