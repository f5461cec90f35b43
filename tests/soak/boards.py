"""Boards: one that stays open, one that is opened again and again, and one with a dashboard."""

import asyncio
from contextlib import AsyncExitStack, suppress
from typing import Any

import aiohttp

from aiopresence import PresenceBoard, PresenceError
from aiopresence.web import presence_app
from tests.support.sse import stream

from . import states
from .activity import Activity, retrying
from .checks import Latest, View, is_current
from .streams import serving

_READERS = 3
# Seconds after which a board must be ready, whatever faults it has met.
_PATIENCE = 90.0


def _view(board: PresenceBoard) -> View:
    def view() -> dict[str, int | None]:
        with suppress(PresenceError):  # It has ended, and is about to be opened again.
            return {id_: states.number_of_calls(board[id_]) for id_ in board}
        return {}

    return view


async def _watch(activity: Activity, board: PresenceBoard, latest: Latest) -> None:
    async for change in board.changes():
        if change.id not in activity.account.now:
            continue
        if change.new is None:
            activity.tally.defect("lost", f"{change.id} is gone")
            continue
        number = states.number_of_calls(change.new)
        latest.see(change.id, number, activity.account.now[change.id], f"by {change.source}")


async def keep_board(activity: Activity) -> None:
    """Keep a board open, of the whole account or of single extensions."""
    ids = None if activity.chance.random() < 0.5 else activity.account.ids

    async def follow() -> None:
        # It never goes back as long as it is open.
        latest = Latest(activity.tally)
        board = activity.session.board(ids, detailed_telephony_state=True)
        async with board:
            activity.view = _view(board)
            await _watch(activity, board, latest)

    await retrying(activity, follow)


async def open_boards(activity: Activity) -> None:
    """Open boards, sometimes leave them before they are ready, and close them."""
    await retrying(activity, lambda: _open(activity))


async def _open(activity: Activity) -> None:
    ids = activity.chance.sample(activity.account.ids, 10)
    before = {id_: activity.account.now[id_] for id_ in ids}
    patience = activity.chance.choice((0.05, 0.5, _PATIENCE))
    try:
        async with (
            asyncio.timeout(patience),
            activity.session.board(ids, detailed_telephony_state=True) as board,
        ):
            await board.wait_ready()
            shown = _view(board)()
    except TimeoutError:
        if patience == _PATIENCE:
            activity.tally.defect("stale", f"a board was not ready after {patience} s")
        return
    activity.tally.add("requested", len(ids))
    for id_, number in before.items():
        if is_current(shown.get(id_), number):
            activity.tally.add("answered")
        elif id_ in board.errors:
            activity.tally.add("failed")
        else:
            text = f"{id_} shows {shown.get(id_)}, and had {number} before the board was opened"
            activity.tally.defect("wrong", text)
    await activity.pause(3.0)


async def serve_dashboard(activity: Activity) -> None:
    """Serve a dashboard, and read its stream as some browsers do."""

    async def follow() -> None:
        async with AsyncExitStack() as stack:
            board = await stack.enter_async_context(
                activity.session.board(directory=True, detailed_telephony_state=True)
            )
            await board.wait_ready()
            port = await stack.enter_async_context(serving(presence_app(board)))
            readers = [Reader(f"http://127.0.0.1:{port}/", activity) for _ in range(_READERS)]
            activity.view = lambda: _shown_by_all(readers, board)
            async with asyncio.TaskGroup() as group:
                for reader in readers:
                    group.create_task(reader.run())

    await retrying(activity, follow)


class Reader:
    """A page in a browser: it reads all rows, and then the stream.

    Attributes:
        rows: the rows that it shows.
    """

    def __init__(self, url: str, activity: Activity) -> None:
        self._url = url
        self._activity = activity
        self.rows: dict[str, Any] = {}

    async def run(self) -> None:
        """Read, and connect again after each disconnection."""
        last_id: str | None = None
        while True:
            async with stream(f"{self._url}changes", last_id) as events:
                while not self._is_disconnected():
                    event = await events.next()
                    last_id = events.last_id
                    await self._take(event.kind, event.data)

    def _is_disconnected(self) -> bool:
        if not self._activity.to_disconnect:
            return False
        self._activity.to_disconnect -= 1
        self._activity.account.fire("disconnected reader", explains=False)
        return True

    async def _take(self, kind: str, data: Any) -> None:
        if kind == "reset":
            self.rows = await self._read_all()
        elif kind == "changes":
            self.rows |= {row["id"]: row for row in data["rows"]}
            for id_ in data["gone"]:
                self._activity.tally.defect("lost", f"{id_} is gone")

    async def _read_all(self) -> dict[str, Any]:
        async with (
            aiohttp.ClientSession() as client,
            client.get(f"{self._url}presence") as response,
        ):
            rows = await response.json()
        ids = [row["id"] for row in rows]
        if len(ids) != len({*ids}):
            self._activity.tally.defect("duplicated", "a row of the dashboard")
        if missing := {*self._activity.account.now} - {*ids}:
            self._activity.tally.defect("lost", f"rows of the dashboard: {missing}", len(missing))
        return {row["id"]: row for row in rows}


def _shown_by_all(readers: list[Reader], board: PresenceBoard) -> dict[str, int | None]:
    """Return the state of each extension of the board, if all readers show its availability."""

    def is_shown(id_: str) -> bool:
        expected = board[id_].availability
        return all(reader.rows.get(id_, {}).get("availability") == expected for reader in readers)

    return {id_: number for id_, number in _view(board)().items() if is_shown(id_)}
