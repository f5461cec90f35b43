import asyncio
import gzip
import socket
import tracemalloc
from collections.abc import AsyncIterator, Callable
from contextlib import closing, suppress
from functools import cache
from typing import Any

import aiohttp
import pytest

from aiopresence import (
    ApiError,
    ConnectionFailed,
    DecodeError,
    InvalidRequest,
    NotFound,
    PresenceError,
    PresenceSession,
    RateLimited,
    ServerError,
    Timeout,
    UsageError,
)
from aiopresence.protocol.rest import MAX_BODY
from aiopresence.sandbox import (
    Answer,
    Change,
    Delay,
    Drip,
    Gzip,
    Hang,
    Raw,
    Reset,
    Sandbox,
    Slice,
    Truncate,
)
from tests.support.raw_server import RawServer, response, serving
from tests.support.sessions import Replies, Session
from tests.support.virtual import block, virtual, virtual_sandbox, virtual_session

PRESENCE = "/presence"
CUT_GZIP = gzip.compress(b'{"presenceStatus":"Busy"}', mtime=0)[:-12]


@pytest.mark.fault
@pytest.mark.parametrize("fault", [Reset(), Raw(b""), Raw(b"HTTP/1.1 200 OK\r\nContent-Le")])
async def test_a_connection_that_breaks(
    sandbox: Sandbox, session: PresenceSession, fault: Any
) -> None:
    rule = sandbox.faults.add(fault, path=PRESENCE, times=None)
    with pytest.raises(ConnectionFailed, match=r"connection to 127\.0\.0\.1:\d+ lost"):
        await session.read_user_presence_status()
    assert rule.fired >= 1


@pytest.mark.fault
@pytest.mark.parametrize(
    "data",
    [
        b"garbage\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
        b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 99999 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nBad Header\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Encoding: gzip\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%b"
        % (len(CUT_GZIP), CUT_GZIP),
        b"HTTP/1.1 100 Continue\r\n\r\n" * 1000,
        pytest.param(
            b"HTTP/1.1 200 OK\r\nX: %b\r\nContent-Length: 2\r\n\r\n{}" % (b"x" * 9000),
            id="a header of 9,000 bytes",
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\n%bContent-Length: 2\r\n\r\n{}" % (b"X: y\r\n" * 40_000),
            id="40,000 headers",
        ),
    ],
)
async def test_an_answer_that_is_no_http(
    sandbox: Sandbox, session: PresenceSession, data: bytes
) -> None:
    rule = sandbox.faults.add(Raw(data), path=PRESENCE, times=None)
    with pytest.raises(PresenceError) as caught:
        await session.read_user_presence_status()
    assert isinstance(caught.value, (ConnectionFailed, DecodeError))
    assert caught.value.__context__ is caught.value.__cause__ is None
    assert rule.fired >= 1


@pytest.mark.fault
async def test_a_surplus_answer_is_never_anothers(
    sandbox: Sandbox, session: PresenceSession
) -> None:
    canary = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
    rule = sandbox.faults.add(Raw(canary + canary), path=PRESENCE)
    await session.read_user_presence_status()
    record = await session.read_user_presence_status()
    assert record.extension is not None
    assert rule.fired == 1


@pytest.mark.fault
async def test_nobody_listens() -> None:
    async with Sandbox() as sandbox:
        server = sandbox.url
    async with Session("token", server=server) as session:
        with pytest.raises(ConnectionFailed, match="cannot connect to 127"):
            await session.read_user_presence_status()


@pytest.mark.fault
async def test_a_host_that_does_not_exist() -> None:
    async with Session("token", server="https://presence.invalid") as session:
        with pytest.raises(
            ConnectionFailed, match=r"cannot connect to presence\.invalid"
        ) as caught:
            await session.read_user_presence_status()
        assert not caught.value.sent
        assert session.stats.retries == 3
        assert session.limits["Light"].remaining == session.limits["Light"].limit


@pytest.mark.fault
@virtual
async def test_a_server_that_accepts_no_connection_is_a_timeout() -> None:
    """The queue of a listening socket is full, as on a server that hangs."""
    with socket.socket() as listening, socket.socket() as first, socket.socket() as second:
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        for waiting in (first, second):
            waiting.setblocking(False)
            waiting.connect_ex(listening.getsockname())
        host, port = listening.getsockname()
        async with PresenceSession("token", server=f"http://{host}:{port}", attempts=2) as session:
            began = asyncio.get_running_loop().time()
            with pytest.raises(Timeout, match="within 30 s"):
                await session.read_user_presence_status()
            assert 60.0 < asyncio.get_running_loop().time() - began < 63.0
            assert session.stats.retries == 1


@pytest.mark.fault
async def test_plain_http_where_tls_is_expected(sandbox: Sandbox) -> None:
    server = sandbox.url.replace("http:", "https:")
    async with Session("token", server=server) as session:
        with pytest.raises(ConnectionFailed):
            await session.read_user_presence_status()
    assert sandbox.requests == []


@pytest.mark.fault
@pytest.mark.parametrize("fault", [Hang(), Delay(60)])
async def test_the_timeout_covers_the_wait(sandbox: Sandbox, fault: Any) -> None:
    async with Session(sandbox.grant, server=sandbox.url, timeout=0.4, attempts=1) as session:
        rule = sandbox.faults.add(fault, path=PRESENCE)
        with pytest.raises(Timeout, match=r"no complete response from .* within 0\.4 s"):
            await session.read_user_presence_status()
        assert rule.fired == 1


@pytest.mark.fault
@virtual
async def test_the_timeout_covers_a_body_that_arrives_byte_by_byte() -> None:
    async with virtual_sandbox() as sandbox, virtual_session(sandbox, attempts=1) as session:
        await session.read_user_presence_status()
        rule = sandbox.faults.add(Drip(1.0), path=PRESENCE)
        began = asyncio.get_running_loop().time()
        with pytest.raises(Timeout):
            await session.read_user_presence_status()
        assert asyncio.get_running_loop().time() - began == pytest.approx(30.0, abs=0.05)
        assert rule.fired == 1


@pytest.mark.fault
@virtual
async def test_a_read_that_was_answered_while_the_event_loop_was_blocked_is_sent_again() -> None:
    async def answer(raw: RawServer, writer: asyncio.StreamWriter) -> None:
        writer.write(response(b"{}"))
        if len(raw.requests) == 1:
            block(40.0)

    async with serving(answer) as raw, PresenceSession("t", server=raw.url) as session:
        await session.read_user_presence_status()
        assert len(raw.requests) == session.stats.requests == 2
        assert session.stats.retries == 1


@pytest.mark.fault
@virtual
async def test_after_a_peer_that_vanished_a_read_is_sent_on_a_new_connection() -> None:
    async def answer_once(raw: RawServer, writer: asyncio.StreamWriter) -> None:
        if raw.requests.count(raw.requests[0]) != 2:  # To the second request there is silence.
            writer.write(response(b"{}"))

    async with serving(answer_once) as raw, PresenceSession("t", server=raw.url) as session:
        await session.read_user_presence_status()
        began = asyncio.get_running_loop().time()
        await session.read_user_presence_status()
        assert 31.0 <= asyncio.get_running_loop().time() - began <= 32.1
        assert (len(raw.requests), len(raw.writers)) == (3, 2)
        assert session.stats.retries == 1


@pytest.mark.fault
async def test_a_timeout_of_the_callers_own_stays_its_own(
    sandbox: Sandbox, session: PresenceSession
) -> None:
    rule = sandbox.faults.add(Hang(), path=PRESENCE)
    with pytest.raises(TimeoutError) as caught:
        async with asyncio.timeout(0.05):
            await session.read_user_presence_status()
    assert not isinstance(caught.value, PresenceError)
    assert rule.fired == 1
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0
    assert (await session.read_user_presence_status()).extension is not None


@pytest.mark.fault
@pytest.mark.parametrize("fault", [Slice(), Change(headers={"Content-Type": "APPLICATION/JSON"})])
async def test_odd_but_right_answers(
    sandbox: Sandbox, session: PresenceSession, fault: Any
) -> None:
    expected = await session.read_user_presence_status()
    rule = sandbox.faults.add(fault, path=PRESENCE)
    assert await session.read_user_presence_status() == expected
    assert rule.fired == 1


@pytest.mark.fault
async def test_a_batch_in_segments_of_one_byte_is_read_like_any_other(
    sandbox: Sandbox, session: PresenceSession
) -> None:
    ids = sandbox.extension_ids[:5]
    expected = await session.read_user_presence_statuses(ids)
    rule = sandbox.faults.add(Slice(), path=",")
    assert (await session.read_user_presence_statuses(ids)).values == expected.values
    assert rule.fired == 1


@pytest.mark.fault
@pytest.mark.parametrize("declared", [True, False])
async def test_every_cut_of_a_batch_is_an_error_in_the_right_outcomes(
    sandbox: Sandbox, session: PresenceSession, declared: bool
) -> None:
    ids = sandbox.extension_ids[:30]
    sizes: list[int] = []

    def measured(body: bytes) -> bytes:
        sizes.append(len(body))
        return body

    rule = sandbox.faults.add(Change(measured), path=PRESENCE)
    whole = await session.read_user_presence_statuses(ids)
    assert rule.fired == 1
    # The body begins with a summary of all parts.
    cuts = [*range(0, sizes[0], sizes[0] // 40), *range(sizes[0] - 60, sizes[0], 7)]
    read = []
    for cut in cuts:
        rule = sandbox.faults.add(Truncate(cut, declared=declared), path=PRESENCE, times=None)
        cut_short = await session.read_user_presence_statuses(ids)
        assert [o.id for o in cut_short] == list(ids)
        for outcome, full in zip(cut_short, whole, strict=True):
            assert outcome.value in (None, full.value)
            assert outcome.ok or isinstance(outcome.error, (DecodeError, ConnectionFailed))
        read.append(len(cut_short.values))
        assert rule.fired >= 1
        sandbox.faults.clear()
    if declared:
        assert set(read) == {0}
    else:
        # The more has arrived, the more is read, and never all without the end.
        assert read == sorted(read)
        assert len({*read}) > 20


@pytest.mark.fault
async def test_an_answer_larger_than_the_bound_is_refused(
    sandbox: Sandbox, session: PresenceSession
) -> None:
    large = Answer(200, b" " * (MAX_BODY + 1), {"Content-Type": "application/json"})
    rule = sandbox.faults.add(large, path=PRESENCE)
    with pytest.raises(DecodeError, match="exceeds 4194304 bytes"):
        await session.read_user_presence_status()
    assert rule.fired == 1


@pytest.mark.fault
async def test_a_bomb_is_refused_before_it_unfolds(
    sandbox: Sandbox, session: PresenceSession
) -> None:
    await session.read_user_presence_status()
    rule = sandbox.faults.add(Gzip(40_000_000), path=PRESENCE)
    tracemalloc.start()
    try:
        await session.read_user_presence_status()
    except DecodeError as error:  # `pytest.raises` searches its frames for secrets.
        _, peak = tracemalloc.get_traced_memory()
        refusal = str(error)
    finally:
        tracemalloc.stop()
    assert "exceeds 4194304 bytes" in refusal
    assert rule.fired == 1
    assert peak < 5 * MAX_BODY


async def test_compressed_answers_are_read(sandbox: Sandbox, session: PresenceSession) -> None:
    expected = await session.read_user_presence_status()
    zipped = Change(gzip.compress, headers={"Content-Encoding": "gzip"})
    rule = sandbox.faults.add(zipped, path=PRESENCE)
    assert await session.read_user_presence_status() == expected
    assert rule.fired == 1


@cache
def bomb() -> bytes:
    """Return a few bytes of gzip that unfold to 99 MB."""
    return gzip.compress(b" " * 99_000_000, 1)


STATUSES = [(400, InvalidRequest), (404, NotFound), (429, RateLimited), (503, ServerError)]


@pytest.mark.fault
@pytest.mark.parametrize(("status", "kind"), STATUSES)
@pytest.mark.parametrize(
    ("headers", "body"),
    [
        (b"Content-Length: 100", b"cut"),
        (b"Content-Length: 3\r\nContent-Encoding: gzip", b"abc"),
        (b"Content-Encoding: gzip\r\nConnection: close", b"bomb"),
        (b"Content-Length: 2\r\nContent-Type: text/html; charset=utf-99", b"\xff\xfe"),
        (b"Content-Length: 99999999", b"x" * 5_000_000),
        (b"Content-Length: 0", b""),
    ],
)
async def test_a_status_of_400_or_more_is_that_error_whatever_can_be_read_of_its_body(
    sandbox: Sandbox,
    session: PresenceSession,
    status: int,
    kind: type[ApiError],
    headers: bytes,
    body: bytes,
) -> None:
    body = bomb() if body == b"bomb" else body
    data = b"HTTP/1.1 %d X\r\n%b\r\n\r\n%b" % (status, headers, body)
    rule = sandbox.faults.add(Raw(data), path=PRESENCE, times=2)
    result = await session.read_user_presence_statuses(sandbox.extension_ids[:2])
    assert {type(o.error) for o in result} == {kind}
    assert rule.fired == 1
    with pytest.raises(kind):
        await session.read_account_presence()


@virtual
async def test_an_error_whose_body_never_ends_is_that_error() -> None:
    class Stall:
        async def apply(self, exchange: Any) -> None:
            exchange.write(b"HTTP/1.1 404 X\r\nContent-Length: 100\r\n\r\n{")
            await exchange.pause(None)

    async with virtual_sandbox() as sandbox, virtual_session(sandbox) as session:
        rule = sandbox.faults.add(Stall(), path=PRESENCE)
        with pytest.raises(NotFound):
            await session.read_user_presence_status()
        assert rule.fired == 1


@pytest.mark.parametrize("body", [b'{"errorCode":"CMN-102"}', b'{"errors":[{"message":"no"}]}'])
async def test_an_error_under_a_successful_status_is_no_record(
    sandbox: Sandbox, session: PresenceSession, body: bytes
) -> None:
    rule = sandbox.faults.add(Answer(200, body), path="presence", times=None)
    for call in (
        session.read_account_presence,
        lambda: session.read_call_queue_presence("1"),
        session.read_unified_presence,
        session.read_user_presence_status,
        lambda: anext(session.iter_account_presence()),
    ):
        with pytest.raises(DecodeError, match="the status and the body contradict each other"):
            await call()
    assert rule.fired == 5


class StaleConnection:
    """A server that takes one request per connection and drops the next, as a proxy might."""

    def __init__(self, body: bytes) -> None:
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
        self.reply = head.encode() + b"\r\n\r\n" + body
        self.lines: list[bytes] = []

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # Until 3.11.7, asyncio keeps the connection open when this raises.
        with closing(writer.transport), suppress(asyncio.IncompleteReadError):
            await self._read_request(reader)
            writer.write(self.reply)
            await self._read_request(reader)
            writer.transport.abort()

    async def _read_request(self, reader: asyncio.StreamReader) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        self.lines.append(head.split(b"\r\n")[0])
        for line in head.lower().split(b"\r\n"):
            if line.startswith(b"content-length:"):
                await reader.readexactly(int(line.split(b":")[1]))


@pytest.fixture
async def stale() -> AsyncIterator[tuple[StaleConnection, PresenceSession]]:
    connection = StaleConnection(b"{}")
    server = await asyncio.start_server(connection, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, Session("t", server=f"http://127.0.0.1:{port}") as session:
        yield connection, session


@pytest.mark.fault
async def test_aiohttps_own_repetition_of_a_read_is_counted(
    stale: tuple[StaleConnection, PresenceSession],
) -> None:
    connection, session = stale
    await session.read_user_presence_status()
    await session.read_user_presence_status()
    assert len(connection.lines) == 3
    assert session.stats.requests == 3


@pytest.mark.fault
async def test_a_write_is_never_repeated_by_itself(
    stale: tuple[StaleConnection, PresenceSession],
) -> None:
    connection, session = stale
    await session.read_user_presence_status()
    with pytest.raises(ConnectionFailed, match="a write may have been applied"):
        await session.update_user_presence_status({"message": "once"})
    assert [line.split()[0] for line in connection.lines] == [b"GET", b"PUT"]


async def test_an_aiohttp_session_of_the_users_own_is_used_and_left_open(
    sandbox: Sandbox,
) -> None:
    seen: list[str] = []

    async def middleware(
        request: aiohttp.ClientRequest,
        handler: Callable[[aiohttp.ClientRequest], Any],
    ) -> aiohttp.ClientResponse:
        seen.append(request.method)
        response: aiohttp.ClientResponse = await handler(request)
        return response

    async with aiohttp.ClientSession(
        "https://elsewhere.example",
        middlewares=(middleware,),
        raise_for_status=True,
        timeout=aiohttp.ClientTimeout(total=1e-9),
    ) as http:
        async with Session(sandbox.grant, server=sandbox.url, http=http) as session:
            await session.read_user_presence_status()
            with pytest.raises(ApiError):
                await session.read_user_presence_status(1)
        assert not http.closed
        assert seen == ["POST", "GET", "GET"]
    with pytest.raises(UsageError, match="not open"):
        await session.read_user_presence_status()


async def test_a_middleware_that_fails_after_sending_is_no_usage_error(sandbox: Sandbox) -> None:
    async def middleware(
        request: aiohttp.ClientRequest, handler: Callable[[aiohttp.ClientRequest], Any]
    ) -> aiohttp.ClientResponse:
        await handler(request)
        raise ValueError("canary")

    async with (
        aiohttp.ClientSession(middlewares=(middleware,)) as http,
        Session("token", server=sandbox.url, http=http, attempts=1) as session,
    ):
        with pytest.raises(ConnectionFailed) as caught:
            await session.read_user_presence_status()
        assert caught.value.sent
        assert session.limits["Light"].remaining == 49


async def test_an_aiohttp_session_with_credentials_of_its_own_does_not_fit(
    sandbox: Sandbox,
) -> None:
    with pytest.warns(DeprecationWarning, match="auth"):
        http = aiohttp.ClientSession(auth=aiohttp.BasicAuth("user", "canary"))
    async with http, PresenceSession("token", server=sandbox.url, http=http) as session:
        with pytest.raises(UsageError, match="cannot send this") as caught:
            await session.read_user_presence_status()
        assert "canary" not in str(caught.value)


async def test_single_odd_answers(replies: Replies) -> None:
    url = "https://platform.ringcentral.com/restapi/v1.0/account/~/extension/~/presence"
    replies.get(url, status=520, body="<html>", content_type="text/html")
    replies.get(url, exception=aiohttp.ServerDisconnectedError())
    replies.get(url, timeout=True)
    replies.get(url, body="{}", headers={"X-Rate-Limit-Group": "light"})
    async with Session("token", attempts=1) as session:
        with pytest.raises(ApiError, match="HTTP 520"):
            await session.read_user_presence_status()
        with pytest.raises(ConnectionFailed):
            await session.read_user_presence_status()
        with pytest.raises(Timeout):
            await session.read_user_presence_status()
        await session.read_user_presence_status()
        assert list(session.limits) == ["Light"]
