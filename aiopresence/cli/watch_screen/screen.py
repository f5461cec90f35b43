"""The live board in the terminal: it redraws on changes, keys and signals."""

import asyncio
import logging
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING

from rich.console import Console
from rich.live import Live

from ..console import end_temporary_line, print_notice
from ..diagnostics import show_log
from ..directory import read_directory
from ..signals import signal_handlers, suspend_process
from ..state_filter import StateFilter
from .controls import Controls
from .model import Row, ScreenState, Sort
from .render import FADE_SECONDS, render
from .terminal import Keyboard, read_keys

if TYPE_CHECKING:
    from ... import DirectoryEntry, PresenceBoard, PresenceSession

# Seconds between two drawings, at least and at most.
MIN_REDRAW_INTERVAL, MAX_REDRAW_INTERVAL = 0.125, 1.0
# At most so many seconds while the highlight of a change fades.
FADE_REDRAW_INTERVAL = 0.5
# Fraction of the time that drawing may take: the rest is for processing changes.
MAX_DRAWING_SHARE = 0.08


class WatchScreen:
    """Shows a board in the terminal.

    Args:
        session: reads the names of extensions.
        board: the board to show.
        filter_: the initial filter.
        sort: the initial order.
        detailed: whether the board has active calls.
        has_names: whether names are shown; otherwise ids are.
    """

    def __init__(
        self,
        session: "PresenceSession",
        board: "PresenceBoard",
        filter_: StateFilter,
        sort: Sort,
        detailed: bool,
        has_names: bool,
    ) -> None:
        self._session = session
        self._board = board
        self._controls = Controls(filter_, sort)
        self._detailed, self._has_names = detailed, has_names
        self._directory: Mapping[str, DirectoryEntry] = {}
        self._changed_at: dict[str, float] = {}
        self._is_ready = self._has_keys = False
        self._signals: set[str] = set()
        self._warning = self._no_names = ""
        self._redraw = asyncio.Event()

    async def run(self) -> None:
        """Show the board until the user quits.

        Raises:
            PresenceError: the board stopped.
        """
        coroutines = (self._follow_changes, self._wait_until_ready, self._load_directory)
        tasks = [asyncio.create_task(each()) for each in coroutines]
        following = tasks[0]
        following.add_done_callback(lambda _: self._redraw.set())
        try:
            # The screen is left before an error is printed.
            with (
                show_log(self._on_log_line),
                read_keys(self._on_key) as keyboard,
                signal_handlers(dict.fromkeys(("SIGWINCH", "SIGTSTP", "SIGCONT"), self._on_signal)),
            ):
                await self._draw(following, keyboard)
            if following.done():
                await following
            if self._no_names:
                print_notice(f"No names: {self._no_names}")
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _follow_changes(self) -> None:
        async for change in self._board.changes():
            if change.old is not None:
                self._changed_at[change.id] = time.monotonic()
            self._redraw.set()

    async def _wait_until_ready(self) -> None:
        await self._board.wait_ready()
        self._is_ready = True
        self._redraw.set()

    async def _load_directory(self) -> None:
        """Load numbers and names; without the permission ReadAccounts, ids are shown instead."""
        from ... import PresenceError

        if not self._has_names:
            return
        try:
            self._directory = await read_directory(self._session)
            self._redraw.set()
        except PresenceError as error:
            self._no_names = str(error)

    async def _draw(self, following: "asyncio.Task[None]", keyboard: Keyboard) -> None:
        """Redraw on every change until the user quits or the board stops."""
        self._has_keys = keyboard.is_available
        end_temporary_line()
        console = Console()
        with Live(
            console=console,
            screen=True,
            auto_refresh=False,
            redirect_stdout=False,
            # What is written to a file does not spoil the screen.
            redirect_stderr=sys.stderr.isatty(),
        ) as live:
            while not (self._controls.is_quit or following.done()):
                self._redraw.clear()
                self._handle_job_control(live, keyboard)
                began = time.perf_counter()
                now = time.monotonic()
                size = console.width, console.height
                drawing = render(self.state(), size, now)
                self._controls.set_drawn(drawing.first, drawing.page, drawing.rows)
                live.update(drawing, refresh=True)
                duration = time.perf_counter() - began
                await asyncio.sleep(max(MIN_REDRAW_INTERVAL, duration / MAX_DRAWING_SHARE))
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._idle_seconds(now)):
                        await self._redraw.wait()

    def _handle_job_control(self, live: Live, keyboard: Keyboard) -> None:
        """After Ctrl-Z, restore the terminal and stop; once continued, draw again."""
        is_stopped, is_continued = "SIGTSTP" in self._signals, "SIGCONT" in self._signals
        self._signals.clear()
        if is_stopped or is_continued:
            live.stop()
        if is_stopped:
            keyboard.stop()
            suspend_process()
        if is_stopped or is_continued:
            keyboard.start()
            live.start()

    def _idle_seconds(self, now: float) -> float:
        """Return the seconds after which to redraw if nothing happens."""
        fades = any(now - at < FADE_SECONDS for at in self._changed_at.values())
        return (FADE_REDRAW_INTERVAL if fades else MAX_REDRAW_INTERVAL) - MIN_REDRAW_INTERVAL

    def state(self) -> ScreenState:
        """Return what is to be shown now."""
        board, controls = self._board, self._controls
        connection = "live" if board.is_live else "stale"
        return ScreenState(
            rows=[*self._rows()],
            connection=connection if self._is_ready else "waiting",
            age=board.age,
            filter=controls.filter,
            sort=controls.sort,
            search=controls.search,
            is_typing=controls.is_typing,
            first=controls.first,
            detailed=self._detailed,
            has_keys=self._has_keys,
            warning="" if self._is_ready and board.is_live else self._warning,
        )

    def _rows(self) -> Iterator[Row]:
        board = self._board
        for id_, presence in board.items():
            known = presence.extension and presence.extension.extension_number
            number, name = self._number_and_name(id_)
            stale = board.is_stale(id_)
            yield Row(id_, known or number, name, presence, self._changed_at.get(id_), stale)
        for id_, error in board.errors.items():
            if id_ not in board:
                yield Row(id_, *self._number_and_name(id_), error=str(error))

    def _number_and_name(self, id_: str) -> tuple[str, str]:
        """Return both, each empty if it is not known."""
        entry = self._directory.get(id_)
        return (entry.extension_number or "", entry.name or "") if entry else ("", "")

    def _on_key(self, key: str) -> None:
        self._controls.press(key, {each.availability for each in self._board.values()})
        self._redraw.set()

    def _on_signal(self, number: int) -> None:
        self._signals.add(signal.Signals(number).name)
        self._redraw.set()

    def _on_log_line(self, text: str, level: int) -> None:
        """Show a line below the rows, or append it to the file that standard error leads to."""
        if not sys.stderr.isatty():
            print_notice(f"aiopresence: {text}")
        if level > logging.DEBUG:
            self._warning = text
            self._redraw.set()
