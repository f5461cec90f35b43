"""Shared boards while Redis fails, loses data, or has what somebody else has put there."""

import asyncio
import logging
from collections.abc import Callable
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis, RedisCluster as AsyncCluster

from aiopresence import PresenceBoard
from aiopresence.sandbox import Answer, Hang
from tests.support.boards import LEASE, Boards, Numbers, are_equal, eventually
from tests.support.clock_shift import ClockShift
from tests.support.redis_proxy import proxy
from tests.support.redis_servers import (
    RedisCluster,
    RedisSentinel,
    RedisServer,
    redis_server,
)

# Seconds after which clients of the user give up; a slow machine needs less for a reply.
TIMEOUT = 1.0


async def ready(boards: Boards) -> tuple[list[PresenceBoard], Numbers]:
    """Return a follower, another process that may follow, and a reader, all live."""
    states = Numbers(boards.sandbox)
    opened = [await boards.open(), await boards.open(), await boards.open(role="read")]
    await eventually(lambda: are_equal(opened, states.now))
    return opened, states


def outages(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.levelname for record in caplog.records if "redis://" in record.getMessage()]


@pytest.mark.fault
async def test_without_redis_all_is_stale_and_readable(
    boards: Boards, server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    opened, states = await ready(boards)
    server.stop()
    for id_ in boards.sandbox.user_ids:
        states.advance(id_)
    await eventually(lambda: not any(board.is_live for board in opened), 2)
    assert all(board.is_stale(id_) for board in opened for id_ in board)
    assert all(len(board) == 20 for board in opened)
    await asyncio.sleep(2 * LEASE)
    assert not any(board.is_live for board in opened)
    server.start()
    await eventually(lambda: are_equal(opened, states.now))
    assert boards.sandbox.gateway.connections == 1
    assert not boards.backward
    assert outages(caplog) == ["WARNING", "WARNING"]


@pytest.mark.fault
async def test_a_board_can_be_opened_without_redis(boards: Boards, server: RedisServer) -> None:
    states = Numbers(boards.sandbox)
    server.stop()
    opened = [await boards.open(), await boards.open(role="read")]
    await asyncio.sleep(0.2)
    assert not opened[0].is_live
    assert len(opened[0]) == 0
    server.start()
    await eventually(lambda: are_equal(opened, states.now))


@pytest.mark.fault
@pytest.mark.parametrize("loss", ["flushall", "restart", "evict records", "evict stream"])
async def test_what_redis_has_lost_is_published_again(
    boards: Boards, server: RedisServer, loss: str, caplog: pytest.LogCaptureFixture
) -> None:
    opened, states = await ready(boards)
    changes = [board.changes() for board in opened]
    if loss == "flushall":
        server.client.flushall()
    elif loss == "restart":
        server.restart()
    else:
        [key] = server.client.keys(f"*:board:{loss.split()[1]}")
        assert server.client.delete(key) == 1
    states.advance(boards.sandbox.user_ids[4])
    late = await boards.open(role="read")
    await eventually(lambda: are_equal([*opened, late], states.now))
    assert not boards.backward
    for board, iterator in zip(opened, changes, strict=True):
        await board.close()
        assert [change.id async for change in iterator] == [boards.sandbox.user_ids[4]]
    assert all(session.stats.resyncs == 1 for session in boards.sessions[:3])
    assert caplog.text.count("may have been lost: BoardLost") == 3


@pytest.mark.fault
async def test_what_redis_has_lost_is_not_published_before_it_is_read_again(
    boards: Boards, server: RedisServer
) -> None:
    opened, states = await ready(boards)
    failed = boards.sandbox.faults.add(Answer(503), path="/presence", times=None)
    server.client.flushall()
    # Other processes may know newer states than the one that follows now, and cannot read.
    await eventually(lambda: failed.fired > 1)
    assert server.client.keys("*:board:*")
    assert server.client.keys("*:board:records") == []
    boards.sandbox.faults.clear()
    late = await boards.open(role="read")
    await eventually(lambda: are_equal([*opened, late], states.now), 60)
    assert not boards.backward


async def test_scripts_that_redis_has_forgotten_are_sent_again(
    boards: Boards, server: RedisServer
) -> None:
    opened, states = await ready(boards)
    server.client.script_flush()
    states.advance(boards.sandbox.user_ids[4])
    await eventually(lambda: are_equal(opened, states.now))
    assert [session.stats.resyncs for session in boards.sessions] == [0, 0, 0]


def poison_record(server: RedisServer, value: Any) -> None:
    [key] = server.client.keys("*:board:records")
    assert server.client.hset(key, next(iter(server.client.hkeys(key))), value) == 0


def poison_field(server: RedisServer) -> None:
    [key] = server.client.keys("*:board:records")
    assert server.client.hset(key, "../../x", "1-1 {}") == 1


def poison_stream(server: RedisServer) -> None:
    [key] = server.client.keys("*:board:stream")
    server.client.xadd(key, {"p": "1-1", "s": "{}", "x" * 1000: "y"})


def far_stream(server: RedisServer) -> None:
    [key] = server.client.keys("*:board:stream")
    server.client.xadd(key, {"p": ""}, f"{2**63}-1")


def poison_type(server: RedisServer, name: str) -> None:
    [key] = server.client.keys(f"*:board:{name}")
    server.client.delete(key)
    server.client.rpush(key, "x")


def poison_meta(server: RedisServer, name: str, value: str) -> None:
    [key] = server.client.keys("*:board:meta")
    server.client.hset(key, name, value)


POISONS: dict[str, Callable[[RedisServer], None]] = {
    "record not json": lambda server: poison_record(server, "not JSON"),
    "record of wrong types": lambda server: poison_record(server, '1-1 {"record": [7]}'),
    "record of the future": lambda server: poison_record(server, f"{2**51}-1 {{}}"),
    "pickle": lambda server: poison_record(server, b"1-1 \x80\x04\x95cos\nsystem\n"),
    "large record": lambda server: poison_record(server, "1-1 " + '"' + "x" * 10**6 + '"'),
    "field": poison_field,
    "stream": poison_stream,
    "far stream": far_stream,
    "list in place of records": lambda server: poison_type(server, "records"),
    "list in place of stream": lambda server: poison_type(server, "stream"),
    "list in place of meta": lambda server: poison_type(server, "meta"),
    "list in place of fence": lambda server: poison_type(server, "fence"),
    "list in place of lease": lambda server: poison_type(server, "lease"),
    "last": lambda server: poison_meta(server, "last", "x" * 1000),
    "count": lambda server: poison_meta(server, "count", "nan"),
    "status": lambda server: poison_meta(server, "status", '{"stale": 7}'),
    "beat": lambda server: poison_meta(server, "beat", "inf"),
    "silence": lambda server: poison_meta(server, "silence", "9" * 5000),
}


@pytest.mark.fault
async def test_wrong_values_are_replaced(boards: Boards) -> None:
    states = Numbers(boards.sandbox)
    # A story changes an extension of its own: the event of another one's, about an extension that
    # was just read, would make it wait for the next read.
    own = cycle(boards.sandbox.user_ids)

    async def story(poison: Callable[[RedisServer], None]) -> None:
        with redis_server() as server:
            async with Boards(boards.sandbox, server.url) as others:
                opened = [await others.open(), await others.open(role="read")]
                await eventually(lambda: are_equal(opened, states.now), 60)
                poison(server)
                opened.append(await others.open(role="read"))  # It begins with what is there.
                await asyncio.sleep(0.1)
                states.advance(next(own))
                # Events of all stories may each be about what was just read: it is read again.
                await eventually(lambda: are_equal(opened, states.now), 60)
                assert not others.backward

    results = await asyncio.gather(*map(story, POISONS.values()), return_exceptions=True)
    failures = zip(POISONS, results, strict=True)
    assert {name: result for name, result in failures if result is not None} == {}


@pytest.mark.fault
async def test_a_lease_without_an_end_is_taken(boards: Boards, server: RedisServer) -> None:
    states = Numbers(boards.sandbox)
    first = await boards.open()
    await first.wait_ready()
    [key] = server.client.keys("*:board:lease")
    await first.close()
    server.client.set(key, "somebody")
    second = await boards.open()
    await eventually(lambda: are_equal([second], states.now))


@pytest.mark.fault
async def test_the_clock_of_redis_may_go_back_and_all_be_lost(
    boards: Boards, tmp_path: Path
) -> None:
    clock = ClockShift(tmp_path)
    with redis_server(environment=clock.environment) as server:
        states = Numbers(boards.sandbox)
        clock.set(3600.0)
        async with Boards(boards.sandbox, server.url) as others:
            reader = await others.open(role="read")
            first = await others.open()
            await eventually(lambda: are_equal([first, reader], states.now))
            clock.set(-3600.0)
            states.advance(boards.sandbox.user_ids[0])
            await eventually(lambda: are_equal([first, reader], states.now))
            await first.close()
            server.client.flushall()
            second = await others.open()  # It does not know the versions that there were.
            await second.wait_ready()
            states.advance(boards.sandbox.user_ids[0])
            await eventually(lambda: are_equal([second, reader], states.now))
            assert not others.backward


@pytest.mark.fault
async def test_a_publication_whose_reply_is_lost_is_not_lost(
    boards: Boards, server: RedisServer
) -> None:
    with proxy(server.port) as between:
        async with Boards(boards.sandbox, between.url) as others:
            states = Numbers(boards.sandbox)
            follower = await others.open()
            reader = await boards.open(role="read")
            await eventually(lambda: are_equal([follower, reader], states.now))
            between.lose_replies(3)
            for id_ in boards.sandbox.user_ids:
                states.advance(id_)
            await eventually(lambda: between.lost == 3)
            await eventually(lambda: are_equal([follower, reader], states.now))
            assert not others.backward
            assert not boards.backward
            assert boards.sessions[0].stats.resyncs == 0
            assert len(boards.sandbox.gateway.subscriptions) == 1


@pytest.mark.fault
async def test_a_follower_that_redis_cannot_reach_is_replaced(
    boards: Boards, server: RedisServer
) -> None:
    with proxy(server.port) as between:
        async with Boards(boards.sandbox, between.url) as others:
            states = Numbers(boards.sandbox)
            cut_off = await others.open(timeout=0.3)
            await cut_off.wait_ready()
            opened = [await boards.open(), await boards.open(role="read")]
            await eventually(lambda: are_equal(opened, states.now))
            between.cut()
            await states.run(0.2)
            await eventually(lambda: are_equal(opened, states.now))
            assert not cut_off.is_live
            await eventually(lambda: boards.sandbox.gateway.connections == 1)
            between.mend()
            states.advance(boards.sandbox.user_ids[0])
            await eventually(lambda: are_equal([*opened, cut_off], states.now))
            assert between.held > 0
            assert not boards.backward
            assert not others.backward
            assert boards.sandbox.gateway.connections == 1


async def test_stale_extensions_are_stale_everywhere(boards: Boards) -> None:
    opened, _ = await ready(boards)
    hang = boards.sandbox.faults.add(Hang(), path="/presence")
    boards.sandbox.gateway.fail_recovery()
    boards.sandbox.gateway.cut()
    await eventually(lambda: all(b.is_stale(id_) for b in opened for id_ in b))
    assert not any(board.is_live for board in opened)
    await eventually(lambda: hang.fired)
    assert all(board.is_stale(id_) for board in opened for id_ in board)
    assert all(len(board) == 20 for board in opened)


async def test_clients_of_the_user_may_do_things_differently(
    boards: Boards, server: RedisServer, cluster: RedisCluster, caplog: pytest.LogCaptureFixture
) -> None:
    """They may convert replies, and give up before Redis has something to say."""
    address = cluster.url.removeprefix("redis+cluster://").split(",")[0]
    clients: list[Redis | AsyncCluster] = [
        Redis.from_url(server.url, protocol=3, decode_responses=True, socket_timeout=TIMEOUT),
        AsyncCluster.from_url(f"redis://{address}", decode_responses=True, socket_timeout=TIMEOUT),
        AsyncCluster.from_url(f"redis://{address}", protocol=3),
    ]
    states = Numbers(boards.sandbox)

    async def story(client: Redis | AsyncCluster, name: str) -> None:
        async with client, Boards(boards.sandbox, client) as others:
            # A process that waits for news looks after the board three times in a lease.
            lease = 6 * TIMEOUT
            opened = [
                await others.open(lease=lease, name=name),
                await others.open(lease=lease, name=name, role="read"),
            ]
            await eventually(lambda: are_equal(opened, states.now), 60)
            await asyncio.sleep(1.5 * TIMEOUT)
            states.advance(boards.sandbox.user_ids[0])
            await eventually(lambda: are_equal(opened, states.now), 60)
            assert not others.backward

    await asyncio.gather(*(story(client, f"{number}") for number, client in enumerate(clients)))
    assert not [record for record in caplog.records if record.levelno > logging.INFO]


@pytest.mark.fault
@pytest.mark.parametrize("kind", ["cluster", "sentinel"])
async def test_every_kind_of_redis(
    boards: Boards, kind: str, request: pytest.FixtureRequest
) -> None:
    redis: RedisCluster | RedisSentinel = request.getfixturevalue(kind)
    async with Boards(boards.sandbox, redis.url) as others:
        states = Numbers(boards.sandbox)
        opened = [await others.open(), await others.open(role="read")]
        await eventually(lambda: are_equal(opened, states.now))
        if isinstance(redis, RedisSentinel):
            await asyncio.to_thread(redis.fail_over)
        await states.run(0.2)
        await eventually(lambda: are_equal(opened, states.now))
        assert not others.backward
