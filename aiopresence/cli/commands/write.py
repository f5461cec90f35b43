"""The commands that write: each reads first, and shows what was and what is."""

from collections.abc import Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..directory import check_numbers
from ..extension_args import check, one_id
from ..options import As, ExtensionId, Number, Output, Profile, WithSandbox
from ..output import plain
from ..progress import Progress
from ..session import connected, run
from .queues import GroupId, group
from .write_diff import Change, changed, show

if TYPE_CHECKING:
    from ... import CallQueuePresence
    from ...sandbox import Sandbox


class Status(StrEnum):
    """What a user can set."""

    AVAILABLE = "Available"
    BUSY = "Busy"
    OFFLINE = "Offline"


class Dnd(StrEnum):
    """The do-not-disturb that can be set."""

    TAKE_ALL_CALLS = "TakeAllCalls"
    DO_NOT_ACCEPT_ANY_CALLS = "DoNotAcceptAnyCalls"
    DO_NOT_ACCEPT_DEPARTMENT_CALLS = "DoNotAcceptDepartmentCalls"


class DndPersonal(StrEnum):
    """The do-not-disturb that can be set without that of call queues."""

    TAKE_ALL_CALLS = "TakeAllCalls"
    DO_NOT_ACCEPT_ANY_CALLS = "DoNotAcceptAnyCalls"


class CallerId(StrEnum):
    """Who may see the caller id."""

    ALL = "All"
    NONE = "None"
    PERMITTED_USERS = "PermittedUsers"


class Visible(StrEnum):
    """Whether others see it."""

    VISIBLE = "Visible"
    INVISIBLE = "Invisible"


class Notified(StrEnum):
    """Whether messages are notified."""

    AVAILABLE = "Available"
    DND = "DND"


class Takes(StrEnum):
    """Do-not-disturb of the telephone, in the words of unified presence."""

    TAKE_ALL_CALLS = "TakeAllCalls"
    DO_NOT_ACCEPT_ANY_CALLS = "DoNotAcceptAnyCalls"
    DO_NOT_ACCEPT_QUEUE_CALLS = "DoNotAcceptQueueCalls"


def _choice(name: str, text: str) -> Any:
    return typer.Option(name, case_sensitive=False, metavar="WORD", help=text)


def _switch(name: str, text: str) -> Any:
    return typer.Option(f"--{name}/--no-{name}", help=text)


DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Write nothing, and show what would change.")
]
Message = Annotated[
    str | None, typer.Option(help="The status message, 75 characters at most; '' clears it.")
]
Accept = Annotated[
    bool | None, typer.Option("--accept/--no-accept", help="Whether calls of the queue are taken.")
]
MemberIds = Annotated[
    list[str] | None, typer.Argument(metavar="MEMBER_ID", help="Extension ids of members.")
]
NOTHING = "say what to change: see --help"


def set_(
    extension_id: ExtensionId = None,
    number: Number = None,
    status: Annotated[
        Status | None, _choice("--status", "What the user has set: Available, Busy or Offline.")
    ] = None,
    dnd: Annotated[
        Dnd | None, _choice("--dnd", "Which calls are taken: " + ", ".join(Dnd) + ".")
    ] = None,
    dnd_personal: Annotated[
        DndPersonal | None,
        _choice(
            "--dnd-personal",
            "Which calls are taken apart from those of queues: " + ", ".join(DndPersonal) + ".",
        ),
    ] = None,
    message: Message = None,
    see: Annotated[
        bool | None, _switch("allow-see-my-presence", "Whether others see the presence.")
    ] = None,
    queue_calls: Annotated[
        bool | None, _switch("accept-queue-calls", "Whether calls of call queues are taken.")
    ] = None,
    ring: Annotated[
        bool | None, _switch("ring-on-monitored-call", "Whether to ring with monitored lines.")
    ] = None,
    pick_up: Annotated[
        bool | None, _switch("pick-up-calls-on-hold", "Whether to pick up their held calls.")
    ] = None,
    caller_id: Annotated[
        CallerId | None,
        _choice("--caller-id-visibility", "Who sees the caller id: " + ", ".join(CallerId) + "."),
    ] = None,
    dry_run: DryRun = False,
    output: As = Output.TABLE,
    sandbox: WithSandbox = None,
    profile: Profile = None,
) -> None:
    """Change the presence of a user.

    It is your own, or that of the extension named. What is not said stays as it is. The result
    has every field that is different afterwards, also those that follow from others, such as
    presenceStatus.
    """
    changes = {
        "user_status": plain(status),
        "dnd_status": plain(dnd),
        "dnd_status_personal": plain(dnd_personal),
        "message": message,
        "allow_see_my_presence": see,
        "accept_call_queue_calls": queue_calls,
        "ring_on_monitored_call": ring,
        "pick_up_calls_on_hold": pick_up,
        "caller_id_visibility": plain(caller_id),
    }
    _refuse_nothing(extension_id, number, changes)

    async def command() -> None:
        from ... import PresenceInfoRequest

        body = PresenceInfoRequest(**changes)
        async with connected(sandbox, profile) as (session, _), Progress(session, None):
            id_ = await one_id(session, extension_id, number) or "~"
            before = await session.read_user_presence_status(id_)
            change = await changed(
                id_,
                before,
                plain(body),
                None if dry_run else session.update_user_presence_status(body, extension_id=id_),
            )
        show(output, [change], dry_run)

    run(command())


def unified_set(
    extension_id: ExtensionId = None,
    number: Number = None,
    glip_visibility: Annotated[
        Visible | None, _choice("--glip-visibility", "Whether others see it: Visible or Invisible.")
    ] = None,
    glip_availability: Annotated[
        Notified | None,
        _choice("--glip-availability", "Whether messages are notified: Available or DND."),
    ] = None,
    telephony_availability: Annotated[
        Takes | None,
        _choice("--telephony-availability", "Which calls are taken: " + ", ".join(Takes) + "."),
    ] = None,
    dry_run: DryRun = False,
    output: As = Output.TABLE,
    sandbox: WithSandbox = None,
    profile: Profile = None,
) -> None:
    """Change the unified presence of a user.

    It is your own, or that of the extension named. What is not said stays as it is.
    """
    glip = {"visibility": plain(glip_visibility), "availability": plain(glip_availability)}
    telephony = {"availability": plain(telephony_availability)}
    _refuse_nothing(extension_id, number, {**glip, "telephony": telephony["availability"]})

    async def command() -> None:
        from ... import UpdateUnifiedPresence

        parts = {"glip": glip, "telephony": telephony}
        body = UpdateUnifiedPresence(**{n: p for n, p in parts.items() if any(p.values())})
        async with connected(sandbox, profile) as (session, _), Progress(session, None):
            id_ = await one_id(session, extension_id, number) or "~"
            before = await session.read_unified_presence(id_)
            change = await changed(
                id_,
                before,
                plain(body),
                None if dry_run else session.update_unified_presence(body, extension_id=id_),
            )
        show(output, [change], dry_run)

    run(command())


def queue_set(
    group_id: GroupId = None,
    member_ids: MemberIds = None,
    number: Number = None,
    accept: Accept = None,
    dry_run: DryRun = False,
    output: As = Output.TABLE,
    sandbox: WithSandbox = None,
    profile: Profile = None,
) -> None:
    """Let members take the calls of a queue, or not.

    Other members stay as they are. With --number for the queue, all ids are those of members.
    With --sandbox and no ids, it is the first member of the first queue.
    """
    if number is not None and group_id is not None:
        member_ids, group_id = [group_id, *(member_ids or [])], None
    members = member_ids or []
    check(members if group_id is None else [group_id, *members], tilde=False)
    check_numbers([number] if number is not None else [])
    if accept is None:
        raise typer.BadParameter("say --accept or --no-accept")
    if sandbox is None and not members:
        raise typer.BadParameter("name the members to change")

    async def command() -> None:
        async with connected(sandbox, profile) as (session, platform), Progress(session, None):
            id_ = await group(session, platform, group_id, number)
            before = _by_member(await session.read_call_queue_presence(id_))
            wanted = _members(members, before, platform)
            switch = {"accept_current_queue_calls": accept}
            body = {"records": [{"member": {"id": each}, **switch} for each in wanted]}
            written = None
            if not dry_run:
                written = session.update_call_queue_presence(body, group_id=id_)
            asked = {each: {"acceptCurrentQueueCalls": accept} for each in wanted}
            change = await changed(id_, before, asked, written, _by_member)
        after = change.after
        show(output, [Change(each, before[each], after.get(each, {})) for each in wanted], dry_run)

    run(command())


def _refuse_nothing(
    extension_id: str | None, number: str | None, changes: Mapping[str, Any]
) -> None:
    """Check what was given, before anything is sent."""
    check([extension_id] if extension_id is not None else [])
    check_numbers([number] if number is not None else [])
    if all(value is None for value in changes.values()):
        raise typer.BadParameter(NOTHING)


def _by_member(presence: "CallQueuePresence") -> dict[str, Any]:
    records = presence.records or ()
    return {each.member.id: plain(each) for each in records if each.member and each.member.id}


def _members(asked: list[str], before: Mapping[str, Any], platform: "Sandbox | None") -> list[str]:
    """Give the members to change, once each.

    Raises:
        BadParameter: one of them is no member.
    """
    if platform is not None and not asked:
        return [*before][:1]
    for each in asked:
        if each not in before:
            raise typer.BadParameter(f"{each} is no member of the queue; nothing was written")
    return [*dict.fromkeys(asked)]
