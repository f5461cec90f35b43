"""Everything that a session does and that takes time: one operation, or more, per public method."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator
from contextlib import aclosing, contextmanager
from itertools import count
from typing import Any

import attrs

from aiopresence import PresenceSession
from aiopresence.sandbox import Sandbox

_numbers = count()


@attrs.frozen
class Operation:
    """One use of a public method; some end the session, so that nothing else may run meanwhile.

    Attributes:
        run: what is done with a session and its sandbox.
        is_shared: whether the session can be used for something else meanwhile.
    """

    run: Callable[[PresenceSession, Sandbox], Coroutine[Any, Any, Any]]
    is_shared: bool = True


async def _all(items: AsyncGenerator[Any, None], longest: int = 10**6) -> list[Any]:
    """Return the first items of a generator, and close it."""
    found: list[Any] = []
    async with aclosing(items):
        async for item in items:
            found.append(item)
            if len(found) == longest:
                break
    return found


@contextmanager
def _changes(sandbox: Sandbox, extension_id: str) -> Iterator[None]:
    """Change an extension once a second, so that there are events whenever the stream begins."""
    timer: asyncio.TimerHandle

    def change() -> None:
        nonlocal timer
        status = ("Busy", "Available")[next(_numbers) % 2]
        sandbox.set_presence(extension_id, user_status=status)
        timer = loop.call_later(1.0, change)

    loop = asyncio.get_running_loop()
    timer = loop.call_later(1.0, change)
    try:
        yield
    finally:
        timer.cancel()


async def _follow_events(session: PresenceSession, sandbox: Sandbox) -> None:
    with _changes(sandbox, sandbox.user_ids[2]):
        assert len(await _all(session.events(), 2)) == 2


async def _follow_board(session: PresenceSession, sandbox: Sandbox) -> None:
    with _changes(sandbox, sandbox.user_ids[2]):
        async with session.board(sandbox.user_ids[:5], directory=True) as board:
            await board.wait_ready()
            async for _ in board.changes():
                break
            await board.wait_for(sandbox.user_ids[2], lambda _: True)


async def _poll(session: PresenceSession, sandbox: Sandbox) -> None:
    changes = session.poll(sandbox.user_ids[:5], interval=5.0)
    assert len(await _all(changes, 5)) == 5


async def _change_temporarily(session: PresenceSession, sandbox: Sandbox) -> None:
    change = {"user_status": "Busy", "message": f"away {next(_numbers)}"}
    async with session.temporary_presence(change, extension_id=sandbox.user_ids[3]):
        await asyncio.sleep(1.0)


async def _open(session: PresenceSession, _: Sandbox) -> None:
    await session.close()
    await session.__aenter__()


async def _leave(session: PresenceSession, _: Sandbox) -> None:
    await session.__aexit__(None, None, None)


async def _renew(session: PresenceSession, sandbox: Sandbox) -> None:
    sandbox.expire_tokens()
    await session.read_user_presence_status()


async def _write_queue(session: PresenceSession, sandbox: Sandbox) -> None:
    queue = sandbox.queue_ids[0]
    before = await session.read_call_queue_presence(queue)
    assert before.records
    assert before.records[0].member is not None
    member = str(before.records[0].member.id)
    body = [{"member": {"id": member}, "accept_current_queue_calls": True}]
    await session.update_call_queue_presence({"records": body}, group_id=queue)
    agent = [{"call_queue": {"id": queue}, "accept_calls": True}]
    await session.update_extension_call_queue_presence({"records": agent}, extension_id=member)


def _ids(sandbox: Sandbox) -> list[str]:
    """Return what makes several batches, with a duplicate and the user's own presence."""
    return [*sandbox.extension_ids[:40], sandbox.extension_ids[0], "~"]


def _read(route: Any) -> Operation:
    return Operation(lambda s, b: s.read_user_presence_statuses(_ids(b), route=route))


def _iterate(route: Any) -> Operation:
    return Operation(lambda s, b: _all(s.iter_user_presence_statuses(_ids(b), route=route)))


_CHANGE: dict[str, Any] = {"message": "here"}

# By the name of the method, and a few words after a comma where there are several.
OPERATIONS: dict[str, Operation] = {
    "read_user_presence_status": Operation(lambda s, b: s.read_user_presence_status(b.user_ids[4])),
    "read_user_presence_status, expired token": Operation(_renew),
    "read_user_presence_statuses": _read("batches"),
    "read_user_presence_statuses, pages": _read("account"),
    "read_user_presence_statuses, fastest": _read("fastest"),
    "iter_user_presence_statuses": _iterate("batches"),
    "iter_user_presence_statuses, fastest": _iterate("fastest"),
    "update_user_presence_status": Operation(lambda s, _: s.update_user_presence_status(_CHANGE)),
    "update_user_presence_statuses": Operation(
        lambda s, b: s.update_user_presence_statuses(dict.fromkeys(b.user_ids[5:8], _CHANGE))
    ),
    "temporary_presence": Operation(_change_temporarily),
    "read_account_presence": Operation(lambda s, _: s.read_account_presence()),
    "iter_account_presence": Operation(lambda s, _: _all(s.iter_account_presence(per_page=20))),
    "read_directory": Operation(lambda s, _: s.read_directory()),
    "read_unified_presence": Operation(lambda s, _: s.read_unified_presence()),
    "read_unified_presences": Operation(lambda s, b: s.read_unified_presences(b.user_ids[:40])),
    "iter_unified_presences": Operation(
        lambda s, b: _all(s.iter_unified_presences(b.user_ids[:40]))
    ),
    "update_unified_presence": Operation(
        lambda s, _: s.update_unified_presence({"glip": {"availability": "DND"}})
    ),
    "read_call_queue_presence": Operation(lambda s, b: s.read_call_queue_presence(b.queue_ids[0])),
    "update_call_queue_presence": Operation(_write_queue),
    "update_extension_call_queue_presence": Operation(_write_queue),
    "read_extension_call_queue_presence": Operation(
        lambda s, _: s.read_extension_call_queue_presence()
    ),
    "request": Operation(
        lambda s, _: s.request("GET", "/restapi/v1.0/account/~/extension/~/presence")
    ),
    "events": Operation(_follow_events),
    "board": Operation(_follow_board),
    "poll": Operation(_poll),
    "revoke": Operation(lambda s, _: s.revoke()),
    "__aenter__": Operation(_open, is_shared=False),
    "__aexit__": Operation(_leave, is_shared=False),
    "close": Operation(lambda s, _: s.close(), is_shared=False),
}
