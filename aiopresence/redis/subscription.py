"""Receive the messages of one channel of Redis, for as long as it is wanted."""

import asyncio
from collections.abc import Callable
from typing import Any

from redis.asyncio import ConnectionPool, Redis, RedisCluster

from ..transport.clock import chance
from .bounded import end, within

# The longest seconds between two attempts to subscribe, and without a sign of life. Guesses.
_LONGEST_PAUSE, _SILENCE = 2.0, 10.0


class Subscription:
    """Subscribes to a channel in a task of its own, and again whenever the connection is lost.

    In a Cluster one node is enough, because messages go to all of them. It is another one at each
    attempt.

    Args:
        redis: the client.
        channel: the name of the channel.
        callback: called with each message, and with None whenever a subscription has begun.
        timeout: the seconds in which a subscription must begin.
        failed: called with each error that ends a subscription.
    """

    def __init__(
        self,
        redis: Redis | RedisCluster,
        channel: str,
        callback: Callable[[bytes | None], None],
        timeout: float,
        failed: Callable[[Exception], None],
    ) -> None:
        self._redis = redis
        self._channel = channel
        self._callback = callback
        self._timeout = timeout
        self._failed = failed
        self._pause = 0.0
        self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        """End it."""
        await end(self._task)

    async def _run(self) -> None:
        while True:
            try:
                await self._listen()
            except Exception as error:
                # Whatever redis-py raises for a lost connection, or for a reply that is not valid.
                self._failed(error)
            self._pause = min(2 * self._pause + 0.05, _LONGEST_PAUSE)
            await asyncio.sleep(self._pause * (0.5 + chance() / 2))

    async def _listen(self) -> None:
        """Deliver messages until the connection is lost."""
        pool, is_ours = await within(self._timeout, self._pool())
        pubsub: Any = Redis(connection_pool=pool).pubsub()
        try:
            await within(self._timeout, pubsub.subscribe(self._channel))
            while (message := await self._next(pubsub)) is not None:
                self._deliver(message)
        finally:
            await pubsub.aclose()
            if is_ours:
                await pool.disconnect()

    async def _next(self, pubsub: Any) -> dict[str, Any] | None:
        """Return the next message; None if the connection has no sign of life."""
        message = await pubsub.get_message(timeout=_SILENCE)
        if message is None:
            await within(self._timeout, pubsub.ping())
            message = await pubsub.get_message(timeout=self._timeout)
        return message  # type: ignore[no-any-return]

    def _deliver(self, message: dict[str, Any]) -> None:
        if message["type"] == "subscribe":
            self._pause = 0.0
            self._callback(None)
        elif message["type"] == "message":
            data = message["data"]
            self._callback(data.encode() if isinstance(data, str) else data)

    async def _pool(self) -> tuple[Any, bool]:
        """Return a pool of connections to a node, and whether it is to be closed."""
        if not isinstance(self._redis, RedisCluster):
            return self._redis.connection_pool, False
        await self._redis.initialize()
        nodes = self._redis.get_nodes()
        node = nodes[int(chance() * len(nodes))]
        return ConnectionPool(node.connection_class, **node.connection_kwargs), True
