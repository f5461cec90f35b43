"""Do 1,000 readers of the dashboard get every change, and what does each of them cost?

One process has a simulated account, one its board and the dashboard; this process has the readers
of its stream, on real sockets. Their streams have to be the same, byte for byte, from the first
change to the last, and to lead to the state that the server has at the end. One reader more takes
nothing: it has to be dropped. The latency of a change is the time from the timestamp of its
notification to its arrival at a reader; changes are sent ten times a second.

Run: python -m benchmarks.dashboard
"""

import asyncio
import json
import re
import resource
import socket
import statistics
import sys
import time
from array import array
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, Self
from zlib import crc32

import aiohttp
from aiohttp import web

from aiopresence import PresenceSession
from aiopresence.sandbox import Sandbox
from aiopresence.web import presence_app

from . import process
from .report import Row, finish

EXTENSIONS, READERS = 2_000, 1_000
RATE, SECONDS = 300.0, 45.0
# Memory is compared from this second on: then the log and all buffers are full.
WARM = 15.0
# The rows of each frame with changes, and where it ends in the stream.
Frames = list[tuple[int, list[dict[str, Any]]]]
# What all streams have in common begins here.
_FIRST = re.compile(rb"id: \S+\nevent: changes\n")


async def simulate() -> None:
    """Run the account: print its address, and change it when a line is read."""
    commands = await process.lines()
    async with Sandbox(EXTENSIONS, window=1.0) as sandbox:
        print(json.dumps(sandbox.url), flush=True)
        await commands.readline()
        async with sandbox.simulate(RATE):
            await asyncio.sleep(SECONDS)
        print(json.dumps("done"), flush=True)
        await commands.readline()


async def serve(url: str) -> None:
    """Run the dashboard: print its port, and what it uses whenever a line is read."""
    commands = await process.lines()
    grant = Sandbox(EXTENSIONS).grant  # The same seed makes the same credentials.
    async with (
        PresenceSession(grant, server=url) as session,
        session.board(directory=True) as board,
    ):
        await board.wait_ready()
        runner = web.AppRunner(presence_app(board), access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0, backlog=READERS).start()
        print(runner.addresses[0][1], flush=True)
        while await commands.readline() == b"use\n":
            print(json.dumps([process.resident(), time.process_time()]), flush=True)
        await runner.cleanup()


class Process:
    """One of the processes, which answers each line with a line of JSON."""

    def __init__(self, running: asyncio.subprocess.Process) -> None:
        self._running = running

    @classmethod
    async def start(cls, *arguments: str) -> Self:
        """Start a process."""
        return cls(
            await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", __spec__.name, *arguments),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                cwd=Path(__file__).parents[1],
            )
        )

    async def answer(self, line: str = "") -> Any:
        """Send a line if there is one, and return the next answer."""
        if self._running.stdin is None or self._running.stdout is None:
            raise SystemExit("no pipe to a process")
        if line:
            self._running.stdin.write(f"{line}\n".encode())
        return json.loads(await self._running.stdout.readline())

    async def end(self) -> None:
        """Close its standard input, and wait until it has ended."""
        if self._running.stdin is not None:
            self._running.stdin.close()
        await self._running.wait()


class Reader(asyncio.Protocol):
    """A reader of the stream.

    Attributes:
        size: how many bytes have arrived from the first change on.
        checksum: of these bytes.
        times: when bytes arrived; `sizes` has how many there were then.
        kept: all of these bytes, for one of the readers.
    """

    def __init__(self, *, keep: bool) -> None:
        self.size = self.checksum = 0
        self.times, self.sizes = array("d"), array("q")
        self.kept = bytearray()
        self._keep = keep
        self._head: bytes | None = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the request."""
        request = b"GET /changes HTTP/1.1\r\nHost: localhost\r\n\r\n"
        transport.write(request)  # type: ignore[attr-defined] # of a socket's transport

    def data_received(self, data: bytes) -> None:
        """Record what arrives from the first change on."""
        if self._head is not None:
            self._head += data
            if (found := _FIRST.search(self._head)) is None:
                return
            data, self._head = self._head[found.start() :], None
        self.size += len(data)
        self.checksum = crc32(data, self.checksum)
        self.times.append(time.time())
        self.sizes.append(self.size)
        if self._keep:
            self.kept += data

    def arrived(self, size: int) -> float:
        """Return when so many bytes had arrived."""
        return self.times[bisect_left(self.sizes, size)]


def stalled(port: int) -> socket.socket:
    """Connect a reader that takes nothing."""
    reader = socket.socket()
    reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    reader.connect(("127.0.0.1", port))
    reader.send(b"GET /changes HTTP/1.1\r\nHost: localhost\r\n\r\n")
    return reader


def frames(stream: bytes) -> Frames:
    """Return the rows of each frame with changes, and where it ends."""
    found = re.finditer(rb"event: changes\ndata: (.*)\n\n", stream)
    return [(match.end(), json.loads(match[1])["rows"]) for match in found]


def availabilities(sent: Frames) -> Iterator[tuple[int, float]]:
    """Yield where the frame with each change of an availability ends, and when that began."""
    known = dict[str, str | None]()
    for end, changed in sent:
        for row in changed:
            since, before = row["since"], known.get(row["id"])
            known[row["id"]] = since
            if since != before:
                yield end, datetime.fromisoformat(since).timestamp()


async def fetch(port: int, path: str) -> bytes:
    """Request something of the dashboard."""
    url = f"http://127.0.0.1:{port}/{path}"
    async with aiohttp.ClientSession() as client, client.get(url) as response:
        return await response.read()


def rows(
    readers: Sequence[Reader], state: list[dict[str, Any]], metrics: str, usage: Sequence[float]
) -> list[Row]:
    """Return the results."""
    empty, full, warm, end, used = usage
    first = readers[0]
    sent = frames(bytes(first.kept))
    last = {row["id"]: row for _, changed in sent for row in changed}
    wrong = sum(last.get(row["id"], row) != row for row in state)
    differ = sum((r.size, r.checksum) != (first.size, first.checksum) for r in readers)
    latencies = [
        1000 * (reader.arrived(end) - began)
        for end, began in availabilities(sent)
        for reader in readers[::100]
    ]
    low, middle, high = statistics.quantiles(latencies, n=4)
    late = statistics.quantiles(latencies, n=100)[98]
    count = sum(len(changed) for _, changed in sent)
    dropped = re.search(r'dropped_total{reason="stalled"} (\d+)', metrics)
    name = "dashboard"
    return [
        Row(name, "rows sent to each reader", count / SECONDS, "rows/s"),
        Row(name, "rows sent to all", count * READERS / SECONDS, "rows/s", 100_000, at_least=True),
        Row(name, "readers whose stream differs from the others", differ, "readers", 0.0),
        Row(name, "rows that differ from the server at the end", wrong, "rows", 0.0),
        Row(name, "latency, median", middle, "ms", 250.0, quartiles=(low, high)),
        Row(name, "latency, 99 %", late, "ms", 1_000.0),
        Row(name, "memory per reader", 1000 * (full - empty) / READERS, "kB", 60.0),
        Row(name, f"growth of memory after {WARM:.0f} s", end - warm, "MB", 10.0),
        Row(name, "readers that took nothing and were dropped", float(dropped[1]) if dropped else 0,
            "readers", 1.0, at_least=True),
        Row(name, "CPU time of board and dashboard", 100 * used / SECONDS, "%"),
    ]  # fmt: skip


async def measure() -> list[Row]:
    """Run all processes, connect the readers, and return the results."""
    account = await Process.start("account")
    server = await Process.start("serve", await account.answer())
    port = await server.answer()
    empty, _ = await server.answer("use")
    readers = [await connected(port, keep=number == 0) for number in range(READERS)]
    idle = stalled(port)
    full, used = await server.answer("use")
    changing = asyncio.create_task(account.answer("start"))
    await asyncio.sleep(WARM)
    warm, _ = await server.answer("use")
    await changing
    await settled(readers)
    end, used_then = await server.answer("use")
    state = json.loads(await fetch(port, "presence"))
    metrics = (await fetch(port, "metrics")).decode()
    idle.close()
    for each in (server, account):
        await each.end()
    return rows(readers, state, metrics, (empty, full, warm, end, used_then - used))


async def settled(readers: Sequence[Reader]) -> None:
    """Wait for what is in flight: until all have as much, for ten seconds at most."""
    for _ in range(10):
        await asyncio.sleep(1.0)
        if len({reader.size for reader in readers}) == 1:
            return


async def connected(port: int, *, keep: bool) -> Reader:
    """Connect a reader."""
    loop = asyncio.get_running_loop()
    _, reader = await loop.create_connection(partial(Reader, keep=keep), "127.0.0.1", port)
    return reader


def main() -> int:
    """Measure all; or run one of the other processes."""
    # Each reader has a socket in both processes.
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 2 * READERS)), hard))
    match sys.argv[1:]:
        case ["account"]:
            asyncio.run(simulate())
        case ["serve", url]:
            asyncio.run(serve(url))
        case _:
            return finish(asyncio.run(measure()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
