"""What does a request cost beyond aiohttp when no limit holds it back, and what does waiting cost?

- Requests one after the other, bare and with a session, to a server that answers at once (see
  `canned`): the difference, in this process's processor time, because that is what is added and
  what other processes do not change; the wall clock's is there to compare with.
- Tasks that wait in one rate limiter, 50 requests a minute of a clock that costs no time: what
  each of them takes from then on, when 10,000 wait and when 1,000 do. Waking all of them for each
  one that may go would cost ten times as much, and run ten times as many callbacks.

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
from aiopresence.transport.rate_limiter import RateLimiter

from . import bare, canned, process
from .report import Row, finish, spread

ID = canned.ids(1)[0]
PATH = f"{bare.EXTENSIONS}/{ID}/presence"
REQUESTS, ROUNDS = 200, 100
BARE, REQUEST, READ = "bare aiohttp", "session.request", "read_user_presence_status"
# As the server tells them. So many are not sent in a second.
LIMITS = {"Light": GroupLimits(process.LIMIT, process.WINDOW)}
FEW, MANY, HERDS = 1_000, 10_000, 5

Call = Callable[[], Awaitable[object]]


async def of_requests(server: str) -> list[Row]:
    """Measure what one request costs beyond the bare one."""
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
            async with http.get(bare.presence(server, [ID]), headers=headers) as answer:
                await answer.read()

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
            raise RuntimeError("limits held requests back")
    rows = []
    for name, target in ((REQUEST, 80.0), (READ, None)):
        for n, clock in enumerate(("", ", by the wall clock")):
            more = [times[name][n] - times[BARE][n] for times in rounds]
            limit = None if n else target
            what = f"{name}: time beyond {BARE}'s{clock}"
            rows.append(_row(what, more, "µs", limit, told=not n))
    return [_row(f"a request of {BARE}", [t[BARE][0] for t in rounds], "µs", told=True), *rows]


async def _timed(way: Call) -> tuple[float, float]:
    """Give the microseconds of a request: of the processor, and by the wall clock."""
    used, began = time.process_time(), time.perf_counter()
    for _ in range(REQUESTS):
        await way()
    used, wall = time.process_time() - used, time.perf_counter() - began
    return used / REQUESTS * 1e6, wall / REQUESTS * 1e6


class Unhurried(Clock):
    """A clock that stands still until it is started, and then goes as far as anybody waits."""

    def __init__(self) -> None:
        self._now = 0.0
        self.started = asyncio.Event()

    def now(self) -> float:
        """Give the time, which begins at zero."""
        return self._now

    async def wait(self, event: asyncio.Event, seconds: float = inf) -> None:
        """Wait for an event, or be there at once."""
        if seconds == inf:
            await event.wait()
        else:
            await self.started.wait()
            self._now += seconds


class CountingLoop(asyncio.SelectorEventLoop):
    """An event loop that counts its callbacks; each step of a task is one."""

    callbacks = 0

    def call_soon(self, *args: Any, **options: Any) -> asyncio.Handle:  # type: ignore[override]
        """Count one more."""
        self.callbacks += 1
        return super().call_soon(*args, **options)


async def herd(size: int) -> float:
    """Let tasks wait, and then all through; give the microseconds of the processor each takes."""
    clock = Unhurried()
    limiter = RateLimiter({}, 8, clock, None, Instrumentation(None, clock))
    request = Request("GET", PATH, "Light", GetPresenceInfo)
    answer = Response(429, {"x-rate-limit-group": "light", "retry-after": "30"}, b"")
    (await limiter.acquire(request)).complete(answer)
    good = Response(200, {"x-rate-limit-group": "light"}, b"")

    async def pass_through() -> None:
        permit = await limiter.acquire(request)
        await asyncio.sleep(0)
        permit.complete(good)

    tasks = [asyncio.create_task(pass_through()) for _ in range(size)]
    for _ in range(3):
        await asyncio.sleep(0)
    if limiter.forecast(request) <= 0 or any(task.done() for task in tasks):
        raise RuntimeError("not all of them wait")
    loop = asyncio.get_running_loop()
    if isinstance(loop, CountingLoop):
        loop.callbacks = 0
    began = time.process_time()
    clock.started.set()
    await asyncio.gather(*tasks)
    return (time.process_time() - began) / size * 1e6


def of_herds() -> list[Row]:
    """Measure what one of many tasks costs."""
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


def _row(
    what: str, values: list[float], unit: str, target: float | None = None, *, told: bool = False
) -> Row:
    return spread("overhead", what, values, unit=unit, target=target, told=told)


def measure() -> list[Row]:
    """Measure all."""
    with process.running(canned.__name__) as told:
        return [*asyncio.run(of_requests(told["server"])), *of_herds()]


if __name__ == "__main__":
    sys.exit(finish(measure()))
