"""The commands that follow presence as a stream of lines."""

import logging
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing, contextmanager
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import attrs
import typer

from .connect import connected, run
from .options import Detailed, Ids, Numbers, Output, Profile, WithSandbox
from .output import Writer, camel, plain
from .reads import check

if TYPE_CHECKING:
    from .. import PresenceChange, PresenceEvent, PresenceSession, Resync
    from ..sandbox import Sandbox


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
# Who it is stands in a column of its own, and these are for machines.
_UNSAID = ("uri", "extension_id", "owner_id", "sequence")
# What is told of an extension that was read for the first time.
_FIRST = ("presence_status", "telephony_status", "user_status", "dnd_status", "message")
CHANGE = {"time": 8, "source": 7, "id": 12, "extensionNumber": 15, "change": 0}
EVENT = {"time": 8, "event": 24, "id": 12, "body": 0}


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
    with warnings(_say), Writer(output, columns, row, document) as writer:
        sys.stdout.flush()
        written = 0
        async for each in stream:
            writer.write(each)
            sys.stdout.flush()
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
    from .directory import ids_of

    asked = [*ids, *await ids_of(session, numbers)]
    if "~" in asked:
        own = (await session.read_user_presence_status("~")).extension
        asked = [own.id if each == "~" and own and own.id else each for each in asked]
    return asked or None


def liven(platform: "Sandbox | None", rate: float) -> None:
    """Let something happen on an embedded platform."""
    if platform is not None and rate:
        platform.simulate(rate).start()


@contextmanager
def warnings(tell: Callable[[str], None]) -> Iterator[None]:
    """Hand on what the library warns of; what it raises besides comes as an error."""

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.levelno < logging.ERROR:
                tell(record.getMessage())

    logger, handler = logging.getLogger("aiopresence"), Handler(logging.WARNING)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)


def _say(warning: str) -> None:
    typer.echo(f"aiopresence: {warning}", err=True)


def event_filter(name: str, detailed: bool) -> str:
    """Give RingCentral's filter for a short name; its own it gives back.

    Raises:
        BadParameter: it is neither.
        UsageError: the id is none.
    """
    from .. import filters

    kind, _, id_ = name.partition(":")
    if name.startswith("/restapi/"):
        return name
    if name == "account":
        return filters.account_presence(detailed=detailed)
    if kind == "extension" and id_:
        return filters.extension_presence(id_, detailed=detailed)
    if kind == "dnd" and id_:
        return filters.extension_dnd(id_)
    if kind == "queue" and id_:
        return filters.call_queue_presence(id_)
    raise typer.BadParameter(
        f"{name!r} is no filter: account, extension:ID, dnd:ID, queue:ID, or a path from /restapi/"
    )


def change_document(change: "PresenceChange") -> dict[str, Any]:
    """Give the JSON of a change; what was not known is null."""
    return {
        "id": change.id,
        "old": plain(change.old),
        "new": plain(change.new),
        "source": change.source.value,
        "time": change.time.isoformat(),
    }


def change_row(change: "PresenceChange") -> list[Any]:
    """Give the cells of a change."""
    known = change.new or change.old
    number = known and known.extension and known.extension.extension_number
    return [clock(change.time), change.source, change.id, number, _difference(change)]


def _difference(change: "PresenceChange") -> str:
    """Tell what has changed, by RingCentral's names."""
    if change.new is None:
        return "gone"
    if change.old is None:
        return _fields(change.new, _FIRST)
    old, new = change.old, change.new
    names = [f.name for f in attrs.fields(type(new))]
    different = [name for name in names if getattr(old, name) != getattr(new, name)]
    return ", ".join(
        f"{camel(name)} {_short(getattr(old, name))} → {_short(getattr(new, name))}"
        for name in different
    )


def _fields(record: Any, names: Sequence[str]) -> str:
    """Tell those of the fields of a record that RingCentral said something in."""
    said = [(name, getattr(record, name)) for name in names]
    return ", ".join(f"{camel(name)} {_short(value)}" for name, value in said if value is not None)


def _short(value: Any) -> str:
    if isinstance(value, tuple):
        return str(len(value))
    return "-" if value is None else str(plain(value))


def clock(time: datetime | None) -> str:
    """Write a moment as the clock on the wall tells it."""
    return "-" if time is None else f"{time.astimezone():%H:%M:%S}"


def event_document(event: "PresenceEvent | Resync") -> dict[str, Any]:
    """Give the JSON of an event."""
    from .. import Resync

    if isinstance(event, Resync):
        return {"resync": plain(event)}
    document: dict[str, Any] = plain(event)
    return document


def event_row(event: "PresenceEvent | Resync") -> list[Any]:
    """Give the cells of an event."""
    from .. import Resync

    if isinstance(event, Resync):
        since = f" since {clock(event.since)}" if event.since else ""
        missed = f", {event.missed:,} missed" if event.missed else ""
        return [clock(None), "Resync", None, f"{event.reason}{since}{missed}: read anew"]
    body = event.body
    who = getattr(body, "extension_id", None)
    kind = type(body)
    names = [f.name for f in attrs.fields(kind)] if attrs.has(kind) else []
    said = _fields(body, [n for n in names if n not in _UNSAID]) if names else plain(body)
    # Which account it is goes without saying.
    path = (event.event or "").partition("?")[0]
    return [clock(event.timestamp), path.partition("/account/")[2].partition("/")[2], who, said]
