"""The WebSocket gateway: sessions, which outlive their connections for a while.

A session has a number for each of its notifications. The token `wsc` in a frame says which session
and which number a client has seen. With it a new connection continues the session within
`recovery_timeout` and gets the newest notifications after that number; older ones are lost.
"""

import asyncio
import base64
import json
import random
import uuid
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from tests.support.independent import websocket_wire as wire
from tests.support.independent.account import Json
from tests.support.independent.clock import ServerClock
from tests.support.independent.subscriptions import Subscription, Subscriptions

Answer = Callable[[str, str, Json, "GatewaySession"], Awaitable[tuple[int, Json]]]
Frame = list[Json]


@dataclass
class GatewaySession:
    """What a client can continue: its subscription, and the latest notifications."""

    client_id: str
    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    sequence: int = 0
    sent: deque[tuple[int, Json]] = field(default_factory=deque)
    subscription: Subscription | None = None
    connection: "Connection | None" = None
    lost_at: float | None = None

    def wsc(self, sequence: int | None = None) -> Json:
        """Return what says that the client has seen everything up to a number."""
        seen = self.sequence if sequence is None else sequence
        token = base64.b64encode(json.dumps([self.id, seen]).encode()).decode()
        return {"token": token, "sequence": seen}


def read_wsc(token: str) -> tuple[str, int] | None:
    """Return session id and sequence of a recovery token, or None if it is malformed."""
    try:
        id_, sequence = json.loads(base64.b64decode(token, validate=True))
    except ValueError:
        return None
    return str(id_), int(sequence)


@dataclass
class Connection:
    """One WebSocket. A frozen one neither reads nor writes, as when the network is gone."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    pieces: int = 1
    frozen: bool = False
    pong_due: float | None = None

    def send(self, frame: Frame) -> None:
        self.write(wire.text_frames(json.dumps(frame), self.pieces))

    def write(self, data: bytes) -> None:
        if not self.frozen and not self.writer.is_closing():
            self.writer.write(data)

    def reset(self) -> None:
        self.writer.transport.abort()

    def close(self, code: int = 1001, reason: str = "") -> None:
        self.write(wire.close_frame(code, reason))
        if not self.writer.is_closing():
            self.writer.close()


@dataclass
class Gateway:
    """All sessions. Times are in seconds of the server's clock."""

    clock: ServerClock
    chance: random.Random
    subscriptions: Subscriptions
    answer: Answer
    violations: list[str]
    buffer_size: int = 100
    recovery_timeout: float = 180.0
    idle_timeout: float = 1800.0
    absolute_timeout: float = 86400.0
    ping_seconds: float = 30.0
    fail_recoveries: int = 0
    """So many recoveries fail."""
    sessions: dict[str, GatewaySession] = field(default_factory=dict)
    connections: list[Connection] = field(default_factory=list)
    opened: int = 0
    recovered: int = 0

    async def serve(
        self,
        client_id: str,
        wsc: str | None,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        """Serve one WebSocket of a client, after the handshake, until it ends."""
        connection = Connection(reader, writer, pieces=self.chance.choice((1, 1, 3)))
        if wsc is not None and read_wsc(wsc) is None:
            self._refuse(connection, "WSG-400", "Malformed session context token")
            return
        session, details, missed = self._open(client_id, wsc)
        session.connection, session.lost_at = connection, None
        self.connections.append(connection)
        self.opened += 1
        seen = missed[0][0] - 1 if missed else session.sequence
        meta = {**self._meta("ConnectionDetails", session), "wsc": session.wsc(seen)}
        connection.send([meta, details])
        for sequence, notification in missed:
            self._push(session, sequence, notification)
        try:
            await self._run(session, connection)
        finally:
            self._closed(session, connection)

    def deliver(self, session: GatewaySession, notification: Json) -> None:
        """Keep a notification for recovery, and send it if there is a connection."""
        session.sequence += 1
        session.sent.append((session.sequence, notification))
        while len(session.sent) > self.buffer_size:
            session.sent.popleft()
        self._push(session, session.sequence, notification)

    def drop(self, *, polite: bool = False) -> int:
        """End all connections, with a close frame or a reset; return how many there were."""
        dropped = list(self.connections)
        for each in dropped:
            each.close(1001, "going away") if polite else each.reset()
        return len(dropped)

    def freeze(self) -> int:
        """Let all connections fall silent without an end; return how many there were."""
        for each in self.connections:
            each.frozen = True
        return len(self.connections)

    def _open(
        self, client_id: str, wsc: str | None
    ) -> tuple[GatewaySession, Json, list[tuple[int, Json]]]:
        details: Json = {
            "creationTime": self.clock.iso(),
            "maxConnectionsPerSession": 5,
            "recoveryBufferSize": self.buffer_size,
            "recoveryTimeout": int(self.recovery_timeout),
            "idleTimeout": int(self.idle_timeout),
            "absoluteTimeout": int(self.absolute_timeout),
            "maxActiveRequests": 10,
        }
        token = read_wsc(wsc) if wsc is not None else None
        if token is not None:
            session, problem = self._find(client_id, token[0])
            if session is not None:
                self.recovered += 1
                missed = [each for each in session.sent if each[0] > token[1]]
                return session, {**details, "recoveryState": "Successful"}, missed
            details |= {"recoveryState": "Failed", "recoveryErrorCode": problem}
        session = GatewaySession(client_id)
        self.sessions[session.id] = session
        return session, details, []

    def _find(self, client_id: str, session_id: str) -> tuple[GatewaySession | None, str]:
        """Return a session that may be continued, or None and an error code."""
        session = self.sessions.get(session_id)
        if self.fail_recoveries > 0:
            self.fail_recoveries -= 1
            self._forget(session)
            session = None
        if session is not None and session.client_id != client_id:
            return None, "WSG-1003"
        lost_at = self.clock() if session is None or session.lost_at is None else session.lost_at
        if self.clock() - lost_at > self.recovery_timeout:
            self._forget(session)
            session = None
        if session is None or session.subscription is None:
            self._forget(session)
            return None, "WSG-1005"
        if session.connection is not None:
            session.connection.reset()
        return session, ""

    def _forget(self, session: GatewaySession | None) -> None:
        """End a session and its subscription."""
        if session is not None:
            self.subscriptions.end(session.subscription)
            self.sessions.pop(session.id, None)

    def _closed(self, session: GatewaySession, connection: Connection) -> None:
        self.connections.remove(connection)
        connection.reset()
        if session.connection is connection:
            session.connection, session.lost_at = None, self.clock()

    async def _run(self, session: GatewaySession, connection: Connection) -> None:
        """Read messages until the connection ends; ping, and notice when nothing comes."""
        frames = wire.FrameReader()
        opened = last_message = self.clock()
        next_ping = opened + self.ping_seconds
        while True:
            now = self.clock()
            if self._is_over(connection, now, opened, last_message):
                return
            if now >= next_ping:
                connection.write(wire.frame(wire.PING, b"are you there"))
                connection.pong_due = connection.pong_due or now + 10.0
                next_ping = now + self.ping_seconds
            data = await self._read(connection, min(next_ping, now + 10.0) - now)
            if data == b"":
                return
            if connection.frozen or data is None:
                continue
            for opcode, payload in frames.feed(data):
                if opcode in {wire.TEXT, wire.BINARY}:
                    last_message = now
                if not await self._received(session, connection, opcode, payload):
                    return

    async def _read(self, connection: Connection, seconds: float) -> bytes | None:
        """Return what arrives within a time, empty at the end, or None if nothing does."""
        try:
            async with asyncio.timeout(max(0.01, seconds)):
                return await connection.reader.read(65536)
        except TimeoutError:
            return None
        except ConnectionError:
            return b""

    def _is_over(
        self, connection: Connection, now: float, opened: float, last_message: float
    ) -> bool:
        if connection.frozen:
            return False
        if connection.pong_due is not None and now > connection.pong_due:
            return True
        if now - last_message > self.idle_timeout:
            self._refuse(connection, "WSG-902", "The connection was idle for too long")
            return True
        if now - opened > self.absolute_timeout:
            self._refuse(connection, "WSG-903", "The connection has reached its absolute timeout")
            return True
        return False

    async def _received(
        self, session: GatewaySession, connection: Connection, opcode: int, payload: bytes
    ) -> bool:
        """Handle one message; False means that the connection is over."""
        if opcode == wire.CLOSE:
            connection.write(wire.frame(wire.CLOSE, payload))
            await asyncio.sleep(0)
            return False
        if opcode == wire.PING:
            connection.write(wire.frame(wire.PONG, payload))
        elif opcode == wire.PONG:
            connection.pong_due = None
        elif opcode == wire.TEXT:
            await self._message(session, connection, payload)
        else:
            self.violations.append(f"a WebSocket message with opcode {opcode}")
        return True

    async def _message(
        self, session: GatewaySession, connection: Connection, payload: bytes
    ) -> None:
        try:
            meta, body = [*json.loads(payload), {}][:2]
            kind, message_id = meta["type"], str(meta["messageId"])
        except (ValueError, KeyError, TypeError):
            self.violations.append(f"not a frame of the gateway: {payload[:80]!r}")
            return
        if kind == "Heartbeat":
            connection.send([{**self._meta(kind, session), "messageId": message_id}])
        elif kind == "ClientRequest":
            await self._request(session, connection, meta, body)
        else:
            self.violations.append(f"a frame of type {kind}")

    async def _request(
        self, session: GatewaySession, connection: Connection, meta: Json, body: Json
    ) -> None:
        status, answer = await self.answer(meta["method"], meta["path"], body, session)
        kind = "Error" if status >= 400 and self.chance.random() < 0.5 else "ClientRequest"
        reply = {
            **self._meta(kind, session, always=True),
            "messageId": meta["messageId"],
            "status": status,
            "headers": {"RCRequestId": str(uuid.uuid4())},
        }
        connection.send([reply, answer])

    def _push(self, session: GatewaySession, sequence: int, notification: Json) -> None:
        if session.connection is not None:
            meta = self._meta("ServerNotification", session)
            if "wsc" in meta:
                meta["wsc"] = session.wsc(sequence)
            session.connection.send([meta, notification])

    def _meta(self, kind: str, session: GatewaySession, *, always: bool = False) -> Json:
        """Return the first half of a frame, most of the time with a recovery token."""
        meta: Json = {"type": kind, "messageId": str(uuid.uuid4()), "status": 200}
        if always or self.chance.random() < 0.8:
            meta["wsc"] = session.wsc()
        return meta

    def _refuse(self, connection: Connection, code: str, message: str) -> None:
        meta = {"type": "Error", "messageId": str(uuid.uuid4()), "status": 400}
        connection.send([meta, {"errorCode": code, "message": message}])
        connection.close(1008, code)
