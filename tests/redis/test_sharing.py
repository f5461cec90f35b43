"""Processes that share their limits over Redis: pace, fairness, and what it costs."""

import asyncio
import random
import time
from collections.abc import Callable

import pytest

from aiopresence import PresenceSession
from aiopresence.redis import RedisLimits
from tests.support.counting_server import CountingServer, counting_server
from tests.support.fleet import Fleet, Scale, Together, fleet
from tests.support.redis_proxy import proxy
from tests.support.redis_servers import (
    RedisCluster,
    RedisServer,
    redis_cluster,
    redis_server,
    wait_until,
)
from tests.support.workers import WorkerPool

SCALE = Scale(requests=200, limit=50, tasks=50)


def check(workers: Fleet, redis: RedisServer | RedisCluster, calls: float = 1.2) -> None:
    """Check that everything was read, fairly and with few calls of Redis for each request.

    The bounds allow for a busy machine; `benchmarks.shared` has those of an idle one, and the pace.
    """
    workers.finish_without_loss()
    assert all(0.12 <= share <= 0.5 for share in workers.shares().values()), workers.shares()
    assert redis.calls("evalsha", "eval") <= calls * SCALE.requests


def on_one_server(pool: WorkerPool) -> None:
    with redis_server() as redis, fleet(pool, redis.url, SCALE) as workers:
        check(workers, redis)


def on_a_cluster(pool: WorkerPool) -> None:
    with redis_cluster() as redis, fleet(pool, redis.url, SCALE) as workers:
        check(workers, redis)


def with_jitter_before_requests_are_counted(pool: WorkerPool) -> None:
    with redis_server() as redis, fleet(pool, redis.url, SCALE, jitter=0.3) as workers:
        check(workers, redis, calls=3.0)


def with_one_process_far_away(pool: WorkerPool) -> None:
    with redis_server() as redis, proxy(redis.port, delay=0.02) as far:
        urls = [far.url, *[redis.url] * 3]
        with fleet(pool, urls, SCALE) as workers:
            check(workers, redis)
        assert far.connections > 0


def after_another_client_has_used_fifty(pool: WorkerPool) -> None:
    scale = Scale(requests=160, limit=60, tasks=50)

    def use(server: CountingServer) -> None:
        server.set(latency=0.0)
        assert server.send(50) == {200: 50}
        server.set(latency=0.02)

    with redis_server() as redis, fleet(pool, redis.url, scale, before=use) as workers:
        workers.finish_without_loss()


def is_full(workers: Fleet) -> bool:
    """Return whether the window is full, and nothing is on its way for the time being."""
    now = time.monotonic()
    window = workers.scale.window
    recent = workers.sent(now - 0.8 * window)
    return len(recent) == workers.scale.limit and now - recent[-1].at > 0.3 * window


def in_a_penalty_that_another_client_has_caused(pool: WorkerPool) -> None:
    scale = Scale(requests=50, window=3.0)
    with redis_server() as redis, fleet(pool, redis.url, scale, penalty=3.0) as workers:
        wait_until(lambda: is_full(workers), "no window was full", 20.0, 0.05)
        assert workers.server.send(5)[429] >= 1
        workers.finish_without_loss(most_refused=1)
        in_penalty = [entry for entry in workers.sent() if entry.in_penalty]
        assert in_penalty == workers.refused()


@pytest.mark.fault
@pytest.mark.parametrize(
    "scenario",
    [
        on_one_server,
        on_a_cluster,
        with_jitter_before_requests_are_counted,
        with_one_process_far_away,
        after_another_client_has_used_fifty,
        in_a_penalty_that_another_client_has_caused,
    ],
    ids=lambda scenario: scenario.__name__,
)
def test_processes_share_their_limits(
    scenario: Callable[[WorkerPool], None], together: Together
) -> None:
    together[scenario].result()


@pytest.mark.fault
async def test_cancelled_requests_leave_no_slot_behind() -> None:
    chance = random.Random(0)  # noqa: S311 - the same on every run
    limit, window = 50, 0.5
    with redis_server() as redis, counting_server(limits={"Light": limit}, window=window) as server:
        async with PresenceSession(
            "static", server=server.url, limits=RedisLimits(redis.url, scope="a"), concurrency=300
        ) as session:
            tasks = [
                asyncio.create_task(session.read_user_presence_status(id_)) for id_ in range(1, 301)
            ]
            cancelled = chance.sample(tasks, 150)
            loop = asyncio.get_running_loop()
            for task in cancelled:
                loop.call_later(chance.uniform(0.0, 2.0), task.cancel)
            async with asyncio.timeout(20):
                done = await asyncio.gather(*tasks, return_exceptions=True)
            unanswered = [each for each in done if isinstance(each, BaseException)]
            assert all(isinstance(each, asyncio.CancelledError) for each in unanswered)
            assert 75 <= len(unanswered) <= 150  # Some were answered before.
            await asyncio.sleep(window + 0.1)
            started = time.monotonic()
            ids = [*range(1, limit + 1)]
            await asyncio.gather(*map(session.read_user_presence_status, ids))
            assert time.monotonic() - started < window
        assert {entry.status for entry in server.ledger} == {200}
