"""The server and the workers of the other tests: what happens without sharing."""

from collections import Counter

from tests.support.counting_server import counting_server
from tests.support.workers import WorkerPool, running

IDS = [str(number) for number in range(1, 901)]
LIMITS = {"Light": 10, "Medium": 10, "Heavy": 10, "Auth": 10}


def statuses(processes: int, max_wait: float | None) -> Counter[int]:
    with WorkerPool() as pool, counting_server(limits=LIMITS, window=0.5) as server:
        workers = [
            pool.start(str(n), server.url, IDS[n::processes], max_wait=max_wait, attempts=1)
            for n in range(processes)
        ]
        with running(workers):
            for worker in workers:
                worker.result()
        return Counter(entry.status for entry in server.ledger)


def test_one_process_on_its_own_causes_no_429() -> None:
    assert statuses(1, max_wait=None) == {200: 30}


def test_processes_that_share_nothing_cause_429s() -> None:
    assert statuses(4, max_wait=0.6)[429] >= 2


def test_requests_during_a_penalty_restart_it() -> None:
    with counting_server(limits=LIMITS, window=0.2, penalty=0.2, latency=0.0) as server:
        assert server.send(11) == {200: 10, 429: 1}
        server.send(20)
        assert [entry.in_penalty for entry in server.ledger] == [False] * 11 + [True] * 20
