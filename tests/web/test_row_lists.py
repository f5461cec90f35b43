"""The list of all rows: slow readers of it, and what they cost. Stalls are in virtual time."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress

import aiohttp
import attrs
import orjson
import pytest
from aiohttp import web

from aiopresence import Availability
from aiopresence.web import app as dashboards, publisher as publishers
from aiopresence.web.readers import STALL
from aiopresence.web.row_lists import RowLists
from tests.support.dashboards import served
from tests.support.turns import Turns
from tests.support.virtual import virtual, virtual_sandbox, virtual_session

PART = b"x" * 50_000
COUNT = 200


@attrs.define
class Hub:
    """Lists that are served without a board.

    Attributes:
        lists: what writes them.
        port: the port.
        taken: how many parts were taken to be written.
    """

    lists: RowLists
    port: int = 0
    taken: int = 0

    def parts(self) -> Iterator[bytes]:
        for _ in range(COUNT):
            self.taken += 1
            yield PART


@asynccontextmanager
async def hub() -> AsyncIterator[Hub]:
    here = Hub(RowLists())

    async def handle(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await here.lists.write(request, response, here.parts())
        return response

    app = web.Application()
    app.router.add_get("/", handle)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    here.port = runner.addresses[0][1]
    try:
        yield here
    finally:
        here.lists.close()
        await runner.cleanup()


@asynccontextmanager
async def asked(hub: Hub) -> AsyncIterator[asyncio.StreamReader]:
    """Ask for a list, of which nothing is taken until something is read."""
    reader, writer = await asyncio.open_connection("127.0.0.1", hub.port, limit=1)
    writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    try:
        await reader.read(1)
        yield reader
    finally:
        writer.transport.abort()
        with suppress(OSError):
            await writer.wait_closed()


async def rest(reader: asyncio.StreamReader, pause: float = 0.0) -> bytes:
    """Read to the end of the connection."""
    parts = []
    with suppress(ConnectionResetError):
        while part := await reader.read(1 << 20):
            parts.append(part)
            await asyncio.sleep(pause)
    return b"".join(parts)


@virtual
async def test_a_reader_that_takes_nothing_costs_little_and_is_dropped() -> None:
    async with hub() as here, asked(here) as reader:
        await asyncio.sleep(STALL - 1)
        assert len(here.lists) == 1
        assert here.taken < COUNT / 4
        await asyncio.sleep(2)
        assert len(here.lists) == 0
        assert not (await rest(reader)).endswith(b"0\r\n\r\n")


@virtual
async def test_a_slow_reader_gets_everything() -> None:
    async with hub() as here, asked(here) as reader:
        body = await rest(reader, pause=STALL / 10)
        assert body.count(b"x") == COUNT * len(PART)
        assert body.endswith(b"0\r\n\r\n")


@virtual
async def test_other_tasks_run_between_the_parts() -> None:
    async with hub() as here, asked(here) as reader:
        with Turns(lambda: here.taken) as turns:
            await rest(reader)
        assert (here.taken, turns.most) == (COUNT, 1)


@virtual
async def test_a_reader_that_disconnects_is_forgotten() -> None:
    async with hub() as here:
        async with asked(here):
            assert len(here.lists) == 1
        while len(here.lists):
            await asyncio.sleep(0)
        assert here.taken < COUNT


@virtual
async def test_the_end_does_not_wait_for_readers() -> None:
    async with hub() as here, asked(here):
        here.lists.close()
        while len(here.lists):
            await asyncio.sleep(0)
        assert here.taken < COUNT


async def test_too_many_lists_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dashboards, "MAX_LISTS", 0)
    async with (
        served(1) as dashboard,
        aiohttp.ClientSession(dashboard.url) as client,
        client.get("presence") as response,
    ):
        assert response.status == 503
        assert (await response.json())["error"] == "too many lists are being read"


@virtual
async def test_a_row_is_written_as_it_is_by_then(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publishers, "MAX_ROWS", 7)
    async with (
        virtual_sandbox(20) as sandbox,
        virtual_session(sandbox) as session,
        session.board() as board,
    ):
        publisher = publishers.Publisher(board)
        assert b"".join(publisher.parts()) == b"[]"
        task = asyncio.create_task(publisher.run(board.changes()))
        await board.wait_ready()
        sandbox.set_presence(sandbox.user_ids[-1], user_status="Available")
        await asyncio.sleep(1)
        parts = publisher.parts()
        first = next(parts)
        for who in (sandbox.user_ids[0], sandbox.user_ids[-1]):
            sandbox.set_presence(who, user_status="Offline", telephony_status="NoCall")
        await asyncio.sleep(1)
        others = [*parts]
        assert (len(others), others[-1]) == (3, b"]")
        assert first.count(b'"id"') == 7
        rows = orjson.loads(first + b"".join(others))
        assert [row["id"] for row in rows] == [*board]
        assert rows[-1]["availability"] == Availability.OFFLINE != rows[0]["availability"]
        task.cancel()
        await asyncio.wait([task])
