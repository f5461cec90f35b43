"""What a framework may pass to `handle`; the rest is in test_receiver."""

import asyncio
import json
import subprocess
import sys
from typing import Any

import pytest

from aiopresence import PresenceEvent, Resync, UsageError
from aiopresence.webhooks import WebhookReceiver, WebhookResponse, http
from tests.support.clocks import idle
from tests.support.webhook_calls import TOKEN, Receiver, notification

BODY = json.dumps(notification()).encode()
HEADERS = {"Verification-Token": TOKEN, "Content-Type": "application/json"}


@pytest.mark.parametrize(
    "headers",
    [
        HEADERS,
        {name.upper(): value for name, value in HEADERS.items()},
        HEADERS.items(),
        [*HEADERS.items(), ("x-other", "1"), ("X-Other", "2")],
        [(name.encode(), value.encode()) for name, value in HEADERS.items()],
        [*HEADERS.items(), (b"x-other", b"\xff")],
    ],
)
async def test_headers_are_a_mapping_or_pairs_with_names_in_any_case(headers: Any) -> None:
    async with Receiver() as receiver:
        response = await receiver.handle("POST", headers, BODY)
        await idle()
        assert receiver.uuids == ["u-1"]
    assert response == WebhookResponse(200, {"Content-Type": "application/json"}, b"")


@pytest.mark.parametrize("name", ["verification-token", "VERIFICATION-TOKEN"])
async def test_a_second_token_is_refused_whatever_its_case(name: str) -> None:
    async with Receiver() as receiver:
        headers = [*HEADERS.items(), (name, TOKEN)]
        assert (await receiver.handle("POST", headers, BODY)).status == 401


@pytest.mark.parametrize("token", ["\ud800", "\x00", "schlüssel☎"])
async def test_a_token_that_is_no_text_of_a_header_is_refused(token: str) -> None:
    async with Receiver() as receiver:
        headers = {**HEADERS, "Verification-Token": token}
        assert (await receiver.handle("POST", headers, BODY)).status == 401


async def test_a_body_that_is_too_large_is_refused() -> None:
    async with Receiver() as receiver:
        for size, status in [(http.MAX_BODY, 200), (http.MAX_BODY + 1, 413)]:
            assert (await receiver.handle("POST", HEADERS, BODY.ljust(size))).status == status
        longer = {**HEADERS, "Content-Length": "9" * 5000}
        assert (await receiver.handle("POST", longer, BODY)).status == 413


@pytest.mark.parametrize("body", [None, "{}", {"uuid": "u"}, bytearray(b"{}")])
async def test_a_body_that_is_not_bytes_is_a_usage_error(body: Any) -> None:
    async with Receiver() as receiver:
        with pytest.raises(UsageError, match="body must be bytes"):
            await receiver.handle("POST", HEADERS, body)


@pytest.mark.parametrize(
    "headers", [None, 5, "header", [None], [("name",)], [("name", None)], {"name": ["value"]}]
)
async def test_headers_that_are_no_pairs_of_text_are_a_usage_error(headers: Any) -> None:
    async with Receiver() as receiver:
        with pytest.raises(UsageError, match="headers must be a mapping, or pairs"):
            await receiver.handle("POST", headers, BODY)


async def test_calls_of_a_receiver_that_is_not_open_are_logged_at_a_bounded_rate(
    caplog: pytest.LogCaptureFixture,
) -> None:
    receiver = Receiver()
    for _ in range(3):
        response = await receiver.handle("POST", HEADERS, BODY)
        assert (response.status, response.headers["Retry-After"]) == (503, "10")
    [warning] = caplog.messages
    assert warning.endswith("HTTP 503: the receiver is not open, enter `async with receiver`")
    await receiver.clock.advance(61)
    async with receiver:
        assert (await receiver.handle("POST", HEADERS, BODY)).status == 200
    await receiver.handle("POST", HEADERS, BODY)
    assert caplog.messages == [warning] * 2


async def test_calls_while_a_receiver_closes_are_refused_without_a_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    is_done = asyncio.Event()

    class Slow(Receiver):
        async def take(self, event: PresenceEvent | Resync) -> None:
            await is_done.wait()

    async with Slow() as receiver:
        await receiver.handle("POST", HEADERS, BODY)
        closing = asyncio.create_task(receiver.close())
        await idle()
        assert (await receiver.handle("POST", HEADERS, BODY)).status == 503
        is_done.set()
        await closing
    assert caplog.messages == []


@pytest.mark.parametrize("result", [None, True, "text"])
async def test_a_callback_that_is_not_async_is_named_as_the_mistake(
    result: object, caplog: pytest.LogCaptureFixture
) -> None:
    seen: list[object] = []

    def callback(event: object) -> Any:
        seen.append(event)
        return result

    async with WebhookReceiver(callback, TOKEN) as receiver:
        assert (await receiver.handle("POST", HEADERS, BODY)).status == 200
    assert len(seen) == 1
    assert caplog.messages[-1] == (
        "webhook callback must be an async function that takes an event: it returned no coroutine"
    )


@pytest.mark.fault
async def test_a_call_from_another_event_loop_says_how_to_make_it() -> None:
    async with Receiver() as receiver:
        call = receiver.handle("POST", HEADERS, BODY)
        with pytest.raises(UsageError, match="run_coroutine_threadsafe"):
            await asyncio.to_thread(asyncio.run, call)
    late = receiver.handle("POST", HEADERS, BODY)
    assert (await asyncio.to_thread(asyncio.run, late)).status == 503


def test_importing_webhooks_brings_no_web_framework() -> None:
    code = "import sys, aiopresence.webhooks; print([m for m in sys.modules if m in"
    code += " ('aiohttp', 'fastapi', 'starlette')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603
    assert done.stdout == "[]\n"
