"""Random changes of the account: calls, meetings, do-not-disturb and user statuses."""

import asyncio
import math
import random
from types import TracebackType
from typing import Self

from ..errors import UsageError
from . import active_calls, argument_checks, clock, writable_fields
from .account import Account, Extension
from .notifications import Feed

_MAX_RATE = 1_000_000  # changes per second; more than any machine makes
_MIN_INTERVAL = 0.01  # seconds between two timers, which make several changes at high rates
# After a pause of the process, changes of at most this many seconds are made up for; a guess.
_MAX_BACKLOG = 1.0
_NEXT_STATUSES = {  # for each status of a call, those that may follow, by likelihood
    "Ringing": ("CallConnected", "CallConnected", "CallConnected", "NoCall"),
    "CallConnected": ("NoCall", "NoCall", "OnHold"),
    "OnHold": ("CallConnected", "CallConnected", "NoCall"),
    "ParkedCall": ("NoCall",),
}
_USER_STATUSES = ("Available", "Busy", "Offline")


class Simulation:
    """Changes the account at a rate, as an async context manager or with `start` and `stop`.

    The same seed and account make the same changes; their times follow the running event loop's
    clock. Every change makes a notification for a detailed filter on the whole account.

    Args:
        account: the account that changes.
        feed: publishes the changes.
        rate: changes per second, on average; at most 1,000,000.
        seed: decides the changes.

    Attributes:
        changes: the number of changes so far.

    Raises:
        UsageError: rate is not a positive number, or is over 1,000,000.
    """

    def __init__(self, account: Account, feed: Feed, rate: float, seed: int) -> None:
        if not argument_checks.is_number(rate) or not 0 < rate <= _MAX_RATE:
            found = argument_checks.shown(rate)
            raise UsageError(
                f"rate must be a number of changes per second above 0, at most {_MAX_RATE},"
                f" not {found}"
            )
        self.changes = 0
        self._account = account
        self._feed = feed
        self._rate = rate
        self._rng = random.Random(seed)  # noqa: S311 - decides changes, protects nothing
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
        """Start, or continue after a stop; does nothing while it runs."""
        if self._timer is None:
            loop = asyncio.get_running_loop()
            self._due_at = loop.time() + 1 / self._rate
            self._timer = loop.call_at(self._due_at, self._tick)

    def stop(self) -> None:
        """Stop; a second call does nothing."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def step(self) -> None:
        """Make one change now."""
        extension = self._pick_user()
        call = next((one for one in reversed(extension.active_calls) if _is_active(one)), None)
        if call is not None and self._rng.random() < 0.8:
            status = self._rng.choice(_NEXT_STATUSES[call["telephonyStatus"]])
            active_calls.move(extension, (call["telephonyStatus"],), status)
        elif call is None and self._rng.random() < 0.6:
            status = self._rng.choice(("Ringing", "Ringing", "CallConnected"))
            active_calls.add_call(self._rng, extension, status, clock.utc_now())
        else:
            self._change_status(extension)
        self.changes += 1
        self._feed.publish(extension)

    def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        self._due_at = max(self._due_at, now - _MAX_BACKLOG)
        due = max(1, math.floor((now - self._due_at) * self._rate) + 1)
        self._due_at += due / self._rate
        self._timer = loop.call_at(max(self._due_at, now + _MIN_INTERVAL), self._tick)
        for _ in range(due):
            self.step()

    def _pick_user(self) -> Extension:
        """Pick a person whose changes the user who has logged in can see."""
        picked = self._rng.choice(self._users)
        return picked if picked.allow_see_my_presence else self._account.caller

    def _change_status(self, extension: Extension) -> None:
        kind = self._rng.randrange(4)
        if kind == 0:
            met = extension.meeting_status == "Connected"
            change: dict[str, object] = {"meeting_status": "Disconnected" if met else "Connected"}
        elif kind == 1:
            takes = extension.dnd_status_personal == "TakeAllCalls"
            change = {"dnd_status": "DoNotAcceptAnyCalls" if takes else "TakeAllCalls"}
        else:
            others = [status for status in _USER_STATUSES if status != extension.user_status]
            change = {"user_status": self._rng.choice(others)}
        writable_fields.store(extension, change)


def _is_active(call: dict[str, object]) -> bool:
    return call["telephonyStatus"] != "NoCall"
