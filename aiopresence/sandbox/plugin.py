"""Fixtures for pytest: a sandbox, and a session on it.

Ask for them in the `conftest.py` at the root of your tests, or with `-p` on the command line; they
need pytest-asyncio, in either mode:

```
pytest_plugins = ["aiopresence.sandbox.plugin"]
```

They are not loaded by themselves. Whatever is loaded so is loaded in every project that has this
package installed, needs pytest-asyncio in all of them, and costs a third of a second each time,
for the package around this module brings in the whole sandbox.
"""

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from .server import Sandbox

if TYPE_CHECKING:
    from .. import PresenceSession

__all__ = ["presence_sandbox", "presence_sandbox_options", "presence_session"]


@pytest.fixture
def presence_sandbox_options() -> dict[str, Any]:
    """Give the arguments of the sandbox, as in Sandbox; override this for others.

    Without it the sandbox has 100 extensions, and a minute of its limits is a second, so that no
    test waits for long.
    """
    return {}


@pytest_asyncio.fixture
async def presence_sandbox(presence_sandbox_options: dict[str, Any]) -> AsyncIterator[Sandbox]:
    """Give a sandbox that has been started, and close it after the test."""
    async with Sandbox(**{"extensions": 100, "window": 1.0, **presence_sandbox_options}) as sandbox:
        yield sandbox


@pytest_asyncio.fixture
async def presence_session(presence_sandbox: Sandbox) -> AsyncIterator["PresenceSession"]:
    """Give an open session on the sandbox, and close it after the test."""
    from .. import PresenceSession

    async with PresenceSession(presence_sandbox.grant, server=presence_sandbox.url) as session:
        yield session
