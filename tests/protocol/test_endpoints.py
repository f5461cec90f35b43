import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, strategies as st
from yarl import URL

from aiopresence import (
    AccountPresenceInfo,
    CallQueuePresence,
    ExtensionCallQueuePresenceList,
    GetPresenceInfo,
    PresenceInfoRequest,
    UnifiedPresence,
    UsageError,
)
from aiopresence.protocol import endpoints
from aiopresence.protocol.directory_pages import DirectoryPage
from aiopresence.protocol.endpoints import ReadOptions
from aiopresence.protocol.rest import MAX_PAGE, Request

A = "/restapi/v1.0/account"
QUEUE_BODY = {"records": [{"member": {"id": 5}, "accept_current_queue_calls": True}]}
AGENT_BODY = {"records": [{"call_queue": {"id": 6}, "accept_calls": False}]}


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


JSON = {"content-type": "application/json"}


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (
            lambda: endpoints.read_user_presence_status(
                ReadOptions(1, sip_data=True), [2], accept="x/y"
            ),
            Request(
                *("GET", f"{A}/1/extension/2/presence", "Light", GetPresenceInfo),
                (("sipData", "true"),),
                headers={"accept": "x/y"},
            ),
        ),
        (
            lambda: endpoints.read_user_presence_status(ReadOptions(), ["~"]),
            Request(
                *("GET", f"{A}/~/extension/~/presence", "Light", GetPresenceInfo),
                headers={"accept": "application/json"},
            ),
        ),
        (
            lambda: endpoints.read_user_presence_status(ReadOptions(1), [101, "102"]),
            Request(
                *("GET", f"{A}/1/extension/101,102/presence", "Light", GetPresenceInfo),
                headers={"accept": "application/json"},
            ),
        ),
        (
            lambda: endpoints.update_user_presence_status(1, 2, {"message": "x"}),
            Request(
                *("PUT", f"{A}/1/extension/2/presence", "Medium", GetPresenceInfo),
                body=b'{"message":"x"}',
                headers=JSON,
            ),
        ),
        (
            lambda: endpoints.read_account_presence(ReadOptions(1), page=2, per_page=3),
            Request(
                *("GET", f"{A}/1/presence", "Heavy", AccountPresenceInfo),
                (("page", "2"), ("perPage", "3")),
                max_body=MAX_PAGE,
            ),
        ),
        (
            lambda: endpoints.read_directory(1),
            Request(
                *("GET", f"{A}/1/directory/entries", "Medium", DirectoryPage),
                (("showFederated", "false"), ("perPage", "2000")),
                max_body=MAX_PAGE,
            ),
        ),
        (
            lambda: endpoints.list_extensions(1),
            Request(
                *("GET", f"{A}/1/extension", "Medium", DirectoryPage),
                (("perPage", "1000"),),
                max_body=MAX_PAGE,
            ),
        ),
        (
            lambda: endpoints.read_call_queue_presence(1, 7),
            Request("GET", f"{A}/1/call-queues/7/presence", "Light", CallQueuePresence),
        ),
        (
            lambda: endpoints.update_call_queue_presence(1, 7, {"records": []}),
            Request(
                *("PUT", f"{A}/1/call-queues/7/presence", "Medium", CallQueuePresence),
                body=b'{"records":[]}',
                headers=JSON,
            ),
        ),
        (
            lambda: endpoints.read_extension_call_queue_presence(
                1, 2, editable_member_status=False
            ),
            Request(
                *("GET", f"{A}/1/extension/2/call-queue-presence", "Light"),
                ExtensionCallQueuePresenceList,
                (("editableMemberStatus", "false"),),
            ),
        ),
        (
            lambda: endpoints.update_extension_call_queue_presence(1, 2, {"records": []}),
            Request(
                *("PUT", f"{A}/1/extension/2/call-queue-presence", "Medium"),
                ExtensionCallQueuePresenceList,
                body=b'{"records":[]}',
                headers=JSON,
            ),
        ),
        (
            lambda: endpoints.read_unified_presence(1, [2, 3]),
            Request("GET", f"{A}/1/extension/2,3/unified-presence", "Medium", UnifiedPresence),
        ),
        (
            lambda: endpoints.update_unified_presence(1, 2, {"glip": {}}),
            Request(
                *("PATCH", f"{A}/1/extension/2/unified-presence", "Medium", UnifiedPresence),
                body=b'{"glip":{}}',
                headers=JSON,
            ),
        ),
        (
            lambda: endpoints.custom_request("Get", "/restapi/v1.0/x", {"Q": "aB"}),
            Request("GET", "/restapi/v1.0/x", "", object, (("Q", "aB"),)),
        ),
    ],
)
def test_all_that_is_sent(call: Callable[[], Request[Any]], expected: Request[Any]) -> None:
    assert call() == expected


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ReadOptions("x"), "account_id must be digits or '~', as str or int, not 'x'"),
        (
            lambda: ReadOptions(sip_data=1),  # type: ignore[arg-type]
            "sip_data must be True, False or None, not int",
        ),
        (
            lambda: endpoints.read_account_presence(ReadOptions(), page=10**9),
            "page must be a positive int, not 1000000000",
        ),
        (
            lambda: endpoints.read_call_queue_presence("~", "x"),
            "group_id must be digits, as str or int, not 'x'",
        ),
        (
            lambda: endpoints.read_unified_presence("~", ["x"]),
            "extension_id must be digits or '~', as str or int, not 'x'",
        ),
        (
            lambda: endpoints.custom_request("GET", "/x"),
            "path must begin with /restapi/, percent-encoded and without a query",
        ),
        *(
            (
                lambda method=method: endpoints.custom_request(method, A),
                "method must be an HTTP method, such as GET; not CONNECT or TRACE",
            )
            for method in ("G T", "", "GÉT", "connect", "TRACE", None)
        ),
        (
            lambda: endpoints.custom_request("GET", A, {"a": 1.5}),  # type: ignore[dict-item]
            "params must map str to str, int, bool or None",
        ),
        (
            lambda: endpoints.custom_request("GET", A, {"a": 10**5000}),
            "params has an int with too many digits",
        ),
    ],
)
def test_an_error_says_which_argument_is_wrong(call: Callable[[], object], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        call()
    assert str(caught.value) == message


@pytest.mark.parametrize("page", [1, 10**9 - 1])
def test_the_least_and_the_largest_page_number_are_sent(page: int) -> None:
    request = endpoints.read_account_presence(ReadOptions(), page=page)
    assert request.params == (("page", str(page)),)


@pytest.mark.parametrize("ids", [["1,2"], ["1,2,3"], ["1", "2,3"], ["1,2", ""], ["1", "~,2"], [""]])
def test_one_id_cannot_be_several(ids: list[str]) -> None:
    with pytest.raises(UsageError, match="extension_id must be digits"):
        endpoints.read_unified_presence("~", ids)
