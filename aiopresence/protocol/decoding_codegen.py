"""Generate a decoding function for each record class.

Why generate code: decoding is most of the work of a bulk read. cattrs' generic hooks look up the
type, the optionality and the converter of every field of every record. Here that is looked up once
per class, and the result is written down as the source of one function, which also decodes nested
records, without calls. It takes less than half of the time.

The source for GetPresenceInfo begins like this:

    def decode(value0, share=None):
        if type(value0) is not dict:
            raise TypeError
        record0 = Mutable()
        v = value0.get('uri')
        if type(v) is not str and v is not None:
            raise TypeError
        record0.uri = v
        v = value0.get('extension')
        if v is not None:
            value1 = v
            …
            record1.__class__ = GetPresenceExtensionInfo
            v = record1
        record0.extension = v
        v = value0.get('presenceStatus')
        try:
            v = members[v]
        except KeyError:
            v = hook(v, type)
        record0.presence_status = v

Names like `Mutable` and `members` end in a number, so that each is unique. The function only raises
TypeError, without a message: `decoding` then decodes the value again with its slow converter, which
finds the path of the error. The tests compare both converters on random JSON.
"""

from collections.abc import Callable, Collection
from datetime import datetime
from typing import Any, get_args, get_origin

import attrs

from ..enums import OpenStrEnum
from ..ids import RecordId
from .frozen_records import mutable_twin

Hook = Callable[..., Any]

_RAISE = "    raise TypeError"
# How to check a value `v` of a simple type, and convert it.
_CHECKS: dict[object, tuple[str, ...]] = {
    str: ("if type(v) is not str and v is not None:", _RAISE),
    int: ("if type(v) is not int and v is not None:", _RAISE),
    bool: ("if v is not True and v is not False and v is not None:", _RAISE),
    RecordId: (
        "if type(v) is int:",
        "    v = str(v)",
        "elif type(v) is not str and v is not None:",
        _RAISE,
    ),
    datetime: (
        "if v is not None:",
        "    v = datetime(v)",
        "    if v.tzinfo is None:",
        f"    {_RAISE}",
    ),
}


def is_generatable(cls: type) -> bool:
    """Return whether every field of a class has one type, or None, and no converter."""
    # Not a subclass of a record: its twin would be frozen by its base.
    return (
        attrs.has(cls)
        and cls.__bases__ == (object,)
        and all(
            field.default is None
            and field.converter is None
            and field.validator is None
            and len(_types(field)) == 1
            for field in attrs.fields(cls)
        )
    )


def _types(field: "attrs.Attribute[Any]") -> list[Any]:
    return [type_ for type_ in get_args(field.type) if type_ is not type(None)]


class DecoderGenerator:
    """Generates the decoding function of a class.

    Args:
        get_hook: returns the structure hook of any type.
        camel: returns the JSON name of a field.
        max_items: the length of the longest list that is accepted.
        shared: names of fields with strings, for each of which the function's second argument is
            called; it returns an equal one to keep in its place.
    """

    def __init__(
        self,
        get_hook: Callable[[Any], Hook],
        camel: Callable[[str], str],
        max_items: int,
        *,
        shared: Collection[str] = (),
    ) -> None:
        self._get_hook = get_hook
        self._camel = camel
        self._max_items = max_items
        self._shared = shared
        # The global names of the function.
        self._names: dict[str, Any] = {"datetime": datetime.fromisoformat}

    def generate(self, cls: type) -> Hook:
        """Return the function.

        Args:
            cls: a class that `is_generatable`.

        Raises:
            TypeError: the class, or that of a nested record, has no `mutable_twin`.
        """
        lines = [
            "def decode(value0, share=None):",
            *_indent(self._record(cls, 0)),
            "    return record0",
        ]
        # The source has only names and types of our own classes, no data.
        exec("\n".join(lines), self._names)  # noqa: S102
        decode: Hook = self._names["decode"]
        return decode

    def _record(self, cls: Any, depth: int) -> list[str]:
        """Return lines that make `record…` of `value…`, both with the number of this depth."""
        value, record = f"value{depth}", f"record{depth}"
        name, twin = self._name(cls.__name__, cls), self._name("Mutable", mutable_twin(cls))
        lines = [f"if type({value}) is not dict:", _RAISE, f"{record} = {twin}()"]
        for field in attrs.fields(cls):
            [type_] = _types(field)
            lines += [f"v = {value}.get({self._camel(field.name)!r})", *self._field(type_, depth)]
            kept = "share(v, v)" if field.name in self._shared else "v"
            lines += [f"{record}.{field.name} = {kept}"]
        return [*lines, f"{record}.__class__ = {name}"]

    def _field(self, type_: Any, depth: int) -> tuple[str, ...]:
        """Return lines that check and convert `v`."""
        if type_ in _CHECKS:
            return _CHECKS[type_]
        if get_origin(type_) is tuple and is_generatable(get_args(type_)[0]):
            return "if v is not None:", *_indent(self._list(get_args(type_)[0], depth))
        if is_generatable(type_):
            inner = depth + 1
            record = [f"value{inner} = v", *self._record(type_, inner), f"v = record{inner}"]
            return "if v is not None:", *_indent(record)
        hook, name = self._name("hook", self._get_hook(type_)), self._name("type", type_)
        convert = f"    v = {hook}(v, {name})"
        if not (isinstance(type_, type) and issubclass(type_, OpenStrEnum)):
            return "if v is not None:", convert
        members = self._name("members", {None: None, **{each.value: each for each in type_}})
        return "try:", f"    v = {members}[v]", "except KeyError:", convert

    def _list(self, type_: Any, depth: int) -> list[str]:
        """Return lines that make a tuple of records of `v`."""
        return [
            f"if type(v) is not list or len(v) > {self._max_items}:",
            _RAISE,
            f"items{depth} = []",
            f"for value{depth + 1} in v:",
            *_indent(self._record(type_, depth + 1)),
            f"    items{depth}.append(record{depth + 1})",
            f"v = tuple(items{depth})",
        ]

    def _name(self, prefix: str, value: Any) -> str:
        """Return a new global name for a value."""
        name = f"{prefix}{len(self._names)}"
        self._names[name] = value
        return name


def _indent(lines: list[str]) -> list[str]:
    return [f"    {line}" for line in lines]
