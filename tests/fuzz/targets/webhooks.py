"""Calls of a webhook."""

import asyncio
from typing import Any

from aiopresence.escaping import escaped
from aiopresence.webhooks import WebhookReceiver
from tests.fuzz.choices import Choices, mutated_text
from tests.fuzz.documents import any_value, written
from tests.fuzz.targets.events import notification

TOKEN = "canary-webhook-secret-0123456789"
STATUSES = {200, 400, 401, 403, 405, 408, 413, 415, 503}
NAMES = (
    *("Verification-Token", "Validation-Token", "Content-Type", "Content-Length"),
    *("Content-Encoding", "verification-token", "VALIDATION-TOKEN", "Host", ""),
)
VALUES = (
    *(TOKEN, "application/json", "application/json; charset=utf-8", "text/plain", "identity"),
    *(
        "gzip",
        "0",
        "-1",
        "9" * 5000,
        "\u0661\u0662",
        "abc.DEF-123",
        "a\r\nSet-Cookie: x",
        "",
        "\ud800",
    ),
)
Headers = list[tuple[Any, Any]]


def webhook_calls(data: bytes) -> None:
    """Every call gets one of the documented answers; strangers cause nothing."""
    asyncio.run(_call(Choices(data)))


async def _call(choices: Choices) -> None:
    seen: list[object] = []

    async def take(event: object) -> None:
        seen.append(event)

    receiver = WebhookReceiver(take, TOKEN)
    async with receiver:
        if expects := choices.flag():
            receiver.expect_handshake()
        for _ in range(1 + choices.below(2)):
            method = choices.pick(("GET", "post", "")) if choices.rarely() else "POST"
            headers, body = _headers(choices), _body(choices)
            if choices.flag():
                status, sent = await _over_asgi(choices, receiver, method, headers, body)
            else:
                response = await receiver.handle(method, headers, body)
                status, sent = response.status, response.headers
            _check_answer(status, sent, headers, expects=expects)
            if status == 200 and body:
                assert TOKEN in {_text(value) for _, value in headers}
    assert len(seen) <= 2


def _headers(choices: Choices) -> Headers:
    headers: Headers = [("Verification-Token", TOKEN), ("Content-Type", "application/json")]
    if choices.rarely():
        headers = []
    for _ in range(choices.below(4)):
        value = mutated_text(choices, choices.pick(VALUES))
        headers.append((choices.pick(NAMES), value))
    if choices.flag():
        return [(_encoded(name), _encoded(value)) for name, value in headers]
    return headers


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _text(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value


def _body(choices: Choices) -> bytes:
    if choices.rarely():
        return b""
    parsed = any_value(choices) if choices.rarely() else notification(choices)
    return choices.mutated(written(parsed))


async def _over_asgi(
    choices: Choices, receiver: WebhookReceiver, method: str, headers: Headers, body: bytes
) -> tuple[int, dict[str, str]]:
    """Call the ASGI application, with the body in pieces; return the status and the headers."""
    cut = choices.below(65_536) % (len(body) + 1)
    pieces = [body[:cut], body[cut:]]
    messages = [{"type": "http.request", "body": each, "more_body": True} for each in pieces]
    messages.append({"type": "http.disconnect" if choices.rarely() else "http.request"})
    sent: list[Any] = []

    async def receive() -> Any:
        return messages.pop(0) if messages else {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    pairs = [(_encoded(n) if isinstance(n, str) else n, v) for n, v in headers]
    scope = {"type": "http", "method": method, "headers": pairs}
    await receiver.asgi(scope, receive, send)
    if not sent:
        return 400, {}  # The caller has disconnected.
    start = sent[0]
    return start["status"], {name.decode(): value.decode() for name, value in start["headers"]}


def _check_answer(status: int, sent: dict[str, str], headers: Headers, *, expects: bool) -> None:
    assert status in STATUSES
    assert sum(len(name) + len(value) + 4 for name, value in sent.items()) < 512
    for name, value in sent.items():
        assert (name + value).isascii()
        assert escaped(name + value) == name + value
    echoed = next(
        (value for name, value in sent.items() if name.lower() == "validation-token"), None
    )
    if echoed is not None:
        assert expects
        assert echoed in {_text(value) for _, value in headers}
