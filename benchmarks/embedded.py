"""The embedded platform in a process of its own, with limits that nobody reaches.

Run: python -m benchmarks.embedded 1000, which tells where it is as JSON, and ends when its input
does.
"""

import asyncio
import sys

import attrs

from aiopresence.sandbox import Sandbox

from . import process


async def serve(extensions: int) -> None:
    """Serve so many extensions until the input ends; about every second has a call, or had one."""
    limits = dict.fromkeys(("Auth", "Light", "Heavy"), process.LIMIT)
    async with Sandbox(extensions, limits=limits, window=process.WINDOW) as sandbox:
        life = sandbox.simulate(1.0)
        for _ in range(extensions // 2):
            life.step()
        grant, ids = attrs.astuple(sandbox.grant), sandbox.extension_ids
        await process.tell_and_stay({"server": sandbox.url, "grant": grant, "ids": ids})


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
