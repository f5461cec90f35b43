"""The commands `login`, `logout` and `whoami`."""

import asyncio
import html
import json
import os
import re
import signal
import subprocess
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import aiohttp
import pytest
from typer.testing import CliRunner

from aiopresence.auth_advice import ADVICE
from aiopresence.cli.app import app
from aiopresence.sandbox import Answer, Sandbox
from tests.support import terminal
from tests.support.ports import free_port
from tests.support.terminal import Done


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def user(home: Path, sandbox: Sandbox, *without: str, **more: str) -> dict[str, str]:
    """Return the environment of a user of the sandbox, without some of the settings."""
    settings = {
        "RC_SERVER_URL": sandbox.url,
        "RC_APP_CLIENT_ID": sandbox.client_id,
        "RC_APP_CLIENT_SECRET": sandbox.client_secret,
        "RC_USER_JWT": sandbox.jwt,
    }
    kept = {name: value for name, value in settings.items() if name not in without}
    return terminal.environment(home, **kept, **more)


async def run(*arguments: str, env: dict[str, str]) -> Done:
    """Run a command in the process of the test, which is faster than a process of its own."""
    whole = {**dict.fromkeys(os.environ), **env}
    result = await asyncio.to_thread(
        CliRunner().invoke, app, arguments, env=whole, catch_exceptions=False
    )
    done = Done(result.exit_code, result.stdout, result.stderr)
    assert not re.search("Sandbox(Token|Refresh|Code)|NotASecret|NotASignature", str(done))
    return done


@asynccontextmanager
async def logging_in(
    env: dict[str, str], *more: str
) -> AsyncIterator[tuple[asyncio.subprocess.Process, dict[str, str]]]:
    """Start a browser login; yield its process and the query of the login page."""
    process = await asyncio.create_subprocess_exec(
        *terminal.COMMAND, "login", "--no-browser", "--port", str(free_port()), *more,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env, cwd=env["HOME"],
    )  # fmt: skip
    try:
        assert process.stdout is not None
        url = (await asyncio.wait_for(process.stdout.readline(), 20)).decode().strip()
        assert urlsplit(url).path == "/restapi/oauth/authorize"
        yield process, dict(parse_qsl(urlsplit(url).query))
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def come_back(query: dict[str, str], **parameters: str) -> tuple[int, str]:
    """Request the redirect URI as the browser does after the login."""
    async with (
        aiohttp.ClientSession() as browser,
        browser.get(query["redirect_uri"], params=parameters) as answer,
    ):
        return answer.status, await answer.text()


async def log_in(env: dict[str, str], sandbox: Sandbox, *more: str) -> str:
    async with logging_in(env, *more) as (process, query):
        code = sandbox.new_code(query["redirect_uri"], query["code_challenge"])
        status, page = await come_back(query, code=code, state=query["state"])
        out, err = await process.communicate()
    assert (status, process.returncode) == (200, 0), err
    assert "You can close this window" in page
    return out.decode()


async def test_a_browser_login_is_used_and_renewed_by_later_commands(tmp_path: Path) -> None:
    async with Sandbox(10, window=1.0) as sandbox:
        env = user(tmp_path, sandbox, "RC_USER_JWT", "RC_APP_CLIENT_SECRET")
        out = await log_in(env, sandbox)
        assert out.startswith(f"Logged in to {sandbox.url} as extension 101, until ")
        # The login includes server and client id: they need not be set any more.
        del env["RC_SERVER_URL"], env["RC_APP_CLIENT_ID"]
        for _ in range(2):
            sandbox.expire_tokens()
            await asyncio.to_thread(_age, tmp_path)
            assert (await run("whoami", env=env)).code == 0
        done = await run("read", "~", env=env)
        assert done.code == 0
        counters = sandbox.counters
        assert (counters.logins, counters.refreshes) == (1, 2)
        state = tmp_path / "state" / "aiopresence"
        assert state.stat().st_mode & 0o777 == 0o700
        assert {path.stat().st_mode & 0o777 for path in state.iterdir()} == {0o600}
        # After the refresh token has expired, too, the error says what to do.
        sandbox.expire_refresh_tokens()
        _age(tmp_path)
        done = await run("read", "~", env=env)
        assert done.code == 2
        assert done.err == (
            "aiopresence: the saved login of profile default was refused (HTTP 400 OAU-210):"
            " log in again with `aiopresence login`\n"
        )


@pytest.mark.parametrize(("status", "code"), [(403, "AGW-404"), (404, "AGW-404"), (403, "CMN-211")])
async def test_a_refused_login_shows_the_error_code_and_advice(
    tmp_path: Path, status: int, code: str
) -> None:
    async with Sandbox(10) as sandbox:
        rule = sandbox.faults.add(Answer.error(status, code, "No"), path="/oauth/token", times=None)
        for command in ("login", "whoami", "doctor"):
            before = rule.fired
            done = await run(command, env={**user(tmp_path, sandbox), "COLUMNS": "300"})
            assert rule.fired > before
            assert done.code == 1
            text = " ".join((done.out + done.err).split())
            assert code in text
            assert ADVICE[code] in text
            assert "accepted" not in text


@pytest.mark.parametrize("consent", ["yes", "no"])
async def test_login_on_the_page_of_the_sandbox(tmp_path: Path, consent: str) -> None:
    async with Sandbox(10) as sandbox, aiohttp.ClientSession() as browser:
        env = user(tmp_path, sandbox, "RC_USER_JWT")
        async with logging_in(env) as (process, query):
            page = f"{sandbox.url}/restapi/oauth/authorize"
            async with browser.get(page, params=query) as shown:
                hidden = re.findall(r'name="(\w+)" value="([^"]*)">', await shown.text())
            form = {**{name: html.unescape(value) for name, value in hidden}, "consent": consent}
            async with browser.post(page, data=form) as last:
                assert last.url.path == "/callback"
                assert last.status == 200
            out, err = await process.communicate()
        if consent == "yes":
            assert process.returncode == 0, err
            assert out.startswith(f"Logged in to {sandbox.url} as extension 101".encode())
            assert (await run("whoami", env=env)).code == 0
        else:
            assert process.returncode == 2
            assert b"access_denied" in err


def _age(home: Path) -> None:
    """Expire the saved access tokens."""
    file = home / "state" / "aiopresence" / "tokens.json"
    tokens = json.loads(file.read_text())
    for token in tokens.values():
        token["expires_time"] = 0
    file.write_text(json.dumps(tokens))


async def test_each_profile_has_its_own_login(tmp_path: Path) -> None:
    async with Sandbox(10, window=1.0) as sandbox:
        env = user(tmp_path, sandbox, "RC_USER_JWT")
        _configure(tmp_path, '[profile."a/b"]\n')
        await log_in(env, sandbox)
        await log_in(env, sandbox, "--profile", "a/b")
        out = (await run("logout", "--profile", "a/b", env=env)).out
        assert out == (f"Logged out of {sandbox.url}: login of profile a/b revoked and deleted.\n")
        assert [r.path for r in sandbox.requests][-1] == "/restapi/oauth/revoke"
        again = await run("logout", "--profile", "a/b", env=env)
        assert (again.code, again.out) == (0, "Not logged in (profile a/b).\n")
        who = json.loads((await run("whoami", "--output", "json", env=env)).out)
        assert (who["profile"], who["login"]) == ("default", "login of profile default")
        gone = await run("whoami", "--profile", "a/b", env=env)
        assert gone.err.startswith("aiopresence: not set: RC_USER_JWT; ")
        moved = await run("whoami", env={**env, "RC_APP_CLIENT_ID": "other"})
        assert moved.err == (
            "aiopresence: the saved login of profile default has another client_id than the"
            " environment: log in again with `aiopresence login`\n"
        )


async def test_a_saved_login_is_used_only_with_its_server(tmp_path: Path) -> None:
    async with Sandbox(10, window=1.0) as first, Sandbox(10, window=1.0) as second:
        assert (first.jwt, first.client_id) == (second.jwt, second.client_id)
        assert (await run("login", env=user(tmp_path, first))).code == 0
        # With a JWT, another login is possible; without one, it is not.
        done = await run("whoami", "-o", "json", env=user(tmp_path, second))
        assert json.loads(done.out)["server"] == second.url
        requests = len(first.requests)
        env = user(tmp_path, second, "RC_USER_JWT")
        for command in (("whoami",), ("read", "~"), ("set", "--status", "Busy")):
            done = await run(*command, env=env)
            assert (done.code, done.err) == (
                2,
                "aiopresence: the saved login of profile default has another server_url than the"
                " environment: log in again with `aiopresence login`\n",
            )
        assert len(first.requests) == requests
        same = {**env, "RC_SERVER_URL": first.url + "/"}
        assert (await run("whoami", env=same)).code == 0


async def test_a_saved_login_is_not_sent_the_client_secret_of_another_server(
    tmp_path: Path,
) -> None:
    async with Sandbox(10, window=1.0) as theirs:
        assert (await run("login", env=user(tmp_path, theirs))).code == 0
        theirs_before = len(theirs.requests)
        # The same client id, for RingCentral's production server, which is the default.
        _configure(
            tmp_path,
            f'[profile.default]\nclient_id = "{theirs.client_id}"\nclient_secret = "ours"\n',
        )
        env = terminal.environment(tmp_path)
        done = await run("whoami", env=env)
        assert (done.code, len(theirs.requests)) == (2, theirs_before)
        assert "has another server_url than the default: log in again" in done.err
        assert (await run("logout", env=env)).code == 0
        [revoked] = theirs.requests[theirs_before:]
        assert b64encode(f"{theirs.client_id}:ours".encode()).decode() not in str(revoked)


async def test_a_dotenv_cannot_redirect_the_secrets_of_the_configuration(tmp_path: Path) -> None:
    async with Sandbox(10, window=1.0) as ours, Sandbox(10, window=1.0) as theirs:
        _configure(
            tmp_path,
            f'[profile.default]\nserver_url = "{ours.url}"\nclient_id = "{ours.client_id}"\n'
            f'client_secret = "{ours.client_secret}"\njwt = "{ours.jwt}"\n',
        )
        env = terminal.environment(tmp_path)
        assert (await run("whoami", env=env)).code == 0
        (tmp_path / ".env").write_text(f"RC_SERVER_URL={theirs.url}\n")
        for command in (("whoami",), ("login",), ("logout",), ("read", "~")):
            done = await run(*command, env=env)
            assert (done.code, done.err.count("\n")) == (2, 1)
            assert done.err.startswith(
                "aiopresence: .env sets RC_SERVER_URL, and profile default sets client_id,"
            )
        assert (await run("doctor", env=env)).code == 1
        assert theirs.requests == []


def _configure(home: Path, text: str) -> None:
    file = home / "config" / "aiopresence" / "config.toml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


async def test_only_redirects_with_the_state_are_accepted(tmp_path: Path) -> None:
    async with Sandbox(10) as sandbox:
        env = user(tmp_path, sandbox, "RC_USER_JWT")
        async with logging_in(env) as (process, query):
            code = sandbox.new_code(query["redirect_uri"], query["code_challenge"])
            assert (await come_back(query, code=code, state="guessed"))[0] == 400
            assert (await come_back(query, code=code))[0] == 400
            refusal = {"error": "access_denied\n<b>", "state": query["state"]}
            status, page = await come_back(query, **refusal)
            _, err = await process.communicate()
        assert (status, "<b>" in page, process.returncode) == (200, False, 2)
        assert err.decode().splitlines()[-1] == (
            "aiopresence: RingCentral's login page refused the login: access_denied\\n<b>; see"
            " aiopresence login --help"
        )
        async with logging_in(env) as (process, query):
            process.send_signal(signal.SIGINT)
            _, err = await process.communicate()
        assert process.returncode == 130
        assert b"Traceback" not in err
        assert sandbox.counters.token_requests == 0


async def test_login_whoami_and_logout_with_a_jwt(tmp_path: Path) -> None:
    async with Sandbox(10, window=1.0) as sandbox:
        env = user(tmp_path, sandbox)
        done = await run("login", env=env)
        assert done.out.startswith(f"Logged in to {sandbox.url} as extension 101, until ")
        assert done.out.endswith(", extended by each use.\n")
        who = json.loads((await run("whoami", "-o", "json", env=env)).out)
        assert who.pop("until").endswith("renewed with the JWT")
        assert (who["login"], who["extensionNumber"]) == ("login with the JWT", "101")
        assert who["extensionId"] == sandbox.extension_ids[0]
        assert who["settings"] == dict.fromkeys(
            ("server_url", "client_id", "client_secret", "jwt"), "the environment"
        )
        assert sandbox.counters.logins == 1
        sandbox.forbid("ReadAccounts")
        lines = (await run("whoami", env=env)).out.splitlines()
        assert (
            "extensionId     unknown: the app or the user lacks the permission ReadAccounts"
            in lines
        )
        tokens = tmp_path / "state" / "aiopresence" / "tokens.json"
        tokens.chmod(0o644)
        assert "chmod 600" in (await run("whoami", env=env)).err
        tokens.chmod(0o600)
        without = {name: value for name, value in env.items() if name != "RC_USER_JWT"}
        assert (await run("read", "~", env=without)).code == 0
        for command in (["login"], ["read", "~"]):
            wrong = await run(*command, env={**env, "RC_APP_CLIENT_SECRET": "wrong"})
            assert (wrong.code, wrong.err.count("invalid_client")) == (1, 1)
        done = await run("logout", env=env)
        assert done.err == (
            "The JWT in the environment is still set: the next command logs in with it again.\n"
        )
        assert done.out.startswith(f"Logged out of {sandbox.url}: login of profile default ")
        assert done.out.count("\n") == 1
        refused = await run("login", env={**env, "RC_USER_JWT": "NotASignature"})
        assert refused.code == 1
        assert refused.err.count("\n") == 1


async def test_commands_work_without_a_state_directory(tmp_path: Path) -> None:
    async with Sandbox(10, window=1.0) as sandbox:
        (tmp_path / "state").write_text("")
        env = user(tmp_path, sandbox)
        done = await run("whoami", env=env)
        assert done.code == 0
        assert done.err == (
            "aiopresence: the login is not saved for the next command:"
            f" {tmp_path}/state/aiopresence: Not a directory\n"
            "Logged in with the JWT in the environment.\n"
        )
        done = await run("login", env=user(tmp_path, sandbox, "RC_USER_JWT"))
        assert done.code == 2
        assert done.err.startswith("aiopresence: cannot save a login in ")
        done = await run(
            "login", env=terminal.environment(tmp_path, XDG_STATE_HOME=f"{tmp_path}/s")
        )
        assert done.err.startswith("aiopresence: not set: RC_APP_CLIENT_ID, ")
