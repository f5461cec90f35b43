"""The commands that follow presence as a stream of lines: `events` and `poll`."""

import sys
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..directory import read_names, split_numbers
from ..event_rows import change_layout, event_layout
from ..extension_args import check_texts, resolve_ids
from ..filter_names import event_filters, parse_filter
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
from ..output import Layout, LineRenderer, OutputFormat, Renderer
from ..session import open_session, run_command
from ..usage import InvalidArgument

if TYPE_CHECKING:
    from ... import Directory, PresenceSession
    from ...sandbox import Sandbox

CountOption = Annotated[
    int | None,
    typer.Option("--count", min=1, metavar="N", help="Stop after N lines.", show_default=False),
]
IntervalOption = Annotated[
    float | None,
    typer.Option(
        "--interval",
        min=0.1,
        metavar="SECONDS",
        help="Seconds between polls. Default: as often as the rate limits allow.",
        show_default=False,
    ),
]
FiltersArgument = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="FILTERS",
        help="account (the default), extension:ID, dnd:ID, queue:ID, where a name may stand for the"
        " id, or a RingCentral event filter (a path).",
        show_default=False,
    ),
]


def poll(
    ids: IdsArgument = None,
    number: NumbersOption = None,
    interval: IntervalOption = None,
    count: CountOption = None,
    detailed: DetailedOption = False,
    names: NamesOption = None,
    output: StreamOutputOption = None,
    sandbox: SandboxOption = None,
    rate: RateOption = 2.0,
    profile: ProfileOption = None,
) -> None:
    """Follow presence by polling, without an event subscription.

    Prints one line for each change; the first poll prints every extension. Without ids, all
    extensions of the account are polled.

    On a terminal a line has the time, who it is, and what has changed. Each JSON line has id, old,
    new, source and time. In the first poll, old is null. CSV has the new state, with a column for
    each field.

    Runs until Ctrl-C (exit code 130).
    """
    texts, numbers = check_texts(ids), split_numbers(number)
    form = stream_format(output)

    async def command() -> None:
        async with open_session(sandbox, profile) as (session, platform):
            polled = await resolve_ids(session, texts, numbers)
            renderer = await stream_renderer(form, change_layout, session, names)
            start_simulation(platform, rate)
            changes = session.poll(polled, interval=interval, detailed_telephony_state=detailed)
            async with aclosing(changes):
                await write_stream(changes, renderer, count)

    run_command(command())


def events(
    filters: FiltersArgument = None,
    count: CountOption = None,
    detailed: DetailedOption = False,
    names: NamesOption = None,
    output: StreamOutputOption = None,
    sandbox: SandboxOption = None,
    rate: RateOption = 2.0,
    profile: ProfileOption = None,
) -> None:
    """Print presence events as they arrive, without duplicates.

    With --detailed, events of the filters account and extension include active calls. If events
    may have been lost, for example during an outage, a Resync line is printed: read the presence
    you need again.

    On a terminal a line has the time, who it is, and the availability, with the one before if an
    earlier event had it. JSON lines are RingCentral's notifications, or {"resync": {reason, since,
    missed}}. CSV has a column for each field.

    Runs until Ctrl-C (exit code 130).
    """
    filter_names = [parse_filter(name) for name in filters or ["account"]]
    form = stream_format(output)

    async def command() -> None:
        async with open_session(sandbox, profile) as (session, platform):
            renderer = await stream_renderer(form, event_layout, session, names)
            wanted = await event_filters(session, filter_names, detailed)
            start_simulation(platform, rate)
            async with aclosing(session.events(wanted)) as stream:
                await write_stream(stream, renderer, count)

    run_command(command())


async def write_stream(
    stream: AsyncIterator[Any], renderer: Renderer, count: int | None = None
) -> None:
    """Write each item when it arrives, until the stream ends or `count` items are written."""
    with renderer:
        written = 0
        async for item in stream:
            renderer.write(item)
            written += 1
            if written == count:
                return


def stream_format(output: OutputFormat | None) -> OutputFormat:
    """Return the format for a stream; the default depends on whether output is a terminal.

    Raises:
        InvalidArgument: the format needs all results before it can be written.
    """
    if output is None:
        return OutputFormat.TABLE if sys.stdout.isatty() else OutputFormat.JSONL
    if not output.is_incremental:
        raise InvalidArgument(f"--output {output} is not available for a stream: use jsonl")
    return output


async def stream_renderer(
    form: OutputFormat,
    layout: "Callable[[Directory | None], Layout]",
    session: "PresenceSession",
    names: bool | None,
) -> Renderer:
    """Return the renderer of a stream: lines for people in place of a table."""
    if form is not OutputFormat.TABLE:
        return form.renderer(layout(None))
    return LineRenderer(layout(await read_names(session, names, for_people=sys.stdout.isatty())))


def start_simulation(platform: "Sandbox | None", rate: float) -> None:
    """Simulate changes in a sandbox."""
    if platform is not None and rate:
        platform.simulate(rate).start()
