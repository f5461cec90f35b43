"""Convert between JSON and models.

Strict where cattrs is not by default: a wrong type is never coerced (null to "None", "false" to
True), but raises a DecodeError with the path of the value, which it never quotes. Tolerant where
RingCentral may add something: unknown fields are ignored, and unknown enum values kept.

There are two converters. `fast` uses generated functions (decoding_codegen.py) and says only that
something is wrong. Then `reference`, cattrs' own way with detailed validation, decodes the value
again to find the path. It also defines what the fast one has to return.
"""

import math
import re
from collections.abc import Callable, Sequence
from datetime import datetime
from enum import StrEnum
from functools import cache
from types import GenericAlias
from typing import Any, NoReturn, TypeVar, get_args, get_origin

import attrs
import orjson
from cattrs import BaseValidationError, Converter
from cattrs.errors import AttributeValidationNote
from cattrs.gen import make_dict_structure_fn, make_dict_unstructure_fn, override

from ..errors import DecodeError, UsageError, one_line
from ..ids import RecordId
from . import decoding_codegen
from .decoding_codegen import DecoderGenerator, Hook

T = TypeVar("T")

# Limits that no valid response exceeds, so that a hostile one cannot hold up the event loop. A page
# has at most 1,000 records, and a record 7 calls; ten times as many items in a list is a guess.
MAX_ITEMS = 10_000
# For a whole response. A full page with seven detailed calls each has about 50,000 objects and
# 300,000 values.
MAX_OBJECTS, MAX_VALUES = 100_000, 1_000_000
# The fields whose strings repeat within a page: numbers, names, messages and ids of extensions.
_REPEATED = frozenset(
    {
        *("id", "on_behalf_of", "extension_number", "phone_number", "message", "value"),
        *("from_", "from_name", "to", "to_name"),
    }
)


class _WrongType(TypeError):
    """A value has the wrong type. Its text quotes no value, unlike that of other exceptions."""


def _raise_wrong_type(expected: str, value: object) -> NoReturn:
    raise _WrongType(f"expected {expected}, not {_json_name(value)}")


def _json_name(value: object) -> str:
    names = {dict: "an object", list: "a list", str: "a string", bool: "a boolean"}
    names |= {int: "a number", float: "a number"}
    return "null" if value is None else names.get(type(value), f"a {type(value).__name__}")


def camel(name: str) -> str:
    """Return the JSON name of a field: `startTime` for `start_time`, `from` for `from_`."""
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def _structure_object(value: object) -> dict[str, Any]:
    return value if type(value) is dict else _raise_wrong_type("an object", value)


def _structure_list(value: object) -> list[Any]:
    if type(value) is not list:
        _raise_wrong_type("a list", value)
    if len(value) > MAX_ITEMS:
        raise _WrongType(f"list exceeds the limit of {MAX_ITEMS:,} items")
    return value


def _structure_str(value: object, _: object = None) -> str:
    return value if isinstance(value, str) else _raise_wrong_type("a string", value)


def _structure_id(value: object, _: object) -> str:
    if type(value) is int:
        return str(value)
    return value if isinstance(value, str) else _raise_wrong_type("an id", value)


def _structure_int(value: object, _: object) -> int:
    return value if type(value) is int else _raise_wrong_type("an integer", value)


def _structure_bool(value: object, _: object) -> bool:
    return value if isinstance(value, bool) else _raise_wrong_type("true or false", value)


def _structure_float(value: object, _: object) -> float:
    if not isinstance(value, (int, float)) or type(value) is bool:
        _raise_wrong_type("a number", value)
    if not math.isfinite(value):
        raise _WrongType("expected a finite number")
    return float(value)


def _structure_datetime(value: Any, _: object) -> datetime:
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        moment = None
    if moment is None or moment.tzinfo is None:
        _structure_str(value)
        raise _WrongType("expected a date and time with a UTC offset")
    return moment


def _structure_enum(value: object, cls: type[StrEnum]) -> StrEnum:
    try:
        return cls(_structure_str(value))  # An OpenStrEnum has any.
    except ValueError:
        raise _WrongType(f"expected one of {', '.join(cls)}") from None


def _unstructure_float(value: float) -> float:
    # orjson would write null in its place.
    if not math.isfinite(value):
        raise ValueError(f"{value} is not a JSON number")
    return value


def _is_tuple(cls: object) -> bool:
    return get_origin(cls) is tuple


def _renames(cls: type) -> dict[str, Any]:
    return {field.name: override(rename=camel(field.name)) for field in attrs.fields(cls)}


def _make_converter(*, detailed: bool) -> Converter:
    converter = Converter(detailed_validation=detailed)

    def structure_record(cls: type) -> Hook:
        """Return the hook for a record class: generated if possible, else cattrs's."""
        if not detailed and decoding_codegen.is_generatable(cls):
            generator = DecoderGenerator(converter.get_structure_hook, camel, MAX_ITEMS)
            return generator.generate(cls)
        build: Any = make_dict_structure_fn(cls, converter, **_renames(cls))
        return lambda value, _: build(_structure_object(value), cls)

    def unstructure_record(cls: type) -> Callable[[Any], dict[str, Any]]:
        """Return the hook that turns a record into a dict without its defaults."""
        return make_dict_unstructure_fn(
            cls, converter, _cattrs_omit_if_default=True, **_renames(cls)
        )

    def structure_tuple(cls: Any) -> Hook:
        """Return the hook for a tuple of any length, which JSON has as a list."""
        as_list = GenericAlias(list, get_args(cls)[0])
        build = converter.get_structure_hook(as_list)
        return lambda value, _: tuple(build(_structure_list(value), as_list))

    # Each for the type that it returns. StrEnum is the base class of all enumerations: otherwise
    # cattrs would use the hook of str for them.
    converter.register_structure_hook(_structure_str)
    converter.register_structure_hook(_structure_int)
    converter.register_structure_hook(_structure_float)
    converter.register_structure_hook(_structure_bool)
    converter.register_structure_hook(_structure_datetime)
    converter.register_structure_hook(_structure_enum)
    converter.register_structure_hook_func(lambda cls: cls == RecordId, _structure_id)
    converter.register_structure_hook_factory(_is_tuple, structure_tuple)
    converter.register_structure_hook_factory(attrs.has, structure_record)
    converter.register_unstructure_hook_factory(attrs.has, unstructure_record)
    converter.register_unstructure_hook(_unstructure_float)
    return converter


fast = _make_converter(detailed=False)
reference = _make_converter(detailed=True)
_hook_for: Callable[[Any], Hook] = cache(fast.get_structure_hook)
_sharing_hook_for: Callable[[Any], Hook] = cache(
    DecoderGenerator(fast.get_structure_hook, camel, MAX_ITEMS, shared=_REPEATED).generate
)


def parse(data: bytes) -> Any:
    """Parse JSON.

    Of duplicate keys the last one counts. An escaped lone surrogate becomes U+FFFD.

    Raises:
        DecodeError: it is not JSON, or exceeds `MAX_OBJECTS` or `MAX_VALUES`. NaN, Infinity, a
            byte order mark, encodings other than UTF-8 and nesting deeper than 1,024 levels are
            not JSON.
    """
    return parse_all([data])[0]


def parse_text(text: str) -> Any:
    """Parse the text of JSON; DecodeError as `parse`."""
    try:
        if len(text) <= 2 * MAX_OBJECTS:
            return orjson.loads(text)
    except orjson.JSONDecodeError:
        pass  # A lone surrogate, perhaps.
    return parse(text.encode(errors="surrogatepass"))


def parse_all(documents: Sequence[bytes]) -> list[Any]:
    """Parse one or more JSON documents; DecodeError as `parse`."""
    # An object takes at least two bytes, so shorter documents need no check.
    if max(map(len, documents)) > 2 * MAX_OBJECTS:
        for data in documents:
            _check_size(data)
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


class JsonSize:
    """Counts the objects and values of JSON, at least as many as there are, without parsing it.

    Parsing builds everything at once while the event loop waits, so it is counted before.

    Attributes:
        objects: the number of objects and lists.
        values: the number of commas, which separate values.
    """

    def __init__(self) -> None:
        self.objects = self.values = 0

    def add(self, data: bytes) -> None:
        """Count one more piece of JSON."""
        self.objects += data.count(b"{") + data.count(b"[")
        self.values += data.count(b",")

    def check(self) -> None:
        """Raise DecodeError if there are more than the limits allow."""
        for count, limit, what in (
            (self.objects, MAX_OBJECTS, "objects"),
            (self.values, MAX_VALUES, "values"),
        ):
            if count > limit:
                raise DecodeError(f"response exceeds the limit of {limit:,} {what}")


def _check_size(data: bytes) -> None:
    size = JsonSize()
    size.add(data)
    size.check()


# A pair of surrogates, a lone one (the group), or any other escape.
_ESCAPE = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    rb"|(\\u[dD][89a-fA-F][0-9a-fA-F]{2})|\\.",
    re.DOTALL,
)


def _without_lone_surrogates(data: bytes) -> bytes:
    """Replace escapes of lone surrogates, which orjson refuses.

    A text that was cut within an emoji has one, and it must not cost the other records.
    """
    return _ESCAPE.sub(lambda match: rb"\ufffd" if match[1] else match[0], data)


def structure(value: Any, cls: type[T]) -> T:
    """Return parsed JSON as a model.

    Raises:
        DecodeError: a value has the wrong type; `path` is its place in the JSON.
    """
    hook = _hook_for(cls)
    try:
        record: T = hook(value, cls)
    except Exception:  # noqa: S110 - Whatever it is, the slow path finds out where.
        pass
    else:
        return record
    return _structure_slowly(value, cls)


def structure_all(values: list[Any], cls: type[T]) -> list[T]:
    """Return parsed JSON values as models; DecodeError as `structure`, for the first wrong one."""
    return [structure(value, cls) for value in values]


def structure_sharing(values: list[Any], cls: type[T], shared: dict[Any, Any]) -> list[T]:
    """Return what `structure_all` returns, with one object for equal strings.

    Names, numbers and ids repeat, so records that are kept take less memory.

    Args:
        values: the parsed JSON values.
        cls: the model.
        shared: the strings so far.
    """
    hook = _sharing_hook_for(cls)
    try:
        share = shared.setdefault
        return [hook(value, share) for value in values]
    except Exception:  # noqa: S110 - Whatever it is, the slow path finds out where.
        pass
    return structure_all(values, cls)


def _structure_slowly(value: Any, cls: type[T]) -> T:
    try:
        return reference.structure(value, cls)
    except Exception as error:
        message, path = _first_error(error)
    raise DecodeError(message, path)


def load(data: bytes, cls: type[T]) -> T:
    """Return JSON as a model; DecodeError as `parse` and `structure`."""
    return structure(parse(data), cls)


def unstructure(record: Any) -> Any:
    """Return a model as JSON values, with JSON names and without absent fields."""
    return fast.unstructure(record)


def dump(value: Any) -> bytes:
    """Return a model, or plain data, as JSON.

    Raises:
        UsageError: it has a value that JSON does not have.
    """
    try:
        return orjson.dumps(unstructure(value))
    except (TypeError, ValueError, RecursionError) as error:
        reason = one_line(str(error))
    raise UsageError(f"cannot be sent as JSON: {reason}")


def _first_error(error: Exception) -> tuple[str, str]:
    """Return the message and the path of the first wrong value, from the notes that cattrs adds.

    Only messages of our own hooks are used: others may quote the value.
    """
    path = "$"
    while isinstance(error, BaseValidationError):
        error = error.exceptions[0]
        for note in getattr(error, "__notes__", ()):
            is_field = isinstance(note, AttributeValidationNote)
            path += f".{camel(note.name)}" if is_field else f"[{note.index}]"
    if isinstance(error, KeyError):
        return "is missing", path
    # A UsageError is one of a request's own checks; no response is decoded to a request.
    is_ours = isinstance(error, (_WrongType, UsageError))
    return (str(error) if is_ours else "cannot be decoded"), path
