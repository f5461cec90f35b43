"""What is published of a board, in virtual time."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from aiopresence import PresenceBoard, PresenceSession
from aiopresence.sandbox import Answer, Change, Sandbox
from aiopresence.web import presence_app, publisher as publishers
from tests.support.dashboards import Served, served
from tests.support.sessions import PLENTY
from tests.support.sse import Event, Stream, stream
from tests.support.turns import Turns
from tests.support.virtual import virtual, virtual_sandbox, virtual_session


@asynccontextmanager
async def followed(**options: Any) -> AsyncIterator[tuple[Served, Stream]]:
    """Serve a dashboard, and follow its stream after the first status."""
    async with served(**options) as dashboard, stream(f"{dashboard.url}changes") as changes:
        await changes.until(lambda e: e.kind == "status")
        yield dashboard, changes


async def get(dashboard: Served, path: str) -> Any:
    async with (
        aiohttp.ClientSession() as client,
        client.get(f"{dashboard.url}{path}") as response,
    ):
        return await response.json()


def is_live(event: Event) -> bool:
    return event.kind == "status" and bool(event.data["live"])


@virtual
async def test_everything_is_stale_without_a_connection_until_it_was_read_again() -> None:
    async with followed(extensions=20) as (dashboard, changes):
        down = dashboard.sandbox.faults.add(Answer(503), path="ws", times=None)
        dashboard.sandbox.gateway.cut()
        events = await changes.until(lambda e: e.kind == "status" and not e.data["live"])
        assert [e.data for e in events if e.kind == "stale"] == [{"all": True}]
        assert all(row["stale"] for row in await get(dashboard, "presence"))
        assert (await get(dashboard, "health"))["stale"] == 20
        dashboard.sandbox.faults.clear()
        events = await changes.until(is_live)
        stale = [e.data for e in events if e.kind == "stale"]
        assert stale[-1] == {"all": False}
        assert not any(row["stale"] for row in await get(dashboard, "presence"))
        async with (
            aiohttp.ClientSession(dashboard.url) as client,
            client.get("metrics") as response,
        ):
            assert "aiopresence_interruptions_total 1\n" in await response.text()
        assert down.fired


@virtual
async def test_a_single_row_can_be_stale() -> None:
    one = two = ""

    def disable(text: str) -> str:
        meta, *rest = json.loads(text)
        if meta["type"] == "ClientRequest" and rest:
            [body] = rest
            [filter_] = [each for each in body["eventFilters"] if one in each]
            body["disabledFilters"] = [{"filter": filter_, "reason": "CMN-401", "message": "No."}]
        return json.dumps([meta, *rest])

    def choose(sandbox: Sandbox) -> list[str]:
        nonlocal one, two
        _, one, two, *_ = sandbox.user_ids
        sandbox.gateway.replace(disable, times=None)
        return [one, two]

    async with followed(extensions=20, ids=choose) as (dashboard, changes):
        rows = {row["id"]: row["stale"] for row in await get(dashboard, "presence")}
        assert rows == {one: True, two: False}
        assert (await get(dashboard, "health"))["stale"] == 1
        down = dashboard.sandbox.faults.add(Answer(503), path="ws", times=None)
        dashboard.sandbox.gateway.cut()
        events = await changes.until(lambda e: e.kind == "stale")
        assert (events[-1].data, down.fired > 0) == ({"all": True}, True)
        dashboard.sandbox.faults.clear()
        events = await changes.until(lambda e: e.kind == "stale")
        assert events[-1].data == {"stale": [], "current": [two]}


@virtual
async def test_many_changes_at_once_are_sent_in_small_frames() -> None:
    async with followed(extensions=1200) as (dashboard, changes):
        waiting = set(dashboard.sandbox.user_ids)
        for who in dashboard.sandbox.user_ids:
            status = "Busy" if dashboard.board[who].user_status != "Busy" else "Available"
            dashboard.sandbox.set_presence(who, user_status=status)
        sizes = []
        while waiting:
            [*_, event] = await changes.until(lambda e: e.kind == "changes")
            sizes.append(len(event.data["rows"]))
            waiting -= {row["id"] for row in event.data["rows"]}
        assert max(sizes) <= publishers.MAX_ROWS < sum(sizes)


@virtual
async def test_changes_of_a_row_are_merged_and_sent_ten_times_a_second_at_most() -> None:
    async with followed(extensions=20) as (dashboard, changes):
        who, loop = dashboard.sandbox.user_ids[0], asyncio.get_running_loop()
        times: list[float] = []
        began, shown = loop.time(), ""
        for turn in range(200):
            status = ("Busy", "Offline")[turn % 2]
            dashboard.sandbox.set_presence(who, user_status=status, telephony_status="NoCall")
            await asyncio.sleep(0.01)
        while not (shown == "offline" and times[-1] > began + 1.9):
            event = await changes.next()
            if event.kind == "changes":
                [row] = event.data["rows"]
                shown = row["availability"]
                times.append(loop.time())
        assert len(times) <= 25


@virtual
async def test_names_are_those_of_the_directory_and_follow_it() -> None:
    async with followed(extensions=20, refresh=600.0) as (dashboard, changes):
        who = dashboard.sandbox.user_ids[3]
        names = {each["id"]: each["name"] for each in await get(dashboard, "presence")}
        assert names[who] == dashboard.board.find(who).name
        dashboard.sandbox.set_extension(who, name="Łucja Ørsted", number="777")
        # The number is also part of the presence, which is read first.
        events = await changes.until(
            lambda e: e.kind == "changes" and e.data["rows"][0]["name"] != names[who]
        )
        [row] = events[-1].data["rows"]
        assert (row["id"], row["name"], row["number"]) == (who, "Łucja Ørsted", "777")
        assert (await get(dashboard, "presence/777"))["id"] == who
        assert "error" in await get(dashboard, "presence/104")


@virtual
async def test_somebody_new_appears() -> None:
    async with followed(extensions=20, refresh=600.0) as (dashboard, changes):
        id_ = dashboard.sandbox.add_extension("Grace Hopper")
        events = await changes.until(lambda e: e.kind == "changes" and e.data["rows"][0]["name"])
        [row] = events[-1].data["rows"]
        assert (row["id"], row["name"]) == (id_, "Grace Hopper")


@virtual
async def test_somebody_who_goes_while_the_rows_are_loaded_has_no_row(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(publishers, "MAX_ROWS", 1)
    async with (
        virtual_sandbox(300) as sandbox,
        virtual_session(sandbox) as session,
        session.board(refresh=60.0) as board,
    ):
        await board.wait_ready()
        *_, gone = ids = [*board]
        is_read = asyncio.Event()

        def without(body: bytes) -> bytes:
            is_read.set()
            page = json.loads(body)
            page["records"] = [r for r in page["records"] if str(r["extension"]["id"]) != gone]
            return json.dumps(page).encode()

        sandbox.faults.add(Change(without), path="account/~/presence", times=None)
        missing = Answer.error(404, "CMN-102")
        removal = sandbox.faults.add(missing, path=f"extension/{gone}/presence")
        await is_read.wait()
        runner = web.AppRunner(presence_app(board), access_log=None)
        await runner.setup()
        turns = 0
        while gone in board:
            await asyncio.sleep(0)
            turns += 1
        assert (removal.fired, 1 < turns < 250) == (1, True), turns  # A row is loaded in each.
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        dashboard = Served(sandbox, board, runner.addresses[0][1], runner)
        while (await get(dashboard, "health"))["status"] != "ok":
            await asyncio.sleep(1.0)
        rows = await get(dashboard, "presence")
        await runner.cleanup()
    assert {row["id"] for row in rows} == {*ids} - {gone}


async def test_other_tasks_run_while_all_rows_are_looked_at(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(publishers, "MAX_ROWS", 50)
    monkeypatch.setattr(publishers, "LOOK_INTERVAL", 0.01)
    looks, is_stale = 0, PresenceBoard.is_stale

    def counted(board: PresenceBoard, id_: str) -> bool:
        nonlocal looks
        looks += 1
        return is_stale(board, id_)

    monkeypatch.setattr(PresenceBoard, "is_stale", counted)
    async with (
        Sandbox(400, limits=PLENTY) as sandbox,
        PresenceSession(sandbox.grant, server=sandbox.url) as session,
        session.board(directory=True) as board,
    ):
        await board.wait_ready()
        publisher = publishers.Publisher(board)
        task = asyncio.create_task(publisher.run(board.changes()))
        with Turns(lambda: sum(row.name is not None for row in publisher.rows.values())) as named:
            while not publisher.is_ready:
                await asyncio.sleep(0)
        assert 0 < named.most <= 50
        down = sandbox.faults.add(Answer(503), path="ws", times=None)
        sandbox.gateway.cut()
        with Turns(lambda: looks) as looked:
            while len(publisher.stale) < len(board) or not down.fired:
                await asyncio.sleep(0.001)
        assert looked.most == 50
        task.cancel()
        await asyncio.wait([task])
    assert len(publisher.rows) == 400


@virtual
async def test_the_same_number_twice_is_not_guessed() -> None:
    def prepare(sandbox: Sandbox) -> None:
        for who in sandbox.user_ids[3:5]:
            sandbox.set_extension(who, number="700")

    async with served(20, prepare=prepare) as dashboard:
        answer = await get(dashboard, "presence/700")
    assert answer["error"] == "several extensions have this number"
    assert answer["hint"].startswith("use an id: ")


@virtual
async def test_health_fails_when_ringcentral_is_silent_for_a_minute() -> None:
    async with served(20) as dashboard:
        assert (await get(dashboard, "health"))["status"] == "ok"
        down = dashboard.sandbox.faults.add(Answer(503), path="ws", times=None)
        dashboard.sandbox.gateway.cut()
        await asyncio.sleep(59)
        assert (await get(dashboard, "health"))["status"] == "ok"
        await asyncio.sleep(3)
        assert down.fired
        health = await get(dashboard, "health")
        assert health["status"] == "unavailable"
        assert health["reason"].startswith("nothing was received from RingCentral for 6")


@virtual
async def test_a_refusal_is_the_reason_of_the_end() -> None:
    async with AsyncExitStack() as stack:
        dashboard, changes = await stack.enter_async_context(followed(extensions=20))
        refusal = Answer.error(400, "invalid_grant")
        refused = dashboard.sandbox.faults.add(refusal, path="oauth/token", times=None)
        dashboard.sandbox.expire_tokens()
        dashboard.sandbox.gateway.cut()
        events = await changes.until(lambda e: e.kind == "ended")
        assert refused.fired
        assert "invalid_grant" in events[-1].data["reason"]
        assert "invalid_grant" in (await get(dashboard, "health"))["reason"]
        assert len(await get(dashboard, "presence")) == 20


@virtual
async def test_who_is_gone_leaves_the_list() -> None:
    def without(body: bytes) -> bytes:
        page = json.loads(body)
        page["records"] = [r for r in page["records"] if str(r["extension"]["id"]) != who]
        return json.dumps(page).encode()

    async with followed(extensions=20, refresh=600.0) as (dashboard, changes):
        who = dashboard.sandbox.user_ids[3]
        faults = dashboard.sandbox.faults
        hidden = faults.add(Change(without), path="account/~/presence", times=None)
        missing = Answer.error(404, "CMN-102")
        unknown = faults.add(missing, path=f"extension/{who}/presence", times=None)
        events = await changes.until(lambda e: e.kind == "changes" and e.data["gone"])
        assert events[-1].data == {"rows": [], "gone": [who]}
        assert len(await get(dashboard, "presence")) == 19
        assert "error" in await get(dashboard, f"presence/{who}")
        assert hidden.fired
        assert unknown.fired
