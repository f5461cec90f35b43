"""Events over a WebSocket, and boards."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing

import pytest

from aiopresence import (
    CallQueueMemberEventBody,
    CallQueuePresence,
    CallQueueUpdatePresence,
    PermissionDenied,
    PresenceBoard,
    PresenceEvent,
    PresenceEventBody,
    PresenceSession,
    Resync,
    filters,
)
from tests.support.servers import AnyServer

Stream = AsyncIterator[PresenceEvent | Resync]


async def _next(events: Stream) -> PresenceEvent | Resync:
    return await anext(events)


async def started(events: Stream) -> "asyncio.Task[PresenceEvent | Resync]":
    """Begin to wait for the first event, and return when the subscription exists."""
    first = asyncio.create_task(_next(events))
    await asyncio.sleep(5)  # of virtual time, in which nothing else happens
    return first


def change(server: AnyServer, id_: str) -> str:
    """Give somebody another status, and return it."""
    status = "Offline" if server.presence(id_)["userStatus"] == "Busy" else "Busy"
    server.set_presence(id_, user_status=status)
    return status


def body_of(event: PresenceEvent | Resync) -> PresenceEventBody:
    assert isinstance(event, PresenceEvent)
    assert isinstance(event.body, PresenceEventBody)
    return event.body


def converged(board: PresenceBoard, server: AnyServer) -> bool:
    """Say whether a board shows the true state of everybody."""
    return all(
        (board[id_].user_status, board[id_].telephony_status, board[id_].presence_status)
        == tuple(
            server.presence(id_)[name]
            for name in ("userStatus", "telephonyStatus", "presenceStatus")
        )
        for id_ in server.user_ids
    )


async def test_a_change_is_an_event_with_what_has_changed(
    server: AnyServer, session: PresenceSession
) -> None:
    id_ = server.user_ids[1]
    server.set_presence(id_, telephony_status="NoCall")
    async with aclosing(session.events()) as events:
        first = await started(events)
        status = change(server, id_)
        body = body_of(await first)
        assert (body.extension_id, body.user_status) == (id_, status)
        server.set_presence(id_, telephony_status="Ringing")
        again = body_of(await anext(events))
        assert again.telephony_status == "Ringing"
        assert again.sequence is not None
        assert body.sequence is not None
        assert again.sequence > body.sequence


async def test_filters_select_extensions_and_kinds(
    server: AnyServer, session: PresenceSession
) -> None:
    one, two, queue = server.user_ids[1], server.user_ids[2], server.queue_ids[0]
    wanted = [
        filters.extension_presence(one),
        filters.extension_dnd(two),
        filters.call_queue_presence(queue),
    ]
    member = (await session.read_call_queue_presence(queue)).records
    assert member
    assert member[0].member is not None
    async with aclosing(session.events(wanted)) as events:
        first = await started(events)
        server.set_presence(server.user_ids[5], user_status="Busy")
        server.set_presence(two, dnd_status="DoNotAcceptAnyCalls")
        event = await first
        assert isinstance(event, PresenceEvent)
        assert f"/extension/{two}/presence" in str(event.event)
        update = CallQueueUpdatePresence(
            records=[{"member": {"id": member[0].member.id}, "accept_current_queue_calls": False}]
        )
        await session.update_call_queue_presence(update, group_id=queue)
        event = await anext(events)
        assert isinstance(event, PresenceEvent)
        assert queue_change(event.body) == (member[0].member.id, False)


def queue_change(body: object) -> tuple[str | None, bool | None]:
    """Return member and state of a queue event, which has one of two documented bodies."""
    if isinstance(body, CallQueueMemberEventBody):
        return body.extension_id, body.accept_calls
    assert isinstance(body, CallQueuePresence)
    assert body.records is not None
    assert body.records[0].member is not None
    return body.records[0].member.id, body.records[0].accept_current_queue_calls


async def test_missed_events_follow_after_a_reconnection(
    server: AnyServer, session: PresenceSession
) -> None:
    ids = server.user_ids[1:21]
    async with aclosing(session.events()) as events:
        first = await started(events)
        change(server, server.user_ids[0])
        await first
        server.drop()
        for id_ in ids:
            change(server, id_)
        bodies = [body_of(await anext(events)) for _ in ids]
    assert [each.extension_id for each in bodies] == ids


async def test_a_lost_session_is_a_resync(server: AnyServer, session: PresenceSession) -> None:
    async with aclosing(session.events()) as events:
        first = await started(events)
        change(server, server.user_ids[0])
        await first
        server.fail_recovery()
        server.drop()
        change(server, server.user_ids[1])
        assert isinstance(await anext(events), Resync)
        change(server, server.user_ids[2])
        assert body_of(await anext(events)).extension_id == server.user_ids[2]


async def test_a_filter_without_permission_is_refused(
    server: AnyServer, session: PresenceSession
) -> None:
    server.forbid("ReadAccounts")
    with pytest.raises(PermissionDenied):
        async with aclosing(session.events()) as events:
            await anext(events)


@pytest.mark.parametrize("detailed", [False, True])
async def test_a_board_follows_everybody(
    server: AnyServer, session: PresenceSession, detailed: bool
) -> None:
    async with session.board(detailed_telephony_state=detailed) as board:
        await board.wait_ready()
        assert sorted(board) == sorted(server.extension_ids)
        for number, id_ in enumerate(server.user_ids):
            server.set_presence(id_, user_status=("Busy", "Offline")[number % 2])
            server.set_presence(id_, telephony_status=("Ringing", "NoCall")[number % 3 % 2])
        await asyncio.sleep(30)
        assert converged(board, server)
        assert board.is_live


async def test_a_board_is_live_soon_though_the_quota_was_used_up(
    new_server: Callable[..., AnyServer],
) -> None:
    """RingCentral does not say whether subscriptions count; in the independent server they do."""
    async with new_server(20, limits={"Medium": 2}) as server:
        async with PresenceSession(server.grant, server=server.url) as session:
            for _ in range(2):
                await session.update_user_presence_status()
            async with session.board() as board:
                await asyncio.sleep(70)
                assert board.is_live
        assert server.rate_limited <= 1


@pytest.mark.parametrize("missed", [5, 150])
async def test_a_board_converges_after_a_lost_connection(
    server: AnyServer, session: PresenceSession, missed: int
) -> None:
    """150 changes are more than the server keeps for a connection that is lost."""
    async with session.board() as board:
        await board.wait_ready()
        for round_ in range(3):
            server.drop()
            for number in range(missed):
                id_ = server.user_ids[number % len(server.user_ids)]
                server.set_presence(id_, user_status=("Busy", "Offline")[(number + round_) % 2])
            await asyncio.sleep(120)
            assert converged(board, server)


async def test_a_board_converges_after_a_failed_recovery(
    server: AnyServer, session: PresenceSession
) -> None:
    async with session.board(server.user_ids[:40]) as board:
        await board.wait_ready()
        server.fail_recovery()
        server.drop()
        server.set_presence(server.user_ids[3], user_status="Offline")
        await board.wait_for(server.user_ids[3], lambda p: p.user_status == "Offline")
        assert len(board) == 40


async def test_a_board_survives_the_end_of_its_token(
    server: AnyServer, session: PresenceSession
) -> None:
    async with session.board(refresh=None) as board:
        await board.wait_ready()
        for number in range(3):
            await asyncio.sleep(3000)
            status = change(server, server.user_ids[number])
            await asyncio.sleep(60)
            assert board[server.user_ids[number]].user_status == status
    assert server.logins == 1
