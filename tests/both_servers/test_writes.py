"""Changes of presence, and what refuses them."""

import pytest

from aiopresence import (
    CallQueueUpdatePresence,
    ConnectionFailed,
    ExtensionCallQueueUpdatePresenceList,
    InvalidRequest,
    PermissionDenied,
    PresenceInfoRequest,
    PresenceSession,
    UpdateUnifiedPresence,
)
from tests.support.servers import AnyServer


async def test_an_update_is_stored_and_returned(
    server: AnyServer, session: PresenceSession
) -> None:
    change = PresenceInfoRequest(
        user_status="Busy",
        message="Zwölf — 12",
        dnd_status="DoNotAcceptAnyCalls",
        ring_on_monitored_call=True,
    )
    returned = await session.update_user_presence_status(change, extension_id=server.user_ids[1])
    truth = server.presence(server.user_ids[1])
    assert (returned.user_status, returned.message) == ("Busy", "Zwölf — 12")
    assert (truth["userStatus"], truth["message"]) == ("Busy", "Zwölf — 12")
    assert (truth["dndStatus"], truth["ringOnMonitoredCall"]) == ("DoNotAcceptAnyCalls", True)
    assert truth["presenceStatus"] == "Busy"


async def test_an_update_without_a_body_changes_nothing(
    server: AnyServer, session: PresenceSession
) -> None:
    before = server.presence("~")
    returned = await session.update_user_presence_status()
    assert returned.user_status == before["userStatus"]
    assert server.presence("~") == before


async def test_each_of_many_updates_has_its_own_outcome(
    server: AnyServer, session: PresenceSession
) -> None:
    ids = [*server.user_ids[1:4], "404"]
    changes = {id_: PresenceInfoRequest(user_status="Offline") for id_ in ids}
    result = await session.update_user_presence_statuses(changes)
    assert [each.id for each in result] == ids
    assert [*result.errors] == ["404"]
    assert {server.presence(id_)["userStatus"] for id_ in ids[:3]} == {"Offline"}


async def test_members_of_a_queue_can_be_changed_from_both_sides(
    server: AnyServer, session: PresenceSession
) -> None:
    queue = server.queue_ids[0]
    records = (await session.read_call_queue_presence(queue)).records
    assert records
    assert records[0].member is not None
    member = str(records[0].member.id)
    refuse = CallQueueUpdatePresence(
        records=[{"member": {"id": member}, "accept_current_queue_calls": False}]
    )
    await session.update_call_queue_presence(refuse, group_id=queue)
    assert (await _accepts(session, member))[queue] is False
    accept = ExtensionCallQueueUpdatePresenceList(
        records=[{"call_queue": {"id": queue}, "accept_calls": True}]
    )
    await session.update_extension_call_queue_presence(accept, extension_id=member)
    assert (await _accepts(session, member))[queue] is True


async def _accepts(session: PresenceSession, member: str) -> dict[str, bool | None]:
    presence = await session.read_extension_call_queue_presence(member, editable_member_status=True)
    shown = [(each.call_queue, each.accept_calls) for each in presence.records or ()]
    assert all(queue and queue.editable_member_status is not None for queue, _ in shown)
    return {str(queue.id): accepts for queue, accepts in shown if queue}


async def test_unified_presence_can_be_changed(server: AnyServer, session: PresenceSession) -> None:
    change = UpdateUnifiedPresence(
        glip={"visibility": "Invisible"}, telephony={"availability": "DoNotAcceptAnyCalls"}
    )
    await session.update_unified_presence(change)
    unified = await session.read_unified_presence()
    assert unified.glip is not None
    assert unified.glip.visibility == "Invisible"
    assert server.presence("~")["dndStatus"] == "DoNotAcceptAnyCalls"


async def test_an_update_whose_answer_was_lost_is_not_repeated(
    server: AnyServer, session: PresenceSession
) -> None:
    await session.read_user_presence_status()
    fired = server.fail("lost_reply", "/presence")
    with pytest.raises(ConnectionFailed):
        await session.update_user_presence_status(PresenceInfoRequest(user_status="Busy"))
    assert fired() == 1
    assert server.count("/presence", method="PUT") == 1
    assert server.presence("~")["userStatus"] == "Busy"


async def test_an_update_refused_for_now_is_repeated(
    server: AnyServer, session: PresenceSession
) -> None:
    await session.read_user_presence_status()
    fired = [server.fail("503", "/presence"), server.fail("429", "/presence")]
    await session.update_user_presence_status(PresenceInfoRequest(user_status="Busy"))
    assert [each() for each in fired] == [1, 1]
    assert server.presence("~")["userStatus"] == "Busy"


async def test_extensions_that_are_no_users_refuse_updates(
    server: AnyServer, session: PresenceSession
) -> None:
    change = PresenceInfoRequest(user_status="Busy")
    with pytest.raises((InvalidRequest, PermissionDenied)):
        await session.update_user_presence_status(change, extension_id=server.queue_ids[0])


async def test_the_department_status_is_for_members_of_a_department(
    server: AnyServer, session: PresenceSession
) -> None:
    change = PresenceInfoRequest(dnd_status="DoNotAcceptDepartmentCalls")
    members = [
        str(each.member.id)
        for queue in server.queue_ids
        for each in (await session.read_call_queue_presence(queue)).records or ()
        if each.member
    ]
    outsider = next(each for each in server.user_ids if each not in members)
    with pytest.raises(InvalidRequest) as caught:
        await session.update_user_presence_status(change, extension_id=outsider)
    assert caught.value.error_code == "CMN-101"
    await session.update_user_presence_status(change, extension_id=members[0])
    assert server.presence(members[0])["dndStatus"] == "DoNotAcceptDepartmentCalls"
