"""How fast are 30,000 extensions read when there are no rate limits?

- 30,000 ids in 1,000 batches, compared with bare aiohttp, which sends the same requests at the same
  concurrency and discards every body. First with a sandbox in a process of its own, which computes
  every presence; then with a server that has every response ready (see `canned`), so that only the
  client takes time.
- The longest time for which the event loop is blocked meanwhile, and while ten pages of 1,000 are
  read: for so long nothing else in the program can run. It is this thread's CPU time, which other
  processes affect less; the wall clock is there for comparison. The garbage collector is on, and
  reported separately: how long it takes depends on how much the program keeps.

Run: python -m benchmarks.throughput
"""

import asyncio
import gc
import sys
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager

import aiohttp

from aiopresence import GroupLimits, JwtGrant, PresenceSession

from . import bare, canned, embedded, process
from .report import Row, finish, interleaved, median, ratio

EXTENSIONS = 30_000
BATCH, CONCURRENCY = 30, 8
# Rounds whose median is reported; runs in which blocks are measured.
ROUNDS, RUNS = 9, 7
# Seconds that requests may wait for the limits in all.
MOST_WAITED = 0.5
# As the servers state them; never reached.
LIMITS = dict.fromkeys(("Light", "Heavy"), GroupLimits(process.LIMIT, process.WINDOW))
GRANT = JwtGrant("id", "secret", "jwt")
BARE, ITER, READ = "bare aiohttp", "iter_…", "read_…"
KINDS = {"records": None, "detailed records": True}


class Reading:
    """The ways to read that are measured, on one event loop.

    Args:
        server: its address.
        session: an open session.
        http: another one, of bare aiohttp.
        headers: what that one sends.
        ids: what to read.
    """

    def __init__(
        self,
        server: str,
        session: PresenceSession,
        http: aiohttp.ClientSession,
        headers: dict[str, str],
        ids: Sequence[str],
    ) -> None:
        self._server = server
        self._session = session
        self._http = http
        self._headers = headers
        self._ids = ids

    async def bare(self, detailed: bool | None) -> None:
        """Send the same requests with aiohttp alone, and discard the bodies."""
        query = "?detailedTelephonyState=true" if detailed else ""
        batches = (self._ids[n : n + BATCH] for n in range(0, len(self._ids), BATCH))
        urls = (bare.presence(self._server, batch, query) for batch in batches)

        async def work() -> None:
            for url in urls:
                async with self._http.get(url, headers=self._headers) as response:
                    await response.read()

        await asyncio.gather(*(work() for _ in range(CONCURRENCY)))

    async def iterate(self, detailed: bool | None) -> None:
        """Receive one outcome after the other, and keep none."""
        async for _ in self._session.iter_user_presence_statuses(
            self._ids, detailed_telephony_state=detailed
        ):
            pass

    async def read(self, detailed: bool | None) -> object:
        """Return all outcomes."""
        return await self._session.read_user_presence_statuses(
            self._ids, detailed_telephony_state=detailed
        )

    async def account(self, detailed: bool | None) -> None:
        """Receive one record of the account after the other."""
        async for _ in self._session.iter_account_presence(detailed_telephony_state=detailed):
            pass

    async def check(self) -> None:
        """Check that what is measured works; afterwards every response is cached.

        Raises:
            RuntimeError: it does not.
        """
        for detailed in KINDS.values():
            iterated = self._session.iter_user_presence_statuses(
                self._ids, detailed_telephony_state=detailed
            )
            came = [outcome async for outcome in iterated]
            read = await self._session.read_user_presence_statuses(
                self._ids, detailed_telephony_state=detailed
            )
            in_order = [o.id for o in came] == [o.id for o in read] == [*self._ids]
            if not (in_order and all(o.ok for o in (*came, *read))):
                raise RuntimeError("the outcomes do not match the ids")


class Watch:
    """Reads the clocks once per iteration of the event loop, and keeps the longest times.

    Attributes:
        used: the longest CPU time of an iteration in seconds, without garbage collection.
        collected: the longest garbage collection in an iteration.
        wall: the longest iteration by the wall clock.
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
        if self._next is not None:
            self._next.cancel()
        self._look()
        gc.callbacks.remove(self._collect)

    def _begin(self) -> None:
        self._collected = 0.0
        self._next = self._loop.call_soon(self._turn)
        self._began = time.thread_time(), time.perf_counter()

    def _turn(self) -> None:
        self._look()
        self._begin()

    def _look(self) -> None:
        used, wall = time.thread_time() - self._began[0], time.perf_counter() - self._began[1]
        self.used = max(self.used, used - self._collected)
        self.collected = max(self.collected, self._collected)
        self.wall = max(self.wall, wall)

    def _collect(self, phase: str, _: dict[str, int]) -> None:
        now = time.thread_time()
        if phase == "start":
            self._collecting = now
        else:
            self._collected += now - self._collecting


def of_ids(
    runner: asyncio.Runner, reading: Reading, server: str, target: float | None
) -> list[Row]:
    """Measure how long the ids take."""
    rows = []
    for kind, detailed in KINDS.items():
        ways = {BARE: reading.bare, ITER: reading.iterate, READ: reading.read}
        times = interleaved(
            {name: _call(runner, way, detailed) for name, way in ways.items()}, rounds=ROUNDS
        )
        for name in (ITER, READ):
            label = f"{server}: {EXTENSIONS:,} {kind}, {name}: time over {BARE}'s"
            rows.append(ratio("throughput", label, times, name, BARE, target=target))
    return rows


def _call(
    runner: asyncio.Runner, way: Callable[[bool | None], Awaitable[object]], detailed: bool | None
) -> Callable[[], None]:
    async def call() -> None:
        await way(detailed)

    return lambda: runner.run(call())


async def of_blocks(reading: Reading) -> list[Row]:
    """Measure for how long the event loop is blocked."""
    rows = []
    for kind, detailed in KINDS.items():
        for name, way in (
            (f"{EXTENSIONS:,} {kind}, {ITER}", reading.iterate),
            (f"{EXTENSIONS:,} {kind}, {READ}", reading.read),
            (f"{canned.PAGES} pages of {canned.PER_PAGE:,} {kind}", reading.account),
        ):
            watches = [await _watched(way, detailed) for _ in range(RUNS)]
            rows += [
                _milliseconds(
                    f"longest block of the event loop without garbage collection, {name}",
                    [watch.used for watch in watches],
                    target=5.0,
                ),
                _milliseconds(
                    f"longest garbage collection, {name}",
                    [watch.collected for watch in watches],
                    target=40.0 if way == reading.read and detailed else None,
                ),
                _milliseconds(
                    f"longest block of the event loop by the wall clock, {name}",
                    [watch.wall for watch in watches],
                ),
            ]
    return rows


async def _watched(way: Callable[[bool | None], Awaitable[object]], detailed: bool | None) -> Watch:
    with Watch() as watch:
        _kept = await way(detailed)  # not deleted while it is measured
    return watch


def _milliseconds(label: str, seconds: list[float], *, target: float | None = None) -> Row:
    values = [1000 * each for each in seconds]
    return median("throughput", label, values, unit="ms", target=target)


@contextmanager
def reading(
    runner: asyncio.Runner, server: str, grant: JwtGrant, ids: Sequence[str]
) -> Iterator[Reading]:
    """Log in, and check that no request waited for the limits after the first responses.

    Raises:
        RuntimeError: one did.
    """
    opened = _opened(server, grant, ids)
    try:
        yield runner.run(anext(opened))
        runner.run(anext(opened, None))
    finally:
        runner.run(opened.aclose())


async def _opened(
    server: str, grant: JwtGrant, ids: Sequence[str]
) -> AsyncGenerator[Reading, None]:
    async with (
        PresenceSession(grant, server=server, concurrency=CONCURRENCY, limits=LIMITS) as session,
        bare.opened() as http,
    ):
        headers = {
            "accept": "multipart/mixed, application/json",
            "user-agent": "aiohttp",
            "authorization": await bare.log_in(http, server, grant),
        }
        reading = Reading(server, session, http, headers, ids)
        await reading.check()
        waited = session.stats.seconds_waited
        yield reading
        # The bare client uses the same quota, so after a pause a single request goes first.
        if session.stats.seconds_waited - waited > MOST_WAITED:
            raise RuntimeError("requests waited for the rate limits")


def measure() -> list[Row]:
    """Measure all."""
    rows = []
    with asyncio.Runner() as runner:
        with (
            process.running(embedded.__name__, str(EXTENSIONS)) as server,
            reading(runner, server["server"], JwtGrant(*server["grant"]), server["ids"]) as way,
        ):
            rows += of_ids(runner, way, "sandbox", 2.0)
        with (
            process.running(canned.__name__) as server,
            reading(runner, server["server"], GRANT, canned.ids(EXTENSIONS)) as way,
        ):
            rows += of_ids(runner, way, "canned responses", None)
            rows += runner.run(of_blocks(way))
    return rows


if __name__ == "__main__":
    sys.exit(finish(measure()))
