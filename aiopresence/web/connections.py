"""The connection of a response that may be long."""

import asyncio
from socket import SO_SNDBUF, SOL_SOCKET

_SOCKET_BUFFER = 1 << 17


class Connection:
    """The connection of a response.

    Attributes:
        transport: its transport; None if it has ended.
    """

    def __init__(self, transport: asyncio.Transport | None) -> None:
        self.transport = transport

    def limit_buffer(self) -> None:
        """Limit what the system buffers of the response, which would otherwise be megabytes."""
        if self.transport is None:
            return
        connection = self.transport.get_extra_info("socket")
        if connection is not None:
            connection.setsockopt(SOL_SOCKET, SO_SNDBUF, _SOCKET_BUFFER)

    @property
    def is_gone(self) -> bool:
        """Whether the connection has ended."""
        return self.transport is None or self.transport.is_closing()

    def abort(self) -> None:
        """End the connection at once."""
        if self.transport is not None:
            self.transport.abort()
