"""The commands that follow presence as a stream of lines."""

import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..directory import check_numbers
from ..event_rows import (
    CHANGE,
    EVENT,
    change_document,
    change_row,
    event_document,
    event_filter,
    event_row,
)
from ..options import Detailed, Ids, Numbers, Output, Profile, WithSandbox
from ..output import Writer
from ..session import connected, run
from .read import check

if TYPE_CHECKING:
    from ... import PresenceSession
    from ...sandbox import Sandbox


class Form(StrEnum):
    """How a stream is written: what has no end can be neither one document nor sorted."""

    TABLE = "table"
    JSONL = "jsonl"


AsStream = Annotated[
    Form | None,
    typer.Option(
        "--output",
        "-o",
        help="How to write; without it a table on a terminal, JSON lines elsewhere.",
        show_default=False,
    ),
]
Rate = Annotated[
    float, typer.Option(min=0, metavar="R", help="With --sandbox: changes a second there.")
]
Count = Annotated[
    int | None,
    typer.Option(min=1, metavar="N", help="End after so many lines.", show_default=False),
]
Interval = Annotated[
    float | None,
    typer.Option(
        min=0.1,
        metavar="SECONDS",
        help="Seconds from one round to the next; without it as often as the limits let.",
        show_default=False,
    ),
]
EventFilters = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="FILTERS",
        help="account, extension:ID, dnd:ID, queue:ID, or RingCentral's own; account is usual.",
        show_default=False,
    ),
]


def poll(
    ids: Ids = None,
    number: Numbers = None,
    interval: Interval = None,
    count: Count = None,
    detailed: Detailed = False,
    output: AsStream = None,
    sandbox: WithSandbox = None,
    rate: Rate = 2.0,
    profile: Profile = None,
) -> None:
    """Follow presence by reading it again and again, where events are not allowed.

    One line for each change. The first round gives every extension, as a change from nothing.
    Without ids it is the whole account.

    JSON lines have id, old, new, source and time; old or new is null when not known.

    It runs until Ctrl-C, whose exit code is 130.
    """
    run(
        _poll(
            (ids or [], number or []), (interval, detailed), count, output, (sandbox, rate), profile
        )
    )


async def _poll(
    whose: tuple[list[str], list[str]],
    how: tuple[float | None, bool],
    count: int | None,
    form: Form | None,
    sandbox: tuple[int | None, float],
    profile: str | None,
) -> None:
    check(whose[0])
    check_numbers(whose[1])
    async with connected(sandbox[0], profile) as (session, platform):
        asked = await chosen(session, *whose)
        liven(platform, sandbox[1])
        changes = session.poll(asked, interval=how[0], detailed_telephony_state=how[1])
        async with aclosing(changes):
            await write(changes, lines_of(form), CHANGE, change_row, change_document, count)


def events(
    filters: EventFilters = None,
    count: Count = None,
    detailed: Detailed = False,
    output: AsStream = None,
    sandbox: WithSandbox = None,
    rate: Rate = 2.0,
    profile: Profile = None,
) -> None:
    """Print presence events as they come, each once.

    Filters say what to follow; --detailed brings the calls with account and extension. Where
    events may be missing, say after an outage, a Resync line says so: read anew what you keep.

    JSON lines are RingCentral's notifications; of a Resync, {"resync": {reason, since, missed}}.

    It runs until Ctrl-C, whose exit code is 130.
    """
    run(_events(filters or [], count, detailed, output, (sandbox, rate), profile))


async def _events(
    names: list[str],
    count: int | None,
    detailed: bool,
    form: Form | None,
    sandbox: tuple[int | None, float],
    profile: str | None,
) -> None:
    wanted = [event_filter(name, detailed) for name in names or ["account"]]
    async with connected(sandbox[0], profile) as (session, platform):
        liven(platform, sandbox[1])
        async with aclosing(session.events(wanted)) as stream:
            await write(stream, lines_of(form), EVENT, event_row, event_document, count)


async def write(
    stream: AsyncIterator[Any],
    output: Output,
    columns: Mapping[str, int],
    row: Callable[[Any], Sequence[Any]],
    document: Callable[[Any], Any],
    count: int | None = None,
) -> None:
    """Write what comes, each line at once, until there is no more, or enough.

    Args:
        stream: what comes.
        output: in which form.
        columns: of a table, with their widths.
        row: makes the cells of one.
        document: makes the JSON of one.
        count: how many are enough; None for all.
    """
    with Writer(output, columns, row, document) as writer:
        written = 0
        async for each in stream:
            writer.write(each)
            written += 1
            if written == count:
                return


def lines_of(form: Form | None) -> Output:
    """Tell in which form to write, where nobody has said it."""
    if form is None:
        form = Form.TABLE if sys.stdout.isatty() else Form.JSONL
    return Output(form.value)


async def chosen(
    session: "PresenceSession", ids: list[str], numbers: list[str]
) -> list[str] | None:
    """Give the ids that were asked for, one's own by its name; None for the whole account.

    Raises:
        PresenceError: ~ or a number could not be looked up.
    """
    from ..directory import ids_of

    asked = [*ids, *await ids_of(session, numbers)]
    if "~" in asked:
        own = (await session.read_user_presence_status("~")).extension
        asked = [own.id if each == "~" and own and own.id else each for each in asked]
    return asked or None


def liven(platform: "Sandbox | None", rate: float) -> None:
    """Let something happen on an embedded platform."""
    if platform is not None and rate:
        platform.simulate(rate).start()
