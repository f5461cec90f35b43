"""A TCP proxy in front of a server: distance, partitions and lost replies.

It runs on a thread of its own, so that a test may block or run on virtual time.
"""

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

from .ports import HOST

T = TypeVar("T")
_CHUNK = 1 << 16


class Proxy:
    """Forwards connections to a port of 127.0.0.1.

    Args:
        target: the port to forward to.
        delay: see below.

    Attributes:
        port: its own port.
        url: its address for redis-py.
        delay: the seconds by which each direction is delayed; twice that per round trip.
        target: the port that new connections are forwarded to.
        connections: how many connections were accepted.
        held: how many connections and chunks of bytes were held back by `cut`.
        lost: how many replies were lost by `lose_replies`.
    """

    def __init__(self, target: int, delay: float = 0.0) -> None:
        self.target = target
        self.delay = delay
        self.connections = self.held = self.lost = 0
        self._to_lose, self._request = 0, b""
        self._writers: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._is_open = asyncio.Event()
        self._is_open.set()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._server = self._run(asyncio.start_server(self._serve, HOST, 0))
        self.port: int = self._server.sockets[0].getsockname()[1]
        self.url = f"redis://{HOST}:{self.port}"

    def _run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(10)

    def cut(self) -> None:
        """Begin a partition: connections stay open, and bytes are held back, as by a router.

        They arrive after `mend`, as they would by TCP's retransmissions, also those of
        connections that the client has closed meanwhile.
        """
        self._loop.call_soon_threadsafe(self._is_open.clear)

    def mend(self) -> None:
        """End the partition."""
        self._loop.call_soon_threadsafe(self._is_open.set)

    def reset(self) -> None:
        """Close all connections; new ones are accepted."""
        self._run(self._reset())

    async def _reset(self) -> None:
        for writer in self._writers:
            writer.transport.abort()

    def lose_replies(self, count: int = 1, to: bytes = b"EVAL") -> None:
        """Lose the next replies to requests that contain some bytes, and their connections."""
        self._to_lose, self._request = count, to

    def close(self) -> None:
        """Stop it, and close all connections."""
        self._run(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _close(self) -> None:
        self._server.close()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._reset()
        await asyncio.sleep(0)  # Aborted connections are closed in the next turn.

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.add(writer)
        other: asyncio.StreamWriter | None = None
        try:
            await self._pass()
            source, other = await asyncio.open_connection(HOST, self.target)
            self._writers.add(other)
            sent = [b""]
            await asyncio.gather(
                self._forward(reader, other, sent, is_reply=False),
                self._forward(source, writer, sent, is_reply=True),
            )
        except (OSError, asyncio.CancelledError):
            pass  # Either end has closed, or the proxy has.
        finally:
            for each in (writer, other):
                if each is not None:
                    self._writers.discard(each)
                    each.transport.abort()

    async def _pass(self) -> None:
        if not self._is_open.is_set():
            self.held += 1
            await self._is_open.wait()

    async def _forward(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        sent: list[bytes],
        *,
        is_reply: bool,
    ) -> None:
        """Forward one direction; `sent` is the latest request of the connection."""
        queue: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
        sender = asyncio.create_task(self._deliver(queue, writer))
        try:
            while chunk := await reader.read(_CHUNK):
                if not is_reply:
                    sent[0] = chunk
                elif self._to_lose and self._request in sent[0]:
                    self._to_lose -= 1
                    self.lost += 1
                    raise ConnectionResetError
                queue.put_nowait((self._loop.time() + self.delay, chunk))
            queue.put_nowait((self._loop.time() + self.delay, b""))
            await sender
        finally:
            sender.cancel()

    async def _deliver(
        self, queue: asyncio.Queue[tuple[float, bytes]], writer: asyncio.StreamWriter
    ) -> None:
        while True:
            due, chunk = await queue.get()
            await asyncio.sleep(due - self._loop.time())
            await self._pass()
            if not chunk:
                with suppress(OSError):
                    writer.write_eof()
                return
            writer.write(chunk)


@contextmanager
def proxy(target: int, delay: float = 0.0) -> Iterator[Proxy]:
    """Run a proxy in front of a port."""
    proxy = Proxy(target, delay)
    try:
        yield proxy
    finally:
        proxy.close()
