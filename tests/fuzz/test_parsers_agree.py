"""Batch responses that are valid: other parsers find the same parts, and writers are read."""

import asyncio
import json
from email.parser import BytesFeedParser
from typing import Any

import aiohttp
from aiohttp.base_protocol import BaseProtocol
from hypothesis import given, strategies as st

from aiopresence import DecodeError, GetPresenceInfo, Response
from aiopresence.protocol import batch, decoding, multipart
from aiopresence.protocol.batch_formats import MULTIPART_JSON
from aiopresence.sandbox.responses import BatchItem, array_response, multipart_response

TEXTS = st.text(st.characters(codec="utf-8"), max_size=8)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**31), 2**31) | TEXTS,
    lambda some: st.lists(some, max_size=3) | st.dictionaries(TEXTS, some, max_size=3),
    max_leaves=8,
)
BOUNDARIES = st.from_regex(r"[0-9A-Za-z'()+_,./:=?-]{1,70}", fullmatch=True)
HEADERS = st.sampled_from(
    [
        b"Content-Type: application/json\r\n",
        b"content-type: application/json;charset=UTF-8\r\nX-A: b\r\n",
        b"Content-Type: application/vnd.x+json\r\nContent-Transfer-Encoding: 8bit\r\n",
    ]
)


def body_of(parts: list[tuple[bytes, Any]], boundary: str) -> bytes:
    delimiter = b"--" + boundary.encode()
    return (
        b"".join(
            b"%b\r\n%b\r\n%b\r\n" % (delimiter, headers, json.dumps(value).encode())
            for headers, value in parts
        )
        + delimiter
        + b"--\r\n"
    )


def ours(body: bytes, boundary: str) -> list[Any]:
    found = multipart.split(body, boundary.encode(), 99)
    assert found.is_closed
    return [decoding.parse(multipart.payload(part)) for part in found.parts]


def by_email(body: bytes, boundary: str) -> list[Any]:
    parser = BytesFeedParser()
    parser.feed(b'Content-Type: multipart/mixed; boundary="%b"\r\n\r\n' % boundary.encode() + body)
    message: Any = parser.close()
    assert not message.defects
    return [json.loads(part.get_payload(decode=True)) for part in message.get_payload()]


async def by_aiohttp(body: bytes, boundary: str) -> list[Any]:
    loop = asyncio.get_running_loop()
    content = aiohttp.StreamReader(BaseProtocol(loop), 2**16, loop=loop)
    content.feed_data(body)
    content.feed_eof()
    headers = {"Content-Type": f'multipart/mixed; boundary="{boundary}"'}
    reader: Any = aiohttp.MultipartReader(headers, content)
    return [json.loads(await part.read()) async for part in reader]


@given(st.lists(st.tuples(HEADERS, JSON), min_size=1, max_size=4), BOUNDARIES)
def test_other_parsers_find_the_same_parts_in_a_valid_body(
    parts: list[tuple[bytes, Any]], boundary: str
) -> None:
    body, values = body_of(parts, boundary), [value for _, value in parts]
    assert ours(body, boundary) == values
    assert by_email(body, boundary) == values
    assert asyncio.run(by_aiohttp(body, boundary)) == values


@given(st.lists(st.tuples(HEADERS, JSON), min_size=1, max_size=3), BOUNDARIES, st.data())
def test_no_part_of_a_truncated_body_is_found_that_the_whole_does_not_have(
    parts: list[tuple[bytes, Any]], boundary: str, data: st.DataObject
) -> None:
    body, values = body_of(parts, boundary), [value for _, value in parts]
    cut = data.draw(st.integers(0, len(body) - 5))
    try:
        found = multipart.split(body[:cut], boundary.encode(), 99)
    except DecodeError:
        return
    assert not found.is_closed
    read = [decoding.parse(multipart.payload(part)) for part in found.parts]
    assert read == values[: len(read)]


RECORDS = st.fixed_dictionaries(
    {},
    optional={
        "presenceStatus": st.sampled_from(["Available", "Busy", "Unheard"]),
        "message": TEXTS,
        "acceptCallQueueCalls": st.booleans(),
    },
)


@given(
    st.lists(RECORDS | st.none(), min_size=2, max_size=5),
    BOUNDARIES,
    st.sampled_from(["\r\n", "\n"]),
    st.booleans(),
)
def test_what_the_sandbox_writes_is_read(
    records: list[dict[str, Any] | None], boundary: str, eol: str, has_hrefs: bool
) -> None:
    items = []
    for id_, record in enumerate(records, 101):
        href = f"https://x.test/restapi/v1.0/account/1/extension/{id_}/presence"
        body = {"errorCode": "CMN-102"} if record is None else {"extension": {"id": id_}, **record}
        status = 404 if record is None else 200
        items.append(BatchItem(str(id_), href if has_hrefs else None, status, body))
    ids = [item.id for item in items]
    for response in (
        multipart_response(items, boundary, eol),
        array_response(items, MULTIPART_JSON),
    ):
        headers = {name.lower(): value for name, value in response.headers.items()}
        outcomes = batch.read(ids, Response(207, headers, response.body), GetPresenceInfo)
        values = [
            None if each.value is None else decoding.unstructure(each.value) for each in outcomes
        ]
        assert values == [
            None if item.status == 404 else item.body | {"extension": {"id": item.id}}
            for item in items
        ]
