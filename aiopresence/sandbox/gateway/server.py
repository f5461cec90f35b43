"""The WebSocket gateway: its connections, their sessions, and timeouts."""

import asyncio
from urllib.parse import parse_qs

import attrs
from aiohttp import WSMsgType, web

from ..notifications import Feed
from ..responses import error_body
from .connection import Connection
from .faults import GatewayFaults
from .options import GatewayPlan
from .session import WSC, Frame, GatewaySession, write

# Close codes; RingCentral's are not documented, so both are guesses.
_GOING_AWAY = 1001  # after a timeout
_POLICY_VIOLATION = 1008  # after a malformed recovery token


@attrs.define(eq=False)
class _SessionEntry:
    """A session, its connection, if any, and the timer that ends it."""

    session: GatewaySession
    connection: Connection | None = None
    end: asyncio.TimerHandle | None = None


class GatewayServer:
    """Serves WebSockets. All times are those of the running loop's clock.

    Args:
        plan: how the gateway behaves.
        feed: the source of notifications.

    Attributes:
        feed: the source of notifications.
        faults: the faults and the log of frames.
        connections: the open connections.
    """

    def __init__(self, plan: GatewayPlan, feed: Feed) -> None:
        self.feed = feed
        self.faults = GatewayFaults()
        self.connections: list[Connection] = []
        self._plan = plan
        self._entries: dict[str, _SessionEntry] = {}
        self._opened = 0

    @property
    def sessions(self) -> list[GatewaySession]:
        """The sessions that have not ended, with or without a connection."""
        return [entry.session for entry in self._entries.values()]

    async def serve(self, request: web.BaseRequest, base: str) -> web.StreamResponse:
        """Upgrade a request to a WebSocket, and serve it until the connection is lost.

        Args:
            request: the handshake, whose token has been checked.
            base: scheme, host and port of the server, for links.
        """
        socket = web.WebSocketResponse(compress=False, autoping=False, autoclose=False)
        await socket.prepare(request)
        transport = request.transport
        if transport is None:  # the client has disconnected
            return socket
        self._opened += 1
        connection = Connection(self.faults, self._opened, transport)
        self.connections.append(connection)
        try:
            self._connect(connection, _recovery_token(request.raw_path), base)
            await self._read(socket, connection)
        finally:
            self._disconnected(connection)
        return socket

    def clear(self) -> None:
        """Remove all faults, and send the notifications that they hold back."""
        for token, notification in self.faults.clear():
            if entry := self._entries.get(token):
                entry.session.notify(notification)

    def close(self) -> None:
        """Close all connections and end all sessions."""
        for connection in list(self.connections):
            connection.close(_GOING_AWAY, at_once=True)
            self._disconnected(connection)
        for token in list(self._entries):
            self._end(token)

    def _connect(self, connection: Connection, wsc: str | None, base: str) -> None:
        """Start a session on a connection, after the delay that a fault may require."""
        delay = self.faults.details_delay()
        if delay is None:
            return
        if delay > 0:
            connection.later(delay, self._attach, connection, wsc, base)
        else:
            self._attach(connection, wsc, base)

    def _attach(self, connection: Connection, wsc: str | None, base: str) -> None:
        """Attach a new session to a connection, or the one that its recovery token names."""
        if wsc is not None and not WSC.fullmatch(wsc):
            self._refuse(connection)
            return
        token, _, number = (wsc or "").rpartition(".")
        since = int(number or 0)
        entry = self._entries.get(token)
        if entry and entry.session.has_issued(since) and not self.faults.loses_session():
            frames = entry.session.connect(since, "Successful")
            if entry.connection is not None:
                entry.connection.close(_GOING_AWAY, at_once=True)
        else:
            if entry and entry.connection is None:
                self._end(token)
            entry = self._new_session(base)
            frames = entry.session.connect(state="Failed" if wsc else None)
        entry.connection, connection.session = connection, entry.session
        entry.session.send = connection.send
        self._set_end(entry, self._plan.absolute_timeout)
        self._check_idle(connection)
        self._send(connection, frames)

    def _send(self, connection: Connection, frames: list[Frame]) -> None:
        """Send ConnectionDetails, and after a delay the missed notifications."""
        details, *missed = frames
        connection.send(details)
        if missed:
            connection.hold(self._plan.replay_delay)
        for frame in missed:
            connection.send(frame)

    def _refuse(self, connection: Connection) -> None:
        """Refuse a malformed recovery token with an Error frame, and close the connection."""
        body = error_body("WSG-400", "Malformed session context token")
        meta = {"type": "Error", "messageId": self.feed.new_id(), "status": 400}
        connection.send(write("error", meta, body))
        connection.close(_POLICY_VIOLATION)

    def _new_session(self, base: str) -> _SessionEntry:
        loop = asyncio.get_running_loop()
        session = GatewaySession(
            self._plan,
            self.feed,
            base,
            loop.time(),
            self.faults.refusal,
            self.faults.replace_notification,
            loop.call_later,
        )
        entry = self._entries[session.token] = _SessionEntry(session)
        return entry

    def _set_end(self, entry: _SessionEntry, seconds: float) -> None:
        """End a session after some seconds, or when it reaches its absolute timeout."""
        if entry.end is not None:
            entry.end.cancel()
        loop, session = asyncio.get_running_loop(), entry.session
        end = min(loop.time() + seconds, session.started_at + self._plan.absolute_timeout)
        entry.end = loop.call_at(end, self._expire, session.token)

    async def _read(self, socket: web.WebSocketResponse, connection: Connection) -> None:
        while True:
            message = await socket.receive()
            if message.type is WSMsgType.TEXT or message.type is WSMsgType.BINARY:
                self._receive(connection, message.data)
            elif message.type is WSMsgType.PING:
                self.faults.pings += 1
                connection.send_held()
                connection.pong(message.data)
            elif message.type is not WSMsgType.PONG:
                code = message.data if message.type is WSMsgType.CLOSE else None
                await connection.close_received(code)
                return

    def _receive(self, connection: Connection, text: str | bytes) -> None:
        self.faults.record("in", text, connection.number)
        connection.last_frame_at = asyncio.get_running_loop().time()
        if connection.session is None:
            # That frames before ConnectionDetails are ignored is a guess.
            self.faults.violations += 1
        elif connection.open:
            connection.send_held()
            connection.send(connection.session.receive(text))

    def _check_idle(self, connection: Connection) -> None:
        """Close a connection that has been idle for too long, or check again when it may be."""
        loop = asyncio.get_running_loop()
        left = connection.last_frame_at + self._plan.idle_timeout - loop.time()
        if left > 0:
            connection.later(left, self._check_idle, connection)
        else:
            self._time_out(connection, "WSG-902", "The session has been idle for too long.")

    def _expire(self, token: str) -> None:
        """End a session that has reached its end."""
        entry = self._entries[token]
        if entry.connection is not None:
            self._time_out(entry.connection, "WSG-903", "The session has lasted too long.")
        self._end(token)

    def _time_out(self, connection: Connection, code: str, message: str) -> None:
        if connection.session is not None:
            connection.send(connection.session.error(code, message, 408))
        connection.close(_GOING_AWAY)

    def _disconnected(self, connection: Connection) -> None:
        """Keep the session of a lost connection until its recovery timeout."""
        if connection not in self.connections:
            return
        self.connections.remove(connection)
        connection.release()
        session = connection.session
        entry = session and self._entries.get(session.token)
        if not entry or entry.connection is not connection:
            return
        entry.connection = entry.session.send = None
        self._set_end(entry, self._plan.recovery_timeout)

    def _end(self, token: str) -> None:
        entry = self._entries.pop(token)
        if entry.end is not None:
            entry.end.cancel()
        entry.session.send = None
        entry.session.end()


def _recovery_token(target: str) -> str | None:
    """Return the recovery token in the request target of a handshake; None without one."""
    query = parse_qs(target.partition("?")[2], keep_blank_values=True)
    return query.get("wsc", [None])[0]
