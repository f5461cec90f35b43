"""Waiting for things to happen, without sleeping."""

import asyncio

from aiopresence.sandbox import FaultRule


async def fired(rule: FaultRule, times: int = 1) -> None:
    """Wait until a fault has fired so often."""
    for _ in range(100_000):
        if rule.fired >= times:
            return
        await asyncio.sleep(0)
    raise AssertionError(f"the fault fired {rule.fired} times, not {times}")
