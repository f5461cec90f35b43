"""Certificates and versions of TLS that must not be accepted, on each kind of connection.

The login, other requests and WebSockets connect in ways of their own. Each is tried directly, with
TLS that is refused on the server's side of it only, and there nothing must arrive.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import attrs
import pytest

from aiopresence import ConnectionFailed
from aiopresence.sandbox import Change, Sandbox
from tests.support.sessions import Session
from tests.support.tls import HOST, SERVER, Authority, Tunnel, encrypted, listening

GATEWAY = f"ws.{HOST}"
Wrong = Callable[[Authority, str], ssl.SSLContext]
WRONG: dict[str, tuple[Wrong, str]] = {
    "expired": (lambda ca, host: ca.server(host, days=0), "certificate has expired"),
    "not yet valid": (lambda ca, host: ca.server(host, start=1), "not yet valid"),
    "of another host": (lambda ca, host: ca.server(f"not-{host}"), "Hostname mismatch"),
    "of the parent domain": (
        lambda ca, host: ca.server(host.partition(".")[2] or "x"),
        "Hostname mismatch",
    ),
    "self-signed": (lambda ca, host: ca.server(host, issuer=host), "self-signed certificate"),
    "of an unknown issuer": (
        lambda ca, host: ca.server(host, issuer="unknown"),
        "local issuer certificate",
    ),
}
# The server may end the connection before it says why: that may pass, and is tried again.
OLD: tuple[Wrong, str] = (lambda ca, host: ca.server(host, old=True), "connect")


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("certificates"))


@attrs.frozen
class Route:
    """A way to the sandbox.

    Attributes:
        options: the arguments of a session for it.
        front: where the TLS is.
        count: returns the number of connections that were begun.
    """

    options: dict[str, Any]
    front: Tunnel
    count: Callable[[], int]


@asynccontextmanager
async def directly(sandbox: Sandbox, tls: Callable[[str], ssl.SSLContext]) -> AsyncIterator[Route]:
    """Connect to localhost."""
    async with encrypted(sandbox, tls("localhost")) as front, listening(Tunnel(front.port)) as way:
        url = f"https://localhost:{way.port}"
        sandbox._state.url = url
        yield Route({"server": url}, front, lambda: len(way._writers) // 2)


@asynccontextmanager
async def by_proxy(sandbox: Sandbox, tls: Callable[[str], ssl.SSLContext]) -> AsyncIterator[Route]:
    """Connect through a proxy."""
    async with (
        encrypted(sandbox, tls(HOST)) as front,
        listening(Tunnel(front.port, is_proxy=True)) as proxy,
    ):
        options = {"server": SERVER, "proxy": f"http://{proxy.address}"}
        yield Route(options, front, lambda: len(proxy.heads))


ROUTES = {"directly": directly, "by proxy": by_proxy}


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("is_login", [True, False], ids=["login", "request"])
async def test_a_server_is_refused_before_anything_is_sent(
    sandbox: Sandbox, authority: Authority, route: str, wrong: str, is_login: bool
) -> None:
    make, reason = WRONG[wrong]
    auth = sandbox.grant if is_login else "an-access-token-that-nobody-gets"
    async with (
        ROUTES[route](sandbox, lambda host: make(authority, host)) as way,
        Session(auth, ssl=authority.context(), **way.options) as session,
    ):
        with pytest.raises(ConnectionFailed, match=reason) as caught:
            await session.read_user_presence_status()
        assert (caught.value.sent, caught.value.final) == (False, True)
        assert (way.front.received, way.count()) == (0, 1)
        assert session.stats.retries == 0
    assert [*sandbox.requests] == []


@pytest.mark.parametrize("route", ROUTES)
async def test_no_server_below_tls_1_2_is_sent_anything(
    sandbox: Sandbox, authority: Authority, route: str
) -> None:
    make, reason = OLD
    async with (
        ROUTES[route](sandbox, lambda host: make(authority, host)) as way,
        Session(sandbox.grant, ssl=authority.context(), attempts=1, **way.options) as session,
    ):
        with pytest.raises(ConnectionFailed, match=reason) as caught:
            await session.read_user_presence_status()
        assert not caught.value.sent
        assert (way.front.received, way.count()) == (0, 1)
    assert [*sandbox.requests] == []


@pytest.mark.parametrize("route", ROUTES)
async def test_a_server_with_a_certificate_of_the_authority_is_accepted(
    sandbox: Sandbox, authority: Authority, route: str
) -> None:
    async with (
        ROUTES[route](sandbox, authority.server) as way,
        Session(sandbox.grant, ssl=authority.context(), **way.options) as session,
        session.board(sandbox.extension_ids[:3]) as board,
    ):
        await board.wait_ready()
        assert way.front.received > 0


@asynccontextmanager
async def with_gateway(
    sandbox: Sandbox, authority: Authority, tls: ssl.SSLContext
) -> AsyncIterator[tuple[Tunnel, Tunnel, Session]]:
    """Yield a proxy, a gateway with a host name and TLS of its own, and a session."""
    port = int(sandbox.url.rpartition(":")[2])
    async with (
        encrypted(sandbox, authority.server()) as front,
        listening(Tunnel(port), tls) as gateway,
        listening(Tunnel(front.port, True, {GATEWAY: gateway.port})) as proxy,
        Session(
            sandbox.grant,
            server=SERVER,
            proxy=f"http://{proxy.address}",
            ssl=authority.context(),
        ) as session,
    ):
        move = Change(
            lambda body: body.replace(f"wss://{HOST}".encode(), f"wss://{GATEWAY}".encode())
        )
        sandbox.faults.add(move, path="/oauth/wstoken", times=None)
        yield proxy, gateway, session


@pytest.mark.parametrize("wrong", WRONG)
async def test_a_gateway_is_refused_before_the_token_is_sent(
    sandbox: Sandbox, authority: Authority, wrong: str
) -> None:
    make, reason = WRONG[wrong]
    async with with_gateway(sandbox, authority, make(authority, GATEWAY)) as (
        proxy,
        gateway,
        session,
    ):
        with pytest.raises(ConnectionFailed, match=reason) as caught:
            _ = [event async for event in session.events()]
        assert (caught.value.sent, caught.value.final) == (False, True)
        asked = [head.split(" ")[1] for head in proxy.heads]
        assert (asked.count(f"{GATEWAY}:443"), gateway.received) == (1, 0)
    assert "/ws" not in {request.path for request in sandbox.requests}


async def test_no_gateway_below_tls_1_2_is_sent_the_token(
    sandbox: Sandbox, authority: Authority
) -> None:
    tls = authority.server(GATEWAY, old=True)
    async with with_gateway(sandbox, authority, tls) as (proxy, gateway, session):
        task = asyncio.ensure_future(anext(session.events()))
        # Some versions of OpenSSL name the reason, which is final; with others it is tried again.
        while not task.done() and sum(GATEWAY in head for head in proxy.heads) < 2:
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait({task})
        assert task.cancelled() or isinstance(task.exception(), ConnectionFailed)
        assert gateway.received == 0
    assert "/ws" not in {request.path for request in sandbox.requests}


async def test_a_gateway_with_a_certificate_of_the_authority_is_accepted(
    sandbox: Sandbox, authority: Authority
) -> None:
    async with with_gateway(sandbox, authority, authority.server(GATEWAY)) as (_, gateway, session):
        async with session.board(sandbox.extension_ids[:3]) as board:
            await board.wait_ready()
            while not board.is_live:
                await asyncio.sleep(0)
        assert gateway.received > 0
