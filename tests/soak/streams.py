"""Streams of events, by WebSocket and by webhook, and polls."""

import time
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any

from aiohttp import web

from aiopresence import PresenceEvent, PresenceEventBody, Resync, filters
from aiopresence.webhooks import WebhookReceiver

from . import states
from .activity import Activity, retrying
from .checks import Deliveries, Latest

HOOK = "/hook"


def _expect(activity: Activity, deliveries: Deliveries) -> None:
    activity.account.listeners.append(
        lambda id_, number: deliveries.send(id_, number, time.monotonic())
    )
    activity.overdue, activity.lose = deliveries.overdue, deliveries.lose


def _arrive(deliveries: Deliveries, event: PresenceEvent | Resync) -> None:
    now = time.monotonic()
    deliveries.forget(now)
    if isinstance(event, Resync):
        deliveries.cover(now)
    elif isinstance(event.body, PresenceEventBody):
        deliveries.arrive(str(event.body.extension_id), states.number_of_calls(event.body), now)


async def follow_events(activity: Activity) -> None:
    """Follow the events of the account."""
    deliveries = Deliveries(activity.tally)
    _expect(activity, deliveries)

    async def follow() -> None:
        try:
            async with aclosing(activity.session.events(detailed=True)) as events:
                async for event in events:
                    _arrive(deliveries, event)
                    deliveries.is_open = True
        finally:
            deliveries.stop()

    await retrying(activity, follow)


async def poll(activity: Activity) -> None:
    """Poll the extensions of the account."""
    latest = Latest(activity.tally)
    activity.view = lambda: latest.shown
    ids = activity.account.ids if activity.chance.random() < 0.5 else None

    async def follow() -> None:
        changes = activity.session.poll(ids, interval=0.5, detailed_telephony_state=True)
        async with aclosing(changes):
            async for change in changes:
                if change.new is None:
                    activity.tally.defect("lost", f"{change.id} is gone")
                elif change.id in activity.account.now:
                    number = states.number_of_read(change.new)
                    latest.see(change.id, number, activity.account.now[change.id])

    await retrying(activity, follow)


async def receive_webhooks(activity: Activity) -> None:
    """Receive the events of the account by a webhook; its responses may be lost or late."""
    deliveries = Deliveries(activity.tally)
    _expect(activity, deliveries)

    async def take(event: PresenceEvent | Resync) -> None:
        _arrive(deliveries, event)

    receiver = WebhookReceiver(take)
    activity.account.server.webhooks.attempts = 1000
    activity.account.server.webhooks.retry_seconds = 0.2
    async with receiver, _serving(activity, receiver) as url:
        wanted = [filters.account_presence(detailed=True)]
        async with receiver.subscribe(activity.session, url, wanted):
            deliveries.is_open = True
            await activity.stopping.wait()
            deliveries.stop()


@asynccontextmanager
async def _serving(activity: Activity, receiver: WebhookReceiver) -> AsyncIterator[str]:
    async def hook(request: web.Request) -> web.StreamResponse:
        is_notification = "Validation-Token" not in request.headers
        if is_notification and activity.to_refuse:
            activity.to_refuse -= 1
            activity.account.fire("refused webhook", explains=False)
            return web.Response(status=503)
        answer = await receiver.handler(request)
        if is_notification and activity.to_lose:
            activity.to_lose -= 1
            activity.account.fire("lost response of a webhook", explains=False)
            assert request.transport is not None
            request.transport.abort()
        return answer

    app = web.Application()
    app.router.add_route("*", HOOK, hook)
    async with serving(app) as port:
        yield f"http://127.0.0.1:{port}{HOOK}"


@asynccontextmanager
async def serving(app: web.Application) -> AsyncIterator[Any]:
    """Serve an application on a free port."""
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()
