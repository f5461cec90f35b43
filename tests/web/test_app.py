"""The routes of the dashboard, on real sockets."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from prometheus_client.parser import text_string_to_metric_families

from aiopresence import PresenceBoard, PresenceSession, UsageError, to_dict
from aiopresence.sandbox import Sandbox
from aiopresence.web import presence_app
from tests.support.dashboards import Served, served
from tests.support.sessions import PLENTY
from tests.support.sse import stream

ROUTES = ("", "presence", "presence/101", "changes", "health", "metrics")


@pytest.fixture
async def dashboard() -> AsyncIterator[Served]:
    async with served(20) as dashboard:
        yield dashboard


@pytest.fixture
async def client(dashboard: Served) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(dashboard.url) as client:
        yield client


async def get(client: aiohttp.ClientSession, path: str, status: int = 200) -> Any:
    async with client.get(path) as response:
        assert response.status == status
        return await response.json()


async def test_all_extensions_are_listed(dashboard: Served, client: aiohttp.ClientSession) -> None:
    rows = await get(client, "presence")
    assert {row["id"]: row["availability"] for row in rows} == {
        id_: record.availability for id_, record in dashboard.board.items()
    }
    assert [row["number"] for row in rows[:2]] == ["101", "102"]
    assert rows[0].keys() == {
        "id", "name", "number", "availability", "message", "since", "stale"
    }  # fmt: skip
    assert not any(row["stale"] for row in rows)


async def test_one_extension_is_found_by_id_and_by_number(
    dashboard: Served, client: aiohttp.ClientSession
) -> None:
    id_ = dashboard.sandbox.user_ids[1]
    by_id = await get(client, f"presence/{id_}")
    assert by_id == await get(client, "presence/102")
    assert by_id["id"] == id_
    assert by_id["record"] == json.loads(json.dumps(to_dict(dashboard.board[id_])))


async def test_an_unknown_extension_is_a_404_with_a_hint(client: aiohttp.ClientSession) -> None:
    answer = await get(client, "presence/999", status=404)
    assert answer == {
        "error": "no extension has this id or number",
        "hint": "GET presence lists all extensions",
    }


async def test_an_unknown_path_is_a_404_that_names_the_paths(
    client: aiohttp.ClientSession,
) -> None:
    answer = await get(client, "people", status=404)
    assert answer == {
        "error": "not found",
        "hint": "the paths are presence, presence/ID, changes, health and metrics",
    }


async def test_a_change_has_the_time_since_when_the_availability_lasts(
    dashboard: Served, client: aiohttp.ClientSession
) -> None:
    who = dashboard.sandbox.user_ids[2]
    async with stream(f"{dashboard.url}changes") as changes:
        dashboard.sandbox.set_presence(who, user_status="Offline", telephony_status="NoCall")
        events = await changes.until(lambda e: e.kind == "changes")
    [row] = events[-1].data["rows"]
    assert (row["id"], row["availability"]) == (who, "offline")
    assert row["since"] is not None
    assert (await get(client, f"presence/{who}"))["since"] == row["since"]
    assert events[-1].data["gone"] == []


@pytest.mark.parametrize("path", [*ROUTES, "nonsense"])
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
async def test_only_get_and_head_are_allowed(
    client: aiohttp.ClientSession, path: str, method: str
) -> None:
    async with client.request(method, path) as response:
        assert response.status == (404 if path == "nonsense" else 405)
        assert response.headers.get("Allow") == (None if path == "nonsense" else "GET, HEAD")
        assert {*await response.json()} == {"error", "hint"}


async def test_requests_with_long_lines_and_headers_are_refused(
    client: aiohttp.ClientSession,
) -> None:
    async with client.get(f"presence?q={'x' * 9000}") as response:
        assert response.status == 400
    async with client.get("presence", headers={"X-Long": "x" * 9000}) as response:
        assert response.status == 400


@pytest.mark.parametrize("path", ROUTES)
async def test_head_has_the_headers_and_no_body(client: aiohttp.ClientSession, path: str) -> None:
    async with client.head(path) as response:
        assert response.status == 200
        assert await response.read() == b""


@pytest.mark.parametrize("path", [*ROUTES, "nonsense"])
async def test_every_response_has_the_security_headers(
    client: aiohttp.ClientSession, path: str
) -> None:
    async with client.get(path) as response:
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["Referrer-Policy"] == "no-referrer"
        assert response.headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert response.headers["Cache-Control"] == "no-store"
        assert "Access-Control-Allow-Origin" not in response.headers


async def test_the_page_allows_only_its_own_script_and_style(
    client: aiohttp.ClientSession,
) -> None:
    async with client.get("") as response:
        policy, text = response.headers["Content-Security-Policy"], await response.text()
    parts = dict(each.split(" ", 1) for each in policy.split("; "))
    assert parts["default-src"] == parts["base-uri"] == parts["form-action"] == "'none'"
    assert parts["frame-ancestors"] == "'none'"
    assert parts["connect-src"] == "'self'"
    assert "unsafe" not in policy
    assert parts["script-src"].startswith("'sha256-")
    # Nothing is loaded from elsewhere, and where the page is mounted does not matter.
    assert text.count("://") == text.count("http://www.w3.org/2000/svg") == 1
    assert 'href="/' not in text
    assert 'src="/' not in text


async def test_metrics_are_valid(dashboard: Served, client: aiohttp.ClientSession) -> None:
    await get(client, "presence")
    async with stream(f"{dashboard.url}changes") as changes:
        await changes.until(lambda e: e.kind == "status")
        async with client.get("metrics") as response:
            assert response.headers["Content-Type"].startswith("text/plain; version=0.0.4")
            text = await response.text()
    families = {each.name: each for each in text_string_to_metric_families(text)}
    values = {(s.name, *s.labels.values()): s.value for f in families.values() for s in f.samples}
    assert all(each.documentation for each in families.values())
    assert {each.type for each in families.values()} == {"gauge", "counter"}
    for availability, count in dashboard.board.count().items():
        assert values["aiopresence_extensions", availability] == count
    assert values["aiopresence_readers",] == values["aiopresence_board_live",] == 1
    assert 0 <= values["aiopresence_board_age_seconds",] < 25
    assert values["aiopresence_http_requests_total", "/presence", "200"] == 1


async def test_health_is_503_with_the_reason_once_the_board_has_ended(
    dashboard: Served, client: aiohttp.ClientSession
) -> None:
    health = await get(client, "health")
    assert (health["status"], health["reason"], health["live"]) == ("ok", None, True)
    assert (health["extensions"], health["stale"]) == (20, 0)
    async with stream(f"{dashboard.url}changes") as changes:
        await changes.until(lambda e: e.kind == "status")
        await dashboard.board.close()
        events = await changes.until(lambda e: e.kind == "ended")
        assert events[-1].data == {"reason": "the board was closed"}
        with pytest.raises(StopAsyncIteration):
            await changes.next()
    health = await get(client, "health", status=503)
    assert (health["status"], health["reason"]) == ("unavailable", "the board was closed")
    assert (await get(client, "changes", status=503))["error"] == "the board was closed"
    assert all(row["stale"] for row in await get(client, "presence"))


async def test_it_answers_while_the_board_is_loading() -> None:
    async with (
        Sandbox(20, limits=PLENTY, latency=0.1) as sandbox,
        PresenceSession(sandbox.grant, server=sandbox.url) as session,
        session.board() as board,
        running(presence_app(board)) as url,
        aiohttp.ClientSession(url) as client,
    ):
        async with stream(f"{url}changes") as changes:
            events = await changes.until(lambda e: e.kind == "status")
            assert [each.kind for each in events] == ["reset", "status"]
            assert events[-1].data == {"ready": False, "live": False}
            reason = "the presence has not been read yet"
            assert (await get(client, "health", status=503))["reason"] == reason
            assert (await get(client, "presence", status=503))["error"] == reason
            # It is told when there is something to read.
            await changes.until(lambda e: e.kind == "status" and e.data["ready"])
        assert len(await get(client, "presence")) == 20


class running:  # noqa: N801 - a context manager
    """Runs an application."""

    def __init__(self, app: web.Application) -> None:
        self.runner = web.AppRunner(app, access_log=None)

    async def __aenter__(self) -> str:
        await self.runner.setup()
        await web.TCPSite(self.runner, "127.0.0.1", 0).start()
        return f"http://127.0.0.1:{self.runner.addresses[0][1]}/"

    async def __aexit__(self, *_: object) -> None:
        await self.runner.cleanup()


async def test_it_can_be_mounted_in_another_application(dashboard: Served) -> None:
    app = web.Application()
    app.add_subapp("/office/", presence_app(dashboard.board))
    async with running(app) as url, aiohttp.ClientSession(url) as client:
        async with client.get("office?token=x", allow_redirects=False) as response:
            assert response.status == 308
            assert response.headers["Location"] == "office/?token=x"
        async with client.get("office") as response:
            assert (response.status, response.url.path) == (200, "/office/")
        for path in ROUTES:
            async with client.head(f"office/{path}") as response:
                assert response.status == 200
        assert len(await get(client, "office/presence")) == 20
        await get(client, "office/presence/999", status=404)
        await get(client, "office/nonsense", status=404)
        async with stream(f"{url}office/changes") as changes:
            await changes.until(lambda e: e.kind == "status")
        async with client.get("office/metrics") as response:
            text = await response.text()
    assert 'http_requests_total{route="/presence/{key}",status="404"} 1' in text


async def test_shutdown_ends_all_streams_at_once(dashboard: Served) -> None:
    async with stream(f"{dashboard.url}changes") as one, stream(f"{dashboard.url}changes") as two:
        for changes in (one, two):
            await changes.until(lambda e: e.kind == "status")
        async with asyncio.timeout(1.0):
            await dashboard.runner.cleanup()
        for changes in (one, two):
            events = await changes.until(lambda e: e.kind == "ended")
            assert events[-1].data == {"reason": "the server was stopped"}


async def test_the_board_has_to_be_open() -> None:
    async with (
        Sandbox(20) as sandbox,
        PresenceSession(sandbox.grant, server=sandbox.url) as session,
    ):
        app = presence_app(session.board())
        with pytest.raises(UsageError, match="the board is not open"):
            await web.AppRunner(app).setup()


@pytest.mark.parametrize("board", [None, {}, PresenceBoard])
def test_anything_but_a_board_is_refused(board: Any) -> None:
    with pytest.raises(UsageError, match="board must be a PresenceBoard"):
        presence_app(board)
