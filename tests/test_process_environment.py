"""Settings, clocks, forks, threads and tasks of the process that a session runs in."""

import asyncio
import sys
from pathlib import Path

import pytest

from aiopresence import PresenceSession
from aiopresence.sandbox import Drip, Sandbox
from aiopresence.transport.clock import Clock
from tests.support.clocks import SkippingClock
from tests.support.raw_server import RawServer, response, serving
from tests.support.sessions import PLENTY, Session
from tests.support.virtual import virtual, virtual_sandbox, virtual_session


@pytest.fixture
def foreign_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy that nothing listens at, and a login for every host in a .netrc file."""
    netrc = tmp_path / ".netrc"
    netrc.write_text("default login intruder password unexpected\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "WS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
        monkeypatch.setenv(name.lower(), "http://127.0.0.1:9")


@pytest.mark.fault
@pytest.mark.usefixtures("foreign_settings")
async def test_proxies_and_netrc_of_the_environment_are_not_used(sandbox: Sandbox) -> None:
    async with PresenceSession(sandbox.grant, server=sandbox.url) as session:
        assert (await session.read_user_presence_statuses(sandbox.extension_ids)).errors == {}
        async with session.board() as board:
            await board.wait_ready()
            assert len(board) == len(sandbox.extension_ids)
    sent = [received.headers.get("authorization", "") for received in sandbox.requests]
    assert len(sent) > 5
    assert not [header for header in sent if "aW50cnVkZXI" in header]  # "intruder" in base64


class RightClock(Clock):
    """The time of a loop whose time is virtual."""

    def now(self) -> float:
        return asyncio.get_running_loop().time()


class WrongWallClock(RightClock):
    """Its wall time jumps by ten years, back and forth, with each look at it."""

    jump = 10 * 365 * 86_400.0

    def wall(self) -> float:
        self.jump = -self.jump
        return super().wall() + self.jump


@pytest.mark.fault
@virtual
async def test_a_wall_clock_that_jumps_changes_no_wait() -> None:
    assert await seconds_of_a_read(WrongWallClock()) == await seconds_of_a_read(RightClock())


async def seconds_of_a_read(clock: Clock) -> float:
    """Return how long it takes to read five batches with two requests per minute."""

    class TestSession(PresenceSession):
        _clock = clock

    began = clock.now()
    async with (
        virtual_sandbox(150, limits={**PLENTY, "Light": 2}) as sandbox,
        TestSession(sandbox.grant, server=sandbox.url) as session,
    ):
        result = await session.read_user_presence_statuses(sandbox.extension_ids)
        assert result.errors == {}
        assert session.stats.rate_limited == 0
    seconds = round(clock.now() - began)
    assert seconds >= 120
    return seconds


@pytest.mark.fault
async def test_a_connection_whose_body_was_cut_off_by_a_cancellation_serves_no_other_request(
    sandbox: Sandbox,
) -> None:
    async with PresenceSession(sandbox.grant, server=sandbox.url, concurrency=1) as session:
        await session.read_user_presence_status()
        first, second = sandbox.extension_ids[:2]
        rule = sandbox.faults.add(Drip(60.0), path=first)
        task = asyncio.create_task(session.read_user_presence_status(first))
        while not rule.fired:
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        record = await session.read_user_presence_status(second)
    assert record.extension is not None
    assert record.extension.id == second


@pytest.mark.fault
async def test_a_suspended_process_renews_its_token_first_and_keeps_the_limits() -> None:
    clock = SkippingClock()
    async with (
        Sandbox(clock=clock.now) as sandbox,
        Session(sandbox.grant, server=sandbox.url, clock=clock) as session,
    ):
        for seconds in (3600.0, 30.0, 3600.0):
            await asyncio.gather(*(session.read_user_presence_status() for _ in range(60)))
            clock.skipped += seconds
        assert sandbox.counters.token_requests == 2
        assert {r.status for r in sandbox.requests} == {200}
        arrivals = [r.arrival for r in sandbox.requests if r.group == "Light"]
        assert len(arrivals) == 180
        assert all(later - one >= 60.0 for one, later in zip(arrivals, arrivals[50:], strict=False))


FORKED = """
import asyncio, os, sys
from aiopresence import PresenceSession, UsageError

def use(session):
    async def read():
        try:
            await session.read_user_presence_status()
        except UsageError as error:
            return "another event loop" in str(error)
    return asyncio.run(read())

async def main():
    async with PresenceSession("token", server=sys.argv[1]) as session:
        await session.read_user_presence_status()
        child = os.fork()
        if child == 0:
            asyncio._set_running_loop(None)
            os._exit(0 if use(session) else 1)
        _, status = os.waitpid(child, 0)
        await session.read_user_presence_status()
        sys.exit(os.waitstatus_to_exitcode(status))

asyncio.run(main())
"""


@pytest.mark.fault
async def test_a_forked_process_cannot_use_the_session_of_its_parent() -> None:
    async def answer(_: RawServer, writer: asyncio.StreamWriter) -> None:
        writer.write(response(b"{}"))

    async with serving(answer) as raw:
        program = await asyncio.create_subprocess_exec(sys.executable, "-c", FORKED, raw.url)
        assert await program.wait() == 0
        assert (len(raw.requests), len(raw.writers)) == (2, 1)


@pytest.mark.fault
async def test_a_thread_without_an_event_loop_cannot_use_a_session(sandbox: Sandbox) -> None:
    async with Session(sandbox.grant, server=sandbox.url) as session:
        call = session.read_user_presence_status()
        with pytest.raises(RuntimeError, match="no running event loop"):
            await asyncio.to_thread(call.send, None)
        assert sandbox.requests == []
        assert (await session.read_user_presence_status()).extension is not None


@pytest.mark.fault
@pytest.mark.skipif(sys.version_info < (3, 12), reason="Python 3.12 added eager tasks")
@virtual
async def test_with_eager_tasks_everything_has_the_same_results() -> None:
    loop = asyncio.get_running_loop()
    loop.set_task_factory(getattr(asyncio, "eager_task_factory", None))
    async with virtual_sandbox(95) as sandbox, virtual_session(sandbox) as session:
        calls = (session.read_user_presence_status() for _ in range(20))
        assert len({record.extension.id for record in await asyncio.gather(*calls)}) == 1  # type: ignore[union-attr]
        assert (await session.read_user_presence_statuses(sandbox.extension_ids)).errors == {}
        assert [o.ok async for o in session.iter_user_presence_statuses(sandbox.user_ids)]
        assert sandbox.counters.token_requests == 1
        id_ = sandbox.user_ids[0]
        async with session.board([id_]) as board:
            await board.wait_ready()
            sandbox.set_presence(id_, user_status="Busy")
            await board.wait_for(id_, lambda known: known.user_status == "Busy")
            sandbox.gateway.cut()
            sandbox.expire_tokens()
            sandbox.set_presence(id_, user_status="Available")
            await board.wait_for(id_, lambda known: known.user_status == "Available")
    loop.set_task_factory(None)
