"""The application: its routes, and what all responses have in common."""

import asyncio
import logging
from collections import Counter
from collections.abc import Mapping
from typing import Any

import orjson
from aiohttp import web
from aiohttp.typedefs import Handler

from .. import PresenceBoard, UsageError, to_dict
from .access import Access, Refused
from .metrics import CONTENT_TYPE, exposition, metrics
from .page import page
from .publisher import Publisher
from .readers import MAX_READERS
from .row_lists import MAX_LISTS, RowLists

_log = logging.getLogger("aiopresence")

_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}

_PATHS = "the paths are presence, presence/ID, changes, health and metrics"


def presence_app(board: PresenceBoard, *, token: str | None = None) -> web.Application:
    """Return an aiohttp.web application with the dashboard of a board.

    Run it alone, or mount it: `app.add_subapp("/presence/", presence_app(board))`. The board must
    be open when the application starts, and is not closed by it.

    Routes, for GET and HEAD only:

    - `/`: the page.
    - `/presence`: a JSON list with a row for each extension.
    - `/presence/{id or number}`: the row of one extension, with its record.
    - `/changes`: server-sent events with the rows that change.
    - `/health`: status 200, or 503 with the reason if the rows are not current.
    - `/metrics`: metrics for Prometheus.

    Args:
        board: the board.
        token: what a reader must present, at least 16 characters; None shows the dashboard to
            everybody who can connect. On a loopback address without a token, only requests to a
            name of this machine, such as localhost, are answered.

    Raises:
        UsageError: an argument is wrong.
    """
    if not isinstance(board, PresenceBoard):
        raise UsageError("board must be a PresenceBoard, such as session.board()")
    return _Dashboard(board, Access(token)).app()


class _Dashboard:
    def __init__(self, board: PresenceBoard, access: Access) -> None:
        self._publisher = Publisher(board)
        self._access = access
        self._lists = RowLists()
        self._requests: Counter[tuple[str, str]] = Counter()
        self._task: asyncio.Task[None] | None = None

    def app(self) -> web.Application:
        app = web.Application(middlewares=[self._answer])
        routes = {
            "": self._page,  # where the app is mounted, without the last slash
            "/": self._page,
            "/presence": self._presence,
            "/presence/{key}": self._one,
            "/changes": self._changes,
            "/health": self._health,
            "/metrics": self._metrics,
        }
        for path, handler in routes.items():
            app.router.add_get(path, handler)
        app.on_startup.append(self._start)
        app.on_shutdown.append(self._stop)
        app.on_response_prepare.append(_add_headers)
        return app

    async def _start(self, _: web.Application) -> None:
        changes = self._publisher.board.changes()
        self._task = asyncio.create_task(self._publisher.run(changes))
        self._task.add_done_callback(self._ended)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("the dashboard stopped", exc_info=error)
        self._publisher.end("the server was stopped")

    async def _stop(self, _: web.Application) -> None:
        self._lists.close()
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    @web.middleware
    async def _answer(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Check a request, answer errors as JSON, and count it."""
        try:
            # The page takes the token in its URL, and health always shows its status.
            if request.match_info.route.handler not in (self._page, self._health):
                self._access.check(request)
            response = await handler(request)
        except Refused as error:
            response = _problem(error.status, error.error, error.hint)
            if error.status == 401:
                response.headers["WWW-Authenticate"] = "Bearer"
        except web.HTTPException as error:
            response = _refusal(error)
        self._requests[_route(request), str(response.status)] += 1
        return response

    async def _page(self, request: web.Request) -> web.Response:
        if not request.path.endswith("/"):  # The page has relative URLs.
            folder = request.rel_url.raw_name + "/"
            query = request.rel_url.raw_query_string
            location = f"{folder}?{query}" if query else folder
            return web.Response(status=308, headers={"Location": location})
        if (redirect := self._access.login(request)) is not None:
            return redirect
        self._access.check(request)
        shown = page()
        return web.Response(
            body=shown.html,
            content_type="text/html",
            charset="utf-8",
            headers={"Content-Security-Policy": shown.policy},
        )

    async def _presence(self, request: web.Request) -> web.StreamResponse:
        if (problem := self._not_ready()) is not None:
            return problem
        if len(self._lists) >= MAX_LISTS:
            return _problem(503, "too many lists are being read", "try again later")
        response = web.StreamResponse()
        response.content_type = "application/json"
        await response.prepare(request)
        if request.method != "HEAD":
            await self._lists.write(request, response, self._publisher.parts())
        return response

    def _not_ready(self) -> web.Response | None:
        publisher = self._publisher
        if publisher.is_ready or publisher.end_reason is not None:
            return None
        return _problem(503, "the presence has not been read yet", "try again in some seconds")

    async def _one(self, request: web.Request) -> web.Response:
        if (response := self._not_ready()) is not None:
            return response
        key = request.match_info["key"]
        rows = self._publisher.rows
        found = [rows[key]] if key in rows else [r for r in rows.values() if r.number == key]
        if not found:
            return _problem(
                404, "no extension has this id or number", "GET presence lists all extensions"
            )
        if len(found) > 1:
            ids = ", ".join(row.id for row in found)
            return _problem(409, "several extensions have this number", f"use an id: {ids}")
        [row] = found
        shown = orjson.loads(row.json(stale=row.id in self._publisher.stale))
        return _json({**shown, "record": to_dict(row.record)})

    async def _changes(self, request: web.Request) -> web.StreamResponse:
        readers = self._publisher.readers
        if (reason := self._publisher.end_reason) is not None:
            return _problem(503, reason, "the server has to open the board again")
        if len(readers) >= MAX_READERS:
            readers.refused += 1
            return _problem(503, "too many streams are open", "try again later")
        # Proxies such as nginx must not buffer it.
        response = web.StreamResponse(headers={"X-Accel-Buffering": "no"})
        response.content_type = "text/event-stream"
        await response.prepare(request)
        if request.method != "HEAD":
            await readers.serve(request, response, self._publisher.status)
        return response

    async def _health(self, request: web.Request) -> web.Response:
        publisher = self._publisher
        reason = publisher.problem
        known = {"status": "ok" if reason is None else "unavailable"}
        details = {
            "reason": reason,
            "live": publisher.is_live,
            "extensions": len(publisher.rows),
            "stale": len(publisher.stale),
            "age": publisher.age and round(publisher.age, 3),
        }
        may_see = self._access.allows(request)
        return _json({**known, **details} if may_see else known, 200 if reason is None else 503)

    async def _metrics(self, _: web.Request) -> web.Response:
        text = exposition(metrics(self._publisher, self._requests))
        return web.Response(body=text.encode(), headers={"Content-Type": CONTENT_TYPE})


async def _add_headers(_: web.Request, response: web.StreamResponse) -> None:
    response.headers.update({**_HEADERS, **response.headers})


def _json(value: Mapping[str, Any], status: int = 200) -> web.Response:
    return web.Response(body=orjson.dumps(value), status=status, content_type="application/json")


def _problem(status: int, error: str, hint: str) -> web.Response:
    return _json({"error": error, "hint": hint}, status)


def _refusal(error: web.HTTPException) -> web.Response:
    """Return the answer to a request that no route takes."""
    if isinstance(error, web.HTTPMethodNotAllowed):
        response = _problem(405, "this method is not allowed", "use GET")
        response.headers["Allow"] = "GET, HEAD"
        return response
    return _problem(error.status, error.reason.lower(), _PATHS)


def _route(request: web.Request) -> str:
    """Return the route of a request, without the path at which the app is mounted."""
    resource = request.match_info.route.resource
    if resource is None:
        return "other"
    path = resource.canonical
    return "/presence/{key}" if path.endswith("/{key}") else f"/{path.rpartition('/')[2]}"
