"""How much CPU time does a request take beyond aiohttp's, and how much a waiting task?

- Requests one after the other, with aiohttp alone and with a session, to a server that responds
  at once (see `canned`): the difference in CPU time of this process, which other processes do not
  change. The difference by the wall clock is there for comparison.
- Tasks that wait in one rate limiter, with 50 requests a minute of a virtual clock: the CPU time of
  each, when 10,000 wait and when 1,000 do. If each free slot woke all of them, each would take
  ten times as long, with ten times as many callbacks.

Run: python -m benchmarks.overhead
"""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from math import inf
from typing import Any

from aiopresence import GetPresenceInfo, GroupLimits, JwtGrant, PresenceSession, Response
from aiopresence.protocol.rest import Request
from aiopresence.transport.clock import Clock
from aiopresence.transport.instrumentation import Instrumentation
from aiopresence.transport.request_queue import RequestQueue

from . import bare, canned, process
from .report import Row, finish, median

ID = canned.ids(1)[0]
PATH = f"{bare.EXTENSIONS}/{ID}/presence"
REQUESTS, ROUNDS = 200, 100
BARE, REQUEST, READ = "bare aiohttp", "session.request", "read_user_presence_status"
# As the server states them; never reached.
LIMITS = {"Light": GroupLimits(process.LIMIT, process.WINDOW)}
FEW, MANY, HERDS = 1_000, 10_000, 5

Call = Callable[[], Awaitable[object]]


async def of_requests(server: str) -> list[Row]:
    """Measure the time of a request beyond the bare one."""
    async with (
        PresenceSession(JwtGrant("id", "secret", "jwt"), server=server, limits=LIMITS) as session,
        bare.opened() as http,
    ):
        headers = {
            "accept": "application/json",
            "user-agent": "aiohttp",
            "authorization": f"Bearer {canned.TOKEN}",
        }

        async def get() -> None:
            async with http.get(bare.presence(server, [ID]), headers=headers) as response:
                await response.read()

        ways: dict[str, Call] = {
            BARE: get,
            REQUEST: lambda: session.request("GET", PATH),
            READ: lambda: session.read_user_presence_status(ID),
        }
        for way in ways.values():
            await _timed(way)
        waits = session.stats.waits
        rounds = [{name: await _timed(way) for name, way in ways.items()} for _ in range(ROUNDS)]
        if session.stats.waits != waits:
            raise RuntimeError("requests waited for the rate limits")
    rows = []
    for name, target in ((REQUEST, 80.0), (READ, None)):
        for n, clock in enumerate(("", ", by the wall clock")):
            more = [times[name][n] - times[BARE][n] for times in rounds]
            limit = None if n else target
            label = f"{name}: time beyond {BARE}'s{clock}"
            rows.append(_row(label, more, "µs", limit))
    return [_row(f"a request with {BARE}", [t[BARE][0] for t in rounds], "µs"), *rows]


async def _timed(way: Call) -> tuple[float, float]:
    """Return the microseconds of a request: CPU time, and by the wall clock."""
    used, began = time.process_time(), time.perf_counter()
    for _ in range(REQUESTS):
        await way()
    used, wall = time.process_time() - used, time.perf_counter() - began
    return used / REQUESTS * 1e6, wall / REQUESTS * 1e6


class Unhurried(Clock):
    """A clock that stands still until it is started, and then advances by each wait."""

    def __init__(self) -> None:
        self._now = 0.0
        self.started = asyncio.Event()

    def now(self) -> float:
        """Return the time in seconds, from zero."""
        return self._now

    async def wait(self, event: asyncio.Event, seconds: float = inf) -> None:
        """Wait for an event, or advance the clock."""
        if seconds == inf:
            await event.wait()
        else:
            await self.started.wait()
            self._now += seconds


class CountingLoop(asyncio.SelectorEventLoop):
    """An event loop that counts its callbacks; each step of a task is one."""

    callbacks = 0

    def call_soon(self, *args: Any, **options: Any) -> asyncio.Handle:  # type: ignore[override]
        """Count the callback."""
        self.callbacks += 1
        return super().call_soon(*args, **options)


async def herd(size: int) -> float:
    """Start waiting tasks, then let all of them pass; return the microseconds of CPU for each."""
    clock = Unhurried()
    limiter = RequestQueue({}, 8, clock, None, Instrumentation(None, clock))
    request = Request("GET", PATH, "Light", GetPresenceInfo)
    response = Response(429, {"x-rate-limit-group": "light", "retry-after": "30"}, b"")
    (await limiter.acquire(request)).complete(response)
    good = Response(200, {"x-rate-limit-group": "light"}, b"")

    async def pass_through() -> None:
        permit = await limiter.acquire(request)
        await asyncio.sleep(0)
        permit.complete(good)

    tasks = [asyncio.create_task(pass_through()) for _ in range(size)]
    for _ in range(3):
        await asyncio.sleep(0)
    if limiter.forecast(request) <= 0 or any(task.done() for task in tasks):
        raise RuntimeError("not all tasks wait")
    loop = asyncio.get_running_loop()
    if isinstance(loop, CountingLoop):
        loop.callbacks = 0
    began = time.process_time()
    clock.started.set()
    await asyncio.gather(*tasks)
    return (time.process_time() - began) / size * 1e6


def of_herds() -> list[Row]:
    """Measure the cost of one of many waiting tasks."""
    with asyncio.Runner() as runner:
        runner.run(herd(FEW))
        costs = [{n: runner.run(herd(n)) for n in (FEW, MANY)} for _ in range(HERDS)]
    loop, callbacks = CountingLoop(), {}
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        for size in (FEW, MANY):
            runner.run(herd(size))
            callbacks[size] = loop.callbacks / size
    more = callbacks[MANY] / callbacks[FEW]
    return [
        _row(f"time of each of {FEW:,} waiting tasks", [cost[FEW] for cost in costs], "µs"),
        _row(f"time of each of {MANY:,}", [cost[MANY] for cost in costs], "µs"),
        _row(f"time of each of {MANY:,} over {FEW:,}", [c[MANY] / c[FEW] for c in costs], "x", 1.5),
        Row("overhead", f"callbacks of each of {MANY:,}", callbacks[MANY], ""),
        Row("overhead", f"callbacks of each of {MANY:,} over {FEW:,}", more, target=1.1),
    ]


def _row(label: str, values: list[float], unit: str, target: float | None = None) -> Row:
    return median("overhead", label, values, unit=unit, target=target)


def measure() -> list[Row]:
    """Measure all."""
    with process.running(canned.__name__) as server:
        return [*asyncio.run(of_requests(server["server"])), *of_herds()]


if __name__ == "__main__":
    sys.exit(finish(measure()))
