"""How long does it take to read many extensions of an account, and with how many requests?

In virtual time, with RingCentral's default limits in any 60 seconds: 50 requests of group Light,
which read 30 ids each, and 10 of group Heavy, which read 1,000 extensions each. Every request takes
200 ms, and a request during the penalty of a 429 restarts it.

- `route="fastest"` for accounts and ids of different sizes, compared with the shortest possible
  time of one group alone, or of that route which takes less time.
- For comparison, by hand: one request for each id, and batches one after the other, both with a
  pause of Retry-After when they get a 429.

Run: python -m benchmarks.routes
"""

import asyncio
import sys
from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from math import ceil
from typing import Any

import aiohttp

from aiopresence import PresenceSession
from aiopresence.sandbox import Answer, Sandbox, virtual_time

from . import bare
from .report import Row, finish

LATENCY, MINUTE = 0.2, 60.0
BATCH, LIGHT = 30, 50
PAGE, HEAVY = 1_000, 10

ALL, SMALL, LARGE, FEW = 30_000, 3_000, 100_000, 2_000
# One page too many for a window; and for five.
MIXED = (11_000, 55_000)


def optimum(requests: int, limit: int) -> float:
    """Return the shortest time in seconds: one burst at once, one each window later.

    The login before takes as long as a request.
    """
    return (ceil(requests / limit) - 1) * MINUTE + 2 * LATENCY


def now() -> float:
    """Return the virtual time in seconds."""
    return asyncio.get_running_loop().time()


class Read:
    """What a read took.

    Attributes:
        seconds: the time.
        requests: the requests that arrived.
        refused: how many of them got a 429.
        pages: how many of them were for a page of the account.
    """

    def __init__(self, sandbox: Sandbox, started: float) -> None:
        self.seconds = now() - started
        self.requests = sum(request.group != "Auth" for request in sandbox.requests)
        self.refused = sandbox.counters.rate_limited
        self.pages = sum(request.group == "Heavy" for request in sandbox.requests)


async def read(sandbox: Sandbox, ids: Sequence[str], route: Any) -> Read:
    """Read by a route.

    Raises:
        SystemExit: an id has no value, or its outcome is not in its place.
    """
    async with PresenceSession(sandbox.grant, server=sandbox.url) as session:
        started = now()
        result = await session.read_user_presence_statuses(ids, route=route)
        if [outcome.id for outcome in result] != [*ids] or result.errors:
            raise SystemExit("the outcomes do not match the ids")
        return Read(sandbox, started)


async def by_hand(sandbox: Sandbox, ids: Sequence[str], size: int) -> Read:
    """Read so many ids with each request of aiohttp, one after the other."""
    async with aiohttp.ClientSession() as http:
        headers = {"Authorization": await bare.log_in(http, sandbox.url, sandbox.grant)}
        started = now()
        for start in range(0, len(ids), size):
            url = bare.presence(sandbox.url, ids[start : start + size])
            status = 429
            while status == 429:
                async with http.get(url, headers=headers) as response:
                    await response.read()
                    status = response.status
                    pause = float(response.headers.get("Retry-After", 0))
                if status == 429:
                    await asyncio.sleep(pause)
        return Read(sandbox, started)


@asynccontextmanager
async def account(size: int) -> AsyncGenerator[Sandbox, None]:
    """Run a sandbox with so many extensions."""
    async with Sandbox(size, latency=LATENCY) as sandbox:
        yield sandbox


def rows(label: str, done: Read, best: float | None, longest: float, most: int) -> list[Row]:
    """Return the results of one read.

    Args:
        label: what was read.
        done: what it took.
        best: the time that it is compared with; None for the comparison by hand.
        longest: the target of that ratio.
        most: the target of the number of requests; 0 for none.
    """
    if best is None:
        return [
            Row("routes", f"{label}: time", done.seconds, "s"),
            Row("routes", f"{label}: requests", done.requests, "requests"),
            Row("routes", f"{label}: 429s", done.refused, "429s"),
        ]
    target = float(most) if most else None
    return [
        Row("routes", f"{label}: time over the shortest", done.seconds / best, target=longest),
        Row("routes", f"{label}: requests", done.requests, "requests", target),
        Row("routes", f"{label}: 429s", done.refused, "429s", 0.0),
    ]


async def of_accounts() -> list[Row]:
    """Measure accounts of which everything is read, and one of which few are."""
    async with account(ALL) as sandbox:
        best = optimum(ALL // PAGE, HEAVY)
        done = await read(sandbox, sandbox.extension_ids, "fastest")
        result = rows(f"{ALL:,} of {ALL:,}", done, best, 1.05, 31)
    async with account(SMALL) as sandbox:
        done = await read(sandbox, sandbox.extension_ids, "fastest")
        label = f"{SMALL:,} of {SMALL:,}: requests"
        result.append(Row("routes", label, done.requests, "requests", 3.0))
    async with account(LARGE) as sandbox:
        ids = sandbox.extension_ids[:: LARGE // FEW]
        best = optimum(ceil(FEW / BATCH), LIGHT)
        done = await read(sandbox, ids, "fastest")
        result += rows(f"{FEW:,} of {LARGE:,}", done, best, 1.05, 0)
    return result


async def of_both() -> list[Row]:
    """Measure accounts for which both groups are used at the same time."""
    result = []
    for size in MIXED:
        async with account(size) as sandbox:
            alone = await read(sandbox, sandbox.extension_ids, "account")
        best = min(alone.seconds, optimum(ceil(size / BATCH), LIGHT))
        async with account(size) as sandbox:
            done = await read(sandbox, sandbox.extension_ids, "fastest")
        label = f"{size:,} of {size:,}, with both groups"
        result += rows(label, done, best, 1.10, 0)
    return result


async def of_a_forbidden_list() -> list[Row]:
    """Measure a user who may not list the account."""
    async with account(SMALL) as sandbox:
        sandbox.faults.add(Answer(403), path="/account/~/presence", times=None)
        done = await read(sandbox, sandbox.extension_ids, "fastest")
        label, best = f"{SMALL:,}, the list is forbidden", optimum(SMALL // BATCH, LIGHT)
        return [
            *rows(label, done, best, 1.05, SMALL // BATCH + 1),
            Row("routes", f"{label}: wasted requests", done.pages, "requests", 1.0),
        ]


async def of_comparison() -> list[Row]:
    """Measure the simple ways."""
    result = []
    for label, size in (("one request for each id", 1), ("batches one after the other", BATCH)):
        async with account(SMALL) as sandbox:
            done = await by_hand(sandbox, sandbox.extension_ids, size)
        result += rows(f"{SMALL:,}, by hand, {label}", done, None, 0.0, 0)
    return result


PARTS: tuple[Callable[[], Coroutine[Any, Any, list[Row]]], ...] = (
    of_accounts,
    of_both,
    of_a_forbidden_list,
    of_comparison,
)


def measure() -> list[Row]:
    """Measure all, in virtual time."""
    return [row for part in PARTS for row in virtual_time.run(part())]


if __name__ == "__main__":
    sys.exit(finish(measure()))
