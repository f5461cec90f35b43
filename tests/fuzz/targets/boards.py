"""The state of a board, from any reads and events."""

from datetime import UTC, datetime, timedelta
from typing import Any

from aiopresence import DecodeError, GetPresenceInfo, PresenceChange, from_dict, to_dict
from aiopresence.models import ChangeSource, PresenceEventBody
from aiopresence.protocol import decoding, event_parsing
from aiopresence.protocol.event_gaps import GapDetector
from aiopresence.protocol.presence_state import PresenceState
from tests.fuzz.choices import Choices
from tests.fuzz.documents import IDS, TIMES, record

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
FILTERS = ("/restapi/v1.0/account/1/presence", "/restapi/v1.0/account/1/extension/101/presence")
DELAYS = (0.0, 0.1, 5.0, 700.0, 86_400.0)


def board_events(data: bytes) -> None:
    """Any events and reads leave records of the extensions that were asked for."""
    choices = Choices(data)
    ids = IDS[:2] if choices.flag() else None
    state, gaps = PresenceState(ids, detailed=choices.flag()), GapDetector()
    now, changes = NOW, list[PresenceChange | None]()
    gaps.session_started()
    for _ in range(1 + choices.below(8)):
        now += timedelta(seconds=choices.pick(DELAYS))
        if choices.rarely():
            changes += _read(choices, state, now)
            continue
        try:
            event = event_parsing.parse(_notification(choices, now))
        except DecodeError:
            continue
        is_new, _ = gaps.receive((now - NOW).total_seconds(), event)
        if is_new:
            changes.append(state.apply(event, now))
    assert ids is None or {*state.records, *state.stale, *state.unknown_ids} <= {*ids}
    for change in filter(None, changes):
        assert change.old != change.new
        assert from_dict(PresenceChange, to_dict(change)) == change


def _notification(choices: Choices, now: datetime) -> dict[str, Any]:
    if choices.rarely():
        timestamp: Any = choices.pick((*TIMES, None, 5))
    else:
        timestamp = (now + timedelta(seconds=choices.pick((0, -1, -60, 60)))).isoformat()
    body = record(choices, PresenceEventBody)
    return {
        "uuid": str(choices.below(8)),
        "event": choices.pick(FILTERS),
        "timestamp": timestamp,
        "body": body | {"extensionId": choices.pick((*IDS, "x", 101))},
    }


def _read(choices: Choices, state: PresenceState, now: datetime) -> list[PresenceChange | None]:
    pending = state.begin_read(IDS[:2] if choices.flag() else None)
    changes = []
    for id_ in IDS[: choices.below(3)]:
        try:
            result: Any = decoding.structure(record(choices, GetPresenceInfo), GetPresenceInfo)
        except DecodeError as error:
            result = error
        changes.append(state.merge_read(pending, id_, result, ChangeSource.BATCH, now))
    state.end_read(pending, complete=choices.flag())
    return changes
