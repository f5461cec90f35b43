"""Does a board keep up with a busy account: 5,000 extensions, 2,000 changes a second, 30 seconds?

The embedded platform runs in a process of its own and makes its account live. Here a board follows
it. Both read the same clock, so the time from a change there to its coming out of `changes()` here
is measured from the notification's own timestamp. At the end the board is compared with a fresh
read of the whole account.

Run: python -m benchmarks.live
"""

import asyncio
import statistics
import sys
import time
from array import array
from pathlib import Path

import attrs

from aiopresence import PresenceBoard, PresenceSession
from aiopresence.sandbox import Sandbox

from . import process
from .report import Row, finish

EXTENSIONS = 5_000
RATE = 2_000.0
SECONDS = 30.0
# Memory is compared from here on: by then everything has been read and every table is full.
WARM = 10.0
# Changes before anybody looks, so that extensions have as many calls as they ever will.
BEFORE = 100_000


async def serve() -> None:
    """Be the platform: say where, and make the account live when told to."""
    lines = await process.lines()
    async with Sandbox(EXTENSIONS) as sandbox:
        life = sandbox.simulate(RATE)
        for _ in range(BEFORE):
            life.step()
        print(sandbox.url, flush=True)
        if not await lines.readline():
            return  # Whoever started it has gone.
        async with life:
            await asyncio.sleep(SECONDS)
        print(life.changes - BEFORE, flush=True)
        await lines.readline()


async def follow(board: PresenceBoard, latencies: "array[float]") -> None:
    """Note how long each change took to come out."""
    async for change in board.changes():
        late = time.time() - change.time.timestamp()
        latencies.append(late)


async def watch(url: str, say: asyncio.StreamWriter, hear: asyncio.StreamReader) -> list[Row]:
    """Follow the platform, and tell how well that went."""
    latencies = array("d")
    grant = Sandbox(EXTENSIONS).grant  # The same seed makes the same credentials.
    async with (
        PresenceSession(grant, server=url) as session,
        session.board(detailed_telephony_state=True) as board,
    ):
        await board.wait_ready()
        following = asyncio.create_task(follow(board, latencies))
        say.write(b"start\n")
        used, began = time.process_time(), time.perf_counter()
        await asyncio.sleep(WARM)
        warm = process.peak()
        changes = int(await hear.readline())
        await asyncio.sleep(1.0)  # The last ones are on their way.
        used, took = time.process_time() - used, time.perf_counter() - began
        grown = process.peak() - warm
        fresh = {
            str(record.extension.id): record
            async for record in session.iter_account_presence(detailed_telephony_state=True)
            if record.extension
        }
        # How many calls there are in all is in no page.
        known = {id_: attrs.evolve(each, total_active_calls=None) for id_, each in board.items()}
        wrong = sum(known.get(id_) != fresh.get(id_) for id_ in {*known, *fresh})
        if len(fresh) != EXTENSIONS:
            raise SystemExit(f"{len(fresh)} extensions are in the account")
        stats = session.stats
        following.cancel()
        say.write(b"stop\n")
    low, middle, high = (1000 * late for late in statistics.quantiles(latencies, n=4))
    each = 100 * len(latencies) / changes
    latest = 1000 * statistics.quantiles(latencies, n=100)[98]
    return [
        Row("live", "events", stats.events, "events"),
        Row("live", "changes without an event", abs(changes - stats.events), "changes", 0.0),
        Row("live", "changes given one by one, the others as part of a later one", each, "%"),
        Row("live", "gaps reported", stats.resyncs, "gaps", 0.0),
        Row("live", "records that differ at the end", wrong, "records", 0.0),
        Row("live", "latency, median", middle, "ms", 20.0, spread=(low, high)),
        Row("live", "latency, 99 %", latest, "ms", told=True),
        Row("live", f"memory, growth of the most after {WARM:.0f} s", grown, "MB"),
        Row("live", "processor time of the client", 100 * used / took, "%", told=True),
    ]


async def both() -> list[Row]:
    """Run the platform, and follow it."""
    platform = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", __spec__.name, "serve"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        cwd=Path(__file__).parents[1],
    )
    say, hear = platform.stdin, platform.stdout
    if say is None or hear is None:
        raise SystemExit("there is no way to talk to the platform")
    url = (await hear.readline()).decode().strip()
    rows = await watch(url, say, hear)
    await platform.wait()
    return rows


def measure() -> list[Row]:
    """Measure all."""
    return asyncio.run(both())


def main() -> int:
    """Measure all; or, when told to, be the platform."""
    if sys.argv[1:] != ["serve"]:
        return finish(measure())
    asyncio.run(serve())
    return 0


if __name__ == "__main__":
    sys.exit(main())
