"""How many requests keep the presence of an account at most a minute old?

For an hour, and accounts of 100, 1,000 and 10,000 extensions:

- one call for each extension every minute, batches of 30, and pages of 1,000: by arithmetic;
- aiopresence's poll every minute, and its board: counted at the sandbox, logins included, in an
  hour of virtual time in which every extension changes a few times. Events cost no request.

The limits are RingCentral's defaults. A method that needs more requests than they allow cannot
keep the account that current.

Run: python -m benchmarks.cost. It also draws benchmarks/cost.svg.
"""

import asyncio
import sys
from collections.abc import Mapping
from contextlib import aclosing, suppress
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from aiopresence import PresenceSession
from aiopresence.protocol.batch import MAX_IDS
from aiopresence.protocol.rate_limits import DEFAULTS
from aiopresence.protocol.read_plan import PAGE_SIZE
from aiopresence.sandbox import Sandbox, virtual_time

from .report import Row, finish

SIZES = (100, 1_000, 10_000)
HOUR, MINUTE = 3600.0, 60.0
# Changes of each extension in an hour: about two calls.
CHANGES = 6
# Seconds between changes.
BEAT = 6.0
SINGLY, BATCHES, PAGES = "one call per extension", "batches of 30", "pages of 1,000"
POLL, BOARDS = "aiopresence's poll", "aiopresence's board"
# Extensions per request, and the usage-plan group of the request.
BY_ARITHMETIC = {SINGLY: (1, "Light"), BATCHES: (MAX_IDS, "Light"), PAGES: (PAGE_SIZE, "Heavy")}

Counts = Mapping[str, Mapping[int, int]]


def a_minute(way: str, size: int) -> int:
    """Return the number of requests to read everything once."""
    return -(-size // BY_ARITHMETIC[way][0])


def is_allowed(way: str, size: int) -> bool:
    """Return whether the default limits allow that every minute."""
    return way not in BY_ARITHMETIC or a_minute(way, size) <= DEFAULTS[BY_ARITHMETIC[way][1]].limit


async def live(sandbox: Sandbox, size: int) -> None:
    """Change the account, a few extensions at a time."""
    life = sandbox.simulate()
    while True:
        await asyncio.sleep(BEAT)
        for _ in range(round(size * CHANGES * BEAT / HOUR)):
            life.step()


async def polled(size: int) -> int:
    """Return the number of requests of a poll, which chooses pages or batches."""
    async with (
        Sandbox(size) as sandbox,
        PresenceSession(sandbox.grant, server=sandbox.url) as session,
    ):
        living = asyncio.create_task(live(sandbox, size))
        with suppress(TimeoutError):
            async with (
                asyncio.timeout(HOUR),
                aclosing(session.poll(interval=MINUTE)) as changes,
            ):
                async for _ in changes:
                    pass
        living.cancel()
        return len(sandbox.requests)


async def followed(size: int) -> int:
    """Return the number of requests of a board, its hourly refresh included."""
    async with (
        Sandbox(size) as sandbox,
        PresenceSession(sandbox.grant, server=sandbox.url) as session,
        session.board() as board,
    ):
        await board.wait_ready()
        living = asyncio.create_task(live(sandbox, size))
        await asyncio.sleep(HOUR)
        living.cancel()
        if not board.is_live or session.stats.events == 0:
            raise SystemExit("the board does not follow the account")
        return len(sandbox.requests)


def count() -> Counts:
    """Return the requests of every method in an hour, by the size of the account."""
    rounds = int(HOUR / MINUTE)
    counts = {way: {n: rounds * a_minute(way, n) for n in SIZES} for way in BY_ARITHMETIC}
    counts[POLL] = {size: virtual_time.run(polled(size)) for size in SIZES}
    counts[BOARDS] = {size: virtual_time.run(followed(size)) for size in SIZES}
    return counts


def draw(counts: Counts) -> None:
    """Write cost.svg, readable on light and on dark backgrounds."""
    grey = "#808080"
    settings: Any = {
        "svg.hashsalt": "cost",
        "svg.fonttype": "none",
        **dict.fromkeys(("text.color", "axes.labelcolor", "axes.edgecolor"), grey),
        **dict.fromkeys(("xtick.color", "ytick.color"), grey),
    }
    with mpl.rc_context(settings):
        figure = Figure(figsize=(7, 4.2), layout="constrained")
        axes = figure.subplots()
        colours = ("#d55e00", "#b8860b", "#cc79a7", "#009e73", "#3d85c6")
        for (way, requests), colour in zip(counts.items(), colours, strict=True):
            axes.loglog(*zip(*requests.items(), strict=True), color=colour, label=way)
            for size, number in requests.items():
                fill = colour if is_allowed(way, size) else "none"
                axes.plot(size, number, "o", color=colour, markerfacecolor=fill)
        axes.set_xticks(SIZES, [f"{size:,}" for size in SIZES])
        axes.set_xlabel("extensions (hollow: more requests than the default limits allow)")
        axes.set_ylabel("requests an hour")
        axes.grid(visible=True, color=grey, alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
        figure.legend(loc="outside right center", frameon=False)
        figure.savefig(
            Path(__file__).with_name("cost.svg"), transparent=True, metadata={"Date": None}
        )


def measure() -> list[Row]:
    """Count all, and write cost.svg."""
    counts = count()
    draw(counts)
    return [
        Row(
            "cost",
            f"{size:,} extensions for an hour: {_described(way, size)}",
            number,
            "requests",
            min(counts[each][size] for each in BY_ARITHMETIC) if way == BOARDS else None,
        )
        for size in SIZES
        for way, number in ((way, requests[size]) for way, requests in counts.items())
    ]


def _described(way: str, size: int) -> str:
    if way not in BY_ARITHMETIC:
        return f"{way} (counted)"
    return f"{way} (arithmetic)" if is_allowed(way, size) else f"{way} (arithmetic; not allowed)"


if __name__ == "__main__":
    sys.exit(finish(measure()))
