"""What do the consumers of a board cost the events, and for how long is the event loop held up?

- Events a second, from the text of a notification until the consumers have the change, on one core
  and without the network: consumers that keep taking, consumers that take now and then what has
  come in between, and consumers that never take anything. The events come in bursts, as they do
  from a connection. There is no target where each event is taken a hundred times: then the rate is
  that of `async for` in a hundred tasks.
- The longest turn of the event loop while a board of 100,000 is read, page by page, in a process of
  its own; and while a page is decoded that has a wrong type in one record, which must be found. It
  is CPU time without garbage collection, as in *throughput*.

Run: python -m benchmarks.consumers
"""

import asyncio
import gc
import json
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping

import attrs

from aiopresence import (
    AccountPresenceInfo,
    DecodeError,
    GetPresenceInfo,
    JwtGrant,
    PresenceBoard,
    PresenceChange,
    PresenceError,
    PresenceSession,
)
from aiopresence.concurrency import run_cooperatively
from aiopresence.live.source import OnChange
from aiopresence.protocol.page_decoding import decode_page
from aiopresence.sandbox import Sandbox

from . import bodies, process
from .events import CALLS, DETAILED, LARGE, PLENTY, Follower, collect
from .report import Row, finish, median
from .throughput import Watch

EXTENSIONS = 20_000
# Events: before anything is measured, in one measurement, in one turn of the event loop, and
# between two times that those take that take now and then.
WARM, PIECE, BURST, PAUSE = 12_000, 4_000, 40, 2_000
ROUNDS, MANY = 5, 100
# Boards and pages whose turns are measured.
RUNS = 3
# The turns of the event loop in which a consumer that is awake takes what there is.
TURNS = 3

KEEP, RARELY, NEVER = "that keep taking", "that take now and then", "that never take"


@attrs.frozen
class Kind:
    """Some consumers.

    Attributes:
        count: how many.
        how: how they take.
        target: the events a second that there should be; None where there is no target.
    """

    count: int
    how: str
    target: float | None = None


KINDS = (
    Kind(0, KEEP),
    Kind(1, KEEP, 30_000.0),
    Kind(MANY, RARELY),
    Kind(MANY, NEVER, 20_000.0),
    Kind(MANY, KEEP),
)


class Source:
    """What feeds the board: records that the benchmark changes."""

    def __init__(self, records: Mapping[str, GetPresenceInfo]) -> None:
        self.records = records
        self.errors: Mapping[str, PresenceError] = {}
        self.rejected = frozenset[str]()
        self.disabled_filters = ()
        self.ready = asyncio.Event()
        self.is_live, self.age = True, 0.0

    def includes(self, _: str) -> bool:
        """Return whether an extension is followed: any is."""
        return True

    def is_stale(self, _: str) -> bool:
        """Return whether an extension is stale: none is."""
        return False

    async def run(self) -> None:
        """Wait."""
        await asyncio.Event().wait()


class Consumers:
    """Consumers of a board, each in a task of its own while they take.

    Args:
        board: the board.
        kind: how many, and how they take.
    """

    def __init__(self, board: PresenceBoard, kind: Kind) -> None:
        self._iterators = [board.changes() for _ in range(kind.count)]
        self._taken = [0] * kind.count
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def least(self) -> int:
        """The changes that the slowest one has taken."""
        return min(self._taken, default=PIECE)

    async def _take(self, number: int, iterator: AsyncIterator[PresenceChange]) -> None:
        async for _ in iterator:
            self._taken[number] += 1

    async def start(self) -> None:
        """Begin to take."""
        self._tasks = [
            asyncio.create_task(self._take(*each)) for each in enumerate(self._iterators)
        ]
        await self.catch_up()

    async def catch_up(self) -> None:
        """Take what there is."""
        for _ in range(TURNS):
            await asyncio.sleep(0)

    def stop(self) -> None:
        """Take nothing more."""
        for task in self._tasks:
            task.cancel()


async def rate(board: PresenceBoard, follower: Follower, put: OnChange, kind: Kind) -> float:
    """Return the events a second of CPU time with some consumers."""
    gc.collect()  # with the consumers of the measurement before
    consumers = Consumers(board, kind)
    if kind.how == KEEP:
        await consumers.start()
    started = time.process_time()
    for done in range(BURST, PIECE + 1, BURST):
        for change in follower.changes(BURST):
            put(change)
        await asyncio.sleep(0)
        if kind.how == RARELY and done % PAUSE == 0:
            await consumers.start()
            consumers.stop()
    await consumers.catch_up()
    used = time.process_time() - started
    consumers.stop()
    await consumers.catch_up()
    if kind.how != NEVER and consumers.least < 0.9 * PIECE:  # the others were combined
        raise SystemExit(f"of {PIECE} changes only {consumers.least} were taken")
    return PIECE / used


async def of_events() -> list[Row]:
    """Measure the events."""
    events = WARM + ROUNDS * len(KINDS) * PIECE
    follower = Follower(await collect(EXTENSIONS, 0, events, detailed=False), detailed=False)
    follower.take(WARM - 2)
    puts: list[OnChange] = []

    def new_source(on_change: OnChange, _: Callable[[], None]) -> Source:
        puts.append(on_change)
        return Source(follower.records)

    rates: dict[Kind, list[float]] = {kind: [] for kind in KINDS}
    async with PresenceBoard(new_source, set(), lambda: None) as board:
        for _ in range(ROUNDS):
            for kind in KINDS:
                rates[kind].append(await rate(board, follower, puts[0], kind))
    return [
        median(
            *("consumers", f"plain events with {kind.count} consumers {kind.how}", values),
            unit="events/s",
            target=kind.target,
            at_least=True,
        )
        for kind, values in rates.items()
    ]


async def fill(server: str, grant: JwtGrant, *, detailed: bool) -> float:
    """Return the longest turn in seconds while a board is read."""
    async with PresenceSession(grant, server=server) as session:
        await session.read_account_presence(detailed_telephony_state=detailed)
        with Watch() as watch:
            async with session.board(detailed_telephony_state=detailed) as board:
                await board.wait_ready()
                if len(board) != LARGE:
                    raise SystemExit(f"{len(board)} extensions are on the board")
    return watch.used


async def of_filling() -> list[Row]:
    """Measure the turns while boards are read, each in a process of its own."""
    async with Sandbox(LARGE, limits=PLENTY) as sandbox:
        life = sandbox.simulate(1.0)
        for _ in range(CALLS):
            life.step()
        given = {"server": sandbox.url, "grant": attrs.astuple(sandbox.grant)}
        return [
            _turn(
                f"longest turn while a board of {LARGE:,} is read, {name}",
                [
                    await asyncio.to_thread(process.run, __spec__.name, "fill", name, given=given)
                    for _ in range(RUNS)
                ],
            )
            for name in DETAILED
        ]


def of_wrong_pages() -> list[Row]:
    """Measure the turns while pages with a wrong type are decoded."""
    taken, rows = bodies.take(), []
    for name, page in (("plain", taken.page.json()), ("detailed", taken.detailed_page.json())):
        page["records"][-100]["telephonyStatus"] = 0
        body = json.dumps(page).encode()
        label = f"longest turn while a page with a wrong type is decoded, {name}"
        rows.append(_turn(label, [asyncio.run(_turn_of(body)) for _ in range(RUNS)]))
    return rows


async def _turn_of(body: bytes) -> float:
    """Return the longest turn in seconds while a page is decoded that cannot be."""
    error = None
    with Watch() as watch:
        try:
            await run_cooperatively(decode_page(body, AccountPresenceInfo, GetPresenceInfo))
        except DecodeError as failure:
            error = failure
    if error is None:
        raise SystemExit("there is no wrong type in the page")
    return watch.used


def _turn(label: str, seconds: list[float]) -> Row:
    return median("consumers", label, [1000 * each for each in seconds], unit="ms", target=5.0)


def measure() -> list[Row]:
    """Measure all."""
    return [*asyncio.run(of_events()), *asyncio.run(of_filling()), *of_wrong_pages()]


def main() -> int:
    """Measure all; or, with the argument "fill", the longest turn while a board is read."""
    if sys.argv[1:2] != ["fill"]:
        return finish(measure())
    given = json.load(sys.stdin)
    grant = JwtGrant(*given["grant"])
    print(json.dumps(asyncio.run(fill(given["server"], grant, detailed=DETAILED[sys.argv[2]]))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
