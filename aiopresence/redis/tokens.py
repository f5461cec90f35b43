"""A token store in Redis: one login for the processes of all machines.

Theory. A lock alone is not safe: its holder may be stopped for longer than the lock lasts, and go
on while another process has it. So each holder gets a number, the fence, greater than all before.
The lock is checked, and prolonged, right before each token request; and a token is saved only if
nobody with a greater number has had the lock since. Between the check and the request a process can
still be stopped; its login is then one too many, and is revoked (see transport/token_manager.py).

The times of a token are kept as seconds since it was saved, and its age is measured by Redis's
clock, so the clocks of the machines need not agree.

There is no connection while nothing happens: a token is renewed about once an hour.
"""

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from contextvars import ContextVar
from datetime import timedelta
from typing import Any

from ..errors import RedisFailed
from ..models.validation import seconds
from ..transport.clock import Clock
from ..transport.token_store import Superseded
from .connection import Connection, RedisLike, load_script
from .token_codec import new_codec

_log = logging.getLogger("aiopresence")

# The longest seconds to wait for the lock without asking for it, in case that the process that was
# to be woken was killed; and between two attempts while Redis does not work. Guesses.
_LONGEST_WAIT, _PAUSE = 1.0, 0.25


class RedisTokenStore:
    """A TokenStore in Redis, for processes on any number of machines.

    All of them use one login, and one of them renews it for all. While Redis does not work, each
    goes on with the token that it has. When that has to be renewed, calls wait for Redis for up to
    `lock_for` seconds and then raise RedisFailed; at once if Redis has never worked.

    Who can read Redis can use the tokens, unless a key is given.

    Args:
        redis: the URL of Redis, of a Cluster or of Sentinels, or a client of redis.asyncio.
        key: encrypts the tokens, as made by `cryptography.fernet.Fernet.generate_key()`; it needs
            the package cryptography. All processes must have the same. None saves them as they are.
        lock_for: the seconds (or a timedelta) after which another process may renew the token if
            the one that does so does not respond. Must be longer than the session's `timeout`.
        timeout: the seconds (or a timedelta) in which Redis must respond.
        prefix: what all keys in Redis begin with.

    Raises:
        UsageError: an argument is wrong.
    """

    def __init__(
        self,
        redis: RedisLike,
        *,
        key: bytes | str | None = None,
        lock_for: float | timedelta = 40.0,
        timeout: float | timedelta = 1.0,
        prefix: str = "aiopresence",
    ) -> None:
        self._redis = redis
        self._codec = new_codec(key)
        self._lock_for = seconds("lock_for", lock_for)
        self._timeout = timeout
        self._prefix = prefix
        self._address = self._connection().address
        self._clock = Clock()
        self._has_worked = False
        self._has_warned = False

    def __repr__(self) -> str:
        return f"RedisTokenStore({self._address!r})"

    async def load(self, key: str) -> dict[str, Any] | None:
        """Return the token last saved under a key; None if there is none.

        Raises:
            RedisFailed: Redis does not work.
        """
        async with self._record(key) as record:
            reply = await record.run("load")
        match reply:
            case None:
                return None
            case [int(age), bytes(content)]:
                token = self._codec.decode(key, content, self._clock.wall() - age / 1000)
            case _:
                raise _unexpected()
        if token is None and not self._has_warned:
            _log.warning(
                "%s has a token that cannot be used, perhaps of another key; it will be replaced",
                self._address,
            )
        self._has_warned = token is None
        return token

    async def save(self, key: str, token: dict[str, Any] | None) -> None:
        """Save a token under a key in place of the last one; None deletes that.

        Raises:
            Superseded: the lock was lost, and another session has held it since.
            RedisFailed: Redis does not work.
        """
        content, life = b"", 0.0
        if token is not None:
            content, life = self._codec.encode(key, token, self._clock.wall())
        async with self._record(key) as record:
            is_saved = await record.decide("save", record.fence, content, round(life * 1000))
        if not is_saved:
            raise Superseded

    def lock(self, key: str) -> AbstractAsyncContextManager["LockedRecord"]:
        """Return a lock on a key, for all processes that use this Redis.

        Raises:
            RedisFailed: Redis does not work.
        """
        return self._lock(key)

    @asynccontextmanager
    async def _lock(self, key: str) -> AsyncIterator["LockedRecord"]:
        async with self._connection() as connection:
            record = LockedRecord(self, key, connection, self._lock_for)
            outer = _locked.get()
            try:
                await self._acquire(record)
                _locked.set(record)
                yield record
            finally:
                _locked.set(outer)
                await record.release()

    async def _acquire(self, record: "LockedRecord") -> None:
        """Acquire a lock. Waits for Redis, too, unless it has never worked."""
        now = asyncio.get_running_loop().time
        deadline = now() + self._lock_for
        while True:
            try:
                await record.acquire()
            except RedisFailed:
                if not self._has_worked or now() >= deadline:
                    raise
            else:
                self._has_worked = True
                return
            await asyncio.sleep(_PAUSE)

    @asynccontextmanager
    async def _record(self, key: str) -> AsyncIterator["LockedRecord"]:
        """Return the record of a key: the one that this task has locked, if it has."""
        locked = _locked.get()
        if locked is not None and locked.is_of(self, key):
            yield locked
            return
        async with self._connection() as connection:
            yield LockedRecord(self, key, connection, self._lock_for)

    def _connection(self) -> Connection:
        return Connection(self._redis, timeout=self._timeout, prefix=self._prefix)


class LockedRecord:
    """The record of one key in Redis, and a lock on it.

    Args:
        store: the store that it belongs to.
        key: the key of the token.
        connection: the connection.
        lock_for: the seconds after which the lock expires.

    Attributes:
        fence: the number of the lock; empty while it is not held.
    """

    _script = load_script("tokens")

    def __init__(
        self, store: RedisTokenStore, key: str, connection: Connection, lock_for: float
    ) -> None:
        self.fence = b""
        self._store = store
        self._key = key
        self._connection = connection
        self._lock_for = round(lock_for * 1000)
        # A lock whose reply was lost is known by it.
        self._owner = secrets.token_hex(16)
        names = ("lock", "fence", "token", "free")
        self._keys = [connection.key(key, "token", name) for name in names]

    def is_of(self, store: RedisTokenStore, key: str) -> bool:
        """Return whether it is the record of a key in a store."""
        return self._store is store and self._key == key

    async def run(self, operation: str, *args: str | bytes | float) -> Any:
        """Run an operation of tokens.lua, and return its reply.

        Raises:
            RedisFailed: Redis does not work.
        """
        return await self._connection.script(self._script, self._keys, (operation, *args))

    async def decide(self, operation: str, *args: str | bytes | float) -> bool:
        """Run an operation of tokens.lua that returns 0 or 1; see `run`."""
        reply = await self.run(operation, *args)
        if reply not in (0, 1):
            raise _unexpected()
        return bool(reply)

    async def acquire(self) -> None:
        """Wait until nobody else has the lock, and acquire it.

        Raises:
            RedisFailed: Redis does not work.
        """
        while True:
            match await self.run("lock", self._owner, self._lock_for):
                case [bytes(fence), int(left)] if not fence or fence.isdigit():
                    self.fence = fence
                case _:
                    raise _unexpected()
            if fence:
                return
            await self._wait(min(max(left / 1000, 0.01), _LONGEST_WAIT))

    async def is_held(self) -> bool:
        """Return whether the lock is held; if so it is from now on held for its whole time.

        Raises:
            RedisFailed: Redis does not work.
        """
        return await self.decide("held", self._owner, self._lock_for, self.fence)

    async def release(self) -> None:
        """Release the lock, whether or not it was acquired: a reply may have been lost."""
        self.fence = b""
        with suppress(RedisFailed):  # It will expire.
            await self.run("unlock", self._owner, self._lock_for)

    async def _wait(self, longest: float) -> None:
        """Wait until the lock is released, but no longer than some seconds."""
        try:
            await self._connection.call("BLPOP", self._keys[3], longest, timeout=longest + 1.0)
        except RedisFailed:
            # A client of the user may allow no command as long as this. If Redis does not work,
            # the next attempt will find it out.
            await asyncio.sleep(min(longest, _PAUSE))


def _unexpected() -> RedisFailed:
    return RedisFailed("Redis returned something unexpected for a token")


# The record that the running task has locked.
_locked: ContextVar[LockedRecord | None] = ContextVar("_locked", default=None)
