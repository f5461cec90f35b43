"""What is no reply of Redis, or none of our scripts, is a RedisFailed and nothing else."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import pytest

from aiopresence import RedisFailed
from aiopresence.redis import RedisTokenStore, read_fleet
from aiopresence.redis.board_keys import BoardKeys
from aiopresence.redis.connection import Connection
from tests.support.fake_redis import FakeRedis, fake_redis

SECRET = b"a-token"

# What redis-py cannot read, or takes for another thing.
UNREADABLE = {
    "no number": b":" + SECRET + b"\r\n",
    "no length": b"$" + SECRET + b"\r\n",
    "no type": SECRET + b"\r\n",
    "too deep": b"*1\r\n" * 5_000,
    "too long": b"-ERR " + 100_000 * b"x" + b"\r\n",
    "half a redirection": b"-MOVED\r\n",
    "another protocol": b"HTTP/1.1 400 Bad Request\r\n\r\n",
}
# What no script of ours returns.
UNEXPECTED = {
    "a number": b":5\r\n",
    "a list of a number": b"*1\r\n:1\r\n",
    "a list of numbers": b"*2\r\n:1\r\n:2\r\n",
    "a list of texts": b"*2\r\n$1\r\nx\r\n$1\r\ny\r\n",
    "a list of an error": b"*2\r\n-ERR x\r\n:1\r\n",
    "half a pair": b"*2\r\n$1\r\n0\r\n*1\r\n$1\r\nx\r\n",
    "a stream without entries": b"*1\r\n*2\r\n$1\r\nx\r\n:1\r\n",
    "an entry with a number": b"*1\r\n*2\r\n$1\r\nx\r\n*1\r\n*2\r\n$3\r\n1-1\r\n*2\r\n:9\r\n:9\r\n",
    "a fence that is no number": b"*5\r\n$1\r\nx\r\n$3\r\n1-0\r\n:5\r\n$0\r\n\r\n$0\r\n\r\n",
}


@pytest.fixture(params=[*UNREADABLE, *UNEXPECTED])
async def fake(request: pytest.FixtureRequest) -> AsyncIterator[FakeRedis]:
    async with fake_redis((UNREADABLE | UNEXPECTED)[request.param]) as fake:
        yield fake


async def _lock(store: RedisTokenStore) -> None:
    async with store.lock("key"):
        pass


async def _with_board(url: str, use: Callable[[BoardKeys], Coroutine[Any, Any, Any]]) -> None:
    async with Connection(url, timeout=5.0) as connection:
        await use(BoardKeys(connection, "owner", 10, 5.0))


OPERATIONS: dict[str, Callable[[str], Coroutine[Any, Any, Any]]] = {
    "load a token": lambda url: RedisTokenStore(url).load("key"),
    "lock a token": lambda url: _lock(RedisTokenStore(url)),
    "look at a board": lambda url: _with_board(url, lambda keys: keys.look((0, 0))),
    "scan a board": lambda url: _with_board(url, lambda keys: keys.scan(b"0")),
    "read a board": lambda url: _with_board(url, lambda keys: keys.read((1, 0), 0.1)),
    "read a fleet": lambda url: read_fleet(url),
}


@pytest.mark.parametrize("operation", OPERATIONS)
async def test_a_wrong_reply_is_an_error_that_does_not_quote_it(
    fake: FakeRedis, operation: str
) -> None:
    with pytest.raises(RedisFailed) as caught:
        await OPERATIONS[operation](fake.url)
    assert fake.commands
    assert SECRET.decode() not in str(caught.value)
    assert caught.value.__cause__ is caught.value.__context__ is None


@pytest.mark.parametrize("reply", [*UNREADABLE, "a number", "a list of a number"])
async def test_wrong_replies_end_no_subscription(reply: str) -> None:
    wrong = fake_redis((UNREADABLE | UNEXPECTED)[reply])
    async with wrong as fake, Connection(fake.url, timeout=5.0) as connection:
        connection.subscribe("channel", lambda _: None)
        async with asyncio.timeout(10):
            while fake.commands.count(b"SUBSCRIBE") < 3:
                await asyncio.sleep(0.01)
