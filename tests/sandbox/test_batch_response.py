"""Reads of several ids in one path."""

import json
from typing import Any

import pytest

from aiopresence.sandbox import Sandbox
from tests.support.sandbox_raw import calling, unmixed


def dump(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


NOT_FOUND = {
    "errorCode": "CMN-102",
    "message": "Resource for parameter [extensionId] is not found.",
    "parameterName": "extensionId",
    "errors": [
        {
            "errorCode": "CMN-102",
            "message": "Resource for parameter [extensionId] is not found.",
            "parameterName": "extensionId",
        }
    ],
}


@pytest.mark.parametrize("line_ending", ["\r\n", "\n"])
async def test_multipart_byte_for_byte(line_ending: str) -> None:
    async with calling(Sandbox(3, line_ending=line_ending)) as call:
        sandbox = call.sandbox
        asked = [sandbox.extension_ids[2], "7", sandbox.extension_ids[0]]
        got = await call.get(f"extension/{','.join(asked)}/presence")
        assert got.status == 207
        kind, _, boundary = got.headers["Content-Type"].partition("; boundary=")
        assert kind == "multipart/mixed"
        assert boundary.startswith("Boundary_")
        root = f"{sandbox.url}/restapi/v1.0/account/{sandbox.account_id}/extension"
        summary = {
            "response": [
                {"href": f"{root}/{asked[0]}/presence", "status": 200, "responseDescription": "OK"},
                {
                    "href": f"{root}/7/presence",
                    "status": 404,
                    "responseDescription": "Not Found",
                },
                {"href": f"{root}/{asked[2]}/presence", "status": 200, "responseDescription": "OK"},
            ]
        }
        documents = [
            summary,
            sandbox.presence(asked[0]),
            NOT_FOUND,
            sandbox.presence(asked[2]),
        ]
        lines: list[bytes] = []
        for document in documents:
            lines += [f"--{boundary}".encode(), b"Content-Type: application/json", b""]
            lines += [dump(document)]
        lines += [f"--{boundary}--".encode(), b""]
        assert got.body == line_ending.encode().join(lines)
        assert int(got.headers["Content-Length"]) == len(got.body)


async def test_each_response_has_its_own_boundary() -> None:
    async with calling(Sandbox(2)) as call:
        path = f"extension/{','.join(call.sandbox.extension_ids)}/presence"
        first, second = await call.get(path), await call.get(path)
        assert first.headers["Content-Type"] != second.headers["Content-Type"]


async def test_links_can_be_left_out() -> None:
    async with calling(Sandbox(2, hrefs=False)) as call:
        got = await call.get(f"extension/{','.join(call.sandbox.extension_ids)}/presence")
        summary = unmixed(got.body, got.headers["Content-Type"])[0]
        assert summary == {"response": [{"status": 200, "responseDescription": "OK"}] * 2}


async def test_an_accept_header_selects_the_array_form() -> None:
    array_type = "application/vnd.ringcentral.multipart+json"
    async with calling(Sandbox(2)) as call:
        known = call.sandbox.extension_ids[1]
        got = await call.get(f"extension/{known},5/presence", Accept=f"{array_type}, */*")
        assert (got.status, got.headers["Content-Type"]) == (207, array_type)
        assert got.json == [
            {"resourceId": known, "status": 200, "body": call.sandbox.presence(known)},
            {"resourceId": "5", "status": 404, "body": NOT_FOUND},
        ]


async def test_unified_presences_are_an_array_of_plain_json() -> None:
    async with calling(Sandbox(2)) as call:
        known = call.sandbox.extension_ids[1]
        got = await call.get(f"extension/{known},5/unified-presence")
        assert (got.status, got.headers["Content-Type"]) == (207, "application/json")
        alone = await call.get(f"extension/{known}/unified-presence")
        assert [row["body"] for row in got.json] == [alone.json, NOT_FOUND]


async def test_one_id_has_a_plain_response() -> None:
    async with calling(Sandbox(1)) as call:
        (only,) = call.sandbox.extension_ids
        got = await call.get(f"extension/{only}/presence")
        assert (got.status, got.json) == (200, call.sandbox.presence(only))
        assert got.headers["Content-Type"] == "application/json;charset=UTF-8"


async def test_thirty_ids_are_accepted_and_thirty_one_are_not() -> None:
    async with calling(Sandbox(31)) as call:
        ids = call.sandbox.extension_ids
        assert (await call.get(f"extension/{','.join(ids[:30])}/presence")).status == 207
        for tail in ("presence", "unified-presence"):
            got = await call.get(f"extension/{','.join(ids)}/{tail}")
            assert got.status == 400
            assert got.json["errorCode"] == "InvalidMultipartRequest"
            assert got.json["message"] == (
                "Extension Presence Info multipart request is limited to 30 extensions"
            )


async def test_the_limit_can_be_lower() -> None:
    async with calling(Sandbox(11, batch_limit=10)) as call:
        got = await call.get(f"extension/{','.join(call.sandbox.extension_ids)}/presence")
        assert "limited to 10 extensions" in got.json["message"]


@pytest.mark.parametrize(
    ("ids", "code"),
    [("5,5", "CMN-406"), ("~,5", "CMN-101"), ("5,", "CMN-101"), ("5,x", "CMN-101")],
)
async def test_an_invalid_list_is_refused_as_a_whole(ids: str, code: str) -> None:
    async with calling(Sandbox(1)) as call:
        got = await call.get(f"extension/{ids}/presence")
        assert (got.status, got.json["errorCode"]) == (400, code)
        assert got.json["parameterName"] == "extensionId"


@pytest.mark.parametrize(
    ("method", "tail", "body"),
    [
        ("PUT", "presence", {"message": "x"}),
        ("GET", "call-queue-presence", None),
        ("PUT", "call-queue-presence", {"records": []}),
        ("PATCH", "unified-presence", {"glip": {"availability": "DND"}}),
    ],
)
async def test_other_endpoints_take_one_id(method: str, tail: str, body: Any) -> None:
    async with calling(Sandbox(2)) as call:
        before = [call.sandbox.presence(each) for each in call.sandbox.extension_ids]
        got = await call(
            method, f"extension/{','.join(call.sandbox.extension_ids)}/{tail}", json=body
        )
        assert (got.status, got.json["errorCode"]) == (400, "CMN-101")
        assert before == [call.sandbox.presence(each) for each in call.sandbox.extension_ids]
