"""Waiting for things to happen, without sleeping."""

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager

from aiopresence.sandbox import FaultRule


async def fired(rule: FaultRule, times: int = 1) -> None:
    """Wait until a fault has fired so often."""
    for _ in range(100_000):
        if rule.fired >= times:
            return
        await asyncio.sleep(0)
    raise AssertionError(f"the fault fired {rule.fired} times, not {times}")


@contextmanager
def cpu_limit(seconds: float) -> Iterator[None]:
    """Fail instead of running for ever, where the event loop does not turn any more."""

    def stop(*_: object) -> None:
        raise AssertionError(f"this has used {seconds:g} s of the processor")

    before = signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0.0)
        signal.signal(signal.SIGVTALRM, before)
