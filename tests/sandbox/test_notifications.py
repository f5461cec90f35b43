"""The notifications that subscribers get of changes."""

from typing import Any

import pytest

from aiopresence.errors import UsageError
from aiopresence.sandbox import Sandbox
from aiopresence.sandbox.responses import RefusedError
from tests.support.sandbox_raw import calling

ROOT = "/restapi/v1.0/account/~"
EVERYONE = f"{ROOT}/presence"
DETAILED = "?detailedTelephonyState=true"


class Listener:
    """Subscribes to a sandbox's feed."""

    def __init__(self, sandbox: Sandbox, *filters: str) -> None:
        self.got: list[dict[str, Any]] = []
        wanted = sandbox.feed.check_filters(filters).active
        self.stop = sandbox.feed.subscribe("sub-1", wanted, self.got.append)

    def bodies(self) -> list[dict[str, Any]]:
        """Return the bodies so far, without the fields that every presence body has."""
        bodies = [each["body"] for each in self.got]
        self.got.clear()
        return [
            {k: v for k, v in body.items() if k not in ("sequence", "ownerId")} for body in bodies
        ]


def of(extension_id: str, tail: str = "presence") -> str:
    return f"{ROOT}/extension/{extension_id}/{tail}"


def quiet(sandbox: Sandbox, *extension_ids: str) -> None:
    for each in extension_ids:
        sandbox.set_presence(
            each, active_calls=[], user_status="Available", dnd_status="TakeAllCalls",
            meeting_status="Disconnected", message="",
        )  # fmt: skip


def test_a_notification_has_only_the_changed_fields() -> None:
    sandbox = Sandbox(3)
    someone = sandbox.user_ids[1]
    quiet(sandbox, someone)
    listener = Listener(sandbox, EVERYONE)
    sandbox.set_presence(someone, user_status="Busy")
    (notification,) = listener.got
    owner = sandbox.extension_ids[0]
    assert notification["event"] == f"/restapi/v1.0/account/{sandbox.account_id}/presence"
    assert (notification["subscriptionId"], notification["ownerId"]) == ("sub-1", owner)
    assert notification["timestamp"].startswith("20")
    assert notification["timestamp"].endswith("Z")
    assert notification["body"] == {
        "extensionId": someone,
        "userStatus": "Busy",
        "presenceStatus": "Busy",
        "sequence": notification["body"]["sequence"],
        "ownerId": owner,
    }


def test_a_write_without_a_change_is_not_notified() -> None:
    sandbox = Sandbox(3)
    quiet(sandbox, "~")
    listener = Listener(sandbox, EVERYONE + DETAILED)
    sandbox.set_presence("~", user_status="Available")
    sandbox.set_presence("~", message="Not in events", caller_id_visibility="None")
    assert listener.got == []


def test_only_detailed_filters_get_calls() -> None:
    sandbox = Sandbox(3)
    someone = sandbox.user_ids[1]
    quiet(sandbox, someone)
    plain = Listener(sandbox, EVERYONE)
    detailed = Listener(sandbox, EVERYONE + DETAILED)
    sip = Listener(sandbox, of(someone) + DETAILED + "&sipData=true")
    sandbox.ring(someone)
    status = {"telephonyStatus": "Ringing", "aggregatedTelephonyStatus": "Ringing"}
    changed = {"extensionId": someone, "presenceStatus": "Busy", **status}
    assert plain.bodies() == [changed]
    (body,) = detailed.bodies()
    (call,) = body.pop("activeCalls")
    assert body == {**changed, "totalActiveCalls": 1}
    assert (call["telephonyStatus"], "sipData" in call) == ("Ringing", False)
    (body,) = sip.bodies()
    assert body["activeCalls"][0]["sipData"]["remoteUri"]
    sandbox.ring(someone)
    assert plain.got == []
    assert [body["totalActiveCalls"] for body in detailed.bodies()] == [2]
    sandbox.hang_up(someone)
    assert [body["totalActiveCalls"] for body in detailed.bodies()] == [1]


def test_notifications_do_not_change_afterwards() -> None:
    sandbox = Sandbox(1)
    quiet(sandbox, "~")
    listener = Listener(sandbox, EVERYONE + DETAILED)
    sandbox.ring("~")
    sandbox.answer("~")
    calls = [body["activeCalls"][0]["telephonyStatus"] for body in listener.bodies()]
    assert calls == ["Ringing", "CallConnected"]


def test_every_extension_has_its_own_sequence() -> None:
    sandbox = Sandbox(3)
    quiet(sandbox, *sandbox.user_ids)
    listener = Listener(sandbox, EVERYONE)
    for status in ("Busy", "Offline"):
        for each in sandbox.user_ids[:2]:
            sandbox.set_presence(each, user_status=status)
    sandbox.feed.restart_sequences(7)
    sandbox.set_presence("~", user_status="Busy")
    first, second, third, fourth, restarted = [each["body"]["sequence"] for each in listener.got]
    assert (second, third, fourth) == (first, first + 1, first + 1)
    assert restarted == 8


def test_of_a_plain_and_a_detailed_filter_the_detailed_one_is_used() -> None:
    sandbox = Sandbox(2)
    quiet(sandbox, "~")
    me = of("~")
    listener = Listener(sandbox, me, me + "?sipData=true", me + DETAILED, EVERYONE)
    sandbox.ring("~")
    events = [each["event"].partition("/presence")[2] for each in listener.got]
    assert sorted(events) == ["", "?sipData=true"]
    assert len({each["uuid"] for each in listener.got}) == 2


def test_a_filter_matches_its_extension_only() -> None:
    sandbox = Sandbox(3)
    quiet(sandbox, *sandbox.user_ids)
    listener = Listener(sandbox, of(sandbox.user_ids[1]))
    sandbox.set_presence(sandbox.user_ids[2], user_status="Busy")
    assert listener.got == []
    sandbox.set_presence(sandbox.user_ids[1], user_status="Busy")
    assert [body["extensionId"] for body in listener.bodies()] == [sandbox.user_ids[1]]


def test_the_event_can_be_the_filter_as_it_was_subscribed() -> None:
    sandbox = Sandbox(1)
    quiet(sandbox, "~")
    listener = Listener(sandbox, of("~"))
    sandbox.set_presence("~", user_status="Busy")
    sandbox.feed.as_subscribed = True
    sandbox.set_presence("~", user_status="Offline")
    owner, account = sandbox.extension_ids[0], sandbox.account_id
    numbers = f"/restapi/v1.0/account/{account}/extension/{owner}/presence"
    assert [each["event"] for each in listener.got] == [numbers, of("~")]


def test_a_hidden_presence_is_not_notified() -> None:
    sandbox = Sandbox(2)
    someone = sandbox.user_ids[1]
    quiet(sandbox, someone)
    sandbox.ring(someone)
    listener = Listener(sandbox, EVERYONE + DETAILED)
    sandbox.set_presence(someone, allow_see_my_presence=False)
    (body,) = listener.bodies()
    assert body["activeCalls"] == []
    assert (body["allowSeeMyPresence"], body["presenceStatus"]) == (False, "Offline")
    sandbox.answer(someone)
    sandbox.set_presence(someone, user_status="Busy")
    assert listener.got == []
    sandbox.set_presence(someone, allow_see_my_presence=True)
    (body,) = listener.bodies()
    assert (body["userStatus"], body["telephonyStatus"]) == ("Busy", "CallConnected")


def test_dnd_and_lines_and_favorites_have_their_own_bodies() -> None:
    sandbox = Sandbox(3)
    me, line = sandbox.user_ids[:2]
    quiet(sandbox, *sandbox.user_ids)
    dnd = Listener(sandbox, of("~", "presence/dnd"))
    lines = Listener(sandbox, of("~", "presence/line"))
    others = [of("~", "presence/line/presence"), of("~", "favorite/presence")]
    presence = Listener(sandbox, *others)
    sandbox.set_presence(me, dnd_status="DoNotAcceptAnyCalls")
    assert (lines.got, presence.got) == ([], [])
    assert [each["body"] for each in dnd.got] == [
        {"extensionId": me, "dndStatus": "DoNotAcceptAnyCalls"}
    ]
    sandbox.set_presence(line, user_status="Busy")
    assert lines.got == []
    sandbox.ring(line)
    assert lines.bodies() == [{"extension": [{"id": line}]}]
    assert [body["extensionId"] for body in presence.bodies()] == [line] * 4
    assert len(dnd.got) == 1


async def test_every_write_is_notified() -> None:
    async with calling(Sandbox(40)) as call:
        sandbox = call.sandbox
        quiet(sandbox, "~")
        listener = Listener(sandbox, of("~"))
        queue_id = sandbox.queue_ids[0]
        queue = Listener(sandbox, f"{ROOT}/call-queues/{queue_id}/presence")
        await call.put("extension/~/presence", {"userStatus": "Busy"})
        assert [body["userStatus"] for body in listener.bodies()] == ["Busy"]
        unified = {"telephony": {"availability": "DoNotAcceptAnyCalls"}}
        await call("PATCH", "extension/~/unified-presence", json=unified)
        assert [body["dndStatus"] for body in listener.bodies()] == ["DoNotAcceptAnyCalls"]
        me = sandbox.user_ids[0]
        for accepts in (True, False, False):
            records = [{"callQueue": {"id": queue_id}, "acceptCalls": accepts}]
            await call.put("extension/~/call-queue-presence", {"records": records})
        record = {"member": {"id": me}, "acceptCurrentQueueCalls": False}
        assert queue.got[-1]["body"] == {"records": [record]}
        queue.got.clear()
        sandbox.feed.flat_queue_events = True
        record["acceptCurrentQueueCalls"] = True
        for _ in range(2):
            await call.put(f"call-queues/{queue_id}/presence", {"records": [record]})
        flat = {"extensionId": me, "callQueueId": queue_id, "acceptCalls": True}
        assert [each["body"] for each in queue.got] == [flat]


def test_changes_outside_the_subscription_are_not_notified() -> None:
    sandbox = Sandbox(1)
    quiet(sandbox, "~")
    listener = Listener(sandbox, EVERYONE)
    listener.stop()
    listener.stop()
    sandbox.set_presence("~", user_status="Busy")
    assert listener.got == []
    again = Listener(sandbox, EVERYONE)
    sandbox.set_presence("~", meeting_status="Connected")
    assert again.bodies() == [
        {"extensionId": sandbox.extension_ids[0], "meetingStatus": "Connected"}
    ]


@pytest.mark.parametrize(
    "text",
    [
        "",
        5,
        None,
        "/restapi/v1.0/account/~/message-store",
        "/restapi/v1.0/account/1/presence",
        f"{EVERYONE}/",
        f"{EVERYONE}?detailedTelephonyState=yes",
        f"{EVERYONE}?page=1",
        of("5"),
        of("x"),
        of("~", "presence/dnd") + DETAILED,
        f"{ROOT}/call-queues/~/presence",
        f"{ROOT}/call-queues/5/presence",
    ],
)
def test_an_invalid_filter_is_refused(text: object) -> None:
    with pytest.raises(RefusedError) as caught:
        Sandbox(1).feed.check_filters([EVERYONE, text])
    assert (caught.value.status, caught.value.body["errorCode"]) == (400, "SUB-508")


def test_a_subscription_without_filters_is_refused() -> None:
    with pytest.raises(RefusedError):
        Sandbox(1).feed.check_filters([])


def test_a_filter_without_permission_is_disabled_and_all_of_them_are_refused() -> None:
    sandbox = Sandbox(1)
    sandbox.forbid("ReadAccounts")
    admitted = sandbox.feed.check_filters([EVERYONE, of("~")])
    assert [each.text for each in admitted.active] == [of("~")]
    (disabled,) = admitted.disabled
    assert (disabled["filter"], disabled["reason"]) == (EVERYONE, "CMN-401")
    assert "ReadAccounts" in disabled["message"]
    with pytest.raises(RefusedError) as caught:
        sandbox.feed.check_filters([EVERYONE])
    assert (caught.value.status, caught.value.body["errorCode"]) == (403, "CMN-401")
    sandbox.permit("ReadAccounts")
    assert sandbox.feed.check_filters([EVERYONE]).disabled == []
    with pytest.raises(UsageError, match="ReadAccounts"):
        sandbox.forbid("ReadMinds")


async def test_presence_calls_need_their_permissions() -> None:
    async with calling(Sandbox(2)) as call:
        call.sandbox.forbid("ReadPresence")
        got = await call.get("extension/~/presence")
        assert (got.status, got.json["errorCode"]) == (403, "CMN-401")
        assert (await call.put("extension/~/presence", {})).status == 200
        call.sandbox.permit("ReadPresence")
        call.sandbox.forbid("EditPresence")
        assert (await call.get("extension/~/presence")).status == 200
        got = await call("PATCH", "extension/~/unified-presence", json={})
        assert (got.status, got.json["errorCode"]) == (403, "CMN-401")
