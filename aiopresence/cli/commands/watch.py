"""The command that shows the live board in the terminal."""

import sys
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import TYPE_CHECKING, Annotated

import typer

from ..directory import split_numbers
from ..event_rows import change_layout
from ..extension_args import check_texts, resolve_ids
from ..options import (
    DetailedOption,
    IdsArgument,
    NamesOption,
    NumbersOption,
    ProfileOption,
    RateOption,
    SandboxOption,
    StreamOutputOption,
)
from ..output import OutputFormat, Renderer
from ..session import open_session, run_command
from ..state_filter import StateFilter, WatchFilterOption
from ..watch_screen.model import Sort
from .events import start_simulation, stream_format, stream_renderer, write_stream

if TYPE_CHECKING:
    from ... import PresenceBoard, PresenceChange

SortOption = Annotated[Sort, typer.Option("--sort", help="Order of the extensions.")]


def watch(
    ids: IdsArgument = None,
    number: NumbersOption = None,
    filter_: WatchFilterOption = None,
    sort: SortOption = Sort.NUMBER,
    detailed: DetailedOption = False,
    names: NamesOption = None,
    output: StreamOutputOption = None,
    sandbox: SandboxOption = None,
    rate: RateOption = 2.0,
    profile: ProfileOption = None,
) -> None:
    """Show the presence of extensions, live.

    Without ids, all extensions of the account are shown. Rows that have just changed are bright and
    marked >. Rows that may be out of date are dim and marked ?: all of them while there is no
    connection. The filter changed shows extensions that have changed since the start.

    Keys: f changes the filter, s the order; / searches names and numbers, Enter keeps the search,
    Esc clears it; arrows, PgUp, PgDn, Home and End scroll; q quits.

    If the output is not a terminal, or with --output other than table, print one line for each
    change instead: for people with --output table, JSON by default. Each JSON line has id, old,
    new, source and time; CSV has the new state, with a column for each field. The first lines are
    the initial state, with null for old.
    """
    texts, numbers = check_texts(ids), split_numbers(number)
    form, chosen = _stream_format(output), filter_ or StateFilter()

    async def command() -> None:
        async with open_session(sandbox, profile) as (session, platform):
            watched = await resolve_ids(session, texts, numbers)
            renderer = None
            if form is not None:
                # Before the board is opened: what it reads meanwhile would not be printed.
                renderer = await stream_renderer(form, change_layout, session, names)
            start_simulation(platform, rate)
            async with session.board(watched, detailed_telephony_state=detailed) as board:
                if renderer is not None:
                    await _write_changes(board, chosen, renderer)
                    return
                from ..watch_screen.screen import WatchScreen

                await WatchScreen(session, board, chosen, sort, detailed, names is not False).run()

    run_command(command())


def _stream_format(output: OutputFormat | None) -> OutputFormat | None:
    """Return the format for lines; None to draw on the terminal."""
    if output in (None, OutputFormat.TABLE) and _can_draw():
        return None
    return stream_format(output)


def _can_draw() -> bool:
    if not sys.stdout.isatty():
        return False
    from rich.console import Console

    return not Console().is_dumb_terminal


async def _write_changes(board: "PresenceBoard", filter_: StateFilter, renderer: Renderer) -> None:
    async with aclosing(_filtered(board.changes(), filter_)) as changes:
        await write_stream(changes, renderer)


async def _filtered(
    changes: "AsyncIterator[PresenceChange]", filter_: StateFilter
) -> "AsyncGenerator[PresenceChange, None]":
    """Yield the changes of extensions that pass the filter before or after the change."""
    async for change in changes:
        known = [each.availability for each in (change.old, change.new) if each is not None]
        if any(filter_.passes(each, change.old is not None) for each in known):
            yield change
