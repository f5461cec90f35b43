"""Data that nobody has asked for: it is never taken for a response."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from aiopresence import PresenceSession
from tests.support.clocks import idle
from tests.support.raw_server import RawServer, response, serving
from tests.support.sessions import Session

GOOD = response(b'{"status":"Busy"}')
CANARY = response(b'{"status":"Canary"}')
OWN_POOL, USERS_POOL = "own", "users"


@asynccontextmanager
async def opened(raw: RawServer, pool: str) -> AsyncIterator[PresenceSession]:
    if pool == OWN_POOL:
        async with Session("t", server=raw.url) as session:
            yield session
    else:
        async with (
            aiohttp.ClientSession() as http,
            Session("t", server=raw.url, http=http) as session,
        ):
            yield session


async def answer(_: RawServer, writer: asyncio.StreamWriter) -> None:
    writer.write(GOOD)


async def status(session: PresenceSession) -> str:
    return str((await session.read_unified_presence()).status)


@pytest.mark.parametrize("pool", [OWN_POOL, USERS_POOL])
async def test_connections_are_reused_as_long_as_they_are_quiet(pool: str) -> None:
    async with serving(answer) as raw, opened(raw, pool) as session:
        for _ in range(5):
            assert await status(session) == "Busy"
            await idle()
        assert len(raw.writers) == 1
        assert session.stats.requests == 5


@pytest.mark.fault
@pytest.mark.parametrize("pool", [OWN_POOL, USERS_POOL])
@pytest.mark.parametrize("surplus", [CANARY, CANARY * 3, CANARY[:-5], b"garbage\r\n\r\n"])
@pytest.mark.parametrize("is_read", [True, False])
async def test_a_connection_on_which_data_arrived_while_idle_is_not_reused(
    pool: str, surplus: bytes, is_read: bool
) -> None:
    async with serving(answer) as raw, opened(raw, pool) as session:
        assert await status(session) == "Busy"
        raw.writers[0].write(surplus)
        if is_read:
            await idle()  # Otherwise it is still in the buffer of the operating system.
        assert await status(session) == "Busy"
        assert await status(session) == "Busy"
        assert len(raw.writers) == 2
        assert len(raw.requests) == session.stats.requests == 3


@pytest.mark.fault
@pytest.mark.parametrize("surplus", [b"\r\n", b"H", CANARY[:20]])
async def test_a_connection_of_our_own_is_not_reused_after_a_single_byte(surplus: bytes) -> None:
    async with serving(answer) as raw, opened(raw, OWN_POOL) as session:
        assert await status(session) == "Busy"
        raw.writers[0].write(surplus)
        assert await status(session) == "Busy"
        assert len(raw.writers) == 2
        assert len(raw.requests) == 2


@pytest.mark.fault
@pytest.mark.parametrize("pool", [OWN_POOL, USERS_POOL])
@pytest.mark.parametrize("first", range(1, len(GOOD) + 1, 7))
async def test_a_connection_with_two_responses_to_one_request_is_not_reused(
    pool: str, first: int
) -> None:
    async def answer_twice(raw: RawServer, writer: asyncio.StreamWriter) -> None:
        writer.write(GOOD[:first])
        await idle()
        writer.write(GOOD[first:] + (CANARY if len(raw.requests) == 1 else b""))

    async with serving(answer_twice) as raw, opened(raw, pool) as session:
        for _ in range(3):
            assert await status(session) == "Busy"
        assert len(raw.writers) == 2
        assert len(raw.requests) == 3


@pytest.mark.parametrize("pool", [OWN_POOL, USERS_POOL])
async def test_the_parts_of_aiohttp_that_have_no_public_name_are_there(pool: str) -> None:
    async with serving(answer) as raw, opened(raw, pool) as session:
        await status(session)
        client = session._requester._sender.http._client
        assert client is not None
        connector: Any = client.connector
        [[(connection, _)]] = connector._conns.values()
        assert connection.should_close is False
        assert {"_factory", "_acquired"} <= vars(connector).keys()
        assert {"_middlewares", "_default_proxy", "_default_proxy_auth"} <= vars(client).keys()
