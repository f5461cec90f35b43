"""A server of bare sockets that answers from a script, byte by byte as a test wants it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import attrs

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"


def response(body: bytes) -> bytes:
    return HEAD % len(body) + body


@attrs.define
class RawServer:
    """Calls a handler for each request, with everything that is known of it.

    Attributes:
        handle: is given the server and the writer of a connection, after each request.
        url: the server's address.
        requests: the request lines, in order.
        heads: the same with their headers, in lower case.
        writers: a writer for each connection, in order.
    """

    handle: Callable[["RawServer", asyncio.StreamWriter], Awaitable[None]]
    url: str = ""
    requests: list[str] = attrs.field(factory=list)
    heads: list[str] = attrs.field(factory=list)
    writers: list[asyncio.StreamWriter] = attrs.field(factory=list)

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.append(writer)
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                for line in head.lower().split(b"\r\n"):
                    if line.startswith(b"content-length:"):
                        await reader.readexactly(int(line.split(b":")[1]))
                self.heads.append(head.lower().decode())
                self.requests.append(head.split(b"\r\n")[0].decode())
                await self.handle(self, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def serving(
    handle: Callable[[RawServer, asyncio.StreamWriter], Awaitable[None]],
) -> AsyncIterator[RawServer]:
    """Run a server on a free port of the loopback interface."""
    raw = RawServer(handle)
    server = await asyncio.start_server(raw, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()[:2]
    raw.url = f"http://{host}:{port}"
    async with server:
        try:
            yield raw
        finally:
            for writer in raw.writers:
                writer.transport.abort()
