"""Fixtures for pytest: a sandbox, and a session on it.

Load them in the `conftest.py` at the root of your tests, or with `-p` on the command line; they
need pytest-asyncio, in either mode:

```
pytest_plugins = ["aiopresence.sandbox.plugin"]
```

Each test gets a sandbox of its own, on the event loop that the test runs on: that of its
`loop_scope`, or of the setting `asyncio_default_test_loop_scope`. Tests without an event loop take
`presence_sandbox_in_thread`.

They are not loaded by themselves. Whatever is loaded so is loaded in every project that has this
package installed, needs pytest-asyncio in all of them, and costs a third of a second each time,
for the package around this module brings in the whole sandbox.
"""

import inspect
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING, Any, Literal

import pytest
import pytest_asyncio

from ..errors import UsageError
from .sandbox import Sandbox

if TYPE_CHECKING:
    from .. import PresenceSession

__all__ = [
    "presence_sandbox",
    "presence_sandbox_in_thread",
    "presence_sandbox_options",
    "presence_session",
]

_LoopScope = Literal["function", "class", "module", "package", "session"]


@pytest.fixture
def presence_sandbox_options() -> dict[str, Any]:
    """Return the arguments of the sandbox, as in Sandbox; override this for others.

    Without it the sandbox has 100 extensions, and a minute of its limits is a second, so that no
    test waits for long.
    """
    return {}


@pytest.fixture
def presence_sandbox(request: pytest.FixtureRequest) -> Sandbox:
    """Return a sandbox that has been started, and close it after the test."""
    sandbox: Sandbox = request.getfixturevalue(f"_presence_sandbox_{_loop_scope(request)}")
    return sandbox


@pytest.fixture
def presence_session(request: pytest.FixtureRequest) -> "PresenceSession":
    """Return an open session on the sandbox, and close it after the test."""
    name = f"_presence_session_{_loop_scope(request)}"
    session: PresenceSession = request.getfixturevalue(name)
    return session


@pytest.fixture
def presence_sandbox_in_thread(presence_sandbox_options: dict[str, Any]) -> Iterator[Sandbox]:
    """Return a sandbox in a thread, as Sandbox.in_thread, and close it after the test."""
    with Sandbox.in_thread(**_options(presence_sandbox_options)) as sandbox:
        yield sandbox


def _options(given: dict[str, Any]) -> dict[str, Any]:
    return {"extensions": 100, "window": 1.0, **given}


def _loop_scope(request: pytest.FixtureRequest) -> str:
    """Return the scope of the event loop that a test runs on.

    Raises:
        UsageError: the test takes the fixture without an event loop, so nothing would answer it.
    """
    marker = request.node.get_closest_marker("asyncio")
    takes = request.fixturename in inspect.signature(request.function).parameters
    if takes and marker is None and not inspect.iscoroutinefunction(request.function):
        raise UsageError(
            "presence_sandbox and presence_session need a test that runs on an event loop: make"
            " it `async def`, with pytest-asyncio's marker, or use presence_sandbox_in_thread"
        )
    default: str = request.config.getini("asyncio_default_test_loop_scope")
    return (marker.kwargs.get("loop_scope") if marker else None) or default


# pytest-asyncio takes the event loop of a fixture from where it is defined, so each loop scope has
# fixtures of its own.
def _fixtures(loop_scope: _LoopScope) -> tuple[Any, Any]:
    @pytest_asyncio.fixture(loop_scope=loop_scope, name=f"_presence_sandbox_{loop_scope}")
    async def sandbox(presence_sandbox_options: dict[str, Any]) -> AsyncIterator[Sandbox]:
        async with Sandbox(**_options(presence_sandbox_options)) as sandbox:
            yield sandbox

    @pytest_asyncio.fixture(loop_scope=loop_scope, name=f"_presence_session_{loop_scope}")
    async def session(presence_sandbox: Sandbox) -> AsyncIterator["PresenceSession"]:
        from .. import PresenceSession

        async with PresenceSession(presence_sandbox.grant, server=presence_sandbox.url) as session:
            yield session

    return sandbox, session


_sandbox_function, _session_function = _fixtures("function")
_sandbox_class, _session_class = _fixtures("class")
_sandbox_module, _session_module = _fixtures("module")
_sandbox_package, _session_package = _fixtures("package")
_sandbox_session, _session_session = _fixtures("session")
