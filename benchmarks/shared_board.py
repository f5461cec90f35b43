"""Processes of the benchmark `shared`: an account that changes, and boards that are shared.

Run: python -m benchmarks.shared_board PROGRAM, as `shared` does. Programs read and print lines of
JSON: one when they are ready, one when they have begun or have a result.
"""

import asyncio
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any, Self

from aiopresence import PresenceBoard, PresenceSession
from aiopresence.redis import RedisBoard
from aiopresence.sandbox import Sandbox

from . import process

EXTENSIONS = 5_000
# Sessions whose memory is measured, and the extensions of each one's account.
SESSIONS, SMALL = 40, 500
_ROOT = Path(__file__).parents[1]
LIMITS = dict.fromkeys(("Auth", "Light", "Heavy", "Medium"), process.LIMIT)


def sandbox_of(extensions: int) -> Sandbox:
    """Return a server without limits; the same number of extensions has the same login."""
    return Sandbox(extensions, limits=LIMITS, window=process.WINDOW)


async def serve(rate: str) -> None:
    """Run an account that changes from one line to the next; print the number of changes."""
    lines = await process.lines()
    async with sandbox_of(EXTENSIONS) as sandbox:
        life = sandbox.simulate(float(rate))
        for _ in range(10 * EXTENSIONS):  # so that extensions have as many calls as they ever will
            life.step()
        _print(url=sandbox.url)
        await lines.readline()
        before = life.changes
        async with life:
            await lines.readline()
        _print(changes=life.changes - before)
        await lines.read()


async def share(url: str, redis: str, role: str, lease: str) -> None:
    """Share a board, and measure the changes that arrive from one line to the next."""
    lines = await process.lines()
    shared = RedisBoard(redis, role=role, lease=float(lease))  # type: ignore[arg-type]
    async with (
        PresenceSession(sandbox_of(EXTENSIONS).grant, server=url) as session,
        session.board(shared=shared) as board,
    ):
        await board.wait_ready()
        _print(ready=len(board))
        await lines.readline()
        arrivals: list[tuple[float, float]] = []
        following = asyncio.create_task(_follow(board, arrivals))
        used, began = time.process_time(), time.perf_counter()
        await lines.readline()
        used, took = time.process_time() - used, time.perf_counter() - began
        following.cancel()
        times = [at for at, _ in arrivals]
        pauses = [b - a for a, b in pairwise(times)]
        _print(
            changes=len(arrivals),
            cpu=used,
            seconds=took,
            latency=statistics.median(late for _, late in arrivals) if arrivals else None,
            longest_pause=max(pauses, default=None),
        )
        await lines.read()


async def _follow(board: PresenceBoard, arrivals: list[tuple[float, float]]) -> None:
    async for change in board.changes():
        late = time.time() - change.time.timestamp()
        arrivals.append((time.monotonic(), late))


async def serve_accounts() -> None:
    """Run one server for each of the sessions whose memory is measured."""
    async with AsyncExitStack() as stack:
        servers = [await stack.enter_async_context(sandbox_of(SMALL)) for _ in range(SESSIONS)]
        await process.announce_and_wait([server.url for server in servers])


async def hold_sessions(kind: str, redis: str) -> None:
    """Open a session for each server of the line that is read; print the memory of each in KB.

    Args:
        kind: "events" follows events only; "board" also has a shared board, as its follower.
        redis: the Redis of the boards.
    """
    urls = json.loads(await (await process.lines()).readline())
    grant, warm, before = sandbox_of(SMALL).grant, len(urls) // 4, 0.0
    async with AsyncExitStack() as stack:
        for number, url in enumerate(urls):
            if number == warm:
                before = process.resident()
            session = await stack.enter_async_context(PresenceSession(grant, server=url))
            if kind == "board":
                shared = RedisBoard(redis, name=url, role="follow")
                board = await stack.enter_async_context(session.board(shared=shared))
                await board.wait_ready()
            else:
                events = session.events()
                waiting = asyncio.ensure_future(anext(events))
                stack.callback(waiting.cancel)
                while not session.stats.connections:
                    await asyncio.sleep(0.01)
        _print(kb=1024 * (process.resident() - before) / (len(urls) - warm))


class Program:
    """A program as its parent process sees it."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process

    @classmethod
    @contextmanager
    def start(cls, *words: str) -> Iterator[Self]:
        """Run a program with its arguments; kill it in the end."""
        command = [sys.executable, "-m", __name__, *words]
        with subprocess.Popen(  # noqa: S603 - our own module
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=_ROOT
        ) as process:
            try:
                yield cls(process)
            finally:
                process.kill()

    def read(self) -> Any:
        """Return the next line that it prints, parsed."""
        return json.loads(self.process.stdout.readline())  # type: ignore[union-attr] # a pipe

    def write(self, value: object = None) -> None:
        """Write a line to it."""
        self.process.stdin.write(json.dumps(value) + "\n")  # type: ignore[union-attr] # a pipe
        self.process.stdin.flush()  # type: ignore[union-attr] # a pipe

    def ask(self) -> Any:
        """Write a line to it, and return what it prints then."""
        self.write()
        return self.read()


def _print(**values: object) -> None:
    print(json.dumps(values), flush=True)


PROGRAMS = {each.__name__: each for each in (serve, share, serve_accounts, hold_sessions)}

if __name__ == "__main__":
    asyncio.run(PROGRAMS[sys.argv[1]](*sys.argv[2:]))
