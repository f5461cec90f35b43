"""Subscriptions of both transports, and the notifications that they get."""

import random
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from tests.support.independent.account import Account, Extension, Json
from tests.support.independent.clock import ServerClock
from tests.support.independent.errors import ApiFailure
from tests.support.independent.filters import (
    EventFilter,
    body_for,
    effective,
    parse_filter,
    queue_body,
)

Deliver = Callable[[Json], None]
WEBHOOK_SECONDS, WEBSOCKET_SECONDS = 604800, 900


@dataclass
class Subscription:
    """One subscription; `deliver` takes its notifications."""

    transport: str
    deliver: Deliver
    address: str = ""
    verification_token: str = ""
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    filters: list[EventFilter] = field(default_factory=list)
    disabled: list[Json] = field(default_factory=list)
    status: str = "Active"
    created_time: str = ""
    lifetime: int = WEBSOCKET_SECONDS
    expires_at: float = 0.0
    blacklisted: Json | None = None

    def record(self, server: str, clock: ServerClock) -> Json:
        """Return the subscription as clients see it."""
        left = max(0, int(self.expires_at - clock()))
        mode: Json = {"transportType": self.transport}
        if self.address:
            mode["address"] = self.address
        shown: Json = {
            "uri": f"{server}/restapi/v1.0/subscription/{self.id}",
            "id": self.id,
            "eventFilters": [each.text for each in self.filters],
            "creationTime": self.created_time,
            "expirationTime": clock.iso(left),
            "expiresIn": left,
            "status": self.status,
            "deliveryMode": mode,
        }
        if self.disabled:
            shown["disabledFilters"] = self.disabled
        if self.blacklisted is not None:
            shown["blacklistedData"] = self.blacklisted
        return shown


@dataclass
class Subscriptions:
    """All subscriptions by id. A notification is a dict, as a client gets it."""

    account: Account
    clock: ServerClock
    chance: random.Random
    permissions: set[str]
    by_id: dict[str, Subscription] = field(default_factory=dict)
    notifications: int = 0

    def set_filters(self, subscription: Subscription, texts: object) -> None:
        """Check filters and give them to a subscription.

        Raises:
            ApiFailure: There are no filters, one is invalid, or none is permitted.
        """
        if not isinstance(texts, list) or not texts:
            raise ApiFailure("SUB-508", "Event filters are not specified", "eventFilters")
        filters = [parse_filter(str(text), self.account) for text in texts]
        valid = [each for each in filters if each is not None]
        if len(valid) < len(filters):
            raise ApiFailure("SUB-508", "An event filter is invalid", "eventFilters")
        allowed = [each for each in valid if each.permission in self.permissions]
        if not allowed:
            raise ApiFailure("SUB-406", "None of the event filters is permitted", "eventFilters")
        subscription.filters = allowed
        subscription.disabled = [
            {
                "filter": each.text,
                "reason": "SUB-406",
                "message": f"[{each.permission}] permission is needed",
            }
            for each in valid
            if each not in allowed
        ]

    def start(self, subscription: Subscription, seconds: int) -> None:
        """Begin or renew a subscription."""
        subscription.lifetime, subscription.expires_at = seconds, self.clock() + seconds
        subscription.status, subscription.blacklisted = "Active", None
        subscription.created_time = subscription.created_time or self.clock.iso()
        self.by_id[subscription.id] = subscription

    def end(self, subscription: Subscription | None) -> None:
        if subscription is not None:
            self.by_id.pop(subscription.id, None)

    def find(self, id_: str) -> Subscription | None:
        """Return a subscription that has not expired."""
        subscription = self.by_id.get(id_)
        if subscription is None or not self._has_expired(subscription):
            return subscription
        self.end(subscription)
        return None

    def _has_expired(self, subscription: Subscription) -> bool:
        """Say whether a webhook was not renewed in time; a WebSocket renews by itself."""
        return subscription.transport == "WebHook" and subscription.expires_at <= self.clock()

    def presence_changed(self, extension: Extension, record: Json, changed: set[str]) -> None:
        """Notify everybody whose filter fits a change of a record with all details."""
        for subscription, filter_ in self._current():
            body = body_for(filter_, extension, record, changed)
            if body is not None:
                self._notify(subscription, filter_, body)

    def queue_changed(self, queue_id: str, extension: Extension) -> None:
        """Notify everybody whose filter fits a change of a queue member."""
        form = self.chance.randrange(2)
        for subscription, filter_ in self._current():
            body = queue_body(filter_, queue_id, extension, form)
            if body is not None:
                self._notify(subscription, filter_, body)

    def _current(self) -> Iterator[tuple[Subscription, EventFilter]]:
        for id_ in list(self.by_id):
            subscription = self.find(id_)
            if subscription is not None and subscription.status == "Active":
                yield from ((subscription, each) for each in effective(subscription.filters))

    def _notify(self, subscription: Subscription, filter_: EventFilter, body: Json) -> None:
        self.notifications += 1
        event = filter_.text
        if self.chance.random() < 0.5:
            event = event.replace("/account/~", f"/account/{self.account.id}")
        subscription.deliver(
            {
                "uuid": str(uuid.uuid4()),
                "event": event,
                "timestamp": self.clock.date().isoformat(timespec="milliseconds")[:-6]
                + self.chance.choice(("Z", "+0000")),
                "subscriptionId": subscription.id,
                "ownerId": self.account.caller,
                "body": body,
            }
        )
