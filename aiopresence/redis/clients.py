"""Make a client of redis-py from a URL, and find out the address of one.

Clients made here never send a command twice: retries are off, because a command whose reply was
lost may have been executed. They speak RESP2 and return replies as they come.

The time limit of a command is `Connection`'s. A client of a Cluster has a slightly shorter one of
its own: it is how redis-py finds out that a node does not respond, and looks for the nodes again.
"""

from typing import Any, cast
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit

import attrs
from redis.asyncio import Redis, RedisCluster
from redis.asyncio.cluster import ClusterNode
from redis.asyncio.connection import SSLConnection, parse_url
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel
from redis.backoff import NoBackoff

from ..errors import UsageError

# It has no types.
_new_sentinel: Any = Sentinel

FORMS = (
    "redis://[user:password@]host[:port][/db], rediss:// for TLS, unix:///path,"
    " redis+sentinel://host[:port],host[:port]/name or redis+cluster://host[:port]"
)
# The part of a time limit after which redis-py gives up.
_PART = 0.9
# The least seconds for a new connection: with TLS, a password and a Cluster that is a dozen round
# trips, over which a time limit for one would never be kept on a long way. A guess.
CONNECTING = 1.0
_PORTS = {"": 6379, "cluster": 6379, "sentinel": 26379}


@attrs.frozen(eq=False)
class Client:
    """A client of redis-py.

    Attributes:
        redis: the client.
        address: where it connects to, for messages: without user, password and options.
        is_ours: whether it was made from a URL, and has to be closed.
    """

    redis: Redis | RedisCluster
    address: str
    is_ours: bool

    @property
    def socket_timeout(self) -> float | None:
        """The seconds after which redis-py itself gives up waiting for a reply; None for never."""
        client: Any = self.redis
        is_cluster = isinstance(client, RedisCluster)
        holder = client.nodes_manager if is_cluster else client.connection_pool
        timeout: float | None = holder.connection_kwargs.get("socket_timeout")
        return timeout

    async def close(self) -> None:
        """Close the connections, unless the client was given by the user."""
        if not self.is_ours:
            return
        await self.redis.aclose()
        pool = getattr(self.redis, "connection_pool", None)
        if manager := getattr(pool, "sentinel_manager", None):
            for sentinel in manager.sentinels:
                await sentinel.aclose()


def new_client(redis: str | Redis | RedisCluster, timeout: float) -> Client:
    """Return a client for a URL, or for a client of the user.

    Args:
        redis: the URL or the client.
        timeout: the seconds in which a command must be done.

    Raises:
        UsageError: it is neither. The message does not quote it: a URL has a password.
    """
    if isinstance(redis, RedisCluster):
        return Client(redis, _cluster_address(redis), is_ours=False)
    if isinstance(redis, Redis):
        pool = redis.connection_pool
        # Another client of the same connections, so that replies are not converted.
        return Client(
            _without_callbacks(Redis(connection_pool=pool)), _address(pool), is_ours=False
        )
    if not isinstance(redis, str):
        raise UsageError(
            f"redis must be a Redis or RedisCluster of redis.asyncio, or a URL: {FORMS}"
        )
    try:
        return _from_url(urlsplit(redis), timeout)
    except Exception:
        # Whatever it was about, the message may quote a part of the URL.
        error = UsageError(f"redis is not a valid URL; it must have one of these forms: {FORMS}")
    raise error


def _from_url(url: SplitResult, timeout: float) -> Client:
    base, _, kind = url.scheme.partition("+")
    if base not in ("redis", "rediss", "unix") or kind not in _PORTS or (base == "unix" and kind):
        raise ValueError
    user, at, netloc = url.netloc.rpartition("@")
    hosts = [_host_and_port(each, _PORTS[kind]) for each in netloc.split(",")]
    name, path = "", url.path
    if kind == "sentinel":
        name, _, db = url.path.strip("/").partition("/")
        path = f"/{db}"
        if not name:
            raise ValueError
    if len(hosts) > 1 and not kind:
        raise ValueError
    # Of several hosts only the first one; the others differ in nothing else.
    plain = urlunsplit((base, f"{user}{at}{netloc.split(',')[0]}", path, url.query, ""))
    options: dict[str, Any] = {
        **parse_url(plain),
        "retry": Retry(NoBackoff(), 0),
        "protocol": 2,
        "socket_timeout": _PART * timeout if kind == "cluster" else None,
        "socket_connect_timeout": _PART * max(timeout, CONNECTING),
    }
    if base == "rediss":
        # Older versions of redis-py do not check it by default.
        options.setdefault("ssl_check_hostname", True)
    address = f"{url.scheme}://{netloc}{url.path}"
    make = {"": _single, "cluster": _cluster, "sentinel": _sentinel}[kind]
    client = _without_callbacks(make(options, hosts, unquote(name)))
    return Client(client, address, is_ours=True)


def _host_and_port(text: str, port: int) -> tuple[str, int]:
    parts = urlsplit(f"//{text}")
    return unquote(parts.hostname or "localhost"), parts.port or port


def _single(options: dict[str, Any], hosts: list[tuple[str, int]], name: str) -> Redis:
    del hosts, name
    kind = options.pop("connection_class", None)
    if kind is SSLConnection:
        options["ssl"] = True
    elif "path" in options:
        options["unix_socket_path"] = options.pop("path")
    elif kind is not None:
        raise ValueError
    return Redis(**options)


def _cluster(options: dict[str, Any], hosts: list[tuple[str, int]], name: str) -> RedisCluster:
    del name
    is_tls = options.pop("connection_class", None) is SSLConnection
    del options["host"]
    options.pop("port", None)
    nodes = [ClusterNode(*host) for host in hosts]
    return RedisCluster(startup_nodes=nodes, ssl=is_tls, **options)


def _sentinel(options: dict[str, Any], hosts: list[tuple[str, int]], name: str) -> Redis:
    is_tls = options.pop("connection_class", None) is SSLConnection
    del options["host"]
    options.pop("port", None)
    options["ssl"] = is_tls
    common = ("retry", "protocol", "socket_", "ssl")
    of_sentinels = {key: value for key, value in options.items() if key.startswith(common)}
    # They are asked one after the other, and some may not respond.
    limit = options["socket_connect_timeout"] / len(hosts)
    of_sentinels |= {"socket_timeout": limit, "socket_connect_timeout": limit}
    manager: Any = _new_sentinel(hosts, sentinel_kwargs=of_sentinels)
    return cast(Redis, manager.master_for(name, **options))


def _without_callbacks(client: Any) -> Any:
    """Stop a client of ours from converting the replies that `Connection` is asked for."""
    for command in ("XREAD", "HSCAN", "HGETALL", "INFO"):
        client.response_callbacks.pop(command, None)
    return client


def _address(pool: Any) -> str:
    """Return the address to which the connections of a pool lead."""
    options = pool.connection_kwargs
    if name := getattr(pool, "service_name", None):
        return f"redis+sentinel:///{name}"
    if path := options.get("path"):
        return f"unix://{path}"
    return f"redis://{options.get('host', 'localhost')}:{options.get('port', 6379)}"


def _cluster_address(client: Any) -> str:
    nodes = [*client.nodes_manager.startup_nodes.values()]
    return "redis+cluster://" + ",".join(f"{node.host}:{node.port}" for node in nodes[:1])
