"""JSON documents by choices: values of the fields that a class has, rarely other ones."""

import json
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from types import UnionType
from typing import Any, Union, get_args, get_origin

import attrs

from tests.fuzz.choices import Choices

# A secret of the session that a server may repeat anywhere.
SECRET = "canary-5f0c2d7a91-secret"
TIMES = (
    *("2026-03-02T09:00:00Z", "2026-03-02T09:00:00.123+0000"),
    *("0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"),
)
IDS = ("101", "102", "103", "9223372036854775807")
TEXTS = (
    *("Available", "", "~", "\u00e7a va \u2615", "a\nb", "\x1b[31m", "\u202e", SECRET, "1,../../x"),
    *("/restapi/v1.0/account/~/presence", "CMN-102", "x" * 300, "\ud800", "\0"),
)
NUMBERS = (1, 0, -1, 30, 200, 404, 429, 2**31, 2**63, 2**64, 10**30, 7.9, -0.0, 1e308)


class Raw(str):
    """A piece of JSON that is written as it is."""

    __slots__ = ()


RAW = tuple(
    Raw(each)
    for each in (
        *("NaN", "Infinity", "1e400", "-0", "01", '"\\ud800"', '"\\ud83d\\ude00"', "9" * 5000),
        *("[" * 1100 + "]" * 1100, "[" * 900 + "]" * 900, '{"a":1,"a":2}', '"\\u0000"', "tru", ""),
    )
)


def written(value: object) -> bytes:
    """Return a value as JSON, in which each `Raw` is as it is."""
    return _text(value).encode("utf-8", "surrogatepass")


def _text(value: object) -> str:
    if isinstance(value, Raw):
        return str(value)
    if isinstance(value, Mapping):
        items = (f"{json.dumps(str(key))}:{_text(each)}" for key, each in value.items())
        return f"{{{','.join(items)}}}"
    if isinstance(value, (list, tuple)):
        return f"[{','.join(map(_text, value))}]"
    return json.dumps(value)


def any_value(choices: Choices, depth: int = 2) -> Any:
    """Return any JSON value."""
    kind = choices.below(7 if depth else 5)
    if kind == 5:
        return [any_value(choices, depth - 1) for _ in range(choices.below(4))]
    if kind == 6:
        return {text(choices): any_value(choices, depth - 1) for _ in range(choices.below(4))}
    options: tuple[Any, ...] = (None, True, choices.pick(NUMBERS), text(choices))
    return options[kind] if kind < 4 else choices.pick(RAW)


def text(choices: Choices) -> str:
    """Return any text."""
    return choices.text(40) if choices.rarely() else choices.pick(TEXTS)


def record(choices: Choices, cls: type[Any]) -> dict[str, Any]:
    """Return the JSON of a record, with any of its fields, rarely of wrong types."""
    found = {}
    for field in attrs.fields(cls):
        if field.init and choices.flag():
            found[camel(field.name)] = field_value(choices, field.type)
    if choices.rarely():
        found[text(choices)] = any_value(choices)
    return found


def field_value(choices: Choices, type_: Any) -> Any:
    """Return the JSON value of a type, rarely another one."""
    return any_value(choices) if choices.rarely() else _valid(choices, type_)


def _valid(choices: Choices, type_: Any) -> Any:
    if get_origin(type_) in (Union, UnionType):
        type_ = next(each for each in get_args(type_) if each is not type(None))
    if get_origin(type_) is tuple:
        item = get_args(type_)[0]
        return [field_value(choices, item) for _ in range(choices.below(3))]
    if attrs.has(type_):
        return record(choices, type_)
    if isinstance(type_, type) and issubclass(type_, StrEnum):
        return choices.pick([each.value for each in type_])
    options: dict[Any, tuple[Any, ...]] = {
        str: TEXTS,
        int: (1, 0, 2, 30, -1, 2**31),
        float: (1.5, 0, -1),
        bool: (True, False),
        datetime: TIMES,
    }
    return choices.pick(options.get(type_, (*IDS, 101, 102, "")))


def camel(name: str) -> str:
    """Return the JSON name of a field."""
    first, *rest = name.rstrip("_").split("_")
    return first + "".join(map(str.capitalize, rest))
