"""The recipes do what they say, as the scripts that they are."""

import asyncio
import csv
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import time
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from aiopresence import PermissionDenied, PresenceSession
from aiopresence.sandbox import Answer, FaultRule, Sandbox
from tests.recipes import poll_to_csv
from tests.recipes.presence_service import PresenceService
from tests.recipes.roster_shift import on_duty_at, shift
from tests.recipes.who_can_take_a_call import answer
from tests.support.cli_calls import credentials, lead
from tests.support.virtual import virtual_sandbox

HERE = Path(__file__).parent / "recipes"
RECIPES = sorted(HERE.glob("[!_]*.py"))


@pytest.fixture(autouse=True)
def environment(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    lead(monkeypatch, tmp_path, {**credentials(sandbox), "HOME": str(tmp_path)})


def run(script: Path, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - our own recipes
        [sys.executable, "-W", "error", script, *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
    )


async def lines(script: Path, *arguments: str, stdin: str = "") -> list[str]:
    """Give what a script prints, when all goes well."""
    done = await asyncio.to_thread(run, script, *arguments, stdin=stdin)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


async def complaint(script: Path, *arguments: str) -> str:
    """Give the one line in which a script says what went wrong."""
    done = await asyncio.to_thread(run, script, *arguments)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    return done.stderr


def is_free(sandbox: Sandbox, id_: str) -> bool:
    now = sandbox.presence(id_)
    state = (now["presenceStatus"], now.get("telephonyStatus"), now.get("dndStatus"))
    return state == ("Available", "NoCall", "TakeAllCalls")


def number(sandbox: Sandbox, id_: str) -> str:
    return str(sandbox.presence(id_)["extension"]["extensionNumber"])


def test_they_are_short() -> None:
    assert len(RECIPES) == 5
    assert all(len(recipe.read_text().splitlines()) <= 70 for recipe in RECIPES)


async def test_all_say_in_one_line_that_there_are_no_credentials(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("RC_USER_JWT")
    for said in await asyncio.gather(*(complaint(script) for script in RECIPES)):
        assert "RC_USER_JWT" in said


class TestWhoCanTakeACall:
    async def test_it_answers_line_by_line(self, sandbox: Sandbox) -> None:
        sandbox.set_presence(sandbox.user_ids[0], user_status="Busy", telephony_status="NoCall")
        sandbox.set_presence(sandbox.user_ids[0], dnd_status_personal="TakeAllCalls")
        sandbox.set_presence(sandbox.user_ids[0], accept_call_queue_calls=True)
        free = [number(sandbox, id_) for id_ in sandbox.user_ids if is_free(sandbox, id_)]
        questions = ["Who can take a call?", "is 101 free?", f"{free[0]}?", "is 9 free?", "hello"]
        assert len(free) > 10
        script = HERE / "who_can_take_a_call.py"
        done = await asyncio.to_thread(run, script, stdin="\n".join(questions))
        assert done.returncode == 0
        assert "connected for events" in done.stderr
        assert done.stdout.splitlines() == [
            f"{', '.join(free[:10])} and {len(free) - 10} more",
            "101: Busy, NoCall, TakeAllCalls",
            f"{free[0]}: free",
            "no extension 9",
            "ask: who can take a call? is 101 free?",
        ]

    async def test_it_knows_of_changes_and_says_when_it_may_not(self, sandbox: Sandbox) -> None:
        ids = sandbox.user_ids[:2]
        for id_ in ids:
            sandbox.set_presence(id_, user_status="Available", telephony_status="NoCall")
            sandbox.set_presence(id_, dnd_status="DoNotAcceptAnyCalls")
        async with PresenceSession.from_env() as session, session.board(ids) as board:
            assert await answer(board, "who?") == "nobody"
            sandbox.set_presence(ids[1], dnd_status="TakeAllCalls")
            await board.wait_for(ids[1], lambda known: known.dnd_status == "TakeAllCalls")
            async with asyncio.timeout(30):
                # An event within the same millisecond may be older than the first read.
                while await answer(board, "who?") != number(sandbox, ids[1]):
                    await asyncio.sleep(0.01)
            sandbox.gateway.without_details(times=None)
            sandbox.gateway.close()
            while board.is_live:
                await asyncio.sleep(0)
            said = await answer(board, "who?")
            assert re.fullmatch(r"102 \(last update \d+ s ago\)", said)


class TestPresenceService:
    @pytest.fixture
    async def service(self) -> PresenceService:
        return PresenceService()

    @pytest.fixture
    def outage(self, sandbox: Sandbox) -> FaultRule:
        return sandbox.faults.add(Answer(503), times=None)

    @pytest.fixture
    def forbidden(self, sandbox: Sandbox) -> None:
        sandbox.forbid("ReadPresence")

    @pytest.fixture
    async def client(self, service: PresenceService) -> AsyncIterator[aiohttp.ClientSession]:
        runner = web.AppRunner(service.app())
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        url = "http://127.0.0.1:{1}".format(*runner.addresses[0])
        async with aiohttp.ClientSession(url) as client:
            yield client
        await runner.cleanup()

    async def test_it_tells_presence(
        self, sandbox: Sandbox, service: PresenceService, client: aiohttp.ClientSession
    ) -> None:
        await service.board.wait_ready()
        id_ = sandbox.user_ids[3]
        before = len(sandbox.requests)
        async with client.get(f"/presence/{id_}") as response:
            told = await response.json()
        assert told["presenceStatus"] == sandbox.presence(id_)["presenceStatus"]
        assert told["extension"]["id"] == id_
        assert told["stale"] is False
        async with client.get("/available") as response:
            assert set(await response.json()) == {
                id_
                for id_ in sandbox.extension_ids
                if sandbox.presence(id_)["presenceStatus"] == "Available"
            }
        async with client.get("/presence/9") as response:
            assert (response.status, await response.json()) == (404, {"error": "no extension 9"})
        assert len(sandbox.requests) == before

    async def test_it_is_well_until_nothing_is_heard_for_long(
        self,
        client: aiohttp.ClientSession,
        service: PresenceService,
        capfd: pytest.CaptureFixture[str],
    ) -> None:
        await service.board.wait_ready()
        async with client.get("/health") as response:
            told = await response.json()
            assert (response.status, told["live"]) == (200, True)
            assert 0 <= told["age"] < 25
        service.max_age = 0.0
        async with client.get("/health") as response:
            assert response.status == 503
            error = (await response.json())["error"]
            assert error == "nothing was received from RingCentral for 0 s"
        assert capfd.readouterr() == ("", "")

    @pytest.mark.parametrize("path", ["/health", "/available", "/presence/1"])
    async def test_it_answers_during_an_outage_and_after_it(
        self,
        sandbox: Sandbox,
        in_virtual_time: None,
        outage: FaultRule,
        service: PresenceService,
        client: aiohttp.ClientSession,
        caplog: pytest.LogCaptureFixture,
        path: str,
    ) -> None:
        await asyncio.sleep(300.0)
        assert outage.fired > 1
        assert "HTTP 503" in caplog.text
        async with client.get(path) as response:
            assert response.status == 503
            assert "has not been read yet" in (await response.json())["error"]
        sandbox.faults.clear()
        await service.board.wait_ready()
        async with client.get(path) as response:
            assert response.status == (404 if path == "/presence/1" else 200)

    @pytest.mark.parametrize("path", ["/health", "/available", "/presence/1"])
    async def test_it_says_why_its_board_has_ended_for_good(
        self,
        forbidden: None,
        service: PresenceService,
        client: aiohttp.ClientSession,
        path: str,
    ) -> None:
        with pytest.raises(PermissionDenied):
            await service.board.wait_ready()
        async with client.get(path) as response:
            assert response.status == 503
            assert (await response.json())["error"].startswith("HTTP 403")


class TestPresenceToCsv:
    async def test_two_runs_replace_the_file_and_share_a_login(
        self, sandbox: Sandbox, tmp_path: Path
    ) -> None:
        script, path = HERE / "presence_to_csv.py", tmp_path / "all.csv"
        path.write_text("old")
        assert await lines(script, str(path)) == []
        sandbox.set_presence("~", user_status="Offline")
        assert await lines(script, str(path)) == []
        with path.open(newline="") as file:
            rows = {row["id"]: row for row in csv.DictReader(file)}
        assert tuple(rows) == sandbox.extension_ids
        for id_, row in rows.items():
            now = sandbox.presence(id_)
            assert row["number"] == now["extension"]["extensionNumber"]
            assert row["presence"] == now["presenceStatus"]
            assert (row["telephony"], row["dnd"]) == (
                now.get("telephonyStatus", ""),
                now.get("dndStatus", ""),
            )
        assert sum(each.path.endswith("/oauth/token") for each in sandbox.requests) == 1
        assert {each.name for each in tmp_path.iterdir()} == {"all.csv", ".cache"}

    async def test_a_failure_leaves_the_old_file(self, sandbox: Sandbox, tmp_path: Path) -> None:
        script, path = HERE / "presence_to_csv.py", tmp_path / "all.csv"
        path.write_text("old")
        sandbox.faults.add(Answer(403), path="/presence", times=None)
        assert "HTTP 403" in await complaint(script, str(path))
        assert path.read_text() == "old"
        sandbox.faults.clear()
        assert "no such" in (await complaint(script, str(tmp_path / "no/all.csv"))).lower()
        assert {each.name for each in tmp_path.iterdir()} == {"all.csv", ".cache"}


class TestPollToCsv:
    @pytest.fixture
    async def sandbox(self) -> AsyncIterator[Sandbox]:
        async with virtual_sandbox(3) as sandbox:
            yield sandbox

    @pytest.fixture
    async def polling(
        self, sandbox: Sandbox, in_virtual_time: None, tmp_path: Path
    ) -> AsyncIterator[asyncio.Task[None]]:
        """The recipe, 30 seconds after it wrote the file for the first time."""
        task = asyncio.create_task(poll_to_csv.main(tmp_path / "all.csv", 60.0))
        await asyncio.sleep(30.0)
        yield task
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    def statuses(self, directory: Path) -> list[str]:
        """Return the presence in the file, which is the only one."""
        assert {each.name for each in directory.iterdir()} == {"all.csv"}
        with (directory / "all.csv").open(newline="") as file:
            return [row["presence"] for row in csv.DictReader(file)]

    async def test_each_round_replaces_the_file(
        self, sandbox: Sandbox, polling: asyncio.Task[None], tmp_path: Path
    ) -> None:
        for status in ("Offline", "Busy"):
            before = self.statuses(tmp_path)
            for id_ in sandbox.extension_ids:
                sandbox.set_presence(id_, user_status=status, telephony_status="NoCall")
            expected = [sandbox.presence(id_)["presenceStatus"] for id_ in sandbox.extension_ids]
            assert expected != before
            await asyncio.sleep(29.0)
            assert self.statuses(tmp_path) == before
            await asyncio.sleep(31.0)
            assert self.statuses(tmp_path) == expected

    async def test_a_round_that_fails_is_logged_and_the_next_one_goes_on(
        self,
        sandbox: Sandbox,
        polling: asyncio.Task[None],
        tmp_path: Path,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        before = self.statuses(tmp_path)
        sandbox.set_presence("~", user_status="Offline", telephony_status="NoCall")
        rule = sandbox.faults.add(Answer(503), path="/presence", times=None)
        await asyncio.sleep(60.0)
        assert rule.fired
        assert self.statuses(tmp_path) == before
        (said,) = [each.getMessage() for each in caplog.records if each.name == "root"]
        assert "all.csv is unchanged: HTTP 503" in said
        sandbox.faults.clear()
        await asyncio.sleep(60.0)
        assert self.statuses(tmp_path)[0] == "Offline"

    async def test_a_permanent_error_ends_it(
        self, sandbox: Sandbox, polling: asyncio.Task[None], tmp_path: Path
    ) -> None:
        before = self.statuses(tmp_path)
        rule = sandbox.faults.add(Answer(403), path="/presence", times=None)
        with pytest.raises(PermissionDenied):
            await polling
        assert rule.fired == 1
        assert self.statuses(tmp_path) == before

    async def test_ctrl_c_ends_the_script_without_a_traceback(
        self, sandbox: Sandbox, tmp_path: Path
    ) -> None:
        script, path = HERE / "poll_to_csv.py", tmp_path / "all.csv"
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-W", "error", script, path, "0.01", stderr=subprocess.PIPE
        )
        while sum(each.path.endswith("/presence") for each in sandbox.requests) < 3:
            await asyncio.sleep(0.01)
        process.send_signal(signal.SIGINT)
        _, said = await process.communicate()
        assert process.returncode == 130
        assert b"Traceback" not in said
        assert len(self.statuses(tmp_path)) == 3


class TestRosterShift:
    def test_who_is_on_duty(self) -> None:
        roster = {(8, 12): {"101"}, (11, 17): {"102"}, (22, 24): {"103"}}
        on = {hour: on_duty_at(roster, time(hour, 59)) for hour in range(24)}
        assert [hour for hour in on if "101" in on[hour]] == [8, 9, 10, 11]
        assert [hour for hour in on if "102" in on[hour]] == [11, 12, 13, 14, 15, 16]
        assert [hour for hour in on if on[hour] == {"103"}] == [22, 23]
        assert on[7] == set()

    async def takes(self, session: PresenceSession, queue: str) -> dict[str, bool]:
        records = (await session.read_call_queue_presence(queue)).records or ()
        return {
            each.member.extension_number or "": each.accept_current_queue_calls or False
            for each in records
            if each.member
        }

    async def test_only_what_differs_is_written(
        self, sandbox: Sandbox, session: PresenceSession
    ) -> None:
        queue = sandbox.queue_ids[0]
        before = await self.takes(session, queue)
        same, *differ = sorted(before)
        wanted = {number: (not takes) ^ (number == same) for number, takes in before.items()}
        on = {number for number, takes in wanted.items() if takes}
        assert await shift(session, queue, on, dry_run=True) == differ
        assert await self.takes(session, queue) == before
        assert await shift(session, queue, on) == differ
        assert await self.takes(session, queue) == wanted
        assert await shift(session, queue, on) == []
        with pytest.raises(LookupError, match=f"not in queue {queue}: 9, 99"):
            await shift(session, queue, {*on, "99", "9"})
        assert [each.method for each in sandbox.requests].count("PUT") == 1

    async def test_the_script_does_it_once(
        self, sandbox: Sandbox, session: PresenceSession, tmp_path: Path
    ) -> None:
        queue = sandbox.queue_ids[0]
        before = await self.takes(session, queue)
        on = [number for number in before if not before[number]] or [*before][:1]
        script = tmp_path / "roster_shift.py"
        text = (HERE / "roster_shift.py").read_text().replace("400123450", queue)
        script.write_text(re.sub(r"(?m)^ROSTER = .*", f"ROSTER = {{(0, 24): {{*{on}}}}}", text))
        said = sorted(
            f"{number} {'takes calls' if number in on else 'is off'}"
            for number in before
            if before[number] != (number in on)
        )
        assert said
        assert await lines(script, "--dry-run") == said
        assert await self.takes(session, queue) == before
        assert await lines(script) == said
        assert await self.takes(session, queue) == {number: number in on for number in before}
        assert await lines(script) == []
        assert "HTTP 404" in await complaint(HERE / "roster_shift.py")
