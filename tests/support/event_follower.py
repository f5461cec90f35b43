"""Follow the events of a session over real WebSockets to the sandbox."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from math import inf
from typing import Any
from urllib.parse import parse_qs

import attrs

from aiopresence import PresenceEvent, Resync, ResyncReason
from aiopresence.sandbox import Sandbox
from tests.support.clocks import SkippingClock
from tests.support.sessions import Session

HANDSHAKE, WSTOKEN = "/ws?access", "/oauth/wstoken"


async def when(true: Callable[[], object]) -> None:
    for _ in range(100_000):
        if true():
            return
        await asyncio.sleep(0)
    raise AssertionError("it did not happen")


@attrs.define
class Follower:
    """Collects all events of a session."""

    sandbox: Sandbox
    session: Session
    got: list[PresenceEvent | Resync] = attrs.field(factory=list)
    task: asyncio.Task[None] = attrs.field(init=False)

    async def run(self) -> None:
        async for each in self.session.events():
            self.got.append(each)

    async def subscribed(self) -> None:
        def is_subscribed() -> bool:
            gateway = self.sandbox.gateway
            return bool(gateway.connections and gateway.subscriptions)

        await when(is_subscribed)

    async def works(self) -> None:
        """Wait for an event, over whatever connection."""
        before = len(self.events)
        for _ in range(1000):
            change(self.sandbox)
            for _ in range(50):
                await asyncio.sleep(0)
                if len(self.events) > before or self.task.done():
                    break
            if len(self.events) > before or self.task.done():
                break
        assert not self.task.done(), self.task.exception()
        assert len(self.events) > before

    @property
    def events(self) -> list[PresenceEvent]:
        return [each for each in self.got if isinstance(each, PresenceEvent)]

    @property
    def reasons(self) -> list[ResyncReason]:
        return [each.reason for each in self.got if isinstance(each, Resync)]


def change(sandbox: Sandbox) -> None:
    connected = sandbox.presence("~")["meetingStatus"] == "Connected"
    sandbox.set_presence("~", meeting_status="Disconnected" if connected else "Connected")


class Unhurried(SkippingClock):
    """A skipping clock that waits a moment for data on the wire first."""

    async def wait(self, event: asyncio.Event, seconds: float = inf) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(None if seconds == inf else min(seconds, 0.003)):
                await event.wait()
        await super().wait(event, seconds)


@asynccontextmanager
async def following(sandbox: Sandbox, **options: Any) -> AsyncIterator[Follower]:
    options.setdefault("clock", Unhurried())
    async with Session(sandbox.grant, server=sandbox.url, attempts=1, **options) as session:
        follower = Follower(sandbox, session)
        follower.task = asyncio.create_task(follower.run())
        try:
            yield follower
        finally:
            follower.task.cancel()
            await asyncio.gather(follower.task, return_exceptions=True)


def handshakes(sandbox: Sandbox) -> list[int | None]:
    return [each.status for each in sandbox.requests if each.path == "/ws"]


def carries_wsc(request: Any) -> bool:
    return request.path == "/ws" and "wsc=" in request.query


def ws_tokens(sandbox: Sandbox) -> set[str]:
    queries = [parse_qs(each.query) for each in sandbox.requests if each.path == "/ws"]
    return {query["access_token"][0] for query in queries}
