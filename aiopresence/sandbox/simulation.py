"""A lively day at the account: people call, talk, meet and change their minds."""

import asyncio
import math
import random
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

from ..errors import UsageError
from . import active_calls, argument_checks, writable_fields
from .account import Account, Extension
from .notifications import Feed

_FASTEST = 1_000_000  # changes per second; more than any machine makes
_TICK = 0.01  # seconds between two looks at the clock, at most so often; a guess at what is cheap
# After a pause of the whole process, or a jump of the clock, no more than this is made up for.
_LATE = 1.0  # seconds; a guess
_BECOMES = {  # what may become of a call in each state; the first is the most likely
    "Ringing": ("CallConnected", "CallConnected", "CallConnected", "NoCall"),
    "CallConnected": ("NoCall", "NoCall", "OnHold"),
    "OnHold": ("CallConnected", "CallConnected", "NoCall"),
    "ParkedCall": ("NoCall",),
}
_USER = ("Available", "Busy", "Offline")


class Simulation:
    """Makes changes at a rate, as an async context manager or with `start` and `stop`.

    What happens is the same for the same seed and account; when it happens is up to the clock of
    the running loop. Every change is one that a listener to the whole account, with details, is
    told of.

    Args:
        account: what changes.
        feed: what is told of it.
        rate: changes per second, on average.
        seed: what happens.

    Attributes:
        changes: how many changes have been made.
    """

    def __init__(self, account: Account, feed: Feed, rate: float, seed: int) -> None:
        if not argument_checks.is_number(rate) or not 0 < rate <= _FASTEST:
            raise UsageError("rate must be a positive number of changes per second")
        self.changes = 0
        self._account = account
        self._feed = feed
        self._rate = rate
        self._rng = random.Random(seed)  # noqa: S311 - invents a day, protects nothing
        self._users = [each for each in account.extensions.values() if each.is_user]
        self._timer: asyncio.TimerHandle | None = None
        self._due_at = 0.0

    async def __aenter__(self) -> Self:
        self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Begin, or go on after a stop; while it runs this does nothing."""
        if self._timer is None:
            loop = asyncio.get_running_loop()
            self._due_at = loop.time() + 1 / self._rate
            self._timer = loop.call_at(self._due_at, self._tick)

    def stop(self) -> None:
        """Make no more changes; a second time does nothing."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def step(self) -> None:
        """Make one change now."""
        extension = self._somebody()
        call = next((one for one in reversed(extension.active_calls) if _lives(one)), None)
        if call is not None and self._rng.random() < 0.8:
            status = self._rng.choice(_BECOMES[call["telephonyStatus"]])
            active_calls.move(extension, (call["telephonyStatus"],), status)
        elif call is None and self._rng.random() < 0.6:
            status = self._rng.choice(("Ringing", "Ringing", "CallConnected"))
            active_calls.add_call(self._rng, extension, status, datetime.now(UTC))
        else:
            self._change_mind(extension)
        self.changes += 1
        self._feed.touch(extension)

    def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        self._due_at = max(self._due_at, now - _LATE)
        due = max(1, math.floor((now - self._due_at) * self._rate) + 1)
        self._due_at += due / self._rate
        self._timer = loop.call_at(max(self._due_at, now + _TICK), self._tick)
        for _ in range(due):
            self.step()

    def _somebody(self) -> Extension:
        """Pick a person whose changes can be seen; the caller's always can."""
        picked = self._rng.choice(self._users)
        return picked if picked.allow_see_my_presence else self._account.caller

    def _change_mind(self, extension: Extension) -> None:
        kind = self._rng.randrange(4)
        if kind == 0:
            met = extension.meeting_status == "Connected"
            change: dict[str, object] = {"meeting_status": "Disconnected" if met else "Connected"}
        elif kind == 1:
            takes = extension.dnd_status_personal == "TakeAllCalls"
            change = {"dnd_status": "DoNotAcceptAnyCalls" if takes else "TakeAllCalls"}
        else:
            others = [status for status in _USER if status != extension.user_status]
            change = {"user_status": self._rng.choice(others)}
        writable_fields.store(extension, change)


def _lives(call: dict[str, object]) -> bool:
    return call["telephonyStatus"] != "NoCall"
