"""How far a long command is: a bar on standard error, once it takes more than a second."""

import asyncio
import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from ..escaping import escaped
from .console import terminal

if TYPE_CHECKING:
    from .. import PresenceSession

# Seconds before anything is shown, and between two looks.
QUIET, EVERY = 1.0, 0.2


class Progress:
    """Shows progress on a terminal; use it with `async with`.

    Args:
        session: whose requests and limits to show.
        total: how much there is to do; None when not known.
    """

    def __init__(self, session: "PresenceSession", total: int | None) -> None:
        self._session = session
        self._total = total
        self._done = 0
        self._started = time.monotonic()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._show())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def advance(self) -> None:
        """Count one more as done."""
        self._done += 1

    @property
    def seconds(self) -> float:
        """Seconds since the beginning."""
        return time.monotonic() - self._started

    async def _show(self) -> None:
        if not sys.stderr.isatty():
            return
        await asyncio.sleep(QUIET)
        with self._bar() as bar:
            task = bar.add_task(self._words(), total=self._total, completed=self._done)
            while True:
                bar.update(task, completed=self._done, description=self._words())
                await asyncio.sleep(EVERY)

    def _bar(self) -> Any:
        from rich.console import Console
        from rich.progress import BarColumn, Progress as Bar, TextColumn, TimeRemainingColumn

        # Where rows are on the same terminal, they have to know of the bar.
        screen = terminal() if sys.stdout.isatty() else Console(stderr=True)
        of = "/{task.total:,.0f}" if self._total else ""
        columns = (
            BarColumn(bar_width=20),
            TextColumn("{task.completed:,.0f}" + of),
            TimeRemainingColumn(),
            TextColumn("{task.description}", markup=False),
        )
        # Rich would send what is printed to the bar's terminal, also when it is for a pipe.
        return Bar(
            *columns, console=screen, transient=True, redirect_stdout=False, redirect_stderr=False
        )

    def _words(self) -> str:
        """Say how fast it goes, or what it waits for."""
        blocked = {n: g.blocked_for for n, g in self._session.limits.items() if g.blocked_for > 1}
        if blocked:
            name, seconds = max(blocked.items(), key=lambda item: item[1])
            return f"waiting {seconds:.0f} s for the limit of {escaped(name)}"
        stats = self._session.stats
        if stats.retries and not self._done:
            return f"no answer yet, tried {stats.retries + 1} times"
        return f"{self._done / self.seconds:,.0f}/s, {stats.requests:,} requests"
