"""Real Redis servers on free ports, in temporary directories, which end with the test process.

A test that needs one is skipped where redis-server is missing.
"""

import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from redis import Redis, RedisError
from redis.backoff import NoBackoff
from redis.retry import Retry

from tests.support import canaries
from tests.support.ports import HOST, free_port

# A command whose reply was lost is not sent again.
NEVER = Retry(NoBackoff(), 0)
SLOTS = 16384
EMPTY = '""'
_OPTIONS: dict[str, object] = {
    "bind": HOST,
    "save": "",
    "appendfsync": "always",
    "enable-debug-command": "yes",
    "repl-diskless-sync-delay": 0,
    "repl-ping-replica-period": 1,
    "cluster-node-timeout": 1000,
    "unixsocket": "socket",
    "logfile": "log",
}


def require_redis() -> None:
    """Skip the test where redis-server is not installed."""
    if shutil.which("redis-server") is None:
        import pytest  # Benchmarks use servers, too, and do without it.

        pytest.skip("redis-server is not installed: apt-get install redis-server")


def wait_until(
    condition: Callable[[], object], what: str, timeout: float = 10.0, interval: float = 0.005
) -> None:
    """Wait until a condition is true; errors of Redis mean that it is not.

    Raises:
        TimeoutError: it did not become true.
    """
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        with suppress(RedisError, OSError):
            if condition():
                return
        time.sleep(interval)
    raise TimeoutError(what)


# Returns the value of a key, by its type.
_READ: dict[bytes, Callable[[Any, bytes], object]] = {
    b"string": lambda client, key: client.get(key),
    b"hash": lambda client, key: client.hgetall(key),
    b"list": lambda client, key: client.lrange(key, 0, -1),
    b"set": lambda client, key: client.smembers(key),
    b"zset": lambda client, key: client.zrange(key, 0, -1),
    b"stream": lambda client, key: client.xrange(key),
    b"none": lambda client, key: None,  # has expired meanwhile
}


class RedisServer:
    """One redis-server, started when it is made.

    Args:
        options: settings of redis.conf, with "_" for "-", such as `appendonly="yes"`.
        sentinel_conf: the text of a Sentinel's configuration; None for a server with data.
        environment: its environment variables; None for those of the tests.

    Attributes:
        port: its port on 127.0.0.1; it stays the same after a restart.
        folder: its files; they stay over a restart.
        url: its address for redis-py.
        client: a synchronous client, which decodes replies and never sends a command twice.
    """

    def __init__(
        self,
        *,
        sentinel_conf: str | None = None,
        environment: dict[str, str] | None = None,
        **options: object,
    ) -> None:
        self.port = free_port()
        self.folder = Path(mkdtemp(prefix="redis-"))
        self.environment = environment
        self._sentinel_conf = sentinel_conf
        self._options = _OPTIONS | {k.replace("_", "-"): v for k, v in options.items()}
        password = self._options.get("requirepass")
        self.url = f"redis://{f':{password}@' if password else ''}{HOST}:{self.port}"
        self.unix_url = f"unix://{f':{password}@' if password else ''}{self.folder / 'socket'}"
        self.client: Redis = Redis.from_url(self.url, decode_responses=True, retry=NEVER)
        self._process: subprocess.Popen[bytes] | None = None
        self._is_paused = False
        canaries.register(str(password or ""))
        self._write_conf()
        self.start()

    def _write_conf(self) -> None:
        conf = self.folder / "redis.conf"
        if self._sentinel_conf is None:
            pairs = {**self._options, "port": self.port, "dir": self.folder}
            lines = [f"{name} {value if value != '' else EMPTY}" for name, value in pairs.items()]
        else:
            lines = [f"port {self.port}", f"bind {HOST}", f"dir {self.folder}", "logfile log"]
            lines.append(self._sentinel_conf)
        conf.write_text("\n".join(lines) + "\n")

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def command(self, *words: object) -> Any:
        """Send any command."""
        return self.client.execute_command(*words)  # type: ignore[no-untyped-call]

    def start(self) -> None:
        """Start it, and wait until it answers; with the data that it has kept."""
        assert not self.is_running
        command = ["redis-server", "redis.conf"]
        if self._sentinel_conf is not None:
            command.append("--sentinel")
        if setpriv := shutil.which("setpriv"):  # It ends with the tests, whatever ends them.
            command = [setpriv, "--pdeathsig", "KILL", *command]
        self._process = subprocess.Popen(  # noqa: S603 - a fixed command
            command,
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is for the tests, which then stop it.
        )
        wait_until(self._answers, f"redis-server does not answer: {self.folder / 'log'}")

    def _answers(self) -> bool:
        assert self.is_running, f"redis-server ended: {self.log()}"
        with socket.create_connection((HOST, self.port), 1.0):
            pass
        return bool(self.client.ping()) and not self.client.info("persistence").get("loading")

    def log(self) -> str:
        """Return what the server logged."""
        with suppress(OSError):
            return (self.folder / "log").read_text()
        return ""

    def stop(self) -> None:
        """Stop it as an operator does: it saves what it is configured to save."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Kill it; without an AOF its data is lost."""
        self._end(signal.SIGKILL)

    def _end(self, number: signal.Signals) -> None:
        process, self._process = self._process, None
        self._is_paused = False
        if process is not None:
            with suppress(ProcessLookupError):
                process.send_signal(signal.SIGCONT)
                process.send_signal(number)
            process.wait(10)
        self.client.connection_pool.disconnect()

    def _show_contents(self) -> None:
        """Have the names of all keys searched for secrets, and all values but those of tokens."""
        client: Any = Redis.from_url(self.url, retry=NEVER, socket_timeout=1.0)
        with suppress(RedisError, OSError), closing(client):
            for key in client.scan_iter(count=1000):
                canaries.see("a key of Redis", key)
                if not key.endswith(b":token:token"):
                    kind = client.type(key)
                    canaries.see(f"{key.decode()} of Redis", repr(_READ[kind](client, key)))

    def pause(self) -> None:
        """Stop its process: connections stay open, and nothing is answered."""
        assert self._process is not None
        self._is_paused = True
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Continue after `pause`."""
        assert self._process is not None
        self._is_paused = False
        self._process.send_signal(signal.SIGCONT)

    def restart(self, after: float = 0.0, *, kill: bool = True) -> None:
        """End it and start it again after some seconds; for more see `kill`, `stop`, `start`."""
        if kill:
            self.kill()
        else:
            self.stop()
        time.sleep(after)
        self.start()

    def close(self) -> None:
        """End it and delete its files."""
        if self.is_running and not self._is_paused and self._sentinel_conf is None:
            self._show_contents()
        self.kill()
        self.client.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def command_stats(self) -> dict[str, dict[str, float]]:
        """Return calls, usec and usec_per_call by command, in lower case; for round trips."""
        stats = self.client.info("commandstats")
        return {name.removeprefix("cmdstat_"): value for name, value in stats.items()}

    def calls(self, *commands: str) -> int:
        """Return how often the commands were called by clients or scripts."""
        stats = self.command_stats()
        return sum(int(stats[name]["calls"]) for name in commands if name in stats)

    def reset_stats(self) -> None:
        """Set the counters of `command_stats` to zero."""
        self.client.config_resetstat()


@contextmanager
def redis_server(**options: Any) -> Iterator[RedisServer]:
    """Run one server; `appendonly="yes"` keeps its data over `kill`."""
    require_redis()
    server = RedisServer(**options)
    try:
        yield server
    finally:
        server.close()


class RedisCluster:
    """Three nodes with a third of the slots each, without replicas."""

    def __init__(self, nodes: list[RedisServer]) -> None:
        self.nodes = nodes
        self.url = "redis+cluster://" + ",".join(f"{HOST}:{node.port}" for node in nodes)

    def calls(self, *commands: str) -> int:
        """Return how often the commands were called, on all nodes together."""
        return sum(node.calls(*commands) for node in self.nodes)

    def reset_stats(self) -> None:
        """Set the counters of all nodes to zero."""
        for node in self.nodes:
            node.reset_stats()

    def flush(self) -> None:
        """Delete all data."""
        for node in self.nodes:
            node.client.flushall()


@contextmanager
def redis_cluster(**options: Any) -> Iterator[RedisCluster]:
    """Run a cluster of three nodes. Redis takes two seconds to accept writes after its start."""
    require_redis()
    nodes: list[RedisServer] = []
    try:
        for _ in range(3):
            nodes.append(RedisServer(cluster_enabled="yes", **options))  # noqa: PERF401 - closed
        _join(nodes)
        yield RedisCluster(nodes)
    finally:
        for node in nodes:
            node.close()


def _join(nodes: list[RedisServer]) -> None:
    edges = [SLOTS * n // 3 for n in range(4)]
    for node, first, last in zip(nodes, edges, edges[1:], strict=False):
        node.command("CLUSTER ADDSLOTSRANGE", first, last - 1)
        node.command("CLUSTER SET-CONFIG-EPOCH", nodes.index(node) + 1)
    for node in nodes[1:]:
        nodes[0].command("CLUSTER MEET", HOST, node.port)
    for node in nodes:
        wait_until(lambda node=node: _is_ready(node), "the cluster is not ready")  # type: ignore[misc]


def _is_ready(node: RedisServer) -> bool:
    info = node.command("CLUSTER INFO")
    return bool(info["cluster_state"] == "ok" and info["cluster_known_nodes"] == "3")


class RedisSentinel:
    """A primary with a replica, and a Sentinel that makes the replica the primary.

    Attributes:
        primary: the first primary.
        replica: the first replica.
        sentinel: the Sentinel.
        url: the address for this library.
    """

    NAME = "presence"

    def __init__(self, primary: RedisServer, replica: RedisServer, sentinel: RedisServer) -> None:
        self.primary = primary
        self.replica = replica
        self.sentinel = sentinel
        self.url = f"redis+sentinel://{HOST}:{sentinel.port}/{self.NAME}"

    @property
    def primary_port(self) -> int:
        """The port of the primary that the Sentinel tells clients."""
        reply = self.sentinel.command("SENTINEL GET-MASTER-ADDR-BY-NAME", self.NAME)
        return int(reply[1])

    def fail_over(self) -> float:
        """Kill the primary, wait until the replica is the primary, and return the seconds."""
        started = time.monotonic()
        self.primary.kill()
        wait_until(
            lambda: (
                self.primary_port == self.replica.port
                and self.replica.client.info("replication")["role"] == "master"
            ),
            "the Sentinel has not made the replica the primary",
            30.0,
        )
        return time.monotonic() - started


@contextmanager
def redis_sentinel(**options: Any) -> Iterator[RedisSentinel]:
    """Run a primary, a replica and a Sentinel; a failover takes two to three seconds."""
    require_redis()
    servers: list[RedisServer] = []
    try:
        servers.append(RedisServer(**options))
        primary = servers[0]
        servers.append(RedisServer(replicaof=f"{HOST} {primary.port}", **options))
        name = RedisSentinel.NAME
        servers.append(
            RedisServer(
                sentinel_conf=f"sentinel monitor {name} {HOST} {primary.port} 1\n"
                f"sentinel down-after-milliseconds {name} 500\n"
                f"sentinel failover-timeout {name} 2000\n"
            )
        )
        cluster = RedisSentinel(servers[0], servers[1], servers[2])
        wait_until(
            lambda: primary.client.info("replication").get("slave0", {}).get("state") == "online",
            "the replica is not connected",
        )
        wait_until(
            lambda: cluster.sentinel.command("SENTINEL REPLICAS", name),
            "the Sentinel does not know the replica",
            30.0,
        )
        yield cluster
    finally:
        for server in servers:
            server.close()
