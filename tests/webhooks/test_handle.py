"""What a framework may pass to `handle`; the rest is in test_receiver."""

import asyncio
import json
import subprocess
import sys
from typing import Any

import pytest

from aiopresence import UsageError
from aiopresence.webhooks import WebhookResponse, http
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
