"""Rate limits: no request is refused for them, by the ledger of the server."""

import asyncio
from collections.abc import Callable

import pytest

from aiopresence import PresenceSession, RateLimited
from tests.support.servers import AnyServer, most_in_a_window

MakeServer = Callable[..., AnyServer]


def now() -> float:
    return asyncio.get_running_loop().time()


async def test_bulk_reads_use_the_whole_quota_and_no_more(new_server: MakeServer) -> None:
    async with new_server(180, limits={"Light": 5, "Medium": 4}) as server:
        ids = server.extension_ids[:150]
        async with PresenceSession(server.grant, server=server.url) as session:
            await session.read_user_presence_status()
            started = now()
            for _ in range(4):  # 21 requests in five windows
                assert not (await session.read_user_presence_statuses(ids)).errors
            assert now() - started < 4 * 61
            assert not (await session.read_unified_presences(ids)).errors
        assert server.rate_limited == 0
        assert most_in_a_window(server.requests, "Light", 60.0) == 5
        assert most_in_a_window(server.requests, "Medium", 60.0) == 4


async def test_sessions_of_one_login_share_a_quota(new_server: MakeServer) -> None:
    async with new_server(60, limits={"Light": 6}) as server:
        sessions = [PresenceSession(server.grant, server=server.url) for _ in range(3)]
        async with sessions[0], sessions[1], sessions[2]:
            reads = (
                session.read_user_presence_status(id_)
                for session in sessions
                for id_ in server.user_ids[:6]
            )
            await asyncio.gather(*reads)
        assert (server.rate_limited, server.logins) == (0, 1)
        assert most_in_a_window(server.requests, "Light", 60.0) == 6


async def test_pages_wait_for_the_heavy_group(new_server: MakeServer) -> None:
    async with new_server(100, limits={"Heavy": 3}) as server:
        async with PresenceSession(server.grant, server=server.url) as session:
            count = len([each async for each in session.iter_account_presence(per_page=10)])
        assert count == len(server.extension_ids)
        assert server.rate_limited == 0
        assert most_in_a_window(server.requests, "Heavy", 60.0) == 3


async def test_a_429_stops_all_tasks_of_its_group(
    server: AnyServer, session: PresenceSession
) -> None:
    await session.read_user_presence_status()
    fired = server.fail("429", "/extension/")
    reads = (session.read_user_presence_status(id_) for id_ in server.user_ids[:40])
    await asyncio.gather(*reads)
    assert fired() == 1
    refused = next(each for each in server.requests if each.status == 429)
    later = [e.arrival - refused.arrival for e in server.requests if e.arrival > refused.arrival]
    # Those that were under way arrive at once; then nothing does for the time of Retry-After.
    assert not [each for each in later if 0.1 < each < 1.0]


async def test_a_session_that_may_not_wait_sends_nothing_over_the_limit(
    new_server: MakeServer,
) -> None:
    async with new_server(100, limits={"Light": 2}) as server:
        async with PresenceSession(server.grant, server=server.url, max_wait=0.0) as session:
            await session.read_user_presence_status()
            await session.read_user_presence_status()
            with pytest.raises(RateLimited) as caught:
                await session.read_user_presence_status()
        assert (caught.value.sent, server.rate_limited) == (False, 0)


async def test_another_program_on_the_same_quota_is_noticed(new_server: MakeServer) -> None:
    """The other program uses up what is left; the session waits when a response says so."""
    async with new_server(60, limits={"Light": 6}) as server:
        async with (
            PresenceSession(server.grant, server=server.url) as session,
            PresenceSession(server.grant, server=server.url) as other,
        ):
            await session.read_user_presence_status()
            token = str(await _token(server))
            async with PresenceSession(token, server=server.url) as stranger:
                for _ in range(4):
                    await stranger.read_user_presence_status()
            await session.read_user_presence_status()  # its response says that none is left
            started = now()
            await asyncio.gather(*(other.read_user_presence_status() for _ in range(4)))
        assert now() - started > 55
        assert server.rate_limited == 0


async def _token(server: AnyServer) -> str:
    tokens = [each.token for each in server.requests if each.group == "Light"]  # type: ignore[attr-defined]
    return str(tokens[-1])
