"""Requests with a token: rejected tokens, failed logins, and their revocation."""

import asyncio
from typing import Any

import pytest

from aiopresence import (
    AuthError,
    MemoryTokenStore,
    ServerError,
    UsageError,
)
from aiopresence.sandbox import Answer, Reset, Sandbox
from tests.support.logins import TOKEN, many, statuses
from tests.support.sessions import PLENTY, Session
from tests.support.virtual import virtual, virtual_sandbox, virtual_session
from tests.support.waiting import fired


@pytest.mark.fault
async def test_a_401_that_comes_late_triggers_no_second_refresh(
    sandbox: Sandbox, busy: Session
) -> None:
    class LateRejection:
        """Rejects the token, and says so when it has been replaced."""

        async def apply(self, exchange: Any) -> Any:
            while sandbox.counters.refreshes == 0:
                await asyncio.sleep(0)
            return exchange.real()

    await busy.read_user_presence_status()
    rule = sandbox.faults.add(LateRejection(), path="/presence")
    late = asyncio.create_task(busy.read_user_presence_status())
    await fired(rule)
    sandbox.expire_tokens()
    await busy.read_user_presence_status()
    await late
    assert sandbox.counters.refreshes == 1
    assert statuses(sandbox) == [200, 401, 401, 200, 200]


@pytest.mark.parametrize("body", [b"<html>", b"", b"{}", b'{"access_token": 5}', b"[1]"])
async def test_a_response_without_a_token_is_repeated_like_a_503(
    sandbox: Sandbox, patient: Session, body: bytes
) -> None:
    rule = sandbox.faults.add(Answer(200, body), path=TOKEN, times=3)
    await patient.read_user_presence_status()
    assert rule.fired == 3
    assert [w > 0.9 for w in patient.clock.waits] == [True] * 3


@virtual
async def test_a_token_that_is_due_after_each_wait_for_the_limits_is_sent_once_it_is_new() -> None:
    async with virtual_sandbox(limits={**PLENTY, "Light": 1}, token_lifetime=1.0) as sandbox:
        async with virtual_session(sandbox, limits={"Light": 1}) as session:
            for _ in range(3):
                await session.read_user_presence_status()
        assert sandbox.counters.token_requests <= 6


async def test_a_write_refused_for_its_token_is_sent_again(
    sandbox: Sandbox, patient: Session
) -> None:
    await patient.read_user_presence_status()
    sandbox.expire_tokens()
    record = await patient.update_user_presence_status({"message": "hi"})
    assert record.message == "hi"
    assert sandbox.counters.refreshes == 1


@pytest.mark.fault
async def test_while_the_token_endpoint_fails_nothing_else_is_sent(
    sandbox: Sandbox, patient: Session
) -> None:
    rules = [
        sandbox.faults.add(Answer(503, headers={"Retry-After": "7"}), path=TOKEN),
        sandbox.faults.add(Reset(), path=TOKEN),
        sandbox.faults.add(Answer(429, headers={"Retry-After": "5"}), path=TOKEN),
    ]
    assert await many(patient, 20) == 20
    assert [rule.fired for rule in rules] == [1, 1, 1]
    assert max(patient.clock.waits) >= 7.0
    last_failure = max(n for n, r in enumerate(sandbox.requests) if r.status != 200)
    assert all(TOKEN in r.path for r in sandbox.requests[: last_failure + 1])


async def test_revoking_with_a_shared_store_ends_the_login_that_is_in_it(sandbox: Sandbox) -> None:
    store = MemoryTokenStore()
    one = Session(sandbox.grant, server=sandbox.url, token_store=store)
    two = Session(sandbox.grant, server=sandbox.url, token_store=store)
    async with one, two:
        await one.read_user_presence_status()
        sandbox.expire_tokens()
        await two.read_user_presence_status()
        token = sandbox.requests[-1].token
        await one.revoke()
        async with Session(str(token), server=sandbox.url) as other:
            with pytest.raises(AuthError):
                await other.read_user_presence_status()


async def test_revoking_needs_an_open_session_and_forgets_nothing_without(
    sandbox: Sandbox,
) -> None:
    store = MemoryTokenStore()
    async with Session(sandbox.grant, server=sandbox.url, token_store=store) as session:
        await session.read_user_presence_status()
    with pytest.raises(UsageError, match="not open"):
        await session.revoke()
    assert len(store._tokens) == 1


async def test_revoking_ends_the_login_everywhere(sandbox: Sandbox) -> None:
    store = MemoryTokenStore()
    async with Session(sandbox.grant, server=sandbox.url, token_store=store) as session:
        await session.read_user_presence_status()
        token = sandbox.requests[-1].token
        await session.revoke()
        assert store._tokens == {}
        async with Session(str(token), server=sandbox.url) as other:
            with pytest.raises(AuthError):
                await other.read_user_presence_status()
        await session.read_user_presence_status()
        assert sandbox.counters.logins == 2


@pytest.mark.fault
async def test_revoking_what_fails_or_never_was_is_quiet(
    sandbox: Sandbox, patient: Session
) -> None:
    await patient.revoke()
    assert sandbox.requests == []
    await patient.read_user_presence_status()
    rule = sandbox.faults.add(Reset(), path="/oauth/revoke")
    await patient.revoke()
    assert rule.fired == 1
    assert sum("revoke" in r.path for r in sandbox.requests) == 1


async def test_a_login_that_fails_is_not_repeated_by_the_call(sandbox: Sandbox) -> None:
    down = sandbox.faults.add(Answer(503), path="/oauth/token", times=None)
    async with Session(sandbox.grant, server=sandbox.url) as session:
        with pytest.raises(ServerError):
            await session.read_user_presence_status()
    assert down.fired == 4
