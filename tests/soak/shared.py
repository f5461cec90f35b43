"""Processes that share limits, login and a board over Redis, and what happens to them."""

import asyncio
import json
import random
import shutil
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from tests.support.redis_proxy import Proxy, proxy
from tests.support.redis_servers import RedisServer, redis_server

from .accounts import Account
from .checks import View
from .tally import Tally

PROCESSES = 2
LEASE = 3.0
# Seconds in which a process must end.
_PATIENCE = 60.0
_ROOT = Path(__file__).parents[2]

Chance = random.Random


def is_available() -> bool:
    """Return whether there is a redis-server."""
    return shutil.which("redis-server") is not None


class WorkerProcess:
    """One process: see `worker`.

    Attributes:
        shown: what its board shows.
    """

    def __init__(self, name: str, account: Account, tally: Tally, options: dict[str, Any]) -> None:
        self.name = name
        self.shown: dict[str, int | None] = {}
        self._account = account
        self._tally = tally
        self._options = options
        self._process: asyncio.subprocess.Process | None = None
        self._is_stopping = False

    async def run(self) -> None:
        """Run it, and start it again whenever it was killed."""
        seed = 0
        while not self._is_stopping:
            seed += 1
            options = json.dumps(self._options | {"name": self.name, "seed": f"{self.name} {seed}"})
            process = self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "tests.soak.worker", options),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                cwd=_ROOT,
                start_new_session=True,  # Ctrl-C is for the test, which then stops it.
                limit=1 << 20,
            )
            await self._follow(process)

    async def _follow(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout
        assert process.stderr
        errors = asyncio.create_task(self._listen(process.stderr))
        try:
            # The last line of one that was killed may be incomplete.
            while (line := await process.stdout.readline()).endswith(b"\n"):
                self._take(json.loads(line))
            await process.wait()
            self.shown = {}
            # Nobody waits for the answers to what it had requested.
            self._tally.add("cancelled", max(0, self._tally.pending))
            if process.returncode not in (0, -signal.SIGKILL):
                self._tally.defect("lost", f"{self.name} has ended: {await errors}")
        finally:
            await self._end(process, errors)

    async def _listen(self, errors: asyncio.StreamReader) -> str:
        """Record the warnings of the process, and return its last one."""
        text = ""
        while line := await errors.readline():
            text = line.decode().strip()
            self._account.tallies.act(f"{self.name}: {text[:150]}")
        return text

    async def _end(self, process: asyncio.subprocess.Process, errors: "asyncio.Task[str]") -> None:
        errors.cancel()
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.kill()
        # The transport is closed with the last pipe.
        await asyncio.gather(errors, return_exceptions=True)
        await process.communicate()

    def _take(self, line: dict[str, Any]) -> None:
        self._tally.counts.update(line["counts"])
        self._tally.examples += line["examples"]
        self.shown = line["shown"]
        for started, text in line["failures"]:
            if self._account.explains(started):
                self._tally.add("failed")
            else:
                self._tally.defect("lost", f"{text}, which no fault explains")

    def kill(self) -> None:
        """Kill it; its calls are lost with it, and nobody waits for their answers."""
        process = self._process
        if process is not None and process.returncode is None:
            with suppress(ProcessLookupError):
                process.kill()
                self._account.fire("killed process", self.name)

    def stop(self) -> None:
        """Let it close its board and its session, and end."""
        self._is_stopping = True
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()


class Shared:
    """The processes, and their Redis.

    Attributes:
        processes: the processes.
        lock: held while Redis has a fault, so that they happen one after the other.
    """

    def __init__(self, account: Account, redis: RedisServer, proxy: Proxy, **options: Any) -> None:
        self.account = account
        self.redis = redis
        self.proxy = proxy
        grant = account.grant
        options |= {
            "server": account.server.url,
            "grant": [grant.client_id, grant.client_secret, grant.jwt],
            "redis": proxy.url,
            "ids": account.ids,
            "lease": LEASE,
        }
        self.lock = asyncio.Lock()
        names = [f"process {number + 1}" for number in range(PROCESSES)]
        self.processes = [
            WorkerProcess(name, account, account.tallies.of(name), options) for name in names
        ]

    async def stop(self, tasks: list["asyncio.Task[None]"]) -> None:
        """Let all processes end, and kill what does not."""
        for each in self.processes:
            each.stop()
        _, others = await asyncio.wait(tasks, timeout=_PATIENCE)
        for task in others:
            task.cancel()
            tally = self.account.tallies.of("process")
            tally.defect("leaked", f"a process that did not end in {_PATIENCE:g} s")
        await asyncio.gather(*tasks, return_exceptions=True)

    def views(self) -> dict[str, View]:
        return {each.name: lambda each=each: each.shown for each in self.processes}  # type: ignore[misc]


@asynccontextmanager
async def sharing(account: Account, **options: Any) -> AsyncIterator[Shared]:
    """Run processes that share an account over Redis."""
    with redis_server() as redis, proxy(redis.port) as before:
        shared = Shared(account, redis, before, **options)
        tasks = [asyncio.create_task(each.run()) for each in shared.processes]
        try:
            yield shared
        finally:
            await shared.stop(tasks)


async def _pause(shared: Shared, chance: Chance) -> None:
    shared.account.fire("Redis paused")
    shared.redis.pause()
    await asyncio.sleep(chance.uniform(0.5, 4.0))
    shared.redis.resume()


async def _restart(shared: Shared, chance: Chance) -> None:
    shared.account.fire("Redis restarted")
    await asyncio.to_thread(shared.redis.restart, chance.uniform(0.0, 3.0))


async def _cut(shared: Shared, chance: Chance) -> None:
    shared.account.fire("Redis cut off")
    shared.proxy.cut()
    await asyncio.sleep(chance.uniform(0.5, 4.0))
    shared.proxy.mend()


async def _flush(shared: Shared, _: Chance) -> None:
    shared.account.fire("Redis flushed")
    await asyncio.to_thread(shared.redis.client.flushall)


async def _lose_replies(shared: Shared, chance: Chance) -> None:
    before, count = shared.proxy.lost, chance.randint(1, 3)
    shared.proxy.lose_replies(count, to=b"EVAL")
    for _ in range(100):
        await asyncio.sleep(0.1)
        while before < shared.proxy.lost:
            before += 1
            count -= 1
            shared.account.fire("lost reply of Redis")
        if count <= 0:
            break


async def _reset(shared: Shared, _: Chance) -> None:
    shared.account.fire("connections to Redis reset")
    await asyncio.to_thread(shared.proxy.reset)


async def _kill(shared: Shared, chance: Chance) -> None:
    chance.choice(shared.processes).kill()


REDIS: dict[str, Callable[[Shared, Chance], Any]] = {
    "Redis paused": _pause,
    "Redis restarted": _restart,
    "Redis flushed": _flush,
    "Redis cut off": _cut,
    "lost reply of Redis": _lose_replies,
    "connections to Redis reset": _reset,
    "killed process": _kill,
}


def inject(kind: str, shared: Shared, _: Account, chance: Chance) -> "asyncio.Task[None]":
    """Let Redis or a process have a fault, after the one that it has."""

    async def act() -> None:
        async with shared.lock:
            fault = asyncio.create_task(REDIS[kind](shared, chance))
            try:
                while not fault.done():
                    shared.account.extend()
                    await asyncio.wait([fault], timeout=0.1)
                fault.result()
            finally:
                fault.cancel()
                shared.account.extend()

    return asyncio.create_task(act())
