"""Virtual time, without pytest's fixture."""

import asyncio
import threading
import time
from email.utils import format_datetime

import pytest
from aiohttp import ClientSession

from aiopresence import UsageError
from aiopresence.sandbox import Sandbox, virtual_time
from aiopresence.sandbox.clock import utc_now
from aiopresence.transport.clock import Clock


def test_a_coroutine_runs_in_virtual_time_and_its_result_is_returned() -> None:
    async def main() -> float:
        began = asyncio.get_running_loop().time()
        await asyncio.sleep(86_400)
        return asyncio.get_running_loop().time() - began

    started = time.monotonic()
    assert virtual_time.run(main()) == 86_400
    assert time.monotonic() - started < 5


def test_timers_fire_in_the_order_of_their_times() -> None:
    fired = []

    async def after(seconds: float) -> None:
        await asyncio.sleep(seconds)
        fired.append(seconds)

    async def main() -> None:
        await asyncio.gather(*map(after, (3600, 1, 60, 0.5)))

    virtual_time.run(main())
    assert fired == [0.5, 1, 60, 3600]


def test_the_time_of_day_keeps_step_with_the_loop() -> None:
    async def main() -> None:
        wall, now = Clock().wall(), Clock().now()
        assert wall == pytest.approx(time.time(), abs=10)
        await asyncio.sleep(3600)
        assert Clock().wall() - wall == pytest.approx(3600)
        assert Clock().now() - now == 3600

    virtual_time.run(main())


def test_time_stands_still_while_a_thread_works() -> None:
    async def main() -> float:
        loop, done = asyncio.get_running_loop(), threading.Event()
        began = loop.time()
        hour = asyncio.create_task(asyncio.sleep(3600))
        work = asyncio.create_task(asyncio.to_thread(done.wait, 5.0))
        for _ in range(100):
            await asyncio.sleep(0)
        loop.call_soon(done.set)
        assert await work
        passed = loop.time() - began
        await hour
        return passed

    assert virtual_time.run(main()) == 0


def test_the_sandbox_dates_its_events_in_virtual_time() -> None:
    async def main() -> list[str]:
        times: list[str] = []
        async with Sandbox(3) as sandbox:
            filters = sandbox.feed.check_filters(["/restapi/v1.0/account/~/presence"]).active
            sandbox.feed.subscribe("test", filters, lambda event: times.append(event["timestamp"]))
            for status in ("Busy", "Available"):
                sandbox.set_presence("~", user_status=status)
                await asyncio.sleep(86_400)
        return times

    first, second = virtual_time.run(main())
    assert first[:10] < second[:10]


def test_the_sandbox_dates_its_responses_in_virtual_time() -> None:
    async def main() -> list[str]:
        dates = []
        async with Sandbox(3) as sandbox, ClientSession() as client:
            for path in ("/restapi/oauth/token", "/nothing"):
                await asyncio.sleep(86_400)
                async with client.post(sandbox.url + path) as response:
                    dates += [response.headers["Date"], format_datetime(utc_now(), usegmt=True)]
        return dates

    first, first_expected, second, second_expected = virtual_time.run(main())
    assert (first, second) == (first_expected, second_expected)
    assert first != second


def test_other_loops_and_loops_in_virtual_time_are_refused() -> None:
    class Other(asyncio.SelectorEventLoop):
        _selector = property(lambda _: None, lambda *_: None)

    async def twice() -> None:
        with (
            pytest.raises(UsageError, match="in virtual time already"),
            virtual_time.virtual_time(),
        ):
            pass

    virtual_time.run(twice())
    with pytest.raises(RuntimeError), virtual_time.virtual_time():
        pass
