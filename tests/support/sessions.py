"""Sessions and replies for tests."""

from types import SimpleNamespace
from typing import Any

import aiohttp
from aioresponses import aioresponses

from aiopresence import PresenceSession
from tests.support.clocks import SkippingClock

# So much that no test waits for it, but those that are about it.
PLENTY = {"Light": 9_000, "Medium": 9_000, "Heavy": 9_000, "Auth": 9_000}


class Session(PresenceSession):
    """A session that waits for nothing."""

    def __init__(self, *args: Any, clock: SkippingClock | None = None, **kwargs: Any) -> None:
        self._clock = self.clock = clock or SkippingClock()
        super().__init__(*args, **kwargs)


class _Response(aiohttp.ClientResponse):
    # aiohttp 3.14 wants a stream_writer that aioresponses 0.7.9 does not pass. Delete this class
    # when an aioresponses does.
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"stream_writer": SimpleNamespace(output_size=0), **kwargs})


class Replies(aioresponses):
    """aioresponses for single unusual responses; bodies must be under 64 KiB, or it hangs."""

    def add(self, *args: Any, **kwargs: Any) -> None:
        super().add(*args, **{"response_class": _Response, **kwargs})
