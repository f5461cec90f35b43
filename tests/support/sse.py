"""A reader of server-sent events. Source: HTML standard, "Server-sent events"."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import attrs

from tests.support import canaries

_ENDLESS = aiohttp.ClientTimeout(total=None)


@attrs.frozen
class Event:
    """A server-sent event, with its data decoded."""

    kind: str
    id: str | None
    data: Any


@attrs.define
class Stream:
    """A stream of events.

    Attributes:
        response: the response.
        last_id: the last id.
    """

    response: aiohttp.ClientResponse
    last_id: str | None = None

    async def next(self) -> Event:
        """Return the next event; raise StopAsyncIteration at the end of the stream."""
        fields: dict[str, str] = {}
        while True:
            line = (await self.response.content.readline()).decode()
            if not line:
                raise StopAsyncIteration
            canaries.see("a stream", line)
            assert line.endswith("\n")
            if line == "\n" and "data" in fields:
                self.last_id = fields.get("id", self.last_id)
                return Event(fields["event"], fields.get("id"), json.loads(fields["data"]))
            name, _, value = line.rstrip("\n").partition(": ")
            fields[name] = value

    async def until(self, condition: Callable[[Event], object]) -> list[Event]:
        """Return the events up to the first that satisfies a condition."""
        found = [await self.next()]
        while not condition(found[-1]):
            assert len(found) < 1000, found[-10:]  # in virtual time, statuses come for ever
            found.append(await self.next())
        return found


@asynccontextmanager
async def stream(url: str, last_id: str | None = None, **options: Any) -> AsyncIterator[Stream]:
    """Connect to a stream."""
    headers = {} if last_id is None else {"Last-Event-ID": last_id}
    async with (
        aiohttp.ClientSession() as client,
        client.get(url, headers=headers, timeout=_ENDLESS, **options) as response,
    ):
        assert response.status == 200
        yield Stream(response)
