"""How fast can very many extensions be read where no limit holds anything back?

- 30,000 ids in 1,000 batches, against bare aiohttp that asks for the same at the same concurrency
  and throws every body away. First with the embedded platform in a process of its own, which has
  to find the presence of everybody; then with one that has every answer ready (see `canned`): there
  is nothing left then but what the client itself takes.
- The longest turn of the event loop meanwhile, and while ten pages of 1,000 are read: for so long
  nothing else in the program can run. What counts is this thread's processor time, on which other
  processes have less influence; the wall clock is there to compare with. Python's garbage collector
  is on, and told by itself: how long it takes depends on how much the program keeps, and a turn it
  falls into is as much longer.

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
from .report import Row, finish, interleaved, ratio, spread

EXTENSIONS = 30_000
BATCH, CONCURRENCY = 30, 8
# Medians of so many; of the longest turns, of as many runs.
ROUNDS, RUNS = 9, 7
# As the servers tell them. So many are not sent in a second.
# Seconds that the limits may hold requests back in all.
MOST_WAITED = 0.5
LIMITS = dict.fromkeys(("Light", "Heavy"), GroupLimits(process.LIMIT, process.WINDOW))
GRANT = JwtGrant("id", "secret", "jwt")
BARE, ITER, READ = "bare aiohttp", "iter_…", "read_…"
KINDS = {"records": None, "detailed records": True}


class Reading:
    """What is measured: the ways to read, on one event loop.

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
        """Read what the ids are asked for with aiohttp alone, and throw it away."""
        query = "?detailedTelephonyState=true" if detailed else ""
        batches = (self._ids[n : n + BATCH] for n in range(0, len(self._ids), BATCH))
        urls = (bare.presence(self._server, batch, query) for batch in batches)

        async def work() -> None:
            for url in urls:
                async with self._http.get(url, headers=self._headers) as answer:
                    await answer.read()

        await asyncio.gather(*(work() for _ in range(CONCURRENCY)))

    async def iterate(self, detailed: bool | None) -> None:
        """Have one outcome after the other, and keep none."""
        async for _ in self._session.iter_user_presence_statuses(
            self._ids, detailed_telephony_state=detailed
        ):
            pass

    async def read(self, detailed: bool | None) -> object:
        """Have all outcomes."""
        return await self._session.read_user_presence_statuses(
            self._ids, detailed_telephony_state=detailed
        )

    async def account(self, detailed: bool | None) -> None:
        """Have one record after the other of a whole account."""
        async for _ in self._session.iter_account_presence(detailed_telephony_state=detailed):
            pass

    async def check(self) -> None:
        """See to it that what is measured works. Afterwards every batch was made once.

        Raises:
            RuntimeError: it does not.
        """
        for detailed in KINDS.values():
            flag = {"detailed_telephony_state": detailed}
            came = [o async for o in self._session.iter_user_presence_statuses(self._ids, **flag)]
            read = await self._session.read_user_presence_statuses(self._ids, **flag)
            in_order = [o.id for o in came] == [o.id for o in read] == [*self._ids]
            if not (in_order and all(o.ok for o in (*came, *read))):
                raise RuntimeError("what came is not what was asked for")


class Watch:
    """Looks at the clocks once in every turn of the event loop, and remembers the longest turn.

    Attributes:
        used: the processor time of the turn that took most of it, in seconds, but for the garbage
            collector's.
        collected: the garbage collector's, of the turn in which that was longest.
        wall: how long the turn took that took longest, with everything.
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
            what = f"{server}: {EXTENSIONS:,} {kind}, {name}: time over {BARE}'s"
            rows.append(ratio("throughput", what, times, name, BARE, target=target, told=True))
    return rows


def _call(
    runner: asyncio.Runner, way: Callable[[bool | None], Awaitable[object]], detailed: bool | None
) -> Callable[[], None]:
    async def call() -> None:
        await way(detailed)

    return lambda: runner.run(call())


async def of_turns(reading: Reading) -> list[Row]:
    """Measure the longest turns of the event loop."""
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
                    f"longest turn without garbage collection, {name}",
                    [watch.used for watch in watches],
                    target=5.0,
                ),
                _milliseconds(
                    f"longest garbage collection, {name}", [watch.collected for watch in watches]
                ),
                _milliseconds(
                    f"longest turn by the wall clock, all in, {name}",
                    [watch.wall for watch in watches],
                    told=True,
                ),
            ]
    return rows


async def _watched(way: Callable[[bool | None], Awaitable[object]], detailed: bool | None) -> Watch:
    with Watch() as watch:
        _kept = await way(detailed)  # How long it takes to drop it is not of the library.
    return watch


def _milliseconds(
    what: str, seconds: list[float], *, target: float | None = None, told: bool = False
) -> Row:
    values = [1000 * each for each in seconds]
    return spread("throughput", what, values, unit="ms", target=target, told=told)


@contextmanager
def reading(
    runner: asyncio.Runner, server: str, grant: JwtGrant, ids: Sequence[str]
) -> Iterator[Reading]:
    """Log in, and see to it that no limit held anything back after the first answers.

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
        # The bare client uses the same quota, so after a pause one request goes first.
        if session.stats.seconds_waited - waited > MOST_WAITED:
            raise RuntimeError("limits held requests back")


def measure() -> list[Row]:
    """Measure all."""
    rows = []
    with asyncio.Runner() as runner:
        with (
            process.running(embedded.__name__, str(EXTENSIONS)) as told,
            reading(runner, told["server"], JwtGrant(*told["grant"]), told["ids"]) as way,
        ):
            rows += of_ids(runner, way, "embedded platform", 2.0)
        with (
            process.running(canned.__name__) as told,
            reading(runner, told["server"], GRANT, canned.ids(EXTENSIONS)) as way,
        ):
            rows += of_ids(runner, way, "answers from memory", None)
            rows += runner.run(of_turns(way))
    return rows


if __name__ == "__main__":
    sys.exit(finish(measure()))
