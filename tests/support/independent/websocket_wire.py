"""WebSocket (RFC 6455): the handshake and the frames of a server, without input and output."""

import base64
import hashlib
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.support.independent.http_wire import Request, Response

TEXT, BINARY, CLOSE, PING, PONG, CONTINUATION = 1, 2, 8, 9, 10, 0
_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, section 1.3


class FrameError(Exception):
    """A client broke RFC 6455."""


def accept_key(key: str) -> str:
    """Return the Sec-WebSocket-Accept for a Sec-WebSocket-Key."""
    return base64.b64encode(hashlib.sha1(f"{key}{_GUID}".encode()).digest()).decode()  # noqa: S324 - the RFC


def is_upgrade(request: Request) -> bool:
    return (request.header("Upgrade") or "").lower() == "websocket"


def handshake(request: Request) -> Response:
    """Return the response to an upgrade request.

    Raises:
        FrameError: The request is no WebSocket handshake.
    """
    key = request.header("Sec-WebSocket-Key") or ""
    if request.method != "GET" or request.header("Sec-WebSocket-Version") != "13":
        raise FrameError("no handshake of version 13")
    if "upgrade" not in (request.header("Connection") or "").lower():
        raise FrameError("a handshake without Connection: Upgrade")
    if len(base64.b64decode(key, validate=True)) != 16:
        raise FrameError(f"not a key: {key!r}")
    headers = [
        ("Upgrade", "websocket"),
        ("Connection", "Upgrade"),
        ("Sec-WebSocket-Accept", accept_key(key)),
    ]
    return Response(101, headers=headers)


def frame(opcode: int, payload: bytes = b"", *, last: bool = True) -> bytes:
    """Return one frame as a server sends it, which is without a mask."""
    head = bytes([(0x80 if last else 0) | opcode])
    if len(payload) < 126:
        return head + bytes([len(payload)]) + payload
    if len(payload) < 1 << 16:
        return head + b"\x7e" + struct.pack("!H", len(payload)) + payload
    return head + b"\x7f" + struct.pack("!Q", len(payload)) + payload


def text_frames(text: str, pieces: int = 1) -> bytes:
    """Return a text message in one frame or fragmented into several."""
    data = text.encode()
    size = max(1, -(-len(data) // pieces))
    parts = [data[at : at + size] for at in range(0, len(data), size)] or [b""]
    return b"".join(
        frame(CONTINUATION if index else TEXT, part, last=index == len(parts) - 1)
        for index, part in enumerate(parts)
    )


def close_frame(code: int, reason: str = "") -> bytes:
    return frame(CLOSE, struct.pack("!H", code) + reason.encode())


@dataclass
class FrameReader:
    """Splits the bytes of a client into messages (opcode, payload)."""

    _data: bytearray = field(default_factory=bytearray)
    _message: bytearray = field(default_factory=bytearray)
    _opcode: int = TEXT

    def feed(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """Yield the messages that are complete with these bytes.

        Raises:
            FrameError: The bytes are no frames of a client.
        """
        self._data += data
        while (found := self._frame()) is not None:
            opcode, last, payload = found
            if opcode >= CLOSE:
                yield opcode, payload
                continue
            if opcode != CONTINUATION:
                self._opcode = opcode
            self._message += payload
            if last:
                yield self._opcode, bytes(self._message)
                self._message.clear()

    def _frame(self) -> tuple[int, bool, bytes] | None:
        data = self._data
        if len(data) < 2:
            return None
        if data[0] & 0x70:
            raise FrameError("reserved bits are set, but no extension was agreed on")
        if not data[1] & 0x80:
            raise FrameError("a frame of a client has no mask")
        size, at = data[1] & 0x7F, 2
        if size >= 126:
            width = 2 if size == 126 else 8
            if len(data) < at + width:
                return None
            size, at = int.from_bytes(data[at : at + width]), at + width
        if len(data) < at + 4 + size:
            return None
        mask = data[at : at + 4]
        masked = data[at + 4 : at + 4 + size]
        opcode, last = data[0] & 0x0F, bool(data[0] & 0x80)
        del data[: at + 4 + size]
        return opcode, last, bytes(byte ^ mask[index % 4] for index, byte in enumerate(masked))
