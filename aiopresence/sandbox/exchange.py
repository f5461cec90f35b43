"""One request as the ledger keeps it, and the connection that its answer goes out on."""

import asyncio
import contextlib
import socket
import struct
from collections.abc import Callable, Mapping

import attrs

from .responses import Reply


@attrs.define(eq=False)
class Received:
    """A request that arrived at the sandbox.

    Attributes:
        arrival: when, in seconds of the sandbox's clock, which is `time.monotonic` by default.
        method: the HTTP method.
        path: the path exactly as on the wire, without the query.
        query: the query exactly as on the wire.
        group: the usage-plan group it counts in, or "" for a request to no known call.
        ids: the extension ids in the path; empty where the path has none.
        token: the bearer token presented, or None.
        headers: all headers, with names in lower case.
        body: the body's bytes.
        status: the status answered, or None when a fault kept the answer back.
    """

    arrival: float
    method: str
    path: str
    query: str
    group: str
    ids: tuple[str, ...]
    token: str | None = attrs.field(repr=False)
    headers: Mapping[str, str] = attrs.field(repr=False)
    body: bytes = attrs.field(default=b"", repr=False)
    status: int | None = None

    @property
    def verb(self) -> str:
        """The method that decides what is done: HEAD is answered like GET, without the body."""
        return verb(self.method)


def verb(method: str) -> str:
    """Return GET for HEAD, and any other method as it is."""
    return "GET" if method == "HEAD" else method


@attrs.define(eq=False)
class Exchange:
    """What a fault works with: the request, its real answer, and the bare connection.

    Attributes:
        received: the request.
        real: handles the request, so that it takes effect, and returns the answer; call it once.
        dress: adds the headers that every answer carries, where they are not there yet.
        closing: set when the sandbox closes, so that nothing waits longer than that.
    """

    received: Received
    real: Callable[[], Reply]
    dress: Callable[[Reply], None]
    closing: asyncio.Event
    _transport: asyncio.Transport

    async def pause(self, seconds: float | None) -> None:
        """Wait, but not longer than the sandbox is open.

        Args:
            seconds: how long; None means until the sandbox closes.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.closing.wait()

    def write(self, data: bytes) -> None:
        """Put bytes straight on the connection."""
        self._transport.write(data)

    def head(self, reply: Reply, length: int | None) -> bytes:
        """Write the status line and headers of an answer after which the connection ends.

        Args:
            reply: where they come from.
            length: the Content-Length to state; None states none.
        """
        self.received.status = reply.status
        lines = [f"HTTP/1.1 {reply.status} Sandbox", "Connection: close"]
        lines += [f"{name}: {value}" for name, value in reply.headers.items()]
        if length is not None:
            lines.append(f"Content-Length: {length}")
        return "\r\n".join([*lines, "", ""]).encode()

    def reset(self) -> None:
        """Break the connection with a TCP reset instead of an orderly end."""
        reset(self._transport)

    def close(self) -> None:
        """End the connection once everything written has gone out."""
        self._transport.close()


def reset(transport: asyncio.Transport) -> None:
    """Break a connection with a TCP reset."""
    # Lingering for zero seconds is how a socket is told to send RST when it is closed.
    linger = struct.pack("ii", 1, 0)
    connection = transport.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    transport.abort()
