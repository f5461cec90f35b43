"""Run the followers of many accounts in any number of processes, which share them by leases.

Theory: each account has a lease in Redis (`fleet.lua`), which its process renews. With every
renewal a process learns how many processes there are. It claims accounts until it has its share of
all, leaves what it has beyond that to others, and claims what a dead process had once the leases
have ended. Leases only distribute the work: should two processes follow one account for a moment,
the fence of its board (`board.lua`) decides whose publications count.
"""

import asyncio
import logging
import os
import random
import secrets
import socket
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from datetime import timedelta
from math import ceil
from typing import TYPE_CHECKING

import attrs
from redis.asyncio import Redis, RedisCluster

from ..errors import PresenceError, RedisFailed, UsageError
from ..live.board import PresenceBoard
from ..models.validation import seconds
from ..transport.clock import Clock
from .board import RedisBoard
from .connection import Connection
from .fleet_keys import FleetKeys, Report

if TYPE_CHECKING:
    from ..session import PresenceSession

# A logger of its own: unlike other errors that are logged, these are not raised.
_log = logging.getLogger("aiopresence.fleet")

# Accounts whose boards are opened at once: each logs in and reads everything. A guess.
OPENING = 16
# Seconds that an account is waited for until others are opened besides it.
READY_WAIT = 30.0
# Seconds after which an account that has ended with an error is tried again.
RESTART = 300.0


@attrs.define(eq=False)
class _Followed:
    """An account that this process follows.

    Attributes:
        report: how its board is.
        task: follows it.
    """

    report: Report = attrs.field(factory=Report)
    task: "asyncio.Task[None]" = attrs.field(init=False)


class Fleet:
    """Follows the presence of many accounts, together with the other processes of the fleet.

    Each account is followed by one process, which publishes its board as `RedisBoard` does: other
    programs read it with `session.board(shared=RedisBoard(redis, role="read"))`. Start any number
    of processes with the same accounts; when one ends, the others continue what it has followed.

    Args:
        redis: a URL, or a client of redis.asyncio, which is not closed.
        sessions: for each account, by a name that is the same in all processes, what returns a
            session with its login, not entered yet.
        name: the name of the fleet.
        detailed: whether boards have active calls.
        lease: seconds (or a timedelta) after which the accounts of a dead process are continued.
        timeout: seconds (or a timedelta) for one command.
        prefix: what all keys in Redis begin with.

    Raises:
        UsageError: an argument is wrong.
    """

    def __init__(
        self,
        redis: str | Redis | RedisCluster,
        sessions: Mapping[str, "Callable[[], PresenceSession]"],
        *,
        name: str = "default",
        detailed: bool = False,
        lease: float | timedelta = 15.0,
        timeout: float | timedelta = 1.0,
        prefix: str = "aiopresence",
    ) -> None:
        if not sessions or not all(isinstance(each, str) and each for each in sessions):
            raise UsageError("sessions must map names of accounts to functions")
        self._sessions = dict(sessions)
        self._detailed = detailed
        self._clock = Clock()
        self._connection = Connection(redis, timeout=timeout, prefix=prefix)
        self._keys = FleetKeys(self._connection, name, _process_name(), seconds("lease", lease))
        self._board = RedisBoard(redis, role="follow", lease=lease, timeout=timeout, prefix=prefix)
        self._followed: dict[str, _Followed] = {}
        self._opening = asyncio.Semaphore(OPENING)

    @property
    def accounts(self) -> frozenset[str]:
        """The accounts that this process follows at present."""
        return frozenset(self._followed)

    async def run(self) -> None:
        """Follow accounts until it is cancelled; then the other processes continue at once.

        PresenceErrors of single accounts and of Redis are logged, and what failed is tried again.
        Any other error, such as one of the functions in `sessions`, is raised.
        """
        async with self._connection:
            try:
                while True:
                    with suppress(RedisFailed):  # The connection has logged it.
                        await self._share_out()
                    await self._clock.wait(asyncio.Event(), self._keys.lease / 3)
            finally:
                accounts = [*self._followed]
                await self._stop(accounts)
                with suppress(RedisFailed):
                    await self._keys.leave(accounts)

    async def _share_out(self) -> None:
        """Renew the leases, and follow as many accounts as is this process's share."""
        for followed in self._followed.values():
            if followed.task.done():
                followed.task.result()  # It ends only with an error.
        reports = {account: each.report for account, each in self._followed.items()}
        members, lost = await self._keys.renew(reports)
        await self._stop(lost)
        share = ceil(len(self._sessions) / max(1, members))
        surplus = [*self._followed][share:]
        if surplus:
            await self._stop(surplus)
            await self._keys.release(surplus)
        others = [account for account in self._sessions if account not in self._followed]
        # In another order than other processes, so that they do not try the same ones.
        random.shuffle(others)
        async for account in self._keys.claim(others, share - len(self._followed)):
            self._start(account)

    def _start(self, account: str) -> None:
        _log.info("following account %s", account)
        followed = self._followed[account] = _Followed()
        followed.task = asyncio.create_task(self._follow_forever(account, followed))

    async def _stop(self, accounts: Sequence[str]) -> None:
        """Stop following accounts; return when their boards are closed."""
        stopped = {
            each: self._followed.pop(each).task for each in accounts if each in self._followed
        }
        for task in stopped.values():
            task.cancel()
        await asyncio.gather(*stopped.values(), return_exceptions=True)
        for account in stopped:
            _log.info("no longer following account %s", account)

    async def _follow_forever(self, account: str, followed: _Followed) -> None:
        while True:
            try:
                await self._follow(account, followed)
            except PresenceError as error:
                _log.error("account %s: %s; trying again in %.0f s", account, error, RESTART)
                followed.report = Report(error=str(error))
            await self._clock.wait(asyncio.Event(), RESTART)

    async def _follow(self, account: str, followed: _Followed) -> None:
        """Follow an account until its board ends with an error, which is raised."""
        async with AsyncExitStack() as stack:
            async with self._opening:
                session = await stack.enter_async_context(self._sessions[account]())
                board = session.board(detailed_telephony_state=self._detailed, shared=self._board)
                await stack.enter_async_context(board)
                await _wait_ready(account, board)
            while True:
                followed.report = _report(board)
                await self._clock.wait(asyncio.Event(), self._keys.lease / 3)


async def _wait_ready(account: str, board: PresenceBoard) -> None:
    """Wait until a board has read everything, for a limited time; it goes on afterwards."""
    try:
        async with asyncio.timeout(READY_WAIT):
            await board.wait_ready()
    except TimeoutError:
        message = "account %s: not ready after %.0f s, with %d extensions read; still trying"
        # A large account takes its time; one of which nothing is known may have a wrong server.
        level = logging.WARNING if len(board) else logging.ERROR
        _log.log(level, message, account, READY_WAIT, len(board))


def _report(board: PresenceBoard) -> Report:
    """Return how a board is; raise its error if it has ended."""
    return Report(len(board), board.is_live, board.age)


def _process_name() -> str:
    """Return a name that an operator recognizes, and no other process has."""
    return f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(2)}"
