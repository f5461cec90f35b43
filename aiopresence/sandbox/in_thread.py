"""A sandbox in a thread with an event loop of its own, for code that has none."""

import asyncio
import inspect
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Protocol, TypeVar, cast

from ..errors import UsageError
from .faults import Faults
from .gateway.controls import GatewayControl
from .notifications import Feed
from .simulation import Simulation
from .webhooks.controls import WebhookControl


class _Server(Protocol):
    async def start(self) -> object: ...

    async def close(self) -> object: ...


S = TypeVar("S", bound=_Server)

# Parts of a sandbox whose members must be used in its thread.
_CONTROLS = (Faults, Feed, GatewayControl, Simulation, WebhookControl)
_STOP_TIMEOUT = 5.0  # seconds; closing a sandbox takes a tenth of a second


class _Thread:
    """Runs calls on an event loop in a thread, one after the other."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        # A daemon thread does not keep the process alive.
        self._thread = threading.Thread(target=self._run, name="aiopresence-sandbox", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.get_loop().run_forever()

    def call(self, function: Callable[..., Any], *args: Any, **options: Any) -> Any:
        """Call a function on the loop, await its result if it is awaitable, and return it."""

        async def run() -> Any:
            result = function(*args, **options)
            return await result if inspect.isawaitable(result) else result

        if threading.current_thread() is self._thread:
            return function(*args, **options)
        if not self._thread.is_alive():
            return _without_loop(function, *args, **options)
        return asyncio.run_coroutine_threadsafe(run(), self._loop).result()

    def stop(self) -> None:
        """Stop the loop and the thread."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_STOP_TIMEOUT)


def _without_loop(function: Callable[..., Any], *args: Any, **options: Any) -> Any:
    """Call a function after the thread has ended, which is fine for reads of logs and numbers."""
    result = function(*args, **options)
    if inspect.iscoroutine(result):
        result.close()
        raise UsageError("the sandbox is closed, so only its logs and numbers can be read")
    return result


class _Proxy:
    """A proxy of a sandbox, or of a part of one, that does everything in the sandbox's thread.

    Lists are returned as copies, coroutines are awaited, and async context managers are used with
    a plain `with`.
    """

    def __init__(self, thread: _Thread, target: object) -> None:
        object.__setattr__(self, "_thread", thread)
        object.__setattr__(self, "_target", target)

    def __getattr__(self, name: str) -> Any:
        value = self._thread.call(getattr, self._target, name)
        return partial(self._call, value) if inspect.ismethod(value) else self._shared(value)

    def __setattr__(self, name: str, value: object) -> None:
        self._thread.call(setattr, self._target, name, value)

    def __dir__(self) -> list[str]:
        return dir(self._target)

    def __repr__(self) -> str:
        return f"<in a thread: {self._target!r}>"

    def __enter__(self) -> Any:
        self._call(cast("Any", self._target).__aenter__)
        return self

    def __exit__(self, *error: object) -> None:
        self._call(cast("Any", self._target).__aexit__, *error)

    def _call(self, method: Callable[..., Any], *args: Any, **options: Any) -> Any:
        return self._shared(self._thread.call(method, *args, **options))

    def _shared(self, value: object) -> Any:
        if isinstance(value, _CONTROLS):
            return _Proxy(self._thread, value)
        return list(value) if isinstance(value, list) else value


@contextmanager
def run_in_thread(make: Callable[[], S]) -> Iterator[S]:
    """Start a sandbox in a thread, and close both at the end.

    Args:
        make: returns the sandbox.
    """
    thread = _Thread()
    try:
        sandbox = make()
        thread.call(sandbox.start)
        try:
            yield cast("S", _Proxy(thread, sandbox))
        finally:
            thread.call(sandbox.close)
    finally:
        thread.stop()
