"""Token stores: where tokens are kept, in memory or in a file that processes share."""

import asyncio
import errno
import json
import logging
import os
import stat
import tempfile
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Protocol

from ..errors import UsageError

_log = logging.getLogger("aiopresence")

# Seconds to wait for another process that logs in, rate limits and retries included, and for one
# that writes the file. Guesses: a process that takes longer was suspended, or hangs.
LOGIN_WAIT, WRITE_WAIT = 120.0, 10.0
# The longest file in bytes: a guess, room for thousands of logins.
MAX_FILE = 16 * 1024 * 1024


class Superseded(Exception):
    """The lock of a store was lost, and another session has held it since.

    `TokenStore.save` raises it instead of replacing a token that may be newer. The session then
    waits for the lock, and uses the token that it finds in the store.
    """


class TokenStore(Protocol):
    """Where sessions keep their tokens. Sessions with the same store share one login.

    A token is a dict that JSON can represent, and a secret. Its key identifies the server, the app
    and the user.

    A lock that can be lost, because it expires, yields an object with a method
    `async def is_held(self) -> bool`, which is called right before each token request; and `save`
    raises Superseded when another session has held the lock since. A lock without this method is
    taken to be held until it is released.
    """

    async def load(self, key: str) -> dict[str, Any] | None:
        """Return the token last saved under a key; None if there is none."""

    async def save(self, key: str, token: dict[str, Any] | None) -> None:
        """Save a token under a key in place of the last one; None deletes that."""

    def lock(self, key: str) -> AbstractAsyncContextManager[Any]:
        """Return a lock on a key: while one session holds it, no other renews the same token."""


class MemoryTokenStore:
    """A TokenStore for the sessions of one process, and one event loop."""

    def __init__(self) -> None:
        self._tokens: dict[str, dict[str, Any]] = {}
        self._locks: dict[str, asyncio.Lock] = {}

    async def load(self, key: str) -> dict[str, Any] | None:
        """Return the token last saved under a key; None if there is none."""
        return self._tokens.get(key)

    async def save(self, key: str, token: dict[str, Any] | None) -> None:
        """Save a token under a key in place of the last one; None deletes that."""
        if token is None:
            self._tokens.pop(key, None)
        else:
            self._tokens[key] = token

    def lock(self, key: str) -> AbstractAsyncContextManager[Any]:
        """Return a lock on a key for the sessions of this process."""
        return self._locks.setdefault(key, asyncio.Lock())


class FileTokenStore:
    """A TokenStore in a file, for several processes, and for scripts that run repeatedly.

    Only its owner can read the file. It is replaced as a whole, so that a process that is killed
    leaves the old or the new one. Several apps and users can share it.

    Args:
        path: the file. Its directory is created if necessary, accessible to its owner only, and has
            lock files while it is used.

    Raises, when it is used:
        UsageError: the file belongs to another user, or other users may read or write it, or it is
            not a regular file.
        OSError: the file cannot be read or written, or another process holds a lock file too long.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        # Imported here because it is slow, and most sessions keep their tokens in memory.
        from filelock import AsyncFileLock, FileLock, Timeout

        self._path = Path(path)
        self._new_lock = AsyncFileLock
        self._new_blocking_lock = FileLock
        self._lock_timeout = Timeout

    def __repr__(self) -> str:
        return f"FileTokenStore({str(self._path)!r})"

    async def load(self, key: str) -> dict[str, Any] | None:
        """Return the token last saved under a key; None if there is none."""
        tokens = await asyncio.to_thread(self._read)
        return tokens.get(key)

    async def save(self, key: str, token: dict[str, Any] | None) -> None:
        """Save a token under a key in place of the last one; None deletes that."""
        async with self._lock("write", WRITE_WAIT):
            await asyncio.to_thread(self._change, key, token)

    def lock(self, key: str) -> AbstractAsyncContextManager[Any]:
        """Return a lock on a key for all processes that use the file."""
        return self._lock(key[:8], LOGIN_WAIT)

    @asynccontextmanager
    async def _lock(self, name: str, longest: float) -> AsyncIterator[None]:
        path = Path(f"{self._path}.{name}.lock")
        _make_private(path.parent)  # filelock would leave the mode to the umask
        lock = self._new_lock(path, mode=0o600)
        try:
            await lock.acquire(timeout=longest)
        except self._lock_timeout:
            reason = f"another process has held this lock file for {longest:g} s"
            raise OSError(errno.EBUSY, reason, str(path)) from None
        except asyncio.CancelledError:
            self._remove_unused(path)
            raise
        try:
            yield
        finally:
            # Before the release: a waiting process opens the file again at each attempt, and does
            # not accept a deleted one. Windows deletes no open file; filelock does it there.
            with suppress(OSError):
                path.unlink()  # noqa: ASYNC240 - an await here could be cancelled, and leave the lock held
            await lock.release()

    def _remove_unused(self, path: Path) -> None:
        """Remove a lock file that a cancelled attempt has left, unless another process holds it."""
        with suppress(OSError), self._new_blocking_lock(path, mode=0o600, blocking=False):
            path.unlink()

    def _read(self) -> dict[str, dict[str, Any]]:
        try:
            # Non-blocking: opening a FIFO would wait for a writer.
            descriptor = os.open(self._path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        except FileNotFoundError:
            return {}
        with open(descriptor, "rb") as file:
            self._check(os.fstat(descriptor))
            content = file.read(MAX_FILE + 1)
        try:
            tokens = json.loads(content) if len(content) <= MAX_FILE else None
        except (ValueError, RecursionError):
            tokens = None
        if tokens is None:
            _log.warning("%s is not a token file; it will be replaced", self._path)
        items = tokens.items() if isinstance(tokens, dict) else ()
        return {key: token for key, token in items if isinstance(token, dict)}

    def _check(self, status: os.stat_result) -> None:
        is_private = stat.S_ISREG(status.st_mode)
        # Windows has no such modes; a new file is accessible to its owner by default.
        if os.name == "posix":
            is_private &= not status.st_mode & 0o077 and status.st_uid == os.geteuid()
        if not is_private:
            raise UsageError(
                f"{self._path} must be a file that belongs to this user and is accessible to nobody"
                " else: chmod 600 it, or delete it and log in again"
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


def _make_private(directory: Path) -> None:
    """Create a directory and its missing parents, accessible to this user only."""
    for each in reversed([directory, *directory.parents]):
        if not each.exists():
            each.mkdir(mode=0o700, exist_ok=True)


async def check_held(lock: object) -> None:
    """Check that what the lock of a store has yielded is still held.

    Raises:
        Superseded: it is not.
    """
    is_held = getattr(lock, "is_held", None)
    if is_held is not None and not await is_held():
        raise Superseded


def is_token_store(store: object) -> bool:
    """Return whether an object has the methods of TokenStore."""
    methods = ("load", "save", "lock")
    return not isinstance(store, type) and all(callable(getattr(store, m, None)) for m in methods)
