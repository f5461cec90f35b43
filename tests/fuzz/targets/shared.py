"""What Redis holds for other processes: states of a board, replies of the rate limit script."""

from datetime import UTC, datetime
from typing import Any

import attrs

from aiopresence import DecodeError, GetPresenceInfo, PresenceChange
from aiopresence.models import ChangeSource, DisabledFilterInfo
from aiopresence.protocol import board_json
from aiopresence.protocol.board_json import BoardEntry, BoardStatus
from aiopresence.protocol.board_replica import BoardReplica, parse_version
from aiopresence.protocol.error_values import ErrorValues
from aiopresence.redis.limit_calls import Reply, read_reply
from tests.fuzz.checks import check_error
from tests.fuzz.choices import Choices
from tests.fuzz.documents import IDS, any_value, record, text, written

TIME = datetime(2026, 3, 2, 9, tzinfo=UTC)


def board_states(data: bytes) -> None:
    """A copy of a board takes any states, and never goes back to an older one."""
    choices = Choices(data)
    replica = BoardReplica(IDS[:3] if choices.flag() else None)
    newest: dict[str, Any] = {}
    for _ in range(1 + choices.below(6)):
        version = parse_version(choices.mutated(b"%d-%d" % (choices.below(4), choices.below(9))))
        id_ = choices.pick((*IDS, "~", "x", ""))
        if version is None:
            continue
        if choices.rarely():
            replica.advance(version, _status(choices))
            present = {*choices.several(IDS, 3)}
            replica.retain(present, TIME)
            # What comes after a snapshot is newer; a removed extension begins anew.
            newest = {id_: newest[id_] for id_ in newest.keys() & present}
            continue
        change = replica.apply(id_, version, _entry(choices), TIME)
        if change is not None:
            assert isinstance(change, PresenceChange)
            assert version > newest.get(id_, (0, 0))
            newest[id_] = version
        replica.is_stale(id_)
    assert not {"~", "x", ""} & {*replica.records, *replica.errors, *replica.unreadable}
    for error in replica.errors.values():
        str(error)


def _entry(choices: Choices) -> bytes:
    if choices.rarely():
        return b""
    body: dict[str, Any] = {
        "record": record(choices, GetPresenceInfo),
        "source": choices.pick(("event", "read", "account", "x")),
        "time": choices.pick(("2026-03-02T09:00:00+00:00", "x", 5)),
    }
    if choices.flag():
        body |= {"error": record(choices, ErrorValues), "rejected": choices.flag()}
        body["error"]["type"] = choices.pick(("NotFound", "ApiError", "DecodeError", "str", "x"))
    entry = choices.mutated(written(any_value(choices) if choices.rarely() else body))
    _check_entry(entry)
    return entry


def _check_entry(data: bytes) -> None:
    try:
        entry = board_json.load_entry(data)
    except DecodeError as error:
        check_error(error)
        return
    assert isinstance(entry, BoardEntry)
    assert isinstance(entry.source, ChangeSource)
    again = board_json.load_entry(board_json.dump_entry(entry))
    assert (again.record, again.source, again.time) == (entry.record, entry.source, entry.time)
    assert type(again.error) is type(entry.error)


def _status(choices: Choices) -> bytes:
    filters = [record(choices, DisabledFilterInfo) for _ in range(choices.below(3))]
    body: dict[str, Any] = {"following": choices.flag(), "stale": choices.several(IDS, 3)}
    body |= {"disabledFilters": filters, "live": choices.pick((True, 1, None)), text(choices): 1}
    data = choices.mutated(written(any_value(choices) if choices.rarely() else body))
    status = board_json.status_of(data)
    assert isinstance(status, BoardStatus)
    assert board_json.status_of(board_json.dump_status(status)).stale == status.stale
    return data


def limit_replies(data: bytes) -> None:
    """A reply of the rate limit script has the types it should have, or is none."""
    choices = Choices(data)
    names = [field.name for field in attrs.fields(Reply)]
    values = [_value(choices, name) for name in names]
    raw = choices.mutated(written(any_value(choices) if choices.rarely() else values))
    given: Any = choices.pick((None, 5, [raw])) if choices.rarely() else raw
    reply = read_reply(given)
    if reply is None:
        return
    assert isinstance(reply.epoch, str)
    for name in names[1:]:
        value = getattr(reply, name)
        numbers = value if isinstance(value, list) else [value]
        assert all(type(number) is int for number in numbers)
    assert min(reply.limit, reply.window, reply.step) > 0


def _value(choices: Choices, name: str) -> Any:
    if choices.rarely():
        return any_value(choices)
    if name in ("grants", "times"):
        return choices.pick(([1], [], {}, [5, 7]))
    return "e" if name == "epoch" else choices.pick((1, 0, -1, 60_000, 10**15 - 1))
