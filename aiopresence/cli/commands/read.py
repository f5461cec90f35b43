"""The commands that read the presence of extensions: `read`, `account` and `unified`."""

import sys
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING, Annotated, Any

import attrs
import typer

from ..counts import CountRenderer
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
from ..state_filter import FilterOption, StateFilter
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


CountOption = Annotated[
    bool, typer.Option("--count", help="Print how many extensions have which availability.")
]


@attrs.frozen
class _Form:
    """What is printed of the outcomes, and how."""

    output: OutputFormat
    filter: StateFilter
    count: bool
    every: bool

    def renderer(self, layout: Layout) -> Renderer:
        """Return the renderer: of counts, of a table that is shortened, or of every row."""
        if self.count:
            return CountRenderer(self.output)
        if self._is_for_people() and not self.every:
            return PreviewRenderer(layout)
        return self.output.renderer(layout)

    async def presence_renderer(
        self, session: "PresenceSession", names: bool | None, detailed: bool
    ) -> Renderer:
        """Return the renderer of presence, with names if they are shown."""
        for_people = self._is_for_people()
        wanted = False if self.count else names
        directory = await read_names(session, wanted, for_people=for_people)
        return self.renderer(presence_layout(directory, detailed, for_people=for_people))

    def _is_for_people(self) -> bool:
        return self.output is OutputFormat.TABLE and sys.stdout.isatty()


def read(
    ids: IdsArgument = None,
    ids_file: IdsFileOption = None,
    number: NumbersOption = None,
    detailed: DetailedOption = False,
    names: NamesOption = None,
    route: RouteOption = RouteChoice.FASTEST,
    filter_: FilterOption = None,
    count: CountOption = False,
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

    With --filter, only rows with one of these availabilities are printed, and errors.

    On a terminal, a table of more than 20 rows is shortened to the first 10 and a count of
    extensions by availability.
    """
    source, numbers = collect_ids(ids, ids_file), split_numbers(number)
    form = _Form(output, filter_ or StateFilter(), count, every)

    async def command() -> None:
        async with open_session(sandbox, profile) as (session, platform):
            wanted, total = await _ids_to_read(session, platform, source, numbers)
            renderer = await form.presence_renderer(session, names, detailed)
            outcomes = session.iter_user_presence_statuses(
                wanted, detailed_telephony_state=detailed, route=route.value
            )
            await _write_all(session, outcomes, total, renderer, form.filter)

    run_command(command())


def account(
    detailed: DetailedOption = False,
    names: NamesOption = None,
    filter_: FilterOption = None,
    count: CountOption = False,
    every: AllOption = False,
    output: OutputOption = OutputFormat.TABLE,
    sandbox: SandboxOption = None,
    profile: ProfileOption = None,
) -> None:
    """Read the presence of all extensions of the account.

    Each request reads up to 1,000 extensions. Its rate limit group is Heavy: RingCentral allows
    10 requests per minute by default.

    With --filter, only rows with one of these availabilities are printed, and errors.

    On a terminal, a table of more than 20 rows is shortened to the first 10 and a count of
    extensions by availability.
    """
    form = _Form(output, filter_ or StateFilter(), count, every)

    async def command() -> None:
        async with open_session(sandbox, profile) as (session, _):
            renderer = await form.presence_renderer(session, names, detailed)
            outcomes = _account_outcomes(session, detailed)
            await _write_all(session, outcomes, None, renderer, form.filter)

    run_command(command())


def unified(
    ids: IdsArgument = None,
    ids_file: IdsFileOption = None,
    number: NumbersOption = None,
    filter_: FilterOption = None,
    count: CountOption = False,
    every: AllOption = False,
    output: OutputOption = OutputFormat.TABLE,
    sandbox: SandboxOption = None,
    profile: ProfileOption = None,
) -> None:
    """Read the unified presence of users.

    It covers messaging, telephony and meetings. RingCentral includes visibility only for your own
    extension. With --sandbox and without ids,
    all extensions of the sandbox are read.

    With --filter, only rows with one of these availabilities are printed, and errors.

    On a terminal, a table of more than 20 rows is shortened to the first 10 and a count of
    extensions by availability.
    """
    source, numbers = collect_ids(ids, ids_file), split_numbers(number)
    form = _Form(output, filter_ or StateFilter(), count, every)

    async def command() -> None:
        async with open_session(sandbox, profile) as (session, platform):
            wanted, total = await _ids_to_read(session, platform, source, numbers)
            outcomes = session.iter_unified_presences(wanted)
            await _write_all(session, outcomes, total, form.renderer(UNIFIED_LAYOUT), form.filter)

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


async def _account_outcomes(session: "PresenceSession", detailed: bool) -> "Outcomes":
    from ... import Outcome

    records: AsyncGenerator[GetPresenceInfo, None]
    records = session.iter_account_presence(detailed_telephony_state=detailed)
    async with aclosing(records):
        async for record in records:
            id_ = (record.extension and record.extension.id) or ""
            yield Outcome(id_, 200, record)


async def _write_all(
    session: "PresenceSession",
    outcomes: "Outcomes",
    total: int | None,
    renderer: Renderer,
    filter_: StateFilter,
) -> None:
    """Write the outcomes that pass the filter, and those with an error."""
    count = failed = hidden = 0
    async with Progress(session, total) as progress, aclosing(outcomes):
        with renderer:
            async for outcome in outcomes:
                if outcome.value is None or filter_.passes(outcome.value.availability):
                    renderer.write(outcome)
                else:
                    hidden += 1
                progress.advance()
                count += 1
                failed += not outcome.ok
    finish(session, count, "extension", hidden=hidden, failed=failed, seconds=progress.seconds)
