"""Calls end with their time, and with the task that makes them, whatever they do about it."""

import asyncio

import pytest

from aiopresence.redis.bounded import within


class Stubborn:
    """A call that loses cancellations, as one that redis-py makes may."""

    def __init__(self, losses: int) -> None:
        self.losses = losses
        self.has_ended = False

    async def __call__(self) -> None:
        try:
            while True:
                try:
                    await asyncio.sleep(60)
                except asyncio.CancelledError:
                    self.losses -= 1
                    if self.losses < 0:
                        raise
        finally:
            self.has_ended = True


@pytest.mark.parametrize("losses", [0, 1, 2])
async def test_a_cancelled_call_ends_although_it_loses_cancellations(losses: int) -> None:
    call = Stubborn(losses)
    task = asyncio.create_task(within(30.0, call()))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (call.has_ended, call.losses) == (True, -1)


@pytest.mark.parametrize("losses", [0, 1])
async def test_a_call_without_a_result_in_time_ends(losses: int) -> None:
    call = Stubborn(losses)
    with pytest.raises(TimeoutError):
        await within(0.01, call())
    assert call.has_ended


async def test_a_call_that_is_cancelled_from_elsewhere_has_no_result() -> None:
    async def cancelled() -> None:
        raise asyncio.CancelledError

    with pytest.raises(TimeoutError):
        await within(1.0, cancelled())


async def test_results_and_errors_are_those_of_the_call() -> None:
    async def divided(by: int) -> int:
        return 6 // by

    assert await within(1.0, divided(3)) == 2
    with pytest.raises(ZeroDivisionError):
        await within(1.0, divided(0))
