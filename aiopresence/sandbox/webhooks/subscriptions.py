"""Subscriptions by webhook: the calls that make, show, change, renew and end them."""

import asyncio
import ipaddress
import re
from collections.abc import Mapping
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from ..notifications import Admitted, Feed, timestamp
from ..request_body import parse_object
from ..responses import Body, Later, RefusedError, Reply, bad, json_reply, missing
from .delivery import Courier, Webhook

_PATH = re.compile(r"/restapi/v1\.0/subscription(?:/(?P<id>[^/]+)(?P<renew>/renew)?)?/?")
_GROUPS = {"POST": "Medium", "GET": "Light", "PUT": "Medium", "DELETE": "Medium"}
# Seconds that a subscription lives: by default, at least and at most. All guesses.
_LIFETIME, _SHORTEST, _LONGEST = 604_800, 60, 946_080_000


class Webhooks:
    """The subscriptions by webhook of the one user and app.

    Args:
        feed: what they are told by.

    Attributes:
        courier: what brings the notifications.
        all: the subscriptions that have not been ended, by id.
    """

    def __init__(self, feed: Feed) -> None:
        self.courier = Courier()
        self.all: dict[str, Webhook] = {}
        self._feed = feed

    def methods(self, path: str) -> list[str]:
        """List the methods that a path takes; none when it is not about subscriptions."""
        if not (match := _PATH.fullmatch(path)):
            return []
        if match["renew"]:
            return ["POST"]
        return ["GET", "PUT", "DELETE"] if match["id"] else ["GET", "POST"]

    def group(self, method: str, path: str) -> str:
        """Tell the usage-plan group of a request; "" for one that is none of these calls."""
        return _GROUPS[method] if method in self.methods(path) else ""

    def answer(self, method: str, path: str, data: bytes, base: str) -> Reply:
        """Answer one request.

        Args:
            method: one that the path takes.
            path: of the request.
            data: its body.
            base: scheme, host and port of the server.

        Raises:
            RefusedError: it cannot be.
        """
        match = _PATH.fullmatch(path)
        id_ = match["id"] if match else None
        if id_ is None:
            return self._create(data, base) if method == "POST" else self._list(base)
        webhook = self.find(id_)
        if method == "DELETE":
            self.end(webhook)
            return Reply(204)
        if method == "PUT":
            self._change(webhook, parse_object(data))
        if method != "GET":
            webhook.renew(_now())
        return json_reply(self._view(webhook, base))

    def find(self, id_: str) -> Webhook:
        """Find a subscription; RefusedError when there is none, or it has expired."""
        webhook = self.all.get(id_)
        if webhook is not None and webhook.ends_at <= _now():
            self.end(webhook)
            webhook = None
        if webhook is None:
            raise missing("subscriptionId")  # which code an expired one brings is a guess
        return webhook

    def end(self, webhook: Webhook) -> None:
        """End a subscription. What waits to be delivered is dropped."""
        del self.all[webhook.id]
        webhook.close()

    async def close(self) -> None:
        """End all subscriptions, and whatever is on its way."""
        tasks = [webhook.close() for webhook in self.all.values()]
        self.all.clear()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.courier.close()

    def _list(self, base: str) -> Reply:
        now = _now()
        alive = [each for each in self.all.values() if each.ends_at > now]
        uri = f"{base}/restapi/v1.0/subscription"
        return json_reply({"uri": uri, "records": [self._view(each, base) for each in alive]})

    def _create(self, data: bytes, base: str) -> Reply:
        body = parse_object(data)
        mode = body.get("deliveryMode")
        if not isinstance(mode, dict) or mode.get("transportType") != "WebHook":
            raise bad("deliveryMode.transportType")
        secret = mode.get("verificationToken", mode.get("validationToken"))
        # It is sent as a header.
        if secret is not None and not (isinstance(secret, str) and _is_visible(secret)):
            raise bad("deliveryMode.verificationToken")
        lifetime = _lifetime(body)
        admitted = self._admit(body)
        webhook = Webhook(self._feed.new_id(), _address(mode), secret, lifetime, _now() + lifetime)
        webhook.filters, webhook.disabled = admitted.active, admitted.disabled
        return Later(202, finish=partial(self._shake_hands, webhook, base))

    async def _shake_hands(self, webhook: Webhook, base: str) -> Reply:
        """See whether the webhook is there and wants to be called; then it is subscribed."""
        if objection := await self.courier.shake_hands(webhook, self._feed.new_id()):
            message = f"WebHook responds with incorrect answer: {objection}"
            raise RefusedError(400, "SUB-525", message, "deliveryMode.address")
        self.all[webhook.id] = webhook
        webhook.renew(_now())
        webhook.open(self.courier.deliver_all(webhook))
        self._listen(webhook)
        return json_reply(self._view(webhook, base))

    def _change(self, webhook: Webhook, body: Body) -> None:
        if "expiresIn" in body:
            webhook.lifetime = _lifetime(body)
        if "eventFilters" in body:
            admitted = self._admit(body)
            webhook.filters, webhook.disabled = admitted.active, admitted.disabled
            webhook.stop()
            self._listen(webhook)

    def _listen(self, webhook: Webhook) -> None:
        webhook.stop = self._feed.listen(webhook.id, webhook.filters, webhook.outbox.put_nowait)

    def _admit(self, body: Body) -> Admitted:
        filters = body.get("eventFilters")
        return self._feed.admit(filters if isinstance(filters, list) else [])

    def _view(self, webhook: Webhook, base: str) -> Body:
        left = webhook.ends_at - _now()
        view: Body = {
            "uri": f"{base}/restapi/v1.0/subscription/{webhook.id}",
            "id": webhook.id,
            "creationTime": webhook.created,
            "status": webhook.status,
            "eventFilters": [self._feed.shown(each) for each in webhook.filters],
            "disabledFilters": webhook.disabled,
            "expirationTime": timestamp(left),
            "expiresIn": round(left),
            "deliveryMode": {"transportType": "WebHook", "address": webhook.address},
        }
        return view | ({"blacklistedData": webhook.blacklisted} if webhook.blacklisted else {})


def _now() -> float:
    return asyncio.get_running_loop().time()


def _is_visible(text: str) -> bool:
    return text.isascii() and text.isprintable() and " " not in text


def _lifetime(body: Body) -> int:
    seconds = body.get("expiresIn", _LIFETIME)
    if type(seconds) is not int or not _SHORTEST <= seconds <= _LONGEST:
        raise bad("expiresIn")
    return seconds


def _address(mode: Mapping[str, Any]) -> str:
    """Check that the webhook is on this machine: nothing may leave it."""
    address = mode.get("address")
    try:
        url = urlsplit(address if isinstance(address, str) and _is_visible(address) else "")
        host = url.hostname or ""
        near = host == "localhost" or ipaddress.ip_address(host).is_loopback
        if near and url.scheme == "http" and url.port != 0:
            return str(address)
    except ValueError:
        pass
    raise bad("deliveryMode.address")
