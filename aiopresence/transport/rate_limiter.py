"""The rate limiter that `PresenceSession(limits=…)` accepts, and what a session needs of it.

`request_queue.py` and `shared_limits.py` decide which request is next, `concurrency` and `max_wait`
included; the limits of the login decide when. They are kept in this process (`RateLimits`), unless
the user passes a `RateLimiter` whose limits are kept elsewhere, such as `redis.RedisLimits`.

Limits elsewhere cannot decide at once. So their `delay` is 0 only while this process holds a slot
that was granted to it; otherwise it is the time until slots are requested again, or inf. They
request as many slots as requests wait (`Waiting.demand`), and when some are granted they wake the
requests up.
"""

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

from ..grants import AccessToken, Grant
from ..protocol.rate_limit_groups import parse_presets
from ..protocol.rate_limit_headers import Headers
from ..protocol.rate_limits import GroupLimits
from .clock import Clock


class Group(Protocol):
    """The limits of one usage-plan group. Times are monotonic seconds.

    Attributes:
        name: its name; None for requests whose group is unknown.
        blocked_until: when the penalty after a 429 ends.
    """

    name: str | None
    blocked_until: float

    def delay(self, now: float, keep: int = 0) -> float:
        """Return the seconds until a request may be sent; inf if that is not known."""

    def forecast(self, now: float, ahead: int, keep: int = 0) -> float:
        """Return the least seconds that a request has to wait, with `ahead` others before it."""

    def take(self, now: float, keep: int = 0) -> Any:
        """Take a slot, when `delay` is 0, and return it: pass it on when the request has ended."""

    def abandon(self, now: float, slot: Any) -> None:
        """Count a request as ended without a response."""

    def release(self, slot: Any) -> None:
        """Free the slot of a request that was never sent."""


class LoginLimits(Protocol):
    """The limits of all groups of one login.

    Attributes:
        reply_time: the seconds that a decision may take; 0.0 if it takes none. They are added to
            the `max_wait` of each request.
    """

    reply_time: float

    def add_presets(self, presets: Mapping[str, GroupLimits]) -> None:
        """Use other limits for groups whose limits no response has stated yet."""

    def group(self, call: str, expected: str) -> Group:
        """Return the group of a call: the one its last response stated, or the expected one."""

    def delay(self, group: Any, now: float, keep: int = 0) -> float:
        """Return the seconds until a request of a group may be sent; inf if that is not known."""

    def complete(
        self,
        now: float,
        call: str,
        group: Any,
        slot: Any,
        headers: Headers,
        *,
        refused: bool = False,
    ) -> None:
        """Count a request as completed, or rejected with a 429, and learn from its response."""

    def apply_429(self, now: float, group: Any, headers: Headers) -> None:
        """Block a group after a 429 in a part of a response; all groups if that states none."""

    def snapshot(self, now: float) -> dict[str, GroupLimits]:
        """Return the state of each group that is in use, by name."""


class Waiting(Protocol):
    """The requests that wait for the limits of one login."""

    def demand(self, group: Any) -> dict[int, int]:
        """Return how many requests of a group could be sent now, by the slots they leave free."""

    def wake_waiters(self) -> None:
        """Wake up the requests that may be sent now."""


class RemoteLimits(LoginLimits, Protocol):
    """Limits of one login that are kept outside this process."""

    async def open(self, waiting: Waiting) -> None:
        """Begin to grant slots to the requests that wait.

        Raises:
            PresenceError: the limits cannot be reached, and nothing can be sent without them.
        """

    async def close(self) -> None:
        """Release the slots that were not used, and report what became of the others."""


@runtime_checkable
class RateLimiter(Protocol):
    """A source of limits for any number of logins."""

    @property
    def presets(self) -> Mapping[str, GroupLimits]:
        """The limits of groups to assume before the server states them."""

    def limits_of(self, server: str, grant: AccessToken | Grant, clock: Clock) -> RemoteLimits:
        """Return the limits of a login, to be opened.

        Raises:
            UsageError: the login does not show whose quota it uses.
        """


def parse_limits(
    limits: Mapping[str, GroupLimits | int] | RateLimiter | None,
) -> tuple[Mapping[str, GroupLimits], RateLimiter | None]:
    """Check the `limits` of a session; return the presets, and the rate limiter if it is one.

    Raises:
        UsageError: they are neither a RateLimiter nor limits by the names of groups.
    """
    if isinstance(limits, RateLimiter):
        return limits.presets, limits
    return parse_presets(limits), None
