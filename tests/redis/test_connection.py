import asyncio
import datetime
import gc
import hashlib
import ipaddress
import logging
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import redis.asyncio
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given, strategies as st

from aiopresence import PresenceError, RedisFailed, UsageError
from aiopresence.protocol.failure_policy import Kind, kind_of
from aiopresence.redis.connection import Connection, Script
from tests.support.ports import free_port
from tests.support.redis_proxy import proxy
from tests.support.redis_servers import (
    RedisCluster,
    RedisSentinel,
    RedisServer,
    redis_server,
)

PASSWORD = "sesame-opens"


async def until(condition: Callable[[], Any]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.005)


def new_script(text: str) -> Script:
    return Script(text, hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest())


ECHO = new_script("return {KEYS[1], ARGV[1], ARGV[2], false}")

VALID = [
    ("redis://h", "redis://h"),
    ("redis://u:p@h:1/2?socket_keepalive=yes", "redis://h:1/2"),
    ("rediss://:p@h:1", "rediss://h:1"),
    ("unix://u:p@/run/redis.sock?db=1", "unix:///run/redis.sock"),
    ("redis+sentinel://u:p@a:1,b/main", "redis+sentinel://a:1,b/main"),
    ("rediss+sentinel://a/main/3", "rediss+sentinel://a/main/3"),
    ("redis+cluster://u:p@a:1,b:2", "redis+cluster://a:1,b:2"),
    ("rediss+cluster://[::1]:7000", "rediss+cluster://[::1]:7000"),
]


@pytest.mark.parametrize(("url", "address"), VALID)
def test_an_address_has_no_user_password_or_option(url: str, address: str) -> None:
    connection = Connection(url, timeout=1.0)
    assert connection.address == address
    assert repr(connection) == f"Connection({address!r})"
    assert connection.is_cluster == ("cluster" in url)


def pool_of(url: str) -> Any:
    return Connection(url, timeout=1.0)._client.redis.connection_pool  # type: ignore[union-attr]


def test_urls_are_read_as_redis_py_reads_them() -> None:
    options = pool_of("rediss://u:p%40@h:1/2?ssl_ca_certs=/ca.pem").connection_kwargs
    wanted = {"username": "u", "password": "p@", "host": "h", "port": 1, "db": 2}
    assert wanted.items() <= options.items()
    assert options["ssl_ca_certs"] == "/ca.pem"
    assert pool_of("unix://u:p@/run/s?db=1").connection_kwargs["path"] == "/run/s"


def test_sentinel_urls_name_sentinels_and_the_service() -> None:
    pool = pool_of("rediss+sentinel://u:p@a:1,b/main/3")
    assert pool.service_name == "main"
    assert pool.connection_kwargs["password"] == "p"
    assert pool.connection_kwargs["db"] == 3
    sentinels = [each.connection_pool for each in pool.sentinel_manager.sentinels]
    assert [(p.connection_kwargs["host"], p.connection_kwargs["port"]) for p in sentinels] == [
        ("a", 1),
        ("b", 26379),
    ]
    # The password is that of the servers.
    assert [p.connection_kwargs["password"] for p in sentinels] == [None, None]
    assert all(p.connection_class is redis.asyncio.SSLConnection for p in sentinels)


def test_cluster_urls_name_nodes() -> None:
    client: Any = Connection("rediss+cluster://u:p@a:1,b", timeout=1.0)._client.redis
    assert [*client.nodes_manager.startup_nodes] == ["a:1", "b:6379"]
    assert client.connection_kwargs["password"] == "p"
    assert client.connection_kwargs["ssl_check_hostname"]


@pytest.mark.fault
@pytest.mark.parametrize(
    "wrong",
    [
        "",
        f"localhost:{PASSWORD}",
        f"http://:{PASSWORD}@h",
        f"redis://:{PASSWORD}@h:port",
        f"redis://:{PASSWORD}@[::1",
        f"redis://:{PASSWORD}@a,b",
        f"redis://h?socket_timeout={PASSWORD}",
        f"redis://h?nonsense={PASSWORD}",
        f"redis+sentinel://:{PASSWORD}@a,b",
        f"redis+nonsense://:{PASSWORD}@a",
        f"unix+cluster://:{PASSWORD}@/a",
        f"redis+cluster://:{PASSWORD}@h/1",
        None,
        5,
        object(),
        f"rediss://:{PASSWORD}@h".encode(),
    ],
)
def test_what_is_no_redis_is_a_usage_error_that_does_not_quote_it(wrong: Any) -> None:
    with pytest.raises(UsageError, match=r"redis.*redis://") as caught:
        Connection(wrong, timeout=1.0)
    shown = "".join(traceback.format_exception(caught.value))
    assert PASSWORD not in shown.replace(repr(wrong), "")
    assert caught.value.__context__ is caught.value.__cause__ is None


@pytest.mark.parametrize("wrong", ["", "{x}", "a b", "x" * 65, "é", None, 5])
def test_a_wrong_prefix_is_a_usage_error(wrong: Any) -> None:
    with pytest.raises(UsageError, match="prefix"):
        Connection("redis://h", timeout=1.0, prefix=wrong)


@pytest.mark.parametrize("wrong", [0, -1.0, float("nan"), "1", None])
def test_a_wrong_timeout_is_a_usage_error(wrong: Any) -> None:
    with pytest.raises(UsageError, match="timeout"):
        Connection("redis://h", timeout=wrong)


names = st.tuples(st.from_regex(r"[A-Za-z0-9_.:/-]{1,9}", fullmatch=True), st.text(max_size=9))


@pytest.mark.fault
@given(names, names)
def test_keys_of_different_owners_and_prefixes_differ(
    one: tuple[str, str], two: tuple[str, str]
) -> None:
    keys = [Connection("redis://h", timeout=1, prefix=p).key(o, "a", "b") for p, o in (one, two)]
    assert (keys[0] == keys[1]) == (one == two)


def test_the_keys_of_an_owner_are_in_one_slot_and_do_not_show_it() -> None:
    connection = Connection("redis://h", timeout=1.0, prefix="mine")
    one, two = connection.key("the owner", "a"), connection.key("the owner", "b", "c")
    assert one.startswith("mine:{")
    assert two.endswith("}:b:c")
    assert one.split("}")[0] == two.split("}")[0]
    assert "the owner" not in one


async def test_replies_are_raw_whatever_the_client(server: RedisServer) -> None:
    clients: list[Any] = [
        server.url,
        server.unix_url,
        redis.asyncio.Redis.from_url(server.url),
        redis.asyncio.Redis.from_url(server.url, decode_responses=True, protocol=3),
    ]
    for client in clients:
        async with Connection(client, timeout=5.0) as connection:
            await connection.open()
            await connection.call("SET", "key", b"\xff")
            assert await connection.call("GET", "key") == b"\xff"
            assert await connection.script(ECHO, ["key"], [b"\xff", 2]) == [
                *(b"key", b"\xff", b"2"),
                None,
            ]
    for client in clients[2:]:
        assert await client.get("other") is None  # It is not closed.
        await client.aclose()


async def test_a_script_that_redis_has_forgotten_is_sent_again(server: RedisServer) -> None:
    script = new_script("return redis.call('INCR', KEYS[1])")
    async with Connection(server.url, timeout=5.0) as connection:
        assert [await connection.script(script, ["n"]) for _ in range(3)] == [1, 2, 3]
        assert (server.calls("evalsha"), server.calls("eval")) == (3, 1)
        server.client.script_flush()
        assert [await connection.script(script, ["n"]) for _ in range(2)] == [4, 5]
    assert server.calls("eval") == 2


@pytest.mark.fault
async def test_a_command_whose_reply_was_lost_is_not_sent_again(server: RedisServer) -> None:
    script = new_script("return redis.call('INCR', KEYS[1])")
    with proxy(server.port) as between:
        async with Connection(between.url, timeout=5.0) as connection:
            assert await connection.script(script, ["n"]) == 1
            between.lose_replies(1, to=b"EVALSHA")
            with pytest.raises(RedisFailed):
                await connection.script(script, ["n"])
            assert between.lost == 1
            assert await connection.script(script, ["n"]) == 3


@pytest.mark.fault
async def test_a_timeout_ends_a_command_and_its_connection(server: RedisServer) -> None:
    async with Connection(server.url, timeout=0.05) as connection:
        await connection.open()
        server.pause()
        with pytest.raises(RedisFailed, match=r"no reply within 0\.05 s"):
            await connection.call("SET", "key", "value")
        server.resume()
        await until(lambda: server.client.get("key") == "value")
        assert await connection.call("GET", "key") == b"value"
        await connection.call("BLPOP", "none", 0.1, timeout=5.0)


async def test_a_redis_far_away_can_be_connected_to_in_spite_of_a_short_timeout(
    server: RedisServer,
) -> None:
    with proxy(server.port, delay=0.04) as between:
        async with Connection(between.url, timeout=0.15) as connection:
            for _ in range(3):
                await connection.call("PING")


@pytest.mark.fault
async def test_cancelled_commands_mix_up_no_replies(server: RedisServer) -> None:
    """A reply that a cancelled command left in a connection would go to the next one."""
    with proxy(server.port, delay=0.001) as between:
        async with Connection(between.url, timeout=5.0) as connection:
            cancelled = 0
            for number in range(150):
                tasks = [
                    asyncio.create_task(connection.call("ECHO", f"{number}-{n}")) for n in range(4)
                ]
                await asyncio.sleep((number % 8) * 0.0005)
                tasks[number % 4].cancel()
                replies = await asyncio.gather(*tasks, return_exceptions=True)
                cancelled += sum(isinstance(r, asyncio.CancelledError) for r in replies)
                assert [
                    reply
                    for n, reply in enumerate(replies)
                    if reply != f"{number}-{n}".encode()
                    and not isinstance(reply, asyncio.CancelledError)
                ] == []
            assert cancelled > 50


async def test_an_outage_is_logged_once_and_its_end(
    server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "aiopresence")
    one, two = (Connection(server.url, timeout=5.0) for _ in range(2))
    async with one, two:
        await one.open()
        server.kill()
        for connection in (one, two, one):
            with pytest.raises(RedisFailed) as caught:
                await connection.call("PING")
        assert caught.value.__cause__ is caught.value.__context__ is None
        assert kind_of(caught.value) is Kind.OTHER
        server.start()
        await two.call("PING")
        await one.call("PING")
    assert [(r.levelname, r.message.partition(": ")[0]) for r in caplog.records] == [
        ("WARNING", f"redis://127.0.0.1:{server.port} does not work"),
        ("WARNING", f"redis://127.0.0.1:{server.port} works again"),
    ]


@pytest.mark.parametrize("command", [("NONSENSE", PASSWORD), ("LPUSH", "key", PASSWORD)])
async def test_a_refused_command_is_no_outage_and_does_not_quote_it(
    server: RedisServer, command: tuple[str, ...], caplog: pytest.LogCaptureFixture
) -> None:
    async with Connection(server.url, timeout=5.0) as connection:
        for _ in range(2):
            await connection.call("SET", "key", "text")
            with pytest.raises(RedisFailed, match="refused a command") as caught:
                await connection.call(*command)
    assert isinstance(caught.value, PresenceError)
    assert PASSWORD not in "".join(traceback.format_exception(caught.value))
    assert [record.message for record in caplog.records] == [str(caught.value)]  # Only once.
    assert PASSWORD not in caplog.text


async def test_a_refused_subscription_is_logged(
    server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    client: Any = server.client
    client.execute_command("ACL", "SETUSER", "default", "resetchannels")
    async with Connection(server.url, timeout=5.0) as connection:
        connection.subscribe("channel", lambda _: None)
        await until(lambda: "no permissions to access" in caplog.text)


@pytest.mark.fault
async def test_no_error_or_log_shows_the_password(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    shown: list[str] = []
    with redis_server(requirepass=PASSWORD) as server:
        host = f"127.0.0.1:{server.port}"
        assert PASSWORD in server.url
        for url in (server.url, f"redis://:{PASSWORD}-no@{host}", f"redis://{PASSWORD}:x@{host}"):
            async with Connection(url, timeout=5.0) as connection:
                for _ in range(2):
                    try:
                        await connection.call("PING")
                        server.kill()
                    except RedisFailed as error:
                        shown += [*traceback.format_exception(error), repr(error)]
                server.restart()
                shown.append(repr(connection))
    assert sum("refused the user or the password" in text for text in shown) == 8
    assert PASSWORD not in caplog.text + "".join(shown)


async def test_messages_are_received_also_after_a_reconnection(server: RedisServer) -> None:
    received: list[bytes | None] = []
    async with Connection(server.url, timeout=5.0) as connection:
        connection.subscribe("channel", received.append)
        await until(lambda: received == [None])
        server.client.publish("channel", b"\xff")
        await until(lambda: len(received) == 2)
        server.restart()
        await until(lambda: len(received) == 3)
        server.client.publish("channel", "two")
        await until(lambda: len(received) == 4)
    assert received == [None, b"\xff", None, b"two"]
    assert int(server.client.pubsub_numsub("channel")[0][1]) == 0


@pytest.mark.fault
async def test_a_silent_subscription_is_replaced(
    server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aiopresence.redis.subscription._SILENCE", 0.05)
    monkeypatch.setattr("aiopresence.redis.connection.CONNECTING", 0.1)
    received: list[bytes | None] = []
    with proxy(server.port) as between:
        async with Connection(between.url, timeout=0.1) as connection:
            connection.subscribe("channel", received.append)
            await until(lambda: received == [None])
            await asyncio.sleep(0.2)
            assert received == [None]  # It answers pings.
            before = between.connections
            between.cut()
            await until(lambda: between.connections > before)
            between.mend()
            await until(lambda: len(received) == 2)
            server.client.publish("channel", "news")
            await until(lambda: received == [None, None, b"news"])


async def test_a_cluster(cluster: RedisCluster) -> None:
    received: list[bytes | None] = []
    async with Connection(cluster.url, timeout=5.0) as connection:
        await connection.open()
        connection.subscribe("channel", received.append)
        keys = [connection.key(str(n), "a") for n in range(20)]
        for key in keys:
            assert await connection.script(ECHO, [key], ["1", 2]) == [
                key.encode(),
                b"1",
                b"2",
                None,
            ]
            await connection.call("XADD", key, "1-1", "name", "value")
            reply = await connection.call("XREAD", "STREAMS", key, "0")
            assert reply == [[key.encode(), [[b"1-1", [b"name", b"value"]]]]]
        assert all(node.calls("evalsha") for node in cluster.nodes)
        await until(lambda: received == [None])
        for node in cluster.nodes:
            node.client.publish("channel", str(node.port))
        await until(lambda: len(received) == 4)


async def test_a_users_cluster_client(cluster: RedisCluster) -> None:
    received: list[bytes | None] = []
    url = cluster.url.replace("+cluster", "").partition(",")[0]
    client = redis.asyncio.RedisCluster.from_url(url)
    async with Connection(client, timeout=5.0) as connection:
        connection.subscribe("channel", received.append)
        assert await connection.script(ECHO, ["k"], ["1", 2]) == [b"k", b"1", b"2", None]
        await until(lambda: received == [None])
        assert connection.address.startswith("redis+cluster://")
    assert await client.get("other") is None
    await client.aclose()


@pytest.mark.fault
async def test_a_node_of_a_cluster_that_hangs_stops_no_other(cluster: RedisCluster) -> None:
    hanging = cluster.nodes[0]
    async with Connection(cluster.url, timeout=0.2) as connection:
        keys = [connection.key(str(n), "a") for n in range(12)]
        for key in keys:
            await connection.call("SET", key, "1")
        concerned = {*hanging.client.keys()}
        first, *_ = concerned
        hanging.pause()  # For less than a second: then the whole cluster would be down.
        with pytest.raises(RedisFailed):
            await connection.call("GET", first)
        for key in {*keys} - concerned:
            assert await connection.call("GET", key) == b"1"
        hanging.resume()
        assert await connection.call("GET", first) == b"1"


async def test_sentinel_failover(sentinel: RedisSentinel) -> None:
    async with Connection(sentinel.url, timeout=1.0) as connection:
        await connection.call("SET", "key", "value")
        assert sentinel.primary.calls("set") == 1
        await asyncio.to_thread(sentinel.fail_over)
        with pytest.raises(RedisFailed):
            await connection.call("GET", "key")
        async with asyncio.timeout(10):
            while True:
                with suppress(RedisFailed):
                    await connection.call("SET", "key", "value")
                    break
                await asyncio.sleep(0.05)
        assert sentinel.replica.client.get("key") == "value"


def make_certificate(folder: Path) -> tuple[Path, Path]:
    """Write the key and the certificate of "localhost", which is its own authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    hosts = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(hosts), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    paths = folder / "key.pem", folder / "certificate.pem"
    paths[0].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    paths[1].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    return paths


async def test_tls(tmp_path: Path) -> None:
    key, certificate = make_certificate(tmp_path)
    files = {"tls_cert_file": certificate, "tls_key_file": key, "tls_ca_cert_file": certificate}
    port = free_port()
    with redis_server(bind="127.0.0.1 127.0.0.2", tls_port=port, tls_auth_clients="no", **files):
        url = f"rediss://localhost:{port}"
        async with Connection(f"{url}?ssl_ca_certs={certificate}", timeout=5.0) as connection:
            assert await connection.call("ECHO", "hello") == b"hello"
        for wrong in (url, f"rediss://127.0.0.2:{port}?ssl_ca_certs={certificate}"):
            async with Connection(wrong, timeout=5.0) as connection:
                with pytest.raises(RedisFailed, match="certificate verify failed"):
                    await connection.call("PING")


async def test_nothing_is_left_open(server: RedisServer) -> None:
    async with Connection(server.url, timeout=5.0) as connection:
        connection.subscribe("channel", lambda _: None)
        await connection.call("PING")
        assert len(server.client.client_list()) >= 2
    await until(lambda: len(server.client.client_list()) == 1)
    assert len(asyncio.all_tasks()) == 1
    gc.collect()  # Warnings about unclosed connections are errors.
