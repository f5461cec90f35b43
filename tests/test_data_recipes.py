"""The recipes with FastAPI, pandas, polars and SQLite do what they say."""

import asyncio
import itertools
import json
import signal
import sqlite3
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing, suppress
from datetime import datetime, timedelta
from pathlib import Path
from subprocess import PIPE
from typing import Any

import aiohttp
import pytest

from aiopresence import Availability, GetPresenceInfo, PresenceChange, from_dict
from aiopresence.sandbox import Answer, Sandbox
from tests.support.cli_calls import credentials, lead
from tests.support.waiting import fired
from tests.support.webhook_servers import served_by_asgi

HERE = Path(__file__).parent / "recipes"


@pytest.fixture
def app() -> Any:
    """The service; FastAPI, pandas and polars are imported only where a test uses them."""
    from tests.recipes.services import fastapi_service

    return fastapi_service.app


@pytest.fixture(autouse=True)
def environment(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    lead(monkeypatch, tmp_path, {**credentials(sandbox), "HOME": str(tmp_path)})


@pytest.mark.parametrize("script", ["data/departments.py", "data/history.py", "data/report.py"])
async def test_a_script_says_in_one_line_what_is_missing(
    script: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RC_USER_JWT")
    code, out, err = await run(script)
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert ("RC_USER_JWT" if "report" not in script else "no such table") in err


async def run(script: str, *arguments: Path) -> tuple[int | None, str, str]:
    """Return the exit code, the output and the errors of a script."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-W", "error", str(HERE / script), *map(str, arguments)),
        stdout=PIPE,
        stderr=PIPE,
    )
    out, err = await process.communicate()
    return process.returncode, out.decode(), err.decode()


@asynccontextmanager
async def service(app: Any) -> AsyncIterator[aiohttp.ClientSession]:
    async with (
        app.router.lifespan_context(app),
        served_by_asgi(app) as caller,
        aiohttp.ClientSession(f"http://127.0.0.1:{caller.port}") as client,
    ):
        yield client


async def answer(client: aiohttp.ClientSession, path: str) -> tuple[int, Any]:
    async with client.get(path) as response:
        return response.status, await response.json()


async def test_fastapi_serves_the_board(sandbox: Sandbox, app: Any) -> None:
    id_ = sandbox.user_ids[3]
    sandbox.ring(id_)
    async with service(app) as client:
        await app.state.board.wait_ready()
        sent = len(sandbox.requests)
        status, people = await answer(client, "/people")
        assert (status, [each["id"] for each in people]) == (200, [*sandbox.extension_ids])
        _, ringing = await answer(client, "/people?availability=ringing")
        assert id_ in {each["id"] for each in ringing}
        assert {each["availability"] for each in ringing} == {"ringing"}
        assert await answer(client, f"/people/{id_}") == (
            200,
            next(each for each in ringing if each["id"] == id_),
        )
        assert await answer(client, "/people/9") == (404, {"detail": "no extension 9"})
        _, counts = await answer(client, "/counts")
        assert counts == {
            **dict.fromkeys(Availability, 0),
            **Counter(each["availability"] for each in people),
        }
        _, records = await answer(client, "/presence")
        assert from_dict(GetPresenceInfo, records[id_]) == app.state.board[id_]
        assert len(sandbox.requests) == sent


async def test_fastapi_streams_changes(sandbox: Sandbox, app: Any) -> None:
    async with service(app) as client:
        await app.state.board.wait_ready()
        async with client.get("/changes") as response:
            assert response.content_type == "application/x-ndjson"
            sandbox.ring(sandbox.user_ids[3])
            line = await response.content.readline()
    change = from_dict(PresenceChange, json.loads(line))
    assert change.id == sandbox.user_ids[3]
    assert change.new is not None
    assert change.new.availability is Availability.RINGING


async def test_fastapi_stops_on_one_interrupt_while_a_client_reads_changes(
    sandbox: Sandbox,
) -> None:
    from tests.recipes.services import fastapi_service

    command = next(
        line for line in (fastapi_service.__doc__ or "").splitlines() if "uvicorn" in line
    )
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", *command.split(), "--port", "0"),
        stderr=PIPE,
        cwd=HERE / "services",
    )
    assert process.stderr is not None
    said = await process.stderr.readuntil(b" (Press CTRL+C to quit)\n")
    url = said.decode().split()[-5]
    async with aiohttp.ClientSession(url) as client:
        while (response := await client.get("/changes")).status == 503:
            response.release()
        process.send_signal(signal.SIGINT)
        async with asyncio.timeout(20):
            with pytest.raises(aiohttp.ClientPayloadError):
                await response.read()
    _, said = await process.communicate()
    assert b"Application shutdown complete." in said


async def test_fastapi_answers_503_while_there_is_no_presence(sandbox: Sandbox, app: Any) -> None:
    fault = sandbox.faults.add(Answer(503), times=None)
    async with service(app) as client:
        await fired(fault)
        assert await answer(client, "/people") == (
            503,
            {"detail": "presence has not been read yet"},
        )


async def test_pandas_counts_the_people_of_each_department(
    sandbox: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    from tests.recipes.data import departments

    await departments.main()
    header, index, *rows = capsys.readouterr().out.splitlines()
    words = [each.label for each in Availability if each.label in header]
    assert header.split() == ["availability", *" ".join(words).split()]
    assert index.split() == ["department"]
    counts = [int(n) for row in rows for n in row.split()[-len(words) :]]
    assert sum(counts) == len(sandbox.extension_ids)
    assert len(rows) > 1


async def test_sqlite_keeps_the_history_and_polars_adds_it_up(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    from tests.recipes.data import history, report

    path, id_ = tmp_path / "history.db", sandbox.user_ids[3]
    sandbox.set_presence(id_, telephony_status="NoCall", meeting_status="Disconnected")
    sandbox.set_presence(id_, user_status="Busy", dnd_status="TakeAllCalls")
    sandbox.set_presence(id_, ring_on_monitored_call=False)
    task = asyncio.create_task(history.main(str(path)))
    for change, expected in (
        (None, "busy"),
        (sandbox.ring, "ringing"),
        (sandbox.answer, "on-call"),
        (sandbox.hang_up, "busy"),
    ):
        if change is not None:
            change(id_)
        rows = await rows_until(path, id_, expected, task)
    # A change that leaves the availability as it is has no row.
    sandbox.set_presence(id_, ring_on_monitored_call=True)
    sandbox.ring(id_)
    rows = await rows_until(path, id_, "ringing", task)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert [word for word, _, _ in rows] == ["busy", "ringing", "on-call", "busy", "ringing"]
    records = [from_dict(GetPresenceInfo, json.loads(text)) for _, text, _ in rows]
    assert [each.availability for each in records] == [word for word, *_ in rows]
    assert [each.ring_on_monitored_call for each in records] == [False] * 4 + [True]
    times = [datetime.fromisoformat(text) for *_, text in rows]
    now = times[-1] + timedelta(minutes=5)
    [row] = report.minutes(str(path), now).filter(id=id_).to_dicts()
    lasted = [(b - a) / timedelta(minutes=1) for a, b in itertools.pairwise([*times, now])]
    assert row["busy"] == pytest.approx(lasted[0] + lasted[3])
    assert row["on-call"] == pytest.approx(lasted[2])
    assert row["ringing"] == pytest.approx(lasted[1] + 5)
    code, out, err = await run("data/report.py", path)
    assert (code, err) == (0, "")
    assert out.startswith("id,")
    assert f"\n{id_}," in out


async def rows_until(
    path: Path, id_: str, availability: str, task: "asyncio.Task[None]"
) -> list[tuple[str, ...]]:
    """Wait until the latest row of an extension has an availability; return all of its rows."""
    query = "SELECT availability, presence, time FROM changes WHERE id = ? ORDER BY rowid"
    while not task.done():
        await asyncio.sleep(0.01)
        with suppress(sqlite3.OperationalError), closing(sqlite3.connect(path)) as database:
            rows = database.execute(query, (id_,)).fetchall()
            if rows and rows[-1][0] == availability:
                return rows
    raise AssertionError(f"history ended: {task.exception()!r}")
