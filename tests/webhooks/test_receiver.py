"""The receiver on real loopback HTTP: what it accepts, what it refuses, and how fast."""

import asyncio
import gzip
import inspect
import json
import logging
import pickle
import time
import zlib
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import pytest

from aiopresence import (
    PresenceEvent,
    PresenceEventBody,
    PresenceSession,
    Resync,
    ResyncReason,
    UsageError,
    webhooks,
)
from aiopresence.sandbox import Sandbox
from aiopresence.webhooks import WebhookReceiver, callback_queue, dedup, http, verification
from tests.support.clocks import idle
from tests.support.virtual import virtual
from tests.support.webhook_calls import (
    PATH,
    TOKEN,
    Caller,
    Receiver,
    head,
    notification,
    until,
)
from tests.support.webhook_servers import READING, SERVERS, Serve

CHALLENGE = "5f0c-handshake~A.b_c+/="
BIG = http.MAX_BODY + 1


@pytest.fixture(autouse=True)
def brief(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody here needs the time that slow callers are given to see their answer."""
    monkeypatch.setattr(http, "DISCARD_SECONDS", 0.02)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with Receiver() as receiver:
        yield receiver


@pytest.fixture(params=SERVERS)
def served(request: pytest.FixtureRequest) -> Serve:
    return SERVERS[request.param]


@pytest.fixture
async def caller(receiver: Receiver, served: Serve) -> AsyncIterator[Caller]:
    async with served(receiver) as caller:
        yield caller


async def test_a_notification_reaches_the_callback_typed(
    receiver: Receiver, caller: Caller
) -> None:
    answer = await caller.post(notification())
    assert (answer.status, answer.body) == (200, b"")
    await idle()
    [event] = receiver.seen
    assert isinstance(event, PresenceEvent)
    assert event.body == PresenceEventBody("700201", 7, telephony_status="Ringing")  # type: ignore[arg-type]


@pytest.mark.fault
@pytest.mark.parametrize(
    "lines",
    [
        [],
        ["Verification-Token:"],
        ["Verification-Token: wrong"],
        [f"Verification-Token: {TOKEN[:-1]}"],
        [f"Verification-Token: {TOKEN}x"],
        [f"Verification-Token: {TOKEN.upper()}"],
        [f"Verification-Token: {TOKEN}, {TOKEN}"],
        [f"Verification-Token: {TOKEN}", f"Verification-Token: {TOKEN}"],
        [f"Validation-Token: {TOKEN}", f"Validation-Token: {TOKEN}"],
        ["Verification-Token: wrong", f"Validation-Token: {TOKEN}"],
        ["Verification-Token:", f"Validation-Token: {TOKEN}"],
        ["Validation-Token: wrong"],
        [f"Authorization: Bearer {TOKEN}"],
    ],
)
async def test_a_wrong_or_missing_token_is_refused(
    receiver: Receiver, caller: Caller, lines: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    receiver.expect_handshake()
    body = json.dumps(notification()).encode()
    lines = [*lines, "Content-Type: application/json", f"Content-Length: {len(body)}"]
    answer = await caller.raw(head(*lines, token=None) + body)
    assert answer.startswith(b"HTTP/1.1 401 ")
    assert TOKEN.encode() not in answer
    await idle()
    assert receiver.seen == []
    assert TOKEN not in caplog.text


@pytest.mark.fault
def test_the_comparison_takes_all_tokens_and_equal_lengths(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    compared: list[tuple[bytes, bytes]] = []

    def compare(a: bytes, b: bytes) -> bool:
        compared.append((a, b))
        return a == b

    monkeypatch.setattr(verification, "compare_digest", compare)
    accepted = verification.VerificationTokens(["new", "a-much-longer-old-one"])
    assert accepted.match("new")
    assert not accepted.match("n")
    assert not accepted.match("")
    assert len(compared) == 6
    assert {len(text) for pair in compared for text in pair} == {32}


@pytest.mark.fault
@pytest.mark.parametrize("name", [b"Verification-Token", b"Validation-Token"])
async def test_a_token_that_is_not_ascii_is_refused_without_an_exception(
    receiver: Receiver, caller: Caller, name: bytes
) -> None:
    lines = b"Content-Type: application/json\r\nContent-Length: 2\r\nConnection: close\r\n"
    for value in (b"\xff\xfe", "schlüssel☎".encode(), TOKEN.encode() + b"\xe9"):
        start = f"POST {PATH} HTTP/1.1\r\nHost: x\r\n".encode()
        answer = await caller.raw(start + name + b": " + value + b"\r\n" + lines + b"\r\n{}")
        assert answer.startswith(b"HTTP/1.1 401 ")


@pytest.mark.fault
async def test_an_unexpected_handshake_is_not_echoed(receiver: Receiver, caller: Caller) -> None:
    for token in (None, TOKEN):
        answer = await caller.post(token=token, Validation_Token=CHALLENGE)
        assert answer.status == 403
        assert CHALLENGE not in str(answer)


async def test_a_handshake_is_echoed_while_expect_handshake_lasts(
    receiver: Receiver, caller: Caller
) -> None:
    receiver.expect_handshake(60)
    answer = await caller.post(token=None, Validation_Token=CHALLENGE)
    assert answer.status == 200
    assert answer.headers["Validation-Token"] == CHALLENGE
    assert answer.headers["Content-Type"] == "application/json"
    await receiver.clock.advance(61)
    assert (await caller.post(token=None, Validation_Token=CHALLENGE)).status == 403
    receiver.expect_handshake(None)
    await receiver.clock.advance(1e9)
    assert (await caller.post(Validation_Token=CHALLENGE)).status == 200
    assert (await caller.post(token="wrong", Validation_Token=CHALLENGE)).status == 401
    assert receiver.seen == []


@pytest.mark.fault
@pytest.mark.parametrize(
    "challenge", ["x" * 257, "x" * 8000, "a b", "<script>", "a;b", '"', "é", "%0d%0aX: 1", "a\tb"]
)
async def test_a_challenge_that_is_not_a_plain_header_value_is_refused(
    receiver: Receiver, caller: Caller, challenge: str
) -> None:
    receiver.expect_handshake()
    answer = await caller.post(token=None, Validation_Token=challenge)
    assert answer.status == 400
    assert challenge not in str(answer)


@pytest.mark.fault
async def test_a_line_break_in_a_challenge_adds_no_header(
    receiver: Receiver, caller: Caller
) -> None:
    receiver.expect_handshake()
    for line_break in ("\r\n X: 1", "\r", "\n X: 1", "\x00"):
        answer = await caller.raw(
            head(f"Validation-Token: a{line_break}b", "Content-Length: 0", token=None)
        )
        assert answer.startswith((b"HTTP/1.1 400 ", b"HTTP/1.0 400 "))
        assert b"Validation-Token:" not in answer.partition(b"\r\n\r\n")[0]  # of aiohttp


@pytest.mark.fault
async def test_a_handshake_with_a_body_is_answered_and_its_event_delivered(
    receiver: Receiver, caller: Caller
) -> None:
    receiver.expect_handshake()
    answer = await caller.post(notification(), Validation_Token=CHALLENGE)
    assert answer.status == 200
    assert answer.headers["Validation-Token"] == CHALLENGE
    await idle()
    assert receiver.uuids == ["u-1"]
    await receiver.clock.advance(61)
    late = await caller.post(notification("u-2"), Validation_Token=CHALLENGE)
    assert late.status == 200
    assert "Validation-Token" not in late.headers
    forged = await caller.post(notification("u-3"), token="no", Validation_Token=CHALLENGE)
    assert forged.status == 401
    await idle()
    assert receiver.uuids == ["u-1", "u-2"]


async def test_the_token_may_come_as_validation_token_on_every_event(
    receiver: Receiver, caller: Caller
) -> None:
    receiver.expect_handshake()
    answer = await caller.post(notification(), token=None, Validation_Token=TOKEN)
    assert answer.status == 200
    assert "Validation-Token" not in answer.headers
    await idle()
    assert receiver.uuids == ["u-1"]


@pytest.mark.fault
async def test_a_repeated_notification_is_acknowledged_and_delivered_once(served: Serve) -> None:
    entered, go = asyncio.Event(), asyncio.Event()

    class Slow(Receiver):
        async def take(self, event: PresenceEvent | Resync) -> None:
            await super().take(event)
            entered.set()
            await go.wait()

    async with Slow() as receiver, served(receiver) as caller:
        await caller.post(notification("first"))
        await entered.wait()
        # While the first copy still waits in the queue, and all of them at once.
        calls = (caller.post(notification("again")) for _ in range(200))
        assert {answer.status for answer in await asyncio.gather(*calls)} == {200}
        go.set()
        await until(lambda: len(receiver.seen) == 2)
        assert (await caller.post(notification("again"))).status == 200
        await idle()
        assert receiver.uuids == ["first", "again"]


async def test_an_event_without_a_uuid_is_delivered_each_time(
    receiver: Receiver, caller: Caller
) -> None:
    for _ in range(2):
        assert (await caller.post(notification(None))).status == 200
    await idle()
    assert receiver.uuids == [None, None]


@pytest.mark.fault
def test_remembered_uuids_are_bounded_by_number_and_age() -> None:
    seen = dedup.SeenEvents(size=100, seconds=60)
    for number in range(10_000):
        seen.add(f"u-{number}" + "x" * (number % 7), now=0.0)
    assert len(seen) == 100
    assert seen.contains("u-9999" + "x" * (9999 % 7), now=59.0)
    assert not seen.contains("u-0", now=59.0)
    assert not seen.contains("u-9999" + "x" * (9999 % 7), now=60.0)
    assert len(seen) == 0


@pytest.mark.fault
@pytest.mark.parametrize("timestamp", ["2001-09-08T01:46:39Z", "2001-09-10T02:46:41Z"])
async def test_an_event_of_another_day_is_delivered_and_logged_once(
    receiver: Receiver, caller: Caller, timestamp: str, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(3):
        told = notification(f"u-{number}", timestamp=timestamp)
        assert (await caller.post(told)).status == 200
    await idle()
    assert len(receiver.seen) == 3
    assert caplog.text.count("a day or more off") == 1
    await receiver.clock.advance(61)
    await caller.post(notification("u-4", timestamp=timestamp))
    assert caplog.text.count("a day or more off") == 2


@pytest.mark.fault
@pytest.mark.parametrize("served", READING, indirect=True)
async def test_a_large_body_is_refused_unread(receiver: Receiver, caller: Caller) -> None:
    answer = await caller.raw(head(f"Content-Length: {10 * 2**20}"))
    assert answer.startswith(b"HTTP/1.1 413 ")


async def test_a_body_has_a_largest_size(receiver: Receiver, caller: Caller) -> None:
    fits = json.dumps(notification(pad="x" * 200_000)).encode()
    assert (await caller.post(fits.ljust(BIG - 1))).status == 200
    assert (await caller.post(fits.ljust(BIG))).status == 413
    await idle()
    assert len(receiver.seen) == 1


@pytest.mark.fault
@pytest.mark.parametrize("served", READING, indirect=True)
@pytest.mark.parametrize("token", [TOKEN, None])
async def test_an_endless_body_ends_with_the_connection(
    receiver: Receiver, caller: Caller, token: str | None
) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", caller.port)
    writer.write(head("Transfer-Encoding: chunked", "Validation-Token: x", token=token))
    chunk, sent = b"1000\r\n" + b"x" * 0x1000 + b"\r\n", 0
    while sent < 64 * 2**20 and not writer.is_closing():
        writer.write(chunk)
        sent += len(chunk)
        with suppress(ConnectionError):
            await writer.drain()
    # What the system's buffers hold on both sides comes on top of what was read.
    assert sent < 16 * 2**20
    writer.transport.abort()
    assert receiver.seen == []


@pytest.mark.fault
@virtual
@pytest.mark.parametrize("served", READING, indirect=True)
@pytest.mark.parametrize("token", [TOKEN, None])
@pytest.mark.parametrize(
    "lines", [["Content-Length: 100"], ["Transfer-Encoding: chunked", "Validation-Token: x"]]
)
async def test_a_slow_body_is_refused_in_time(
    receiver: Receiver, caller: Caller, token: str | None, lines: list[str]
) -> None:
    start = asyncio.get_running_loop().time()
    answer = await caller.raw(head(*lines, token=token))
    seconds = asyncio.get_running_loop().time() - start
    if token is None and "Content-Length: 100" in lines:
        assert answer.startswith(b"HTTP/1.1 401 ")
        assert seconds < 1
    else:
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert http.READ_SECONDS <= seconds < 3


@pytest.mark.fault
async def test_a_body_without_a_length_is_bounded_too(receiver: Receiver, caller: Caller) -> None:
    chunk = b"%x\r\n%s\r\n" % (BIG, b" " * BIG)
    lines = head("Transfer-Encoding: chunked", "Content-Type: application/json")
    answer = await caller.raw(lines + chunk + b"0\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 413 ")


async def test_a_receiver_that_closes_while_a_body_is_read_does_not_accept_it(
    receiver: Receiver, caller: Caller
) -> None:
    body = json.dumps(notification()).encode()
    lines = head("Content-Type: application/json", f"Content-Length: {len(body)}")
    reader, writer = await asyncio.open_connection("127.0.0.1", caller.port)
    writer.write(lines + body[:10])
    await idle()
    await receiver.close()
    writer.write(body[10:])
    assert (await reader.read()).startswith(b"HTTP/1.1 503 ")
    writer.close()
    assert receiver.seen == []


def test_the_queue_is_bounded_in_bytes_too() -> None:
    async def take(_: PresenceEvent | Resync) -> None:
        raise AssertionError("never")

    waiting = callback_queue.CallbackQueue(take, 1000)
    event = PresenceEvent("u")
    accepted = [waiting.offer(event, http.MAX_BODY) for _ in range(200)]
    assert accepted.count(True) * http.MAX_BODY == callback_queue.MAX_QUEUED_BYTES
    waiting.push(Resync(ResyncReason.WEBHOOK_LOST))
    assert len(waiting) == 129


async def test_handled_notifications_free_their_bytes() -> None:
    async def take(_: PresenceEvent | Resync) -> None:
        return

    waiting = callback_queue.CallbackQueue(take, 1000)
    waiting.open()
    assert waiting.offer(PresenceEvent("u"), callback_queue.MAX_QUEUED_BYTES)
    assert not waiting.offer(PresenceEvent("u"), 1)
    waiting.close()
    await waiting.run()
    assert waiting.offer(PresenceEvent("u"), callback_queue.MAX_QUEUED_BYTES)


@pytest.mark.fault
async def test_a_wrong_content_length_delivers_no_event(receiver: Receiver, caller: Caller) -> None:
    body = json.dumps(notification()).encode()
    kind = "Content-Type: application/json"
    length = f"Content-Length: {len(body) - 5}"
    answer = await caller.raw(head(kind, length, end=False) + body + b"\r\n\r\n")
    assert b" 400 " in answer.partition(b"\r\n")[0]
    answer = await caller.raw(head(kind, "Content-Length: -5") + body)
    assert b" 400 " in answer.partition(b"\r\n")[0]
    assert receiver.seen == []


@pytest.mark.fault
@pytest.mark.parametrize(
    ("status", "body", "headers"),
    [
        (400, b"garbage", {}),
        (400, b"\x00\xff", {}),
        (400, b"[" * 100_000, {}),
        (400, b'{"a":' * 5_000 + b"1" + b"}" * 5_000, {}),
        (400, b"[]", {}),
        (400, b"null", {}),
        (400, b'{"uuid": "u"}', {}),
        (400, b'{"uuid": "u", "body": []}', {}),
        (400, b'{"uuid": NaN, "body": {}}', {}),
        (400, b"", {}),
        (415, b"{}", {"Content_Type": "text/plain"}),
        (415, b"a=b", {"Content_Type": "application/x-www-form-urlencoded"}),
        (415, b"{}", {"Content_Type": ""}),
        (415, gzip.compress(b"{}", mtime=0), {"Content_Encoding": "gzip"}),
        (415, zlib.compress(b"{}"), {"Content_Encoding": "deflate"}),
    ],
)
async def test_a_body_that_is_not_a_notification_is_refused(
    receiver: Receiver, caller: Caller, status: int, body: bytes, headers: dict[str, str]
) -> None:
    answer = await caller.post(body, **headers)
    assert (answer.status, answer.body) == (status, b"")
    await idle()
    assert receiver.seen == []


@pytest.mark.fault
async def test_an_event_of_another_subscription_is_dropped_once_one_is_known(
    receiver: Receiver, caller: Caller, caplog: pytest.LogCaptureFixture
) -> None:
    subscriptions = receiver._subscriptions
    await caller.post(notification("u-1", subscriptionId="elsewhere"))
    subscriptions.add("ours")
    with subscriptions.creating():  # it may be of the one that is being made
        await caller.post(notification("u-2", subscriptionId="new"))
    for uuid, id_ in [("u-3", "theirs"), ("u-4", "theirs"), ("u-5", "ours")]:
        answer = await caller.post(notification(uuid, subscriptionId=id_))
        assert answer.status == 200
    subscriptions.add("next")
    subscriptions.remove("ours")
    await caller.post(notification("u-6", subscriptionId="ours"))
    await idle()
    assert receiver.uuids == ["u-1", "u-2", "u-5", "u-6"]
    assert caplog.text.count("dropped an event of an unknown subscription") == 1


@pytest.mark.fault
@virtual
async def test_a_blocked_callback_delays_no_response(served: Serve) -> None:
    entered, go = asyncio.Event(), asyncio.Event()

    class Stuck(Receiver):
        async def take(self, event: PresenceEvent | Resync) -> None:
            entered.set()
            await go.wait()
            await super().take(event)

    async with Stuck() as receiver, served(receiver) as caller:
        seconds = []
        for number in range(200):
            start = asyncio.get_running_loop().time()
            assert (await caller.post(notification(f"u-{number}"))).status == 200
            seconds.append(asyncio.get_running_loop().time() - start)
        blocked = entered.is_set() and receiver.seen == []
        go.set()  # Before any check: the receiver waits for the callback when it is closed.
    assert blocked
    assert max(seconds) < 0.05
    assert receiver.uuids == [f"u-{number}" for number in range(200)]


@pytest.mark.fault
async def test_a_full_queue_is_answered_with_503_and_the_event_accepted_later(
    served: Serve,
) -> None:
    go = asyncio.Event()

    class Stuck(Receiver):
        async def take(self, event: PresenceEvent | Resync) -> None:
            await go.wait()
            await super().take(event)

    async with Stuck(queue_size=2) as receiver, served(receiver) as caller:
        statuses = [(await caller.post(notification(f"u-{n}"))).status for n in range(4)]
        assert statuses == [200, 200, 200, 503]  # one of them is with the callback
        refused = await caller.post(notification("u-3"))
        assert refused.status == 503
        assert int(refused.headers["Retry-After"]) > 0
        go.set()
        await until(lambda: len(receiver.seen) == 3)
        assert (await caller.post(notification("u-3"))).status == 200
    assert receiver.uuids == ["u-0", "u-1", "u-2", "u-3"]


@pytest.mark.fault
async def test_every_response_is_small(receiver: Receiver, caller: Caller) -> None:
    receiver.expect_handshake()
    body = json.dumps(notification()).encode()
    kind = ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    answers = [
        await caller.raw(head(*kind) + body),
        await caller.raw(head(*kind, f"Validation-Token: {'x' * 256}") + body),
        await caller.raw(head("Content-Length: 0", f"Validation-Token: {'x' * 256}")),
        await caller.raw(head("Content-Length: 0", token=None)),
        await caller.raw(head(f"Content-Length: {BIG}") + b"x" * BIG),
        await caller.raw(head("Content-Length: 0").replace(b"POST", b"OPTIONS")),
    ]
    await receiver.close()
    answers.append(await caller.raw(head(*kind) + body))
    statuses = [int(answer.split()[1]) for answer in answers]
    assert statuses == [200, 200, 200, 401, 413, 405, 503]
    assert max(map(len, answers)) <= 512


@pytest.mark.fault
@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "PUT", "DELETE", "PATCH", "TRACE"])
async def test_only_post_is_accepted(receiver: Receiver, caller: Caller, method: str) -> None:
    answer = await caller.post(notification(), method=method)
    assert answer.status == 405
    assert answer.headers["Allow"] == "POST"
    assert receiver.seen == []


@pytest.mark.fault
async def test_http_1_0_and_pipelining_are_served(receiver: Receiver, caller: Caller) -> None:
    def call(uuid: str, end: bool) -> bytes:
        body = json.dumps(notification(uuid)).encode()
        kind = ["Content-Type: application/json", f"Content-Length: {len(body)}"]
        return head(*kind, end=end) + body

    old = await caller.raw(call("u-1", True).replace(b"HTTP/1.1", b"HTTP/1.0", 1))
    assert b" 200 " in old.partition(b"\r\n")[0]
    both = await caller.raw(call("u-2", False) + call("u-3", True))
    assert both.count(b"HTTP/1.1 200 ") == 2
    elsewhere = await caller.raw(call("u-4", True).replace(PATH.encode(), b"/other", 1))
    assert elsewhere.startswith(b"HTTP/1.1 404 ")
    await idle()
    assert receiver.uuids == ["u-1", "u-2", "u-3"]


@pytest.mark.fault
async def test_all_tokens_are_accepted_and_the_first_is_used_to_subscribe(served: Serve) -> None:
    both = Receiver(["new-secret", "old-secret"])
    async with both as receiver, served(receiver) as caller:
        for number, token in enumerate(["new-secret", "old-secret"]):
            assert (await caller.post(notification(f"u-{number}"), token=token)).status == 200
    assert both._tokens.first == "new-secret"
    async with Receiver("new-secret") as receiver, served(receiver) as caller:
        assert (await caller.post(notification(), token="old-secret")).status == 401
        assert (await caller.post(notification(), token="new-secret")).status == 200


@pytest.mark.fault
async def test_a_crash_loses_accepted_notifications_and_a_new_read_restores_the_state(
    served: Serve,
) -> None:
    """At most once: the docstring says so, and to read anew after a restart."""
    never = asyncio.Event()

    class Stuck(Receiver):
        async def take(self, event: PresenceEvent | Resync) -> None:
            await never.wait()

    receiver = Stuck()
    async with served(receiver) as caller:
        await receiver.__aenter__()
        assert (await caller.post(notification())).status == 200
        crash = asyncio.create_task(receiver.close())
        await idle()
        crash.cancel()
        with pytest.raises(asyncio.CancelledError):
            await crash
    assert receiver.seen == []
    assert "at most once" in " ".join((webhooks.__doc__ or "").split())


@pytest.mark.fault
@pytest.mark.parametrize("served", READING, indirect=True)
async def test_forged_and_malformed_calls_and_floods_lose_and_repeat_nothing(served: Serve) -> None:
    """500 posts at once: 3 s of CPU, answers under 1,024 bytes, each event once, none lost."""

    class Slow(Receiver):
        async def take(self, event: PresenceEvent | Resync) -> None:
            await asyncio.sleep(0)
            await super().take(event)
            if len(self.seen) % 50 == 0:
                raise RuntimeError("a callback that fails")

    body = json.dumps(notification("same")).encode()
    kind = "Content-Type: application/json"

    def good(number: int) -> bytes:
        told = json.dumps(notification(f"u-{number}")).encode()
        return head(kind, f"Content-Length: {len(told)}") + told

    calls = [
        *(good(number) for number in range(250)),
        *[head(kind, f"Content-Length: {len(body)}") + body] * 50,
        *[head(kind, f"Content-Length: {len(body)}", token="forged") + body] * 50,
        *[head(kind, f"Content-Length: {len(body)}", token=None) + body] * 50,
        *[head(kind, "Content-Length: 7") + b"garbage"] * 50,
        *[head(kind, f"Content-Length: {BIG}") + b"x" * 70_000] * 50,
    ]
    start = time.process_time()
    async with Slow() as receiver, served(receiver) as caller:
        answers = await asyncio.gather(*map(caller.raw, calls))
    # On a machine with nothing else to do, each is answered within this time.
    assert time.process_time() - start < 3
    statuses = [int(answer.split()[1]) for answer in answers]
    assert len(calls) == 500
    assert statuses == [200] * 300 + [401] * 100 + [400] * 50 + [413] * 50
    assert max(map(len, answers)) < 1024
    assert sorted(map(str, receiver.uuids)) == sorted(["same", *(f"u-{n}" for n in range(250))])


@pytest.mark.fault
async def test_a_failing_callback_is_logged_without_personal_data(
    served: Serve,
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Failing(Receiver):
        async def take(self, event: PresenceEvent | Resync) -> None:
            await super().take(event)
            raise ValueError(f"cannot handle {event}")

    async with Failing() as receiver, served(receiver) as caller:
        caplog.set_level(logging.DEBUG)
        body = {"extensionId": "700201", "message": "private words"}
        await caller.post(notification("u-1\n\x1b[31m", body=body))
        await caller.post(notification("u-2"))
    assert len(receiver.seen) == 2
    assert "private words" not in caplog.text
    assert "event u-1\\n\\x1b[31m: ValueError in take" in caplog.text
    assert "event u-2: ValueError" in caplog.text


async def test_leaving_refuses_new_calls_and_handles_accepted_notifications(served: Serve) -> None:
    go = asyncio.Event()

    class Stuck(Receiver):
        async def take(self, event: PresenceEvent | Resync) -> None:
            await go.wait()
            await super().take(event)

    receiver = Stuck()
    async with served(receiver) as caller:
        early = await caller.post(notification("early"))
        async with receiver:
            with pytest.raises(UsageError, match="already open"):
                await receiver.__aenter__()
            for number in range(5):
                await caller.post(notification(f"u-{number}"))
            closers = [asyncio.create_task(receiver.close()) for _ in range(3)]
            await idle()
            late = await caller.post(notification("late"))
            assert not any(closer.done() for closer in closers)
            go.set()
            await asyncio.gather(*closers)
        await receiver.close()
        assert (early.status, late.status) == (503, 503)
        assert late.headers["Retry-After"]
        assert receiver.uuids == [f"u-{number}" for number in range(5)]
        async with receiver:  # and once more
            assert (await caller.post(notification("late"))).status == 200
    assert receiver.uuids[-1] == "late"


async def test_a_cancelled_close_leaves_no_task(served: Serve) -> None:
    before = asyncio.all_tasks()
    entered, never = asyncio.Event(), asyncio.Event()

    class Stuck(Receiver):
        async def take(self, event: PresenceEvent | Resync) -> None:
            entered.set()
            await never.wait()

    receiver = Stuck()
    async with served(receiver) as caller:
        await receiver.__aenter__()
        await caller.post(notification())
        await entered.wait()
        first, second = (asyncio.create_task(receiver.close()) for _ in range(2))
        await idle()
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        await second
    assert asyncio.all_tasks() == before


@pytest.mark.fault
async def test_the_callback_may_call_the_session_and_the_receiver(
    sandbox: Sandbox, served: Serve
) -> None:
    class Reading(Receiver):
        async def take(self, event: PresenceEvent | Resync) -> None:
            await session.read_user_presence_status()
            if len(self.seen) < 5:
                answer = await caller.post(notification(f"u-{len(self.seen) + 2}"))
                assert answer.status == 200
            await super().take(event)

    async with (
        PresenceSession(sandbox.grant, server=sandbox.url, concurrency=1) as session,
        Reading() as receiver,
        served(receiver) as caller,
    ):
        await caller.post(notification())
        await until(lambda: len(receiver.seen) == 6)
    assert receiver.uuids == [f"u-{number}" for number in range(1, 7)]


@pytest.mark.fault
async def test_the_callback_may_close_the_receiver(served: Serve) -> None:
    class Closing(Receiver):
        async def take(self, event: PresenceEvent | Resync) -> None:
            await super().take(event)
            await self.close()

    async with Closing() as receiver, served(receiver) as caller:
        assert (await caller.post(notification())).status == 200
        await idle()
        assert (await caller.post(notification("u-2"))).status == 503
    assert receiver.uuids == ["u-1"]


async def test_a_cancellation_of_something_the_callback_waits_for_is_a_failure_like_others(
    served: Serve,
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Cancelled(Receiver):
        async def take(self, event: PresenceEvent | Resync) -> None:
            self.taken = getattr(self, "taken", 0) + 1
            raise asyncio.CancelledError

    receiver = Cancelled()
    async with served(receiver) as caller:
        await receiver.__aenter__()
        await caller.post(notification())
        await idle()
        assert (await caller.post(notification("u-2"))).status == 200
        await receiver.close()
    assert receiver.taken == 2
    assert "callback failed" in caplog.text


@pytest.mark.parametrize(
    "token", ["", "a b", "a\nb", "schlüssel", "x" * 257, [], ["good", ""], 5, [5], b"bytes"]
)
def test_a_token_that_cannot_be_sent_is_refused(token: Any) -> None:
    with pytest.raises(UsageError, match="verification_token must be") as raised:
        Receiver(token)
    assert "good" not in str(raised.value)


def test_a_generated_token_is_random_and_never_shown() -> None:
    made = {verification.VerificationTokens(None).first for _ in range(10)}
    assert len(made) == 10
    assert min(map(len, made)) >= 43  # 256 bits in base64
    receiver = Receiver()
    for shown in (repr(receiver), repr(vars(receiver)), str(receiver._tokens)):
        assert TOKEN not in shown
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(receiver._tokens)


@pytest.mark.parametrize("size", [0, -1, True, "5", 1.5])
def test_queue_size_must_be_a_positive_int(size: Any) -> None:
    with pytest.raises(UsageError, match="queue_size"):
        Receiver(queue_size=size)


@pytest.mark.parametrize("seconds", [0, -1, True, "5", float("nan")])
def test_handshake_seconds_must_be_a_positive_number(seconds: Any) -> None:
    with pytest.raises(UsageError, match="seconds must be"):
        Receiver().expect_handshake(seconds)


@pytest.mark.parametrize("name", ["WebhookReceiver", "WebhookSubscription"])
def test_every_public_name_is_documented(name: str) -> None:
    thing = getattr(webhooks, name)
    assert name in webhooks.__all__
    assert {n for n, f in vars(thing).items() if n[0] != "_" and not inspect.getdoc(f)} == set()


def test_the_callback_must_be_callable() -> None:
    with pytest.raises(UsageError, match="callback"):
        WebhookReceiver(None)  # type: ignore[arg-type]
