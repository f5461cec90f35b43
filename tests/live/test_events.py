"""Iterating over events: the buffer by itself, then real WebSockets in virtual time."""

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from datetime import UTC, datetime, timedelta

import aiohttp
import pytest

from aiopresence import (
    CallQueueMemberEventBody,
    CallQueuePresence,
    ConnectionFailed,
    DndStatus,
    InvalidRequest,
    PermissionDenied,
    PresenceEvent,
    PresenceEventBody,
    PresenceLineEventBody,
    PresenceStatus,
    Resync,
    ResyncReason,
    SessionLost,
    TelephonyStatus,
    UsageError,
    filters,
)
from aiopresence.live import events as events_module
from aiopresence.live.events import BUFFER_SIZE, EventBuffer
from aiopresence.sandbox import Answer, GatewayPlan, Sandbox
from aiopresence.transport.clock import Clock
from tests.support.virtual import virtual, virtual_sandbox, virtual_session

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
Item = PresenceEvent | Resync
Events = AsyncGenerator[Item, None]


def at(second: int) -> datetime:
    return NOW + timedelta(seconds=second)


def note(number: int) -> PresenceEvent:
    return PresenceEvent(uuid=str(number), timestamp=at(number))


def full(missed: int, since: datetime | None) -> Resync:
    return Resync(ResyncReason.OVERFLOW, since, missed)


async def take(buffer: EventBuffer, count: int) -> list[Item]:
    return [await buffer.get() for _ in range(count)]


async def drain(buffer: EventBuffer) -> list[Item]:
    buffer.close(EOFError())
    taken = []
    try:
        while True:
            taken.append(await buffer.get())
    except EOFError:
        return taken


def fill(buffer: EventBuffer, *numbers: int) -> None:
    for number in numbers:
        buffer.put(note(number))


async def test_items_that_fit_are_returned_in_order() -> None:
    buffer, resync = EventBuffer(size=5), Resync(ResyncReason.CONNECTION_LOST, NOW)
    fill(buffer, 0, 1)
    buffer.put(resync)
    fill(buffer, 2, 3)
    assert await drain(buffer) == [note(0), note(1), resync, note(2), note(3)]


@pytest.mark.fault
async def test_events_that_do_not_fit_are_one_resync_that_counts_them() -> None:
    buffer = EventBuffer(size=4)
    fill(buffer, *range(11))
    assert await drain(buffer) == [*map(note, range(4)), full(7, at(3))]


async def test_events_are_buffered_again_after_half_was_consumed() -> None:
    buffer = EventBuffer(size=4)
    fill(buffer, *range(6))
    assert await take(buffer, 1) == [note(0)]
    fill(buffer, 6)  # Three events and the Resync are buffered.
    assert await take(buffer, 1) == [note(1)]
    fill(buffer, 7)
    assert await take(buffer, 1) == [note(2)]
    fill(buffer, 8, 9)
    assert await drain(buffer) == [note(3), full(4, at(3)), note(8), note(9)]


async def test_every_overflow_has_a_resync_in_its_place() -> None:
    buffer = EventBuffer(size=4)
    fill(buffer, *range(6))
    await take(buffer, 3)
    fill(buffer, *range(6, 12))  # One, the Resync, and two of these are buffered.
    assert await drain(buffer) == [
        *(note(3), full(2, at(3)), note(6), note(7)),
        full(4, at(7)),
    ]


@pytest.mark.parametrize("size", [1, 2, 3, 10])
async def test_every_lost_event_is_counted_and_the_size_is_bounded(size: int) -> None:
    buffer, put, items = EventBuffer(size), 0, list[Item]()
    for turn in range(200):
        for _ in range(turn * 7 % 11):
            fill(buffer, put)
            put += 1
        assert len(buffer._items) <= size + 1
        items += await take(buffer, min(turn % 5, len(buffer._items)))
    items += await drain(buffer)
    expected = 0
    for one in items:
        if isinstance(one, PresenceEvent):
            assert one == note(expected)
            expected += 1
        else:
            assert one.reason is ResyncReason.OVERFLOW
            assert one.missed
            assert one.since == at(expected - 1)
            expected += one.missed
    assert expected == put


async def test_a_resync_while_the_buffer_is_full_is_merged_and_not_counted() -> None:
    buffer = EventBuffer(size=2)
    fill(buffer, 0, 1, 2)
    for _ in range(100):
        buffer.put(Resync(ResyncReason.CONNECTION_LOST, at(5)))
    fill(buffer, 3)
    assert await drain(buffer) == [note(0), note(1), full(2, at(1))]


async def test_a_resync_that_does_not_fit_counts_the_events_after_it() -> None:
    buffer = EventBuffer(size=2)
    fill(buffer, 0, 1)
    buffer.put(Resync(ResyncReason.CONNECTION_LOST, at(5)))
    fill(buffer, 2, 3)
    lost = Resync(ResyncReason.CONNECTION_LOST, at(5), 2)
    assert await drain(buffer) == [note(0), note(1), lost]


async def test_an_overflow_after_a_resync_is_since_its_time() -> None:
    buffer, resync = EventBuffer(size=2), Resync(ResyncReason.UNREADABLE, at(1))
    fill(buffer, 0)
    buffer.put(resync)
    fill(buffer, 2)
    assert await drain(buffer) == [note(0), resync, full(1, at(1))]


async def test_an_error_is_raised_after_the_buffered_items_and_again() -> None:
    buffer = EventBuffer(size=2)
    fill(buffer, 0, 1, 2)
    buffer.close(SessionLost("the end"))
    assert await take(buffer, 3) == [note(0), note(1), full(1, at(1))]
    for _ in range(2):
        with pytest.raises(SessionLost):
            await buffer.get()


async def test_a_waiting_consumer_is_woken_by_an_item_and_by_an_error() -> None:
    buffer = EventBuffer()
    waiting = asyncio.create_task(buffer.get())
    await asyncio.sleep(0)
    fill(buffer, 0)
    assert await waiting == note(0)
    waiting = asyncio.create_task(buffer.get())
    await asyncio.sleep(0)
    buffer.close(SessionLost("the end"))
    with pytest.raises(SessionLost):
        await waiting


async def test_a_cancelled_consumer_loses_nothing() -> None:
    buffer = EventBuffer()
    waiting = asyncio.create_task(buffer.get())
    await asyncio.sleep(0)
    fill(buffer, 0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert await drain(buffer) == [note(0)]


async def following(sandbox: Sandbox, events: Events) -> "asyncio.Task[Item]":
    """Start to iterate; return the task that waits for the first event."""
    before = len(sandbox.gateway.subscriptions)
    task = asyncio.ensure_future(anext(events))
    for _ in range(1000):
        if len(sandbox.gateway.subscriptions) > before or task.done():
            break
        await asyncio.sleep(0.01)
    return task


async def soon(events: Events, within: float = 1.0) -> list[Item]:
    """Return all events until none arrives for some time; this ends the stream."""
    items = []
    try:
        while True:
            async with asyncio.timeout(within):
                items.append(await anext(events))
    except TimeoutError:
        return items


def body(event: Item) -> PresenceEventBody:
    assert isinstance(event, PresenceEvent)
    assert isinstance(event.body, PresenceEventBody)
    return event.body


@virtual
async def test_by_default_it_follows_the_account() -> None:
    async with virtual_sandbox() as sandbox, virtual_session(sandbox) as session:
        one, two = sandbox.user_ids[1:3]
        for who in (one, two):
            sandbox.set_presence(who, user_status="Available", telephony_status="NoCall")
        async with aclosing(session.events()) as events:
            first = await following(sandbox, events)
            assert sandbox.gateway.subscriptions == [(filters.account_presence(),)]
            sandbox.set_presence(one, user_status="Busy")
            sandbox.ring(two)
            event = body(await first)
            assert (event.extension_id, event.presence_status) == (one, PresenceStatus.BUSY)
            ringing = body(await anext(events))
            assert ringing.extension_id == two
            assert ringing.telephony_status is TelephonyStatus.RINGING
            assert ringing.active_calls is None
        await asyncio.sleep(1)
        assert sandbox.gateway.connections == 0
        assert session.stats.events == 2


@virtual
async def test_detailed_events_have_active_calls() -> None:
    async with virtual_sandbox() as sandbox, virtual_session(sandbox) as session:
        who = sandbox.user_ids[1]
        sandbox.set_presence(who, telephony_status="NoCall", allow_see_my_presence=True)
        async with aclosing(session.events(detailed=True)) as events:
            first = await following(sandbox, events)
            sandbox.ring(who, "+16505550100")
            event = body(await first)
            assert event.active_calls is not None
            assert event.active_calls[-1].from_ == "+16505550100"
            assert event.total_active_calls == 1


@virtual
async def test_every_filter_has_typed_bodies() -> None:
    async with virtual_sandbox(60) as sandbox, virtual_session(sandbox) as session:
        queue = sandbox.queue_ids[0]
        wanted = [
            filters.call_queue_presence(queue),
            filters.extension_lines(),
            filters.extension_dnd(),
        ]
        me, line = sandbox.user_ids[:2]
        sandbox.set_presence(line, telephony_status="NoCall", allow_see_my_presence=True)
        sandbox.set_presence(me, dnd_status="TakeAllCalls")
        async with aclosing(session.events(wanted)) as events:
            first = await following(sandbox, events)
            assert sandbox.gateway.subscriptions == [tuple(wanted)]
            sandbox.ring(line)
            lines = await first
            assert isinstance(lines, PresenceEvent)
            assert isinstance(lines.body, PresenceLineEventBody)
            assert [each.id for each in lines.body.extension or ()] == [line]
            sandbox.set_presence(me, dnd_status="DoNotAcceptAnyCalls")
            dnd = body(await anext(events))
            assert dnd == PresenceEventBody(
                extension_id=me, dnd_status=DndStatus.DO_NOT_ACCEPT_ANY_CALLS
            )
            members = await session.read_call_queue_presence(queue)
            record = (members.records or ())[0]
            assert record.member is not None
            member, accepts = record.member.id, record.accept_current_queue_calls
            for flat in (False, True):
                sandbox.feed.flat_queue_events = flat
                accepts = not accepts
                change = {"member": {"id": member}, "accept_current_queue_calls": accepts}
                await session.update_call_queue_presence({"records": [change]}, group_id=queue)
                event = await anext(events)
                assert isinstance(event, PresenceEvent)
                if flat:
                    assert event.body == CallQueueMemberEventBody(member, queue, accepts)
                else:
                    assert isinstance(event.body, CallQueuePresence)
                    [changed] = event.body.records or ()
                    assert changed.accept_current_queue_calls is accepts


@virtual
async def test_a_plain_filter_is_not_requested_beside_a_detailed_one() -> None:
    async with virtual_sandbox() as sandbox, virtual_session(sandbox) as session:
        me = sandbox.user_ids[0]
        wanted = [
            filters.extension_presence(me),
            filters.extension_presence(me, detailed=True),
            filters.extension_presence(me),
            filters.extension_presence(sandbox.user_ids[1]),
        ]
        sandbox.set_presence(me, user_status="Available")
        async with aclosing(session.events(iter(wanted))) as events:
            first = await following(sandbox, events)
            assert sandbox.gateway.subscriptions == [(wanted[1], wanted[3])]
            sandbox.set_presence(me, user_status="Busy")
            await first
            assert await soon(events) == []


@virtual
async def test_arguments_are_checked_before_the_iteration() -> None:
    async with virtual_sandbox(1) as sandbox, virtual_session(sandbox) as session:
        with pytest.raises(UsageError, match="filters"):
            session.events(filters.account_presence())
        with pytest.raises(UsageError, match="filters"):
            session.events([])
        with pytest.raises(UsageError, match="detailed"):
            session.events(detailed="yes")  # type: ignore[arg-type]
        assert not sandbox.requests


@virtual
async def test_a_filter_that_is_disabled_is_raised() -> None:
    async with virtual_sandbox() as sandbox, virtual_session(sandbox) as session:
        sandbox.forbid("ReadAccounts")
        wanted = [filters.account_presence(), filters.extension_presence()]
        async with aclosing(session.events(wanted)) as events:
            with pytest.raises(PermissionDenied, match="account/~/presence is disabled"):
                await anext(events)
        assert sandbox.gateway.connections == 0


@virtual
async def test_a_missing_permission_is_raised() -> None:
    async with virtual_sandbox() as sandbox, virtual_session(sandbox) as session:
        sandbox.forbid("WebSocketsSubscription")
        async with aclosing(session.events()) as events:
            with pytest.raises(PermissionDenied, match="WebSocketsSubscription"):
                await anext(events)


@virtual
async def test_a_filter_that_ringcentral_refuses_is_raised() -> None:
    async with virtual_sandbox() as sandbox, virtual_session(sandbox) as session:
        async with aclosing(session.events([filters.call_queue_presence(1)])) as events:
            with pytest.raises(InvalidRequest, match="SUB-508"):
                await anext(events)
        assert sandbox.gateway.connections == 0


@virtual
async def test_it_reconnects_until_it_succeeds() -> None:
    limits = {"Auth": 5}
    async with virtual_sandbox(limits=limits) as sandbox, virtual_session(sandbox) as session:
        refused = sandbox.faults.add(Answer(503), path="/ws", times=31)
        async with aclosing(session.events()) as events:
            waiting = asyncio.ensure_future(anext(events))
            while not sandbox.gateway.subscriptions:
                await asyncio.sleep(60)
            sandbox.ring(sandbox.user_ids[0])
            assert body(await waiting).extension_id == sandbox.user_ids[0]
        assert refused.fired == 31
        auth = [r.arrival for r in sandbox.requests if r.path.endswith("wstoken")]
        assert len(auth) == 32
        assert all(b - a > 60 for a, b in zip(auth, auth[3:], strict=False))
        assert all(request.status != 429 for request in sandbox.requests)


@virtual
async def test_a_failed_recovery_is_one_resync_in_its_place() -> None:
    async with virtual_sandbox() as sandbox, virtual_session(sandbox) as session:
        who = sandbox.user_ids[0]
        async with aclosing(session.events()) as events:
            first = await following(sandbox, events)
            sandbox.ring(who)
            before = await first
            await asyncio.sleep(100)
            sandbox.gateway.fail_recovery()
            sandbox.gateway.cut()
            cut_at = datetime.fromtimestamp(Clock().wall(), UTC)
            sandbox.answer(who)  # This event is lost.
            lost = await anext(events)
            assert isinstance(lost, Resync)
            assert (lost.reason, lost.missed) == (ResyncReason.CONNECTION_LOST, None)
            # When something was last received; a ping follows after 20 s of silence.
            assert lost.since is not None
            assert timedelta() <= cut_at - lost.since <= timedelta(seconds=25)
            sandbox.hang_up(who)
            after = body(await anext(events))
            assert (after.sequence or 0) == (body(before).sequence or 0) + 2
            assert await soon(events, 300) == []
        assert session.stats.resyncs == 1


@virtual
async def test_closing_the_session_ends_the_stream() -> None:
    async with virtual_sandbox() as sandbox, virtual_session(sandbox) as session:
        async with aclosing(session.events()) as events:
            first = await following(sandbox, events)
            await session.close()
            with pytest.raises(SessionLost):
                await first
        assert sandbox.gateway.connections == 0


@virtual
async def test_buffered_events_are_yielded_before_the_error() -> None:
    async with (
        virtual_sandbox() as sandbox,
        virtual_session(sandbox) as session,
        aclosing(session.events()) as events,
    ):
        first = await following(sandbox, events)
        for _ in range(3):
            sandbox.ring(sandbox.user_ids[0])
            sandbox.hang_up(sandbox.user_ids[0])
        await first
        await asyncio.sleep(1)
        await session.close()
        assert [body(await anext(events)).sequence for _ in range(5)]
        with pytest.raises(SessionLost):
            await anext(events)


@virtual
async def test_a_session_that_is_not_open_raises_a_usage_error() -> None:
    async with virtual_sandbox(1) as sandbox:
        with pytest.raises(UsageError):
            await anext(virtual_session(sandbox).events())


@virtual
async def test_two_streams_have_a_connection_each() -> None:
    async with virtual_sandbox() as sandbox, virtual_session(sandbox) as session:
        one, two = sandbox.user_ids[:2]
        sandbox.set_presence(two, user_status="Available", allow_see_my_presence=True)
        async with (
            aclosing(session.events([filters.extension_presence(one)])) as first,
            aclosing(session.events([filters.extension_presence(two)])) as second,
        ):
            of_one = await following(sandbox, first)
            of_two = await following(sandbox, second)
            assert sandbox.gateway.connections == 2
            sandbox.set_presence(two, user_status="Busy")
            sandbox.ring(one)
            assert body(await of_one).extension_id == one
            assert body(await of_two).extension_id == two
            await first.aclose()
            await asyncio.sleep(1)
            assert sandbox.gateway.connections == 1
            sandbox.set_presence(two, user_status="Offline")
            assert body(await anext(second)).extension_id == two


@virtual
async def test_events_of_unknown_types_have_their_json_as_body() -> None:
    async with virtual_sandbox() as sandbox, virtual_session(sandbox) as session:
        async with aclosing(session.events()) as events:
            first = await following(sandbox, events)
            meta = {"type": "ServerNotification", "messageId": "m"}
            notification = {
                "uuid": "u1",
                "event": "/restapi/v2/weather",
                "body": {"sun": [1, {"a": None}]},
            }
            sandbox.gateway.inject(json.dumps([meta, notification]))
            event = await first
            assert isinstance(event, PresenceEvent)
            assert (event.uuid, event.event, event.timestamp) == ("u1", "/restapi/v2/weather", None)
            assert isinstance(event.body, Mapping)
            assert event.body == {"sun": [1, {"a": None}]}
        assert session.stats.resyncs == 0


@virtual
async def test_a_certificate_that_is_not_trusted_is_raised() -> None:
    async with virtual_sandbox(1) as sandbox, virtual_session(sandbox) as session:

        async def refuse(_: object) -> None:
            raise ConnectionFailed("not trusted", final=True)

        session._requester.connect_websocket = refuse  # type: ignore[method-assign, assignment]
        async with aclosing(session.events()) as events:
            with pytest.raises(ConnectionFailed):
                await anext(events)


@pytest.mark.fault
@virtual
async def test_every_event_that_a_stalled_consumer_misses_is_counted() -> None:
    """The buffer is small, and there are twenty times the events that fit; pings are answered."""
    size, pongs = 50, 0
    pong = aiohttp.ClientWebSocketResponse.pong

    async def count(self: aiohttp.ClientWebSocketResponse, message: bytes = b"") -> None:
        nonlocal pongs
        pongs += 1
        await pong(self, message)

    async with virtual_sandbox(40) as sandbox, virtual_session(sandbox) as session:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(events_module, "EventBuffer", lambda: EventBuffer(size))
            events = session.events(detailed=True)
            first = await following(sandbox, events)
        async with aclosing(events):
            sent_before = sandbox.feed.sent
            sandbox.ring(sandbox.user_ids[0])
            items = [await first]
            simulation = sandbox.simulate(50)
            pings = sandbox.gateway.pings
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(aiohttp.ClientWebSocketResponse, "pong", count)
                [connection] = sandbox.gateway._gateway.connections
                for second in range(30):
                    connection._write(0x9, b"are you there?")
                    for _ in range(50 if second < 20 else 0):
                        simulation.step()
                    await asyncio.sleep(1)
                    assert pongs == second + 1
            await asyncio.sleep(120)
            assert sandbox.gateway.connections == 1
            assert sandbox.gateway.pings > pings + 3
            items += await soon(events)
        sent = sandbox.feed.sent - sent_before
        assert sent >= 20 * size
        missed = [each.missed or 0 for each in items if isinstance(each, Resync)]
        assert missed == [sent - len(items) + 1]
        assert len(items) == size + 2
        assert isinstance(items[-1], Resync)
        assert items[-1].reason is ResyncReason.OVERFLOW
        assert session.stats.connections == 1


def test_the_buffer_is_larger_than_a_replay() -> None:
    assert BUFFER_SIZE == 10_000
    assert GatewayPlan().recovery_buffer_size < BUFFER_SIZE
