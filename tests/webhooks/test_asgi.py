"""What only the ASGI application does, message by message; the rest is in test_receiver."""

import json
from collections.abc import MutableMapping
from typing import Any

import pytest
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.routing import Mount

from aiopresence.webhooks import http
from tests.support.clocks import idle
from tests.support.webhook_calls import PATH, TOKEN, Receiver, notification
from tests.support.webhook_servers import served_by_asgi

Message = MutableMapping[str, Any]
BODY = json.dumps(notification()).encode()
HEADERS = [
    (b"verification-token", TOKEN.encode()),
    (b"content-type", b"application/json"),
]


async def call(
    receiver: Receiver, *messages: Message, headers: Any = HEADERS, **scope: Any
) -> list[Message]:
    """Run the application for one scope, and return what it sends."""
    waiting, sent = list(messages), list[Message]()

    async def receive() -> Message:
        return waiting.pop(0)

    async def send(message: Message) -> None:
        sent.append(message)

    known = {"type": "http", "method": "POST", "path": "/any", "headers": headers}
    await receiver.asgi({**known, **scope}, receive, send)
    return sent


def part(body: bytes, more: bool = False) -> Message:
    return {"type": "http.request", "body": body, "more_body": more}


async def test_a_body_in_parts_is_one_notification() -> None:
    async with Receiver() as receiver:
        parts = [part(bytes([byte]), more=True) for byte in BODY]
        start, body = await call(receiver, *parts, {"type": "http.request"})
        await idle()
        assert receiver.uuids == ["u-1"]
    assert start == {
        "type": "http.response.start",
        "status": 200,
        "headers": [(b"content-type", b"application/json"), (b"content-length", b"0")],
    }
    assert body == {"type": "http.response.body", "body": b""}


@pytest.mark.fault
async def test_who_disconnects_within_the_body_gets_no_response_and_delivers_no_event() -> None:
    async with Receiver() as receiver:
        assert await call(receiver, part(BODY, more=True), {"type": "http.disconnect"}) == []
    assert receiver.seen == []


@pytest.mark.fault
async def test_a_caller_that_is_gone_before_the_response_is_no_error() -> None:
    async def receive() -> Message:
        return part(BODY)

    async def send(_: Message) -> None:
        raise ConnectionResetError

    async with Receiver() as receiver:
        scope = {"type": "http", "method": "POST", "headers": HEADERS}
        await receiver.asgi(scope, receive, send)
        await idle()
        assert receiver.uuids == ["u-1"]


@pytest.mark.parametrize(("version", "close"), [("1.1", [b"close"]), ("2", [])])
async def test_a_connection_with_an_unread_body_is_closed_where_http_has_that(
    version: str, close: list[bytes]
) -> None:
    endless = [part(bytes(2**16), more=True)] * 20
    async with Receiver() as receiver:
        start, _ = await call(receiver, *endless, http_version=version)
    assert start["status"] == 413
    assert [value for name, value in start["headers"] if name == b"connection"] == close


async def test_no_more_is_read_than_a_notification_may_have() -> None:
    parts, size = [part(bytes(2**16), more=True)] * 100, 0

    async def receive() -> Message:
        nonlocal size
        size += 2**16
        return parts.pop()

    async def send(_: Message) -> None:
        return

    async with Receiver() as receiver:
        scope = {"type": "http", "method": "POST", "headers": HEADERS}
        await receiver.asgi(scope, receive, send)
    assert size <= http.MAX_BODY + http.MAX_DISCARDED + 2 * 2**16


async def test_a_server_that_runs_it_alone_opens_and_closes_the_receiver() -> None:
    receiver = Receiver()
    startup, shutdown = {"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}
    sent: list[Message] = []

    async def receive() -> Message:
        if not sent:
            return startup
        assert (await call(receiver, part(BODY)))[0]["status"] == 200
        return shutdown

    async def send(message: Message) -> None:
        sent.append(message)

    await receiver.asgi({"type": "lifespan"}, receive, send)
    assert [each["type"] for each in sent] == [
        "lifespan.startup.complete",
        "lifespan.shutdown.complete",
    ]
    assert receiver.uuids == ["u-1"]  # handled by the time of the shutdown
    assert (await call(receiver, part(BODY)))[0]["status"] == 503


async def test_a_startup_that_fails_says_why() -> None:
    async with Receiver() as receiver:
        [failed] = await call(receiver, {"type": "lifespan.startup"}, type="lifespan")
    assert failed["type"] == "lifespan.startup.failed"
    assert "already open" in failed["message"]


async def test_a_websocket_is_refused_and_an_unknown_scope_an_error() -> None:
    receiver = Receiver()
    assert await call(receiver, type="websocket") == [{"type": "websocket.close"}]
    with pytest.raises(ValueError, match="unknown ASGI scope 'other'"):
        await call(receiver, type="other")


async def test_it_can_be_mounted_in_fastapi_and_starlette() -> None:
    async with Receiver() as receiver:
        fastapi = FastAPI()
        fastapi.mount(PATH, receiver.asgi)
        starlette = Starlette(routes=[Mount("/ringcentral", receiver.asgi)])
        starlette.mount("/", fastapi)
        async with served_by_asgi(starlette) as caller:
            for number, path in enumerate(["/ringcentral/", "/ringcentral/any", f"{PATH}/"]):
                data = json.dumps(notification(f"u-{number}"))
                headers = {"Verification-Token": TOKEN, "Content-Type": "application/json"}
                url = f"http://127.0.0.1:{caller.port}{path}"
                async with caller.http.post(url, data=data, headers=headers) as response:
                    assert response.status == 200
        await idle()
        assert receiver.uuids == ["u-0", "u-1", "u-2"]
