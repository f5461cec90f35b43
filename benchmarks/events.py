"""How many events a second can a board process, and how much memory does it need?

- From the text of a notification to the change of the board, on one core, without the network
  (which `live` includes). The texts are what the sandbox has sent for a simulated account. The
  session's tables are full before anything is measured; by then most extensions have seven calls,
  the most that RingCentral lists.
- The memory of a board of 100,000 extensions, in a process of its own: its growth since the first
  page was read, and the peak meanwhile. Every second extension has a call.

Run: python -m benchmarks.events
"""

import asyncio
import gc
import json
import statistics
import sys
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from itertools import islice

import attrs

from aiopresence import (
    ChangeSource,
    GetPresenceInfo,
    JwtGrant,
    PresenceChange,
    PresenceEvent,
    PresenceSession,
)
from aiopresence.protocol.event_gaps import MAX_SEEN
from aiopresence.protocol.event_session import EventSession
from aiopresence.protocol.presence_state import PresenceState
from aiopresence.redaction import Redactor
from aiopresence.sandbox import Sandbox

from . import process
from .report import Row, finish, median

EXTENSIONS = 500
# Changes before anything is read: extensions then have as many calls as they ever will.
BEFORE = 20 * EXTENSIONS
# Events before anything is measured.
WARM = MAX_SEEN + 2_000
ROUNDS, PIECE = 20, 500
RATES = {"plain": 30_000.0, "detailed": 20_000.0}

LARGE = 100_000
CALLS = LARGE // 2
MEMORY = {"plain": 85.0, "detailed": 110.0}
PLENTY = {"Auth": 9_000, "Heavy": 9_000}

DETAILED = {"plain": False, "detailed": True}


@attrs.frozen
class Story:
    """What an event session receives.

    Attributes:
        records: the presence at first, by id.
        frames: what then arrives: ConnectionDetails, the subscription, notifications.
    """

    records: Mapping[str, GetPresenceInfo]
    frames: list[str]


async def collect(extensions: int, before: int, events: int, *, detailed: bool) -> Story:
    """Return the notifications of some events, after some others, in a simulated account."""
    frames: list[str] = []

    def keep(text: str) -> str:
        frames.append(text)
        return text

    async with Sandbox(extensions, limits=PLENTY) as sandbox:
        life = sandbox.simulate(1.0)
        for _ in range(before):
            life.step()
        sandbox.gateway.replace(keep, times=None)
        async with (
            PresenceSession(sandbox.grant, server=sandbox.url) as session,
            session.board(detailed_telephony_state=detailed) as board,
        ):
            await board.wait_ready()
            records = dict(board)
            while len(frames) < events:
                life.step()
    return Story(records, frames)


class Follower:
    """An event session and a presence state, connected directly.

    Args:
        story: what they receive.
        detailed: whether it has calls.
    """

    def __init__(self, story: Story, *, detailed: bool) -> None:
        self._frames = iter(story.frames)
        greeting, reply = next(self._frames), next(self._frames)
        message_id = json.loads(reply)[0]["messageId"]
        self._session = EventSession(("all",), lambda: str(message_id), Redactor())
        self._session.connection_made(0.0, 1.0)
        for frame in (greeting, reply):
            self._session.receive(0.0, frame)
        self._now = datetime.now(UTC)
        self._state = PresenceState(None, detailed=detailed)
        reading = self._state.begin_read()
        for id_, record in story.records.items():
            self._state.merge_read(reading, id_, record, ChangeSource.ACCOUNT, self._now)
        self._state.end_read(reading, complete=True)

    @property
    def records(self) -> Mapping[str, GetPresenceInfo]:
        """The present state, by id."""
        return self._state.records

    def changes(self, count: int) -> Iterator[PresenceChange]:
        """Process some events, and yield the changes."""
        for frame in islice(self._frames, count):
            for happening in self._session.receive(0.0, frame):
                if isinstance(happening, PresenceEvent):
                    change = self._state.apply(happening, self._now)
                    if change is not None:
                        yield change

    def take(self, count: int) -> float:
        """Process some events; return how many a second of CPU time."""
        started = time.process_time()
        changes = sum(1 for _ in self.changes(count))
        used = time.process_time() - started
        if changes != count or not self._state.is_settled:
            raise SystemExit(f"{count} events made {changes} changes")
        return count / used


def of_events() -> list[Row]:
    """Measure the events."""
    stories = {
        name: asyncio.run(collect(EXTENSIONS, BEFORE, WARM + ROUNDS * PIECE, detailed=detailed))
        for name, detailed in DETAILED.items()
    }
    sizes = {name: statistics.mean(map(len, story.frames)) for name, story in stories.items()}
    followers = {name: Follower(story, detailed=DETAILED[name]) for name, story in stories.items()}
    rates: dict[str, list[float]] = {name: [] for name in followers}
    for follower in followers.values():
        follower.take(WARM - 2)
    for _ in range(ROUNDS):
        for name, follower in followers.items():
            rates[name].append(follower.take(PIECE))
    return [
        median(
            *("events", f"{name} events of {sizes[name]:,.0f} characters, text to board", rate),
            unit="events/s",
            target=RATES[name],
            at_least=True,
        )
        for name, rate in rates.items()
    ]


async def _of_memory() -> list[Row]:
    async with Sandbox(LARGE, limits=PLENTY) as sandbox:
        life = sandbox.simulate(1.0)
        for _ in range(CALLS):
            life.step()
        given = {"server": sandbox.url, "grant": attrs.astuple(sandbox.grant)}
        rows = []
        for name in DETAILED:
            now, most = await asyncio.to_thread(
                process.run, __spec__.name, "grow", name, given=given
            )
            label = f"a board of {LARGE:,} extensions, {name}"
            rows += [
                Row("events", label, now, "MB", MEMORY[name]),
                Row("events", f"{label}: peak while it was read", most, "MB", 200.0),
            ]
        return rows


async def grow(server: str, grant: JwtGrant, *, detailed: bool) -> tuple[float, float]:
    """Return the MB by which this process grows with a board: at the end, and at the peak."""
    async with PresenceSession(grant, server=server) as session:
        await session.read_account_presence(detailed_telephony_state=detailed)
        gc.collect()
        before = process.resident()
        async with session.board(detailed_telephony_state=detailed) as board:
            await board.wait_ready()
            if len(board) != LARGE:
                raise SystemExit(f"{len(board)} extensions are on the board")
            gc.collect()
            return process.resident() - before, process.peak() - before


def measure() -> list[Row]:
    """Measure all."""
    return [*of_events(), *asyncio.run(_of_memory())]


def main() -> int:
    """Measure all; or, with the argument "grow", the memory of one board."""
    if sys.argv[1:2] != ["grow"]:
        return finish(measure())
    given = json.load(sys.stdin)
    grant = JwtGrant(*given["grant"])
    print(json.dumps(asyncio.run(grow(given["server"], grant, detailed=DETAILED[sys.argv[2]]))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
