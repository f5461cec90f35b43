"""What RingCentral sends and the models do not know: names only, nothing about anybody."""

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
from ..output import camel

if TYPE_CHECKING:
    from ... import PresenceSession

# What the name of a field or of a value looks like. Anything else may be about somebody.
NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,39}", re.ASCII)
FIELD = "(a field)"
BASE = "/restapi/v1.0/account/~"
ALL = {"detailedTelephonyState": True, "sipData": True}
# A page of 1,000 with all calls is larger than what a session takes of an answer.
READS: tuple[tuple[type, str, dict[str, Any]], ...] = (
    (GetPresenceInfo, f"{BASE}/extension/~/presence", ALL),
    (AccountPresenceInfo, f"{BASE}/presence", {"perPage": 250, **ALL}),
    (UnifiedPresence, f"{BASE}/extension/~/unified-presence", {}),
    (ExtensionCallQueuePresenceList, f"{BASE}/extension/~/call-queue-presence", {}),
)


async def look(session: "PresenceSession") -> tuple[list[tuple[str, str]], list[PresenceError]]:
    """Read presence of each kind, and compare it with the models.

    Returns:
        What is not known, as paths and values, and what could not be read.
    """
    found: set[tuple[str, str]] = set()
    failed: list[PresenceError] = []
    reads = [*READS]
    for cls, path, params in reads:
        try:
            answer = (await session.request("GET", path, params=params)).json()
        except PresenceError as error:
            failed.append(error)
            continue
        found |= {*unknown(cls, answer, cls.__name__)}
        if cls is ExtensionCallQueuePresenceList and (queue := first_queue(answer)):
            reads.append((CallQueuePresence, f"{BASE}/call-queues/{queue}/presence", {}))
    return sorted(found), failed


def first_queue(answer: Any) -> str | None:
    """Give the id of the first queue in the list of one's own queues."""
    try:
        id_ = str(answer["records"][0]["callQueue"]["id"])
    except (KeyError, IndexError, TypeError):
        return None
    return id_ if id_.isascii() and id_.isdigit() else None


def unknown(kind: Any, value: Any, path: str) -> Iterator[tuple[str, str]]:
    """Give what a JSON value has in it that its model does not.

    Args:
        kind: the model, or the type of a field of one.
        value: the value.
        path: where it is, for what is given.
    """
    kind = _without_none(kind)
    if attrs.has(kind) and isinstance(value, dict):
        known = {camel(field.name): field.type for field in attrs.fields(kind)}
        for name, item in value.items():
            here = f"{path}.{name if NAME.fullmatch(name) else '?'}"
            if name in known:
                yield from unknown(known[name], item, here)
            else:
                yield here, FIELD
    elif get_origin(kind) is tuple and isinstance(value, list):
        for item in value:
            yield from unknown(get_args(kind)[0], item, f"{path}[]")
    elif _is_new(kind, value):
        yield path, value if NAME.fullmatch(value) else "(not a name)"


def _is_new(kind: Any, value: Any) -> bool:
    is_enum = isinstance(kind, type) and issubclass(kind, OpenStrEnum)
    return is_enum and isinstance(value, str) and value not in {str(each) for each in kind}


def _without_none(kind: Any) -> Any:
    kinds = [each for each in get_args(kind) if each is not NoneType]
    return kinds[0] if NoneType in get_args(kind) and len(kinds) == 1 else kind
