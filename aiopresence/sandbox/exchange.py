"""One request as the sandbox records it, and the connection that its response goes out on."""

import asyncio
import contextlib
import socket
import struct
from collections.abc import Callable, Mapping

import attrs

from .responses import Response


@attrs.define(eq=False)
class Received:
    """A request that arrived at the sandbox.

    Attributes:
        arrival: when, in seconds of the sandbox's clock; see `Sandbox`.
        method: the HTTP method.
        path: the path exactly as on the wire, without the query.
        query: the query exactly as on the wire.
        token: the bearer token of the request, or None.
        headers: all headers, with names in lower case.
        group: the usage-plan group that it counts in: Light, Medium, Heavy or Auth; "" for none.
        ids: the extension ids in the path; empty if the path has none.
        body: the body, decompressed.
        status: the status of the response; None before it, and if a fault kept it back.
    """

    arrival: float
    method: str
    path: str
    query: str
    token: str | None = attrs.field(repr=False)
    headers: Mapping[str, str] = attrs.field(repr=False)
    group: str = ""
    ids: tuple[str, ...] = ()
    body: bytes = attrs.field(default=b"", repr=False)
    status: int | None = None

    @property
    def verb(self) -> str:
        """The method whose handler answers: GET for HEAD, else the request's own."""
        return "GET" if self.method == "HEAD" else self.method


@attrs.define(eq=False)
class Exchange:
    """What a fault works with: the request, its real response, and the connection.

    Attributes:
        received: the request.
        real: handles the request, so that it takes effect, and returns the response; to be
            called once.
        add_standard_headers: adds the date, request id and rate limit headers to a response that
            does not have them.
        closing: set when the sandbox closes, which ends every wait.
    """

    received: Received
    real: Callable[[], Response]
    add_standard_headers: Callable[[Response], None]
    closing: asyncio.Event
    _transport: asyncio.Transport

    async def pause(self, seconds: float | None) -> None:
        """Wait for some seconds, or until the sandbox closes; with None, only for the latter."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.closing.wait()

    def write(self, data: bytes) -> None:
        """Write bytes to the connection as they are."""
        self._transport.write(data)

    def head(self, response: Response, length: int | None) -> bytes:
        """Return status line and headers of a response after which the connection is closed.

        Args:
            response: the response.
            length: the Content-Length; None for a response without that header.
        """
        self.received.status = response.status
        lines = [f"HTTP/1.1 {response.status} Sandbox", "Connection: close"]
        lines += [f"{name}: {value}" for name, value in response.headers.items()]
        if length is not None:
            lines.append(f"Content-Length: {length}")
        return "\r\n".join([*lines, "", ""]).encode()

    def reset(self) -> None:
        """Reset the TCP connection."""
        reset(self._transport)

    def close(self) -> None:
        """Close the connection after everything written has been sent."""
        self._transport.close()


def reset(transport: asyncio.Transport) -> None:
    """Reset a TCP connection."""
    # A socket that lingers for 0 seconds sends RST when it is closed.
    linger = struct.pack("ii", 1, 0)
    connection = transport.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    transport.abort()
