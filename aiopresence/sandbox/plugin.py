"""Fixtures for pytest: a sandbox, a session on it, and virtual time.

Load them in the `conftest.py` at the root of your tests, or with `-p` on the command line; they
need pytest-asyncio, in either mode:

```
pytest_plugins = ["aiopresence.sandbox.plugin"]
```

Each test has a sandbox of its own, on the event loop that the test runs on: that of its
`loop_scope`, or of the setting `asyncio_default_test_loop_scope`. Tests without an event loop take
`presence_sandbox_in_thread`. To change the sandbox or the session, override
`presence_sandbox_options` or `presence_session_options`.

With `presence_virtual_time` a test of live code takes hours of its own time, and milliseconds of
yours:

```
async def test_a_change_after_a_day_is_seen(
    presence_virtual_time, presence_sandbox, presence_session
):
    who = presence_sandbox.user_ids[1]
    async with presence_session.board([who]) as board:
        await asyncio.sleep(24 * 3600)
        presence_sandbox.set_presence(who, user_status="Busy")
        await board.wait_for(who, lambda presence: presence.user_status == "Busy")
```

They are not loaded by themselves. A plugin that is loaded in every project that has this package
installed would need pytest-asyncio in all of them, and a third of a second for each test run.
"""

import inspect
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING, Any, Literal

import pytest
import pytest_asyncio

from ..errors import UsageError
from .sandbox import Sandbox
from .virtual_time import virtual_time

if TYPE_CHECKING:
    from .. import PresenceSession

__all__ = [
    "presence_sandbox",
    "presence_sandbox_in_thread",
    "presence_sandbox_options",
    "presence_session",
    "presence_session_options",
    "presence_virtual_time",
]

_LoopScope = Literal["function", "class", "module", "package", "session"]


@pytest.fixture
def presence_sandbox_options() -> dict[str, Any]:
    """Return the arguments of the sandbox, as in `Sandbox`; override it for others.

    Without an argument the sandbox has 100 extensions, and its limits have windows of one second
    instead of a minute, so that no test waits for long.
    """
    return {}


@pytest.fixture
def presence_session_options() -> dict[str, Any]:
    """Return arguments of the session, as in `PresenceSession`; override it for others.

    The session has the grant and the server of the sandbox. All other arguments have their
    defaults; `{"attempts": 1}` makes a session that does not retry.
    """
    return {}


@pytest.fixture
def presence_sandbox(request: pytest.FixtureRequest) -> Sandbox:
    """Return a sandbox that has been started, and close it after the test."""
    sandbox: Sandbox = _on_the_loop(request)
    return sandbox


@pytest.fixture
def presence_session(request: pytest.FixtureRequest) -> "PresenceSession":
    """Return an open session on the sandbox, and close it after the test."""
    session: PresenceSession = _on_the_loop(request)
    return session


@pytest.fixture
def presence_virtual_time(request: pytest.FixtureRequest) -> None:
    """Run the test in virtual time: see `aiopresence.sandbox.virtual_time`.

    The event loop's clock stands still while there is something to do, and jumps to the next
    timer when there is not. Sandbox and session take part, and so do those that the test makes
    itself on the same loop. On a loop of a wider scope the time is virtual for this test only.
    """
    _on_the_loop(request)


@pytest.fixture
def presence_sandbox_in_thread(presence_sandbox_options: dict[str, Any]) -> Iterator[Sandbox]:
    """Return a sandbox in a thread, as `Sandbox.in_thread` does, and close it after the test."""
    with Sandbox.in_thread(**_options(presence_sandbox_options)) as sandbox:
        yield sandbox


def _options(options: dict[str, Any]) -> dict[str, Any]:
    return {"extensions": 100, "window": 1.0, **options}


def _on_the_loop(request: pytest.FixtureRequest) -> Any:
    """Return the value of the fixture of the same name for the event loop of the test."""
    return request.getfixturevalue(f"_{request.fixturename}_{_loop_scope(request)}")


def _loop_scope(request: pytest.FixtureRequest) -> str:
    """Return the scope of the event loop that a test runs on.

    Raises:
        UsageError: the test takes the fixture without an event loop, which would serve it.
    """
    marker = request.node.get_closest_marker("asyncio")
    takes = request.fixturename in inspect.signature(request.function).parameters
    if takes and marker is None and not inspect.iscoroutinefunction(request.function):
        raise UsageError(
            f"{request.fixturename} needs a test that runs on an event loop: make it `async def`,"
            " with pytest-asyncio's marker, or use presence_sandbox_in_thread"
        )
    default: str = request.config.getini("asyncio_default_test_loop_scope")
    return (marker.kwargs.get("loop_scope") if marker else None) or default


# pytest-asyncio takes the event loop of a fixture from where it is defined, so each loop scope has
# fixtures of its own. Virtual time does not use its hook `pytest_asyncio_loop_factories`: with it,
# all tests of a project get a loop per test, and fixtures of a wider scope are set up again for
# each (seen with pytest-asyncio 1.5).
def _fixtures(loop_scope: _LoopScope) -> tuple[Any, ...]:
    @pytest_asyncio.fixture(loop_scope=loop_scope, name=f"_presence_sandbox_{loop_scope}")
    async def sandbox(presence_sandbox_options: dict[str, Any]) -> AsyncIterator[Sandbox]:
        async with Sandbox(**_options(presence_sandbox_options)) as sandbox:
            yield sandbox

    @pytest_asyncio.fixture(loop_scope=loop_scope, name=f"_presence_session_{loop_scope}")
    async def session(
        presence_sandbox: Sandbox, presence_session_options: dict[str, Any]
    ) -> AsyncIterator["PresenceSession"]:
        from .. import PresenceSession

        options = {"server": presence_sandbox.url, **presence_session_options}
        async with PresenceSession(presence_sandbox.grant, **options) as session:
            yield session

    @pytest_asyncio.fixture(loop_scope=loop_scope, name=f"_presence_virtual_time_{loop_scope}")
    async def virtual() -> AsyncIterator[None]:
        with virtual_time():
            yield

    return sandbox, session, virtual


_sandbox_function, _session_function, _virtual_time_function = _fixtures("function")
_sandbox_class, _session_class, _virtual_time_class = _fixtures("class")
_sandbox_module, _session_module, _virtual_time_module = _fixtures("module")
_sandbox_package, _session_package, _virtual_time_package = _fixtures("package")
_sandbox_session, _session_session, _virtual_time_session = _fixtures("session")
