"""Frames: exact text, parsed values, and what follows from text that cannot be parsed."""

import json
from collections.abc import Iterator
from math import inf
from typing import Any

import attrs
import pytest
from hypothesis import given, strategies as st

from aiopresence import ApiError, DecodeError, PresenceEvent
from aiopresence.protocol import event_frames
from aiopresence.protocol.event_errors import error_from_frame
from aiopresence.protocol.event_frames import Frame, RecoveryToken
from aiopresence.protocol.event_outputs import Gap, Subscribed
from aiopresence.protocol.event_session import MAX_UNREADABLE
from tests.support.session_driver import (
    DETAILS,
    LOST,
    UNREADABLE,
    SessionDriver,
    details,
    error,
    gaps,
    notification,
    response,
    subscribing,
    wsc,
)

# Text that cannot be parsed.


NOT_FRAMES = [
    "",
    "x",
    "null",
    "5",
    '"x"',
    "{}",
    "[]",
    "[1]",
    "[{}]",
    "[null]",
    "[[]]",
    '[{"type":5}]',
    '[{"type":null},{}]',
    '{"type":"ServerNotification"}',
    "--Boundary\r\n",
    "[NaN]",
    "\ufeff[]",
    "\ud800",
    "[" * 2000,
]


@pytest.mark.fault
@pytest.mark.parametrize("text", NOT_FRAMES)
def test_a_text_that_is_not_a_frame_is_logged_and_a_gap(text: str) -> None:
    driver = SessionDriver().go_live()
    last_received_at = driver.now
    assert driver.receive(text, after=3.0) == [Gap(UNREADABLE, last_received_at)]
    assert driver.receive(text, after=3.0) == [Gap(UNREADABLE, last_received_at + 3.0)]
    [diagnostic] = driver.new_diagnostics()
    is_json = text not in ("", "x", "--Boundary\r\n", "[NaN]", "\ufeff[]", "\ud800", "[" * 2000)
    reason = "not a frame of the gateway" if is_json else "not JSON"
    assert diagnostic == f"unreadable frame, events may be missing: {reason}"
    assert driver.close_reason() is None


@pytest.mark.fault
def test_every_truncation_of_a_notification_is_a_gap() -> None:
    text = json.dumps(notification(1, **wsc(9)))
    for size in range(len(text)):
        driver = SessionDriver().go_live()
        assert driver.receive(text[:size]) == [Gap(UNREADABLE, driver.now)]
        assert driver.session.connection_query(driver.now, "ws")["wsc"] == "t.1"


@pytest.mark.fault
@pytest.mark.parametrize("body", [None, 5, "x", [], {}, {"body": None}, {"body": [1]}])
def test_a_notification_without_a_body_is_a_gap_and_its_token_is_not_kept(body: Any) -> None:
    driver = SessionDriver().go_live()
    frame = [{"type": "ServerNotification", **wsc(9)}, body]
    assert driver.receive(frame) == [Gap(UNREADABLE, driver.now)]
    # A recovery would replay it, readable perhaps.
    assert driver.session.connection_query(driver.now, "ws")["wsc"] == "t.1"


@pytest.mark.fault
@pytest.mark.parametrize("name", ["type", "messageId", "status", "wsc", "headers"])
@pytest.mark.parametrize("value", [None, True, 5, 1.5, "x", [], {}, [[]], {"x": {}}, -1, 2**63])
@pytest.mark.parametrize(
    "frame", [details(), notification(1), response("m1"), error("X", 500, "m1")]
)
def test_wrong_types_in_the_meta_object_raise_nothing(
    name: str, value: Any, frame: list[Any]
) -> None:
    for begin in (SessionDriver(), subscribing(), SessionDriver().go_live()):
        if begin.session.next_deadline == inf:
            begin.connect()
        meta = frame[0] | {name: value}
        if name == "status" and frame[0]["type"] != "ServerNotification" and value == 2**63:
            continue  # An error; see below.
        outputs = begin.receive([meta, *frame[1:]])
        assert all(isinstance(each, (Subscribed, Gap, PresenceEvent)) for each in outputs)


@pytest.mark.fault
def test_an_event_of_an_unknown_subscription_is_an_event() -> None:
    driver = SessionDriver().go_live()
    meta, body = notification(1)
    [event] = driver.receive([meta, body | {"subscriptionId": "another"}])
    assert isinstance(event, PresenceEvent)
    assert event.subscription_id == "another"


@pytest.mark.fault
def test_frames_of_unknown_type_are_logged_once() -> None:
    driver = SessionDriver().go_live()
    for kind in ("Unheard", "Of", ""):
        assert driver.receive([{"type": kind}, {}]) == []
    assert driver.new_diagnostics() == ["ignored a frame of unknown type"]
    driver.disconnect()
    driver.recover()
    driver.receive([{"type": "Unheard"}])
    assert driver.new_diagnostics() == ["ignored a frame of unknown type"]


def test_an_unreadable_frame_before_the_subscription_is_not_a_gap() -> None:
    driver = SessionDriver()
    driver.connect()
    assert driver.receive("garbage") == []
    driver.receive(details())
    assert driver.receive("garbage") == []
    assert len(driver.new_diagnostics()) == 1


def test_an_unreadable_frame_in_a_replay_is_a_gap_since_the_disconnect() -> None:
    driver = SessionDriver().go_live()
    lost_at = driver.now
    driver.disconnect(20.0)
    marker = driver.recover()
    assert driver.receive("garbage") == [Gap(UNREADABLE, lost_at)]
    driver.receive([{"type": "Heartbeat", "messageId": marker}], after=1.0)
    assert driver.receive("garbage", after=1.0) == [Gap(UNREADABLE, driver.now - 1.0)]


def test_too_many_unreadable_frames_end_the_connection_and_are_not_replayed() -> None:
    driver = SessionDriver().go_live()
    for _ in range(MAX_UNREADABLE):
        driver.receive("garbage")
        assert driver.close_reason() is None
    driver.disconnect()
    driver.recover()
    for _ in range(MAX_UNREADABLE + 1):
        assert driver.close_reason() is None
        driver.receive("garbage")
    last_received_at = driver.now
    assert driver.close_reason() == "too many unreadable frames"
    driver.disconnect()
    # The server has the same garbage in its buffer, and would replay it forever.
    assert "wsc" not in driver.connect(1.0)
    driver.receive(details())
    assert gaps(driver.receive(response(driver.last_message_id()))) == [Gap(LOST, last_received_at)]


def test_a_status_outside_of_http_is_kept_as_it_is() -> None:
    with pytest.raises(ApiError) as caught:
        subscribing().receive(error("X", 2**63, "m1"))
    assert caught.value.http_status == 2**63


@pytest.mark.parametrize("text", ["", "[]", "[{}]", '[{"type":null}]', "{}", "[[]]", "x"])
def test_a_text_that_is_not_a_frame_is_a_decode_error(text: str) -> None:
    with pytest.raises(DecodeError) as caught:
        event_frames.parse(text)
    reason = "not JSON" if text in ("", "x") else "not a frame of the gateway"
    assert (caught.value.reason, caught.value.path) == (reason, "$")


def test_every_part_of_a_frame_is_parsed() -> None:
    text = (
        '[{"type":"ServerNotification","messageId":"n","status":200,"headers":{},'
        '"wsc":{"token":"canary","sequence":3}},{"body":{}}]'
    )
    wsc = RecoveryToken("canary", 3)
    [frame] = event_frames.parse(text)
    assert frame == Frame("ServerNotification", "n", 200, wsc, {"body": {}})
    assert "canary" not in repr([frame, frame.wsc, wsc, attrs.asdict(frame)["wsc"]["token"]])
    assert event_frames.parse('[{"type":"Heartbeat"}]') == [
        Frame("Heartbeat", None, None, None, None)
    ]


@pytest.mark.parametrize("value", [None, True, 5.5, [], {}])
def test_wrong_values_of_a_meta_object_are_absent(value: Any) -> None:
    meta = {"type": "A", "messageId": value, "status": value, "wsc": value}
    assert event_frames.parse(json.dumps([meta])) == [Frame("A", None, None, None, None)]
    good = {"type": "A", "messageId": "m", "status": 5, **wsc(0, "x")}
    assert event_frames.parse(json.dumps([good, 7, value])) == [
        Frame("A", "m", 5, RecoveryToken("x", 0), 7),
        Frame("A", "m", 5, RecoveryToken("x", 0), value, is_extra=True),
    ]
    assert event_frames.parse('[{"type":"A","messageId":5,"status":"5"}]') == [
        Frame("A", None, None, None, None)
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('[{"type":"A"},1,2,{"x":3}]', [("A", 1, False), ("A", 2, True), ("A", {"x": 3}, True)]),
        ('[{"type":"A"},1,{"type":"B"},2]', [("A", 1, False), ("B", 2, False)]),
        ('[{"type":"A"},1,{"type":"B"}]', [("A", 1, False), ("B", None, False)]),
        (
            '[{"type":"A"},1,{"type":"B"},{"type":"C"},2,3]',
            [("A", 1, False), ("B", None, False), ("C", 2, False), ("C", 3, True)],
        ),
        # The second element is a body in any case, and so is an element that has a body.
        (
            '[{"type":"A"},{"type":"B"},{"type":"C","body":{}}]',
            [("A", {"type": "B"}, False), ("A", {"type": "C", "body": {}}, True)],
        ),
        ('[{"type":"A"},1,{"type":5}]', [("A", 1, False), ("A", {"type": 5}, True)]),
    ],
)
def test_further_elements_are_further_frames(text: str, expected: list[Any]) -> None:
    found = [(frame.type, frame.body, frame.is_extra) for frame in event_frames.parse(text)]
    assert found == expected


def test_the_number_of_elements_is_bounded() -> None:
    elements = ",1" * event_frames.MAX_ELEMENTS
    assert len(event_frames.parse(f'[{{"type":"A"}}{elements}]')) == event_frames.MAX_ELEMENTS
    with pytest.raises(DecodeError) as caught:
        event_frames.parse(f'[{{"type":"A"}}{elements},1]')
    assert caught.value.reason == "the frame has more than 1000 elements"


@pytest.mark.parametrize(("size", "is_kept"), [(0, False), (1, True), (4096, True), (4097, False)])
def test_the_length_of_a_recovery_token_is_bounded(size: int, is_kept: bool) -> None:
    meta = {"type": "A", "wsc": {"token": "x" * size, "sequence": 0}}
    [frame] = event_frames.parse(json.dumps([meta]))
    assert frame.wsc == (RecoveryToken("x" * size, 0) if is_kept else None)


@pytest.mark.parametrize(
    ("kind", "status", "expected"),
    [
        ("Error", None, True),
        ("Error", 200, True),
        ("ClientRequest", None, False),
        ("ClientRequest", 200, False),
        ("ClientRequest", 399, False),
        ("ClientRequest", 400, True),
    ],
)
def test_a_frame_is_an_error_by_its_type_or_status(
    kind: str, status: int | None, expected: bool
) -> None:
    assert Frame(kind, None, status, None, None).is_error is expected


def test_the_frames_that_are_sent_are_exact() -> None:
    assert event_frames.build_heartbeat("m1") == '[{"type":"Heartbeat","messageId":"m1"}]'
    assert event_frames.build_subscription_request('"', ("/a?b=c&d", '"')) == (
        '[{"type":"ClientRequest","messageId":"\\"","method":"POST",'
        '"path":"/restapi/v1.0/subscription/"},'
        '{"eventFilters":["/a?b=c&d","\\""],"deliveryMode":{"transportType":"WebSocket"}}]'
    )


@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        ({"errorCode": "SUB-505", "message": "No"}, "SUB-505", "No"),
        ({"errors": [{"errorCode": "SUB-505", "message": "No"}]}, "SUB-505", "No"),
        ({"errorCode": 5, "message": []}, None, None),
        ([], None, None),
        (None, None, None),
        ("x", None, None),
    ],
)
def test_an_error_is_parsed_whatever_its_body(
    body: Any, code: str | None, message: str | None
) -> None:
    refusal = error_from_frame(Frame("Error", None, 400, None, body))
    assert (refusal.http_status, refusal.error_code, refusal.message) == (400, code, message)
    assert str(refusal).count("\n") == 0


# Random text and JSON.

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda some: (
        st.lists(some, max_size=4) | st.dictionaries(st.text(max_size=8), some, max_size=4)
    ),
    max_leaves=12,
)
KINDS = st.sampled_from(
    ["ConnectionDetails", "ServerNotification", "ClientRequest", "Error", "Heartbeat", "Unheard"]
)
META = st.fixed_dictionaries(
    {"type": KINDS},
    optional={
        "messageId": st.sampled_from(["m1", "m2", "x", None]) | JSON,
        "status": st.sampled_from([200, 400, 401, 403, 429, 500, None]) | JSON,
        "wsc": st.fixed_dictionaries({"token": JSON, "sequence": JSON}) | JSON,
    },
)
BODY = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys((*DETAILS, "recoveryState", "errorCode", "message", "id"), JSON),
        "disabledFilters": st.lists(
            st.fixed_dictionaries({}, optional={"filter": JSON, "reason": JSON}), max_size=3
        )
        | JSON,
        **dict.fromkeys(("uuid", "event", "timestamp", "body", "subscriptionId"), JSON),
    },
)
FRAME = st.tuples(META, BODY | JSON).map(list) | JSON
TEXTS = st.lists(st.text(max_size=40) | FRAME.map(json.dumps), max_size=8)


def stages() -> Iterator[SessionDriver]:
    """Yield a driver in each state."""
    driver = SessionDriver()
    driver.connect()
    yield driver
    yield subscribing()
    yield SessionDriver().go_live()
    driver = SessionDriver().go_live()
    driver.disconnect(1.0)
    driver.recover()
    yield driver


@given(TEXTS, st.lists(st.floats(0, 40), min_size=8, max_size=8))
def test_receive_raises_only_api_errors_whatever_the_text(
    texts: list[str], pauses: list[float]
) -> None:
    for driver in stages():
        for text, pause in zip(texts, pauses, strict=False):
            try:
                outputs = driver.receive(text)
            except ApiError:
                break
            assert all(isinstance(each, (Subscribed, Gap, PresenceEvent)) for each in outputs)
            driver.tick(pause)
            assert all(
                "\n" not in diagnostic and len(diagnostic) <= 256
                for diagnostic in driver.new_diagnostics()
            )


@pytest.mark.fault
@given(TEXTS)
def test_nothing_is_sent_before_connection_details_whatever_the_text(texts: list[str]) -> None:
    driver = SessionDriver()
    driver.connect()
    for text in texts:
        if "ConnectionDetails" in text:
            continue
        try:
            driver.receive(text)
        except ApiError:
            return
        assert driver.session.outgoing == []
        assert not driver.is_live()


@pytest.mark.parametrize(
    ("meta", "body", "status", "code"),
    [
        ({}, {"errors": [{"message": "no"}, {"errorCode": "CMN-401"}]}, 403, "CMN-401"),
        ({"status": 404}, {"message": "no"}, 404, None),
        ({"status": 400}, None, 400, None),
        ({"status": 429}, "<html>", 429, None),
        ({"status": 503}, [], 503, None),
    ],
)
def test_the_status_of_an_error_is_its_own_or_that_of_its_code(
    meta: dict[str, Any], body: Any, status: int, code: str | None
) -> None:
    [frame] = event_frames.parse(json.dumps([{"type": "Error", **meta}, body]))
    error = error_from_frame(frame)
    assert (error.http_status, error.error_code) == (status, code)
