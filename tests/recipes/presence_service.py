"""Serve presence over HTTP. One board answers all requests; none waits for RingCentral."""

from collections.abc import AsyncIterator

import attrs
from aiohttp import web

from aiopresence import PresenceSession


class PresenceService:
    max_age = 60.0  # seconds; the board's age stays under 25 while the connection works

    async def keep_board(self, _: web.Application) -> AsyncIterator[None]:
        async with PresenceSession.from_env() as session, session.board() as self.board:
            await self.board.wait_ready()
            yield

    async def presence(self, request: web.Request) -> web.Response:
        id_ = request.match_info["id"]
        if id_ not in self.board:
            return web.json_response({"error": f"no extension {id_}"}, status=404)
        stale = self.board.is_stale(id_)
        return web.json_response(attrs.asdict(self.board[id_]) | {"stale": stale})

    async def available(self, _: web.Request) -> web.Response:
        ids = [id_ for id_, p in self.board.items() if p.presence_status == "Available"]
        return web.json_response(ids)

    async def health(self, _: web.Request) -> web.Response:
        body = {"age": self.board.age, "live": self.board.is_live}
        return web.json_response(body, status=503 if self.board.age > self.max_age else 200)

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/presence/{id}", self.presence)
        app.router.add_get("/available", self.available)
        app.router.add_get("/health", self.health)
        app.cleanup_ctx.append(self.keep_board)
        return app


if __name__ == "__main__":
    web.run_app(PresenceService().app(), host="127.0.0.1", port=8080)
