"""How long does it take to read 9,000 extensions under rate limits, and with how many 429s?

A sandbox whose minute is scaled to one second: 50 requests of group Light per second, and every
request during the penalty of a 429 restarts that penalty, as at RingCentral. Ways to send the 300
batches of 9,000 extensions:

- aiopresence;
- all at once, sleeping for Retry-After after a 429;
- eight at a time, sleeping for window x 2^n after the n-th 429;
- eight at a time, sleeping for Retry-After;
- eight at a time behind a limiter that knows the limit and does not share it with others. It does
  as well, but cannot learn or share limits.

And in virtual time, with RingCentral's minute: 1,000 requests that take 200 ms each.

Run: python -m benchmarks.limits
"""

import asyncio
import random
import sys
import time
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from math import ceil

import aiohttp

from aiopresence import PresenceSession
from aiopresence.sandbox import Sandbox, virtual_time

from . import bare
from .report import Row, finish

EXTENSIONS = 9_000
BATCH = 30
LIMIT = 50
WINDOW = 1.0
# Seconds after which a policy is stopped.
PATIENCE = 30 * WINDOW

LATENCY, MINUTE, MANY = 0.2, 60.0, 1_000

OURS = "aiopresence"
REQUESTS = EXTENSIONS // BATCH


def optimum(requests: int, window: float) -> float:
    """Return the shortest possible time in seconds: one burst at once, one each window later."""
    return (ceil(requests / LIMIT) - 1) * window


async def with_aiopresence(sandbox: Sandbox) -> int:
    """Read with this library."""
    async with PresenceSession(sandbox.grant, server=sandbox.url) as session:
        return len((await session.read_user_presence_statuses(sandbox.extension_ids)).values)


class Limiter:
    """Allows LIMIT requests in any window."""

    def __init__(self) -> None:
        self._ends: deque[float] = deque(maxlen=LIMIT)

    async def __aenter__(self) -> None:
        """Wait until one window after the request LIMIT requests ago."""
        now = time.perf_counter()
        full = len(self._ends) == LIMIT
        # Twenty milliseconds more, because the server counts arrivals.
        at = max(now, self._ends[0] + WINDOW + 0.02) if full else now
        self._ends.append(at)
        await asyncio.sleep(at - now)

    async def __aexit__(self, *_: object) -> None:
        """Do nothing."""


async def by_hand(
    sandbox: Sandbox,
    concurrency: int,
    wait: Callable[[int, float], float],
    limiter: AbstractAsyncContextManager[None] | None = None,
) -> int:
    """Read with aiohttp alone; `wait` returns the seconds to sleep after the n-th 429."""
    limiter = limiter or nullcontext()
    async with aiohttp.ClientSession() as http:
        headers = {"Authorization": await bare.log_in(http, sandbox.url, sandbox.grant)}
        slots = asyncio.Semaphore(concurrency)
        answered = 0

        async def read(ids: tuple[str, ...]) -> None:
            nonlocal answered
            url = bare.presence(sandbox.url, ids)
            for refusals in range(1, 1000):
                async with limiter, http.get(url, headers=headers) as response:
                    if response.status == 207:
                        await response.read()
                        answered += len(ids)
                        return
                    asked = float(response.headers.get("Retry-After", WINDOW))
                await asyncio.sleep(wait(refusals, asked))

        async def in_slot(ids: tuple[str, ...]) -> None:
            async with slots:
                await read(ids)

        ids = sandbox.extension_ids
        batches = [ids[n : n + BATCH] for n in range(0, len(ids), BATCH)]
        try:
            async with asyncio.timeout(PATIENCE):
                await asyncio.gather(*map(in_slot, batches))
        except TimeoutError:
            pass
        return answered


async def all_at_once(sandbox: Sandbox) -> int:
    """Send everything at once, and follow Retry-After."""
    return await by_hand(sandbox, REQUESTS, lambda _, asked: asked)


async def backing_off(sandbox: Sandbox) -> int:
    """Send from eight workers, with exponential backoff and jitter."""
    jitter = random.Random(0)  # noqa: S311 - spreads repetitions, protects nothing
    return await by_hand(
        sandbox, 8, lambda n, _: WINDOW * 2 ** min(n, 6) * jitter.uniform(0.5, 1.0)
    )


async def patient(sandbox: Sandbox) -> int:
    """Send from eight workers that follow Retry-After."""
    return await by_hand(sandbox, 8, lambda _, asked: asked)


async def limited(sandbox: Sandbox) -> int:
    """Send from eight workers behind a limiter that knows the limit."""
    return await by_hand(sandbox, 8, lambda _, asked: asked, Limiter())


WAYS = {
    OURS: with_aiopresence,
    "all at once, with Retry-After": all_at_once,
    "8 workers, window x 2^n backoff": backing_off,
    "8 workers, with Retry-After": patient,
    "8 workers, with a limiter that knows the limit": limited,
}


async def of_way(name: str, way: Callable[[Sandbox], Awaitable[int]]) -> list[Row]:
    """Measure one way on a sandbox of its own."""
    async with Sandbox(EXTENSIONS, window=WINDOW) as sandbox:
        started = time.perf_counter()
        answered = await way(sandbox)
        seconds = time.perf_counter() - started
        refused = sandbox.counters.rate_limited
    # The others are there for comparison.
    longest, most = (1.10, 0.0) if name == OURS else (None, None)
    took = Row(
        *("limits", f"{name}: time over the optimum", seconds / optimum(REQUESTS, WINDOW)),
        target=longest,
    )
    if answered < EXTENSIONS:
        label = f"{name}: ids read when stopped after {PATIENCE / WINDOW:.0f} windows"
        took = Row("limits", label, answered, f"of {EXTENSIONS:,}")
    return [took, Row("limits", f"{name}: 429s", refused, "429s", most)]


async def of_minutes() -> list[Row]:
    """Send many requests in virtual time."""
    async with (
        Sandbox(MANY * BATCH, latency=LATENCY) as sandbox,
        PresenceSession(sandbox.grant, server=sandbox.url) as session,
    ):
        loop = asyncio.get_running_loop()
        started = loop.time()
        result = await session.read_user_presence_statuses(sandbox.extension_ids)
        took, best = loop.time() - started, optimum(MANY, MINUTE)
        label = f"{OURS}: {MANY:,} requests of {LATENCY * 1000:.0f} ms in virtual time"
        return [
            Row("limits", f"{label}: time over the optimum", took / best, target=1.05),
            Row("limits", f"{label}: 429s", sandbox.counters.rate_limited, "429s", 0.0),
            Row("limits", f"{label}: ids without a value", len(result.errors), "ids", 0.0),
        ]


def measure() -> list[Row]:
    """Measure each way, and many requests in virtual time."""
    return [
        *(row for name, way in WAYS.items() for row in asyncio.run(of_way(name, way))),
        *virtual_time.run(of_minutes()),
    ]


if __name__ == "__main__":
    sys.exit(finish(measure()))
