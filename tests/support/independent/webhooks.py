"""Notifications by HTTP: the check of an address, deliveries, retries, and the blacklist."""

import asyncio
import json
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from tests.support.independent.account import Json
from tests.support.independent.clock import ServerClock
from tests.support.independent.errors import ApiFailure
from tests.support.independent.http_wire import parse_response_head
from tests.support.independent.subscriptions import Subscription

ANSWER_SECONDS, LARGEST_ANSWER = 3.0, 1024
Headers = dict[str, str]


@dataclass
class Delivery:
    """One attempt to deliver a notification; status 0 means no response."""

    uuid: str
    status: int


@dataclass
class Webhooks:
    """Delivers notifications in order, each until it is accepted or `retries` are used up."""

    clock: ServerClock
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    retries: tuple[float, ...] = (1.0, 2.0, 4.0)
    """Seconds before each further attempt."""
    token_header: str = "Verification-Token"
    lose_replies: int = 0
    """For so many deliveries the response is lost, so that they are repeated."""
    deliveries: list[Delivery] = field(default_factory=list)
    _queues: dict[str, asyncio.Queue[Json]] = field(default_factory=dict)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def validate(self, address: str) -> None:
        """Check an address as at the creation of a subscription.

        Raises:
            ApiFailure: SUB-525, the address did not answer as it must.
        """
        token = secrets.token_hex(16)
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                status, headers, size = await _post(address, {"Validation-Token": token}, b"")
        except (TimeoutError, OSError, ValueError, asyncio.IncompleteReadError) as error:
            raise _refused(f"no response: {type(error).__name__}") from error
        is_json = headers.get("content-type", "").startswith("application/json")
        if status != 200 or headers.get("validation-token") != token or not is_json:
            raise _refused(f"HTTP {status}, or a wrong token or content type")
        if size >= LARGEST_ANSWER:
            raise _refused("the response is too large")

    def follow(self, subscription: Subscription) -> None:
        """Begin to deliver the notifications of a subscription, which was validated."""
        queue: asyncio.Queue[Json] = asyncio.Queue()
        self._queues[subscription.id] = queue
        subscription.deliver = queue.put_nowait
        task = asyncio.create_task(self._deliver_all(subscription, queue))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def delivered(self) -> None:
        """Wait until nothing is left to deliver."""
        for queue in list(self._queues.values()):
            await queue.join()

    async def close(self) -> None:
        tasks = list(self._tasks)
        for each in tasks:
            each.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _deliver_all(self, subscription: Subscription, queue: asyncio.Queue[Json]) -> None:
        while True:
            notification = await queue.get()
            if subscription.status == "Active" and not await self._deliver(
                subscription, notification
            ):
                subscription.status = "Blacklisted"
                subscription.blacklisted = {
                    "reason": "The address did not accept notifications",
                    "blacklistedAt": self.clock.iso(),
                }
            queue.task_done()

    async def _deliver(self, subscription: Subscription, notification: Json) -> bool:
        for delay in (*self.retries, None):
            if await self._attempt(subscription, notification) == 200:
                return True
            if delay is not None:
                await self.sleep(delay)
        return False

    async def _attempt(self, subscription: Subscription, notification: Json) -> int:
        headers = {"Content-Type": "application/json"}
        if subscription.verification_token:
            headers[self.token_header] = subscription.verification_token
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                body = json.dumps(notification).encode()
                status, _, _ = await _post(subscription.address, headers, body)
        except (TimeoutError, OSError, ValueError, asyncio.IncompleteReadError):
            status = 0
        if status == 200 and self.lose_replies > 0:
            self.lose_replies, status = self.lose_replies - 1, 0
        self.deliveries.append(Delivery(notification["uuid"], status))
        return status


def _refused(problem: str) -> ApiFailure:
    return ApiFailure("SUB-525", f"WebHook is not reachable: {problem}", "deliveryMode.address")


async def _post(address: str, headers: Headers, body: bytes) -> tuple[int, Headers, int]:
    """Send a POST; return status, headers with lower-case names, and the size of the response."""
    parts = urlsplit(address)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port or 80)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    lines = [
        f"POST {target} HTTP/1.1",
        f"Host: {parts.netloc}",
        *(f"{name}: {value}" for name, value in headers.items()),
        f"Content-Length: {len(body)}",
        "Connection: close",
    ]
    try:
        writer.write("\r\n".join([*lines, "", ""]).encode() + body)
        head = await reader.readuntil(b"\r\n\r\n")
        status, answer_headers = parse_response_head(head)
        rest = await reader.read(LARGEST_ANSWER * 2)
        return status, answer_headers, len(head) + len(rest)
    finally:
        writer.transport.abort()
