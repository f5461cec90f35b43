"""How fast can very many extensions be read where no limit holds anything back?

- 30,000 ids in 1,000 batches, against bare aiohttp that asks for the same at the same concurrency
  and throws every body away. The server (see `canned`) is the same for all, in its own process.
- The longest turn of the event loop meanwhile, and while ten pages of 1,000 are read: for so long
  nothing else in the program can run. What counts is this thread's processor time, because other
  processes take none of that; the wall clock is there to compare with. Python's garbage collector
  is on, and its part of that turn is told.

Run: python -m benchmarks.throughput
"""

import asyncio
import gc
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import aiohttp
from yarl import URL

from aiopresence import GroupLimits, JwtGrant, PresenceSession

from . import canned
from .report import Row, finish, interleaved, ratio, spread

IDS = canned.ids(30_000)
BATCH, CONCURRENCY = 30, 8
# Medians of so many; of the longest turns, of as many runs.
ROUNDS, RUNS = 5, 3
# As the server tells them. So many are not sent in a second.
LIMITS = dict.fromkeys(("Light", "Heavy"), GroupLimits(canned.LIMIT, canned.WINDOW))
HEADERS = {
    "accept": "multipart/mixed, application/json",
    "user-agent": "aiohttp",
    "authorization": f"Bearer {canned.TOKEN}",
}
BARE, ITER, READ = "bare aiohttp", "iter_…", "read_…"
KINDS = {"records": None, "detailed records": True}


class Reading:
    """What is measured: the ways to read, on one event loop.

    Args:
        server: its address.
        session: an open session.
        http: another one, of bare aiohttp.
    """

    def __init__(self, server: str, session: PresenceSession, http: aiohttp.ClientSession) -> None:
        self._server = server
        self._session = session
        self._http = http

    async def bare(self, detailed: bool | None) -> None:
        """Read what the ids are asked for with aiohttp alone, and throw it away."""
        query = "?detailedTelephonyState=true" if detailed else ""
        extensions = f"{self._server}{canned.ACCOUNT}/extension"
        batches = (IDS[n : n + BATCH] for n in range(0, len(IDS), BATCH))
        urls = (f"{extensions}/{','.join(batch)}/presence{query}" for batch in batches)

        async def work() -> None:
            for url in urls:
                async with self._http.get(URL(url, encoded=True), headers=HEADERS) as answer:
                    await answer.read()

        await asyncio.gather(*(work() for _ in range(CONCURRENCY)))

    async def iterate(self, detailed: bool | None) -> None:
        """Have one outcome after the other, and keep none."""
        async for _ in self._session.iter_user_presence_statuses(
            IDS, detailed_telephony_state=detailed
        ):
            pass

    async def read(self, detailed: bool | None) -> None:
        """Have all outcomes."""
        await self._session.read_user_presence_statuses(IDS, detailed_telephony_state=detailed)

    async def account(self, detailed: bool | None) -> None:
        """Have one record after the other of a whole account."""
        async for _ in self._session.iter_account_presence(detailed_telephony_state=detailed):
            pass

    async def server_used(self) -> float:
        """Give the processor time that the server has taken."""
        async with self._http.get(self._server + canned.USED) as answer:
            return float(await answer.read())

    async def check(self) -> None:
        """See to it that what is measured works. Afterwards every answer was made once.

        Raises:
            RuntimeError: it does not.
        """
        for detailed in KINDS.values():
            flag = {"detailed_telephony_state": detailed}
            came = [o async for o in self._session.iter_user_presence_statuses(IDS, **flag)]
            read = await self._session.read_user_presence_statuses(IDS, **flag)
            account = [record async for record in self._session.iter_account_presence(**flag)]
            in_order = [o.id for o in came] == [o.id for o in read] == IDS
            complete = len(account) == canned.PAGES * canned.PER_PAGE
            if not (in_order and complete and all(o.ok for o in (*came, *read))):
                raise RuntimeError("what came is not what was asked for")


class Watch:
    """Looks at the clocks once in every turn of the event loop, and remembers the longest turn.

    Attributes:
        used: the processor time of the turn that took most of it, in seconds.
        collected: the garbage collector's part of that.
        wall: how long the turn took that took longest.
    """

    def __init__(self) -> None:
        self.used = self.collected = self.wall = 0.0
        self._loop = asyncio.get_running_loop()
        self._collected = self._collecting = 0.0
        self._began = time.thread_time(), time.perf_counter()
        self._next: asyncio.Handle | None = None

    def __enter__(self) -> "Watch":
        gc.collect()
        gc.callbacks.append(self._collect)
        self._begin()
        return self

    def __exit__(self, *_: object) -> None:
        gc.callbacks.remove(self._collect)
        if self._next is not None:
            self._next.cancel()

    def _begin(self) -> None:
        self._collected = 0.0
        self._next = self._loop.call_soon(self._look)
        self._began = time.thread_time(), time.perf_counter()

    def _look(self) -> None:
        used, wall = time.thread_time() - self._began[0], time.perf_counter() - self._began[1]
        if used > self.used:
            self.used, self.collected = used, self._collected
        self.wall = max(self.wall, wall)
        self._begin()

    def _collect(self, phase: str, _: dict[str, int]) -> None:
        now = time.thread_time()
        if phase == "start":
            self._collecting = now
        else:
            self._collected += now - self._collecting


def of_ids(runner: asyncio.Runner, reading: Reading) -> list[Row]:
    """Measure how long the ids take."""
    rows = []
    for kind, detailed in KINDS.items():
        ways = {BARE: reading.bare, ITER: reading.iterate, READ: reading.read}
        times = interleaved(
            {name: _call(runner, way, detailed) for name, way in ways.items()}, rounds=ROUNDS
        )
        rows += [
            ratio("throughput", f"{len(IDS):,} {kind}, {name}", times, name, BARE, target=2.0)
            for name in (ITER, READ)
        ]
    return rows


def _call(
    runner: asyncio.Runner, way: Callable[[bool | None], Awaitable[None]], detailed: bool | None
) -> Callable[[], None]:
    async def call() -> None:
        await way(detailed)

    return lambda: runner.run(call())


async def of_the_server(reading: Reading) -> Row:
    """Measure how busy the server is with the fastest way: at 1 x it would be what is measured."""
    shares = []
    for _ in range(ROUNDS):
        used, began = await reading.server_used(), time.perf_counter()
        await reading.bare(None)
        seconds = time.perf_counter() - began
        shares.append((await reading.server_used() - used) / seconds)
    what = f"the server's processor time, of {BARE}'s time"
    return spread("throughput", what, shares, target=0.5)


async def of_turns(reading: Reading) -> list[Row]:
    """Measure the longest turns of the event loop."""
    rows = []
    for kind, detailed in KINDS.items():
        for name, way in (
            (f"{len(IDS):,} {kind}, {ITER}", reading.iterate),
            (f"{len(IDS):,} {kind}, {READ}", reading.read),
            (f"{canned.PAGES} pages of {canned.PER_PAGE:,} {kind}", reading.account),
        ):
            watches = [await _watched(way, detailed) for _ in range(RUNS)]
            longest = f"longest turn, {name}"
            rows += [
                _milliseconds(longest, [watch.used for watch in watches], 5.0),
                _milliseconds(" … garbage collection in it", [w.collected for w in watches]),
                _milliseconds(" … by the wall clock", [watch.wall for watch in watches]),
            ]
    return rows


async def _watched(way: Callable[[bool | None], Awaitable[None]], detailed: bool | None) -> Watch:
    with Watch() as watch:
        await way(detailed)
    return watch


def _milliseconds(what: str, seconds: list[float], target: float | None = None) -> Row:
    return spread("throughput", what, [s * 1000 for s in seconds], unit="ms", target=target)


@asynccontextmanager
async def opened(server: str) -> AsyncIterator[Reading]:
    """Log in, and see to it that no limit held anything back after the first answer.

    Raises:
        RuntimeError: one did.
    """
    grant = JwtGrant("id", "secret", "jwt")
    async with (
        PresenceSession(grant, server=server, concurrency=CONCURRENCY, limits=LIMITS) as session,
        # As the library opens its own.
        aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0), cookie_jar=aiohttp.DummyCookieJar()
        ) as http,
    ):
        reading = Reading(server, session, http)
        await reading.check()
        waits = session.stats.waits
        yield reading
        if session.stats.waits != waits:
            raise RuntimeError("limits held requests back")


def measure() -> list[Row]:
    """Measure all."""
    with canned.running() as server, asyncio.Runner() as runner:
        way = opened(server)
        reading = runner.run(way.__aenter__())
        rows = [
            *of_ids(runner, reading),
            runner.run(of_the_server(reading)),
            *runner.run(of_turns(reading)),
        ]
        runner.run(way.__aexit__(None, None, None))
        return rows


if __name__ == "__main__":
    sys.exit(finish(measure()))
