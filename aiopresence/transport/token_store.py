"""Where tokens are kept between requests, and between processes."""

import asyncio
import errno
import json
import logging
import os
import tempfile
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Protocol

from ..errors import UsageError

_log = logging.getLogger("aiopresence")

# Seconds to wait for another process to log in, rate limits and retries included, and to write the
# file. Guesses: whoever takes longer is stopped, or hangs.
LOGIN_WAIT, WRITE_WAIT = 120.0, 10.0


class TokenStore(Protocol):
    """Where a session keeps its tokens. Sessions with the same store share one login.

    What is stored is a secret. It is a plain dict that JSON can hold, under a key that tells
    servers, apps and users apart.
    """

    async def load(self, key: str) -> dict[str, Any] | None:
        """Give what was last saved under a key, or None."""

    async def save(self, key: str, token: dict[str, Any] | None) -> None:
        """Keep a token under a key, in place of the last one; None forgets that."""

    def lock(self, key: str) -> AbstractAsyncContextManager[Any]:
        """Keep all others that share the store from renewing the same token meanwhile."""


class MemoryTokenStore:
    """A TokenStore for the sessions of one process, and one event loop."""

    def __init__(self) -> None:
        self._tokens: dict[str, dict[str, Any]] = {}
        self._locks: dict[str, asyncio.Lock] = {}

    async def load(self, key: str) -> dict[str, Any] | None:
        """Give what was last saved under a key, or None."""
        return self._tokens.get(key)

    async def save(self, key: str, token: dict[str, Any] | None) -> None:
        """Keep a token under a key, in place of the last one; None forgets that."""
        if token is None:
            self._tokens.pop(key, None)
        else:
            self._tokens[key] = token

    def lock(self, key: str) -> AbstractAsyncContextManager[Any]:
        """Keep other sessions from renewing the same token meanwhile."""
        return self._locks.setdefault(key, asyncio.Lock())


class FileTokenStore:
    """A TokenStore in a file, for several processes, and for scripts that run again and again.

    The file is made readable by its owner only, and is replaced as a whole, so that whoever is
    killed leaves the old one or the new one. Several apps and users can share it.

    Args:
        path: the file; its directory is made if need be. Lock files are beside it while in use.

    Raises, when it is used:
        UsageError: others than the owner may read or write the file.
        OSError: it cannot be read or written, or another process holds a lock file for too long.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        # Brought in here because most sessions keep their tokens in memory, and it takes long.
        from filelock import AsyncFileLock, Timeout

        self._path = Path(path)
        self._new_lock = AsyncFileLock
        self._lock_timeout = Timeout

    def __repr__(self) -> str:
        return f"FileTokenStore({str(self._path)!r})"

    async def load(self, key: str) -> dict[str, Any] | None:
        """Give what was last saved under a key, or None."""
        tokens = await asyncio.to_thread(self._read)
        return tokens.get(key)

    async def save(self, key: str, token: dict[str, Any] | None) -> None:
        """Keep a token under a key, in place of the last one; None forgets that."""
        async with self._lock("write", WRITE_WAIT):
            await asyncio.to_thread(self._change, key, token)

    def lock(self, key: str) -> AbstractAsyncContextManager[Any]:
        """Keep other processes from renewing the same token meanwhile."""
        return self._lock(key[:8], LOGIN_WAIT)

    @asynccontextmanager
    async def _lock(self, name: str, longest: float) -> AsyncIterator[None]:
        path = Path(f"{self._path}.{name}.lock")
        lock = self._new_lock(path, mode=0o600)
        try:
            await lock.acquire(timeout=longest)
        except self._lock_timeout:
            why = f"another process has held this lock file for {longest:g} s"
            raise OSError(errno.EBUSY, why, str(path)) from None
        try:
            yield
        finally:
            # Before it is released: whoever waits opens the file anew at each attempt, and does
            # not accept one that was deleted. Windows deletes no open file; filelock does it there.
            with suppress(OSError):
                path.unlink()  # noqa: ASYNC240 - an await here could be cancelled, and leave the lock held
            await lock.release()

    def _read(self) -> dict[str, dict[str, Any]]:
        try:
            with self._path.open("rb") as file:
                self._check(os.fstat(file.fileno()))
                content = file.read()
        except FileNotFoundError:
            return {}
        try:
            tokens = json.loads(content)
        except (ValueError, RecursionError):
            _log.warning("%s is not a token file; it will be replaced", self._path)
            return {}
        found = tokens.items() if isinstance(tokens, dict) else ()
        return {key: token for key, token in found if isinstance(token, dict)}

    def _check(self, status: os.stat_result) -> None:
        # Windows has no such modes, and gives files to their owner by default.
        if os.name == "posix" and (status.st_mode & 0o077 or status.st_uid != os.geteuid()):
            raise UsageError(
                f"{self._path} must belong to you and be yours alone to read: chmod 600 it,"
                " or delete it and log in again"
            )

    def _change(self, key: str, token: dict[str, Any] | None) -> None:
        tokens = self._read()
        tokens.pop(key, None)
        if token is not None:
            tokens[key] = token
        handle, name = tempfile.mkstemp(dir=self._path.parent, prefix=f".{self._path.name}.")
        try:
            with os.fdopen(handle, "w") as file:
                json.dump(tokens, file)
                file.flush()
                os.fsync(handle)
            Path(name).replace(self._path)
        except BaseException:
            with suppress(OSError):
                Path(name).unlink()
            raise


def is_token_store(store: object) -> bool:
    """Return whether an object has the methods of TokenStore."""
    methods = ("load", "save", "lock")
    return not isinstance(store, type) and all(callable(getattr(store, m, None)) for m in methods)
