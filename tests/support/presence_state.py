"""Records, events and presence states for tests without a network."""

from datetime import UTC, datetime, timedelta
from typing import Any

import attrs

from aiopresence import (
    ChangeSource,
    GetPresenceInfo,
    PresenceChange,
    PresenceError,
    PresenceEvent,
    filters,
)
from aiopresence.protocol import decoding, event_parsing
from aiopresence.protocol.pending_read import PendingRead
from aiopresence.protocol.presence_state import PresenceState

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
ACCOUNT = filters.account_presence(account_id=5)


def record(id_: str, **fields: Any) -> GetPresenceInfo:
    return decoding.structure({"extension": {"id": id_}, **fields}, GetPresenceInfo)


def but(known: GetPresenceInfo, **fields: Any) -> GetPresenceInfo:
    return attrs.evolve(known, **fields)


def event(
    body: dict[str, Any], *, at: float | None = 0.0, filter_: str | None = ACCOUNT
) -> PresenceEvent:
    when = None if at is None else (NOW + timedelta(seconds=at)).isoformat()
    return event_parsing.parse({"event": filter_, "timestamp": when, "body": body})


def notice(
    id_: str, sequence: Any = None, *, at: float | None = 0.0, **fields: Any
) -> PresenceEvent:
    return event({"extensionId": id_, "sequence": sequence, **fields}, at=at)


def apply(state: PresenceState, *given: PresenceEvent) -> list[PresenceChange]:
    changes = [state.apply(each, NOW) for each in given]
    return [change for change in changes if change is not None]


def merge_read(
    state: PresenceState, pending: PendingRead, id_: str, answer: GetPresenceInfo | PresenceError
) -> list[PresenceChange]:
    change = state.merge_read(pending, id_, answer, ChangeSource.BATCH, NOW)
    return [] if change is None else [change]


def state_of(*ids: str, of: frozenset[str] | None = None, **fields: Any) -> PresenceState:
    """Return a state that has read some extensions."""
    state = PresenceState(of)
    pending = state.begin_read(None if of is None else ids)
    for id_ in ids:
        merge_read(state, pending, id_, record(id_, **fields))
    state.end_read(pending, complete=True)
    assert state.is_settled
    return state
