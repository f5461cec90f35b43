"""Details of RingCentral that only the independent server has, and its error codes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest

from aiopresence import (
    AuthError,
    AuthorizationCodeGrant,
    InvalidRequest,
    JwtGrant,
    PermissionDenied,
    PresenceEvent,
    PresenceEventBody,
    PresenceLineEventBody,
    PresenceSession,
    RefreshTokenGrant,
    Resync,
    filters,
)
from aiopresence.webhooks import WebhookReceiver
from tests.support.independent import IndependentServer
from tests.support.sessions import PLENTY
from tests.support.webhook_calls import served

REDIRECT, VERIFIER = "https://app.example/callback", "v" * 43


@pytest.fixture
async def server() -> AsyncIterator[IndependentServer]:
    async with IndependentServer(30, limits=PLENTY) as server:
        yield server
        assert server.violations == []
        assert server.quotas.over == {}


def jwt_grant(server: IndependentServer, jwt: str = "") -> JwtGrant:
    return JwtGrant(server.client_id, server.client_secret, jwt or server.jwt)


@pytest.fixture
async def session(server: IndependentServer) -> AsyncIterator[PresenceSession]:
    async with PresenceSession(jwt_grant(server), server=server.url) as session:
        yield session


@pytest.mark.parametrize(
    ("wrong", "code", "advice"),
    [
        ("foreign JWT", "OAU-222", "issued for another one"),
        ("unknown JWT", "OAU-250", "enable this auth flow"),
        ("secret", "OAU-146", "check the client id and the client secret"),
        ("grant type", "OAU-251", "enable this auth flow"),
        ("refresh token", "OAU-213", "log in again"),
        ("verifier", "OAU-110", "start the login in the browser again"),
    ],
)
async def test_a_refused_login_says_what_to_do(
    server: IndependentServer, wrong: str, code: str, advice: str
) -> None:
    oauth = server.oauth
    public = oauth.public_client_id
    browser_code = oauth.new_code(REDIRECT, "another challenge", public)
    grants: dict[str, JwtGrant | RefreshTokenGrant | AuthorizationCodeGrant] = {
        "foreign JWT": jwt_grant(server, oauth.foreign_jwt),
        "unknown JWT": jwt_grant(server, "unknown"),
        "secret": JwtGrant(server.client_id, "wrong", server.jwt),
        "grant type": jwt_grant(server),
        "refresh token": RefreshTokenGrant(server.client_id, server.client_secret, "unknown"),
        "verifier": AuthorizationCodeGrant(public, None, browser_code, REDIRECT, VERIFIER),
    }
    if wrong == "grant type":
        oauth.grant_types.clear()
    async with PresenceSession(grants[wrong], server=server.url) as session:
        with pytest.raises(AuthError, match=advice) as caught:
            await session.read_user_presence_status()
    assert (caught.value.error_code, caught.value.final) == (code, True)


async def test_a_login_without_refresh_tokens_is_repeated(
    server: IndependentServer, session: PresenceSession
) -> None:
    server.oauth.refresh_tokens = False
    for _ in range(3):
        await session.read_user_presence_status()
        await asyncio.sleep(3600)
    assert (server.oauth.logins, server.oauth.refreshes) == (3, 0)
    assert {each.status for each in server.requests} == {200}


async def test_lines_favorites_and_details_are_followed(
    server: IndependentServer, session: PresenceSession
) -> None:
    one, two = server.user_ids[1:3]
    wanted = [
        filters.extension_lines(one),
        filters.extension_presence(two, detailed=True, sip_data=True),
        filters.extension_presence(two),
    ]
    async with aclosing(session.events(wanted)) as events:
        first = asyncio.ensure_future(anext(events))
        await asyncio.sleep(5)
        server.set_presence(one, telephony_status="Ringing")
        server.set_presence(two, telephony_status="Ringing")
        server.set_presence(one, telephony_status="NoCall")
        line, call, last = await first, await anext(events), await anext(events)
    assert isinstance(line, PresenceEvent)
    assert isinstance(line.body, PresenceLineEventBody)
    assert isinstance(call, PresenceEvent)
    assert isinstance(call.body, PresenceEventBody)
    assert call.body.active_calls is not None
    assert call.body.active_calls[0].sip_data is not None
    assert isinstance(last, PresenceEvent)  # and no second event for the plain filter
    assert isinstance(last.body, PresenceLineEventBody)


async def test_a_board_obeys_the_timeouts_of_a_connection(
    server: IndependentServer, session: PresenceSession
) -> None:
    server.gateway.idle_timeout, server.gateway.absolute_timeout = 60.0, 600.0
    async with session.board() as board:
        await board.wait_ready()
        await asyncio.sleep(550)
        assert server.gateway.opened == 1  # it was not idle
        for status in ("Busy", "Offline", "Available"):
            await asyncio.sleep(500)
            server.set_presence(server.user_ids[1], user_status=status)
            await asyncio.sleep(10)
            assert board[server.user_ids[1]].user_status == status
    assert server.gateway.opened >= 3


async def test_an_unknown_session_is_a_resync(
    server: IndependentServer, session: PresenceSession
) -> None:
    async with aclosing(session.events()) as events:
        first = asyncio.ensure_future(anext(events))
        await asyncio.sleep(5)
        server.set_presence(server.user_ids[1], user_status="Busy")
        await first
        server.gateway.sessions.clear()
        server.drop_connections(polite=True)
        assert isinstance(await anext(events), Resync)


@pytest.mark.parametrize("header", ["Verification-Token", "Validation-Token"])
async def test_the_token_of_a_webhook_comes_in_either_header(
    server: IndependentServer, session: PresenceSession, header: str
) -> None:
    seen: list[PresenceEvent | Resync] = []

    async def take(event: PresenceEvent | Resync) -> None:
        seen.append(event)

    receiver = WebhookReceiver(take)
    server.webhooks.token_header = header
    async with receiver, served(receiver.handler) as caller:
        async with receiver.subscribe(session, caller.url):
            server.set_presence(server.user_ids[1], user_status="Busy")
            await server.webhooks.delivered()
        await receiver.close()
    assert len(seen) == 1


async def test_subscriptions_are_refused_with_their_reasons(
    server: IndependentServer, session: PresenceSession
) -> None:
    async def ignore(event: PresenceEvent | Resync) -> None: ...

    receiver = WebhookReceiver(ignore)
    async with receiver, served(receiver.handler) as caller:
        with pytest.raises(InvalidRequest) as caught:
            async with receiver.subscribe(session, "http://127.0.0.1:9/hook"):
                pass
        assert caught.value.error_code == "SUB-525"
        wrong = [filters.extension_presence("999")]
        with pytest.raises(InvalidRequest) as caught:
            async with receiver.subscribe(session, caller.url, wrong):
                pass
        assert caught.value.error_code == "SUB-508"
        server.permissions.remove("ReadAccounts")
        with pytest.raises(PermissionDenied):
            async with receiver.subscribe(session, caller.url):
                pass


async def test_ids_of_the_account_do_as_well_as_tildes(server: IndependentServer) -> None:
    async with PresenceSession(
        jwt_grant(server), server=server.url, account_id=server.account.id
    ) as session:
        assert not (await session.read_user_presence_statuses(server.extension_ids)).errors
        assert len(await session.read_directory()) == len(server.extension_ids)
        assert len([each async for each in session.iter_account_presence(per_page=10)]) == 33
