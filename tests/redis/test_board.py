"""Boards that processes share, with a real Redis and the sandbox in place of RingCentral."""

import asyncio
import json
import logging
import signal
import time
from typing import Any

import pytest

from aiopresence import (
    AccessToken,
    NotFound,
    PermissionDenied,
    PresenceSession,
    UsageError,
)
from aiopresence.redis import RedisBoard
from aiopresence.sandbox import GatewayPlan, Hang, Sandbox
from tests.support.boards import (
    LEASE,
    Boards,
    Numbers,
    are_equal,
    board_process,
    eventually,
    has_states,
)
from tests.support.redis_servers import RedisServer
from tests.support.sessions import PLENTY


async def test_one_process_follows_and_all_have_the_same(boards: Boards) -> None:
    states = Numbers(boards.sandbox)
    opened = [await boards.open() for _ in range(2)]
    opened.append(await boards.open(role="read"))
    for board in opened:
        await board.wait_ready()
    await states.run(0.3)
    await eventually(lambda: are_equal(opened, states.now))
    assert not any(board.is_stale(id_) for board in opened for id_ in board)
    assert all(board.age < 25 for board in opened)
    assert len(boards.sandbox.gateway.subscriptions) == 1
    requests = [session.stats.requests for session in boards.sessions]
    assert requests.count(0) == 2
    assert requests[2] == 0
    assert not boards.backward
    assert all(watch.count > 20 for watch in boards.watches)


async def test_changes_have_the_source_and_time_of_the_follower(boards: Boards) -> None:
    states = Numbers(boards.sandbox)
    follower, reader = await boards.open(), await boards.open(role="read")
    await eventually(lambda: are_equal([follower, reader], states.now))
    who = boards.sandbox.user_ids[3]
    one, two = follower.changes(), reader.changes()
    states.advance(who)
    assert await anext(one) == await anext(two)
    found = await reader.wait_for(who, lambda _: True)
    assert found == follower[who]
    assert found.extension is not None
    assert found.extension.id == who


async def test_each_process_reads_the_directory_by_itself(boards: Boards) -> None:
    states = Numbers(boards.sandbox)
    opened = [await boards.open(directory=True), await boards.open(role="read", directory=True)]
    for board in opened:
        await board.wait_ready()
        assert board.find("103").id == boards.sandbox.extension_ids[2]
    await eventually(lambda: are_equal(opened, states.now))
    who = boards.sandbox.user_ids[3]
    changes = [board.changes() for board in opened]
    states.advance(who)
    for board, each in zip(opened, changes, strict=True):
        change = await anext(each)
        assert change.entry is board.entry(who)
        assert change.entry is not None
    assert sum("/directory/entries" in r.path for r in boards.sandbox.requests) == 2


@pytest.mark.fault
async def test_a_follower_that_is_killed_is_replaced_within_the_lease(
    boards: Boards, server: RedisServer
) -> None:
    states = Numbers(boards.sandbox)
    async with board_process(boards.sandbox, server.url, lease=LEASE) as follower:
        await follower.ask("ready")
        opened = [await boards.open()]
        changing = asyncio.create_task(states.run(2.0))
        await opened[0].wait_ready()
        opened.append(await boards.open(role="read"))
        follower.signal(signal.SIGKILL)
        killed_at = time.monotonic()
        await eventually(lambda: len(boards.sandbox.gateway.subscriptions) == 2)
        assert time.monotonic() - killed_at < LEASE + 0.2  # 0.2 s to connect.
        opened.append(await boards.open(role="read"))
        await changing
        await eventually(lambda: are_equal(opened, states.now))
    assert not boards.backward
    assert [session.stats.resyncs for session in boards.sessions] == [0, 0, 0]


@pytest.mark.fault
async def test_a_follower_that_was_stopped_becomes_a_reader(
    boards: Boards, server: RedisServer
) -> None:
    states = Numbers(boards.sandbox)
    async with board_process(boards.sandbox, server.url, lease=LEASE) as follower:
        await follower.ask("ready")
        opened = [await boards.open(), await boards.open(role="read")]
        await opened[1].wait_ready()
        changing = asyncio.create_task(states.run(2.0))
        await asyncio.sleep(0.2)
        follower.signal(signal.SIGSTOP)
        await eventually(lambda: len(boards.sandbox.gateway.subscriptions) == 2)
        await asyncio.sleep(0.5)
        follower.signal(signal.SIGCONT)
        await changing
        await eventually(lambda: are_equal(opened, states.now))
        await eventually(lambda: boards.sandbox.gateway.connections == 1)
        stopped = await follower.wait_for(lambda shown: has_states(shown, states))
        assert stopped["is_live"]
        assert not stopped["backward"]
    assert not boards.backward
    assert len(boards.sandbox.gateway.subscriptions) == 2


async def test_readers_join_at_any_time_while_followers_are_killed_and_stopped(
    boards: Boards, server: RedisServer
) -> None:
    states = Numbers(boards.sandbox)
    gateway = boards.sandbox.gateway
    async with (
        board_process(boards.sandbox, server.url, lease=LEASE) as killed,
        board_process(boards.sandbox, server.url, lease=LEASE, role="read") as watching,
    ):
        await killed.ask("ready")
        async with board_process(boards.sandbox, server.url, lease=LEASE) as stopped:
            await stopped.ask("ready")
            changing = asyncio.create_task(states.run(6.0))
            opened = [await boards.open(role="read")]
            await asyncio.sleep(1.0)
            killed.signal(signal.SIGKILL)
            await eventually(lambda: len(gateway.subscriptions) == 2)
            await asyncio.sleep(1.0)
            opened.append(await boards.open(role="read"))
            stopped.signal(signal.SIGSTOP)
            opened.append(await boards.open())
            await eventually(lambda: len(gateway.subscriptions) == 3)
            await changing
            opened.append(await boards.open(role="read"))
            await eventually(lambda: are_equal(opened, states.now))
            stopped.signal(signal.SIGCONT)
            late = await stopped.wait_for(lambda shown: has_states(shown, states))
        shown = await watching.wait_for(lambda shown: has_states(shown, states))
    assert not boards.backward
    assert not late["backward"]
    assert not shown["backward"]


@pytest.mark.fault
async def test_a_reader_that_fell_behind_reads_everything_again(
    boards: Boards, server: RedisServer
) -> None:
    states = Numbers(boards.sandbox)
    await boards.open(keep=3)
    async with board_process(boards.sandbox, server.url, lease=LEASE, role="read") as reader:
        before = await reader.ask("ready")
        reader.signal(signal.SIGSTOP)
        await states.run(1.0)
        reader.signal(signal.SIGCONT)
        after = await reader.wait_for(lambda shown: has_states(shown, states))
    assert before["resyncs"] == []
    assert after["resyncs"] == ["Overflow"]
    assert not after["stale"]
    assert not after["backward"]
    assert after["requests"] == 0


@pytest.mark.fault
async def test_a_reader_that_was_stopped_shows_nothing_as_current(
    boards: Boards, server: RedisServer
) -> None:
    async with board_process(boards.sandbox, server.url, lease=LEASE) as follower:
        await follower.ask("ready")
        board = await boards.open(role="read")
        await eventually(lambda: board.is_live)
        follower.signal(signal.SIGKILL)
        time.sleep(LEASE)  # The whole process is stopped.
        assert not board.is_live
        assert all(board.is_stale(id_) for id_ in board)
        assert len(board) == 20
        await asyncio.sleep(LEASE)
        assert not board.is_live


async def test_closing_the_follower_hands_over_at_once(
    boards: Boards, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "aiopresence")
    states = Numbers(boards.sandbox)
    first = await boards.open(lease=60.0)
    await first.wait_ready()
    second, third = await boards.open(lease=60.0, role="follow"), await boards.open(role="read")
    await third.wait_ready()
    await first.close()
    await eventually(lambda: are_equal([second, third], states.now), 5)
    assert len(boards.sandbox.gateway.subscriptions) == 2
    begin, end = "this process follows the board", "this process no longer follows the board"
    logged = [record.getMessage() for record in caplog.records]
    assert [text for text in logged if text in {begin, end}] == [begin, end, begin]
    states.advance(boards.sandbox.user_ids[0])
    await eventually(lambda: are_equal([second, third], states.now))


async def test_a_new_follower_publishes_only_differences(
    boards: Boards, server: RedisServer
) -> None:
    states = Numbers(boards.sandbox)
    first = await boards.open()
    await first.wait_ready()
    reader = await boards.open(role="read")
    await eventually(lambda: are_equal([reader], states.now))
    await first.close()
    await eventually(lambda: all(reader.is_stale(id_) for id_ in reader))
    states.advance(boards.sandbox.user_ids[2])
    changes = reader.changes()
    await boards.open()
    await eventually(lambda: are_equal([reader], states.now))
    await reader.close()
    assert [change.id async for change in changes] == [boards.sandbox.user_ids[2]]


async def test_a_dedicated_process_follows_before_others(boards: Boards) -> None:
    first = await boards.open(lease=10.0)
    await first.wait_ready()
    other, dedicated = await boards.open(lease=10.0), await boards.open(lease=10.0, role="follow")
    await eventually(lambda: other.is_live and dedicated.is_live)
    await first.close()
    await eventually(lambda: other.is_live and len(boards.sandbox.gateway.subscriptions) == 2)
    assert [session.stats.requests > 0 for session in boards.sessions] == [True, False, True]


async def test_a_new_follower_has_what_was_known_as_stale(boards: Boards) -> None:
    states = Numbers(boards.sandbox)
    first, second = await boards.open(), await boards.open()
    reader = await boards.open(role="read")
    await eventually(lambda: are_equal([first, second, reader], states.now))
    before = dict(reader)
    hang = boards.sandbox.faults.add(Hang(), path="/presence")
    await first.close()
    await second.close()
    third = await boards.open()
    await third.wait_ready()
    await eventually(lambda: hang.fired)
    for board in (third, reader):
        assert dict(board) == before
        assert all(board.is_stale(id_) for id_ in board)
        assert not board.is_live


async def test_disabled_filters_are_known_to_all(boards: Boards) -> None:
    one, two = boards.sandbox.user_ids[1:3]

    def disable(text: str) -> str:
        meta, body = json.loads(text)
        if meta["type"] == "ClientRequest":
            [filter_] = [f for f in body["eventFilters"] if one in f]
            body["disabledFilters"] = [{"filter": filter_, "reason": "CMN-401", "message": "No."}]
        return json.dumps([meta, body])

    boards.sandbox.gateway.replace(disable, times=2)
    opened = [await boards.open([one, two]), await boards.open([one, two], role="read")]
    await eventually(lambda: all(board.is_live for board in opened))
    for board in opened:
        assert [each.reason for each in board.disabled_filters] == ["CMN-401"]
        assert board.is_stale(one)
        assert not board.is_stale(two)


async def test_a_snapshot_in_parts_misses_no_change(server: RedisServer) -> None:
    async with (
        Sandbox(1200, limits=PLENTY, gateway=GatewayPlan()) as sandbox,
        Boards(sandbox, server.url) as boards,
    ):
        states = Numbers(sandbox)
        await (await boards.open()).wait_ready()
        server.reset_stats()
        changing = asyncio.create_task(states.run(0.5, rate=500))
        readers = []
        for _ in range(4):
            readers.append(await boards.open(role="read"))
            await asyncio.sleep(0.1)
        await changing
        await eventually(lambda: are_equal(readers, states.now))
        assert all(set(reader) == set(sandbox.extension_ids) for reader in readers)
        assert server.command_stats()["hscan"]["calls"] >= 3 * len(readers)
        assert not boards.backward


@pytest.mark.fault
async def test_boards_of_other_logins_extensions_and_details_are_others(
    boards: Boards, server: RedisServer
) -> None:
    Numbers(boards.sandbox)
    everyone = await boards.open()
    some = await boards.open(boards.sandbox.user_ids[:3])
    detailed = await boards.open(detailed=True)
    async with (
        Sandbox(5, limits=PLENTY, gateway=GatewayPlan(), seed=7) as elsewhere,
        PresenceSession(elsewhere.grant, server=elsewhere.url) as session,
        session.board(shared=RedisBoard(server.url)) as other,
    ):
        for board in (everyone, some, detailed, other):
            await board.wait_ready()
        assert len(everyone) == 20
        assert set(some) == set(boards.sandbox.user_ids[:3])
        assert len(detailed) == 20
        assert set(other) == set(elsewhere.extension_ids)
        assert detailed[boards.sandbox.user_ids[0]].active_calls == ()
        assert everyone[boards.sandbox.user_ids[0]].active_calls is None
        assert len(boards.sandbox.gateway.subscriptions) == 3
    assert len(server.client.keys("*:board:meta")) == 4


async def test_extensions_that_cannot_be_read_are_in_the_errors_of_all(boards: Boards) -> None:
    ids = [*boards.sandbox.user_ids[:3], "999"]
    opened = [await boards.open(ids), await boards.open(ids, role="read")]
    for board in opened:
        await board.wait_ready()
        assert set(board) == set(boards.sandbox.user_ids[:3])
        error = board.errors["999"]
        assert isinstance(error, NotFound)
        assert error.http_status == 404
        assert board.is_live
        with pytest.raises(NotFound):
            await board.wait_for("999", lambda _: True)
    assert str(opened[0].errors["999"]) == str(opened[1].errors["999"])


async def test_the_end_of_the_follower_ends_all(boards: Boards) -> None:
    boards.sandbox.forbid("ReadAccounts")
    reader = await boards.open(role="read")
    waiting = asyncio.create_task(reader.wait_ready())
    await asyncio.sleep(0.2)
    follower = await boards.open()
    with pytest.raises(PermissionDenied):
        await follower.wait_ready()
    with pytest.raises(PermissionDenied) as raised:
        await waiting
    assert raised.value.error_code == "CMN-401"


async def test_the_end_of_an_earlier_follower_is_not_that_of_a_new_one(boards: Boards) -> None:
    boards.sandbox.forbid("ReadAccounts")
    board = await boards.open()
    with pytest.raises(PermissionDenied):
        await board.wait_ready()
    boards.sandbox.permit("ReadAccounts")
    await (await boards.open()).wait_ready()


def test_arguments_are_checked() -> None:
    wrongs: list[dict[str, Any]] = [
        {"role": "x"},
        {"name": ""},
        {"keep": 0},
        {"lease": 0},
        {"timeout": -1},
    ]
    for wrong in wrongs:
        with pytest.raises(UsageError, match=next(iter(wrong))):
            RedisBoard("redis://localhost", **wrong)
    assert repr(RedisBoard("redis://u:secret@localhost/0")) == (
        "RedisBoard('redis://localhost/0', role='any')"
    )


async def test_only_a_shared_board_is_accepted() -> None:
    with pytest.raises(UsageError, match="RedisBoard"):
        PresenceSession(AccessToken("x")).board(shared="redis://localhost")  # type: ignore[arg-type]


async def test_an_access_token_needs_a_name() -> None:
    session, redis = PresenceSession(AccessToken("x")), "redis://localhost"
    with pytest.raises(UsageError, match="name"):
        session.board(shared=RedisBoard(redis))
    session.board(shared=RedisBoard(redis, name="support"))
