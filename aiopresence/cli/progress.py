"""Progress of a long command on standard error: a bar on a terminal, elsewhere long waits."""

import asyncio
import sys
import time
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from ..escaping import escaped
from .console import end_temporary_line, print_notice, terminal
from .diagnostics import show_log

if TYPE_CHECKING:
    from .. import PresenceSession

# Seconds before the bar is shown, and between two updates.
FIRST_SHOWN_AFTER, UPDATE_INTERVAL = 1.0, 0.2
# Waits of fewer seconds are not reported where there is no terminal. A guess.
MIN_REPORTED_WAIT = 5.0
# A group may be used up when nothing waits for it: only after so many seconds without a request and
# without an item there is a wait. A guess.
IDLE = 1.0


class Progress:
    """Shows progress on standard error; use it with `async with`.

    Args:
        session: whose requests and rate limits are shown.
        total: the number of items to process; None if it is not known.
    """

    def __init__(self, session: "PresenceSession", total: int | None) -> None:
        self._session = session
        self._total = total
        self._done = 0
        self._started = time.monotonic()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        show = self._show_bar if sys.stderr.isatty() else self._report_waits
        self._task = asyncio.create_task(show())
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
        """Count one more item as processed."""
        self._done += 1

    @property
    def seconds(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._started

    async def _report_waits(self) -> None:
        """Print a line for each long wait, when it begins."""
        is_reported, last, active_at = False, None, time.monotonic()
        while True:
            wait = self._wait()
            latest = self._done, self._session.stats.requests
            if latest != last:
                last, active_at = latest, time.monotonic()
            if wait is None or time.monotonic() < active_at + IDLE:
                is_reported = False
            elif wait[1] > MIN_REPORTED_WAIT and not is_reported:
                is_reported = True
                print_notice(_wait_text(*wait))
            await asyncio.sleep(UPDATE_INTERVAL)

    async def _show_bar(self) -> None:
        await asyncio.sleep(FIRST_SHOWN_AFTER)
        end_temporary_line()
        with self._bar() as bar, show_log(partial(_print_above, bar)):
            task = bar.add_task(self._description(), total=self._total, completed=self._done)
            while True:
                bar.update(task, completed=self._done, description=self._description())
                await asyncio.sleep(UPDATE_INTERVAL)

    def _bar(self) -> Any:
        from rich.console import Console
        from rich.progress import BarColumn, Progress as Bar, TextColumn, TimeRemainingColumn

        # If rows are printed on the same terminal, both must use one Console.
        screen = terminal() if sys.stdout.isatty() else Console(stderr=True)
        total = "/{task.total:,.0f}" if self._total else ""
        columns = (
            BarColumn(bar_width=20),
            TextColumn("{task.completed:,.0f}" + total),
            TimeRemainingColumn(),
            TextColumn("{task.description}", markup=False),
        )
        # Redirected, output for a pipe would be sent to the terminal of the bar.
        return Bar(
            *columns, console=screen, transient=True, redirect_stdout=False, redirect_stderr=False
        )

    def _wait(self) -> tuple[str, float] | None:
        """Return the group with the longest wait of over a second, and its seconds."""
        blocked = {n: g.blocked_for for n, g in self._session.limits.items() if g.blocked_for > 1}
        return max(blocked.items(), key=lambda item: item[1]) if blocked else None

    def _description(self) -> str:
        """Return the reason for waiting, or the speed."""
        if wait := self._wait():
            return _wait_text(*wait)
        stats = self._session.stats
        if not stats.requests:
            return "connecting…"
        if stats.retries and not self._done:
            return f"no response yet after {stats.retries + 1} attempts"
        return f"{self._done / self.seconds:,.0f}/s, {stats.requests:,} requests"


def _print_above(bar: Any, line: str, _: int) -> None:
    """Print a line of the log above the bar."""
    from rich.text import Text

    bar.console.print(Text(escaped(f"aiopresence: {line}")), soft_wrap=True)


def _wait_text(group: str, seconds: float) -> str:
    return f"waiting {seconds:.0f} s: rate limit of group {escaped(group)}"
