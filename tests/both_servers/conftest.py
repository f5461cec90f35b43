"""Each test of this folder runs against the sandbox and against the independent server."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from aiopresence import PresenceSession
from tests.support.servers import SERVER_KINDS, AnyServer, ServerKind, make_server

MakeServer = Callable[..., AnyServer]


@pytest.fixture(autouse=True)
async def _virtual(in_virtual_time: None) -> None:
    """Let every test of this folder run in virtual time."""


@pytest.fixture(params=SERVER_KINDS)
def kind(request: pytest.FixtureRequest) -> ServerKind:
    kind: ServerKind = request.param
    return kind


@pytest.fixture
def new_server(kind: ServerKind) -> MakeServer:
    """Return a server with options, which the test opens."""

    def make(users: int = 100, **options: Any) -> AnyServer:
        return make_server(kind, users, **options)

    return make


@pytest.fixture
async def server(new_server: MakeServer) -> AsyncIterator[AnyServer]:
    """A server for a client that does nothing wrong: a test fails if it does."""
    async with new_server() as server:
        yield server
        assert server.violations == []
        assert server.rate_limited == 0


@pytest.fixture
async def session(server: AnyServer) -> AsyncIterator[PresenceSession]:
    async with PresenceSession(server.grant, server=server.url) as session:
        yield session
