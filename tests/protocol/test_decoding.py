import copy
import json
import math
import pickle
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, get_args, get_origin

import attrs
import pytest
from hypothesis import given, strategies as st

from aiopresence import (
    AccountPresenceInfo,
    ActiveCallInfo,
    AppearanceInfo,
    CallDirection,
    CallInfoCQ,
    CallInfoType,
    CallQueueUpdatePresence,
    DecodeError,
    DetailedCallInfo,
    DndStatus,
    ExtensionCallQueueUpdatePresenceList,
    GetPresenceExtensionInfo,
    GetPresenceInfo,
    GroupLimits,
    PresenceChange,
    PresenceInfoRequest,
    PresenceStatus,
    PrimaryCQInfo,
    SubscriptionInfo,
    TelephonyStatus,
    TerminationType,
    UnifiedPresence,
    UpdateUnifiedPresence,
    UsageError,
    UserStatus,
    models,
)
from aiopresence.enums import OpenStrEnum
from aiopresence.ids import RecordId
from aiopresence.protocol import decoding, decoding_codegen

NOON = datetime(2026, 5, 4, 12, 0, 0, 250_000, UTC)


def read(value: object, cls: type[Any] = GetPresenceInfo) -> Any:
    return decoding.load(json.dumps(value).encode(), cls)


def test_a_record_with_all_fields() -> None:
    call = {
        "id": "c1",
        "direction": "Inbound",
        "queueCall": True,
        "from": "+12025550101",
        "fromName": "Zoë",
        "to": "101",
        "toName": "Ana",
        "startTime": "2026-05-04T12:00:00.250Z",
        "telephonyStatus": "OnHold",
        "sipData": {
            "callId": "a",
            "toTag": "b",
            "fromTag": "c",
            "remoteUri": "d",
            "localUri": "e",
            "rcSessionId": 77,
        },
        "sessionId": 5,
        "telephonySessionId": "s-5",
        "onBehalfOf": "102",
        "partyId": "p-1",
        "terminationType": "intermediate",
        "callInfo": {
            "primary": {"type": "QueueName", "value": "Sales"},
            "additional": {"type": "None"},
        },
        "appearanceInfo": {"phoneNumber": "+12025550102", "appearanceNumber": 3},
    }
    wire = {
        "uri": "u",
        "extension": {"id": 9_007_199_254_740_993, "uri": "x", "extensionNumber": "101"},
        "presenceStatus": "Busy",
        "telephonyStatus": "OnHold",
        "userStatus": "Available",
        "dndStatus": "TakeAllCalls",
        "dndStatusPersonal": "Unknown",
        "message": "",
        "allowSeeMyPresence": False,
        "activeCalls": [call],
        "totalActiveCalls": 9,
    }
    record = read(wire)
    assert record.extension == GetPresenceExtensionInfo("9007199254740993", "x", "101")
    assert record.presence_status is PresenceStatus.BUSY
    assert record.dnd_status_personal is DndStatus.UNKNOWN
    assert (record.message, record.allow_see_my_presence) == ("", False)
    assert record.meeting_status is None
    assert record.total_active_calls == 9
    [first] = record.active_calls
    assert first == ActiveCallInfo(
        id="c1",
        direction=CallDirection.INBOUND,
        queue_call=True,
        from_="+12025550101",
        from_name="Zoë",
        to="101",
        to_name="Ana",
        start_time=NOON,
        telephony_status=TelephonyStatus.ON_HOLD,
        sip_data=DetailedCallInfo("a", "b", "c", "d", "e", "77"),
        session_id="5",
        telephony_session_id="s-5",
        on_behalf_of="102",
        party_id="p-1",
        termination_type=TerminationType.INTERMEDIATE,
        call_info=CallInfoCQ(
            PrimaryCQInfo(CallInfoType.QUEUE_NAME, "Sales"), first.call_info.additional
        ),
        appearance_info=AppearanceInfo("+12025550102", 3),
    )
    assert first.call_info.additional.type is CallInfoType.NONE


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-05-04T12:00:00.250Z", NOON),
        ("2026-05-04T12:00:00.250+0000", NOON),
        ("2026-05-04T12:00:00.250+00:00", NOON),
        ("2026-05-04T14:00:00.25+0200", NOON),
        ("2026-05-04T12:00:00Z", NOON.replace(microsecond=0)),
    ],
)
def test_every_format_of_a_time(text: str, moment: datetime) -> None:
    [call] = read({"activeCalls": [{"startTime": text}]}).active_calls
    assert call.start_time == moment
    assert call.start_time.utcoffset() in (timedelta(0), timedelta(hours=2))


@pytest.mark.fault
@pytest.mark.parametrize(
    ("wire", "path", "reason"),
    [
        (
            {"activeCalls": [{}, {"startTime": 5}]},
            "$.activeCalls[1].startTime",
            "expected a string, not a number",
        ),
        (
            {"activeCalls": [{"startTime": "soon"}]},
            "$.activeCalls[0].startTime",
            "expected a date and time with a UTC offset",
        ),
        (
            {"activeCalls": [{"startTime": "2026-05-04T12:00:00"}]},
            "$.activeCalls[0].startTime",
            "expected a date and time with a UTC offset",
        ),
        (
            {"activeCalls": [{"from": ["x"]}]},
            "$.activeCalls[0].from",
            "expected a string, not a list",
        ),
        (
            {"activeCalls": [{"sipData": {"rcSessionId": 1.5}}]},
            "$.activeCalls[0].sipData.rcSessionId",
            "expected an id, not a number",
        ),
        ({"activeCalls": [None]}, "$.activeCalls[0]", "expected an object, not null"),
        ({"activeCalls": {}}, "$.activeCalls", "expected a list, not an object"),
        ({"activeCalls": "x"}, "$.activeCalls", "expected a list, not a string"),
        ({"presenceStatus": 5}, "$.presenceStatus", "expected a string, not a number"),
        ({"presenceStatus": True}, "$.presenceStatus", "expected a string, not a boolean"),
        ({"message": 5}, "$.message", "expected a string, not a number"),
        ({"extension": {"id": True}}, "$.extension.id", "expected an id, not a boolean"),
        ({"extension": {"id": 7.0}}, "$.extension.id", "expected an id, not a number"),
        (
            {"extension": {"extensionNumber": 101}},
            "$.extension.extensionNumber",
            "expected a string, not a number",
        ),
        ({"extension": "x"}, "$.extension", "expected an object, not a string"),
        (
            {"allowSeeMyPresence": "false"},
            "$.allowSeeMyPresence",
            "expected true or false, not a string",
        ),
        ({"allowSeeMyPresence": 0}, "$.allowSeeMyPresence", "expected true or false, not a number"),
        ({"totalActiveCalls": 7.9}, "$.totalActiveCalls", "expected an integer, not a number"),
        ({"totalActiveCalls": True}, "$.totalActiveCalls", "expected an integer, not a boolean"),
        ({"totalActiveCalls": "7"}, "$.totalActiveCalls", "expected an integer, not a string"),
        ([], "$", "expected an object, not a list"),
        (None, "$", "expected an object, not null"),
        ("x", "$", "expected an object, not a string"),
    ],
)
def test_a_wrong_type_is_an_error_with_its_path(wire: object, path: str, reason: str) -> None:
    with pytest.raises(DecodeError) as caught:
        read(wire)
    assert (caught.value.path, caught.value.reason) == (path, reason)
    assert caught.value.__context__ is caught.value.__cause__ is None


@pytest.mark.parametrize("number", [0, 5, 2.5, -1e300])
def test_a_number_becomes_a_float(number: float) -> None:
    limits = decoding.structure({"limit": 1, "window": number}, GroupLimits)
    assert limits == GroupLimits(1, number)
    assert type(limits.window) is float


@pytest.mark.parametrize(
    ("value", "cls", "path", "reason"),
    [
        ({"limit": 1, "window": True}, GroupLimits, "$.window", "expected a number, not a boolean"),
        ({"limit": 1, "window": "5"}, GroupLimits, "$.window", "expected a number, not a string"),
        ({"limit": 1, "window": math.nan}, GroupLimits, "$.window", "expected a finite number"),
        ({"limit": 1, "window": -math.inf}, GroupLimits, "$.window", "expected a finite number"),
        ({"limit": 1, "window": 10**400}, GroupLimits, "$.window", "cannot be decoded"),
        ({"window": 5}, GroupLimits, "$.limit", "is missing"),
        ({"uri": NOON}, GetPresenceInfo, "$.uri", "expected a string, not a datetime"),
        ({"records": [{}]}, CallQueueUpdatePresence, "$.records[0].member", "is missing"),
        (
            {"eventFilters": ["x"] * 10_001},
            SubscriptionInfo,
            "$.eventFilters",
            "list exceeds the limit of 10,000 items",
        ),
        (
            {"id": "1", "source": "tea", "old": None, "new": None, "time": "2026-05-04T12:00:00Z"},
            PresenceChange,
            "$.source",
            "expected one of event, batch, account",
        ),
    ],
)
def test_what_is_wrong_with_a_value_of_a_class_of_ours(
    value: Any, cls: type[Any], path: str, reason: str
) -> None:
    with pytest.raises(DecodeError) as caught:
        decoding.structure(value, cls)
    assert (caught.value.path, caught.value.reason) == (path, reason)


def test_a_list_of_texts_may_be_as_long_as_any_other() -> None:
    info = decoding.structure({"eventFilters": ["x"] * 10_000}, SubscriptionInfo)
    assert info.event_filters == ("x",) * 10_000


def structured(values: list[Any]) -> list[GetPresenceInfo]:
    return decoding.structure_all(values, GetPresenceInfo)


def shared(values: list[Any]) -> list[GetPresenceInfo]:
    return decoding.structure_sharing(values, GetPresenceInfo, {})


@pytest.mark.parametrize("decode", [structured, shared])
def test_many_values_are_decoded_as_one_by_one(
    decode: Callable[[list[Any]], list[GetPresenceInfo]],
) -> None:
    values = [{"uri": "a", "extension": {"id": 1}}, {}, {"message": "b", "userStatus": "Busy"}]
    assert decode(values) == [read(value) for value in values]
    assert decode([]) == []
    with pytest.raises(DecodeError) as caught:
        decode([{}, {"message": 5}, {"uri": 5}])
    assert caught.value.path == "$.message"
    assert caught.value.reason == "expected a string, not a number"


def test_equal_strings_of_all_calls_become_one_object() -> None:
    strings: dict[Any, Any] = {}
    texts = []
    for _ in range(2):
        value = json.loads('{"message": "Away today", "extension": {"id": "7001"}}')
        [record] = decoding.structure_sharing([value], GetPresenceInfo, strings)
        assert record.extension is not None
        texts.append((record.message, record.extension.id))
    [(first, first_id), (second, second_id)] = texts
    assert first is second
    assert first_id is second_id
    assert {"Away today", "7001"} <= {*strings}


def test_an_error_in_a_page_names_its_record() -> None:
    with pytest.raises(DecodeError) as caught:
        read({"records": [{}, {"extension": {"id": None, "uri": 1}}]}, AccountPresenceInfo)
    assert caught.value.path == "$.records[1].extension.uri"


@pytest.mark.fault
@pytest.mark.parametrize("secret", ["canary-42", 4_242_424_242, [["canary-42"]]])
def test_no_error_quotes_the_value(secret: object) -> None:
    for wire in ({"allowSeeMyPresence": secret}, {"activeCalls": [{"startTime": secret}]}):
        with pytest.raises(DecodeError) as caught:
            read(wire)
        assert "42" not in str(caught.value) + repr(caught.value)


@pytest.mark.fault
def test_unknown_fields_are_ignored_and_unknown_values_kept() -> None:
    record = read({"presenceStatus": "Meditating", "aura": {"colour": [1, None]}})
    assert record.presence_status == "Meditating"
    assert type(record.presence_status) is PresenceStatus


@pytest.mark.fault
def test_null_is_absent() -> None:
    assert read({"message": None, "extension": None, "activeCalls": None}) == GetPresenceInfo()


@pytest.mark.fault
@pytest.mark.parametrize("id_", [0, 101, 2**63, 2**64 - 1, "101"])
def test_ids_are_str(id_: object) -> None:
    assert read({"extension": {"id": id_}}).extension.id == str(id_)


@pytest.mark.fault
@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[" * 200_000,
        b'{"totalActiveCalls":' + b"9" * 5_000 + b"}",
        b'{"totalActiveCalls":NaN}',
        b'{"totalActiveCalls":Infinity}',
        b'{"message":"\xff"}',
        b"\xef\xbb\xbf{}",
        b"{}{}",
        '{"message":"é"}'.encode("utf-16"),
        '{"message":"é"}'.encode("latin-1"),
    ],
)
def test_other_texts_are_not_json(data: bytes) -> None:
    with pytest.raises(DecodeError) as caught:
        decoding.load(data, GetPresenceInfo)
    assert (caught.value.path, caught.value.reason) == ("$", "not JSON")


@pytest.mark.fault
def test_of_duplicate_keys_the_last_counts() -> None:
    record = decoding.load(b'{"message":"a","message":"b"}', GetPresenceInfo)
    assert record.message == "b"


@pytest.mark.fault
def test_a_list_that_is_too_long_is_refused() -> None:
    assert len(read({"activeCalls": [{}] * 10_000}).active_calls) == 10_000
    with pytest.raises(DecodeError) as caught:
        read({"activeCalls": [{}] * 10_001})
    assert caught.value.path == "$.activeCalls"
    assert caught.value.reason == "list exceeds the limit of 10,000 items"


@pytest.mark.fault
@pytest.mark.parametrize(
    ("item", "most", "limit"),
    [
        # The list around them is one, too.
        ("{},", 99_999, "100,000 objects"),
        ("[],", 99_999, "100,000 objects"),
        ("1,", 1_000_000, "1,000,000 values"),
    ],
)
def test_a_response_with_too_much_in_it_is_refused(item: str, most: int, limit: str) -> None:
    body = f"[{item * most}1]".encode()
    assert len(decoding.parse(body)) == most + 1
    for more in (body.replace(b"[", f"[{item}".encode(), 1), b"[" + item.encode() * 1_100_000):
        with pytest.raises(DecodeError) as caught:
            decoding.parse(more)
        assert str(caught.value) == (
            f"cannot decode the response: response exceeds the limit of {limit}"
        )


def test_a_full_page_is_within_the_limits() -> None:
    call = {"id": "1", "sipData": {"callId": "1"}, "callInfo": {"primary": {}, "additional": {}}}
    calls = [{**call, **{f"field{n}": n for n in range(12)}}] * 7
    fields = {f"field{n}": n for n in range(20)}
    records = [{"extension": {"id": n}, "activeCalls": calls, **fields} for n in range(1000)]
    assert len(read({"records": records}, AccountPresenceInfo).records) == 1000


def test_a_cyclic_body_is_a_usage_error() -> None:
    loop: list[object] = []
    loop.append(loop)
    with pytest.raises(UsageError):
        decoding.dump(loop)


@pytest.mark.parametrize(
    ("record", "wire"),
    [
        (PresenceInfoRequest(), {}),
        (
            PresenceInfoRequest(user_status="Busy", message="", ring_on_monitored_call=False),
            {"userStatus": "Busy", "message": "", "ringOnMonitoredCall": False},
        ),
        (
            PresenceInfoRequest(
                user_status=UserStatus.AVAILABLE,
                dnd_status=DndStatus.TAKE_ALL_CALLS,
                dnd_status_personal="TakeAllCalls",
                message="né",
                allow_see_my_presence=True,
                ring_on_monitored_call=True,
                pick_up_calls_on_hold=True,
                caller_id_visibility="None",
                accept_call_queue_calls=True,
            ),
            {
                "userStatus": "Available",
                "dndStatus": "TakeAllCalls",
                "dndStatusPersonal": "TakeAllCalls",
                "message": "né",
                "allowSeeMyPresence": True,
                "ringOnMonitoredCall": True,
                "pickUpCallsOnHold": True,
                "callerIdVisibility": "None",
                "acceptCallQueueCalls": True,
            },
        ),
        (
            CallQueueUpdatePresence(
                records=[{"member": {"id": 1}, "accept_current_queue_calls": True}]
            ),
            {"records": [{"member": {"id": "1"}, "acceptCurrentQueueCalls": True}]},
        ),
        (
            ExtensionCallQueueUpdatePresenceList(
                records=[{"call_queue": {"id": "2"}, "accept_calls": False}]
            ),
            {"records": [{"callQueue": {"id": "2"}, "acceptCalls": False}]},
        ),
        (
            UpdateUnifiedPresence(
                glip={"visibility": "Visible", "availability": "DND"},
                telephony={"availability": "TakeAllCalls"},
            ),
            {
                "glip": {"visibility": "Visible", "availability": "DND"},
                "telephony": {"availability": "TakeAllCalls"},
            },
        ),
        (UpdateUnifiedPresence(glip={"visibility": "X"}), {"glip": {"visibility": "X"}}),
        (
            ActiveCallInfo(from_="1", start_time=NOON),
            {"from": "1", "startTime": "2026-05-04T12:00:00.250000+00:00"},
        ),
    ],
)
def test_bodies_leave_out_what_is_absent(record: object, wire: object) -> None:
    assert json.loads(decoding.dump(record)) == wire


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (object(), ".*serializable: object"),
        ({1: object()}, ".*key must be str"),
        ({"x": float}, ".*serializable: type"),
        ("\ud800", ".*surrogates.*"),
        ({"\ud800": 1}, ".*surrogates.*"),
        ({"x": [{"y": "a\udfff"}]}, ".*surrogates.*"),
        (2**70, ".*64-bit.*"),
        (float("nan"), "nan is not a JSON number"),
        ({"x": [float("-inf")]}, "-inf is not a JSON number"),
    ],
    ids=range(9),
)
def test_a_value_that_json_does_not_have_is_a_usage_error(value: object, reason: str) -> None:
    with pytest.raises(UsageError, match=f"^cannot be sent as JSON: {reason}$"):
        decoding.dump(value)


def test_plain_data_is_written_as_json() -> None:
    assert decoding.dump({"x": [1.5, None, True, "é"]}) == '{"x":[1.5,null,true,"é"]}'.encode()


@pytest.mark.parametrize(
    ("name", "wire"),
    [("from_", "from"), ("to", "to"), ("sip_data", "sipData"), ("rc_session_id", "rcSessionId")],
)
def test_field_names_in_json(name: str, wire: str) -> None:
    assert decoding.camel(name) == wire


times = st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=-7))]))
texts = st.text(max_size=5) | st.none()
made_calls = st.builds(
    ActiveCallInfo,
    id=texts,
    direction=st.sampled_from(CallDirection) | st.none(),
    queue_call=st.booleans() | st.none(),
    from_=texts,
    start_time=times | st.none(),
    call_info=st.builds(CallInfoCQ, st.builds(PrimaryCQInfo, value=texts)) | st.none(),
)
made_records = st.builds(
    GetPresenceInfo,
    extension=st.builds(GetPresenceExtensionInfo, texts, texts, texts) | st.none(),
    presence_status=st.builds(PresenceStatus, st.text(max_size=5)) | st.none(),
    message=texts,
    active_calls=st.lists(made_calls, max_size=3).map(tuple) | st.none(),
    total_active_calls=st.integers(0, 99) | st.none(),
)


@given(made_records)
def test_an_encoded_record_is_decoded(record: GetPresenceInfo) -> None:
    assert decoding.load(decoding.dump(record), GetPresenceInfo) == record


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from([decoding.camel(f.name) for f in attrs.fields(GetPresenceInfo)]), inner
        )
    ),
    max_leaves=8,
)


@given(json_values)
def test_any_json_is_a_record_or_a_decode_error(value: object) -> None:
    try:
        record = decoding.structure(value, GetPresenceInfo)
    except DecodeError as error:
        assert error.path.startswith("$")  # noqa: PT017
    else:
        assert isinstance(record, GetPresenceInfo)


# The hooks that are written for our records, against cattrs' own, which are the reference.

RECORDS = sorted(
    (
        cls
        for cls in vars(models).values()
        if isinstance(cls, type) and attrs.has(cls) and decoding_codegen.is_generatable(cls)
    ),
    key=lambda cls: cls.__name__,
)
ANYTHING: list[Any] = [
    None,
    True,
    0,
    7,
    2**64 - 1,
    1.5,
    "",
    "7",
    "Available",
    "None",
    [],
    {},
    [{}],
    [None],
    [{}] * (decoding.MAX_ITEMS + 1),
    "2026-05-04",
    "2026-05-04T12:00:00",
]


def wire(kind: Any, chance: random.Random) -> Any:
    """Make JSON for a type, at times for another."""
    inner = next((k for k in get_args(kind) if k is not type(None)), kind)
    if kind == RecordId:
        inner = RecordId
    if chance.random() < 0.1:
        return chance.choice(ANYTHING)
    if get_origin(inner) is tuple:
        return [wire(get_args(inner)[0], chance) for _ in range(chance.randrange(3))]
    if inner == RecordId:
        return chance.choice(["1", 2**63])
    if attrs.has(inner):
        fields = [f for f in attrs.fields(inner) if chance.random() < 0.7]
        return {decoding.camel(f.name): wire(f.type, chance) for f in fields}
    if issubclass(inner, OpenStrEnum):
        return chance.choice([*map(str, inner), "New"])
    if inner is datetime:
        return chance.choice(["2026-05-04T12:00:00Z", "2026-05-04T12:00:00.5+0200"])
    return {str: "text", bool: chance.random() < 0.5, int: 5}[inner]


def test_decoders_are_generated_for_the_records_of_responses() -> None:
    assert {AccountPresenceInfo, ActiveCallInfo, GetPresenceInfo, UnifiedPresence} <= {*RECORDS}


class Sub(GetPresenceInfo):
    """A user's own, which its base has frozen already."""


def test_a_subclass_of_a_record_is_decoded_without_a_generated_decoder() -> None:
    assert decoding.structure({"uri": "u"}, Sub) == Sub(uri="u")


@pytest.mark.parametrize("cls", RECORDS)
@given(st.randoms(use_true_random=False))
def test_every_generated_decoder_returns_what_the_reference_returns_or_raises(
    cls: Any, chance: random.Random
) -> None:
    value = wire(cls, chance)
    try:
        expected = decoding.reference.structure(value, cls)
    except Exception:
        with pytest.raises(Exception):  # noqa: B017, PT011
            decoding.fast.structure(value, cls)
        with pytest.raises(DecodeError):
            decoding.structure(value, cls)
    else:
        read = decoding.fast.structure(value, cls)
        assert read == expected
        assert repr(read) == repr(expected)  # Also the types: an enum's member equals its text.


@pytest.mark.parametrize("cls", RECORDS)
def test_a_decoded_record_is_frozen_and_equal_to_any_other(cls: Any) -> None:
    read = decoding.fast.structure({}, cls)
    assert type(read) is cls
    assert (read, hash(read), repr(read)) == (cls(), hash(cls()), repr(cls()))
    assert pickle.loads(pickle.dumps(read)) == copy.copy(read) == read  # noqa: S301
    for field in attrs.fields(cls):
        with pytest.raises(attrs.exceptions.FrozenInstanceError):
            setattr(read, field.name, 1)
    with pytest.raises(AttributeError):
        read.colour = 1


def test_the_verification_token_of_a_subscription_is_not_shown() -> None:
    mode = {"transportType": "WebHook", "verificationToken": "hush", "encryption": False}
    info = decoding.structure({"id": "s", "deliveryMode": mode}, SubscriptionInfo)
    assert info.delivery_mode is not None
    assert info.delivery_mode.verification_token == "hush"
    assert "hush" not in repr(info)
    assert "hush" not in repr(attrs.asdict(info))


@pytest.mark.fault
@pytest.mark.parametrize(
    ("body", "text"),
    [
        (rb'"cut \ud83d"', "cut \ufffd"),
        (rb'"\uDE00 and \ud83d\ude00"', "\ufffd and \U0001f600"),
        (rb'"\ud83d\ud83d\ude00"', "\ufffd\U0001f600"),
        (rb'"\ud83d \\ud83d"', "\ufffd \\ud83d"),
        (rb'"\ud83d\n\u00e9"', "\ufffd\n\u00e9"),
    ],
)
def test_a_lone_surrogate_becomes_the_replacement_character(body: bytes, text: str) -> None:
    assert decoding.parse(body) == text
    # It costs no other document.
    assert decoding.parse_all([b"1", body]) == [1, text]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": "é"}', {"a": "é"}),
        (r'["cut \ud83d"]', ["cut \ufffd"]),
        (f"[{'0,' * 250_000}0]", [0] * 250_001),
    ],
)
def test_text_is_parsed_as_bytes_are(text: str, value: object) -> None:
    assert decoding.parse_text(text) == value == decoding.parse(text.encode())


def test_text_with_a_part_of_a_character_is_an_error() -> None:
    with pytest.raises(DecodeError):
        decoding.parse_text('["cut \ud83d"]')


@pytest.mark.parametrize("items", ["{}," * 100_000, "[[]]," * 50_000])
def test_text_with_too_many_objects_is_an_error(items: str) -> None:
    with pytest.raises(DecodeError, match="limit of 100,000 objects"):
        decoding.parse_text(f"[{items}0]")
    with pytest.raises(DecodeError, match="limit of 100,000 objects"):
        decoding.parse(f"[{items}0]".encode())


def test_the_size_of_json_is_that_of_its_pieces() -> None:
    size = decoding.JsonSize()
    for piece in (b'[{"a":1},2', b",[3,4]", b"]"):
        size.add(piece)
    assert (size.objects, size.values) == (3, 3)


def test_a_broken_body_with_a_lone_surrogate_is_an_error() -> None:
    with pytest.raises(DecodeError):
        decoding.parse(rb'"\ud83d')
