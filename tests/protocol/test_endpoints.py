import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, strategies as st
from yarl import URL

from aiopresence import PresenceInfoRequest, UsageError
from aiopresence.protocol import endpoints
from aiopresence.protocol.endpoints import ReadOptions
from aiopresence.protocol.rest import Request

A = "/restapi/v1.0/account"
QUEUE_BODY = {"records": [{"member": {"id": 5}, "accept_current_queue_calls": True}]}
AGENT_BODY = {"records": [{"call_queue": {"id": 6}, "accept_calls": False}]}


@pytest.mark.parametrize(
    ("request_", "method", "path", "group"),
    [
        (
            endpoints.read_user_presence_status(ReadOptions(), ["~"]),
            "GET",
            "~/extension/~/presence",
            "Light",
        ),
        (
            endpoints.read_user_presence_status(ReadOptions(1), [101, "102"]),
            "GET",
            "1/extension/101,102/presence",
            "Light",
        ),
        (
            endpoints.update_user_presence_status(1, 2, {}),
            "PUT",
            "1/extension/2/presence",
            "Medium",
        ),
        (endpoints.read_account_presence(ReadOptions()), "GET", "~/presence", "Heavy"),
        (endpoints.read_call_queue_presence("~", 7), "GET", "~/call-queues/7/presence", "Light"),
        (
            endpoints.update_call_queue_presence("~", 7, QUEUE_BODY),
            "PUT",
            "~/call-queues/7/presence",
            "Medium",
        ),
        (
            endpoints.read_extension_call_queue_presence("~", "~"),
            "GET",
            "~/extension/~/call-queue-presence",
            "Light",
        ),
        (
            endpoints.update_extension_call_queue_presence("~", 3, AGENT_BODY),
            "PUT",
            "~/extension/3/call-queue-presence",
            "Medium",
        ),
        (
            endpoints.read_unified_presence("~", [1, 2]),
            "GET",
            "~/extension/1,2/unified-presence",
            "Medium",
        ),
        (
            endpoints.update_unified_presence("~", "~", {"glip": {"availability": "DND"}}),
            "PATCH",
            "~/extension/~/unified-presence",
            "Medium",
        ),
    ],
)
def test_the_nine_calls(request_: Request[Any], method: str, path: str, group: str) -> None:
    assert (request_.method, request_.path, request_.group) == (method, f"{A}/{path}", group)


def test_request_bodies() -> None:
    bodies = [
        endpoints.update_user_presence_status("~", "~", None).body,
        endpoints.update_user_presence_status("~", "~", PresenceInfoRequest(message="né")).body,
        endpoints.update_call_queue_presence("~", 7, QUEUE_BODY).body,
        endpoints.update_extension_call_queue_presence("~", 7, AGENT_BODY).body,
        endpoints.update_unified_presence("~", 7, {"telephony": {"availability": "Later"}}).body,
    ]
    assert [json.loads(body or b"null") for body in bodies] == [
        {},
        {"message": "né"},
        {"records": [{"member": {"id": "5"}, "acceptCurrentQueueCalls": True}]},
        {"records": [{"callQueue": {"id": "6"}, "acceptCalls": False}]},
        {"telephony": {"availability": "Later"}},
    ]


def test_query_parameters() -> None:
    options = ReadOptions(detailed_telephony_state=True, sip_data=False)
    request = endpoints.read_account_presence(options, page=2, per_page=50)
    assert request.params == (
        ("detailedTelephonyState", "true"),
        ("sipData", "false"),
        ("page", "2"),
        ("perPage", "50"),
    )
    assert endpoints.read_user_presence_status(ReadOptions(), ["~"]).params == ()
    queues = endpoints.read_extension_call_queue_presence("~", "~", editable_member_status=True)
    assert queues.params == (("editableMemberStatus", "true"),)


@pytest.mark.parametrize(
    "call",
    [
        lambda: ReadOptions("x"),
        lambda: endpoints.read_user_presence_status(ReadOptions(), ["1,2"]),
        lambda: ReadOptions(sip_data="yes"),  # type: ignore[arg-type]
        lambda: ReadOptions(detailed_telephony_state=1),  # type: ignore[arg-type]
        lambda: endpoints.read_account_presence(ReadOptions(), page=0),
        lambda: endpoints.read_account_presence(ReadOptions(), per_page=True),
        lambda: endpoints.read_account_presence(ReadOptions(), per_page="5"),  # type: ignore[arg-type]
        lambda: endpoints.read_call_queue_presence("~", "~"),
        lambda: endpoints.update_call_queue_presence("~", 7, None),
        lambda: endpoints.update_unified_presence("~", 7, "x"),
    ],
)
def test_wrong_arguments_are_refused(call: Callable[[], object]) -> None:
    with pytest.raises(UsageError):
        call()


@given(st.text())
def test_any_text_as_an_id_is_refused_or_part_of_the_path(text: str) -> None:
    for make, tail in (
        (
            lambda: endpoints.read_user_presence_status(ReadOptions(text), ["1"]),
            f"{text}/extension/1/presence",
        ),
        (
            lambda: endpoints.read_unified_presence("~", [text]),
            f"~/extension/{text}/unified-presence",
        ),
        (lambda: endpoints.read_call_queue_presence("~", text), f"~/call-queues/{text}/presence"),
    ):
        try:
            path = make().path
        except UsageError:
            continue
        assert path == f"{A}/{tail}"
        assert URL(f"https://example.test{path}", encoded=True).raw_path == path


def test_a_request_to_another_endpoint() -> None:
    params: dict[str, Any] = {"a": "b c", "flag": True, "number": 5, "absent": None}
    request = endpoints.custom_request("post", f"{A}/~/x", params, {"name": "né"})
    assert (request.method, request.path, request.group) == ("POST", f"{A}/~/x", "")
    assert request.params == (("a", "b c"), ("flag", "true"), ("number", "5"))
    assert request.body == '{"name":"né"}'.encode()
    assert request.headers == {"content-type": "application/json"}
    read = endpoints.custom_request("GET", "/restapi/oauth/x")
    assert (read.body, read.headers, read.group, read.params) == (None, {}, "Auth", ())


@pytest.mark.parametrize(
    "arguments",
    [
        ("GET", "/other"),
        ("GET", f"{A}?x=1"),
        ("G T", A),
        (None, A),
        ("GET", A, ["a"]),
        ("GET", A, {5: "a"}),
        ("GET", A, {"a": 1.5}),
        ("GET", A, {"a": 10**5000}),
        ("POST", A, None, object()),
    ],
)
def test_a_request_with_wrong_arguments_is_refused(arguments: Any) -> None:
    with pytest.raises(UsageError):
        endpoints.custom_request(*arguments)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (ReadOptions(), False),
        (ReadOptions(detailed_telephony_state=True), True),
        (ReadOptions(sip_data=True, detailed_telephony_state=False), True),
    ],
)
def test_options_with_sip_data_include_the_calls(options: ReadOptions, expected: bool) -> None:
    assert options.has_calls is expected
