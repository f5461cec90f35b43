"""The commands that change presence. Each reads first, and prints what the change did."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..conversion import plain
from ..directory import find_ids
from ..extension_args import check_one, check_texts, resolve_id
from ..options import (
    ExtensionIdArgument,
    NumberOption,
    OutputOption,
    ProfileOption,
    SandboxOption,
)
from ..output import OutputFormat
from ..progress import Progress
from ..session import open_session, run_command
from ..usage import InvalidArgument
from .queues import GroupIdArgument, resolve_queue
from .write_diff import Change, Run, apply_change, print_changes
from .write_dnd import remember_dnd, with_dnd
from .write_for import set_for
from .write_options import (
    AcceptOption,
    CallerIdOption,
    Dnd,
    DndOption,
    DndPersonalOption,
    DryRunOption,
    ForOption,
    GlipAvailabilityOption,
    GlipVisibilityOption,
    MemberIdsArgument,
    MessageOption,
    PickUpOption,
    QueueCallsOption,
    RingOption,
    SeeOption,
    StatusOption,
    TelephonyAvailabilityOption,
)

if TYPE_CHECKING:
    from ... import CallQueuePresence
    from ...sandbox import Sandbox


def set_(
    extension_id: ExtensionIdArgument = None,
    number: NumberOption = None,
    status: StatusOption = None,
    dnd: DndOption = None,
    dnd_personal: DndPersonalOption = None,
    message: MessageOption = None,
    see: SeeOption = None,
    queue_calls: QueueCallsOption = None,
    ring: RingOption = None,
    pick_up: PickUpOption = None,
    caller_id: CallerIdOption = None,
    duration: ForOption = None,
    dry_run: DryRunOption = False,
    output: OutputOption = OutputFormat.TABLE,
    sandbox: SandboxOption = None,
    profile: ProfileOption = None,
) -> None:
    """Change the presence of an extension.

    Only the fields that you pass are sent. The output lists every field that differs afterwards,
    including those that RingCentral derives, such as presenceStatus. With --dry-run it lists only
    the fields that would be sent. With --for the command waits, and then restores what it was; so
    it does when it is interrupted.
    """
    fields = {
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
    _check_extension(extension_id, number, fields)
    run = Run(dry_run, output, sandbox, profile)
    if duration is not None and not dry_run:
        if dnd == Dnd.OFF:
            raise InvalidArgument("--for with --dnd off: pass the setting, such as TakeAllCalls")
        if dnd == Dnd.ON:
            fields["dnd_status"] = Dnd.DO_NOT_ACCEPT_ANY_CALLS.value
        run_command(set_for(extension_id, number, fields, duration, run))
    else:
        run_command(_set(extension_id, number, fields, run))


async def _set(id_: str | None, number: str | None, fields: Mapping[str, Any], run: Run) -> None:
    from ... import PresenceInfoRequest

    PresenceInfoRequest(**{**fields, "dnd_status": None})  # Checks it before any request.
    async with open_session(run.sandbox, run.profile) as (session, _), Progress(session, None):
        id_ = await resolve_id(session, id_, number) or "~"
        before = await session.read_user_presence_status(id_)
        body = PresenceInfoRequest(**with_dnd(fields, before))
        is_written = not run.dry_run and body != PresenceInfoRequest()
        write = session.update_user_presence_status(body, extension_id=id_) if is_written else None
        change = await apply_change(id_, before, plain(body), write)
        if is_written:
            remember_dnd(body, before)
    print_changes(run.output, [change], run.dry_run)


def unified_set(
    extension_id: ExtensionIdArgument = None,
    number: NumberOption = None,
    glip_visibility: GlipVisibilityOption = None,
    glip_availability: GlipAvailabilityOption = None,
    telephony_availability: TelephonyAvailabilityOption = None,
    dry_run: DryRunOption = False,
    output: OutputOption = OutputFormat.TABLE,
    sandbox: SandboxOption = None,
    profile: ProfileOption = None,
) -> None:
    """Change the unified presence of a user.

    Only the fields that you pass are sent. The output lists every field that differs afterwards.
    """
    glip = {"visibility": plain(glip_visibility), "availability": plain(glip_availability)}
    telephony = {"availability": plain(telephony_availability)}
    _check_extension(extension_id, number, {**glip, "telephony": telephony["availability"]})
    parts = {"glip": glip, "telephony": telephony}
    fields = {name: part for name, part in parts.items() if any(part.values())}
    run = Run(dry_run, output, sandbox, profile)
    run_command(_unified_set(extension_id, number, fields, run))


async def _unified_set(
    id_: str | None, number: str | None, fields: Mapping[str, Any], run: Run
) -> None:
    from ... import UpdateUnifiedPresence

    body = UpdateUnifiedPresence(**fields)
    async with open_session(run.sandbox, run.profile) as (session, _), Progress(session, None):
        id_ = await resolve_id(session, id_, number) or "~"
        before = await session.read_unified_presence(id_)
        write = None if run.dry_run else session.update_unified_presence(body, extension_id=id_)
        change = await apply_change(id_, before, plain(body), write)
    print_changes(run.output, [change], run.dry_run)


def queue_set(
    group_id: GroupIdArgument = None,
    member_ids: MemberIdsArgument = None,
    number: NumberOption = None,
    accept: AcceptOption = None,
    dry_run: DryRunOption = False,
    output: OutputOption = OutputFormat.TABLE,
    sandbox: SandboxOption = None,
    profile: ProfileOption = None,
) -> None:
    """Set whether members of a call queue accept its calls.

    Other members are not changed. If the queue is passed with --number, all ids are member ids.
    With --sandbox and without ids, the first member of the first queue is changed.
    """
    if number is not None and group_id is not None:
        member_ids, group_id = [group_id, *(member_ids or [])], None
    members = check_texts(member_ids, allow_own=False)
    check_one(group_id, number, allow_own=False)
    if accept is None:
        raise InvalidArgument("nothing to change: pass --accept or --no-accept")
    if sandbox is None and not members:
        raise InvalidArgument("no members: pass the ids of the members to change")
    run = Run(dry_run, output, sandbox, profile)
    run_command(_queue_set(group_id, number, members, accept, run))


async def _queue_set(
    group_id: str | None, number: str | None, member_ids: list[str], accept: bool, run: Run
) -> None:
    async with (
        open_session(run.sandbox, run.profile) as (session, platform),
        Progress(session, None),
    ):
        id_ = await resolve_queue(session, platform, group_id, number)
        before = _by_member(await session.read_call_queue_presence(id_))
        members = _members(await find_ids(session, member_ids), before, platform)
        field = {"accept_current_queue_calls": accept}
        body = {"records": [{"member": {"id": each}, **field} for each in members]}
        write = None if run.dry_run else session.update_call_queue_presence(body, group_id=id_)
        update = {each: {"acceptCurrentQueueCalls": accept} for each in members}
        change = await apply_change(id_, before, update, write, _by_member)
    after = change.after
    changes = [Change(each, before[each], after.get(each, {})) for each in members]
    print_changes(run.output, changes, run.dry_run)


def _check_extension(id_: str | None, number: str | None, fields: Mapping[str, Any]) -> None:
    """Check the arguments of a change before any request is sent.

    Raises:
        InvalidArgument: the id or number is invalid, or no field was passed.
    """
    check_one(id_, number)
    if all(value is None for value in fields.values()):
        raise InvalidArgument("nothing to change: pass at least one field, see --help")


def _by_member(presence: "CallQueuePresence") -> dict[str, Any]:
    records = presence.records or ()
    return {each.member.id: plain(each) for each in records if each.member and each.member.id}


def _members(ids: list[str], before: Mapping[str, Any], platform: "Sandbox | None") -> list[str]:
    """Return the members to change, without duplicates.

    Raises:
        InvalidArgument: an id is not that of a member.
    """
    if platform is not None and not ids:
        return [*before][:1]
    for each in ids:
        if each not in before:
            raise InvalidArgument(f"{each} is not a member of the queue; nothing was changed")
    return [*dict.fromkeys(ids)]
