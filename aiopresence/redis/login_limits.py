"""The limits of one login in Redis: one task per group, and the messages of other processes."""

import asyncio
import logging
import secrets
from collections.abc import Callable, Collection, Mapping
from typing import Any

from ..errors import RedisFailed
from ..protocol.rate_limit_groups import GroupsByCall
from ..protocol.rate_limit_headers import Headers
from ..protocol.rate_limits import DEFAULTS, UNKNOWN_GROUP_LIMITS, GroupLimits
from ..transport.clock import Clock
from ..transport.rate_limiter import Group, Waiting
from .connection import Connection, load_script
from .limit_calls import Slot, read_reply
from .limit_group import RedisGroup
from .own_seat import OwnSeat

_log = logging.getLogger("aiopresence")

SCRIPT = load_script("limits_rules", "limits")
# Seconds for the first connection, which takes longer than a call.
_CONNECT = 5.0


class RedisLoginLimits:
    """The limits of one login; it is a `transport.rate_limiter.RemoteLimits`.

    Args:
        connect: makes a connection to Redis.
        owner: whose quota it is.
        presets: limits of groups to assume before the server states them.
        reply_time: the seconds in which Redis must reply.
        require: whether to fail at the start if Redis does not work.
        seats: the number of processes for outage="share"; else 0.
        name: the name of the seat of this process; empty if any will do.
        clock: the source of time.

    Attributes:
        reply_time: as given.
        is_closed: whether it is not used any more.
    """

    def __init__(
        self,
        connect: Callable[[], Connection],
        owner: str,
        presets: Mapping[str, GroupLimits],
        *,
        reply_time: float,
        require: bool,
        seats: int,
        name: str,
        clock: Clock,
    ) -> None:
        self.reply_time, self.is_closed = reply_time, False
        self._connect, self._owner, self._require = connect, owner, require
        self._presets = {**DEFAULTS, **presets}
        self._seats, self._name, self._clock = seats, name, clock
        self._process = secrets.token_hex(4)
        self._groups = GroupsByCall(self._new_group)
        self._tasks: list[asyncio.Task[None]] = []
        self._waiting: Waiting
        self._connection: Connection

    async def open(self, waiting: Waiting) -> None:
        """Connect, and begin to grant slots to the requests that wait.

        Raises:
            RedisFailed: Redis does not work, and is required.
        """
        self._waiting, self._connection = waiting, self._connect()
        self._connection.subscribe(self._channel, self._notified)
        try:
            # Connects to where the data are, loads the script, and shows whether it may be run.
            keys = [self._connection.key(self._owner, "limits", "none")]
            await self._connection.script(SCRIPT, keys, ["", self._channel], timeout=_CONNECT)
        except RedisFailed as error:
            if self._require:
                await self._disconnect()
                raise RedisFailed(
                    f"no rate limits without Redis: {error};"
                    " with require=False the session opens and waits for Redis"
                ) from None
        except BaseException:
            await self._disconnect()
            raise

    async def close(self) -> None:
        """Release the slots that were not used, and report what became of the others."""
        for task in self._tasks:
            task.cancel()
        try:
            await asyncio.gather(*self._tasks, return_exceptions=True)
            last_calls = (self._call(each, closing=True) for each in self._all_groups)
            await asyncio.gather(*last_calls)
        finally:
            await self._disconnect()

    async def _disconnect(self) -> None:
        self.is_closed = True
        await self._connection.close()

    # What the session asks: see transport.rate_limiter.LoginLimits.

    def add_presets(self, presets: Mapping[str, GroupLimits]) -> None:
        """Use other limits for groups whose limits no response has stated yet."""
        self._presets |= presets
        for name in presets.keys() & self._groups.by_name.keys():
            self._groups.by_name[name].preset = presets[name]

    def group(self, call: str, expected: str) -> Group:
        """Return the group of a call: the one its last response stated, or the expected one."""
        return self._groups.of(call, expected)

    def delay(self, group: Any, now: float, keep: int = 0) -> float:
        """Return the seconds until a request of a group may be sent; inf if that is not known.

        A request whose group is unknown may count in any of them, so it waits for all.
        """
        delay: float = group.delay(now, keep)
        if delay <= 0 and group.name is None:
            others = (each.forecast(now, 0) for each in self._all_groups if each is not group)
            delay = max(others, default=0.0)
        return delay

    def complete(
        self,
        now: float,
        call: str,
        group: Any,
        slot: Slot,
        headers: Headers,
        *,
        refused: bool = False,
    ) -> None:
        """Report the response to a request, `refused` if it was a 429, and learn its group."""
        actual = self._groups.learn(call, group, headers)
        if actual is not group:
            group.release(slot)
            slot = actual.adopt()
        actual.complete(now, slot, headers, refused=refused)

    def apply_429(self, now: float, group: Any, headers: Headers) -> None:
        """Block a group after a 429 in a part of a response; all groups if that states none."""
        group.apply_429(now, headers)

    def snapshot(self, now: float) -> dict[str, GroupLimits]:
        """Return the state of each group that is in use, by name."""
        return {name: group.snapshot(now) for name, group in self._groups.by_name.items() if name}

    # Details.

    @property
    def _channel(self) -> str:
        return self._connection.key(self._owner, "limits", "changed")

    def _key(self, name: str) -> str:
        return self._connection.key(self._owner, "limits", "group", name)

    @property
    def _all_groups(self) -> Collection[RedisGroup]:
        return self._groups.by_name.values()

    def _new_group(self, name: str) -> RedisGroup:
        preset = self._presets.get(name, UNKNOWN_GROUP_LIMITS)
        own = OwnSeat(self._seats, self._name)
        group = RedisGroup(name or None, preset, self._process, self._waiting, own)
        self._tasks.append(asyncio.create_task(self._run(group)))
        return group

    async def _run(self, group: RedisGroup) -> None:
        """Call the script whenever it is due."""
        while True:
            group.changed.clear()
            now = self._clock.now()
            due = group.due(now)
            if due > now:
                await self._clock.wait(group.changed, due - now)
            else:
                await self._call(group)

    async def _call(self, group: RedisGroup, *, closing: bool = False) -> None:
        """Call the script once for a group, and wake up the requests that wait."""
        keys = [self._connection.key(self._owner, "limits"), self._key(group.name or "")]
        try:
            if group.own.is_used:
                await self._connection.call("PING")
            group.own.hold()
            sent = self._clock.now()
            call = group.call(sent, closing=closing).encode()
            reply = read_reply(await self._connection.script(SCRIPT, keys, [call, self._channel]))
        except RedisFailed:
            reply = None
        finally:
            group.own.hold(False)
        if reply is None:
            group.failed(self._clock.now())
        else:
            if group.is_lost(reply) and not closing:
                _log.warning(
                    "%s has lost the rate limits of group %s: nothing is sent for %.1f s",
                    self._connection.address,
                    group.name or "unknown",
                    reply.blocked / 1000,
                )
            group.apply(reply, sent, self._clock.now())
        self._waiting.wake_waiters()

    def _notified(self, message: bytes | None) -> None:
        """Ask again soon, because another process has changed something."""
        text = "" if message is None else message.decode("utf-8", "replace")
        time, _, key = text.partition(" ")
        stopped = int(time) if time.isdecimal() and len(time) < 16 else None
        for name, group in self._groups.by_name.items():
            if key in {"", self._key(name)}:
                group.notify(stopped)
