"""Other event loops for the tests: `pytest --uvloop` and `pytest --eager-tasks`."""

import asyncio
from collections.abc import Callable, Mapping

import pytest

Factory = Callable[[], asyncio.AbstractEventLoop]


class LoopFactories:
    """A plugin of pytest that chooses the event loop of each test.

    Args:
        uses_uvloop: whether tests run on uvloop, which must be installed. Tests in virtual time do
            not: it needs a selector event loop.
        is_eager: whether tasks begin to run when they are created; it requires Python 3.12.
    """

    def __init__(self, uses_uvloop: bool, is_eager: bool) -> None:
        self._uses_uvloop = uses_uvloop
        self._is_eager = is_eager
        self._eager = getattr(asyncio, "eager_task_factory", None)
        if is_eager and self._eager is None:
            raise pytest.UsageError("--eager-tasks requires Python 3.12")

    def pytest_asyncio_loop_factories(
        self, config: pytest.Config, item: pytest.Item
    ) -> Mapping[str, Factory]:
        """Return the factory of the loop on which a test runs."""
        is_virtual = "presence_virtual_time" in getattr(item, "fixturenames", ())
        return {"loop": self._new_selector_loop if is_virtual else self._new_loop}

    def _new_loop(self) -> asyncio.AbstractEventLoop:
        if not self._uses_uvloop:
            return self._new_selector_loop()
        import uvloop  # It does not exist for all systems.

        return self._prepared(uvloop.new_event_loop())

    def _new_selector_loop(self) -> asyncio.AbstractEventLoop:
        return self._prepared(asyncio.SelectorEventLoop())

    def _prepared(self, loop: asyncio.AbstractEventLoop) -> asyncio.AbstractEventLoop:
        if self._is_eager:
            loop.set_task_factory(self._eager)
        return loop
