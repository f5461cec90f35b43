"""Check the fields of request bodies, and durations.

Every check raises UsageError, before anything is sent.
"""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from difflib import get_close_matches
from typing import Any, TypeVar

import attrs

from ..errors import UsageError, short_repr
from ..ids import Id, parse_id

T = TypeVar("T")
# A record as a plain mapping of its field names to values.
Fields = Mapping[str, Any]


def member_id(value: Id) -> str:
    """Check an id in a request body and return it as str; UsageError if it is not an id."""
    return parse_id(value, "id")


def as_record(cls: type[T], value: object) -> T:
    """Return a record, or the record for a mapping of its field names to values.

    Raises:
        UsageError: the value is neither, or the mapping lacks a field or has an unknown key.
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
            raise UsageError(f"{cls.__name__} has no field {short_repr(key)}; {known}")
    for name, field in fields.items():
        if field.default is attrs.NOTHING and name not in value:
            raise UsageError(f"{cls.__name__} needs {name!r}")
    return cls(**value)


def as_records(cls: type[T], values: object) -> tuple[T, ...]:
    """Return the records for an iterable of records or mappings; UsageError as `as_record`."""
    if isinstance(values, (str, bytes, Mapping)) or not isinstance(values, Iterable):
        raise UsageError(f"expected a list of {cls.__name__}, not {type(values).__name__}")
    return tuple(as_record(cls, value) for value in values)


def flag(_instance: object, attribute: "attrs.Attribute[Any]", value: object) -> None:
    """Validate a field that is True, False or None."""
    if value is not None and type(value) is not bool:
        raise UsageError(f"{attribute.name} must be True or False, not {type(value).__name__}")


def encodable(_instance: object, attribute: "attrs.Attribute[Any]", value: object) -> None:
    """Validate a field that is None or a str without lone surrogates, which UTF-8 cannot encode."""
    if value is None:
        return
    if not isinstance(value, str):
        raise UsageError(f"{attribute.name} must be a str, not {type(value).__name__}")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise UsageError(f"{attribute.name} has a lone surrogate: {short_repr(value)}") from None


def status_message(instance: object, attribute: "attrs.Attribute[Any]", value: object) -> None:
    """Validate a status message: None or a str of at most 75 characters."""
    encodable(instance, attribute, value)
    if not isinstance(value, str):
        return
    if len(value) > 75:
        raise UsageError(f"{attribute.name} must have at most 75 characters, not {len(value)}")


# The longest duration: more than anyone needs, and far below the limits of clocks and timers.
YEAR = 366 * 86_400.0


def seconds(
    name: str, duration: float | timedelta, *, zero: bool = False, most: float = YEAR
) -> float:
    """Return a duration in seconds.

    Args:
        name: the argument's name, for the message.
        duration: seconds, or a timedelta.
        zero: whether 0 is allowed.
        most: the longest duration in seconds.

    Raises:
        UsageError: it is not a duration, or out of range.
    """
    value = duration.total_seconds() if isinstance(duration, timedelta) else duration
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not (is_number and value <= most and (value > 0 or (zero and value == 0))):
        kind = "a number of seconds, 0 or more" if zero else "a positive number of seconds"
        raise UsageError(f"{name} must be {kind}, or a timedelta")
    return float(value)
