"""The WebSocket gateway: connections, the sessions behind them, and their ends."""

import asyncio
from urllib.parse import parse_qs

import attrs
from aiohttp import WSMsgType, web

from ..notifications import Feed
from ..responses import error_body
from .connection import Connection
from .faults import Switchboard
from .options import GatewayPlan
from .session import WSC, Conversation, write

# Which close code the gateway sends on its timeouts is not documented: a guess.
_GOING_AWAY = 1001
_POLICY = 1008  # after a malformed recovery token, which is a guess too


@attrs.define(eq=False)
class _Session:
    """A session, the connection that it has now, and the timer of its end."""

    conversation: Conversation
    connection: Connection | None = None
    end: asyncio.TimerHandle | None = None


class Gateway:
    """Serves WebSockets. All times are those of the running loop's clock.

    Args:
        plan: how to behave.
        feed: where notifications come from.

    Attributes:
        feed: the same.
        board: what is to go wrong, and the ledger.
        connections: those that are open.
    """

    def __init__(self, plan: GatewayPlan, feed: Feed) -> None:
        self.board = Switchboard()
        self.connections: list[Connection] = []
        self._plan = plan
        self.feed = feed
        self._sessions: dict[str, _Session] = {}
        self._opened = 0

    @property
    def conversations(self) -> list[Conversation]:
        """The sessions that are not over, with or without a connection."""
        return [session.conversation for session in self._sessions.values()]

    async def serve(self, request: web.BaseRequest, base: str) -> web.StreamResponse:
        """Upgrade a request to a WebSocket, and serve it until it is lost.

        Args:
            request: the handshake, its token checked already.
            base: scheme, host and port of the server.
        """
        socket = web.WebSocketResponse(compress=False, autoping=False, autoclose=False)
        await socket.prepare(request)
        transport = request.transport
        if transport is None:  # the client has left already
            return socket
        self._opened += 1
        connection = Connection(self.board, self._opened, transport)
        self.connections.append(connection)
        try:
            self._begin(connection, _wsc(request.raw_path), base)
            await self._read(socket, connection)
        finally:
            self._lost(connection)
        return socket

    def clear(self) -> None:
        """Forget all rules, and tell what they hold back."""
        for token, notification in self.board.clear():
            if session := self._sessions.get(token):
                session.conversation.tell(notification)

    def close(self) -> None:
        """End everything at once."""
        for connection in list(self.connections):
            connection.close(_GOING_AWAY, at_once=True)
            self._lost(connection)
        for token in list(self._sessions):
            self._end(token)

    def _begin(self, connection: Connection, wsc: str | None, base: str) -> None:
        delay = self.board.details_delay()
        if delay is None:
            return
        if delay > 0:
            connection.later(delay, self._attach, connection, wsc, base)
        else:
            self._attach(connection, wsc, base)

    def _attach(self, connection: Connection, wsc: str | None, base: str) -> None:
        """Give a connection its session, a new one or the one that it had before."""
        if wsc is not None and not WSC.fullmatch(wsc):
            self._refuse(connection)
            return
        token, _, number = (wsc or "").rpartition(".")
        since = int(number or 0)
        session = self._sessions.get(token)
        if session and session.conversation.knows(since) and not self.board.loses():
            frames = session.conversation.greet(since, "Successful")
            if session.connection is not None:
                session.connection.close(_GOING_AWAY, at_once=True)
        else:
            if session and session.connection is None:
                self._end(token)
            session = self._new_session(base)
            frames = session.conversation.greet(state="Failed" if wsc else None)
        conversation, session.connection = session.conversation, connection
        self._set_end(session, self._plan.absolute_timeout)
        connection.conversation = conversation
        conversation.outlet = connection.send
        self._watch(connection)
        details, *missed = frames
        connection.send(details)
        if missed:
            connection.hold(self._plan.replay_delay)
        for frame in missed:
            connection.send(frame)

    def _refuse(self, connection: Connection) -> None:
        """Refuse a recovery token that is malformed: an Error frame, then the end."""
        body = error_body("WSG-400", "Malformed session context token")
        meta = {"type": "Error", "messageId": self.feed.new_id(), "status": 400}
        connection.send(write("error", meta, body))
        connection.close(_POLICY)

    def _new_session(self, base: str) -> _Session:
        loop, board = asyncio.get_running_loop(), self.board
        refuse, arrange, later = board.refusal, board.arrange, loop.call_later
        conversation = Conversation(
            self._plan, self.feed, base, loop.time(), refuse, arrange, later
        )
        session = self._sessions[conversation.token] = _Session(conversation)
        return session

    def _set_end(self, session: _Session, seconds: float) -> None:
        """Let a session end so many seconds from now, or when it has lasted as long as it may."""
        if session.end is not None:
            session.end.cancel()
        loop, conversation = asyncio.get_running_loop(), session.conversation
        end = min(loop.time() + seconds, conversation.began + self._plan.absolute_timeout)
        session.end = loop.call_at(end, self._expire, conversation.token)

    async def _read(self, socket: web.WebSocketResponse, connection: Connection) -> None:
        while True:
            message = await socket.receive()
            if message.type is WSMsgType.TEXT or message.type is WSMsgType.BINARY:
                self._receive(connection, message.data)
            elif message.type is WSMsgType.PING:
                self.board.pings += 1
                connection.send_held()
                connection.pong(message.data)
            elif message.type is not WSMsgType.PONG:
                code = message.data if message.type is WSMsgType.CLOSE else None
                await connection.goodbye(code)
                return

    def _receive(self, connection: Connection, text: str | bytes) -> None:
        self.board.note("in", text, connection.number)
        connection.heard = asyncio.get_running_loop().time()
        if connection.conversation is None:
            # That what comes too early is not even answered is a guess.
            self.board.violations += 1
        elif connection.open:
            connection.send_held()
            connection.send(connection.conversation.receive(text))

    def _watch(self, connection: Connection) -> None:
        """End a connection that has been idle for too long, or look again later."""
        loop = asyncio.get_running_loop()
        left = connection.heard + self._plan.idle_timeout - loop.time()
        if left > 0:
            connection.later(left, self._watch, connection)
        else:
            self._dismiss(connection, "WSG-902", "The session has been idle for too long.")

    def _expire(self, token: str) -> None:
        """End a session that has lasted as long as one may."""
        session = self._sessions[token]
        if session.connection is not None:
            self._dismiss(session.connection, "WSG-903", "The session has lasted too long.")
        self._end(token)

    def _dismiss(self, connection: Connection, code: str, message: str) -> None:
        if connection.conversation is not None:
            connection.send(connection.conversation.error(code, message, 408))
        connection.close(_GOING_AWAY)

    def _lost(self, connection: Connection) -> None:
        """Let the session of a lost connection live on for a while."""
        if connection not in self.connections:
            return
        self.connections.remove(connection)
        connection.release()
        conversation = connection.conversation
        session = conversation and self._sessions.get(conversation.token)
        if not session or session.connection is not connection:
            return
        session.connection = session.conversation.outlet = None
        self._set_end(session, self._plan.recovery_timeout)

    def _end(self, token: str) -> None:
        session = self._sessions.pop(token)
        if session.end is not None:
            session.end.cancel()
        session.conversation.outlet = None
        session.conversation.end()


def _wsc(target: str) -> str | None:
    """Find the recovery token in the target of a handshake."""
    query = parse_qs(target.partition("?")[2], keep_blank_values=True)
    return query.get("wsc", [None])[0]
