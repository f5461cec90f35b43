"""A sandbox in a process of its own, with limits that are never reached.

Run: python -m benchmarks.embedded 1000. It prints its address as JSON, and ends when its standard
input does.
"""

import asyncio
import sys

import attrs

from aiopresence.sandbox import Sandbox

from . import process


async def serve(extensions: int) -> None:
    """Serve until standard input ends. About every second extension has a call, or had one."""
    limits = dict.fromkeys(("Auth", "Light", "Heavy"), process.LIMIT)
    async with Sandbox(extensions, limits=limits, window=process.WINDOW) as sandbox:
        life = sandbox.simulate(1.0)
        for _ in range(extensions // 2):
            life.step()
        grant, ids = attrs.astuple(sandbox.grant), sandbox.extension_ids
        await process.announce_and_wait({"server": sandbox.url, "grant": grant, "ids": ids})


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
