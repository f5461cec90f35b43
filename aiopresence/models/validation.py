"""Checks of the fields of request bodies, and of durations.

All of them raise UsageError at once, so that nothing wrong ever reaches a URL or the wire.
"""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from difflib import get_close_matches
from typing import Any, TypeVar

import attrs

from ..errors import UsageError, shown
from ..ids import Id, parse_id

T = TypeVar("T")
# A record as a plain mapping of its field names to values.
Fields = Mapping[str, Any]


def member_id(value: Id) -> str:
    """Check an id in a request body and return it as str; UsageError if it is not an id."""
    return parse_id(value, "id")


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
