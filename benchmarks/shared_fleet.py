"""A part of the benchmark `shared`: what an account of a fleet takes while nothing changes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

from aiopresence import PresenceSession
from aiopresence.redis import Fleet, RedisLimits, RedisTokenStore, read_fleet
from tests.support.redis_servers import RedisServer

from .report import Row
from .shared_board import sandbox_of

ACCOUNTS, EXTENSIONS = 8, 5
LEASE, LEASES = 3.0, 3


def of_fleet(redis: RedisServer) -> list[Row]:
    """Measure the connections and the calls to Redis of the accounts of a fleet."""
    return asyncio.run(_measure(redis))


async def _measure(redis: RedisServer) -> list[Row]:
    before = _connections(redis)
    async with _following(redis):
        connections = _connections(redis) - before
        redis.reset_stats()
        await asyncio.sleep(LEASES * LEASE)
        stats = redis.command_stats()["evalsha"]
    calls = stats["calls"] / ACCOUNTS / LEASES
    each = "a followed account without changes"
    return [
        Row("shared", f"{each}: connections to Redis", connections / ACCOUNTS, "connections"),
        Row("shared", f"{each}: calls to Redis in a lease", calls, "calls"),
        Row("shared", f"{each}: time of Redis for a call", stats["usec_per_call"], "µs"),
    ]


@asynccontextmanager
async def _following(redis: RedisServer) -> AsyncIterator[None]:
    """Follow all accounts in one process; return when they are live and nothing is being read."""
    limits, store = RedisLimits(redis.url), RedisTokenStore(redis.url)
    async with AsyncExitStack() as stack:
        sessions = {}
        for number in range(ACCOUNTS):
            # Another number of extensions is another login.
            account = await stack.enter_async_context(sandbox_of(EXTENSIONS + number))
            sessions[str(number)] = partial(
                PresenceSession,
                account.grant,
                server=account.url,
                limits=limits,
                token_store=store,
            )
        task = asyncio.create_task(Fleet(redis.url, sessions, lease=LEASE).run())
        try:
            while await _live(redis) < ACCOUNTS:
                await asyncio.sleep(0.1)
            await asyncio.sleep(LEASE)
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def _live(redis: RedisServer) -> int:
    accounts = (await read_fleet(redis.url)).accounts
    return sum(each.is_live for each in accounts.values())


def _connections(redis: RedisServer) -> int:
    return int(redis.client.info("clients")["connected_clients"])
