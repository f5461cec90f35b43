"""Credentials go to the configured server only, whatever a server or a caller names instead.

Every connection leads through a proxy, which can reach any host and keeps the names: a second
server, in other words, of every name. Only one may ever be asked for.
"""

import json
import re
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from aiopresence import ConnectionFailed, DecodeError, PresenceError, UsageError
from aiopresence.sandbox import Answer, Change, Fault, Redirect, Sandbox
from aiopresence.webhooks import WebhookReceiver
from tests.support.sessions import Session
from tests.support.tls import HOST, SERVER, Authority, Tunnel, encrypted, listening

PRESENCE = "/restapi/v1.0/account/~/presence"
# With another host, port, scheme or user, in ways in which parsers of URLs may differ.
FOREIGN = (
    "https://evil.example{}",
    "//evil.example{}",
    "///evil.example{}",
    "/\\evil.example{}",
    "\\\\evil.example{}",
    "https:evil.example{}",
    "https:/evil.example{}",
    "https:\\\\evil.example{}",
    "HTTPS://EVIL.EXAMPLE{}",
    "\thttps://evil.example{}",
    "ht\ttps://evil.example{}",
    f"https://{HOST}.evil.example{{}}",
    f"https://evil{HOST}{{}}",
    f"https://evil.example/{HOST}{{}}",
    f"https://evil.example?{HOST}{{}}",
    f"https://evil.example#{HOST}{{}}",
    f"https://evil.example\\.{HOST}{{}}",
    f"https://evil.example\\@{HOST}{{}}",
    f"https://{HOST}@evil.example{{}}",
    f"https://{HOST}:443@evil.example{{}}",
    f"https://{HOST}%40evil.example{{}}",
    f"https://{HOST}%2eevil.example{{}}",
    f"https://{HOST}.{{}}",
    f"https://{HOST}:8443{{}}",
    f"https://{HOST}:0{{}}",
    f"http://{HOST}{{}}",
    f"http://{HOST}:443{{}}",
    "https://invalid{}",
    "https://xn--presence-e4a.invalid{}",
    "https://127.0.0.1{}",
    "https://2130706433{}",
    "https://[::1]{}",
    "https://localhost{}",
)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
async def proxy(sandbox: Sandbox, authority: Authority) -> AsyncIterator[Tunnel]:
    async with (
        encrypted(sandbox, authority.server()) as front,
        listening(Tunnel(front.port, is_proxy=True)) as proxy,
    ):
        yield proxy
    # The end of each test: there was a connection, and none for another name.
    assert {head.split("\r\n")[0] for head in proxy.heads} == {f"CONNECT {HOST}:443 HTTP/1.1"}


@pytest.fixture
async def session(sandbox: Sandbox, authority: Authority, proxy: Tunnel) -> AsyncIterator[Session]:
    async with Session(
        sandbox.grant,
        server=SERVER,
        proxy=f"http://{proxy.address}",
        ssl=authority.context(),
        attempts=1,
    ) as session:
        await session.read_user_presence_status()
        yield session


def changed(change: Callable[[Any], None]) -> Change:
    """Return a fault that changes the JSON of a response."""

    def apply(body: bytes) -> bytes:
        value = json.loads(body)
        change(value)
        return json.dumps(value).encode()

    return Change(apply)


@asynccontextmanager
async def each(
    sandbox: Sandbox, faults: Iterable[Fault], path: str
) -> AsyncIterator[AsyncIterator[Fault]]:
    """Iterate over faults, each in force while it is there, and check that each has occurred."""

    async def iterate() -> AsyncIterator[Fault]:
        for fault in faults:
            rule = sandbox.faults.add(fault, path=path, times=1)
            yield fault
            assert rule.fired == 1, fault
            sandbox.faults.clear()

    yield iterate()


async def test_no_redirect_leads_to_another_origin(sandbox: Sandbox, session: Session) -> None:
    links = [link.format(PRESENCE) for link in FOREIGN]
    async with each(sandbox, map(Redirect, links), "/presence") as faults:
        async for _ in faults:
            with pytest.raises(PresenceError):
                await session.request("GET", PRESENCE)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_no_login_and_no_write_is_redirected(
    sandbox: Sandbox, authority: Authority, proxy: Tunnel, session: Session, status: int
) -> None:
    link = f"https://evil.example{PRESENCE}"
    write = sandbox.faults.add(Redirect(link, status), path="/presence", times=1)
    with pytest.raises(PresenceError, match="redirect"):
        await session.update_user_presence_status({"message": "x"})
    login = sandbox.faults.add(Redirect(link, status), path="/oauth/token", times=None)
    url = f"http://{proxy.address}"
    async with Session(
        sandbox.grant, server=SERVER, proxy=url, ssl=authority.context(), attempts=1
    ) as other:
        with pytest.raises(PresenceError):
            await other.read_user_presence_status()
    assert (write.fired, login.fired) == (1, 1)


@pytest.mark.parametrize("link", ["firstPage", "nextPage", "previousPage", "lastPage"])
async def test_no_link_to_a_page_leads_to_another_origin(
    sandbox: Sandbox, session: Session, link: str
) -> None:
    def point(to: str) -> Change:
        def change(page: Any) -> None:
            page["navigation"] = {**page.get("navigation", {}), link: {"uri": to}}
            page["paging"] = {}

        return changed(change)

    links = [to.format(f"{PRESENCE}?page=2&perPage=1000") for to in FOREIGN]
    async with each(sandbox, map(point, links), "/account/~/presence") as faults:
        async for _ in faults:
            if link == "nextPage":
                with pytest.raises(DecodeError):
                    _ = [record async for record in session.iter_account_presence()]
            else:
                assert [record async for record in session.iter_account_presence()]


async def test_no_link_in_a_part_of_a_batch_is_followed(sandbox: Sandbox, session: Session) -> None:
    def point(to: str) -> Change:
        # The ids in a link may be looked at, the server in it is not.
        return Change(lambda body: body.replace(SERVER.encode(), to.partition("{")[0].encode()))

    faults_of = [point(to) for to in FOREIGN if '"' not in to and "\t" not in to and "\\" not in to]
    ids = sandbox.extension_ids[:3]
    async with each(sandbox, faults_of, "/presence") as faults:
        async for _ in faults:
            result = await session.read_user_presence_statuses(ids)
            assert len(result) == 3


async def test_no_websocket_token_goes_to_another_origin(
    sandbox: Sandbox, session: Session
) -> None:
    links = [re.sub("^ht\t?tp", "ws", to.format("/ws"), flags=re.IGNORECASE) for to in FOREIGN]
    links += [to.format("/ws") for to in FOREIGN]

    def point(to: str) -> Change:
        return changed(lambda token: token.update(uri=to))

    sent = len(sandbox.requests)
    async with each(sandbox, map(point, links), "/oauth/wstoken") as faults:
        async for _ in faults:
            with pytest.raises(PresenceError) as caught:
                _ = [event async for event in session.events()]
            assert isinstance(caught.value, ConnectionFailed | DecodeError), caught.value
    assert {request.path for request in sandbox.requests[sent:]} == {"/restapi/oauth/wstoken"}


async def test_no_path_of_a_caller_leads_to_another_origin(
    sandbox: Sandbox, session: Session
) -> None:
    sent = len(sandbox.requests)
    paths = [link.format(PRESENCE) for link in FOREIGN]
    paths += [
        f"{PRESENCE}{end}" for end in ("\r\nHost: evil.example", "\0", " ", "\t", "?a=b", "#")
    ]
    paths += [
        "",
        ".evil.example/restapi/",
        "@evil.example/restapi/",
        ":80/restapi/",
        "restapi/v1.0",
    ]
    paths += ["/restapi/../x", "/restapi/%2e%2e/x", "/restapi/%5c..%5cx", "/restapi/é"]
    for path in paths:
        with pytest.raises(UsageError):
            await session.request("GET", path)
    for method in ("GET\r\nHost: evil.example", "GET https://evil.example/", ""):
        with pytest.raises(UsageError):
            await session.request(method, PRESENCE)
    assert len(sandbox.requests) == sent


async def test_the_address_that_a_subscription_is_said_to_have_is_not_connected_to(
    sandbox: Sandbox, session: Session
) -> None:
    async def ignore(_: object) -> None: ...

    described = {
        "id": "0123",
        "uri": "https://evil.example/restapi/v1.0/subscription/0123",
        "status": "Active",
        "expiresIn": 600,
        "deliveryMode": {"transportType": "WebHook", "address": "https://evil.example/hook"},
    }
    rule = sandbox.faults.add(
        Answer(200, json.dumps(described).encode()), path="/subscription", times=None
    )
    receiver = WebhookReceiver(ignore)
    async with receiver, receiver.subscribe(session, "https://example.com/hook") as subscription:
        assert subscription.info.delivery_mode is not None
        assert subscription.info.delivery_mode.address == "https://evil.example/hook"
    assert rule.fired == 2
