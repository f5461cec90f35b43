"""The kinds of faults and their rules."""

import asyncio
import time

import aiohttp
import pytest

from aiopresence.sandbox import (
    Answer,
    Change,
    Delay,
    Drip,
    Gzip,
    Hang,
    Raw,
    Redirect,
    Reset,
    Sandbox,
    Slice,
    Truncate,
)
from tests.support.sandbox_raw import ACCOUNT_PATH, Caller, arrived, calling, read_socket
from tests.support.virtual import virtual

PATH = "extension/~/presence"


async def raw(call: Caller) -> tuple[bytes, bytes]:
    """Read the presence on a bare socket: head and body."""
    answer = await read_socket(call.sandbox, ACCOUNT_PATH + PATH, call.token)
    head, _, body = answer.partition(b"\r\n\r\n")
    return head, body


async def test_a_rule_applies_to_matching_requests() -> None:
    async with calling(Sandbox(1)) as call:
        faults = call.sandbox.faults
        rule = faults.add(Answer(500), path="?sipData", method="GET", times=2, skip=1)
        body = faults.add(Answer(501), when=lambda received: received.body == b"{}")
        paths = [PATH, *[PATH + "?sipData=true"] * 4]
        assert [(await call.get(path)).status for path in paths] == [200, 200, 500, 500, 200]
        assert (await call("PUT", PATH + "?sipData=true", data=b"{}")).status == 501
        assert (rule.fired, body.fired) == (2, 1)


async def test_the_first_matching_rule_applies_and_one_without_times_stays() -> None:
    async with calling(Sandbox(1)) as call:
        first = call.sandbox.faults.add(Answer(500))
        second = call.sandbox.faults.add(Answer(501), times=None)
        assert [(await call.get(PATH)).status for _ in range(3)] == [500, 501, 501]
        assert (first.fired, second.fired) == (1, 2)
        call.sandbox.faults.clear()
        assert (await call.get(PATH)).status == 200


async def test_answer_keeps_the_state_and_has_the_usual_headers() -> None:
    async with calling(Sandbox(1)) as call:
        before = call.sandbox.presence("~")
        html = Answer(503, body=b"<html>", headers={"Content-Type": "text/html"})
        rule = call.sandbox.faults.add(html)
        got = await call.put(PATH, {"message": "lost"})
        assert (got.status, got.body, got.headers["Content-Type"]) == (503, b"<html>", "text/html")
        assert got.headers["RCRequestId"]
        assert got.headers["X-Rate-Limit-Group"] == "medium"
        assert call.sandbox.presence("~") == before
        assert call.sandbox.requests[-1].status == 503
        assert rule.fired == 1


async def test_answer_can_be_bare_or_have_odd_headers() -> None:
    async with calling(Sandbox(1)) as call:
        call.sandbox.faults.add(Answer(599, bare=True))
        pairs = [("Retry-After", "1"), ("Retry-After", "2"), ("x-rate-limit-limit", "many")]
        call.sandbox.faults.add(Answer(429, headers=pairs))
        bare = await call.get(PATH)
        assert bare.status == 599
        assert not {"RCRequestId", "X-Rate-Limit-Group"} & set(bare.headers)
        odd = await call.get(PATH)
        assert [value for name, value in odd.headers.items() if name == "Retry-After"] == ["1", "2"]
        assert odd.headers["X-Rate-Limit-Limit"] == "many"


async def test_answer_error_has_the_error_format_of_ringcentral() -> None:
    async with calling(Sandbox(1)) as call:
        error = Answer.error(429, "CMN-301", "Slower", "x", headers={"Retry-After": "60"})
        call.sandbox.faults.add(error)
        got = await call.get(PATH)
        inner = {"errorCode": "CMN-301", "message": "Slower", "parameterName": "x"}
        assert got.json == {**inner, "errors": [inner]}
        assert (got.status, got.headers["Retry-After"]) == (429, "60")


@pytest.mark.parametrize("after_handling", [False, True])
async def test_reset_before_and_after_the_request_took_effect(after_handling: bool) -> None:
    async with calling(Sandbox(1)) as call:
        rule = call.sandbox.faults.add(Reset(after_handling), times=None)
        with pytest.raises(aiohttp.ClientOSError):  # what aiohttp makes of a TCP reset
            await call("PUT", PATH, json={"message": "kept?"})
        assert (call.sandbox.presence("~").get("message") == "kept?") is after_handling
        assert rule.fired >= 1
        assert call.sandbox.requests[-1].status is None


async def test_truncate_with_the_length_declared_is_visible() -> None:
    async with calling(Sandbox(1)) as call:
        whole = (await call.get(PATH)).body
        rule = call.sandbox.faults.add(Truncate(10), times=2)
        head, body = await raw(call)
        assert body == whole[:10]
        assert f"Content-Length: {len(whole)}".encode() in head.splitlines()
        assert b"RCRequestId: " in head
        with pytest.raises(aiohttp.ClientPayloadError):
            await call.get(PATH)
        assert rule.fired == 2
        assert call.sandbox.requests[-1].status == 200


async def test_truncate_without_the_length_is_invisible_to_http() -> None:
    async with calling(Sandbox(1)) as call:
        rule = call.sandbox.faults.add(Truncate(10, declared=False))
        cut = await call.get(PATH)
        whole = await call.get(PATH)
        assert (cut.status, cut.body) == (200, whole.body[:10])
        assert "Content-Length" not in cut.headers
        assert rule.fired == 1


async def test_change_rewrites_body_headers_and_status() -> None:
    async with calling(Sandbox(1)) as call:
        change = Change(
            lambda body: body.replace(b"NoCall", b"Dreaming").upper(),
            headers={"content-type": "text/odd", "X-Rate-Limit-Limit": None},
            status=206,
        )
        rule = call.sandbox.faults.add(change)
        got = await call.get(PATH)
        assert got.status == 206
        assert got.body.startswith(b'{"URI"')
        assert got.headers["Content-Type"] == "text/odd"
        assert "X-Rate-Limit-Limit" not in got.headers
        assert "X-Rate-Limit-Group" in got.headers
        assert rule.fired == 1


async def test_change_can_quote_the_boundary() -> None:
    async with calling(Sandbox(2)) as call:
        call.sandbox.faults.add(Change(headers={"Content-Type": 'multipart/mixed; boundary="q"'}))
        got = await call.get(f"extension/{','.join(call.sandbox.extension_ids)}/presence")
        assert got.headers["Content-Type"] == 'multipart/mixed; boundary="q"'


async def test_gzip_decompresses_to_the_given_size() -> None:
    async with calling(Sandbox(1)) as call:
        size = 3 * 2**20 + 5
        rule = call.sandbox.faults.add(Gzip(size), times=2)
        head, body = await raw(call)
        assert b"Content-Encoding: gzip" in head.splitlines()
        assert len(body) < size // 500
        assert (await call.get(PATH)).body == bytes(size)
        assert rule.fired == 2


async def test_redirect_has_the_location() -> None:
    async with calling(Sandbox(1)) as call:
        rule = call.sandbox.faults.add(Redirect("https://elsewhere.example/", 307))
        got = await call.get(PATH)
        assert (got.status, got.headers["Location"]) == (307, "https://elsewhere.example/")
        assert rule.fired == 1


async def test_delay_delays_the_response() -> None:
    async with calling(Sandbox(1)) as call:
        rule = call.sandbox.faults.add(Delay(0.02))
        start = time.monotonic()
        assert (await call.get(PATH)).status == 200
        assert time.monotonic() - start >= 0.02
        assert rule.fired == 1


async def test_raw_bytes_are_sent_unchanged() -> None:
    async with calling(Sandbox(1)) as call:
        odd = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n"
        rule = call.sandbox.faults.add(Raw(odd))
        answer = await read_socket(call.sandbox, ACCOUNT_PATH + PATH, call.token)
        assert answer == odd
        assert call.sandbox.requests[-1].status is None
        assert rule.fired == 1


@pytest.mark.parametrize("fault", [Slice(), Drip(0.0)])
async def test_slice_and_drip_send_the_whole_response(fault: Slice | Drip) -> None:
    async with calling(Sandbox(1)) as call:
        rule = call.sandbox.faults.add(fault)
        got = await call.get(PATH)
        assert (got.status, got.json) == (200, call.sandbox.presence("~"))
        assert rule.fired == 1


async def test_slice_sends_one_byte_at_a_time() -> None:
    async with calling(Sandbox(1)) as call:
        whole = (await call.get(PATH)).body
        call.sandbox.faults.add(Slice())
        head, body = await raw(call)
        assert head.startswith(b"HTTP/1.1 200 ")
        assert body == whole


@virtual
@pytest.mark.parametrize("fault", [Hang(), Delay(3600), Drip(3600)])
async def test_closing_does_not_wait_for_a_fault(fault: Hang | Delay | Drip) -> None:
    async with calling(Sandbox(1)) as call:
        rule = call.sandbox.faults.add(fault, times=None)
        waiting = [asyncio.ensure_future(raw(call)) for _ in range(20)]
        await arrived(call.sandbox, 21)
        start = asyncio.get_running_loop().time()
        await call.sandbox.close()
        assert asyncio.get_running_loop().time() - start < 1
        await asyncio.gather(*waiting)
        assert rule.fired == 20


@pytest.mark.parametrize("fault", [Hang(), Delay(3600), Drip(3600)])
async def test_a_client_that_disconnects_ends_the_fault(fault: Hang | Delay | Drip) -> None:
    async with calling(Sandbox(1)) as call:
        rule = call.sandbox.faults.add(fault)
        before = len(asyncio.all_tasks())
        waiting = asyncio.ensure_future(call.get(PATH))
        await arrived(call.sandbox, 2)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        for _ in range(1000):
            await asyncio.sleep(0)
        assert len(asyncio.all_tasks()) <= before
        assert rule.fired == 1
        assert (await call.get(PATH)).status == 200


async def test_hang_has_no_effect_and_no_status() -> None:
    async with calling(Sandbox(1)) as call:
        call.sandbox.faults.add(Hang())
        waiting = asyncio.ensure_future(call.put(PATH, {"message": "unheard"}))
        await arrived(call.sandbox, 2)
        await call.sandbox.close()
        with pytest.raises(aiohttp.ClientConnectionError):
            await waiting
        assert call.sandbox.requests[-1].status is None
