"""The command that shows the live board in the terminal."""

import asyncio
import signal
import sys
import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
from contextlib import aclosing, suppress
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..diagnostics import warnings
from ..directory import check_numbers
from ..event_rows import CHANGE, change_document, change_row
from ..options import Detailed, Ids, Numbers, Output, Profile, WithSandbox
from ..session import connected, run
from ..watch_screen.model import Filter, Row, Sort, State, passes
from ..watch_screen.terminal import Keyboard, keys, on_signals, suspend
from .events import AsStream, Form, Rate, chosen, liven, write
from .read import check

if TYPE_CHECKING:
    from rich.console import Console
    from rich.live import Live

    from ... import PresenceBoard, PresenceChange, PresenceSession

# Seconds from one picture to the next at least, and at most.
SOONEST, LATEST = 0.125, 1.0
# While something fades; its steps are no shorter.
FADING = 0.5
# Of the time, what drawing may take: the changes have to be taken in, too.
SHARE = 0.08

FilterBy = Annotated[
    Filter | None,
    typer.Option("--filter", help="Show only those that are so.", show_default=False),
]
SortBy = Annotated[Sort, typer.Option("--sort", help="What to sort by.")]


def watch(
    ids: Ids = None,
    number: Numbers = None,
    filter_: FilterBy = None,
    sort: SortBy = Sort.NUMBER,
    detailed: Detailed = False,
    output: AsStream = None,
    sandbox: WithSandbox = None,
    rate: Rate = 2.0,
    profile: Profile = None,
) -> None:
    """Show the presence of extensions, live.

    Without ids it is the whole account. Rows that have just changed are bright and marked >, and
    fade. Rows that may be different by now are dim and marked ?, as all are while there is no
    connection. on-call shows those whose phone rings, too; changed, those that have changed since
    the beginning.

    Keys: q quits, f changes the filter, s changes the order.

    Where the output is no terminal, and with --output jsonl, it is one JSON line for each change,
    with id, old, new, source and time. The first lines tell what was read at the beginning, with
    null for old.
    """
    run(
        _watch(
            (ids or [], number or []),
            (filter_, sort, detailed),
            output is Form.JSONL or not _can_draw(),
            (sandbox, rate),
            profile,
        )
    )


def _can_draw() -> bool:
    if not sys.stdout.isatty():
        return False
    from rich.console import Console

    return not Console().is_dumb_terminal


async def _watch(
    whose: tuple[list[str], list[str]],
    how: tuple[Filter | None, Sort, bool],
    as_lines: bool,
    sandbox: tuple[int | None, float],
    profile: str | None,
) -> None:
    check(whose[0])
    check_numbers(whose[1])
    chosen_filter, sort, detailed = how
    async with connected(sandbox[0], profile) as (session, platform):
        asked = await chosen(session, *whose)
        liven(platform, sandbox[1])
        async with session.board(asked, detailed_telephony_state=detailed) as board:
            if as_lines:
                changes = _passing(board.changes(), chosen_filter)
                async with aclosing(changes):
                    await write(changes, Output.JSONL, CHANGE, change_row, change_document)
            else:
                await Watch(session, board, chosen_filter, sort, detailed).run()


async def _passing(
    changes: "AsyncIterator[PresenceChange]", chosen: Filter | None
) -> "AsyncGenerator[PresenceChange, None]":
    """Leave out the changes of those that neither were nor are what was asked for."""
    async for change in changes:
        known = [each for each in (change.old, change.new) if each is not None]
        if chosen is Filter.CHANGED:
            passed = change.old is not None
        else:
            passed = chosen is None or any(passes(each, chosen) for each in known)
        if passed:
            yield change


class Watch:
    """The board in the terminal.

    Args:
        session: where names are read.
        board: what is shown.
        chosen: which rows to begin with.
        sort: in which order to begin with.
        detailed: whether the board knows calls.
    """

    def __init__(
        self,
        session: "PresenceSession",
        board: "PresenceBoard",
        chosen: Filter | None,
        sort: Sort,
        detailed: bool,
    ) -> None:
        self._session = session
        self._board = board
        self._filter, self._sort, self._detailed = chosen, sort, detailed
        self._people: Mapping[str, tuple[str, str]] = {}
        self._changed: dict[str, float] = {}
        self._is_ready = self._has_keys = False
        self._is_over = False
        self._signals: set[str] = set()
        self._remark = ""
        self._dirty = asyncio.Event()

    async def run(self) -> None:
        """Show it until somebody quits.

        Raises:
            PresenceError: the board cannot go on.
        """
        tasks = [asyncio.create_task(each()) for each in (self._follow, self._ready, self._name)]
        tasks[0].add_done_callback(lambda _: self._dirty.set())
        try:
            # The screen is left before the error is told.
            with (
                warnings(self._warn),
                keys(self._press) as keyboard,
                on_signals(dict.fromkeys(("SIGWINCH", "SIGTSTP", "SIGCONT"), self._signal)),
            ):
                await self._draw(tasks[0], keyboard)
            if tasks[0].done():
                await tasks[0]
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _follow(self) -> None:
        """Take note of changes."""
        async for change in self._board.changes():
            if change.old is not None:
                self._changed[change.id] = time.monotonic()
            self._dirty.set()

    async def _ready(self) -> None:
        await self._board.wait_ready()
        self._is_ready = True
        self._dirty.set()

    async def _name(self) -> None:
        """Find out who everybody is; without the permission ReadAccounts it is ids that show."""
        from ... import PresenceError
        from .. import directory

        with suppress(PresenceError):
            entries = await directory.read(self._session)
            self._people = {each.id: (each.number, each.name) for each in entries}
            self._dirty.set()

    async def _draw(self, following: "asyncio.Task[None]", keyboard: Keyboard) -> None:
        """Draw when there is something new, until it is over."""
        from rich.console import Console
        from rich.live import Live

        from ..watch_screen.render import render

        self._has_keys = keyboard.is_there
        console = Console()
        with Live(
            console=console, screen=True, auto_refresh=False, redirect_stdout=False
        ) as picture:
            while not (self._is_over or following.done()):
                self._dirty.clear()
                self._obey_the_shell(picture, keyboard)
                began = time.perf_counter()
                now = time.monotonic()
                picture.update(render(self.state(), _size(console), now), refresh=True)
                took = time.perf_counter() - began
                await asyncio.sleep(max(SOONEST, took / SHARE))
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._patience(now)):
                        await self._dirty.wait()

    def _obey_the_shell(self, picture: "Live", keyboard: Keyboard) -> None:
        """Stop after Ctrl-Z with the terminal as it was; draw anew once continued."""
        stopped, continued = "SIGTSTP" in self._signals, "SIGCONT" in self._signals
        self._signals.clear()
        if stopped or continued:
            picture.stop()
        if stopped:
            keyboard.stop()
            suspend()
        if stopped or continued:
            keyboard.start()
            picture.start()

    def _patience(self, now: float) -> float:
        """Tell for how long a picture is good when nothing happens."""
        from ..watch_screen.render import FADED

        fades = any(now - at < FADED for at in self._changed.values())
        return (FADING if fades else LATEST) - SOONEST

    def state(self) -> State:
        """Give what there is to be shown now."""
        board = self._board
        good = "live" if board.is_live else "stale"
        return State(
            rows=[*self._rows()],
            connection=good if self._is_ready else "waiting",
            age=board.age,
            filter=self._filter,
            sort=self._sort,
            detailed=self._detailed,
            has_keys=self._has_keys,
            remark="" if self._is_ready and board.is_live else self._remark,
        )

    def _rows(self) -> Iterator[Row]:
        board = self._board
        for id_, presence in board.items():
            known = presence.extension and presence.extension.extension_number
            number, name = self._people.get(id_, ("", ""))
            stale = board.is_stale(id_)
            yield Row(id_, known or number, name, presence, self._changed.get(id_), stale)
        for id_, error in board.errors.items():
            if id_ not in board:
                number, name = self._people.get(id_, ("", ""))
                yield Row(id_, number, name, error=str(error))

    def _press(self, key: str) -> None:
        if key == "q":
            self._is_over = True
        elif key == "f":
            self._filter = _next([None, *Filter], self._filter)
        elif key == "s":
            self._sort = _next([*Sort], self._sort)
        self._dirty.set()

    def _signal(self, number: int) -> None:
        self._signals.add(signal.Signals(number).name)
        self._dirty.set()

    def _warn(self, warning: str) -> None:
        self._remark = warning
        self._dirty.set()


def _next(choices: list[Any], now: Any) -> Any:
    return choices[(choices.index(now) + 1) % len(choices)]


def _size(console: "Console") -> tuple[int, int]:
    return console.width, console.height
