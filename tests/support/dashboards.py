"""A dashboard that is served, on a board of a sandbox."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import attrs
from aiohttp import web

from aiopresence import PresenceBoard, PresenceSession
from aiopresence.sandbox import Sandbox
from aiopresence.web import presence_app
from tests.support import canaries
from tests.support.sessions import PLENTY


@attrs.frozen
class Served:
    """A dashboard.

    Attributes:
        sandbox: the account.
        board: the board.
        port: the port of the dashboard on 127.0.0.1.
        runner: what serves it.
    """

    sandbox: Sandbox
    board: PresenceBoard
    port: int
    runner: web.AppRunner

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"


async def _see(_: web.Request, response: web.StreamResponse) -> None:
    canaries.see_response("a dashboard", response.headers, getattr(response, "body", None))


@asynccontextmanager
async def served(
    extensions: int = 20,
    *,
    port: int = 0,
    refresh: float = 3600.0,
    ids: Callable[[Sandbox], list[str] | None] = lambda _: None,
    prepare: Callable[[Sandbox], None] = lambda _: None,
    **options: Any,
) -> AsyncIterator[Served]:
    """Serve the dashboard of a new sandbox, once its board is ready.

    Args:
        extensions: the number of extensions.
        port: the port of the dashboard; 0 for any.
        refresh: seconds after which the board reads everything again.
        ids: returns the extensions of the board; None for all.
        prepare: changes the account before the board reads it.
        options: the options of the dashboard.
    """
    async with (
        Sandbox(extensions, limits=PLENTY) as sandbox,
        PresenceSession(sandbox.grant, server=sandbox.url) as session,
        session.board(ids(sandbox), directory=True, refresh=refresh) as board,
    ):
        prepare(sandbox)
        await board.wait_ready()
        canaries.register(options.get("token") or "")
        app = presence_app(board, **options)
        app.on_response_prepare.append(_see)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        try:
            site = web.TCPSite(runner, "127.0.0.1", port)
            await site.start()
            yield Served(sandbox, board, runner.addresses[0][1], runner)
        finally:
            await runner.cleanup()
