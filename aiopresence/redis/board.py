"""A board that processes share through Redis: one of them follows RingCentral, all read.

Theory: every process reads what is published (`replica.py`), the follower too. So no process shows
anything that Redis does not have, and nothing that is older than what it has shown before, whoever
the follower is. Besides, each process that may follow waits for the lease (`follower.py`); the one
that gets it follows events and publishes (`term.py`). `board.lua` decides about each publication.
"""

import asyncio
from collections.abc import Callable, Mapping, Set
from datetime import timedelta
from typing import Literal, get_args

from redis.asyncio import Redis, RedisCluster

from ..errors import PresenceError, UsageError
from ..live.source import BoardSpec, OnChange
from ..models import DisabledFilterInfo, GetPresenceInfo
from ..models.validation import seconds
from ..protocol.board_replica import BoardReplica
from .board_keys import BoardKeys
from .connection import Connection
from .follower import Follower
from .replica import Reader

Role = Literal["any", "follow", "read"]
# Changes whenever processes of the version before could not read what is published.
_FORMAT = "1"


class RedisBoard:
    """Shares boards between processes: `session.board(shared=RedisBoard("redis://localhost"))`.

    For each board, one process subscribes to RingCentral's events and publishes what it finds; the
    others read that from Redis. When that process ends, another one continues within the lease.
    Boards are the same if they have the same login, account, extensions and details.

    `wait_ready()` returns when the process has read what Redis has, which may be stale. After the
    follower was killed boards stay `is_live` until its lease ends, while their `age` grows.

    Args:
        redis: a URL, or a client of redis.asyncio, which is not closed.
        name: what the processes that share a board have in common; None for their login. A session
            with a bare access token needs one. Only sessions that see the same presence may have
            the same name.
        role: "any" follows if no other process does, "follow" is preferred to those, and "read"
            never follows and sends nothing to RingCentral.
        lease: seconds (or a timedelta) after which another process follows at the latest when the
            follower has died.
        keep: how many publications Redis keeps, of up to 50 changes each. A process that falls
            behind by more reads everything from Redis again.
        timeout: seconds (or a timedelta) for one command.
        prefix: what all keys in Redis begin with.

    Raises:
        UsageError: an argument is wrong.
    """

    def __init__(
        self,
        redis: str | Redis | RedisCluster,
        *,
        name: str | None = None,
        role: Role = "any",
        lease: float | timedelta = 15.0,
        keep: int = 256,
        timeout: float | timedelta = 1.0,
        prefix: str = "aiopresence",
    ) -> None:
        if role not in get_args(Role):
            raise UsageError('role must be "any", "follow" or "read"')
        if name is not None and (not isinstance(name, str) or not name):
            raise UsageError("name must be a str, or None")
        if type(keep) is not int or keep < 1:
            raise UsageError("keep must be a positive int")
        self._redis = redis
        self._name = name
        self._role = role
        self._lease = seconds("lease", lease)
        self._keep = keep
        self._timeout = seconds("timeout", timeout)
        self._prefix = prefix
        self._address = self._connection().address

    def __repr__(self) -> str:
        return f"RedisBoard({self._address!r}, role={self._role!r})"

    def _connection(self) -> Connection:
        return Connection(self._redis, timeout=self._timeout, prefix=self._prefix)

    def new_source(
        self, spec: BoardSpec, on_change: OnChange, after_read: Callable[[], None]
    ) -> "SharedSource":
        """Return the source of one board of a session.

        Raises:
            UsageError: there is neither a login nor a name.
        """
        connection = self._connection()
        keys = BoardKeys(connection, self._owner(spec), self._keep, self._timeout)
        replica = BoardReplica(spec.ids)
        reader = Reader(
            keys, replica, spec.clock, self._lease, on_change, after_read, spec.resynced
        )
        follower = None
        if self._role != "read":
            is_eager = self._role == "follow"
            follower = Follower(spec, keys, reader, replica, self._lease, is_eager=is_eager)
        return SharedSource(connection, replica, reader, follower)

    def _owner(self, spec: BoardSpec) -> str:
        """Return what makes the board another one than others."""
        if self._name is None and spec.login is None:
            raise UsageError("an access token does not say whose it is: RedisBoard needs a name")
        options = spec.options
        return "\n".join(
            (
                _FORMAT,
                f"name {self._name}" if self._name is not None else f"login {spec.login}",
                options.account_id,
                f"{bool(options.detailed_telephony_state)} {bool(options.sip_data)}",
                "all" if spec.ids is None else ",".join(sorted(spec.ids)),
            )
        )


class SharedSource:
    """The source of a board that processes share: a BoardSource.

    Args:
        connection: the connection to Redis, which is closed at the end.
        replica: what is known.
        reader: keeps it current.
        follower: follows when nobody else does; None to never follow.
    """

    def __init__(
        self,
        connection: Connection,
        replica: BoardReplica,
        reader: Reader,
        follower: Follower | None,
    ) -> None:
        self._connection = connection
        self._replica = replica
        self._reader = reader
        self._follower = follower

    @property
    def records(self) -> Mapping[str, GetPresenceInfo]:
        """The last known presence, by id."""
        return self._replica.records

    @property
    def errors(self) -> Mapping[str, PresenceError]:
        """Why extensions could not be read the last time, by id."""
        return self._replica.errors

    @property
    def rejected(self) -> Set[str]:
        """The ids among the errors that RingCentral rejected."""
        return self._replica.rejected

    @property
    def disabled_filters(self) -> tuple[DisabledFilterInfo, ...]:
        """Event filters that RingCentral sends nothing for."""
        return self._replica.status.disabled_filters

    @property
    def ready(self) -> asyncio.Event:
        """Set once everything has been read."""
        return self._reader.ready

    @property
    def is_live(self) -> bool:
        """Whether events are arriving at the follower, and no extension is stale."""
        is_live = self._replica.status.is_live and not self._replica.unreadable
        return is_live and self._reader.is_fresh

    @property
    def age(self) -> float:
        """Seconds since the follower is known to have received anything; inf if it has not."""
        return self._reader.age

    def includes(self, id_: str) -> bool:
        """Return whether an extension is followed."""
        return self._replica.includes(id_)

    def is_stale(self, id_: str) -> bool:
        """Return whether the state of an extension may have changed since the record."""
        return not self._reader.is_fresh or self._replica.is_stale(id_)

    async def run(self) -> None:
        """Read, and follow whenever nobody else does, forever.

        Raises:
            ExceptionGroup: a PresenceError that trying again does not help against.
        """
        async with self._connection, asyncio.TaskGroup() as group:
            group.create_task(self._reader.run())
            if self._follower is not None:
                group.create_task(self._follower.run())
