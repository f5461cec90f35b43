import signal
from collections.abc import AsyncIterator, Iterator
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest
from aioresponses import aioresponses
from clocks import SkippingClock
from hypothesis import settings

from aiopresence import PresenceSession
from aiopresence.sandbox import GatewayPlan, Sandbox

# A shell starts background jobs with these ignored, and programs started by tests would inherit it.
for _signal in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
    if signal.getsignal(_signal) is signal.SIG_IGN:
        signal.signal(_signal, signal.SIG_DFL)

# The same few examples on every run, so that what breaks was broken by the change. For a wide
# search: pytest --hypothesis-profile=thorough
settings.register_profile(
    "repeatable", max_examples=25, derandomize=True, deadline=None, database=None
)
settings.register_profile("thorough", max_examples=5000, deadline=None, print_blob=True)
settings.load_profile("repeatable")


# So much that no test waits for it, but those that are about it.
PLENTY = {"Light": 9_000, "Medium": 9_000, "Heavy": 9_000, "Auth": 9_000}


class Session(PresenceSession):
    """A session that waits for nothing."""

    def __init__(self, *args: Any, clock: SkippingClock | None = None, **kwargs: Any) -> None:
        self._clock = self.clock = clock or SkippingClock()
        super().__init__(*args, **kwargs)


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    # A session for which time flies would not wait for a replay that comes later.
    plan = GatewayPlan(replay_delay=0.0)
    async with Sandbox(extensions=100, limits=PLENTY, gateway=plan) as sandbox:
        yield sandbox


@pytest.fixture
async def session(sandbox: Sandbox) -> AsyncIterator[Session]:
    """A session that tries everything once, and for which time flies."""
    async with Session(sandbox.grant, server=sandbox.url, attempts=1) as session:
        yield session


@pytest.fixture
async def patient(sandbox: Sandbox) -> AsyncIterator[Session]:
    """A session with the usual number of attempts, for which time flies."""
    async with Session(sandbox.grant, server=sandbox.url) as session:
        yield session


class _Response(aiohttp.ClientResponse):
    # aiohttp 3.14 wants a stream_writer that aioresponses 0.7.9 does not pass. Delete this class
    # when an aioresponses does.
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"stream_writer": SimpleNamespace(output_size=0), **kwargs})


class Replies(aioresponses):
    """aioresponses for single odd answers; bodies stay under 64 KiB, where it would hang."""

    def add(self, *args: Any, **kwargs: Any) -> None:
        super().add(*args, **{"response_class": _Response, **kwargs})


@pytest.fixture
def replies() -> Iterator[Replies]:
    replies = Replies()
    with replies:
        yield replies
