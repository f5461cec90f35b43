"""The other side of an event session: what a gateway says, without a network."""

import json
from itertools import count
from typing import Any

from aiopresence import (
    PresenceEvent,
    ResyncReason,
)
from aiopresence.protocol.event_recovery import Gap
from aiopresence.protocol.event_session import EventSession, SessionOutput

ACCOUNT = "/restapi/v1.0/account/~/presence"
EXTENSION = "/restapi/v1.0/account/~/extension/7/presence"
TERMS = {
    "creationTime": "2026-03-02T09:00:00Z",
    "maxConnectionsPerSession": 5,
    "recoveryBufferSize": 100,
    "recoveryTimeout": 180,
    "idleTimeout": 1800,
    "absoluteTimeout": 86400,
    "maxActiveRequests": 10,
}
LOST, INCOMPLETE, UNREADABLE = (
    ResyncReason.CONNECTION_LOST,
    ResyncReason.RECOVERY_INCOMPLETE,
    ResyncReason.UNREADABLE,
)


def wsc(sequence: Any, token: Any = None) -> dict[str, Any]:
    return {"wsc": {"token": token or f"t.{sequence}", "sequence": sequence}}


def details(state: str | None = None, status: int = 200, **more: Any) -> list[Any]:
    meta = {"type": "ConnectionDetails", "messageId": "d", "status": status, **wsc(1)}
    return [meta, TERMS | ({"recoveryState": state} if state else {}) | more]


def notification(number: int, **meta: Any) -> list[Any]:
    time = f"2026-03-02T10:{number // 60:02}:{number % 60:02}Z"
    body = {"extensionId": "7", "sequence": number, "telephonyStatus": "Ringing"}
    said = {"uuid": f"u{number}", "event": ACCOUNT, "timestamp": time, "body": body}
    return [{"type": "ServerNotification", "messageId": f"n{number}", **meta}, said]


def answer(to: str | None, status: int = 200, **body: Any) -> list[Any]:
    meta = {"type": "ClientRequest", "messageId": to, "status": status}
    return [meta, {"id": "s-1", "status": "Active", **body}]


def error(code: Any, status: Any = None, to: str | None = None, kind: str = "Error") -> list[Any]:
    meta = {"type": kind, "messageId": to, "status": status}
    said = {"errorCode": code, "message": "Said so"}
    return [{name: value for name, value in meta.items() if value is not None}, said]


class Line:
    """A gateway, and the words of the other side. Message ids are m1, m2 and so on."""

    def __init__(self, *filters: str, at: float = 1000.0) -> None:
        ids = count(1)
        self.session = EventSession(filters or (ACCOUNT,), lambda: f"m{next(ids)}")
        self.now = at

    def connect(self, after: float = 0.0) -> dict[str, str]:
        """Connect; give the query."""
        self.now += after
        query = self.session.connection_query(self.now, "ws")
        self.session.connection_made(self.now, 1.0)
        return query

    def lose(self, after: float = 0.0, *, broken: bool = False) -> None:
        self.now += after
        self.session.connection_lost(self.now, broken=broken)

    def hear(self, frame: object, after: float = 0.0) -> list[SessionOutput]:
        self.now += after
        text = frame if isinstance(frame, str) else json.dumps(frame)
        return self.session.receive(self.now, text)

    def tick(self, after: float = 0.0) -> str | None:
        """Do what is due; give the reason to end."""
        self.now += after
        self.session.tick(self.now)
        return self.session.close_reason

    def said(self) -> list[Any]:
        """Take what is to be sent."""
        frames = [json.loads(text) for text in self.session.outgoing]
        self.session.outgoing.clear()
        return frames

    def last_id(self) -> str:
        return str(self.said()[-1][0]["messageId"])

    def live(self, **terms: Any) -> "Line":
        """Connect and subscribe."""
        self.connect()
        self.hear(details(**terms))
        self.hear(answer(self.last_id()))
        assert self.is_live()
        return self

    def recover(self, after: float = 1.0, **terms: Any) -> str:
        """Connect again, continuing; give the marker."""
        assert "wsc" in self.connect(after)
        assert self.hear(details("Successful", **terms)) == []
        return self.last_id()

    def is_live(self) -> bool:
        return self.session.is_live

    def ending(self) -> str | None:
        return self.session.close_reason

    def pings(self) -> bool:
        return self.session.wants_ping

    def remarks(self) -> list[str]:
        remarks = [*self.session.diagnostics]
        self.session.diagnostics.clear()
        return remarks


def uuids(happenings: list[SessionOutput]) -> list[str | None]:
    return [each.uuid for each in happenings if isinstance(each, PresenceEvent)]


def gaps(happenings: list[SessionOutput]) -> list[Gap]:
    return [each for each in happenings if isinstance(each, Gap)]


def silence(line: Line, until: float) -> str | None:
    """Let time pass on a line whose pings are answered."""
    while line.session.next_deadline <= until and line.ending() is None:
        line.now = line.session.next_deadline
        line.tick()
        if line.ending() is None:
            line.session.keepalive_received(line.now)
    return line.ending()


def asked() -> Line:
    line = Line()
    line.connect()
    line.hear(details())
    return line


def disabled(*filters: str) -> list[dict[str, str]]:
    return [{"filter": each, "reason": "SUB-407", "message": "No line"} for each in filters]
