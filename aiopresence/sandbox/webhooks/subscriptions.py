"""The endpoints of webhook subscriptions.

Source: RingCentral's webhook guide and its reference of the subscription API.
"""

import asyncio
import ipaddress
from collections.abc import Mapping
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from ..notifications import CheckedFilters, Feed, timestamp
from ..request_context import RequestContext
from ..responses import Body, DeferredResponse, RefusedError, Response, bad, json_response, missing
from .delivery import Webhook, WebhookDeliverer

# Seconds that a subscription lives: by default, at least and at most. All are guesses.
_LIFETIME, _MIN_LIFETIME, _MAX_LIFETIME = 604_800, 60, 946_080_000


class WebhookSubscriptions:
    """The webhook subscriptions of the one user and app, and their endpoints.

    Args:
        feed: the source of notifications.

    Attributes:
        deliverer: calls the webhooks.
        all: the subscriptions that have not been ended, by id.
    """

    def __init__(self, feed: Feed) -> None:
        self.deliverer = WebhookDeliverer()
        self.all: dict[str, Webhook] = {}
        self._feed = feed

    def list_all(self, context: RequestContext) -> Response:
        """GET /restapi/v1.0/subscription: the subscriptions that have not expired."""
        now = _now()
        live = [each for each in self.all.values() if each.expires_at > now]
        records = [self._represent(each, context.base) for each in live]
        return json_response(
            {"uri": f"{context.base}/restapi/v1.0/subscription", "records": records}
        )

    def create(self, context: RequestContext) -> Response:
        """POST /restapi/v1.0/subscription: subscribe, if the webhook passes the handshake."""
        body = context.json()
        mode = body.get("deliveryMode")
        if not isinstance(mode, dict) or mode.get("transportType") != "WebHook":
            raise bad("deliveryMode.transportType")
        secret = mode.get("verificationToken", mode.get("validationToken"))
        # It is sent as a header.
        if secret is not None and not (isinstance(secret, str) and _is_visible(secret)):
            raise bad("deliveryMode.verificationToken")
        lifetime = _lifetime(body)
        checked = self._check_filters(body)
        webhook = Webhook(self._feed.new_id(), _address(mode), secret, lifetime, _now() + lifetime)
        webhook.filters, webhook.disabled = checked.active, checked.disabled
        return DeferredResponse(202, finish=partial(self._handshake, webhook, context.base))

    def read(self, context: RequestContext) -> Response:
        """GET …/subscription/{id}."""
        webhook = self._find(context)
        return json_response(self._represent(webhook, context.base))

    def update(self, context: RequestContext) -> Response:
        """PUT …/subscription/{id}: change and renew it."""
        webhook, body = self._find(context), context.json()
        if "expiresIn" in body:
            webhook.lifetime = _lifetime(body)
        if "eventFilters" in body:
            checked = self._check_filters(body)
            webhook.filters, webhook.disabled = checked.active, checked.disabled
            webhook.unsubscribe()
            self._subscribe(webhook)
        return self.renew(context)

    def renew(self, context: RequestContext) -> Response:
        """POST …/subscription/{id}/renew."""
        webhook = self._find(context)
        webhook.renew(_now())
        return json_response(self._represent(webhook, context.base))

    def delete(self, context: RequestContext) -> Response:
        """DELETE …/subscription/{id}."""
        self.end(self._find(context))
        return Response(204)

    def end(self, webhook: Webhook) -> None:
        """End a subscription and drop its undelivered notifications."""
        del self.all[webhook.id]
        webhook.close()

    async def close(self) -> None:
        """End all subscriptions and deliveries."""
        tasks = [webhook.close() for webhook in self.all.values()]
        self.all.clear()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.deliverer.close()

    def _find(self, context: RequestContext) -> Webhook:
        webhook = self.all.get(context.params["subscription_id"])
        if webhook is not None and webhook.expires_at <= _now():
            self.end(webhook)
            webhook = None
        if webhook is None:
            raise missing("subscriptionId")  # the code for an expired one is a guess
        return webhook

    async def _handshake(self, webhook: Webhook, base: str) -> Response:
        """Validate the webhook, and subscribe it."""
        if problem := await self.deliverer.handshake(webhook, self._feed.new_id()):
            message = f"WebHook responds with incorrect answer: {problem}"
            raise RefusedError(400, "SUB-525", message, "deliveryMode.address")
        self.all[webhook.id] = webhook
        webhook.renew(_now())
        webhook.start(self.deliverer.deliver_all(webhook))
        self._subscribe(webhook)
        return json_response(self._represent(webhook, base))

    def _subscribe(self, webhook: Webhook) -> None:
        webhook.unsubscribe = self._feed.subscribe(
            webhook.id, webhook.filters, webhook.undelivered.put_nowait
        )

    def _check_filters(self, body: Body) -> CheckedFilters:
        filters = body.get("eventFilters")
        return self._feed.check_filters(filters if isinstance(filters, list) else [])

    def _represent(self, webhook: Webhook, base: str) -> Body:
        left = webhook.expires_at - _now()
        record: Body = {
            "uri": f"{base}/restapi/v1.0/subscription/{webhook.id}",
            "id": webhook.id,
            "creationTime": webhook.created,
            "status": webhook.status,
            "eventFilters": [self._feed.filter_text(each) for each in webhook.filters],
            "disabledFilters": webhook.disabled,
            "expirationTime": timestamp(left),
            "expiresIn": round(left),
            "deliveryMode": {"transportType": "WebHook", "address": webhook.address},
        }
        return record | ({"blacklistedData": webhook.blacklisted} if webhook.blacklisted else {})


def _now() -> float:
    return asyncio.get_running_loop().time()


def _is_visible(text: str) -> bool:
    return text.isascii() and text.isprintable() and " " not in text


def _lifetime(body: Body) -> int:
    seconds = body.get("expiresIn", _LIFETIME)
    if type(seconds) is not int or not _MIN_LIFETIME <= seconds <= _MAX_LIFETIME:
        raise bad("expiresIn")
    return seconds


def _address(mode: Mapping[str, Any]) -> str:
    """Return the address of a webhook, which must be on this machine."""
    address = mode.get("address")
    try:
        url = urlsplit(address if isinstance(address, str) and _is_visible(address) else "")
        host = url.hostname or ""
        local = host == "localhost" or ipaddress.ip_address(host).is_loopback
        if local and url.scheme == "http" and url.port != 0:
            return str(address)
    except ValueError:
        pass
    raise bad("deliveryMode.address")
