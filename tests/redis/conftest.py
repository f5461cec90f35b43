from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from aiopresence.sandbox import GatewayPlan, Sandbox
from tests.support.boards import Boards
from tests.support.fleet import Together
from tests.support.redis_servers import (
    RedisCluster,
    RedisSentinel,
    RedisServer,
    redis_cluster,
    redis_sentinel,
    redis_server,
)
from tests.support.sessions import PLENTY
from tests.support.workers import WorkerPool


@pytest.fixture
def server() -> Iterator[RedisServer]:
    """A Redis server of its own for a test, without data."""
    with redis_server() as server:
        yield server


@pytest.fixture(scope="session")
def _cluster() -> Iterator[RedisCluster]:
    with redis_cluster() as cluster:  # Takes two seconds to start.
        yield cluster


@pytest.fixture
def cluster(_cluster: RedisCluster) -> RedisCluster:
    """A cluster of three nodes, without data."""
    _cluster.flush()
    _cluster.reset_stats()
    return _cluster


@pytest.fixture
def sentinel() -> Iterator[RedisSentinel]:
    """A primary, a replica and a Sentinel of its own for a test, without data."""
    with redis_sentinel() as sentinel:
        yield sentinel


@pytest.fixture
async def boards(server: RedisServer) -> AsyncIterator[Boards]:
    """Shared boards of one account, on a Redis server of its own."""
    async with (
        Sandbox(20, limits=PLENTY, gateway=GatewayPlan()) as sandbox,
        Boards(sandbox, server.url) as boards,
    ):
        yield boards


@pytest.fixture(scope="session")
def pool() -> Iterator[WorkerPool]:
    """The processes of all tests come from one pool."""
    with WorkerPool() as pool:
        yield pool


@pytest.fixture(scope="session")
def together(request: pytest.FixtureRequest, pool: WorkerPool) -> Iterator[Together]:
    """Runs the scenarios of all tests at the same time, because each mostly waits."""
    chosen: list[Any] = [
        item.callspec.params["scenario"]
        for item in request.session.items
        if isinstance(item, pytest.Function)
        and "together" in item.fixturenames
        and "scenario" in item.callspec.params
    ]
    with ThreadPoolExecutor(16) as threads:
        yield {scenario: threads.submit(scenario, pool) for scenario in chosen}
