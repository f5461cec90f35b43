"""Texts that the WebSocket gateway sends, through the event session."""

from itertools import count
from typing import Any

from aiopresence import ApiError, PresenceEvent
from aiopresence.escaping import escaped
from aiopresence.models import events
from aiopresence.protocol import json_values
from aiopresence.protocol.event_details import ConnectionDetails
from aiopresence.protocol.event_outputs import Gap, Subscribed
from aiopresence.protocol.event_session import MAX_UNREADABLE, EventSession
from aiopresence.redaction import Redactor
from tests.fuzz.checks import check_error
from tests.fuzz.choices import Choices, mutated_text
from tests.fuzz.documents import SECRET, TIMES, any_value, record, text, written

FILTER = "/restapi/v1.0/account/~/presence"
PATHS = (
    FILTER,
    "/restapi/v1.0/account/1/extension/101/presence?detailedTelephonyState=true",
    "/restapi/v1.0/account/~/extension/~/presence/line",
    "/restapi/v1.0/account/~/extension/101/presence/line/presence",
    "/restapi/v1.0/account/~/extension/101/favorite/presence",
    "/restapi/v1.0/account/~/presence/dnd",
    "/restapi/v1.0/account/~/call-queues/7/presence",
)
BODIES = [each.body for each in events.EVENT_TYPES]
KINDS = ("ServerNotification", "ClientRequest", "Heartbeat", "Error", "ConnectionDetails", "Other")
MAX_STEPS = 12


def gateway_texts(data: bytes) -> None:
    """Whatever a gateway sends, a session emits events and gaps, or raises an ApiError."""
    choices = Choices(data)
    redactor = Redactor()
    redactor.add(SECRET)
    ids = count(1)
    session = EventSession((FILTER,), lambda: f"m{next(ids)}", redactor)
    now = _begin(choices, session)
    for _ in range(1 + choices.below(MAX_STEPS)):
        now += choices.pick((0.0, 0.5, 10.0, 40.0, 400.0))
        if not _step(choices, session, now):
            break
    for message in session.diagnostics.take():
        assert len(message) <= 256 * 10  # escapes are longer than what they stand for
        assert escaped(message) == message
        assert SECRET not in message


def _begin(choices: Choices, session: EventSession) -> float:
    """Connect, and in most cases subscribe; return the time."""
    session.connection_query(1000.0, "ws")
    session.connection_made(1000.0, 0.5)
    if not choices.rarely():
        session.receive(1000.0, written([_meta("ConnectionDetails", 1), {}]).decode())
        session.receive(1000.0, written([_meta("ClientRequest", 2), {}]).decode())
    return 1000.0


def _meta(kind: str, sequence: int) -> dict[str, Any]:
    return {"type": kind, "messageId": "m1", "wsc": {"token": "t", "sequence": sequence}}


def _step(choices: Choices, session: EventSession, now: float) -> bool:
    """Do one thing; return whether there is still a connection."""
    kind = choices.below(8)
    if kind == 7:
        session.connection_lost(now, broken=choices.flag())
        session.connection_query(now, "ws")
        session.connection_made(now, 0.5)
        return True
    if kind == 6:
        _check_outputs(session.tick(now))
    else:
        try:
            _check_outputs(session.receive(now, _frame(choices)))
        except ApiError as error:
            check_error(error)
            return False
    assert all(text.startswith("[{") for text in session.outgoing)
    session.outgoing.clear()
    return session.close_reason is None


def _frame(choices: Choices) -> str:
    more = choices.below(4) if choices.rarely() else 0
    elements = [_random_meta(choices), _body(choices)]
    elements += [choices.pick((_random_meta, _body))(choices) for _ in range(more)]
    return mutated_text(choices, written(elements).decode("utf-8", "replace"))


def _random_meta(choices: Choices) -> Any:
    if choices.rarely():
        return any_value(choices)
    meta: dict[str, Any] = {"type": choices.pick(KINDS), "messageId": choices.pick(("m1", "m2"))}
    if choices.flag():
        meta["wsc"] = {"token": choices.pick(("t", "", "\u00e9", "x" * 5000, SECRET))}
        meta["wsc"]["sequence"] = choices.pick((1, 2, 2**63, -1, "3", None))
    if choices.flag():
        meta["status"] = choices.pick((200, 400, 401, 403, 429, 503, "400", True, 2**63))
    return meta


def _body(choices: Choices) -> Any:
    kind = choices.below(6)
    if kind == 0:
        return notification(choices)
    if kind == 1:
        return record(choices, ConnectionDetails) | {"recoveryState": "Successful"}
    if kind == 2:
        filters = [FILTER, text(choices)][: choices.below(3)]
        disabled = [{"filter": each, "message": text(choices)} for each in filters]
        return {"id": text(choices), "eventFilters": [FILTER], "disabledFilters": disabled}
    if kind == 3:
        return {"errorCode": choices.pick(("WSG-902", "SUB-508", "SUB-505", "WSG-400", SECRET))}
    return record(choices, choices.pick(BODIES)) if kind == 4 else any_value(choices, 3)


def notification(choices: Choices) -> dict[str, Any]:
    """Return a notification."""
    return {
        "uuid": choices.pick(("u1", "u2", None, 5)),
        "event": mutated_text(choices, choices.pick(PATHS)),
        "timestamp": choices.pick((*TIMES, "x", 5)),
        "subscriptionId": text(choices),
        "body": record(choices, choices.pick(BODIES)),
    }


def _check_outputs(outputs: list[Any]) -> None:
    assert len(outputs) <= 2 * (MAX_UNREADABLE + 2)
    for output in outputs:
        assert isinstance(output, (PresenceEvent, Gap, Subscribed))
        if isinstance(output, PresenceEvent):
            values = json_values.to_dict(output)
            assert json_values.from_dict(PresenceEvent, values) == output
        if isinstance(output, Subscribed):
            assert SECRET not in repr(output)
