"""The stream: resuming, slow readers, and what a reader costs. Stalls are in virtual time."""

import asyncio
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from itertools import pairwise

import attrs
import pytest
from aiohttp import web

from aiopresence.web import app as dashboards, readers as readers_module
from aiopresence.web.readers import STALL, Dropped, Readers
from tests.support.dashboards import served
from tests.support.sse import stream
from tests.support.turns import Turns
from tests.support.virtual import virtual

BIG = b'"' + b"x" * 100_000 + b'"'


@attrs.frozen
class Hub:
    """Readers that are served without a board."""

    readers: Readers
    url: str
    port: int


@asynccontextmanager
async def hub() -> AsyncIterator[Hub]:
    readers = Readers()

    async def handle(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await readers.serve(request, response, b"{}")
        return response

    app = web.Application()
    app.router.add_get("/", handle)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    port = runner.addresses[0][1]
    try:
        yield Hub(readers, f"http://127.0.0.1:{port}/", port)
    finally:
        readers.close()
        await runner.cleanup()


@asynccontextmanager
async def stalled(hub: Hub) -> AsyncIterator[asyncio.StreamReader]:
    """Connect a reader that takes nothing until it is asked to."""
    count = len(hub.readers)
    reader, writer = await asyncio.open_connection("127.0.0.1", hub.port)
    writer.transport.pause_reading()  # type: ignore[attr-defined] # of a socket's transport
    writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    try:
        while len(hub.readers) == count:
            await asyncio.sleep(0)
        yield reader
    finally:
        writer.transport.abort()
        with suppress(OSError):
            await writer.wait_closed()


async def is_cut(reader: asyncio.StreamReader) -> bool:
    """Take everything; return whether the connection ended before the response."""
    reader._transport.resume_reading()  # type: ignore[attr-defined]
    end = b""
    with suppress(ConnectionResetError):
        while part := await reader.read(1 << 20):
            end = (end + part)[-5:]
    return end != b"0\r\n\r\n"


async def turns(count: int = 200) -> None:
    """Let the readers write until their sockets take no more."""
    for _ in range(count):
        await asyncio.sleep(0)


@virtual
async def test_a_new_reader_is_told_to_read_everything() -> None:
    async with hub() as here, stream(here.url) as changes:
        assert [(await changes.next()).kind for _ in range(2)] == ["reset", "status"]
        here.readers.publish("changes", b"[1]", resumable=True)
        event = await changes.next()
        assert (event.kind, event.data) == ("changes", [1])


@virtual
async def test_a_reader_that_returns_gets_what_it_has_missed() -> None:
    async with hub() as here:
        async with stream(here.url) as changes:
            here.readers.publish("changes", b"[1]", resumable=True)
            await changes.until(lambda e: e.data == [1])
        for number in (b"[2]", b"[3]"):
            here.readers.publish("changes", number, resumable=True)
        async with stream(here.url, changes.last_id) as changes:
            events = await changes.until(lambda e: e.kind == "status")
        assert [each.data for each in events] == [[2], [3], {}]


@virtual
@pytest.mark.parametrize(
    "last_id", ["", "nonsense", "-1", "0-0", "{name}-", "{name}-x", "{name}-99", "{name}--1", "²-²"]
)
async def test_an_unknown_position_is_told_to_read_everything(last_id: str) -> None:
    async with hub() as here:
        here.readers.publish("changes", b"[1]", resumable=True)
        name = here.readers.log.id.partition("-")[0]
        async with stream(here.url, last_id.format(name=name)) as changes:
            assert (await changes.next()).kind == "reset"


@virtual
async def test_a_position_before_the_log_is_told_to_read_everything() -> None:
    async with hub() as here:
        first = here.readers.log.id
        for _ in range(50):
            here.readers.publish("changes", BIG, resumable=True)
        async with stream(here.url, first) as changes:
            assert (await changes.next()).kind == "reset"


@virtual
async def test_a_reader_that_takes_nothing_is_dropped_and_the_others_are_not() -> None:
    async with hub() as here, stream(here.url) as changes, stalled(here) as reader:
        for _ in range(200):
            here.readers.publish("changes", BIG, resumable=True)
            await changes.until(lambda e: e.kind == "changes")
        await here.readers.check()
        assert (here.readers.dropped, len(here.readers)) == ({}, 2)
        await asyncio.sleep(STALL + 1)
        await here.readers.check()
        assert here.readers.dropped == {Dropped.STALLED: 1}
        assert await is_cut(reader)
        assert len(here.readers) == 1


@virtual
async def test_a_reader_that_is_too_far_behind_is_dropped() -> None:
    async with hub() as here, stalled(here) as reader:
        for _ in range(200):
            here.readers.publish("changes", BIG, resumable=True)
            await turns(10)
        assert here.readers.dropped == {}
        assert await is_cut(reader)
        assert here.readers.dropped == {Dropped.BEHIND: 1}


@virtual
async def test_readers_that_take_nothing_cost_no_more_memory_with_each_frame() -> None:
    async with hub() as here, AsyncExitStack() as stack:
        for _ in range(10):
            await stack.enter_async_context(stalled(here))
        await _publish(here, 150)  # fills the log, the buffers and the sockets
        tracemalloc.start()
        await _publish(here, 400)
        grown, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert all(each.writing_since is not None for each in here.readers)
        # The frames in the log were replaced, which were allocated before.
        assert grown < 4_500_000


async def _publish(hub: Hub, count: int) -> None:
    for number in range(count):
        hub.readers.publish("changes", b"%d%b" % (number, BIG), resumable=True)
        await turns(10)


@virtual
async def test_other_tasks_run_while_many_readers_are_woken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(readers_module, "WAKE", 5)
    async with hub() as here, AsyncExitStack() as stack:
        streams = [await stack.enter_async_context(stream(here.url)) for _ in range(20)]
        for changes in streams:
            await changes.until(lambda e: e.kind == "status")
        before = here.readers.log.end

        def written() -> int:
            return sum(each.position - before for each in here.readers)

        with Turns(written) as turned:
            here.readers.publish("changes", b"[1]", resumable=True)
            await asyncio.sleep(0)
            here.readers.publish("changes", b"[2]", resumable=True)
            for changes in streams:
                assert [(await changes.next()).data for _ in range(2)] == [[1], [2]]
        assert 0 < turned.most <= 10  # two frames for each of five


@virtual
async def test_a_reader_that_disconnects_is_forgotten() -> None:
    async with hub() as here:
        async with stream(here.url) as changes:
            await changes.until(lambda e: e.kind == "status")
            assert len(here.readers) == 1
        while not next(iter(here.readers)).is_gone:
            await asyncio.sleep(0)
        await here.readers.check()
        while len(here.readers):
            await asyncio.sleep(0)


@virtual
async def test_the_end_does_not_wait_for_readers_that_take_nothing() -> None:
    async with hub() as here, stalled(here):
        await _publish(here, 150)
        before = asyncio.get_running_loop().time()
        here.readers.close()
        while len(here.readers):
            await asyncio.sleep(0)
        assert asyncio.get_running_loop().time() == before


async def test_too_many_readers_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dashboards, "MAX_READERS", 1)
    async with served(1) as dashboard:
        url = f"{dashboard.url}changes"
        async with stream(url) as changes:
            await changes.until(lambda e: e.kind == "status")
            with pytest.raises(AssertionError):
                async with stream(url):
                    pass
        async with stream(f"{dashboard.url}metrics") as answer:
            text = await answer.response.text()
    assert "aiopresence_readers_refused_total 1\n" in text


@virtual
async def test_the_status_is_sent_every_ten_seconds() -> None:
    async with served(1) as dashboard, stream(f"{dashboard.url}changes") as changes:
        await changes.until(lambda e: e.kind == "status")
        times = []
        for _ in range(3):
            await changes.until(lambda e: e.kind == "status")
            times.append(asyncio.get_running_loop().time())
    assert [round(b - a) for a, b in pairwise(times)] == [10, 10]
