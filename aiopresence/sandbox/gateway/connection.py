"""One WebSocket connection: how its frames are written, and how it ends.

Frames are written by hand, so that faults can send what no library would.
"""

import asyncio
from collections.abc import Callable

from ..exchange import reset
from .faults import GatewayFaults
from .session import Frame, GatewaySession

_TEXT, _BINARY, _CLOSE, _PONG = 1, 2, 8, 10  # opcodes of RFC 6455
_CLOSE_TIMEOUT = 1.0  # seconds that a client has to respond to a close frame; a guess


class Connection:
    """The server's end of one WebSocket.

    Frames are written to the transport at once, so that a method that changes the account has
    notified subscribers when it returns. A client that does not read fills memory.

    Args:
        faults: the faults and the log of frames.
        number: the number of the connection, from 1.
        transport: the TCP connection.

    Attributes:
        session: the session that it belongs to; None before ConnectionDetails is due.
        last_frame_at: when the client's last frame arrived, in seconds of the loop's clock.
        silent: whether nothing is sent any more, pongs included.
    """

    def __init__(self, faults: GatewayFaults, number: int, transport: asyncio.Transport) -> None:
        self.number = number
        self.session: GatewaySession | None = None
        self.silent = False
        self._faults = faults
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self._timers: set[asyncio.TimerHandle] = set()
        self._closed = False
        self._held: list[str | bytes] | None = None
        self.last_frame_at = self._loop.time()

    def send(self, frame: Frame) -> None:
        """Send a frame, or what the faults replace it with."""
        for each, delay in self._faults.replace_frame(frame):
            if delay is None:
                self.put(each.text)
            else:
                self.later(delay, self.put, each.text)

    def hold(self, seconds: float) -> None:
        """Hold all frames back for some seconds, or until `send_held`."""
        self._held = []
        self.later(seconds, self.send_held)

    def send_held(self) -> None:
        """Send the frames that are held back, in order."""
        held, self._held = self._held or [], None
        for text in held:
            self.put(text)

    def put(self, text: str | bytes) -> None:
        """Send the payload of a frame unchanged."""
        if self._gone:
            return
        if self._held is not None:
            self._held.append(text)
            return
        if self._faults.cuts(before=True):
            self.cut()
            return
        self._faults.record("out", text, self.number)
        if isinstance(text, str):
            # A fault may send lone surrogates.
            self._write(_TEXT, text.encode(errors="surrogatepass"))
        else:
            self._write(_BINARY, text)
        if self._faults.cuts(before=False):
            self.cut()

    def pong(self, data: bytes) -> None:
        """Respond to a ping."""
        if not self._gone:
            self._write(_PONG, data)

    def close(self, code: int, *, at_once: bool = False) -> None:
        """Send a close frame and close the connection.

        Args:
            code: the close code.
            at_once: whether not to wait for the client's close frame.
        """
        self.send_held()
        if not self._gone:
            self._write(_CLOSE, code.to_bytes(2, "big"))
        self._closed = True
        if at_once:
            self._transport.close()
        else:
            self.later(_CLOSE_TIMEOUT, self._transport.close)

    async def close_received(self, code: int | None) -> None:
        """Close after the client's close frame; a silent connection stays open until it is lost.

        Args:
            code: the client's close code; None without one.
        """
        if self.silent:
            await asyncio.Event().wait()  # cancelled when the connection is lost
        self.close(code or 1000, at_once=True)

    def cut(self) -> None:
        """Reset the TCP connection."""
        if not self._transport.is_closing():
            reset(self._transport)
        self._closed = True

    def later(self, seconds: float, call: Callable[..., None], *args: object) -> None:
        """Call a function after some seconds, if the connection is not lost before."""

        def run() -> None:
            self._timers.discard(timer)
            call(*args)

        timer = self._loop.call_later(seconds, run)
        self._timers.add(timer)

    def release(self) -> None:
        """Cancel all timers, because the connection is lost."""
        self._closed = True
        for timer in self._timers:
            timer.cancel()

    @property
    def open(self) -> bool:
        """Whether frames can be sent."""
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
