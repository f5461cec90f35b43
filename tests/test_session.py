import asyncio
from collections.abc import Callable, Coroutine
from datetime import timedelta
from typing import Any

import pytest

from aiopresence import (
    AccessToken,
    AuthError,
    CallQueueUpdatePresence,
    ConnectionFailed,
    DecodeError,
    DndStatus,
    ExtensionCallQueueUpdatePresenceList,
    GroupLimits,
    InvalidRequest,
    JwtGrant,
    MemoryTokenStore,
    NotFound,
    PermissionDenied,
    PresenceInfoRequest,
    PresenceSession,
    PresenceStatus,
    RateLimited,
    ServerError,
    TelephonyAvailability,
    UnifiedStatus,
    UpdateUnifiedPresence,
    UsageError,
    Visibility,
)
from aiopresence.sandbox import Answer, Change, Hang, Sandbox
from tests.support.sessions import Session
from tests.support.waiting import fired


def token_requests(sandbox: Sandbox) -> int:
    return sum(r.path == "/restapi/oauth/token" for r in sandbox.requests)


async def test_reading_ones_own_presence(sandbox: Sandbox, session: PresenceSession) -> None:
    record = await session.read_user_presence_status()
    assert record.extension is not None
    assert record.extension.id == sandbox.extension_ids[0]
    assert record.active_calls is None


async def test_reading_with_calls_and_sip(sandbox: Sandbox, session: PresenceSession) -> None:
    user = sandbox.user_ids[5]
    sandbox.ring(user)
    detailed = await session.read_user_presence_status(user, detailed_telephony_state=True)
    assert detailed.active_calls
    assert {call.sip_data for call in detailed.active_calls} == {None}
    assert all(call.start_time and call.start_time.utcoffset() is not None
               for call in detailed.active_calls)  # fmt: skip
    with_sip = await session.read_user_presence_status(user, sip_data=True)
    assert with_sip.active_calls
    assert all(call.sip_data for call in with_sip.active_calls)


async def test_a_write_changes_what_is_read(sandbox: Sandbox, session: PresenceSession) -> None:
    user = sandbox.user_ids[3]
    change = PresenceInfoRequest(dnd_status=DndStatus.DO_NOT_ACCEPT_ANY_CALLS, message="Zürich")
    written = await session.update_user_presence_status(change, extension_id=user)
    assert written.presence_status is PresenceStatus.BUSY
    assert written == await session.read_user_presence_status(int(user))
    mine = await session.update_user_presence_status({"user_status": "Offline"})
    assert mine.presence_status is PresenceStatus.OFFLINE
    assert await session.update_user_presence_status() == mine


async def test_a_page_of_the_account(sandbox: Sandbox, session: PresenceSession) -> None:
    page = await session.read_account_presence(page=2, per_page=30)
    assert page.paging is not None
    assert (page.paging.page, page.paging.total_pages) == (2, 4)
    assert page.records is not None
    assert [r.extension and r.extension.id for r in page.records] == [*sandbox.extension_ids[30:60]]


async def test_call_queues_from_both_sides(sandbox: Sandbox, session: PresenceSession) -> None:
    queue = sandbox.queue_ids[0]
    before = await session.read_call_queue_presence(queue)
    assert before.records
    member = before.records[0].member
    assert member is not None
    assert member.id is not None
    takes = not before.records[0].accept_current_queue_calls
    after = await session.update_call_queue_presence(
        CallQueueUpdatePresence(
            records=[{"member": {"id": member.id}, "accept_current_queue_calls": takes}]
        ),
        group_id=queue,
    )
    assert after.records
    assert after.records[0].accept_current_queue_calls is takes
    agent = await session.read_extension_call_queue_presence(member.id)
    assert {r.call_queue.id: r.accept_calls for r in agent.records or () if r.call_queue}[
        queue
    ] is takes
    agent = await session.update_extension_call_queue_presence(
        ExtensionCallQueueUpdatePresenceList(
            records=[{"call_queue": {"id": queue}, "accept_calls": not takes}]
        ),
        extension_id=member.id,
    )
    assert await session.read_call_queue_presence(queue) == before
    editable = await session.read_extension_call_queue_presence(editable_member_status=True)
    assert editable.records is not None


async def test_unified_presence(sandbox: Sandbox, session: PresenceSession) -> None:
    mine = await session.update_unified_presence(
        UpdateUnifiedPresence(
            glip={"visibility": "Invisible"}, telephony={"availability": "DoNotAcceptAnyCalls"}
        )
    )
    assert mine.status is UnifiedStatus.DND
    assert mine.glip is not None
    assert mine.glip.visibility is Visibility.INVISIBLE
    assert mine.telephony is not None
    assert mine.telephony.availability is TelephonyAvailability.DO_NOT_ACCEPT_ANY_CALLS
    assert await session.read_unified_presence() == mine
    other = await session.read_unified_presence(sandbox.user_ids[1])
    assert other.glip is not None
    assert other.glip.visibility is None


async def test_everything_else(sandbox: Sandbox, session: PresenceSession) -> None:
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
async def test_a_wrong_request_is_refused(
    sandbox: Sandbox, session: PresenceSession, method: Any, path: str, params: Any, json: Any
) -> None:
    with pytest.raises(UsageError):
        await session.request(method, path, params=params, json=json)
    assert sandbox.requests == []


async def test_paths_arrive_as_they_were_written(
    sandbox: Sandbox, session: PresenceSession
) -> None:
    with pytest.raises(NotFound):
        await session.request("GET", "/restapi/v1.0/a%2Fb/~,%20/c..d", params={"q": "a b&=é,~"})
    assert sandbox.requests[-1].path == "/restapi/v1.0/a%2Fb/~,%20/c..d"
    assert sandbox.requests[-1].query == "q=a+b%26%3D%C3%A9%2C~"
    await session.read_user_presence_statuses(sandbox.extension_ids[:2])
    assert "," in sandbox.requests[-1].path
    await session.read_user_presence_status("~")
    assert sandbox.requests[-1].path == "/restapi/v1.0/account/~/extension/~/presence"


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, "CMN-101", InvalidRequest),
        (403, "CMN-404", PermissionDenied),
        (404, "CMN-102", NotFound),
        (429, "CMN-301", RateLimited),
        (503, "CMN-203", ServerError),
    ],
)
async def test_refusals(
    sandbox: Sandbox, session: PresenceSession, status: int, code: str, kind: type[Exception]
) -> None:
    rule = sandbox.faults.add(Answer.error(status, code, "No"), path="/presence")
    with pytest.raises(kind, match=f"HTTP {status}: {code} No"):
        await session.read_account_presence()
    assert rule.fired == 1
    assert (await session.read_account_presence()).records


async def test_a_record_of_the_wrong_type_is_located(
    sandbox: Sandbox, session: PresenceSession
) -> None:
    rule = sandbox.faults.add(
        Change(lambda body: body.replace(b'"allowSeeMyPresence":true', b'"allowSeeMyPresence":1')),
        path="/presence",
    )
    with pytest.raises(DecodeError) as caught:
        await session.read_user_presence_status()
    assert caught.value.path == "$.allowSeeMyPresence"
    assert rule.fired == 1


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


async def test_a_failed_login_is_tried_again_by_the_next_call(
    sandbox: Sandbox, session: PresenceSession
) -> None:
    rule = sandbox.faults.add(Answer(503), path="/oauth/token")
    with pytest.raises(ServerError):
        await session.read_user_presence_status()
    await session.read_user_presence_status()
    assert rule.fired == 1
    assert token_requests(sandbox) == 2


async def test_an_access_token_as_it_is(sandbox: Sandbox, session: PresenceSession) -> None:
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


async def test_limits_are_learned(sandbox: Sandbox, session: PresenceSession) -> None:
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


async def test_invented_groups_do_not_fill_the_memory_bp07(
    sandbox: Sandbox, session: PresenceSession
) -> None:
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


@pytest.mark.parametrize("name", USES)
async def test_a_session_is_used_on_its_own_event_loop_only_co03(
    sandbox: Sandbox, name: str
) -> None:
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


def test_a_session_is_opened_on_one_event_loop_after_the_other() -> None:
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


async def test_a_listing_whose_session_is_closed_ends_in_a_lost_connection(
    sandbox: Sandbox, session: PresenceSession
) -> None:
    records = session.iter_account_presence(per_page=20)
    await anext(records)
    await session.close()
    with pytest.raises(ConnectionFailed):
        [record async for record in records]


@pytest.mark.parametrize("store", [".cache/tokens.json", 5, MemoryTokenStore, object()], ids=repr)
def test_a_token_store_that_is_none_is_refused_at_once(store: Any) -> None:
    with pytest.raises(UsageError, match="token_store must be a TokenStore"):
        PresenceSession("token", token_store=store)
