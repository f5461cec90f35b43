"""What `doctor` says about proxies and certificates, and that commands use them."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from aiopresence.cli.doctor import server as server_check
from aiopresence.cli.doctor.context import CheckContext, CheckFailed
from aiopresence.cli.doctor.server import server
from aiopresence.sandbox import Sandbox
from tests.support import terminal
from tests.support.cli_calls import credentials, invoke, lead
from tests.support.raw_server import serving
from tests.support.tls import HOST, SERVER, Authority, Tunnel, encrypted, listening

LOGIN, URL_LOGIN = "user:canary pass", "user:canary%20pass@"


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


async def problem(monkeypatch: pytest.MonkeyPatch, url: str, **variables: str) -> str:
    """Return what the check of the server says, with a proxy in the environment."""
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "SSL_CERT_FILE"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    for name, value in {"HTTPS_PROXY": url, **variables}.items():
        monkeypatch.setenv(name, value)
    context = CheckContext(None, None, None, server=SERVER)  # type: ignore[arg-type]
    with pytest.raises(CheckFailed) as caught:
        await server(context)
    assert "canary" not in str(caught.value)
    return str(caught.value)


async def test_a_proxy_that_refuses_the_connection_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with serving(lambda *_: asyncio.sleep(0)) as gone:
        address = gone.url.removeprefix("http://")
    assert await problem(monkeypatch, f"http://{URL_LOGIN}{address}") == (
        f"HTTPS_PROXY is set to {address}, which refused the connection: check the address"
    )


async def test_a_proxy_that_does_not_answer_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_check, "RESPONSE_TIMEOUT", 0.05)
    async with serving(lambda *_: asyncio.sleep(60)) as silent:
        address = silent.url.removeprefix("http://")
        text = await problem(monkeypatch, silent.url)
    expected = f"no response from {HOST} through the proxy {address} within 0.05 s: "
    assert text == f"{expected}check the network"


async def test_a_proxy_that_does_not_exist_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert await problem(monkeypatch, f"{URL_LOGIN}proxy.invalid:3128") == (
        "HTTPS_PROXY is set to proxy.invalid:3128, which cannot be resolved: check the name"
    )


@pytest.mark.parametrize(
    ("login", "says"),
    [
        ("", "requires a user name and password (HTTP 407): set it to http://user:password@"),
        ("user:canary@", "did not accept the user name and password in it (HTTP 407)"),
    ],
)
async def test_a_login_that_the_proxy_wants_is_explained(
    monkeypatch: pytest.MonkeyPatch, proxy: Tunnel, login: str, says: str
) -> None:
    proxy.login = LOGIN
    text = await problem(monkeypatch, f"http://{login}{proxy.address}")
    assert text.startswith(f"HTTPS_PROXY is set to {proxy.address}, which ")
    assert says in text
    assert len(proxy.heads) == 1


async def test_a_proxy_that_does_not_allow_the_server_is_named(
    monkeypatch: pytest.MonkeyPatch, proxy: Tunnel
) -> None:
    proxy.answer = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"
    text = await problem(monkeypatch, f"http://{proxy.address}")
    assert f"which refused to connect to {HOST} (HTTP 403): it has to allow that" in text
    proxy.answer = b""
    text = await problem(monkeypatch, f"http://{proxy.address}")
    assert f"HTTPS_PROXY is set to {proxy.address}, which ended the connection" in text


async def test_hosts_in_no_proxy_are_looked_up_here(
    monkeypatch: pytest.MonkeyPatch, proxy: Tunnel
) -> None:
    text = await problem(monkeypatch, f"http://{proxy.address}", NO_PROXY=HOST)
    assert text.startswith(f"cannot resolve {HOST}: ")
    assert proxy.heads == []


async def test_a_certificate_that_is_not_trusted_leads_to_ssl_cert_file(
    monkeypatch: pytest.MonkeyPatch, proxy: Tunnel, authority: Authority
) -> None:
    url = f"http://{proxy.address}"
    expected = f"the certificate of {HOST} is not trusted (unable to get local issuer certificate)"
    assert (await problem(monkeypatch, url)).startswith(f"{expected}: if a proxy or ")
    missing = await problem(monkeypatch, url, SSL_CERT_FILE="/missing")
    assert missing == f"{expected}: SSL_CERT_FILE is set to /missing, which is not a file"
    other = await problem(monkeypatch, url, SSL_CERT_FILE=__file__)
    assert other.endswith("which does not have the certificate of its issuer")


async def run_doctor(
    home: Path, authority: Authority, *, strict: bool = True
) -> tuple[terminal.Done, list[str]]:
    """Run doctor in a process of its own: aiohttp reads SSL_CERT_FILE when it is imported."""
    async with (
        Sandbox(20, window=1.0) as sandbox,
        encrypted(sandbox, authority.server(strict=strict)) as front,
        listening(Tunnel(front.port, is_proxy=True, login=LOGIN)) as proxy,
    ):
        environment = terminal.environment(
            home,
            **credentials(sandbox),
            HTTPS_PROXY=f"http://{URL_LOGIN}{proxy.address}",
            SSL_CERT_FILE=str(authority.file),
        )
        command = ("-vv", "doctor", "--output", "json")
        return await asyncio.to_thread(terminal.run, *command, env=environment), proxy.heads


@pytest.mark.skipif(sys.version_info < (3, 13), reason="older ones accept the certificate")
def test_a_certificate_that_is_not_strict_enough_is_explained(
    tmp_path: Path, authority: Authority
) -> None:
    done, _ = asyncio.run(run_doctor(tmp_path, authority, strict=False))
    found = {each["check"]: each for each in json.loads(done.out)}
    assert "Missing Authority Key Identifier): Python from 3.13" in found["server"]["text"]


def test_all_checks_succeed_through_a_proxy(tmp_path: Path, authority: Authority) -> None:
    done, heads = asyncio.run(run_doctor(tmp_path, authority))
    found = {each["check"]: each for each in json.loads(done.out)}
    assert {each["ok"] for each in found.values()} == {True}, found
    assert found["server"]["text"].startswith(f"{HOST}, through the proxy 127.0.0.1:")
    assert len(heads) >= 3
    assert {head.split()[1] for head in heads} == {f"{HOST}:443"}
    assert not [secret for secret in ("canary", "Y2FuYXJ5") if secret in done.out + done.err]


async def test_a_wrong_variable_is_a_usage_error_and_loopback_needs_none(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "socks5://user:canary@127.0.0.1:9")
    lead(monkeypatch, tmp_path, credentials(sandbox))
    assert (await asyncio.to_thread(invoke, "whoami")).code == 0
    assert (await asyncio.to_thread(invoke, "read", "--sandbox", "3")).code == 0
    monkeypatch.setenv("RC_SERVER_URL", SERVER)
    done = await asyncio.to_thread(invoke, "whoami")
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("aiopresence: HTTPS_PROXY must be http://")
    assert "canary" not in done.err
