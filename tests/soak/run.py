"""One run: faults at their times, and after each round a quiet time to become current in."""

import asyncio
import logging
import random
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import attrs

from aiopresence import PresenceSession
from aiopresence.sandbox import Sandbox

from . import checks, leaks, other, schedule, shared
from .activity import Activity
from .quiet import Quiet
from .report import Result
from .scene import TOKENS, Scene, scene
from .tally import Tallies

# Seconds after the last fault in which everything must be current: a dead connection is noticed
# after 25 at most, and a new one may need some attempts.
BOUND = 45.0
# The same for the end of calls, of which some may wait after a 429.
LAST_CALLS = 45.0
# How much more time is given for each second by which the event loop was late: the processes and
# servers that take part were late, too. And the most that is given.
_SLOWNESS, _MOST = 3.0, 60.0
# What the memory may grow by between the second and the last third of a run, in megabytes.
_GROWTH = 10.0
_PROGRESS, _SILENT = 10.0, 3.0
# How long the recovery may take after a wait before a connection for events, in seconds.
_RECOVERY = 15.0
# How long the last faults may take at the end of a run.
_LAST_FAULTS = 15.0
NO_REDIS = "redis-server is not installed: the part with Redis was skipped."

Print = Callable[[str], None]


@attrs.define
class Machine:
    """How slow the machine is, and how much memory this process takes.

    Attributes:
        late: by how many seconds the event loop was late, in total.
        memory: megabytes, once a second.
    """

    late: float = 0.0
    memory: list[float] = attrs.field(factory=list)

    async def watch(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            for _ in range(10):
                due = loop.time() + 0.1
                await asyncio.sleep(0.1)
                self.late += max(0.0, loop.time() - due - 0.005)
            self.memory.append(leaks.memory())

    def deadline(self, seconds: float) -> Callable[[], bool]:
        """Return what says whether so many seconds are over, or more on a slow machine."""
        start, late = time.monotonic(), self.late

        def is_over() -> bool:
            more = min(_MOST, _SLOWNESS * (self.late - late))
            return time.monotonic() - start > seconds + more

        return is_over


class Reconnects(logging.Handler):
    """Knows from the log until when clients wait before they connect again for events.

    After failures in a row these waits double, up to two minutes, which is no defect.
    """

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._until = 0.0

    def emit(self, record: logging.LogRecord) -> None:
        """Look at a record."""
        if record.msg.startswith("reconnecting in ") and isinstance(record.args, tuple):
            seconds = float(str(record.args[0]))
            self._until = max(self._until, time.monotonic() + seconds + _RECOVERY)

    def are_over(self) -> bool:
        """Return whether all are over, and what was missed may have been recovered."""
        return time.monotonic() > self._until


class Soak:
    """A run.

    Args:
        seconds: how long faults and quiet times alternate.
        seed: decides the faults.
        progress: is given a line every ten seconds.

    Attributes:
        interrupted: set to end the run early.
    """

    def __init__(self, seconds: float, seed: int, progress: Print) -> None:
        self._seconds = seconds
        self._seed = seed
        self._progress = progress
        self._machine = Machine()
        self._reconnects = Reconnects()
        self._injected: set[asyncio.Task[Any]] = set()
        self.interrupted = asyncio.Event()
        self.tallies = Tallies()

    async def run(self) -> Result:
        """Run, clean up, and return what has happened."""
        with _temporary() as folder:
            await _warm_up()
            logging.getLogger("aiopresence").addHandler(self._reconnects)
            asyncio.get_running_loop().set_exception_handler(self._complain)
            watch = asyncio.create_task(self._machine.watch())
            before = leaks.resources(folder)
            async with scene(self.tallies, self._seed, folder) as made:
                self.tallies.started = time.monotonic()
                lines = asyncio.create_task(self._print())
                missing = await self._play(made)
                seconds = time.monotonic() - self.tallies.started
                await self._stop(made)
                lines.cancel()
                tasks = made.tasks
            logging.getLogger("aiopresence").removeHandler(self._reconnects)
            watch.cancel()
            await asyncio.gather(watch, lines, return_exceptions=True)
            await self._check_leaks(tasks, before, folder)
        memory = checks.check_memory(self.tallies.of("process"), self._machine.memory, _GROWTH)
        notes = [] if shared.is_available() else [NO_REDIS]
        complete = not self.interrupted.is_set()
        return Result(seconds, self._seed, self.tallies, missing, memory, complete, notes)

    def _complain(self, _: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Count what asyncio complains about, such as an error that nobody has retrieved."""
        error = context.get("exception")
        text = f"{context.get('message')} {type(error).__name__}: {error}"
        self.tallies.of("process").defect("leaked", text)

    async def _play(self, made: Scene) -> list[str]:
        """Play all rounds, and return the kinds of faults that never fired."""
        plan = schedule.rounds(self._seconds, self._seed, made.possible)
        for number, each in enumerate(plan, 1):
            for step in each.steps:
                if await self._wait_until(step.at):
                    return []
                self._inject(made, step)
            await self._settle(made, number)
            if await self._wait_until(each.end):
                return []
            _tidy(made)
        if self.interrupted.is_set():
            return []
        return checks.unfired(self.tallies.faults, schedule.kinds(made.possible))

    async def _wait_until(self, at: float) -> bool:
        """Wait until so many seconds after the start; return whether the run is to end."""
        left = self.tallies.started + at - time.monotonic()
        with suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, left)):
                await self.interrupted.wait()
        return self.interrupted.is_set()

    def _inject(self, made: Scene, step: schedule.Step) -> None:
        account = made.accounts[step.account]
        chance = random.Random(step.seed)  # noqa: S311 - the same on every run
        task = account.faults[step.kind](account, chance)
        if isinstance(task, asyncio.Task):
            self._injected.add(task)
            task.add_done_callback(self._injected.discard)

    async def _settle(self, made: Scene, number: int) -> None:
        """Wait until everything is current again, and count what does not become so."""
        self.tallies.act(f"round {number} is quiet")
        # What connections that are half-open do not bring must be part of it.
        await asyncio.sleep(_SILENT)
        quiet = Quiet(made)
        is_over = self._machine.deadline(BOUND)
        while not (quiet.is_settled() or self.interrupted.is_set()):
            if is_over() and self._reconnects.are_over():
                break
            await asyncio.sleep(0.2)
        if not self.interrupted.is_set():
            quiet.count()
        quiet.end()

    async def _stop(self, made: Scene) -> None:
        """Let all activities end; calls that do not end by themselves are lost."""
        self.tallies.act("everything stops")
        if self._injected:  # Redis must not be started again after its end.
            await asyncio.wait(self._injected, timeout=_LAST_FAULTS)
        for task in self._injected:
            task.cancel()
        await asyncio.gather(*self._injected, return_exceptions=True)
        for activity in made.activities.values():
            activity.stopping.set()
        is_over = self._machine.deadline(10.0 if self.interrupted.is_set() else LAST_CALLS)
        while not all(task.done() for task in made.running.values()) and not is_over():
            await asyncio.sleep(0.1)
        for name, task in made.running.items():
            self._check_end(made.activities[name], task)
        for account in made.accounts.values():
            if refused := account.refused():
                text = f"429s of account {account.name}"
                self.tallies.of("process").defect("refused", text, refused)

    def _check_end(self, activity: Activity, task: "asyncio.Task[None]") -> None:
        tally = activity.tally
        if task.done() and not task.cancelled() and (error := task.exception()) is not None:
            tally.defect("lost", f"the activity has ended with {error!r}")
        if tally.pending > 0:
            if self.interrupted.is_set():
                tally.add("cancelled", tally.pending)
            else:
                tally.defect("lost", "calls that did not end", tally.pending)

    async def _check_leaks(self, tasks: leaks.Tasks, before: dict[str, int], folder: Path) -> None:
        loop = asyncio.get_running_loop()
        await loop.shutdown_default_executor()
        is_over = self._machine.deadline(5.0)
        # Connections of the servers are closed when they notice that the other side is.
        while not is_over() and (tasks.running() or _more(before, leaks.resources(folder))):
            await asyncio.sleep(0.1)
        for name, number in tasks.running().items():
            text = f"{number} tasks: {tasks.describe(name)}"
            self.tallies.of(name or "process").defect("leaked", text, number)
        (folder / TOKENS).unlink(missing_ok=True)
        checks.check_leaks(self.tallies.of("process"), before, leaks.resources(folder))

    async def _print(self) -> None:
        while True:
            await asyncio.sleep(_PROGRESS)
            total = self.tallies.total()
            counts = ", ".join(f"{total[name]:,} {name}" for name in total if total[name])
            seconds = time.monotonic() - self.tallies.started
            faults = sum(self.tallies.faults.values())
            self._progress(f"{seconds:5.0f} s: {counts}; {faults} faults")


def _more(before: dict[str, int], after: dict[str, int]) -> bool:
    return any(number > before.get(kind, 0) for kind, number in after.items())


def _tidy(made: Scene) -> None:
    """Forget faults that never fired, and what servers record for tests."""
    for account in made.accounts.values():
        if account.name == "other":
            other.tidy(account.server)
        else:
            account.server.requests.clear()
            account.server.faults.clear()
            account.server.gateway.clear()
            # Each log keeps 10,000 entries, which takes half an hour and 10 MB to fill.
            account.server.gateway._faults.frames.clear()
            account.server.webhooks.deliveries.clear()


@contextmanager
def _temporary() -> Iterator[Path]:
    """Let all temporary files be made in a folder of its own."""
    with tempfile.TemporaryDirectory(prefix="soak-") as name:
        before, tempfile.tempdir = tempfile.tempdir, name
        try:
            yield Path(name)
        finally:
            tempfile.tempdir = before


async def _warm_up() -> None:
    """Import what is imported on first use, so that it is no leak later."""
    async with (
        Sandbox(3) as sandbox,
        PresenceSession(sandbox.grant, server=sandbox.url) as session,
        session.board(directory=True) as board,
    ):
        await board.wait_ready()
