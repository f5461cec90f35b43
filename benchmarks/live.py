"""Does a board keep up with a busy account: 5,000 extensions, 2,000 changes a second, 30 seconds?

A sandbox in a process of its own changes its account, and a board in this process follows it. Both
read the same clock, so the latency of a change is the time from the timestamp of its notification
to its arrival from `changes()`. The client has Python's default garbage collector, whose longest
pauses are the longest latencies. At the end the board is compared with a fresh read of the account.

The collector is as Python sets it. The guide on live presence has two settings of a service, which
are measured with `freeze` or `rare` as argument.

Run: python -m benchmarks.live [freeze | rare]
"""

import asyncio
import gc
import statistics
import sys
import time
from array import array
from collections.abc import Callable
from pathlib import Path

import attrs

from aiopresence import PresenceBoard, PresenceSession
from aiopresence.sandbox import Sandbox

from . import process
from .report import Row, finish

EXTENSIONS = 5_000
RATE = 2_000.0
SECONDS = 30.0
# Memory is compared from this second on: then everything was read, and every table is full.
WARM = 10.0
# Changes before the board starts, so that extensions have as many calls as they ever will.
BEFORE = 100_000


async def serve() -> None:
    """Run the sandbox: print its address, and start the changes when a line is read."""
    lines = await process.lines()
    async with Sandbox(EXTENSIONS) as sandbox:
        life = sandbox.simulate(RATE)
        for _ in range(BEFORE):
            life.step()
        gc.freeze()  # The pauses of the collector in the sandbox would count as latency.
        print(sandbox.url, flush=True)
        if not await lines.readline():
            return  # the parent process has ended
        async with life:
            await asyncio.sleep(SECONDS)
        print(life.changes - BEFORE, flush=True)
        await lines.readline()


async def follow(board: PresenceBoard, latencies: "array[float]") -> None:
    """Record the latency of each change."""
    async for change in board.changes():
        late = time.time() - change.time.timestamp()
        latencies.append(late)


def freeze() -> None:
    """Exclude what exists from all further collections."""
    gc.collect()
    gc.freeze()


def collect_rarely() -> None:
    """Make collections rare."""
    gc.set_threshold(50_000, 20, 100)


# What a service may do once its board is ready.
SETTINGS: dict[str, Callable[[], None]] = {"freeze": freeze, "rare": collect_rarely}


class Collections:
    """The garbage collections of this process.

    Attributes:
        longest: the longest one in seconds.
    """

    def __init__(self) -> None:
        self.longest = self._began = 0.0
        gc.callbacks.append(self._record)

    def _record(self, phase: str, _: dict[str, int]) -> None:
        now = time.perf_counter()
        if phase == "start":
            self._began = now
        else:
            self.longest = max(self.longest, now - self._began)


async def watch(
    url: str,
    commands: asyncio.StreamWriter,
    output: asyncio.StreamReader,
    configure: Callable[[], None] | None,
) -> list[Row]:
    """Follow the sandbox, and return the results."""
    latencies = array("d")
    grant = Sandbox(EXTENSIONS).grant  # The same seed makes the same credentials.
    gc.collect()
    before = len(gc.get_objects())
    async with (
        PresenceSession(grant, server=url) as session,
        session.board(detailed_telephony_state=True) as board,
    ):
        await board.wait_ready()
        gc.collect()
        tracked = (len(gc.get_objects()) - before) / EXTENSIONS
        if configure is not None:
            configure()
        collections = Collections()
        following = asyncio.create_task(follow(board, latencies))
        commands.write(b"start\n")
        used, began = time.process_time(), time.perf_counter()
        await asyncio.sleep(WARM)
        warm = process.peak()
        changes = int(await output.readline())
        await asyncio.sleep(1.0)  # the last ones are in flight
        used, took = time.process_time() - used, time.perf_counter() - began
        grown, longest = process.peak() - warm, collections.longest
        fresh = {
            str(record.extension.id): record
            async for record in session.iter_account_presence(detailed_telephony_state=True)
            if record.extension
        }
        # No page has the total number of calls.
        known = {id_: attrs.evolve(each, total_active_calls=None) for id_, each in board.items()}
        wrong = sum(known.get(id_) != fresh.get(id_) for id_ in {*known, *fresh})
        if len(fresh) != EXTENSIONS:
            raise SystemExit(f"{len(fresh)} extensions are in the account")
        stats = session.stats
        following.cancel()
        commands.write(b"stop\n")
    low, middle, high = (1000 * late for late in statistics.quantiles(latencies, n=4))
    each = 100 * len(latencies) / changes
    latest = 1000 * statistics.quantiles(latencies, n=100)[98]
    return [
        Row("live", "events", stats.events, "events"),
        Row("live", "changes without an event", abs(changes - stats.events), "changes", 0.0),
        Row("live", "changes delivered one by one, the others merged into a later one", each, "%"),
        Row("live", "gaps reported", stats.resyncs, "gaps", 0.0),
        Row("live", "records that differ at the end", wrong, "records", 0.0),
        Row("live", "latency, median", middle, "ms", 20.0, quartiles=(low, high)),
        Row("live", "latency, 99 %", latest, "ms", 25.0),
        Row("live", "latency, longest", 1000 * max(latencies), "ms", 100.0),
        Row("live", "longest garbage collection", 1000 * longest, "ms"),
        Row("live", "objects per extension that the garbage collector visits", tracked, "objects"),
        Row("live", f"growth of peak memory after {WARM:.0f} s", grown, "MB"),
        Row("live", "CPU time of the client", 100 * used / took, "%"),
    ]


async def both(configure: Callable[[], None] | None) -> list[Row]:
    """Run the sandbox, and follow it; with another setting of the collector if there is one."""
    server = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", __spec__.name, "serve"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        cwd=Path(__file__).parents[1],
    )
    commands, output = server.stdin, server.stdout
    if commands is None or output is None:
        raise SystemExit("no pipe to the sandbox")
    url = (await output.readline()).decode().strip()
    rows = await watch(url, commands, output, configure)
    await server.wait()
    return rows


def measure(setting: str = "") -> list[Row]:
    """Measure all, with one of the settings of the collector or with Python's."""
    return asyncio.run(both(SETTINGS.get(setting)))


def main() -> int:
    """Measure all; or, with the argument "serve", run the sandbox."""
    if sys.argv[1:] != ["serve"]:
        return finish(measure(*[name for name in sys.argv[1:2] if name in SETTINGS]))
    asyncio.run(serve())
    return 0


if __name__ == "__main__":
    sys.exit(main())
