"""Bytes on loopback sockets: what a server sends in place of responses, and of WebSocket frames."""

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager, suppress
from hashlib import sha1
from typing import Any

from aiopresence import AccessToken, PresenceError, PresenceEvent, Resync
from tests.fuzz.checks import check_error
from tests.fuzz.choices import Choices
from tests.fuzz.documents import SECRET, any_value, written
from tests.support.sessions import PLENTY, Session

STATUS_LINES = (
    *("HTTP/1.1 207 Multi-Status", "HTTP/1.1 200 OK", "HTTP/1.1 429 Slow", "HTTP/1.1 302 Found"),
    *("HTTP/1.1 100 Continue", "HTTP/1.1 999 x", "HTTP/1.0 204 No Content", "HTTP/9.9 200 OK", "x"),
)
HEADERS = (
    *("Content-Type: multipart/mixed; boundary=B", "Content-Type: application/json"),
    *("Transfer-Encoding: chunked", "Content-Encoding: gzip", "Content-Encoding: deflate"),
    *("Content-Length: 5", "Content-Length: -1", "Content-Length: 999999999999999999999"),
    *("Location: https://evil.test/", "Location: /restapi/x", "Location: http://[::1", "X: \0"),
    *("Set-Cookie: a=b", "Connection: close", f"X-{SECRET}: {SECRET}", "Retry-After: 0"),
    *("X-Rate-Limit-Group: light", "X-Rate-Limit-Limit: 1", "Date: x", " folded", "no colon"),
)
BODY = (
    b'--B\r\n\r\n{"response":[{"status":200},{"status":404}]}\r\n'
    b'--B\r\n\r\n{"extension":{"id":101}}\r\n--B\r\n\r\n{}\r\n--B--\r\n'
)
WEBSOCKET = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def http_responses(data: bytes) -> None:
    """Any bytes in place of a response make one outcome for each id, or an error of ours."""
    asyncio.run(_read(Choices(data)))


async def _read(choices: Choices) -> None:
    answers = [_response(choices) for _ in range(1 + choices.below(2))]

    def answer(_: bytes) -> bytes:
        return answers.pop(0) if answers else b""

    async with _serving(answer) as url, _session(url) as session:
        try:
            result = await session.read_user_presence_statuses(["101", "102"])
        except PresenceError as error:
            check_error(error)
            return
        assert [outcome.id for outcome in result] == ["101", "102"]
        for outcome in result:
            assert (outcome.value is None) != (outcome.error is None)
            if outcome.error is not None:
                check_error(outcome.error)


@asynccontextmanager
async def _serving(answer: Callable[[bytes], bytes]) -> AsyncIterator[str]:
    """Run a server that sends an answer to the head of a request and closes the connection."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            writer.write(answer(await reader.readuntil(b"\r\n\r\n")))
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    async with server:
        host, port = server.sockets[0].getsockname()[:2]
        yield f"http://{host}:{port}"


def _session(url: str) -> Session:
    return Session(AccessToken(SECRET), server=url, attempts=1, timeout=5, limits=PLENTY)


def _response(choices: Choices) -> bytes:
    lines = [choices.pick(STATUS_LINES) if choices.rarely() else STATUS_LINES[0], HEADERS[0]]
    if choices.flag():
        lines[1:] = choices.several(HEADERS, 4)
    elif choices.flag():
        lines.append(f"Content-Length: {len(BODY)}")
    head = "\r\n".join(lines).encode() + b"\r\n\r\n"
    body = choices.pick((BODY, b"5\r\n{}   \r\n0\r\n\r\n", b"", written(any_value(choices))))
    return choices.mutated(head + body)


def websocket_bytes(data: bytes) -> None:
    """Any bytes in place of a handshake and frames make events and resyncs, or an error of ours."""
    asyncio.run(_follow(Choices(data)))


async def _follow(choices: Choices) -> None:
    handshake, frames = _handshake(choices), _frames(choices)
    connections, ended = 0, asyncio.Event()

    def answer(head: bytes) -> bytes:
        nonlocal connections
        if head.startswith(b"POST"):
            return _token_response(head)
        connections += 1
        if connections > 1:
            ended.set()
            return b""
        return handshake.replace(b"$ACCEPT", _accept(head)) + frames

    async with _serving(answer) as url, _session(url) as session:
        following = asyncio.create_task(_consume(session))
        ending = asyncio.create_task(ended.wait())
        await asyncio.wait({following, ending}, return_when=asyncio.FIRST_COMPLETED)
        ending.cancel()
        following.cancel()
        with suppress(asyncio.CancelledError):
            await following


async def _consume(session: Session) -> None:
    try:
        async with aclosing(session.events()) as events:
            async for event in events:
                assert isinstance(event, (PresenceEvent, Resync))
    except PresenceError as error:
        check_error(error)


def _token_response(head: bytes) -> bytes:
    """Return a WebSocket token for the host that a request was sent to."""
    host = head.lower().partition(b"\r\nhost: ")[2].split()[0].decode()
    body = {"uri": f"ws://{host}/ws", "ws_access_token": "ws-token-1", "expires_in": 600}
    return b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + written(body)


def _accept(head: bytes) -> bytes:
    """Return the Sec-WebSocket-Accept for a handshake."""
    key = head.lower().index(b"sec-websocket-key:") + 18
    return b64encode(sha1(head[key:].split()[0] + WEBSOCKET).digest())  # noqa: S324 - as RFC 6455 says


def _handshake(choices: Choices) -> bytes:
    head = (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: $ACCEPT\r\n"
    )
    if choices.rarely():
        head += b"Sec-WebSocket-Extensions: permessage-deflate\r\n"
    return choices.mutated(head + b"\r\n") if choices.rarely() else head + b"\r\n"


def _frames(choices: Choices) -> bytes:
    frames = [_frame(choices) for _ in range(choices.below(5))]
    return choices.mutated(b"".join(frames))


def _frame(choices: Choices) -> bytes:
    """Return a frame of RFC 6455, with any bits and opcode."""
    details: list[Any] = [{"type": "ConnectionDetails", "messageId": "d", "status": 200}, {}]
    payload = choices.pick(
        (written(details), written(any_value(choices)), choices.blob(125), b"", b"\x03\xe8bye")
    )
    first = choices.byte() if choices.rarely() else choices.pick((0x81, 0x82, 0x89, 0x88, 0x01))
    size = len(payload)
    if size < 126 and not choices.rarely():
        return bytes((first, size)) + payload
    stated = choices.pick((size, 0, 2**20 + 1, 2**63)) if choices.rarely() else size
    if stated < 2**16:
        return bytes((first, 126)) + stated.to_bytes(2) + payload
    return bytes((first, 127)) + stated.to_bytes(8) + payload
