"""Redirects, limits and penalties of a whole session, asserted on what the server received."""

import asyncio
from typing import Any

import pytest

from aiopresence import (
    ApiError,
    ConnectionFailed,
    DecodeError,
    GroupLimits,
    PresenceSession,
    RateLimited,
    UsageError,
)
from aiopresence.sandbox import (
    Answer,
    Hang,
    Raw,
    Redirect,
    Sandbox,
)
from tests.support.clocks import SkippingClock
from tests.support.sessions import PLENTY, Session
from tests.support.virtual import virtual, virtual_sandbox, virtual_session


def reads(sandbox: Sandbox) -> int:
    return sum(r.group == "Light" for r in sandbox.requests)


# The real rules of the sandbox, on a clock that both sides share.


@pytest.fixture
def clock() -> SkippingClock:
    return SkippingClock()


def nobody_was_refused(sandbox: Sandbox) -> bool:
    return sandbox.counters.rate_limited == sandbox.counters.in_penalty == 0


@pytest.mark.fault
async def test_reading_9000_ids_makes_no_429_and_uses_every_window(
    clock: SkippingClock,
) -> None:
    async with (
        Sandbox(9000, clock=clock.now) as sandbox,
        Session(sandbox.grant, server=sandbox.url, clock=clock) as session,
    ):
        result = await session.read_user_presence_statuses(sandbox.extension_ids)
        assert len(result.values) == 9000
        assert nobody_was_refused(sandbox)
        assert session.stats.requests == 300
        assert 5 * 59.0 <= clock.skipped <= 5 * 60.0 * 1.05
        assert session.stats.rate_limited == 0


async def test_an_earlier_process_has_used_the_quota(clock: SkippingClock) -> None:
    async with (
        Sandbox(clock=clock.now) as sandbox,
        Session(sandbox.grant, server=sandbox.url, clock=clock) as session,
    ):
        sandbox.consume("Light", 45)
        result = await session.read_user_presence_statuses(sandbox.extension_ids * 3)
        await asyncio.gather(*(session.read_user_presence_status() for _ in range(20)))
        assert result.errors == {}
        assert nobody_was_refused(sandbox)
        assert clock.skipped >= 59.0


@pytest.mark.fault
@pytest.mark.parametrize(
    "options",
    [{}, {"rate_headers": False}, {"retry_after": False}, {"html_429": True}, {"penalty": 90.0}],
)
async def test_a_used_up_quota_costs_one_429(clock: SkippingClock, options: dict[str, Any]) -> None:
    async with (
        Sandbox(clock=clock.now, **options) as sandbox,
        Session(sandbox.grant, server=sandbox.url, clock=clock) as session,
    ):
        sandbox.consume("Light", 50)
        result = await session.read_user_presence_statuses(sandbox.extension_ids)
        assert result.errors == {}
        assert sandbox.counters.rate_limited == session.stats.rate_limited == 1
        assert sandbox.counters.in_penalty == 0
        assert clock.skipped >= options.get("penalty", 60.0) - 1.0


@pytest.mark.fault
async def test_a_penalty_that_begins_amid_many_requests_is_waited_out_by_all(
    clock: SkippingClock,
) -> None:
    async with (
        Sandbox(clock=clock.now) as sandbox,
        Session(sandbox.grant, server=sandbox.url, clock=clock, concurrency=20) as session,
    ):
        await session.read_user_presence_status()
        tasks = [asyncio.create_task(session.read_user_presence_status()) for _ in range(100)]
        while reads(sandbox) < 10:
            await asyncio.sleep(0)
        sandbox.consume("Light", 40)
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert sandbox.counters.rate_limited > 0
        first = min(r.arrival for r in sandbox.requests if r.status == 429)
        after = [r.arrival - first for r in sandbox.requests if r.arrival > first and r.group]
        assert not [gap for gap in after if 1.0 < gap < 59.0]
        assert sum(isinstance(result, RateLimited) for result in results) == 0


async def test_max_wait_refuses_before_sending(clock: SkippingClock) -> None:
    async with (
        Sandbox(clock=clock.now) as sandbox,
        Session(sandbox.grant, server=sandbox.url, clock=clock, max_wait=5.0) as session,
    ):
        result = await session.read_user_presence_statuses(sandbox.extension_ids * 1)
        assert result.errors == {}
        results = await asyncio.gather(
            *(session.read_user_presence_status() for _ in range(60)), return_exceptions=True
        )
        refused = [r for r in results if isinstance(r, RateLimited)]
        assert len(refused) == 60 + 4 - 50
        assert all(not r.sent and r.retry_after and r.retry_after > 50.0 for r in refused)
        assert nobody_was_refused(sandbox)
        assert reads(sandbox) == 50


async def test_presets_hold_until_the_answers_say_otherwise(clock: SkippingClock) -> None:
    limits: dict[str, GroupLimits | int] = {"light": 7, "Heavy": GroupLimits(1, 300.0)}
    async with (
        Sandbox(clock=clock.now, rate_headers=False) as sandbox,
        Session(sandbox.grant, server=sandbox.url, clock=clock, limits=limits) as session,
    ):
        await asyncio.gather(*(session.read_user_presence_status() for _ in range(14)))
        # Two windows if responses came while the clock skipped the first one.
        assert 59.0 < clock.skipped < 122.0
        await session.read_account_presence()
        assert session.limits["Heavy"].blocked_for > 290.0


async def test_calls_of_the_users_own_are_held_back_too(clock: SkippingClock) -> None:
    async with (
        Sandbox(clock=clock.now) as sandbox,
        Session(sandbox.grant, server=sandbox.url, clock=clock) as session,
    ):
        path = "/restapi/v1.0/account/~/extension/{}/presence"
        calls = (session.request("GET", path.format(id_)) for id_ in sandbox.extension_ids)
        await asyncio.gather(*calls)
        await session.read_user_presence_statuses(sandbox.extension_ids)
        assert nobody_was_refused(sandbox)


@pytest.mark.fault
async def test_several_groups_wait_each_for_itself(clock: SkippingClock) -> None:
    async with (
        Sandbox(clock=clock.now) as sandbox,
        Session(sandbox.grant, server=sandbox.url, clock=clock) as session,
    ):
        sandbox.consume("Heavy", 10)
        heavy = asyncio.create_task(session.read_account_presence())
        await session.read_user_presence_statuses(sandbox.extension_ids)
        await heavy
        assert sandbox.counters.rate_limited == 1
        assert sandbox.counters.in_penalty == 0


@pytest.mark.fault
async def test_closing_refuses_whoever_waits(sandbox: Sandbox) -> None:
    async with PresenceSession(sandbox.grant, server=sandbox.url, limits={"Light": 1}) as session:
        rule = sandbox.faults.add(Hang(), path="/presence")
        tasks = [asyncio.create_task(session.read_user_presence_status()) for _ in range(1000)]
        while not rule.fired:
            await asyncio.sleep(0)
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert {type(r) for r in results} == {UsageError}
    async with session:  # and it can be opened again
        assert (await session.read_account_presence()).records


@pytest.mark.fault
@virtual
async def test_closing_twice_at_once_and_once_more_refuses_whoever_waits() -> None:
    async with virtual_sandbox() as sandbox:
        session = virtual_session(sandbox, limits={"Light": 1})
        await session.__aenter__()
        rule = sandbox.faults.add(Hang(), path="/presence")
        tasks = [asyncio.create_task(session.read_user_presence_status()) for _ in range(100)]
        await asyncio.sleep(1)
        assert rule.fired == 1
        await asyncio.gather(session.close(), session.close())
        await session.close()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        # The one under way is answered by nobody any more; the others were not sent.
        assert {type(result) for result in results} == {UsageError}


@pytest.mark.fault
@virtual
async def test_logins_events_and_other_calls_do_not_queue_behind_waiting_reads() -> None:
    limits = {**PLENTY, "Light": 5}
    async with (
        virtual_sandbox(limits=limits, token_lifetime=150.0) as sandbox,
        virtual_session(sandbox) as session,
    ):
        events = session.events()
        event = asyncio.ensure_future(anext(events))
        order: list[int] = []

        async def read(number: int) -> None:
            await session.read_user_presence_status()
            order.append(number)

        reads = [asyncio.create_task(read(number)) for number in range(30)]
        await asyncio.sleep(200)
        assert not reads[-1].done()
        loop = asyncio.get_running_loop()
        began = loop.time()
        sandbox.set_presence("~", user_status="Busy")
        await event
        await session.read_account_presence()
        assert loop.time() - began < 1.0
        await asyncio.gather(*reads)
        assert sorted(order) == [*range(30)]
        assert sandbox.counters.refreshes >= 2
        assert nobody_was_refused(sandbox)
        await events.aclose()


def test_a_session_may_be_used_on_one_loop_after_another() -> None:
    session: list[Session] = []

    async def use() -> None:
        async with Sandbox(seed=1, limits=PLENTY) as sandbox:
            session[:] = session or [
                Session(sandbox.grant, server=sandbox.url, limits={"Light": 1})
            ]
            session[0]._requester._sender.http.server = sandbox.url
            session[0].clock.skipped += 3600.0
            async with session[0]:
                calls = (session[0].read_user_presence_status() for _ in range(5))
                assert len(await asyncio.gather(*calls)) == 5

    for _ in range(2):
        asyncio.run(use())


async def test_a_stream_under_limits_gives_everything_in_order(clock: SkippingClock) -> None:
    async with (
        Sandbox(2000, clock=clock.now) as sandbox,
        Session(sandbox.grant, server=sandbox.url, clock=clock) as session,
    ):
        ids = [o.id async for o in session.iter_user_presence_statuses(sandbox.extension_ids)]
        assert ids == list(sandbox.extension_ids)
        assert nobody_was_refused(sandbox)


async def test_a_session_that_waits_for_nothing_sends_what_need_not_wait(sandbox: Sandbox) -> None:
    async with Session(sandbox.grant, server=sandbox.url, max_wait=0) as session:
        await session.read_user_presence_status()


PRESENCE = "/presence"


@pytest.mark.fault
async def test_a_redirect_on_the_same_origin_is_followed(
    sandbox: Sandbox, session: PresenceSession
) -> None:
    target = f"/restapi/v1.0/account/~/extension/{sandbox.user_ids[1]}/presence?sipData=true"
    rule = sandbox.faults.add(Redirect(target), path=PRESENCE, times=3)
    record = await session.read_user_presence_status(sandbox.user_ids[1])
    assert record.active_calls is not None
    assert rule.fired == 3


@pytest.mark.fault
@pytest.mark.parametrize(
    ("location", "message"),
    [
        ("https://evil.example/restapi/v1.0/x", "a link to another server is not followed"),
        ("//evil.example/restapi/", "a link to another server is not followed"),
        ("/restapi/../oauth/revoke", "out of the API"),
        ("https://[", "not a valid URL"),
    ],
)
async def test_a_redirect_elsewhere_is_not(
    sandbox: Sandbox, session: PresenceSession, location: str, message: str
) -> None:
    rule = sandbox.faults.add(Redirect(location), path=PRESENCE)
    with pytest.raises(DecodeError, match=message):
        await session.read_user_presence_status()
    assert rule.fired == 1


UNUSABLE_LOCATIONS = [
    b"/restapi/v1.0/account/~/presence?x=\xff",
    b"/restapi/v1.0/account/~/presence?\xed\xa0\x80=1",
    b"/restapi/v1.0/\xff",
    b"/restapi/v1.0/a\tb?x=\x01\x80",
    b"//127.0.0.1:99999/restapi/",
    b"//127.0.0.1:x/restapi/",
    b"http://[::1/restapi/",
    b"http://[v1.x]/restapi/",
    b"http://\xe2\x84\x80/restapi/",
    b"/restapi/" + b"x" * 8000 + b"?\xff",
    b"\xff",
    b"",
]


@pytest.mark.fault
@pytest.mark.parametrize("location", UNUSABLE_LOCATIONS)
async def test_a_location_that_cannot_be_used_is_an_outcome(
    sandbox: Sandbox, session: PresenceSession, location: bytes
) -> None:
    ids = sandbox.extension_ids[:90]
    data = b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: %b\r\n\r\n" % location
    rule = sandbox.faults.add(Raw(data), when=lambda r: ids[30] in r.ids, times=None)
    result = await session.read_user_presence_statuses(ids)
    assert rule.fired >= 1
    assert [*result.errors] == list(ids[30:60])
    kinds = {*map(type, result.errors.values())}
    # An empty one leads back to where it was.
    assert kinds <= {DecodeError, ConnectionFailed}
    assert not any(isinstance(error, UsageError) for error in result.errors.values())


@pytest.mark.fault
async def test_a_redirect_takes_the_token_to_no_other_port(
    sandbox: Sandbox, session: PresenceSession
) -> None:
    async with Sandbox() as other:
        there = f"{other.url}/restapi/v1.0/account/~/presence"
        rule = sandbox.faults.add(Redirect(there, 307), path=PRESENCE)
        with pytest.raises(DecodeError):
            await session.read_account_presence()
        assert rule.fired == 1
        assert other.requests == []


@pytest.mark.fault
async def test_redirects_end(sandbox: Sandbox, session: PresenceSession) -> None:
    path = "/restapi/v1.0/account/~/extension/~/presence"
    rule = sandbox.faults.add(Redirect(path), path=PRESENCE, times=None)
    with pytest.raises(DecodeError, match="more than 3 redirects"):
        await session.read_user_presence_status()
    assert rule.fired == 4


@pytest.mark.fault
async def test_a_write_is_not_redirected(sandbox: Sandbox, session: PresenceSession) -> None:
    path = "/restapi/v1.0/account/~/extension/~/presence"
    rule = sandbox.faults.add(Redirect(path, 307), method="PUT")
    with pytest.raises(ApiError, match="redirects of writes are not followed") as caught:
        await session.update_user_presence_status({"message": "x"})
    assert caught.value.http_status == 307
    assert rule.fired == 1


@pytest.mark.fault
async def test_retry_after_covers_the_whole_penalty_of_the_group(
    sandbox: Sandbox, session: Session
) -> None:
    answer = Answer(429, headers={"Retry-After": "0"})
    rule = sandbox.faults.add(answer, path="/presence")
    with pytest.raises(RateLimited) as raised:
        await session.read_user_presence_status()
    assert rule.fired == 1
    assert raised.value.retry_after is not None
    assert raised.value.retry_after >= session.limits["Light"].blocked_for > 0
