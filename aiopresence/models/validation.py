"""Checks of what the user gives: ids, and the fields of request bodies.

All of them raise UsageError at once, so that nothing wrong ever reaches a URL or the wire.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import timedelta
from difflib import get_close_matches
from typing import Any, TypeVar

import attrs

from ..errors import UsageError, shown

T = TypeVar("T")

# RingCentral's ids are 64-bit integers, hence at most 19 digits. With leading zeros it would be
# another text for the same id, and the answer would not match it.
_ID = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)


def as_id(value: object, name: str, index: int | None = None, *, tilde: bool = False) -> str:
    """Check an id (a str or int of digits) and give it as str.

    Args:
        value: the id.
        name: the argument's name, for the message.
        index: the id's place in that argument, when there are several.
        tilde: also take "~", which stands for the caller's own.

    Raises:
        UsageError: anything else.
    """
    if type(value) is str and _ID.fullmatch(value):
        return value
    if tilde and isinstance(value, str) and str.__eq__(value, "~"):
        return "~"
    text = str(value) if type(value) is int and 0 <= value < 10**19 else value
    # What was matched is returned: a str of another class may turn into another text later.
    if isinstance(text, str) and (found := _ID.fullmatch(text)):
        return found[0]
    place = "" if index is None else f"[{index}]"
    allowed = "digits or '~'" if tilde else "digits"
    raise UsageError(f"{name}{place} must be {allowed}, as str or int, not {shown(value)}")


def is_id(text: str) -> bool:
    """Tell whether a text is the id of one extension."""
    return bool(_ID.fullmatch(text))


def member_id(value: str | int) -> str:
    """Check an id inside a request body and give it as str; UsageError if it is none."""
    return as_id(value, "id")


def as_record(cls: type[T], value: object) -> T:
    """Take a record as it is, or make it of a plain mapping.

    Raises:
        UsageError: it is neither, or the mapping lacks a field or has a key that is none.
    """
    if isinstance(value, cls):
        return value
    if not isinstance(value, Mapping):
        raise UsageError(f"expected {cls.__name__} or a mapping, not {type(value).__name__}")
    fields = attrs.fields_dict(cls)  # type: ignore[arg-type]
    for key in value:
        if key not in fields:
            close = get_close_matches(str(key), fields, n=1)
            known = f"did you mean {close[0]!r}?" if close else f"it has {', '.join(fields)}"
            raise UsageError(f"{cls.__name__} has no field {shown(key)}; {known}")
    for name, field in fields.items():
        if field.default is attrs.NOTHING and name not in value:
            raise UsageError(f"{cls.__name__} needs {name!r}")
    return cls(**value)


def as_records(cls: type[T], values: object) -> tuple[T, ...]:
    """Take records, or plain mappings, from any iterable; UsageError as `as_record`."""
    if isinstance(values, (str, bytes, Mapping)) or not isinstance(values, Iterable):
        raise UsageError(f"expected a list of {cls.__name__}, not {type(values).__name__}")
    return tuple(as_record(cls, value) for value in values)


def flag(_instance: object, attribute: "attrs.Attribute[Any]", value: object) -> None:
    """Validate a field that is True, False, or None for absent."""
    if value is not None and type(value) is not bool:
        raise UsageError(f"{attribute.name} must be True or False, not {type(value).__name__}")


def encodable(_instance: object, attribute: "attrs.Attribute[Any]", value: object) -> None:
    """Validate a str that can be sent as UTF-8, which a lone surrogate cannot; None for absent."""
    if value is None:
        return
    if not isinstance(value, str):
        raise UsageError(f"{attribute.name} must be a str, not {type(value).__name__}")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise UsageError(f"{attribute.name} has a lone surrogate: {shown(value)}") from None


def status_message(instance: object, attribute: "attrs.Attribute[Any]", value: object) -> None:
    """Validate a custom status message: at most 75 characters, or None for absent."""
    encodable(instance, attribute, value)
    if not isinstance(value, str):
        return
    if len(value) > 75:
        raise UsageError(f"{attribute.name} takes 75 characters at most, not {len(value)}")


# The longest time to wait: more than anybody means, and far from what no clock can take.
YEAR = 366 * 86_400.0


def seconds(
    name: str, duration: float | timedelta, *, zero: bool = False, most: float = YEAR
) -> float:
    """Check a duration, in seconds or as a timedelta, and give it in seconds.

    Raises:
        UsageError: it is none, negative, or longer than `most` seconds; or zero, unless `zero`
            allows it.
    """
    given = duration.total_seconds() if isinstance(duration, timedelta) else duration
    good = isinstance(given, (int, float)) and not isinstance(given, bool)
    if not (good and given <= most and (given > 0 or (zero and given == 0))):
        raise UsageError(f"{name} must be a positive number of seconds, or a timedelta")
    return float(given)
