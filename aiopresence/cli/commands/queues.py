"""The commands that read call queues: the members of a queue, and the queues of an extension."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..columns import Column
from ..directory import read_directory
from ..extension_args import check_one, resolve_id
from ..options import (
    NumberOption,
    OutputOption,
    ProfileOption,
    SandboxOption,
)
from ..output import Layout, OutputFormat, Renderer, one_row
from ..progress import Progress
from ..session import open_session, run_command
from ..summary import finish
from ..usage import InvalidArgument

if TYPE_CHECKING:
    from ... import (
        CallQueueMemberPresence,
        Directory,
        DirectoryEntry,
        ExtensionCallQueuePresence,
        PresenceSession,
    )
    from ...sandbox import Sandbox

GroupIdArgument = Annotated[
    str | None,
    typer.Argument(metavar="GROUP_ID", help="Extension id or name of the call queue."),
]
MemberArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="EXTENSION_ID",
        help="Extension id, name or e-mail address; ~ is your own. Default: all call queues.",
        show_default=False,
    ),
]


def queue(
    group_id: GroupIdArgument = None,
    number: NumberOption = None,
    output: OutputOption = OutputFormat.TABLE,
    sandbox: SandboxOption = None,
    profile: ProfileOption = None,
) -> None:
    """Read the members of a call queue.

    THIS-QUEUE shows whether a member accepts calls of this queue, ANY-QUEUE whether of queues in
    general. With --sandbox and without an id, the first queue is read; a sandbox has queues if it
    has at least 20 extensions.
    """
    check_one(group_id, number, allow_own=False)

    async def command() -> None:
        async with open_session(sandbox, profile) as (session, platform), Progress(session, None):
            id_ = await resolve_queue(session, platform, group_id, number)
            members = (await session.read_call_queue_presence(id_)).records
            _write_all(session, members or (), output.renderer(_MEMBERS), "member")

    run_command(command())


def queues(
    member: MemberArgument = None,
    number: NumberOption = None,
    output: OutputOption = OutputFormat.TABLE,
    sandbox: SandboxOption = None,
    profile: ProfileOption = None,
) -> None:
    """List the call queues of the account, or read those of an extension.

    With an extension, these are the queues that it is a member of, and ACCEPTS shows whether it
    accepts their calls. ~ is your own extension.
    """
    check_one(member, number)

    async def command() -> None:
        async with open_session(sandbox, profile) as (session, _), Progress(session, None):
            id_ = await resolve_id(session, member, number)
            if id_ is None:
                found = _in_order(await read_directory(session))
                _write_all(session, found, output.renderer(_ALL_QUEUES), "queue")
                return
            records = (await session.read_extension_call_queue_presence(id_)).records
            _write_all(session, records or (), output.renderer(_QUEUES), "queue")

    run_command(command())


def _in_order(directory: "Directory") -> "list[DirectoryEntry]":
    """Return the call queues in a directory, by their number."""
    from ... import ExtensionType

    found = [each for each in directory.values() if each.type is ExtensionType.DEPARTMENT]
    numbers = {each.id: each.extension_number or "" for each in found}
    return sorted(found, key=lambda each: (len(numbers[each.id]), numbers[each.id]))


async def resolve_queue(
    session: "PresenceSession", platform: "Sandbox | None", id_: str | None, number: str | None
) -> str:
    """Return the id of the queue that was passed, or of the first queue of the sandbox.

    Raises:
        InvalidArgument: none was passed, or there is none.
    """
    passed = await resolve_id(session, id_, number)
    if passed is not None:
        return passed
    if platform is None:
        raise InvalidArgument("no call queue: pass its id, or --number")
    if not platform.queue_ids:
        raise InvalidArgument("the sandbox has no call queues: use --sandbox 20 or more")
    return platform.queue_ids[0]


def _write_all(
    session: "PresenceSession", items: Iterable[Any], renderer: Renderer, noun: str
) -> None:
    count = 0
    with renderer:
        for item in items:
            renderer.write(item)
            count += 1
    finish(session, count, noun)


def _member_cells(presence: "CallQueueMemberPresence") -> list[Any]:
    member = presence.member
    return [
        *(member and member.id, member and member.name, member and member.extension_number),
        *(presence.accept_queue_calls, presence.accept_current_queue_calls),
    ]


def _queue_cells(presence: "ExtensionCallQueuePresence") -> list[Any]:
    queue = presence.call_queue
    return [
        *(queue and queue.id, queue and queue.name, queue and queue.extension_number),
        *(queue and queue.editable_member_status, presence.accept_calls),
    ]


_MEMBERS = Layout(
    {
        "id": Column(12),
        "name": Column(28, least=14),
        "extensionNumber": Column(6, heading="number"),
        "acceptQueueCalls": Column(9, heading="any-queue"),
        "acceptCurrentQueueCalls": Column(10, heading="this-queue"),
    },
    one_row(_member_cells),
)
_ALL_QUEUES = Layout(
    {
        "id": Column(12),
        "name": Column(28, least=14),
        "extensionNumber": Column(6, heading="number"),
        "status": Column(11),
    },
    one_row(lambda entry: [entry.id, entry.name, entry.extension_number, entry.status]),
)
_QUEUES = Layout(
    {
        "id": Column(12),
        "name": Column(28, least=14),
        "extensionNumber": Column(6, heading="number"),
        "editableMemberStatus": Column(8, heading="editable"),
        "acceptCalls": Column(7, heading="accepts"),
    },
    one_row(_queue_cells),
)
