"""Find what RingCentral sends and the models do not have: names only, no personal data."""

import re
from collections.abc import Iterator
from types import NoneType
from typing import TYPE_CHECKING, Any, get_args, get_origin

import attrs

from ... import (
    AccountPresenceInfo,
    CallQueuePresence,
    ExtensionCallQueuePresenceList,
    GetPresenceInfo,
    OpenStrEnum,
    PresenceError,
    UnifiedPresence,
)
from ..conversion import camel

if TYPE_CHECKING:
    from ... import PresenceSession

# What names of fields and enum values look like. Other text may be personal data.
NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,39}", re.ASCII)
UNKNOWN_FIELD = "(field)"
BASE = "/restapi/v1.0/account/~"
ALL_DETAILS = {"detailedTelephonyState": True, "sipData": True}
# A page of 1,000 with all calls exceeds the size limit for response bodies.
READS: tuple[tuple[type, str, dict[str, Any]], ...] = (
    (GetPresenceInfo, f"{BASE}/extension/~/presence", ALL_DETAILS),
    (AccountPresenceInfo, f"{BASE}/presence", {"perPage": 250, **ALL_DETAILS}),
    (UnifiedPresence, f"{BASE}/extension/~/unified-presence", {}),
    (ExtensionCallQueuePresenceList, f"{BASE}/extension/~/call-queue-presence", {}),
)


async def find_drift(
    session: "PresenceSession",
) -> tuple[list[tuple[str, str]], list[PresenceError]]:
    """Read presence of each kind, and compare it with the models.

    Returns:
        Unknown fields and values, as paths and values, and the errors of reads that failed.
    """
    found: set[tuple[str, str]] = set()
    errors: list[PresenceError] = []
    reads = [*READS]
    for cls, path, params in reads:
        try:
            body = (await session.request("GET", path, params=params)).json()
        except PresenceError as error:
            errors.append(error)
            continue
        found |= {*unknown(cls, body, cls.__name__)}
        if cls is ExtensionCallQueuePresenceList and (queue := first_queue(body)):
            reads.append((CallQueuePresence, f"{BASE}/call-queues/{queue}/presence", {}))
    return sorted(found), errors


def first_queue(body: Any) -> str | None:
    """Return the id of the first queue in the list of one's own queues, or None."""
    try:
        id_ = str(body["records"][0]["callQueue"]["id"])
    except (KeyError, IndexError, TypeError):
        return None
    return id_ if id_.isascii() and id_.isdigit() else None


def unknown(kind: Any, value: Any, path: str) -> Iterator[tuple[str, str]]:
    """Yield the path and value of everything in a JSON value that its model does not have.

    Args:
        kind: the model, or the type of one of its fields.
        value: the JSON value.
        path: the path of the value.
    """
    kind = _without_none(kind)
    if attrs.has(kind) and isinstance(value, dict):
        known = {camel(field.name): field.type for field in attrs.fields(kind)}
        for name, item in value.items():
            item_path = f"{path}.{name if NAME.fullmatch(name) else '?'}"
            if name in known:
                yield from unknown(known[name], item, item_path)
            else:
                yield item_path, UNKNOWN_FIELD
    elif get_origin(kind) is tuple and isinstance(value, list):
        for item in value:
            yield from unknown(get_args(kind)[0], item, f"{path}[]")
    elif _is_unknown_member(kind, value):
        yield path, value if NAME.fullmatch(value) else "(not a name)"


def _is_unknown_member(kind: Any, value: Any) -> bool:
    is_enum = isinstance(kind, type) and issubclass(kind, OpenStrEnum)
    return is_enum and isinstance(value, str) and value not in {str(each) for each in kind}


def _without_none(kind: Any) -> Any:
    kinds = [each for each in get_args(kind) if each is not NoneType]
    return kinds[0] if NoneType in get_args(kind) and len(kinds) == 1 else kind
