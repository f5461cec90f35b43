import asyncio
from collections.abc import Mapping

import pytest

from aiopresence import GroupLimits, RateLimited, Response, UsageError
from aiopresence.protocol import endpoints
from aiopresence.protocol.endpoints import ReadOptions
from aiopresence.protocol.rate_limit_groups import RateLimits
from aiopresence.protocol.rate_limits import GroupWindow
from aiopresence.protocol.rest import LOGIN_PATH, Request
from aiopresence.transport.instrumentation import Instrumentation
from aiopresence.transport.permit import Permit
from aiopresence.transport.request_queue import RequestQueue
from aiopresence.transport.shared_limits import SharedLimits
from tests.support.clocks import ManualClock, idle

LIGHT = endpoints.read_user_presence_status(ReadOptions(), ["~"])
HEAVY = endpoints.read_account_presence(ReadOptions())
LOGIN = Request("POST", LOGIN_PATH, "Auth", object)
WS_TOKEN = Request("POST", "/restapi/oauth/wstoken", "Auth", object)


class World:
    """A rate limiter, a clock, and the order in which requests were let through."""

    def __init__(
        self,
        presets: Mapping[str, GroupLimits] | None = None,
        *,
        concurrency: int = 100,
        max_wait: float | None = None,
        clock: ManualClock | None = None,
        shared: SharedLimits | None = None,
    ) -> None:
        self.clock = clock or ManualClock()
        self.instrumentation = Instrumentation(None, self.clock)
        self.stats = self.instrumentation.stats
        presets = presets or {"Light": GroupLimits(3)}
        self.shared = shared or SharedLimits()
        self.limiter = RequestQueue(
            presets, concurrency, self.clock, max_wait, self.instrumentation
        )
        self.limiter.open(self.shared)
        self.passed: list[str] = []
        self.permits: list[Permit] = []

    def acquire(self, name: str, request: Request[object] = LIGHT) -> asyncio.Task[Permit]:
        async def acquire() -> Permit:
            permit = await self.limiter.acquire(request)
            self.passed.append(name)
            self.permits.append(permit)
            return permit

        return asyncio.create_task(acquire())

    async def acquire_all(self, *names: str) -> list[asyncio.Task[Permit]]:
        tasks = [self.acquire(name) for name in names]
        await idle()
        return tasks

    async def answer(self, status: int = 200, **headers: str) -> None:
        """Answer the oldest request that is under way."""
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        self.permits.pop(0).complete(Response(status, names, b""))
        await idle()

    def nothing_waits(self) -> bool:
        return not any(self.limiter._queues.values()) and not self.shared._queues

    @property
    def in_flight(self) -> int:
        limits = self.shared.limits
        assert isinstance(limits, RateLimits)
        return sum(group.in_flight for group in limits._groups.by_name.values())


@pytest.mark.fault
async def test_first_come_first_served() -> None:
    world = World()
    await world.acquire_all(*"abcde")
    assert world.passed == ["a"]  # alone, until the first answer
    await world.answer()
    assert world.passed == ["a", "b", "c"]
    await world.clock.advance(59.0)
    assert world.passed == ["a", "b", "c"]
    await world.clock.advance(2.0)
    assert world.passed == ["a", "b", "c", "d"]
    assert world.stats.waits == 2
    assert 60.0 < world.stats.seconds_waited < 62.0
    await world.answer()
    await world.answer()
    await world.clock.advance(61.0)
    assert world.passed == ["a", "b", "c", "d", "e"]


@pytest.mark.fault
@pytest.mark.parametrize("victim", range(5))
async def test_a_cancelled_waiter_is_not_missed(victim: int) -> None:
    world = World({"Light": GroupLimits(1)})
    await world.acquire_all("first")
    await world.answer()
    waiters = await world.acquire_all(*"01234")
    waiters[victim].cancel()
    await idle()
    assert waiters[victim].cancelled()
    for _ in range(4):
        await world.clock.advance(61.0)
        await world.answer()
    assert world.passed == ["first", *(n for n in "01234" if n != str(victim))]
    assert world.in_flight == 0
    assert world.nothing_waits()


@pytest.mark.fault
@pytest.mark.parametrize("steps", range(8))
@pytest.mark.parametrize("blocked", [False, True])
async def test_cancelling_at_any_step_lets_the_next_through(steps: int, blocked: bool) -> None:
    world = World({"Light": GroupLimits(1)})
    await world.acquire_all("first")
    await world.answer()
    if not blocked:
        await world.clock.advance(61.0)
    victim, _ = world.acquire("victim"), world.acquire("next")
    for _ in range(steps):
        await asyncio.sleep(0)
    victim.cancel()
    await idle()
    if not victim.cancelled():
        await world.answer()
    await world.clock.advance(61.0)
    assert world.passed[-1] == "next"


@pytest.mark.fault
async def test_all_cancelled_at_once() -> None:
    world = World({"Light": GroupLimits(1)})
    await world.acquire_all("first")
    for task in await world.acquire_all(*"abcdefgh"):
        task.cancel()
    await world.answer()
    await world.clock.advance(61.0)
    await world.acquire_all("last")
    assert world.passed == ["first", "last"]


@pytest.mark.fault
async def test_a_429_shuts_the_group_for_all_and_lets_one_probe_through() -> None:
    world = World({"Light": GroupLimits(50)})
    await world.acquire_all("a")
    await world.answer(x_rate_limit_group="light", x_rate_limit_limit="50")
    await world.acquire_all("b", "c")
    await world.answer(429, x_rate_limit_group="light", retry_after="30")
    await world.acquire_all("d", "e", "f")
    await world.clock.advance(20.0)
    await world.answer(429, x_rate_limit_group="light", retry_after="30")
    await world.clock.advance(30.0)
    assert world.passed == ["a", "b", "c"]
    await world.clock.advance(2.0)
    assert world.passed == ["a", "b", "c", "d"]
    await world.answer(x_rate_limit_group="light", x_rate_limit_limit="50")
    assert world.passed == ["a", "b", "c", "d", "e", "f"]


@pytest.mark.fault
async def test_other_groups_go_on() -> None:
    world = World()
    await world.acquire_all("a")
    await world.answer(429, x_rate_limit_group="light", retry_after="30")
    world.acquire("light")
    world.acquire("heavy", HEAVY)
    await idle()
    assert world.passed == ["a", "heavy"]


@pytest.mark.fault
@pytest.mark.parametrize("code", [None, "CMN-301", "CMN-303", "CMN-310"])
async def test_a_429_that_names_no_group_shuts_all(code: str | None) -> None:
    world = World()
    await world.acquire_all("a")
    body = b"" if code is None else b'{"errorCode":"%b"}' % code.encode()
    world.permits.pop().complete(Response(429, {"retry-after": "30"}, body))
    world.acquire("heavy", HEAVY)
    await world.clock.advance(29.0)
    assert world.passed == ["a"]
    await world.clock.advance(2.0)
    assert world.passed == ["a", "heavy"]


@pytest.mark.fault
async def test_a_refused_duplicate_is_no_quota() -> None:
    world = World()
    await world.acquire_all("a")
    world.permits.pop().complete(Response(429, {}, b'{"errorCode":"CMN-304"}'))
    await world.acquire_all("b")
    assert world.passed == ["a", "b"]


async def test_concurrency_is_for_all_groups_together() -> None:
    world = World(concurrency=2)
    for name, request in (("a", LIGHT), ("b", HEAVY), ("c", LOGIN)):
        world.acquire(name, request)
    await idle()
    assert world.passed == ["a", "b"]
    await world.answer()
    assert world.passed == ["a", "b", "c"]


@pytest.mark.fault
async def test_who_comes_again_at_once_is_behind_those_of_other_groups() -> None:
    world = World({"Light": GroupLimits(50), "Heavy": GroupLimits(50)}, concurrency=1)

    async def again_and_again() -> None:
        for _ in range(5):
            (await world.limiter.acquire(LIGHT)).complete(Response(200, {}, b""))
            world.passed.append("again")

    (await world.limiter.acquire(LIGHT)).complete(Response(200, {}, b""))
    (await world.limiter.acquire(HEAVY)).complete(Response(200, {}, b""))
    await world.acquire_all("first")
    other = world.acquire("other", HEAVY)
    await idle()
    world.permits.pop(0).complete(Response(200, {}, b""))
    looping = asyncio.create_task(again_and_again())
    await idle()
    world.permits.pop(0).complete(Response(200, {}, b""))
    await asyncio.gather(other, looping)
    assert world.passed == ["first", "other", *["again"] * 5]
    assert world.limiter._capacity_queue == {}


@pytest.mark.fault
async def test_who_queues_while_the_group_turns_out_to_be_another_queues_there() -> None:
    world = World({"Light": GroupLimits(50), "Presence": GroupLimits(3)})
    await world.acquire_all(*map(str, range(10)))
    await world.answer(x_rate_limit_group="presence")
    assert len(world.passed) == 2  # a probe, of the new group
    await world.answer(x_rate_limit_group="presence")
    assert len(world.passed) == 3
    await world.clock.advance(61.0)
    assert len(world.passed) <= 6
    assert world.in_flight <= 3


async def test_a_call_whose_group_is_not_known_waits_for_all() -> None:
    world = World()
    free = Request("GET", "/restapi/v1.0/account/~/extension/1/presence", "", object)
    await world.acquire_all("a")
    await world.answer(429, x_rate_limit_group="light", retry_after="30")
    world.acquire("free", free)
    await idle()
    assert world.passed == ["a"]
    await world.clock.advance(31.0)
    assert world.passed == ["a", "free"]


async def test_paths_that_differ_in_ids_are_one_call() -> None:
    world = World({"Light": GroupLimits(2)})
    for id_ in ("1", "2,3", "~", "4"):
        path = f"/restapi/v1.0/account/~/extension/{id_}/presence"
        world.acquire(id_, Request("GET", path, "", object))
    await idle()
    assert world.passed == ["1"]
    await world.answer(x_rate_limit_group="light")
    await world.answer(x_rate_limit_group="light")
    assert world.passed == ["1", "2,3"]


async def refusal(task: asyncio.Task[Permit]) -> RateLimited:
    assert task.done()
    with pytest.raises(RateLimited, match="not sent") as caught:
        await task
    assert not caught.value.sent
    return caught.value


async def test_max_wait_bounds_the_wait_for_room_in_the_session() -> None:
    world = World(concurrency=1, max_wait=5.0)
    await world.acquire_all("a")
    waiting = world.acquire("b", HEAVY)
    await world.clock.advance(0.0)
    await world.clock.advance(4.0)
    assert not waiting.done()
    await world.clock.advance(1.1)
    assert (await refusal(waiting)).retry_after is None
    await world.answer()
    await world.acquire_all("c")
    assert world.passed == ["a", "c"]
    assert world.nothing_waits()


async def test_max_wait_bounds_the_wait_behind_the_first_probe_and_in_the_queue() -> None:
    world = World({"Light": GroupLimits(50)}, max_wait=5.0)
    await world.acquire_all("probe")
    tasks = await world.acquire_all(*map(str, range(10)))
    await world.clock.advance(4.0)
    assert not any(task.done() for task in tasks)
    await world.clock.advance(1.1)
    for task in tasks:
        await refusal(task)
    await world.answer()
    await world.acquire_all("next")
    assert world.passed == ["probe", "next"]
    assert world.in_flight == 1
    assert world.nothing_waits()


async def test_with_a_max_wait_of_nothing_nothing_is_waited_for() -> None:
    world = World(max_wait=0.0)
    tasks = await world.acquire_all("a", "b", "c")
    assert world.passed == ["a"]
    for task in tasks[1:]:
        await refusal(task)


@pytest.mark.fault
async def test_a_penalty_of_years_is_not_waited_for() -> None:
    world = World({"Light": GroupLimits(50)})
    await world.acquire_all("a")
    queued = await world.acquire_all("b", "c")
    await world.answer(429, x_rate_limit_group="light", retry_after="999999999")
    for task in [*queued, *await world.acquire_all("d")]:
        assert (await refusal(task)).retry_after == pytest.approx(86_401.0)
    world.acquire("heavy", HEAVY)
    await idle()
    assert world.passed == ["a", "heavy"]


@pytest.mark.fault
async def test_max_wait_refuses_at_once_and_takes_nothing() -> None:
    world = World({"Light": GroupLimits(1)}, max_wait=30.0)
    await world.acquire_all("a")
    await world.answer()
    [refused] = await world.acquire_all("b")
    with pytest.raises(RateLimited, match="not sent") as caught:
        await refused
    assert not caught.value.sent
    assert caught.value.http_status == 429
    assert str(caught.value) == (
        "not sent: rate limit of group Light would delay it 60.0 s, longer than max_wait;"
        " try again in 60 s"
    )
    assert caught.value.retry_after == pytest.approx(60.0, abs=0.1)
    await world.clock.advance(31.0)
    await world.acquire_all("c")
    await world.clock.advance(30.0)
    assert world.passed == ["a", "c"]
    assert world.in_flight == 1


async def test_max_wait_counts_those_ahead() -> None:
    world = World({"Light": GroupLimits(2)}, max_wait=70.0)
    await world.acquire_all("a")
    await world.answer()
    tasks = await world.acquire_all(*"bcdefg")
    assert [task.done() for task in tasks] == [True, False, False, True, True, True]
    for task in tasks[3:]:
        with pytest.raises(RateLimited):
            await task
    for task in tasks:
        task.cancel()


@pytest.mark.fault
async def test_max_wait_ends_a_wait_that_became_too_long() -> None:
    world = World({"Light": GroupLimits(2)}, max_wait=70.0)
    await world.acquire_all("a")
    [waiter] = await world.acquire_all("b")
    await world.answer(429, x_rate_limit_group="light", retry_after="86400")
    with pytest.raises(RateLimited):
        await waiter
    assert world.shared.limits.snapshot(world.clock.now())["Light"].blocked_for == 86_401.0


@pytest.mark.fault
async def test_logins_have_slots_of_their_own() -> None:
    world = World({"Auth": GroupLimits(5)})
    world.acquire("login", LOGIN)
    await idle()
    await world.answer()
    for name in "abc":
        world.acquire(name, WS_TOKEN)
    world.acquire("login again", LOGIN)
    await idle()
    assert world.passed == ["login", "a", "b", "login again"]


@pytest.mark.fault
async def test_closing_refuses_all_who_wait() -> None:
    world = World({"Light": GroupLimits(1)})
    await world.acquire_all("a")
    tasks = await world.acquire_all(*map(str, range(1000)))
    world.limiter.close()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert {type(result) for result in results} == {UsageError}
    assert world.passed == ["a"]


async def test_requests_that_waited_when_the_limiter_closed_are_refused_after_it_reopens() -> None:
    world = World()
    await world.acquire_all("a")  # The group lets one through until it is answered.
    waiting = await world.acquire_all("b", "c", "d")
    world.limiter.close()
    world.limiter.open(world.shared)
    await idle()
    await world.answer()
    for task in waiting:
        with pytest.raises(UsageError, match="not open"):
            await task
    assert world.passed == ["a"]
    await world.acquire_all("e")
    assert world.passed == ["a", "e"]


@pytest.mark.fault
async def test_a_thousand_who_waited_for_a_penalty_leave_in_order_and_within_the_limit() -> None:
    world = World({"Light": GroupLimits(50)}, concurrency=1000)
    await world.acquire_all("first")
    names = [str(number) for number in range(1000)]
    await world.acquire_all(*names)
    await world.answer(429, x_rate_limit_group="light", retry_after="30")
    passed_at: list[float] = []
    while len(world.passed) < 1001:
        before = len(world.passed)
        await world.clock.advance(5.0)
        passed_at += [world.clock.now()] * (len(world.passed) - before)
        while world.permits:
            await world.answer(x_rate_limit_group="light", x_rate_limit_limit="50")
        passed_at += [world.clock.now()] * (len(world.passed) - 1 - len(passed_at))
    assert world.passed == ["first", *names]
    assert passed_at[0] > 30.0
    # The request that was refused counts as well, as far as is known here.
    assert all(later - one >= 60.0 for one, later in zip(passed_at, passed_at[50:], strict=False))
    assert passed_at[-1] <= 35.0 + 20 * 65.0
    assert world.nothing_waits()


@pytest.mark.fault
async def test_ten_thousand_wait_and_the_first_few_leave_in_order() -> None:
    world = World({"Light": GroupLimits(2)}, concurrency=10)
    await world.acquire_all("first")
    await world.answer()
    tasks = [world.acquire(str(number)) for number in range(10_000)]
    await idle()
    await world.answer()
    for _ in range(3):
        await world.clock.advance(61.0)
        while world.permits:
            await world.answer()
    assert world.passed == ["first", *map(str, range(len(world.passed) - 1))]
    assert 6 <= len(world.passed) <= 8
    world.limiter.close()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert sum(isinstance(result, UsageError) for result in results) == 10_001 - len(world.passed)
    assert world.nothing_waits()


@pytest.mark.fault
async def test_two_thousand_waiters_look_at_the_limits_one_at_a_time() -> None:
    world = World({"Light": GroupLimits(5)})
    await world.acquire_all("a")
    tasks = await world.acquire_all(*map(str, range(2_000)))
    assert [len(line) for line in world.shared._queues.values()] == [1]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert world.nothing_waits()


def sessions(
    count: int,
    presets: Mapping[str, GroupLimits],
    *,
    concurrency: int = 100,
    limits: RateLimits | None = None,
) -> list[World]:
    """Make sessions that share their limits."""
    clock, shared = ManualClock(), SharedLimits(limits)
    return [
        World(presets, clock=clock, shared=shared, concurrency=concurrency) for _ in range(count)
    ]


@pytest.mark.fault
async def test_sessions_take_turns() -> None:
    one, two = sessions(2, {"Light": GroupLimits(4)})
    await one.acquire_all("probe")
    await one.acquire_all(*"abcdef")
    await two.acquire_all("x", "y")
    await one.answer()
    assert (one.passed, two.passed) == (["probe", "a", "b"], ["x"])
    await one.answer()
    await one.answer()
    await two.answer()
    await one.clock.advance(61.0)
    assert (one.passed[3:], two.passed[1:]) == (["c", "d", "e"], ["y"])


async def test_a_session_without_room_holds_up_no_other() -> None:
    full, other = sessions(2, {"Light": GroupLimits(50)}, concurrency=1)
    await full.acquire_all("a")
    await full.answer()
    await full.acquire_all("b", "c")  # c waits for b only.
    await other.acquire_all("x")
    await other.answer()
    await other.acquire_all("y")
    assert (full.passed, other.passed) == (["a", "b"], ["x", "y"])
    await full.answer()
    assert full.passed == ["a", "b", "c"]


async def test_a_session_without_room_gets_its_turn_in_every_group() -> None:
    presets = {"Light": GroupLimits(50), "Heavy": GroupLimits(1)}
    full, other = sessions(2, presets, concurrency=1)
    await other.acquire_all("light")
    await other.answer()
    other.acquire("heavy", HEAVY)
    await idle()
    await other.answer()
    full.acquire("heavy", HEAVY)
    await full.acquire_all(*"abc")
    await full.clock.advance(61.0)  # Its group has room now, but the session has none.
    await full.answer()
    await full.answer()
    assert full.passed == ["a", "b", "heavy"]


async def test_a_429_of_one_session_stops_all_and_one_probe_is_sent() -> None:
    worlds = sessions(3, {"Light": GroupLimits(50)})
    await worlds[0].acquire_all("first")
    for world in worlds:
        await world.acquire_all("a", "b")
    await worlds[0].answer(429, x_rate_limit_limit="50", retry_after="9")
    await worlds[0].clock.advance(9.0)
    assert [world.passed for world in worlds] == [["first"], [], []]
    await worlds[0].clock.advance(1.1)
    assert [world.passed for world in worlds] == [["first", "a"], [], []]
    await worlds[0].answer(x_rate_limit_limit="50")
    assert [world.passed[-2:] for world in worlds] == [["a", "b"]] * 3


async def test_a_session_that_is_closed_leaves_its_turn_to_the_others() -> None:
    closing, other = sessions(2, {"Light": GroupLimits(1)})
    await closing.acquire_all("a")
    waiting = await closing.acquire_all("b", "c")
    await other.acquire_all("x")
    closing.limiter.close()
    await idle()
    assert [type(task.exception()) for task in waiting] == [UsageError, UsageError]
    await closing.answer()
    await other.clock.advance(61.0)
    assert other.passed == ["x"]


async def test_what_wakes_one_of_many_sessions_up_wakes_no_other() -> None:
    class Counted(RateLimits):
        looks = 0

        def delay(self, group: GroupWindow, now: float, keep: int = 0) -> float:
            self.looks += 1
            return super().delay(group, now, keep)

    limits = Counted()
    worlds = sessions(200, {"Light": GroupLimits(1)}, limits=limits)
    for world in worlds:
        world.acquire("a")
    await idle()
    limits.looks = 0
    await worlds[0].answer()
    await worlds[0].clock.advance(61.0)
    assert [len(world.passed) for world in worlds[:3]] == [1, 1, 0]
    assert limits.looks <= 4


@pytest.mark.fault
async def test_a_lost_request_gives_its_slot_back_one_window_later() -> None:
    world = World({"Light": GroupLimits(1)})
    await world.acquire_all("a", "b")
    await world.clock.advance(30.0)
    world.permits.pop().abandon()
    await world.clock.advance(59.0)
    assert world.passed == ["a"]
    await world.clock.advance(2.0)
    assert world.passed == ["a", "b"]


async def test_an_unsent_request_gives_its_slot_back_at_once() -> None:
    world = World({"Light": GroupLimits(1)})
    await world.acquire_all("a", "b")
    world.permits.pop().release()
    await idle()
    assert world.passed == ["a", "b"]


@pytest.mark.fault
async def test_a_repetition_by_aiohttp_takes_a_slot_of_its_own() -> None:
    world = World({"Light": GroupLimits(3)})
    await world.acquire_all("a")
    await world.answer()
    await world.acquire_all("b")
    permit = world.permits[0]
    assert permit.reacquire()
    assert not permit.reacquire()
    permit.complete(Response(200, {}, b""))
    await world.acquire_all("c")
    assert world.passed == ["a", "b"]
    assert world.in_flight == 0
