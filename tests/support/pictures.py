"""Draws what the command shows: the README's pictures, and the screens that tests compare with.

`python -m tests.support.pictures` writes them to tests/pictures/*.svg and tests/screens/*.txt. They
show the sandbox's invented people, the same every time.
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
from aiopresence.cli import console as cli_console, directory, output
from aiopresence.cli.options import Output
from aiopresence.cli.rows import Presences
from aiopresence.cli.watch_screen.model import Filter, Row, Sort, State
from aiopresence.cli.watch_screen.render import render
from aiopresence.sandbox import Sandbox

HERE = Path(__file__).parents[1]
NOW = 100_000.0
PLENTY = {"Light": 9_000, "Medium": 9_000, "Heavy": 9_000, "Auth": 9_000}


async def rows(count: int, *, calls: bool = False, seed: int = 0) -> list[Row]:
    """Read an account; one in eight has changed lately."""
    rng = random.Random(seed)  # noqa: S311 - invents a day, protects nothing
    async with (
        Sandbox(count, seed=seed, limits=PLENTY) as sandbox,
        PresenceSession(sandbox.grant, server=sandbox.url) as session,
    ):
        names = {each.id: each.name for each in await directory.read(session)}
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
                names[outcome.id],
                presence,
                at if rng.random() < 0.125 else None,
            )
        )
    return found


async def states() -> dict[str, tuple[tuple[int, int], State]]:
    """Give each screen's size, and what it shows."""
    many, few = await rows(200), await rows(12, calls=True)
    live = State(many, age=2.0, has_keys=True)
    stale = [attrs.evolve(each, is_stale=True) for each in many]
    gone = Row("400100200", error="HTTP 404: CMN-102 Resource not found", is_stale=True)
    failed = "no connection for events, trying again: HTTP 507"
    return {
        "small": ((80, 24), live),
        "large": ((200, 60), live),
        "stale": ((80, 24), State(stale, "stale", 75.0, has_keys=True, remark=failed)),
        "few": ((200, 60), State([*few, gone], age=0.0, detailed=True)),
        "calls": (
            (120, 30),
            State(few, age=9.0, filter=Filter.ON_CALL, sort=Sort.NAME, detailed=True),
        ),
        "changed": (
            (80, 24),
            State(many, age=9.0, filter=Filter.CHANGED, sort=Sort.CHANGED, has_keys=True),
        ),
        "waiting": ((80, 24), State([], "waiting", has_keys=True)),
        "narrow": ((40, 10), live),
    }


def screen(size: tuple[int, int], state: State) -> str:
    """Draw a screen as text."""
    console = Console(width=size[0], height=size[1], file=io.StringIO(), color_system=None)
    with console.capture() as capture:
        console.print(render(state, size, NOW))
    return "\n".join(line.rstrip() for line in capture.get().split("\n")).rstrip("\n") + "\n"


async def watch_picture() -> str:
    """Draw the board for the README."""
    size = (100, 26)
    console = Console(record=True, width=size[0], height=size[1], file=io.StringIO())
    console.print(render(State(await rows(60, seed=4), age=2.0, has_keys=True), size, NOW))
    return picture(console, "aiopresence watch --sandbox 60")


async def read_picture() -> str:
    """Draw what reading prints for the README."""

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    console = Console(record=True, width=100, file=io.StringIO(), highlight=False)
    async with (
        Sandbox(16, limits=PLENTY) as sandbox,
        PresenceSession(sandbox.grant, server=sandbox.url) as session,
    ):
        outcomes = await session.read_user_presence_statuses(sandbox.extension_ids)
    shown = Presences()
    with (
        contextlib.redirect_stdout(Terminal()),
        mock.patch.object(cli_console, "terminal", return_value=console),
        output.Writer(Output.TABLE, shown.columns, shown.row, shown.document) as writer,
    ):
        for each in outcomes:
            writer.write(each)
    return picture(console, "aiopresence read --sandbox 16")


def picture(console: Console, title: str) -> str:
    """Give what was printed as SVG; its ids are the same every time."""
    svg = console.export_svg(title=title, unique_id="aiopresence")
    return "\n".join(line.rstrip() for line in svg.split("\n")).rstrip() + "\n"


async def write() -> None:
    """Write everything anew."""
    for name, (size, state) in (await states()).items():
        (HERE / "screens" / f"{name}.txt").write_text(screen(size, state))
    for name, svg in (("watch", await watch_picture()), ("read", await read_picture())):
        (HERE / "pictures" / f"{name}.svg").write_text(svg)
        print(f"{name}.svg: {len(svg.encode()):,} bytes", file=sys.stderr)  # noqa: T201


if __name__ == "__main__":
    for directory_ in ("screens", "pictures"):
        (HERE / directory_).mkdir(exist_ok=True)
    asyncio.run(write())
