"""The commands that read the presence of extensions: some of them, or all of an account."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..columns import Column
from ..console import note
from ..directory import check_numbers
from ..extension_args import Asked, check as check, given
from ..options import As, Detailed, Ids, Names, Numbers, Output, Profile, WithSandbox
from ..output import Writer
from ..progress import Progress
from ..rows import Presences, outcome_document
from ..session import FAILED, connected, run

if TYPE_CHECKING:
    from ... import GetPresenceInfo, Outcome, PresenceSession, UnifiedPresence
    from ...sandbox import Sandbox

    Outcomes = AsyncGenerator[Outcome[Any], None]

UNIFIED = {
    "id": Column(12),
    "status": Column(9),
    "glipStatus": Column(7, heading="glip"),
    "glipAvailability": Column(9, heading="messages"),
    "glipVisibility": Column(9, drop=3, heading="glip-seen"),
    "telephonyStatus": Column(13, heading="telephony"),
    "telephonyAvailability": Column(21, least=15, heading="calls"),
    "telephonyVisibility": Column(9, drop=4, heading="tel-seen"),
    "meetingStatus": Column(9, drop=2, heading="meeting"),
    "error": Column(0),
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
    names: Names = False,
    output: As = Output.TABLE,
    sandbox: WithSandbox = None,
    profile: Profile = None,
) -> None:
    """Read the presence of extensions, in batches of 30.

    Ids come as arguments, as extension numbers, or from a file. With --sandbox and none of
    these, all its extensions are read. One that cannot be read has the reason in its row.
    """
    asked = given(ids, ids_file)
    check_numbers(number or ())

    async def command() -> None:
        async with connected(sandbox, profile) as (session, platform):
            wanted, total = await _wanted(session, platform, asked, number)
            show = await _shown(session, names, detailed)
            outcomes = session.iter_user_presence_statuses(
                wanted, detailed_telephony_state=detailed
            )
            await _write_all(
                session,
                outcomes,
                total,
                Writer(output, show.columns, show.row, show.document),
            )

    run(command())


def account(
    detailed: Detailed = False,
    names: Names = False,
    output: As = Output.TABLE,
    sandbox: WithSandbox = None,
    profile: Profile = None,
) -> None:
    """Read the presence of the whole account.

    One request reads 1,000 extensions. The requests are of the group Heavy, of which
    RingCentral allows 10 a minute.
    """

    async def command() -> None:
        async with connected(sandbox, profile) as (session, _):
            show = await _shown(session, names, detailed)
            outcomes = _whole_account(session, detailed)
            await _write_all(
                session, outcomes, None, Writer(output, show.columns, show.row, show.document)
            )

    run(command())


def unified(
    ids: Ids = None,
    ids_file: IdsFile = None,
    number: Numbers = None,
    output: As = Output.TABLE,
    sandbox: WithSandbox = None,
    profile: Profile = None,
) -> None:
    """Read messaging, telephone and meetings of users.

    This is what RingCentral calls unified presence. Visibility is told of oneself only. With
    --sandbox and no ids, all its extensions are read.
    """
    asked = given(ids, ids_file)
    check_numbers(number or ())

    async def command() -> None:
        async with connected(sandbox, profile) as (session, platform):
            wanted, total = await _wanted(session, platform, asked, number)
            writer = Writer(output, UNIFIED, _unified_row, _unified_document)
            await _write_all(session, session.iter_unified_presences(wanted), total, writer)

    run(command())


async def _wanted(
    session: "PresenceSession",
    platform: "Sandbox | None",
    asked: Asked,
    numbers: list[str] | None,
) -> tuple[AsyncGenerator[str, None], int | None]:
    """Return the ids to read, and how many they are if that is known."""
    from ..directory import ids_of

    more = await ids_of(session, numbers or [])
    if platform is not None and not (more or asked.ids or asked.file):
        more = [*platform.extension_ids]
    return asked.stream(more), asked.count(len(more))


async def _shown(session: "PresenceSession", names: bool, detailed: bool) -> Presences:
    from ..directory import names_of

    return Presences(await names_of(session) if names else None, detailed)


async def _whole_account(session: "PresenceSession", detailed: bool) -> "Outcomes":
    from ... import Outcome

    records: AsyncGenerator[GetPresenceInfo, None]
    records = session.iter_account_presence(detailed_telephony_state=detailed)
    async with aclosing(records):
        async for record in records:
            id_ = (record.extension and record.extension.id) or ""
            yield Outcome(id_, 200, record)


async def _write_all(
    session: "PresenceSession", outcomes: "Outcomes", total: int | None, writer: Writer
) -> None:
    count = failed = 0
    async with Progress(session, total) as progress, aclosing(outcomes):
        with writer:
            async for outcome in outcomes:
                writer.write(outcome)
                progress.advance()
                count += 1
                failed += not outcome.ok
    summarise("Read", count, failed, session, progress.seconds)


def _unified_row(outcome: "Outcome[UnifiedPresence]") -> list[Any]:
    value = outcome.value
    if value is None:
        return [outcome.id, *[None] * (len(UNIFIED) - 2), outcome.error]
    glip, phone, meeting = value.glip, value.telephony, value.meeting
    return [
        *(outcome.id, value.status),
        *(glip and glip.status, glip and glip.availability, glip and glip.visibility),
        *(phone and phone.status, phone and phone.availability, phone and phone.visibility),
        *(meeting and meeting.status, None),
    ]


def _unified_document(outcome: "Outcome[UnifiedPresence]") -> dict[str, Any]:
    return outcome_document(outcome, "unifiedPresence")


def summarise(
    verb: str,
    count: int,
    failed: int,
    session: "PresenceSession",
    seconds: float | None = None,
    *,
    what: str = "extension",
) -> None:
    """Say on standard error what was done; end with 1 when something failed."""
    requests = session.stats.requests
    failures = f", {failed:,} failed" if failed else ""
    took = "" if seconds is None else f", {seconds:.1f} s"
    note(
        f"{verb} {count:,} {what}{'s' * (count != 1)}"
        f" in {requests:,} request{'s' * (requests != 1)}{took}{failures}."
    )
    if failed:
        raise typer.Exit(FAILED)
