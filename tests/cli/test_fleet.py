"""The commands follow and fleet, with a real Redis and processes of their own."""

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from aiopresence.redis.connection import Connection
from aiopresence.redis.fleet_keys import FleetKeys, Report
from aiopresence.sandbox import Sandbox
from tests.support.cli_calls import invoke
from tests.support.fleet_files import accounts_file
from tests.support.redis_servers import RedisServer, redis_server
from tests.support.sessions import PLENTY
from tests.support.terminal import COMMAND, environment


@asynccontextmanager
async def following(
    server: RedisServer, file: Path, home: Path
) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        *COMMAND, "follow", "--accounts", str(file), "--lease", "1",
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env=environment(home, AIOPRESENCE_REDIS_URL=server.url),
    )  # fmt: skip
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def show(server: RedisServer) -> tuple[int, list[dict[str, Any]], str]:
    """Return what `fleet` shows."""
    done = await asyncio.to_thread(invoke, "fleet", "--redis", server.url, "-o", "json")
    return done.code, json.loads(done.out), done.err


async def until_live(server: RedisServer, processes: int) -> list[dict[str, Any]]:
    async with asyncio.timeout(30):
        while True:
            code, accounts, _ = await show(server)
            holders = {each["process"] for each in accounts}
            if code == 0 and len(accounts) == 2 and len(holders) == processes:
                return accounts
            await asyncio.sleep(0.1)


async def test_the_accounts_of_a_killed_process_are_followed_by_another(tmp_path: Path) -> None:
    with redis_server() as server:
        async with Sandbox(5, limits=PLENTY) as north, Sandbox(7, limits=PLENTY) as south:
            file = accounts_file(tmp_path, {"north": north, "south": south})
            async with (
                following(server, file, tmp_path) as killed,
                following(server, file, tmp_path) as left,
            ):
                shown = await until_live(server, 2)
                assert [each["extensions"] for each in shown] == [5, 7]
                killed.kill()
                await killed.wait()
                await until_live(server, 1)
                left.send_signal(signal.SIGINT)
                out, err = await left.communicate()
        assert (left.returncode, out) == (130, b"")
        assert b"following 2 accounts" in err
        assert not any(secret.encode() in err for secret in (north.jwt, north.client_secret))
        code, accounts, summary = await show(server)
        assert code == 1
        assert {each["state"] for each in accounts} == {"unfollowed"}
        assert "0 processes, 2 accounts: 2 unfollowed" in summary


async def test_an_account_that_fails_is_named(tmp_path: Path) -> None:
    with redis_server() as server:
        async with Sandbox(5) as sandbox:
            file = accounts_file(tmp_path, {"north": sandbox})
            file.write_text(file.read_text().replace(sandbox.client_secret, "wrong"))
            async with following(server, file, tmp_path) as process, asyncio.timeout(30):
                assert process.stderr is not None
                await process.stderr.readuntil(b"\n")
                line = await process.stderr.readuntil(b"\n")
        assert line.startswith(b"aiopresence: account north: HTTP 401")
        assert b"trying again in 300 s" in line


def account(name: str, **values: str) -> str:
    """Return the table of an account, with credentials that are the same for every name."""
    values = {"client_id": "id", "client_secret": "secret", "jwt": "jwt", **values}
    lines = "".join(f"{key} = {value!r}\n" for key, value in values.items())
    return f"[account.{name}]\n{lines}"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has no accounts; use a table [account.NAME] for each"),
        ("[profile.a]", "unexpected profile; use [account.NAME]"),
        ("[account.a]\njwt = 1", "accounts.toml, line 2, account.a: jwt must be a string"),
        ("[account.a]\nsecret = 'x'", "account.a: unknown settings secret; possible are"),
        ("[account.a]\njwt = 'x'", "line 1, account.a: not set: client_id, client_secret"),
        ("x = 1\n[account.a", "accounts.toml, end of document: not valid TOML"),
        ("[account.a]\njwt = x", "accounts.toml, line 2, column 7: not valid TOML"),
        ("[account]\njwt = 'x'", "[account] lacks a name; use a table [account.NAME] for each"),
        (account("a", jwt="a b"), "account.a: jwt has a space or a control character in it"),
        (account("a", server_url="http://host"), "account.a: server must be https://host"),
        (account("a", server_url="host"), "account.a: server must be https://host"),
        (
            account("a") + account("b"),
            "line 5, account.b has the same client_id and jwt as account.a",
        ),
    ],
)
def test_a_wrong_file_of_accounts_is_a_usage_error(text: str, message: str, tmp_path: Path) -> None:
    file = tmp_path / "accounts.toml"
    file.write_text(text)
    done = invoke("follow", "--redis", "redis://127.0.0.1:1", "--accounts", str(file))
    assert (done.code, done.out) == (2, "")
    assert message in done.err
    assert len(done.err.splitlines()) == 1


def test_a_missing_file_of_accounts_is_a_usage_error(tmp_path: Path) -> None:
    file = str(tmp_path / "none.toml")
    done = invoke("follow", "--redis", "redis://127.0.0.1:1", "--accounts", file)
    assert (done.code, done.err) == (2, f"aiopresence: cannot read {file}: no such file\n")


def test_accounts_are_followed_through_the_proxy_of_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "accounts.toml"
    file.write_text(account("a"))
    monkeypatch.setenv("HTTPS_PROXY", "socks5://canary@host:1080")
    done = invoke("follow", "--redis", "redis://127.0.0.1:9", "--accounts", str(file))
    assert done.code == 2
    assert "account.a: HTTPS_PROXY must be http://" in done.err
    assert "canary" not in done.err


@pytest.mark.parametrize(
    ("command", "package", "message"),
    [
        ("follow", "redis", "aiopresence.redis needs redis-py"),
        ("fleet", "redis", "aiopresence.redis needs redis-py"),
        ("follow", "cryptography", "AIOPRESENCE_TOKEN_KEY: RedisTokenStore(key=…) needs crypto"),
    ],
)
def test_a_missing_package_is_named(
    command: str, package: str, message: str, tmp_path: Path
) -> None:
    file = tmp_path / "accounts.toml"
    file.write_text(account("a"))
    code = f"import sys; sys.modules[{package!r}] = None; from aiopresence.cli import main; main()"
    accounts = ("--accounts", str(file)) if command == "follow" else ()
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-c", code, command, "--redis", "redis://127.0.0.1:1", *accounts],
        env=environment(tmp_path, AIOPRESENCE_TOKEN_KEY="x"), capture_output=True, text=True,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"aiopresence: {message}")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("key", ["", "hunter2"])
def test_a_wrong_key_names_its_variable(
    key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "accounts.toml"
    file.write_text(account("a"))
    monkeypatch.setenv("AIOPRESENCE_TOKEN_KEY", key)
    done = invoke("follow", "--redis", "redis://127.0.0.1:1", "--accounts", str(file))
    assert done.code == 2
    assert done.err.startswith("aiopresence: AIOPRESENCE_TOKEN_KEY: key must be made by ")
    assert "hunter2" not in done.err


def test_a_fleet_that_has_followed_nothing_is_not_well() -> None:
    with redis_server() as server:
        done = invoke("fleet", "--redis", server.url, "--fleet", "nort", "-o", "json")
    assert (done.code, json.loads(done.out)) == (1, [])
    assert "no process has followed any account with the fleet nort over this Redis" in done.err


async def test_a_summary_counts_in_words(tmp_path: Path) -> None:
    with redis_server() as server:
        reports = {f"account {n}": Report(extensions=5) for n in range(2)}
        async with Connection(server.url, timeout=1.0, prefix="aiopresence") as connection:
            keys = FleetKeys(connection, "default", "process", 30.0)
            for account, report in reports.items():
                async for _ in keys.claim([account], 1):
                    await keys.renew({account: report})
        _, _, err = await show(server)
    assert err == "aiopresence: 1 process, 2 accounts: 2 lag\n"


def test_without_redis_it_says_so() -> None:
    done = invoke("fleet", "--redis", "redis://:secret@127.0.0.1:1/0")
    assert (done.code, done.out) == (1, "")
    assert "redis://127.0.0.1:1/0" in done.err
    assert "secret" not in done.err
