"""Drive an event session without a network, and build the frames of a gateway."""

import json
from itertools import count
from typing import Any

from aiopresence import PresenceEvent, ResyncReason
from aiopresence.protocol.event_outputs import Gap, SessionOutput
from aiopresence.protocol.event_session import EventSession
from aiopresence.redaction import Redactor

ACCOUNT = "/restapi/v1.0/account/~/presence"
EXTENSION = "/restapi/v1.0/account/~/extension/7/presence"
DETAILS = {
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
    return [meta, DETAILS | ({"recoveryState": state} if state else {}) | more]


def notification(number: int, **meta: Any) -> list[Any]:
    time = f"2026-03-02T10:{number // 60:02}:{number % 60:02}Z"
    body = {"extensionId": "7", "sequence": number, "telephonyStatus": "Ringing"}
    content = {"uuid": f"u{number}", "event": ACCOUNT, "timestamp": time, "body": body}
    return [{"type": "ServerNotification", "messageId": f"n{number}", **meta}, content]


def response(to: str | None, status: int = 200, **body: Any) -> list[Any]:
    meta = {"type": "ClientRequest", "messageId": to, "status": status}
    return [meta, {"id": "s-1", "status": "Active", **body}]


def error(code: Any, status: Any = None, to: str | None = None, kind: str = "Error") -> list[Any]:
    meta = {"type": kind, "messageId": to, "status": status}
    content = {"errorCode": code, "message": "Not allowed"}
    return [{name: value for name, value in meta.items() if value is not None}, content]


class SessionDriver:
    """Drives an event session at a time that it sets. Message ids are m1, m2 and so on."""

    def __init__(self, *filters: str, at: float = 1000.0) -> None:
        ids = count(1)
        self.session = EventSession(filters or (ACCOUNT,), lambda: f"m{next(ids)}", Redactor())
        self.now = at

    def connect(self, after: float = 0.0) -> dict[str, str]:
        """Connect; return the query."""
        self.now += after
        query = self.session.connection_query(self.now, "ws")
        self.session.connection_made(self.now, 1.0)
        return query

    def disconnect(self, after: float = 0.0, *, broken: bool = False) -> None:
        self.now += after
        self.session.connection_lost(self.now, broken=broken)

    def receive(self, frame: object, after: float = 0.0) -> list[SessionOutput]:
        self.now += after
        text = frame if isinstance(frame, str) else json.dumps(frame)
        return self.session.receive(self.now, text)

    def tick(self, after: float = 0.0) -> str | None:
        """Do what is due; return the reason to close."""
        self.now += after
        self.session.tick(self.now)
        return self.session.close_reason

    def sent(self) -> list[Any]:
        """Return what was sent since the last call."""
        frames = [json.loads(text) for text in self.session.outgoing]
        self.session.outgoing.clear()
        return frames

    def last_message_id(self) -> str:
        return str(self.sent()[-1][0]["messageId"])

    def go_live(self, **changes: Any) -> "SessionDriver":
        """Connect and subscribe."""
        self.connect()
        self.receive(details(**changes))
        self.receive(response(self.last_message_id()))
        assert self.is_live()
        return self

    def recover(self, after: float = 1.0, **changes: Any) -> str:
        """Connect again and recover the session; return the marker."""
        assert "wsc" in self.connect(after)
        assert self.receive(details("Successful", **changes)) == []
        return self.last_message_id()

    def is_live(self) -> bool:
        return self.session.is_live

    def close_reason(self) -> str | None:
        return self.session.close_reason

    def pings(self) -> bool:
        return self.session.wants_ping

    def new_diagnostics(self) -> list[str]:
        return self.session.diagnostics.take()


def uuids(outputs: list[SessionOutput]) -> list[str | None]:
    return [each.uuid for each in outputs if isinstance(each, PresenceEvent)]


def gaps(outputs: list[SessionOutput]) -> list[Gap]:
    return [each for each in outputs if isinstance(each, Gap)]


def idle_until(driver: SessionDriver, until: float) -> str | None:
    """Let time pass while pings are answered; return the reason to close."""
    while driver.session.next_deadline <= until and driver.close_reason() is None:
        driver.now = driver.session.next_deadline
        driver.tick()
        if driver.close_reason() is None:
            driver.session.keepalive_received(driver.now)
    return driver.close_reason()


def subscribing() -> SessionDriver:
    driver = SessionDriver()
    driver.connect()
    driver.receive(details())
    return driver


def disabled(*filters: str) -> list[dict[str, str]]:
    return [{"filter": each, "reason": "SUB-407", "message": "No line"} for each in filters]
