"""The one converter between JSON and models.

Strict where cattrs by default is not: a wrong type is never coerced (null is not "None", "false"
is not True), it is a DecodeError that names the place on the wire and never quotes the value.
Open where RingCentral grows: unknown fields are ignored and unknown enum values kept.
"""

import math
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from types import GenericAlias
from typing import Any, NoReturn, TypeVar, get_args, get_origin

import attrs
import orjson
from cattrs import BaseValidationError, Converter
from cattrs.errors import AttributeValidationNote, IterableValidationNote
from cattrs.gen import make_dict_structure_fn, make_dict_unstructure_fn, override

from ..errors import DecodeError, UsageError, one_line
from ..ids import RecordId
from ..models.enums import OpenStrEnum
from . import decoding_codegen
from .decoding_codegen import Hook

T = TypeVar("T")

# A page of an account has 1,000 records at most and an extension 7 calls. Ten times the larger is
# a guess at what no honest answer exceeds, so that a hostile one cannot hold up the event loop.
MAX_ITEMS = 10_000
# The same for the whole of an answer: a full page with seven detailed calls each has some 50,000
# objects and 300,000 commas.
MAX_OBJECTS, MAX_COMMAS = 100_000, 1_000_000


class _WrongType(TypeError):
    """What our hooks raise. Its text is safe to show, unlike that of other exceptions."""


def _wrong(expected: str, value: object) -> NoReturn:
    raise _WrongType(f"expected {expected}, not {_json_name(value)}")


def _json_name(value: object) -> str:
    names = {dict: "an object", list: "a list", str: "a string", bool: "a boolean"}
    return "null" if value is None else names.get(type(value), "a number")


def camel(name: str) -> str:
    """Give the wire's name of a field: `start_time` is `startTime`, `from_` is `from`."""
    first, *rest = name.rstrip("_").split("_")
    return first + "".join(word.capitalize() for word in rest)


def _object(value: object) -> dict[str, Any]:
    return value if type(value) is dict else _wrong("an object", value)


def _list(value: object) -> list[Any]:
    if type(value) is not list:
        _wrong("a list", value)
    if len(value) > MAX_ITEMS:
        raise _WrongType(f"more than {MAX_ITEMS} items")
    return value


def _text(value: object, _: object) -> str:
    return value if isinstance(value, str) else _wrong("a string", value)


def _id(value: object, _: object) -> str:
    if type(value) is int:
        return str(value)
    return value if isinstance(value, str) else _wrong("an id", value)


def _integer(value: object, _: object) -> int:
    return value if type(value) is int else _wrong("an integer", value)


def _boolean(value: object, _: object) -> bool:
    return value if isinstance(value, bool) else _wrong("true or false", value)


def _moment(value: Any, _: object) -> datetime:
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        moment = None
    if moment is None or moment.tzinfo is None:
        _text(value, str)
        raise _WrongType("expected a date and time with a UTC offset")
    return moment


def _enum(value: object, cls: type[OpenStrEnum]) -> OpenStrEnum:
    return cls(_text(value, str))


def _finite(value: float) -> float:
    # orjson would send null in its place.
    if not math.isfinite(value):
        raise ValueError(f"{value} is not a JSON number")
    return value


def _is_tuple(cls: object) -> bool:
    return get_origin(cls) is tuple


def _wire_names(cls: type) -> dict[str, Any]:
    return {field.name: override(rename=camel(field.name)) for field in attrs.fields(cls)}


def _make_converter(*, detailed: bool) -> Converter:
    converter = Converter(detailed_validation=detailed)

    def record_in(cls: type) -> Hook:
        if not detailed and decoding_codegen.is_plain(cls):
            return decoding_codegen.Writer(converter.get_structure_hook, camel, MAX_ITEMS).write(
                cls
            )
        build: Any = make_dict_structure_fn(cls, converter, **_wire_names(cls))
        return lambda value, _: build(_object(value), cls)

    def record_out(cls: type) -> Callable[[Any], dict[str, Any]]:
        return make_dict_unstructure_fn(
            cls, converter, _cattrs_omit_if_default=True, **_wire_names(cls)
        )

    def list_in(cls: Any) -> Hook:
        as_list = GenericAlias(list, get_args(cls)[:1])
        build = converter.get_structure_hook(as_list)
        return lambda value, _: tuple(build(_list(value), as_list))

    converter.register_structure_hook(str, _text)
    converter.register_structure_hook(int, _integer)
    converter.register_structure_hook(bool, _boolean)
    converter.register_structure_hook(datetime, _moment)
    # By base class: cattrs asks the hook of str first, and would leave a StrEnum a plain str.
    converter.register_structure_hook(OpenStrEnum, _enum)
    converter.register_structure_hook_func(lambda cls: cls == RecordId, _id)
    converter.register_structure_hook_factory(_is_tuple, list_in)
    converter.register_structure_hook_factory(attrs.has, record_in)
    converter.register_unstructure_hook_factory(attrs.has, record_out)
    converter.register_unstructure_hook(float, _finite)
    return converter


# The fast one says only that something is wrong. The other one is cattrs' own way, and says what:
# it is the reference for what the fast one has to give.
fast = _make_converter(detailed=False)
reference = _make_converter(detailed=True)


def parse(data: bytes) -> Any:
    """Read JSON.

    Raises:
        DecodeError: it is not JSON, or too much of it. NaN, Infinity, a byte order mark, any
            encoding but UTF-8 and nesting deeper than 1,024 are not JSON either. Of duplicate
            keys the last one counts. An escaped lone surrogate is read as U+FFFD.
    """
    return parse_all([data])[0]


def parse_all(documents: Sequence[bytes]) -> list[Any]:
    """Read one or more documents of JSON; DecodeError as `parse`."""
    # Counted before anything is built: the event loop stands still meanwhile. An object takes two
    # bytes at least.
    if max(map(len, documents)) > 2 * MAX_OBJECTS and any(map(_is_too_much, documents)):
        raise DecodeError("more in it than any honest answer has")
    try:
        return [orjson.loads(data) for data in documents]
    except orjson.JSONDecodeError:
        pass
    repaired = [_without_lone_surrogates(data) for data in documents]
    try:
        return [orjson.loads(data) for data in repaired]
    except orjson.JSONDecodeError:
        pass
    raise DecodeError("not JSON")


# A pair of surrogates, one alone, or any other escape.
_ESCAPE = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    rb"|(\\u[dD][89a-fA-F][0-9a-fA-F]{2})|\\.",
    re.DOTALL,
)


def _without_lone_surrogates(data: bytes) -> bytes:
    """Replace escapes that are no character: a text cut within an emoji has one.

    It must not cost the other records of the body.
    """
    return _ESCAPE.sub(lambda found: rb"\ufffd" if found[1] else found[0], data)


def objects(data: bytes) -> int:
    """Give how many objects and lists JSON has at most."""
    return data.count(b"{") + data.count(b"[")


def _is_too_much(data: bytes) -> bool:
    return objects(data) > MAX_OBJECTS or data.count(b",") > MAX_COMMAS


def structure(value: Any, cls: type[T]) -> T:
    """Make a model of parsed JSON.

    Raises:
        DecodeError: something in it has the wrong type; `path` names the place on the wire.
    """
    return structure_all([value], cls)[0]


def structure_all(values: list[Any], cls: type[T]) -> list[T]:
    """Make models of several parsed values; DecodeError as `structure`, about the first fault."""
    hook: Hook = fast.get_structure_hook(cls)
    try:
        return [hook(value, cls) for value in values]
    except Exception:  # noqa: S110 - Whatever it was, what follows says where.
        pass
    return [_explained(value, cls, hook) for value in values]


def _explained(value: Any, cls: type[T], hook: Hook) -> T:
    record: T
    with suppress(Exception):
        record = hook(value, cls)
        return record
    try:
        return reference.structure(value, cls)
    except Exception as error:
        fault = _first_fault(error)
    raise DecodeError(*fault)


def load(data: bytes, cls: type[T]) -> T:
    """Make a model of JSON bytes; DecodeError as `parse` and `structure`."""
    return structure(parse(data), cls)


def unstructure(record: Any) -> Any:
    """Turn a model into what JSON can hold, under the wire's names, without absent fields."""
    return fast.unstructure(record)


def dump(value: Any) -> bytes:
    """Write JSON, from a model or from plain data.

    Raises:
        UsageError: something in it is neither.
    """
    try:
        return orjson.dumps(unstructure(value))
    except (TypeError, ValueError, RecursionError) as error:
        reason = one_line(str(error))
    raise UsageError(f"cannot be sent as JSON: {reason}")


def _first_fault(error: Exception) -> tuple[str, str]:
    """Follow the notes that cattrs left, down to the first thing that is wrong.

    Only our own hooks' words are repeated: other messages may quote the value.
    """
    path = "$"
    while isinstance(error, BaseValidationError):
        error = error.exceptions[0]
        for note in getattr(error, "__notes__", ()):
            if isinstance(note, AttributeValidationNote):
                path += f".{camel(note.name)}"
            elif isinstance(note, IterableValidationNote):
                path += f"[{note.index}]"
    return (str(error) if isinstance(error, _WrongType) else "cannot be read"), path
