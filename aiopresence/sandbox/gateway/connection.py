"""One WebSocket connection: its frames, written by hand, and how it ends."""

import asyncio
from collections.abc import Callable

from ..exchange import reset
from .faults import Switchboard
from .session import Conversation, Frame

_TEXT, _BINARY, _CLOSE, _PONG = 1, 2, 8, 10  # opcodes of RFC 6455
_GOODBYE = 1.0  # seconds that a client has to answer a close frame; a guess


class Connection:
    """The server's end of one WebSocket.

    Frames are written straight on the transport, so that whatever changes the account has told
    its subscribers when it returns. A client that does not read fills memory.

    Args:
        board: what is to go wrong, and the ledger.
        number: which connection it is, counted from 1.
        transport: the TCP connection.

    Attributes:
        conversation: what is said on it; None before ConnectionDetails is due.
        heard: when the client's last frame came, in seconds of the loop's clock.
        silent: nothing is sent any more, pongs included.
    """

    def __init__(self, board: Switchboard, number: int, transport: asyncio.Transport) -> None:
        self.number = number
        self.conversation: Conversation | None = None
        self.silent = False
        self._board = board
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self._timers: set[asyncio.TimerHandle] = set()
        self._closed = False
        self._held: list[str | bytes] | None = None
        self.heard = self._loop.time()

    def send(self, frame: Frame) -> None:
        """Send a frame, or whatever the faults make of it."""
        for each, delay in self._board.pass_on(frame):
            if delay is None:
                self.put(each.text)
            else:
                self.later(delay, self.put, each.text)

    def hold(self, seconds: float) -> None:
        """Keep all frames back for some seconds, or until `send_held`, then send them in order."""
        self._held = []
        self.later(seconds, self.send_held)

    def send_held(self) -> None:
        """Send what is kept back; nothing if nothing is."""
        held, self._held = self._held or [], None
        for text in held:
            self.put(text)

    def put(self, text: str | bytes) -> None:
        """Send a frame as it is."""
        if self._gone:
            return
        if self._held is not None:
            self._held.append(text)
            return
        if self._board.cuts(before=True):
            self.cut()
            return
        self._board.note("out", text, self.number)
        if isinstance(text, str):
            # A fault may send text that is not valid.
            self._write(_TEXT, text.encode(errors="surrogatepass"))
        else:
            self._write(_BINARY, text)
        if self._board.cuts(before=False):
            self.cut()

    def pong(self, data: bytes) -> None:
        """Answer a ping."""
        if not self._gone:
            self._write(_PONG, data)

    def close(self, code: int, *, at_once: bool = False) -> None:
        """Send a close frame and end the connection.

        Args:
            code: the close code.
            at_once: without waiting for the client's close frame.
        """
        self.send_held()
        if not self._gone:
            self._write(_CLOSE, code.to_bytes(2, "big"))
        self._closed = True
        if at_once:
            self._transport.close()
        else:
            self.later(_GOODBYE, self._transport.close)

    async def goodbye(self, code: int | None) -> None:
        """Deal with a close frame of the client's, or with silence for as long as it lasts."""
        if self.silent:
            await asyncio.Event().wait()  # until the handler is cancelled: the connection is lost
        self.close(code or 1000, at_once=True)

    def cut(self) -> None:
        """Break the connection with a TCP reset."""
        if not self._transport.is_closing():
            reset(self._transport)
        self._closed = True

    def later(self, seconds: float, call: Callable[..., None], *args: object) -> None:
        """Do something after a while, if the connection is still there then."""

        def run() -> None:
            self._timers.discard(timer)
            call(*args)

        timer = self._loop.call_later(seconds, run)
        self._timers.add(timer)

    def release(self) -> None:
        """Cancel whatever is still to come; the connection is lost."""
        self._closed = True
        for timer in self._timers:
            timer.cancel()

    @property
    def open(self) -> bool:
        """Whether frames still go both ways."""
        return not self._gone

    @property
    def _gone(self) -> bool:
        return self._closed or self.silent or self._transport.is_closing()

    def _write(self, opcode: int, data: bytes) -> None:
        size = len(data)
        if size < 126:
            head = bytes([0x80 | opcode, size])
        elif size < 2**16:
            head = bytes([0x80 | opcode, 126]) + size.to_bytes(2, "big")
        else:
            head = bytes([0x80 | opcode, 127]) + size.to_bytes(8, "big")
        self._transport.write(head + data)
