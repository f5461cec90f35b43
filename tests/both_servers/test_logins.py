"""Logins, renewals of tokens, and their ends."""

import asyncio
from urllib.parse import parse_qs, urlsplit

from aiopresence import AuthorizationCodeGrant, MemoryTokenStore, PresenceSession, authorize_url
from tests.support.servers import AnyServer

REDIRECT = "https://app.example/callback"
VERIFIER = "a-verifier-of-more-than-forty-three-characters-4711"


async def test_one_login_serves_all_requests(server: AnyServer, session: PresenceSession) -> None:
    reads = (session.read_user_presence_status(id_) for id_ in server.user_ids[:20])
    await asyncio.gather(*reads)
    assert (server.logins, server.count("/oauth/token")) == (1, 1)


async def test_a_token_is_renewed_before_it_expires(
    server: AnyServer, session: PresenceSession
) -> None:
    await session.read_user_presence_status()
    for _ in range(6):
        await asyncio.sleep(1800)
        await session.read_user_presence_status()
    assert server.logins == 1
    assert server.refreshes >= 2
    assert all(each.status == 200 for each in server.requests)


async def test_a_refused_token_is_renewed_once_for_all_tasks(
    server: AnyServer, session: PresenceSession
) -> None:
    await session.read_user_presence_status()
    server.expire_tokens()
    reads = (session.read_user_presence_status(id_) for id_ in server.user_ids[:20])
    await asyncio.gather(*reads)
    assert (server.logins, server.refreshes) == (1, 1)
    assert {each.status for each in server.requests} == {200, 401}


async def test_a_lost_answer_of_a_renewal_is_asked_for_again(
    server: AnyServer, session: PresenceSession
) -> None:
    await session.read_user_presence_status()
    fired = server.fail("lost_reply", "/oauth/token")
    server.expire_tokens()
    await session.read_user_presence_status()
    assert fired() == 1
    assert (server.logins, server.refreshes) == (1, 2)


async def test_the_session_that_a_sixth_login_ends_logs_in_again(server: AnyServer) -> None:
    sessions = [
        PresenceSession(server.grant, server=server.url, token_store=MemoryTokenStore())
        for _ in range(6)
    ]
    for each in sessions:
        async with each:
            await each.read_user_presence_status()
    async with PresenceSession(server.grant, server=server.url) as session:
        await session.read_user_presence_status()
        for _ in range(5):
            store = MemoryTokenStore()
            async with PresenceSession(server.grant, server=server.url, token_store=store) as other:
                await other.read_user_presence_status()
        await session.read_user_presence_status()
    assert server.logins == 13
    assert sum(each.status == 401 for each in server.requests) == 1


async def test_a_revoked_login_is_followed_by_a_new_one(
    server: AnyServer, session: PresenceSession
) -> None:
    await session.read_user_presence_status()
    await session.revoke()
    await session.read_user_presence_status()
    assert server.count("/oauth/revoke") == 1
    assert server.logins == 2
    assert all(each.status == 200 for each in server.requests)


async def test_a_public_client_logs_in_with_pkce(server: AnyServer) -> None:
    url = authorize_url(
        server.public_client_id, REDIRECT, server=server.url, state="s", code_verifier=VERIFIER
    )
    query = parse_qs(urlsplit(url).query)
    assert query["code_challenge_method"] == ["S256"]
    code = server.new_code(REDIRECT, query["code_challenge"][0])
    grant = AuthorizationCodeGrant(server.public_client_id, None, code, REDIRECT, VERIFIER)
    async with PresenceSession(grant, server=server.url) as session:
        await session.read_user_presence_status()
        await asyncio.sleep(3590)
        await session.read_user_presence_status()
    assert (server.logins, server.refreshes) == (1, 1)
