"""Which errors users get for which responses."""

from collections.abc import Callable

import pytest

from aiopresence import (
    AuthError,
    JwtGrant,
    NotFound,
    PermissionDenied,
    PresenceSession,
    ServerError,
)
from tests.support.servers import AnyServer, FaultKind


async def test_an_unknown_extension(server: AnyServer, session: PresenceSession) -> None:
    with pytest.raises(NotFound) as caught:
        await session.read_user_presence_status("404")
    error = caught.value
    assert (error.http_status, error.error_code, error.id) == (404, "CMN-102", "404")
    assert error.parameter_name == "extensionId"
    assert error.request_id


async def test_a_missing_permission(server: AnyServer, session: PresenceSession) -> None:
    server.forbid("ReadPresence")
    with pytest.raises(PermissionDenied) as caught:
        await session.read_user_presence_status()
    assert (caught.value.http_status, caught.value.error_code) == (403, "CMN-401")
    assert "ReadPresence" in str(caught.value)
    result = await session.read_user_presence_statuses(server.user_ids[:40])
    assert {type(each) for each in result.errors.values()} == {PermissionDenied}
    assert len(result.errors) == 40


async def test_an_unknown_account(server: AnyServer, session: PresenceSession) -> None:
    with pytest.raises((NotFound, PermissionDenied)):
        await session.read_user_presence_status(account_id="123")


async def test_a_queue_that_is_none(server: AnyServer, session: PresenceSession) -> None:
    with pytest.raises(NotFound):
        await session.read_call_queue_presence(server.user_ids[0])


@pytest.mark.parametrize("wrong", ["client_id", "client_secret", "jwt"])
async def test_wrong_credentials_are_final(server: AnyServer, wrong: str) -> None:
    right = {
        "client_id": server.real.client_id,
        "client_secret": server.real.client_secret,
        "jwt": server.real.jwt,
    }
    grant = JwtGrant(**{**right, wrong: "wrong"})
    async with PresenceSession(grant, server=server.url) as session:
        with pytest.raises(AuthError) as caught:
            await session.read_user_presence_status()
        assert caught.value.final
        assert (caught.value.error_code or "").startswith("OAU-")
    assert server.count("/oauth/token") == 1


async def test_a_refused_access_token_is_not_renewed_without_a_grant(server: AnyServer) -> None:
    async with PresenceSession("unknown-token", server=server.url) as session:
        with pytest.raises(AuthError):
            await session.read_user_presence_status()


@pytest.mark.parametrize("kind", ["500", "502", "503", "504"])
async def test_a_server_that_keeps_failing(
    server: AnyServer, session: PresenceSession, kind: FaultKind
) -> None:
    await session.read_user_presence_status()
    fired: Callable[[], int] = server.fail(kind, "/extension/", times=100)
    with pytest.raises(ServerError) as caught:
        await session.read_user_presence_status()
    assert caught.value.http_status == int(kind)
    assert fired() == 4
