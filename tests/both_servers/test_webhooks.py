"""Webhooks: the check of the address, deliveries, renewal and repeated notifications."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from aiopresence import PresenceEvent, PresenceEventBody, PresenceSession, Resync
from aiopresence.webhooks import WebhookReceiver
from tests.support.servers import AnyServer
from tests.support.webhook_calls import served


class Listener:
    """A receiver that is served on loopback, with what it has received."""

    def __init__(self) -> None:
        self.seen: list[PresenceEvent | Resync] = []
        self.receiver = WebhookReceiver(self.take)
        self.url = ""

    async def take(self, event: PresenceEvent | Resync) -> None:
        self.seen.append(event)

    @property
    def extensions(self) -> list[str | None]:
        bodies = [each.body for each in self.seen if isinstance(each, PresenceEvent)]
        return [each.extension_id for each in bodies if isinstance(each, PresenceEventBody)]


@pytest.fixture
async def listener() -> AsyncIterator[Listener]:
    listener = Listener()
    async with listener.receiver, served(listener.receiver.handler) as caller:
        listener.url = caller.url
        yield listener


async def test_notifications_arrive_once_and_in_order(
    server: AnyServer, session: PresenceSession, listener: Listener
) -> None:
    ids = server.user_ids[:10]
    async with listener.receiver.subscribe(session, listener.url):
        server.repeat_webhook()
        for id_ in ids:
            server.set_presence(id_, user_status="Busy")
        await server.webhooks_delivered()
    await listener.receiver.close()
    assert listener.extensions == ids
    uuids = [each.uuid for each in server.real.webhooks.deliveries if each.uuid]
    assert len(uuids) == len(set(uuids)) + 1
    assert server.count("/subscription", method="DELETE") == 1


async def test_a_subscription_is_renewed_before_it_expires(
    server: AnyServer, session: PresenceSession, listener: Listener
) -> None:
    async with listener.receiver.subscribe(session, listener.url, expires_in=3600):
        await asyncio.sleep(3 * 3600)
        server.set_presence(server.user_ids[1], user_status="Busy")
        await server.webhooks_delivered()
    await listener.receiver.close()
    assert listener.extensions == [server.user_ids[1]]


async def test_a_blacklisted_subscription_is_replaced(
    server: AnyServer, session: PresenceSession, listener: Listener
) -> None:
    async with listener.receiver.subscribe(session, listener.url):
        server.blacklist_webhooks()
        server.set_presence(server.user_ids[1], user_status="Busy")
        await asyncio.sleep(900)
        server.set_presence(server.user_ids[2], user_status="Busy")
        await server.webhooks_delivered()
    await listener.receiver.close()
    assert isinstance(listener.seen[0], Resync)
    assert listener.extensions == [server.user_ids[2]]
