"""An access token that the user gave."""

import pytest

from aiopresence import (
    AuthError,
)
from aiopresence.sandbox import Sandbox
from tests.support.sessions import Session


async def test_nothing_is_sent_with_an_access_token_that_was_refused_or_revoked(
    sandbox: Sandbox, patient: Session
) -> None:
    await patient.read_user_presence_status()
    token = str(sandbox.requests[-1].token)
    async with Session(token, server=sandbox.url) as session:
        await session.read_user_presence_status()
        await session.revoke()
        count = len(sandbox.requests)
        for _ in range(2):
            with pytest.raises(AuthError, match="revoked") as caught:
                await session.read_user_presence_status()
            assert caught.value.final
        assert len(sandbox.requests) == count
    sandbox.expire_tokens()
    async with Session(token, server=sandbox.url) as session:
        for _ in range(2):
            with pytest.raises(AuthError, match="OAU-128") as caught:
                await session.read_user_presence_status()
            assert caught.value.final
    assert len(sandbox.requests) == count + 1


async def test_a_refused_token_of_ones_own_is_not_tried_again(sandbox: Sandbox) -> None:
    async with Session("wrong", server=sandbox.url) as session:
        with pytest.raises(AuthError):
            await session.read_user_presence_status()
    assert len(sandbox.requests) == 1
