"""Run the command in the process of the test, which is fast, with a sandbox as its server."""

import asyncio
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from typing import Any

import attrs
import pytest
import typer.testing
from typer.main import get_command
from typer.testing import CliRunner

from aiopresence import PresenceSession
from aiopresence.cli.app import app
from aiopresence.sandbox import Delay, Sandbox
from tests.support.clocks import SkippingClock
from tests.support.terminal import Done

# The runner makes all commands again for each command line, which takes most of its time.
typer.testing._get_command = cache(get_command)  # type: ignore[attr-defined]

PLENTY = {"Light": 9_000, "Medium": 9_000, "Heavy": 9_000, "Auth": 9_000}


@attrs.frozen
class Cli:
    """Runs commands; call it with their arguments.

    Attributes:
        sandbox: the server that the environment variables name.
        clock: the clock of its sessions, which skips waits.
    """

    sandbox: Sandbox
    clock: SkippingClock

    async def __call__(self, *arguments: str, stdin: str | bytes = "") -> Done:
        return await asyncio.to_thread(invoke, *arguments, stdin=stdin)

    @property
    def writes(self) -> list[str]:
        """The requests so far that write."""
        written = [each for each in self.sandbox.requests if each.method in ("PUT", "PATCH")]
        return [f"{each.method} {each.path.rpartition('/')[2]}" for each in written]


def invoke(*arguments: str, stdin: str | bytes = "", env: Mapping[str, str] | None = None) -> Done:
    """Run a command, with the environment of the test or with another one."""
    whole = None if env is None else {**dict.fromkeys(os.environ), **env}
    result = CliRunner().invoke(app, arguments, input=stdin, env=whole, prog_name="aiopresence")
    assert isinstance(result.exception, SystemExit | None), result.exc_info
    assert "Traceback" not in result.stderr
    return Done(result.exit_code, result.stdout, result.stderr)


@asynccontextmanager
async def commanding(
    monkeypatch: pytest.MonkeyPatch, home: Path, **options: Any
) -> AsyncIterator[Cli]:
    """Start a sandbox, and set the environment variables to it."""
    clock = SkippingClock()
    monkeypatch.setattr(PresenceSession, "_clock", clock)
    usual = {"extensions": 100, "limits": PLENTY, "clock": clock.now}
    async with Sandbox(**{**usual, **options}) as sandbox:
        lead(monkeypatch, home, credentials(sandbox))
        yield Cli(sandbox, clock)


def slow_sandbox(extensions: int, *seconds: float) -> Sandbox:
    """Return a sandbox that delays its first responses with presence, each by its own time."""
    sandbox = Sandbox(extensions, limits=PLENTY)
    for each in seconds:
        sandbox.faults.add(Delay(each), path="/presence")
    return sandbox


def credentials(sandbox: Sandbox) -> dict[str, str]:
    """Return the environment variables for a sandbox."""
    return {
        "RC_SERVER_URL": sandbox.url,
        "RC_APP_CLIENT_ID": sandbox.client_id,
        "RC_APP_CLIENT_SECRET": sandbox.client_secret,
        "RC_USER_JWT": sandbox.jwt,
    }


def lead(monkeypatch: pytest.MonkeyPatch, home: Path, environment: dict[str, str]) -> None:
    """Set environment variables, and remove those of the user who runs the tests."""
    for name in ("SERVER_URL", "CLIENT_ID", "CLIENT_SECRET", "JWT_TOKEN"):
        monkeypatch.delenv(f"RINGCENTRAL_{name}", raising=False)
    for name in ("RC_SERVER_URL", "RC_APP_CLIENT_ID", "RC_APP_CLIENT_SECRET", "RC_USER_JWT"):
        monkeypatch.delenv(name, raising=False)
    directories = {f"XDG_{n}_HOME": f"{home}/{n.lower()}" for n in ("CONFIG", "STATE", "CACHE")}
    for name, value in {**directories, **environment}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(home)
