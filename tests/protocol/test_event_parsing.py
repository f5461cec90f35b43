"""Parsing every documented notification, and some that are not documented."""

import inspect
from datetime import UTC, datetime
from typing import Any

import pytest

from aiopresence import (
    ActiveCallInfo,
    CallQueueMember,
    CallQueueMemberEventBody,
    CallQueueMemberPresence,
    CallQueuePresence,
    DecodeError,
    DetailedCallInfo,
    LineAppearanceInfo,
    LineStatus,
    PresenceEvent,
    PresenceEventBody,
    PresenceLineEventBody,
    PresenceLineExtension,
    UsageError,
    filters,
    to_dict,
)
from aiopresence.models.events import EVENT_TYPES
from aiopresence.protocol import event_parsing

ACCOUNT = "/restapi/v1.0/account/400100"
EXTENSION = f"{ACCOUNT}/extension/700201"


def notification(event: str, body: Any, **more: Any) -> dict[str, Any]:
    return {
        "uuid": "1f5b-1",
        "event": event,
        "timestamp": "2026-03-02T09:00:00.250Z",
        "subscriptionId": "s-1",
        "ownerId": "700200",
        "body": body,
        **more,
    }


@pytest.mark.parametrize(
    ("event", "body", "typed"),
    [
        (
            f"{ACCOUNT}/presence",
            {"extensionId": "700201", "telephonyStatus": "Ringing", "sequence": 7},
            PresenceEventBody("700201", 7, telephony_status="Ringing"),  # type: ignore[arg-type]
        ),
        (
            f"{EXTENSION}/presence",
            {"extensionId": 700201, "allowSeeMyPresence": False, "ownerId": 700200},
            PresenceEventBody("700201", allow_see_my_presence=False, owner_id="700200"),
        ),
        (
            f"{EXTENSION}/presence?detailedTelephonyState=true&sipData=true",
            {
                "extensionId": "700201",
                "activeCalls": [{"id": "c1", "from": "101", "sipData": {"toTag": "t"}}],
                "totalActiveCalls": 1,
            },
            PresenceEventBody(
                "700201",
                active_calls=(
                    ActiveCallInfo("c1", from_="101", sip_data=DetailedCallInfo(to_tag="t")),
                ),
                total_active_calls=1,
            ),
        ),
        (
            "/restapi/v1.0/account/~/extension/~/presence/line/presence",
            {"extensionId": "700201", "presenceStatus": "Sleeping"},
            PresenceEventBody("700201", presence_status="Sleeping"),  # type: ignore[arg-type]
        ),
        (
            f"{EXTENSION}/favorite/presence",
            {"extensionId": "700201"},
            PresenceEventBody("700201"),
        ),
        (
            f"{EXTENSION}/presence/dnd",
            {"extensionId": "700201", "dndStatus": "TakeAllCalls"},
            PresenceEventBody("700201", dnd_status="TakeAllCalls"),  # type: ignore[arg-type]
        ),
        (
            f"{EXTENSION}/presence/line",
            {"extension": [{"id": "700202"}], "sequence": 3},
            PresenceLineEventBody((PresenceLineExtension("700202"),), 3),
        ),
        (
            f"{ACCOUNT}/call-queues/700300/presence",
            {"records": [{"member": {"id": "700201"}, "acceptCurrentQueueCalls": True}]},
            CallQueuePresence(
                (
                    CallQueueMemberPresence(
                        CallQueueMember("700201"), accept_current_queue_calls=True
                    ),
                )
            ),
        ),
        (
            f"{ACCOUNT}/call-queues/700300/presence",
            {"extensionId": "700201", "callQueueId": "700300", "acceptCalls": False},
            CallQueueMemberEventBody("700201", "700300", False),
        ),
    ],
)
def test_a_documented_notification_is_typed(event: str, body: Any, typed: object) -> None:
    assert event_parsing.parse(notification(event, body)) == PresenceEvent(
        "1f5b-1",
        event,
        datetime(2026, 3, 2, 9, 0, 0, 250_000, UTC),
        "s-1",
        "700200",
        typed,  # type: ignore[arg-type]
    )


@pytest.mark.parametrize(
    "event",
    [
        "/restapi/v1.0/account/~/extension/~/message-store",
        "/restapi/v2/accounts/~/presence",
        f"{ACCOUNT}/presence/tomorrow",
        f"{EXTENSION}/presence\n",
        f"{ACCOUNT}/presence/{'x' * 1000}",
        f"/restapi/v1.0/account/{'1' * 20}/presence",
        "",
    ],
)
def test_the_body_of_an_unknown_event_is_the_parsed_json(event: str) -> None:
    assert event_parsing.parse(notification(event, {"sequence": "x"})).body == {"sequence": "x"}


@pytest.mark.parametrize("wrong", [{"sequence": "7"}, {"activeCalls": {}}, {"extensionId": True}])
def test_a_body_that_is_not_as_documented_is_the_parsed_json(wrong: dict[str, Any]) -> None:
    body = {"extensionId": "700201", **wrong}
    assert event_parsing.parse(notification(f"{ACCOUNT}/presence", body)).body == body


@pytest.mark.parametrize("name", ["uuid", "event", "timestamp", "subscriptionId", "ownerId"])
@pytest.mark.parametrize("value", [[], {}, True, 1.5, None])
def test_a_wrong_part_of_the_envelope_is_none_and_the_rest_is_kept(name: str, value: Any) -> None:
    given = notification(f"{ACCOUNT}/presence", {"extensionId": "1"}) | {name: value}
    read = event_parsing.parse(given)
    good = event_parsing.parse(notification(f"{ACCOUNT}/presence", {"extensionId": "1"}))
    ours = {"subscriptionId": "subscription_id", "ownerId": "owner_id"}.get(name, name)
    assert getattr(read, ours) is None
    for other in {"uuid", "timestamp", "subscription_id", "owner_id"} - {ours}:
        assert getattr(read, other) == getattr(good, other)


@pytest.mark.parametrize("value", [None, 1, "text", [], {}, {"body": None}, {"body": []}])
def test_a_notification_without_a_body_is_a_decode_error(value: Any) -> None:
    with pytest.raises(DecodeError) as caught:
        event_parsing.parse(value)
    assert (caught.value.reason, caught.value.path) == ("not a notification", "$")


def test_a_body_that_is_kept_as_it_is_can_be_shown_and_converted() -> None:
    body: Any = {}
    for level in reversed(range(event_parsing.MAX_DEPTH - 1)):
        body = [body] if level % 2 else {"a": body}
    read = event_parsing.parse({"body": body})
    assert read.body == body
    assert to_dict(read) == {"body": body}
    for deeper in ({"a": body}, {"a": [body]}):
        for parse in (event_parsing.parse, event_parsing.parse_saved):
            with pytest.raises(DecodeError) as caught:
                parse({"body": deeper})
            assert str(caught.value) == "cannot decode the response: $.body: nested too deeply"


def test_an_event_that_was_saved_comes_back_as_it_was() -> None:
    for body in ({"extensionId": "1", "dndStatus": "TakeAllCalls"}, {"sequence": "x"}):
        read = event_parsing.parse(notification(f"{ACCOUNT}/presence", body))
        assert event_parsing.parse_saved(to_dict(read)) == read
    assert event_parsing.parse_saved({}) == PresenceEvent()
    assert event_parsing.parse_saved({"uuid": "u", "body": None}) == PresenceEvent("u")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (None, "expected an object, not null"),
        ({"body": []}, "$.body: expected an object"),
        ({"body": 5}, "$.body: expected an object"),
        ({"uuid": 5, "body": {}}, "$.uuid: expected a string, not a number"),
    ],
)
def test_wrong_values_of_a_saved_event_are_a_decode_error(values: Any, message: str) -> None:
    with pytest.raises(DecodeError) as caught:
        event_parsing.parse_saved(values)
    assert str(caught.value) == f"cannot decode the response: {message}"


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (f"{ACCOUNT}/presence", True),
        (f"{EXTENSION}/presence?detailedTelephonyState=true", True),
        (f"{EXTENSION}/presence/line", False),
        (f"{ACCOUNT}/call-queues/700300/presence", False),
        ("/restapi/v1.0/account/~/extension/~/message-store", False),
        (f"{ACCOUNT}/presence?{'x' * 1000}", True),
        ("", False),
        (None, False),
    ],
)
def test_an_event_is_about_presence_because_of_its_filter(
    event: str | None, expected: bool
) -> None:
    for body in ({}, {"sequence": "x"}):
        read = event_parsing.parse({"event": event, "body": body})
        assert event_parsing.is_presence_event(read) is expected


def test_filters_are_written_as_ringcentral_writes_them() -> None:
    base = "/restapi/v1.0/account"
    assert filters.account_presence() == f"{base}/~/presence"
    assert (
        filters.account_presence(detailed=True, account_id=5)
        == f"{base}/5/presence?detailedTelephonyState=true"
    )
    assert filters.extension_presence(7) == f"{base}/~/extension/7/presence"
    assert (
        filters.extension_presence("7", sip_data=True)
        == f"{base}/~/extension/7/presence?detailedTelephonyState=true&sipData=true"
    )
    assert filters.extension_lines() == f"{base}/~/extension/~/presence/line"
    assert filters.extension_lines_presence() == f"{base}/~/extension/~/presence/line/presence"
    assert filters.extension_favorites_presence(7) == f"{base}/~/extension/7/favorite/presence"
    flags = "?detailedTelephonyState=true&sipData=true"
    assert filters.extension_lines_presence(7, detailed=True, account_id=5) == (
        f"{base}/5/extension/7/presence/line/presence?detailedTelephonyState=true"
    )
    assert filters.extension_favorites_presence(7, sip_data=True) == (
        f"{base}/~/extension/7/favorite/presence{flags}"
    )
    assert filters.extension_dnd(7) == f"{base}/~/extension/7/presence/dnd"
    assert filters.call_queue_presence(9) == f"{base}/~/call-queues/9/presence"


def test_every_event_type_has_a_filter_function_and_every_function_a_type() -> None:
    functions = [
        each
        for name, each in vars(filters).items()
        if inspect.isfunction(each) and each.__module__ == filters.__name__ and name[0] != "_"
    ]
    made = {
        each("9") if "group_id" in inspect.signature(each).parameters else each()
        for each in functions
    }
    paths = {each.path.format(extension_id="~", group_id="9") for each in EVENT_TYPES}
    assert made == {f"/restapi/v1.0/account/~{path}" for path in paths}


@pytest.mark.parametrize("id_", ["1/2", "..", "", None, "1,2", -1])
def test_a_filter_takes_ids_only(id_: Any) -> None:
    for make in (filters.extension_presence, filters.extension_dnd, filters.call_queue_presence):
        with pytest.raises(UsageError):
            make(id_)


def test_appearances_of_shared_lines_are_read() -> None:
    line = {"phoneNumber": "+16505550100", "appearanceNumber": 2, "lineStatus": "Seized"}
    body = {"extensionId": "700201", "appearances": [line, {"lineStatus": "Held"}]}
    read = event_parsing.parse(notification(f"{ACCOUNT}/presence", body)).body
    assert isinstance(read, PresenceEventBody)
    assert read.appearances == (
        LineAppearanceInfo("+16505550100", 2, LineStatus.SEIZED),
        LineAppearanceInfo(line_status=LineStatus("Held")),
    )
