"""Reads by pages of the account, in batches, or both, on real sockets in virtual time."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from aiopresence import (
    AuthError,
    ConnectionFailed,
    DecodeError,
    GetPresenceInfo,
    NotFound,
    Outcome,
    PermissionDenied,
    PresenceSession,
    ServerError,
    UsageError,
)
from aiopresence.concurrency import SLICE
from aiopresence.routed_read import Route
from aiopresence.sandbox import Answer, Change, Hang, Sandbox
from tests.support.sessions import PLENTY
from tests.support.turns import Turns
from tests.support.virtual import run, virtual, virtual_sandbox, virtual_session

UNKNOWN = "999999999999"
ACCOUNT = "account/~/presence"
# RingCentral's.
PLAN = {"Light": 50, "Medium": 40, "Heavy": 10, "Auth": 5}


def pages(sandbox: Sandbox) -> int:
    return sum(request.group == "Heavy" for request in sandbox.requests)


def batches(sandbox: Sandbox) -> int:
    return sum(request.group == "Light" for request in sandbox.requests)


def now() -> float:
    return asyncio.get_running_loop().time()


def edited(change: Callable[[dict[str, Any]], object]) -> Change:
    """Return a fault that changes the page of an account."""

    def edit(body: bytes) -> bytes:
        page = json.loads(body)
        change(page)
        return json.dumps(page).encode()

    return Change(edit)


def spread(sandbox: Sandbox, count: int) -> list[str]:
    """Return ids from all over the account."""
    return [*sandbox.extension_ids[:: len(sandbox.extension_ids) // count]][:count]


Outcomes = Sequence[Outcome[GetPresenceInfo]]


def check(sandbox: Sandbox, ids: Sequence[str], outcomes: Outcomes) -> None:
    """Check that each id has its own record, or is unknown."""
    assert [outcome.id for outcome in outcomes] == [*ids]
    for outcome in outcomes:
        if outcome.id == UNKNOWN:
            assert isinstance(outcome.error, NotFound)
            continue
        record = outcome.unwrap()
        assert outcome.status == 200
        assert record.extension is not None
        if outcome.id != "~":
            assert record.extension.id == outcome.id
            assert record.presence_status == sandbox.presence(outcome.id)["presenceStatus"]


@virtual
async def test_an_account_is_read_with_one_request_per_thousand() -> None:
    async with virtual_sandbox(3000, limits=PLAN) as sandbox, virtual_session(sandbox) as session:
        result = await session.read_user_presence_statuses(sandbox.extension_ids, route="fastest")
        check(sandbox, sandbox.extension_ids, result)
        assert (result.route, result[:10].route) == ("account", "account")
        assert (pages(sandbox), batches(sandbox)) == (3, 0)
        assert (session.stats.pages, session.stats.batches, session.stats.items) == (3, 0, 3000)


@pytest.mark.parametrize("route", ["account", "fastest"])
@virtual
async def test_ids_that_no_page_has_are_read_in_batches(route: Route) -> None:
    async with virtual_sandbox(1500, limits=PLAN) as sandbox, virtual_session(sandbox) as session:
        ids = [UNKNOWN, "~", *sandbox.extension_ids, sandbox.extension_ids[0]]
        result = await session.read_user_presence_statuses(ids, route=route)
        check(sandbox, ids, result)
        assert result.route == "account"
        assert (pages(sandbox), batches(sandbox)) == (2, 2)


@pytest.mark.parametrize("options", [{"detailed_telephony_state": True}, {"sip_data": True}, {}])
@virtual
async def test_every_route_reads_the_same_records(options: Any) -> None:
    async with virtual_sandbox(200) as sandbox, virtual_session(sandbox) as session:
        life = sandbox.simulate(1.0)
        for _ in range(200):
            life.step()
        ids = [*sandbox.extension_ids, UNKNOWN]
        by_batch = await session.read_user_presence_statuses(ids, **options)
        for route in ("account", "fastest"):
            result = await session.read_user_presence_statuses(ids, route=route, **options)
            assert result.route == "account"
            assert [*result][:-1] == [*by_batch][:-1]
            assert isinstance(result[-1].error, NotFound)
        assert any(o.value and o.value.active_calls for o in by_batch) is bool(options)


@virtual
async def test_a_few_extensions_of_a_large_account_are_read_in_batches() -> None:
    async with virtual_sandbox(9000, limits=PLAN) as sandbox, virtual_session(sandbox) as session:
        ids = spread(sandbox, 1000)
        result = await session.read_user_presence_statuses(ids, route="fastest")
        check(sandbox, ids, result)
        # The first page shows how large the account is; next time that is known.
        assert (result.route, pages(sandbox), batches(sandbox)) == ("batches", 1, 30)
        result = await session.read_user_presence_statuses(ids[:500], route="fastest")
        assert (result.route, pages(sandbox), batches(sandbox)) == ("batches", 1, 47)


@virtual
async def test_a_few_ids_do_not_need_the_size_of_the_account() -> None:
    async with virtual_sandbox(100) as sandbox, virtual_session(sandbox) as session:
        result = await session.read_user_presence_statuses(sandbox.extension_ids, route="fastest")
        assert (result.route, pages(sandbox), batches(sandbox)) == ("batches", 0, 4)


@virtual
async def test_both_are_used_where_that_is_faster() -> None:
    async with virtual_sandbox(11_000, limits=PLAN) as sandbox, virtual_session(sandbox) as session:
        started = now()
        result = await session.read_user_presence_statuses(sandbox.extension_ids, route="fastest")
        check(sandbox, sandbox.extension_ids, result)
        assert (result.route, pages(sandbox), batches(sandbox)) == ("both", 10, 34)
        assert now() - started < 5


@virtual
async def test_batches_are_sent_while_pages_wait_for_the_limits() -> None:
    limits = {**PLAN, "Light": 30, "Heavy": 2}
    async with (
        virtual_sandbox(900, limits=limits, page_limit=100) as sandbox,
        virtual_session(sandbox) as session,
    ):
        started = now()
        ids = sandbox.extension_ids
        result = await session.read_user_presence_statuses(ids, route="fastest")
        check(sandbox, ids, result)
        assert now() - started < 65
        assert sandbox.counters.rate_limited == 0
        sandbox.requests.clear()
        started = now()
        result = await session.read_user_presence_statuses(ids, route="account")
        assert now() - started > 180


@pytest.mark.parametrize("step", [1, 7])
@virtual
async def test_ids_in_another_order_than_that_of_the_pages_take_no_longer_than_the_account(
    step: int,
) -> None:
    limits = {**PLAN, "Light": 10, "Heavy": 2}
    async with (
        virtual_sandbox(1100, limits=limits, page_limit=100) as sandbox,
        virtual_session(sandbox, limits=limits) as session,
    ):
        ids = [id_ for place in range(step) for id_ in sandbox.extension_ids[place::step]]
        started = now()
        result = await session.read_user_presence_statuses(ids, route="fastest")
        check(sandbox, ids, result)
        assert result.route == "both"
        # Eleven pages, two a minute.
        assert now() - started < 305
        assert sandbox.counters.rate_limited == 0


@virtual
async def test_an_id_whose_batch_failed_may_be_on_a_later_page() -> None:
    limits = {**PLAN, "Light": 3, "Heavy": 2}
    async with (
        virtual_sandbox(1100, limits=limits, page_limit=100) as sandbox,
        virtual_session(sandbox, limits=limits, attempts=1) as session,
    ):
        rule = sandbox.faults.add(Answer(500), path="/extension/", times=3)
        ids = [id_ for place in range(7) for id_ in sandbox.extension_ids[place::7]]
        result = await session.read_user_presence_statuses(ids, route="fastest")
        assert rule.fired == 3
        check(sandbox, [o.id for o in result if o.ok], [o for o in result if o.ok])
        assert all(isinstance(error, ServerError) for error in result.errors.values())
        assert len(result.errors) < 90
        assert [o.id for o in result] == ids


@pytest.mark.parametrize("count", [1000, 3000])
@virtual
async def test_it_is_planned_again_when_the_limits_turn_out_to_be_others(count: int) -> None:
    # The limits are not known before: 50 batches would be read at once.
    limits = {**PLAN, "Light": 5, "Heavy": 20}
    async with (
        virtual_sandbox(count, limits=limits, page_limit=count // 15) as sandbox,
        virtual_session(sandbox) as session,
    ):
        ids = sandbox.extension_ids[: count // 2]
        started = now()
        result = await session.read_user_presence_statuses(ids, route="fastest")
        check(sandbox, ids, result)
        assert now() - started < 5
        assert sandbox.counters.rate_limited == 0


@virtual
async def test_the_limits_as_they_are_now_decide() -> None:
    async with virtual_sandbox(1000, limits=PLAN) as sandbox, virtual_session(sandbox) as session:
        ids = sandbox.extension_ids
        for _ in range(10):
            await session.read_account_presence()
        result = await session.read_user_presence_statuses(ids, route="fastest")
        assert (result.route, batches(sandbox)) == ("batches", 34)
        started = now()
        result = await session.read_user_presence_statuses(ids, route="fastest")
        assert result.route == "both"
        assert now() - started < 65


@virtual
async def test_batches_do_not_wait_for_a_page_that_waits() -> None:
    limits = {**PLAN, "Heavy": 1}
    async with (
        virtual_sandbox(3000, limits=limits) as sandbox,
        virtual_session(sandbox, limits=limits) as session,
    ):
        await session.read_account_presence(per_page=1)
        ids = spread(sandbox, 3000)
        started = now()
        result = await session.read_user_presence_statuses(ids, route="fastest")
        check(sandbox, ids, result)
        # The fiftieth batch is sent at once, the others in a minute.
        assert now() - started < 63
        assert sandbox.counters.rate_limited == 0


@virtual
async def test_a_read_ends_though_other_calls_always_wait_for_the_same_limits() -> None:
    limits = {"Light": 6, "Medium": 6, "Heavy": 2, "Auth": 5}
    async with (
        virtual_sandbox(50, limits=limits, window=1.0) as sandbox,
        virtual_session(sandbox) as session,
    ):

        async def read_for_ever() -> None:
            while True:
                await session.read_user_presence_status("~")
                await asyncio.sleep(0.03)

        others = [asyncio.create_task(read_for_ever()) for _ in range(6)]
        for _ in range(10):
            ids = spread(sandbox, 50)
            async with asyncio.timeout(5):
                result = await session.read_user_presence_statuses(ids, route="fastest")
            check(sandbox, ids, result)
        for each in others:
            each.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        assert sandbox.counters.rate_limited == 0


@virtual
async def test_ids_whose_batch_waits_for_the_limits_are_taken_from_pages_that_come_first() -> None:
    limits = {**PLAN, "Light": 5, "Heavy": 20}
    async with (
        virtual_sandbox(6000, limits=limits, page_limit=100) as sandbox,
        virtual_session(sandbox, limits=limits) as session,
    ):
        ids = sandbox.extension_ids
        started = now()
        result = await session.read_user_presence_statuses(ids, route="fastest")
        check(sandbox, ids, result)
        # Sixty pages, twenty a minute.
        assert now() - started < 125
        assert batches(sandbox) <= 15
        assert sandbox.counters.rate_limited == 0


@pytest.mark.parametrize("unknown", [[], [UNKNOWN]])
@virtual
async def test_a_read_ends_with_its_last_outcome_while_a_page_waits(unknown: list[str]) -> None:
    # The server allows more batches than was known when the pages were planned.
    async with (
        virtual_sandbox(1500, limits={**PLAN, "Light": 500, "Heavy": 5}, page_limit=100) as sandbox,
        virtual_session(sandbox, limits={"Light": 10, "Heavy": 5}) as session,
    ):
        ids = [*sandbox.extension_ids, *unknown]
        started = now()
        result = await session.read_user_presence_statuses(ids, route="fastest")
        check(sandbox, ids, result)
        assert result.route == "both"
        assert now() - started < 10


@virtual
async def test_a_forbidden_list_is_remembered() -> None:
    async with virtual_sandbox(1000, limits=PLAN) as sandbox, virtual_session(sandbox) as session:
        rule = sandbox.faults.add(Answer(403), path=ACCOUNT, times=None)
        for count in (1, 1):
            result = await session.read_user_presence_statuses(
                sandbox.extension_ids, route="fastest"
            )
            check(sandbox, sandbox.extension_ids, result)
            assert (result.route, pages(sandbox)) == ("batches", count)
        assert rule.fired == 1


@virtual
async def test_the_account_route_reports_why_the_account_cannot_be_listed() -> None:
    async with virtual_sandbox(100) as sandbox, virtual_session(sandbox) as session:
        rule = sandbox.faults.add(Answer(403), path=ACCOUNT, times=1)
        result = await session.read_user_presence_statuses(
            ["~", *sandbox.extension_ids], route="account"
        )
        own, *others = result
        assert own.ok
        assert all(isinstance(o.error, PermissionDenied) and o.status == 403 for o in others)
        assert (rule.fired, batches(sandbox)) == (1, 1)
        # It is asked for again, because the permission may have been added.
        result = await session.read_user_presence_statuses(sandbox.extension_ids, route="account")
        check(sandbox, sandbox.extension_ids, result)


@pytest.mark.parametrize("fault", [Answer(503), Answer(200, b"{"), Hang()], ids=repr)
@pytest.mark.parametrize("page", [1, 2])
@virtual
async def test_what_a_page_had_that_cannot_be_read_is_read_in_batches(
    page: int, fault: Any
) -> None:
    async with (
        virtual_sandbox(600, limits={**PLAN, "Heavy": 100, "Light": 5}, page_limit=200) as sandbox,
        virtual_session(sandbox) as session,
    ):
        rule = sandbox.faults.add(
            fault,
            path=ACCOUNT,
            times=None,
            when=lambda request: ("&page=2" in request.query) is (page == 2),
        )
        ids = [*sandbox.extension_ids, UNKNOWN]
        result = await session.read_user_presence_statuses(ids, route="fastest")
        check(sandbox, ids, result)
        assert rule.fired
        assert result.route == ("both" if page == 2 else "batches")


@virtual
async def test_ids_of_a_page_that_cannot_be_read_have_its_error_by_the_account_route() -> None:
    async with (
        virtual_sandbox(300, page_limit=100) as sandbox,
        virtual_session(sandbox, attempts=1) as session,
    ):
        rule = sandbox.faults.add(Answer(503), path="page=2", times=None)
        ids = sandbox.extension_ids
        result = await session.read_user_presence_statuses(ids, route="account")
        assert rule.fired == 1
        assert [o.id for o in result] == [*ids]
        failed = [outcome.id for outcome in result if isinstance(outcome.error, ServerError)]
        assert failed == [*ids[100:200]]
        assert batches(sandbox) == 0


@virtual
async def test_reading_by_pages_ends_after_three_that_cannot_be_read() -> None:
    async with (
        virtual_sandbox(1000, limits={**PLENTY, "Light": 1}, page_limit=10) as sandbox,
        virtual_session(sandbox, attempts=1, concurrency=1, limits={"Light": 1}) as session,
    ):
        rule = sandbox.faults.add(Answer(503), path="&page=", times=None)
        ids = sandbox.extension_ids[::-1]
        result = await session.read_user_presence_statuses(ids, route="fastest")
        check(sandbox, ids, result)
        assert 3 <= rule.fired <= 5
        assert result.route == "both"


@pytest.mark.parametrize("route", ["account", "fastest"])
@virtual
async def test_refused_credentials_are_raised(route: Route) -> None:
    async with virtual_sandbox(1000) as sandbox, virtual_session(sandbox) as session:
        rule = sandbox.faults.add(Answer(401), path=ACCOUNT, times=None)
        with pytest.raises(AuthError):
            await session.read_user_presence_statuses(sandbox.extension_ids, route=route)
        assert rule.fired


@pytest.mark.parametrize("totals", [True, False])
@virtual
async def test_pages_without_totals_are_followed_by_their_links(totals: bool) -> None:
    async with (
        virtual_sandbox(
            500, limits={**PLENTY, "Light": 3}, paging_totals=totals, page_limit=100
        ) as sandbox,
        virtual_session(sandbox) as session,
    ):
        ids = [*sandbox.extension_ids, UNKNOWN]
        for route in ("account", "fastest"):
            result = await session.read_user_presence_statuses(ids, route=route)
            check(sandbox, ids, result)
        assert pages(sandbox) == 10


@virtual
async def test_a_link_to_another_server_ends_the_pages() -> None:
    link = {"nextPage": {"uri": "https://example.com/restapi/v1.0/account/~/presence?page=2"}}
    elsewhere = edited(lambda page: page.update(navigation=link, paging={}))
    async with virtual_sandbox(300, page_limit=100) as sandbox, virtual_session(sandbox) as session:
        rule = sandbox.faults.add(elsewhere, path=ACCOUNT, times=1)
        ids = sandbox.extension_ids
        result = await session.read_user_presence_statuses(ids, route="account")
        assert [o.ok for o in result] == [True] * 100 + [False] * 200
        assert all(isinstance(o.error, DecodeError) for o in result[100:])
        assert rule.fired == 1


@virtual
async def test_pages_that_repeat_come_to_an_end() -> None:
    async with virtual_sandbox(100) as sandbox, virtual_session(sandbox) as session:
        endless = edited(lambda page: page["paging"].update(totalPages=10**9))
        rule = sandbox.faults.add(endless, path=ACCOUNT, times=None)
        ids = [*sandbox.extension_ids, UNKNOWN]
        for route in ("account", "fastest"):
            result = await session.read_user_presence_statuses(ids, route=route)
            check(sandbox, ids, result)
        assert 1 < rule.fired < 40


@virtual
async def test_other_tasks_run_between_slices_of_ids_that_have_the_error_of_a_page() -> None:
    async with virtual_sandbox(1000) as sandbox, virtual_session(sandbox) as session:
        rule = sandbox.faults.add(Answer(403), path=ACCOUNT)
        outcomes = session.iter_user_presence_statuses(sandbox.extension_ids, route="account")
        with Turns(lambda: session.stats.items) as turns:
            errors = [type(outcome.error) async for outcome in outcomes]
        assert errors == [PermissionDenied] * 1000
        assert turns.most == SLICE
        assert rule.fired == 1


@pytest.mark.parametrize("route", ["account", "fastest"])
@virtual
async def test_ids_have_an_error_if_the_session_is_closed_before_the_first_page(
    route: Route,
) -> None:
    async with virtual_sandbox(1000, limits=PLAN) as sandbox, virtual_session(sandbox) as session:
        rule = sandbox.faults.add(Hang(), path=ACCOUNT, times=None)
        await session.read_user_presence_status()
        reading = asyncio.create_task(
            session.read_user_presence_statuses(sandbox.extension_ids, route=route)
        )
        await asyncio.sleep(1)
        await session.close()
        result = await reading
        assert rule.fired == 1
        assert [outcome.id for outcome in result] == [*sandbox.extension_ids]
        assert all(isinstance(outcome.error, ConnectionFailed) for outcome in result)


@virtual
async def test_ids_have_an_error_if_the_session_is_closed_while_the_first_page_waits() -> None:
    async with virtual_sandbox(1000, limits=PLAN) as sandbox, virtual_session(sandbox) as session:
        for _ in range(10):
            await session.read_account_presence(per_page=1)
        reading = asyncio.create_task(
            session.read_user_presence_statuses(sandbox.extension_ids, route="account")
        )
        await asyncio.sleep(1)
        await session.close()
        result = await reading
        assert [outcome.id for outcome in result] == [*sandbox.extension_ids]
        assert all(isinstance(outcome.error, ConnectionFailed) for outcome in result)
        assert pages(sandbox) == 10


@virtual
async def test_pages_are_not_read_on_when_all_ids_are_found() -> None:
    async with (
        virtual_sandbox(5000, page_limit=100) as sandbox,
        virtual_session(sandbox, concurrency=1) as session,
    ):
        ids = sandbox.extension_ids[:200]
        result = await session.read_user_presence_statuses(ids, route="account")
        check(sandbox, ids, result)
        assert pages(sandbox) <= 4


@virtual
async def test_of_another_account_everything_is_read_in_batches() -> None:
    async with virtual_sandbox(1000) as sandbox, virtual_session(sandbox) as session:
        for route in ("account", "fastest"):
            result = await session.read_user_presence_statuses(
                sandbox.extension_ids, route=route, account_id=sandbox.account_id
            )
            check(sandbox, sandbox.extension_ids, result)
            assert result.route == "batches"
        assert pages(sandbox) == 0


@pytest.mark.parametrize("route", ["", "pages", None, 1, []])
async def test_an_unknown_route_is_refused(route: Any, session: PresenceSession) -> None:
    with pytest.raises(UsageError, match="route must be one of"):
        await session.read_user_presence_statuses(["1"], route=route)
    with pytest.raises(UsageError, match="route must be one of"):
        session.iter_user_presence_statuses(["1"], route=route)


@pytest.mark.parametrize("route", ["account", "fastest"])
async def test_wrong_ids_are_refused_before_anything_is_sent(
    route: Route, sandbox: Sandbox, session: PresenceSession
) -> None:
    with pytest.raises(UsageError, match="iterable of ids"):
        await session.read_user_presence_statuses("101", route=route)
    with pytest.raises(UsageError, match=r"extension_ids\[1\]"):
        await session.read_user_presence_statuses([1, "x"], route=route)
    with pytest.raises(UsageError, match="iterable of ids"):
        session.iter_user_presence_statuses("101", route=route)
    assert not sandbox.requests
    assert not [*await session.read_user_presence_statuses([], route=route)]
    assert not sandbox.requests


@virtual
async def test_an_iteration_yields_in_order_as_pages_come() -> None:
    async with (
        virtual_sandbox(1000, limits={**PLAN, "Heavy": 5}, page_limit=100) as sandbox,
        virtual_session(sandbox) as session,
    ):
        ids = [*sandbox.extension_ids, UNKNOWN, sandbox.extension_ids[0]]
        started = now()
        outcomes = session.iter_user_presence_statuses(ids, route="account")
        came = [(outcome, now() - started) async for outcome in outcomes]
        check(sandbox, ids, [outcome for outcome, _ in came])
        assert all(seconds < 5 for _, seconds in came[:500])
        assert all(60 < seconds < 65 for _, seconds in came[500:])
        assert session.stats.items == 1001


@virtual
async def test_an_iteration_reads_what_it_has_when_no_id_comes_for_a_second() -> None:
    async with virtual_sandbox(100) as sandbox, virtual_session(sandbox) as session:

        async def ids() -> AsyncIterator[str]:
            for id_ in sandbox.extension_ids[:4]:
                yield id_
                await asyncio.sleep(0.4)
            await asyncio.sleep(3600)
            yield UNKNOWN

        started = now()
        outcomes = session.iter_user_presence_statuses(ids(), route="fastest")
        times = [now() - started async for _ in outcomes]
        assert len(times) == 5
        assert all(2 < seconds < 3 for seconds in times[:4])
        assert times[4] > 3600


@virtual
async def test_an_iteration_raises_for_a_wrong_id_after_the_outcomes_before_it() -> None:
    async with virtual_sandbox(100) as sandbox, virtual_session(sandbox) as session:
        ids = [*sandbox.extension_ids[:2], "x"]
        outcomes = session.iter_user_presence_statuses(ids, route="fastest")
        assert [(await anext(outcomes)).id for _ in range(2)] == ids[:2]
        with pytest.raises(UsageError, match=r"extension_ids\[2\]"):
            await anext(outcomes)


@virtual
async def test_leaving_an_iteration_early_ends_its_requests() -> None:
    async with (
        virtual_sandbox(2000, limits={**PLAN, "Heavy": 3}, page_limit=100) as sandbox,
        virtual_session(sandbox) as session,
    ):
        outcomes = session.iter_user_presence_statuses(sandbox.extension_ids, route="account")
        async with aclosing(outcomes):
            async for _ in outcomes:
                break
        sent = pages(sandbox)
        await asyncio.sleep(1000)
        assert pages(sandbox) == sent
        assert (await session.read_account_presence()).records


# What may be wrong with the pages: which one, and how. Each is a different way in which a server
# may not say the truth, or the account may change between two pages.
FAULTS: dict[str, Callable[[dict[str, Any]], object]] = {
    "without its first record": lambda page: page["records"].pop(0),
    "reversed": lambda page: page["records"].reverse(),
    "empty": lambda page: page.update(records=[]),
    "without records": lambda page: page.pop("records"),
    "a record twice": lambda page: page["records"].append(page["records"][0]),
    "records without an id": lambda page: [each.pop("extension") for each in page["records"]],
    "without totals": lambda page: page.update(paging={}),
    "fewer pages than there are": lambda page: page["paging"].update(totalPages=1),
    "more pages than there are": lambda page: page["paging"].update(totalPages=50),
    "a wrong type": lambda page: page["records"][-1].update(presenceStatus=5),
}
STATUSES = {
    "403": Answer(403),
    "429": Answer(429, headers={"Retry-After": "1"}),
    "500": Answer(500),
}


@given(
    size=st.integers(1, 90),
    page_limit=st.integers(5, 40),
    places=st.lists(st.integers(-2, 89), max_size=120),
    heavy=st.integers(1, 20),
    light=st.integers(1, 10),
    faults=st.lists(
        st.tuples(st.integers(1, 6), st.sampled_from([*FAULTS, *STATUSES]), st.integers(1, 3)),
        max_size=3,
    ),
    iterated=st.booleans(),
)
@settings(deadline=None, max_examples=60)
def test_every_route_has_the_same_outcomes_or_an_error(
    size: int,
    page_limit: int,
    places: list[int],
    heavy: int,
    light: int,
    faults: list[tuple[int, str, int]],
    iterated: bool,
) -> None:
    async def story() -> None:
        limits = {**PLENTY, "Heavy": heavy, "Light": light}
        for route in ("batches", "account", "fastest"):
            async with (
                virtual_sandbox(size, limits=limits, page_limit=page_limit) as sandbox,
                virtual_session(sandbox) as session,
            ):
                own = {-1: UNKNOWN, -2: "~"}
                ids = [own.get(n) or sandbox.extension_ids[n % size] for n in places]
                for page, name, times in faults:
                    fault = STATUSES.get(name) or edited(FAULTS[name])
                    path = f"&page={page}" if page > 1 else "perPage=1000"
                    sandbox.faults.add(fault, path=path, times=times)
                if iterated:
                    each = session.iter_user_presence_statuses(ids, route=route)
                    outcomes: Outcomes = [o async for o in each]
                else:
                    outcomes = await session.read_user_presence_statuses(ids, route=route)
                if route == "account":
                    # It may have the error of a page instead of a record, never a wrong record.
                    known = [o for o in outcomes if not _is_of_page(o)]
                    check(sandbox, [o.id for o in known], known)
                    assert [o.id for o in outcomes] == ids
                else:
                    check(sandbox, ids, outcomes)
                if not any(name == "429" for _, name, _ in faults):
                    assert sandbox.counters.rate_limited == 0

    run(story)


def _is_of_page(outcome: Outcome[Any]) -> bool:
    error = outcome.error
    return error is not None and not (outcome.id == UNKNOWN and isinstance(error, NotFound))
