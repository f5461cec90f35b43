import asyncio
import json
import logging
import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import PIPE
from typing import Any

import attrs
import pytest
from cryptography.fernet import Fernet
from hypothesis import HealthCheck, given, settings, strategies as st

from aiopresence import PresenceSession, RedisFailed, UsageError
from aiopresence.protocol.oauth import store_key
from aiopresence.redis import RedisTokenStore
from aiopresence.redis.connection import Connection
from aiopresence.sandbox import Delay, Sandbox
from aiopresence.transport.clock import Clock
from aiopresence.transport.token_store import Superseded
from tests.support.clock_shift import ClockShift
from tests.support.ports import free_port
from tests.support.redis_proxy import proxy
from tests.support.redis_servers import RedisCluster, RedisServer, redis_server
from tests.support.sessions import Session
from tests.support.waiting import fired

KEY = "a" * 32
TOKEN = {"access_token": "access-token-1", "refresh_token": "refresh-token-1"}
NAMES = ("lock", "fence", "token", "free")


def record(wall: float = 0.0, token: dict[str, str] = TOKEN) -> dict[str, Any]:
    """Return a token that is valid for an hour, and can be refreshed for a week."""
    return {**token, "expires_time": wall + 3600.0, "refresh_expires_time": wall + 604800.0}


def redis_key(name: str, key: str = KEY, prefix: str = "aiopresence") -> str:
    return Connection("redis://h", timeout=1, prefix=prefix).key(key, "token", name)


class FixedClock(Clock):
    def __init__(self, wall: float) -> None:
        self.time = wall

    def wall(self) -> float:
        return self.time


def at(store: RedisTokenStore, wall: float) -> RedisTokenStore:
    """Set the wall clock of a store's machine."""
    store._clock = FixedClock(wall)
    return store


async def until(condition: Callable[[], Any]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.005)


@pytest.fixture
def store(server: RedisServer) -> RedisTokenStore:
    return at(RedisTokenStore(server.url, lock_for=0.3, timeout=5.0), 0.0)


async def test_what_was_saved_is_loaded_until_it_is_deleted(store: RedisTokenStore) -> None:
    assert await store.load(KEY) is None
    await store.save(KEY, record())
    loaded = await store.load(KEY)
    assert loaded == pytest.approx(record(), abs=1.0)
    await store.save(KEY, None)
    assert await store.load(KEY) is None


async def test_it_works_on_a_cluster(cluster: RedisCluster) -> None:
    store = RedisTokenStore(cluster.url, timeout=5.0)
    for key in ("a", "b", "c", "d"):
        async with store.lock(key) as lock:
            assert await store.load(key) is None
            assert await lock.is_held()
            await store.save(key, record())
        assert (await store.load(key) or {})["access_token"] == "access-token-1"
    assert sum(bool(node.client.dbsize()) for node in cluster.nodes) > 1


async def test_a_token_is_deleted_when_it_cannot_be_used_any_more(
    server: RedisServer, store: RedisTokenStore
) -> None:
    await store.save(KEY, record())
    assert 604_790_000 < server.client.pttl(redis_key("token")) <= 604_800_000
    await store.save(KEY, {**record(), "refresh_token": None})
    assert 3_590_000 < server.client.pttl(redis_key("token")) <= 3_600_000
    await store.save(KEY, {"access_token": "x", "expires_time": 1e308, "refresh_expires_time": "?"})
    assert 0 < server.client.pttl(redis_key("token")) <= 7_776_000_000
    assert (await store.load(KEY)) == {"access_token": "x"}


@pytest.mark.fault
async def test_the_clocks_of_the_machines_need_not_agree(tmp_path: Path) -> None:
    shift = ClockShift(tmp_path)
    with redis_server(environment=shift.environment) as server:
        one = at(RedisTokenStore(server.url, timeout=5.0), 1e9)
        two = at(RedisTokenStore(server.url, timeout=5.0), 2e9)
        await one.save(KEY, record(1e9))
        loaded = await two.load(KEY) or {}
        assert loaded == pytest.approx(record(2e9), abs=1.0)
        shift.set(100.0)
        loaded = await two.load(KEY) or {}
        assert loaded["expires_time"] == pytest.approx(2e9 + 3500.0, abs=1.0)
        shift.set(-3600.0)  # The token does not become younger than new.
        loaded = await two.load(KEY) or {}
        assert loaded["expires_time"] == pytest.approx(2e9 + 3600.0, abs=1.0)


async def test_a_lock_is_held_by_one_at_a_time(server: RedisServer) -> None:
    inside, entered = 0, 0

    async def enter() -> None:
        nonlocal inside, entered
        async with RedisTokenStore(server.url, timeout=5.0).lock(KEY) as lock:
            inside += 1
            assert inside == 1
            entered += 1
            await asyncio.sleep(0)
            assert await lock.is_held()
            inside -= 1

    await asyncio.gather(*(enter() for _ in range(20)))
    assert entered == 20
    # Nobody polls: each waits for the one before.
    assert server.calls("evalsha", "eval") < 150


async def test_who_waits_for_a_lock_gets_it_as_soon_as_it_is_free(server: RedisServer) -> None:
    store, order = RedisTokenStore(server.url, timeout=5.0), list[str]()

    async def wait() -> None:
        async with store.lock(KEY):
            order.append("second")

    async with store.lock(KEY):
        waiter = asyncio.create_task(wait())
        await until(lambda: server.client.info("clients")["blocked_clients"] == 1)
        async with store.lock("other"):
            order.append("other")
        order.append("first")
        began = asyncio.get_running_loop().time()
    await waiter
    assert asyncio.get_running_loop().time() < began + 0.5
    assert order == ["other", "first", "second"]


async def test_a_lock_that_is_not_released_expires(
    server: RedisServer, store: RedisTokenStore
) -> None:
    abandoned = store.lock(KEY)
    first = await abandoned.__aenter__()
    async with store.lock(KEY) as second:
        assert int(second.fence) > int(first.fence)
        assert await second.is_held()
        assert not await first.is_held()
    assert not await first.is_held()
    await abandoned.__aexit__(None, None, None)


async def test_a_check_prolongs_a_lock_also_one_that_nobody_took(
    server: RedisServer, store: RedisTokenStore
) -> None:
    async with store.lock(KEY) as lock:
        for _ in range(3):
            await until(lambda: server.client.pttl(redis_key("lock")) < 200)
            assert await lock.is_held()
            assert server.client.pttl(redis_key("lock")) > 250
        await until(lambda: not server.client.exists(redis_key("lock")))
        assert await lock.is_held()
        assert server.client.exists(redis_key("lock"))


@pytest.mark.fault
async def test_a_save_after_the_lock_was_lost_is_refused(
    server: RedisServer, store: RedisTokenStore
) -> None:
    other = at(RedisTokenStore(server.url, timeout=5.0), 0.0)
    may_save, has_tried = asyncio.Event(), asyncio.Event()

    async def late() -> None:
        async with store.lock(KEY):
            await may_save.wait()
            # While the other one has the lock, and after it has saved.
            with pytest.raises(Superseded):
                await store.save(KEY, record())
            has_tried.set()
            await until(lambda: not server.client.exists(redis_key("lock")))
            for token in (record(), None):
                with pytest.raises(Superseded):
                    await store.save(KEY, token)

    async with asyncio.TaskGroup() as group:  # Ends at once if late() fails.
        group.create_task(late())
        await until(lambda: server.client.exists(redis_key("lock")))
        async with other.lock(KEY):
            may_save.set()
            await has_tried.wait()
            await other.save(KEY, {**record(), "access_token": "newer"})
    assert (await store.load(KEY) or {})["access_token"] == "newer"


@pytest.mark.fault
async def test_a_fence_is_greater_also_after_redis_has_lost_everything(
    server: RedisServer, store: RedisTokenStore
) -> None:
    async with store.lock(KEY) as lock:
        first = int(lock.fence)
        server.client.flushall()
        assert not await lock.is_held()
        await store.save(KEY, record())  # Nobody else has had the lock, as far as is known.
    server.client.flushall()
    async with store.lock(KEY) as lock:
        assert int(lock.fence) > first


@pytest.mark.fault
@pytest.mark.parametrize("moment", ["before", "after"])
async def test_a_lock_whose_reply_was_lost_is_released(server: RedisServer, moment: str) -> None:
    with proxy(server.port) as between:
        store = RedisTokenStore(between.url, timeout=5.0)
        await store.load(KEY)
        if moment == "after":
            async with store.lock(KEY):
                pass
        between.lose_replies(1, to=b"lock")
        try:
            async with store.lock(KEY):
                assert moment == "after"  # It tried again, and found its own lock.
        except RedisFailed:
            assert moment == "before"
        assert between.lost == 1
        await until(lambda: not server.client.exists(redis_key("lock")))


@pytest.mark.fault
async def test_who_is_cancelled_while_waiting_leaves_the_lock_usable(
    server: RedisServer, store: RedisTokenStore
) -> None:
    async def take() -> None:
        async with store.lock(KEY):
            pass

    async with store.lock(KEY):
        waiter = asyncio.create_task(take())
        await until(lambda: server.client.info("clients")["blocked_clients"] == 1)
        waiter.cancel()
        await asyncio.gather(waiter, return_exceptions=True)
        assert waiter.cancelled()
    await take()
    assert not server.client.exists(redis_key("lock"))


POISON: list[bytes] = [
    b"",
    b"\xff\xfe",
    b"{",
    b"1 2 {",
    b"1 2 []",
    b"1 2 null",
    b'1 2 {"key": 5, "token": {"access_token": "x"}}',
    b"1 2 " + b"[" * 50_000,
    b"1 2 \xff\xfe",
    b"1 2 " + pickle.dumps({"access_token": "x"}),
    b"9" * 400,
    b"99999999999999 99999999999999 {}",
    b"999999999999999 999999999999999 {}",
    b"-1 -1 {}",
    b"nan nan {}",
    b"x" * 1_000_000,
]


@pytest.mark.fault
@pytest.mark.parametrize("name", NAMES)
async def test_values_of_somebody_else_are_ignored_and_replaced(
    server: RedisServer, store: RedisTokenStore, name: str
) -> None:
    key, client = redis_key(name), server.client

    async def works() -> None:
        async with store.lock(KEY) as lock:
            assert await store.load(KEY) is None
            assert await lock.is_held()
            await store.save(KEY, record())
            assert await store.load(KEY) == pytest.approx(record(), abs=1.0)
        assert await store.load(KEY) == pytest.approx(record(), abs=1.0)

    for value in POISON:
        client.flushall()
        if name == "lock":
            client.set(key, value, px=20)
        else:
            client.set(key, value)
        await works()
    others: list[Callable[[], Any]] = [
        lambda: client.rpush(key, "1", "2"),
        lambda: client.hset(key, "access_token", "x"),
        lambda: client.zadd(key, {"x": 1}),
        lambda: client.xadd(key, {"x": "1"}),
    ]
    for add in others:
        client.flushall()
        add()
        await works()


@pytest.mark.fault
@pytest.mark.parametrize("expiry", [None, 3600], ids=["none", "of an earlier clock"])
@pytest.mark.parametrize("value", ["1 nobody", "1 50 nobody", f"1 {'9' * 30} nobody"])
async def test_no_lock_lasts_longer_than_it_was_taken_for(
    server: RedisServer, store: RedisTokenStore, value: str, expiry: int | None
) -> None:
    server.client.set(redis_key("lock"), value, ex=expiry)
    async with asyncio.timeout(5), store.lock(KEY) as lock:
        assert await lock.is_held()


@pytest.mark.fault
async def test_a_damaged_token_is_reported_once_and_not_shown(
    server: RedisServer, store: RedisTokenStore, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(2):
        await store.save(KEY, record())
        value = server.client.get(redis_key("token"))
        server.client.set(redis_key("token"), str(value)[:-1])
        for _ in range(3):
            assert await store.load(KEY) is None
        await store.save(KEY, record())
        assert await store.load(KEY)
    assert [r.levelname for r in caplog.records] == ["WARNING"] * 2
    assert "cannot be used" in caplog.text
    assert not any(secret in caplog.text for secret in TOKEN.values())


text = st.text(st.characters(codec="utf-8"), min_size=1, max_size=20)
tenants = st.tuples(st.sampled_from(["one", "two", "one:two"]), text)


@pytest.mark.fault
@given(st.lists(tenants, min_size=2, max_size=5, unique=True))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_tenants_never_see_each_others_tokens(
    server: RedisServer, all_: list[tuple[str, str]]
) -> None:
    async def check() -> None:
        for number, (prefix, key) in enumerate(all_):
            await store_of(prefix).save(key, record(0.0, {"access_token": str(number)}))
        for number, (prefix, key) in enumerate(all_):
            assert (await store_of(prefix).load(key) or {})["access_token"] == str(number)
        await store_of(all_[0][0]).save(all_[0][1], None)
        for number, (prefix, key) in enumerate(all_):
            assert bool(await store_of(prefix).load(key)) == bool(number)

    def store_of(prefix: str) -> RedisTokenStore:
        return at(RedisTokenStore(server.unix_url, prefix=prefix, timeout=5.0), 0.0)

    asyncio.run(check())
    server.client.flushall()


@pytest.mark.fault
async def test_a_token_that_is_copied_to_another_login_does_not_count(
    server: RedisServer, store: RedisTokenStore
) -> None:
    await store.save(KEY, record())
    server.client.copy(redis_key("token"), redis_key("token", "other"))
    assert await store.load("other") is None
    assert await store.load(KEY)


@pytest.mark.fault
async def test_with_a_key_redis_holds_no_secret(
    server: RedisServer, sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    tokens: dict[bool, set[str]] = {}
    dumps: dict[bool, bytes] = {}
    server.client.config_set("rdbcompression", "no")
    for key in (None, Fernet.generate_key()):
        server.client.flushall()
        store = RedisTokenStore(server.url, key=key, timeout=5.0)
        async with PresenceSession(sandbox.grant, server=sandbox.url, token_store=store) as session:
            await session.read_user_presence_status()
        [login] = sandbox._state.oauth.logins._logins[-1:]
        assert login.refresh is not None
        tokens[key is not None] = {login.access.value, login.refresh.value}
        server.client.save()
        keys = "".join(map(str, server.client.keys())).encode()
        dumps[key is not None] = (server.folder / "dump.rdb").read_bytes() + keys
    # They can be found in what is neither encrypted nor compressed.
    assert all(token.encode() in dumps[False] for token in tokens[False])
    assert not any(token.encode() in dumps[True] for token in tokens[True])
    for secret in (sandbox.client_secret, sandbox.jwt, sandbox.client_id):
        assert secret.encode() not in dumps[False] + dumps[True]
    assert not any(token in caplog.text for token in tokens[False] | tokens[True])


@pytest.mark.fault
async def test_a_token_of_another_key_counts_as_none(
    server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    keys: list[Any] = [Fernet.generate_key(), Fernet.generate_key().decode(), None]
    stores = [at(RedisTokenStore(server.url, key=key, timeout=5.0), 0.0) for key in keys]
    for one in stores:
        await one.save(KEY, record())
        for two in stores:
            assert (await two.load(KEY) is None) == (one is not two)
    assert len(caplog.records) == 4  # Again after a good one only.
    assert not any(str(secret) in caplog.text for secret in (*TOKEN.values(), *keys[:2]))


@pytest.mark.parametrize("key", ["", "short", b"x" * 32, 5, b"\xff" * 44, "é" * 44])
def test_a_wrong_key_is_a_usage_error_that_does_not_quote_it(key: Any) -> None:
    with pytest.raises(UsageError, match="generate_key") as caught:
        RedisTokenStore("redis://h", key=key)
    assert caught.value.__context__ is caught.value.__cause__ is None


@pytest.mark.parametrize("argument", ["lock_for", "timeout", "prefix", "redis"])
def test_wrong_arguments_are_usage_errors(argument: str) -> None:
    arguments: dict[str, Any] = {"redis": "redis://h", argument: "wrong prefix"}
    with pytest.raises(UsageError, match=argument):
        RedisTokenStore(**arguments)


def test_its_repr_shows_no_secret() -> None:
    store = RedisTokenStore("redis://user:sesame@h:1/2", key=Fernet.generate_key())
    assert repr(store) == "RedisTokenStore('redis://h:1/2')"


@pytest.fixture(scope="module")
def program() -> Iterator[subprocess.Popen[str]]:
    """Forks the processes of all tests."""
    command = [sys.executable, "-m", "tests.support.token_program"]
    with subprocess.Popen(command, stdin=PIPE, stdout=PIPE, text=True) as program:  # noqa: S603
        yield program


@attrs.frozen
class Process:
    """A process that reads once, and may stop itself; see `tests.support.token_program`."""

    pid: int
    server: RedisServer

    def reports(self) -> list[str]:
        return [str(word) for word in self.server.client.lrange(f"test:{self.pid}", 0, -1)]

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    async def is_done(self) -> bool:
        """Wait for its end, and return whether it has read."""
        await until(lambda: {"done", "failed"} & {*self.reports()})
        return "done" in self.reports()


@attrs.frozen
class Processes:
    """Starts processes whose tokens are in one Redis."""

    program: subprocess.Popen[str]
    sandbox: Sandbox
    server: RedisServer

    async def start(self, lock_for: float, moment: str | None = None) -> Process:
        """Start a process; if it stops itself at a moment, wait until it has."""
        sandbox = self.sandbox
        job = {
            "server": sandbox.url,
            "credentials": [sandbox.client_id, sandbox.client_secret, sandbox.jwt],
            "redis": self.server.url,
            "lock_for": lock_for,
            "moment": moment,
        }
        assert self.program.stdin is not None
        assert self.program.stdout is not None
        self.program.stdin.write(json.dumps(job) + "\n")
        self.program.stdin.flush()
        process = Process(int(self.program.stdout.readline()), self.server)
        if moment is not None:
            await until(lambda: process.reports() == ["stopping"])
        return process

    async def log_in_for_a_refresh(self) -> None:
        """Save a token whose next use needs a refresh."""
        assert await (await self.start(40.0)).is_done()
        store = RedisTokenStore(self.server.url, timeout=5.0)
        key = store_key(self.sandbox.url, self.sandbox.grant)
        token = await store.load(key)
        assert token is not None
        await store.save(key, {**token, "expires_time": 0.0})


@pytest.fixture
def processes(program: subprocess.Popen[str], sandbox: Sandbox, server: RedisServer) -> Processes:
    return Processes(program, sandbox, server)


def logins(sandbox: Sandbox) -> int:
    """Return how many logins have not ended."""
    return len(sandbox._state.oauth.logins._logins)


def tokens_sent(sandbox: Sandbox) -> set[str | None]:
    return {r.token for r in sandbox.requests if r.group == "Light"}


async def test_processes_that_start_together_log_in_once(
    sandbox: Sandbox, processes: Processes
) -> None:
    started = [await processes.start(40.0) for _ in range(8)]
    assert all([await each.is_done() for each in started])
    assert sandbox.counters.token_requests == 1
    assert len(tokens_sent(sandbox)) == 1


@pytest.mark.fault
@pytest.mark.parametrize("kind", ["login", "refresh"])
async def test_a_process_that_is_stopped_for_long_before_its_request_sends_none(
    sandbox: Sandbox, processes: Processes, kind: str
) -> None:
    if kind == "refresh":
        await processes.log_in_for_a_refresh()
    before, sent = sandbox.counters.token_requests, tokens_sent(sandbox)
    stopped = await processes.start(0.1, "before the request")
    other = await processes.start(40.0)
    assert await other.is_done()
    stopped.signal(signal.SIGCONT)
    assert await stopped.is_done()
    assert sandbox.counters.token_requests == before + 1
    assert (sandbox.counters.logins, logins(sandbox)) == (1, 1)
    assert len(tokens_sent(sandbox) - sent) == 1


@pytest.mark.fault
async def test_a_process_that_is_stopped_after_its_request_keeps_its_lock(
    sandbox: Sandbox, server: RedisServer, processes: Processes
) -> None:
    stopped = await processes.start(40.0, "after the request")
    other = await processes.start(40.0)
    await until(lambda: server.client.info("clients")["blocked_clients"] == 1)
    stopped.signal(signal.SIGCONT)
    assert await stopped.is_done()
    assert await other.is_done()
    assert sandbox.counters.token_requests == logins(sandbox) == 1
    assert len(tokens_sent(sandbox)) == 1


@pytest.mark.fault
@pytest.mark.parametrize("kind", ["login", "refresh"])
async def test_a_process_that_is_stopped_for_longer_uses_the_token_of_the_next(
    sandbox: Sandbox, processes: Processes, kind: str
) -> None:
    if kind == "refresh":
        await processes.log_in_for_a_refresh()
    sent = tokens_sent(sandbox)
    stopped = await processes.start(0.1, "after the request")
    other = await processes.start(40.0)
    assert await other.is_done()
    stopped.signal(signal.SIGCONT)
    assert await stopped.is_done()
    # The login is revoked. The refresh is within the grace of its refresh token.
    assert sandbox.counters.logins == (2 if kind == "login" else 1)
    assert logins(sandbox) == 1
    assert len(tokens_sent(sandbox) - sent) == 1


@pytest.mark.fault
async def test_a_process_that_is_killed_is_succeeded_when_its_lock_expires(
    sandbox: Sandbox, processes: Processes
) -> None:
    killed = await processes.start(0.3, "before the request")
    killed.signal(signal.SIGKILL)
    assert await (await processes.start(40.0)).is_done()
    assert sandbox.counters.token_requests == logins(sandbox) == 1


@pytest.mark.fault
async def test_without_redis_the_token_in_memory_is_used_until_it_is_due(
    sandbox: Sandbox, server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    store = RedisTokenStore(server.url, timeout=0.5, lock_for=0.3)
    async with Session(sandbox.grant, server=sandbox.url, token_store=store) as session:
        await session.read_user_presence_status()
        server.kill()
        await session.read_user_presence_status()
        session.clock.skipped += 3600.0
        sandbox.expire_tokens()
        for _ in range(2):
            with pytest.raises(RedisFailed, match=r"Connect call failed|Connection refused"):
                await session.read_user_presence_status()
        assert sandbox.counters.token_requests == 1
        waiting = asyncio.create_task(session.read_user_presence_status())
        await asyncio.sleep(0)
        server.start()
        await waiting
    assert (sandbox.counters.logins, sandbox.counters.refreshes) == (1, 1)
    about_redis = [r.levelname for r in caplog.records if "redis://" in r.message]
    assert about_redis == ["WARNING", "WARNING"]


@pytest.mark.fault
async def test_redis_that_does_not_work_at_the_start_is_an_error_at_once(sandbox: Sandbox) -> None:
    store = RedisTokenStore(f"redis://127.0.0.1:{free_port()}")
    async with PresenceSession(sandbox.grant, server=sandbox.url, token_store=store) as session:
        with pytest.raises(
            RedisFailed, match=r"redis://127\.0\.0\.1:.*(Connect call failed|Connection refused)"
        ):
            await session.read_user_presence_status()
    assert sandbox.counters.token_requests == 0


@pytest.mark.fault
async def test_redis_that_fails_during_a_login_costs_no_answer(
    sandbox: Sandbox, server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    store = RedisTokenStore(server.url, timeout=0.5)
    rule = sandbox.faults.add(Delay(0.1), path="/oauth/token")
    async with PresenceSession(sandbox.grant, server=sandbox.url, token_store=store) as session:
        reading = asyncio.create_task(session.read_user_presence_status())
        await fired(rule)
        server.kill()
        await reading
        await session.read_user_presence_status()
    assert "the token could not be saved: redis://" in caplog.text
    assert sandbox.counters.token_requests == 1


async def test_revoke_deletes_the_token_of_all(sandbox: Sandbox, server: RedisServer) -> None:
    store = RedisTokenStore(server.url, timeout=5.0)
    async with PresenceSession(sandbox.grant, server=sandbox.url, token_store=store) as session:
        await session.read_user_presence_status()
        assert len(server.client.keys("*:token:token")) == 1
        await session.revoke()
    assert server.client.keys("*:token:token") == []
    assert logins(sandbox) == 0


@pytest.mark.parametrize(
    ("missing", "arguments", "advice"),
    [
        ("redis", "'redis://h'", "pip install 'aiopresence[redis]'"),
        ("cryptography", "'redis://h', key='x'", "pip install cryptography"),
    ],
)
def test_a_missing_library_is_named(missing: str, arguments: str, advice: str) -> None:
    code = f"import sys; sys.modules[{missing!r}] = None\nimport aiopresence.redis\n"
    code += f"try:\n aiopresence.redis.RedisTokenStore({arguments})\n"
    code += "except ImportError as error:\n print(error)\n"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603
    assert advice in done.stdout
