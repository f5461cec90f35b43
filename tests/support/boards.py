"""Boards that processes share, and states of extensions whose order is known."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from itertools import product
from typing import Any, Self

from aiopresence import GetPresenceInfo, PresenceBoard, PresenceError, PresenceSession
from aiopresence.redis import RedisBoard
from aiopresence.sandbox import Sandbox

LEASE = 1.0

# Every state that is set differs from the one before, and its place in the order can be read off.
_STATES = [
    {
        "user_status": user,
        "dnd_status": dnd,
        "ring_on_monitored_call": ring,
        "pick_up_calls_on_hold": pick_up,
        "meeting_status": meeting,
    }
    for user, dnd, ring, pick_up, meeting in product(
        ("Available", "Busy", "Offline"),
        ("TakeAllCalls", "DoNotAcceptAnyCalls"),
        (False, True),
        (False, True),
        ("Connected", "Disconnected"),
    )
]
_NUMBERS = {tuple(map(str, state.values())): number for number, state in enumerate(_STATES)}


def number_of(record: GetPresenceInfo) -> int:
    """Return the place of a state in the order of those that `Numbers` sets; -1 if it set none."""
    return _NUMBERS.get(tuple(str(getattr(record, name)) for name in _STATES[0]), -1)


class Numbers:
    """Sets the states of extensions in their order.

    Attributes:
        now: the place of the present state of each.
    """

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        # Call queues and other extensions that are no users have no state of their own.
        self.now = dict.fromkeys(sandbox.user_ids, -1)
        for id_ in sandbox.user_ids:
            self.advance(id_)

    def advance(self, id_: str) -> None:
        self.now[id_] += 1
        self._sandbox.set_presence(id_, **_STATES[self.now[id_]])

    async def run(self, seconds: float, rate: float = 100.0) -> None:
        """Set the next states of one extension after the other for some seconds."""
        ids = self._sandbox.user_ids
        for turn in range(int(seconds * rate)):
            self.advance(ids[turn % len(ids)])
            await asyncio.sleep(1 / rate)


class Watch:
    """Watches the changes of a board.

    Attributes:
        backward: changes to a state that is older than the one before.
        count: the number of changes.
    """

    def __init__(self, board: PresenceBoard) -> None:
        self.backward: list[tuple[str, int, int]] = []
        self.count = 0
        self._changes = board.changes()
        self._seen: dict[str, int] = {}

    async def run(self) -> None:
        with suppress(PresenceError):
            async for change in self._changes:
                self.count += 1
                if change.new is not None:
                    self._check(change.id, number_of(change.new))

    def _check(self, id_: str, number: int) -> None:
        before = self._seen.get(id_, -1)
        if number < before:
            self.backward.append((id_, before, number))
        self._seen[id_] = number


def numbers(board: PresenceBoard, ids: Iterable[str]) -> dict[str, int]:
    return {id_: number_of(board[id_]) for id_ in ids if id_ in board}


async def eventually(condition: Callable[[], object], timeout: float = 10.0) -> None:
    """Wait until a condition is true; in real time, because Redis is another process."""
    async with asyncio.timeout(timeout):
        while not condition():
            await asyncio.sleep(0.01)


class BoardProcess:
    """A process of its own with a session and a shared board; see `board_program`."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    async def start(cls, sandbox: Sandbox, redis: str, **shared: Any) -> Self:
        grant = sandbox.grant
        options = {
            "server": sandbox.url,
            "grant": [grant.client_id, grant.client_secret, grant.jwt],
            "redis": redis,
            "shared": shared,
        }
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "tests.support.board_program", json.dumps(options)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        return cls(process)

    async def ask(self, command: str = "show") -> dict[str, Any]:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(f"{command}\n".encode())
        async with asyncio.timeout(20):
            answer: dict[str, Any] = json.loads(await self._process.stdout.readline())
        return answer

    async def wait_for(self, condition: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
        """Wait until the board is live and fulfils a condition, and return what it has."""
        async with asyncio.timeout(20):
            while not ((shown := await self.ask())["is_live"] and condition(shown)):
                await asyncio.sleep(0.02)
        return shown

    def signal(self, number: signal.Signals) -> None:
        os.kill(self._process.pid, number)

    async def end(self) -> None:
        if self._process.returncode is None:
            self._process.kill()
        # The transport is closed with the last pipe.
        await self._process.communicate()


@asynccontextmanager
async def board_process(sandbox: Sandbox, redis: str, **shared: Any) -> AsyncIterator[BoardProcess]:
    process = await BoardProcess.start(sandbox, redis, **shared)
    try:
        yield process
    finally:
        await process.end()


def are_equal(boards: Iterable[PresenceBoard], truth: dict[str, int]) -> bool:
    """Return whether boards are live, and have the states that were set last."""
    return all(board.is_live and numbers(board, truth) == truth for board in boards)


class Boards(AsyncExitStack):
    """Opens shared boards, each in a session of its own, and closes them.

    Attributes:
        sandbox: the account.
        sessions: the sessions of the boards.
    """

    def __init__(self, sandbox: Sandbox, redis: Any) -> None:
        super().__init__()
        self.sandbox = sandbox
        self._redis = redis
        self.sessions: list[PresenceSession] = []
        self.watches: list[Watch] = []

    async def open(self, ids: Any = None, **shared: Any) -> PresenceBoard:
        flags = {
            "detailed_telephony_state": shared.pop("detailed", False),
            "directory": shared.pop("directory", False),
        }
        board = RedisBoard(self._redis, **{"lease": LEASE, **shared})
        session = PresenceSession(self.sandbox.grant, server=self.sandbox.url)
        self.sessions.append(await self.enter_async_context(session))
        opened = session.board(ids, shared=board, **flags)
        await opened.__aenter__()
        watch = Watch(opened)
        self.watches.append(watch)
        task = asyncio.create_task(watch.run())
        self.push_async_callback(asyncio.wait, [task])
        self.push_async_callback(opened.close)
        return opened

    @property
    def backward(self) -> list[Any]:
        return [each for watch in self.watches for each in watch.backward]


def has_states(shown: dict[str, Any], states: Numbers) -> bool:
    return {id_: shown["numbers"][id_] for id_ in states.now} == states.now
