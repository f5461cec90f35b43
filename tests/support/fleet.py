"""Several workers that share one limit over Redis, and the server that counts their requests."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

import attrs

from .counting_program import Entry
from .counting_server import CountingServer, counting_server
from .redis_servers import wait_until
from .workers import Redis, Result, Worker, WorkerPool, running

# Scenarios that run at the same time.
Together = dict[Callable[[WorkerPool], None], Future[None]]


@attrs.frozen
class Scale:
    """How much is read, and how fast that is allowed.

    Attributes:
        requests: the requests of all workers together.
        limit: the requests that are allowed in a window.
        window: the length of a window in seconds.
        tasks: the tasks of each worker.
        batch: the ids of a request.
        processes: the number of workers.
    """

    requests: int = 120
    limit: int = 20
    window: float = 1.0
    tasks: int = 15
    batch: int = 3
    processes: int = 4

    def ids(self, number: int) -> list[str]:
        """Return the ids that one worker reads."""
        count = self.requests * self.batch
        return [str(id_) for id_ in range(1, count + 1)][number :: self.processes]


@attrs.define
class Fleet:
    """Workers that read.

    Attributes:
        server: what they read from.
        workers: the workers, whose names are "0", "1" and so on.
        scale: as given.
    """

    server: CountingServer
    workers: Sequence[Worker]
    scale: Scale
    _final: list[Entry] | None = None

    @property
    def ledger(self) -> list[Entry]:
        """Everything that the server has counted, also after its end."""
        return self.server.ledger if self._final is None else self._final

    def wait_for(self, requests: int) -> None:
        """Wait until the server has counted some requests."""
        wait_until(lambda: self.server.requests >= requests, f"{requests} requests", 30.0, 0.05)

    def finish(self) -> list[Result | None]:
        """Wait for all workers; return their results, None for those that were killed."""
        return [worker.result() for worker in self.workers]

    def finish_without_loss(self, *, killed: Sequence[Worker] = (), most_refused: int = 0) -> None:
        """Wait for all workers, and check that every id was read once and nothing got a 429.

        Args:
            killed: the workers that were killed.
            most_refused: how many 429s the workers may get.
        """
        for number, (worker, result) in enumerate(zip(self.workers, self.finish(), strict=True)):
            if worker in killed:
                assert result is None
                continue
            assert result is not None, f"worker {worker.name} ended"
            assert result.errors == {}
            assert result.answered == dict.fromkeys(self.scale.ids(number), 1)
        assert len(self.refused()) <= most_refused, self.refused()

    def end(self) -> None:
        """Keep the ledger: the server ends."""
        self._final = self.server.ledger

    def sent(self, since: float = 0.0) -> list[Entry]:
        """Return what the workers have sent since a time of the monotonic clock."""
        names = {worker.name for worker in self.workers}
        return [e for e in self.ledger if e.client in names and e.at >= since]

    def refused(self) -> list[Entry]:
        """Return what the workers sent and the server answered with a 429."""
        return [entry for entry in self.sent() if entry.status == 429]

    def longest_pause(self, client: str | None = None) -> float:
        """Return the longest time between two requests, of all workers or of one."""
        times = [entry.at for entry in self.sent() if client in (None, entry.client)]
        return max(after - before for before, after in pairwise(times))

    def first_sent(self, since: float, client: str | None = None) -> float:
        """Return how long after a time a worker, any or a certain one, sent a request."""
        times = [entry.at for entry in self.sent(since) if client in (None, entry.client)]
        return min(times, default=float("inf")) - since

    def shares(self) -> dict[str, float]:
        """Return which part of the requests each worker sent while all of them were sending.

        Some begin earlier than others, and have the first window for themselves.
        """
        entries = self.sent()
        last = {entry.client: entry.at for entry in entries}
        first = {entry.client: entry.at for entry in reversed(entries)}
        begin, end = max(first.values()), min(last.values())
        counts = Counter(entry.client for entry in entries if begin <= entry.at <= end)
        return {client: count / counts.total() for client, count in counts.items()}


@contextmanager
def fleet(
    pool: WorkerPool,
    redis: str | list[str] | None,
    scale: Scale = Scale(),
    *,
    limits: Mapping[str, Any] | None = None,
    before: Callable[[CountingServer], None] = lambda _: None,
    **settings: Any,
) -> Iterator[Fleet]:
    """Run workers that share their limits over Redis; they begin to read at once.

    Args:
        pool: where the workers come from.
        redis: the address of Redis, or one for each worker; None shares nothing.
        scale: how much they read.
        limits: arguments of RedisLimits.
        before: called before they begin.
        settings: those of the server.
    """
    urls = redis if isinstance(redis, list) else [redis] * scale.processes
    allowed = {"Light": scale.limit, "Medium": scale.limit, "Heavy": scale.limit, "Auth": 1000}
    with counting_server(**{"limits": allowed, "window": scale.window, **settings}) as server:
        workers = [
            pool.start(
                str(number),
                server.url,
                scale.ids(number),
                redis=Redis(url, {"require": False} | {**(limits or {})}) if url else None,
                tasks=scale.tasks,
                batch=scale.batch,
            )
            for number, url in enumerate(urls)
        ]
        before(server)
        with running(workers):
            fleet = Fleet(server, workers, scale)
            yield fleet
            fleet.end()
