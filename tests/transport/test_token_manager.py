import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest

from aiopresence import (
    AuthError,
    AuthorizationCodeGrant,
    ConnectionFailed,
    DecodeError,
    FileTokenStore,
    JwtGrant,
    MemoryTokenStore,
    PresenceError,
    RateLimited,
    RefreshTokenGrant,
    ServerError,
    Timeout,
    UsageError,
)
from aiopresence.protocol.oauth import challenge
from aiopresence.sandbox import Answer, Change, Delay, Fault, Hang, Reset, Sandbox, Truncate
from aiopresence.transport.token_store import Superseded
from tests.support.clocks import SkippingClock
from tests.support.logins import TOKEN, many, statuses
from tests.support.sessions import PLENTY, Session
from tests.support.virtual import virtual, virtual_sandbox, virtual_session
from tests.support.waiting import cpu_limit, fired


class LateForever:
    """Handles the request, but never responds."""

    async def apply(self, exchange: Any) -> None:
        exchange.real()
        await exchange.pause(None)


@pytest.mark.fault
async def test_200_tasks_start_on_an_expired_token_with_one_token_request(
    sandbox: Sandbox, busy: Session
) -> None:
    await busy.read_user_presence_status()
    busy.clock.skipped += 3600.0
    sandbox.expire_tokens()
    before = sandbox.counters.token_requests
    assert await many(busy, 200) == 200
    assert sandbox.counters.token_requests == before + 1
    assert statuses(sandbox).count(401) == 0


@pytest.mark.fault
async def test_200_tasks_in_flight_while_the_token_rotates(sandbox: Sandbox, busy: Session) -> None:
    await busy.read_user_presence_status()
    before = sandbox.counters.token_requests
    is_expired = asyncio.Event()

    class Held:
        async def apply(self, exchange: Any) -> Any:
            await is_expired.wait()
            return exchange.real()

    rule = sandbox.faults.add(Held(), path="/presence", times=200)
    tasks = [asyncio.create_task(many(busy, 1)) for _ in range(200)]
    await fired(rule, 200)
    sandbox.expire_tokens()
    is_expired.set()
    assert sum(await asyncio.gather(*tasks)) == 200
    assert sandbox.counters.token_requests == before + 1
    assert statuses(sandbox).count(401) == 200
    assert statuses(sandbox).count(200) == 201


@pytest.mark.fault
async def test_tokens_that_are_rejected_as_soon_as_they_are_issued(
    sandbox: Sandbox, patient: Session
) -> None:
    rule = sandbox.faults.add(Answer.error(401, "OAU-213", "No"), path="/presence", times=None)
    with pytest.raises(AuthError, match="OAU-213") as caught:
        await patient.read_user_presence_status()
    assert not caught.value.final
    assert rule.fired == sandbox.counters.token_requests == 4
    waits = [wait for wait in patient.clock.waits if wait > 0.1]
    assert [0.5 <= wait / 2**n <= 1.0 for n, wait in enumerate(waits)] == [True, True]
    sent = [r.token for r in sandbox.requests if r.group == "Light"]
    assert len({*sent}) == len(sent) == 4


@pytest.mark.fault
async def test_two_early_rejections_are_no_failure_and_logged_with_their_usual_reason(
    sandbox: Sandbox, patient: Session, caplog: pytest.LogCaptureFixture
) -> None:
    rejected = Answer.error(401, "OAU-213", "No")
    rule = sandbox.faults.add(rejected, path="/presence", times=2)
    await patient.read_user_presence_status()
    assert rule.fired == 2
    sandbox.expire_tokens()
    await patient.read_user_presence_status()
    assert statuses(sandbox) == [401, 401, 200, 401, 200]
    warnings = [r.getMessage() for r in caplog.records if r.levelname == "WARNING"]
    assert ["more than five logins of one user and app" in text for text in warnings] == [True] * 3


async def test_a_call_that_may_not_wait_fails_while_logins_are_held_back(sandbox: Sandbox) -> None:
    async with Session(sandbox.grant, server=sandbox.url, max_wait=0.1) as session:
        rule = sandbox.faults.add(Answer.error(401, "OAU-213", "No"), path="/presence", times=2)
        with pytest.raises(AuthError, match="OAU-213") as caught:
            await session.read_user_presence_status()
        assert rule.fired == 2
        assert not caught.value.final
        assert 0.4 < (caught.value.retry_after or 0.0) <= 1.0
        session.clock.skipped += 1.0
        await session.read_user_presence_status()


async def test_a_token_that_is_issued_again_after_its_rejection_is_never_sent(
    sandbox: Sandbox, patient: Session
) -> None:
    await patient.read_user_presence_status()
    old = sandbox.requests[-1].token
    sandbox.expire_tokens()

    def again(body: bytes) -> bytes:
        return json.dumps({**json.loads(body), "access_token": old}).encode()

    rule = sandbox.faults.add(Change(again), path=TOKEN, times=2)
    await patient.read_user_presence_status()
    assert rule.fired == 2
    assert [r.token for r in sandbox.requests if r.group == "Light"].count(old) == 2
    rule = sandbox.faults.add(Change(again), path=TOKEN, times=None)
    sandbox.expire_tokens()
    with pytest.raises(AuthError, match=r"issued again; .*try again later") as caught:
        await patient.read_user_presence_status()
    assert not caught.value.final
    assert rule.fired == 4
    sandbox.faults.clear()
    await patient.read_user_presence_status()
    assert [r.token for r in sandbox.requests if r.group == "Light"].count(old) == 2


async def test_a_server_that_starts_again_issues_the_token_of_before(tmp_path: Path) -> None:
    """Another sandbox on the same port has the same seed, and so the same first token."""
    store = FileTokenStore(tmp_path / "tokens.json")
    port = 0
    tokens = []
    for _ in range(2):
        async with Sandbox(limits=PLENTY, port=port) as sandbox:
            port = int(sandbox.url.rpartition(":")[2])
            async with Session(sandbox.grant, server=sandbox.url, token_store=store) as session:
                record = await session.read_user_presence_status()
                assert record.extension is not None
            tokens += [r.token for r in sandbox.requests if r.group == "Light"]
            issued = sandbox._state.oauth.logins._logins
            assert all(each.access.value != "***" for each in issued)
    assert tokens[0] == tokens[1]
    assert tokens[2] not in (tokens[0], None)


LOGIN_FAULTS: list[tuple[Fault, type[PresenceError]]] = [
    (Answer(503), ServerError),
    (Answer(502, b"<html>no</html>"), ServerError),
    (Reset(), ConnectionFailed),
    (Hang(), Timeout),
    (Answer(200, b"<html>please log in to this network</html>"), DecodeError),
    (Answer(200, b"[]"), DecodeError),
    (Answer(403, b"<html>firewall</html>"), AuthError),
    (Answer(404), AuthError),
    (Answer(204), AuthError),
    (Answer(429, headers={"Retry-After": "9"}), RateLimited),
]


@pytest.mark.fault
@virtual
@pytest.mark.parametrize(("fault", "kind"), LOGIN_FAULTS)
async def test_a_failed_login_is_the_error_of_the_call_and_the_next_one_logs_in(
    fault: Fault, kind: type[PresenceError]
) -> None:
    async with virtual_sandbox() as sandbox, virtual_session(sandbox, attempts=1) as session:
        await session.read_user_presence_status()
        sandbox.expire_tokens()
        # Twice: a refresh token that is refused is followed by the JWT.
        rule = sandbox.faults.add(fault, path=TOKEN, times=2)
        with pytest.raises(PresenceError) as caught:
            await session.read_user_presence_status()
        assert type(caught.value) is kind
        assert not getattr(caught.value, "final", False)
        assert rule.fired >= 1
        sandbox.faults.clear()
        await session.read_user_presence_status()
    assert statuses(sandbox) == [200, 401, 200]


@pytest.mark.fault
async def test_a_login_that_is_not_found_is_no_outcome_of_an_id(sandbox: Sandbox) -> None:
    rule = sandbox.faults.add(Answer(404), path=TOKEN, times=None)
    async with Session(sandbox.grant, server=sandbox.url) as session:
        with pytest.raises(AuthError, match="this is no answer to a login"):
            await session.read_user_presence_statuses(sandbox.user_ids)
    assert rule.fired == 1


@pytest.mark.fault
async def test_refused_credentials_are_final_and_a_newer_token_in_the_store_wins(
    sandbox: Sandbox,
) -> None:
    store = MemoryTokenStore()
    async with Session(sandbox.grant, server=sandbox.url, token_store=store) as session:
        await session.read_user_presence_status()
        sandbox.expire_tokens()
        rule = sandbox.faults.add(Answer.error(400, "OAU-250", "No"), path=TOKEN, times=None)
        for _ in range(3):
            with pytest.raises(AuthError, match=r"OAU-250.*developer console") as caught:
                await session.read_user_presence_status()
            assert caught.value.final
        assert rule.fired == 2  # The refresh token, and the JWT.
        sandbox.faults.clear()
        clock = session.clock
        other = MemoryTokenStore()
        async with Session(
            sandbox.grant, server=sandbox.url, token_store=other, clock=clock
        ) as another:
            await another.read_user_presence_status()
        store._tokens |= other._tokens
        before = sandbox.counters.token_requests
        await session.read_user_presence_status()
        assert sandbox.counters.token_requests == before


@pytest.mark.fault
async def test_short_lived_tokens_are_renewed_at_a_part_of_their_life() -> None:
    async with Sandbox(limits=PLENTY, token_lifetime=5.0) as sandbox:
        async with Session(sandbox.grant, server=sandbox.url) as session:
            for _ in range(10):
                await session.read_user_presence_status()
                session.clock.skipped += 4.1
                sandbox.expire_tokens()
        assert statuses(sandbox) == [200] * 10
        assert sandbox.counters.token_requests == 10


@pytest.mark.fault
@pytest.mark.parametrize("expires_in", [0, -1, "0", None, 1e-9])
async def test_a_token_that_says_it_has_expired_causes_no_loop_of_logins(
    sandbox: Sandbox, patient: Session, expires_in: object
) -> None:
    def change(body: bytes) -> bytes:
        return json.dumps({**json.loads(body), "expires_in": expires_in}).encode()

    sandbox.faults.add(Change(change), path=TOKEN, times=None)
    for _ in range(5):
        await patient.read_user_presence_status()
    assert sandbox.counters.token_requests == 1


async def test_sessions_with_one_login_share_the_token_one_after_the_other_too(
    sandbox: Sandbox,
) -> None:
    clock = SkippingClock()
    for _ in range(3):
        one = Session(sandbox.grant, server=sandbox.url, clock=clock)
        two = Session(sandbox.grant, server=sandbox.url, clock=clock, concurrency=1)
        async with one, two:
            await asyncio.gather(*map(many, (one, two), (5, 5)))
    assert sandbox.counters.token_requests == 1
    wrong = JwtGrant(sandbox.client_id, "wrong", sandbox.jwt)
    async with Session(wrong, server=sandbox.url, clock=clock) as session:
        with pytest.raises(AuthError):
            await session.read_user_presence_status()


async def test_a_session_that_closes_while_it_logs_in_fails_no_other(sandbox: Sandbox) -> None:
    clock = SkippingClock()
    rule = sandbox.faults.add(Hang(), path=TOKEN)
    one = Session(sandbox.grant, server=sandbox.url, clock=clock)
    async with Session(sandbox.grant, server=sandbox.url, clock=clock) as two:
        async with one:
            first = asyncio.create_task(one.read_user_presence_status())
            await fired(rule)
            others = [asyncio.create_task(two.read_user_presence_status()) for _ in range(5)]
            await asyncio.sleep(0)
        with pytest.raises(UsageError):
            await first
        records = await asyncio.gather(*others)
        assert all(record.extension is not None for record in records)
    assert rule.fired == 1
    assert sandbox.counters.logins == 1


async def test_renewal_goes_ahead_of_expiry_and_uses_the_refresh_token(
    sandbox: Sandbox, patient: Session
) -> None:
    await patient.read_user_presence_status()
    patient.clock.skipped += 3530.0
    await patient.read_user_presence_status()
    assert sandbox.counters.token_requests == 1
    patient.clock.skipped += 20.0
    await patient.read_user_presence_status()
    assert (sandbox.counters.logins, sandbox.counters.refreshes) == (1, 1)
    assert 401 not in statuses(sandbox)


@pytest.mark.fault
@pytest.mark.parametrize("refresh_tokens", [True, False])
async def test_without_a_refresh_token_the_jwt_logs_in_again(refresh_tokens: bool) -> None:
    async with (
        Sandbox(limits=PLENTY, refresh_tokens=refresh_tokens) as sandbox,
        Session(sandbox.grant, server=sandbox.url) as session,
    ):
        await session.read_user_presence_status()
        sandbox.expire_refresh_tokens()
        sandbox.expire_tokens()
        await session.read_user_presence_status()
        assert (sandbox.counters.logins, sandbox.counters.refreshes) == (2, 0)


@pytest.mark.fault
@virtual
@pytest.mark.parametrize("fault", [Reset(after_handling=True), Truncate(10), LateForever()])
async def test_a_lost_answer_to_a_refresh_is_asked_for_again(fault: Any) -> None:
    async with virtual_sandbox() as sandbox, virtual_session(sandbox) as session:
        await session.read_user_presence_status()
        sandbox.expire_tokens()
        rule = sandbox.faults.add(fault, path=TOKEN)
        await session.read_user_presence_status()
    assert rule.fired == 1
    assert sandbox.counters.logins == 1
    assert statuses(sandbox)[-1] == 200
    _, lost, again = (parse_qs(r.body.decode()) for r in sandbox.requests if TOKEN in r.path)
    assert lost["refresh_token"] == again["refresh_token"]


@pytest.mark.fault
async def test_who_is_cancelled_during_a_renewal_cancels_nobody_else(
    sandbox: Sandbox, patient: Session
) -> None:
    rule = sandbox.faults.add(Delay(0.05), path=TOKEN)
    tasks = [asyncio.create_task(patient.read_user_presence_status()) for _ in range(5)]
    await fired(rule)
    tasks[0].cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(results[0], asyncio.CancelledError)
    assert all(not isinstance(result, BaseException) for result in results[1:])
    assert sandbox.counters.token_requests == 1


@pytest.mark.fault
async def test_all_who_wait_get_the_same_failure_and_the_next_may_try(
    sandbox: Sandbox,
) -> None:
    async with Session(sandbox.grant, server=sandbox.url, attempts=1) as session:
        rule = sandbox.faults.add(Answer(503), path=TOKEN)
        calls = (session.read_user_presence_status() for _ in range(50))
        results = await asyncio.gather(*calls, return_exceptions=True)
        assert {type(result) for result in results} == {ServerError}
        assert rule.fired == 1
        await session.read_user_presence_status()
    assert statuses(sandbox) == [200]


async def test_a_refused_login_is_remembered_for_a_while(sandbox: Sandbox) -> None:
    wrong = JwtGrant(sandbox.client_id, sandbox.client_secret, "wrong")
    async with Session(wrong, server=sandbox.url) as session:
        for _ in range(5):
            with pytest.raises(AuthError, match="invalid_grant"):
                await session.read_user_presence_status()
        assert sandbox.counters.token_requests == 1
        session.clock.skipped += 31.0
        with pytest.raises(AuthError):
            await session.read_user_presence_status()
        assert sandbox.counters.token_requests == 2


@pytest.mark.parametrize("body", [b"", b"{}", b'{"access_token": "a b"}'])
async def test_an_answer_without_a_token_is_a_decode_error(sandbox: Sandbox, body: bytes) -> None:
    async with Session(sandbox.grant, server=sandbox.url, attempts=1) as session:
        rule = sandbox.faults.add(Change(lambda _: body), path=TOKEN)
        with pytest.raises(DecodeError):
            await session.read_user_presence_status()
        assert rule.fired == 1
        await session.read_user_presence_status()


async def test_an_authorization_code_with_pkce(sandbox: Sandbox) -> None:
    verifier, redirect = "v" * 43, "https://app.example/cb"
    code = sandbox.new_code(redirect, challenge(verifier))
    grant = AuthorizationCodeGrant(sandbox.client_id, None, code, redirect, verifier)
    async with Session(grant, server=sandbox.url) as session:
        await session.read_user_presence_status()
        sandbox.expire_tokens()
        await session.read_user_presence_status()
        assert (sandbox.counters.logins, sandbox.counters.refreshes) == (1, 1)
        sandbox.expire_tokens()
        sandbox.expire_refresh_tokens()
        with pytest.raises(AuthError):
            await session.read_user_presence_status()


async def test_a_refresh_token_goes_on_with_an_earlier_login(sandbox: Sandbox) -> None:
    store = MemoryTokenStore()
    async with Session(sandbox.grant, server=sandbox.url, token_store=store) as session:
        await session.read_user_presence_status()
    [stored] = store._tokens.values()
    grant = RefreshTokenGrant(sandbox.client_id, sandbox.client_secret, stored["refresh_token"])
    async with Session(grant, server=sandbox.url) as session:
        await session.read_user_presence_status()
        sandbox.expire_tokens()
        await session.read_user_presence_status()
    assert (sandbox.counters.logins, sandbox.counters.refreshes) == (1, 2)


@pytest.mark.fault
async def test_sessions_with_one_store_share_one_login(sandbox: Sandbox) -> None:
    store = MemoryTokenStore()

    async def read(_: int) -> None:
        async with Session(sandbox.grant, server=sandbox.url, token_store=store) as session:
            await session.read_user_presence_status()

    await asyncio.gather(*map(read, range(20)))
    assert sandbox.counters.token_requests == 1


@pytest.mark.fault
async def test_a_token_that_another_session_renewed_is_taken_over(sandbox: Sandbox) -> None:
    store = MemoryTokenStore()
    one = Session(sandbox.grant, server=sandbox.url, token_store=store)
    two = Session(sandbox.grant, server=sandbox.url, token_store=store)
    async with one, two:
        await one.read_user_presence_status()
        await two.read_user_presence_status()
        sandbox.expire_tokens()
        await one.read_user_presence_status()
        await two.read_user_presence_status()
    assert (sandbox.counters.logins, sandbox.counters.refreshes) == (1, 1)


@pytest.mark.fault
async def test_a_store_that_cannot_save_costs_no_answer(
    sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    class Full(MemoryTokenStore):
        async def save(self, key: str, token: dict[str, Any] | None) -> None:
            raise OSError(28, "No space")

    async with Session(sandbox.grant, server=sandbox.url, token_store=Full()) as session:
        await session.read_user_presence_status()
        await session.read_user_presence_status()
    assert "could not be saved: No space" in caplog.text
    assert sandbox.counters.logins == 1


PROCESS = """
import asyncio, sys
from aiopresence import FileTokenStore, JwtGrant, PresenceSession
async def main():
    grant = JwtGrant(*sys.argv[2:5])
    store = FileTokenStore(sys.argv[5])
    async with PresenceSession(grant, server=sys.argv[1], token_store=store) as session:
        print((await session.read_user_presence_status()).extension.id)
asyncio.run(main())
"""


@pytest.mark.fault
@virtual
async def test_a_store_that_saves_slowly_delays_only_who_waited_for_the_login() -> None:
    class Slow(MemoryTokenStore):
        async def save(self, key: str, token: dict[str, Any] | None) -> None:
            await asyncio.sleep(60)
            await super().save(key, token)

    async with (
        virtual_sandbox() as sandbox,
        virtual_session(sandbox, token_store=Slow()) as session,
    ):
        first = asyncio.create_task(session.read_user_presence_status())
        await asyncio.sleep(1)
        began = asyncio.get_running_loop().time()
        await session.read_user_presence_status()
        assert asyncio.get_running_loop().time() - began < 1.0
        assert not first.done()
        await first
        assert sandbox.counters.token_requests == 1


@pytest.mark.fault
@pytest.mark.parametrize("hours", [-1, 1])
async def test_a_stored_token_serves_whatever_the_wall_clock_says(
    sandbox: Sandbox, hours: int
) -> None:
    class Wrong(SkippingClock):
        def wall(self) -> float:
            return super().wall() + hours * 3600.0

    store = MemoryTokenStore()
    async with Session(sandbox.grant, server=sandbox.url, token_store=store) as session:
        await session.read_user_presence_status()
    async with Session(
        sandbox.grant, server=sandbox.url, token_store=store, clock=Wrong()
    ) as session:
        await session.read_user_presence_status()
        session.clock.skipped += 3600.0
        sandbox.expire_tokens()
        await session.read_user_presence_status()
    assert sandbox.counters.logins == 1
    # If it is behind, the token seems to be valid for an hour longer than it is.
    assert sandbox.counters.refreshes == (1 if hours < 0 else 2)
    assert statuses(sandbox) == [200, 200] + ([401, 200] if hours < 0 else [200])


async def test_processes_with_one_file_share_one_login(sandbox: Sandbox, tmp_path: Path) -> None:
    arguments = (sandbox.url, sandbox.client_id, sandbox.client_secret, sandbox.jwt)
    processes = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-c", PROCESS, *arguments, str(tmp_path / "tokens.json"),
            stdout=subprocess.PIPE,
        )
        for _ in range(3)
    ]  # fmt: skip
    outputs = [(await process.communicate())[0] for process in processes]
    assert outputs == [f"{sandbox.extension_ids[0]}\n".encode()] * 3
    assert sandbox.counters.token_requests == 1


@pytest.mark.fault
async def test_a_refresh_token_that_was_not_replaced_goes_on(sandbox: Sandbox) -> None:
    async with Session(sandbox.grant, server=sandbox.url) as session:
        await session.read_user_presence_status()

        def without(body: bytes) -> bytes:
            return body.replace(b"refresh_token", b"refresh_nothing")

        rule = sandbox.faults.add(Change(without), path=TOKEN)
        for _ in range(2):
            session.clock.skipped += 3600.0
            sandbox.expire_tokens()
            await session.read_user_presence_status()
        assert rule.fired == 1
    assert sandbox.counters.logins == 1
    assert sandbox.counters.refreshes > 1


@pytest.mark.fault
async def test_an_endpoint_that_refuses_every_token_causes_no_login_storm(
    sandbox: Sandbox, patient: Session
) -> None:
    sandbox.faults.add(Answer.error(401, "OAU-129", "No"), path="/presence", times=None)
    for _ in range(20):
        with pytest.raises(AuthError) as caught:
            await patient.read_user_presence_status()
        assert not caught.value.final
    # Each wait is half a minute to a minute in the end.
    assert patient.clock.skipped > 30.0 * (sandbox.counters.token_requests - 10)
    sent = [r.token for r in sandbox.requests if r.group == "Light"]
    assert len({*sent}) == len(sent)


@pytest.mark.fault
@pytest.mark.parametrize("max_wait", [None, 100.5, 99.0])
async def test_what_the_token_endpoint_asks_for_holds_for_the_next_calls(
    sandbox: Sandbox, max_wait: float | None
) -> None:
    async with Session(sandbox.grant, server=sandbox.url, attempts=1, max_wait=max_wait) as session:
        rule = sandbox.faults.add(Answer(503, headers={"Retry-After": "100"}), path=TOKEN)
        with pytest.raises(ServerError):
            await session.read_user_presence_status()
        if max_wait == 99.0:
            for _ in range(3):
                with pytest.raises(ServerError) as caught:
                    await session.read_user_presence_status()
                assert 99.0 < (caught.value.retry_after or 0.0) < 101.1
            assert rule.fired == sandbox.counters.token_requests == 1
            session.clock.skipped += 101.0
        await session.read_user_presence_status()
        assert session.clock.skipped > 99.0
        assert (rule.fired, sandbox.counters.token_requests) == (1, 2)


async def test_no_call_waits_for_years_for_a_login(sandbox: Sandbox, session: Session) -> None:
    rule = sandbox.faults.add(Answer(503, headers={"Retry-After": "99999999"}), path=TOKEN)
    for _ in range(2):
        with pytest.raises(ServerError) as caught:
            await session.read_user_presence_status()
        assert (caught.value.retry_after or 0.0) > 1e7
    assert rule.fired == 1


async def test_closing_never_revokes(sandbox: Sandbox, patient: Session) -> None:
    await patient.read_user_presence_status()
    await patient.close()
    assert not any("revoke" in r.path for r in sandbox.requests)


async def test_closing_during_a_login_ends_it(sandbox: Sandbox) -> None:
    session = Session(sandbox.grant, server=sandbox.url)
    async with session:
        rule = sandbox.faults.add(Hang(), path=TOKEN)
        task = asyncio.create_task(session.read_user_presence_status())
        await fired(rule)
    [result] = await asyncio.gather(task, return_exceptions=True)
    assert isinstance(result, UsageError)


@pytest.mark.fault
@pytest.mark.parametrize("steps", range(1, 60, 2))
async def test_cancelling_at_any_step_of_a_renewal_lets_the_next_through(
    sandbox: Sandbox, steps: int
) -> None:
    async with Session(sandbox.grant, server=sandbox.url, concurrency=1) as session:
        victim = asyncio.create_task(session.read_user_presence_status())
        other = asyncio.create_task(session.read_user_presence_status())
        for _ in range(steps):
            await asyncio.sleep(0)
        victim.cancel()
        assert (await other).extension is not None
        await asyncio.gather(victim, return_exceptions=True)
        assert (await session.read_user_presence_status()).extension is not None
        limiter: Any = session._limiter
        assert all(group.in_flight == 0 for group in limiter._limits._groups.by_name.values())
    assert sandbox.counters.token_requests == 1


class ExpiringStore(MemoryTokenStore):
    """A store whose lock is lost in mid-login, `losses` times, to `winner`."""

    def __init__(self, losses: int, winner: Callable[[], Awaitable[None]]) -> None:
        super().__init__()
        self.losses = losses
        self.winner = winner
        self.refused = 0

    async def lose(self) -> bool:
        if not self.losses:
            return False
        self.losses -= 1
        await self.winner()
        return True


class LostBeforeTheRequest(ExpiringStore):
    @asynccontextmanager
    async def lock(self, key: str) -> AsyncIterator["LostBeforeTheRequest"]:
        async with super().lock(key):
            yield self

    async def is_held(self) -> bool:
        return not await self.lose()


class LostBeforeTheSave(ExpiringStore):
    async def save(self, key: str, token: dict[str, Any] | None) -> None:
        if await self.lose():
            self.refused += 1
            raise Superseded
        await super().save(key, token)


def logins(sandbox: Sandbox) -> int:
    return len(sandbox._state.oauth.logins._logins)


async def other_process(sandbox: Sandbox, store: MemoryTokenStore) -> None:
    """Log in, or refresh, as a process that gets the lock after the first one lost it."""
    other = MemoryTokenStore()
    other._tokens = dict(store._tokens)
    async with Session(sandbox.grant, server=sandbox.url, token_store=other) as session:
        await session.read_user_presence_status()
    store._tokens = other._tokens


@pytest.mark.fault
async def test_a_lock_that_is_lost_before_the_request_costs_no_login(sandbox: Sandbox) -> None:
    store = LostBeforeTheRequest(1, lambda: other_process(sandbox, store))
    async with Session(sandbox.grant, server=sandbox.url, token_store=store) as session:
        await session.read_user_presence_status()
        assert session.limits["Auth"].remaining == session.limits["Auth"].limit
    assert store.losses == 0
    assert sandbox.counters.token_requests == logins(sandbox) == 1
    assert len({r.token for r in sandbox.requests if r.group == "Light"}) == 1


@pytest.mark.fault
async def test_a_login_that_comes_too_late_is_revoked_and_the_newer_token_used(
    sandbox: Sandbox,
) -> None:
    store = LostBeforeTheSave(1, lambda: other_process(sandbox, store))
    async with Session(sandbox.grant, server=sandbox.url, token_store=store) as session:
        await session.read_user_presence_status()
        [stored] = store._tokens.values()
    assert logins(sandbox) == 1
    assert (store.refused, sandbox.counters.logins) == (1, 2)
    sent = {r.token for r in sandbox.requests if r.group == "Light"}
    assert sent == {stored["access_token"]}
    assert statuses(sandbox) == [200, 200]


@pytest.mark.fault
async def test_a_refresh_that_comes_too_late_is_not_revoked(sandbox: Sandbox) -> None:
    store = LostBeforeTheSave(0, lambda: other_process(sandbox, store))
    async with Session(sandbox.grant, server=sandbox.url, token_store=store) as session:
        await session.read_user_presence_status()
        sandbox.expire_tokens()
        store.losses = 1
        await session.read_user_presence_status()
        await session.read_user_presence_status()
    assert store.refused == 1
    assert (sandbox.counters.logins, logins(sandbox)) == (1, 1)
    assert not any("revoke" in request.path for request in sandbox.requests)


@pytest.mark.fault
@pytest.mark.parametrize("kind", [LostBeforeTheRequest, LostBeforeTheSave])
async def test_a_lock_that_is_lost_each_time_stops_no_call(
    sandbox: Sandbox, kind: type[ExpiringStore]
) -> None:
    async def nobody() -> None:
        pass

    store = kind(1_000, nobody)
    async with Session(sandbox.grant, server=sandbox.url, token_store=store) as session:
        await session.read_user_presence_status()
    assert store.losses == 1_000 - (3 if kind is LostBeforeTheRequest else 4)


async def test_a_deletion_that_is_refused_is_repeated(sandbox: Sandbox) -> None:
    store = LostBeforeTheSave(0, lambda: other_process(sandbox, store))
    async with Session(sandbox.grant, server=sandbox.url, token_store=store) as session:
        await session.read_user_presence_status()
        store.losses = 1
        await session.revoke()
    assert store.refused == 1
    assert store._tokens == {}
    assert logins(sandbox) == 0


async def test_a_session_that_closes_while_it_revokes_a_late_login(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aiopresence.transport.token_manager.REVOCATION_WAIT", 0.05)
    store = LostBeforeTheSave(1, lambda: other_process(sandbox, store))
    rule = sandbox.faults.add(Hang(), path="/oauth/revoke")
    async with Session(sandbox.grant, server=sandbox.url, token_store=store) as session:
        await session.read_user_presence_status()
        await fired(rule)
    assert [task for task in asyncio.all_tasks() if "AuthorizedSender" in repr(task)] == []


@virtual
async def test_calls_that_begin_while_another_session_closes_log_in_themselves() -> None:
    async with (
        virtual_sandbox() as sandbox,
        virtual_session(sandbox) as other,
        virtual_session(sandbox) as closing,
    ):
        hang = sandbox.faults.add(Hang(), path=TOKEN)

        async def call(steps: int) -> None:
            for _ in range(steps):
                await asyncio.sleep(0)
            await other.read_user_presence_status()

        waiting = asyncio.create_task(closing.read_user_presence_status())
        await fired(hang)
        end = asyncio.create_task(closing.close())
        # Some run right after the login was cancelled, in the same turn of the event loop.
        with cpu_limit(5.0):
            await asyncio.gather(*(call(steps) for steps in range(30)), end)
        with pytest.raises((PresenceError, UsageError)):
            await waiting


@virtual
async def test_no_login_is_started_through_a_session_that_closes() -> None:
    class Busy(MemoryTokenStore):
        """The lock is held by another process."""

        @asynccontextmanager
        async def lock(self, key: str) -> AsyncIterator[None]:
            await asyncio.sleep(60.0)
            yield

    async with (
        virtual_sandbox() as sandbox,
        virtual_session(sandbox, token_store=Busy()) as session,
    ):
        calls = [asyncio.create_task(session.read_user_presence_status())]
        await asyncio.sleep(1.0)
        closing = asyncio.create_task(session.close())
        while not closing.done():
            calls.append(asyncio.create_task(session.read_user_presence_status()))
            await asyncio.sleep(0)
        assert [task for task in asyncio.all_tasks() if "TokenManager" in repr(task)] == []
        results = await asyncio.gather(*calls, return_exceptions=True)
        assert {type(each) for each in results} == {UsageError}


@virtual
async def test_a_token_in_the_store_that_was_rejected_is_not_sent_by_the_next_session() -> None:
    store = MemoryTokenStore()
    async with virtual_sandbox() as sandbox:
        async with virtual_session(sandbox, token_store=store) as session:
            await session.read_user_presence_status()
            sandbox.expire_tokens()
            hang = sandbox.faults.add(Hang(), path=TOKEN)
            reading = asyncio.create_task(session.read_user_presence_status())
            await fired(hang)
        async with virtual_session(sandbox, token_store=store) as session:
            await session.read_user_presence_status()
        assert statuses(sandbox).count(401) == 1
        with pytest.raises((PresenceError, UsageError)):
            await reading
