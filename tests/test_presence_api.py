from collections.abc import Awaitable, Callable

import pytest

from aiopresence import (
    CallQueueUpdatePresence,
    DecodeError,
    DndStatus,
    ExtensionCallQueueUpdatePresenceList,
    InvalidRequest,
    NotFound,
    PermissionDenied,
    PresenceInfoRequest,
    PresenceSession,
    PresenceStatus,
    RateLimited,
    ServerError,
    TelephonyAvailability,
    UnifiedStatus,
    UpdateUnifiedPresence,
    Visibility,
)
from aiopresence.sandbox import Answer, Change, Sandbox


async def test_reading_ones_own_presence(sandbox: Sandbox, session: PresenceSession) -> None:
    record = await session.read_user_presence_status()
    assert record.extension is not None
    assert record.extension.id == sandbox.extension_ids[0]
    assert record.active_calls is None


async def test_reading_with_calls_and_sip(sandbox: Sandbox, session: PresenceSession) -> None:
    user = sandbox.user_ids[5]
    sandbox.ring(user)
    detailed = await session.read_user_presence_status(user, detailed_telephony_state=True)
    assert detailed.active_calls
    assert {call.sip_data for call in detailed.active_calls} == {None}
    assert all(call.start_time and call.start_time.utcoffset() is not None
               for call in detailed.active_calls)  # fmt: skip
    with_sip = await session.read_user_presence_status(user, sip_data=True)
    assert with_sip.active_calls
    assert all(call.sip_data for call in with_sip.active_calls)


async def test_a_write_changes_what_is_read(sandbox: Sandbox, session: PresenceSession) -> None:
    user = sandbox.user_ids[3]
    change = PresenceInfoRequest(dnd_status=DndStatus.DO_NOT_ACCEPT_ANY_CALLS, message="Zürich")
    written = await session.update_user_presence_status(change, extension_id=user)
    assert written.presence_status is PresenceStatus.BUSY
    assert written == await session.read_user_presence_status(int(user))
    mine = await session.update_user_presence_status({"user_status": "Offline"})
    assert mine.presence_status is PresenceStatus.OFFLINE
    assert await session.update_user_presence_status() == mine


async def test_a_page_of_the_account(sandbox: Sandbox, session: PresenceSession) -> None:
    page = await session.read_account_presence(page=2, per_page=30)
    assert page.paging is not None
    assert (page.paging.page, page.paging.total_pages) == (2, 4)
    assert page.records is not None
    assert [r.extension and r.extension.id for r in page.records] == [*sandbox.extension_ids[30:60]]


async def test_call_queues_from_both_sides(sandbox: Sandbox, session: PresenceSession) -> None:
    queue = sandbox.queue_ids[0]
    before = await session.read_call_queue_presence(queue)
    assert before.records
    member = before.records[0].member
    assert member is not None
    assert member.id is not None
    takes = not before.records[0].accept_current_queue_calls
    after = await session.update_call_queue_presence(
        CallQueueUpdatePresence(
            records=[{"member": {"id": member.id}, "accept_current_queue_calls": takes}]
        ),
        group_id=queue,
    )
    assert after.records
    assert after.records[0].accept_current_queue_calls is takes
    agent = await session.read_extension_call_queue_presence(member.id)
    assert {r.call_queue.id: r.accept_calls for r in agent.records or () if r.call_queue}[
        queue
    ] is takes
    agent = await session.update_extension_call_queue_presence(
        ExtensionCallQueueUpdatePresenceList(
            records=[{"call_queue": {"id": queue}, "accept_calls": not takes}]
        ),
        extension_id=member.id,
    )
    assert await session.read_call_queue_presence(queue) == before
    editable = await session.read_extension_call_queue_presence(editable_member_status=True)
    assert editable.records is not None


async def test_unified_presence(sandbox: Sandbox, session: PresenceSession) -> None:
    mine = await session.update_unified_presence(
        UpdateUnifiedPresence(
            glip={"visibility": "Invisible"}, telephony={"availability": "DoNotAcceptAnyCalls"}
        )
    )
    assert mine.status is UnifiedStatus.DND
    assert mine.glip is not None
    assert mine.glip.visibility is Visibility.INVISIBLE
    assert mine.telephony is not None
    assert mine.telephony.availability is TelephonyAvailability.DO_NOT_ACCEPT_ANY_CALLS
    assert await session.read_unified_presence() == mine
    other = await session.read_unified_presence(sandbox.user_ids[1])
    assert other.glip is not None
    assert other.glip.visibility is None


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, "CMN-101", InvalidRequest),
        (403, "CMN-404", PermissionDenied),
        (404, "CMN-102", NotFound),
        (429, "CMN-301", RateLimited),
        (503, "CMN-203", ServerError),
    ],
)
async def test_refusals(
    sandbox: Sandbox, session: PresenceSession, status: int, code: str, kind: type[Exception]
) -> None:
    rule = sandbox.faults.add(Answer.error(status, code, "No"), path="/presence")
    with pytest.raises(kind, match=f"HTTP {status}: {code} No"):
        await session.read_account_presence()
    assert rule.fired == 1
    assert (await session.read_account_presence()).records


async def test_a_record_of_the_wrong_type_is_located(
    sandbox: Sandbox, session: PresenceSession
) -> None:
    rule = sandbox.faults.add(
        Change(lambda body: body.replace(b'"allowSeeMyPresence":true', b'"allowSeeMyPresence":1')),
        path="/presence",
    )
    with pytest.raises(DecodeError) as caught:
        await session.read_user_presence_status()
    assert caught.value.path == "$.allowSeeMyPresence"
    assert rule.fired == 1


NUMBER = (
    "101 looks like an extension number: look up its id with session.read_directory(), or use"
    " --number on the command line"
)
NO_NUMBER = "check the id, and that this user may see it"


@pytest.mark.parametrize(
    "call",
    [
        lambda session: session.read_user_presence_status("101"),
        lambda session: session.update_user_presence_status({"message": ""}, extension_id=101),
        lambda session: session.read_unified_presence(101),
        lambda session: session.read_call_queue_presence("101"),
        lambda session: session.read_extension_call_queue_presence("101"),
        lambda session: session.request("GET", "/restapi/v1.0/account/~/extension/101"),
    ],
)
async def test_an_extension_number_in_place_of_an_id_is_explained(
    session: PresenceSession, call: Callable[[PresenceSession], Awaitable[object]]
) -> None:
    with pytest.raises(NotFound) as caught:
        await call(session)
    assert caught.value.id == "101"
    assert f"; {NUMBER} [request " in str(caught.value)


async def test_outcomes_explain_an_extension_number(
    sandbox: Sandbox, session: PresenceSession
) -> None:
    known = sandbox.user_ids[0]
    for ids in (["101"], [known, "101"]):
        result = await session.read_user_presence_statuses(ids)
        assert f"; {NUMBER} [request " in str(result.errors["101"])
    result = await session.update_user_presence_statuses({"101": {"message": ""}})
    assert f"; {NUMBER} [request " in str(result.errors["101"])
    # Neither an id, nor the caller, nor a call without one.
    result = await session.read_user_presence_statuses([known, "700000001"])
    assert f"; {NO_NUMBER} [request " in str(result.errors["700000001"])
    sandbox.faults.add(Answer(404), times=None)
    for call in (session.read_user_presence_status(), session.read_account_presence()):
        with pytest.raises(NotFound, match=NO_NUMBER):
            await call
