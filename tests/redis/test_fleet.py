"""Many accounts followed by several processes, which share them by leases."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial

import pytest

from aiopresence import PresenceSession, RedisFailed, UsageError
from aiopresence.redis import Fleet, FleetStatus, RedisBoard, fleet as fleet_module, read_fleet
from aiopresence.sandbox import Delay, Sandbox
from tests.support.redis_servers import RedisServer
from tests.support.sessions import PLENTY

LEASE = 1.0


@asynccontextmanager
async def sandboxes(count: int) -> AsyncIterator[dict[str, Sandbox]]:
    """Start the platforms of some accounts."""
    async with AsyncExitStack() as stack:
        yield {
            f"account {n}": await stack.enter_async_context(Sandbox(5, limits=PLENTY))
            for n in range(count)
        }


@asynccontextmanager
async def running(server: RedisServer, accounts: dict[str, Sandbox]) -> AsyncIterator[Fleet]:
    """Run one member of the fleet."""
    sessions = {
        name: partial(PresenceSession, sandbox.grant, server=sandbox.url)
        for name, sandbox in accounts.items()
    }
    fleet = Fleet(server.url, sessions, lease=LEASE)
    task = asyncio.create_task(fleet.run())
    try:
        yield fleet
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def until_live(server: RedisServer, count: int, processes: int) -> FleetStatus:
    """Wait until so many accounts are live and so many processes share them evenly."""
    async with asyncio.timeout(20):
        while True:
            status = await read_fleet(server.url)
            live = [each for each in status.accounts.values() if each.is_live]
            holders = [each.process for each in live]
            if len(live) == count and len(set(holders)) == len(status.processes) == processes:
                return status
            await asyncio.sleep(0.05)


async def test_processes_share_the_accounts_and_continue_what_one_leaves(
    server: RedisServer,
) -> None:
    async with sandboxes(4) as accounts, running(server, accounts) as one:
        status = await until_live(server, 4, 1)
        assert one.accounts == set(accounts)
        assert [each.extensions for each in status.accounts.values()] == [5] * 4
        assert all(each.age < 30 for each in status.accounts.values())
        async with running(server, accounts) as two:
            await until_live(server, 4, 2)
            assert len(one.accounts) == len(two.accounts) == 2
            assert one.accounts | two.accounts == set(accounts)
        await until_live(server, 4, 1)
        assert one.accounts == set(accounts)
    status = await read_fleet(server.url)
    assert status.processes == ()
    assert [each.process for each in status.accounts.values()] == [None] * 4


async def test_other_programs_read_the_boards(server: RedisServer) -> None:
    async with sandboxes(1) as accounts, running(server, accounts):
        await until_live(server, 1, 1)
        (sandbox,) = accounts.values()
        who = sandbox.extension_ids[0]
        reading = RedisBoard(server.url, role="read")
        async with (
            PresenceSession(sandbox.grant, server=sandbox.url) as session,
            session.board(shared=reading) as board,
        ):
            await board.wait_ready()
            sent = session.stats.requests
            sandbox.set_presence(who, message="Back at 3")
            await board.wait_for(who, lambda presence: presence.user_status is not None)
            assert len(board) == 5
            assert sent == session.stats.requests == 0


async def test_an_account_that_fails_is_reported_and_others_are_live(
    server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    async with sandboxes(2) as accounts:
        broken, good = accounts
        sessions = {
            broken: partial(PresenceSession, "no-such-token", server=accounts[broken].url),
            good: partial(PresenceSession, accounts[good].grant, server=accounts[good].url),
        }
        fleet = Fleet(server.url, sessions, lease=LEASE)
        task = asyncio.create_task(fleet.run())
        async with asyncio.timeout(20):
            while (
                broken not in (known := (await read_fleet(server.url)).accounts)
                or known[broken].error is None
                or not known[good].is_live
            ):
                await asyncio.sleep(0.05)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    assert "needs a name" in str(known[broken].error)
    assert f"account {broken}: " in caplog.text
    assert "no-such-token" not in caplog.text


async def test_an_account_that_is_not_read_in_time_is_logged(
    server: RedisServer, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fleet_module, "READY_WAIT", 0.1)
    async with sandboxes(1) as accounts:
        fault = accounts["account 0"].faults.add(Delay(0.3), path="/presence")
        async with running(server, accounts):
            await until_live(server, 1, 1)
        assert fault.fired == 1
    message = "account account 0: not ready after 0 s, with 0 extensions read; still trying"
    assert ("aiopresence.fleet", logging.ERROR, message) in caplog.record_tuples


async def test_the_start_and_the_end_of_following_an_account_are_logged(
    server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "aiopresence.fleet")
    async with sandboxes(1) as accounts:
        async with running(server, accounts):
            await until_live(server, 1, 1)
            assert caplog.messages == ["following account account 0"]
        assert caplog.messages[1:] == ["no longer following account account 0"]


async def test_an_error_of_the_program_ends_it(server: RedisServer) -> None:
    def no_session() -> PresenceSession:
        raise ZeroDivisionError

    fleet = Fleet(server.url, {"account": no_session}, lease=LEASE)
    async with asyncio.timeout(10):
        with pytest.raises(ZeroDivisionError):
            await fleet.run()
    assert (await read_fleet(server.url)).processes == ()


async def test_it_waits_for_redis(server: RedisServer) -> None:
    server.kill()
    with pytest.raises(RedisFailed):
        await read_fleet(server.url)
    async with sandboxes(1) as accounts, running(server, accounts):
        await asyncio.sleep(0.1)
        server.start()
        await until_live(server, 1, 1)


async def test_foreign_values_in_redis_are_not_accepted(server: RedisServer) -> None:
    async with sandboxes(1) as accounts, running(server, accounts):
        await until_live(server, 1, 1)
        (key,) = (name for name in map(str, server.client.keys("*")) if name.endswith("reports"))
        for poison in ("", "x", '1 {"a": 1}', "1 [true, 1, [], {}]", "9" * 50 + " [" * 5000):
            server.client.hset(key, "account 0", poison)
            status = await read_fleet(server.url)
            assert status.accounts["account 0"].extensions in (None, 5)
        server.client.set(key.replace("reports", "holders"), "a string")
        with pytest.raises(RedisFailed):
            await read_fleet(server.url)


@pytest.mark.parametrize("sessions", [{}, {"": PresenceSession}])
def test_accounts_need_names(sessions: dict[str, type[PresenceSession]]) -> None:
    with pytest.raises(UsageError, match="names of accounts"):
        Fleet("redis://localhost", sessions)
