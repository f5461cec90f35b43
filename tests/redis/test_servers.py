"""What the tests do to Redis servers really happens to them."""

import time
from pathlib import Path

import pytest
from redis import ConnectionError as RedisConnectionError, Redis, TimeoutError as RedisTimeoutError

from tests.support.clock_shift import ClockShift
from tests.support.redis_proxy import proxy
from tests.support.redis_servers import NEVER, RedisSentinel, RedisServer, redis_server


@pytest.mark.parametrize(("appendonly", "kept"), [("yes", "1"), ("no", None)])
def test_data_survive_a_kill_with_an_append_only_file(appendonly: str, kept: str | None) -> None:
    with redis_server(appendonly=appendonly) as server:
        server.client.set("a", 1)
        server.restart()
        assert server.client.get("a") == kept


def test_a_server_that_is_paused_does_not_answer(server: RedisServer) -> None:
    with Redis(port=server.port, socket_timeout=0.05, retry=NEVER) as client:
        server.pause()
        with pytest.raises(RedisTimeoutError):
            client.ping()
        server.resume()
        assert client.ping()


def test_a_sentinel_makes_the_replica_the_primary(sentinel: RedisSentinel) -> None:
    sentinel.primary.client.set("a", 1)
    sentinel.primary.client.wait(1, 1000)
    sentinel.fail_over()
    assert sentinel.replica.client.set("b", 2)
    assert sentinel.replica.client.get("a") == "1"


@pytest.mark.parametrize("seconds", [3600.0, -3600.0, 0.2])
def test_the_clock_of_a_server_can_be_shifted(tmp_path: Path, seconds: float) -> None:
    shift = ClockShift(tmp_path)
    with redis_server(environment=shift.environment) as server:
        server.client.set("a", 1, px=60_000)
        before = server.client.time()
        shift.set(seconds)
        after = server.client.time()
        step = after[0] - before[0] + (after[1] - before[1]) / 1e6
        assert step == pytest.approx(seconds, abs=0.1)
        assert server.client.get("a") == (None if seconds > 60 else "1")


def test_a_proxy_loses_a_reply_to_a_command_that_has_run(server: RedisServer) -> None:
    with proxy(server.port) as through, Redis(port=through.port, retry=NEVER) as client:
        client.ping()
        through.lose_replies()
        with pytest.raises(RedisConnectionError):
            client.eval("return redis.call('INCR', 'a')", 0)
        assert through.lost == 1
        assert server.client.get("a") == "1"


def test_bytes_sent_during_a_partition_arrive_after_it(server: RedisServer) -> None:
    with (
        proxy(server.port, delay=0.01) as through,
        Redis(port=through.port, socket_timeout=0.1, retry=NEVER) as client,
    ):
        started = time.monotonic()
        client.ping()
        assert time.monotonic() - started >= 0.02
        through.cut()
        with pytest.raises(RedisTimeoutError):
            client.incr("a")
        assert through.held == 1
        assert server.client.get("a") is None
        through.mend()
        client.ping()
        assert server.client.get("a") == "1"
