"""Frames: what they look like, and what is made of those that cannot be read."""

import json
from collections.abc import Iterator
from math import inf
from typing import Any

import attrs
import pytest
from hypothesis import given, strategies as st

from aiopresence import ApiError, DecodeError, PresenceEvent
from aiopresence.protocol import event_frames
from aiopresence.protocol.event_frames import Frame, Wsc
from aiopresence.protocol.event_recovery import Gap
from aiopresence.protocol.event_session import MAX_UNREADABLE, Subscribed
from tests.support.gateway_line import (
    LOST,
    TERMS,
    UNREADABLE,
    Line,
    answer,
    asked,
    details,
    error,
    gaps,
    notification,
    wsc,
)

# What cannot be read.


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


@pytest.mark.parametrize("text", NOT_FRAMES)
def test_what_is_no_frame_is_remarked_and_a_gap_ws18(text: str) -> None:
    line = Line().live()
    last_received_at = line.now
    assert line.hear(text, after=3.0) == [Gap(UNREADABLE, last_received_at)]
    assert line.hear(text, after=3.0) == [Gap(UNREADABLE, last_received_at + 3.0)]
    [remark] = line.remarks()
    assert remark.startswith("a frame could not be read, so events may be missing: ")
    assert line.ending() is None


def test_every_truncation_of_a_notification_is_a_gap_ws18() -> None:
    text = json.dumps(notification(1, **wsc(9)))
    for size in range(len(text)):
        line = Line().live()
        assert line.hear(text[:size]) == [Gap(UNREADABLE, line.now)]
        assert line.session.connection_query(line.now, "ws")["wsc"] == "t.1"


@pytest.mark.parametrize("body", [None, 5, "x", [], {}, {"body": None}, {"body": [1]}])
def test_a_notification_without_a_body_is_a_gap_and_its_token_is_not_kept_ws18(body: Any) -> None:
    line = Line().live()
    frame = [{"type": "ServerNotification", **wsc(9)}, body]
    assert line.hear(frame) == [Gap(UNREADABLE, line.now)]
    # A recovery would bring it again, readable perhaps.
    assert line.session.connection_query(line.now, "ws")["wsc"] == "t.1"


@pytest.mark.parametrize("name", ["type", "messageId", "status", "wsc", "headers"])
@pytest.mark.parametrize("value", [None, True, 5, 1.5, "x", [], {}, [[]], {"x": {}}, -1, 2**63])
@pytest.mark.parametrize("frame", [details(), notification(1), answer("m1"), error("X", 500, "m1")])
def test_wrong_types_in_the_meta_data_raise_nothing_ws18(
    name: str, value: Any, frame: list[Any]
) -> None:
    for begin in (Line(), asked(), Line().live()):
        if begin.session.next_deadline == inf:
            begin.connect()
        meta = frame[0] | {name: value}
        if name == "status" and frame[0]["type"] != "ServerNotification" and value == 2**63:
            continue  # An error; see below.
        told = begin.hear([meta, *frame[1:]])
        assert all(isinstance(each, (Subscribed, Gap, PresenceEvent)) for each in told)


def test_an_event_of_an_unknown_subscription_is_an_event_ws18() -> None:
    line = Line().live()
    meta, said = notification(1)
    [event] = line.hear([meta, said | {"subscriptionId": "another"}])
    assert isinstance(event, PresenceEvent)
    assert event.subscription_id == "another"


def test_frames_of_unknown_type_are_remarked_once_ws18() -> None:
    line = Line().live()
    for kind in ("Unheard", "Of", ""):
        assert line.hear([{"type": kind}, {}]) == []
    assert line.remarks() == ["a frame of unknown type was ignored"]
    line.lose()
    line.recover()
    line.hear([{"type": "Unheard"}])
    assert line.remarks() == ["a frame of unknown type was ignored"]


def test_before_the_subscription_there_is_nothing_to_miss_ws18() -> None:
    line = Line()
    line.connect()
    assert line.hear("garbage") == []
    line.hear(details())
    assert line.hear("garbage") == []
    assert len(line.remarks()) == 1


def test_a_replayed_event_that_cannot_be_read_is_missing_since_the_loss_ws18() -> None:
    line = Line().live()
    lost_at = line.now
    line.lose(20.0)
    marker = line.recover()
    assert line.hear("garbage") == [Gap(UNREADABLE, lost_at)]
    line.hear([{"type": "Heartbeat", "messageId": marker}], after=1.0)
    assert line.hear("garbage", after=1.0) == [Gap(UNREADABLE, line.now - 1.0)]


def test_too_much_garbage_ends_the_connection_and_is_not_asked_for_again_ws18() -> None:
    line = Line().live()
    last_received_at = line.now
    for _ in range(MAX_UNREADABLE):
        line.hear("garbage")
        assert line.ending() is None
    line.hear("garbage")
    assert line.ending() == "too much that cannot be read"
    line.lose()
    # The same garbage is in the server's memory, and would be replayed for ever.
    assert "wsc" not in line.connect(1.0)
    line.hear(details())
    assert gaps(line.hear(answer(line.last_id()))) == [Gap(LOST, last_received_at)]


def test_a_status_that_no_http_has_is_an_error_of_the_server() -> None:
    with pytest.raises(ApiError) as caught:
        asked().hear(error("X", 2**63, "m1"))
    assert caught.value.http_status == 2**63


@pytest.mark.parametrize("text", ["", "[]", "[{}]", '[{"type":null}]', "{}", "[[]]", "x"])
def test_what_is_no_frame_cannot_be_read(text: str) -> None:
    with pytest.raises(DecodeError):
        event_frames.read(text)


def test_a_frame_is_read_whole() -> None:
    text = (
        '[{"type":"ServerNotification","messageId":"n","status":200,"headers":{},'
        '"wsc":{"token":"canary","sequence":3}},{"body":{}}]'
    )
    wsc = Wsc("canary", 3)
    [frame] = event_frames.read(text)
    assert frame == Frame("ServerNotification", "n", 200, wsc, {"body": {}})
    assert "canary" not in repr([frame, frame.wsc, wsc, attrs.asdict(frame)["wsc"]["token"]])
    assert event_frames.read('[{"type":"Heartbeat"}]') == [
        Frame("Heartbeat", None, None, None, None)
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
        # The second element is a body whatever it looks like, and so is one with a body of its own.
        (
            '[{"type":"A"},{"type":"B"},{"type":"C","body":{}}]',
            [("A", {"type": "B"}, False), ("A", {"type": "C", "body": {}}, True)],
        ),
        ('[{"type":"A"},1,{"type":5}]', [("A", 1, False), ("A", {"type": 5}, True)]),
    ],
)
def test_further_elements_are_further_frames(text: str, expected: list[Any]) -> None:
    found = [(frame.type, frame.body, frame.is_extra) for frame in event_frames.read(text)]
    assert found == expected


def test_the_number_of_elements_is_bounded() -> None:
    elements = ",1" * event_frames.MAX_ELEMENTS
    assert len(event_frames.read(f'[{{"type":"A"}}{elements}]')) == event_frames.MAX_ELEMENTS
    with pytest.raises(DecodeError):
        event_frames.read(f'[{{"type":"A"}}{elements},1]')


def test_what_is_written_is_exact() -> None:
    assert event_frames.heartbeat("m1") == '[{"type":"Heartbeat","messageId":"m1"}]'
    assert event_frames.subscribe('"', ("/a?b=c&d", '"')) == (
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
def test_a_refusal_is_read_whatever_its_body(
    body: Any, code: str | None, message: str | None
) -> None:
    refusal = event_frames.refusal(Frame("Error", None, 400, None, body))
    assert (refusal.http_status, refusal.error_code, refusal.message) == (400, code, message)
    assert str(refusal).count("\n") == 0


# Anything at all.

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
        **dict.fromkeys((*TERMS, "recoveryState", "errorCode", "message", "id"), JSON),
        "disabledFilters": st.lists(
            st.fixed_dictionaries({}, optional={"filter": JSON, "reason": JSON}), max_size=3
        )
        | JSON,
        **dict.fromkeys(("uuid", "event", "timestamp", "body", "subscriptionId"), JSON),
    },
)
FRAME = st.tuples(META, BODY | JSON).map(list) | JSON
TEXTS = st.lists(st.text(max_size=40) | FRAME.map(json.dumps), max_size=8)


def stages() -> Iterator[Line]:
    """Give a line at each stage of its life."""
    line = Line()
    line.connect()
    yield line
    yield asked()
    yield Line().live()
    line = Line().live()
    line.lose(1.0)
    line.recover()
    yield line


@given(TEXTS, st.lists(st.floats(0, 40), min_size=8, max_size=8))
def test_receive_raises_nothing_but_api_errors_whatever_comes_ws18(
    texts: list[str], pauses: list[float]
) -> None:
    for line in stages():
        for text, pause in zip(texts, pauses, strict=False):
            try:
                told = line.hear(text)
            except ApiError:
                break
            assert all(isinstance(each, (Subscribed, Gap, PresenceEvent)) for each in told)
            line.tick(pause)
            assert all("\n" not in remark and len(remark) <= 256 for remark in line.remarks())


@given(TEXTS)
def test_nothing_is_ever_said_before_connection_details_ws10(texts: list[str]) -> None:
    line = Line()
    line.connect()
    for text in texts:
        if "ConnectionDetails" in text:
            continue
        try:
            line.hear(text)
        except ApiError:
            return
        assert line.session.outgoing == []
        assert not line.is_live()


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
def test_an_error_in_a_frame_is_that_of_its_status_or_code(
    meta: dict[str, Any], body: Any, status: int, code: str | None
) -> None:
    [frame] = event_frames.read(json.dumps([{"type": "Error", **meta}, body]))
    error = event_frames.refusal(frame)
    assert (error.http_status, error.error_code) == (status, code)
