"""The `doctor` command: results, skipped checks, and no personal data in its output."""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from aiopresence import GetPresenceInfo, UnifiedPresence
from aiopresence.cli.doctor import checks, environment
from aiopresence.cli.doctor.drift import unknown
from aiopresence.sandbox import Answer, Change, Sandbox
from tests.support import terminal
from tests.support.cli_calls import invoke
from tests.support.sessions import PLENTY
from tests.support.terminal import Done
from tests.support.virtual import virtual, virtual_sandbox, virtual_session

CHECKS = [
    *("settings", "files", "server", "clock", "login", "own presence (ReadPresence)"),
    *("write (EditPresence)", "directory (ReadAccounts)", "account page", "batch of two"),
    *("call queue", "unified presence", "events (WebSocketsSubscription)", "limits"),
]
Found = dict[str, tuple[bool | None, str]]
Doctor = Callable[..., Awaitable[Done]]
Examine = Callable[..., Awaitable[Found]]


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox(20, window=1.0) as sandbox:
        yield sandbox


@pytest.fixture
def env(sandbox: Sandbox, tmp_path: Path) -> dict[str, str]:
    return terminal.environment(
        tmp_path,
        RC_SERVER_URL=sandbox.url,
        RC_APP_CLIENT_ID=sandbox.client_id,
        RC_APP_CLIENT_SECRET=sandbox.client_secret,
        RC_USER_JWT=sandbox.jwt,
    )


@pytest.fixture
def doctor(
    sandbox: Sandbox, env: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Doctor:
    """Run doctor with the sandbox, in the process of the test and in a temporary directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "environ", env)

    async def run(*arguments: str) -> Done:
        done = await asyncio.to_thread(invoke, "doctor", *arguments)
        assert not any(secret in str(done) for secret in (sandbox.jwt, sandbox.client_secret))
        return done

    return run


@pytest.fixture
def examine(env: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Examine:
    """Run the checks in the process of the test, which is faster than a process of their own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "environ", env)

    async def run(**more: str) -> Found:
        monkeypatch.setattr(os, "environ", {**env, **more})
        found = [each async for each in checks.run_checks(None, None)]
        assert not any(secret in str(found) for secret in (env["RC_USER_JWT"], "NotASecret"))
        return {each.check: (each.ok, each.text) for each in found}

    return run


def test_all_checks_succeed_with_the_embedded_sandbox(tmp_path: Path) -> None:
    done = terminal.run("doctor", "--sandbox", "40", env=terminal.environment(tmp_path))
    header, *lines = done.out.splitlines()
    assert (done.code, done.err, header.split()) == (0, "", ["CHECK", "RESULT"])
    assert [line[2:33].strip() for line in lines] == CHECKS
    assert "".join(line[0] for line in lines) == "✓·" + "✓" * 12


async def test_all_checks_succeed_and_change_nothing(doctor: Doctor, sandbox: Sandbox) -> None:
    done = await doctor("--output", "json")
    found = {each["check"]: each for each in json.loads(done.out)}
    assert (done.code, [*found]) == (0, CHECKS)
    assert {each["ok"] for each in found.values()} == {True}
    assert found["settings"]["text"].startswith("server_url from the environment, ")
    writes = [json.loads(r.body) for r in sandbox.requests if r.method == "PUT"]
    assert writes == [{"ringOnMonitoredCall": False}]
    assert sandbox.counters.rate_limited == 0


async def test_each_missing_permission_is_named(
    doctor: Doctor, examine: Examine, sandbox: Sandbox
) -> None:
    for permission in ("EditPresence", "ReadAccounts", "WebSocketsSubscription"):
        sandbox.forbid(permission)
    done = await doctor("--output", "json")
    wrong = {each["check"]: each["text"] for each in json.loads(done.out) if not each["ok"]}
    assert done.code == 1
    assert [*wrong] == [title for title in CHECKS if title.endswith(")")][1:]
    for title, text in wrong.items():
        permission = title.partition("(")[2].rstrip(")")
        assert (
            text == f"HTTP 403 CMN-401: add the permission {permission} to the app, and check the"
            " user's role"
        )
    sandbox.forbid("ReadPresence")
    found = await examine()
    assert found["own presence (ReadPresence)"][0] is False
    assert found["batch of two"] == (None, "skipped: requires own presence and account page")


@pytest.mark.parametrize(
    ("more", "check", "says"),
    [
        ({"RC_USER_JWT": "wrong"}, "login", "check the client id and the JWT"),
        ({"RC_USER_JWT": "not one"}, "settings", "jwt has a space or a control character in it"),
        ({"RC_APP_CLIENT_SECRET": ""}, "settings", "not set: RC_APP_CLIENT_SECRET; "),
        ({"RC_SERVER_URL": "http://example.org"}, "settings", "server must be https://"),
        ({"RC_SERVER_URL": "http://127.0.0.1:9"}, "server", "cannot connect to 127.0.0.1:9: "),
        ({"RC_SERVER_URL": "https://nowhere.invalid"}, "server", "nowhere.invalid"),
    ],
)
async def test_a_failed_check_skips_those_that_depend_on_it(
    examine: Examine, more: dict[str, str], check: str, says: str
) -> None:
    found = await examine(**more)
    wrong = [(name, text) for name, (ok, text) in found.items() if ok is False]
    assert [name for name, _ in wrong] == [check]
    assert says in wrong[0][1]
    assert found["events (WebSocketsSubscription)"][0] is None


async def test_https_to_a_server_without_tls_fails(examine: Examine, sandbox: Sandbox) -> None:
    found = await examine(RC_SERVER_URL=sandbox.url.replace("http:", "https:"))
    assert found["server"][0] is False


async def test_a_wrong_clock_an_exhausted_limit_and_a_503_are_reported(
    examine: Examine, sandbox: Sandbox
) -> None:
    date = "Sun, 01 Jan 2023 00:00:00 GMT"
    root = sandbox.faults.add(
        Change(headers={"Date": date}), when=lambda received: received.path == "/restapi/v1.0"
    )
    headers = {"Retry-After": "1", "X-Rate-Limit-Group": "Medium", "X-Rate-Limit-Limit": "40"}
    sandbox.faults.add(Answer(429, headers=headers), path="unified-presence")
    wrong = {name: text for name, (ok, text) in (await examine()).items() if ok is False}
    assert root.fired == 1
    assert wrong["clock"].endswith(" s ahead of the server: set this machine's clock")
    assert wrong["limits"].startswith(
        "1 response with HTTP 429: another program uses the same rate limits; "
    )
    sandbox.faults.add(Answer(503), path="/restapi/v1.0")
    assert "status.ringcentral.com" in (await examine())["server"][1]


async def test_secret_files_readable_by_others_fail(examine: Examine, tmp_path: Path) -> None:
    dotenv = tmp_path / ".env"
    dotenv.write_text("RC_USER_JWT=x")
    dotenv.chmod(0o644)
    # It is not used while the environment has all settings.
    assert (await examine())["files"][0] is True
    found = await examine(RC_USER_JWT="")
    assert found["files"] == (False, ".env is accessible to other users: chmod 600 .env")


def altered(body: bytes) -> bytes:
    """Add unknown fields and values to each record."""
    answer = json.loads(body)
    for record in answer.get("records", [answer]):
        record |= {"presenceStatus": "OnTheMoon", "nickname": "Somebody Private"}
        record |= {"userStatus": "Somebody Private", "Somebody Private": 1}
    return json.dumps(answer).encode()


async def test_drift_lists_unknown_names_and_no_personal_data(
    doctor: Doctor, sandbox: Sandbox
) -> None:
    done = await doctor("--drift")
    assert (done.code, done.out, done.err) == (0, "", "No unknown fields or values.\n")
    sandbox.faults.add(Change(altered), path="~/presence?", times=None)
    done = await doctor("--drift", "--output", "json")
    assert (done.code, "Private" in done.out + done.err) == (1, False)
    expected = [
        ("?", "(field)"),
        ("nickname", "(field)"),
        ("presenceStatus", "OnTheMoon"),
        ("userStatus", "(not a name)"),
    ]
    assert json.loads(done.out) == [
        {"path": f"{where}.{name}", "value": value}
        for where in ("AccountPresenceInfo.records[]", "GetPresenceInfo")
        for name, value in expected
    ]
    assert done.err == "8 unknown fields or values.\n"


async def test_drift_continues_after_a_failed_read(doctor: Doctor, sandbox: Sandbox) -> None:
    sandbox.faults.add(Answer(404), path="unified-presence")
    done = await doctor("--drift")
    assert done.code == 1
    assert done.err.startswith("aiopresence: HTTP 404")
    assert done.err.endswith(
        "\n1 kind of presence could not be read; no unknown fields or values.\n"
    )
    sandbox.faults.add(Answer(403), path="presence", times=None)
    done = await doctor("--drift")
    assert (done.code, done.err.count("\n")) == (1, 5)
    assert done.err.endswith("\nCheck failed: no kind of presence could be read.\n")


def test_drift_searches_nested_records() -> None:
    call = {"from": "1", "sipData": {"new": 1}, "direction": "Sideways", "id": 1}
    value = {"activeCalls": [call, call], "extension": {"id": 1}, "message": None}
    assert {*unknown(GetPresenceInfo, value, "$")} == {
        ("$.activeCalls[].sipData.new", "(field)"),
        ("$.activeCalls[].direction", "Sideways"),
    }
    assert [*unknown(UnifiedPresence, {"glip": {"status": "Online"}}, "$")] == []
    assert [*unknown(UnifiedPresence, {"glip": ["odd"], "status": 5}, "$")] == []


@virtual
async def test_the_login_of_doctor_expires_if_rate_limits_delay_its_revocation() -> None:
    limits = {**PLENTY, "Auth": 1}
    async with virtual_sandbox(3, limits=limits) as sandbox, virtual_session(sandbox) as session:
        await session.read_user_presence_status()
        loop = asyncio.get_running_loop()
        began = loop.time()
        await environment._end_login(session)
        assert loop.time() - began == pytest.approx(environment.REVOKE_TIMEOUT, abs=0.1)
        assert not [r for r in sandbox.requests if r.path.endswith("/revoke")]


async def test_an_invalid_date_header_skips_the_clock_check(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from aiopresence.cli.doctor.context import CheckContext, CheckSkipped
    from aiopresence.cli.doctor.environment import clock

    for text in (
        "", "yesterday", "1 2 3 4 5 6", "Sun, 01 Jan 2023 99:99:99 GMT",
        "Sun, 01 Jan 99999999999999999999 00:00:00 GMT",
        "Sun, 01 Jan 2023 00:00:00 +99999999999999",
    ):  # fmt: skip
        context = CheckContext(None, None, None, date=(text, 0.0))  # type: ignore[arg-type]
        with pytest.raises(CheckSkipped, match="invalid"):
            await clock(context)
