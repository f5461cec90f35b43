"""The subscription calls, by HTTP for webhooks and inside a WebSocket."""

import re
from dataclasses import dataclass

from tests.support.independent.account import Json
from tests.support.independent.errors import ApiFailure, invalid, not_found, not_permitted
from tests.support.independent.gateway import Gateway, GatewaySession
from tests.support.independent.subscriptions import (
    WEBHOOK_SECONDS,
    WEBSOCKET_SECONDS,
    Subscription,
    Subscriptions,
)
from tests.support.independent.webhooks import Webhooks

_PATH = re.compile(r"/restapi/v1\.0/subscription(?:/(?P<id>[^/]+)(?P<renew>/renew)?)?/?")


@dataclass
class SubscriptionCalls:
    """Answers the calls to /subscription. `most` is how many webhooks may exist."""

    subscriptions: Subscriptions
    webhooks: Webhooks
    server: str = ""
    most: int = 20

    async def answer(
        self, method: str, path: str, body: Json, session: GatewaySession | None, gateway: Gateway
    ) -> tuple[int, Json]:
        """Return status and body. `session` is None for a call by HTTP.

        Raises:
            ApiFailure: The call is refused.
        """
        match = _PATH.fullmatch(path)
        if match is None:
            raise not_found("path")
        if match["id"] is None:
            return await self._on_list(method, body, session, gateway)
        subscription = self.subscriptions.find(match["id"])
        if subscription is None:
            raise not_found("subscriptionId")
        if method == "DELETE":
            self.subscriptions.end(subscription)
            return 204, {}
        if method == "PUT" and "eventFilters" in body:
            self.subscriptions.set_filters(subscription, body["eventFilters"])
        if method == "PUT" or (method == "POST" and match["renew"]):
            seconds = int(body.get("expiresIn", subscription.lifetime))
            self.subscriptions.start(subscription, seconds)
        elif method != "GET":
            raise invalid("method")
        return 200, self._record(subscription)

    async def _on_list(
        self, method: str, body: Json, session: GatewaySession | None, gateway: Gateway
    ) -> tuple[int, Json]:
        if method == "GET":
            shown = [self._record(each) for each in self.subscriptions.by_id.values()]
            return 200, {"records": shown}
        mode = body.get("deliveryMode")
        if not isinstance(mode, dict):
            raise invalid("deliveryMode")
        transport = mode.get("transportType")
        if session is not None and transport == "WebSocket":
            return 200, self._create_in(session, body, gateway)
        if session is None and transport == "WebHook":
            return 200, await self._create_webhook(mode, body)
        raise invalid("deliveryMode.transportType")

    def _create_in(self, session: GatewaySession, body: Json, gateway: Gateway) -> Json:
        """Create the one subscription of a WebSocket, in place of the one before."""
        new = Subscription("WebSocket", lambda item: gateway.deliver(session, item))
        self.subscriptions.set_filters(new, body.get("eventFilters"))
        self.subscriptions.end(session.subscription)
        session.subscription = new
        self.subscriptions.start(new, WEBSOCKET_SECONDS)
        return self._record(new)

    async def _create_webhook(self, mode: Json, body: Json) -> Json:
        if "SubscriptionWebhook" not in self.subscriptions.permissions:
            raise not_permitted("SubscriptionWebhook")
        existing = self.subscriptions.by_id.values()
        if sum(each.transport == "WebHook" for each in existing) >= self.most:
            raise ApiFailure("SUB-505", "Subscriptions limit exceeded")
        address = str(mode.get("address", ""))
        token = str(mode.get("verificationToken", mode.get("validationToken", "")))
        new = Subscription("WebHook", lambda _: None, address, token)
        self.subscriptions.set_filters(new, body.get("eventFilters"))
        await self.webhooks.validate(address)
        self.webhooks.follow(new)
        self.subscriptions.start(new, int(body.get("expiresIn", WEBHOOK_SECONDS)))
        return self._record(new)

    def _record(self, subscription: Subscription) -> Json:
        return subscription.record(self.server, self.subscriptions.clock)
