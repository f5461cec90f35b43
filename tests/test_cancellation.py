"""Cancel each call of a session at any step: nothing is left behind, and the session goes on.

Each call is cancelled at each of the first steps of the event loop, and at some of the later ones
until it is done sooner; at every second one it is cancelled again while it ends.
"""

import asyncio
import inspect
from collections.abc import Callable, Coroutine, Iterator
from itertools import chain
from typing import Any

import pytest

from aiopresence import (
    CallQueueUpdatePresence,
    ExtensionCallQueueUpdatePresenceList,
    PresenceSession,
    UpdateUnifiedPresence,
)
from aiopresence.protocol.rate_limit_groups import RateLimits
from aiopresence.sandbox import Sandbox
from tests.support.sessions import Session

Call = Callable[[PresenceSession, Sandbox], Coroutine[Any, Any, object]]


async def outcomes(session: PresenceSession, sandbox: Sandbox) -> object:
    return [each async for each in session.iter_user_presence_statuses(sandbox.extension_ids[:70])]


async def unified_outcomes(session: PresenceSession, sandbox: Sandbox) -> object:
    return [each async for each in session.iter_unified_presences(sandbox.user_ids[:40])]


async def all_pages(session: PresenceSession, _: Sandbox) -> object:
    return [each async for each in session.iter_account_presence(per_page=30)]


async def changed_for_a_while(session: PresenceSession, sandbox: Sandbox) -> object:
    async with session.temporary_presence({"message": "away"}, extension_id=sandbox.user_ids[2]):
        await session.read_user_presence_status(sandbox.user_ids[2])
    return True


async def a_live_board(session: PresenceSession, sandbox: Sandbox) -> object:
    async with session.board(sandbox.user_ids[:5]) as board:
        await board.wait_ready()
        return len(board)


async def a_poll(session: PresenceSession, sandbox: Sandbox) -> object:
    changes = session.poll(sandbox.user_ids[:5], interval=60.0)
    try:
        return await anext(changes)
    finally:
        await changes.aclose()


async def an_event(session: PresenceSession, sandbox: Sandbox) -> object:
    async def change() -> None:
        status = "Busy"
        while True:
            await asyncio.sleep(0)
            if sandbox.gateway.subscriptions:
                status = "Busy" if status == "Available" else "Available"
                sandbox.set_presence("~", user_status=status)

    events, changing = session.events(), asyncio.create_task(change())
    try:
        return await anext(events)
    finally:
        changing.cancel()
        await events.aclose()


async def opened_and_closed(_: PresenceSession, sandbox: Sandbox) -> object:
    async with Session(sandbox.grant, server=sandbox.url) as other:
        await other.read_user_presence_status()
    return True


async def revoked(session: PresenceSession, _: Sandbox) -> object:
    await session.read_user_presence_status()
    await session.revoke()
    return True


QUEUE = CallQueueUpdatePresence(records=[])
QUEUES = ExtensionCallQueueUpdatePresenceList(records=[])
CALLS: dict[str, Call] = {
    "read_user_presence_status": lambda s, b: s.read_user_presence_status(b.user_ids[1]),
    "read_user_presence_statuses": lambda s, b: s.read_user_presence_statuses(
        [*b.extension_ids[:70], "~"]
    ),
    "read_user_presence_statuses by pages": lambda s, b: s.read_user_presence_statuses(
        b.extension_ids[:70], route="account"
    ),
    "iter_user_presence_statuses": outcomes,
    "update_user_presence_status": lambda s, b: s.update_user_presence_status({"message": "x"}),
    "update_user_presence_statuses": lambda s, b: s.update_user_presence_statuses(
        {id_: {} for id_ in b.user_ids[:5]}
    ),
    "temporary_presence": changed_for_a_while,
    "read_account_presence": lambda s, b: s.read_account_presence(),
    "iter_account_presence": all_pages,
    "read_directory": lambda s, b: s.read_directory(),
    "read_unified_presence": lambda s, b: s.read_unified_presence(),
    "read_unified_presences": lambda s, b: s.read_unified_presences(b.user_ids[:40]),
    "iter_unified_presences": unified_outcomes,
    "update_unified_presence": lambda s, b: s.update_unified_presence(
        UpdateUnifiedPresence(glip={"visibility": "Visible"})
    ),
    "read_call_queue_presence": lambda s, b: s.read_call_queue_presence(b.queue_ids[0]),
    "update_call_queue_presence": lambda s, b: s.update_call_queue_presence(
        QUEUE, group_id=b.queue_ids[0]
    ),
    "read_extension_call_queue_presence": lambda s, b: s.read_extension_call_queue_presence(),
    "update_extension_call_queue_presence": lambda s, b: s.update_extension_call_queue_presence(
        QUEUES
    ),
    "request": lambda s, b: s.request("GET", "/restapi/v1.0/account/~/presence"),
    "revoke": revoked,
    "board": a_live_board,
    "poll": a_poll,
    "events": an_event,
    "close": opened_and_closed,
}


def test_no_call_of_a_session_is_missing() -> None:
    asynchronous = {
        name
        for name, member in inspect.getmembers(PresenceSession, inspect.isfunction)
        if not name.startswith("_")
        and (
            inspect.iscoroutinefunction(member)
            or "Async" in str(inspect.signature(member).return_annotation)
            or "Board" in str(inspect.signature(member).return_annotation)
        )
    }
    assert asynchronous == {name.split(" ")[0] for name in CALLS}


def steps_to_cancel_at() -> Iterator[int]:
    return chain(range(1, 40), range(40, 100_000, 13))


def in_flight(session: PresenceSession) -> int:
    limits = session._limiter._limits
    assert isinstance(limits, RateLimits)
    groups = limits._groups.by_name.items()
    # A login continues when its caller is cancelled: other calls need the token.
    return sum(group.in_flight for name, group in groups if name != "Auth")


def tasks_of_the_library() -> set[str]:
    """Return what runs besides the test and the connections of the sandbox."""
    current = asyncio.current_task()
    names = {repr(task.get_coro()) for task in asyncio.all_tasks() if task is not current}
    return {
        name for name in names if "RequestHandler" not in name and "aiopresence.sandbox" not in name
    }


async def idle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


@pytest.mark.fault
@pytest.mark.parametrize("name", CALLS)
async def test_a_call_that_is_cancelled_at_any_step_leaves_nothing_behind(
    sandbox: Sandbox, name: str
) -> None:
    async with Session(sandbox.grant, server=sandbox.url, concurrency=2) as session:
        cancelled = 0
        for steps in steps_to_cancel_at():
            task = asyncio.create_task(CALLS[name](session, sandbox))
            for _ in range(steps):
                await asyncio.sleep(0)
            if task.done():
                break
            task.cancel()
            if steps % 2:
                await asyncio.sleep(0)
                task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            cancelled += 1
            await idle()
            assert in_flight(session) == 0
            assert session._limiter.in_flight == sum(
                "TokenManager" in t for t in tasks_of_the_library()
            )
        assert cancelled >= 5
        assert await CALLS[name](session, sandbox)
        await idle()
        assert not tasks_of_the_library()
