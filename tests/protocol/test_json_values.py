import json
from datetime import UTC, datetime
from math import inf, nan
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

import aiopresence
from aiopresence import (
    ActiveCallInfo,
    ApiError,
    AppearanceInfo,
    AuthError,
    BatchResult,
    CallQueueUpdatePresence,
    ChangeSource,
    ConnectionFailed,
    DecodeError,
    GetPresenceExtensionInfo,
    GetPresenceInfo,
    GroupLimits,
    JwtGrant,
    NotFound,
    NotificationDeliveryMode,
    Outcome,
    PresenceChange,
    PresenceError,
    PresenceEvent,
    PresenceEventBody,
    PresenceInfoRequest,
    PresenceStatus,
    RateLimited,
    RedisFailed,
    Resync,
    ResyncReason,
    Stats,
    SubscriptionInfo,
    TelephonyStatus,
    Timeout,
    UnifiedPresence,
    UsageError,
    from_dict,
    to_dict,
    to_json,
)
from tests.support.records import CLASSES, records

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_every_record_comes_back_as_it_was(cls: Any) -> None:
    @settings(max_examples=15, deadline=None)
    @given(records(cls))
    def comes_back(record: Any) -> None:
        values = to_dict(record)
        assert json.loads(to_json(record)) == values
        assert from_dict(cls, values) == without_secrets(record)
        assert from_dict(cls, {**values, "aNewField": [1, None]}) == without_secrets(record)

    comes_back()


def without_secrets(record: Any) -> Any:
    import attrs

    if isinstance(record, SubscriptionInfo) and record.delivery_mode is not None:
        return attrs.evolve(record, delivery_mode=without_secrets(record.delivery_mode))
    if isinstance(record, NotificationDeliveryMode):
        return attrs.evolve(record, verification_token=None)
    return record


def test_a_record_has_ringcentrals_names_and_no_absent_fields() -> None:
    call = ActiveCallInfo(from_="+15551234567", start_time=NOON, queue_call=False)
    record = GetPresenceInfo(
        extension=GetPresenceExtensionInfo("101"),
        presence_status=PresenceStatus.BUSY,
        telephony_status=TelephonyStatus("Beaming"),
        message="",
        active_calls=(call,),
        total_active_calls=0,
    )
    values = to_dict(record)
    assert values == {
        "extension": {"id": "101"},
        "presenceStatus": "Busy",
        "telephonyStatus": "Beaming",
        "message": "",
        "activeCalls": [
            {"queueCall": False, "from": "+15551234567", "startTime": "2026-05-04T12:00:00+00:00"}
        ],
        "totalActiveCalls": 0,
    }
    assert type(values["presenceStatus"]) is type(values["telephonyStatus"]) is str


def test_the_names_are_those_of_requests() -> None:
    request = CallQueueUpdatePresence([{"member": {"id": 7}, "accept_current_queue_calls": True}])
    values = {"records": [{"member": {"id": "7"}, "acceptCurrentQueueCalls": True}]}
    assert to_dict(request) == values
    assert from_dict(CallQueueUpdatePresence, values) == request


def test_a_change_and_a_resync() -> None:
    old = GetPresenceInfo(presence_status=PresenceStatus.OFFLINE)
    change = PresenceChange("101", old, None, ChangeSource.EVENT, NOON)
    values = to_dict(change)
    assert values == {
        "id": "101",
        "old": {"presenceStatus": "Offline"},
        "source": "event",
        "time": "2026-05-04T12:00:00+00:00",
    }
    assert from_dict(PresenceChange, values) == change
    resync = Resync(ResyncReason.OVERFLOW, missed=3)
    assert to_dict(resync) == {"reason": "Overflow", "missed": 3}
    assert from_dict(Resync, to_dict(resync)) == resync


def test_an_event_has_the_form_of_the_notification() -> None:
    event = "/restapi/v1.0/account/~/extension/101/presence"
    body = PresenceEventBody("101", sequence=5)
    values = to_dict(PresenceEvent("u", event, NOON, body=body))
    assert values == {
        "uuid": "u",
        "event": event,
        "timestamp": "2026-05-04T12:00:00+00:00",
        "body": {"extensionId": "101", "sequence": 5},
    }
    assert from_dict(PresenceEvent, values).body == body


def test_an_event_of_another_kind_has_its_body_as_it_is() -> None:
    body = {"a": {"b": [1, None, 2.5, {"c": "é"}]}, "": True}
    values = to_dict(PresenceEvent("u", "/restapi/v1.0/other", body=body))
    assert values == {"uuid": "u", "event": "/restapi/v1.0/other", "body": body}
    assert from_dict(PresenceEvent, values).body == body


def test_a_batch_without_a_route_has_none() -> None:
    batch = BatchResult([Outcome("1", 200, GetPresenceInfo())])
    assert to_dict(batch) == {
        "outcomes": [{"id": "1", "status": 200, "value": {}, "ofRequest": False}]
    }
    again = from_dict(BATCH, to_dict(batch))
    assert (again.route, [*again]) == (None, [*batch])


def test_limits_and_counters_have_all_fields() -> None:
    assert to_dict(GroupLimits(50)) == {"limit": 50, "window": 60.0, "blockedFor": 0.0}
    assert from_dict(GroupLimits, {"limit": 9, "window": 5}) == GroupLimits(9, 5.0)
    stats = Stats(requests=3, seconds_waited=0.5)
    assert to_dict(stats)["secondsWaited"] == 0.5
    assert from_dict(Stats, to_dict(stats)) == stats


STATUS_404 = {"id": "2", "status": 404, "ofRequest": False}
MISSING = NotFound(404, "CMN-102", "No such", "extensionId", "r1", 2.5, body="the whole body")


def test_an_outcome_has_its_value_or_its_error_without_the_response_body() -> None:
    value = GetPresenceInfo(presence_status=PresenceStatus.BUSY)
    batch = BatchResult([Outcome("1", 200, value), Outcome("2", 404, error=MISSING)], "batches")
    assert to_dict(batch) == {
        "route": "batches",
        "outcomes": [
            {"id": "1", "status": 200, "value": {"presenceStatus": "Busy"}, "ofRequest": False},
            {
                **STATUS_404,
                "error": {
                    "type": "NotFound",
                    "message": "No such",
                    "httpStatus": 404,
                    "errorCode": "CMN-102",
                    "parameterName": "extensionId",
                    "requestId": "r1",
                    "retryAfter": 2.5,
                },
            },
        ],
    }
    assert "body" not in to_json(batch)
    again = from_dict(BatchResult[GetPresenceInfo], json.loads(to_json(batch)))
    assert again.route == "batches"
    assert again[0] == batch[0]
    assert (again[1].id, again[1].status) == ("2", 404)
    assert again != batch  # Errors are equal only to themselves.


NUMBER = NotFound(404, "CMN-102", "No such")
NUMBER.id = "101"
LIMITED = RateLimited(429, "CMN-301", "Slow", retry_after=7.0)
LIMITED.group, LIMITED.sent = "Light", False
REFUSED = AuthError(400, "OAU-213")
REFUSED.final = True


@pytest.mark.parametrize(
    "error",
    [
        MISSING,
        NUMBER,
        LIMITED,
        REFUSED,
        ApiError(302),
        ConnectionFailed("lost", sent=False, final=True),
        Timeout("too slow"),
        DecodeError("expected a list", "$.records"),
        RedisFailed("no reply"),
        UsageError("wrong"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_error_of_an_outcome_comes_back(error: PresenceError) -> None:
    values = to_dict(Outcome[GetPresenceInfo]("1", error=error, of_request=True))
    outcome = from_dict(Outcome[GetPresenceInfo], values)
    again = outcome.error
    assert outcome.of_request
    assert type(again) is type(error)
    assert str(again) == str(error)
    assert vars(again) == {**vars(error), **({"body": ""} if isinstance(error, ApiError) else {})}
    assert from_dict(Outcome[UnifiedPresence], {"id": "1"}) == Outcome("1")


def test_a_secret_is_left_out() -> None:
    mode = NotificationDeliveryMode("WebHook", "https://example.com", verification_token="canary")
    assert to_dict(SubscriptionInfo(delivery_mode=mode)) == {
        "deliveryMode": {"transportType": "WebHook", "address": "https://example.com"}
    }


BATCH = BatchResult[GetPresenceInfo]


@pytest.mark.parametrize(
    ("cls", "values", "path", "reason"),
    [
        (GetPresenceInfo, [], "$", "expected an object, not a list"),
        (GetPresenceInfo, GetPresenceInfo(), "$", "expected an object, not a GetPresenceInfo"),
        (
            GetPresenceInfo,
            {"activeCalls": [{"startTime": NOON}]},
            "$.activeCalls[0].startTime",
            "expected a string, not a datetime",
        ),
        (PresenceChange, {"id": "1", "source": "event"}, "$.time", "is missing"),
        (
            PresenceChange,
            {"id": "1", "source": "tea", "time": "2026-05-04T12:00:00Z"},
            "$.source",
            "expected one of event, batch, account",
        ),
        (PresenceChange, [], "$", "expected an object, not a list"),
        (Resync, {"reason": 5}, "$.reason", "expected a string, not a number"),
        (
            PresenceInfoRequest,
            {"message": "x" * 76},
            "$",
            "message must have at most 75 characters, not 76",
        ),
        (CallQueueUpdatePresence, {"records": [{}]}, "$.records[0].member", "is missing"),
        (PresenceEvent, {"uuid": 5}, "$.uuid", "expected a string, not a number"),
        (PresenceEvent, {"body": []}, "$.body", "expected an object"),
        (Stats, {"requests": "3"}, "$.requests", "expected an integer, not a string"),
        (GroupLimits, {"limit": 1, "window": nan}, "$.window", "expected a finite number"),
        (GroupLimits, {"limit": 1, "window": -inf}, "$.window", "expected a finite number"),
        (GroupLimits, {"limit": 1, "window": "5"}, "$.window", "expected a number, not a string"),
        (GroupLimits, {"limit": 1, "window": True}, "$.window", "expected a number, not a boolean"),
        (BATCH, {}, "$.outcomes", "expected a list"),
        (
            BATCH,
            {"outcomes": [], "route": "tea"},
            "$.route",
            "expected one of batches, account, both",
        ),
        (BATCH, {"outcomes": [{}]}, "$.outcomes[0].id", "is missing"),
        (
            BATCH,
            {"outcomes": [{"id": "1"}, {"id": "2", "value": {"extension": {"uri": 5}}}]},
            "$.outcomes[1].value.extension.uri",
            "expected a string, not a number",
        ),
        (
            Outcome[GetPresenceInfo],
            {"id": "1", "value": {}, "error": {}},
            "$",
            "expected a value or an error, not both",
        ),
    ],
)
def test_a_wrong_value_is_an_error_with_its_path(
    cls: type[Any], values: Any, path: str, reason: str
) -> None:
    with pytest.raises(DecodeError) as caught:
        from_dict(cls, values)
    assert (caught.value.path, caught.value.reason) == (path, reason)


@given(
    st.sampled_from([Outcome[GetPresenceInfo], BATCH, *CLASSES]), st.none() | st.lists(st.none())
)
def test_whatever_is_no_object_is_refused(cls: Any, values: Any) -> None:
    with pytest.raises(DecodeError):
        from_dict(cls, values)


NOT_A_RECORD = "is not a record: pass records one by one"


@pytest.mark.parametrize(
    ("thing", "name"),
    [
        (JwtGrant("id", "secret", "canary"), "JwtGrant"),
        ([], "list"),
        ({}, "dict"),
        (5, "int"),
        (None, "NoneType"),
        (GetPresenceInfo, "type"),
        (PresenceStatus.BUSY, "PresenceStatus"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_only_records_are_converted(thing: Any, name: str) -> None:
    with pytest.raises(UsageError) as caught:
        to_dict(thing)
    assert str(caught.value) == f"{name} {NOT_A_RECORD}"


@pytest.mark.parametrize(
    ("cls", "name"),
    [
        (JwtGrant, "JwtGrant"),
        (dict, "dict"),
        (int, "int"),
        (None, "NoneType"),
        ([], "list"),
        (GetPresenceInfo(), "GetPresenceInfo"),
        ("GetPresenceInfo", "str"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_only_classes_of_records_are_read(cls: Any, name: str) -> None:
    with pytest.raises(UsageError) as caught:
        from_dict(cls, {})
    assert str(caught.value) == f"{name} {NOT_A_RECORD}"


@pytest.mark.parametrize("cls", [Outcome, BatchResult, Outcome[int], BatchResult[Any]])
def test_a_result_needs_the_class_of_its_values(cls: Any) -> None:
    with pytest.raises(UsageError, match=r"such as (Outcome|BatchResult)\[GetPresenceInfo\]"):
        from_dict(cls, {"id": "1", "outcomes": []})


@pytest.mark.parametrize("text", ["{}", b"{}"])
@pytest.mark.parametrize("cls", [GetPresenceInfo, PresenceEvent, BATCH])
def test_json_text_is_not_read_as_values(cls: Any, text: Any) -> None:
    with pytest.raises(UsageError) as caught:
        from_dict(cls, text)
    assert str(caught.value) == "the value is text: pass what json.loads(text) returns"


def deep(levels: int) -> Any:
    return {"x": deep(levels - 1)} if levels else 5


NO_JSON = "cannot be converted to JSON: "
NO_OFFSET = "a time has no UTC offset: use a datetime with a tzinfo"


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (GroupLimits(1, inf), f"{NO_JSON}inf is not a JSON number"),
        (GroupLimits(1, nan), f"{NO_JSON}nan is not a JSON number"),
        (PresenceEvent(body={"x": nan}), f"{NO_JSON}nan is not a JSON number"),
        (PresenceEvent(body={"x": object()}), f"{NO_JSON}a value of type object"),
        (ActiveCallInfo(start_time=datetime(2026, 5, 4)), NO_OFFSET),  # noqa: DTZ001
        (GetPresenceInfo(message="\ud800"), f"{NO_JSON}.*surrogates.*"),
        (GetPresenceInfo(total_active_calls=2**70), f"{NO_JSON}.*64-bit.*"),
        (  # orjson or Python refuses it first.
            PresenceEvent(body=deep(800)),
            f"(the record is nested too deeply for JSON|{NO_JSON}Recursion limit reached)",
        ),
    ],
    ids=[
        "an infinite number",
        "not a number",
        "not a number in an object",
        "an object without JSON",
        "a time without a time zone",
        "half a character",
        "a number of more than 64 bits",
        "too many levels",
    ],
)
def test_what_json_does_not_have_is_refused(record: Any, reason: str) -> None:
    with pytest.raises(UsageError, match=f"^{reason}$"):
        to_json(record)


def test_every_class_of_records_is_public() -> None:
    assert len(CLASSES) > 40
    assert {aiopresence.GetPresenceInfo, PresenceChange, PresenceInfoRequest} <= {*CLASSES}


def test_values_of_subclasses_become_plain_values() -> None:
    class Text(str):
        __slots__ = ()

    class Number(int):
        pass

    record = AppearanceInfo(phone_number=Text("+1"), appearance_number=Number(3))
    values = to_dict(record)
    assert values == {"phoneNumber": "+1", "appearanceNumber": 3}
    assert [*map(type, values.values())] == [str, int]
    assert to_json(record) == '{"phoneNumber":"+1","appearanceNumber":3}'
