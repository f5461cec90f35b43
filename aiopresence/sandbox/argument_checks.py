"""Checks of the arguments that tests pass to the sandbox; each raises UsageError."""

from collections.abc import Collection, Mapping
from typing import TypeGuard

from ..errors import UsageError

LARGEST = 10**9  # the bound of numbers without another one
LONGEST = 10**12  # seconds; clocks and timers can still add it


def whole(
    name: str, value: object, low: int = 0, high: int = LARGEST, *, none: bool = False
) -> None:
    """Check an int from low to high, or None if `none`."""
    if value is None and none:
        return
    if type(value) is not int or not low <= value <= high:
        bound = f"{low} or more" if high == LARGEST else f"from {low} to {high}"
        raise UsageError(
            f"{name} must be a whole number, {bound}{_or_none(none)}, not {shown(value)}"
        )


def seconds(name: str, value: object, *, zero: bool = False, none: bool = False) -> None:
    """Check a number of seconds above 0, or also 0 if `zero`, or None if `none`."""
    if value is None and none:
        return
    if not (is_number(value) and 0 <= value <= LONGEST and (zero or value > 0)):
        kind = "a number of seconds, 0 or more" if zero else "a positive number of seconds"
        raise UsageError(f"{name} must be {kind}{_or_none(none)}, not {shown(value)}")


def flag(name: str, value: object) -> None:
    """Check a bool."""
    if type(value) is not bool:
        raise UsageError(f"{name} must be True or False, not {shown(value)}")


def text(name: str, value: object, *, none: bool = False) -> None:
    """Check a str that can be encoded as UTF-8, so without lone surrogates."""
    if value is None and none:
        return
    if not isinstance(value, str) or not is_encodable(value):
        raise UsageError(f"{name} must be text{_or_none(none)}, not {shown(value)}")


def one_of(name: str, value: object, words: Collection[str]) -> None:
    """Check that a value is one of some words."""
    if not isinstance(value, str) or value not in words:
        raise UsageError(
            f"{name} must be one of {', '.join(map(_word, words))}, not {shown(value)}"
        )


def function(name: str, value: object, *, none: bool = False) -> None:
    """Check a callable."""
    if not (callable(value) or (value is None and none)):
        raise UsageError(f"{name} must be a function{_or_none(none)}, not {shown(value)}")


def mapping(name: str, value: object) -> None:
    """Check a mapping."""
    if not isinstance(value, Mapping):
        raise UsageError(f"{name} must be a mapping, not {shown(value)}")


def is_number(value: object) -> TypeGuard[float]:
    """Return whether a value is an int or a float, but not a bool."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def is_encodable(value: str) -> bool:
    """Return whether a text can be encoded as UTF-8."""
    return not any("\ud800" <= letter <= "\udfff" for letter in value)


def shown(value: object) -> str:
    """Return a value as messages show it, shortened to 80 characters."""
    try:
        whole = ascii(value)
    except Exception:  # a repr that raises, or an int with too many digits
        whole = f"a {type(value).__name__}"
    return whole if len(whole) <= 80 else f"{whole[:79]}…"


def _word(text: str) -> str:
    return text if text.isprintable() else repr(text)


def _or_none(none: bool) -> str:
    return " or None" if none else ""
