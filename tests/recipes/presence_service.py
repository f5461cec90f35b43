"""Serve presence over HTTP. One board answers all requests; none waits for RingCentral."""

import asyncio
import logging
import sys
from collections.abc import AsyncIterator

from aiohttp import web
from aiohttp.typedefs import Handler

from aiopresence import PresenceBoard, PresenceError, PresenceSession, to_dict


@web.middleware
async def answer_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except TimeoutError:
        reason = "presence has not been read yet; the log says what the board waits for"
    except PresenceError as error:  # the board has ended for good
        reason = str(error)
    return web.json_response({"error": reason}, status=503)


class PresenceService:
    max_age = 60.0  # seconds; the board's age stays under 25 while the connection works

    async def keep_board(self, _: web.Application) -> AsyncIterator[None]:
        async with PresenceSession.from_env() as session, session.board() as self.board:
            yield  # without wait_ready(), which could take as long as an outage

    async def ready_board(self) -> PresenceBoard:
        async with asyncio.timeout(0):
            await self.board.wait_ready()
        return self.board

    async def presence(self, request: web.Request) -> web.Response:
        board, id_ = await self.ready_board(), request.match_info["id"]
        if id_ not in board:
            return web.json_response({"error": f"no extension {id_}"}, status=404)
        return web.json_response(to_dict(board[id_]) | {"stale": board.is_stale(id_)})

    async def available(self, _: web.Request) -> web.Response:
        board = await self.ready_board()
        ids = [id_ for id_, p in board.items() if p.presence_status == "Available"]
        return web.json_response(ids)

    async def health(self, _: web.Request) -> web.Response:
        board = await self.ready_board()
        if board.age > self.max_age:
            error = f"nothing was received from RingCentral for {board.age:.0f} s"
            return web.json_response({"error": error}, status=503)
        return web.json_response({"age": board.age, "live": board.is_live})

    def app(self) -> web.Application:
        app = web.Application(middlewares=[answer_errors])
        app.router.add_get("/presence/{id}", self.presence)
        app.router.add_get("/available", self.available)
        app.router.add_get("/health", self.health)
        app.cleanup_ctx.append(self.keep_board)
        return app


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")  # shows waits
    try:
        web.run_app(PresenceService().app(), host="127.0.0.1", port=8080)
    except PresenceError as error:
        sys.exit(f"presence_service: {error}")
