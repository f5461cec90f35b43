"""The presence endpoints over one state."""

from typing import Any

import pytest

from aiopresence.sandbox import Sandbox
from tests.support.sandbox_raw import Caller, calling

CALM = {
    "user_status": "Available",
    "dnd_status": "TakeAllCalls",
    "telephony_status": "NoCall",
    "meeting_status": "Disconnected",
}


def refused(got: Any, status: int, code: str, parameter: str | None) -> bool:
    error = got.json
    return (got.status, error["errorCode"], error.get("parameterName"), error["errors"]) == (
        status,
        code,
        parameter,
        [{name: error[name] for name in error if name != "errors"}],
    )


async def test_a_write_shows_in_every_view() -> None:
    async with calling(Sandbox(40)) as call:
        sandbox = call.sandbox
        me, queue = sandbox.extension_ids[0], sandbox.queue_ids[0]
        sandbox.set_presence("~", **CALM)
        body = {"userStatus": "Busy", "acceptCallQueueCalls": False, "message": "Später ☕"}
        got = await call.put("extension/~/presence", body)
        assert got.status == 200
        assert got.json.items() >= {**body, "presenceStatus": "Busy"}.items()
        assert got.json["dndStatus"] == "DoNotAcceptDepartmentCalls"
        assert got.json["extension"]["id"] == int(me)

        assert (await call.get(f"extension/{me}/presence")).json == got.json
        assert sandbox.presence(me) == got.json
        page = (await call.get("presence")).json
        assert page["records"][0] == got.json
        unified = (await call.get("extension/~/unified-presence")).json
        assert unified["status"] == "Busy"
        assert unified["telephony"]["availability"] == "DoNotAcceptQueueCalls"
        records = (await call.get(f"call-queues/{queue}/presence")).json["records"]
        (mine,) = [row for row in records if row["member"]["id"] == me]
        assert mine["acceptQueueCalls"] is False


async def test_detailed_state_and_sip_data_come_only_when_asked_for() -> None:
    async with calling(Sandbox(1)) as call:
        call.sandbox.set_presence("~", active_calls=[])
        call.sandbox.ring("~", from_="+12025550111")
        plain = (await call.get("extension/~/presence?detailedTelephonyState=false")).json
        detailed = (await call.get("extension/~/presence?detailedTelephonyState=true")).json
        sip = (await call.get("extension/~/presence?sipData=true")).json
        assert "activeCalls" not in plain
        (with_sip,) = sip.pop("activeCalls")
        (without_sip,) = detailed.pop("activeCalls")
        assert plain == detailed == sip
        assert set(with_sip.pop("sipData")) == {
            "callId", "toTag", "fromTag", "remoteUri", "localUri", "rcSessionId",
        }  # fmt: skip
        assert with_sip == without_sip
        assert set(without_sip) == {
            "id", "direction", "queueCall", "from", "fromName", "to", "toName", "startTime",
            "telephonyStatus", "sessionId", "telephonySessionId", "onBehalfOf", "partyId",
            "terminationType", "callInfo", "appearanceInfo",
        }  # fmt: skip
        assert without_sip["from"] == "+12025550111"
        assert without_sip["telephonyStatus"] == "Ringing"


async def test_extensions_of_other_types_have_few_fields_and_refuse_writes() -> None:
    async with calling(Sandbox(20)) as call:
        department = call.sandbox.queue_ids[0]
        path = f"extension/{department}/presence"
        record = (await call.get(path + "?sipData=true")).json
        assert record["presenceStatus"] == "Offline"
        absent = {"telephonyStatus", "message", "userStatus", "dndStatus", "activeCalls"}
        assert not absent & set(record)
        assert refused(await call.put(path, {"userStatus": "Busy"}), 403, "CMN-404", None)


@pytest.mark.parametrize(
    ("body", "parameter"),
    [
        ({"userStatus": "Asleep"}, "userStatus"),
        ({"userStatus": ["Busy"]}, "userStatus"),
        ({"dndStatus": None}, "dndStatus"),
        ({"dndStatus": "TakeDepartmentCallsOnly"}, "dndStatus"),
        ({"dndStatus": "DoNotAcceptDepartmentCalls"}, "dndStatus"),
        ({"dndStatusPersonal": "DoNotAcceptDepartmentCalls"}, "dndStatusPersonal"),
        ({"message": "x" * 76}, "message"),
        ({"message": 7}, "message"),
        ({"ringOnMonitoredCall": "true"}, "ringOnMonitoredCall"),
        ({"callerIdVisibility": "Some"}, "callerIdVisibility"),
        ([], "body"),
    ],
)
async def test_an_invalid_write_changes_nothing(body: Any, parameter: str) -> None:
    async with calling(Sandbox(1)) as call:
        before = call.sandbox.presence("~")
        extended = {"pickUpCallsOnHold": True, **body} if isinstance(body, dict) else body
        assert refused(await call.put("extension/~/presence", extended), 400, "CMN-101", parameter)
        assert call.sandbox.presence("~") == before


async def test_a_write_of_other_data_than_json_is_refused() -> None:
    async with calling(Sandbox(1)) as call:
        for data in (b"userStatus=Busy", b"\xff", b"[" * 100_000):
            got = await call("PUT", "extension/~/presence", data=data)
            assert refused(got, 400, "CMN-101", "body")


async def test_a_write_without_a_body_returns_the_presence() -> None:
    async with calling(Sandbox(1)) as call:
        got = await call("PUT", "extension/~/presence")
        assert (got.status, got.json) == (200, call.sandbox.presence("~"))


async def test_a_message_of_75_characters_fits_and_an_empty_one_clears() -> None:
    async with calling(Sandbox(1)) as call:
        got = await call.put("extension/~/presence", {"message": "é" * 75})
        assert got.json["message"] == "é" * 75
        assert "message" not in (await call.put("extension/~/presence", {"message": ""})).json


@pytest.mark.parametrize(
    ("path", "status", "code", "parameter"),
    [
        ("extension/5/presence", 404, "CMN-102", "extensionId"),
        ("extension/x/presence", 400, "CMN-101", "extensionId"),
        ("extension/%7E/presence", 400, "CMN-101", "extensionId"),
        ("extension/5%2C6/presence", 400, "CMN-101", "extensionId"),
        ("extension//presence", 400, "CMN-101", "extensionId"),
        ("extension/~/presence?sipData=True", 400, "CMN-101", "sipData"),
        ("extension/~/presence?detailedTelephonyState=1", 400, "CMN-101", "detailedTelephonyState"),
        ("extension/~/call-queue-presence?editableMemberStatus=", 400, "CMN-101",
         "editableMemberStatus"),
        ("presence?page=0", 400, "CMN-101", "page"),
        ("presence?perPage=ten", 400, "CMN-101", "perPage"),
        ("call-queues/5/presence", 404, "CMN-102", "groupId"),
        ("call-queues/~/presence", 400, "CMN-101", "groupId"),
        ("/restapi/v1.0/account/5/presence", 404, "CMN-102", "accountId"),
        ("/restapi/v1.0/account/5/extension/~,5/presence", 404, "CMN-102", "accountId"),
        ("/restapi/v1.0/account/me/presence", 400, "CMN-101", "accountId"),
        ("extension/~/absence", 404, "CMN-102", None),
        ("/", 404, "CMN-102", None),
    ],
)  # fmt: skip
async def test_errors_have_ringcentrals_status_code_and_parameter(
    path: str, status: int, code: str, parameter: str | None
) -> None:
    async with calling(Sandbox(1)) as call:
        assert refused(await call.get(path), status, code, parameter)


async def test_a_405_lists_the_allowed_methods() -> None:
    async with calling(Sandbox(1)) as call:
        got = await call("DELETE", "extension/~/presence")
        assert (got.status, got.headers["Allow"]) == (405, "GET, PUT")
        assert (await call.get("/restapi/oauth/token")).status == 405


async def pages(call: Caller, first: str) -> list[Any]:
    found, path = [], first
    while path:
        found.append((await call.get(path)).json)
        following = found[-1]["navigation"].get("nextPage", {"uri": ""})
        path = following["uri"].removeprefix(call.sandbox.url)
    return found


async def test_pages_lead_through_the_whole_account() -> None:
    async with calling(Sandbox(25)) as call:
        found = await pages(call, "presence?perPage=10&detailedTelephonyState=true")
        records = [record for page in found for record in page["records"]]
        assert [str(each["extension"]["id"]) for each in records] == list(
            call.sandbox.extension_ids
        )
        assert records == [call.sandbox.presence(i, True) for i in call.sandbox.extension_ids]
        uri = f"{call.sandbox.url}/restapi/v1.0/account/{call.sandbox.account_id}/presence"
        assert found[1]["uri"] == uri
        assert found[1]["paging"] == {
            "page": 2, "perPage": 10, "pageStart": 10, "pageEnd": 19,
            "totalPages": 3, "totalElements": 25,
        }  # fmt: skip
        assert found[1]["navigation"] == {
            name: {"uri": f"{uri}?page={page}&perPage=10&detailedTelephonyState=true"}
            for name, page in
            {"firstPage": 1, "previousPage": 1, "nextPage": 3, "lastPage": 3}.items()
        }  # fmt: skip


async def test_a_page_past_the_end_is_empty() -> None:
    async with calling(Sandbox(3)) as call:
        page = (await call.get("presence?page=9")).json
        assert page["records"] == []
        assert page["paging"]["totalElements"] == 3


async def test_the_page_size_is_silently_cut_and_totals_can_be_missing() -> None:
    async with calling(Sandbox(5, page_limit=2, paging_totals=False)) as call:
        page = (await call.get("presence?perPage=1000")).json
        assert len(page["records"]) == 2
        assert page["paging"] == {"perPage": 2, "pageStart": 0, "pageEnd": 1}


async def test_queue_switches_are_the_same_from_both_sides() -> None:
    async with calling(Sandbox(40)) as call:
        me, queue = call.sandbox.extension_ids[0], call.sandbox.queue_ids[0]

        async def seen() -> tuple[bool, bool]:
            members = (await call.get(f"call-queues/{queue}/presence")).json["records"]
            mine = (await call.get("extension/~/call-queue-presence")).json["records"]
            (row,) = [row for row in members if row["member"]["id"] == me]
            (own,) = [row for row in mine if row["callQueue"]["id"] == queue]
            return row["acceptCurrentQueueCalls"], own["acceptCalls"]

        for accepts in (False, True):
            own = {"records": [{"callQueue": {"id": queue}, "acceptCalls": accepts}]}
            assert (await call.put("extension/~/call-queue-presence", own)).status == 200
            assert await seen() == (accepts, accepts)
        member = {"member": {"id": me}, "acceptCurrentQueueCalls": False, "acceptQueueCalls": True}
        got = await call.put(f"call-queues/{queue}/presence", {"records": [member]})
        assert got.status == 200
        assert await seen() == (False, False)


async def test_only_editable_queues_can_be_left() -> None:
    async with calling(Sandbox(1000)) as call:
        closed = call.sandbox.queue_ids[2]
        records = (await call.get(f"call-queues/{closed}/presence")).json["records"]
        member = records[0]["member"]["id"]
        path = f"extension/{member}/call-queue-presence"
        editable = (await call.get(f"{path}?editableMemberStatus=true")).json["records"]
        fixed = (await call.get(f"{path}?editableMemberStatus=false")).json["records"]
        assert closed in [row["callQueue"]["id"] for row in fixed]
        assert closed not in [row["callQueue"]["id"] for row in editable]
        assert all(row["callQueue"]["editableMemberStatus"] for row in editable)
        body = {"records": [{"callQueue": {"id": closed}, "acceptCalls": False}]}
        assert refused(await call.put(path, body), 403, "CMN-404", None)


@pytest.mark.parametrize(
    ("record", "status", "parameter"),
    [
        ({"member": {"id": "5"}, "acceptCurrentQueueCalls": True}, 404, "member.id"),
        ({"member": {"id": 5}, "acceptCurrentQueueCalls": True}, 400, "member.id"),
        ({"member": {"id": "5"}}, 400, "acceptCurrentQueueCalls"),
        ({"acceptCurrentQueueCalls": True}, 400, "member"),
    ],
)
async def test_invalid_queue_writes_are_refused(record: Any, status: int, parameter: str) -> None:
    async with calling(Sandbox(20)) as call:
        got = await call.put(
            f"call-queues/{call.sandbox.queue_ids[0]}/presence", {"records": [record]}
        )
        code = "CMN-102" if status == 404 else "CMN-101"
        assert refused(got, status, code, parameter)


async def test_a_queue_without_the_member_is_not_found() -> None:
    async with calling(Sandbox(40)) as call:
        sandbox = call.sandbox
        records = (await call.get(f"call-queues/{sandbox.queue_ids[0]}/presence")).json["records"]
        members = {row["member"]["id"] for row in records}
        stranger = next(each for each in sandbox.user_ids if each not in members)
        body = {"records": [{"callQueue": {"id": sandbox.queue_ids[0]}, "acceptCalls": True}]}
        got = await call.put(f"extension/{stranger}/call-queue-presence", body)
        assert refused(got, 404, "CMN-102", "callQueue.id")
        got = await call.put(f"extension/{stranger}/call-queue-presence", {"records": {}})
        assert refused(got, 400, "CMN-101", "records")


async def test_unified_writes_show_in_the_plain_record() -> None:
    async with calling(Sandbox(40)) as call:
        call.sandbox.set_presence("~", **CALM)
        body: dict[str, Any] = {"telephony": {"availability": "DoNotAcceptQueueCalls"}}
        got = await call("PATCH", "extension/~/unified-presence", json=body)
        assert got.json["telephony"]["availability"] == "DoNotAcceptQueueCalls"
        assert call.sandbox.presence("~")["dndStatus"] == "DoNotAcceptDepartmentCalls"
        body = {"glip": {"visibility": "Invisible", "availability": "DND"}}
        got = await call("PATCH", "extension/~/unified-presence", json=body)
        assert got.json == {
            "status": "DND",
            "glip": {"status": "Online", "availability": "DND", "visibility": "Invisible"},
            "telephony": {
                "status": "NoCall",
                "availability": "DoNotAcceptQueueCalls",
                "visibility": "Visible",
            },
            "meeting": {"status": "NoMeeting"},
        }


async def test_visibility_is_shown_to_the_user_only() -> None:
    async with calling(Sandbox(2)) as call:
        colleague = call.sandbox.user_ids[1]
        call.sandbox.set_presence(colleague, **CALM)
        path = f"extension/{colleague}/unified-presence"
        got = await call("PATCH", path, json={"glip": {"visibility": "Invisible"}})
        assert got.json["glip"] == {"status": "Offline", "availability": "Available"}
        assert "visibility" not in got.json["telephony"]


@pytest.mark.parametrize(
    ("body", "parameter"),
    [
        ({"telephony": {"availability": "DoNotAcceptDepartmentCalls"}}, "telephony.availability"),
        ({"telephony": {"availability": "DoNotAcceptQueueCalls"}}, "telephony.availability"),
        ({"telephony": {"availability": None}}, "telephony.availability"),
        ({"glip": {"visibility": "Hidden"}}, "glip.visibility"),
        ({"glip": "DND"}, "glip"),
    ],
)
async def test_invalid_unified_writes_are_refused(body: Any, parameter: str) -> None:
    async with calling(Sandbox(1)) as call:
        got = await call("PATCH", "extension/~/unified-presence", json=body)
        assert refused(got, 400, "CMN-101", parameter)


async def test_a_hidden_presence_is_shown_to_its_owner_only() -> None:
    async with calling(Sandbox(2)) as call:
        hiding = {"allow_see_my_presence": False, "message": "here", "telephony_status": "Ringing"}
        for extension_id in call.sandbox.extension_ids:
            call.sandbox.set_presence(extension_id, **{**CALM, **hiding})
        me, colleague = (call.sandbox.presence(i, True) for i in call.sandbox.extension_ids)
        assert (me["presenceStatus"], me["message"], len(me["activeCalls"]) > 0) == (
            "Busy", "here", True,
        )  # fmt: skip
        assert colleague["presenceStatus"] == "Offline"
        assert colleague["telephonyStatus"] == "NoCall"
        assert colleague["activeCalls"] == []
        assert "message" not in colleague
