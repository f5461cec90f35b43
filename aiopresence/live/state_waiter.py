"""Waiting for one extension to be in a certain state."""

import asyncio
from collections.abc import Callable

from ..models import GetPresenceInfo, PresenceChange


class StateWaiter:
    """Waits until the presence of an extension satisfies a predicate.

    The predicate is called with each state as it comes, so that a state is not missed because it
    has passed before the waiting task has its turn.

    Args:
        id: of which extension.
        predicate: what is waited for. An error that it raises ends the waiting.
    """

    def __init__(self, id: str, predicate: Callable[[GetPresenceInfo], bool]) -> None:  # noqa: A002
        self.id = id
        self.found: asyncio.Future[GetPresenceInfo] = asyncio.get_running_loop().create_future()
        self._predicate = predicate

    def check(self, state: GetPresenceInfo) -> None:
        """End the waiting if this is a state that is waited for."""
        if self.found.done():
            return
        try:
            if self._predicate(state):
                self.found.set_result(state)
        except StopIteration as error:
            # As from a coroutine; no future takes it. It comes from `next` in a predicate.
            failure = RuntimeError("the predicate raised StopIteration")
            failure.__cause__ = error
            self.found.set_exception(failure)
        except (Exception, asyncio.CancelledError) as error:
            self.found.set_exception(error)

    def put(self, change: PresenceChange) -> None:
        """Check the new state in a change of the board."""
        if change.id == self.id and change.new is not None:
            self.check(change.new)

    def end(self, error: Exception) -> None:
        """End the waiting with an error."""
        if not self.found.done():
            self.found.set_exception(error)
