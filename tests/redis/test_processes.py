"""What becomes of processes that share their limits when one of them dies or stops."""

import signal
import time
from collections.abc import Callable

import pytest

from tests.support.fleet import Scale, Together, fleet
from tests.support.redis_servers import redis_server
from tests.support.workers import WorkerPool

SCALE = Scale()


def is_killed(pool: WorkerPool) -> None:
    with redis_server() as server, fleet(pool, server.url, SCALE) as workers:
        workers.wait_for(30)
        victim = workers.workers[0]
        victim.signal(signal.SIGKILL)
        workers.finish_without_loss(killed=[victim])
        sent = sum(entry.client == victim.name for entry in workers.ledger)
        assert 0 < sent < SCALE.requests / SCALE.processes


def stopped(pool: WorkerPool, seconds: float) -> None:
    with redis_server() as server, fleet(pool, server.url, SCALE) as workers:
        workers.wait_for(30)
        victim = workers.workers[0]
        victim.signal(signal.SIGSTOP)
        time.sleep(seconds)
        victim.signal(signal.SIGCONT)
        workers.finish_without_loss()
        assert workers.longest_pause(victim.name) >= seconds - 0.5


def is_stopped_for_three_seconds(pool: WorkerPool) -> None:
    stopped(pool, 3.0)


def is_stopped_for_longer_than_the_lease(pool: WorkerPool) -> None:
    stopped(pool, 6.5)


def are_all_stopped_for_longer_than_the_lease(pool: WorkerPool) -> None:
    with redis_server() as server, fleet(pool, server.url, SCALE) as workers:
        workers.wait_for(30)
        for worker in workers.workers:
            worker.signal(signal.SIGSTOP)
        time.sleep(6.5)
        for worker in workers.workers:
            worker.signal(signal.SIGCONT)
        workers.finish_without_loss()
        assert workers.longest_pause() >= 6.0


@pytest.mark.fault
@pytest.mark.parametrize(
    "scenario",
    [
        is_killed,
        is_stopped_for_three_seconds,
        is_stopped_for_longer_than_the_lease,
        are_all_stopped_for_longer_than_the_lease,
    ],
    ids=lambda scenario: scenario.__name__,
)
def test_no_request_of_the_others_is_refused_or_lost_when_a_process(
    scenario: Callable[[WorkerPool], None], together: Together
) -> None:
    together[scenario].result()
