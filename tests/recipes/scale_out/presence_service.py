"""A service that any number of workers run, on one or many machines, as one app and user.

gunicorn presence_service:create_app --workers 4 --worker-class aiohttp.GunicornWebWorker
"""

import os
from collections.abc import AsyncIterator

import attrs
from aiohttp import web

from aiopresence import PresenceSession, UsageError
from aiopresence.redis import RedisLimits, RedisTokenStore

REDIS = os.environ.get("REDIS_URL", "redis://localhost:6379/0")
SESSION = web.AppKey("session", PresenceSession)


async def presence_session(app: web.Application) -> AsyncIterator[None]:
    async with PresenceSession.from_env(
        limits=RedisLimits(REDIS), token_store=RedisTokenStore(REDIS)
    ) as session:
        app[SESSION] = session
        yield


async def presence(request: web.Request) -> web.Response:
    """GET /presence?ids=1,2,3: the status of each extension, or why there is none."""
    ids = request.query.get("ids", "").split(",")
    try:
        result = await request.app[SESSION].read_user_presence_statuses(ids)
    except UsageError as error:
        raise web.HTTPBadRequest(text=str(error)) from None
    return web.json_response(
        {each.id: each.value.presence_status if each.value else str(each.error) for each in result}
    )


async def metrics(request: web.Request) -> web.Response:
    """GET /metrics: what this worker has done; rate_limited is the number of 429s."""
    return web.json_response({"worker": os.getpid(), **attrs.asdict(request.app[SESSION].stats)})


async def create_app() -> web.Application:
    app = web.Application()
    app.cleanup_ctx.append(presence_session)
    app.add_routes([web.get("/presence", presence), web.get("/metrics", metrics)])
    return app
