"""Simulations."""

import asyncio
import math
from typing import Any

import pytest

from aiopresence.errors import UsageError
from aiopresence.sandbox import Sandbox, Simulation
from tests.support.sandbox_socket import gateway_client

DETAILED = "/restapi/v1.0/account/~/presence?detailedTelephonyState=true"


def listen(sandbox: Sandbox) -> list[dict[str, Any]]:
    got: list[dict[str, Any]] = []
    sandbox.feed.subscribe("s", sandbox.feed.check_filters([DETAILED]).active, got.append)
    return got


def step(simulation: Simulation, times: int) -> None:
    for _ in range(times):
        simulation.step()


def test_every_change_is_notified() -> None:
    sandbox = Sandbox(60)
    for each in sandbox.user_ids[1::3]:
        sandbox.set_presence(each, allow_see_my_presence=False)
    got = listen(sandbox)
    simulation = sandbox.simulate(1)
    step(simulation, 2_000)
    assert (simulation.changes, len(got)) == (2_000, 2_000)


def test_all_kinds_of_changes_happen_to_all_users() -> None:
    sandbox = Sandbox(20)
    got = listen(sandbox)
    step(sandbox.simulate(1), 2_000)
    bodies = [each["body"] for each in got]
    assert {body["extensionId"] for body in bodies} == set(sandbox.user_ids)
    for name, count in {
        "telephonyStatus": 4, "userStatus": 3, "meetingStatus": 2, "dndStatusPersonal": 2,
        "presenceStatus": 3,
    }.items():  # fmt: skip
        assert len({body[name] for body in bodies if name in body}) == count, name


def test_the_same_seed_makes_the_same_changes() -> None:
    days = []
    for seed in (1, 1, 2):
        sandbox = Sandbox(20, seed=seed)
        got = listen(sandbox)
        step(sandbox.simulate(1), 200)
        days.append([(one["body"]["extensionId"], one["body"].get("userStatus")) for one in got])
    assert days[0] == days[1] != days[2]


async def test_high_rates_are_kept() -> None:
    sandbox = Sandbox(200)
    got = listen(sandbox)
    loop = asyncio.get_running_loop()
    start = loop.time()
    async with sandbox.simulate(2_000) as simulation:
        await asyncio.sleep(0.05)
        most = (loop.time() - start) * 2_000
    made = simulation.changes
    assert 40 <= made <= most + 1
    assert len(got) == made
    await asyncio.sleep(0.02)
    assert simulation.changes == made


async def test_a_low_rate_waits_for_its_first_change() -> None:
    rare, frequent = Sandbox(1).simulate(0.5), Sandbox(1).simulate(50)
    for simulation in (rare, frequent, rare):
        simulation.start()
    async with asyncio.timeout(2):
        while not frequent.changes:
            await asyncio.sleep(0.01)
    assert rare.changes == 0
    for simulation in (rare, frequent, rare):
        simulation.stop()


async def test_closing_the_sandbox_stops_it() -> None:
    async with Sandbox(5) as sandbox:
        simulation = sandbox.simulate(1_000)
        simulation.start()
        await asyncio.sleep(0.02)
    made = simulation.changes
    await asyncio.sleep(0.02)
    assert simulation.changes == made > 0


async def test_changes_reach_a_subscriber() -> None:
    async with gateway_client() as it:
        socket, _ = await it.subscribed(DETAILED)
        async with it.sandbox.simulate(1_000):
            events = [(await socket.get())[1] for _ in range(20)]
        assert len({each["uuid"] for each in events}) == 20


async def test_changes_missed_in_a_jump_of_the_clock_are_not_made_up_for() -> None:
    loop = asyncio.get_running_loop()
    if not isinstance(loop, asyncio.SelectorEventLoop):
        pytest.skip("the clock of uvloop cannot be set")
    async with Sandbox(3) as sandbox, sandbox.simulate(1_000) as simulation:
        real_time = loop.time
        vars(loop)["time"] = lambda: real_time() + 3_600
        try:
            for _ in range(5):
                await asyncio.sleep(0)
        finally:
            del vars(loop)["time"]
        assert 0 < simulation.changes < 1_500


@pytest.mark.parametrize("rate", [0, -1, math.inf, math.nan])
def test_an_invalid_rate_is_a_usage_error(rate: float) -> None:
    with pytest.raises(UsageError, match="rate"):
        Sandbox(1).simulate(rate)
