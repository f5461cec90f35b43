"""The fleet in Redis: who follows which account, and how its board is."""

import json
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from datetime import timedelta
from math import inf, isfinite
from typing import Any, TypeVar

import attrs
from redis.asyncio import Redis, RedisCluster

from ..errors import RedisFailed, UsageError
from .connection import Connection, load_script

_SCRIPT = load_script("fleet")
# Accounts in one call of the script.
_CHUNK = 500
# Characters of an error that are kept.
_MAX_ERROR = 300

T = TypeVar("T")


@attrs.frozen
class Report:
    """How the board of an account is, as its process reports it.

    Attributes:
        extensions: how many extensions it has; None before it is open.
        is_live: see `PresenceBoard.is_live`.
        age: seconds since anything was received from RingCentral's events; inf if nothing was.
        error: why it is not followed at present; None if it is.
    """

    extensions: int | None = None
    is_live: bool = False
    age: float = inf
    error: str | None = None

    def dump(self) -> str:
        """Return it as JSON."""
        age = round(self.age, 3) if isfinite(self.age) else None
        error = self.error and self.error[:_MAX_ERROR]
        return json.dumps([self.extensions, self.is_live, age, error])


@attrs.frozen
class FollowedAccount:
    """An account of a fleet.

    Attributes:
        name: its name.
        process: the process that follows it; None if none does at present.
        extensions: how many extensions its board has; None if that is not known.
        is_live: whether events are arriving and no extension is stale.
        age: seconds since anything was received from RingCentral's events, or will have been by
            now if nothing was since the last report; inf if nothing was ever.
        error: why it could not be followed the last time; None if it could.
    """

    name: str
    process: str | None
    extensions: int | None = None
    is_live: bool = False
    age: float = inf
    error: str | None = None


@attrs.frozen
class FleetStatus:
    """What a fleet does.

    Attributes:
        processes: the names of its processes.
        accounts: the accounts that it follows, or has followed within the last day, by name.
    """

    processes: tuple[str, ...]
    accounts: Mapping[str, FollowedAccount]


async def read_fleet(
    redis: str | Redis | RedisCluster,
    *,
    name: str = "default",
    timeout: float | timedelta = 1.0,
    prefix: str = "aiopresence",
) -> FleetStatus:
    """Return what a fleet does.

    Args:
        redis: a URL, or a client of redis.asyncio, which is not closed.
        name: the name of the fleet.
        timeout: seconds (or a timedelta) for one command.
        prefix: what all keys in Redis begin with.

    Raises:
        RedisFailed: Redis does not work.
        UsageError: an argument is wrong.
    """
    async with Connection(redis, timeout=timeout, prefix=prefix) as connection:
        return await FleetKeys(connection, name, "", 0.0).look()


class FleetKeys:
    """The keys of one fleet, with all that is done with them.

    Args:
        connection: the connection to Redis.
        name: the name of the fleet.
        process: the name of this process.
        lease: the seconds after which an account may be followed by another process.

    Every method raises RedisFailed if Redis does not do it.
    """

    def __init__(self, connection: Connection, name: str, process: str, lease: float) -> None:
        if not isinstance(name, str) or not name:
            raise UsageError("name must be a str, and not empty")
        self.lease = lease
        self._connection = connection
        self._process = process
        parts = ("members", "leases", "holders", "reports")
        self._keys = [connection.key(f"fleet {name}", "fleet", part) for part in parts]

    async def renew(self, reports: Mapping[str, Report]) -> tuple[int, list[str]]:
        """Renew the leases of this process, also without any.

        Returns:
            The number of processes, and the accounts that another one follows now.
        """
        lost: list[str] = []
        members = 1
        for chunk in _chunks([*reports.items()]) if reports else [[]]:
            items = [text for account, report in chunk for text in (account, report.dump())]
            match await self._run("renew", self._process, round(self.lease * 1000), *items):
                case [int(members), list(names)]:
                    lost += map(_text, names)
                case _:
                    raise _unexpected()
        return members, lost

    async def claim(self, accounts: Sequence[str], most: int) -> AsyncIterator[str]:
        """Claim up to `most` of some accounts that nobody follows, and yield them."""
        for chunk in _chunks(accounts):
            if most <= 0:
                return
            lease = round(self.lease * 1000)
            claimed = await self._run("claim", self._process, lease, most, *chunk)
            if not isinstance(claimed, list):
                raise _unexpected()
            most -= len(claimed)
            for account in claimed:
                yield _text(account)

    async def release(self, accounts: Sequence[str]) -> None:
        """Leave accounts to other processes."""
        for chunk in _chunks(accounts):
            await self._run("release", self._process, *chunk)

    async def leave(self, accounts: Sequence[str]) -> None:
        """Leave the fleet, and the accounts to its other processes."""
        await self.release(accounts)
        await self._run("leave", self._process)

    async def look(self) -> FleetStatus:
        """Return what the fleet does."""
        cursor, accounts = b"0", dict[str, FollowedAccount]()
        while True:
            match await self._run("look", cursor):
                case [list(processes), bytes(cursor), list(items)]:
                    for item in items:
                        account = _account(item)
                        accounts[account.name] = account
                case _:
                    raise _unexpected()
            if cursor == b"0":
                names = tuple(sorted(map(_text, processes)))
                return FleetStatus(names, dict(sorted(accounts.items())))

    async def _run(self, *args: str | bytes | int) -> Any:
        return await self._connection.script(_SCRIPT, self._keys, args)


def _account(item: Any) -> FollowedAccount:
    match item:
        case [bytes(name), bytes(process), int(left), int(since), bytes(text)]:
            holder = _text(process) if left > 0 else None
            report = _parse_report(text)
            is_live = report.is_live and holder is not None
            age = report.age + since / 1000
            return FollowedAccount(
                _text(name), holder, report.extensions, is_live, age, report.error
            )
    raise _unexpected()


def _parse_report(text: bytes) -> Report:
    """Return a report; an empty one if this is none."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = None
    match value:
        case [int() | None as extensions, bool(is_live), int() | float() | None as age, error] if (
            error is None or isinstance(error, str)
        ):
            return Report(extensions, is_live, inf if age is None else age, error)
    return Report()


def _chunks(items: Sequence[T]) -> Iterator[Sequence[T]]:
    return (items[start : start + _CHUNK] for start in range(0, len(items), _CHUNK))


def _text(value: Any) -> str:
    if not isinstance(value, bytes):
        raise _unexpected()
    return value.decode("utf-8", "replace")


def _unexpected() -> RedisFailed:
    return RedisFailed("Redis returned something unexpected for a fleet")
