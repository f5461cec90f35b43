"""Commands and scripts on Redis: each with a time limit, each sent once, each error a RedisFailed.

This package and `clients.py` are all that knows redis-py. A command that is cancelled, or takes too
long, leaves its connection with a reply under way, and redis-py closes such a connection. Nothing
is repeated: whether a command whose reply did not come was executed is not known, so scripts are
written such that the next call finds out.

One warning is logged per outage and Redis, and one when it works again. A Redis that works
may refuse a command: that is logged once a minute for each kind of reason.
"""

import asyncio
import hashlib
import logging
import re
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from importlib.resources import files
from math import ceil, inf
from time import monotonic
from types import TracebackType
from typing import Any, Self

import attrs
from redis.asyncio import Redis, RedisCluster
from redis.client import NEVER_DECODE
from redis.exceptions import (
    AuthenticationError,
    BusyLoadingError,
    ClusterDownError,
    ConnectionError as RedisConnectionError,
    InvalidResponse,
    NoScriptError,
    RedisClusterException,
    RedisError,
    ResponseError,
    TimeoutError as RedisTimeoutError,
)

from ..errors import RedisFailed, UsageError, one_line
from ..models.validation import seconds
from .bounded import within
from .clients import CONNECTING, Client, new_client
from .subscription import Subscription

_log = logging.getLogger("aiopresence")

RedisLike = str | Redis | RedisCluster
# What a client is to do.
_Command = Callable[[Any], Coroutine[Any, Any, Any]]
# What redis-py raises on purpose. A reply that is not valid makes it raise anything else.
_FAILURES = (RedisError, RedisClusterException, OSError, EOFError)
_PREFIX = re.compile(r"[A-Za-z0-9_.:/-]{1,64}")
# When the Redises that do not work at present failed last, by address, of the whole process.
_down: dict[str, float] = {}
# When a refusal of each kind was last logged, by address; and the seconds until the next may be.
_refused: dict[tuple[str, type], float] = {}
_REFUSED_GAP = 60.0


@attrs.frozen
class Script:
    """A Lua script.

    Attributes:
        text: its source.
        sha: the digest by which Redis knows it once it was loaded.
    """

    text: str = attrs.field(repr=False)
    sha: str


def load_script(*names: str) -> Script:
    """Return the script in .lua files of this package, by their names without the ending."""
    text = "".join((files(__package__) / f"{name}.lua").read_text("utf-8") for name in names)
    return Script(text, hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest())


class Connection:
    """A connection to Redis, for one event loop.

    Args:
        redis: a URL, or a client of redis.asyncio, which is not closed.
        timeout: the seconds (or a timedelta) in which a command must be done. The first one, and
            the next after a failure, may take up to a second, because they may have to connect.
        prefix: what all keys begin with.

    Raises:
        UsageError: an argument is wrong.
    """

    def __init__(self, redis: RedisLike, *, timeout: Any, prefix: str = "aiopresence") -> None:
        if not isinstance(prefix, str) or not _PREFIX.fullmatch(prefix):
            raise UsageError("prefix must be 1 to 64 letters, digits or any of _ . : / -")
        self._timeout = seconds("timeout", timeout)
        self._redis = redis
        self._client = new_client(redis, self._timeout)
        # For longer commands on a Cluster, by their time limit: see `clients.py`.
        self._patient: dict[int, Client] = {}
        self._prefix = prefix
        self._subscriptions: list[Subscription] = []
        self._has_worked = False

    def __repr__(self) -> str:
        return f"Connection({self.address!r})"

    @property
    def address(self) -> str:
        """Where it connects to, without user, password and options."""
        return self._client.address

    @property
    def is_cluster(self) -> bool:
        """Whether it is a Redis Cluster."""
        return isinstance(self._client.redis, RedisCluster)

    @property
    def longest_block(self) -> float:
        """The seconds for which a command may wait in Redis; inf if they are not limited."""
        timeout = self._client.socket_timeout
        return inf if timeout is None else timeout / 2

    async def open(self) -> None:
        """Check that Redis works. It can be used whether or not it did.

        Raises:
            RedisFailed: it does not.
        """
        await self._run(lambda redis: redis.ping(), None)

    async def close(self) -> None:
        """End the subscriptions, and close the connections unless the user made the client."""
        subscriptions, self._subscriptions = self._subscriptions, []
        try:
            await asyncio.gather(*(each.close() for each in subscriptions))
        finally:
            await self._disconnect()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    def key(self, owner: str, *parts: str) -> str:
        """Return the name of a key, or of a channel, of one owner.

        The owner is hashed: nothing can be learned from a name, and no owner can be chosen such
        that its names are those of another one. The braces keep the keys of an owner on one node.
        """
        digest = hashlib.sha256(owner.encode()).hexdigest()[:32]
        return ":".join((f"{self._prefix}:{{{digest}}}", *parts))

    async def call(self, *command: str | bytes | float, timeout: float | None = None) -> Any:
        """Send a command and return its reply: bytes, an int, None, or a list of those.

        Args:
            command: its name and its arguments.
            timeout: the seconds to wait for the reply; None is the usual timeout.

        Raises:
            RedisFailed: there is no reply, or it is an error. Whether the command was executed is
                not known.
        """
        options: dict[str, Any] = {NEVER_DECODE: True}
        return await self._run(lambda redis: redis.execute_command(*command, **options), timeout)

    async def script(
        self,
        script: Script,
        keys: Sequence[str],
        args: Sequence[str | bytes | float] = (),
        *,
        timeout: float | None = None,
    ) -> Any:
        """Run a script and return its reply; see `call`.

        Args:
            script: the script.
            keys: its keys, all of one owner.
            args: its other arguments.
            timeout: the seconds to wait for the reply; None is the usual timeout.

        Raises:
            RedisFailed: there is no reply, or it is an error.
        """
        options: dict[str, Any] = {NEVER_DECODE: True}
        rest = (len(keys), *keys, *args)

        async def run(redis: Any) -> Any:
            """Run the script, by its hash if Redis has it."""
            try:
                return await redis.execute_command("EVALSHA", script.sha, *rest, **options)
            except NoScriptError:  # It was not executed: Redis is new, or was told to forget it.
                return await redis.execute_command("EVAL", script.text, *rest, **options)

        return await self._run(run, timeout)

    def subscribe(self, channel: str, callback: Callable[[bytes | None], None]) -> None:
        """Call a function with each message of a channel, until `close`.

        Args:
            channel: its name.
            callback: called with the message. It is called with None whenever a subscription has
                begun, because messages may have been missed before. It must not raise.
        """
        self._subscriptions.append(
            Subscription(
                self._client.redis,
                channel,
                callback,
                max(self._timeout, CONNECTING),
                self._was_refused,
            )
        )

    async def _run(
        self, command: Callable[[Any], Coroutine[Any, Any, Any]], timeout: float | None
    ) -> Any:
        """Run a command within its time, and log the beginning and the end of an outage."""
        longest = self._timeout if timeout is None else timeout
        redis = self._client_for(longest).redis
        if not self._has_worked:  # It may have to connect first.
            longest = max(longest, CONNECTING)
        try:
            reply = await within(longest, command(redis))
        except TimeoutError:
            reason = f"there was no reply within {longest:g} s"
            self._failed(reason)
        except Exception as error:  # redis-py raises anything for a reply that is not valid.
            reason = _reason(error)
            if _is_outage(error):
                self._failed(reason)
            else:
                self._was_refused(error)
        else:
            self._worked()
            return reply
        raise RedisFailed(f"{self.address}: {reason}")

    def _client_for(self, timeout: float) -> Client:
        """Return the client for commands with a time limit."""
        if timeout <= self._timeout or not (self.is_cluster and self._client.is_ours):
            return self._client
        longest = ceil(timeout)
        if longest not in self._patient:
            self._patient[longest] = new_client(self._redis, longest)
        return self._patient[longest]

    def _failed(self, reason: str) -> None:
        self._has_worked = False
        if self.address not in _down:
            _log.warning("%s does not work: %s; trying again", self.address, reason)
        _down[self.address] = monotonic()

    def _was_refused(self, error: Exception) -> None:
        kind, now = (self.address, type(error)), monotonic()
        if _is_outage(error) or now < _refused.get(kind, -inf) + _REFUSED_GAP:
            return
        _refused[kind] = now
        _log.warning("%s: %s", self.address, _reason(error))

    def _worked(self) -> None:
        self._has_worked = True
        failed_at = _down.get(self.address)
        # When one node of a Cluster does not respond, commands to others go on.
        if failed_at is not None and monotonic() >= failed_at + self.is_cluster:
            _down.pop(self.address, None)  # Another thread may have done so.
            _log.warning("%s works again", self.address)

    async def _disconnect(self) -> None:
        for client in (self._client, *self._patient.values()):
            # The other side may not respond any more.
            with suppress(Exception):
                await within(self._timeout, client.close())
        self._patient = {}


def _is_outage(error: BaseException) -> bool:
    """Return whether an error is about Redis as a whole, and not about one command."""
    if isinstance(error, ResponseError):
        return isinstance(error, (BusyLoadingError, ClusterDownError))
    return True


def _reason(error: BaseException) -> str:
    """Return what an error says, without the arguments of a command: these may be secret."""
    if isinstance(error, AuthenticationError):
        return "it refused the user or the password: check the URL"
    if isinstance(error, InvalidResponse) or not isinstance(error, _FAILURES):
        return "its reply is not one of Redis"  # The error may quote it.
    if isinstance(error, ResponseError):
        text = re.split(", with args beginning with| script: ", str(error))[0]
        return f"it refused a command: {one_line(text, 120)}"
    if isinstance(error, (RedisTimeoutError, TimeoutError)):
        return "there was no reply in time"
    if isinstance(error, RedisConnectionError):
        return one_line(str(error) or "no connection", 200)
    return one_line(f"{type(error).__name__}: {error}", 200)
