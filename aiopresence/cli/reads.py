"""The commands that read."""

import sys
from collections.abc import Iterable
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .connect import FAILED, connected, run
from .options import As, Detailed, Ids, Numbers, Output, Profile, WithSandbox
from .output import Writer, plain
from .progress import Progress

if TYPE_CHECKING:
    from .. import GetPresenceInfo, Outcome, PresenceSession

PRESENCE = {
    "id": 20,
    "extensionNumber": 15,
    "presenceStatus": 14,
    "telephonyStatus": 15,
    "userStatus": 10,
    "dndStatus": 26,
    "message": 24,
    "error": 0,
}

IdsFile = Annotated[
    str | None,
    typer.Option(metavar="FILE", help="Read ids from a file, one a line; - is standard input."),
]


def read(
    ids: Ids = None,
    ids_file: IdsFile = None,
    number: Numbers = None,
    detailed: Detailed = False,
    output: As = Output.TABLE,
    sandbox: WithSandbox = None,
    profile: Profile = None,
) -> None:
    """Read the presence of extensions, in batches of 30.

    Ids come as arguments, as extension numbers, or from a file. With --sandbox and none of these,
    all its extensions are read. The exit code is 1 when one of them could not be read.
    """
    run(_read(ids or [], ids_file, number or [], detailed, output, sandbox, profile))


async def _read(
    ids: list[str],
    ids_file: str | None,
    numbers: list[str],
    detailed: bool,
    output: Output,
    sandbox: int | None,
    profile: str | None,
) -> None:
    from .directory import ids_of

    asked = [*ids, *_from_file(ids_file)]
    check(asked)
    async with connected(sandbox, profile) as (session, platform):
        asked += await ids_of(session, numbers)
        if platform is not None and not asked:
            asked = [*platform.extension_ids]
        if not asked:
            raise typer.BadParameter("name the ids to read, ~ for your own, or --sandbox 100")
        failed = 0
        async with (
            Progress(session, len(asked)) as progress,
            aclosing(
                session.iter_user_presence_statuses(asked, detailed_telephony_state=detailed)
            ) as outcomes,
        ):
            with Writer(output, PRESENCE, presence_row, outcome_document) as writer:
                async for outcome in outcomes:
                    writer.write(outcome)
                    progress.advance()
                    failed += not outcome.ok
        summarise("Read", len(asked), failed, session, progress.seconds)


def check(ids: Iterable[str]) -> None:
    """Refuse what is no id before anything is sent.

    Raises:
        BadParameter: one is none; the message names it.
    """
    for id_ in ids:
        if id_ != "~" and not (id_.isascii() and id_.isdigit()):
            shown = "".join(c if c.isprintable() else "?" for c in id_[:40])
            raise typer.BadParameter(
                f"{shown!r} is no extension id, which is digits, or ~ for your own; for an"
                " extension number use --number"
            )


def _from_file(name: str | None) -> list[str]:
    if name is None:
        return []
    text = sys.stdin.read() if name == "-" else Path(name).read_text()
    return text.replace(",", " ").split()


def presence_row(outcome: "Outcome[GetPresenceInfo]") -> list[Any]:
    """Give the cells of the presence of one extension."""
    value = outcome.value
    if value is None:
        return [outcome.id, *[None] * (len(PRESENCE) - 2), outcome.error]
    number = value.extension and value.extension.extension_number
    return [
        *(outcome.id, number, value.presence_status, value.telephony_status),
        *(value.user_status, value.dnd_status, value.message, None),
    ]


def outcome_document(outcome: "Outcome[Any]") -> dict[str, Any]:
    """Give the JSON of one outcome: the id, and what was read or why nothing was."""
    if outcome.value is not None:
        return {"id": outcome.id, "presence": plain(outcome.value)}
    return {"id": outcome.id, "error": error_document(outcome.error)}


def error_document(error: Any) -> dict[str, Any]:
    """Give the JSON of an error."""
    fields = {
        "type": type(error).__name__,
        "httpStatus": getattr(error, "http_status", None),
        "errorCode": getattr(error, "error_code", None),
        "message": str(error),
    }
    return {name: value for name, value in fields.items() if value is not None}


def summarise(
    verb: str, count: int, failed: int, session: "PresenceSession", seconds: float
) -> None:
    """Say on standard error what was done; end with 1 when something failed."""
    requests = session.stats.requests
    failures = f", {failed:,} failed" if failed else ""
    typer.echo(
        f"{verb} {count:,} extension{'s' * (count != 1)}"
        f" in {requests:,} request{'s' * (requests != 1)}, {seconds:.1f} s{failures}.",
        err=True,
    )
    if failed:
        raise typer.Exit(FAILED)
