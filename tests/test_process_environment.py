"""Proxies, .netrc files and wrong clocks of the process have no effect on a session."""

import asyncio
from pathlib import Path

import pytest

from aiopresence import PresenceSession
from aiopresence.sandbox import Drip, Sandbox
from aiopresence.transport.clock import Clock
from tests.support.sessions import PLENTY
from tests.support.virtual import virtual, virtual_sandbox


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
