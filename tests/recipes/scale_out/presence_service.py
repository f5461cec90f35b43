"""A service that any number of workers run, on one or many machines, as one app and user.

gunicorn presence_service:create_app --workers 4 --worker-class aiohttp.GunicornWebWorker
"""

import os
from collections.abc import AsyncIterator

from aiohttp import web

from aiopresence import (
    GetPresenceInfo,
    Outcome,
    PresenceSession,
    RedisFailed,
    ServerError,
    TransportError,
    UsageError,
    to_dict,
)
from aiopresence.redis import RedisLimits, RedisTokenStore

REDIS = os.environ.get("REDIS_URL", "redis://localhost:6379/0")
SESSION = web.AppKey("session", PresenceSession)
# What has nothing to do with the ids.
OUTAGES = (RedisFailed, TransportError, ServerError)


async def presence_session(app: web.Application) -> AsyncIterator[None]:
    async with PresenceSession.from_env(
        limits=RedisLimits(REDIS), token_store=RedisTokenStore(REDIS)
    ) as session:
        app[SESSION] = session
        yield


def answer(outcome: Outcome[GetPresenceInfo]) -> dict[str, str | None]:
    """Return the kind of an error only: its message may name servers of yours."""
    if outcome.value is None:
        return {"error": type(outcome.error).__name__}
    return {"status": outcome.value.presence_status}


async def presence(request: web.Request) -> web.Response:
    """GET /presence?ids=1,2,3: the status of each extension, or the error; 503 in an outage."""
    ids = request.query.get("ids", "").split(",")
    try:
        result = await request.app[SESSION].read_user_presence_statuses(ids)
    except UsageError as error:
        raise web.HTTPBadRequest(text=str(error)) from None
    is_outage = all(isinstance(each.error, OUTAGES) for each in result)
    answers = {each.id: answer(each) for each in result}
    return web.json_response(answers, status=503 if is_outage else 200)


async def metrics(request: web.Request) -> web.Response:
    """GET /metrics: what this worker has done; rate_limited is the number of 429s."""
    return web.json_response({"worker": os.getpid(), **to_dict(request.app[SESSION].stats)})


async def create_app() -> web.Application:
    app = web.Application()
    app.cleanup_ctx.append(presence_session)
    app.add_routes([web.get("/presence", presence), web.get("/metrics", metrics)])
    return app
