"""The list of all rows, which is written to each reader in parts.

A list of 100,000 rows has 13 MB. It is made while it is written: that does not hold up the event
loop, and a reader that takes nothing costs a part and the buffers of its connection, as a reader of
the stream does, see `readers`. It is dropped after `STALL` seconds. Each row is written as it is at
that moment, so that a list may be newer at its end than at its beginning. A reader that follows the
stream since before its request gets all changes of the meantime from there.
"""

import asyncio
from collections.abc import Iterator
from contextlib import suppress

from aiohttp import web

from .connections import Connection
from .readers import STALL

MAX_LISTS = 1_000


class RowLists:
    """Writes lists to any number of readers."""

    def __init__(self) -> None:
        self._connections = set[Connection]()

    def __len__(self) -> int:
        return len(self._connections)

    async def write(
        self, request: web.Request, response: web.StreamResponse, parts: Iterator[bytes]
    ) -> None:
        """Write a list, until the reader has it, disconnects or is dropped.

        Args:
            request: its request.
            response: the prepared response.
            parts: the parts of the list.
        """
        connection = Connection(request.transport)
        connection.limit_buffer()
        self._connections.add(connection)
        try:
            # A connection that is lost raises from a write.
            with suppress(ConnectionError):
                for part in parts:
                    async with asyncio.timeout(STALL):
                        await response.write(part)
                    await asyncio.sleep(0)  # A write does not wait while the reader is fast.
        except TimeoutError:
            connection.abort()
        finally:
            self._connections.discard(connection)

    def close(self) -> None:
        """End all connections to which a list is being written."""
        for connection in self._connections:
            connection.abort()
