"""Count what happens in one turn of the event loop."""

import asyncio
from collections.abc import Callable


class Turns:
    """Looks at a number once per turn of the event loop, while it is a context manager.

    Args:
        number: returns the number.

    Attributes:
        most: the most by which the number has grown in one turn.
    """

    def __init__(self, number: Callable[[], int]) -> None:
        self.most = 0
        self._number = number
        self._last = number()
        self._next: asyncio.Handle | None = None

    def __enter__(self) -> "Turns":
        self._look()
        return self

    def __exit__(self, *_: object) -> None:
        if self._next is not None:
            self._next.cancel()

    def _look(self) -> None:
        before, self._last = self._last, self._number()
        self.most = max(self.most, self._last - before)
        self._next = asyncio.get_running_loop().call_soon(self._look)
