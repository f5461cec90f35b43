"""The commands that read call queues: the members of one, and the queues of a member."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..columns import Column
from ..directory import check_numbers
from ..extension_args import check, one_id
from ..options import As, ExtensionId, Number, Output, Profile, WithSandbox
from ..output import Writer
from ..progress import Progress
from ..session import connected, run
from .read import summarise

if TYPE_CHECKING:
    from ... import CallQueueMemberPresence, ExtensionCallQueuePresence, PresenceSession
    from ...sandbox import Sandbox

MEMBERS = {
    "id": Column(12),
    "name": Column(28, least=14),
    "extensionNumber": Column(6, heading="number"),
    "acceptQueueCalls": Column(9, heading="any-queue"),
    "acceptCurrentQueueCalls": Column(10, heading="this-queue"),
}
QUEUES = {
    "id": Column(12),
    "name": Column(28, least=14),
    "extensionNumber": Column(6, heading="number"),
    "editableMemberStatus": Column(8, heading="editable"),
    "acceptCalls": Column(7, heading="accepts"),
}

GroupId = Annotated[
    str | None,
    typer.Argument(metavar="GROUP_ID", help="The extension id of the queue."),
]


def queue(
    group_id: GroupId = None,
    number: Number = None,
    output: As = Output.TABLE,
    sandbox: WithSandbox = None,
    profile: Profile = None,
) -> None:
    """Read the members of a call queue.

    THIS-QUEUE says who takes its calls, ANY-QUEUE who takes calls of queues at all.
    With --sandbox and no id, its first queue is read; it has queues from 20 extensions on.
    """
    check([group_id] if group_id is not None else [], tilde=False)
    check_numbers([number] if number is not None else [])

    async def command() -> None:
        async with connected(sandbox, profile) as (session, platform), Progress(session, None):
            id_ = await group(session, platform, group_id, number)
            members = (await session.read_call_queue_presence(id_)).records
            _write(session, members or (), Writer(output, MEMBERS, member_row), "member")

    run(command())


def queues(
    extension_id: ExtensionId = None,
    number: Number = None,
    output: As = Output.TABLE,
    sandbox: WithSandbox = None,
    profile: Profile = None,
) -> None:
    """Read the call queues of an extension.

    They are those that it is a member of, and whether it takes their calls.
    """
    check([extension_id] if extension_id is not None else [])
    check_numbers([number] if number is not None else [])

    async def command() -> None:
        async with connected(sandbox, profile) as (session, _), Progress(session, None):
            id_ = await one_id(session, extension_id, number) or "~"
            found = (await session.read_extension_call_queue_presence(id_)).records
            _write(session, found or (), Writer(output, QUEUES, _queue_row), "queue")

    run(command())


async def group(
    session: "PresenceSession", platform: "Sandbox | None", id_: str | None, number: str | None
) -> str:
    """Give the queue that was named, or the first of the sandbox.

    Raises:
        BadParameter: none was, or there is none.
    """
    named = await one_id(session, id_, number)
    if named is not None:
        return named
    if platform is None:
        raise typer.BadParameter("name the queue, by its id or by --number")
    if not platform.queue_ids:
        raise typer.BadParameter("the sandbox has call queues from 20 extensions on")
    return platform.queue_ids[0]


def _write(session: "PresenceSession", items: Iterable[Any], writer: Writer, what: str) -> None:
    count = 0
    with writer:
        for item in items:
            writer.write(item)
            count += 1
    summarise("Read", count, 0, session, what=what)


def member_row(presence: "CallQueueMemberPresence") -> list[Any]:
    """Give the cells of one member of a queue."""
    member = presence.member
    return [
        *(member and member.id, member and member.name, member and member.extension_number),
        *(presence.accept_queue_calls, presence.accept_current_queue_calls),
    ]


def _queue_row(presence: "ExtensionCallQueuePresence") -> list[Any]:
    found = presence.call_queue
    return [
        *(found and found.id, found and found.name, found and found.extension_number),
        *(found and found.editable_member_status, presence.accept_calls),
    ]
