"""A process that shares limits, login and board over Redis; `shared` starts and kills it.

It prints what it has counted and what its board shows as a JSON line twice a second, and ends when
its input does.
"""

import asyncio
import json
import random
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from aiopresence import (
    GroupLimits,
    JwtGrant,
    PresenceBoard,
    PresenceError,
    PresenceSession,
)
from aiopresence.redis import RedisBoard, RedisLimits, RedisTokenStore

from . import checks, states
from .tally import Tally

# More than any state: a worker does not know which one is the newest.
_ANY = 1 << 60


class Worker:
    """Reads, and keeps a shared board.

    Attributes:
        tally: what it has counted.
        failures: when each call began that has failed, and its error; the parent knows whether a
            fault explains it.
    """

    def __init__(self, options: dict[str, Any]) -> None:
        self._options = options
        self._ids: list[str] = options["ids"]
        self._chance = random.Random(options["seed"])  # noqa: S311 - the same for each seed
        self.tally = Tally(options["name"])
        self.failures: list[tuple[float, str]] = []
        self._read = checks.Latest(self.tally)
        self._board = checks.Latest(self.tally)

    def session(self) -> PresenceSession:
        """Return its session; limits, login and board are those of all workers."""
        redis, window = self._options["redis"], self._options["window"]
        presets = {
            name: GroupLimits(limit, window) for name, limit in self._options["limits"].items()
        }
        return PresenceSession(
            JwtGrant(*self._options["grant"]),
            server=self._options["server"],
            timeout=10.0,
            attempts=6,
            limits=RedisLimits(redis, limits=presets, require=False, timeout=1.0),
            token_store=RedisTokenStore(redis, lock_for=10.0),
        )

    async def read(self, session: PresenceSession) -> None:
        """Read some extensions, again and again."""
        while True:
            ids = self._chance.choices(self._ids, k=self._chance.randint(1, len(self._ids)))
            self.tally.add("requested", len(ids))
            before, started = {id_: self._read.shown.get(id_, 0) for id_ in ids}, time.monotonic()
            try:
                outcomes: Sequence[Any] = await session.read_user_presence_statuses(ids)
            except PresenceError as error:
                self.failures += [(started, f"{type(error).__name__}: {error}")] * len(ids)
            else:
                self._check(ids, outcomes, before, started)
            await asyncio.sleep(self._chance.uniform(0, 0.2))

    def _check(
        self, ids: Sequence[str], outcomes: Sequence[Any], before: dict[str, int], started: float
    ) -> None:
        call = checks.Call(before, dict.fromkeys(before, _ANY), explained=False)
        good = [n for n, each in enumerate(outcomes) if each.ok or n >= len(ids)]
        answered = [outcomes[n] for n in good]
        checks.check_outcomes(self.tally, [ids[n] for n in good if n < len(ids)], answered, call)
        if len(outcomes) < len(ids):
            self.tally.defect("lost", "a shorter result", len(ids) - len(outcomes))
        for each in outcomes:
            if each.ok:
                number = states.number_of_read(each.value) or 0
                self._read.shown[each.id] = max(number, self._read.shown.get(each.id, 0))
            else:
                self.failures.append((started, f"{type(each.error).__name__}: {each.error}"))

    async def watch(self, board: PresenceBoard) -> None:
        """Check that the board never goes back."""
        async for change in board.changes():
            if change.id in self._ids and change.new is not None:
                self._board.see(change.id, states.number_of_calls(change.new), _ANY)

    async def report(self, board: PresenceBoard) -> None:
        """Print what was counted since the last line."""
        while True:
            self._print(board)
            await asyncio.sleep(0.5)

    def _print(self, board: PresenceBoard) -> None:
        counts, failures, examples = self.tally.counts.copy(), self.failures[:], self.tally.examples
        self.tally.counts.clear()
        self.failures.clear()
        shown = {id_: states.number_of_calls(board[id_]) for id_ in self._ids if id_ in board}
        line = {"counts": counts, "failures": failures, "examples": examples, "shown": shown}
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()
        self.tally.examples = []

    async def run(self) -> None:
        """Work until the input ends."""
        end = asyncio.create_task(asyncio.to_thread(sys.stdin.read))
        shared = RedisBoard(self._options["redis"], lease=self._options["lease"])
        async with (
            self.session() as session,
            session.board(shared=shared, detailed_telephony_state=True) as board,
        ):
            work = [self.read(session), self.watch(board), self.report(board)]
            tasks = [end, *(asyncio.create_task(each) for each in work)]
            done, others = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)
            with suppress(PresenceError):
                self._print(board)
        for task in done:
            task.result()


if __name__ == "__main__":
    asyncio.run(Worker(json.loads(sys.argv[1])).run())
