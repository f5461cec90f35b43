"""What does sharing over Redis cost, and how soon does another process take over?

Limits: 8,640 extensions, read by four processes of 50 tasks each under one limit of 50 requests a
second, as the server of the tests counts them. It runs in a process of its own, as does Redis.

Boards: an account of 5,000 extensions, whose board one process publishes and others read. A core
is what one process can use: changes per second are changes over its CPU time.

Run: python -m benchmarks.shared
"""

import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import attrs

from tests.support.fleet import Fleet, Scale, fleet
from tests.support.redis_proxy import proxy
from tests.support.redis_servers import RedisCluster, RedisServer, redis_cluster, redis_server
from tests.support.workers import WorkerPool

from . import shared_board
from .report import Row, finish, median
from .shared_board import Program
from .shared_fleet import of_fleet

SCALE = Scale(requests=288, limit=50, window=1.0, tasks=50, batch=30, processes=4)
ALONE = attrs.evolve(SCALE, processes=1)
EXTENSIONS = SCALE.requests * SCALE.batch
# The distance of a process that is far from Redis, in seconds per round trip.
FAR = 0.04
# Changes per second of the account, and for how long; the lease and the number of failovers.
RATE, SECONDS = 1_000.0, 10.0
LEASE, FAILOVERS = 3.0, 3


def took(workers: Fleet) -> float:
    """Wait until everything is read, and return how long that took.

    Raises:
        SystemExit: something was not read.
    """
    results = [result for result in workers.finish() if result is not None]
    if sum(len(result.answered) for result in results) != EXTENSIONS:
        raise SystemExit("not everything was read")
    return max(result.seconds for result in results)


def share_rows(label: str, workers: Fleet) -> list[Row]:
    """Return the smallest and the largest part of the requests that a process has sent."""
    shares = sorted(100 * share for share in workers.shares().values())
    return [
        Row("shared", f"{label}: smallest part of a process", shares[0], "%", 20.0, at_least=True),
        Row("shared", f"{label}: largest part of a process", shares[-1], "%", 30.0),
    ]


def refused_row(label: str, workers: Fleet, target: float | None = 0.0) -> Row:
    """Return how many requests got a 429."""
    return Row("shared", f"{label}: 429s", len(workers.refused()), "429s", target)


def of_sharing(pool: WorkerPool) -> list[Row]:
    """Compare processes that share with one process, and with processes that do not share."""
    with fleet(pool, None, ALONE) as workers:
        alone = took(workers)
    rows: list[Row] = []
    with fleet(pool, None, SCALE) as workers:
        label = "nothing shared"
        rows.append(Row("shared", f"{label}: time over one process", took(workers) / alone))
        rows.append(refused_row(label, workers, None))
    with redis_server() as redis, fleet(pool, redis.url, SCALE) as workers:
        rows += [*of_redis("one Redis", workers, redis, alone), decision_row(redis)]
    with redis_cluster() as cluster, fleet(pool, cluster.url, SCALE) as workers:
        rows += of_redis("three-node cluster", workers, cluster, alone)
    with redis_server() as redis, fleet(pool, redis.url, SCALE, jitter=0.3) as workers:
        label = "up to 300 ms until a request is counted"
        rows.append(Row("shared", f"{label}: time over one process", took(workers) / alone))
        rows.append(refused_row(label, workers))
    with (
        redis_server() as redis,
        proxy(redis.port, delay=FAR / 2) as far,
        fleet(pool, [far.url, *[redis.url] * 3], SCALE) as workers,
    ):
        label = f"one process {FAR * 1000:.0f} ms away from Redis"
        rows.append(Row("shared", f"{label}: time over one process", took(workers) / alone))
        rows += [refused_row(label, workers), *share_rows(label, workers)]
    return rows


def of_redis(
    label: str, workers: Fleet, redis: RedisServer | RedisCluster, alone: float
) -> list[Row]:
    """Return the results of processes that share one Redis."""
    time = took(workers) / alone
    calls = redis.calls("evalsha", "eval") / SCALE.requests
    return [
        Row("shared", f"{label}: time over one process", time, target=1.1),
        refused_row(label, workers),
        *share_rows(label, workers),
        Row("shared", f"{label}: round trips per request", calls, "calls", 0.6),
    ]


def decision_row(redis: RedisServer) -> Row:
    """Return how long Redis takes for one call of the script."""
    stats = redis.command_stats()["evalsha"]
    return Row("shared", "one Redis: its time per decision", stats["usec_per_call"], "µs")


def of_board(redis: RedisServer) -> list[Row]:
    """Follow a busy account with one follower and two readers."""
    with boards(redis, RATE, ["follow", "read", "read"]) as (account, follower, *readers):
        cpu = redis_cpu(redis)
        changes, (own, *others) = change_for(SECONDS, account, follower, *readers)
        cpu = redis_cpu(redis) - cpu
        hashes = sum(memory(redis, key) for key in redis.client.scan_iter(_type="hash"))
        [stream] = redis.client.scan_iter(_type="stream")
        entry = memory(redis, stream) / redis.client.xlen(stream)
    reading = statistics.mean(other["cpu"] for other in others)
    late = max(1000 * other["latency"] for other in others)
    each = f"{RATE:,.0f} changes a second: changes per second of the core"
    extensions = shared_board.EXTENSIONS
    return [
        Row("shared", "board: memory of Redis per extension", hashes / extensions, "B"),
        Row(
            "shared",
            "board: memory of Redis per entry of the stream",
            entry,
            "B",
        ),
        Row("shared", f"board, {each} of a follower", changes / own["cpu"], "/s"),
        Row("shared", f"board, {each} of a reader", changes / reading, "/s"),
        Row("shared", f"board, {each} of Redis, with 3 readers", changes / cpu, "/s"),
        Row("shared", "board: latency of a change at a reader, median", late, "ms"),
    ]


def memory(redis: RedisServer, key: str) -> int:
    """Return the bytes that a key takes in Redis."""
    return int(redis.command("MEMORY", "USAGE", key, "SAMPLES", 0))


def of_failover(redis: RedisServer) -> list[Row]:
    """Kill followers, and measure how long no change arrives at another process."""
    pauses = []
    for _ in range(FAILOVERS):
        redis.client.flushall()
        with boards(redis, 200.0, ["follow", "any"], LEASE) as (account, follower, other):
            account.write()
            other.write()
            time.sleep(1.0)
            follower.process.kill()
            time.sleep(LEASE + 2.0)
            pauses.append(other.ask()["longest_pause"])
    label = f"board: time until another process follows, lease of {LEASE:.0f} s"
    return [median("shared", label, pauses, unit="s", target=LEASE)]


def of_memory(redis: RedisServer) -> list[Row]:
    """Measure the memory of sessions that follow accounts."""
    rows = []
    with Program.start("serve_accounts") as servers:
        urls = servers.read()
        for kind in ("events", "board"):
            with Program.start("hold_sessions", kind, redis.url) as sessions:
                sessions.write(urls)
                label = {
                    "events": "memory of a session with its socket",
                    "board": f"the same with a shared board of {shared_board.SMALL} extensions",
                }[kind]
                rows.append(Row("shared", label, sessions.read()["kb"], "KB"))
    return rows


def redis_cpu(redis: RedisServer) -> float:
    """Return the seconds of CPU that Redis has used."""
    used = redis.client.info("cpu")
    return float(used["used_cpu_user"] + used["used_cpu_sys"])


@contextmanager
def boards(
    redis: RedisServer, rate: float, roles: Sequence[str], lease: float = 15.0
) -> Iterator[list[Program]]:
    """Run an account and processes that share its board; yield their programs, all ready."""
    with ExitStack() as stack:
        account = stack.enter_context(Program.start("serve", str(rate)))
        url = account.read()["url"]
        running = [account]
        for role in roles:
            program = Program.start("share", url, redis.url, role, str(lease))
            running.append(stack.enter_context(program))
            running[-1].read()  # The first one is the follower.
        yield running


def change_for(seconds: float, account: Program, *sharing: Program) -> tuple[int, list[Any]]:
    """Change the account for some seconds; return the number of changes, and the results."""
    for program in (*sharing, account):
        program.write()
    time.sleep(seconds)
    changes = account.ask()["changes"]
    time.sleep(0.5)  # The last ones are on their way.
    return changes, [program.ask() for program in sharing]


def measure() -> list[Row]:
    """Measure all."""
    with WorkerPool() as pool:
        rows = of_sharing(pool)
    with redis_server() as redis:
        rows += [*of_board(redis), *of_failover(redis), *of_memory(redis)]
    with redis_server() as redis:
        rows += of_fleet(redis)
    return rows


if __name__ == "__main__":
    sys.exit(finish(measure()))
