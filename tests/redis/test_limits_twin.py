"""`limits.lua` on a real Redis and its twin in Python decide alike, whatever happens."""

import hashlib
from collections.abc import Iterator
from random import Random
from typing import Any

import attrs
import orjson
import pytest
import redis
from hypothesis import given, settings, strategies as st

from aiopresence.redis.limit_calls import read_reply
from aiopresence.redis.login_limits import SCRIPT
from tests.support.limits_twin import Twin
from tests.support.redis_servers import RedisServer, redis_server

# The time and the server are those of the test.
TEXT = SCRIPT.text.replace("redis.call('TIME')", "redis.call('LRANGE', 'time', 0, 1)").replace(
    "redis.pcall('INFO', 'server')", "redis.call('GET', 'info')"
)
NAMES = ("a", "b", "c")
START = 1_700_000_000_000
FAULTS = ("flush", "server", "lost", "lost", "late", "bye", "ahead", "back", "new")


@pytest.fixture(scope="module")
def scripted() -> Iterator[RedisServer]:
    with redis_server() as server:
        server.client.script_load(TEXT)
        yield server


class OnRedis:
    """The script on a real Redis."""

    def __init__(self, client: redis.Redis) -> None:
        self.client = client
        self.sha = hashlib.sha1(TEXT.encode()).hexdigest()  # noqa: S324 - as Redis names scripts
        client.flushall()

    def run(self, raw: int, run: str, values: list[Any]) -> list[Any] | None:
        with self.client.pipeline(transaction=False) as pipe:
            pipe.delete("time")
            pipe.rpush("time", raw // 1000, raw % 1000 * 1000)
            pipe.set("info", f"redis_version:7\r\nrun_id:{run}\r\n")
            pipe.evalsha(self.sha, 2, "owner", "group", orjson.dumps(values), "channel")
            reply = read_reply(pipe.execute()[-1])
        return None if reply is None else [*attrs.astuple(reply)]

    def flush(self) -> None:
        self.client.flushall()


@attrs.define
class Client:
    """A process, as the script sees it."""

    calls: int = 0
    reports: int = 0
    next_id: int = 1
    epoch: str = ""
    at: int = -1
    called: int = 0
    held: dict[int, tuple[int, int, int]] = attrs.field(factory=dict)
    unconfirmed: list[list[int]] = attrs.field(factory=list)
    lists: bool = False
    stated: tuple[int, int, int] = (0, 0, 0)
    penalty: int = 0


def random_steps(random: Random, count: int) -> Iterator[dict[str, Any]]:
    """Yield what happens one after the other, mostly the usual."""

    def often(usual: Any, *others: Any, odds: float = 0.3) -> Any:
        return random.choice(others) if random.random() < odds else usual

    def report() -> list[int]:
        """Return the index of a slot, and the values of a report behind those of the slot."""
        stated = [often(-1, 5, 5, 6, 8), often(-1, 1000, 1000, 900, 2000, 60_000, odds=0.1)]
        stated.append(often(-1, 0, 1, 3, 4, 5, 7, odds=0.2))
        kind, age = often(1, 2, 2, 3, 4, 5, odds=0.15), often(20, 0, 5, 100, 900)
        retry = often(1000, -1, 2000, odds=0.2)
        return [random.randrange(9), kind, age, *stated, retry, int(random.random() < 0.1)]

    for _ in range(count):
        wants = {often(0, 2): random.randint(1, 9) for _ in range(random.randint(0, 2))}
        yield {
            "who": random.choice(NAMES),
            "wait": often(15, 0, 1, 60, 260, 300, 1020, 1100, 2100, 5001, 8000, 12_000),
            "wants": sorted(wants.items()),
            "reports": [report() for _ in range(random.randint(0, 4))],
            "fault": often("", *FAULTS, odds=0.1),
        }


def values_of(client: Client, name: str, seats: int, now: int, wanted: dict[str, Any]) -> list[Any]:
    """Return the next call of a process."""
    for index, kind, *stated in wanted["reports"]:
        ids = [*client.held]
        slot = client.held.pop(ids[index % len(ids)], None) if ids else None
        id_ = ids[index % len(ids)] if ids else 0
        client.reports += 1
        head = [client.reports, kind, id_, *(slot or (0, -1, 0))]
        client.unconfirmed.append([*head, *stated])
    client.calls += 1
    limit, window, stated = client.stated
    is_last = wanted["fault"] == "bye"  # Then nothing is wanted.
    return [
        *(name, client.calls, client.epoch, client.at, now - client.called, client.next_id),
        [*client.held] if client.lists else len(client.held),
        client.unconfirmed,
        [] if is_last else [[*want] for want in wanted["wants"]],
        *(limit or 5, window or 1000, stated, client.penalty),
        *(seats, name if seats else "", int(is_last)),
    ]


def learn(client: Client, reply: list[Any], values: list[Any], now: int) -> None:
    """Use a reply as a process does."""
    epoch, at, limit, window = reply[:4]
    grants, number, penalties, in_use = reply[11], reply[9], reply[8], reply[10]
    for i in range(sum(grants)):
        client.held[client.next_id + i] = (number + i, penalties, in_use + i)
    client.epoch, client.at, client.called = epoch, at, now
    client.lists = bool(reply[14])
    client.unconfirmed = [each for each in client.unconfirmed if each[0] > reply[17]]
    client.stated, client.penalty = (limit, window, reply[19]), reply[18]


@settings(deadline=None, max_examples=60)
@given(seed=st.integers(0, 2**32), seats=st.sampled_from([0, 0, 3]))
def test_script_and_twin_decide_alike(scripted: RedisServer, seed: int, seats: int) -> None:
    script, twin = OnRedis(scripted.client), Twin()
    clients = {name: Client() for name in NAMES}
    now, jumped, server = START, 0, 1
    for wanted in random_steps(Random(seed), 150):  # noqa: S311 - no secret
        name, fault = wanted["who"], wanted["fault"]
        now += wanted["wait"]
        jumped += {"ahead": 3_600_000, "back": -3_600_000}.get(fault, 0)
        server += fault == "server"
        if fault == "flush":
            script.flush()
            twin.flush()
        if fault == "new":
            clients[name] = Client(calls=clients[name].calls, reports=clients[name].reports)
        client = clients[name]
        values = values_of(client, name, seats, now, wanted)
        if fault == "late":
            values[1] = 0
        raw = now + jumped
        replies = [each.run(raw, f"server{server}", values) for each in (script, twin)]
        assert replies[0] == replies[1]
        if replies[1] is not None and fault != "lost":
            learn(client, replies[1], values, now)
        else:
            client.lists = True
        client.next_id += sum(count for _, count in wanted["wants"])
