"""Sessions that share their limits through a real Redis, in one process."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest

from aiopresence import PresenceSession, RedisFailed, UsageError
from aiopresence.redis import RedisLimits
from aiopresence.sandbox import Sandbox
from tests.support.redis_servers import RedisServer
from tests.support.sessions import PLENTY


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox(5, limits={**PLENTY, "Light": 10}, window=1.0, latency=0.02) as sandbox:
        yield sandbox


def sharing(sandbox: Sandbox, server: RedisServer, **options: Any) -> PresenceSession:
    """Return a session that shares its limits with others, as if it was another process."""
    limits = RedisLimits(server.url, **options.pop("redis", {}))
    return PresenceSession(sandbox.grant, server=sandbox.url, limits=limits, **options)


async def test_sessions_of_several_processes_stay_within_the_limit(
    sandbox: Sandbox, server: RedisServer
) -> None:
    async with AsyncExitStack() as stack:
        sessions = [
            await stack.enter_async_context(sharing(sandbox, server, concurrency=20))
            for _ in range(3)
        ]
        reads = (s.read_user_presence_status() for s in sessions for _ in range(10))
        await asyncio.gather(*reads)
        assert sessions[0].limits["Light"].limit == 10
        assert sessions[0].limits["Light"].window == 1.0
    assert sandbox.counters.rate_limited == 0
    assert len(sandbox.requests) >= 30


async def test_without_redis_a_session_does_not_open_unless_it_may(
    sandbox: Sandbox, server: RedisServer
) -> None:
    server.kill()
    with pytest.raises(RedisFailed, match=r"no rate limits without Redis: .*require=False"):
        await sharing(sandbox, server).__aenter__()
    async with sharing(sandbox, server, redis={"require": False}) as session:
        read = asyncio.create_task(session.read_user_presence_status())
        await asyncio.sleep(0.3)
        assert not read.done()
        assert not sandbox.requests
        server.start()
        await read


REFUSING = {
    "publish to the channel": ("ACL", "SETUSER", "default", "resetchannels"),
    "command not allowed when used memory": ("CONFIG", "SET", "maxmemory", "1"),
    "read only replica": ("REPLICAOF", "127.0.0.1", "1"),
}


@pytest.mark.parametrize("reason", REFUSING)
async def test_a_redis_that_refuses_the_script_is_found_out_at_the_start(
    sandbox: Sandbox, server: RedisServer, reason: str
) -> None:
    client: Any = server.client
    client.execute_command(*REFUSING[reason])
    with pytest.raises(RedisFailed, match=f"it refused a command: .*{reason}"):
        await sharing(sandbox, server).__aenter__()


async def test_a_redis_that_refuses_the_script_later_is_logged(
    sandbox: Sandbox, server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    async with sharing(sandbox, server) as session:
        server.client.config_set("maxmemory", "1")
        read = asyncio.create_task(session.read_user_presence_status())
        while "command not allowed when used memory" not in caplog.text:
            await asyncio.sleep(0.01)
        server.client.config_set("maxmemory", "0")
        await read


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"outage": "go on"}, "outage must be"),
        ({"outage": "share"}, "processes must be given"),
        ({"processes": 4}, "processes must be given"),
        ({"outage": "share", "processes": 0}, "processes must be an int from 1 to 1000"),
        ({"scope": ""}, "scope must be"),
        ({"name": 5}, "name must be"),
        ({"limits": {"Light": 0}}, "limits must map"),
        ({"timeout": -1}, "timeout"),
        ({"prefix": "{x}"}, "prefix"),
    ],
)
def test_wrong_arguments(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        RedisLimits("redis://localhost", **options)


def test_the_password_is_not_shown() -> None:
    assert "secret" not in repr(RedisLimits("redis://user:secret@localhost/1"))


async def test_an_access_token_needs_a_scope(server: RedisServer) -> None:
    session = PresenceSession("token", limits=RedisLimits(server.url))
    with pytest.raises(UsageError, match="give RedisLimits a scope"):
        await session.__aenter__()
