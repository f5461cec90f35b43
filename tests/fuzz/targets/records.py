"""JSON values to records and back."""

from typing import Any

import attrs
import orjson

from aiopresence import (
    BatchResult,
    DecodeError,
    Outcome,
    UsageError,
    from_dict,
    models,
    to_dict,
    to_json,
)
from aiopresence.protocol.error_values import ErrorValues
from aiopresence.protocol.stats import Stats
from tests.fuzz.checks import check_error
from tests.fuzz.choices import Choices
from tests.fuzz.documents import IDS, SECRET, any_value, record, written
from tests.fuzz.targets.events import notification

CLASSES: tuple[Any, ...] = (
    *(models.GetPresenceInfo, models.PresenceEvent, models.PresenceChange, models.UnifiedPresence),
    *sorted(
        (each for each in vars(models).values() if isinstance(each, type) and attrs.has(each)),
        key=lambda each: str(each.__name__),
    ),
    Stats,
)

# Their secret is left out.
WITH_SECRET = (models.NotificationDeliveryMode, models.SubscriptionInfo)


def records(data: bytes) -> None:
    """Any JSON value is a record, whose JSON makes an equal record, or a DecodeError."""
    choices = Choices(data)
    cls = choices.pick(CLASSES)
    value = record(choices, cls)
    if cls is models.PresenceEvent:
        value = notification(choices)
    _check(cls, _parsed(choices, value), equal=cls not in WITH_SECRET)


def outcomes(data: bytes) -> None:
    """The same for the results of bulk calls, with their errors."""
    choices = Choices(data)
    items = [_outcome(choices) for _ in range(choices.below(4))]
    value = {"outcomes": items, "route": choices.pick(("batches", None, "account", "x", 5))}
    _check(BatchResult[models.GetPresenceInfo], _parsed(choices, value), equal=False)
    _check(Outcome[models.GetPresenceInfo], _parsed(choices, _outcome(choices)), equal=False)


def _outcome(choices: Choices) -> dict[str, Any]:
    outcome: dict[str, Any] = {"id": choices.pick((*IDS, 101, None)), "status": 200}
    if choices.flag():
        error = record(choices, ErrorValues)
        outcome["error"] = error | {"type": choices.pick(("NotFound", "RateLimited", "Timeout"))}
    else:
        outcome["value"] = record(choices, models.GetPresenceInfo)
    return outcome


def _parsed(choices: Choices, value: Any) -> Any:
    """Return JSON values as a parser returns them, with a few changes."""
    data = choices.mutated(written(any_value(choices) if choices.rarely() else value))
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        return None


def _check(cls: Any, value: Any, *, equal: bool) -> None:
    try:
        found = from_dict(cls, value)
    except (DecodeError, UsageError) as error:
        # Requests are refused as if they were made by the caller, whose own values may be quoted.
        if SECRET not in repr(value):
            check_error(error)
        return
    values = to_dict(found)
    assert orjson.loads(to_json(found)) == values
    again = from_dict(cls, values)
    assert to_dict(again) == values
    if equal:
        assert again == found
