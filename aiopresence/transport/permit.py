"""The permission to send one request, and what it becomes when the request has ended."""

from collections.abc import Callable

from ..protocol.failure_policy import Kind, kind_of
from ..protocol.rest import Response, error_from_response
from .clock import Clock
from .rate_limiter import Group
from .shared_limits import SharedLimits


class Permit:
    """The permission to send one request. It ends with complete, abandon or release.

    Args:
        clock: the source of time.
        shared: the limits of the login.
        call: the name of the call.
        group: the group in which a slot is taken.
        keep: the slots that are left free for more important requests.
        on_end: called once when it ends.
    """

    def __init__(
        self,
        clock: Clock,
        shared: SharedLimits,
        call: str,
        group: Group,
        keep: int,
        on_end: Callable[[], None],
    ) -> None:
        self._clock = clock
        self._shared = shared
        self._call = call
        self._group = group
        self._keep = keep
        self._on_end = on_end
        self._slot = group.take(clock.now(), keep)

    def complete(self, response: Response) -> None:
        """End it with the response, and update the limits with its headers."""
        self._shared.limits.complete(
            self._clock.now(),
            self._call,
            self._group,
            self._slot,
            response.headers,
            refused=response.status == 429
            and kind_of(error_from_response(response)) is Kind.RATE_LIMITED,
        )
        self._end()

    def abandon(self) -> None:
        """End it without a response; the request may have been counted by the server."""
        self._group.abandon(self._clock.now(), self._slot)
        self._end()

    def release(self) -> None:
        """End it because nothing was sent, and free the slot."""
        self._group.release(self._slot)
        self._end()

    def reacquire(self) -> bool:
        """Take a slot for sending the same request again; return False when none is free."""
        now = self._clock.now()
        if self._group.delay(now, self._keep) > 0:
            return False
        self._group.abandon(now, self._slot)
        self._slot = self._group.take(now, self._keep)
        return True

    def _end(self) -> None:
        self._on_end()
        self._shared.wake_waiters()
