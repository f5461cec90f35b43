"""Convert records to JSON values and back, for files, other services and web pages.

The JSON of a record is what RingCentral sends: its names, without fields that are None, enums as
text, times in ISO 8601 with their offset from UTC. The names of other classes have the same style.

An error of an outcome has `type`, the name of its class, `message`, and its attributes, but not the
response body. Reading it makes an error of that class again, without traceback, cause and notes.

Secrets are left out: of all records, only a `NotificationDeliveryMode` has one.
"""

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from enum import Enum
from functools import cache
from typing import Any, TypeVar, get_args, get_origin

import attrs
import orjson

from ..errors import DecodeError, PresenceError, UsageError, one_line
from ..models import PresenceChange, PresenceEvent
from ..redaction import Secret
from . import decoding, event_parsing
from .error_values import ErrorValues, from_error, to_error
from .outcome import BatchResult, Outcome, RouteTaken
from .rate_limits import GroupLimits
from .stats import Stats

T = TypeVar("T")

_MODELS = PresenceEvent.__module__.rpartition(".")[0]
# Values that JSON has; instances of their subclasses are converted.
_JSON_TYPES = frozenset({str, int, bool, type(None)})


def to_dict(record: Any) -> dict[str, Any]:
    """Return a record as JSON values: dict, list, str, int, float and bool.

    Args:
        record: any record of `aiopresence`, such as GetPresenceInfo, PresenceChange or a request;
            an Outcome, BatchResult, GroupLimits or Stats.

    Raises:
        UsageError: it is none of these, or has a value that JSON does not have, such as NaN or a
            time without a UTC offset.
    """
    _check_is_record(type(record))
    try:
        values: dict[str, Any] = _to_value(record)
    except RecursionError:
        raise UsageError("the record is nested too deeply for JSON") from None
    return values


def to_json(record: Any) -> str:
    """Return the JSON of a record, as `to_dict`, on one line; UsageError as `to_dict`."""
    try:
        return orjson.dumps(to_dict(record)).decode()
    except TypeError as error:
        reason = one_line(str(error))
    raise UsageError(f"cannot be converted to JSON: {reason}")


def from_dict(cls: type[T], value: Any) -> T:
    """Return the record of JSON values, as `to_dict` returns them or RingCentral sends them.

    Unknown fields are ignored and unknown values of open enums kept, as in responses.

    Args:
        cls: the class of the record. An Outcome or BatchResult needs that of its values:
            `Outcome[GetPresenceInfo]`.
        value: the values.

    Raises:
        DecodeError: a value has the wrong type, or a request would refuse it; `path` is its place.
        UsageError: `cls` is not the class of a record, or `value` is JSON text.
    """
    kind: Any = get_origin(cls) or cls
    _check_is_record(kind)
    if isinstance(value, (str, bytes)):
        raise UsageError("the value is text: pass what json.loads(text) returns")
    if kind in (Outcome, BatchResult):
        read = _read_outcome if kind is Outcome else _read_batch
        return read(value, _value_class(cls, kind))  # type: ignore[return-value]
    if kind is PresenceEvent:
        return event_parsing.parse_saved(value)  # type: ignore[return-value]
    if kind is PresenceChange and isinstance(value, Mapping):
        value = {"old": None, "new": None, **value}
    return decoding.structure(value, cls)


def _check_is_record(cls: Any) -> None:
    if not (isinstance(cls, type) and _is_record(cls)):
        name = getattr(cls, "__name__", type(cls).__name__)
        raise UsageError(f"{name} is not a record: pass records one by one")


@cache
def _is_record(cls: type) -> bool:
    if cls in (Outcome, BatchResult, GroupLimits, Stats):
        return True
    return attrs.has(cls) and cls.__module__.startswith(f"{_MODELS}.")


def _to_value(value: Any) -> Any:
    kind: Any = type(value)
    if kind in _JSON_TYPES:
        return value
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, PresenceError):
        return _to_object(attrs.evolve(from_error(value) or ErrorValues(), body=None))
    if kind is BatchResult:
        route = {} if value.route is None else {"route": value.route}
        return {**route, "outcomes": [_to_value(each) for each in value]}
    if kind is ErrorValues or _is_record(kind):
        return _to_object(value)
    if isinstance(value, (tuple, list)):
        return [_to_value(each) for each in value]
    if isinstance(value, Mapping):
        return {str(key): _to_value(each) for key, each in value.items()}
    return _to_atom(value)


def _to_object(record: Any) -> dict[str, Any]:
    return {
        json_name: _to_value(value)
        for name, json_name in _names(record.__class__)
        if (value := getattr(record, name)) is not None and type(value) is not Secret
    }


@cache
def _names(cls: type) -> tuple[tuple[str, str], ...]:
    """Return the name of each field with its JSON name."""
    return tuple((field.name, decoding.camel(field.name)) for field in attrs.fields(cls))


def _to_atom(value: Any) -> Any:
    if isinstance(value, datetime):
        if value.utcoffset() is None:
            raise UsageError("a time has no UTC offset: use a datetime with a tzinfo")
        return value.isoformat()
    if isinstance(value, float):
        if not math.isfinite(value):
            raise UsageError(f"cannot be converted to JSON: {value} is not a JSON number")
        return float(value)
    if isinstance(value, (str, int)):
        return str(value) if isinstance(value, str) else int(value)
    raise UsageError(f"cannot be converted to JSON: a value of type {type(value).__name__}")


def _value_class(cls: Any, kind: Any) -> Any:
    """Return the class of the values of an Outcome or BatchResult; UsageError if it has none."""
    [value_class] = get_args(cls) or [None]
    if not (isinstance(value_class, type) and _is_record(value_class)):
        name = kind.__name__
        raise UsageError(f"pass the class of its values too, such as {name}[GetPresenceInfo]")
    return value_class


@attrs.frozen(weakref_slot=False)
class _OutcomeValues:
    """The JSON of an Outcome without its value."""

    id: str
    status: int | None = None
    error: ErrorValues | None = None
    of_request: bool | None = None


def _read_outcome(value: Any, cls: Any) -> Outcome[Any]:
    fields = decoding.structure(value, _OutcomeValues)
    error, result = to_error(fields.error), value.get("value")
    if error is not None and result is not None:
        raise DecodeError("expected a value or an error, not both")
    if result is not None:
        with _inside(".value"):
            result = from_dict(cls, result)
    return Outcome(fields.id, fields.status, result, error, fields.of_request is True)


@attrs.frozen(weakref_slot=False)
class _BatchValues:
    """The JSON of a BatchResult without its outcomes, of which there may be very many."""

    route: str | None = None


def _read_batch(value: Any, cls: Any) -> BatchResult[Any]:
    route, items = decoding.structure(value, _BatchValues).route, value.get("outcomes")
    if not isinstance(items, list):
        raise DecodeError("expected a list", "$.outcomes")
    if route is not None and route not in get_args(RouteTaken):
        raise DecodeError(f"expected one of {', '.join(get_args(RouteTaken))}", "$.route")
    outcomes = []
    for index, item in enumerate(items):
        with _inside(f".outcomes[{index}]"):
            outcomes.append(_read_outcome(item, cls))
    return BatchResult(outcomes, route)  # type: ignore[arg-type] # one of them


@contextmanager
def _inside(path: str) -> Iterator[None]:
    """Put the path of a value before those of errors in it."""
    try:
        yield
    except DecodeError as error:
        raise DecodeError(error.reason, f"${path}{error.path[1:]}") from None
