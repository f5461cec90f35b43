import asyncio
import itertools
import json
from collections.abc import AsyncGenerator, Callable
from typing import Any

import pytest

from aiopresence import DecodeError, PresenceSession, ServerError
from aiopresence.concurrency import SLICE
from aiopresence.sandbox import Answer, Change, Hang, Sandbox
from tests.support.sessions import PLENTY, Session
from tests.support.turns import Turns


async def ids_of_account(session: PresenceSession, **arguments: Any) -> list[str | None]:
    pages = session.iter_account_presence(**arguments)
    return [r.extension.id if r.extension else None async for r in pages]


@pytest.mark.parametrize("totals", [True, False])
@pytest.mark.parametrize("per_page", [7, 100, 1000])
async def test_a_whole_account(totals: bool, per_page: int) -> None:
    async with (
        Sandbox(paging_totals=totals, page_limit=50, limits=PLENTY) as sandbox,
        Session(sandbox.grant, server=sandbox.url) as session,
    ):
        assert await ids_of_account(session, per_page=per_page) == list(sandbox.extension_ids)
        pages = [r for r in sandbox.requests if r.group == "Heavy"]
        assert len(pages) == {7: 15, 100: 2, 1000: 2}[per_page]


async def test_pages_are_read_concurrently_when_their_number_is_known(sandbox: Sandbox) -> None:
    async with Session(sandbox.grant, server=sandbox.url) as session:
        rule = sandbox.faults.add(Hang(), path="page=2")
        records = session.iter_account_presence(per_page=20)
        for _ in range(20):
            await anext(records)
        reading = asyncio.ensure_future(anext(records))
        for _ in range(100_000):
            if sum(r.group == "Heavy" for r in sandbox.requests) == 5:
                break
            await asyncio.sleep(0)
        assert rule.fired == 1
        assert sum(r.group == "Heavy" for r in sandbox.requests) == 5
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        await records.aclose()


def edit(**changes: Any) -> Change:
    def change(body: bytes) -> bytes:
        return json.dumps({**json.loads(body), **changes}).encode()

    return Change(change)


async def test_the_pages_after_an_empty_one_are_read(
    sandbox: Sandbox, session: PresenceSession
) -> None:
    rule = sandbox.faults.add(edit(records=[]), path="page=2")
    ids = await ids_of_account(session, per_page=30)
    assert rule.fired == 1
    assert ids == [*sandbox.extension_ids[:30], *sandbox.extension_ids[60:]]


async def test_records_without_an_id_are_all_yielded(
    sandbox: Sandbox, session: PresenceSession
) -> None:
    rule = sandbox.faults.add(
        edit(records=[{"presenceStatus": "Busy"}] * 20), path="perPage=20", times=None
    )
    assert await ids_of_account(session, per_page=20) == [None] * 100
    assert rule.fired == 5


async def test_a_link_to_an_earlier_page_ends_the_read(
    sandbox: Sandbox, session: PresenceSession
) -> None:
    link = f"{sandbox.url}/restapi/v1.0/account/~/presence?perPage=30&page=1"
    again = edit(navigation={"nextPage": {"uri": link}}, paging={})
    rule = sandbox.faults.add(again, path="/presence", times=None)
    assert await ids_of_account(session, per_page=30) == list(sandbox.extension_ids[:30])
    assert rule.fired == 1


def repeated(sandbox: Sandbox, period: int, **page: Any) -> Change:
    """Replace every page by one of the first few, over and over, with nothing to end it."""
    count = itertools.count()

    def change(body: bytes) -> bytes:
        number = next(count)
        start = number % period * 10 if period else 0
        records = [sandbox.presence(id_) for id_ in sandbox.extension_ids[start : start + 10]]
        link = f"/restapi/v1.0/account/1/presence?page={number + 2}"
        texts = {"link": link, "total": number + 10**6}
        filled = json.loads(json.dumps(page).replace('"total"', str(texts["total"])) % texts)
        return json.dumps({"records": records if period else [], **filled}).encode()

    return Change(change)


ENDLESS: dict[str, dict[str, Any]] = {
    "totals": {"paging": {"totalPages": "total"}},
    "links": {"navigation": {"nextPage": {"uri": "%(link)s"}}},
    "full pages": {"paging": {"perPage": -1}},
    "totals and links": {
        "paging": {"totalPages": "total"},
        "navigation": {"nextPage": {"uri": "%(link)s"}},
    },
}


@pytest.mark.parametrize("period", [0, 1, 3])
@pytest.mark.parametrize("name", ENDLESS)
async def test_a_read_whose_pages_repeat_ends(
    sandbox: Sandbox, session: PresenceSession, name: str, period: int
) -> None:
    rule = sandbox.faults.add(
        repeated(sandbox, period, **ENDLESS[name]), path="/presence", times=None
    )
    expected = list(sandbox.extension_ids[: 10 * period])
    assert await ids_of_account(session) == expected
    assert 1 < rule.fired <= 30


@pytest.mark.parametrize(
    "link",
    [
        "/restapi/v1.0/account/~/extension/1/presence?page=2",
        "/restapi/v1.0/account/~/presence/x?page=2",
        "/restapi/oauth/revoke?page=2",
        "/restapi/v1.0/account/~/presence?page=2&sipData=false",
        "/restapi/v1.0/account/~/presence",
        "/restapi/v1.0/account/~/presence?page=-2",
        "/restapi/v1.0/account/~/presence?page=\uff12",
        "/restapi/v1.0/account/~/presence?page=2\udc80",
        "\ud800",
        "https://[",
        "//x:99999999/",
    ],
)
async def test_a_link_to_another_endpoint_is_not_followed(
    sandbox: Sandbox, session: PresenceSession, link: str
) -> None:
    page = edit(navigation={"nextPage": {"uri": link}}, paging={})
    rule = sandbox.faults.add(page, path="/presence")
    with pytest.raises(DecodeError) as caught:
        await ids_of_account(session, sip_data=True)
    assert rule.fired == 1
    assert len([r for r in sandbox.requests if r.group == "Heavy"]) == 1
    assert "$" in caught.value.path


async def test_only_the_page_number_of_a_link_is_used(
    sandbox: Sandbox, session: PresenceSession
) -> None:
    link = "/restapi/v1.0/account/77/presence?perPage=1000&page=2&status=x&access_token=y#z"
    page = edit(navigation={"nextPage": {"uri": link}}, paging={})
    rule = sandbox.faults.add(page, path="/presence")
    assert await ids_of_account(session, per_page=50) == list(sandbox.extension_ids)
    assert rule.fired == 1
    [*_, last] = [r for r in sandbox.requests if r.group == "Heavy"]
    assert (last.path, last.query) == ("/restapi/v1.0/account/~/presence", "perPage=50&page=2")


async def test_an_extension_that_moves_between_pages_is_yielded_once(
    sandbox: Sandbox, session: PresenceSession
) -> None:
    first = sandbox.presence(sandbox.extension_ids[0])
    rule = sandbox.faults.add(
        edit(records=[first, sandbox.presence(sandbox.extension_ids[99])]), path="page=2"
    )
    ids = await ids_of_account(session, per_page=50)
    assert ids == [*sandbox.extension_ids[:50], sandbox.extension_ids[99]]
    assert rule.fired == 1


async def test_a_link_to_another_server_is_not_followed_s4(
    sandbox: Sandbox, session: PresenceSession
) -> None:
    async with Sandbox() as other:
        link = f"{other.url}/restapi/v1.0/account/~/presence?page=2"
        rule = sandbox.faults.add(
            edit(navigation={"nextPage": {"uri": link}}, paging={}), path="/presence"
        )
        records = session.iter_account_presence(per_page=30)
        for _ in range(30):
            await anext(records)
        with pytest.raises(DecodeError) as caught:
            await anext(records)
        assert caught.value.path == "$.navigation.nextPage.uri"
        assert rule.fired == 1
        assert other.requests == []


async def test_the_error_of_a_page_is_raised(sandbox: Sandbox, session: PresenceSession) -> None:
    rule = sandbox.faults.add(Answer(503), path="page=3")
    with pytest.raises(ServerError):
        await ids_of_account(session, per_page=20)
    assert rule.fired == 1


@pytest.mark.parametrize("route", ["pages", "account"])
async def test_other_tasks_run_between_slices_of_the_records(route: str) -> None:
    async with (
        Sandbox(500, limits=PLENTY) as sandbox,
        Session(sandbox.grant, server=sandbox.url) as session,
    ):
        # What comes first is wanted last, so all is there when that comes.
        ids = [*reversed(sandbox.extension_ids)]
        ways: dict[str, Callable[[], AsyncGenerator[object, None]]] = {
            "pages": session.iter_account_presence,
            "account": lambda: session.iter_user_presence_statuses(ids, route="account"),
        }
        count = 0
        with Turns(lambda: count) as turns:
            async for _ in ways[route]():
                count += 1
        assert count == 500
        assert 0 < turns.most <= SLICE
