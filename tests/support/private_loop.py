"""An event loop in virtual time that runs only when it is told to.

Hypothesis has no state machines for asyncio. Rules of a machine run coroutines on such a loop, on
which time stands still between two rules.
"""

import asyncio
import itertools
import random
from collections.abc import Callable, Coroutine
from contextlib import ExitStack
from typing import Any, TypeVar

from hypothesis import Phase, settings

from aiopresence.sandbox import virtual_time

T = TypeVar("T")

# A coroutine that runs for more virtual seconds than this waits for what never comes.
_FOREVER = 10 * 86_400.0


def stories(share: float, steps: int) -> settings:
    """Return the settings of a state machine.

    Args:
        share: the fraction of the examples of the profile.
        steps: the most rules in one story.
    """
    examples = max(1, round(settings().max_examples * share))
    # Shrinking a story takes minutes.
    phases = settings().phases if is_thorough() else (Phase.explicit, Phase.generate)
    return settings(max_examples=examples, stateful_step_count=steps, phases=phases)


def is_thorough() -> bool:
    """Return whether the profile asks for more than few examples."""
    return settings().max_examples > 100


class _Loop(asyncio.SelectorEventLoop):
    """Counts its steps, and may change the order in which tasks that are ready run."""

    def __init__(self, order: random.Random | None) -> None:
        super().__init__()
        self.steps = 0
        self.alarm: tuple[int, Callable[[], object]] | None = None
        self._order = order

    def _run_once(self) -> None:
        if self._order is not None:
            self._shuffle(self._order)
        super()._run_once()  # type: ignore[misc] # not in typeshed
        self.steps += 1
        if self.alarm is not None and self.steps >= self.alarm[0]:
            (_, act), self.alarm = self.alarm, None
            act()

    def _shuffle(self, order: random.Random) -> None:
        """Change the order of tasks with no other callback in between, which may rely on it."""
        ready = self._ready  # type: ignore[attr-defined] # not in typeshed
        handles = []
        for is_step, group in itertools.groupby([*ready], _is_step):
            together = [*group]
            if is_step:
                order.shuffle(together)
            handles += together
        ready.clear()
        ready.extend(handles)


def _is_step(handle: asyncio.Handle) -> bool:
    return isinstance(getattr(handle._callback, "__self__", None), asyncio.Task)  # type: ignore[attr-defined]


class PrivateLoop:
    """An event loop in virtual time for the rules of a state machine.

    Args:
        seed: decides the order in which tasks that are ready run; None for asyncio's.

    Attributes:
        problems: what was reported to the loop's exception handler.
    """

    def __init__(self, seed: int | None = None) -> None:
        self._loop = _Loop(None if seed is None else random.Random(seed))  # noqa: S311 - protects nothing
        self._loop.set_exception_handler(lambda _, context: self.problems.append(context))
        self._time = ExitStack()
        self.problems: list[dict[str, Any]] = []

        async def enter() -> None:
            self._time.enter_context(virtual_time.virtual_time())

        self._loop.run_until_complete(enter())

    @property
    def now(self) -> float:
        """The virtual time."""
        return self._loop.time()

    @property
    def steps(self) -> int:
        """The number of steps of the loop so far."""
        return self._loop.steps

    @property
    def timers(self) -> list[asyncio.TimerHandle]:
        """The timers that are waited for."""
        scheduled = self._loop._scheduled  # type: ignore[attr-defined] # not in typeshed
        return [timer for timer in scheduled if not timer.cancelled()]

    @property
    def tasks(self) -> "set[asyncio.Task[Any]]":
        """The tasks that have not ended."""
        return asyncio.all_tasks(self._loop)

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine and return its result; TimeoutError if it never ends."""

        async def limited() -> T:
            async with asyncio.timeout(_FOREVER):
                return await coroutine

        return self._loop.run_until_complete(limited())

    def call(self, function: Callable[[], T]) -> T:
        """Call a function that needs the running loop, for its time, and return its result."""

        async def called() -> T:
            return function()

        return self.run(called())

    def start(self, coroutine: Coroutine[Any, Any, T]) -> "asyncio.Task[T]":
        """Start a task, which runs with the next rule."""
        return self._loop.create_task(coroutine)

    def pass_time(self, seconds: float = 0.001) -> None:
        """Run everything that happens in some time; in a millisecond, what happens at once."""
        self.run(asyncio.sleep(seconds))

    def cancel_at(
        self, task: "asyncio.Task[Any]", step: int, again: int | None = None
    ) -> list[int]:
        """Cancel a task after some more steps of the loop, unless it has ended before.

        Args:
            task: the task.
            step: the number of steps.
            again: the steps from then to a second cancellation; None for none.

        Returns:
            A list, to which the step of each cancellation is added.
        """
        asked: list[int] = []

        def act() -> None:
            if task.cancel():
                asked.append(self._loop.steps)
                if again is not None and len(asked) == 1:
                    self._loop.alarm = self._loop.steps + again, act

        self._loop.alarm = self._loop.steps + step, act
        return asked

    def close(self) -> None:
        """Close the loop."""
        try:
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
            self._loop.run_until_complete(self._loop.shutdown_default_executor())
        finally:
            self._time.close()
            self._loop.close()
