"""Draw the output of the command: the README's pictures, and the screens that tests compare with.

`python -m tests.support.pictures` writes them to docs/pictures/*.svg and tests/screens/*.txt. They
show the sandbox's generated account, which is the same every time.
"""

import asyncio
import contextlib
import io
import random
import sys
from pathlib import Path
from unittest import mock

import attrs
from rich.console import Console

from aiopresence import PresenceSession
from aiopresence.cli import console as cli_console
from aiopresence.cli.directory import read_directory
from aiopresence.cli.preview import PreviewRenderer
from aiopresence.cli.rows import presence_layout
from aiopresence.cli.state_filter import StateFilter
from aiopresence.cli.watch_screen.model import Row, ScreenState, Sort
from aiopresence.cli.watch_screen.render import render
from aiopresence.sandbox import Sandbox

HERE = Path(__file__).parents[1]
PICTURES = HERE.parent / "aiopresence/docs/pictures"
NOW = 100_000.0
PLENTY = {"Light": 9_000, "Medium": 9_000, "Heavy": 9_000, "Auth": 9_000}


async def rows(count: int, *, calls: bool = False, seed: int = 0) -> list[Row]:
    """Return the rows of a sandbox; one in eight has changed recently."""
    rng = random.Random(seed)  # noqa: S311 - invents test data
    async with (
        Sandbox(count, seed=seed, limits=PLENTY) as sandbox,
        PresenceSession(sandbox.grant, server=sandbox.url) as session,
    ):
        names = await read_directory(session)
        answer = await session.read_user_presence_statuses(
            sandbox.extension_ids, detailed_telephony_state=calls
        )
    found = []
    for outcome in answer:
        presence = outcome.value
        assert presence is not None
        assert presence.extension is not None
        at = NOW - rng.choice((0.5, 1.7, 3.0, 42.0, 754.0, 9000.0, 200_000.0))
        found.append(
            Row(
                outcome.id,
                presence.extension.extension_number or "",
                names[outcome.id].name or "",
                presence,
                at if rng.random() < 0.125 else None,
            )
        )
    return found


async def states() -> dict[str, tuple[tuple[int, int], ScreenState]]:
    """Return the size and the state of each screen."""
    many, few = await rows(200), await rows(12, calls=True)
    live = ScreenState(many, age=2.0, has_keys=True)
    stale = [attrs.evolve(each, is_stale=True) for each in many]
    gone = Row("400100200", error="HTTP 404: CMN-102 Resource not found", is_stale=True)
    failed = "no connection for events, trying again: HTTP 507"
    return {
        "small": ((80, 24), live),
        "large": ((200, 60), live),
        "stale": ((80, 24), ScreenState(stale, "stale", 75.0, has_keys=True, warning=failed)),
        "few": ((200, 60), ScreenState([*few, gone], age=0.0, detailed=True)),
        "calls": (
            (120, 30),
            ScreenState(
                few,
                age=9.0,
                filter=StateFilter(("on-call", "ringing")),
                sort=Sort.NAME,
                detailed=True,
            ),
        ),
        "changed": (
            (80, 24),
            ScreenState(
                many, age=9.0, filter=StateFilter(("changed",)), sort=Sort.CHANGED, has_keys=True
            ),
        ),
        "search": (
            (80, 24),
            attrs.evolve(live, search="zoe", is_typing=True, sort=Sort.NAME),
        ),
        "waiting": ((80, 24), ScreenState([], "waiting", has_keys=True)),
        "narrow": ((40, 10), live),
    }


def screen(size: tuple[int, int], state: ScreenState) -> str:
    """Return a screen as text."""
    console = Console(width=size[0], height=size[1], file=io.StringIO(), color_system=None)
    with console.capture() as capture:
        console.print(render(state, size, NOW))
    return "\n".join(line.rstrip() for line in capture.get().split("\n")).rstrip("\n") + "\n"


async def watch_picture() -> str:
    """Return the README's picture of `watch`."""
    size = (100, 26)
    console = Console(record=True, width=size[0], height=size[1], file=io.StringIO())
    console.print(render(ScreenState(await rows(60, seed=4), age=2.0, has_keys=True), size, NOW))
    return picture(console, "aiopresence watch --sandbox 60")


async def read_picture() -> str:
    """Return the README's picture of `read`."""

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    console = Console(record=True, width=100, file=io.StringIO(), highlight=False)
    async with (
        Sandbox(1000, limits=PLENTY) as sandbox,
        PresenceSession(sandbox.grant, server=sandbox.url) as session,
    ):
        names = await read_directory(session)
        outcomes = await session.read_user_presence_statuses(sandbox.extension_ids)
    layout = presence_layout(names, for_people=True)
    with (
        contextlib.redirect_stdout(Terminal()),
        mock.patch.object(cli_console, "terminal", return_value=console),
        PreviewRenderer(layout) as renderer,
    ):
        for each in outcomes:
            renderer.write(each)
    return picture(console, "aiopresence read --sandbox 1000")


def picture(console: Console, title: str) -> str:
    """Return what was printed as SVG, with ids that are the same every time."""
    svg = console.export_svg(title=title, unique_id="aiopresence")
    return "\n".join(line.rstrip() for line in svg.split("\n")).rstrip() + "\n"


async def write() -> None:
    """Write all pictures and screens."""
    for name, (size, state) in (await states()).items():
        (HERE / "screens" / f"{name}.txt").write_text(screen(size, state))
    for name, svg in (("watch", await watch_picture()), ("read", await read_picture())):
        (PICTURES / f"{name}.svg").write_text(svg)
        print(f"{name}.svg: {len(svg.encode()):,} bytes", file=sys.stderr)  # noqa: T201


if __name__ == "__main__":
    for directory_ in (HERE / "screens", PICTURES):
        directory_.mkdir(exist_ok=True)
    asyncio.run(write())
