"""Does a board keep up with a busy account: 5,000 extensions, 2,000 changes a second, 30 seconds?

The embedded platform runs in a process of its own and makes its account live. Here a board follows
it. Both read the same clock, so the time from a change there to its coming out of `changes()` here
is measured from the notification's own timestamp. At the end the board is compared with a fresh
read of the whole account.

Run: python -m benchmarks.live
"""

import asyncio
import platform
import resource
import statistics
import sys
import time
from array import array
from pathlib import Path

import aiohttp
import attrs

from aiopresence import PresenceBoard, PresenceSession
from aiopresence.sandbox import Sandbox

EXTENSIONS = 5_000
RATE = 2_000.0
SECONDS = 30.0
# Memory is compared from here on: by then everything has been read and every table is full.
WARM = 10.0
# Changes before anybody looks, so that extensions have as many calls as they ever will.
BEFORE = 100_000


async def serve() -> None:
    """Be the platform: say where, and make the account live when told to."""
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(lines), sys.stdin
    )
    async with Sandbox(EXTENSIONS) as sandbox:
        life = sandbox.simulate(RATE)
        for _ in range(BEFORE):
            life.step()
        print(sandbox.url, flush=True)
        await lines.readline()
        async with life:
            await asyncio.sleep(SECONDS)
        print(life.changes - BEFORE, flush=True)
        await lines.readline()


async def follow(board: PresenceBoard, latencies: "array[float]") -> None:
    """Note how long each change took to come out."""
    async for change in board.changes():
        late = time.time() - change.time.timestamp()
        latencies.append(late)


async def measure(url: str, say: asyncio.StreamWriter, hear: asyncio.StreamReader) -> bool:
    """Follow the platform, and tell whether all was as it should be."""
    latencies = array("d")
    grant = Sandbox(EXTENSIONS).grant  # The same seed makes the same credentials.
    async with (
        PresenceSession(grant, server=url) as session,
        session.board(detailed_telephony_state=True) as board,
    ):
        await board.wait_ready()
        following = asyncio.create_task(follow(board, latencies))
        say.write(b"start\n")
        used = time.process_time()
        await asyncio.sleep(WARM)
        warm = memory()
        changes = int(await hear.readline())
        await asyncio.sleep(1.0)  # The last ones are on their way.
        grown, used = memory() - warm, time.process_time() - used
        wrong = [
            record
            async for record in session.iter_account_presence(detailed_telephony_state=True)
            if record.extension is None
            or attrs.evolve(board[record.extension.id or ""], total_active_calls=None) != record
        ]
        stats = session.stats
        following.cancel()
        say.write(b"stop\n")
    median = statistics.median(latencies)
    print(f"{'changes made':<34} {changes:>10,}")
    print(f"{'events received':<34} {stats.events:>10,}")
    print(f"{'lost':<34} {changes - stats.events:>10,}")
    print(f"{'gaps reported':<34} {stats.resyncs:>10,}")
    print(f"{'records that differ at the end':<34} {len(wrong):>10,}")
    print(f"{'latency, median':<34} {median * 1000:>10.1f} ms")
    print(f"{'latency, 99 %':<34} {statistics.quantiles(latencies, n=100)[98] * 1000:>10.1f} ms")
    print(f"{'memory, growth after ' + format(WARM, '.0f') + ' s':<34} {grown / 1024:>10.1f} MB")
    print(f"{'processor time of the client':<34} {used / SECONDS * 100:>10.0f} %")
    return stats.events == changes and not wrong and median < 0.02 and stats.resyncs == 0


def memory() -> int:
    """Give the largest size that this process has had, in KB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


async def main() -> int:
    """Run both sides, and print a table."""
    if sys.argv[1:] == ["serve"]:
        await serve()
        return 0
    print(f"Python {platform.python_version()}, aiohttp {aiohttp.__version__}")
    print(f"{EXTENSIONS:,} extensions, {RATE:,.0f} changes a second, {SECONDS:.0f} s")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "benchmarks.live", "serve"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        cwd=Path(__file__).parents[1],
    )
    say, hear = process.stdin, process.stdout
    if say is None or hear is None:
        return 1
    url = (await hear.readline()).decode().strip()
    good = await measure(url, say, hear)
    await process.wait()
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
