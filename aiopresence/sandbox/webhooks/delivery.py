"""What brings notifications to webhooks, and the ledger of it."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Literal

import aiohttp
import attrs

from ..event_filters import Filter
from ..gateway.faults import GatewayRule
from ..notifications import timestamp
from ..responses import JSON_TYPE, Body, dump

# Bytes of a whole answer, headers included.
_LARGEST = 1024
MOST_DELIVERIES = 10_000  # kept in the ledger


def _nothing() -> None:
    """Stop a webhook that does not listen yet."""


@attrs.define(eq=False)
class Webhook:
    """A subscription by webhook.

    Attributes:
        id: its id.
        address: what is called.
        secret: what is shown there; None for nothing.
        lifetime: seconds that it lives when it is renewed.
        ends_at: when it expires, by the event loop's clock.
        status: Active, Suspended or Blacklisted.
        blacklisted: RingCentral's blacklistedData, or None.
        created: when it was made, as RingCentral writes it.
        filters: what it is told about.
        disabled: the filters that a permission is missing for, as the answer lists them.
        outbox: the notifications still to be delivered.
        stop: ends the listening.
    """

    id: str
    address: str
    secret: str | None = attrs.field(repr=False)
    lifetime: int
    ends_at: float
    status: str = "Active"
    blacklisted: Body | None = None
    created: str = attrs.field(factory=timestamp)
    filters: list[Filter] = attrs.field(factory=list)
    disabled: list[Body] = attrs.field(factory=list)
    outbox: "asyncio.Queue[Body]" = attrs.field(factory=asyncio.Queue, repr=False)
    stop: Callable[[], None] = attrs.field(default=_nothing, repr=False)
    _task: "asyncio.Task[None] | None" = attrs.field(default=None, init=False, repr=False)

    def renew(self, now: float) -> None:
        """Let it live as long again."""
        self.ends_at = now + self.lifetime

    def blacklist(self, reason: str) -> None:
        """Give it up: nothing is delivered any more."""
        self.status = "Blacklisted"
        self.blacklisted = {"reason": reason, "blacklistedAt": timestamp()}

    def open(self, deliveries: Coroutine[Any, Any, None]) -> None:
        """Begin to deliver."""
        self._task = asyncio.create_task(deliveries)

    def close(self) -> "asyncio.Future[None]":
        """Stop at once; the future is done when nothing is on its way any more."""
        self.stop()
        if self._task is None:
            return asyncio.ensure_future(asyncio.sleep(0))
        self._task.cancel()
        return self._task


@attrs.frozen
class WebhookDelivery:
    """One call of a webhook, in the ledger.

    Attributes:
        subscription_id: for which subscription.
        uuid: of the notification; None for a handshake.
        attempt: which attempt it was, counted from 1.
        status: the HTTP status answered; None when there was no answer in time.
        seconds: how long the answer took.
        size: the bytes of the answer, headers included.
    """

    subscription_id: str
    uuid: str | None
    attempt: int
    status: int | None
    seconds: float
    size: int


@attrs.define(eq=False)
class WebhookRule(GatewayRule):
    """Something that is to happen to deliveries of notifications."""


@attrs.frozen
class _Answer:
    """What a webhook answered."""

    status: int
    headers: Body
    size: int


class Courier:
    """Calls webhooks.

    Attributes:
        deliveries: the latest calls, 10,000 at most.
        duplicates: which notifications are delivered twice.
        header: where the secret is.
        attempts: how often a notification is sent before its webhook is blacklisted. A guess.
        retry_seconds: how long after a failure it is sent again. A guess.
        patience: the seconds that an answer may take.
    """

    def __init__(self) -> None:
        self.deliveries: list[WebhookDelivery] = []
        self.duplicates: list[WebhookRule] = []
        self.header: Literal["Verification-Token", "Validation-Token"] = "Verification-Token"
        self.attempts = 3
        self.retry_seconds = 1.0
        self.patience = 3.0
        self._http: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        """Close the connections."""
        http, self._http = self._http, None
        if http is not None:
            await http.close()

    async def shake_hands(self, webhook: Webhook, challenge: str) -> str | None:
        """Ask a webhook whether it wants to be called; the objection to its answer, or None."""
        answer = await self._call(webhook, {"Validation-Token": challenge}, b"", None, 1)
        if answer is None or answer.status != 200:
            return f"no 200 within {self.patience:g} seconds"
        if answer.headers.get("validation-token") != challenge:
            return "Validation-Token is not echoed"
        if answer.headers.get("content-type", "").partition(";")[0] != "application/json":
            return "Content-Type is not application/json"
        return f"not less than {_LARGEST} bytes" if answer.size >= _LARGEST else None

    async def deliver_all(self, webhook: Webhook) -> None:
        """Deliver a webhook's notifications in order; that they wait for each other is a guess."""
        while True:
            notification = await webhook.outbox.get()
            try:
                await self._deliver(webhook, notification)
            finally:
                webhook.outbox.task_done()

    async def _deliver(self, webhook: Webhook, notification: Body) -> None:
        for attempt in range(1, self.attempts + 1):
            if webhook.status != "Active" or _now() >= webhook.ends_at:
                return
            if await self._send(webhook, notification, attempt):
                if any(rule.take() for rule in self.duplicates):
                    await self._send(webhook, notification, attempt + 1)
                return
            if attempt < self.attempts:
                await asyncio.sleep(self.retry_seconds)
        webhook.blacklist("Webhook does not answer with 200")

    async def _send(self, webhook: Webhook, notification: Body, attempt: int) -> bool:
        headers = {"Content-Type": JSON_TYPE}
        if webhook.secret is not None:
            headers[self.header] = webhook.secret
        uuid = notification["uuid"]
        answer = await self._call(webhook, headers, dump(notification), uuid, attempt)
        return answer is not None and 200 <= answer.status < 300

    async def _call(
        self, webhook: Webhook, headers: Body, body: bytes, uuid: str | None, attempt: int
    ) -> _Answer | None:
        start = _now()
        try:
            answer = await self._post(webhook.address, headers, body)
        except (aiohttp.ClientError, TimeoutError):
            answer = None
        status, size = (answer.status, answer.size) if answer else (None, 0)
        seconds = _now() - start
        entry = WebhookDelivery(webhook.id, uuid, attempt, status, seconds, size)
        self.deliveries.append(entry)
        del self.deliveries[:-MOST_DELIVERIES]
        return answer

    async def _post(self, address: str, headers: Body, body: bytes) -> _Answer:
        if self._http is None:
            self._http = aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar())
        patience = aiohttp.ClientTimeout(total=self.patience)
        async with self._http.post(
            address, data=body, headers=headers, timeout=patience, allow_redirects=False
        ) as response:
            size = len(await response.read()) + len(f"HTTP/1.1 {response.status} {response.reason}")
            size += sum(len(name) + len(value) + 4 for name, value in response.raw_headers) + 4
            answered = {name.lower(): value for name, value in response.headers.items()}
            return _Answer(response.status, answered, size)


def _now() -> float:
    return asyncio.get_running_loop().time()
