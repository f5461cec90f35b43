"""What each hook is called with, against the sandbox over real sockets in virtual time."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any
from uuid import UUID

import pytest

from aiopresence import (
    ConnectionChanged,
    ConnectionFailed,
    MemoryTokenStore,
    PresenceEvent,
    PresenceSession,
    RateLimited,
    RateLimitHit,
    RequestFinished,
    RequestSent,
    Resync,
    ResyncReason,
    RetryScheduled,
    ServerError,
    SessionHooks,
    Timeout,
    TokenObtained,
    UsageError,
    WaitEnded,
)
from aiopresence.sandbox import Answer, Change, Delay, Redirect, Reset, Sandbox
from tests.support.sessions import PLENTY
from tests.support.virtual import run, virtual, virtual_sandbox, virtual_session

TOKEN_PATH = "/restapi/oauth/token"
LATENCY = 0.125


def failing_part(id_: str, status: int) -> Change:
    """Return a fault that changes the part for one id of a batch response in JSON."""

    def change(body: bytes) -> bytes:
        parts = json.loads(body)
        for part in parts:
            if part["resourceId"] == id_:
                part["status"] = status
                part["body"] = {"errorCode": "CMN-999", "message": "failed"}
        return json.dumps(parts).encode()

    return Change(change)


def presence_path(sandbox: Sandbox, *ids: str) -> str:
    return f"/restapi/v1.0/account/~/extension/{','.join(ids)}/presence"


def about(seconds: float) -> Any:
    """Return what equals a number of seconds but for the delays of loopback."""
    return pytest.approx(seconds, abs=0.5)


class Recorder(SessionHooks):
    """Records what each hook is called with, in order."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, Any]] = []

    def of(self, name: str) -> list[Any]:
        return [argument for called, argument in self.calls if called == name]

    def clear(self) -> None:
        self.calls.clear()


def _recording(name: str) -> Any:
    def record(self: Recorder, argument: Any) -> None:
        self.calls.append((name, argument))

    return record


HOOKS = sorted(name for name in vars(SessionHooks) if name.startswith("on_"))
for _name in HOOKS:
    setattr(Recorder, _name, _recording(_name))


@asynccontextmanager
async def recorded(
    limits: dict[str, int] | None = None, **options: Any
) -> AsyncIterator[tuple[Sandbox, PresenceSession, Recorder]]:
    """Open a session that is logged in and has made one read, with nothing recorded of it."""
    hooks = Recorder()
    async with (
        virtual_sandbox(40, limits=limits or PLENTY, latency=LATENCY) as sandbox,
        virtual_session(sandbox, hooks=hooks, **options) as session,
    ):
        await session.read_user_presence_status()
        hooks.clear()
        yield sandbox, session, hooks


def test_the_hooks_are_those_that_are_documented() -> None:
    assert HOOKS == [
        "on_connection",
        "on_event",
        "on_rate_limited",
        "on_request",
        "on_response",
        "on_resync",
        "on_retry",
        "on_token",
        "on_wait",
    ]
    for name in HOOKS:
        assert getattr(SessionHooks(), name)(None) is None


@virtual
async def test_a_first_read_reports_the_login_and_the_request() -> None:
    hooks = Recorder()
    async with (
        virtual_sandbox(latency=LATENCY) as sandbox,
        virtual_session(sandbox, hooks=hooks) as session,
    ):
        await session.read_user_presence_status(sandbox.extension_ids[1])
        path = presence_path(sandbox, sandbox.extension_ids[1])
        login, read = hooks.of("on_response")
        assert hooks.calls == [
            ("on_request", RequestSent("POST", TOKEN_PATH, "Auth", 1)),
            ("on_response", login),
            ("on_token", TokenObtained("login", hooks.of("on_token")[0].due_in)),
            ("on_request", RequestSent("GET", path, "Light", 1)),
            ("on_response", read),
        ]
        assert login == RequestFinished(
            "POST", TOKEN_PATH, "Auth", 1, LATENCY, 200, login.request_id, None
        )
        assert read == RequestFinished("GET", path, "Light", 1, LATENCY, 200, read.request_id, None)
        assert UUID(login.request_id) != UUID(read.request_id)
        assert 3000 < hooks.of("on_token")[0].due_in < 3600
        assert read.endpoint == "/restapi/v1.0/account/*/extension/*/presence"
        assert session.stats.token_requests == session.stats.requests == 1


@virtual
async def test_a_batch_read_is_one_request_with_all_ids_in_its_path() -> None:
    async with recorded() as (sandbox, session, hooks):
        ids = sandbox.extension_ids[:30]
        await session.read_user_presence_statuses(ids)
        [sent], [finished] = hooks.of("on_request"), hooks.of("on_response")
        assert sent == RequestSent("GET", presence_path(sandbox, *ids), "Light", 1)
        assert (finished.status, finished.path, finished.seconds) == (207, sent.path, LATENCY)
        assert finished.endpoint == sent.endpoint == "/restapi/v1.0/account/*/extension/*/presence"


@virtual
async def test_a_retry_reports_its_attempt_its_delay_and_its_error() -> None:
    async with recorded() as (sandbox, session, hooks):
        sandbox.faults.add(Answer(503), path="/presence", times=2)
        await session.read_user_presence_status()
        first, second = hooks.of("on_retry")
        path = presence_path(sandbox, "~")
        assert first == RetryScheduled(2, first.seconds, first.error, path)
        assert second == RetryScheduled(3, second.seconds, second.error, path)
        assert isinstance(first.error, ServerError)
        assert first.error.http_status == 503
        assert 1.0 <= first.seconds <= 2.0 <= second.seconds <= 4.0
        assert [r.attempt for r in hooks.of("on_request")] == [1, 2, 3]
        assert [(r.attempt, r.status) for r in hooks.of("on_response")] == [
            (1, 503),
            (2, 503),
            (3, 200),
        ]
        assert hooks.of("on_wait") == [
            WaitEnded("retry", about(first.seconds)),
            WaitEnded("retry", about(second.seconds)),
        ]
        assert session.stats.retries == 2
        assert [name for name, _ in hooks.calls[:5]] == [
            *("on_request", "on_response", "on_retry", "on_wait", "on_request")
        ]


@virtual
async def test_ids_of_a_batch_that_are_requested_again_are_one_retry() -> None:
    async with recorded(batch_format="json") as (sandbox, session, hooks):
        ids = sandbox.extension_ids[:5]
        sandbox.faults.add(failing_part(ids[3], 500), path="/presence", times=1)
        await session.read_user_presence_statuses(ids)
        [retry] = hooks.of("on_retry")
        assert retry == RetryScheduled(2, retry.seconds, retry.error, None, ids=1)
        assert isinstance(retry.error, ServerError)
        assert [r.path for r in hooks.of("on_request")] == [
            presence_path(sandbox, *ids),
            presence_path(sandbox, ids[3]),
        ]


@virtual
async def test_a_429_reports_its_group_the_penalty_and_the_wait_for_it() -> None:
    async with recorded(limits={**PLENTY, "Light": 50}) as (sandbox, session, hooks):
        sandbox.consume("Light", 50)  # By another process.
        await session.read_user_presence_status()
        [hit] = hooks.of("on_rate_limited")
        refused, accepted = hooks.of("on_response")
        assert hit == RateLimitHit("Light", hit.seconds, refused.request_id)
        assert refused.request_id == hooks.of("on_retry")[0].error.request_id
        assert (refused.status, refused.group, accepted.status) == (429, "Light", 200)
        [retry] = hooks.of("on_retry")
        assert (retry.attempt, retry.seconds, type(retry.error)) == (2, 0.0, RateLimited)
        assert hooks.of("on_wait") == [WaitEnded("penalty", about(hit.seconds), "Light")]
        assert 30.0 < hit.seconds < 70.0
        assert [name for name, _ in hooks.calls] == [
            *("on_request", "on_response", "on_rate_limited", "on_retry"),
            *("on_wait", "on_request", "on_response"),
        ]
        assert session.stats.rate_limited == 1
        assert session.stats.seconds_waited == pytest.approx(hit.seconds)


@virtual
async def test_a_429_of_a_part_of_a_batch_is_reported_as_well() -> None:
    async with recorded(batch_format="json") as (sandbox, session, hooks):
        ids = sandbox.extension_ids[:5]
        sandbox.faults.add(failing_part(ids[3], 429), path="/presence", times=1)
        await session.read_user_presence_statuses(ids)
        [hit] = hooks.of("on_rate_limited")
        assert (hit.group, hit.request_id) == ("Light", hooks.of("on_response")[0].request_id)
        assert hit.seconds > 0
        assert session.stats.rate_limited == 0  # It counts whole responses.


@pytest.mark.fault
@virtual
async def test_a_refused_duplicate_is_a_429_that_blocks_nothing() -> None:
    async with recorded() as (sandbox, session, hooks):
        body = b'{"errorCode": "CMN-304", "message": "duplicate"}'
        sandbox.faults.add(Answer(429, body), path="/presence", times=1)
        await session.read_user_presence_status()
        assert [(hit.group, hit.seconds) for hit in hooks.of("on_rate_limited")] == [("Light", 0.0)]


@virtual
async def test_the_wait_of_the_first_request_in_the_queue_is_reported_with_its_group() -> None:
    async with recorded(limits={**PLENTY, "Light": 5}) as (_, session, hooks):
        began = asyncio.get_running_loop().time()
        await asyncio.gather(*(session.read_user_presence_status() for _ in range(6)))
        waits = hooks.of("on_wait")
        assert {(wait.reason, wait.group) for wait in waits} == {("rate_limit", "Light")}
        assert max(wait.seconds for wait in waits) == pytest.approx(60.0, abs=1.0)
        assert asyncio.get_running_loop().time() - began == pytest.approx(60.0, abs=1.0)
        assert session.stats.waits == len(waits)
        assert session.stats.seconds_waited == pytest.approx(sum(w.seconds for w in waits))


@virtual
async def test_a_wait_that_is_cancelled_is_reported_with_the_seconds_it_took() -> None:
    async with recorded(limits={**PLENTY, "Light": 1}) as (_, session, hooks):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(10.0):
                await session.read_user_presence_status()
        assert hooks.of("on_wait") == [WaitEnded("rate_limit", about(10.0), "Light")]
        assert hooks.of("on_request") == []


@virtual
async def test_each_redirect_is_a_request_of_the_same_attempt_without_its_path() -> None:
    async with recorded() as (sandbox, session, hooks):
        target = presence_path(sandbox, sandbox.extension_ids[2])
        sandbox.faults.add(Redirect(f"{target}?secret=x"), path="/presence", times=1)
        await session.read_user_presence_status()
        path = presence_path(sandbox, "~")
        assert hooks.of("on_request") == [
            RequestSent("GET", path, "Light", 1),
            RequestSent("GET", "(redirect)", "Light", 1),
        ]
        assert [(r.path, r.status) for r in hooks.of("on_response")] == [
            (path, 302),
            ("(redirect)", 200),
        ]


@virtual
async def test_the_pages_of_an_account_show_their_path() -> None:
    async with recorded() as (_, session, hooks):
        records = [each async for each in session.iter_account_presence(per_page=25)]
        assert len(records) == 40
        paths = [r.path for r in hooks.of("on_request")]
        assert paths == ["/restapi/v1.0/account/~/presence"] * 2


@virtual
async def test_a_rejected_token_is_renewed_and_both_requests_are_reported() -> None:
    async with recorded() as (sandbox, session, hooks):
        sandbox.expire_tokens()
        await session.read_user_presence_status()
        assert [(r.path, r.status) for r in hooks.of("on_response")] == [
            (presence_path(sandbox, "~"), 401),
            (TOKEN_PATH, 200),
            (presence_path(sandbox, "~"), 200),
        ]
        assert {r.attempt for r in hooks.of("on_request")} == {1}
        assert len(hooks.of("on_token")) == 1


@virtual
async def test_a_token_that_is_due_is_refreshed() -> None:
    async with recorded() as (_, session, hooks):
        await asyncio.sleep(3590.0)
        await session.read_user_presence_status()
        [token] = hooks.of("on_token")
        assert token == TokenObtained("refresh", token.due_in)


@virtual
async def test_of_two_sessions_of_a_login_the_one_that_logs_in_reports_the_token() -> None:
    one, two = Recorder(), Recorder()
    async with (
        virtual_sandbox(latency=LATENCY) as sandbox,
        virtual_session(sandbox, hooks=one) as first,
        virtual_session(sandbox, hooks=two) as second,
    ):
        await first.read_user_presence_status()
        await second.read_user_presence_status()
        assert [len(hooks.of("on_token")) for hooks in (one, two)] == [1, 0]
        assert [len(hooks.of("on_request")) for hooks in (one, two)] == [2, 1]


@virtual
async def test_of_two_sessions_of_a_login_the_one_that_waits_reports_the_wait() -> None:
    one, two = Recorder(), Recorder()
    async with (
        virtual_sandbox(limits={**PLENTY, "Light": 2}) as sandbox,
        virtual_session(sandbox, hooks=one) as first,
        virtual_session(sandbox, hooks=two) as second,
    ):
        for _ in range(2):
            await first.read_user_presence_status()
        await second.read_user_presence_status()
        assert one.of("on_wait") == []
        assert [(w.reason, w.group) for w in two.of("on_wait")] == [("rate_limit", "Light")]


@virtual
async def test_a_token_that_another_process_has_stored_is_reported_as_taken_from_the_store() -> (
    None
):
    store, hooks = MemoryTokenStore(), Recorder()
    async with virtual_sandbox() as sandbox:
        async with virtual_session(sandbox, token_store=store) as session:
            await session.read_user_presence_status()
        async with virtual_session(sandbox, token_store=store, hooks=hooks) as session:
            await session.read_user_presence_status()
        assert [token.source for token in hooks.of("on_token")] == ["store"]
        assert [r.method for r in hooks.of("on_request")] == ["GET"]


@virtual
async def test_logins_that_are_held_back_are_a_wait() -> None:
    async with recorded() as (sandbox, session, hooks):
        sandbox.expire_tokens()
        refusal = Answer(503, headers={"Retry-After": "20"})
        sandbox.faults.add(refusal, path="/oauth/token", times=1)
        await session.read_user_presence_status()
        assert [wait.reason for wait in hooks.of("on_wait")] == ["retry"]
        sandbox.expire_tokens()
        sandbox.faults.add(refusal, path="/oauth/token", times=4)
        with pytest.raises(ServerError):
            await session.read_user_presence_status()
        hooks.clear()
        await session.read_user_presence_status()
        assert hooks.of("on_wait") == [WaitEnded("login", about(20.0))]


@virtual
async def test_a_request_without_a_response_ends_with_its_error() -> None:
    async with recorded(attempts=1, timeout=5.0) as (sandbox, session, hooks):
        sandbox.faults.add(Reset(), path="/presence", times=1)
        with pytest.raises(ConnectionFailed) as failed:
            await session.read_user_presence_status()
        sandbox.faults.add(Delay(10.0), path="/presence", times=1)
        with pytest.raises(Timeout) as late:
            await session.read_user_presence_status()
        path = presence_path(sandbox, "~")
        broken, slow = hooks.of("on_response")
        assert broken == RequestFinished("GET", path, "Light", 1, LATENCY, None, None, failed.value)
        assert slow == RequestFinished("GET", path, "Light", 1, 5.0, None, None, late.value)
        assert len(hooks.of("on_request")) == 2


@virtual
async def test_a_cancelled_request_ends_with_the_cancellation() -> None:
    async with recorded() as (sandbox, session, hooks):
        sandbox.faults.add(Delay(10.0), path="/presence", times=1)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(2.0):
                await session.read_user_presence_status()
        [finished] = hooks.of("on_response")
        assert (finished.status, finished.seconds) == (None, pytest.approx(2.0))
        assert isinstance(finished.error, asyncio.CancelledError)


@pytest.mark.fault
@virtual
async def test_a_read_that_aiohttp_sends_again_is_two_requests_and_two_responses() -> None:
    async with recorded() as (sandbox, session, hooks):
        # The connection is kept alive, and closed at the next request before any byte.
        sandbox.faults.add(Reset(), path="/presence", times=1)
        await session.read_user_presence_status()
        assert len(hooks.of("on_request")) == len(hooks.of("on_response")) == 2
        assert [r.status for r in hooks.of("on_response")] == [None, 200]
        assert isinstance(hooks.of("on_response")[0].error, ConnectionFailed)


async def drain(session: PresenceSession, count: int) -> list[PresenceEvent | Resync]:
    items = []
    async with aclosing(session.events()) as events:
        async for item in events:
            items.append(item)
            if len(items) == count:
                break
    return items


@virtual
async def test_connections_events_and_gaps_are_reported() -> None:
    async with recorded() as (sandbox, session, hooks):
        following = asyncio.create_task(drain(session, 2))
        await asyncio.sleep(10.0)
        assert hooks.of("on_connection") == [ConnectionChanged(is_open=True)]
        sandbox.set_presence(sandbox.user_ids[1], user_status="Busy")
        await asyncio.sleep(10.0)
        sandbox.gateway.fail_recovery(None)
        sandbox.gateway.cut()
        event, resync = await following
        assert hooks.of("on_event") == [event]
        assert isinstance(event, PresenceEvent)
        assert hooks.of("on_resync") == [resync]
        assert isinstance(resync, Resync)
        assert resync.reason is ResyncReason.CONNECTION_LOST
        opened, lost, again, ended = hooks.of("on_connection")
        assert opened == again == ConnectionChanged(is_open=True)
        assert lost == ConnectionChanged(is_open=False, reason=lost.reason, seconds=about(20.0))
        assert lost.reason
        assert not ended.is_open
        assert [w.reason for w in hooks.of("on_wait")] == ["reconnect"] * len(hooks.of("on_wait"))
        stats = session.stats
        assert (stats.connections, stats.events, stats.resyncs) == (2, 1, 1)


@virtual
async def test_the_delay_before_a_reconnection_is_a_wait() -> None:
    async with recorded() as (sandbox, session, hooks):
        following = asyncio.create_task(drain(session, 1))
        await asyncio.sleep(10.0)
        for _ in range(3):
            sandbox.gateway.cut()
            await asyncio.sleep(1.0)
        await asyncio.sleep(30.0)
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        waits = [wait for wait in hooks.of("on_wait") if wait.reason == "reconnect"]
        assert waits
        assert all(wait.seconds > 0 and wait.group is None for wait in waits)


class Failing(SessionHooks):
    """Raises from every hook."""

    def __init__(self, error: BaseException) -> None:
        self.error = error
        self.calls = 0


def _failing(self: Failing, _: Any) -> None:
    self.calls += 1
    raise self.error


for _name in HOOKS:
    setattr(Failing, _name, _failing)


@pytest.mark.fault
@pytest.mark.parametrize(
    "error", [ValueError("broken"), asyncio.CancelledError("not you"), GeneratorExit()]
)
def test_an_exception_in_a_hook_is_logged_once_and_changes_nothing(
    error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    async def story() -> None:
        hooks = Failing(error)
        async with (
            virtual_sandbox(40, latency=LATENCY) as sandbox,
            virtual_session(sandbox, hooks=hooks) as session,
        ):
            limited = Answer(429, headers={"Retry-After": "5"})
            sandbox.faults.add(limited, path="/presence", times=1)
            sandbox.faults.add(Answer(503), path="/presence", times=1)
            ids = sandbox.extension_ids[:30]
            for _ in range(2):
                result = await session.read_user_presence_statuses(ids)
                assert all(outcome.ok for outcome in result)
            following = asyncio.create_task(drain(session, 2))
            await asyncio.sleep(10.0)
            sandbox.gateway.fail_recovery(None)
            sandbox.set_presence(sandbox.user_ids[1], user_status="Busy")
            sandbox.gateway.cut()
            assert len(await following) == 2
            assert session.stats.requests >= 5
            assert hooks.calls > len(HOOKS)

    run(story)
    failed = [r for r in caplog.records if r.levelno == logging.ERROR]
    assert sorted(r.getMessage() for r in failed) == [
        f"hook {name} failed; its further exceptions are not logged" for name in HOOKS
    ]
    assert all(r.exc_info is not None and r.exc_info[1] is error for r in failed)
    assert all(r.name == "aiopresence" for r in failed)


@pytest.mark.fault
@pytest.mark.parametrize("name", ["on_request", "on_response", "on_rate_limited", "on_retry"])
def test_an_exit_in_a_hook_ends_the_call_and_gives_its_slot_back(name: str) -> None:
    class Exit(BaseException):
        pass

    class Hooks(SessionHooks):
        is_armed = False

    def leave(self: Hooks, _: Any) -> None:
        if self.is_armed:
            self.is_armed = False
            raise Exit

    setattr(Hooks, name, leave)

    async def story() -> None:
        hooks = Hooks()
        async with (
            virtual_sandbox(limits={**PLENTY, "Light": 2}) as sandbox,
            virtual_session(sandbox, hooks=hooks, concurrency=1) as session,
        ):
            await session.read_user_presence_status()
            hooks.is_armed = True
            sandbox.faults.add(Answer(429), path="/presence", times=1)
            with pytest.raises(Exit):
                await session.read_user_presence_status()
            assert session._limiter.in_flight == 0
            sandbox.faults.clear()
            await session.read_user_presence_status()

    run(story)


@pytest.mark.fault
@virtual
async def test_an_exit_in_a_hook_at_the_end_of_a_connection_leaves_it_closed() -> None:
    class Exit(BaseException):
        pass

    class Hooks(SessionHooks):
        def on_connection(self, connection: ConnectionChanged) -> None:
            if not connection.is_open:
                raise Exit

    async with (
        virtual_sandbox() as sandbox,
        virtual_session(sandbox, hooks=Hooks()) as session,
    ):
        following = asyncio.create_task(drain(session, 100))
        await asyncio.sleep(1.0)
        for _ in range(11):
            sandbox.gateway.inject("[]")
        with pytest.raises(Exit):
            await following
        await asyncio.sleep(1.0)
        assert sandbox.gateway.connections == 0


@pytest.mark.parametrize("hooks", [SessionHooks, object(), "hooks", [SessionHooks()]])
def test_hooks_must_be_an_object_of_session_hooks(hooks: Any) -> None:
    with pytest.raises(UsageError, match="hooks must be an object of a subclass of SessionHooks"):
        PresenceSession("token", hooks=hooks)


def test_a_hook_must_not_be_a_coroutine_function() -> None:
    class Hooks(SessionHooks):
        async def on_request(self, request: RequestSent) -> None:  # type: ignore[override]
            pass

    with pytest.raises(UsageError, match=r"hooks\.on_request must be a plain function"):
        PresenceSession("token", hooks=Hooks())


async def test_hooks_can_be_given_to_a_session_from_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hooks = Recorder()
    async with Sandbox(5) as sandbox:
        for name, value in (
            ("RC_SERVER_URL", sandbox.url),
            ("RC_APP_CLIENT_ID", sandbox.client_id),
            ("RC_APP_CLIENT_SECRET", sandbox.client_secret),
            ("RC_USER_JWT", sandbox.jwt),
        ):
            monkeypatch.setenv(name, value)
        async with PresenceSession.from_env(hooks=hooks) as session:
            await session.read_user_presence_status()
    assert len(hooks.of("on_response")) == 2


async def test_an_attribute_of_the_object_counts_as_a_hook() -> None:
    hooks, paths = SessionHooks(), list[str]()
    hooks.on_request = lambda request: paths.append(request.path)  # type: ignore[method-assign]
    async with (
        Sandbox(5) as sandbox,
        PresenceSession(sandbox.grant, server=sandbox.url, hooks=hooks) as session,
    ):
        await session.read_user_presence_status()
    assert len(paths) == 2
