"""The commands that read the presence of extensions: `read`, `account` and `unified`."""

import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..directory import find_numbers, read_names, split_numbers
from ..extension_args import IdSource, collect_ids
from ..options import (
    AllOption,
    DetailedOption,
    IdsArgument,
    NamesOption,
    NumbersOption,
    OutputOption,
    ProfileOption,
    RouteChoice,
    RouteOption,
    SandboxOption,
)
from ..output import Layout, OutputFormat, Renderer
from ..preview import PreviewRenderer
from ..progress import Progress
from ..rows import UNIFIED_LAYOUT, presence_layout
from ..session import open_session, run_command
from ..summary import finish

if TYPE_CHECKING:
    from ... import GetPresenceInfo, Outcome, PresenceSession
    from ...sandbox import Sandbox

    Outcomes = AsyncGenerator[Outcome[Any], None]

IdsFileOption = Annotated[
    str | None,
    typer.Option(
        "--ids-file",
        metavar="FILE",
        help="Read ids from a file, separated by spaces, commas or new lines; # begins a comment;"
        " - is standard input.",
    ),
]


def read(
    ids: IdsArgument = None,
    ids_file: IdsFileOption = None,
    number: NumbersOption = None,
    detailed: DetailedOption = False,
    names: NamesOption = None,
    route: RouteOption = RouteChoice.FASTEST,
    every: AllOption = False,
    output: OutputOption = OutputFormat.TABLE,
    sandbox: SandboxOption = None,
    profile: ProfileOption = None,
) -> None:
    """Read the presence of extensions.

    Pass ids as arguments, as extension numbers, or in a file. With --sandbox and without ids, all
    extensions of the sandbox are read. If an extension cannot be read, its row has the error.

    A batch reads 30 ids and counts in the rate limit group Light, a page of the account reads 1,000
    extensions and counts in Heavy. The faster way is used, or both at once, unless --route is set.
    Ids from a slow pipe are read every few seconds; with --route batches as soon as 30 have come.

    On a terminal, a table of more than 20 rows is shortened to the first 10 and a count of
    extensions by status.
    """
    source, numbers = collect_ids(ids, ids_file), split_numbers(number)

    async def command() -> None:
        async with open_session(sandbox, profile) as (session, platform):
            wanted, total = await _ids_to_read(session, platform, source, numbers)
            layout = await _presence_layout(session, names, detailed, output)
            outcomes = session.iter_user_presence_statuses(
                wanted, detailed_telephony_state=detailed, route=route.value
            )
            renderer = _renderer(output, layout, every, _presence_status)
            await _write_all(session, outcomes, total, renderer)

    run_command(command())


def account(
    detailed: DetailedOption = False,
    names: NamesOption = None,
    every: AllOption = False,
    output: OutputOption = OutputFormat.TABLE,
    sandbox: SandboxOption = None,
    profile: ProfileOption = None,
) -> None:
    """Read the presence of all extensions of the account.

    Each request reads up to 1,000 extensions. Its rate limit group is Heavy: RingCentral allows
    10 requests per minute by default.

    On a terminal, a table of more than 20 rows is shortened to the first 10 and a count of
    extensions by status.
    """

    async def command() -> None:
        async with open_session(sandbox, profile) as (session, _):
            layout = await _presence_layout(session, names, detailed, output)
            outcomes = _account_outcomes(session, detailed)
            renderer = _renderer(output, layout, every, _presence_status)
            await _write_all(session, outcomes, None, renderer)

    run_command(command())


def unified(
    ids: IdsArgument = None,
    ids_file: IdsFileOption = None,
    number: NumbersOption = None,
    every: AllOption = False,
    output: OutputOption = OutputFormat.TABLE,
    sandbox: SandboxOption = None,
    profile: ProfileOption = None,
) -> None:
    """Read the unified presence of users.

    It covers messaging, telephony and meetings. RingCentral includes visibility only for your own
    extension. With --sandbox and without ids,
    all extensions of the sandbox are read.

    On a terminal, a table of more than 20 rows is shortened to the first 10 and a count of
    extensions by status.
    """
    source, numbers = collect_ids(ids, ids_file), split_numbers(number)

    async def command() -> None:
        async with open_session(sandbox, profile) as (session, platform):
            wanted, total = await _ids_to_read(session, platform, source, numbers)
            renderer = _renderer(output, UNIFIED_LAYOUT, every, lambda value: value.status)
            await _write_all(session, session.iter_unified_presences(wanted), total, renderer)

    run_command(command())


async def _ids_to_read(
    session: "PresenceSession",
    platform: "Sandbox | None",
    source: IdSource,
    numbers: list[str],
) -> tuple[AsyncGenerator[str, None], int | None]:
    """Return the ids to read, and their number if it is known."""
    source = await source.resolved(session)
    more = await find_numbers(session, numbers)
    if platform is not None and not (more or source.ids or source.file):
        more = [*platform.extension_ids]
    return source.stream(more), source.total(len(more))


async def _presence_layout(
    session: "PresenceSession", names: bool | None, detailed: bool, output: OutputFormat
) -> Layout:
    for_people = output is OutputFormat.TABLE and sys.stdout.isatty()
    directory = await read_names(session, names, for_people=for_people)
    return presence_layout(directory, detailed, for_people=for_people)


async def _account_outcomes(session: "PresenceSession", detailed: bool) -> "Outcomes":
    from ... import Outcome

    records: AsyncGenerator[GetPresenceInfo, None]
    records = session.iter_account_presence(detailed_telephony_state=detailed)
    async with aclosing(records):
        async for record in records:
            id_ = (record.extension and record.extension.id) or ""
            yield Outcome(id_, 200, record)


def _renderer(
    output: OutputFormat, layout: Layout, every: bool, status: Callable[[Any], object]
) -> Renderer:
    """Return the renderer of a format; for a table on a terminal, one that shortens it."""
    if output is OutputFormat.TABLE and sys.stdout.isatty() and not every:
        return PreviewRenderer(layout, status)
    return output.renderer(layout)


def _presence_status(presence: "GetPresenceInfo") -> object:
    return presence.presence_status


async def _write_all(
    session: "PresenceSession", outcomes: "Outcomes", total: int | None, renderer: Renderer
) -> None:
    count = failed = 0
    async with Progress(session, total) as progress, aclosing(outcomes):
        with renderer:
            async for outcome in outcomes:
                renderer.write(outcome)
                progress.advance()
                count += 1
                failed += not outcome.ok
    finish(session, count, "extension", failed=failed, seconds=progress.seconds)
