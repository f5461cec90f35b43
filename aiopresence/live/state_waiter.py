"""Wait for one extension to be in a certain state."""

import asyncio
from collections.abc import Callable, Set

from ..models import GetPresenceInfo, PresenceChange


class StateWaiter:
    """Waits until the presence of an extension satisfies a predicate.

    The predicate is called synchronously with each new state, so that a state that is over before
    the waiting task runs again is not missed.

    Args:
        extension_id: the extension to wait for.
        predicate: returns whether to stop waiting. An error that it raises ends the wait.

    Attributes:
        result: the state that satisfied the predicate, or the error that ended the wait.
    """

    def __init__(self, extension_id: str, predicate: Callable[[GetPresenceInfo], bool]) -> None:
        self.extension_id = extension_id
        self.result: asyncio.Future[GetPresenceInfo] = asyncio.get_running_loop().create_future()
        self._predicate = predicate

    def check(self, state: GetPresenceInfo) -> None:
        """End the wait if a state satisfies the predicate."""
        if self.result.done():
            return
        try:
            if self._predicate(state):
                self.result.set_result(state)
        except StopIteration as error:
            # A future refuses StopIteration; a predicate that calls `next` may raise it.
            failure = RuntimeError("the predicate raised StopIteration")
            failure.__cause__ = error
            self.result.set_exception(failure)
        except (Exception, asyncio.CancelledError) as error:
            self.result.set_exception(error)

    def end(self, error: Exception) -> None:
        """End the wait with an error."""
        if not self.result.done():
            self.result.set_exception(error)


class StateWaiters:
    """The waiters of a board, by extension."""

    def __init__(self) -> None:
        self._by_id: dict[str, set[StateWaiter]] = {}

    @property
    def ids(self) -> Set[str]:
        """The extensions that are waited for."""
        return self._by_id.keys()

    def add(self, waiter: StateWaiter) -> None:
        """Add a waiter."""
        self._by_id.setdefault(waiter.extension_id, set()).add(waiter)

    def discard(self, waiter: StateWaiter) -> None:
        """Remove a waiter that was added."""
        waiters = self._by_id[waiter.extension_id]
        waiters.discard(waiter)
        if not waiters:
            del self._by_id[waiter.extension_id]

    def put(self, change: PresenceChange) -> None:
        """Check the new state in a change of the board."""
        if change.id in self._by_id and change.new is not None:
            for waiter in self._by_id[change.id]:
                waiter.check(change.new)

    def end(self, id_: str, error: Exception) -> None:
        """End the waits for an extension with an error."""
        for waiter in self._by_id[id_]:
            waiter.end(error)
