"""Run what redis-py does such that a time limit, or a cancellation, ends it for certain.

redis-py waits with `asyncio.wait_for` or, before Python 3.11.3, with `async_timeout`. Before Python
3.12 the first one loses a cancellation that arrives together with the result, and the second one
counts its own as one of the task. So each call has a task of its own, which is cancelled until it
has ended, and the cancellation of the caller does not depend on it.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

# Seconds after which a task that has not ended is cancelled again. A guess.
_AGAIN = 0.1

T = TypeVar("T")


async def within(seconds: float, call: Coroutine[Any, Any, T]) -> T:
    """Return the result of a call.

    Raises:
        TimeoutError: it has none after some seconds, or has been cancelled by redis-py.
    """
    task = asyncio.ensure_future(call)
    try:
        await asyncio.wait({task}, timeout=seconds)
        if not task.done() or task.cancelled():
            raise TimeoutError
        return task.result()
    finally:
        await end(task)


async def end(task: "asyncio.Task[Any]") -> None:
    """Cancel a task until it has ended."""
    while not task.done():
        task.cancel()
        await asyncio.wait({task}, timeout=_AGAIN)
    if not task.cancelled():
        task.exception()  # Marks it as retrieved.
