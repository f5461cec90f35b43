"""A connection pool that never reuses a connection on which unrequested data arrived.

aiohttp takes whatever has arrived on an idle connection for the response to the next request. A
record that names its extension would not be mistaken for another one's, but the records of unified
presence and of call queues name none.
"""

import asyncio
import select
from collections.abc import Iterable
from functools import partial
from typing import Any

import aiohttp
from aiohttp.client_proto import ResponseHandler

from .aiohttp_internals import idle_connections


class _Connection(ResponseHandler):
    """A connection that closes itself at the first byte that belongs to no request."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        # Whether a response is expected, or being read.
        self._is_in_use = False

    def set_response_params(self, **params: Any) -> None:
        """Begin a request: aiohttp calls this before it writes one."""
        self._is_in_use = True
        super().set_response_params(**params)

    def end_use(self) -> None:
        """End a request: its connection goes back to the pool."""
        self._is_in_use = False

    def is_idle(self) -> bool:
        """Return whether no request uses the connection."""
        return not self._is_in_use

    def data_received(self, data: bytes) -> None:
        """Parse data of a response; close the connection if it is anything else."""
        if data and self.is_idle():
            self.abort()
            return
        super().data_received(data)
        # The end of the response may have ended the use. Only now is known what came after it.
        if self.is_idle() and self.should_close:
            self.abort()


class Connector(aiohttp.TCPConnector):
    """A pool of such connections, without a limit: the session limits its requests itself."""

    def __init__(self) -> None:
        super().__init__(limit=0)
        self._factory: Any = partial(_Connection, asyncio.get_running_loop())

    def _release(self, key: Any, protocol: Any, **options: Any) -> None:
        protocol.end_use()
        super()._release(key, protocol, **options)


async def discard_spoiled(client: aiohttp.ClientSession, request: aiohttp.ClientRequest) -> None:
    """Close the idle connections a request might reuse on which data has arrived.

    The connector of a user's session is aiohttp's own, which notices such data but does not act.

    Raises:
        ClientConnectionError: the client was closed.
    """
    idle = idle_connections(client, request)
    if _may_have_data(idle):
        # Data that the operating system holds is read in the second turn of the event loop.
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        if client.closed:
            raise aiohttp.ClientConnectionError("the pool was closed meanwhile")
        idle = idle_connections(client, request)
    for connection in idle:
        if connection.should_close:
            connection.close()


def _may_have_data(connections: Iterable[ResponseHandler]) -> bool:
    """Return whether the operating system may hold data of a connection, or its end.

    To ask costs one system call; to find out by reading costs two turns of the event loop.
    """
    if not hasattr(select, "poll"):  # On Windows.
        return True
    poll = select.poll()
    for connection in connections:
        transport = connection.transport
        socket = None if transport is None else transport.get_extra_info("socket")
        if socket is None or socket.fileno() < 0:
            return True
        poll.register(socket.fileno(), select.POLLIN)
    return bool(poll.poll(0))
