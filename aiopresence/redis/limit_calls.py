"""The calls of `limits.lua` and its replies, as JSON.

A reply is untrusted: what this module returns has checked types, or is None.
"""

from collections.abc import Mapping, Sequence
from enum import IntEnum
from math import ceil, floor
from typing import Any

import attrs
import orjson

from ..protocol.rate_limit_headers import Headers, has_limits, read_limits, retry_after
from ..protocol.rate_limits import GroupLimits

# Ages and limits beyond this are a mistake.
_LARGEST = 10**15


class Kind(IntEnum):
    """How a request ended: see the methods of `GroupWindow` with these names."""

    COMPLETE = 1
    REJECT = 2
    ABANDON = 3
    RELEASE = 4
    # A part of a response was a 429.
    BLOCK = 5


@attrs.frozen
class Slot:
    """A slot that was granted.

    Attributes:
        id: its number in this process.
        number: the number of slots granted before it to all processes, plus one; 0 if it was not
            granted, or by an earlier record.
        penalties: the number of penalties before it; -1 if that does not matter.
        used: the number of slots in use, this one included.
        keep: the slots it leaves free for more important requests.
        expires: when it is too old to send a request with it, in monotonic seconds.
        epoch: the record that granted it.
    """

    id: int
    number: int
    penalties: int
    used: int
    keep: int = 0
    expires: float = 0.0
    epoch: str = ""


@attrs.frozen
class Report:
    """How a request ended, and what its response stated.

    Attributes:
        number: of the reports of this process, in order.
        time: when it ended, in monotonic seconds; -inf for a slot that was not used.
        kind: how.
        slot: its slot.
        headers: those of the response.
    """

    number: int
    time: float
    kind: Kind
    slot: Slot
    headers: Headers

    def values(self, now: float, epoch: str) -> list[int]:
        """Return it for a call; its time becomes an age in ms, which no clock has to agree on."""
        slot, stated = self.slot, read_limits(self.headers)
        is_known = slot.epoch == epoch
        retry = retry_after(self.headers)
        return [
            self.number,
            self.kind,
            slot.id,
            slot.number if is_known else 0,
            slot.penalties if is_known else -1,
            slot.used,
            0 if self.kind is Kind.RELEASE else floor((now - self.time) * 1000),
            stated.limit or -1,
            _milliseconds(stated.window),
            -1 if stated.remaining is None else min(stated.remaining, _LARGEST),
            _milliseconds(retry),
            0 if has_limits(self.headers) else 1,
        ]


@attrs.frozen
class Call:
    """A call of the script.

    Attributes:
        process: the name of this process.
        number: of the calls of this process, in order.
        epoch: the record that the process knows; empty if none.
        at: the time of the last reply, as the reply states it; -1 if there was none.
        most: the time since the last call that was answered, in seconds.
        next_id: the id of the first slot that is granted.
        held: the ids of the slots that the process holds, or only how many.
        reports: how requests have ended.
        wants: how many requests wait, by the slots that they leave free.
        limits: the limits that are known, or to be assumed before a response states them.
        stated: which of them a response has stated: 1 the limit, 2 the window, 3 both.
        penalty: the known time until a penalty ends, in seconds.
        seats: the number of processes for outage="share"; else 0.
        name: the name of the seat of this process; empty if any will do.
        closing: whether this is the last call.
    """

    process: str
    number: int
    epoch: str
    at: int
    most: float
    next_id: int
    held: Sequence[int] | int
    reports: Sequence[Sequence[int]]
    wants: Sequence[tuple[int, int]]
    limits: GroupLimits
    stated: int = 0
    penalty: float = 0.0
    seats: int = 0
    name: str = ""
    closing: bool = False

    def encode(self) -> bytes:
        """Return it as JSON."""
        values: list[Any] = [
            self.process,
            self.number,
            self.epoch,
            self.at,
            ceil(self.most * 1000),
            self.next_id,
            self.held,
            self.reports,
            self.wants,
            self.limits.limit,
            _milliseconds(self.limits.window),
            self.stated,
            ceil(self.penalty * 1000),
            self.seats,
            self.name,
            int(self.closing),
        ]
        return orjson.dumps(values)


@attrs.frozen
class Reply:
    """A reply of the script. Times are in ms.

    Attributes:
        epoch: the record.
        time: the time of the script.
        limit: the requests allowed in a window.
        window: the length of the window.
        margin: after how much more a slot is free.
        free: the free slots, less what was granted.
        blocked: the time in which nothing is granted.
        back: when to ask again; -1 if all was granted.
        penalties: the number of penalties so far.
        number: the number of the first slot that was granted.
        used: how many slots were in use with that one.
        grants: how many slots were granted, for each of the wants.
        step: each time in `times` stands for so many slots.
        times: the times in which the slots in use become free, in order.
        disagrees: whether the slots held are not those recorded: the next call states them all.
        prompt: whether others wait for what becomes of the slots held.
        seat: whether the process has a seat.
        applied: the number of the last report applied.
        penalty: the time until a penalty ends.
        stated: whether a response has stated the limit (1) and the window (2).
    """

    epoch: str
    time: int
    limit: int
    window: int
    margin: int
    free: int
    blocked: int
    back: int
    penalties: int
    number: int
    used: int
    grants: Sequence[int]
    step: int
    times: Sequence[int]
    disagrees: int
    prompt: int
    seat: int
    applied: int
    penalty: int
    stated: int


_LISTS = frozenset({"grants", "times"})
_FIELDS = [field.name for field in attrs.fields(Reply)]


def read_reply(reply: Any) -> Reply | None:
    """Return a reply; None if the call was too late, or the reply is not one of the script."""
    try:
        values = orjson.loads(reply)
    except (orjson.JSONDecodeError, TypeError):
        return None
    if not isinstance(values, list) or len(values) != len(_FIELDS):
        return None
    fields = dict(zip(_FIELDS, values, strict=True))
    # An empty list of Lua is an object in JSON.
    fields |= {name: [] for name in _LISTS if fields[name] == {}}
    return Reply(**fields) if _is_valid(fields) else None


def _is_valid(fields: Mapping[str, Any]) -> bool:
    lists = [fields[name] for name in _LISTS]
    if not isinstance(fields["epoch"], str) or not all(isinstance(each, list) for each in lists):
        return False
    numbers = [v for n, v in fields.items() if n != "epoch" and n not in _LISTS]
    numbers += [number for each in lists for number in each]
    if not all(type(number) is int and abs(number) < _LARGEST for number in numbers):
        return False
    return all(fields[name] > 0 for name in ("limit", "window", "step"))


def _milliseconds(seconds: float | None) -> int:
    return -1 if seconds is None else min(round(seconds * 1000), _LARGEST)
