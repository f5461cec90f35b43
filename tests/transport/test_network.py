"""Proxies and certificates, with real proxies, TLS and certificates."""

import asyncio
import logging
import ssl
import traceback
import warnings
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from aiopresence import ConnectionFailed, PresenceSession, Timeout, UsageError
from aiopresence.sandbox import Sandbox
from aiopresence.transport.network import Network
from tests.support.raw_server import serving
from tests.support.sessions import Session
from tests.support.tls import HOST, SERVER, Authority, Tunnel, encrypted, listening

PASSWORD = "canary/proxy+pass word"
LOGIN = f"user@home:{PASSWORD}"
QUOTED = "user%40home:canary%2Fproxy+pass%20word"
REFUSED = b"HTTP/1.1 %d Refused\r\nContent-Length: 6\r\n\r\ncanary"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
async def front(sandbox: Sandbox, authority: Authority) -> AsyncIterator[Tunnel]:
    async with encrypted(sandbox, authority.server()) as front:
        yield front


@pytest.fixture
async def proxy(front: Tunnel) -> AsyncIterator[Tunnel]:
    async with listening(Tunnel(front.port, is_proxy=True)) as proxy:
        yield proxy


async def read_and_follow(sandbox: Sandbox, session: PresenceSession) -> None:
    """Read, and follow an event, over REST, a token request and a WebSocket."""
    id_ = sandbox.user_ids[0]
    async with session.board([id_]) as board:
        await board.wait_ready()
        sandbox.set_presence(id_, user_status="Busy")
        await board.wait_for(id_, lambda known: known.user_status == "Busy")


async def test_requests_and_events_go_through_a_proxy(
    sandbox: Sandbox, authority: Authority, proxy: Tunnel
) -> None:
    url = f"http://{proxy.address}"
    async with Session(sandbox.grant, server=SERVER, proxy=url, ssl=authority.context()) as session:
        await read_and_follow(sandbox, session)
    # The first of them by HTTP: a pool of connections; the last one is the WebSocket.
    assert len(proxy.heads) >= 2
    assert {head.split("\r\n")[0] for head in proxy.heads} == {f"CONNECT {HOST}:443 HTTP/1.1"}
    assert "uthorization" not in "".join(proxy.heads)
    assert not [r for r in sandbox.requests if "proxy-authorization" in r.headers]


async def test_user_name_and_password_are_shown_to_the_proxy_and_nobody_else(
    sandbox: Sandbox, authority: Authority, proxy: Tunnel
) -> None:
    proxy.login = LOGIN
    url = f"http://{QUOTED}@{proxy.address}"
    async with Session(sandbox.grant, server=SERVER, proxy=url, ssl=authority.context()) as session:
        await read_and_follow(sandbox, session)
    assert len(proxy.heads) >= 2
    assert {head.count("Proxy-Authorization: Basic ") for head in proxy.heads} == {1}
    assert {"authorization", "proxy-authorization"} & {
        name for request in sandbox.requests for name in request.headers
    } == {"authorization"}


async def test_they_apply_to_a_session_of_aiohttp_too(
    sandbox: Sandbox, authority: Authority, proxy: Tunnel
) -> None:
    proxy.login = LOGIN
    async with (
        aiohttp.ClientSession(proxy="http://127.0.0.1:9") as http,
        Session(
            sandbox.grant,
            server=SERVER,
            http=http,
            proxy=f"http://{QUOTED}@{proxy.address}",
            ssl=authority.context(),
        ) as session,
    ):
        await read_and_follow(sandbox, session)
    assert len(proxy.heads) >= 2


@pytest.mark.fault
@pytest.mark.parametrize("status", [403, 405, 407])
async def test_a_proxy_that_refuses_for_good_is_asked_once(
    sandbox: Sandbox, proxy: Tunnel, status: int
) -> None:
    proxy.answer = REFUSED % status
    async with Session(
        sandbox.grant, server=SERVER, proxy=f"http://{QUOTED}@{proxy.address}"
    ) as session:
        with pytest.raises(ConnectionFailed, match=f"{proxy.address} refused .*{status}") as caught:
            await session.read_user_presence_status()
    assert (caught.value.final, caught.value.sent) == (True, False)
    assert len(proxy.heads) == 1
    assert "canary" not in shown(caught.value)


@pytest.mark.fault
@pytest.mark.parametrize(
    "answer", [REFUSED % 503, b"", b"garbage\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n"]
)
async def test_a_proxy_that_cannot_reach_the_server_is_asked_again(
    sandbox: Sandbox, proxy: Tunnel, answer: bytes
) -> None:
    proxy.answer = answer
    async with Session(
        sandbox.grant, server=SERVER, proxy=f"http://{proxy.address}", attempts=3
    ) as session:
        with pytest.raises(ConnectionFailed, match=f"the proxy {proxy.address}"):
            await session.read_user_presence_status()
    assert len(proxy.heads) == 3


async def test_a_wrong_password_says_what_to_check(sandbox: Sandbox, proxy: Tunnel) -> None:
    proxy.login = LOGIN
    url = f"http://user:wrong-canary@{proxy.address}"
    async with Session(sandbox.grant, server=SERVER, proxy=url) as session:
        with pytest.raises(ConnectionFailed, match="check the proxy's user name") as caught:
            await session.read_user_presence_status()
    assert len(proxy.heads) == 1
    assert "canary" not in shown(caught.value)


@pytest.mark.fault
async def test_a_proxy_that_does_not_listen_is_named_and_tried_again(
    proxy: Tunnel, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(lambda *_: asyncio.sleep(0)) as gone:
        address = gone.url.removeprefix("http://")
    url = f"http://{QUOTED}@{address}"
    async with Session("token", server=SERVER, proxy=url, attempts=3) as session:
        with pytest.raises(ConnectionFailed, match=f"proxy {address}.*HTTPS_PROXY") as caught:
            await session.read_user_presence_status()
        assert session.stats.retries == 2
    assert not caught.value.final
    assert "canary" not in shown(caught.value)


@pytest.mark.fault
async def test_a_proxy_that_does_not_answer_is_named() -> None:
    async with serving(lambda *_: asyncio.sleep(60)) as silent:
        address = silent.url.removeprefix("http://")
        async with Session(
            "token", server=SERVER, proxy=f"http://{QUOTED}@{address}", timeout=0.05, attempts=1
        ) as session:
            with pytest.raises(Timeout, match=f"{HOST} through the proxy {address} within"):
                await session.read_user_presence_status()
        assert len(silent.requests) == 1


@pytest.mark.fault
async def test_a_proxy_whose_name_is_not_found_is_named() -> None:
    async with Session("token", server=SERVER, proxy="proxy.invalid", attempts=1) as session:
        with pytest.raises(
            ConnectionFailed, match=r"cannot connect to the proxy proxy\.invalid:80"
        ):
            await session.read_user_presence_status()


async def test_requests_share_a_connection_through_the_proxy(
    sandbox: Sandbox, authority: Authority, proxy: Tunnel
) -> None:
    url = f"http://{proxy.address}"
    async with Session(sandbox.grant, server=SERVER, proxy=url, ssl=authority.context()) as session:
        for _ in range(3):
            await session.read_user_presence_status()
    assert len(sandbox.requests) == 4
    assert len(proxy.heads) == 1


@pytest.mark.fault
@pytest.mark.parametrize(
    ("host", "options", "reason"),
    [
        ("elsewhere.invalid", {}, "Hostname mismatch.*; check the address of the server"),
        (HOST, {"issuer": HOST}, "self-signed certificate; .*SSL_CERT_FILE.*ssl="),
        (HOST, {"issuer": "unknown"}, "local issuer certificate; .*SSL_CERT_FILE"),
        (HOST, {"days": 0}, "certificate has expired; .*SSL_CERT_FILE"),
        (HOST, {"strict": False}, "Missing Authority Key Identifier; .*without ssl.VERIFY_X509_ST"),
    ],
)
async def test_a_certificate_that_is_not_trusted_ends_a_connection_before_anything_is_sent(
    sandbox: Sandbox, authority: Authority, host: str, options: dict[str, Any], reason: str
) -> None:
    context = authority.context()
    context.verify_flags |= ssl.VERIFY_X509_STRICT  # the default from Python 3.13
    async with (
        encrypted(sandbox, authority.server(host, **options)) as front,
        listening(Tunnel(front.port, is_proxy=True)) as proxy,
        Session(
            sandbox.grant, server=SERVER, proxy=f"http://{proxy.address}", ssl=context
        ) as session,
    ):
        with pytest.raises(ConnectionFailed, match=reason) as caught:
            await session.read_user_presence_status()
        assert len(proxy.heads) == 1
        assert front.received == 0
    assert f"the certificate of {HOST} is not trusted" in str(caught.value)
    assert (caught.value.final, caught.value.sent) == (True, False)


async def test_an_authority_is_trusted_only_if_it_was_passed(
    sandbox: Sandbox, front: Tunnel, proxy: Tunnel
) -> None:
    async with Session(sandbox.grant, server=SERVER, proxy=f"http://{proxy.address}") as session:
        with pytest.raises(ConnectionFailed, match="not trusted"):
            await session.read_user_presence_status()
    assert front.received == 0


async def test_loopback_may_have_a_certificate_that_nobody_verifies(
    sandbox: Sandbox, front: Tunnel
) -> None:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    async with Session(
        sandbox.grant, server=f"https://localhost:{front.port}", ssl=context
    ) as session:
        assert (await session.read_user_presence_status()).extension is not None
    assert front.received > 0


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No proxy, and a login for every host in a .netrc file."""
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    netrc = tmp_path / "netrc"
    netrc.write_text("default login intruder password unexpected\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))


async def read_with(sandbox: Sandbox, authority: Authority, **options: Any) -> None:
    async with Session(
        sandbox.grant, server=SERVER, ssl=authority.context(), attempts=1, **options
    ) as session:
        await session.read_user_presence_status()
        await read_and_follow(sandbox, session)


@pytest.mark.fault
@pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy"])
@pytest.mark.parametrize("scheme", ["http://", ""])
async def test_its_proxy_is_used_when_asked_for_and_netrc_is_not(
    sandbox: Sandbox,
    authority: Authority,
    proxy: Tunnel,
    monkeypatch: pytest.MonkeyPatch,
    environment: None,
    name: str,
    scheme: str,
) -> None:
    monkeypatch.setenv(name, f"{scheme}{proxy.address}")
    with pytest.raises(ConnectionFailed, match=f"cannot connect to {HOST}"):
        await read_with(sandbox, authority)
    assert proxy.heads == []
    await read_with(sandbox, authority, trust_env=True)
    assert len(proxy.heads) >= 2
    sent = [request.headers.get("authorization", "") for request in sandbox.requests]
    seen = "".join([*proxy.heads, *sent])
    assert "aW50cnVkZXI" not in seen  # "intruder" in base64


async def test_a_session_of_aiohttp_that_reads_netrc_is_named(
    sandbox: Sandbox, environment: None
) -> None:
    async with (
        aiohttp.ClientSession(trust_env=True) as http,
        Session(sandbox.grant, server=sandbox.url, http=http) as session,
    ):
        with pytest.raises(UsageError, match="trust_env=True for the PresenceSession, not for"):
            await session.read_user_presence_status()
    assert [*sandbox.requests] == []


@pytest.mark.parametrize("hosts", [HOST, f"x,.{HOST.partition('.')[2]}", f"{HOST}:443", "*"])
async def test_hosts_in_no_proxy_are_connected_to_directly(
    sandbox: Sandbox,
    authority: Authority,
    proxy: Tunnel,
    monkeypatch: pytest.MonkeyPatch,
    environment: None,
    hosts: str,
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", f"http://{proxy.address}")
    monkeypatch.setenv("NO_PROXY", hosts)
    with pytest.raises(ConnectionFailed, match=f"cannot connect to {HOST}"):
        await read_with(sandbox, authority, trust_env=True)
    assert proxy.heads == []


async def test_a_proxy_that_was_passed_comes_first(
    sandbox: Sandbox,
    authority: Authority,
    proxy: Tunnel,
    monkeypatch: pytest.MonkeyPatch,
    environment: None,
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "nonsense://canary")
    monkeypatch.setenv("NO_PROXY", "*")
    url = f"http://{proxy.address}"
    await read_with(sandbox, authority, proxy=url, trust_env=True)
    assert len(proxy.heads) >= 2


async def test_loopback_is_connected_to_directly(
    sandbox: Sandbox,
    authority: Authority,
    front: Tunnel,
    monkeypatch: pytest.MonkeyPatch,
    environment: None,
) -> None:
    plain = f"http://127.0.0.1:{front.target}"
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    for server in (plain, f"https://localhost:{front.port}"):
        async with Session(sandbox.grant, server=server, ssl=context, trust_env=True) as session:
            assert (await session.read_user_presence_status()).extension is not None


def test_a_wrong_variable_is_named_and_not_shown(
    monkeypatch: pytest.MonkeyPatch, environment: None
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "socks5://user:canary@host:1080")
    PresenceSession("token")
    with pytest.raises(UsageError, match="HTTPS_PROXY must be http://") as caught:
        PresenceSession("token", trust_env=True)
    assert "canary" not in shown(caught.value)


def shown(error: BaseException) -> str:
    """Return an error as an error tracker shows it, with the local variables of all but tests."""
    report = traceback.TracebackException.from_exception(error, capture_locals=True)
    for frame in report.stack:
        if frame.filename == __file__:
            frame.locals = None
    return "".join(report.format()) + repr(error) + repr(vars(error))


@pytest.mark.fault
async def test_no_output_shows_the_password(
    sandbox: Sandbox,
    authority: Authority,
    proxy: Tunnel,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG)
    asyncio.get_running_loop().set_debug(True)
    proxy.login = LOGIN
    url = f"http://{QUOTED}@{proxy.address}"
    session = Session(sandbox.grant, server=SERVER, proxy=url, ssl=authority.context())
    texts = [repr(session), repr(vars(session))]
    async with session:
        http = session._requester._sender.http
        await read_and_follow(sandbox, session)
        texts += [repr(vars(http)), http.redactor.text(f"so {LOGIN} is {QUOTED}")]
        proxy.login = "other:login"
        proxy.stop()
        with pytest.raises(ConnectionFailed) as caught:
            await session.read_user_presence_status()
        texts.append(shown(caught.value))
    texts += [repr(Network.create(url, None, False, SERVER)), caplog.text, *capfd.readouterr()]
    hidden = [PASSWORD, "canary", "Y2FuYXJ5", "NhbmFye", "jYW5hcn", "%2Fproxy"]
    assert [secret for secret in hidden if secret in "".join(texts)] == []


@pytest.mark.fault
@pytest.mark.parametrize(
    "url",
    [
        "",
        "https://canary@host:1",
        "socks5://canary@host:1",
        "http://",
        "http://canary@:80",
        "http://host:canary",
        "http://canary@host:0",
        "http://canary@host:99999",
        "http://canary@host/path",
        "http://canary@host?query",
        "http://ho st",
        "http://hóst",
        "http://host\r\nX: canary",
        "http://[canary",
        "http://[canary]",
        "http://[::1]canary:80",
        "http://canary..test",
        "http://canary\\test",
        "http://canary<test>",
        f"http://{'canary' * 11}",
        b"http://canary@host",
        8080,
    ],
)
def test_an_address_that_is_no_http_proxy_is_refused_and_not_shown(url: Any) -> None:
    with pytest.raises(UsageError, match="proxy must be http://") as caught:
        PresenceSession("token", proxy=url)
    if isinstance(url, str):
        assert "canary" not in shown(caught.value)


def unverified() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def of_any_host() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    return context


def old() -> ssl.SSLContext:
    context = ssl.create_default_context()
    with warnings.catch_warnings(action="ignore"):
        context.minimum_version = ssl.TLSVersion.TLSv1_1
    return context


def with_defaults_of_openssl() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    return context


@pytest.mark.fault
@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: False, "ssl must be an ssl.SSLContext"),
        (lambda: True, "ssl must be an ssl.SSLContext"),
        (lambda: "/etc/ca.pem", "ssl must be an ssl.SSLContext"),
        (lambda: ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), "ssl must be an ssl.SSLContext"),
        (unverified, "ssl must verify"),
        (of_any_host, "ssl must verify"),
        (old, "below TLS 1.2"),
    ],
)
def test_what_does_not_protect_a_connection_is_refused(
    make: Callable[[], Any], reason: str
) -> None:
    with pytest.raises(UsageError, match=reason):
        PresenceSession("token", ssl=make())


def test_a_context_with_the_defaults_of_openssl_is_accepted() -> None:
    PresenceSession("token", ssl=with_defaults_of_openssl())


@pytest.mark.parametrize("value", [None, 1, "yes"])
def test_trust_env_is_a_bool(value: Any) -> None:
    with pytest.raises(UsageError, match="trust_env must be"):
        PresenceSession("token", trust_env=value)
