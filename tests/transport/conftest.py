from collections.abc import AsyncIterator

import pytest

from aiopresence.sandbox import Sandbox
from tests.support.sessions import Session


@pytest.fixture
async def busy(sandbox: Sandbox) -> AsyncIterator[Session]:
    """A session for many requests at once."""
    async with Session(sandbox.grant, server=sandbox.url, concurrency=200) as session:
        yield session
