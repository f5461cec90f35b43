"""`limits.lua` on a real Redis and its twin in Python decide alike, whatever happens."""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator
from random import Random
from typing import Any

import attrs
import orjson
import pytest
import redis
from hypothesis import given, strategies as st

from aiopresence.redis.limit_calls import read_reply
from aiopresence.redis.login_limits import SCRIPT
from tests.support.limits_twin import Twin
from tests.support.redis_servers import RedisServer, redis_server

# The time and the server are those of the test, which also reads what is published.
TEXT = SCRIPT.text
for of_redis, of_the_test in (
    ("redis.call('TIME')", "redis.call('LRANGE', 'time', 0, 1)"),
    ("redis.pcall('INFO', 'server')", "redis.call('GET', 'info')"),
    ("redis.pcall('PUBLISH', ARGV[2],", "redis.call('SET', 'published',"),
):
    assert of_redis in TEXT
    TEXT = TEXT.replace(of_redis, of_the_test)
NAMES = ("a", "b", "c")
START = 1_700_000_000_000
FAULTS = (
    *("flush", "owner", "group", "unreadable", "server", "lost", "lost", "late", "bye", "ahead"),
    *("back", "new"),
)
# Values of a key that the script has not written; the last one is one of a list.
UNREADABLE = (b"", b"{}", b"\xff\x00nan", b"\x81\xa1x\x01", None)


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
        self.published: str | None = None
        client.flushall()

    def run(self, raw: int, run: str, values: list[Any], name: str) -> list[Any] | None:
        with self.client.pipeline(transaction=False) as pipe:
            pipe.delete("time")
            pipe.rpush("time", raw // 1000, raw % 1000 * 1000)
            pipe.set("info", f"redis_version:7\r\nrun_id:{run}\r\n")
            pipe.delete("published")
            pipe.evalsha(self.sha, 2, "owner", name, orjson.dumps(values), "channel")
            pipe.get("published")
            *_, reply, published = pipe.execute()
        self.published = published
        reply = read_reply(reply)
        return None if reply is None else [*attrs.astuple(reply)]

    def flush(self) -> None:
        self.client.flushall()

    def forget(self, key: str) -> None:
        self.client.delete(key)

    def spoil(self, key: str, value: bytes | None) -> None:
        self.client.delete(key)
        if value is None:
            self.client.rpush(key, "x")
        else:
            self.client.set(key, value)


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


@attrs.define
class Step:
    """What happens next: a call of a process, after some time.

    Attributes:
        who: the process.
        wait: the ms since the last step.
        wants: how many requests wait, by the slots that they leave free.
        reports: how requests have ended; see `report`.
        fault: what else happens, one of FAULTS.
        group: the group of the requests.
        seats: the number of seats.
        name: the name of the seat; None for that of the process.
    """

    who: str
    wait: int = 0
    wants: list[tuple[int, int]] = attrs.field(factory=list)
    reports: list[list[int]] = attrs.field(factory=list)
    fault: str = ""
    group: str = "group"
    seats: int = 0
    name: str | None = None


def report(
    *, index: int = 0, kind: int = 1, age: int = 0, limit: int = -1, window: int = -1,
    remaining: int = -1, retry: int = -1, all_groups: bool = False,
) -> list[int]:  # fmt: skip
    """Return the index of a slot that is held, and the values of a report behind its own."""
    return [index, kind, age, limit, window, remaining, retry, int(all_groups)]


def random_steps(random: Random, count: int, seats: int) -> Iterator[Step]:
    """Yield what happens one after the other, mostly the usual."""

    def often(usual: Any, *others: Any, odds: float = 0.3) -> Any:
        return random.choice(others) if random.random() < odds else usual

    # Limits that no response states are guessed; of large ones many are in flight.
    states_limits, limit = random.random() < 0.7, random.choice([1, 2, 5, 5, 5, 50])

    def random_report() -> list[int]:
        stated = [-1, -1]
        if states_limits:
            stated = [
                often(-1, limit, limit, limit + 1, limit + 3, 0),
                often(-1, 1000, 1000, 900, 2000, 60_000, 10_000, 100, 0, 1, odds=0.1),
            ]
        return report(
            index=random.randrange(9),
            kind=often(1, 2, 2, 3, 4, 5, odds=0.15),
            age=often(20, 0, 5, 100, 900),
            limit=stated[0],
            window=stated[1],
            remaining=often(-1, 0, 1, 3, 4, 5, 7, limit, limit - 3, odds=0.2),
            retry=often(1000, -1, 0, 1, 2000, odds=0.2),
            all_groups=random.random() < 0.1,
        )

    for _ in range(count):
        wants = {often(0, 2): random.randint(1, 9) for _ in range(random.randint(0, 2))}
        yield Step(
            who=random.choice(NAMES),
            wait=often(15, 0, 1, 60, 260, 300, 1020, 1100, 2100, 5001, 8000, 12_000),
            wants=sorted(wants.items()),
            reports=[random_report() for _ in range(random.randint(0, 4))],
            fault=often("", *FAULTS, odds=0.1),
            group=often("group", "other", odds=0.2),
            seats=seats,
        )


def values_of(client: Client, step: Step, now: int) -> list[Any]:
    """Return the next call of a process."""
    for index, kind, *rest in step.reports:
        ids = [*client.held]
        slot = client.held.pop(ids[index % len(ids)], None) if ids else None
        id_ = ids[index % len(ids)] if ids else 0
        client.reports += 1
        head = [client.reports, kind, id_, *(slot or (0, -1, 0))]
        client.unconfirmed.append([*head, *rest])
    client.calls += 1
    limit, window, stated = client.stated
    is_last = step.fault == "bye"  # Then nothing is wanted.
    name = step.who if step.name is None else step.name
    return [
        *(step.who, client.calls - (step.fault == "late"), client.epoch, client.at),
        *(now - client.called, client.next_id),
        [*client.held] if client.lists else len(client.held),
        [*client.unconfirmed],
        [] if is_last else [[*want] for want in step.wants],
        *(limit or 5, window or 1000, stated, client.penalty),
        *(step.seats, name if step.seats else "", int(is_last)),
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


def replies(client: redis.Redis, steps: Iterable[Step]) -> list[list[Any] | None]:
    """Return the replies of the script, after a comparison with those of its twin."""
    script, twin, replies = OnRedis(client), Twin(), []
    clients = defaultdict[tuple[str, str], Client](Client)
    now, jumped, server, unreadable = START, 0, 1, 0
    for step in steps:
        now += step.wait
        jumped += {"ahead": 3_600_000, "back": -3_600_000}.get(step.fault, 0)
        server += step.fault == "server"
        if step.fault == "flush":
            script.flush()
            twin.flush()
        if step.fault == "owner":
            script.forget("owner")
            twin.owner = None
        if step.fault == "group":
            script.forget(step.group)
            twin.groups.pop(step.group, None)
            twin.unreadable.discard(step.group)
        if step.fault == "unreadable":
            unreadable += 1
            value = UNREADABLE[unreadable % len(UNREADABLE)]
            script.spoil(step.group, value)
            twin.unreadable.add(step.group)
            if unreadable % 2:
                script.spoil("owner", value)
                twin.owner = None
        key = (step.who, step.group)
        if step.fault == "new":
            clients[key] = Client(calls=clients[key].calls, reports=clients[key].reports)
        process = clients[key]
        values = values_of(process, step, now)
        call = (now + jumped, f"server{server}", values, step.group)
        reply, expected = script.run(*call), twin.run(*call)
        assert (reply, script.published) == (expected, twin.published)
        replies.append(reply)
        if reply is not None and step.fault != "lost":
            learn(process, reply, values, now)
        else:
            process.lists = True
        process.next_id += sum(count for _, count in step.wants)
    return replies


@given(seed=st.integers(0, 2**32), seats=st.sampled_from([0, 0, 3]))
def test_script_and_twin_decide_alike(scripted: RedisServer, seed: int, seats: int) -> None:
    steps = random_steps(Random(seed), 150, seats)  # noqa: S311 - no secret
    assert len(replies(scripted.client, steps)) == 150


def answer(who: str = "a", wait: int = 0, *, wants: int = 0, **stated: Any) -> Step:
    """Return the end of the first request that a process has in flight, and what it wants then."""
    return Step(who, wait, [(0, wants)] if wants else [], [report(**stated)])


def ask(who: str = "a", wait: int = 0, wants: int = 1, **options: Any) -> Step:
    return Step(who, wait, [(0, wants)], **options)


# What random steps seldom reach: rare states, and each boundary from both sides.
STORIES = {
    "lease ends": [ask(), ask("b", 5000), ask("c", 1)],
    "process is forgotten": [
        *(Step("a"), Step("b", 7040), Step("a", fault="late")),
        *(Step("b", 7040), Step("b", 1), Step("a", fault="late")),
    ],
    "slots of a silent process are part of its share": [
        *(ask(), answer(limit=11, window=60_000), Step("a", wants=[(8, 5)])),
        ask("b", 5001, 8),
    ],
    **{
        f"demand ends after {wait} ms": [
            *(ask(), answer(limit=11, window=60_000, wants=2), Step("b", 5001)),
            # It is told to state its slots, and to ask again at once.
            *(ask(wait=10, wants=4), ask("b", wait, 11)),
        ]
        for wait in (250, 251)
    },
    "seat is silent": [
        Step(who, wait, seats=2) for who, wait in [("a", 0), ("b", 0), ("b", 5000), ("b", 1)]
    ],
    "seat is forgotten": [
        Step(who, wait, seats=2) for who, wait in [("a", 0), ("b", 3_600_000), ("b", 1)]
    ],
    "fewer seats": [*(Step(who, seats=3) for who in NAMES), Step("a", 6000, seats=2)],
    "seats without names": [Step("a", wait, seats=2, name="") for wait in (0, 5001)],
    "group is lost, and a new process comes first": [
        *(Step(who) for who in NAMES),
        *(Step("d", 10, fault="flush"), Step("a", 50), Step("b", 60), ask("c", 900), ask("c", 300)),
    ],
    "one group is lost, and a new process comes first": [
        *(ask(), answer(wait=10, limit=5, window=1000, wants=1), ask("b", 20, fault="group")),
        *(ask("b", 1018), ask("b", 1), ask("b", 1)),
    ],
    "one group is lost after its time": [
        *(ask(), Step("a", 10, fault="bye"), ask(wait=10, group="other")),
        ask("b", 5020, fault="group"),
    ],
    "one group is lost in a penalty": [
        *(ask(), answer(wait=10, kind=2, retry=5000), ask("b", 20, fault="group"), ask("b", 6000)),
    ],
    **{
        f"one group is unreadable, {count}": [
            *(ask(), answer(wait=10, limit=5, window=1000, wants=1)),
            *(ask("b", 20, fault="unreadable") for _ in range(count)),
            *(ask("c", 1020), ask("c", 1)),
        ]
        for count in range(1, 6)
    },
    "one group blocks all": [
        *(ask(), ask(group="other"), ask(group="more")),
        Step("a", 10, reports=[report(kind=2, retry=20_000)], group="other"),
        Step("a", 10, reports=[report(kind=2, retry=5000, all_groups=True)]),
        *(ask("a", 10, group=group) for group in ("other", "more", "new")),
        *(ask("a", 7000, 3, group=group) for group in ("more", "new", "other")),
    ],
    "limit is guessed twice, for a day": [
        *(ask(), answer(wait=10), ask(wait=10, wants=3)),
        Step("a", 10, reports=[report(), report(kind=2, retry=1000)]),
        *(answer(wait=10), ask(wait=2100), answer(wait=10, wants=1)),
        answer(wait=10, kind=2, retry=1000),
        *(Step("a", 86_400_000 - 1), Step("a", 1)),
    ],
    "limit is guessed, and expires": [
        *(ask(), answer(wait=10, wants=4)),
        Step("a", 10, reports=[report(), report(kind=2, retry=1000)]),
        *(answer(wait=10), answer(wait=10), Step("a", 86_400_000 - 21), Step("a", 1)),
    ],
    "wants in another order": [ask(), answer(wait=10), Step("a", 100, [(2, 9), (0, 1)])],
    "others end": [
        *(ask(), answer(wait=10, limit=5, window=1000, remaining=2)),
        *(ask(wait=9900), answer(wait=50), ask(wait=50, wants=3)),
    ],
    "owner is lost while the clock goes back": [
        *(Step("a"), Step("a", 100), Step("b", 10, fault="back"), Step("a", 10, fault="owner")),
    ],
    "clock goes on in another group": [
        *(Step("a", group="other"), Step("b", fault="ahead"), Step("a", 10, group="other")),
    ],
    "request that is alone is not sent": [
        *(ask(), answer(wait=10), ask(wait=300), answer(wait=10, kind=4), ask(wants=2)),
    ],
    "answer that is as old as the window": [
        *(ask(), answer(wait=2000, age=1020, wants=1), answer(wait=10, window=2000, wants=1)),
    ],
    **{
        f"window becomes {window} ms": [
            *(ask(), answer(wait=10, window=1000, wants=1), answer(wait=10, window=1000, wants=1)),
            *(answer(wait=10, window=window, wants=1), Step("a", 10)),
        ]
        for window in (99, 100, 150, 10_000, 10_001)
    },
    "answers with different limits overtake each other": [
        *(ask(), answer(wait=10, limit=5, wants=2)),
        Step("a", 10, reports=[report(index=1, limit=8), report(limit=5, remaining=3)]),
    ],
    "answers with the same others overtake each other": [
        *(ask(), answer(wait=10, limit=11, wants=3), answer(wait=10, limit=11, remaining=5)),
        Step("a", 10, reports=[report(index=1, limit=11, remaining=5)]),
        answer(wait=10, limit=11, remaining=7),
    ],
    "others are gone": [
        *(ask(), answer(wait=10, limit=11, remaining=8, wants=1)),
        answer(wait=10, limit=11, remaining=11),
    ],
    **{
        f"others use a large limit, {keep} are kept": [
            *(ask(), answer(wait=10, limit=50, remaining=30), Step("a", 40, [(keep, 9)])),
        ]
        for keep in (0, 6, 12)
    },
    "more are kept than the limit has": [
        *(ask(), answer(wait=10, limit=2), Step("a", 10, [(3, 2)]), Step("a", 1100, [(3, 2)])),
    ],
    "all but one are kept": [ask(), answer(wait=10, limit=3), Step("a", 10, [(5, 2)])],
    **{
        f"quiet for {wait} ms": [ask(), answer(wait=10), ask(wait=wait, wants=2)]
        for wait in (225, 250, 251)
    },
    "more are in flight than are waited for": [
        *(ask("b"), answer("b", 10, limit=5, wants=4), Step("a", 100, [(2, 3)])),
    ],
    "wants of two levels are one share": [
        *(ask(), answer(limit=11, window=60_000), Step("b", wants=[(8, 9)])),
        Step("a", wants=[(0, 3), (1, 9)]),
    ],
    "answer that leaves the window as the next call is made": [
        *(ask(), answer(wait=10), ask(wait=1020), answer(wait=10, window=2000, wants=1)),
    ],
    "slot is free in 1 ms": [
        *(ask(), answer(wait=10, wants=4), Step("a", 5, reports=[report()] * 4), ask(wait=1014)),
    ],
}


@pytest.mark.parametrize("steps", STORIES.values(), ids=STORIES)
def test_script_and_twin_decide_alike_in_rare_cases(
    scripted: RedisServer, steps: list[Step]
) -> None:
    assert len(replies(scripted.client, steps)) == len(steps)


# What the record of a group has, and for how many ms its loss matters, with a span of 1,020 ms.
MATTERS = {
    "an answer": ([ask(), answer(limit=5, window=1000)], 1020),
    "a request in flight, whose process may be gone": ([ask()], 5000 + 1020),
    "a penalty": ([ask(), answer(kind=2, retry=9000, limit=5, window=1000)], 9000 + 1000),
}


@pytest.mark.fault
@pytest.mark.parametrize("what", MATTERS)
def test_a_new_process_waits_while_the_lost_record_of_one_group_matters(
    scripted: RedisServer, what: str
) -> None:
    before, matters = MATTERS[what]

    def granted(*steps: Step) -> list[int]:
        values = replies(scripted.client, [*before, *steps])[-1]
        assert values is not None
        return [*values[11]]

    assert granted(ask("b", matters, fault="group")) == [1]
    assert granted(ask("b", matters - 1, fault="group")) == [0]
    # The record that takes its place knows when.
    assert granted(ask("b", 1, fault="group"), ask("b", max(matters - 2, 1019))) == [0]
    assert granted(ask("b", 1, fault="group"), ask("b", max(matters - 1, 1020))) == [1]


@pytest.mark.fault
def test_a_new_process_waits_for_one_window_if_the_record_cannot_be_read(
    scripted: RedisServer,
) -> None:
    for number in range(2 * len(UNREADABLE)):  # every second time that of the owner, too
        steps = [Step("a", fault="unreadable")] * number
        late = [ask("b", 9000, fault="unreadable"), ask("b", 1019), ask("b", 1)]
        values = replies(scripted.client, [*steps, *late])
        assert [each[11] for each in values[-3:] if each] == [[0], [0], [1]]
