import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest

from aiopresence import (
    AccessToken,
    AuthError,
    ConnectionFailed,
    GroupLimits,
    JwtGrant,
    MemoryTokenStore,
    NotFound,
    PresenceInfoRequest,
    PresenceSession,
    RateLimited,
    ServerError,
    SessionLost,
    UsageError,
)
from aiopresence.sandbox import Answer, Hang, Sandbox
from tests.support.sessions import Session
from tests.support.virtual import virtual, virtual_sandbox, virtual_session
from tests.support.waiting import fired


def token_requests(sandbox: Sandbox) -> int:
    return sum(r.path == "/restapi/oauth/token" for r in sandbox.requests)


async def test_request_reaches_any_endpoint(sandbox: Sandbox, session: PresenceSession) -> None:
    path = "/restapi/v1.0/account/~/presence"
    params = {"perPage": 1, "sipData": True, "page": None, "detailedTelephonyState": "true"}
    response = await session.request("get", path, params=params)
    assert response.json()["paging"]["totalPages"] == 100
    assert response.request_id
    assert sandbox.requests[-1].query == "perPage=1&sipData=true&detailedTelephonyState=true"
    mine = "/restapi/v1.0/account/~/extension/~/presence"
    response = await session.request("PUT", mine, json={"message": "one"})
    assert response.json()["message"] == "one"
    await session.request("PUT", mine, json=PresenceInfoRequest(message="two"))
    assert (await session.read_user_presence_status()).message == "two"
    with pytest.raises(NotFound):
        await session.request("GET", "/restapi/v1.0/nothing")


@pytest.mark.parametrize(
    ("method", "path", "params", "json"),
    [
        ("GET", "https://evil.example/restapi/", None, None),
        ("GET", "/restapi/v1.0/x?y=1", None, None),
        ("GET", "/restapi/../x", None, None),
        ("G ET", "/restapi/x", None, None),
        ("", "/restapi/x", None, None),
        (None, "/restapi/x", None, None),
        ("GET", "/restapi/x", {"a": 1.5}, None),
        ("GET", "/restapi/x", {5: "x"}, None),
        ("GET", "/restapi/x", ["a"], None),
        ("PUT", "/restapi/x", None, {"a": object()}),
    ],
)
async def test_request_refuses_wrong_arguments(
    sandbox: Sandbox, session: PresenceSession, method: Any, path: str, params: Any, json: Any
) -> None:
    with pytest.raises(UsageError):
        await session.request(method, path, params=params, json=json)
    assert sandbox.requests == []


async def test_paths_are_sent_as_they_are(sandbox: Sandbox, session: PresenceSession) -> None:
    with pytest.raises(NotFound):
        await session.request("GET", "/restapi/v1.0/a%2Fb/~,%20/c..d", params={"q": "a b&=é,~"})
    assert sandbox.requests[-1].path == "/restapi/v1.0/a%2Fb/~,%20/c..d"
    assert sandbox.requests[-1].query == "q=a+b%26%3D%C3%A9%2C~"
    await session.read_user_presence_statuses(sandbox.extension_ids[:2])
    assert "," in sandbox.requests[-1].path
    await session.read_user_presence_status("~")
    assert sandbox.requests[-1].path == "/restapi/v1.0/account/~/extension/~/presence"


async def test_one_login_serves_all_tasks(sandbox: Sandbox, session: PresenceSession) -> None:
    await asyncio.gather(*(session.read_user_presence_status() for _ in range(40)))
    assert token_requests(sandbox) == session.stats.token_requests == 1
    assert session.stats.requests == 40


async def test_wrong_credentials(sandbox: Sandbox) -> None:
    for grant in (
        JwtGrant(sandbox.client_id, sandbox.client_secret, "wrong"),
        JwtGrant(sandbox.client_id, "wrong", sandbox.jwt),
    ):
        async with PresenceSession(grant, server=sandbox.url) as session:
            with pytest.raises(AuthError, match="check the client id"):
                await session.read_user_presence_status()
    async with PresenceSession("wrong", server=sandbox.url) as session:
        with pytest.raises(AuthError):
            await session.read_user_presence_statuses(sandbox.extension_ids)


async def test_the_next_call_retries_a_failed_login(
    sandbox: Sandbox, session: PresenceSession
) -> None:
    rule = sandbox.faults.add(Answer(503), path="/oauth/token")
    with pytest.raises(ServerError):
        await session.read_user_presence_status()
    await session.read_user_presence_status()
    assert rule.fired == 1
    assert token_requests(sandbox) == 2


async def test_an_access_token_is_used_without_a_login(
    sandbox: Sandbox, session: PresenceSession
) -> None:
    await session.read_user_presence_status()
    token = sandbox.requests[-1].token
    assert token is not None
    for auth in (token, AccessToken(token)):
        async with PresenceSession(auth, server=sandbox.url) as other:
            await other.read_user_presence_status()
            assert other.stats.token_requests == 0


async def test_concurrency_is_bounded(sandbox: Sandbox) -> None:
    async with PresenceSession(sandbox.grant, server=sandbox.url, concurrency=3) as session:
        await session.read_user_presence_status()
        rule = sandbox.faults.add(Hang(), path="/presence", times=None)
        tasks = [asyncio.create_task(session.read_user_presence_status()) for _ in range(9)]
        await fired(rule, 3)
        for _ in range(200):
            await asyncio.sleep(0)
        assert rule.fired == 3
        sandbox.faults.clear()
        for task in tasks[:3]:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert [isinstance(r, asyncio.CancelledError) for r in results] == [True] * 3 + [False] * 6


async def test_a_session_is_open_only_inside_async_with(sandbox: Sandbox) -> None:
    session = PresenceSession(sandbox.grant, server=sandbox.url)
    with pytest.raises(UsageError, match="async with"):
        await session.read_user_presence_status()
    async with session:
        await session.read_user_presence_status()
    with pytest.raises(UsageError, match="async with"):
        await session.read_user_presence_statuses(sandbox.extension_ids)
    await session.close()


async def test_limits_follow_response_headers(sandbox: Sandbox, session: PresenceSession) -> None:
    assert session.limits == {}
    await session.read_user_presence_status()
    await session.read_account_presence()
    assert set(session.limits) == {"Auth", "Light", "Heavy"}
    light = session.limits["Light"]
    assert (light.limit, light.remaining, light.window) == (9_000, 8_999, 60.0)
    rule = sandbox.faults.add(Answer(429, headers={"Retry-After": "45"}), path="/presence")
    with pytest.raises(RateLimited):
        await session.read_user_presence_status()
    assert rule.fired == 1
    assert 45.0 < session.limits["Light"].blocked_for <= 46.0
    assert session.stats.rate_limited == 1


@pytest.mark.fault
async def test_the_number_of_groups_is_bounded(sandbox: Sandbox, session: PresenceSession) -> None:
    for number in range(100):
        name = {"X-Rate-Limit-Group": f"group{number}"}
        sandbox.faults.add(Answer(200, b"{}", name, bare=True), path="/presence")
        await session.read_account_presence()
    assert len(session.limits) <= 64


@pytest.mark.parametrize(
    "arguments",
    [
        {"auth": None},
        {"auth": ""},
        {"auth": "two words"},
        {"account_id": "x"},
        {"account_id": None},
        {"timeout": 0},
        {"timeout": -1.0},
        {"timeout": float("nan")},
        {"timeout": "30"},
        {"timeout": True},
        {"timeout": None},
        {"timeout": 10**400},
        {"max_wait": -1},
        {"max_wait": "5"},
        {"attempts": 0},
        {"limits": {"Light": 0}},
        {"limits": {"Light": "50"}},
        {"limits": {"Light": GroupLimits(5, 0.0)}},
        {"limits": ["Light"]},
        {"limits": {1: 5}},
        {"limits": {"Light": GroupLimits(2.5)}},  # type: ignore[arg-type]
        {"limits": {"Light": GroupLimits(5, "x")}},  # type: ignore[arg-type]
        {"limits": {"Light": GroupLimits(5, float("inf"))}},
        {"batch_format": ["json"]},
        {"concurrency": 0},
        {"concurrency": 1.5},
        {"batch_format": "xml"},
        {"http": "session"},
    ],
)
def test_wrong_arguments_are_refused(arguments: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        PresenceSession(**{"auth": "token", **arguments})


def test_a_timeout_may_be_a_timedelta() -> None:
    session = PresenceSession("token", timeout=timedelta(minutes=1))
    assert session._requester._sender.http._timeout == 60.0


ENVIRONMENT = {
    "RC_SERVER_URL": "https://platform.devtest.ringcentral.com",
    "RC_APP_CLIENT_ID": "ours",
    "RC_APP_CLIENT_SECRET": "secret",
    "RC_USER_JWT": "jwt",
}


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in ENVIRONMENT:
        monkeypatch.delenv(name, raising=False)
    for name in ("SERVER_URL", "CLIENT_ID", "CLIENT_SECRET", "JWT_TOKEN"):
        monkeypatch.delenv(f"RINGCENTRAL_{name}", raising=False)
    return monkeypatch


async def test_a_session_from_the_environment(
    environment: pytest.MonkeyPatch, sandbox: Sandbox
) -> None:
    environment.setenv("RC_SERVER_URL", sandbox.url)
    environment.setenv("RC_APP_CLIENT_ID", sandbox.client_id)
    environment.setenv("RINGCENTRAL_CLIENT_ID", "not this one")
    environment.setenv("RINGCENTRAL_CLIENT_SECRET", sandbox.client_secret)
    environment.setenv("RINGCENTRAL_JWT_TOKEN", sandbox.jwt)
    async with PresenceSession.from_env(concurrency=1) as session:
        assert (await session.read_user_presence_status()).extension


def test_a_missing_variable_is_named(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("MY_APP_CLIENT_ID", "id")
    environment.setenv("MY_APP_CLIENT_SECRET", "")
    message = (
        "variables are not set: MY_APP_CLIENT_SECRET or RINGCENTRAL_CLIENT_SECRET, MY_USER_JWT"
    )
    with pytest.raises(UsageError, match=message):
        PresenceSession.from_env("MY_")


async def test_a_session_that_is_open_is_not_entered_again(sandbox: Sandbox) -> None:
    session = PresenceSession(sandbox.grant, server=sandbox.url)
    entering = await asyncio.gather(
        *(session.__aenter__() for _ in range(3)), return_exceptions=True
    )
    assert [type(each) for each in entering] == [PresenceSession, UsageError, UsageError]
    with pytest.raises(UsageError, match="open already"):
        await session.__aenter__()
    assert (await session.read_user_presence_status()).extension is not None
    await session.close()
    await session.close()
    async with session:
        assert (await session.read_user_presence_status()).extension is not None


USES: dict[str, Callable[[PresenceSession], Coroutine[Any, Any, object]]] = {
    "enter": lambda s: s.__aenter__(),
    "close": lambda s: s.close(),
    "revoke": lambda s: s.revoke(),
    "one": lambda s: s.read_user_presence_status(),
    "queue": lambda s: s.read_call_queue_presence("1"),
    "request": lambda s: s.request("GET", "/restapi/v1.0/account/~"),
    "bulk": lambda s: s.read_user_presence_statuses(["1"]),
    "write": lambda s: s.update_user_presence_statuses({"1": {"message": "x"}}),
    "stream": lambda s: anext(s.iter_user_presence_statuses(["1"])),
    "account": lambda s: anext(s.iter_account_presence()),
    "events": lambda s: anext(s.events()),
    "poll": lambda s: anext(s.poll(["1"])),
    "board": lambda s: s.board(["1"]).__aenter__(),
}


@pytest.mark.fault
@pytest.mark.parametrize("name", USES)
async def test_a_session_is_used_on_its_own_event_loop_only(sandbox: Sandbox, name: str) -> None:
    async def use() -> str:
        with pytest.raises(UsageError) as caught:
            await USES[name](session)
        return str(caught.value)

    async with PresenceSession(sandbox.grant, server=sandbox.url) as session:
        await session.read_user_presence_status()
        received = len(sandbox.requests)
        reason = await asyncio.to_thread(asyncio.run, use())
        assert "another event loop" in reason or "open already" in reason
        assert len(sandbox.requests) == received
        assert (await session.read_user_presence_status()).extension is not None


@pytest.mark.parametrize("name", sorted({*USES} - {"enter", "close"}))
async def test_a_session_that_is_closed_refuses_at_once(sandbox: Sandbox, name: str) -> None:
    session = PresenceSession(sandbox.grant, server=sandbox.url)
    for _ in range(2):
        with pytest.raises(UsageError, match="the session is not open"):
            await USES[name](session)
        async with session:
            await session.read_user_presence_status()


def test_a_session_can_be_opened_on_one_event_loop_after_another() -> None:
    session = PresenceSession("token")

    async def use() -> None:
        async with session:
            with pytest.raises(UsageError, match="open already"):
                await session.__aenter__()

    asyncio.run(use())
    asyncio.run(use())


async def test_a_bulk_call_whose_session_is_closed_has_an_outcome_for_each_id(
    sandbox: Sandbox,
) -> None:
    async with Session(sandbox.grant, server=sandbox.url, concurrency=2) as session:
        await session.read_user_presence_statuses(sandbox.extension_ids[:2])
        rule = sandbox.faults.add(Hang(), when=lambda r: len(r.ids) == 30, times=None)
        reading = asyncio.create_task(session.read_user_presence_statuses(sandbox.extension_ids))
        stream = session.iter_user_presence_statuses(sandbox.extension_ids)
        first = asyncio.create_task(anext(stream))
        await fired(rule, 2)
        await session.close()
        outcomes = await reading
        assert [o.id for o in outcomes] == list(sandbox.extension_ids)
        assert {type(o.error) for o in outcomes} == {ConnectionFailed}
        rest = [await first, *[outcome async for outcome in stream]]
        assert [o.id for o in rest] == list(sandbox.extension_ids)
        assert {type(o.error) for o in rest} == {ConnectionFailed}


async def test_reading_an_account_fails_with_a_connection_error_when_the_session_is_closed(
    sandbox: Sandbox, session: PresenceSession
) -> None:
    records = session.iter_account_presence(per_page=20)
    await anext(records)
    await session.close()
    with pytest.raises(ConnectionFailed):
        [record async for record in records]


@pytest.mark.parametrize(
    "store",
    [".cache/tokens.json", 5, MemoryTokenStore, object()],
    ids=["path", "number", "class", "object"],
)
def test_an_object_that_is_not_a_token_store_is_refused_at_once(store: Any) -> None:
    with pytest.raises(UsageError, match="token_store must be a TokenStore"):
        PresenceSession("token", token_store=store)


@pytest.mark.fault
async def test_closing_is_completed_when_it_is_cancelled(
    sandbox: Sandbox, session: PresenceSession
) -> None:
    events = session.events()
    first = asyncio.create_task(anext(events))
    while session.stats.connections < 1:
        await asyncio.sleep(0)
    while not sandbox.gateway.subscriptions:  # What was received before is not to be shown.
        await asyncio.sleep(0)
    closing = asyncio.create_task(session.close())
    await asyncio.sleep(0)
    closing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await closing
    with pytest.raises(UsageError, match="the session is not open"):
        await session.read_user_presence_status()
    with pytest.raises(SessionLost):
        await first
    async with session:
        assert (await session.read_user_presence_status()).extension is not None


@pytest.mark.fault
async def test_closing_during_a_login_closes_the_connections_even_when_it_is_cancelled(
    sandbox: Sandbox,
) -> None:
    rule = sandbox.faults.add(Hang(), path="/oauth/token")
    session = PresenceSession(sandbox.grant, server=sandbox.url)
    await session.__aenter__()
    http = session._requester._sender.http
    client = http._client
    assert client is not None
    reading = asyncio.create_task(session.read_user_presence_status())
    while not rule.fired:
        await asyncio.sleep(0)
    closing = asyncio.create_task(session.close())
    for _ in range(2):
        await asyncio.sleep(0)
        closing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await closing
    with pytest.raises(UsageError):
        await reading
    assert client.closed


@virtual
async def test_a_board_that_is_entered_while_its_session_closes_ends_with_it() -> None:
    entered = 0
    for steps in range(8):
        async with virtual_sandbox() as sandbox:
            session = virtual_session(sandbox)
            await session.__aenter__()
            await session.read_user_presence_status()
            closing = asyncio.create_task(session.close())
            for _ in range(steps):
                await asyncio.sleep(0)
            with suppress(UsageError):
                await session.board().__aenter__()
                entered += 1
            await closing
            assert [task for task in asyncio.all_tasks() if "PresenceBoard" in repr(task)] == []
    assert entered > 1
