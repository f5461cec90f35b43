"""The script of a board, called as by followers that know nothing of each other."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from aiopresence.protocol.board_replica import NEVER, Version
from aiopresence.redis.board_keys import BoardKeys
from aiopresence.redis.connection import Connection
from tests.support.redis_servers import RedisServer


@pytest.fixture
async def keys(server: RedisServer) -> AsyncIterator[BoardKeys]:
    async with Connection(server.url, timeout=5.0) as connection:
        yield BoardKeys(connection, "owner", keep=4, timeout=5.0)


async def claim(keys: BoardKeys, holder: str, seen: Version = NEVER) -> Version:
    """Return the version with which a follower begins, once it has the lease."""
    claimed = await keys.claim(holder, 60.0, seen)
    assert claimed.fence is not None
    return claimed.fence, 0


async def publish(
    keys: BoardKeys, holder: str, before: Version, *entries: bytes, lease: float = 60.0
) -> Version | None:
    args = keys.publication(holder, lease, before, silence=1.0, status=b"{}", entries=entries)
    return await keys.publish(args)


async def records(keys: BoardKeys) -> dict[bytes, bytes]:
    _, items = await keys.scan(b"0")
    return dict(zip(items[::2], items[1::2], strict=True))


async def end_lease(server: RedisServer) -> None:
    [key] = server.client.keys("*:board:lease")
    server.client.delete(key)


async def test_only_one_of_many_claims_succeeds(keys: BoardKeys) -> None:
    claims = [keys.claim(f"{number:x}", 60.0, NEVER) for number in range(16)]
    fences = [claimed.fence for claimed in await asyncio.gather(*claims)]
    assert sum(fence is not None for fence in fences) == 1


async def test_versions_are_counted_and_stored(keys: BoardKeys) -> None:
    first = await claim(keys, "a")
    second = await publish(keys, "a", first, b"1", b"{one}", b"2", b"{two}")
    assert second == (first[0], 1)
    third = await publish(keys, "a", second, b"1", b"{new}", b"2", b"")
    assert third == (first[0], 2)
    assert await records(keys) == {b"1": b"%d-2 {new}" % first[0]}
    entries = await keys.read(first, 1.0)
    assert [version for version, _ in entries] == [second, third]
    assert [fields[b"p"] for _, fields in entries] == [b"%d-0" % first[0], b"%d-1" % first[0]]
    look = await keys.look(NEVER)
    assert (look.fence, look.last, look.status) == (first[0], third, b"{}")
    assert 59 < look.lease_left <= 60
    assert 1 <= look.age < 2


@pytest.mark.fault
async def test_a_late_write_by_the_old_holder_is_refused(
    keys: BoardKeys, server: RedisServer
) -> None:
    old = await publish(keys, "a", await claim(keys, "a"), b"1", b"{old}")
    assert old is not None
    await end_lease(server)
    new = await claim(keys, "b", old)
    assert await publish(keys, "a", old, b"1", b"{late}") is None
    assert await publish(keys, "b", new, b"1", b"{new}") == (new[0], 1)
    assert await publish(keys, "a", old, b"1", b"{late}") is None
    assert await records(keys) == {b"1": b"%d-1 {new}" % new[0]}


@pytest.mark.fault
async def test_a_write_that_arrives_again_changes_nothing(keys: BoardKeys) -> None:
    first = await claim(keys, "a")
    args = keys.publication("a", 60.0, first, silence=0.0, entries=(b"1", b"{one}"))
    assert await keys.publish(args) == await keys.publish(args) == (first[0], 1)
    assert await publish(keys, "a", (first[0], 1), b"1", b"{two}") == (first[0], 2)
    assert await keys.publish(args) is None
    assert await records(keys) == {b"1": b"%d-2 {two}" % first[0]}


async def test_a_write_after_one_that_redis_has_lost_is_refused(keys: BoardKeys) -> None:
    first = await claim(keys, "a")
    assert await publish(keys, "a", (first[0], 1), b"1", b"{two}") is None
    assert await records(keys) == {}


async def test_a_fence_is_higher_than_all_that_anybody_knows(
    keys: BoardKeys, server: RedisServer
) -> None:
    first = await claim(keys, "a")
    seen = (first[0] + 10**9, 7)
    server.client.flushall()
    assert (await claim(keys, "a", seen))[0] > seen[0]
    server.client.flushall()
    await claim(keys, "a")
    await keys.look(seen)  # By a reader.
    await end_lease(server)
    assert (await claim(keys, "b"))[0] > seen[0]


@pytest.mark.fault
async def test_a_board_that_is_older_than_what_is_known_begins_anew(
    keys: BoardKeys, server: RedisServer
) -> None:
    version = await publish(keys, "a", await claim(keys, "a"), b"1", b"{one}")
    assert version is not None
    await end_lease(server)
    claimed = await keys.claim("b", 60.0, (version[0], version[1] + 1))
    assert claimed.before == NEVER
    assert await records(keys) == {}


async def test_what_was_published_stays_when_the_follower_changes(
    keys: BoardKeys, server: RedisServer
) -> None:
    version = await publish(keys, "a", await claim(keys, "a"), b"1", b"{one}")
    assert version is not None
    await end_lease(server)
    claimed = await keys.claim("b", 60.0, version)
    assert claimed.before == version
    assert list(await records(keys)) == [b"1"]


async def test_a_lease_ends_at_once_when_its_holder_resigns(keys: BoardKeys) -> None:
    first = await claim(keys, "a")
    assert (await keys.claim("b", 60.0, NEVER)).fence is None
    await publish(keys, "a", first, lease=0.0)
    assert (await keys.look(NEVER)).lease_left == 0
    await claim(keys, "b")


@pytest.mark.fault
async def test_a_lease_ends_although_the_clock_has_gone_back(
    keys: BoardKeys, server: RedisServer
) -> None:
    await keys.claim("a", 0.05, NEVER)
    [key] = server.client.keys("*:board:lease")
    server.client.pexpire(key, 3_600_000)  # As if the clock had been an hour ahead.
    assert (await keys.look(NEVER)).lease_left <= 0.05
    await asyncio.sleep(0.06)
    await claim(keys, "b")


async def test_the_stream_is_capped(keys: BoardKeys) -> None:
    first = version = await claim(keys, "a")
    for number in range(10):
        following = await publish(keys, "a", version, b"1", b"%d" % number)
        assert following is not None
        version = following
    entries = await keys.read(first, 1.0)
    assert [version for version, _ in entries] == [(first[0], number) for number in (7, 8, 9, 10)]


async def test_reading_waits_for_an_entry(keys: BoardKeys) -> None:
    first = await claim(keys, "a")
    reading = asyncio.create_task(keys.read(first, 5.0))
    await asyncio.sleep(0.05)
    assert not reading.done()
    version = await publish(keys, "a", first, b"1", b"{one}")
    [(found, _)] = await reading
    assert found == version
    assert await keys.read(found, 0.01) == []


async def test_nothing_is_kept_forever(keys: BoardKeys, server: RedisServer) -> None:
    await publish(keys, "a", await claim(keys, "a"), b"1", b"{one}")
    assert all(0 < server.client.ttl(key) <= 86_400 for key in server.client.keys("*"))
    assert len(server.client.keys("*")) == 5
