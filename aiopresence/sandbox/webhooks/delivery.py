"""Deliveries of notifications to webhooks, and their log."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Literal

import aiohttp
import attrs

from ..event_filters import Filter
from ..notifications import timestamp
from ..responses import JSON_TYPE, Body, dump
from ..rules import Rule

# A handshake response must be smaller than this, in bytes with its headers.
_RESPONSE_LIMIT = 1024
MOST_DELIVERIES = 10_000  # kept in the log


def _nothing() -> None:
    """Unsubscribe a webhook that has not been subscribed yet."""


@attrs.define(eq=False)
class Webhook:
    """A webhook subscription.

    Attributes:
        id: the subscription's id.
        address: the URL that notifications are sent to.
        secret: the verification token sent with every notification; None for none.
        lifetime: seconds from a renewal to its expiry.
        expires_at: when it expires, in seconds of the event loop's clock.
        status: Active, Suspended or Blacklisted.
        blacklisted: RingCentral's blacklistedData; None before it is blacklisted.
        created: its creationTime.
        filters: the event filters.
        disabled: the filters that a permission is missing for, as responses list them.
        undelivered: the notifications still to be delivered.
        unsubscribe: ends the flow of notifications.
    """

    id: str
    address: str
    secret: str | None = attrs.field(repr=False)
    lifetime: int
    expires_at: float
    status: str = "Active"
    blacklisted: Body | None = None
    created: str = attrs.field(factory=timestamp)
    filters: list[Filter] = attrs.field(factory=list)
    disabled: list[Body] = attrs.field(factory=list)
    undelivered: "asyncio.Queue[Body]" = attrs.field(factory=asyncio.Queue, repr=False)
    unsubscribe: Callable[[], None] = attrs.field(default=_nothing, repr=False)
    _task: "asyncio.Task[None] | None" = attrs.field(default=None, init=False, repr=False)

    def renew(self, now: float) -> None:
        """Postpone the expiry to a whole lifetime from now."""
        self.expires_at = now + self.lifetime

    def blacklist(self, reason: str) -> None:
        """Blacklist the webhook: nothing is delivered to it any more."""
        self.status = "Blacklisted"
        self.blacklisted = {"reason": reason, "blacklistedAt": timestamp()}

    def start(self, deliveries: Coroutine[Any, Any, None]) -> None:
        """Start to deliver."""
        self._task = asyncio.create_task(deliveries)

    def close(self) -> "asyncio.Future[None]":
        """Stop to deliver; the future that is returned is done when no request is open."""
        self.unsubscribe()
        if self._task is None:
            return asyncio.ensure_future(asyncio.sleep(0))
        self._task.cancel()
        return self._task


@attrs.frozen
class WebhookDelivery:
    """One request to a webhook, in the log.

    Attributes:
        subscription_id: the id of the subscription.
        uuid: the uuid of the notification; None for a handshake.
        attempt: the number of the attempt, from 1.
        status: the HTTP status of the response; None if there was none in time.
        seconds: how long the response took.
        size: the size of the response in bytes, headers included; 0 if there was none.
    """

    subscription_id: str
    uuid: str | None
    attempt: int
    status: int | None
    seconds: float
    size: int


@attrs.define(eq=False)
class WebhookRule(Rule):
    """A fault of deliveries; see `Rule`."""


@attrs.frozen
class _WebhookResponse:
    """The response of a webhook."""

    status: int
    headers: Body
    size: int


class WebhookDeliverer:
    """Sends handshakes and notifications to webhooks.

    Attributes:
        deliveries: the latest requests, at most 10,000.
        duplicates: the rules that deliver notifications twice.
        header: the header that has the verification token.
        attempts: attempts per notification before the webhook is blacklisted; 3 is a guess.
        retry_seconds: seconds from a failed attempt to the next; 1 is a guess.
        timeout: seconds that a response may take.
    """

    def __init__(self) -> None:
        self.deliveries: list[WebhookDelivery] = []
        self.duplicates: list[WebhookRule] = []
        self.header: Literal["Verification-Token", "Validation-Token"] = "Verification-Token"
        self.attempts = 3
        self.retry_seconds = 1.0
        self.timeout = 3.0
        self._http: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        """Close the connections."""
        http, self._http = self._http, None
        if http is not None:
            await http.close()

    async def handshake(self, webhook: Webhook, challenge: str) -> str | None:
        """Send a handshake; return what is wrong with the response, None for nothing."""
        response = await self._call(webhook, {"Validation-Token": challenge}, b"", None, 1)
        if response is None or response.status != 200:
            return f"no 200 within {self.timeout:g} seconds"
        if response.headers.get("validation-token") != challenge:
            return "Validation-Token is not echoed"
        if response.headers.get("content-type", "").partition(";")[0] != "application/json":
            return "Content-Type is not application/json"
        return (
            f"not less than {_RESPONSE_LIMIT} bytes" if response.size >= _RESPONSE_LIMIT else None
        )

    async def deliver_all(self, webhook: Webhook) -> None:
        """Deliver notifications one after the other; that RingCentral does so is a guess."""
        while True:
            notification = await webhook.undelivered.get()
            try:
                await self._deliver(webhook, notification)
            finally:
                webhook.undelivered.task_done()

    async def _deliver(self, webhook: Webhook, notification: Body) -> None:
        for attempt in range(1, self.attempts + 1):
            if webhook.status != "Active" or _now() >= webhook.expires_at:
                return
            if await self._send(webhook, notification, attempt):
                if any(rule.take() for rule in self.duplicates):
                    await self._send(webhook, notification, attempt + 1)
                return
            if attempt < self.attempts:
                await asyncio.sleep(self.retry_seconds)
        webhook.blacklist("Webhook does not response with 200")

    async def _send(self, webhook: Webhook, notification: Body, attempt: int) -> bool:
        headers = {"Content-Type": JSON_TYPE}
        if webhook.secret is not None:
            headers[self.header] = webhook.secret
        uuid = notification["uuid"]
        response = await self._call(webhook, headers, dump(notification), uuid, attempt)
        return response is not None and 200 <= response.status < 300

    async def _call(
        self, webhook: Webhook, headers: Body, body: bytes, uuid: str | None, attempt: int
    ) -> _WebhookResponse | None:
        start = _now()
        try:
            response = await self._post(webhook.address, headers, body)
        except (aiohttp.ClientError, TimeoutError):
            response = None
        status, size = (response.status, response.size) if response else (None, 0)
        seconds = _now() - start
        entry = WebhookDelivery(webhook.id, uuid, attempt, status, seconds, size)
        self.deliveries.append(entry)
        del self.deliveries[:-MOST_DELIVERIES]
        return response

    async def _post(self, address: str, headers: Body, body: bytes) -> _WebhookResponse:
        if self._http is None:
            self._http = aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar())
        timeout = aiohttp.ClientTimeout(total=self.timeout)
        async with self._http.post(
            address, data=body, headers=headers, timeout=timeout, allow_redirects=False
        ) as response:
            size = len(await response.read()) + len(f"HTTP/1.1 {response.status} {response.reason}")
            size += sum(len(name) + len(value) + 4 for name, value in response.raw_headers) + 4
            fields = {name.lower(): value for name, value in response.headers.items()}
            return _WebhookResponse(response.status, fields, size)


def _now() -> float:
    return asyncio.get_running_loop().time()
