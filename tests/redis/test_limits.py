"""Sessions that share their limits through a real Redis, in one process."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from random import Random
from types import NoneType
from typing import Any

import pytest

from aiopresence import MemoryTokenStore, PresenceSession, RateLimited, RedisFailed, UsageError
from aiopresence.redis import RedisLimits
from aiopresence.sandbox import Answer, Sandbox
from aiopresence.transport.clock import Clock
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


@pytest.mark.fault
async def test_the_clocks_of_the_processes_need_not_agree(
    sandbox: Sandbox, server: RedisServer
) -> None:
    class Shifted(Clock):
        def __init__(self, seconds: float) -> None:
            self.seconds = seconds

        def now(self) -> float:
            return super().now() + self.seconds

        def wall(self) -> float:
            return super().wall() + self.seconds

    class ShiftedSession(PresenceSession):
        def __init__(self, seconds: float) -> None:
            self._clock = Shifted(seconds)
            super().__init__(
                sandbox.grant,
                server=sandbox.url,
                limits=RedisLimits(server.url),
                token_store=MemoryTokenStore(),
            )

    async with ShiftedSession(-300.0) as behind, ShiftedSession(300.0) as ahead:
        calls = (s.read_user_presence_status() for _ in range(15) for s in (behind, ahead))
        await asyncio.gather(*calls)
    reads = [r.arrival for r in sandbox.requests if r.group == "Light"]
    assert sandbox.counters.rate_limited == 0
    assert len(reads) == 30
    assert all(later - one >= 1.0 for one, later in zip(reads, reads[10:], strict=False))


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


async def test_max_wait_allows_one_call_of_redis_and_refuses_what_would_take_longer(
    sandbox: Sandbox, server: RedisServer
) -> None:
    async with sharing(sandbox, server, max_wait=0.0) as session:
        outcomes = [await read_or_error(session) for _ in range(12)]
        assert [outcome for outcome in outcomes[:10] if outcome] == []
        assert "not sent: rate limit of group Light would delay it" in outcomes[-1]
        assert session.limits["Light"].remaining == 0
        assert 0.5 < session.limits["Light"].blocked_for < 1.1
    assert sandbox.counters.rate_limited == 0


async def read_or_error(session: PresenceSession) -> str:
    """Read once; return the error, or nothing."""
    try:
        await session.read_user_presence_status()
    except RateLimited as error:
        return str(error)
    return ""


async def test_a_429_of_one_process_stops_the_others(sandbox: Sandbox, server: RedisServer) -> None:
    async with (
        sharing(sandbox, server) as one,
        sharing(sandbox, server, max_wait=0.3) as other,
    ):
        await asyncio.gather(one.read_user_presence_status(), other.read_user_presence_status())
        rule = sandbox.faults.add(
            Answer(429, headers={"Retry-After": "1", "X-Rate-Limit-Group": "light"}),
            path="/presence",
        )
        limited = asyncio.create_task(one.read_user_presence_status())
        while not rule.fired:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
        sent = len(sandbox.requests)
        assert "would delay it" in await read_or_error(other)
        assert len(sandbox.requests) == sent
        await limited


async def test_cancelled_requests_give_their_slots_back(
    sandbox: Sandbox, server: RedisServer
) -> None:
    random = Random(1)  # noqa: S311 - no secret
    async with sharing(sandbox, server, concurrency=100) as session:
        reads = [asyncio.create_task(session.read_user_presence_status()) for _ in range(60)]
        for read in random.sample(reads, 40):
            await asyncio.sleep(random.random() / 20)
            read.cancel()
        await asyncio.gather(*reads, return_exceptions=True)
        assert {type(read.exception()) for read in reads if not read.cancelled()} == {NoneType}
        await asyncio.sleep(1.3)
        assert session._limiter.in_flight == 0
        await asyncio.gather(*(session.read_user_presence_status() for _ in range(10)))
    assert sandbox.counters.rate_limited == 0


async def test_limits_that_redis_has_lost_are_logged_once_by_each_process(
    sandbox: Sandbox, server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    async with sharing(sandbox, server) as one, sharing(sandbox, server) as two:
        for session in (one, two, one, two):
            await session.read_user_presence_status()
        server.client.flushall()
        for session in (one, two, one):
            await session.read_user_presence_status()
    address = server.url.removesuffix("/0")
    [first, second] = [record.getMessage() for record in caplog.records]
    what = f"{address} has lost the rate limits of group Light"
    assert first == f"{what}: nothing is sent for 1.0 s"
    assert second.startswith(f"{what}: nothing is sent for 0.")
    assert sandbox.counters.rate_limited == 0


@pytest.mark.fault
async def test_what_is_wrong_in_redis_is_replaced(sandbox: Sandbox, server: RedisServer) -> None:
    async with sharing(sandbox, server) as session:
        await session.read_user_presence_status()
        keys = server.client.keys("aiopresence:*")
        assert len(keys) == 3
        for wrong in ("", "x" * 1000, "\x81\xa1x\x01"):
            for key in keys:
                server.client.set(key, wrong)
            await session.read_user_presence_status()
        for key in keys:
            server.client.delete(key)
            server.client.rpush(key, "1")
        await session.read_user_presence_status()
    assert sandbox.counters.rate_limited == 0


DAMAGE = """
local group = cmsgpack.unpack(redis.call('GET', KEYS[1]))
group[ARGV[1]] = loadstring('return ' .. ARGV[2])()
redis.call('SET', KEYS[1], cmsgpack.pack(group))
"""
# What a script of ours never writes, by the field of a group.
DAMAGES = [
    ("epoch", "{}"),
    ("limit", "0"),
    ("limit", "1.5"),
    ("window", "-1"),
    ("window", "1 / 0"),
    ("blocked", "1e15"),
    ("blocked", "0 / 0"),
    ("full", "{1}"),
    ("penalties", "false"),
    ("penalties", "{}"),
    ("taken", "1e300"),
    ("last", "1e15"),
    ("infl", "{{1, 'nobody'}}"),
    ("procs", "nil"),
]


@pytest.mark.fault
async def test_a_record_with_a_wrong_value_is_replaced(server: RedisServer) -> None:
    damage = server.client.register_script(DAMAGE)

    async def read_in_spite_of(sandbox: Sandbox, number: int, field: str, value: str) -> None:
        options = {"prefix": f"p{number}", "timeout": 5.0}
        async with sharing(sandbox, server, redis=options) as session:
            await session.read_user_presence_status()
            while session.limits["Light"].window != 1.0:
                await asyncio.sleep(0.01)
            [key] = server.client.keys(f"p{number}:*:group:Light")
            damage([key], [field, value])
            async with asyncio.timeout(10):
                await session.read_user_presence_status()

    async with Sandbox(5, limits=PLENTY, window=1.0) as sandbox:
        damages = (read_in_spite_of(sandbox, n, *each) for n, each in enumerate(DAMAGES))
        await asyncio.gather(*damages)


async def test_event_loops_that_use_one_object_have_a_seat_each(
    sandbox: Sandbox, server: RedisServer
) -> None:
    limits = RedisLimits(server.url, outage="share", processes=3, name="pod", timeout=5.0)
    client: Any = server.client

    async def read_seats() -> list[tuple[bool, str]]:
        async with PresenceSession(sandbox.grant, server=sandbox.url, limits=limits) as session:
            await session.read_user_presence_status()
            [key] = client.keys("*:group:Light")
            script = "return cjson.encode(cmsgpack.unpack(redis.call('GET', KEYS[1])).seats)"
            return [(bool(pid), name) for pid, _, name in json.loads(client.eval(script, 1, key))]

    async with PresenceSession(sandbox.grant, server=sandbox.url, limits=limits) as session:
        await session.read_user_presence_status()
        seats = await asyncio.to_thread(asyncio.run, read_seats())
        assert seats == [(True, "pod"), (True, ""), (False, "")]
    assert await read_seats() == [(True, "pod"), (False, ""), (False, "")]


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
